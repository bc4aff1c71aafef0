"""The estimator 'cnn' with the networks that ship."""

import dataclasses
import importlib.resources

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators import (
    ESTIMATORS,
    CNNMass,
    LikelihoodMass,
    MassFunctionPrior,
    estimate_masses,
)
from szmass.estimators.checks import ESTIMATOR_CHECKS, make_check_sample
from szmass.exceptions import CardMismatchError, InvalidInputError, UnweighedClustersWarning
from szmass.maps import CutoutGeometry, NoiseModel, Sampling
from szmass.networks import AmplitudeNetworks, Recipe, load_networks, shipped_card
from szmass.results import MassFlag
from szmass.simulations import Observation, draw_flat, from_masses, simulate

NOISE = NoiseModel.planck(depth=None)
MOCK = Observation(name="mock", noise=NOISE, centring=1 * u.arcmin)


@pytest.fixture(scope="module")
def mocks():
    """Clusters of the kind that the networks were trained on, and none of them."""
    population = draw_flat(80, mass=(6e14, 2e15) * u.solMass, redshift=(0.05, 0.35), seed=777)
    return simulate(population, MOCK, model="a10", cosmology="PSZ2", seed=778)


@pytest.fixture(scope="module")
def cnn():
    return CNNMass(centring=1 * u.arcmin)


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_contract(check):
    check(CNNMass())


def test_masses_of_mocks_are_true_and_as_good_as_the_exact_posterior(cnn, mocks):
    posterior = CNNMass(sigma_lny=0.1, centring=1 * u.arcmin).predict_posterior(mocks)
    truth = mocks.quantity("mass_true")
    error = np.log10((posterior.mean() / truth).value)
    exact = LikelihoodMass(noise=NOISE, relation="arnaud2010", one_minus_b=0.8, sigma_lny=0.1)
    other = np.log10((exact.predict_posterior(mocks).mean() / truth).value)
    assert abs(error.mean()) < 0.03
    assert np.sqrt(np.mean(error**2)) < 1.15 * np.sqrt(np.mean(other**2))
    pit = posterior.cdf(truth)
    assert 0.52 < np.mean(np.abs(pit - 0.5) < 0.34) < 0.84
    strange = posterior.flag & MassFlag.OUT_OF_DOMAIN > 0
    assert strange.sum() <= 5


def test_what_the_scatter_is_said_to_be_is_in_the_errors(cnn, mocks):
    told = [CNNMass(sigma_lny=sigma).predict_posterior(mocks) for sigma in (0.0, 0.1, 0.25)]
    bright = mocks.quantity("mass_true") > 1e15 * u.solMass
    variance = [posterior.std()[bright] ** 2 for posterior in told]
    added = [np.sqrt(total - variance[0]) for total in variance[1:]]
    np.testing.assert_allclose(added[1] / added[0], 2.5, rtol=0.05)
    # S/N rises more slowly with mass than Y does, since the noise rises with size.
    slope = 0.1 / np.log(10) / added[0]
    assert np.all((slope > 1.3) & (slope < 1.79))
    assert [posterior.meta["sigma_lny"] for posterior in told] == [0.0, 0.1, 0.25]
    table = cnn.predict(mocks[:2])
    assert table.meta["sigma_lny"] == 0.173 == LikelihoodMass().predict(mocks[:2]).meta["sigma_lny"]
    assert table.meta["relation"] == "planck2015"
    with pytest.raises(InvalidInputError, match="'sigma_lny' must be >= 0"):
        CNNMass(sigma_lny=-0.1).predict(mocks[:1])


def test_of_the_scatter_only_the_share_counts_that_networks_follow(mocks):
    shipped = load_networks()
    with (importlib.resources.files("szmass") / "data/cnn/model.npz").open("rb") as file:
        arrays = dict(np.load(file))
    half, whole = (
        AmplitudeNetworks(shipped.card, arrays | {"response/share": np.full(4, share)})
        for share in (0.5, 1.0)
    )
    del arrays["response/share"]
    before = AmplitudeNetworks(shipped.card, arrays)
    told = {"depth": 1.0, "centring": 1 * u.arcmin}
    found = [
        CNNMass(weights=networks, sigma_lny=sigma, **told).log_likelihood(mocks[:5])[1]
        for networks, sigma in ((half, 0.2), (whole, 0.1), (before, 0.1), (whole, 0.2))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], found[1])
    assert np.all(np.ptp(found[3], axis=1) < np.ptp(found[1], axis=1))


