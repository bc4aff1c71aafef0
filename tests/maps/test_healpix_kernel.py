"""The HEALPix kernel against healpy, and cutouts against reproject."""

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from reproject import reproject_from_healpix

from szmass.maps import ComptonMap, CutoutGeometry
from szmass.maps._healpix import HealpixGrid, HealpixPixels, PixelRuns, tangent_directions

POLES_AND_SEAM = [(0, 90), (77, -90), (10, 89.5), (200, -88.9), (0, 0), (359.99, 30), (0.01, -70)]
EDGES_OF_CAPS = [(45, 41.81), (130, -41.81), (89.9, 42.5)]


def plane(nx, ny, step):
    """Give the coordinates of a tangent-plane grid and their shrinkage."""
    east = -(np.arange(nx) - (nx - 1) / 2)[None, :] * step
    north = (np.arange(ny) - (ny - 1) / 2)[:, None] * step
    return east, north, 1 / np.sqrt(1 + east**2 + north**2)


def colatitude(lat, east, north):
    return np.arctan2(
        np.hypot(np.cos(lat) - north * np.sin(lat), east), np.sin(lat) + north * np.cos(lat)
    )


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("nside", [1, 2, 4, 32, 256])
def test_pixel_numbers_are_those_of_healpy(nside, nested):
    grid = HealpixGrid(nside, nested)
    ring = np.repeat(np.arange(1, 4 * nside), grid._count[1:-1])
    index = np.concatenate([np.arange(n) for n in grid._count[1:-1]])
    expected = np.arange(12 * nside**2)
    expected = healpy.ring2nest(nside, expected) if nested else expected
    np.testing.assert_array_equal(grid._number(ring, index), expected)


@settings(max_examples=150, deadline=None)
@given(
    nside=st.sampled_from([1, 2, 3, 8, 100, 512, 4096]),
    lon=st.floats(-6.3, 6.3),
    lat=st.floats(-np.pi / 2, np.pi / 2),
    step=st.floats(1e-5, 0.05),
    nested=st.booleans(),
)
def test_weights_and_nearest_pixels_are_those_of_healpy(nside, lon, lat, step, nested):
    nested = nested and nside & (nside - 1) == 0
    grid = HealpixGrid(nside, nested)
    east, north, shrink = plane(9, 7, step)
    directions = tangent_directions(lon, lat, east, north, shrink)
    theta, phi = colatitude(lat, east, north), np.mod(directions[2], 2 * np.pi)
    phi[phi > 2 * np.pi - 1e-12] = 0  # there healpy takes a pixel of the wrong ring

    def smooth(pixel):
        # Neighbouring pixels differ by far less than the ring-to-ring jumps of pixel numbers.
        x, y, z = healpy.pix2vec(nside, pixel, nest=nested)
        return 3 * x - 2 * y + z + 5 * x * z

    pixels, weights = healpy.get_interp_weights(nside, theta.ravel(), phi.ravel(), nest=nested)
    expected = (weights * smooth(pixels)).sum(axis=0).reshape(theta.shape)
    found = grid.sample(directions, "bilinear", smooth)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)

    nearest = grid.sample(directions, "nearest", lambda pixel: pixel.astype(float))
    expected = healpy.ang2pix(nside, theta, phi, nest=nested)
    for row, column in np.argwhere(nearest != expected):
        # Only directions on the border of two pixels may fall into either.
        around = theta[row, column] + 1e-9 * np.array([0, 1, -1, 0, 0])
        beside = phi[row, column] + 1e-9 * np.array([0, 0, 0, 1, -1])
        around = np.clip(around, 0, np.pi)
        assert nearest[row, column] in healpy.ang2pix(nside, around, beside, nest=nested)


def test_a_cutout_of_pixels_much_larger_than_those_of_the_map_reads_few_of_them():
    nside = 1024
    grid, counts = HealpixGrid(nside, True), []

    def take(pixels):
        counts.append(pixels.size)
        return healpy.pix2vec(nside, pixels, nest=True)[2]

    east, north, shrink = plane(20, 20, 0.02)
    directions = tangent_directions(1.0, 1.5, east, north, shrink)
    found = grid.sample(directions, "bilinear", take)
    assert sum(counts) == 4 * 400
    expected = np.cos(colatitude(1.5, east, north))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("ordering", ["ring", "nested"])
