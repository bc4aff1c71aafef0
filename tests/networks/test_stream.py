"""Maps for training: fresh noise in every epoch, and the same for the same seed."""

import itertools

import astropy.units as u
import numpy as np
import pytest

from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps import CutoutGeometry, NoiseModel
from szmass.networks._inputs import pooled, turned
from szmass.networks.training._stream import MapStream, prefetched
from szmass.simulations import Observation, SimulationDataset, draw_flat, make_dataset

pytest.importorskip("zarr")

GEOMETRY = CutoutGeometry(shape=(16, 16), pixel_scale=4 * u.arcmin)
SMALL = Observation(name="small", geometry=GEOMETRY)
NOISE = NoiseModel.planck(depth=None)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("stream") / "clean.zarr"
    return make_dataset(
        path, draw_flat(30, seed=1), SMALL, cosmology="PSZ2", seed=2, projections=2, shard_size=16
    )


def make(dataset, noise=(NOISE,), **options):
    return MapStream(dataset, noise, **{"batch_size": 16, "seed": 5, "blocks": False} | options)


def whole(batches):
    """Join batches: rows, maps, numbers of the noise, depths."""
    parts = [part for batch in batches for part in batch]
    return tuple(
        np.concatenate([np.broadcast_to(getattr(p, name), getattr(p, name).shape) for p in parts])
        for name in ("rows", "maps", "depth")
    )


def assert_same(batches, others):
    for values, other in zip(whole(batches), whole(others), strict=True):
        np.testing.assert_array_equal(values, other)


@pytest.mark.parametrize("memory", [6e9, 0], ids=["in memory", "from disk"])
def test_an_epoch_has_each_map_at_most_once_in_whole_batches(dataset, memory):
    stream = make(dataset, memory=memory)
    assert stream.steps == 3
    orders = []
    for number in range(3):
        batches = list(stream.epoch(number))
        assert [len(part.rows) for (part,) in batches] == [16, 16, 16]
        rows, maps, depth = whole(batches)
        assert maps.dtype == np.float32
        assert maps.shape == (48, 16, 16)
        assert len(set(rows)) == 48
        assert np.all(depth == 1)
        orders.append(tuple(rows))
    assert len(set(orders)) == 3


@pytest.mark.parametrize("memory", [6e9, 0], ids=["in memory", "from disk"])
def test_it_depends_on_seed_and_epoch_alone(dataset, memory):
    stream = make(dataset, memory=memory)
    list(stream.epoch(0))
    third = list(stream.epoch(2))
    assert_same(third, make(dataset, memory=memory).epoch(2))
    assert_same(third, itertools.islice(make(dataset, memory=memory).batches(2), 3))
    endless = itertools.islice(make(dataset, memory=memory).batches(1), 6)
    assert_same(third, list(endless)[3:])
    assert not np.array_equal(whole(third)[1], whole(make(dataset, seed=6).epoch(2))[1])


def test_clean_maps_in_order_are_those_of_the_data_set(dataset):
    for memory in (6e9, 0):
        stream = make(dataset, [None], memory=memory)
        rows, maps, _ = whole(stream.epoch(0, in_order=True))
        np.testing.assert_array_equal(rows, np.arange(60))
        np.testing.assert_array_equal(maps, dataset.maps())
        assert_same(stream.epoch(0, in_order=True), stream.epoch(1, in_order=True))