def test_the_grid_may_go_beyond_that_of_the_networks(cnn, mocks):
    own, expected = cnn.log_likelihood(mocks[:5])
    wide = np.concatenate([np.linspace(13.0, 13.69, 70), own])
    wider = dataclasses.replace(cnn, log10_mass=wide)
    grid, found = wider.log_likelihood(mocks[:5])
    np.testing.assert_array_equal(grid, wide)
    np.testing.assert_allclose(found[:, 70:], expected, rtol=1e-9, atol=1e-9)
    assert np.all(np.diff(found[:, :70], axis=1) > 0)
    posterior = wider.predict_posterior(mocks[:5])
    np.testing.assert_array_equal(posterior.log10_mass, wide)
    medians = posterior.median(), cnn.predict_posterior(mocks[:5]).median()
    np.testing.assert_allclose(*medians, rtol=1e-3)
    with pytest.raises(InvalidInputError, match="'log10_mass' must be log10"):
        CNNMass(log10_mass=[1e14, 1e15, 1e16]).predict(mocks[:1])


def test_the_prior_can_be_exchanged(cnn):
    # Where noise alone would have to make a cluster of S/N 8.3 out of one of S/N 0.1, its
    # likelihood is that of Gaussian noise, and no floor of a density is left.
    mass, redshift = np.full(24, 8.5e14) * u.solMass, np.full(24, 0.3)
    faint = simulate(from_masses(mass, redshift), MOCK, model="a10", cosmology="PSZ2", seed=79)
    grid, log_l = cnn.log_likelihood(faint)
    at = [np.interp(13.8, grid, row) - row.max() for row in log_l]
    exact = LikelihoodMass(noise=NOISE, one_minus_b=0.8, centring=1 * u.arcmin)
    grid, log_l = exact.log_likelihood(faint)
    limit = [np.interp(13.8, grid, row) - row.max() for row in log_l]
    # That of the exact likelihood of an isolated cluster is -12.2; the networks were trained among
    # neighbours, whose confusion is noise as well.
    assert np.median(at) / np.log(10) < -11
    assert 0.85 < np.median(at) / np.median(limit) < 1.05
    flat, steep = (CNNMass(prior=prior).predict_posterior(faint) for prior in ("flat", "tinker08"))
    tinker = MassFunctionPrior("PSZ2")
    # From the mass on whose expected S/N is 1.5.
    density = tinker(flat.log10_mass, 0.3) * (steep.density > 0)
    np.testing.assert_allclose(flat.reweight(density).median(), steep.median(), rtol=3e-3)
    unknown = faint.table
    unknown["redshift"][1] = np.ma.masked
    with pytest.raises(InvalidInputError, match="1 of 24 clusters cannot be weighed"):
        cnn.log_likelihood(type(faint)(unknown, cutouts=faint.cutouts))


def test_mass_is_the_median_of_the_posterior_and_the_mean_a_column(cnn, mocks):
    some = mocks[:4]
    posterior, table = cnn.predict_posterior(some), cnn.predict(some)
    mass = np.trapezoid(posterior.density * 10**posterior.log10_mass, posterior.log10_mass, axis=1)
    with_mean = estimate_masses(some, cnn, mean=True)
    np.testing.assert_allclose(with_mean["mean_cnn"].value, mass, rtol=1e-6)
    np.testing.assert_array_equal(with_mean["mass_cnn"], table["mass"])
    np.testing.assert_array_equal(table["mass"], posterior.median())
    low, high = posterior.interval()
    np.testing.assert_allclose((table["mass"] - table["mass_errn"]).value, low.value, rtol=1e-6)
    np.testing.assert_allclose((table["mass"] + table["mass_errp"]).value, high.value, rtol=1e-6)
    assert table.meta["model_card_digest"] == shipped_card().digest
    assert table.meta["prior"] == "flat"
    assert table.meta["point_estimate"] == "median of the posterior"
    assert table.meta["mass_scale"] == 0.8
    assert table.meta["kind"] == "network"


def test_networks_of_ones_own_are_on_the_scale_that_their_card_tells(cnn, mocks, monkeypatch):
    card = shipped_card()

    def scale(training):
        told = dataclasses.replace(card, training={"cosmology": "PSZ2"} | training)
        monkeypatch.setattr(CNNMass, "_card", lambda self: told)
        return cnn.predict(mocks[:1]).meta["mass_scale"]

    assert scale({"data": {"model": {"one_minus_b": 0.7}}}) == 0.7
    assert scale({"simulation": "Mine"}) == "true (simulation Mine)"
    assert scale({"data": "maps.zarr"}) == "unknown"


