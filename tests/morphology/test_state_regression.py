"""The dynamical state from morphology: what a regression tells, and what it cannot know."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from scipy.stats import kstest, norm

from szmass.exceptions import FileFormatError, InvalidInputError, UnknownNameError
from szmass.maps import CutoutGeometry
from szmass.morphology import StateRegression, measure_morphology
from szmass.physics import get_dynamical_state
from szmass.simulations import Observation, draw_flat, simulate

LINKS = {"concentration": 0.6, "centroid_shift": -0.5, "strip": 0.0}


def clusters(n, seed=0, links=LINKS):
    """A table whose parameters have scores with these correlations with that of chi."""
    rng = np.random.default_rng(seed)
    score = rng.standard_normal(n)
    table = Table({"name": [f"c{i}" for i in range(n)]})
    for name, r in links.items():
        own = r * score + np.sqrt(1 - r**2) * rng.standard_normal(n)
        table[name] = np.exp(own) if name != "strip" else norm.cdf(own) ** 3
    return table, np.exp(0.5 * score - 0.1)


def expected(table):
    """Mean and variance of the score by the formula of a normal distribution."""
    a, b = LINKS["concentration"], LINKS["centroid_shift"]
    matrix = np.array([[1, a * b], [a * b, 1]])
    weights = np.linalg.solve(matrix, [a, b])
    scores = np.log(np.column_stack([table["concentration"], table["centroid_shift"]]))
    return scores @ weights, 1 - np.array([a, b]) @ weights


@pytest.fixture(scope="module")
def fit():
    return StateRegression.fit(*clusters(6000, 1), shrinkage=0)


def test_prediction_is_the_conditional_distribution(fit):
    table, chi = clusters(2000, 2)
    mean, variance = expected(table)
    found = fit.predict(table)
    assert found["name"].tolist() == table["name"].tolist()
    score = (np.log(found["value"]) + 0.1) / 0.5
    # Scores end at those of the fit's clusters, so that few differ more.
    assert np.quantile(np.abs(score - mean), 0.97) < 0.1
    assert np.median(found["told"]) == pytest.approx(1 - variance, abs=0.02)
    p = norm.sf((0.2 - mean) / np.sqrt(variance))
    assert np.quantile(np.abs(found["p_relaxed"] - p), 0.97) < 0.05
    # Called so, they are relaxed so often.
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1)):
        called = (found["p_relaxed"] >= low) & (found["p_relaxed"] < high)
        assert np.mean(chi[called] > 1) == pytest.approx(
            np.mean(found["p_relaxed"][called]), abs=0.06
        )
    low, high = fit.quantile(table, [0.16, 0.84]).T
    np.testing.assert_allclose(found["value"] - low, found["value_errn"], rtol=0.03)
    np.testing.assert_allclose(high - found["value"], found["value_errp"], rtol=0.03)
    assert np.mean((chi > low) & (chi < high)) == pytest.approx(0.68, abs=0.03)


def test_without_parameters_there_is_the_prior(fit):
    table, _ = clusters(3)
    for name in LINKS:
        table[name] = np.nan
    table["concentration"][0] = 1.0
    found = fit.predict(table)
    assert found["used"].tolist() == [1, 0, 0]
    assert found["told"][1] == 0
    _, chi = clusters(6000, 1)
    assert found["p_relaxed"][1] == pytest.approx(np.mean(chi > 1), abs=0.003)
    levels = [0.16, 0.5, 0.84]
    np.testing.assert_allclose(fit.quantile(table, levels)[1], np.quantile(chi, levels), rtol=2e-3)
    # A parameter alone tells less than with others.
    assert found["told"][0] == pytest.approx(0.36, abs=0.03)


def test_parameters_that_tell_nothing_leave_the_prior():
    table, chi = clusters(1500, 4, dict.fromkeys(LINKS, 0.0))
    fit = StateRegression.fit(table[:1000], chi[:1000])
    found = fit.quantile(table[1000:], [0.16, 0.5, 0.84])
    prior = np.log10(np.quantile(chi[:1000], [0.16, 0.5, 0.84]))
    np.testing.assert_allclose(np.log10(found).mean(axis=0), prior, atol=0.02)


@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_held_out_clusters_are_covered(tails):
    table, chi = clusters(1500, 5)
    if tails == "heavy":  # one in ten is an outlier
        rng = np.random.default_rng(1)
        wrong = rng.random(len(chi)) < 0.1
        chi = np.where(wrong, rng.permutation(chi), chi)
    found = StateRegression.held_out(table, chi, seed=3)
    assert found["truth"].tolist() == chi.tolist()
    assert kstest(found["rank"], "uniform").pvalue > 0.01
    off = np.abs(found["rank"] - 0.5)
    assert np.mean(off < 0.34) == pytest.approx(0.68, abs=0.03)
    assert np.mean(off < 0.475) == pytest.approx(0.95, abs=0.015)


def test_bands_stand_beside_each_other():
    (y, chi), (x, _) = clusters(800, 6), clusters(800, 6, {"p3_p0": -0.7})
    bands = {"y": y, "X": x}
    fit = StateRegression.fit(bands, chi)
    assert fit.names == ("y:concentration", "y:centroid_shift", "y:strip", "X:p3_p0")
    both = fit.predict({"X": x, "y": y})
    np.testing.assert_array_equal(both["value"], fit.predict(bands)["value"])
    assert "StateRegression of 'deluca2021' on y:concentration" in repr(fit)
    with pytest.raises(InvalidInputError, match="'tables' must have the parameters"):
        fit.predict({"y": y})


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "vot"])
def test_a_fit_comes_back_from_a_file(suffix, tmp_path):
    y, chi = clusters(300, 6)
    fit = StateRegression.fit({"y": y}, chi, state="haggar2020")
    fit.write(tmp_path / f"fit.{suffix}")
    back = StateRegression.read(tmp_path / f"fit.{suffix}")
    one, other = fit.predict({"y": y}), back.predict({"y": y})
    for name in one.colnames:
        np.testing.assert_array_equal(one[name], other[name])
    assert back.state.name == "haggar2020"
    with pytest.raises(InvalidInputError, match="exists"):
        fit.write(tmp_path / f"fit.{suffix}")
    y.write(tmp_path / "other.ecsv")
    with pytest.raises(FileFormatError, match="no fit of dynamical states"):
        StateRegression.read(tmp_path / "other.ecsv")


def test_states_come_from_columns_of_the_truth():
    table, _ = clusters(300, 7)
    rng = np.random.default_rng(2)
    truth = Table({"delta_r": rng.uniform(0, 0.2, 300), "f_s": rng.uniform(0, 0.3, 300)})
    fit = StateRegression.fit(table, truth)
    number = get_dynamical_state("deluca2021").measure(truth)
    np.testing.assert_array_equal(fit.quantiles, StateRegression.fit(table, number).quantiles)


def test_what_is_refused(fit):
    table, chi = clusters(300, 8)
    for tables, truth, options, text in (
        (table, chi[:-1], {}, "'truth' must be of the 300"),
        (table[:90], chi[:90], {}, "needs 100 clusters"),
        (table, np.where(np.arange(300) < 99, chi, np.nan), {}, "the state"),
        (table, chi, {"parameters": ["gini"]}, "no column 'gini'"),
        (table, chi, {"shrinkage": 1}, "'shrinkage'"),
        (table["name", "strip"][:0], chi[:0], {}, "needs 100"),
        ({"y": table, "X": table[:2]}, chi, {}, "of one length"),
        (table["name",], chi, {}, "'tables' must have the parameters"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            StateRegression.fit(tables, truth, **options)
    with pytest.raises(UnknownNameError):
        StateRegression.fit(table, chi, state="cui")
    with pytest.raises(InvalidInputError, match="'folds'"):
        StateRegression.held_out(table, chi, folds=1)
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        fit.quantile(table, [0.5, 1])
    for changed, text in (
        ({"correlation": np.ones((4, 4))}, "correlations"),
        ({"quantiles": -fit.quantiles}, "not fall"),
        ({"levels": fit.levels[:-1]}, "shapes"),
        ({"residuals": np.zeros(len(fit.levels))}, "'residuals'"),
        ({"number": 8}, "'number'"),
    ):
        given = {
            "levels": fit.levels,
            "quantiles": fit.quantiles,
            "correlation": fit.correlation,
            "number": 500,
        } | changed
        with pytest.raises(InvalidInputError, match=text):
            StateRegression("deluca2021", fit.names, **given)


@pytest.mark.slow
def test_x_ray_images_tell_the_state_of_simulated_clusters():
    population = draw_flat(250, mass=(3e14, 1.5e15) * u.solMass, redshift=(0.15, 0.5), seed=7)
    geometry = CutoutGeometry((141, 141), 12 * u.arcsec)
    observation = Observation(name="20 arcsec", beam=20 * u.arcsec, geometry=geometry)
    xray = {"exposure": 30 * u.ks, "background": 2e-5 * u.ct / u.s / u.arcmin**2}
    mocks = simulate(
        population, observation, model="a10-the300", cosmology="PSZ2", seed=7, fields={"xray": xray}
    )
    table = measure_morphology(mocks.fields["xray"], r500=mocks.table["theta500_true"])
    found = StateRegression.held_out(table, mocks.table)
    assert np.corrcoef(np.log10(found["value"]), np.log10(found["truth"]))[0, 1] > 0.65


def test_what_no_regression_can_be_made_of_is_refused():
    table, chi = clusters(200)
    for given, truth, more, text in (
        (table, np.ones(200), {}, "'truth' must differ"),
        (np.ones((200, 3)), chi, {}, "'tables' must be a table"),
        ({"y": None}, chi, {}, "'tables' must be a table"),
        (table, chi, {"parameters": "name"}, "'name' must be a number"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            StateRegression.fit(given, truth, **more)
    with pytest.raises(InvalidInputError, match="'truth' must be of the 200"):
        StateRegression.held_out(table, chi[:100])
    twice = StateRegression.fit(table, chi, parameters=["strip", "strip"])
    assert twice.names == StateRegression.fit(table, chi, parameters="strip").names == ("strip",)
