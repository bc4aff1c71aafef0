"""Cutouts of real Planck maps against what is published of them."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from szmass.maps import ComptonMap, Cutout, CutoutGeometry
from szmass.maps._healpix import HealpixPixels
from szmass.maps.frames import frame_named, lonlat

pytestmark = pytest.mark.real_data

NAME = "PSZ2 G359.07-32.12"


@pytest.fixture(scope="module")
def psz2(real_data):
    rows = fits.getdata(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    coord = SkyCoord(rows["GLON"], rows["GLAT"], unit="deg", frame="galactic")
    return rows, coord


class PixelNumbers(HealpixPixels):
    """The map whose value is the number of the pixel; it takes no memory."""

    def __init__(self, nside, nested):
        super().__init__(np.empty(0), nside, nested, frame_named("galactic"))

    def take(self, pixels):
        return pixels.astype(float)


def pixel_numbers(coord, geometry, nested=False):
    lon, lat = lonlat(coord.reshape(1), geometry.frame)
    return next(PixelNumbers(2048, nested).samples(geometry, lon, lat, None, "nearest"))


def neighbours(image):
    """Tell which pixels equal their right, and which their upper neighbour."""
    return image[:, 1:] == image[:, :-1], image[1:] == image[:-1]


def partition(image):
    """Number the sets of equal pixels in the order of their first members."""
    _, first, inverse = np.unique(image, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.ravel()]


@pytest.mark.parametrize("nested", [False, True])
def test_published_cutout_has_our_pixels(real_data, psz2, nested):
    """PHYSICS of the published cutout: nearest pixels of nside 2048 on 96 x 96 points of 1.7'."""
    published = Cutout.read(real_data("deepplanck/PSZ2G359.07-32.12.fits"))
    rows, coord = psz2
    center = coord[list(rows["NAME"]).index(NAME)]
    numbers = pixel_numbers(center, published.geometry, nested)
    assert len(np.unique(numbers)) == 7548
    for ours, theirs, fraction in zip(
        neighbours(numbers), neighbours(published.data), (0.05559, 0.12730), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
        assert round(theirs.mean(), 5) == fraction
    np.testing.assert_array_equal(partition(numbers), partition(published.data))
    assert np.unravel_index(published.data.argmax(), (96, 96)) == (48, 47)


@pytest.mark.parametrize(
    ("scale", "frame", "unique"),
    [
        (1.6, "galactic", 7059),
        (1.71774, "galactic", 7613),  # the side of the map's own pixels
        (1.8, "galactic", 7953),
        (1.7, "icrs", 7673),
    ],
)
def test_other_grids_have_other_pixels(psz2, scale, frame, unique):
    rows, coord = psz2
    center = coord[list(rows["NAME"]).index(NAME)]
    geometry = CutoutGeometry(pixel_scale=scale * u.arcmin, frame=frame)
    assert len(np.unique(pixel_numbers(center, geometry))) == unique


def test_name_of_the_published_cutout_is_its_truncated_position(real_data, psz2):
    rows, coord = psz2
    exact = coord[list(rows["NAME"]).index(NAME)]
    cutout = Cutout.read(real_data("deepplanck/PSZ2G359.07-32.12.fits"))
    assert cutout.coord.separation(exact) < 0.6 * u.arcmin
    assert 0 <= exact.l.deg - cutout.coord.l.deg < 0.01
    assert 0 <= abs(exact.b.deg) - abs(cutout.coord.b.deg) < 0.01
    assert cutout.meta["Z"] == pytest.approx(0.1496)
    assert cutout.meta["M500"] == pytest.approx(4.7211, abs=1e-4)
    assert {"M500_erru", "M500_errd"} <= set(cutout.meta)


@pytest.fixture(scope="module")
def coma(real_data):
    folder = "milca_coma/map2048_MILCA_Coma_20deg_"
    return {
        part: ComptonMap.read(real_data(f"{folder}{part}.fits"), beam=10 * u.arcmin)
        for part in ("G", "first", "last")
    }


def test_coma_maps_are_opened_as_they_are(coma):
    assert {part: ymap.frame for part, ymap in coma.items()} == {
        "G": "galactic",
        "first": "fk5",
        "last": "fk5",
    }
    assert {ymap.shape for ymap in coma.values()} == {(700, 700)}
    assert str(coma["G"].wcs.wcs.ctype[0]) == "GLON-SIN"
    assert coma["G"].wcs.wcs.cdelt[0] > 0


def test_twelve_clusters_lie_wholly_inside_the_field(coma, psz2):
    rows, coord = psz2
    middle = coma["G"].wcs.pixel_to_world(349.5, 349.5)
    near = (coord.separation(middle) < 20 * u.deg) & (rows["REDSHIFT"] > 0)
    stack = coma["G"].cutouts(coord[near], names=rows["NAME"][near], interpolation="nearest")
    assert stack.complete.sum() == 12
    assert len(stack) > stack.footprint.any(axis=(1, 2)).sum() > 12
    stack = stack[stack.complete]
    assert {"PSZ2 G057.80+88.00"} <= set(stack.names)
    # The maps are real: most clusters stand out of the noise of 1.6e-6 in the middle.
    peaks = stack.data[:, 43:53, 43:53].max(axis=(1, 2))
    assert np.median(peaks) > 4 * 1.6e-6


def test_the_three_maps_show_coma_in_one_place(coma, psz2):
    """Three projections, two frames and both parities put the cluster onto the same pixels."""
    rows, coord = psz2
    center = coord[list(rows["NAME"]).index("PSZ2 G057.80+88.00")]
    images = {part: ymap.cutout(center).data for part, ymap in coma.items()}
    # Half the data each, so that the mean of the halves is the full map but for its weights.
    mean = (images["first"] + images["last"]) / 2
    assert np.std(images["G"] - mean) < 0.05 * np.std(mean)
    assert np.std(images["G"] - mean[:, ::-1]) > 0.2 * np.std(mean)
    for part in ("first", "last"):
        assert np.corrcoef(images["G"].ravel(), images[part].ravel())[0, 1] > 0.99


def test_noise_of_half_difference_maps(coma):
    """The half-difference is noise of 1.15e-6 per pixel, on one grid for both halves."""
    half = (coma["first"]._pixels.data - coma["last"]._pixels.data) / 2
    assert half.std() == pytest.approx(1.15e-6, abs=0.01e-6)
