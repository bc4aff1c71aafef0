"""The estimator 'cnn' with the networks that ship."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators import ESTIMATORS, CNNMass, LikelihoodMass, estimate_masses
from szmass.estimators.checks import ESTIMATOR_CHECKS, make_check_sample
from szmass.exceptions import CardMismatchError, InvalidInputError, UnweighedClustersWarning
from szmass.maps import CutoutGeometry, NoiseModel
from szmass.networks import load_networks, shipped_card
from szmass.results import MassFlag
from szmass.simulations import Observation, draw_flat, simulate

NOISE = NoiseModel.planck(depth=None)
MOCK = Observation(name="mock", noise=NOISE, centring=1 * u.arcmin)


@pytest.fixture(scope="module")
def mocks():
    """Clusters of the kind that the networks were trained on, and none of them."""
    population = draw_flat(80, mass=(6e14, 2e15) * u.solMass, redshift=(0.05, 0.35), seed=777)
    return simulate(population, MOCK, model="a10", cosmology="PSZ2", seed=778)


@pytest.fixture(scope="module")
def cnn():
    return CNNMass()


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_contract(check):
    check(CNNMass())


def test_masses_of_mocks_are_true_and_as_good_as_the_exact_posterior(cnn, mocks):
    posterior = cnn.predict_posterior(mocks)
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
    # The same at the nodes of the integral as one by one.
    total, weights = 0, np.exp(-0.5 * np.linspace(-3.2, 3.2, 21) ** 2)
    for deviation, weight in zip(np.linspace(-3.2, 3.2, 21), weights, strict=True):
        moved = mocks[2:3]
        moved.table["redshift"] = moved.redshift + 0.03 * deviation
        total = total + weight * cnn.predict_posterior(moved).density
    np.testing.assert_allclose(wide.density[2], total[0] / weights.sum(), atol=0.05)


def test_flips_do_not_change_masses(cnn, mocks):
    some = mocks[:6]
    before = np.log10(cnn.predict(some)["mass"].value)
    turned = some[:]
    turned.cutouts.data[:] = turned.cutouts.data[:, ::-1].swapaxes(1, 2)
    after = np.log10(cnn.predict(turned)["mass"].value)
    np.testing.assert_allclose(after, before, atol=1e-3)


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
    assert np.all(np.asarray(flags) & MassFlag.OUT_OF_DOMAIN > 0)


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
    assert card.training["maps"] * card.training["recipe"]["training"]["split"][0] >= 100_000
    assert card.mass_definition == "500c"
    assert card.h is None
    assert load_networks().domain is not None
    rows = card.metrics["test"]
    everything = rows[0]
    assert everything["n"] > 10_000
    assert 0.66 <= everything["coverage_68"] <= 0.70
    assert 0.94 <= everything["coverage_95"] <= 0.96
