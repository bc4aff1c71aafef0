"""The estimator base class, the register, and several estimators at once."""

import astropy.units as u
import numpy as np
import pytest

from szmass._io.tables import read_table, write_table
from szmass.estimators import ESTIMATORS, MassEstimator, estimate_masses, register_estimator
from szmass.estimators.checks import make_check_sample
from szmass.estimators.scaling import ScalingRelationMass
from szmass.exceptions import (
    DuplicateNameError,
    InvalidInputError,
    UnknownNameError,
    UnweighedClustersWarning,
)
from szmass.results import MassEstimates, MassFlag


class Peak(MassEstimator):
    """Mass from the brightest pixel."""

    tag = "peak"
    requires = frozenset({"complete_cutout", "redshift", "snr"})

    def __init__(self, *, factor=3e19):
        self.factor = factor

    def _weigh(self, sample):
        mass = self.factor * sample.cutouts.data.max(axis=(1, 2))
        return MassEstimates(mass, 0.1 * mass, 0.2 * mass)


@pytest.fixture
def sample():
    return make_check_sample(6)


def test_predict_hands_only_complete_clusters_on(sample):
    sample.table["redshift"].mask[0] = True
    sample.table["snr"][1] = np.nan
    sample.cutouts.footprint[2] = False
    sample.cutouts.footprint[3, 0, 0] = False
    with pytest.warns(UnweighedClustersWarning, match="peak: 4 of 6 .*1 NO_REDSHIFT") as caught:
        table = Peak().predict(sample)
    assert len(caught) == 1
    assert list(table["flag"][:4]) == [
        MassFlag.NO_REDSHIFT,
        MassFlag.NO_MEASUREMENT,
        MassFlag.NO_CUTOUT,
        MassFlag.INCOMPLETE_CUTOUT,
    ]
    assert np.isnan(table["mass"][:4]).all()
    assert np.isfinite(table["mass"][4:]).all()
    assert list(table["name"]) == list(sample.names)


def test_all_unusable_never_reaches_weigh(sample):
    sample.table["redshift"].mask[:] = True
    with pytest.warns(UnweighedClustersWarning, match="6 of 6"):
        assert np.isnan(Peak().predict(sample)["mass"]).all()


def test_missing_whole_inputs(sample):
    bare = make_check_sample(3)
    bare.cutouts = None
    with pytest.raises(InvalidInputError, match=r"'peak' needs cutouts.*attach_cutouts"):
        Peak().predict(bare)
    sample.table.remove_column("snr")
    with pytest.raises(InvalidInputError, match="snr"):
        Peak().predict(sample)


def test_options_and_repr():
    assert Peak(factor=2.0).options == {"factor": 2.0}
    assert repr(Peak(factor=2.0)) == "Peak(factor=2.0)"


def test_register():
    with pytest.raises(DuplicateNameError, match="'scaling' is taken"):

        @register_estimator
        class Again(Peak):
            tag = "scaling"

    with pytest.raises(InvalidInputError, match="sub-class of MassEstimator with a tag"):
        register_estimator(int)
    assert ESTIMATORS["scaling"] is ScalingRelationMass
    assert {"scaling", "cnn-deandres2022"} <= set(ESTIMATORS)


class TestEstimateMasses:
    def test_side_by_side(self, sample, tmp_path):
        table = estimate_masses(sample, [Peak(), "scaling"])
        assert table.colnames[:7] == [
            "name", "ra", "dec", "redshift", "msz", "mass_peak", "mass_errn_peak",
        ]  # fmt: skip
        np.testing.assert_allclose(table["ra"], sample.coord.icrs.ra)
        assert set(table.meta["methods"]) == {"peak", "scaling"}
        for suffix in (".ecsv", ".fits", ".vot"):
            write_table(table, tmp_path / f"t{suffix}")
            back = read_table(tmp_path / f"t{suffix}")
            assert back.colnames == table.colnames
            assert back.meta["methods"] == table.meta["methods"]
            np.testing.assert_array_equal(back["mass_scaling"], table["mass_scaling"])

    def test_one_estimator_twice_under_two_names(self, sample):
        table = estimate_masses(
            sample, {"b=0": "scaling", "b=0.2": ScalingRelationMass(one_minus_b=0.8)}
        )
        np.testing.assert_allclose(table["mass_b_0_2"] / table["mass_b_0"], 1 / 0.8)
        with pytest.raises(InvalidInputError, match="'scaling' stands twice"):
            estimate_masses(sample, ["scaling", ScalingRelationMass(one_minus_b=0.8)])

    def test_bad_names(self, sample):
        with pytest.raises(UnknownNameError, match="No estimator is named 'scalling'"):
            estimate_masses(sample, "scalling")
        with pytest.raises(InvalidInputError, match="'estimators' must hold tags"):
            estimate_masses(sample, [3])
        with pytest.raises(InvalidInputError, match="at least one"):
            estimate_masses(sample, [])

    def test_no_clusters(self, sample):
        table = estimate_masses(sample[:0], ["scaling"])
        assert len(table) == 0
        assert table["mass_scaling"].unit == u.solMass
