"""What ComptonMap makes of positions and options, whatever the pixelisation."""

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import ICRS, SkyCoord
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.maps import ComptonMap, Cutout, CutoutGeometry

NSIDE = 64
GEOMETRY = CutoutGeometry((8, 10), 30 * u.arcmin)


def healpix_map(**options):
    values = np.random.default_rng(0).normal(0, 1e-6, 12 * NSIDE**2).astype(np.float32)
    return ComptonMap.from_healpix(values, ordering="nested", frame="galactic", **options)


def image_map():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-CAR", "GLAT-CAR"]
    wcs.wcs.cdelt, wcs.wcs.crpix, wcs.wcs.crval = [-1, 1], [180.5, 90.5], [0, 0]
    return ComptonMap.from_image(np.random.default_rng(0).normal(0, 1e-6, (180, 360)), wcs)


@pytest.fixture(params=[healpix_map, image_map])
def ymap(request):
    return request.param()


def test_one_and_many_are_the_same(ymap):
    ymap.beam = 10 * u.arcmin
    coord = SkyCoord([10, 130, 250], [-30, 50, 5], unit="deg")
    stack = ymap.cutouts(coord, names=["a", "b", "c"], geometry=GEOMETRY)
    assert stack.names.tolist() == ["a", "b", "c"]
    assert stack.interpolation == "bilinear"
    assert (stack.beam, stack.geometry) == (10 * u.arcmin, GEOMETRY)
    assert stack.data.dtype == np.float32
    assert stack.data.flags.c_contiguous
    for i in range(3):
        cutout = ymap.cutout(coord[i], name="abc"[i], geometry=GEOMETRY)
        assert isinstance(cutout, Cutout)
        assert cutout.name == stack[i].name
        np.testing.assert_array_equal(cutout.data, stack[i].data)
    np.testing.assert_array_equal(ymap.cutouts(coord[0], geometry=GEOMETRY).data, stack.data[:1])
    listed = ymap.cutouts([coord[0], coord[1]], geometry=GEOMETRY)
    np.testing.assert_allclose(listed.data, stack.data[:2], rtol=1e-5, atol=1e-11)
    frame = ymap.cutouts(ICRS(coord.ra, coord.dec), geometry=GEOMETRY)
    np.testing.assert_array_equal(frame.data, stack.data)


def test_no_positions_give_an_empty_stack(ymap):
    for coord in ([], (), SkyCoord([] * u.deg, [] * u.deg, frame="galactic")):
        stack = ymap.cutouts(coord, names=[])
        assert stack.data.shape == stack.footprint.shape == (0, 96, 96)
        assert stack.complete.shape == (0,)
        assert len(stack.coord) == 0
    assert list(ymap.iter_cutouts([])) == []


def test_unknown_positions_are_flagged(ymap):
    coord = SkyCoord([10, np.nan, 20, 30], [5, 6, np.nan, 7], unit="deg")
    stack = ymap.cutouts(coord, geometry=GEOMETRY)
    assert stack.footprint.any(axis=(1, 2)).tolist() == [True, False, False, True]
    assert np.isnan(stack.data[1:3]).all()
    np.testing.assert_array_equal(stack.data[3], ymap.cutout(coord[3], geometry=GEOMETRY).data)


def test_masked_positions_are_flagged(ymap):
    from astropy.utils.masked import Masked

    lon = Masked([10, 20, 30] * u.deg, mask=[False, True, False])
    lat = Masked([-5, 5, 15] * u.deg, mask=[False, False, False])
    stack = ymap.cutouts(SkyCoord(lon, lat, frame="galactic"), geometry=GEOMETRY)
    assert stack.footprint.any(axis=(1, 2)).tolist() == [True, False, True]
    expected = ymap.cutout(SkyCoord(30, 15, unit="deg", frame="galactic"), geometry=GEOMETRY)
    np.testing.assert_array_equal(stack.data[2], expected.data)


