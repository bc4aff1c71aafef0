"""Mass maps in wrong hands: masks, places off the map, odd arguments and damaged files."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.massmaps import MassMap, MassMapStack
from szmass.plots import plot_mass_map

Figure = pytest.importorskip("matplotlib.figure").Figure

GRID = CutoutGeometry((21, 21), 0.5 * u.arcmin, frame="icrs")
SHEET = np.full(GRID.shape, 1e14)


def make_map(data=SHEET, coord=(194.95, 27.98), **options):
    options = {"redshift": 0.2, "cosmology": "PSZ2", "r500": 3 * u.arcmin} | options
    options.setdefault("modes", np.full((1, *GRID.shape), 0.1))
    return MassMap(data, 0.2 * SHEET, SkyCoord(*coord, unit="deg"), GRID, **options)


@pytest.mark.parametrize("unit", [None, "solMass / Mpc2"])
def test_masked_pixels_have_no_value(unit):
    mask = np.zeros(GRID.shape, bool)
    mask[10, 10] = True
    if unit is None:
        masked = np.ma.masked_array(SHEET, mask)
    else:
        from astropy.utils.masked import Masked

        masked = Masked(SHEET << u.Unit(unit), mask)
    one = make_map(masked)
    np.testing.assert_array_equal(one.mask, mask)
    assert np.isnan(one.mass_within(1 * u.arcmin)[0])


def test_a_hole_spoils_no_error_of_sums_beside_it():
    hole, modes = SHEET.copy(), np.full((1, *GRID.shape), 0.1)
    hole[0, 0] = modes[0, 0, 0] = np.nan
    mass, error = make_map(hole, modes=modes).mass_within(3 * u.arcmin)
    whole = make_map().mass_within(3 * u.arcmin)
    assert (mass, error) == whole
    # A pixel whose modes are not known has no error, and so no value.
    modes[0, 10, 10] = np.nan
    assert make_map(modes=modes).mask[10, 10]


def test_circles_that_are_nowhere_are_refused():
    one, nowhere = make_map(), make_map(coord=(np.nan, np.nan))
    antipode = SkyCoord(14.95, -27.98, unit="deg")
    for call in (
        lambda: one.mass_within(np.nan * u.arcmin),
        lambda: one.mass_within([1, np.nan] * u.Mpc),
        lambda: one.mass_within(1 * u.arcmin, center=antipode),
        lambda: one.profile([0, 1] * u.arcmin, center=SkyCoord(np.nan, 1, unit="deg")),
        lambda: nowhere.mass_within(1 * u.arcmin, center=antipode),
        nowhere.centroid,
        make_map(np.zeros(GRID.shape)).centroid,
    ):
        with pytest.raises(InvalidInputError):
            call()


def test_radii_may_have_any_shape():
    one = make_map()
    assert one.mass_within([] * u.arcmin)[0].shape == (0,)
    mass, error = one.mass_within([[1, 2], [3, 4]] * u.arcmin)
    assert mass.shape == error.shape == (2, 2)
    assert mass[1, 0] == one.mass_within(3 * u.arcmin)[0]


def test_odd_arguments_are_named():
    one = make_map()
    for call, name in (
        (lambda: one.profile("x"), "'radii'"),
        (lambda: one.centroid([1, 2] * u.arcmin), "'radius'"),
        (lambda: one.convergence([1, 2]), "'source_redshift'"),
        (lambda: one.interval("wide"), "'level'"),
        (lambda: one.samples(1, -1), "'seed'"),
        (lambda: make_map(r500=5), "'r500'"),
        (lambda: make_map(r500=[1, 2] * u.arcmin), "'r500'"),
    ):
        with pytest.raises(ValueError, match=name):
            call()


def test_stacks_say_how_many_radii_they_take(stack):
    with pytest.raises(InvalidInputError, match="'radius'"):
        stack.mass_within([1, 2, 3] * u.arcmin)


@pytest.fixture
def stack():
    cube = np.stack([SHEET, SHEET])
    return MassMapStack(
        cube, 0.2 * cube, np.zeros((2, 1, *GRID.shape)),
        SkyCoord([10, 20], [0, 1], unit="deg"), GRID,
        names=["A", "B"], redshift=[0.2, 0.3], r500=[3, 2], flag=[0, 0], cosmology="PSZ2",
    )  # fmt: skip


def _damage(path, change):
    with fits.open(path) as hdus:
        change(hdus)
        hdus.writeto(path, overwrite=True)


def _set(name, value):
    return lambda hdus: hdus[0].header.set(name, value)


def _cut(hdus):
    hdus["MODES"].data = hdus["MODES"].data[..., :5, :]


@pytest.mark.parametrize(
    "change", [_cut, _set("META", "[1]"), _set("BUNIT", "Msun/pc2"), _set("FLAG", ""),
               lambda hdus: hdus["STD"].data.__imul__(-1)]
)  # fmt: skip
def test_damaged_maps_name_their_file(tmp_path, change):
    path = tmp_path / "one.fits"
    make_map().write(path)
    _damage(path, change)
    with pytest.raises(FileFormatError, match=r"one\.fits"):
        MassMap.read(path)


def test_files_of_the_other_kind_say_how_to_read_them(tmp_path, stack):
    make_map().write(tmp_path / "one.fits")
    stack.write(tmp_path / "all.fits")
    with pytest.raises(FileFormatError, match=r"MassMapStack\.read"):
        MassMap.read(tmp_path / "all.fits")
    with pytest.raises(FileFormatError, match=r"MassMap\.read"):
        MassMapStack.read(tmp_path / "one.fits")
    _damage(tmp_path / "all.fits", _cut)
    with pytest.raises(FileFormatError, match=r"all\.fits"):
        MassMapStack.read(tmp_path / "all.fits")


def test_errors_of_sums_are_those_of_log_normal_pixels():
    rng = np.random.default_rng(4)
    row, column = np.indices(GRID.shape) - 10
    data = 1e15 / (1 + (row**2 + column**2) / 9)
    modes = (
        0.25
        * rng.standard_normal((3, 1, 1))
        * np.cos(
            rng.standard_normal((3, 2))[:, :, np.newaxis, np.newaxis] * np.stack([row, column]) / 3
        ).prod(axis=1)
    )
    one = MassMap(
        data, 0.55 * data, SkyCoord(10, 20, unit="deg"), GRID, redshift=0.2, cosmology="PSZ2",
        modes=modes,
    )  # fmt: skip
    # The whole covariance of the pixels, and one pixel alone.
    for place, radius in (((10, 10), 4.0), ((10, 10), 0.2)):
        inside = one._disc(place, radius)
        used = inside != 0
        value, flat = (data * inside)[used], one.modes[:, used]
        covariance = flat.T @ flat
        np.fill_diagonal(covariance, np.log1p(0.55**2))
        expected = np.sqrt(value @ np.expm1(covariance) @ value)
        mass, error = one.mass_within(radius * GRID.pixel_scale)
        assert (error / mass).value == pytest.approx(expected / value.sum(), rel=0.005)
    assert (error / mass).value == pytest.approx(0.55, rel=1e-9)


def test_masks_and_names_survive_files(tmp_path):
    one = make_map(name="  a b")
    one.mask = np.arange(GRID.shape[1]) < 3 + np.zeros(GRID.shape)
    one.write(tmp_path / "one.fits")
    again = MassMap.read(tmp_path / "one.fits")
    assert again.name == "  a b"
    np.testing.assert_array_equal(again.mask, one.mask)


def test_pictures_of_maps_with_nothing_in_places():
    hollow = SHEET.copy()
    hollow[:3] = 0
    ax = plot_mass_map(make_map(hollow), ax=Figure().add_subplot(), error=True)
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(np.isnan(shown), hollow == 0)
    with pytest.raises(InvalidInputError, match="no value above 0"):
        plot_mass_map(make_map(np.zeros(GRID.shape)), ax=Figure().add_subplot())
