"""The posterior against brute force, its calibration on mocks, and what it does with bad input."""

import warnings
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import kstest

from szmass.estimators import ESTIMATORS, LikelihoodMass, MassFunctionPrior, MatchedFilterMass
from szmass.estimators.checks import ESTIMATOR_CHECKS, make_check_sample
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.maps.noise import NoiseModel
from szmass.physics.cosmology import get_cosmology
from szmass.physics.curves import mass_curve
from szmass.physics.mass_function import sky_density
from szmass.physics.pressure import get_pressure_profile
from szmass.results import MassFlag
from szmass.simulations import (
    ClusterPainter,
    Observation,
    draw_clusters,
    draw_mass_function,
    from_masses,
    get_cluster_model,
    simulate,
)

NOISE = NoiseModel.planck(depth=None)
SMOOTH = get_cluster_model("a10").smooth()
#: The relation and the bias that the mocks are made with.
TRUE = {"noise": NOISE, "relation": "arnaud2010", "one_minus_b": 0.8, "sigma_lny": 0.15}


def mock(mass, redshift, *, model=SMOOTH, seed=1, **options):
    sample = from_masses(np.atleast_1d(mass) * u.solMass, redshift, seed=2)
    observation = Observation(name="test", **({"noise": NOISE} | options))
    return simulate(sample, observation, model=model, cosmology="PSZ2", seed=seed)


def dex(mass):
    return np.log10(mass.to_value(u.solMass))


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_contract(check):
    check(LikelihoodMass())


def test_contract_with_options():
    estimator = LikelihoodMass(centring=1 * u.arcmin, prior="tinker08", one_minus_b_err=0.1)
    for check in ESTIMATOR_CHECKS[2:9]:
        check(estimator)


def test_is_registered():
    assert ESTIMATORS["likelihood"] is LikelihoodMass


# Brute force


@pytest.mark.parametrize(
    ("mass", "redshift", "centring"),
    [(4e14, 0.1, 0.0), (6e14, 0.3, 0.0), (1.5e15, 0.2, 0.0), (6e14, 0.3, 1.2), (1.2e15, 0.15, 0.8)],
)
def test_against_brute_force(mass, redshift, centring):
    """Every mass, deviation of ln Y and position painted and compared with the map."""
    sample = mock([mass], [redshift], seed=6)
    grid = np.linspace(np.log10(mass) - 0.6, np.log10(mass) + 0.4, 101)
    estimator = LikelihoodMass(
        diversity=None, centring=centring * u.arcmin, log10_mass=grid, **TRUE
    )
    posterior = estimator.predict_posterior(sample)

    field = estimator._setup(sample.cutouts).field
    coarse = grid[::5]
    models = from_masses(10**coarse * u.solMass, np.full(len(coarse), redshift), seed=1)
    clusters = draw_clusters(models, SMOOTH, cosmology="PSZ2", seed=1)
    nodes = np.linspace(-3, 3, 19) * centring if centring else np.zeros(1)
    shift = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    shifts = np.broadcast_to(shift, (len(coarse), *shift.shape)) * u.arcmin
    maps, _ = ClusterPainter(SMOOTH).paint(clusters, projections=len(shift), shift=shifts)
    data = field.average(sample.cutouts.data)[0].astype(float) @ field.inverse
    x = np.linspace(-1.2, 1.2, 601)
    prior = np.exp(-0.5 * (x / TRUE["sigma_lny"]) ** 2)
    weight = np.exp(-0.5 * np.sum((shift / max(centring, 1e-9)) ** 2, axis=1))
    log_l = []
    for row in maps:
        template = field.average(row).astype(float)
        linear = template @ data
        square = np.einsum("pb,pb->p", template @ field.inverse, template)
        total = linear[:, np.newaxis] * np.exp(x) - 0.5 * square[:, np.newaxis] * np.exp(2 * x)
        top = total.max()
        log_l.append(np.log((np.exp(total - top) * prior).sum(axis=1) @ weight) + top)
    expected = CubicSpline(coarse, log_l)(grid)
    density = np.exp(expected - expected.max())
    density /= np.trapezoid(density, grid)
    mean = np.trapezoid(grid * density, grid)
    std = np.sqrt(np.trapezoid((grid - mean) ** 2 * density, grid))
    assert dex(posterior.mean())[0] == pytest.approx(mean, abs=1e-3)
    assert posterior.std()[0] == pytest.approx(std, abs=1e-3)
    below = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
    for level in (0.16, 0.5, 0.84):
        quantile = np.interp(level, below / below[-1], grid)
        assert dex(posterior.quantile(level))[0] == pytest.approx(quantile, abs=1e-3)


