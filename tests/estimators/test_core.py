"""The estimator base class, the register, and several estimators at once."""

import astropy.units as u
import numpy as np
import pytest

from szmass._tables.files import read_table, write_table
from szmass.estimators import ESTIMATORS, MassEstimator, estimate_masses, register_estimator
from szmass.estimators.checks import make_check_sample
from szmass.estimators.scaling import ScalingRelationMass
from szmass.exceptions import (
    DuplicateNameError,
    InvalidInputError,
    MixedScalesWarning,
    UnknownNameError,
    UnweighedClustersWarning,
)
from szmass.physics import theta500
from szmass.results import LogMassPosterior, MassEstimates, MassFlag, MassTable, masses_of


def test_clusters_of_the_check_sample_have_their_flux_and_size():
    sample = make_check_sample(8)
    offset = 1.7 * (np.arange(96) - 47.5)
    size = theta500(sample.table["msz"].unmasked, sample.redshift, cosmology="PSZ2").value
    for data, y, theta in zip(
        sample.cutouts.data, sample.table["y5r500"].unmasked.value, size, strict=True
    ):
        variance = (10 / np.sqrt(8 * np.log(2))) ** 2 + 0.25 * theta**2
        shape = np.exp(-0.5 * np.add.outer(offset**2, offset**2) / variance)
        noise = data - y / (2 * np.pi * variance) * shape
        assert np.std(noise) == pytest.approx(1e-6, rel=0.03)


class Peak(MassEstimator):
    """Mass from the brightest pixel."""

    tag = "peak"
    requires = frozenset({"complete_cutout", "redshift", "snr"})

    def __init__(self, *, factor=3e19):
        self.factor = factor

    def _weigh(self, sample):
        mass = self.factor * sample.cutouts.data.max(axis=(1, 2))
        return MassEstimates(mass, 0.1 * mass, 0.2 * mass)


class Normal(Peak):
    """Log-normal posterior about the brightest pixel."""

    tag = "normal"
    mass_scale = 0.9
    kind = "likelihood"
    gives_posterior = True
    at_a_time = 2

    def _weigh(self, sample):
        assert 0 < len(sample) <= 2
        grid = np.linspace(13, 16, 121)
        middle = np.log10(super()._weigh(sample).mass)[:, np.newaxis]
        log_l = -0.5 * ((grid - middle) / 0.15) ** 2
        return MassEstimates.of_posterior(LogMassPosterior.from_log_likelihood(grid, log_l, "flat"))


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
        named = {"b=0": "scaling", "b=0.2": ScalingRelationMass(one_minus_b=0.8)}
        with pytest.warns(MixedScalesWarning, match=r"b=0: 1-b = 1, b=0.2: 1-b = 0.8") as caught:
            table = estimate_masses(sample, named)
        assert len(caught) == 1
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
        with pytest.raises(
            InvalidInputError, match="'estimators' must hold .* Known are .*scaling"
        ):
            estimate_masses(sample, {})

    def test_no_clusters(self, sample):
        table = estimate_masses(sample[:0], ["scaling"])
        assert len(table) == 0
        assert table["mass_scaling"].unit == u.solMass

    def test_tables_of_all_kinds_are_mass_tables(self, sample):
        for table in (
            Peak().predict(sample),
            Normal().predict_posterior(sample).to_table(),
            estimate_masses(sample, [Peak(), "scaling"]),
        ):
            assert type(table) is MassTable

    def test_what_an_estimator_declares_stands_in_meta(self, sample):
        about = estimate_masses(sample, [Peak(), "scaling"]).meta["methods"]
        assert about["peak"]["kind"] == "other"
        assert about["peak"]["mass_scale"] == "unknown"
        assert about["peak"]["software"] == ["numpy", "scipy"]
        assert about["scaling"]["kind"] == "relation"
        assert about["scaling"]["mass_scale"] == 1.0
        assert about["scaling"]["errors_hold"] == ["noise", "scatter"]


class TestPosteriors:
    def test_pieces_give_the_masses_of_the_whole(self, sample, monkeypatch):
        sample.table["redshift"].mask[1] = True
        with pytest.warns(UnweighedClustersWarning, match="1 of 6"):
            table = Normal().predict(sample)
        posterior = Normal().predict_posterior(sample)
        np.testing.assert_array_equal(table["mass"], posterior.median())
        assert list(posterior.names) == list(sample.names)
        assert posterior.flag[1] == MassFlag.NO_REDSHIFT
        assert np.isnan(posterior.density[1]).all()
        assert posterior.meta["kind"] == "likelihood"

    def test_no_cluster_that_can_be_weighed(self, sample):
        sample.table["redshift"].mask[:] = True
        posterior = Normal().predict_posterior(sample)
        assert len(posterior) == 6
        assert np.isnan(posterior.median()).all()
        assert len(Normal().predict_posterior(sample[:0])) == 0

    def test_estimators_without_posteriors_say_so(self, sample):
        with pytest.raises(InvalidInputError, match="'peak' has no posteriors"):
            Peak().predict_posterior(sample)
        with pytest.raises(InvalidInputError, match="so does 'mean'"):
            estimate_masses(sample, Peak(), mean=True)
        found = {}
        estimate_masses(sample, [Peak(), Normal()], posteriors=found)
        assert list(found) == ["normal"]

    def test_a_common_scale_moves_all_that_belongs_to_a_mass(self, sample):
        asked = {"posterior_samples": 5, "mean": True}
        before, after = {}, {}
        first = estimate_masses(sample, Normal(), posteriors=before, **asked)
        table = estimate_masses(
            sample, {"normal": Normal(), "peak": Peak()}, posteriors=after, one_minus_b=0.6, **asked
        )
        old, new = masses_of(first, "normal"), masses_of(table, "normal")
        for name in ("mass", "errn", "errp", "mean", "samples"):
            np.testing.assert_allclose(getattr(new, name), 1.5 * getattr(old, name))
        np.testing.assert_allclose(after["normal"].median(), new.mass * u.solMass)
        np.testing.assert_allclose(
            after["normal"].log10_mass, np.log10(1.5) + np.linspace(13, 16, 121)
        )
        np.testing.assert_array_equal(after["normal"].prior, before["normal"].prior)
        assert new.mass_scale.one_minus_b == 0.6
        assert new.about["rescaled_from"] == after["normal"].meta["rescaled_from"] == 0.9
        expected = {"one_minus_b": 0.6, "rescaled": ["normal"], "kept": ["peak"]}
        assert table.meta["common_scale"] == expected
        plain = Peak().predict(sample)["mass"]
        np.testing.assert_array_equal(table["mass_peak"], plain)

    def test_a_scale_that_is_none(self, sample):
        for bad in (0, -1, 3, np.nan, "much"):
            with pytest.raises(InvalidInputError, match="one_minus_b"):
                estimate_masses(sample, "scaling", one_minus_b=bad)
