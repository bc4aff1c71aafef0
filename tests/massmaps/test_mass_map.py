"""Mass maps: sums and errors against numbers that share no code with them, files, bad input."""

import astropy.constants as const
import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.cosmology import FlatLambdaCDM, LambdaCDM

from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.maps import CutoutGeometry
from szmass.massmaps import MassMap, MassMapStack

GRID = CutoutGeometry((61, 61), 0.2 * u.arcmin, frame="icrs")
COORD = SkyCoord(194.95, 27.98, unit="deg")
COSMOLOGY = LambdaCDM(70, 0.3, 0.8)
UNIT = u.solMass / u.Mpc**2


def make_map(data=None, std=0.1, **options):
    row, column = np.indices(GRID.shape) - 30
    if data is None:
        data = 1e15 / (1 + (row**2 + column**2) / 25)
    options = {"redshift": 0.2, "cosmology": COSMOLOGY, "name": "A", "r500": 5 * u.arcmin} | options
    return MassMap(data, std * data, COORD, GRID, **options)


def area_of_pixel():
    side = (0.2 * u.arcmin).to_value(u.rad) * COSMOLOGY.angular_diameter_distance(0.2).value
    return side**2


def test_cylinder_of_a_uniform_sheet_is_a_disc():
    one = make_map(np.full(GRID.shape, 2e14))
    radius = np.array([0.3, 1.0, 4.321]) * u.arcmin
    mass, _ = one.mass_within(radius)
    length = radius.to_value(u.rad) * COSMOLOGY.angular_diameter_distance(0.2)
    expected = 2e14 * UNIT * np.pi * length**2
    np.testing.assert_allclose(mass.to_value("solMass"), expected.to_value("solMass"), rtol=1e-9)
    again, _ = one.mass_within(length)
    np.testing.assert_allclose(again.value, mass.value, rtol=1e-9)


def test_errors_of_sums_are_those_of_draws():
    modes = 0.1 * np.stack([np.ones(GRID.shape), np.outer(np.linspace(-1, 1, 61), np.ones(61))])
    one = make_map(std=0.2, modes=modes)
    drawn = one.samples(4000, seed=2)
    np.testing.assert_allclose(drawn.mean(axis=0)[30, 25:35], one.quantity[30, 25:35], rtol=0.03)
    np.testing.assert_allclose(drawn.std(axis=0)[30, 25:35].value, one.std[30, 25:35], rtol=0.08)
    row, column = np.indices(GRID.shape) - 30
    inside = np.hypot(row, column) < 15
    sums = drawn.value[:, inside].sum(axis=1) * area_of_pixel()
    mass, error = one.mass_within(3 * u.arcmin)
    assert abs(sums.mean() / mass.value - 1) < 0.02
    assert abs(sums.std() / error.value - 1) < 0.08
    ring = one.profile([1, 2] * u.arcmin)
    inside = (np.hypot(row, column) > 5) & (np.hypot(row, column) < 10)
    means = drawn.value[:, inside].mean(axis=1)
    assert abs(means.std() / ring["surface_density_err"][0].value - 1) < 0.08


def test_interval_is_log_normal():
    one = make_map(std=0.5)
    low, high = one.interval(0.95)
    drawn = one.samples(4000, seed=3)[:, 30, 20:40]
    inside = (drawn > low[30, 20:40]) & (drawn < high[30, 20:40])
    assert abs(inside.mean() - 0.95) < 0.01


def test_profile_of_a_power_of_radius():
    row, column = np.indices(GRID.shape) - 30
    one = make_map(1e14 * (row**2 + column**2 + 1.0))
    table = one.profile([0, 2, 4] * u.arcmin)
    # The mean of r^2 over a disc is half of that of its edge; of a pixel a sixth of its area.
    expected = 1e14 * (np.array([10**2 / 2, (20**4 - 10**4) / (20**2 - 10**2) / 2]) + 1)
    np.testing.assert_allclose(table["surface_density"].value, expected, rtol=4e-3)
    assert table["outer"].unit == u.arcmin


def test_centroid_of_a_clump_is_where_it_stands():
    row, column = np.indices(GRID.shape) - 30
    data = 1e14 * np.exp(-((row - 5) ** 2 + (column + 4) ** 2) / 18) + 1e8
    one = make_map(data)
    place, error = one.centroid(6 * u.arcmin)
    assert place.separation(one.wcs.pixel_to_world(26, 35)) < 0.01 * u.arcmin
    assert np.all((error > 0) & (error < 0.2 * u.arcmin))


