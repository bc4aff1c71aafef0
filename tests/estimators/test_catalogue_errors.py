"""Redshift and position errors that a catalogue gives: coverage of masses, and what changes not."""

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators import LikelihoodMass, MatchedFilterMass, ScalingRelationMass
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import InvalidUnitError
from szmass.maps.noise import NoiseModel
from szmass.simulations import Observation, draw_flat, get_cluster_model, simulate

# Noise takes the signal of some to zero.
pytestmark = pytest.mark.filterwarnings(
    "ignore::szmass.exceptions.UnweighedClustersWarning",
)

NOISE = NoiseModel.planck(depth=None)
MASSES = 4e14, 1.5e15
TRUE = {"noise": NOISE, "relation": "arnaud2010", "one_minus_b": 0.8}


def inside(log10_mass, redshift):
    """Flat between the masses that were drawn."""
    drawn = (log10_mass >= np.log10(MASSES[0])) & (log10_mass <= np.log10(MASSES[1]))
    return drawn * np.ones_like(redshift)


ESTIMATORS = {
    "matched_filter": MatchedFilterMass(**TRUE),
    "likelihood": LikelihoodMass(
        **TRUE,
        sigma_lny=0.0,
        diversity=None,
        prior=inside,
        log10_mass=np.linspace(*np.log10(MASSES), 201),
    ),
    "scaling": ScalingRelationMass(y="y500", relation="arnaud2010", one_minus_b=0.8, sigma_lny=0.0),
}


@pytest.fixture(scope="module")
def mocks():
    """Clusters at photometric redshifts, some arcmin from where their catalogue has them."""
    n, rng = 500, np.random.default_rng(3)
    population = draw_flat(n, mass=MASSES * u.solMass, redshift=(0.15, 0.6), seed=4)
    # The observation's centring is that of 2.43 arcmin.
    population.table["pos_err"] = rng.uniform(1.5, 5.0, n) * u.arcmin
    observation = Observation(name="test", noise=NOISE, centring=2.43 / 2.4477 * u.arcmin)
    model = get_cluster_model("a10").smooth()
    sample = simulate(population, observation, model=model, cosmology="PSZ2", seed=5)
    error = 0.03 * (1 + sample.redshift)
    sample.table["redshift"] = sample.redshift + error * rng.standard_normal(n)
    sample.table["redshift_err"] = error
    y500 = sample.quantity("y500_true")
    sample.table["y500_err"] = 0.1 * y500
    sample.table["y500"] = y500 * (1 + 0.1 * rng.standard_normal(n))
    return sample


def without(sample, *columns):
    result = sample[:]
    for name in columns:
        result.table.remove_column(name)
    return result


def coverage(table, sample):
    mass, truth = table["mass"], sample.quantity("mass_true")
    low, high = mass - table["mass_errn"], mass + table["mass_errp"]
    known = np.isfinite(mass)
    return np.mean(((truth > low) & (truth < high))[known])


@pytest.mark.parametrize("tag", ESTIMATORS)
def test_intervals_hold_68_percent_with_the_errors_and_less_without(mocks, tag):
    """500 clusters: one standard error of a coverage is 2 %."""
    estimator = ESTIMATORS[tag]
    given = estimator.predict(mocks)
    bare = estimator.predict(without(mocks, "redshift_err", "pos_err"))
    assert coverage(given, mocks) == pytest.approx(0.683, abs=0.05)
    assert coverage(bare, mocks) < 0.62
    assert "redshift" in given.meta["errors_hold"]
    assert "redshift" not in bare.meta["errors_hold"]
    if tag != "scaling":
        assert "centring" in given.meta["errors_hold"]


@pytest.mark.parametrize("tag", ["matched_filter", "scaling"])
def test_masses_stay(mocks, tag):
    estimator = ESTIMATORS[tag]
    bare = estimator.predict(without(mocks, "redshift_err", "pos_err"))
    np.testing.assert_array_equal(estimator.predict(mocks)["mass"], bare["mass"])


@pytest.mark.parametrize(
    "estimator",
    [MatchedFilterMass(), LikelihoodMass(), ScalingRelationMass()],
    ids=lambda estimator: estimator.tag,
)
def test_no_error_changes_nothing(estimator):
    """A spectroscopic redshift has the error 0 in catalogues; others have codes for unknown."""
    sample = make_check_sample(4)
    expected = estimator.predict(sample)
    sample.table["redshift_err"] = [0.0, np.nan, -1.0, 0.05]
    sample.table["pos_err"] = [-1.0, np.nan, np.inf, 0.0] * u.arcmin
    found = estimator.predict(sample)
    for name in ("mass", "mass_errn", "mass_errp", "flag"):
        np.testing.assert_array_equal(found[name][:3], expected[name][:3])
    assert found["mass_errp"][3] > expected["mass_errp"][3]
    assert found["mass_errn"][3] > expected["mass_errn"][3]


def test_errors_in_units_that_they_cannot_have():
    sample = make_check_sample(2)
    sample.table["pos_err"] = [1.0, 2.0]
    with pytest.raises(InvalidUnitError, match="'pos_err' .* converts to arcmin.*no unit"):
        LikelihoodMass().predict(sample)


@pytest.mark.parametrize("tag", ["matched_filter", "likelihood"])
def test_clusters_are_weighed_alike_alone_and_together(mocks, tag):
    some = mocks[:6]
    some.table["redshift_err"][::2] = 0.0
    some.table["pos_err"][::3] = 0.0 * u.arcmin
    together = ESTIMATORS[tag].predict(some)
    for i in range(len(some)):
        alone = ESTIMATORS[tag].predict(some[i : i + 1])
        for name in ("mass", "mass_errn", "mass_errp", "flag"):
            np.testing.assert_array_equal(alone[name][0], together[name][i])


def test_redshift_of_the_likelihood_is_an_integral():
    sample = make_check_sample(2)
    sample.table["redshift_err"] = [0.02, 0.05]
    estimator = LikelihoodMass()
    _, found = estimator.log_likelihood(sample)
    total = 0
    for deviation in np.linspace(-4, 4, 81):
        moved = without(sample, "redshift_err")
        moved.table["redshift"] = sample.redshift + deviation * np.array([0.02, 0.05])
        log_l = estimator.log_likelihood(moved)[1] - found.max(axis=1, keepdims=True)
        total = total + 0.1 * np.exp(log_l - 0.5 * deviation**2) / np.sqrt(2 * np.pi)
    likely = found > found.max(axis=1, keepdims=True) - 8
    expected = np.log(total[likely]) + np.broadcast_to(found.max(axis=1), (301, 2)).T[likely]
    np.testing.assert_allclose(found[likely], expected, atol=0.03)


def test_position_error_is_left_out_where_the_position_is_searched(mocks):
    estimator = MatchedFilterMass(**TRUE, search="pos_err")
    assert "centring" not in estimator.predict(mocks[:5]).meta["errors_hold"]
