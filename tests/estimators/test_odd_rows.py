"""One odd cluster or estimator: flagged, in bounded memory, and nobody else is touched."""

import resource

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators import MassEstimator, estimate_masses
from szmass.estimators.checks import ESTIMATOR_CHECKS, make_check_sample
from szmass.estimators.likelihood import LikelihoodMass
from szmass.estimators.matched_filter import MatchedFilterMass
from szmass.estimators.scaling import ScalingRelationMass
from szmass.exceptions import InvalidInputError, SzmassWarning, UnweighedClustersWarning
from szmass.results import MassEstimates, MassFlag, masses_of

check_rows_are_independent = next(
    check for check in ESTIMATOR_CHECKS if check.__name__ == "check_rows_are_independent"
)


class Stub(MassEstimator):
    """Gives what it is told to."""

    tag = "stub"

    def __init__(self, *, mass=None, error=1e13):
        self.mass, self.error = mass, error

    def _weigh(self, sample):
        if self.mass is None:
            raise RuntimeError("no disk")
        full = np.full(len(sample), 1.0)
        return MassEstimates(self.mass * full, self.error * full, 1e13 * full)


class Shape(Stub):
    """Sums as it pleases: the mass of a cluster depends on how many there are."""

    tag = "shape"
    change = 1e-12

    def _weigh(self, sample):
        mass = 5e14 * (1 + self.change * len(sample))
        return MassEstimates(*(np.full(len(sample), mass),) * 3)


class LastBits(Shape):
    """What powers do on some processors: the last bit depends on the place in the array."""

    tag = "last-bits"
    change = 1e-15


@pytest.fixture
def sample():
    return make_check_sample(4)


@pytest.mark.filterwarnings("ignore::szmass.exceptions.UnweighedClustersWarning")
class TestBounds:
    @pytest.mark.parametrize("redshift", [0.0, 1e-12, 9.99, 99.0, np.inf])
    def test_redshifts_that_are_none(self, sample, redshift):
        plain = ScalingRelationMass().predict(sample)
        sample.table["redshift"][1] = redshift
        table = ScalingRelationMass().predict(sample)
        assert np.isnan(table["mass"][1])
        assert table["flag"][1] == (
            MassFlag.REDSHIFT_OUT_OF_RANGE if redshift < np.inf else MassFlag.NO_REDSHIFT
        )
        np.testing.assert_array_equal(table["mass"][2:], plain["mass"][2:])

    def test_signals_that_are_none(self, sample):
        sample.table["y5r500"][:] = np.array([1e300, 1e-12, 1e-7, np.nan]) * u.arcmin**2
        table = ScalingRelationMass().predict(sample)
        assert list(table["flag"]) == [
            MassFlag.IMPLAUSIBLE,
            MassFlag.IMPLAUSIBLE,
            MassFlag.EXTRAPOLATED,
            MassFlag.NO_MEASUREMENT,
        ]
        np.testing.assert_array_equal(np.isnan(table["mass"]), [True, True, False, True])

    def test_errors_that_are_none(self, sample):
        sample.table["y500_err"][:] = [-1, np.inf, np.nan, 1e-4] * u.arcmin**2
        table = ScalingRelationMass(y="y500").predict(sample)
        assert list(table["flag"]) == [MassFlag.NO_ERROR] * 3 + [0]
        np.testing.assert_array_equal(np.isnan(table["mass_errn"]), [True, True, True, False])

    @pytest.mark.parametrize(
        ("mass", "flag"),
        [
            (np.inf, MassFlag.IMPLAUSIBLE),
            (1e20, MassFlag.IMPLAUSIBLE),
            (-1e14, MassFlag.NOT_POSITIVE),
            (np.nan, MassFlag.FAILED),
            (5e16, MassFlag.EXTRAPOLATED),
            (5e14, 0),
        ],
    )
    def test_masses_of_plug_ins(self, sample, mass, flag):
        table = Stub(mass=mass).predict(sample)
        assert list(table["flag"]) == [flag] * 4
        assert np.isfinite(table["mass"]).all() == (flag in (0, MassFlag.EXTRAPOLATED))

    @pytest.mark.parametrize("error", [-1.0, np.inf, np.nan])
    def test_errors_of_plug_ins(self, sample, error):
        table = Stub(mass=5e14, error=error).predict(sample)
        assert list(table["flag"]) == [MassFlag.NO_ERROR] * 4
        assert np.isnan(table["mass_errn"]).all()
        assert np.isfinite(table["mass_errp"]).all()

    @pytest.mark.parametrize("depth", [np.nan, 0.0, -1.0])
    def test_depth_of_one_cluster(self, sample, depth):
        sample.table["deep"] = [1.0, depth, 1.0, 1.0]
        table = MatchedFilterMass(depth="deep").predict(sample)
        expected = MassFlag.NO_MEASUREMENT if np.isnan(depth) else MassFlag.NOT_POSITIVE
        assert list(table["flag"] != 0) == [False, True, False, False]
        assert table["flag"][1] == expected

    def test_prior_that_leaves_one_cluster_nothing(self, sample):
        sample.table["redshift"][:] = [0.1, 0.5, 0.2, 0.3]

        def prior(log10_mass, redshift):
            return np.where((redshift > 0.4) & (log10_mass > 0), 0.0, 1.0)

        table = LikelihoodMass(prior=prior).predict(sample)
        assert list(np.isnan(table["mass"])) == [False, True, False, False]
        assert table["flag"][1] & MassFlag.EXTRAPOLATED
        with pytest.raises(InvalidInputError, match="leaves no mass for 1 of 1"):
            LikelihoodMass(prior=prior).predict(sample[1:2])

    def test_redshift_beyond_the_mass_function(self, sample):
        sample.table["redshift"][1] = 2.5
        table = LikelihoodMass(prior="tinker08").predict(sample)
        assert list(np.isnan(table["mass"])) == [False, True, False, False]
        assert table["flag"][1] == MassFlag.REDSHIFT_OUT_OF_RANGE