def test_agrees_with_the_matched_filter_where_nothing_is_marginalised():
    sample = mock([5e14, 9e14], [0.1, 0.3])
    options = {"noise": NOISE, "relation": "arnaud2010", "one_minus_b": 0.8}
    grid, log_l = LikelihoodMass(diversity=None, sigma_lny=0, **options).log_likelihood(sample)
    peak = MatchedFilterMass(**options).predict(sample)["mass"]
    assert grid[log_l.argmax(axis=1)] == pytest.approx(dex(peak), abs=0.006)


# Calibration


def calibration(model, *, n, seed, **options):
    """Mocks from the mass function, and posteriors under it cut to the masses that were drawn."""
    low, high = 2e14, 5e15
    population = draw_mass_function(
        n, mass=(low, high) * u.solMass, redshift=(0.05, 0.6), cosmology="Planck18", seed=seed
    )
    observation = Observation(name="test", noise=NOISE, centring=1 * u.arcmin)
    sample = simulate(population, observation, model=model, cosmology="Planck18", seed=seed)
    tinker = MassFunctionPrior("Planck18")

    def prior(log10_mass, redshift):
        inside = (log10_mass >= np.log10(low)) & (log10_mass <= np.log10(high))
        return inside * tinker(log10_mass, redshift)

    estimator = LikelihoodMass(
        noise=NOISE,
        relation="arnaud2010",
        one_minus_b=0.8,
        sigma_lny=0.1,
        centring=1 * u.arcmin,
        cosmology="Planck18",
        prior=prior,
        # The prior has an edge at the lower end: the grid begins on it.
        log10_mass=np.linspace(np.log10(low), np.log10(high), 351),
        **options,
    )
    posterior = estimator.predict_posterior(sample)
    return posterior, sample.quantity("mass_true")


#: Spheres with scatter of Y and of the profile, as the estimator takes them to be.
DIVERSE = replace(
    get_cluster_model("a10"),
    name="spheres",
    sigma_ln_one_minus_b=0.0,
    axis_ratio_b=(1.0, 0.0),
    axis_ratio_c=(1.0, 0.0),
    subhaloes=False,
    merging=0.0,
    gas_offset=(0.0, 0.0),
)


def test_calibration():
    """Limits of 3 sigma for 1500 clusters; ``benchmarks/matched_filter.py`` takes more."""
    posterior, truth = calibration(DIVERSE, n=1500, seed=21)
    pit = posterior.cdf(truth)
    assert kstest(pit, "uniform").pvalue > 0.01
    for level in (0.68, 0.95):
        low, high = posterior.interval(level)
        coverage = np.mean((truth > low) & (truth < high))
        assert abs(coverage - level) < 3 * np.sqrt(level * (1 - level) / 1500) + 0.002
    error = dex(posterior.mean()) - dex(truth)
    assert abs(error.mean()) < 3 * error.std() / np.sqrt(1500)
    assert error.std() == pytest.approx(np.sqrt(np.mean(posterior.std() ** 2)), rel=0.06)


# What enters


def test_scatter_widens_posteriors():
    sample = mock([1.5e15], [0.7])
    width = [
        LikelihoodMass(**(TRUE | {"sigma_lny": s, "diversity": None}))
        .predict_posterior(sample)
        .std()[0]
        for s in (0.0, 0.1, 0.3)
    ]
    slope = 1.787 * np.log(10)
    for i, s in ((1, 0.1), (2, 0.3)):
        assert width[i] == pytest.approx(np.hypot(width[0], s / slope), rel=0.12)


def test_diversity_and_position_widen_posteriors():
    sample = mock([1.2e15, 5e14], [0.08, 0.3])
    options = TRUE | {"sigma_lny": 0.0}
    narrow = LikelihoodMass(diversity=None, **options).predict_posterior(sample)
    diverse = LikelihoodMass(**options).predict_posterior(sample)
    moved = LikelihoodMass(diversity=None, centring=1.5 * u.arcmin, **options).predict_posterior(
        sample
    )
    assert np.all(diverse.std() > narrow.std())
    # What may be displaced may be brighter than it looks.
    assert np.all(moved.mean() > 0.999 * narrow.mean())


def test_uncertain_bias_widens_posteriors():
    sample = mock([1.2e15], [0.1])
    narrow = LikelihoodMass(**TRUE).predict_posterior(sample)
    wide = LikelihoodMass(one_minus_b_err=0.08, **TRUE).predict_posterior(sample)
    assert wide.std()[0] == pytest.approx(np.hypot(narrow.std()[0], 0.1 / np.log(10)), rel=0.03)
    assert dex(wide.median())[0] == pytest.approx(dex(narrow.median())[0], abs=0.01)