def test_maps_come_in_the_eight_orientations(dataset):
    clean, seen = dataset.maps(), set()
    stream = make(dataset, [None], batch_size=4)
    for (part,) in itertools.islice(stream.batches(), 60):
        fits = [
            turn for turn in range(8) if np.array_equal(turned(clean[part.rows], turn), part.maps)
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    assert seen == set(range(8))


@pytest.mark.parametrize("memory", [6e9, 0], ids=["in memory", "from disk"])
def test_noise_is_fresh_and_has_its_amplitude(dataset, memory):
    stream = make(dataset, memory=memory)
    clean = dataset.maps()
    first, second = (whole(stream.epoch(i, in_order=True))[1] - clean for i in range(2))
    # Pixels of a field are correlated: 60 fields have some 1000 independent ones.
    for noise in (first, second):
        assert noise.std() == pytest.approx(NOISE.rms(), rel=0.1)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.15


def test_depth_scales_the_noise(dataset):
    deep = make(dataset, depth=(0.2, 0.4))
    clean = dataset.maps()
    _, maps, depth = whole(deep.epoch(0, in_order=True))
    assert np.all((depth >= 0.2) & (depth <= 0.4))
    assert len(set(depth)) == 60
    rms = (maps - clean).std(axis=(1, 2))
    assert np.mean(rms / depth) == pytest.approx(NOISE.rms(GEOMETRY), rel=0.1)
    # The same numbers without a range of depths: only the amplitude differs.
    plain = whole(make(dataset).epoch(0, in_order=True))[1] - clean
    np.testing.assert_allclose(maps - clean, depth[:, None, None] * plain, atol=1e-11)


def test_several_noise_models_share_a_batch(dataset):
    stream = make(dataset, [NOISE, None, NOISE.scaled(2)])
    clean = dataset.maps()
    used = set()
    for batch in stream.epoch(0, in_order=True):
        assert sorted(part.noise for part in batch) == [0, 1, 2]
        used |= {(row, part.noise) for part in batch for row in part.rows}
        for part in batch:
            noise = (part.maps - clean[part.rows]).std()
            expected = (1, 0, 2)[part.noise] * NOISE.rms()
            assert noise == pytest.approx(expected, rel=0.5, abs=1e-12)
    assert sorted(row for row, _ in used) == list(range(60))


def test_blocks_are_averaged_and_displaced(dataset):
    stream = make(dataset, [None], blocks=True)
    maps = whole(stream.epoch(0, in_order=True))[1]
    np.testing.assert_array_equal(maps, pooled(dataset.maps()))
    moved = whole(make(dataset, [None], blocks=True, centring=1.0).epoch(0, in_order=True))[1]
    assert moved.shape == maps.shape
    assert 0 < np.abs(moved - maps).max() < np.abs(maps).max()


@pytest.mark.parametrize("memory", [6e9, 0], ids=["in memory", "from disk"])
def test_maps_that_are_not_finite_are_refused(dataset, memory, monkeypatch):
    read = SimulationDataset.maps

    def damaged(self, index=slice(None)):
        maps = read(self, index)
        maps[::2, 3, 3] = np.nan
        return maps

    monkeypatch.setattr(SimulationDataset, "maps", damaged)
    with pytest.raises(
        InvalidInputError, match=r"\d+ maps of 'clean.zarr' have pixels that are not"
    ):
        list(make(dataset, memory=memory).epoch(0))


def test_small_and_senseless_streams(dataset):
    few = make(dataset.take(slice(0, 5)))
    assert (few.batch_size, few.steps) == (5, 1)
    with pytest.raises(InvalidInputError, match="no maps to train on"):
        make(dataset.take(slice(0, 0)))
    with pytest.raises(InvalidInputError, match="'centring' needs 'blocks'"):
        make(dataset, centring=1.0)


def test_prefetched_gives_the_same_and_raises_what_is_raised():
    assert list(prefetched(range(20), ahead=3)) == list(range(20))
    assert list(prefetched([])) == []

    def failing():
        yield from range(3)
        raise FileFormatError("shard 3 is damaged")

    found = []
    with pytest.raises(FileFormatError, match="shard 3"):
        found.extend(prefetched(failing()))
    assert found == [0, 1, 2]


def test_prefetched_runs_ahead_and_no_further():
    taken = []

    def counted():
        for number in itertools.count():
            taken.append(number)
            yield number

    stream = prefetched(counted(), ahead=3)
    assert next(stream) == 0
    stream.close()
    assert len(taken) <= 5
