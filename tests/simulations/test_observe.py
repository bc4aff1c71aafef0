"""What a map shows of clusters."""

import dataclasses

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.maps import ComptonMap, CutoutGeometry
from szmass.maps.frames import lonlat
from szmass.maps.noise import NoiseModel
from szmass.maps.noise.depth import DepthMap
from szmass.simulations import (
    CLUSTER_MODELS,
    OBSERVATIONS,
    Observation,
    _pixels,
    draw_flat,
    from_masses,
    get_observation,
    iter_simulate,
    simulate,
)

SMALL = CutoutGeometry(shape=(24, 24))


@pytest.fixture(scope="module")
def sample():
    return draw_flat(12, seed=1)


def run(sample, observation, **options):
    options = {"cosmology": "PSZ2", "seed": 3} | options
    return simulate(sample, observation, **options)


@pytest.mark.parametrize("name", sorted(OBSERVATIONS))
def test_named_data_sets(sample, name):
    mocks = run(sample, name)
    assert len(mocks) == len(mocks.cutouts) == 12
    assert mocks.cutouts.complete.all()
    assert mocks.cutouts.geometry == CutoutGeometry()
    assert mocks.cutouts.beam == 10 * u.arcmin
    assert mocks.meta["observation"] == mocks.cutouts.meta["observation"] == name
    assert list(mocks.names) == list(sample.names)
    np.testing.assert_array_equal(mocks.quantity("mass_true"), sample.quantity("mass_true"))


def test_noise_is_added_to_the_same_clusters(sample):
    clean, noisy = run(sample, "clean"), run(sample, "planck-like")
    noise = noisy.cutouts.data - clean.cutouts.data
    depth = noisy.quantity("depth").value
    expected = OBSERVATIONS["planck-like"].noise.rms() * depth
    ratio = noise.std(axis=(1, 2)) / expected
    assert abs(ratio.mean() - 1) < 0.1
    assert depth.std() > 0.08
    np.testing.assert_array_equal(clean.quantity("depth"), 1)
    pairs = np.corrcoef(noise.reshape(12, -1))[np.triu_indices(12, 1)]
    assert np.abs(pairs).max() < 0.5


def test_noise_alone_may_come_from_the_pixels_of_a_map(sample):
    noise = NoiseModel.planck("instrument")
    observation = Observation(name="mine", noise=noise, noise_sampling="nearest")
    clean = run(sample, "clean", projections=2)
    mocks = run(sample, observation, projections=2)
    np.testing.assert_array_equal(
        mocks.cutouts.data, run(sample, "planck-like", projections=2).cutouts.data
    )
    texture = mocks.cutouts.data - clean.cutouts.data
    # As in the published cutout, about a fifth of the neighbours fall in one pixel; here the
    # difference of two float32 maps is as fine as 1e-12.
    equal = [np.mean(np.abs(np.diff(texture, axis=axis)) < 3e-12) for axis in (1, 2)]
    assert 0.12 < sum(equal) < 0.25
    assert texture.std() == pytest.approx(noise.rms(), rel=0.12)
    parts = run(sample, observation, projections=2, chunk_size=5)
    np.testing.assert_array_equal(parts.cutouts.data, mocks.cutouts.data)


@pytest.mark.parametrize("scale", [0.6, 1.7, 3.0])
def test_fast_resampling_of_noise(scale):
    geometry = CutoutGeometry(shape=(40, 30), pixel_scale=scale * u.arcmin)
    margin = _pixels.noise_margin(geometry, 2048)
    shape = (40 + 2 * margin, 30 + 2 * margin)
    larger = dataclasses.replace(geometry, shape=shape)
    fields = NoiseModel.planck("instrument").draw(larger, 4, 5)
    index, rows, columns = (table[:4] for table in _pixels._places(geometry, 2048))
    assert max(np.abs(rows).max(), np.abs(columns).max()) <= 0.5
    y, x = np.divmod(index, shape[1])
    middle = [(n - 1) / 2 for n in shape]
    for i, field in enumerate(fields):
        fast = _pixels.resample_noise(field, geometry, i, 2048)
        exact = _pixels.resample(field, y[i] + rows[i] - middle[0], x[i] + columns[i] - middle[1])
        assert np.std(fast.ravel() - exact) < (0.05 if scale > 2 else 0.01) * fields.std()