def test_bias_moves_masses():
    sample = mock([1.2e15], [0.1])
    one = LikelihoodMass(**(TRUE | {"one_minus_b": 1.0})).predict(sample)["mass"]
    other = LikelihoodMass(**TRUE).predict(sample)["mass"]
    assert (one / other).value == pytest.approx(0.8, abs=0.003)


def test_position_errors_of_the_catalogue_are_used():
    sample = mock([8e14, 8e14], [0.3, 0.3])
    sample.table["pos_err"] = [2.4477, 0.0] * u.arcmin
    given = LikelihoodMass(**TRUE).log_likelihood(sample)[1]
    one = LikelihoodMass(centring=1 * u.arcmin, **TRUE).log_likelihood(sample)[1]
    none = LikelihoodMass(centring=0 * u.arcmin, **TRUE).log_likelihood(sample)[1]
    np.testing.assert_allclose(given[0], one[0], atol=0.02)
    np.testing.assert_allclose(given[1], none[1], atol=1e-2)


def test_steep_prior_lowers_masses():
    """Eddington bias: the less the data say, the more the mass function matters."""
    sample = mock([4e14, 1.5e15], [0.3, 0.3], noise=NOISE)
    options = TRUE | {"cosmology": "Planck18"}
    flat = LikelihoodMass(**options).predict_posterior(sample)
    tinker = LikelihoodMass(prior="tinker08", **options).predict_posterior(sample)
    shift = dex(flat.median()) - dex(tinker.median())
    assert np.all(shift > 0)
    again = flat.reweight(MassFunctionPrior("Planck18"))
    # But for masses whose S/N would be below 1.5.
    np.testing.assert_allclose(dex(again.median()), dex(tinker.median()), atol=2e-3)


def test_the_mass_function_begins_where_the_map_can_show_clusters():
    """Else the countless groups that the map cannot show win over a cluster near the threshold."""
    sample = mock([4.5e14], [0.888], noise=NOISE)
    found = LikelihoodMass(prior="tinker08", **TRUE).predict_posterior(sample)
    everything = (
        LikelihoodMass(**TRUE).predict_posterior(sample).reweight(MassFunctionPrior("PSZ2"))
    )
    assert found.meta["prior_from_snr"] == 1.5
    assert "prior_from_snr" not in everything.meta
    first = found.log10_mass[np.flatnonzero(found.density[0] > 0)[0]]
    at = np.array([first]), np.array([0.888])
    theta, y500 = mass_curve(*at, "arnaud2010", 0.8, get_cosmology("PSZ2"))
    sigma = NOISE.sigma_y500(theta * u.arcmin).to_value(u.arcmin**2)
    assert 1.5 <= y500 / sigma < 1.6
    assert everything.median()[0] < 0.5 * found.median()[0]


def test_mass_function_prior_is_the_mass_function():
    prior = MassFunctionPrior("Planck18")
    log10_mass = np.array([14.0, 14.513, 15.1])
    found = prior(log10_mass[np.newaxis], np.array([[0.1], [0.47]]))
    expected = sky_density(log10_mass * np.log(10), np.array([0.1, 0.47]), prior.cosmology)
    ratio = found / expected
    np.testing.assert_allclose(ratio / ratio[:, :1], 1, rtol=3e-3)
    with pytest.raises(InvalidInputError, match="'redshift' must be known"):
        prior(14.0, np.nan)
    with pytest.raises(InvalidInputError, match="'selection' must be an SZSelection"):
        MassFunctionPrior(selection="planck")
    assert repr(prior) == "MassFunctionPrior('Planck18', selection=None)"


@pytest.mark.real_data
def test_selection_in_other_data(real_data):
    from szmass.simulations import SZSelection

    selection = SZSelection(real_data("planck_mmf_noise/SZ_thetas.txt").parent)
    plain = MassFunctionPrior("Planck18")
    selected = MassFunctionPrior("Planck18", selection=selection, one_minus_b=0.8)
    ratio = selected([13.5, 14.5, 15.5], 0.2) / plain([13.5, 14.5, 15.5], 0.2)
    assert ratio[0] < 1e-4
    assert 0.02 < ratio[1] < 0.98
    assert ratio[2] == pytest.approx(1, abs=1e-4)


# Clusters and input that make trouble


