"""Densities from mixtures, their calibration, and ensembles of networks."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from scipy.stats import norm

from szmass.estimators import CNNMass
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps import CutoutGeometry, NoiseModel
from szmass.networks import DensityNetworks, ModelCard, build_density_cnn, published_card
from szmass.networks._densities import Calibration, log_density, mixture_loss, normalised
from szmass.networks._inputs import pooled, turned
from szmass.networks.training._fit import model_arrays
from szmass.simulations import Observation, from_masses, simulate

keras = pytest.importorskip("keras")

GRID = np.linspace(13.7, 15.5, 361)
RANGE = (13.7, 15.5)
NOISE = NoiseModel.planck(depth=None)
ARCHITECTURE = {"log10_mass_range": list(RANGE), "filters": [4, 4, 4], "components": 2}


def mixtures(rng, n, components=3):
    weights = rng.normal(size=(n, components))
    weights -= np.log(np.exp(weights).sum(axis=1, keepdims=True))
    means, sigmas = rng.uniform(13.6, 15.6, (2, n, components))
    return np.stack([weights, means, 0.05 + 0.1 * (sigmas - 13.6)], axis=1)


def make_card(model, **changes):
    values = published_card().to_dict() | {
        "name": "small",
        "architecture": "density_cnn",
        "architecture_options": ARCHITECTURE,
        "n_parameters": model.count_params(),
        "redshift_bins": [[0.01, 1.0]],
        "normalisation": [[0.0, 1.0]],
        "target": "log10_mass_density",
        "h": None,
        "log10_mass_range": list(RANGE),
        "error_table": None,
        "weights": [],
    }
    return ModelCard(**values | changes)


@pytest.fixture(scope="module")
def networks():
    arrays = {}
    for member in range(2):
        keras.utils.set_random_seed(member)
        model = build_density_cnn((96, 96), **ARCHITECTURE)
        arrays |= {f"member-{member}/{k}": v for k, v in model_arrays(model).items()}
    return DensityNetworks(make_card(model), arrays), arrays


@pytest.mark.parametrize(
    "changes",
    [
        {"h": 0.7},
        {"normalisation": [[1e-6, 1e-5]]},
        {"log10_mass_range": [13.0, 15.0]},
        {"architecture_options": {"filters": [4, 4, 4], "components": 2}},
        {"error_table": published_card().to_dict()["error_table"]},
        {"target": "log10_mass"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_a_card_says_is_obeyed_or_refused(networks, changes):
    card, arrays = networks[0].card, networks[1]
    other = ModelCard(**card.to_dict() | changes)
    name = "log10_mass_range" if "architecture_options" in changes else next(iter(changes))
    with pytest.raises(FileFormatError, match=f"'{name}' of the model card 'small' of density"):
        DensityNetworks(other, arrays)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("calibration/coefficients", np.full((2, 16), np.nan), "must be finite numbers"),
        ("calibration/coefficients", np.zeros((3, 16)), "'coefficients' of shape"),
        ("calibration/width", np.zeros((2, 16)), "'coefficients' of shape"),
        ("domain/side", np.array(24), "not those of a DomainScore"),
        ("elsewhere/kernel", np.zeros(3), "must be named 'member-0"),
        ("member-0/dense1/bias", np.array(["a"] * 192), "must be finite numbers"),
        ("member-0/dense1/bias", np.full(192, np.inf), "must be finite numbers"),
    ],
)
def test_arrays_that_cannot_be(networks, name, array, message):
    with pytest.raises(FileFormatError, match=message):
        DensityNetworks(networks[0].card, networks[1] | {name: array})


def test_options_that_no_network_has(networks):
    options = ARCHITECTURE | {"filters": ["many"]}
    card = dataclasses.replace(networks[0].card, architecture_options=options)
    with pytest.raises(FileFormatError, match="cannot be built with the options"):
        _ = DensityNetworks(card, networks[1]).models


def test_densities_are_the_same_to_the_bit_in_any_company(networks):
    rng = np.random.default_rng(5)
    data, redshift = rng.normal(0, 2e-6, (37, 96, 96)), rng.uniform(0.05, 0.9, 37)
    options = {"noise": NOISE, "depth": np.ones(37)}
    whole = networks[0].log_density(data, redshift, **options)
    for batch_size in (1, 5, 256):
        found = networks[0].log_density(data, redshift, batch_size=batch_size, **options)
        np.testing.assert_array_equal(found, whole)
    one = networks[0].log_density(data[20:21], redshift[20:21], noise=NOISE, depth=[1.0])
    np.testing.assert_array_equal(one[0], whole[20])


def test_density_is_a_cut_off_mixture_of_integral_one():
    mixture = mixtures(np.random.default_rng(1), 5)
    density = np.exp(log_density(mixture, GRID))
    np.testing.assert_allclose(np.trapezoid(density, GRID, axis=1), 1, rtol=2e-3)
    weights, means, sigmas = mixture[0]
    expected = sum(
        np.exp(w) * norm.pdf(GRID, m, s) for w, m, s in zip(weights, means, sigmas, strict=True)
    )
    np.testing.assert_allclose(density[0] / density[0, 100], expected / expected[100], rtol=1e-9)


def test_the_loss_is_minus_the_log_density_of_the_truth():
    mixture = mixtures(np.random.default_rng(2), 6)
    truth = GRID[[10, 80, 150, 200, 260, 340]]
    found = mixture_loss(RANGE)(truth.astype("float32"), mixture.astype("float32"))
    expected = [
        log_density(mixture, GRID)[i, np.searchsorted(GRID, t)] for i, t in enumerate(truth)
    ]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), -np.array(expected), atol=2e-3)


def test_untrained_networks_give_densities_over_the_whole_prior(networks):
    mixture = np.asarray(_mixture(networks[0]))
    means, sigmas = mixture[:, 1], mixture[:, 2]
    assert np.ptp(means) > 0.5
    assert np.all((means > RANGE[0]) & (means < RANGE[1]))
    assert np.all((sigmas > 0.01) & (sigmas < 0.5))


def _mixture(networks):
    inputs = networks.inputs(NOISE)
    blocks = np.zeros((3, 48, 48), np.float32)
    context = inputs.context(np.full(3, 0.2), np.ones(3))
    return networks.models[0]([inputs.planes(blocks, np.ones(3)), context])


def test_densities_do_not_depend_on_orientation_or_batches(networks):
    networks = networks[0]
    maps = NOISE.draw(CutoutGeometry(), 5, 3)
    redshift = np.array([0.02, 0.1, 0.3, 0.6, 0.9])
    options = {"noise": NOISE, "depth": 1.0}
    one = networks.log_density(maps, redshift, **options)
    np.testing.assert_allclose(np.trapezoid(np.exp(one), networks.log10_mass, axis=1), 1, rtol=1e-9)
    turned = networks.log_density(maps[:, ::-1].swapaxes(1, 2), redshift, **options)
    np.testing.assert_allclose(turned, one, atol=2e-4)
    parts = networks.log_density(maps, redshift, batch_size=2, **options)
    np.testing.assert_allclose(parts, one, atol=2e-4)


def test_members_and_orientations_are_averaged_not_multiplied(networks):
    networks, arrays = networks
    one = {name: array for name, array in arrays.items() if name.startswith("member-0")}
    twice = one | {name.replace("-0/", "-1/"): array for name, array in one.items()}
    maps = NOISE.draw(CutoutGeometry(), 1, 3)
    found = [
        DensityNetworks(networks.card, members).log_density(maps, [0.3], noise=NOISE, depth=1.0)
        for members in (one, twice)
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    model, inputs = networks.models[0], networks.inputs(NOISE)
    planes = inputs.planes(pooled(maps), np.ones(1))
    context = inputs.context(np.array([0.3]), np.ones(1))
    logs = [
        log_density(np.asarray(model([turned(planes, turn), context])), networks.log10_mass)
        for turn in range(8)
    ]
    expected = normalised(np.mean(logs, axis=0), networks.log10_mass)
    core = expected > expected.max() - 15
    np.testing.assert_allclose(found[0][core], expected[core], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros((2, 48, 48))}, r"'data' must have shape \(N, 96, 96\)"),
        ({"redshift": [0.1]}, "one entry per cutout"),
        ({"redshift": [0.1, 1.2]}, r"'redshift' must be in \(0.01, 1\]"),
        ({"redshift": [0.1, np.nan]}, "'redshift' must be in"),
        ({"data": np.full((2, 96, 96), np.nan)}, "2 of 2 cutouts have NaN"),
        ({"depth": [1.0, 0.0]}, "'depth' must be positive"),
    ],
)
def test_bad_input_is_named(networks, change, message):
    values = {"data": np.zeros((2, 96, 96)), "redshift": [0.1, 0.2], "depth": 1.0} | change
    with pytest.raises(InvalidInputError, match=message):
        networks[0].log_density(
            values["data"], values["redshift"], noise=NOISE, depth=values["depth"]
        )


def test_masses_beyond_the_grid_of_densities_are_refused(networks):
    estimator = CNNMass(weights=networks[0], log10_mass=np.linspace(13, 16, 31), noise=NOISE)
    clusters = simulate(
        from_masses([8e14] * u.solMass, 0.12),
        Observation(name="mock", noise=NOISE),
        cosmology="PSZ2",
        seed=1,
    )
    with pytest.raises(InvalidInputError, match="'log10_mass' must be left out"):
        estimator.predict(clusters)


def test_weights_of_another_network_are_refused(networks):
    found, arrays = networks
    card = dataclasses.replace(found.card, n_parameters=5)
    with pytest.raises(FileFormatError, match="the model card 'small' says 5"):
        DensityNetworks(card, arrays).models  # noqa: B018
    lost = {name: array for name, array in arrays.items() if "mixture/bias" not in name}
    with pytest.raises(FileFormatError, match="mixture/bias is missing"):
        DensityNetworks(found.card, lost).models  # noqa: B018


def test_calibration_mends_widths_and_shifts():
    rng = np.random.default_rng(5)
    n = 3000
    truth = rng.uniform(*RANGE, n)
    sigma, redshift, level = 0.1 + 0.1 * rng.random(n), rng.uniform(0.02, 1, n), np.zeros(n)
    middle = truth + sigma * rng.normal(size=n)
    # Too wide by a quarter, and too high by 0.03.
    given = normalised(
        -0.5 * ((GRID - middle[:, None] - 0.03) / (1.25 * sigma[:, None])) ** 2, GRID
    )
    calibration = Calibration.fit(given, GRID, redshift, level, truth)
    found = np.exp(calibration.apply(given, GRID, redshift, level))
    found /= found.sum(axis=1, keepdims=True)
    error = found @ GRID - truth
    assert abs(error.mean()) < 0.006
    below = np.array(
        [np.interp(t, GRID, row) for t, row in zip(truth, found.cumsum(1), strict=True)]
    )
    assert np.mean(np.abs(below - 0.5) < 0.34) == pytest.approx(0.68, abs=0.025)
    assert np.mean(np.abs(below - 0.5) < 0.475) == pytest.approx(0.95, abs=0.012)


def test_calibration_leaves_right_densities_alone():
    rng = np.random.default_rng(6)
    n = 3000
    middle = rng.uniform(13.5, 15.7, n)
    given = normalised(-0.5 * ((GRID - middle[:, None]) / 0.15) ** 2, GRID)
    cumulative = np.exp(given).cumsum(axis=1)
    draw = rng.random(n) * cumulative[:, -1]
    truth = np.array([np.interp(d, row, GRID) for d, row in zip(draw, cumulative, strict=True)])
    level = rng.normal(size=n)
    calibration = Calibration.fit(given, GRID, rng.uniform(0.02, 1, n), level, truth)
    moved = calibration.apply(given, GRID, rng.uniform(0.02, 1, n), level)
    change = _mean(moved) - _mean(given)
    assert np.sqrt(np.mean(change**2)) < 0.012


def _mean(logs):
    p = np.exp(logs)
    return p @ GRID / p.sum(axis=1)


def test_no_calibration_changes_nothing():
    given = normalised(-0.5 * ((GRID - 14.5) / 0.1) ** 2 * np.ones((2, 1)), GRID)
    same = Calibration().apply(given, GRID, np.array([0.1, 0.5]), np.zeros(2))
    core = given > given.max() - 15
    np.testing.assert_allclose(same[core], given[core], atol=1e-6)
