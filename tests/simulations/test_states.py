"""Dynamical states of simulated clusters."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit, ndtr

from szmass.citations import find_papers
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics import is_relaxed
from szmass.simulations import (
    StateModel,
    draw_flat,
    draw_states,
    from_masses,
    get_state_model,
)

GADGET = get_state_model("the300-gadget-x")
SCORES = np.array([-2.0, 0.0, 2.0])
MEDIANS = np.array([np.log(0.06), logit(0.13), np.log(1.1), logit(0.67), logit(0.7)])
WIDTHS = np.array([0.7, 0.5, 0.1, 0.3, 0.5])


def simple(**changes):
    """Independent normal distributions that are twice as wide at redshift 1."""
    table = MEDIANS[:, np.newaxis] + WIDTHS[:, np.newaxis] * SCORES
    wide = MEDIANS[:, np.newaxis] + 2 * WIDTHS[:, np.newaxis] * SCORES
    parameters = {
        "name": "simple",
        "redshift": [0.0, 1.0],
        "log_mass": [[14.0, 14.5, 15.0], [13.5, 14.0, 14.5]],
        "scores": SCORES,
        "quantiles": [table, wide],
        "slopes": np.zeros((2, 5)),
        "correlation": [np.eye(5)] * 2,
        "spread": np.zeros((2, 5)),
        "concentration": [[-1.0, 1.0], [0.5, 1.5]],
        "sigma_ln_concentration": 0.1,
    }
    return StateModel(**(parameters | changes))


def many(n, seed=1):
    return np.random.default_rng(seed).random((n, 6))


# ---- Draws


def test_draws_depend_on_seed_and_cluster_alone():
    sample = draw_flat(40, seed=3)
    whole = draw_states(sample, seed=5)
    part = draw_states(sample[np.array([20, 4])], seed=5)
    for name in whole.colnames:
        np.testing.assert_array_equal(part[name], whole[name][[20, 4]])
    alone = draw_states(sample[7:8], seed=5)
    assert alone["concentration"][0] == whole["concentration"][7]
    assert not np.any(draw_states(sample, seed=6)["eta"] == whole["eta"])
    assert whole.meta["state_model"] == "the300-gadget-x"


def test_columns_are_what_they_say():
    sample = draw_flat(3000, redshift=(0.01, 1.5), seed=1)
    states = draw_states(sample, seed=1)
    for name in ("f_s", "m500_m200"):
        assert np.all((states[name] > 0) & (states[name] < 1))
    assert np.all(states["half_mass_scale"] < 1 / (1 + sample.redshift))
    assert np.all((states["delta_r"] > 0) & (states["eta"] > 0) & (states["concentration"] > 1))
    np.testing.assert_array_equal(
        states["relaxed"], is_relaxed(states["delta_r"], states["f_s"], states["eta"])
    )
    papers = [paper.key for named in find_papers(states).values() for paper in named]
    assert "2018MNRAS.480.2898C" in papers


def test_medians_and_widths_go_from_node_to_node():
    mass = 10**14.2 * u.solMass
    for redshift, factor in ((0.0, 1.0), (0.5, 1.5), (1.0, 2.0), (3.0, 2.0)):
        states = simple().transform(ndtr([[0.0] * 6, [1.0] * 6, [3.0] * 6]), mass, redshift)
        for score, row in zip((0, 1, 3), states, strict=True):
            place = MEDIANS + factor * WIDTHS * score
            np.testing.assert_allclose(row["delta_r"], np.exp(place[0]))
            np.testing.assert_allclose(row["f_s"], expit(place[1]))
            np.testing.assert_allclose(row["eta"], np.exp(place[2]))
            np.testing.assert_allclose(row["m500_m200"], expit(place[3]))
            np.testing.assert_allclose(row["half_mass_scale"], expit(place[4]) / (1 + redshift))
            x = np.clip(place[3], -1, 1)
            np.testing.assert_allclose(row["concentration"], np.exp(1 + x / 2 + 0.1 * score))


def test_slopes_end_with_the_masses_of_the_fit():
    model = simple(slopes=[[0.5, 0, 0, 0, 0]] * 2)
    mass = 10 ** np.array([13.0, 14.0, 14.5, 14.7, 15.0, 15.5]) * u.solMass
    states = model.transform(np.full((6, 6), 0.5), mass, 0.0)
    shift = np.log(states["delta_r"]) - MEDIANS[0]
    np.testing.assert_allclose(shift, [-0.25, -0.25, 0, 0.1, 0.25, 0.25], atol=1e-12)
    np.testing.assert_array_equal(states["extrapolated"], [True, False, False, False, False, True])


def test_correlations_and_spread():
    matrix = np.eye(5)
    matrix[0, 1] = matrix[1, 0] = 0.7
    matrix[2, 3] = matrix[3, 2] = -0.4
    spread = [[0, 0, 0.3, 0, 0]] * 2
    states = simple(correlation=[matrix] * 2, spread=spread).transform(
        many(40_000), 3e14 * u.solMass, 0.0
    )
    scores = np.array([np.log(states["delta_r"]), logit(states["f_s"]), np.log(states["eta"])])
    scores = (scores - MEDIANS[:3, np.newaxis]) / WIDTHS[:3, np.newaxis]
    assert np.corrcoef(scores)[0, 1] == pytest.approx(0.7, abs=0.01)
    disturbance = (scores[0] + scores[1]) / np.sqrt(3.4)
    rest = scores[2] * np.exp(-0.3 * disturbance)
    assert np.corrcoef(rest, logit(states["m500_m200"]))[0, 1] == pytest.approx(-0.4, abs=0.015)
    assert rest.std() == pytest.approx(1, abs=0.01)
    high, low = disturbance > 1, disturbance < -1
    assert scores[2][high].std() > 2 * scores[2][low].std()


@given(st.floats(13.5, 15.5), st.floats(0, 1.4), st.floats(0.001, 0.9), st.integers(0, 4))
def test_more_of_a_number_is_more_of_what_it_is_for(log_mass, redshift, uniform, column):
    numbers = np.full((2, 6), 0.4)
    numbers[:, column] = uniform, uniform + 0.05
    states = GADGET.transform(numbers, 10**log_mass * u.solMass, redshift)
    name = ("delta_r", "f_s", "eta", "m500_m200", "half_mass_scale")[column]
    assert states[name][1] > states[name][0]


# ---- Range of the fit


def test_nearby_survey_clusters_are_flagged():
    low, high = GADGET.mass_range([0.0, 0.25, 1.0])
    np.testing.assert_allclose(low.to_value("1e14 solMass"), [4.59, 1.12, 0.30], rtol=0.05)
    assert np.all(high > 5e14 * u.solMass)
    sample = from_masses([2e14, 8e14, 4e15, 2e14, 3e14] * u.solMass, [0.05, 0.05, 0.05, 0.4, 1.3])
    np.testing.assert_array_equal(
        draw_states(sample, seed=1)["extrapolated"], [True, False, True, False, True]
    )


def test_below_the_fit_states_are_those_of_its_lowest_mass():
    uniform = many(50)
    lowest = GADGET.mass_range(0.1)[0]
    edge = GADGET.transform(uniform, lowest * 1.0000001, 0.1)
    below = GADGET.transform(uniform, lowest / 10, 0.1)
    assert below["extrapolated"].all()
    assert not edge["extrapolated"].any()
    for name in ("delta_r", "f_s", "eta", "m500_m200", "half_mass_scale", "concentration"):
        np.testing.assert_allclose(below[name], edge[name], rtol=1e-5)


def test_states_of_the_shipped_model_belong_together():
    states = GADGET.transform(many(20_000), 6e14 * u.solMass, 0.2)
    log = {name: np.log(states[name]) for name in states.colnames[:6]}

    def r(a, b):
        return np.corrcoef(log[a], log[b])[0, 1]

    assert 0.6 < r("delta_r", "f_s") < 0.8
    assert r("f_s", "half_mass_scale") > 0.5
    assert r("f_s", "m500_m200") < -0.3
    assert r("concentration", "m500_m200") > 0.85
    spread = [log["eta"][states["f_s"] < 0.1].std(), log["eta"][states["f_s"] > 0.2].std()]
    assert spread[1] > 1.5 * spread[0]


# ---- What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"redshift": [0.0]}, "'log_mass' must be an array of the shape \\(1, 3\\)"),
        ({"redshift": [1.0, 0.0]}, "'redshift' must be rising"),
        ({"scores": [0, 1]}, "'quantiles' must be an array of the shape \\(2, 5, 2\\)"),
        ({"quantiles": np.zeros((2, 5, 3))}, "'quantiles' must be rising"),
        ({"correlation": [np.eye(5), 2 * np.eye(5)]}, "'correlation' must be symmetric"),
        ({"correlation": np.ones((2, 5, 5))}, "positive definite"),
        ({"spread": np.full((2, 5), np.nan)}, "'spread' must be finite"),
        ({"concentration": [[1.0, -1.0], [0.5, 1.5]]}, "'concentration' must be rising"),
        ({"concentration": 4.0}, "'concentration' must be an array"),
    ],
)
def test_tables_that_are_no_distribution(changes, message):
    with pytest.raises(InvalidInputError, match=message):
        simple(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.full((3, 5), 0.5), 3e14 * u.solMass, 0.1), "'uniform'.*shape \\(N, 6\\)"),
        ((np.full((3, 6), 1.0), 3e14 * u.solMass, 0.1), "'uniform' must be between 0 and 1"),
        ((np.full((3, 6), 0.5), [3e14] * 2 * u.solMass, 0.1), "do not broadcast"),
        ((np.full((3, 6), 0.5), 14.5 * u.solMass, 0.1), "'mass' must be between"),
        ((np.full((1, 6), 0.5), np.nan * u.solMass, 0.1), "must be known"),
    ],
)
def test_numbers_that_make_no_states(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        GADGET.transform(*arguments)


def test_samples_and_models_that_cannot_be_drawn():
    sample = draw_flat(3, seed=1)
    with pytest.raises(UnknownNameError, match="the300-gadget-x"):
        draw_states(sample, "the300", seed=1)
    with pytest.raises(InvalidInputError, match="a StateModel"):
        draw_states(sample, 3, seed=1)
    with pytest.raises(InvalidInputError, match="'seed'"):
        draw_states(sample, seed=-1)
    del sample.table["mass_true"]
    with pytest.raises(InvalidInputError, match="no column 'mass_true'"):
        draw_states(sample, seed=1)


def test_models_can_be_changed():
    model = dataclasses.replace(GADGET, name="wide", sigma_ln_concentration=0.4)
    sample = draw_flat(50, seed=1)
    ours, wide = draw_states(sample, seed=1), draw_states(sample, model, seed=1)
    np.testing.assert_array_equal(ours["f_s"], wide["f_s"])
    assert np.std(np.log(wide["concentration"] / ours["concentration"])) > 0.2
