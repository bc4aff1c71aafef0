"""Haloes that are correlated with clusters."""

import itertools

import astropy.units as u
import numpy as np
import pytest

from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.physics import get_cosmology
from szmass.physics.concentration import colossus_for
from szmass.physics.mass_function import sky_density
from szmass.simulations import (
    CLUSTER_MODELS,
    Environment,
    FieldSet,
    from_masses,
    make_dataset,
    simulate,
)
from szmass.simulations.bodies._fourier import Window
from szmass.simulations.field._haloes import HaloClustering
from szmass.simulations.field.environment import parts_of

COSMOLOGY = get_cosmology("PSZ2")
H = COSMOLOGY.h
SMOOTH = CLUSTER_MODELS["a10"].smooth()
LIMITS = (2e13, 5e15)
TARGET, REDSHIFT, INNER = 8e14, 0.3, 3.0


@pytest.fixture(scope="module")
def haloes():
    return HaloClustering(LIMITS, COSMOLOGY)


@pytest.fixture(scope="module")
def linear_theory():
    """Radii [Mpc/h] and xi at the redshift of the target, bias of it, n b of haloes by mass."""
    log_mass = np.linspace(*np.log(LIMITS), 400)
    # Transformed by brute force: colossus's own quadrature warns near the zero.
    k = np.linspace(1e-4, 12, 240_001)
    radius = np.geomspace(0.5, 110, 160)
    with colossus_for(COSMOLOGY):
        from colossus.cosmology import cosmology
        from colossus.lss import bias

        ours = cosmology.getCurrent()
        spectrum = ours.matterPowerSpectrum(k, REDSHIFT) * np.exp(-((0.1 * k) ** 2))
        masses = np.append(np.exp(log_mass), TARGET) * H
        biases = bias.haloBias(masses, REDSHIFT, mdef="500c", model="tinker10")
    weight = k**2 * spectrum / (2 * np.pi**2) * (k[1] - k[0])
    xi = np.array([np.sum(weight * np.sinc(k * r / np.pi)) for r in radius])
    volume = 4 * np.pi * COSMOLOGY.differential_comoving_volume(REDSHIFT).to_value("Mpc3 / sr")
    density = sky_density(log_mass, np.array([REDSHIFT]), COSMOLOGY)[0] / volume
    return radius, xi, biases[-1], log_mass, density * biases[:-1]


def test_counts_recover_the_projected_correlation(haloes, linear_theory):
    """(1 + b b w) times the mean: the excess in rings on the sky and in bins of mass."""
    radius, xi, bias, log_mass, weighted = linear_theory
    rng = np.random.default_rng(5)
    draws = [haloes.draw(TARGET, REDSHIFT, INNER, 120 / H, rng) for _ in range(3000)]
    mass = np.concatenate([m for m, _ in draws])
    place = np.concatenate([p for _, p in draws])
    near = np.abs(place[:, 2]) < 40
    across = np.hypot(place[:, 0], place[:, 1])
    edges = np.array([0.0, 2.0, 3.5, 6.0, 10.0, 20.0, 40.0])
    counts = np.histogram(across[near], edges)[0]
    # The correlation integrated along the line of sight, without the sphere of exclusion.
    depth = np.linspace(-40, 40, 4001)
    rings = []
    for low, high in itertools.pairwise(edges):
        middle = np.linspace(low, high, 201)
        middle = 0.5 * (middle[1:] + middle[:-1])
        distance = np.hypot(middle[:, np.newaxis], depth)
        value = np.interp(distance * H, radius, xi) * (distance > INNER)
        projected = value.sum(axis=1) * (depth[1] - depth[0])
        rings.append(np.sum(2 * np.pi * middle * projected) * (high - low) / 200)
    total = np.trapezoid(weighted, log_mass)
    expected = 3000 * bias * total * np.array(rings)
    assert expected.min() > 250
    pulls = (counts - expected) / np.sqrt(expected)
    assert np.sum(pulls**2) < 16.8  # 99 % of chi2 with six degrees of freedom
    # Mean number per halo beyond a mass, and no preferred direction.
    for limit in (1e14, 4e14):
        share = np.trapezoid(np.where(log_mass > np.log(limit), weighted, 0), log_mass) / total
        found = np.count_nonzero(mass > limit)
        assert found == pytest.approx(share * len(mass), abs=3.5 * np.sqrt(share * len(mass)))
    assert np.all(np.abs(place.mean(axis=0)) < 4 * place.std() / np.sqrt(len(place)))
    assert np.linalg.norm(place, axis=1).min() >= INNER


def test_expected_number_is_the_mean(haloes):
    rng = np.random.default_rng(2)
    counts = [len(haloes.draw(3e14, 0.1, 2.0, 60.0, rng)[0]) for _ in range(2000)]
    mean = haloes.expected(3e14, 0.1, 2.0, 60.0)
    assert np.mean(counts) == pytest.approx(mean, abs=4 * np.sqrt(mean / 2000))
    # Heavier clusters are more biased; beyond the zero of the correlation nothing is added.
    assert haloes.expected(1e15, 0.1, 2.0) > 1.8 * haloes.expected(3e14, 0.1, 2.0)
    assert haloes.expected(1e15, 0.1, 200.0) == 0
    assert haloes.expected(1e15, 0.1, 2.0, 1.0) == 0
    assert len(haloes.draw(1e15, 0.1, 2.0, 1.0, rng)[0]) == 0


