"""Clusters in real maps."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, CutoutGeometry, CutoutStack
from szmass.maps.noise import NoiseModel
from szmass.simulations import (
    CLUSTER_MODELS,
    Observation,
    draw_flat,
    empty_fields,
    empty_positions,
    inject,
    iter_simulate,
    make_dataset,
    simulate,
)

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


@pytest.fixture(scope="module", params=["nearest", "bilinear"])
def fields(request, ymap):
    options = {"exclude": CENTRE.reshape(1), "geometry": GEOMETRY, "seed": 4}
    return empty_fields(ymap, 9, interpolation=request.param, **options)


def test_fields_are_cutouts_around_the_empty_positions(ymap, fields):
    options = {"geometry": GEOMETRY, "interpolation": fields.interpolation}
    coord = empty_positions(ymap, 9, exclude=CENTRE.reshape(1), seed=4, **options)
    np.testing.assert_array_equal(fields.coord.l, coord.l)
    np.testing.assert_array_equal(fields.data, ymap.cutouts(coord, **options).data)
    assert fields.complete.all()
    assert fields.beam == 10 * u.arcmin
    assert "nside" not in fields.meta


def test_any_number_of_clusters_is_shown_on_fields_of_a_map(fields):
    observation = Observation.on_sky(fields)
    sample = draw_flat(40, seed=1)
    options = {"model": CLUSTER_MODELS["a10"].smooth(), "cosmology": "PSZ2", "seed": 2}
    mocks = simulate(sample, observation, projections=2, **options)
    field = np.asarray(mocks.table["sky_field"])
    assert len(mocks) == 80
    assert set(field) == set(range(9))
    # Projections of a cluster see different fields.
    assert np.mean(field[::2] != field[1::2]) > 0.7
    np.testing.assert_array_equal(mocks.coord.l, fields.coord.l[field])
    assert mocks.cutouts.interpolation == fields.interpolation
    # The same without the sky: noise, and only noise, is that of the map.
    blank = dataclasses.replace(
        observation, sky=CutoutStack(0 * fields.data, None, fields.coord, **like(fields))
    )
    clean = simulate(sample, blank, projections=2, **options)
    np.testing.assert_allclose(
        mocks.cutouts.data, clean.cutouts.data + fields.data[field], rtol=1e-4, atol=1e-11
    )
    alone = simulate(sample[17:18], observation, projections=2, **options)
    np.testing.assert_array_equal(alone.cutouts.data, mocks.cutouts.data[34:36])
    parts = list(iter_simulate(sample, observation, projections=2, chunk_size=7, **options))
    np.testing.assert_array_equal(
        np.concatenate([part.cutouts.data for part in parts]), mocks.cutouts.data
    )


def like(fields):
    return {name: getattr(fields, name) for name in ("geometry", "beam", "interpolation")}


def test_data_sets_on_the_real_sky(tmp_path, fields):
    pytest.importorskip("zarr")
    observation = Observation.on_sky(fields)
    sample = draw_flat(5, seed=1)
    options = {"cosmology": "PSZ2", "seed": 2, "projections": 2}
    dataset = make_dataset(tmp_path / "real.zarr", sample, observation, shard_size=4, **options)
    mocks = simulate(sample, observation, **options)
    np.testing.assert_array_equal(dataset.maps(), mocks.cutouts.data)
    np.testing.assert_array_equal(dataset.table()["sky_field"], mocks.table["sky_field"])
    # Other fields are another data set.
    other = CutoutStack(2 * fields.data, None, fields.coord, **like(fields))
    with pytest.raises(InvalidInputError, match=r"observation\.sky\.data"):
        make_dataset(tmp_path / "real.zarr", sample, Observation.on_sky(other), **options)


def test_skies_that_cannot_be(fields):
    damaged = fields.data.copy()
    damaged[3, 4, 5] = np.nan
    with pytest.raises(InvalidInputError, match=r"1 fields of 'sky' .* sky\[sky.complete\]"):
        Observation.on_sky(CutoutStack(damaged, None, fields.coord, **like(fields)))
    with pytest.raises(InvalidInputError, match="a map with a beam"):
        Observation.on_sky(CutoutStack(fields.data, None, fields.coord))
    with pytest.raises(InvalidInputError, match="have its noise already"):
        dataclasses.replace(Observation.on_sky(fields), noise=NoiseModel.planck())
    with pytest.raises(InvalidInputError, match="'geometry' must be that of 'sky'"):
        Observation(name="mine", sky=fields)
    sample = draw_flat(2, seed=1)
    sample.table["sky_field"] = [0, 9]
    with pytest.raises(InvalidInputError, match="'sky_field' must be numbers of fields"):
        simulate(sample, Observation.on_sky(fields), cosmology="PSZ2", seed=1)


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
