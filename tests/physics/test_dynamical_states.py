"""Definitions of dynamical states."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given
from hypothesis import strategies as st

from szmass.exceptions import InvalidInputError, InvalidUnitError, UnknownNameError
from szmass.physics import CHI_FORMS, chi_ds, get_dynamical_state, is_relaxed, relaxedness

offsets = st.floats(1e-3, 0.5)
fractions = st.floats(1e-3, 0.9)
ratios = st.floats(0.3, 3)


@pytest.mark.parametrize(
    ("delta_r", "f_s", "eta", "expected"),
    [
        (0.0399, 0.0999, 1.1499, True),
        (0.0399, 0.0999, 0.8501, True),
        (0.04, 0.05, 1.0, False),
        (0.02, 0.1, 1.0, False),
        (0.02, 0.05, 1.1501, False),
        (0.02, 0.05, 0.8499, False),
        (0.0, 0.0, 1.0, True),
    ],
)
def test_limits_of_relaxed_clusters(delta_r, f_s, eta, expected):
    assert is_relaxed(delta_r, f_s, eta) == expected


def test_what_is_not_known_is_not_called_relaxed():
    delta_r = MaskedColumn([0.01, 0.01, 0.01], mask=[False, True, False])
    np.testing.assert_array_equal(
        is_relaxed(delta_r, 0.05, [1.0, 1.0, np.nan]), [True, False, False]
    )


def test_forms_of_chi():
    assert chi_ds(0.1, 0.1) == pytest.approx(1)
    assert chi_ds(0.05, 0.2) == pytest.approx(np.sqrt(2 / 4.25))
    assert chi_ds(0.04, 0.1, 1.15, form="haggar2020") == pytest.approx(1)
    assert chi_ds(0.08, 0.05, 0.85, form="haggar2020") == pytest.approx(np.sqrt(3 / 5.25))


def test_arrays_broadcast_and_gaps_stay():
    chi = chi_ds([[0.1], [0.0]], [0.1, np.nan, 0.0])
    assert chi.shape == (2, 3)
    assert np.isnan(chi[:, 1]).all()
    assert np.isinf(chi[1, 2])
    assert chi[0, 2] == pytest.approx(np.sqrt(2))


@given(offsets, fractions, ratios, st.floats(1.01, 3))
def test_the_further_from_relaxed_the_smaller_chi(delta_r, f_s, eta, factor):
    for form, scales in CHI_FORMS.items():
        here = {"delta_r": delta_r, "f_s": f_s, "eta": 1 + abs(eta - 1)}
        here = {name: here[name] for name in scales}
        chi = chi_ds(**here, form=form)
        for name, value in here.items():
            there = 1 + (value - 1) * factor if name == "eta" else value * factor
            assert chi_ds(**(here | {name: there}), form=form) <= chi


@given(offsets, fractions, ratios)
def test_relaxed_clusters_have_chi_above_one(delta_r, f_s, eta):
    if is_relaxed(delta_r, f_s, eta):
        assert chi_ds(delta_r, f_s) > 1
        assert chi_ds(delta_r, f_s, eta, form="haggar2020") > 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"delta_r": -1, "f_s": 0.1}, InvalidInputError, "'delta_r' must be at least 0.*not -1"),
        ({"delta_r": 0.1, "f_s": [0.1, -1]}, InvalidInputError, "'f_s'.*1 such value"),
        ({"delta_r": 90 * u.kpc, "f_s": 0.1}, InvalidUnitError, "'delta_r'.*plain number.*kpc"),
        ({"delta_r": 0.1, "f_s": 0.1, "eta": 1}, InvalidInputError, "'eta' must not be given"),
        (
            {"delta_r": 0.1, "f_s": 0.1, "form": "haggar2020"},
            InvalidInputError,
            "'eta' must be given",
        ),
        ({"delta_r": 0.1, "f_s": 0.1, "form": "haggar"}, UnknownNameError, "haggar2020"),
        ({"delta_r": [0.1, 0.2], "f_s": [0.1] * 3}, InvalidInputError, "do not broadcast"),
    ],
)
def test_what_cannot_be_told(arguments, error, message):
    with pytest.raises(error, match=message):
        chi_ds(**arguments)


def test_sentinel_of_eta_is_refused():
    with pytest.raises(InvalidInputError, match="'eta'.*not -1"):
        is_relaxed(0.01, 0.01, -1)


TRUTH = {
    "delta_r": [0.02, 0.06, np.nan],
    "f_s": [0.08, 0.14, 0.05],
    "eta": [1.1, 1.2, 1.05],
}


def test_definitions_by_name_are_those_functions():
    for form, names in (("deluca2021", ("delta_r", "f_s")), ("haggar2020", tuple(TRUTH))):
        state = get_dynamical_state(form)
        assert state.columns == names
        expected = chi_ds(**{name: TRUTH[name] for name in names}, form=form)
        np.testing.assert_array_equal(state.measure(TRUTH), expected)
        np.testing.assert_array_equal(state.relaxed(TRUTH), expected > 1)
    cui = get_dynamical_state("cui2018")
    np.testing.assert_array_equal(cui.relaxed(TRUTH), is_relaxed(**TRUTH))
    # The least of 2, 1.25 and 1.5; of 2/3, 5/7 and 3/4.
    np.testing.assert_allclose(cui.measure(Table(TRUTH))[:2], [1.25, 2 / 3])
    grid = np.random.default_rng(1).uniform(0, 2, (3, 500)) * np.array([[0.04], [0.1], [1.0]])
    truth = dict(zip(TRUTH, grid, strict=True))
    np.testing.assert_array_equal(cui.relaxed(truth), is_relaxed(**truth))


def test_lambda_of_zhang_is_a_column():
    state = get_dynamical_state("zhang2022")
    assert state.relaxed({"lambda_ds": [3.42, 3.43, np.nan]}).tolist() == [False, True, False]
    with pytest.raises(InvalidInputError, match="needs the columns lambda_ds"):
        state.measure(TRUTH)


def test_relaxedness_at_the_thresholds_is_one():
    chi, total = relaxedness(0.0849, 1.3383, 0.0718, 1.491, 0.2696)
    assert chi == pytest.approx(1, rel=1e-9)
    assert total
    z = np.array([0.5, 1.5])
    chi, total = relaxedness(
        0.0849,
        1.3383 + 0.197 * z - 0.0276 * z**2,
        0.0718 + 0.0056 * z,
        1.491 + 0.064 * z - 0.031 * z**2 + 0.0060 * z**3,
        0.2696,
        redshift=z,
    )
    np.testing.assert_allclose(chi, 1, rtol=1e-9)


def test_relaxedness_weighs_one_indicator_at_a_time():
    perfect = {"delta_r": 0, "eta": 1, "radial_velocity": 0, "sparsity": 1, "ellipticity": 0}
    assert np.isposinf(relaxedness(**perfect)[0])
    weights = {  # published, at z = 0
        "delta_r": (2 * 0.0849, 0.168),
        "eta": (1 + 2 * 0.3383, 0.197),
        "radial_velocity": (2 * 0.0718, 0.137),
        "sparsity": (1 + 2 * 0.491, 0.233),
        "ellipticity": (2 * 0.2696, 0.260),
    }
    for name, (value, weight) in weights.items():
        chi, total = relaxedness(**perfect | {name: value})
        assert chi**-2 / 4 == pytest.approx(weight, abs=0.002), name
        assert not total
    # Above redshift 4 the virial ratio has no weight, and with it the others have more.
    assert np.isposinf(relaxedness(**perfect | {"eta": 3}, redshift=4.5)[0])
    assert relaxedness(**perfect | {"delta_r": 0.0849}, redshift=4.5)[0] ** -2 > 0.3


def test_relaxedness_of_what_is_not_known():
    chi, total = relaxedness([0.05, np.nan], 1.1, 0.03, 1.4, 0.2)
    assert np.isnan(chi).tolist() == [False, True]
    assert total.tolist() == [True, False]
    with pytest.raises(InvalidInputError, match="'sparsity'"):
        relaxedness(0.05, 1.1, 0.03, -1, 0.2)
    with pytest.raises(UnknownNameError, match="Did you mean 'cui2018'"):
        get_dynamical_state("cui2019")


def test_weights_of_relaxedness_are_not_negative():
    """The polynomial of the weight of eta is below zero at redshifts of 3.4 to 4."""
    rest = {"delta_r": 0.05, "radial_velocity": 0.03, "sparsity": 1.4, "ellipticity": 0.2}
    for redshift in (3.2, 3.5, 3.9):
        chi = relaxedness(eta=[1.1, 6.0], redshift=redshift, **rest)[0]
        assert chi[1] <= chi[0]
