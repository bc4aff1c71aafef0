"""Cutout and CutoutStack: what they hold, refuse, write and read."""

import copy

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import NDData
from hypothesis import given, settings
from hypothesis import strategies as st
from reproject import reproject_interp

from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.maps import ComptonMap, Cutout, CutoutGeometry, CutoutStack

GEOMETRY = CutoutGeometry((6, 9), 2 * u.arcmin, "icrs", 20 * u.deg)
COORD = SkyCoord([10, 200, 359.9999], [5, -60, 88], unit="deg")


def make_stack(geometry=GEOMETRY, coord=COORD, **options):
    rng = np.random.default_rng(0)
    data = rng.normal(0, 1e-6, (len(coord), *geometry.shape))
    data[0, 0, :2] = np.nan
    options = {
        "names": [f"cluster {i}" for i in range(len(coord))],
        "beam": 10 * u.arcmin,
        "interpolation": "bilinear",
        "meta": {"MAPFILE": "y.fits", "lower_case": 3, "LOUD": True},
    } | options
    return CutoutStack(data, None, coord, geometry=geometry, **options)


def test_cutout_is_nddata_for_others():
    cutout = make_stack()[0]
    assert isinstance(cutout, NDData)
    assert cutout.unit == u.dimensionless_unscaled
    assert not cutout.complete
    np.testing.assert_array_equal(cutout.mask, ~cutout.footprint)
    assert cutout.footprint.sum() == 6 * 9 - 2
    again, footprint = reproject_interp(cutout, cutout.wcs, shape_out=(6, 9), order=0)
    np.testing.assert_array_equal(again, cutout.data)
    assert footprint.sum() == cutout.footprint.sum()
    assert "cluster 0" in repr(cutout)
    assert "96.3 % covered" in str(cutout)


def test_stack_is_indexed_like_an_array():
    stack = make_stack()
    assert len(stack) == 3
    assert stack.data.dtype == np.float32
    assert stack.complete.tolist() == [False, True, True]
    cutout = stack[-1]
    assert cutout.name == "cluster 2"
    assert cutout.coord == COORD[2]
    assert (cutout.geometry, cutout.beam) == (GEOMETRY, 10 * u.arcmin)
    np.testing.assert_array_equal(cutout.data, stack.data[2])
    for index in (slice(1, None), np.array([False, True, True]), [1, 2]):
        part = stack[index]
        assert isinstance(part, CutoutStack)
        assert part.names.tolist() == ["cluster 1", "cluster 2"]
        assert part.meta == stack.meta
        np.testing.assert_array_equal(part.coord.ra.deg, COORD.ra.deg[1:])
    assert [c.name for c in stack] == ["cluster 0", "cluster 1", "cluster 2"]
    assert len(stack[:0]) == 0
    assert repr(stack).startswith("<CutoutStack of 3: CutoutGeometry(shape=(6, 9)")
    assert len(copy.deepcopy(stack)) == 3


def test_stack_knows_the_wcs_of_each():
    stack = make_stack()
    for wcs, cutout in zip(stack.wcs, stack, strict=True):
        assert wcs.wcs.compare(cutout.wcs.wcs)
        assert wcs.pixel_to_world(4, 2.5).separation(cutout.coord) < 1e-9 * u.deg


def test_unknown_positions_have_no_wcs():
    coord = SkyCoord([1, np.nan], [2, 3], unit="deg")
    stack = make_stack(coord=coord)
    assert stack.wcs[0] is not None
    assert stack.wcs[1] is None
    assert stack[1].wcs is None
    with pytest.raises(InvalidInputError, match="no position"):
        stack[1].write("never.fits")


