"""Every way of saying that a pixel has no value: masks of arrays, exact zeros, marks."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, NDData
from astropy.table import Column, MaskedColumn
from astropy.utils.masked import Masked
from astropy.wcs import WCS

from szmass.exceptions import InvalidInputError, InvalidUnitError, SzmassWarning
from szmass.maps import (
    ComptonMap,
    Cutout,
    CutoutGeometry,
    CutoutStack,
    apply_mask,
    masked_fraction,
)

SHAPE = (120, 160)
GEOMETRY = CutoutGeometry((30, 30), 3 * u.arcmin, "icrs")
MIDDLE = SkyCoord(40, -10, unit="deg")
NOISE = np.random.default_rng(2).normal(0, 1e-6, SHAPE)
HOLE = np.zeros(SHAPE, bool)
HOLE[:, 82:] = True


def make_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt, wcs.wcs.crpix, wcs.wcs.crval = [-0.05, 0.05], [80.5, 60.5], [40, -10]
    return wcs


def from_image(data, **options):
    return ComptonMap.from_image(data, make_wcs(), **options)


def footprint(ymap, **options):
    return ymap.cutout(MIDDLE, geometry=GEOMETRY, **options).footprint


EXPECTED = footprint(from_image(np.where(HOLE, np.nan, NOISE)))


@pytest.mark.parametrize(
    "data",
    [
        np.ma.MaskedArray(NOISE, HOLE),
        Masked(NOISE, HOLE),
        Masked(NOISE * u.one, HOLE),
        NDData(NOISE, mask=HOLE),
        NDData(np.ma.MaskedArray(NOISE, HOLE)),
        CCDData(NOISE, mask=HOLE, unit=""),
        np.where(HOLE, -1.6375e30, NOISE),
        np.where(HOLE, -1.6375e30, NOISE).astype(">f4"),
        np.where(HOLE, np.inf, NOISE),
    ],
    ids=["ma", "Masked", "quantity", "NDData", "NDData-ma", "CCDData", "UNSEEN", "float32", "inf"],
)
def test_masks_that_come_with_an_image_count(data):
    assert not EXPECTED.all()
    np.testing.assert_array_equal(footprint(from_image(data)), EXPECTED)
    extra = np.zeros(SHAPE, bool)
    extra[:, :70] = True
    both = footprint(from_image(data, mask=extra))
    assert both.any()
    assert both.sum() < EXPECTED.sum()
    assert footprint(from_image(data, mask=np.ma.MaskedArray(extra, False))).sum() == both.sum()


def test_masked_entries_of_a_mask_are_not_used():
    unknown = np.ma.MaskedArray(np.zeros(SHAPE, bool), HOLE)
    np.testing.assert_array_equal(footprint(from_image(NOISE, mask=unknown)), EXPECTED)
    used = np.ma.MaskedArray(np.ones(GEOMETRY.shape, bool), ~EXPECTED)
    stack = from_image(NOISE).cutouts(MIDDLE, geometry=GEOMETRY)
    np.testing.assert_array_equal(apply_mask(stack, used).footprint[0], EXPECTED)
    assert masked_fraction(used) == np.mean(~EXPECTED)


def test_masks_of_healpix_arrays_count():
    values = np.random.default_rng(0).normal(0, 1e-6, 12 * 16**2)
    gone = np.arange(values.size) % 3 == 0
    for data in (
        np.ma.MaskedArray(values, gone),
        Masked(values, gone),
        NDData(values, mask=gone),
        MaskedColumn(values, mask=gone),
        np.where(gone, -1.6375e30, values).astype("f4"),
    ):
        ymap = ComptonMap.from_healpix(data, ordering="ring", frame="galactic")
        np.testing.assert_array_equal(np.isnan(ymap.values()), gone)
        assert np.isnan(ymap.values([0, 1])).tolist() == [True, False]


@pytest.mark.parametrize("data", [NDData(NOISE, unit="K"), NOISE * u.K, Masked(NOISE * u.K)])
def test_units_that_come_with_an_array_count(data):
    with pytest.raises(InvalidUnitError, match="must be dimensionless"):
        from_image(data)
    with pytest.raises(InvalidUnitError, match="must be dimensionless"):
        Cutout(data, MIDDLE)
    column = Column(NOISE.ravel()[:3072], unit="uK")
    with pytest.raises(InvalidUnitError, match="must be dimensionless.*uK"):
        ComptonMap.from_healpix(column, ordering="ring", frame="galactic")


def test_masks_that_come_with_cutouts_count():
    image, gone = NOISE[:30, :30], HOLE[:30, 70:100]
    for data in (
        np.ma.MaskedArray(image, gone),
        Masked(image, gone),
        np.where(gone, -1.6375e30, image),
        np.where(gone, np.inf, image).astype("f4"),
    ):
        cutout = Cutout(data, MIDDLE, GEOMETRY)
        stack = CutoutStack(data[np.newaxis], None, SkyCoord([MIDDLE]), geometry=GEOMETRY)
        np.testing.assert_array_equal(cutout.footprint, ~gone)
        np.testing.assert_array_equal(stack.footprint[0], ~gone)
        assert cutout.mask[gone].all()
    cutout = Cutout(image, MIDDLE, footprint=np.ma.MaskedArray(np.ones(gone.shape, bool), gone))
    np.testing.assert_array_equal(cutout.footprint, ~gone)
    with pytest.raises(InvalidInputError, match="must have one shape"):
        Cutout(image, MIDDLE, footprint=np.ones(900, bool))


def test_exact_zeros_beside_noise_are_not_observed(tmp_path):
    data = np.where(HOLE, 0, NOISE)
    with pytest.warns(SzmassWarning, match="49 % of the pixels of 'data' are exactly 0.*zeros="):
        ymap = from_image(data)
    np.testing.assert_array_equal(footprint(ymap), EXPECTED)
    assert np.isnan(ymap.values()[HOLE]).all()
    np.testing.assert_array_equal(footprint(from_image(data, zeros="unobserved")), EXPECTED)
    kept = from_image(data, zeros="observed")
    assert footprint(kept).all()
    assert not np.isnan(kept.values()).any()
    fits.PrimaryHDU(data, make_wcs().to_header()).writeto(tmp_path / "map.fits")
    with pytest.warns(SzmassWarning, match=r"of the pixels of map.fits are exactly 0"):
        found = ComptonMap.read(tmp_path / "map.fits")
    np.testing.assert_array_equal(footprint(found), EXPECTED)
    with pytest.raises(InvalidInputError, match="'zeros' must be"):
        ComptonMap.read(tmp_path / "map.fits", zeros=0)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_hole_of_zeros_is_found_in_the_cutout(interpolation):
    """It may be too small for the look at the whole map."""
    data = np.random.default_rng(2).normal(0, 1e-6, (1200, 1600))
    data[592:600, 790:798] = 0
    wcs = make_wcs()
    wcs.wcs.crpix = [800.5, 600.5]
    whole = np.where(data == 0, np.nan, data)
    ymap, right = (ComptonMap.from_image(image, wcs) for image in (data, whole))
    coord = SkyCoord([40, 60, 40.2], [-10, -10, -10.1], unit="deg")
    options = {"geometry": GEOMETRY, "interpolation": interpolation}
    with pytest.warns(SzmassWarning, match="2 of 3 cutouts have many pixels that are exactly 0"):
        found = ymap.cutouts(coord, **options)
    expected = right.cutouts(coord, **options)
    np.testing.assert_array_equal(found.footprint, expected.footprint)
    np.testing.assert_array_equal(found.data, expected.data)
    assert found.complete.tolist() == [False, True, False]
    with pytest.warns(SzmassWarning, match="1 of 1 cutouts"):
        alone = ymap.cutouts(coord[2], **options)
    np.testing.assert_array_equal(alone.data[0], found.data[2])


@pytest.mark.parametrize(
    "data",
    [
        np.zeros(SHAPE),
        np.where(HOLE, 0, 1e-5),
        np.where(HOLE, 0, np.abs(NOISE)),
        np.where(HOLE, 1.0, 0.0),
        np.round(NOISE / 2e-6) * 2e-6,
        np.where(np.arange(NOISE.size).reshape(SHAPE) % 2000 == 0, 0, NOISE),
        np.where(HOLE, -1e-5, 0) + np.where(HOLE[:, ::-1], 1e-5, 0),
    ],
    ids=["zero", "flat", "clusters", "mask", "coarse", "few", "steps"],
)
def test_zeros_that_are_values_stay(data, recwarn):
    assert footprint(from_image(data)).all()
    assert not len(recwarn)


def test_positions_without_a_place_are_flagged_one_by_one():
    lon = np.ma.MaskedArray([40, np.nan, 40, 40, 220], [0, 0, 1, 0, 0])
    coord = SkyCoord(Masked(lon.data, lon.mask) * u.deg, [-10, -10, -10, 80, 10] * u.deg)
    stack = from_image(NOISE).cutouts(coord, geometry=GEOMETRY)
    assert stack.footprint.any(axis=(1, 2)).tolist() == [True, False, False, False, False]
    assert len(from_image(NOISE).cutouts(coord[:0], geometry=GEOMETRY)) == 0


@pytest.mark.parametrize("shape", [(0, 10), (-1, 3), (3.5, 3), (3,), None])
def test_grids_without_pixels_are_refused(shape):
    with pytest.raises(InvalidInputError, match="'shape' must be two positive integers"):
        CutoutGeometry(shape)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (4, 4), (5, 5)])
def test_grids_of_any_size(shape):
    cutout = from_image(NOISE).cutout(MIDDLE, geometry=CutoutGeometry(shape, 3 * u.arcmin))
    assert cutout.data.shape == shape
    assert cutout.complete


def test_a_word_comes_before_the_memory_is_full():
    geometry = CutoutGeometry((10**6, 10**6), 0.01 * u.arcsec)
    with pytest.raises(InvalidInputError, match="1000000 x 1000000 pixels would take .* GB"):
        from_image(NOISE).cutout(MIDDLE, geometry=geometry)
    coord = SkyCoord(np.full(10**7, 40), np.full(10**7, -10), unit="deg")
    with pytest.raises(InvalidInputError, match="GB are available.*'iter_cutouts'"):
        from_image(NOISE).cutouts(coord, geometry=CutoutGeometry((1000, 1000), 3 * u.arcsec))