def test_depth_of_the_sample_wins(sample):
    copy = sample[:]
    copy.table["depth"] = np.where(np.arange(12) % 2, 3.0, 0.1)
    noise = run(copy, "planck-like").cutouts.data - run(copy, "clean").cutouts.data
    level = noise.std(axis=(1, 2))
    assert level[1::2].min() > 10 * level[::2].max()


def test_depth_of_a_map_is_looked_up(sample):
    values = np.full(12 * 4**2, 2.0)
    noise = NoiseModel.planck(depth=DepthMap(values))
    observation = Observation(name="mine", noise=noise, geometry=SMALL)
    np.testing.assert_allclose(run(sample, observation).quantity("depth"), 2.0)
    values[:] = np.nan
    values[0] = 1.0
    observation = dataclasses.replace(observation, noise=NoiseModel.planck(depth=DepthMap(values)))
    with pytest.raises(InvalidInputError, match="depth is not known"):
        run(sample, observation)


def test_cutouts_do_not_depend_on_the_company(sample):
    observation = get_observation("planck-total")
    whole = run(sample, observation, projections=2)
    for chunk_size in (1, 5):
        parts = run(sample, observation, projections=2, chunk_size=chunk_size)
        np.testing.assert_array_equal(parts.cutouts.data, whole.cutouts.data)
        assert list(parts.names) == list(whole.names)
    one = run(sample[7:8], observation, projections=2)
    np.testing.assert_array_equal(one.cutouts.data, whole.cutouts.data[14:16])
    assert not np.any(one.cutouts.data == run(sample[7:8], observation, seed=4).cutouts.data)


def test_projections_are_views_of_one_cluster(sample):
    mocks = run(sample[:2], "clean", projections=27)
    assert len(mocks) == 54
    assert mocks.names[0] == "MOCK 00 p00"
    assert len(set(mocks.names)) == 54
    assert list(mocks.table["projection"][:28]) == [*range(27), 0]
    assert np.ptp(mocks.quantity("y500_true")[:27]) == 0
    assert np.all(np.ptp(mocks.cutouts.data[:27].max(axis=(1, 2))) > 0)
    turns = np.asarray(mocks.table["orientation"])
    np.testing.assert_allclose((turns**2).sum(axis=1), 1)


def test_parts_come_one_after_the_other(sample):
    parts = iter_simulate(sample, "clean", cosmology="PSZ2", seed=3, chunk_size=5)
    assert [len(part) for part in parts] == [5, 5, 2]


def test_centring_scales_with_the_position_error():
    n = 300
    sample = from_masses(np.full(n, 5e14) * u.solMass, 0.3)
    sample.table["pos_err"] = np.where(np.arange(n) < 150, 2.43, 4.86) * u.arcmin
    observation = Observation(name="mine", geometry=SMALL, centring=1 * u.arcmin)
    mocks = run(sample, observation, model=CLUSTER_MODELS["a10"].smooth())
    shift = mocks.quantity("shift").to_value("arcmin")
    np.testing.assert_allclose(shift[:150].std(), 1.0, rtol=0.12)
    np.testing.assert_allclose(shift[150:].std(), 2.0, rtol=0.12)
    data = mocks.cutouts.data.astype(float)
    x = (np.arange(24) - 11.5) * 1.7
    columns = (data * x).sum(axis=(1, 2)) / data.sum(axis=(1, 2))
    rows = (data * x[:, np.newaxis]).sum(axis=(1, 2)) / data.sum(axis=(1, 2))
    np.testing.assert_allclose(np.stack([columns, rows], axis=1), shift, atol=0.3)