@pytest.mark.parametrize("geometry", [GEOMETRY, CutoutGeometry((6, 9))])
def test_cutout_survives_a_file(tmp_path, geometry):
    cutout = make_stack(geometry)[0]
    path = tmp_path / "cutout.fits"
    cutout.write(path)
    found = Cutout.read(path)
    np.testing.assert_array_equal(found.data, cutout.data)
    np.testing.assert_array_equal(found.footprint, cutout.footprint)
    assert found.geometry == geometry
    assert found.coord.separation(cutout.coord) < 1e-8 * u.arcsec
    assert found.beam == 10 * u.arcmin
    assert (found.name, found.interpolation) == ("cluster 0", "bilinear")
    assert found.meta == {"MAPFILE": "y.fits", "lower_case": 3, "LOUD": True}
    with pytest.raises(InvalidInputError, match="exists"):
        cutout.write(path)
    cutout.write(path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["cutout.fits"]
    assert ComptonMap.read(path).cutout(cutout.coord, geometry=geometry).footprint.any()
    with pytest.raises(InvalidInputError, match="Leave 'coord' out"):
        Cutout.read(path, coord=COORD[0])


def test_unknown_beam_and_interpolation_stay_unknown(tmp_path):
    stack = make_stack(beam=None, interpolation=None, meta=None)
    stack[0].write(tmp_path / "cutout.fits")
    found = Cutout.read(tmp_path / "cutout.fits")
    assert (found.beam, found.interpolation, found.meta) == (None, None, {})
    stack.write(tmp_path / "stack.fits")
    found = CutoutStack.read(tmp_path / "stack.fits")
    assert (found.beam, found.interpolation, found.meta) == (None, None, {})


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(0, 4),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    scale=st.floats(1e-3, 100),
    rotation=st.floats(-400, 400),
    relative=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_stack_survives_a_file(tmp_path_factory, n, shape, scale, rotation, relative, seed):
    rng = np.random.default_rng(seed)
    coord = SkyCoord(rng.uniform(0, 360, n), rng.uniform(-90, 90, n), unit="deg")
    scale = scale if relative else scale * u.arcmin
    geometry = CutoutGeometry(shape, scale, "fk5", rotation * u.deg)
    angles = rng.uniform(1, 2, n) * u.arcmin if relative else None
    data = rng.normal(size=(n, *shape))
    data[rng.random(data.shape) < 0.2] = np.nan
    footprint = np.isfinite(data) & (rng.random(data.shape) < 0.8)
    stack = CutoutStack(
        data,
        footprint,
        coord,
        geometry=geometry,
        beam=rng.uniform(1, 20) * u.arcmin,
        angular_scale=angles,
    )
    path = tmp_path_factory.mktemp("stack") / "stack.fits"
    stack.write(path)
    found = CutoutStack.read(path)
    np.testing.assert_array_equal(found.data, stack.data)
    np.testing.assert_array_equal(found.footprint, footprint)
    assert found.geometry == geometry
    assert u.isclose(found.beam, stack.beam, rtol=1e-11)
    assert (found.coord.separation(coord) < 1e-9 * u.arcsec).all()
    if relative:
        u.allclose(found.angular_scale, angles)
        assert n == 0 or found[0].geometry == stack[0].geometry


def test_stack_of_cutouts():
    stack = make_stack()
    joined = CutoutStack.from_cutouts(stack)
    np.testing.assert_array_equal(joined.data, stack.data)
    np.testing.assert_array_equal(joined.footprint, stack.footprint)
    assert joined.names.tolist() == stack.names.tolist()
    assert joined.geometry == stack.geometry
    assert joined.meta == stack.meta
    assert (joined.coord.separation(stack.coord) < 1e-9 * u.arcsec).all()
    other = make_stack(CutoutGeometry((6, 9)))[0]
    with pytest.raises(InvalidInputError, match="one geometry: that of cutout 0 .* cutout 1"):
        CutoutStack.from_cutouts([stack[0], other])
    with pytest.raises(InvalidInputError, match="one beam"):
        CutoutStack.from_cutouts([stack[0], make_stack(beam=None)[0]])
    with pytest.raises(InvalidInputError, match="at least one"):
        CutoutStack.from_cutouts([])


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"names": ["a"]}, InvalidInputError, "'names' must have one entry per position"),
        ({"coord": [1, 2, 3]}, InvalidInputError, "'coord' must be a SkyCoord"),
        ({"coord": COORD[:2]}, InvalidInputError, "'coord' must have one entry per cutout"),
        ({"beam": 10}, InvalidUnitError, "'beam' must be a Quantity"),
        ({"beam": 10 * u.Jy}, InvalidUnitError, "'beam' must have a unit that converts to arcmin"),
        ({"beam": 0 * u.arcmin}, InvalidInputError, "'beam' must be positive"),
        ({"beam": [1, 2] * u.arcmin}, InvalidInputError, "'beam' must be one number"),
        ({"data": np.zeros((6, 9))}, InvalidInputError, r"shape \(N, ny, nx\)"),
        ({"footprint": np.ones((3, 6, 6))}, InvalidInputError, "must have one shape"),
        ({"geometry": CutoutGeometry()}, InvalidInputError, "must have one shape"),
        ({"angular_scale": 1 * u.arcmin}, InvalidInputError, "goes with a pixel_scale without"),
        ({"geometry": CutoutGeometry((6, 9), 1)}, InvalidInputError, "'angular_scale' is needed"),
    ],
)
def test_what_does_not_fit_together_is_refused(options, error, match):
    arguments = {"data": np.zeros((3, 6, 9)), "footprint": None, "coord": COORD} | options
    with pytest.raises(error, match=match):
        CutoutStack(**arguments)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((np.zeros((2, 3, 4)), COORD[0]), "'data' must be a two-dimensional array"),
        ((np.zeros((2, 3), dtype=int), COORD[0]), "real numbers"),
        ((np.zeros((2, 3)), COORD), "'coord' must be one SkyCoord"),
        ((np.zeros((2, 3)), "10d 20d"), "'coord' must be one SkyCoord"),
        ((np.zeros((2, 3)), COORD[0], CutoutGeometry()), "must have one shape"),
    ],
)
def test_what_is_no_cutout_is_refused(arguments, match):
    with pytest.raises(InvalidInputError, match=match):
        Cutout(*arguments)