def test_errors_of_redshifts_are_averaged_over(cnn, mocks):
    some = mocks[:4]
    plain = cnn.predict_posterior(some)
    some.table["redshift_err"] = [0.0, np.nan, 0.03, 0.05]
    wide = cnn.predict_posterior(some)
    np.testing.assert_array_equal(wide.density[:2], plain.density[:2])
    assert np.all(wide.std()[2:] > plain.std()[2:])
    assert "redshift" in wide.meta["errors_hold"]
    assert "redshift" not in plain.meta["errors_hold"]
    # Nearer to the lower end of the range than redshifts with errors go.
    near = mocks[:2]
    near.table["redshift"], near.table["redshift_err"] = [0.01005, 0.1], [1e-3, 0.0]
    assert np.all(np.isfinite(cnn.predict(near)["mass"]))
    # The same at the nodes of the integral as one by one.
    total, weights = 0, np.exp(-0.5 * np.linspace(-3.2, 3.2, 21) ** 2)
    for deviation, weight in zip(np.linspace(-3.2, 3.2, 21), weights, strict=True):
        moved = mocks[2:3]
        moved.table["redshift"] = moved.redshift + 0.03 * deviation
        grid, log_l = cnn.log_likelihood(moved)
        total = total + weight * np.exp(log_l[0])
    total /= np.trapezoid(total, grid)
    np.testing.assert_allclose(wide.density[2], total, atol=0.05)


@pytest.mark.parametrize(("kind", "within"), [("bilinear", 0.01), ("nearest", 0.02)])
def test_pixels_of_a_map_are_brought_back_to_points(kind, within):
    # The same clusters and no noise: what differs is how a map of nside 2048 was sampled. The
    # nearest pixel is up to half of one aside, which scatters masses by 6 %.
    population = draw_flat(200, mass=(6e14, 2e15) * u.solMass, redshift=(0.1, 0.5), seed=771)
    seen, told = {}, {}
    for sampling in ("point", kind):
        observation = Observation(name="clean", sampling=sampling)
        sample = simulate(population, observation, model="a10", cosmology="PSZ2", seed=772)
        estimator = CNNMass(noise=NOISE)
        told[sampling] = np.log(estimator.predict_posterior(sample).median().value)
        sample.cutouts.sampling = Sampling("point")
        seen[sampling] = np.log(estimator.predict_posterior(sample).median().value)
    assert -0.05 < np.mean(seen[kind] - seen["point"]) < -0.012
    assert abs(np.mean(told[kind] - told["point"])) < within
    assert np.median(told[kind] - seen[kind]) > 0.005


def test_flips_do_not_change_masses(cnn, mocks):
    some = mocks[:6]
    before = np.log10(cnn.predict(some)["mass"].value)
    turned = some[:]
    turned.cutouts.data[:] = turned.cutouts.data[:, ::-1].swapaxes(1, 2)
    after = np.log10(cnn.predict(turned)["mass"].value)
    np.testing.assert_allclose(after, before, atol=1e-3)


def test_position_errors_are_told(cnn, mocks):
    some = mocks[:12]
    plain = CNNMass().predict_posterior(some)
    some.table["pos_err"] = np.full(12, 2.4477) * u.arcmin
    by_column, by_option = CNNMass().predict_posterior(some), cnn.predict_posterior(some)
    np.testing.assert_allclose(by_column.median(), by_option.median(), rtol=1e-3)
    assert np.abs(np.log(by_column.median() / plain.median())).max() > 1e-3
    assert "centring" in by_column.meta["errors_hold"]
    assert "centring" not in plain.meta["errors_hold"]
    some.table["pos_err"] = np.array([-1.0, np.nan, np.inf, *np.zeros(9)]) * u.arcmin
    exact = CNNMass().predict_posterior(some)
    np.testing.assert_array_equal(exact.density, plain.density)
    some.table["pos_err"] = np.full(12, 12.0) * u.arcmin
    far = CNNMass().predict(some)["flag"]
    assert np.all(np.asarray(far) & MassFlag.OUT_OF_DOMAIN > 0)


def test_noise_of_another_level_than_any_of_the_training_is_flagged(mocks):
    quiet = CNNMass(noise=NOISE.scaled(0.1)).predict(mocks[:4])["flag"]
    assert np.all(np.asarray(quiet) & MassFlag.OUT_OF_DOMAIN > 0)


def test_noisier_fields_give_wider_posteriors(cnn, mocks):
    told = [CNNMass(depth=factor).predict_posterior(mocks).std().mean() for factor in (0.75, 1.3)]
    assert told[1] > 1.05 * told[0]