def test_negative_signal_has_a_posterior():
    sample = mock([8e14], [0.2], noise=None)
    sample.cutouts.data *= -1
    table = LikelihoodMass(**TRUE).predict(sample)
    assert table["mass"][0] < 2e14 * u.solMass
    assert table["flag"][0] & MassFlag.EXTRAPOLATED
    posterior = LikelihoodMass(centring=1 * u.arcmin, **TRUE).predict_posterior(sample)
    assert posterior.cdf(8e14 * u.solMass)[0] > 0.999


def test_holes():
    sample = mock([8e14] * 3, [0.2] * 3, noise=None)
    sample.cutouts.data[1, :, :40] = np.nan
    sample.cutouts.footprint[1, :, :40] = False
    sample.cutouts.footprint[2] = False
    sample.cutouts.footprint[2, 0, :3] = True
    for centring in (0, 1):
        estimator = LikelihoodMass(centring=centring * u.arcmin, **TRUE)
        p = estimator.predict_posterior(sample)
        assert dex(p.median())[1] == pytest.approx(dex(p.median())[0], abs=0.02)
        # Nothing was seen: the posterior is the prior.
        np.testing.assert_allclose(p.density[2], p.prior[2], rtol=1e-6)
        assert list(p.flag & MassFlag.INCOMPLETE_CUTOUT > 0) == [False, True, True]


def test_posteriors_keep_the_rows():
    sample = make_check_sample(5)
    sample.table["redshift"].mask[1] = True
    sample.cutouts.data[3], sample.cutouts.footprint[3] = np.nan, False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = LikelihoodMass().predict(sample)
    posterior = LikelihoodMass().predict_posterior(sample)
    np.testing.assert_array_equal(np.isnan(posterior.median()), [False, True, False, True, False])
    np.testing.assert_allclose(table["mass"].value, posterior.median().value)
    np.testing.assert_array_equal(posterior.flag, table["flag"])
    assert posterior.meta["prior"] == "flat"
    assert list(posterior.names) == list(sample.names)
    assert len(LikelihoodMass().predict_posterior(sample[:0])) == 0


def test_chunks_change_nothing(monkeypatch):
    sample = make_check_sample(7)
    whole = LikelihoodMass().predict_posterior(sample)
    monkeypatch.setattr(LikelihoodMass, "at_a_time", 3)
    parts = LikelihoodMass().predict_posterior(sample)
    np.testing.assert_allclose(parts.median().value, whole.median().value, rtol=1e-5)


def test_prior_without_mass():
    def nothing(log10_mass, redshift):
        return np.zeros(np.broadcast_shapes(log10_mass.shape, redshift.shape))

    with pytest.raises(InvalidInputError, match="'prior' leaves no mass for 3 of 3"):
        LikelihoodMass(prior=nothing).predict(make_check_sample(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": 1e-6}, "'noise' must be a NoiseModel"),
        ({"prior": "jeffreys"}, "'prior' must be 'flat', 'tinker08'"),
        ({"sigma_lny": -0.1}, "'sigma_lny' must be >= 0"),
        ({"relation": "arnaud2010"}, "without an intrinsic scatter. Pass 'sigma_lny'"),
        ({"one_minus_b": -1}, "one_minus_b"),
        ({"one_minus_b_err": 0.9}, "'one_minus_b_err' must be at least 0"),
        ({"centring": -1 * u.arcmin}, "'centring' must be one angle"),
        ({"log10_mass": [14, 15]}, "'log10_mass' must be at least 3"),
        ({"log10_mass": [1e14, 1e15, 1e16]}, "'log10_mass' must be log10"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(InvalidInputError, match=message):
        LikelihoodMass(**options).predict(make_check_sample(2))


def test_unknown_names():
    with pytest.raises(UnknownNameError):
        LikelihoodMass(diversity="nobody").predict(make_check_sample(2))


def test_meta_says_what_was_done():
    meta = LikelihoodMass(prior="tinker08", cosmology="Planck18").predict(make_check_sample(2)).meta
    assert meta["prior"] == "tinker08"
    assert meta["sigma_lny"] == 0.173
    assert meta["diversity"] == "a10"
    assert "2008ApJ...688..709T" in meta["references"]


def test_components_of_profiles():
    """They hold most of what differs, and leave Y500 alone."""
    from szmass.estimators.filters._banks import profile_components

    k, (mean, *components) = profile_components(get_pressure_profile("arnaud2010"), 0.3, 0.35, 1.0)
    assert mean[0] == pytest.approx(1.8, abs=0.1)
    assert np.interp(1.0, k, np.abs(components[0])) < 0.2
    alone = profile_components(get_pressure_profile("arnaud2010"), 0.0, 0.0, 0.0)[1]
    assert alone[0, 0] == pytest.approx(1.7964, abs=1e-3)
    np.testing.assert_allclose(alone[1:], 0, atol=1e-5)