def test_poisson_surroundings_are_a_piece_of_the_sky_and_no_more():
    environment = Environment(mass_min=1e14 * u.solMass, size=128, clustered=False)
    sample = from_masses([3e14, 8e14] * u.solMass, [0.1, 0.4])
    options = {"cosmology": "PSZ2", "seed": 4}
    clean = simulate(sample, "clean", **options)
    mocks = simulate(sample, "clean", environment=environment, **options)
    maps = clean.cutouts.data.copy()
    dimming, sky = parts_of(environment, CutoutGeometry(), Window(10.0))
    assert (dimming.name, sky.name) == ("hot-electrons", "sky")
    fields = FieldSet(
        clusters=clean.table,
        geometry=CutoutGeometry(),
        window=Window(10.0),
        rotation=None,
        shift=None,
        seed=4,
    )
    sky.add(maps[:, np.newaxis], fields)
    np.testing.assert_array_equal(mocks.cutouts.data, maps)
    assert mocks.table.colnames == clean.table.colnames


@pytest.fixture(scope="module")
def around():
    """Give what neighbours alone add to maps of many clusters, and their truth."""
    sample = from_masses(np.full(150, 1e15) * u.solMass, 0.5)
    options = {"cosmology": "PSZ2", "seed": 8, "projections": 2}
    settings = {"mass_min": 1e14 * u.solMass, "size": 128}
    both, mean = (
        simulate(
            sample,
            "clean",
            environment=Environment(clustered=clustered, **settings),
            **options,
        )
        for clustered in (True, False)
    )
    return both.cutouts.data - mean.cutouts.data, both.table


def test_images_hold_the_signal_of_the_neighbours(around):
    maps, table = around
    signal = maps.sum(axis=(1, 2), dtype=float) * 1.7**2
    # Y5R500 of the universal profile; a few stand half outside of the field.
    assert signal.sum() == pytest.approx(1.796 * table["neighbours_y500"].value.sum(), rel=0.03)
    lonely = (table["neighbours"] == 0) & (signal < 1e-7)
    assert 0 < np.count_nonzero(lonely) < 0.7 * len(table)
    assert np.abs(maps[lonely]).max() < 1e-7
    assert (maps > -1e-7).all()


def test_truth_counts_the_neighbours_in_the_field(around):
    _, table = around
    number = np.asarray(table["neighbours"]).reshape(-1, 2)
    haloes = HaloClustering((1e14, 5e15), COSMOLOGY)
    half = 96 * 1.7 / 2
    distance = COSMOLOGY.comoving_distance(0.5).value * np.radians(1 / 60)
    rng = np.random.default_rng(3)
    inside = 0
    inner = 2 * np.median(table["theta500_true"].value) * distance
    for _ in range(2000):
        place = haloes.draw(1e15, 0.5, inner, np.inf, rng)[1] / distance
        inside += np.count_nonzero((np.abs(place[:, :2]) <= half).all(axis=1))
    mean = inside / 2000
    # Two directions see nearly the same haloes: the error is that of 150 independent fields.
    assert number.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 150))
    assert number.var() > 0.5 * mean
    # From the other direction some that were outside are inside, most are the same.
    assert np.any(number[:, 0] != number[:, 1])
    assert np.corrcoef(number.T)[0, 1] > 0.4


def test_neighbours_depend_on_seed_and_cluster_alone():
    sample = from_masses(np.full(6, 8e14) * u.solMass, np.linspace(0.05, 0.8, 6))
    environment = Environment(mass_min=3e13 * u.solMass, size=128)

    def mocks(part, seed=1):
        return simulate(
            part, "planck-like", cosmology="PSZ2", seed=seed, environment=environment, chunk_size=4
        )

    whole = mocks(sample)
    alone = mocks(sample[4:5])
    np.testing.assert_array_equal(alone.cutouts.data[0], whole.cutouts.data[4])
    assert alone.table["neighbours"][0] == whole.table["neighbours"][4]
    assert alone.quantity("neighbours_y500")[0] == whole.quantity("neighbours_y500")[4]
    assert np.any(mocks(sample, seed=2).table["neighbours"] != whole.table["neighbours"])


def test_profiles_whose_shape_depends_on_mass():
    sample = from_masses(np.full(40, 1e15) * u.solMass, 0.4)
    settings = {"cosmology": "PSZ2", "seed": 8}
    maps = {}
    for model in ("a10", "battaglia2012-agn"):
        for clustered in (True, False):
            environment = Environment(
                model=CLUSTER_MODELS[model].smooth(),
                mass_min=1e14 * u.solMass,
                size=128,
                clustered=clustered,
            )
            mocks = simulate(sample, "clean", model=SMOOTH, environment=environment, **settings)
            maps[model, clustered] = mocks.cutouts.data
    total = [np.sum(maps[name, True] - maps[name, False]) for name in ("a10", "battaglia2012-agn")]
    assert 0.5 < total[1] / total[0] < 2
    assert total[0] != total[1]


def test_data_sets_hold_the_truth_of_neighbours(tmp_path):
    pytest.importorskip("zarr")
    sample = from_masses(np.full(3, 8e14) * u.solMass, 0.4)
    environment = Environment(mass_min=1e14 * u.solMass, size=128)
    options = {"cosmology": "PSZ2", "seed": 3, "environment": environment}
    dataset = make_dataset(tmp_path / "set.zarr", sample, "clean", **options)
    mocks = simulate(sample, "clean", **options)
    table = dataset.table()
    np.testing.assert_array_equal(table["neighbours"], mocks.table["neighbours"])
    np.testing.assert_array_equal(table["neighbours_y500"], mocks.table["neighbours_y500"])


def test_bad_input():
    with pytest.raises(InvalidInputError, match="'clustered' must be True or False"):
        Environment(clustered="yes")
    with pytest.raises(InvalidInputError, match="up to redshift 3; a cluster is at 3.5"):
        simulate(
            from_masses([5e14] * u.solMass, 3.5),
            "clean",
            cosmology="PSZ2",
            seed=1,
            environment=Environment(mass_min=1e15 * u.solMass, size=128),
        )
