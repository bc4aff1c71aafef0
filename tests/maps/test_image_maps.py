"""Cutouts of images of any celestial projection."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from reproject import reproject_interp

from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, CutoutGeometry

GEOMETRY = CutoutGeometry((10, 14), 12 * u.arcmin)


def make_wcs(projection, shape, center, step=0.2, prefix="G"):
    wcs = WCS(naxis=2)
    axes = ("GLON", "GLAT") if prefix == "G" else ("RA--", "DEC-")
    wcs.wcs.ctype = [f"{axis}-{projection}" for axis in axes]
    wcs.wcs.cdelt = [-step, step]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.crval = center
    return wcs


def smooth(sky):
    """Give a function on the sphere whose curvature is small."""
    x, y, z = sky.galactic.cartesian.xyz.value
    return x - 2 * y + 0.5 * z


def smooth_map(wcs, shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    lon, lat = wcs.wcs_pix2world(columns.ravel(), rows.ravel(), 0)
    frame = "galactic" if str(wcs.wcs.ctype[0]).startswith("G") else "icrs"
    known = np.isfinite(lon)
    values = np.zeros(lon.shape)  # off the sky: a number, as in many files
    values[known] = smooth(SkyCoord(lon[known], lat[known], unit="deg", frame=frame))
    return values.reshape(shape)


def sky_of(cutout):
    rows, columns = np.indices(cutout.data.shape)
    return cutout.wcs.pixel_to_world(columns, rows)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("projection", ["TAN", "SIN", "ZEA", "CAR", "AIT", "CEA", "STG"])
def test_values_come_from_where_they_should(projection, interpolation):
    shape = (90, 120)
    center = (1.0, 0.0) if projection in ("CAR", "AIT", "CEA") else (1.0, 50.0)
    wcs = make_wcs(projection, shape, center)
    ymap = ComptonMap.from_image(smooth_map(wcs, shape), wcs)
    # Across the seam of longitude, and up to the edge.
    coord = SkyCoord([1, 359, 3], np.array([0, 2, -3]) + center[1], unit="deg", frame="galactic")
    for cutout in ymap.cutouts(coord, geometry=GEOMETRY, interpolation=interpolation):
        assert cutout.complete
        tolerance = 1e-4 if interpolation == "bilinear" else 0.02
        np.testing.assert_allclose(cutout.data, smooth(sky_of(cutout)), atol=tolerance)


# Only a cylinder may begin anywhere.
@pytest.mark.parametrize(
    ("projection", "first_column"),
    [("CAR", False), ("CAR", True), ("CEA", False), ("CEA", True), ("AIT", False), ("MOL", False)],
)
def test_the_edges_of_an_all_sky_map_meet(projection, first_column):
    shape = (180, 360)
    wcs = make_wcs(projection, shape, (40, 0), step=1.0)
    values = smooth_map(wcs, shape)
    if first_column:
        # The same map, beginning at the reference longitude.
        values = np.roll(values, 180, axis=1)
        wcs.wcs.crpix[0] -= 180
    ymap = ComptonMap.from_image(values, wcs)
    coord = SkyCoord([220, 219, 40, 41, 30], [0, 30, 0, -30, 89], unit="deg", frame="galactic")
    geometry = CutoutGeometry((12, 16), 30 * u.arcmin)
    for i, cutout in enumerate(ymap.cutouts(coord, geometry=geometry)):
        found = cutout.footprint
        cylinder = projection in ("CAR", "CEA")
        # The other two are strongly sheared at the edge.
        tolerance = 3e-3 if cylinder or i in (2, 3) else 0.03
        expected = smooth(sky_of(cutout))
        np.testing.assert_allclose(cutout.data[found], expected[found], atol=tolerance)
        if i in (2, 3) or (cylinder and i < 2):
            assert cutout.complete
        elif i < 2:
            # Where a curved edge cuts pixels there are no neighbours beyond it.
            assert 0.6 < found.mean() < 1


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
def test_the_far_side_of_the_sky_has_no_ghost(projection):
    shape = (200, 200)
    wcs = make_wcs(projection, shape, (30, 40), step=0.6)
    ymap = ComptonMap.from_image(np.ones(shape), wcs)
    middle = SkyCoord(30, 40, unit="deg", frame="galactic")
    assert ymap.cutout(middle, geometry=GEOMETRY).complete
    opposite = SkyCoord(210, -40, unit="deg", frame="galactic")
    around = opposite.directional_offset_by(np.arange(0, 360, 45) * u.deg, 20 * u.deg)
    for coord in (opposite, *around):
        for interpolation in ("nearest", "bilinear"):
            cutout = ymap.cutout(coord, geometry=GEOMETRY, interpolation=interpolation)
            assert not cutout.footprint.any()
            assert np.isnan(cutout.data).all()


def test_the_horizon_of_a_sine_projection_cuts_a_cutout():
    shape = (250, 250)
    wcs = make_wcs("SIN", shape, (30, 0), step=0.6)
    ymap = ComptonMap.from_image(smooth_map(wcs, shape), wcs)
    geometry = CutoutGeometry((40, 40), 30 * u.arcmin)
    cutout = ymap.cutout(SkyCoord(118, 5, unit="deg", frame="galactic"), geometry=geometry)
    distance = sky_of(cutout).separation(SkyCoord(30, 0, unit="deg", frame="galactic")).deg
    assert not cutout.footprint[distance > 90].any()
    assert cutout.footprint[distance < 80].all()
    found = cutout.footprint
    np.testing.assert_allclose(cutout.data[found], smooth(sky_of(cutout))[found], atol=0.03)


@settings(max_examples=25, deadline=None)
@given(
    dx=st.floats(-14, 14),
    dy=st.floats(-10, 10),
    rotation=st.floats(0, 360),
    projection=st.sampled_from(["TAN", "SIN", "CAR"]),
    interpolation=st.sampled_from(["nearest", "bilinear"]),
    frame=st.sampled_from(["galactic", "icrs"]),
)
def test_a_crop_gives_what_the_image_gives(dx, dy, rotation, projection, interpolation, frame):
    shape = (70, 100)
    rng = np.random.default_rng(8)
    data = rng.normal(size=shape)
    data[rng.random(shape) < 0.01] = np.nan
    center = (100, 0) if projection == "CAR" else (100, 35)
    wcs = make_wcs(projection, shape, center, prefix="R")
    coord = SkyCoord(center[0] + dx, center[1] + dy, unit="deg")
    geometry = CutoutGeometry((20, 24), 9 * u.arcmin, frame, rotation * u.deg)
    cutout = ComptonMap.from_image(data, wcs).cutout(
        coord, geometry=geometry, interpolation=interpolation
    )
    order = "nearest-neighbor" if interpolation == "nearest" else "bilinear"
    expected, _ = reproject_interp((data, wcs), cutout.wcs, shape_out=(20, 24), order=order)
    x, y = wcs.world_to_pixel(sky_of(cutout))
    if interpolation == "bilinear":
        # Beyond the centres of its outermost pixels reproject repeats the last one.
        expected[(x < 0) | (y < 0) | (x > 99) | (y > 69)] = np.nan
    # Where a position is half-way between pixels, rounding may choose either.
    clear = np.abs(np.stack([x, y]) % 1 - 0.5).min(axis=0) > 1e-9
    if interpolation == "bilinear":
        clear = np.abs((np.stack([x, y]) + 0.5) % 1 - 0.5).min(axis=0) > 1e-6
    np.testing.assert_array_equal(cutout.footprint[clear], np.isfinite(expected)[clear])
    np.testing.assert_allclose(
        cutout.data[clear], expected[clear].astype(np.float32), rtol=1e-6, atol=1e-7
    )


def test_a_cutout_partly_outside_is_not_complete():
    shape = (50, 60)
    wcs = make_wcs("TAN", shape, (200, 10))
    ymap = ComptonMap.from_image(np.ones(shape), wcs)
    coord = wcs.pixel_to_world([30, 0, -20, 59, 400], [25, 25, 25, 49, 25])
    stack = ymap.cutouts(coord, geometry=GEOMETRY)
    assert stack.complete.tolist() == [True, False, False, False, False]
    fractions = stack.footprint.mean(axis=(1, 2))
    assert 0.4 < fractions[1] < 0.6
    assert fractions[2] == 0
    assert 0.2 < fractions[3] < 0.4
    assert fractions[4] == 0
    np.testing.assert_array_equal(np.isnan(stack.data), ~stack.footprint)


def test_mirrored_images_show_the_same_sky():
    shape = (60, 70)
    wcs = make_wcs("TAN", shape, (200, -30))
    data = np.random.default_rng(0).normal(size=shape)
    coord = SkyCoord(201, -31, unit="deg", frame="galactic")
    reference = ComptonMap.from_image(data, wcs).cutout(coord, geometry=GEOMETRY)
    for axis in (0, 1):
        mirrored = wcs.deepcopy()
        i = 1 - axis
        mirrored.wcs.cdelt[i] *= -1
        mirrored.wcs.crpix[i] = shape[axis] + 1 - wcs.wcs.crpix[i]
        ymap = ComptonMap.from_image(np.flip(data, axis), mirrored)
        found = ymap.cutout(coord, geometry=GEOMETRY)
        np.testing.assert_allclose(found.data, reference.data, rtol=1e-5, atol=1e-9)


def test_masked_and_unseen_pixels_are_invalid():
    shape = (60, 70)
    wcs = make_wcs("TAN", shape, (200, -30))
    data = np.random.default_rng(0).normal(size=shape).astype(">f4")
    data[20, 30] = -1.6375e30
    mask = np.zeros(shape, dtype=bool)
    mask[35, 40] = True
    masked = np.ma.MaskedArray(data, mask)
    # Off the grid of the map by less than half a pixel.
    coord = SkyCoord(200.03, -29.97, unit="deg", frame="galactic")
    geometry = CutoutGeometry((60, 70), 12 * u.arcmin)
    for ymap in (
        ComptonMap.from_image(data, wcs, mask=mask),
        ComptonMap.from_image(masked, wcs),
        ComptonMap.from_image(np.where(mask | (data < -1e30), np.nan, data), wcs),
    ):
        cutout = ymap.cutout(coord, geometry=geometry, interpolation="nearest")
        inner = np.s_[2:-2, 2:-2]
        assert np.argwhere(~cutout.footprint[inner]).tolist() == [[18, 28], [33, 38]]
        smoothed = ymap.cutout(coord, geometry=geometry)
        assert (~smoothed.footprint[inner]).sum() == 2 * 4


def test_axes_that_are_parallel_are_none():
    wcs = make_wcs("ZEA", (8, 8), (10, 20))
    wcs.wcs.pc = [[1, 1], [1, 1]]
    with pytest.raises(InvalidInputError, match="two celestial axes"):
        ComptonMap.from_image(np.zeros((8, 8)), wcs)


@pytest.mark.parametrize("projection", ["TAN", "CAR"])
def test_what_an_image_has_of_a_cutout_is_in_it(projection):
    """Positions all over the sky and about the edges, of which most have nothing."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    wcs.wcs.cdelt, wcs.wcs.crpix, wcs.wcs.crval = [-0.2, 0.2], [30.5, 20.5], [30, 60]
    ymap = ComptonMap.from_image(np.ones((40, 60)), wcs)
    rng = np.random.default_rng(1)
    around = wcs.pixel_to_world(29.5, 19.5).directional_offset_by(
        rng.uniform(0, 360, 200) * u.deg, rng.uniform(3, 12, 200) * u.deg
    )
    places = SkyCoord(
        [around.icrs, SkyCoord(rng.uniform(0, 360, 50), rng.uniform(-90, 90, 50), unit="deg")]
    )
    stack = ymap.cutouts(places, geometry=CutoutGeometry((20, 30), 10 * u.arcmin, "fk5"))
    seen = 0
    for cutout in stack:
        rows, columns = np.indices(cutout.data.shape)
        x, y = wcs.world_to_pixel(cutout.wcs.pixel_to_world(columns, rows).icrs)
        inside = (x > 0.01) & (x < 58.99) & (y > 0.01) & (y < 38.99)
        assert cutout.footprint[inside].all()
        seen += inside.any()
    assert 50 < seen < 200
