"""Clusters in real maps."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, CutoutGeometry
from szmass.simulations import CLUSTER_MODELS, draw_flat, empty_positions, inject

GEOMETRY = CutoutGeometry(shape=(24, 24))
CENTRE = SkyCoord(57.0, 40.0, unit="deg", frame="galactic")


def image_map(data):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.cdelt = [-1.7 / 60, 1.7 / 60]
    wcs.wcs.crpix = [(data.shape[1] + 1) / 2, (data.shape[0] + 1) / 2]
    wcs.wcs.crval = [57.0, 40.0]
    return ComptonMap.from_image(data, wcs, beam=10 * u.arcmin)


@pytest.fixture(scope="module")
def ymap():
    return image_map(np.random.default_rng(1).normal(0, 1e-6, (200, 200)))


def test_positions_are_empty_and_inside(ymap):
    coord = empty_positions(
        ymap, 20, exclude=CENTRE.reshape(1), radius=60 * u.arcmin, geometry=GEOMETRY, seed=1
    )
    assert coord.shape == (20,)
    assert coord.separation(CENTRE).min() > 60 * u.arcmin
    assert ymap.cutouts(coord, geometry=GEOMETRY, interpolation="nearest").complete.all()
    again = empty_positions(
        ymap, 20, exclude=CENTRE.reshape(1), radius=60 * u.arcmin, geometry=GEOMETRY, seed=1
    )
    assert np.all(again.l == coord.l)


def test_positions_in_a_healpix_map_avoid_its_mask():
    values = np.zeros(12 * 256**2, dtype=np.float32)
    values[len(values) // 2 :] = np.nan
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic", beam=10 * u.arcmin)
    coord = empty_positions(ymap, 30, exclude=CENTRE.reshape(1), geometry=GEOMETRY, seed=1)
    assert np.all(coord.b > 0 * u.deg)


def test_injected_clusters_stand_on_the_sky_of_the_map(ymap):
    sample = draw_flat(6, seed=1)
    options = {
        "exclude": CENTRE.reshape(1),
        "geometry": GEOMETRY,
        "model": CLUSTER_MODELS["a10"].smooth(),
        "cosmology": "PSZ2",
        "seed": 2,
        "interpolation": "bilinear",
        "centring": 0 * u.arcmin,
    }
    mocks = inject(sample, ymap, projections=2, **options)
    assert len(mocks) == 12
    sky = ymap.cutouts(mocks.coord, geometry=GEOMETRY, interpolation="bilinear")
    blank = image_map(np.zeros((200, 200)))
    clean = inject(sample, blank, projections=2, **options)
    np.testing.assert_allclose(
        mocks.cutouts.data, sky.data + clean.cutouts.data, rtol=1e-4, atol=1e-11
    )
    assert mocks.cutouts.interpolation == "bilinear"
    assert mocks.meta["observation"] == "real-sky"
    np.testing.assert_array_equal(mocks.quantity("mass_true")[::2], sample.quantity("mass_true"))


def test_maps_without_room_are_refused(ymap):
    options = {"geometry": GEOMETRY, "seed": 1}
    with pytest.raises(InvalidInputError, match="Only 0 empty positions"):
        empty_positions(ymap, 3, exclude=CENTRE.reshape(1), radius=10 * u.deg, **options)
    with pytest.raises(InvalidInputError, match="smaller than a cutout"):
        empty_positions(image_map(np.zeros((20, 20))), 3, exclude=CENTRE.reshape(1), **options)
    nothing = image_map(np.full((60, 60), np.nan))
    with pytest.raises(InvalidInputError, match="Only 0 empty positions"):
        empty_positions(nothing, 1, exclude=CENTRE.reshape(1), **options)
    nameless = ComptonMap.from_image(np.zeros((60, 60)), ymap.wcs)
    with pytest.raises(InvalidInputError, match="'ymap' must have a beam"):
        inject(draw_flat(2, seed=1), nameless, exclude=CENTRE.reshape(1), cosmology="PSZ2", seed=1)