@pytest.mark.parametrize("latitude", [-32.12, 75.0])
def test_nearest_sampling_is_that_of_a_healpix_map(latitude):
    nside, width = 512, 17.0
    geometry = CutoutGeometry(shape=(24, 20), pixel_scale=6.8 * u.arcmin, rotation=20 * u.deg)
    coord = SkyCoord([120.5], [latitude], unit="deg", frame="galactic")
    source = SkyCoord(120.7, latitude + 0.1, unit="deg", frame="galactic")

    def field(sky):
        return np.exp(-0.5 * (sky.separation(source).arcmin / width) ** 2)

    lon, lat = healpy.pix2ang(nside, np.arange(12 * nside**2), lonlat=True)
    near = np.abs(lat - latitude) < 3
    values = np.zeros(12 * nside**2, dtype=np.float32)
    values[near] = field(SkyCoord(lon[near], lat[near], unit="deg", frame="galactic"))
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic")
    expected = ymap.cutouts(coord, geometry=geometry, interpolation="nearest").data[0]

    shape = tuple(n + 2 * _pixels.MARGIN for n in geometry.shape)
    larger = dataclasses.replace(geometry, shape=shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    smooth = field(larger.wcs(coord[0]).pixel_to_world(columns, rows))
    lon, lat = lonlat(coord, "galactic")
    pixels = _pixels.nearest_pixels(geometry, lon[0], lat[0], nside)
    result = _pixels.resample(smooth, *pixels)
    assert np.abs(smooth[3:-3, 3:-3] - expected).max() > 0.05
    assert np.abs(result - expected).max() < 1e-3


def test_pixels_repeat_as_in_the_published_cutout():
    mocks = Observation(name="mine", sampling="nearest", noise=NoiseModel.planck())
    coord = SkyCoord([359.07], [-32.12], unit="deg", frame="galactic")
    sample = from_masses([5e14] * u.solMass, 0.15, coord=coord)
    image = run(sample, mocks).cutouts.data[0]
    # The published cutout of this position has 0.0556 and 0.1273.
    same = [
        np.isclose(a, b, rtol=1e-5, atol=0).mean()
        for a, b in (
            (image[:, 1:], image[:, :-1]),
            (image[1:], image[:-1]),
        )
    ]
    np.testing.assert_allclose(same, [0.0567, 0.1262], atol=3e-3)


def test_bilinear_sampling_smooths():
    sample = from_masses([5e14] * u.solMass, 0.4)
    smooth = CLUSTER_MODELS["a10"].smooth()
    peak = {}
    for sampling in ("point", "nearest", "bilinear"):
        observation = Observation(name="mine", sampling=sampling, geometry=SMALL)
        peak[sampling] = run(sample, observation, model=smooth).cutouts.data.max()
    # Three boxes of 1.72 arcmin through a beam of 10: 0.74 / 18.4 of the area.
    assert peak["bilinear"] / peak["point"] == pytest.approx(0.965, abs=0.006)
    assert peak["nearest"] / peak["point"] == pytest.approx(0.99, abs=0.02)


def test_holes():
    observation = Observation(name="mine", hole_density=2 / u.deg**2, hole_radius=6 * u.arcmin)
    mocks = run(draw_flat(40, seed=2), observation)
    footprint = mocks.cutouts.footprint
    share = 1 - np.exp(-2 * np.pi * 0.1**2)
    assert abs(1 - footprint.mean() - share) < 0.2 * share
    np.testing.assert_array_equal(np.isnan(mocks.cutouts.data), ~footprint)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sampling": "cubic"}, "'sampling' must be one of"),
        ({"centring": -1 * u.arcmin}, "'centring' must be one number >= 0"),
        ({"centring": 1}, "'centring' must be a Quantity"),
        ({"hole_density": -1 / u.deg**2}, "'hole_density'"),
        ({"nside": 0}, "'nside'"),
        ({"noise_sampling": "bilinear"}, "'noise_sampling' must be 'nearest' with the sampling"),
        ({"noise_sampling": "point", "sampling": "nearest"}, "Received: 'point' with 'nearest'"),
        ({"beam": None}, "'beam' must be given"),
        ({"noise": 1e-6}, "'noise' must be a NoiseModel"),
        ({"noise": NoiseModel.planck(), "beam": 7 * u.arcmin}, "a beam of 10.* observation has 7"),
    ],
)
def test_observations_refuse_what_cannot_be(options, text):
    with pytest.raises(InvalidInputError, match=text):
        Observation(name="mine", **options)


def test_bad_input(sample):
    with pytest.raises(UnknownNameError, match="planck-like"):
        run(sample, "planck")
    with pytest.raises(InvalidInputError, match="at least one cluster"):
        simulate(sample[:0], cosmology="PSZ2", seed=1, environment=True)
    with pytest.raises(InvalidInputError, match="'observation' must be a name"):
        run(sample, None)
    with pytest.raises(InvalidInputError, match="'projections'"):
        run(sample, "clean", projections=0)
    with pytest.raises(InvalidInputError, match="'chunk_size'"):
        run(sample, "clean", chunk_size=0)
    with pytest.raises(InvalidInputError, match="'seed'"):
        run(sample, "clean", seed=1.5)
