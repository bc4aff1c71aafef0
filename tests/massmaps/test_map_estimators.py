"""Estimators of mass maps: the contract, and what maps hold against independent numbers."""

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from scipy.integrate import dblquad, quad

from szmass.estimators.checks import make_check_sample
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.maps import CutoutGeometry
from szmass.massmaps import MapEstimator, MassMapFlag, NFWMaps, get_map_estimator
from szmass.massmaps._draws import Body, Haloes, mass_map, placed
from szmass.massmaps._halo import RADII, mean_over_pixels, surface_density
from szmass.massmaps.checks import MAP_ESTIMATOR_CHECKS
from szmass.results import LogMassPosterior
from szmass.simulations import Observation, from_masses, simulate


@pytest.fixture(scope="module")
def sample():
    return make_check_sample(4)


def posterior_of(sample, mass=5e14, error=0.01):
    grid = np.linspace(13.5, 15.9, 481)
    density = np.exp(-0.5 * ((grid - np.log10(mass)) / error) ** 2)
    density = np.tile(density, (len(sample), 1))
    meta = {"mass_scale": 0.8}
    return LogMassPosterior(grid, density, np.ones(481), names=sample.names, meta=meta)


@pytest.mark.parametrize("check", MAP_ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_baseline_keeps_the_contract(check, sample):
    check(NFWMaps(mass="scaling", one_minus_b=0.8), sample)


def nfw_density(r, c):
    norm = c**3 / (4 * np.pi * (np.log1p(c) - c / (1 + c)))
    return norm / (c * r * (1 + c * r) ** 2)


@pytest.mark.parametrize("c", [1.7, 4.0])
@pytest.mark.parametrize("radius", [0.07, 0.6, 1.4, 4.5])
def test_surface_density_is_the_integral_along_the_line_of_sight(c, radius):
    far = np.sqrt(25 - radius**2)

    def along(length):
        return nfw_density(np.hypot(radius, length), c)

    found, _ = quad(along, 0, far, points=[radius / 3])
    assert surface_density(np.array(radius), c) == pytest.approx(2 * found, rel=1e-6)
    assert surface_density(np.array(5.01), c) == 0


def test_pixels_hold_the_mean_over_their_area():
    table = mean_over_pixels(np.array([2.0, 2.4]), 0.1)
    for at in (0.0, 0.2, 1.0):
        row = np.argmin(np.abs(RADII - at))
        half = 0.05
        found, _ = dblquad(
            lambda y, x: surface_density(np.array(np.hypot(x, y)), 2.0).item(),
            RADII[row] - half, RADII[row] + half, -half, half, epsabs=1e-6, epsrel=1e-4,
        )  # fmt: skip
        assert table[0, row] == pytest.approx(found / 0.01, rel=0.004)


def test_a_sharp_halo_has_the_mass_of_its_cylinder():
    # Without scatter and residuals: the sum of pixels against the integral of NFW to 5 R500.
    c, n = 2.5, 32
    place = placed(CutoutGeometry((96, 96), 1 / 16), 1.0)
    zero = np.zeros((96, 96))
    halo = Haloes(np.ones(n), np.ones(n), np.full(n, c), np.zeros((n, 2)), np.zeros((n, 2)))
    mean, std, _ = mass_map(halo, Body(zero, zero, np.zeros((0, 96, 96))), place)
    x = (np.arange(96) - 47.5) / 16
    inside = np.hypot(x[:, np.newaxis], x) < 1
    shell = lambda r: 4 * np.pi * r**2 * nfw_density(r, c)  # noqa: E731
    held = quad(lambda r: shell(r), 0, 1)[0]
    held += quad(lambda r: shell(r) * (1 - np.sqrt(1 - 1 / r**2)), 1, 5)[0]
    assert mean[inside].sum() / 256 == pytest.approx(held, rel=0.01)
    assert np.all(std < 1e-3 * mean)


def test_ellipse_stretches_along_its_axis_and_keeps_the_mass():
    place = placed(CutoutGeometry((96, 96), 1 / 16), 1.0)
    zero, n = np.zeros((96, 96)), 32
    body = Body(zero, zero, np.zeros((0, 96, 96)))
    means = []
    for ellipse in ((0.0, 0.0), (0.4, 0.0), (0.0, 0.4)):
        shape = np.tile(ellipse, (n, 1))
        halo = Haloes(np.ones(n), np.ones(n), np.full(n, 2.5), np.zeros((n, 2)), shape)
        means.append(mass_map(halo, body, place)[0])
    far = np.hypot(*(np.indices((96, 96)) - 47.5)) < 16
    assert [m[far].sum() / means[0][far].sum() for m in means] == pytest.approx([1, 1, 1], abs=0.03)
    assert means[1][47, 63] > 1.2 * means[1][63, 47]
    assert means[2][63, 63] > 1.2 * means[2][63, 31]


def test_mass_in_a_cylinder_is_that_of_the_simulated_cluster():
    mass = np.full(16, 6e14)
    mocks = from_masses(mass * u.solMass, np.linspace(0.15, 0.3, 16), seed=1)
    shape = CutoutGeometry((120, 120), 0.25 * u.arcmin)
    sharp = Observation(name="sharp", beam=0.5 * u.arcmin, geometry=shape)
    options = {"model": "a10-the300", "cosmology": "PSZ2", "seed": 4}
    seen = simulate(mocks, sharp, fields=["mass"], **options)
    stack = NFWMaps(mass=posterior_of(seen, 6e14)).predict(seen)
    found, error = stack.mass_within(stack.r500 * u.arcmin)
    row, column = np.indices(shape.shape)
    far = np.hypot(row - 59.5, column - 59.5) * 0.25
    cosmology = FlatLambdaCDM(70, 0.3, Tcmb0=0)
    side = (0.25 * u.arcmin).to_value(u.rad) * cosmology.angular_diameter_distance(seen.redshift)
    true = [
        field[far < size].sum() * length**2
        for field, size, length in zip(
            seen.fields["mass"].data.astype(float), stack.r500, side.value, strict=True
        )
    ]
    ratio = found.value / np.array(true)
    # Projection and substructure scatter it by about 0.1, of which 16 clusters leave 0.03.
    assert abs(ratio.mean() - 1) < 0.1
    assert np.all(np.abs(found.value - true) < 6 * error.value)
    assert not np.any(stack.flag & MassMapFlag.ROUND)


def test_axes_of_y_turn_the_halo():
    mocks = from_masses(np.full(2, 8e14) * u.solMass, [0.1, 0.1], seed=1)
    sharp = Observation(
        name="s", beam=0.5 * u.arcmin, geometry=CutoutGeometry((96, 96), 0.5 * u.arcmin)
    )
    seen = simulate(mocks, sharp, cosmology="PSZ2", seed=1)
    y, x = np.indices((96, 96)) - 47.5
    for i, angle in enumerate((0, np.pi / 4)):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        seen.cutouts.data[i] = 1e-4 / (1 + along**2 / 100 + across**2 / 81) ** 2
    maps = NFWMaps(mass=posterior_of(seen)).predict(seen).data
    assert maps[0, 47, 63] > 1.1 * maps[0, 63, 47]
    assert maps[1, 63, 63] > 1.1 * maps[1, 63, 31]
    round_ = NFWMaps(mass=posterior_of(seen), ellipticity="none").predict(seen)
    assert round_.data[0, 47, 63] == pytest.approx(round_.data[0, 63, 47], rel=0.15)
    assert np.all(round_.flag & MassMapFlag.ROUND)


def test_masses_go_by_name_and_scale(sample):
    posterior = posterior_of(sample)
    some = NFWMaps(mass=posterior[[2, 0]]).predict(sample)
    assert (some.flag & MassMapFlag.NO_MASS > 0).tolist() == [False, True, False, True]
    whole = NFWMaps(mass=posterior).predict(sample)
    np.testing.assert_array_equal(whole.data[2], some.data[2])
    scaled = NFWMaps(mass=posterior, one_minus_b=0.4).predict(sample)
    np.testing.assert_allclose(scaled.r500 / whole.r500, 2 ** (1 / 3), rtol=1e-6)
    strange = posterior_of(sample)
    strange.names = np.array([f"X{i}" for i in range(4)])
    with pytest.raises(InvalidInputError, match="other clusters"):
        NFWMaps(mass=strange).predict(sample)


def test_what_is_not_known_is_flagged(sample):
    bad = sample[:3]
    bad.table["redshift"] = np.ma.masked_invalid([0.2, np.nan, 0.3])
    stack = NFWMaps(mass=posterior_of(bad)).predict(bad)
    assert stack.flag[1] & MassMapFlag.NO_REDSHIFT
    assert np.isnan(stack.data[1]).all()
    assert np.isfinite(stack.data[[0, 2]]).all()


def test_bad_options_are_named(sample):
    for options, word in (
        ({"ellipticity": "some"}, "ellipticity"),
        ({"sigma_lnc": -1}, "sigma_lnc"),
        ({"concentration": "nobody20"}, "concentration"),
        ({"concentration": 1e9}, "concentration"),
        ({"centring": -1 * u.arcmin}, "centring"),
        ({"geometry": CutoutGeometry(frame="icrs")}, "geometry"),
        ({"mass": 3}, "estimator"),
    ):
        with pytest.raises(InvalidInputError, match=word):
            NFWMaps(**{"mass": "scaling"} | options).predict(sample)
    with pytest.raises(UnknownNameError):
        get_map_estimator("nothing")
    assert isinstance(get_map_estimator("nfw", mass="scaling"), MapEstimator)


@pytest.mark.parametrize("n", [12, 13])
def test_coarse_pixels_lose_no_mass(n):
    haloes = Haloes(
        np.ones(32), np.ones(32), np.full(32, 3.0), np.zeros((32, 2)), np.zeros((32, 2))
    )
    place = placed(CutoutGeometry((n, n), 1.0), None)
    nothing = np.zeros((n, n), np.float32)
    mean, _, _ = mass_map(haloes, Body(nothing, nothing, nothing[np.newaxis]), place)
    # All of the halo that ends at 5 R500, in M500.
    whole = (np.log(16) - 15 / 16) / (np.log(4) - 3 / 4)
    assert mean.sum() == pytest.approx(whole, rel=3e-3)


def test_pixels_larger_than_r500_are_flagged(sample):
    masses = posterior_of(sample)
    size = NFWMaps(mass=masses).predict(sample).r500
    side = np.sort(size)[1:3].mean()
    grid = CutoutGeometry((5, 5), side * u.arcmin)
    maps = NFWMaps(mass=masses, geometry=grid).predict(sample)
    np.testing.assert_array_equal((maps.flag & MassMapFlag.COARSE) != 0, size < side)
    np.testing.assert_array_equal(np.isfinite(maps.data).all(axis=(1, 2)), size > side)
    with pytest.raises(InvalidInputError, match="geometry"):
        NFWMaps(mass=masses, geometry=CutoutGeometry((5, 5), 1.1)).predict(sample)


def test_noise_that_is_none_is_named(sample):
    with pytest.raises(InvalidInputError, match="'noise'"):
        NFWMaps(mass="scaling", noise="loud").predict(sample)
