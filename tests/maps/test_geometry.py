"""The tangent-plane grid of cutouts."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.maps import CutoutGeometry

COORD = SkyCoord(359.07, -32.13, unit="deg", frame="galactic")

geometries = st.builds(
    CutoutGeometry,
    shape=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    pixel_scale=st.floats(0.01, 20).map(lambda x: x * u.arcmin),
    frame=st.sampled_from(["galactic", "icrs", "fk5"]),
    rotation=st.floats(0, 359.9).map(lambda x: x * u.deg),
)
positions = st.builds(
    lambda lon, lat: SkyCoord(lon, lat, unit="deg"), st.floats(0, 359.9), st.floats(-90, 90)
)


def test_default_is_the_grid_of_the_published_network():
    geometry = CutoutGeometry()
    assert geometry.shape == (96, 96)
    assert geometry.pixel_scale == 1.7 * u.arcmin
    assert (geometry.frame, geometry.projection) == ("galactic", "TAN")
    assert geometry.rotation == 0 * u.deg
    assert geometry.center == (47.5, 47.5)
    u.allclose(geometry.size, [163.2, 163.2] * u.arcmin)
    wcs = geometry.wcs(COORD)
    assert list(wcs.wcs.ctype) == ["GLON-TAN", "GLAT-TAN"]
    assert wcs.wcs.cdelt[0] < 0 < wcs.wcs.cdelt[1]
    assert wcs.pixel_shape == (96, 96)
    assert wcs.pixel_to_world(47.5, 47.5).separation(COORD) < 1e-9 * u.arcsec


def test_longitude_increases_to_the_left_and_latitude_upwards():
    wcs = CutoutGeometry().wcs(COORD)
    left, right = wcs.pixel_to_world([0, 95], [47.5, 47.5])
    assert left.l.wrap_at("180d") > right.l.wrap_at("180d")
    bottom, top = wcs.pixel_to_world([47.5, 47.5], [0, 95])
    assert bottom.b < top.b


@settings(max_examples=60, deadline=None)
@given(geometries, positions, st.floats(0, 1), st.floats(0, 1))
def test_pixel_to_sky_and_back(geometry, coord, row, column):
    wcs = geometry.wcs(coord)
    x, y = column * (geometry.shape[1] - 1), row * (geometry.shape[0] - 1)
    there = wcs.pixel_to_world(x, y)
    np.testing.assert_allclose(wcs.world_to_pixel(there), (x, y), atol=1e-6)
    middle = wcs.pixel_to_world(geometry.center[1], geometry.center[0])
    assert middle.separation(coord) < 1e-6 * u.arcsec


@settings(max_examples=60, deadline=None)
@given(geometries, positions)
def test_tangent_plane_is_that_of_the_wcs(geometry, coord):
    east, north = np.broadcast_arrays(*geometry.plane())
    wcs = geometry.wcs(coord)
    for row, column in ((0, 0), (-1, 0), (0, -1)):
        x, y = column % geometry.shape[1], row % geometry.shape[0]
        linear = wcs.wcs.get_pc() * wcs.wcs.cdelt[:, None] @ (np.array([x, y]) + 1 - wcs.wcs.crpix)
        np.testing.assert_allclose(
            np.degrees([east[row, column], north[row, column]]), linear, atol=1e-12
        )


@settings(max_examples=60, deadline=None)
@given(geometries, positions)
def test_geometry_is_recognised_in_its_wcs(geometry, coord):
    found, middle = CutoutGeometry.from_wcs(geometry.wcs(coord), geometry.shape)
    assert (found.shape, found.frame) == (geometry.shape, geometry.frame)
    assert u.isclose(found.pixel_scale, geometry.pixel_scale, rtol=1e-10)
    angle = (found.rotation - geometry.rotation).to_value(u.deg)
    assert abs((angle + 180) % 360 - 180) < 1e-6
    assert middle.separation(coord) < 1e-6 * u.arcsec


def test_rotation_is_a_position_angle_through_east():
    wcs = CutoutGeometry(frame="icrs", rotation=30 * u.deg).wcs(SkyCoord("10d 20d"))
    middle, up = wcs.pixel_to_world([47.5, 47.5], [47.5, 57.5])
    assert u.isclose(middle.position_angle(up), 30 * u.deg, atol=1e-3 * u.deg)


def test_equal_geometries_are_equal_and_hash_alike():
    a, b = CutoutGeometry(), CutoutGeometry([96, 96], "1.7 arcmin", "Galactic", 0 * u.rad)
    assert a == b
    assert hash(a) == hash(b)
    assert a != CutoutGeometry(pixel_scale=2 * u.arcmin)
    assert a != CutoutGeometry(pixel_scale=1.7)
    assert eval(repr(a)) == a
    assert eval(repr(CutoutGeometry(pixel_scale=0.1))) == CutoutGeometry(pixel_scale=0.1)


def test_relative_pixel_scale():
    relative = CutoutGeometry((64, 64), 0.125)
    assert relative.relative
    assert relative.scaled(8 * u.arcmin) == CutoutGeometry((64, 64), 1 * u.arcmin)
    with pytest.raises(InvalidInputError, match="geometry.scaled"):
        relative.wcs(COORD)
    with pytest.raises(InvalidInputError, match="already"):
        CutoutGeometry().scaled(1 * u.arcmin)
    with pytest.raises(InvalidInputError, match="90 deg"):
        relative.scaled(20 * u.deg)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"shape": (96,)}, InvalidInputError, "'shape' must be two positive integers"),
        ({"shape": (0, 96)}, InvalidInputError, "'shape' must be two positive integers"),
        ({"shape": (9.5, 96)}, InvalidInputError, "'shape' must be two positive integers"),
        ({"shape": 96}, InvalidInputError, "'shape' must be two positive integers"),
        ({"pixel_scale": 0 * u.arcmin}, InvalidInputError, "'pixel_scale' must be positive"),
        ({"pixel_scale": -1 * u.arcmin}, InvalidInputError, "'pixel_scale' must be positive"),
        ({"pixel_scale": np.nan * u.arcmin}, InvalidInputError, "'pixel_scale' must be finite"),
        ({"pixel_scale": np.nan}, InvalidInputError, "'pixel_scale' must be finite"),
        ({"pixel_scale": 1 * u.kpc}, InvalidUnitError, "'pixel_scale' must have a unit"),
        ({"pixel_scale": [1, 2] * u.arcmin}, InvalidInputError, "'pixel_scale' must be one number"),
        ({"pixel_scale": "wide"}, InvalidInputError, "'pixel_scale' must be a quantity"),
        ({"frame": "ecliptic"}, InvalidInputError, "'frame' must be one of galactic, icrs, fk5"),
        ({"rotation": 3}, InvalidUnitError, "'rotation' must be a Quantity"),
        ({"rotation": np.inf * u.deg}, InvalidInputError, "'rotation' must be finite"),
        ({"pixel_scale": 2 * u.deg}, InvalidInputError, "corners 90 deg or more"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, match):
    with pytest.raises(error, match=match):
        CutoutGeometry(**options)


def test_a_wcs_needs_one_known_position():
    with pytest.raises(InvalidInputError, match="must be one position"):
        CutoutGeometry().wcs(SkyCoord([1, 2], [3, 4], unit="deg"))
    with pytest.raises(InvalidInputError, match="masked or NaN"):
        CutoutGeometry().wcs(SkyCoord(np.nan, 3, unit="deg"))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"ctype": ["GLON-SIN", "GLAT-SIN"]}, "expected a tangent plane"),
        ({"ctype": ["ELON-TAN", "ELAT-TAN"]}, "expected a tangent plane|celestial frame"),
        ({"crpix": [1, 1]}, "reference pixel in the middle"),
        ({"cdelt": [0.1, 0.1]}, "longitude increasing to the left"),
        ({"cdelt": [-0.1, 0.2]}, "square pixels"),
        ({"lonpole": 0}, "LONPOLE"),
    ],
)
def test_other_grids_are_not_recognised(change, match):
    wcs = CutoutGeometry().wcs(COORD)
    for name, value in change.items():
        setattr(wcs.wcs, name, value)
    with pytest.raises(InvalidInputError, match=match):
        CutoutGeometry.from_wcs(wcs, (96, 96))