def test_chunks_are_parts_of_the_whole(ymap):
    rng = np.random.default_rng(3)
    coord = SkyCoord(rng.uniform(0, 360, 7), rng.uniform(-80, 80, 7), unit="deg")
    names = [f"c{i}" for i in range(7)]
    scale = rng.uniform(20, 40, 7) * u.arcmin
    options = {"geometry": CutoutGeometry((6, 5), 1.0), "interpolation": "nearest"}
    whole = ymap.cutouts(coord, names=names, angular_scale=scale, **options)
    chunks = list(
        ymap.iter_cutouts(coord, chunk_size=3, names=names, angular_scale=scale, **options)
    )
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([c.data for c in chunks]), whole.data)
    assert np.concatenate([c.names for c in chunks]).tolist() == names
    with pytest.raises(InvalidInputError, match="'chunk_size' must be 1 or more"):
        next(ymap.iter_cutouts(coord, chunk_size=0))
    with pytest.raises(InvalidInputError, match=r"'names' must have one entry per position \(7\)"):
        next(ymap.iter_cutouts(coord, names=["a"]))


def test_grid_in_units_of_an_angle(ymap):
    coord = SkyCoord([10, 100, 200], [5, 40, -60], unit="deg", frame="galactic")
    theta500 = [20, np.nan, 35] * u.arcmin
    relative = CutoutGeometry((12, 12), 0.5)
    stack = ymap.cutouts(coord, geometry=relative, angular_scale=theta500)
    assert stack.geometry == relative
    assert stack.complete.tolist() == [True, False, True]
    assert not stack.footprint[1].any()
    assert stack.wcs[1] is None
    for i in (0, 2):
        absolute = CutoutGeometry((12, 12), 0.5 * theta500[i])
        assert stack[i].geometry == absolute
        expected = ymap.cutout(coord[i], geometry=absolute)
        np.testing.assert_allclose(stack.data[i], expected.data, rtol=1e-6, atol=1e-13)
        assert stack.wcs[i].wcs.compare(expected.wcs.wcs)
    assert u.allclose(stack[2:].angular_scale, theta500[2:])
    with pytest.raises(InvalidInputError, match="'angular_scale' is needed"):
        ymap.cutouts(coord, geometry=relative)
    with pytest.raises(InvalidInputError, match="'angular_scale' must be positive"):
        ymap.cutouts(coord, geometry=relative, angular_scale=[1, 0, 2] * u.arcmin)
    with pytest.raises(InvalidInputError, match=r"one entry per position \(3\)"):
        ymap.cutouts(coord, geometry=relative, angular_scale=[1, 2] * u.arcmin)


@settings(max_examples=25, deadline=None)
@given(lon=st.floats(0, 360), lat=st.floats(-90, 90), frame=st.sampled_from(["galactic", "icrs"]))
def test_half_a_turn_flips_rows_and_columns(lon, lat, frame):
    ymap = healpix_map()
    coord = SkyCoord(lon, lat, unit="deg")
    upright = CutoutGeometry((9, 6), 30 * u.arcmin, frame)
    turned = CutoutGeometry((9, 6), 30 * u.arcmin, frame, 180 * u.deg)
    a, b = (ymap.cutout(coord, geometry=g).data for g in (upright, turned))
    np.testing.assert_allclose(a, b[::-1, ::-1], rtol=1e-5, atol=1e-12)
    quarter = CutoutGeometry((6, 9), 30 * u.arcmin, frame, 90 * u.deg)
    np.testing.assert_allclose(
        a, np.rot90(ymap.cutout(coord, geometry=quarter).data, -1), rtol=1e-5, atol=1e-12
    )


@settings(max_examples=25, deadline=None)
@given(
    lon=st.floats(0, 360),
    lat=st.floats(-90, 90),
    rotation=st.floats(0, 360),
    frame=st.sampled_from(["galactic", "icrs", "fk5"]),
    map_frame=st.sampled_from(["galactic", "icrs", "fk5", "ecliptic"]),
)
def test_values_come_from_where_the_wcs_says(lon, lat, rotation, frame, map_frame):
    values = np.random.default_rng(2).normal(size=12 * NSIDE**2)
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame=map_frame)
    geometry = CutoutGeometry((7, 5), 40 * u.arcmin, frame, rotation * u.deg)
    cutout = ymap.cutout(SkyCoord(lon, lat, unit="deg"), geometry=geometry)
    rows, columns = np.indices(geometry.shape)
    sky = cutout.wcs.pixel_to_world(columns, rows).transform_to(ymap._pixels.frame).spherical
    expected = healpy.get_interp_val(values, sky.lon.deg, sky.lat.deg, lonlat=True)
    np.testing.assert_allclose(cutout.data, expected, atol=1e-6)