def write_published(path, **header):
    """Write a cutout in the form in which de Andres et al. (2022) published theirs."""
    data = np.random.default_rng(1).normal(0, 1e-6, (96, 96))
    cards = {"NAME": "PSZ2G359.07-32.12", "Z": 0.15, "M500": 4.7, "HIERARCH M500_erru": 0.4}
    fits.PrimaryHDU(data, fits.Header(cards | header)).writeto(path)
    return data


def test_published_cutout_has_the_grid_of_its_network(tmp_path):
    path = tmp_path / "published.fits"
    data = write_published(path)
    cutout = Cutout.read(path)
    np.testing.assert_array_equal(cutout.data, data)
    assert cutout.data.dtype == np.dtype("=f8")
    assert cutout.geometry == CutoutGeometry()
    assert (cutout.coord.l.deg, cutout.coord.b.deg) == (359.07, -32.12)
    assert (cutout.beam, cutout.interpolation) == (10 * u.arcmin, "nearest")
    assert cutout.meta == {"Z": 0.15, "M500": 4.7, "M500_erru": 0.4}
    exact = SkyCoord(359.0707, -32.1293, unit="deg", frame="galactic")
    assert Cutout.read(path, coord=exact).coord == exact
    with pytest.raises(FileFormatError, match=r"Cutout\.read"):
        ComptonMap.read(path)


def test_files_that_are_no_cutouts_are_refused(tmp_path):
    write_published(tmp_path / "nameless.fits", NAME="my cluster")
    with pytest.raises(FileFormatError, match="NAME is 'my cluster'.*coord=SkyCoord"):
        Cutout.read(tmp_path / "nameless.fits")
    assert Cutout.read(tmp_path / "nameless.fits", coord=COORD[0]).name == "my cluster"
    fits.PrimaryHDU(np.zeros((96, 96))).writeto(tmp_path / "plain.fits")
    with pytest.raises(FileFormatError, match="has no WCS"):
        Cutout.read(tmp_path / "plain.fits", coord=COORD[0])
    fits.PrimaryHDU(np.zeros((2, 96, 96))).writeto(tmp_path / "cube.fits")
    with pytest.raises(FileFormatError, match="two dimensions"):
        Cutout.read(tmp_path / "cube.fits")
    with pytest.raises(FileFormatError, match="not a stack of cutouts.*DATA"):
        CutoutStack.read(tmp_path / "plain.fits")
    (tmp_path / "text.fits").write_text("no FITS at all")
    with pytest.raises(FileFormatError, match="cannot be read as FITS"):
        CutoutStack.read(tmp_path / "text.fits")
    make_stack().write(tmp_path / "stack.fits")
    content = (tmp_path / "stack.fits").read_bytes()
    for n in range(1, len(content) // 2880):
        (tmp_path / "cut.fits").write_bytes(content[: n * 2880])
        with pytest.raises(FileFormatError, match="truncated|not a stack"):
            CutoutStack.read(tmp_path / "cut.fits")


def test_names_that_fits_cannot_hold_come_back(tmp_path):
    data = np.zeros((2, 8, 8))
    coord = SkyCoord([10.0, 20.0], [5.0, 6.0], unit="deg", frame="galactic")
    geometry = CutoutGeometry((8, 8))
    names = ["Å \\ 1 ", "plain"]
    stack = CutoutStack(data, None, coord, names=names, geometry=geometry)
    stack.write(tmp_path / "stack.fits")
    assert CutoutStack.read(tmp_path / "stack.fits").names.tolist() == names
    stack[0].write(tmp_path / "one.fits")
    assert Cutout.read(tmp_path / "one.fits").name == names[0]
    assert "ESCAPED" not in Cutout.read(tmp_path / "one.fits").meta
    one = (tmp_path / "one.fits").read_bytes()
    start = one.index(b"ESCAPED =")
    odd = one[:start] + b"ESCAPED =                  INF" + one[start + 30 :]
    (tmp_path / "odd.fits").write_bytes(odd)
    with pytest.raises(FileFormatError, match="ESCAPED"):
        Cutout.read(tmp_path / "odd.fits")
