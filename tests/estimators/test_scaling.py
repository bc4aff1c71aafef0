"""Masses from a catalogue's Y."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from szmass.estimators.checks import ESTIMATOR_CHECKS, make_check_sample
from szmass.estimators.scaling import ScalingRelationMass
from szmass.exceptions import InvalidInputError, UnknownNameError, UnweighedClustersWarning
from szmass.results import MassFlag


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "options", [{}, {"y": "y500", "relation": "arnaud2010", "sigma_lny": 0.1}], ids=str
)
def test_contract(check, options):
    check(ScalingRelationMass(**options))


@pytest.fixture
def sample():
    return make_check_sample(5)


def test_inverts_the_relation_the_sample_was_made_with(sample):
    table = ScalingRelationMass(y="y500").predict(sample)
    np.testing.assert_allclose(table["mass"], sample.quantity("msz"), rtol=1e-10)
    # The sample's Y500/Y5R500 is the rounded 0.5567 of the PSZ2 header.
    table = ScalingRelationMass().predict(sample)
    np.testing.assert_allclose(table["mass"], sample.quantity("msz"), rtol=1e-4)


def test_unit_of_y_does_not_matter(sample):
    expected = ScalingRelationMass().predict(sample)["mass"]
    for name in ("y5r500", "y5r500_err"):
        sample.table[name] = sample.table[name].to(u.sr)
    np.testing.assert_allclose(ScalingRelationMass().predict(sample)["mass"], expected, rtol=1e-10)


@given(st.floats(0.3, 1.5))
def test_mass_scales_with_one_over_one_minus_b(one_minus_b):
    sample = make_check_sample(3)
    ratio = (
        ScalingRelationMass(one_minus_b=one_minus_b).predict(sample)["mass"]
        / ScalingRelationMass().predict(sample)["mass"]
    )
    np.testing.assert_allclose(ratio, 1 / one_minus_b, rtol=1e-10)


def test_errors_hold_the_noise_of_y_and_the_scatter(sample):
    noise = ScalingRelationMass(sigma_lny=0).predict(sample)
    np.testing.assert_allclose(
        np.log1p(noise["mass_errp"] / noise["mass"]), np.log(1.15) / 1.79, rtol=1e-6
    )
    np.testing.assert_allclose(
        -np.log1p(-noise["mass_errn"] / noise["mass"]), -np.log(0.85) / 1.79, rtol=1e-6
    )
    both = ScalingRelationMass().predict(sample)
    np.testing.assert_allclose(
        np.log1p(both["mass_errp"] / both["mass"]),
        np.hypot(np.log(1.15), 0.173) / 1.79,
        rtol=1e-6,
    )


def test_y_that_is_not_positive_or_lost_in_noise(sample):
    sample.table["y5r500"][0] = -1e-3 * u.arcmin**2
    sample.table["y5r500_err"][1] = 2 * sample.table["y5r500"][1]
    sample.table["y5r500_err"][2] = np.nan
    with pytest.warns(UnweighedClustersWarning, match="1 NOT_POSITIVE"):
        table = ScalingRelationMass().predict(sample)
    assert table["flag"][0] == MassFlag.NOT_POSITIVE
    assert table["mass_errn"][1] == table["mass"][1]
    assert table["flag"][2] == MassFlag.NO_ERROR
    assert np.isnan(table["mass_errp"][2])
    assert np.isfinite(table["mass"][2])


def test_no_error_column(sample):
    sample.table.remove_column("y5r500_err")
    table = ScalingRelationMass().predict(sample)
    assert np.all(table["flag"] == MassFlag.NO_ERROR)
    assert np.isfinite(table["mass"]).all()


def test_bad_options(sample):
    with pytest.raises(InvalidInputError, match="'y' must be 'y5r500' or 'y500'"):
        ScalingRelationMass(y="y200").predict(sample)
    with pytest.raises(UnknownNameError, match="planck2015"):
        ScalingRelationMass(relation="planck2016").predict(sample)
    with pytest.raises(InvalidInputError, match="without an intrinsic scatter. Pass 'sigma_lny'"):
        ScalingRelationMass(relation="arnaud2010").predict(sample)
    with pytest.raises(InvalidInputError, match="'sigma_lny' must be >= 0"):
        ScalingRelationMass(sigma_lny=-0.1).predict(sample)
    with pytest.raises(InvalidInputError, match="one_minus_b"):
        ScalingRelationMass(one_minus_b=-0.8).predict(sample)