def test_convergence_is_over_the_critical_density():
    flat = FlatLambdaCDM(70, 0.3)
    one = make_map(cosmology=flat)
    kappa = one.convergence(0.9)
    distance = flat.angular_diameter_distance
    between = (flat.comoving_distance(0.9) - flat.comoving_distance(0.2)) / 1.9
    critical = const.c**2 / (4 * np.pi * const.G) * distance(0.9) / distance(0.2) / between
    np.testing.assert_allclose(kappa.data, one.quantity / critical.to(UNIT), rtol=1e-9)
    np.testing.assert_allclose(kappa.uncertainty.array / kappa.data, 0.1)
    # In open space light from behind bends by other distances: sinh of their sum, by Hogg (1999).
    bent = make_map().convergence(0.9)
    size, root = COSMOLOGY.hubble_distance, np.sqrt(COSMOLOGY.Ok0 + 0j)
    along = [(COSMOLOGY.comoving_distance(z) / size).value for z in (0.2, 0.9)]
    across = [(np.sinh(root * d) / root).real for d in (*along, along[1] - along[0])]
    critical = const.c**2 / (4 * np.pi * const.G) / size * across[1] / across[0] / across[2] * 1.2
    np.testing.assert_allclose(bent.meta["sigma_cr"], critical.to_value(UNIT), rtol=1e-9)
    with pytest.raises(InvalidInputError, match="source_redshift"):
        one.convergence(0.2)


def test_file_gives_back_the_map(tmp_path):
    one = make_map(modes=0.01 * np.ones((2, *GRID.shape)), flag=4, meta={"method": "nfw", "x": 1})
    one.write(tmp_path / "map.fits")
    back = MassMap.read(tmp_path / "map.fits")
    for name in ("data", "std", "modes"):
        np.testing.assert_array_equal(getattr(back, name), getattr(one, name))
    assert (back.name, back.flag, back.redshift, back.meta) == ("A", 4, 0.2, one.meta)
    assert (back.cosmology, back.r500) == (COSMOLOGY, one.r500)
    assert back.coord.separation(one.coord) < 1 * u.mas
    assert back.mass_within(3 * u.arcmin) == one.mass_within(3 * u.arcmin)
    with pytest.raises(InvalidInputError, match="overwrite"):
        one.write(tmp_path / "map.fits")
    with pytest.raises(FileFormatError, match="stack"):
        MassMapStack.read(tmp_path / "map.fits")


def test_holes_have_no_mass_and_errors_say_what_is_wrong():
    data = np.full(GRID.shape, 1e14)
    data[40, 30] = np.nan
    one = make_map(data)
    assert np.isfinite(one.mass_within(1 * u.arcmin)[0])
    assert np.isnan(one.mass_within(3 * u.arcmin)[0])
    with pytest.raises(InvalidInputError, match="beyond the map"):
        one.mass_within(7 * u.arcmin)
    with pytest.raises(InvalidUnitError, match="radius"):
        one.mass_within(3.0)
    with pytest.raises(InvalidInputError, match="increasing"):
        one.profile([2, 1] * u.arcmin)
    with pytest.raises(InvalidInputError, match="at least 0"):
        make_map(-np.ones(GRID.shape))
    with pytest.raises(InvalidInputError, match="shape"):
        make_map(np.ones((3, 3)))
    with pytest.raises(InvalidUnitError, match="data"):
        make_map(np.ones(GRID.shape) * u.solMass)
    with pytest.raises(InvalidInputError, match="redshift"):
        make_map(redshift=np.nan)


def make_stack():
    data = np.full((3, 8, 8), 1e14)
    data[1] = np.nan
    return MassMapStack(
        data, 0.1 * data, np.zeros((3, 1, 8, 8)), SkyCoord([1, 2, 3], [0, 0, 0], unit="deg"),
        CutoutGeometry((8, 8), 0.5), names=["a", "b", "c"], redshift=[0.1, np.nan, 0.3],
        r500=[4.0, np.nan, 2.0], flag=[0, 1, 0], cosmology="PSZ2",
    )  # fmt: skip


def test_stack_keeps_rows_without_a_map(tmp_path):
    stack = make_stack()
    assert stack["c"].geometry.pixel_scale == 1 * u.arcmin
    assert stack[1].mask.all()
    assert "NO_REDSHIFT" in repr(stack[1])
    mass, _ = stack.mass_within(stack.r500 * u.arcmin)
    assert np.isfinite(mass.value).tolist() == [True, False, True]
    assert stack[[0, 2]].names.tolist() == stack[stack.flag == 0].names.tolist() == ["a", "c"]
    stack.write(tmp_path / "stack.fits")
    back = MassMapStack.read(tmp_path / "stack.fits")
    np.testing.assert_array_equal(back.data, stack.data)
    assert back.geometry == stack.geometry
    assert back.names.tolist() == stack.names.tolist()
    stack[:0].write(tmp_path / "none.fits")
    assert len(MassMapStack.read(tmp_path / "none.fits")) == 0
