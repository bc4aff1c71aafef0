"""Mock skies beside the real MILCA map of the Coma field: one-point distribution and holes."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage

from szmass.catalogs import PSZ2Catalog
from szmass.maps import ComptonMap, CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.simulations import Environment
from szmass.simulations.bodies._fourier import Window

pytestmark = pytest.mark.real_data

PIXEL = 1.71774 * u.arcmin
# 45 arcmin around clusters and two degrees around Coma, 25 arcmin around holes [pixels].
CLUSTER, COMA, HOLE = 26, 70, 15


def around(shape, places, radius):
    y, x = np.ogrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, dtype=bool)
    for h, v in places:
        if np.isfinite(h + v):
            mask |= (x - h) ** 2 + (y - v) ** 2 < radius**2
    return mask


def without_large_scales(image, mask):
    total = ndimage.uniform_filter(np.where(mask, 0.0, image), 48)
    share = ndimage.uniform_filter((~mask).astype(float), 48)
    return image - total / np.maximum(share, 1e-9)


def holes(image, mask):
    """Places (x, y) of holes deeper than five standard deviations."""
    sigma = image[~mask].std()
    labels, number = ndimage.label((image < -5 * sigma) & ~mask)
    return [(x, y) for y, x in ndimage.center_of_mass(labels > 0, labels, np.arange(number) + 1)]


def moments(values):
    scaled = (values - values.mean()) / values.std()
    return [
        np.mean(scaled**3),
        np.mean(scaled**4) - 3,
        np.mean(scaled > 3),
        np.mean(scaled < -3),
    ]


@pytest.fixture(scope="module")
def coma(real_data):
    path = real_data("milca_coma/map2048_MILCA_Coma_20deg_G.fits")
    known = PSZ2Catalog.read(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits")).sample()
    wcs = ComptonMap.read(path, beam=10 * u.arcmin).wcs.celestial
    places = np.stack(wcs.world_to_pixel(known.coord), axis=1)
    image = fits.getdata(path).astype(float)
    middle = places[list(known.names).index("PSZ2 G057.80+88.00")]
    mask = around(image.shape, places, CLUSTER) | around(image.shape, [middle], COMA)
    return image, mask, holes(without_large_scales(image, mask), mask)


@pytest.fixture(scope="module")
def mocks():
    """Skies of haloes, without and with radio sources, and where PSZ2 would list a cluster."""
    options = {"size": 1024, "clustered": False}
    plain = Environment(**options).sky(PIXEL, Window(10.0))
    radio = Environment(**options, radio_density=0.1 / u.deg**2, radio_y=8e-4 * u.arcmin**2)
    # As many peaks as PSZ2 has entries, about 20 in 400 square degrees.
    peaks = (plain == ndimage.maximum_filter(plain, 5)) & (plain > 6e-6)
    return plain, radio.sky(PIXEL, Window(10.0)), ndimage.distance_transform_edt(~peaks) < CLUSTER


def test_away_from_clusters_and_sources_the_pixels_are_distributed_alike(coma, mocks):
    """Skewness, kurtosis, shares beyond 3 sigma, within the scatter from field to field."""
    image, mask, sources = coma
    mask = mask | around(image.shape, sources, HOLE)
    real = moments(without_large_scales(image, mask)[~mask])
    noise = NoiseModel.planck("total", depth=None)
    rng = np.random.default_rng(1)
    geometry = CutoutGeometry(shape=image.shape, pixel_scale=PIXEL)
    rows = []
    for _ in range(8):
        row, column = rng.integers(0, 1024 - 700, 2)
        piece = np.s_[row : row + 700, column : column + 700]
        field = noise.draw(geometry, 1, rng)[0] + mocks[0][piece]
        out = mocks[2][piece]
        rows.append(moments(without_large_scales(field, out)[~out]))
    # 20 fields of larger skies scatter by 0.02, 0.03, 0.0002, 0.0002.
    tolerance = 3 * np.array([0.02, 0.035, 0.0002, 0.0002])
    assert np.all(np.abs(real - np.mean(rows, axis=0)) < tolerance)


def test_holes_are_bright_radio_sources(coma, mocks):
    """3C 286 and fifteen more; the options of the environment give as many."""
    image, mask, sources = coma
    flat = without_large_scales(image, mask)
    assert len(sources) == 16
    assert moments(flat[~mask])[0] < -1
    noise = NoiseModel.planck("total", depth=None).scaled(0.85)
    geometry = CutoutGeometry(shape=(1024, 1024), pixel_scale=PIXEL)
    field = noise.draw(geometry, 1, 1)[0] + mocks[1]
    found = len(holes(without_large_scales(field, mocks[2]), mocks[2]))
    areas = np.count_nonzero(~mocks[2]) / np.count_nonzero(~mask)
    expected = 16 * areas
    assert abs(found - expected) < 2 * np.sqrt(expected * (1 + areas))