@pytest.mark.parametrize("map_frame", ["galactic", "icrs"])
@pytest.mark.parametrize("frame", ["galactic", "icrs"])
def test_values_are_those_of_reproject(map_frame, frame, ordering, interpolation):
    nside = 128
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1e-6, 12 * nside**2).astype(np.float32)
    random = [(rng.uniform(0, 360), np.degrees(np.arcsin(rng.uniform(-1, 1)))) for _ in range(8)]
    lon, lat = np.transpose(POLES_AND_SEAM + EDGES_OF_CAPS + random)
    coord = SkyCoord(lon, lat, unit="deg", frame=map_frame)
    geometry = CutoutGeometry((24, 31), 14 * u.arcmin, frame, rotation=25 * u.deg)
    ymap = ComptonMap.from_healpix(values, ordering=ordering, frame=map_frame)
    stack = ymap.cutouts(coord, geometry=geometry, interpolation=interpolation)
    assert stack.complete.all()
    assert stack.data.dtype == np.float32
    assert stack.data.flags.c_contiguous
    for i, cutout in enumerate(stack):
        expected, _ = reproject_from_healpix(
            (values, map_frame),
            cutout.wcs,
            shape_out=geometry.shape,
            nested=ordering == "nested",
            order="nearest-neighbor" if interpolation == "nearest" else "bilinear",
        )
        np.testing.assert_allclose(
            cutout.data, expected.astype(np.float32), rtol=2e-7, atol=1e-12, err_msg=str(coord[i])
        )


def test_an_invalid_neighbour_makes_a_bilinear_value_invalid():
    nside = 16
    rng = np.random.default_rng(5)
    values = rng.normal(size=12 * nside**2)
    values[rng.random(values.size) < 0.02] = healpy.UNSEEN
    values[rng.random(values.size) < 0.02] = np.nan
    values[rng.random(values.size) < 0.02] = np.inf
    values[[0, 1]] = 1.0
    values[2] = np.nan
    bad = ~(np.abs(values) < 1e30)
    # No grid point on a line through pixel centres, where rounding decides on the neighbours.
    coord = SkyCoord([0.01, 120, 3], [20.1, -60.3, 89.7], unit="deg", frame="galactic")
    geometry = CutoutGeometry((40, 40), 60 * u.arcmin)
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic")
    for interpolation in ("nearest", "bilinear"):
        stack = ymap.cutouts(coord, geometry=geometry, interpolation=interpolation)
        for cutout in stack:
            x, y = np.meshgrid(np.arange(40), np.arange(40))
            sky = cutout.wcs.pixel_to_world(x.ravel(), y.ravel())
            theta, phi = np.pi / 2 - sky.b.rad, sky.l.rad
            if interpolation == "nearest":
                expected = ~bad[healpy.ang2pix(nside, theta, phi)]
            else:
                expected = ~bad[healpy.get_interp_weights(nside, theta, phi)[0]].any(axis=0)
            np.testing.assert_array_equal(cutout.footprint.ravel(), expected)
            np.testing.assert_array_equal(np.isfinite(cutout.data), cutout.footprint)
            assert not cutout.complete


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", "<f8"])
@pytest.mark.parametrize("layout", ["flat", "rows", "strided", "strided rows"])
def test_values_are_taken_from_any_layout(dtype, layout):
    rng = np.random.default_rng(1)
    table = np.zeros(192, [("other", "i2"), ("y", dtype, (4,) if "rows" in layout else ())])
    table["y"] = rng.normal(size=table["y"].shape)
    expected = table["y"].ravel().astype(float)
    values = table["y"] if "strided" in layout else table["y"].copy()
    nside = 8 if "rows" in layout else 4
    pixels = HealpixPixels(values, nside, True, None)
    chosen = rng.integers(0, expected.size, (5, 7))
    np.testing.assert_array_equal(pixels.take(chosen), expected[chosen])


@given(st.lists(st.integers(0, 200), unique=True), st.booleans())
def test_rows_of_a_partial_map_are_found(numbers, ordered):
    numbers = np.array(sorted(numbers) if ordered else numbers, dtype=np.int32)
    rows, known = PixelRuns(numbers, 201).find(np.arange(201))
    np.testing.assert_array_equal(known, np.isin(np.arange(201), numbers))
    np.testing.assert_array_equal(numbers[rows[known]], np.arange(201)[known])