class TestMapsInOtherUnits:
    def test_microkelvin(self, sample):
        """A map in uK, taken for y: no number, and no memory either."""
        sample.cutouts.data *= np.float32(2.7e6)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for estimator in (MatchedFilterMass(), LikelihoodMass()):
            with pytest.warns(UnweighedClustersWarning, match="4 of 4 .*IMPLAUSIBLE"):
                table = estimator.predict(sample)
            assert np.isnan(table["mass"]).all()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000

    def test_signals_far_above_the_noise(self, sample):
        """Below 0.01 everywhere, and 10 000 times the noise."""
        plain = LikelihoodMass().predict(sample)
        row, column = np.mgrid[:96, :96] - 47.5
        sample.cutouts.data[1] = 9e-3 * np.exp(-(row**2 + column**2) / 50)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.warns(UnweighedClustersWarning, match="1 of 4 .*IMPLAUSIBLE"):
            table = LikelihoodMass().predict(sample)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
        np.testing.assert_array_equal(table["mass"][2:], plain["mass"][2:])
        log_l = LikelihoodMass().log_likelihood(sample)[1]
        assert list(np.isnan(log_l).any(axis=1)) == [False, True, False, False]


class TestSeveralEstimators:
    @pytest.mark.parametrize("order", [1, -1])
    def test_whole_inputs_are_looked_at_first(self, sample, order, monkeypatch):
        def never(self, sample):
            raise AssertionError("weighed before the inputs of all were looked at")

        monkeypatch.setattr(MatchedFilterMass, "_weigh", never)
        monkeypatch.setattr(ScalingRelationMass, "_weigh", never)
        names = ["scaling", "matched_filter"][::order]
        sample.table.remove_column("y5r500")
        needs = r"'scaling' needs 'y5r500'.*columns={'y5r500'"
        with pytest.raises(InvalidInputError, match=needs):
            estimate_masses(sample, names)
        other = make_check_sample(3)
        other.cutouts = None
        with pytest.raises(
            InvalidInputError, match=r"'matched_filter' needs cutouts.*attach_cutouts"
        ):
            estimate_masses(other, names)
        other = make_check_sample(3)
        other.cutouts.noise = None
        with pytest.raises(InvalidInputError, match="noise of the cutouts' map is not known"):
            estimate_masses(other, names)

    @pytest.mark.parametrize("order", [1, -1])
    def test_who_stops_leaves_the_others(self, sample, order):
        with pytest.warns(SzmassWarning, match=r"stub stopped.*RuntimeError: no disk"):
            table = estimate_masses(sample, [Stub(), "scaling"][::order])
        np.testing.assert_array_equal(
            table["mass_scaling"], ScalingRelationMass().predict(sample)["mass"]
        )
        assert np.isnan(table["mass_stub"]).all()
        assert list(table["flag_stub"]) == [MassFlag.FAILED] * 4
        assert table.meta["methods"]["stub"]["error"] == "RuntimeError: no disk"
        with pytest.raises(RuntimeError, match="no disk"):
            estimate_masses(sample, [Stub()])

    def test_posteriors_of_who_stops(self, sample, monkeypatch):
        def stop(self, sample):
            raise OSError("disk full")

        monkeypatch.setattr(LikelihoodMass, "_weigh", stop)
        found = {}
        with pytest.warns(SzmassWarning, match="likelihood stopped"):
            table = estimate_masses(sample, ["likelihood", "scaling"], posteriors=found, mean=True)
        assert np.isnan(found["likelihood"].median()).all()
        assert list(found["likelihood"].flag) == [MassFlag.FAILED] * 4
        assert np.isfinite(masses_of(table, "scaling").mass).all()

    def test_wrong_number_of_masses(self, sample):
        class Few(Stub):
            def _weigh(self, sample):
                return MassEstimates([1e14], [1e13], [1e13])

        with pytest.raises(InvalidInputError, match="'stub' must give MassEstimates of 4 clusters"):
            Few().predict(sample)


def test_plug_ins_are_held_to_independence():
    with pytest.raises(AssertionError, match="depend on the other clusters: column 'mass', by a"):
        check_rows_are_independent(Shape())
    check_rows_are_independent(LastBits())


@pytest.mark.parametrize("options", [{"search": "pos_err"}, {"depth": "field"}])
def test_filters_are_independent_under_any_options(options):
    check_rows_are_independent(MatchedFilterMass(**options))
