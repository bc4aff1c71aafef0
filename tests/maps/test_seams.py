"""Images whose edges are special: turns of cylinders, poles, and frames that CTYPE names."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import FK4, BarycentricMeanEcliptic, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, CutoutGeometry, NoiseModel

GEOMETRY = CutoutGeometry((16, 20), 12 * u.arcmin, "icrs")
STEP, NX, NY = 0.5, 720, 360
CYLINDERS = ("CAR", "CEA", "MER", "CYP")
AXES = {"RA": ("RA--", "DEC-"), "G": ("GLON", "GLAT"), "E": ("ELON", "ELAT"), "S": ("SLON", "SLAT")}


def make_wcs(projection, shape, crval=(0, 0), crpix=None, axes="RA", **parameters):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"{axis}-{projection}" for axis in AXES[axes]]
    wcs.wcs.cdelt, wcs.wcs.crval = [-STEP, STEP], crval
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2] if crpix is None else crpix
    for name, value in parameters.items():
        setattr(wcs.wcs, name, value)
    return wcs


def smooth(sky):
    x, y, z = sky.icrs.cartesian.xyz.value
    return 1e-6 * (x - 2 * y + 0.5 * z)


def smooth_map(wcs, shape, frame="icrs"):
    """Values of all pixels, those of a cylinder a whole turn or more away too."""
    place = np.array(np.meshgrid(*(np.arange(n, dtype=float) for n in shape[::-1])))
    if str(wcs.wcs.ctype[0])[-3:] in CYLINDERS:
        turn = np.linalg.inv(wcs.pixel_scale_matrix)[:, wcs.wcs.lng] * 360
        away = np.tensordot(turn, wcs.wcs.crpix[:, None, None] - 1 - place, 1)
        place += turn[:, None, None] * np.round(away / (turn @ turn))
    world = wcs.wcs_pix2world(*place.reshape(2, -1), 0)
    lon, lat = world[wcs.wcs.lng], world[wcs.wcs.lat]
    values, known = np.full(lon.shape, 0.5), np.isfinite(lon)
    values[known] = smooth(SkyCoord(lon[known], lat[known], unit="deg", frame=frame))
    return values.reshape(shape)


def assert_right(ymap, coord, complete=True):
    for interpolation, tolerance in (("bilinear", 3e-10), ("nearest", 2e-8)):
        stack = ymap.cutouts(coord, geometry=GEOMETRY, interpolation=interpolation)
        for cutout in stack:
            rows, columns = np.indices(cutout.data.shape)
            expected = smooth(cutout.wcs.pixel_to_world(columns, rows))
            found = cutout.footprint
            assert found.all() or not complete
            np.testing.assert_allclose(cutout.data[found], expected[found], atol=tolerance)


@pytest.mark.parametrize("projection", CYLINDERS)
@pytest.mark.parametrize("turns", [-2, 0, 1, 3])
def test_a_part_that_crosses_the_meridian_opposite_to_crval(projection, turns):
    shape = (80, 120)
    wcs = make_wcs(projection, shape, (0.1, 0), [420.5 + NX * turns, 40.5])
    ymap = ComptonMap.from_image(smooth_map(wcs, shape), wcs)
    assert_right(ymap, SkyCoord([180, 175, 184.7], [0, 5, -5], unit="deg"))
    outside = SkyCoord([0, 90], [0, 0], unit="deg")
    assert not ymap.cutouts(outside, geometry=GEOMETRY).footprint.any()
    assert 28 < ymap.pixel_side.to_value(u.arcmin) < 31


@pytest.mark.parametrize("extra", [0, 1, 30])
@pytest.mark.parametrize("first", [0.5, 100.5, 360.5, 360.5 - 5 * NX])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_whole_turn_has_no_edges(sign, first, extra):
    shape = (NY, NX + extra)
    wcs = make_wcs("CAR", shape, (0, 0), [first, 180.5], cdelt=[sign * STEP, STEP])
    ymap = ComptonMap.from_image(smooth_map(wcs, shape), wcs)
    seams = np.array([0, 180, 359.8, sign * (1 - first) * STEP, 90]) % 360
    assert_right(ymap, SkyCoord(seams, [0, 10, -30, 60, 0], unit="deg"))


@pytest.mark.parametrize(
    ("projection", "rows", "middle"),
    [("CAR", NY, 180.5), ("CAR", NY + 1, 181), ("CAR", NY + 8, 184.5), ("CAR", 60, -119.5)],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_beyond_a_pole_lies_the_other_side(projection, rows, middle, swapped):
    """Rows may end at the pole, half a pixel before it or beyond it."""
    shape = (rows, NX)
    wcs = make_wcs(projection, shape, (0, 0), [NX / 2 + 0.5, middle])
    if swapped:
        wcs, shape = wcs.swapaxes(0, 1), shape[::-1]
    ymap = ComptonMap.from_image(smooth_map(wcs, shape), wcs)
    assert_right(ymap, SkyCoord([0, 77, 200], [90, 89.9, 88.6], unit="deg"))
    if rows >= NY:
        assert_right(ymap, SkyCoord([0, 77, 180, 179], [-90, -89.8, 0, 40], unit="deg"))


def test_a_part_that_ends_before_the_pole_is_not_reflected():
    wcs = make_wcs("CAR", (300, NX), (0, 0), [NX / 2 + 0.5, 150.5])
    ymap = ComptonMap.from_image(smooth_map(wcs, (300, NX)), wcs)
    coord = SkyCoord([0, 50], [75, 90], unit="deg")
    assert_right(ymap, coord, complete=False)
    covered = ymap.cutouts(coord, geometry=GEOMETRY).footprint.mean(axis=(1, 2))
    assert 0.4 < covered[0] < 0.6
    assert covered[1] == 0


@pytest.mark.parametrize("crval", [(30, 40), (200, -75)])
def test_oblique_cylinders(crval):
    wcs = make_wcs("CAR", (NY, NX), crval)
    ymap = ComptonMap.from_image(smooth_map(wcs, (NY, NX)), wcs)
    lon = np.array([0, 180, 179, 90, 10])
    assert_right(ymap, SkyCoord(crval[0] + lon, [crval[1], -crval[1], 5, 90, -90], unit="deg"))


def test_rotated_cylinders_across_the_seam():
    shape, angle = (120, 120), np.radians(30)
    turn = 360 / STEP
    middle = [60 + turn / 2 * np.cos(angle), 60 - turn / 2 * np.sin(angle)]
    matrix = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    wcs = make_wcs("CAR", shape, (0, 0), middle, pc=matrix)
    ymap = ComptonMap.from_image(smooth_map(wcs, shape), wcs)
    assert_right(ymap, SkyCoord([180, 182], [0, 2], unit="deg"))


@pytest.mark.parametrize(
    ("axes", "parameters", "frame"),
    [
        ("G", {}, "galactic"),
        ("G", {"radesys": "ICRS"}, "galactic"),
        ("G", {"radesys": "FK5", "equinox": 2000.0}, "galactic"),
        ("E", {}, BarycentricMeanEcliptic()),
        ("E", {"radesys": "ICRS"}, BarycentricMeanEcliptic()),
        ("S", {}, "supergalactic"),
        ("RA", {"radesys": " icrs "}, "icrs"),
        ("RA", {"radesys": "FK5", "equinox": 2000.0}, "fk5"),
        ("RA", {"radesys": "FK4", "equinox": 1950.0}, FK4(equinox="B1950", obstime="B1950")),
        ("RA", {"equinox": 1950.0}, FK4(equinox="B1950", obstime="B1950")),
    ],
)
@pytest.mark.parametrize("projection", ["CAR", "TAN"])
def test_the_names_of_the_axes_tell_the_frame(tmp_path, projection, axes, parameters, frame):
    crval = (0, 0) if projection == "CAR" else (100, 30)
    shape = (NY, NX) if projection == "CAR" else (100, 100)
    wcs = make_wcs(projection, shape, crval, axes=axes, **parameters)
    values = smooth_map(wcs, shape, frame)
    middle = SkyCoord(*(crval * u.deg), frame=frame).icrs.reshape(1)
    ymap = ComptonMap.from_image(values, wcs)
    assert_right(ymap, middle)
    header = make_wcs(projection, shape, crval, axes=axes).to_header()
    header.pop("RADESYS", None)  # which wcslib adds
    header.update({key.upper(): value for key, value in parameters.items()})
    fits.PrimaryHDU(values, header).writeto(tmp_path / "map.fits")
    found = ComptonMap.read(tmp_path / "map.fits")
    assert found.frame == ymap.frame
    assert_right(found, middle)


def test_frames_that_are_not_of_the_sky_are_refused():
    for ctype in (["TLON-TAN", "TLAT-TAN"], ["HPLN-TAN", "HPLT-TAN"], ["RA---TAN", "GLAT-TAN"]):
        wcs = make_wcs("TAN", (20, 20))
        wcs.wcs.ctype = ctype
        with pytest.raises(InvalidInputError, match="'wcs'|WCS must be in equatorial"):
            ComptonMap.from_image(np.zeros((20, 20)), wcs)


def test_clusters_across_the_seam_are_left_out_of_the_noise():
    """A disc is where the pixels are, not where the projection counts from."""
    shape = (100, 100)
    rng = np.random.default_rng(5)
    values = rng.normal(0, 1e-6, shape)
    values[45:55, 15:25] += 1e-3
    wcs = make_wcs("CAR", shape, (0, 0), [410.5, 50.5])
    centre = SkyCoord([195], [0], unit="deg")
    models = [
        NoiseModel.from_empty_fields(
            ComptonMap.from_image(values, wcs), exclude=centre, radius=8 * STEP * u.deg
        )
        for wcs in (wcs, make_wcs("CAR", shape, (180, 0), [50.5, 50.5]))
    ]
    np.testing.assert_allclose(*(model.spectrum(models[0].ell).value for model in models))