def test_a_steep_prior_lowers_masses(cnn, mocks):
    faint = mocks[mocks.quantity("mass_true") < 9e14 * u.solMass]
    flat, steep = cnn.predict(faint)["mass"], CNNMass(prior="tinker08").predict(faint)["mass"]
    assert np.all(steep < flat)
    with pytest.raises(InvalidInputError, match="'prior' must be 'flat'"):
        CNNMass(prior="steep").predict(faint)


def test_foreign_cutouts_are_flagged(cnn, mocks):
    some = mocks[:10]
    some.cutouts.data[:5, 40:56, 40:56] = 0.0
    some.cutouts.data[5:] *= -1
    flags = cnn.predict(some)["flag"]
    # An empty middle with nothing about it is as rare as some mergers: 1.9 where 2 is the limit.
    assert np.mean(np.asarray(flags) & MassFlag.OUT_OF_DOMAIN > 0) > 0.85


def test_masses_come_from_the_middle_of_the_cutout(cnn, mocks):
    maps = cnn.saliency(mocks[:2], patches=6)
    assert maps.data.shape == (2, 6, 6)
    for image in maps.data:
        assert image[2:4, 2:4].mean() > 3 * np.abs(image[[0, -1]]).max()
    unknown = mocks[:2].table
    unknown["redshift"][1] = np.ma.masked
    with pytest.raises(InvalidInputError, match=r"1 of 2 clusters cannot be weighed \(NO_REDSHIFT"):
        cnn.saliency(type(mocks)(unknown, cutouts=mocks.cutouts[:2]))


def test_cutouts_of_another_kind_are_refused(cnn):
    other = make_check_sample(2, geometry=CutoutGeometry(shape=(64, 64)))
    with pytest.raises(CardMismatchError, match="shape"):
        cnn.predict(other)


def test_what_cannot_be_weighed_keeps_its_row(cnn, mocks):
    some = mocks[:4]
    table = some.table
    table["redshift"][0] = np.ma.masked
    table["redshift"][1] = 1.4
    sample = type(some)(table, cutouts=some.cutouts)
    sample.cutouts.data[2, 0, 0] = np.nan
    with pytest.warns(UnweighedClustersWarning, match="3 of 4 clusters were not weighed"):
        found = cnn.predict(sample)
    assert np.isnan(found["mass"][:3].value).all()
    assert found["flag"][0] & MassFlag.NO_REDSHIFT
    assert found["flag"][1] & MassFlag.REDSHIFT_OUT_OF_RANGE
    assert found["flag"][2] & MassFlag.INCOMPLETE_CUTOUT
    assert np.isfinite(found["mass"][3].value)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "must hold 'card.json' and the weights .* which does not exist"),
        ("file", "must hold 'card.json' and the weights .* which is a file"),
        (
            "folder",
            "weights that it names.* There is no 'card.json' in .*folder'[.]",
        ),
        ("published", "bestmodel-.* are for the estimator 'cnn-deandres2022'"),
        ("published/bestmodel-1.h5", "bestmodel-.* are for the estimator 'cnn-deandres2022'"),
    ],
)
def test_folders_without_networks_say_what_they_must_hold(mocks, tmp_path, place, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "bestmodel-1.h5").write_text("x")
    with pytest.raises(InvalidInputError, match=message):
        CNNMass(weights=tmp_path / place).predict(mocks[:1])


@pytest.mark.parametrize("kind", ["cnn", "cnn-deandres2022"])
def test_weights_that_are_no_path(mocks, kind):
    with pytest.raises(InvalidInputError, match="'weights' must be a path"):
        ESTIMATORS[kind](weights=3).predict(mocks[:1])


def test_the_card_that_ships_says_what_it_must():
    card = shipped_card()
    assert card.target == "amplitude"
    assert card.training["maps"] * card.training["recipe"]["training"]["split"][0] >= 60_000
    assert Recipe.from_dict(card.training["recipe"]) == Recipe.read("default")
    assert card.mass_definition == "500c"
    assert card.h is None
    assert load_networks().domain is not None
    rows = card.metrics["test"]
    everything = rows[0]
    assert everything["n"] > 7000
    assert 0.66 <= everything["within_68"] <= 0.70
    # The response leaves 3 % of clusters, such as blends, to scatter five times as wide.
    expected = 0.97 * 0.95 + 0.03 * 0.305
    assert abs(everything["within_95"] - expected) < 0.012
    assert abs(everything["bias"]) < 0.1