def test_a_mask_takes_pixels_away():
    mask = np.zeros(12 * NSIDE**2, dtype=bool)
    coord = SkyCoord(33, 44, unit="deg", frame="galactic")
    mask[healpy.ang2pix(NSIDE, 33, 44, lonlat=True, nest=True)] = True
    geometry = CutoutGeometry((9, 9), 10 * u.arcmin)
    values = np.ones(mask.size)
    joined = np.ma.MaskedArray(values, mask)
    for ymap in (
        ComptonMap.from_healpix(values, ordering="nested", frame="galactic", mask=mask),
        ComptonMap.from_healpix(joined, ordering="nested", frame="galactic"),
    ):
        cutout = ymap.cutout(coord, geometry=geometry, interpolation="nearest")
        assert not cutout.footprint[4, 4]
        assert 1 < (~cutout.footprint).sum() < 60
        assert np.isnan(cutout.data[~cutout.footprint]).all()
        assert (cutout.data[cutout.footprint] == 1).all()


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"values": np.zeros(100)}, InvalidInputError, "12 nside\\^2 entries.*Received: 100"),
        ({"values": np.zeros(0)}, InvalidInputError, "12 nside\\^2 entries"),
        ({"values": np.zeros((2, 6))}, InvalidInputError, "1 dimension"),
        ({"values": np.array(["a"] * 12)}, InvalidInputError, "real numbers"),
        ({"values": np.zeros(12) * u.K}, InvalidUnitError, "must be dimensionless"),
        ({"values": np.zeros(108), "ordering": "nested"}, InvalidInputError, "power of two"),
        ({"ordering": "up"}, InvalidInputError, "'ordering' must be"),
        ({"frame": None}, InvalidInputError, "'frame' must be"),
        ({"mask": np.zeros(48, bool)}, InvalidInputError, r"\(nside 1\). Received: nside 2"),
        ({"mask": np.zeros(12)}, InvalidInputError, "dtype bool.*Planck.*values < 0.5"),
        ({"beam": 3}, InvalidUnitError, "'beam' must be a Quantity"),
    ],
)
def test_healpix_arrays_that_make_no_sense(options, error, match):
    arguments = {"values": np.zeros(12), "ordering": "ring", "frame": "galactic"} | options
    with pytest.raises(error, match=match):
        ComptonMap.from_healpix(**arguments)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"data": np.zeros((2, 3, 4))}, "2 dimension"),
        ({"wcs": WCS(naxis=2)}, "'wcs' must be an astropy WCS with two celestial axes"),
        ({"wcs": "TAN"}, "'wcs' must be an astropy WCS"),
        ({"mask": np.zeros((2, 2), bool)}, r"\(shape \(3, 4\)\). Received: shape \(2, 2\)"),
    ],
)
def test_images_that_make_no_sense(options, match):
    wcs = image_map().wcs
    with pytest.raises(InvalidInputError, match=match):
        ComptonMap.from_image(**({"data": np.zeros((3, 4)), "wcs": wcs} | options))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"coord": "M31"}, "'coord' must be a SkyCoord"),
        ({"coord": SkyCoord([[1]], [[2]], unit="deg")}, "'coord' must have one dimension"),
        ({"geometry": (96, 96)}, "'geometry' must be a CutoutGeometry"),
        ({"interpolation": "cubic"}, "'nearest', 'bilinear'. Received: 'cubic'"),
        ({"names": ["a", "b"]}, "'names' must have one entry per position"),
        ({"angular_scale": 3 * u.arcmin}, "goes with a pixel_scale without unit"),
    ],
)
def test_options_that_make_no_sense(ymap, options, match):
    arguments = {"coord": SkyCoord([1], [2], unit="deg")} | options
    with pytest.raises(InvalidInputError, match=match):
        ymap.cutouts(**arguments)


def test_one_cutout_needs_one_position(ymap):
    with pytest.raises(InvalidInputError, match="must be one position. Received: 2"):
        ymap.cutout(SkyCoord([1, 2], [3, 4], unit="deg"))
