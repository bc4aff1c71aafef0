"""Data sets on disk: the same whatever makes them, whole or not there, split by cluster."""

import errno
import functools
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass._utils.workers import run_tasks
from szmass.exceptions import (
    DiskSpaceError,
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    MissingDependencyError,
    UnknownNameError,
    WorkerError,
)
from szmass.maps import CutoutGeometry
from szmass.simulations import (
    CLUSTER_MODELS,
    Observation,
    SimulationDataset,
    draw_flat,
    make_dataset,
    simulate,
)
from szmass.simulations.dataset import _shards, mocks
from szmass.simulations.dataset.origin import plain
from szmass.simulations.dataset.rows import split_clusters

zarr = pytest.importorskip("zarr")

GEOMETRY = CutoutGeometry(shape=(16, 20), pixel_scale=4 * u.arcmin)
SMALL = Observation(name="small", geometry=GEOMETRY, hole_density=2 / u.deg**2)
SETTINGS = {"cosmology": "PSZ2", "seed": 3, "projections": 4, "shard_size": 16}


@pytest.fixture(scope="module")
def sample():
    clusters = draw_flat(17, seed=1)
    clusters.table["noted"] = np.ma.masked_array(np.arange(17), np.arange(17) % 3 == 0)
    clusters.table["remark"] = np.ma.masked_array(["é" * (i % 5) for i in range(17)], False)
    clusters.table["remark"].mask[4] = True
    clusters.table["coord"] = clusters.coord.transform_to("fk5")
    return clusters


def make(path, sample, **options):
    return make_dataset(path, sample, SMALL, **{**SETTINGS, **options})


@pytest.fixture(scope="module")
def made(sample, tmp_path_factory):
    return make(tmp_path_factory.mktemp("made") / "data.zarr", sample)


@pytest.fixture
def copy(made, tmp_path):
    """Give a copy of the data set to damage."""
    return Path(shutil.copytree(made.path, tmp_path / "data.zarr"))


def contents(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_it_holds_what_simulate_gives(made, sample):
    mocks = simulate(sample, SMALL, cosmology="PSZ2", seed=3, projections=4)
    assert len(made) == 68
    assert made.geometry == GEOMETRY
    assert made.beam == 10 * u.arcmin
    stored = made[:]
    np.testing.assert_allclose(stored.cutouts.data, mocks.cutouts.data, rtol=1e-5)
    np.testing.assert_array_equal(stored.cutouts.footprint, mocks.cutouts.footprint)
    assert not stored.cutouts.complete.all()
    assert stored.cutouts.meta == mocks.cutouts.meta
    assert stored.meta == mocks.meta
    assert stored.table.colnames == mocks.table.colnames
    for name in mocks.table.colnames:
        ours, theirs = stored.table[name], mocks.table[name]
        if name == "coord":
            assert ours.separation(theirs).max() < 1e-6 * u.arcsec
            continue
        assert type(ours) is type(theirs), name
        assert ours.dtype.kind == theirs.dtype.kind
        assert getattr(ours, "unit", None) == getattr(theirs, "unit", None)
        np.testing.assert_array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs))
        if ours.dtype.kind == "f":
            # Sums may be rounded otherwise among other clusters.
            ours, theirs = (np.ma.filled(np.ma.asarray(a), np.nan) for a in (ours, theirs))
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        else:
            np.testing.assert_array_equal(ours, theirs)
    assert made.origin["seed"] == 3
    with pytest.warns(DeprecationWarning, match="Use origin instead"):
        assert made.recipe == made.origin
    assert made.origin["model"]["one_minus_b"] == 0.8
    assert made.origin["observation"]["hole_density"] == {"value": 2.0, "unit": "1 / deg2"}


def test_rows(made):
    whole = made.maps()
    rows = np.array([50, 3, 3, -1, 20])
    np.testing.assert_array_equal(made.maps(rows), whole[rows])
    np.testing.assert_array_equal(made.maps(slice(5, 40, 7)), whole[5:40:7])
    np.testing.assert_array_equal(made.maps(made.cluster_id == 7), whole[28:32])
    assert len(made.maps([])) == len(made[[]]) == 0
    part = made.take(rows)
    np.testing.assert_array_equal(part.maps(), whole[rows])
    np.testing.assert_array_equal(part.take([1]).maps(), whole[[3]])
    np.testing.assert_array_equal(part.cluster_id, [12, 0, 0, 16, 5])
    cluster = made[50]
    assert cluster.name == "MOCK 12 p2"
    np.testing.assert_array_equal(cluster.cutout.data, whole[50])
    assert made.sample(["mass_true"]).table.colnames == ["name", "coord", "redshift", "mass_true"]
    again = pickle.loads(pickle.dumps(part))  # noqa: S301
    np.testing.assert_array_equal(again.maps(), part.maps())
    assert "5 of 68 maps" in repr(again)
    with pytest.raises(InvalidInputError, match="has 68 maps. Received: rows 68"):
        made.maps([68])
    with pytest.raises(InvalidInputError, match=r"one entry per map \(68\)"):
        made.take(np.ones(3, dtype=bool))
    with pytest.raises(InvalidInputError, match="a slice, a mask or rows"):
        made.take([0.5])
    with pytest.raises(InvalidInputError, match="no column 'mass'"):
        made.table(["mass"])
    with pytest.raises(IndexError, match="no map 68"):
        made[68]


def test_plain_zarr_reads_it(made):
    group = zarr.open_group(made.path, mode="r")
    np.testing.assert_array_equal(group["maps"][:], made.maps())
    np.testing.assert_array_equal(group["truth/cluster_id"][:], made.cluster_id)
    assert {name for name, _ in group.members()} == {"maps", "truth", "shards"}


@pytest.mark.parametrize(("batch_size", "buffer"), [(5, 16), (16, 8), (100, 1000), (3, 40)])
@pytest.mark.parametrize("seed", [None, 2])
def test_batches_hold_every_map_once(made, batch_size, buffer, seed):
    whole = made.maps()
    part = made.take(np.arange(60)[::-1])
    batches = list(part.batches(batch_size, seed=seed, buffer=buffer))
    assert {len(rows) for rows, _ in batches[:-1]} <= {batch_size}
    rows = np.concatenate([rows for rows, _ in batches])
    assert sorted(rows) == list(range(60))
    for here, maps in batches:
        np.testing.assert_array_equal(maps, whole[59 - here])
    if seed is None:
        assert list(rows) == list(range(60))
    else:
        again = part.batches(batch_size, seed=seed, buffer=buffer)
        np.testing.assert_array_equal(rows, np.concatenate([r for r, _ in again]))
        later = part.batches(batch_size, seed=seed, epoch=1, buffer=buffer)
        assert list(rows) != list(np.concatenate([r for r, _ in later]))


def test_batches_read_a_block_at_a_time(made, monkeypatch):
    sizes = []
    read = SimulationDataset.maps

    def counted(self, index):
        sizes.append(len(index))
        return read(self, index)

    monkeypatch.setattr(SimulationDataset, "maps", counted)
    assert sum(len(rows) for rows, _ in made.batches(7, seed=1, buffer=32)) == 68
    assert max(sizes) <= 32
    assert sum(sizes) == 68
    with pytest.raises(InvalidInputError, match="'batch_size'"):
        next(made.batches(0))


def test_two_processes_a_killed_one_and_dask_write_the_same_bytes(
    made, sample, tmp_path, monkeypatch
):
    more = draw_flat(34, seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(mocks, "run_tasks", run_and_kill_a_worker)
        with pytest.raises(WorkerError, match="run the same call again to go on"):
            make(tmp_path / "data.zarr", more, workers=2)
    left = SimulationDataset.open(tmp_path / "data.zarr", partial=True)
    assert 16 <= len(left) < 136
    with pytest.raises(IntegrityError, match="is not complete"):
        SimulationDataset.open(tmp_path / "data.zarr")
    make(tmp_path / "data.zarr", more, workers=2)
    make(tmp_path / "alone.zarr", more)
    assert contents(tmp_path / "data.zarr") == contents(tmp_path / "alone.zarr")

    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        for i, where in enumerate((client, client.scheduler.address)):
            dataset = make(tmp_path / f"dask{i}.zarr", sample, scheduler=where)
            assert contents(dataset.path) == contents(made.path)
            assert dataset.digest == made.digest


def run_and_kill_a_worker(*args, **options):
    for i, result in enumerate(run_tasks(*args, **options)):
        if i == 0:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        yield result


SCRIPT = """
import os, signal, sys
from szmass.simulations.dataset import _shards
from szmass.simulations import draw_flat, make_dataset
write, count = _shards._write, 0
def write_some(target, partial, content):
    global count
    count += 1
    if count == 45:
        (partial / "half").write_bytes(bytes(content)[:100])
        os.kill(os.getpid(), signal.SIGKILL)
    write(target, partial, content)
_shards._write = write_some
make_dataset(sys.argv[1], draw_flat(40, seed=1), "clean", cosmology="PSZ2", seed=3, shard_size=16)
"""


def test_go_on_after_a_kill(tmp_path):
    path = tmp_path / "data.zarr"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(SimulationDataset.open(path, partial=True)) == 16
    arguments = {"cosmology": "PSZ2", "seed": 3, "shard_size": 16}
    first = path / "maps/c/0/0/0"
    before = first.stat().st_mtime_ns
    whole = make_dataset(path, draw_flat(40, seed=1), "clean", **arguments)
    assert first.stat().st_mtime_ns == before
    other = make_dataset(tmp_path / "other.zarr", draw_flat(40, seed=1), "clean", **arguments)
    assert contents(path) == contents(other.path)
    assert whole.digest == other.digest


def test_nothing_is_done_twice(copy, sample, monkeypatch):
    monkeypatch.setattr(_shards, "write_shard", None)
    assert make(copy, sample).digest == SimulationDataset.open(copy).digest


def test_a_full_disk(sample, tmp_path, monkeypatch):
    write, written = _shards._write, []

    def full_after_two_shards(target, partial, content):
        if len(list(tmp_path.glob("data.zarr/shards/*/zarr.json"))) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(target, partial, content)
        written.append(target)

    monkeypatch.setattr(_shards, "_write", full_after_two_shards)
    with pytest.raises(DiskSpaceError, match="Finished shards are kept; make room"):
        make(tmp_path / "data.zarr", sample)
    monkeypatch.setattr(_shards, "_write", write)
    assert len(SimulationDataset.open(tmp_path / "data.zarr", partial=True)) == 32
    assert len(make(tmp_path / "data.zarr", sample)) == 68
    monkeypatch.setattr(_shards.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DiskSpaceError, match="are missing"):
        make(tmp_path / "second.zarr", sample)


@pytest.mark.parametrize("name", ["maps/c/2/0/0", "truth/redshift/c/2"])
def test_damaged_shards_are_found_and_made_again(copy, made, sample, name):
    content = bytearray((copy / name).read_bytes())
    content[40] ^= 0xFF
    (copy / name).write_bytes(content)
    dataset = SimulationDataset.open(copy)
    with pytest.raises(IntegrityError, match=rf"1 of 5 shards .* 2; in shard 2 {name}"):
        dataset.verify()
    with pytest.raises(IntegrityError, match="Shard 2 of .* cannot be read"):
        _ = dataset[30:40]
    assert len(dataset.maps(slice(0, 32))) == 32
    # Sizes alone do not tell.
    make(copy, sample)
    with pytest.raises(IntegrityError):
        dataset.verify()
    make(copy, sample, verify=True).verify()
    assert contents(copy) == contents(made.path)


def test_a_truncated_or_lost_file_is_no_shard(copy, made, sample):
    with (copy / "maps/c/1/0/0").open("r+b") as stream:
        stream.truncate(1000)
    (copy / "truth/name/c/3/0").unlink()
    (copy / "shards/4/zarr.json").write_text("{")
    with pytest.raises(IntegrityError, match="2 of 5 shards are there"):
        SimulationDataset.open(copy)
    assert len(SimulationDataset.open(copy, partial=True)) == 32
    make(copy, sample)
    assert contents(copy) == contents(made.path)


def test_other_things_are_not_overwritten(copy, sample, tmp_path):
    before = contents(copy)
    with pytest.raises(InvalidInputError, match=r"another data set \(seed: 3 there, 4 asked for"):
        make(copy, sample, seed=4)
    with pytest.raises(InvalidInputError, match="clusters.number: 17 there, 16 asked for"):
        make(copy, sample[:16])
    with pytest.raises(InvalidInputError, match="model.one_minus_b"):
        make(copy, sample, model=CLUSTER_MODELS["he2021"])
    assert contents(copy) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    for name in ("mine", "mine/thesis.tex"):
        with pytest.raises(InvalidInputError, match="exists and is no data set of szmass"):
            make(tmp_path / name, sample, overwrite=True)
    with pytest.raises(InvalidInputError, match="output folder .* does not exist"):
        make(tmp_path / "none" / "data.zarr", sample)
    assert make(copy, sample[:2], seed=4, overwrite=True).origin["seed"] == 4


@pytest.mark.parametrize("name", ["notes.txt", "truth/redshift/c/mine", "shards/0/zarr.json.bak"])
def test_files_of_the_user_are_not_removed_with_a_data_set(tmp_path, copy, sample, name):
    (copy / ".partial").mkdir()
    (copy / ".partial" / "left").write_text("by a run that was ended")
    (copy / name).write_text("mine")
    before = contents(copy)
    with pytest.raises(InvalidInputError, match=f"'{name}' in it is no part of it"):
        make(copy, sample[:2], seed=4, overwrite=True)
    assert contents(copy) == before
    (copy / name).unlink()
    assert make(copy, sample[:2], seed=4, overwrite=True).origin["seed"] == 4


def test_what_is_no_data_set(tmp_path, copy):
    with pytest.raises(FileNotFoundError, match="no data set"):
        SimulationDataset.open(tmp_path / "none")
    with pytest.raises(FileFormatError, match="is no data set of szmass"):
        SimulationDataset.open(tmp_path)
    about = json.loads((copy / "zarr.json").read_text())
    for key, value in (("name", None), ("unit", "é" * 9), ("kind", "picture")):
        odd = json.loads(json.dumps(about))
        odd["attributes"]["szmass"]["layout"]["columns"][-1][key] = value
        (tmp_path / "odd").mkdir(exist_ok=True)
        (tmp_path / "odd" / "zarr.json").write_text(json.dumps(odd))
        with pytest.raises(FileFormatError, match="is no data set of szmass"):
            SimulationDataset.open(tmp_path / "odd")
    for name, content in (("redshift", None), ("mass_true", "{")):
        file = copy / "truth" / name / "zarr.json"
        file.unlink() if content is None else file.write_text(content)
        with pytest.raises(FileFormatError, match=f"'truth/{name}' .* make the data set anew"):
            SimulationDataset.open(copy).table([name])
    text = (copy / "zarr.json").read_text()
    (copy / "zarr.json").write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(FileFormatError, match="has format 2, .* Update szmass"):
        SimulationDataset.open(copy)


def test_bad_arguments(sample, tmp_path, monkeypatch):
    path = tmp_path / "data.zarr"
    twice = sample[np.arange(17)]
    twice.table["cluster_id"] = 0
    for arguments, text in (
        ({"sample": sample[[]]}, "holds no clusters"),
        ({"sample": twice}, "must be different for every cluster"),
        ({"sample": sample, "projections": 0}, "'projections'"),
        ({"sample": sample, "shard_size": 0}, "'shard_size'"),
        ({"sample": sample, "workers": 0}, "'workers'"),
        ({"sample": sample, "workers": 2, "scheduler": "tcp://x:1"}, "not both"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            make(path, **arguments)
    assert not path.exists()
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingDependencyError, match=r"szmass\[distributed\]"):
        make(tmp_path / "other.zarr", sample)


def test_errors_come_back_from_other_processes():
    for error in (DiskSpaceError("full"), InvalidInputError("bad"), WorkerError("dead")):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(again), str(again)) == (type(error), str(error))


def test_objects_that_cannot_be_recorded():
    assert plain(np.arange(100.0)) == plain(np.arange(100.0))
    assert plain(np.arange(100.0)) != plain(np.arange(100))
    with pytest.raises(InvalidInputError, match="cannot be put into words"):
        plain(object())


clusters = st.lists(st.integers(0, 40), min_size=30, max_size=200)
parts = st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4)


@settings(deadline=None, max_examples=60)
@given(clusters, parts, st.integers(0, 1000))
def test_no_cluster_is_on_two_sides(ids, fractions, seed):
    ids = np.array(ids)
    fractions = np.array(fractions) / np.sum(fractions)
    number = len(np.unique(ids))
    split = functools.partial(split_clusters, ids, None, fractions, seed, None)
    if number < len(fractions):
        with pytest.raises(InvalidInputError, match="parts that each need one"):
            split()
        return
    rows = split()
    assert sorted(np.concatenate(rows)) == list(range(len(ids)))
    sides = [set(ids[r]) for r in rows]
    assert sum(map(len, sides)) == len(set().union(*sides)) == number
    assert min(map(len, sides)) >= 1
    # Within rounding, and what the smallest parts take.
    assert all(
        abs(len(side) - f * number) < 1 + len(fractions)
        for side, f in zip(sides, fractions, strict=True)
    )
    for one, other in zip(rows, split(), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.integers(12, 60))
def test_every_part_has_every_redshift_bin(seed, n):
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(n), 3)
    edges = np.array([0.0, 0.1, 0.2, 0.4, 1.0])
    redshift = np.repeat(edges[1:][np.arange(n) % 4] - rng.uniform(0, 0.09, n), 3)
    rows = split_clusters(ids, redshift, (0.7, 0.15, 0.1), seed, edges)
    for part in rows:
        assert set(np.searchsorted(edges, redshift[part])) == {1, 2, 3, 4}
        assert np.all(np.diff(part) > 0)
    # What else there is does not change who is on which side, as long as clusters are the same.
    order = rng.permutation(len(ids))
    shuffled = split_clusters(ids[order], redshift[order], (0.7, 0.15, 0.1), seed, edges)
    for part, other in zip(rows, shuffled, strict=True):
        assert set(ids[part]) == set(ids[order][other])


def test_split(made):
    train, test = made.split((0.7, 0.3), seed=1, redshift_bins=(0, 0.5, 1.0))
    assert len(train) + len(test) == 68
    assert not set(train.cluster_id) & set(test.cluster_id)
    with pytest.raises(InvalidInputError, match=r"1 clusters in the redshift bin \(0, 0.0"):
        made.split((0.5, 0.5), seed=1, redshift_bins=(0, np.sort(made.redshift)[0] + 1e-9, 1))
    with pytest.raises(InvalidInputError, match=r"redshift outside of \(0, 0.3\]"):
        made.split((0.5, 0.5), seed=1, redshift_bins=(0, 0.3))
    for fractions in ((0.8, 0.3), (1.2,), (-0.1, 0.5), (), (np.nan,)):
        with pytest.raises(InvalidInputError, match="'fractions'"):
            made.split(fractions, seed=1)
    with pytest.raises(InvalidInputError, match="'redshift_bins'"):
        made.split((0.5,), seed=1, redshift_bins=(1, 0))


def test_positions_of_other_frames_come_back_in_icrs(made, sample):
    assert made.sample().coord.frame.name == "icrs"
    assert isinstance(made.sample().coord, SkyCoord)
    assert made.sample().coord[0].separation(sample.coord[0]) < 1e-6 * u.arcsec


def test_maps_of_a_data_set_say_what_is_in_them(tmp_path):
    population, options = draw_flat(6, seed=5), {"cosmology": "PSZ2", "seed": 3}
    made = make_dataset(tmp_path / "noisy.zarr", population, "planck-like", **options)
    mock = simulate(population, "planck-like", **options)
    stack = made[:4].cutouts
    ell, drawn = np.geomspace(50, 5000, 20), mock.cutouts.noise
    np.testing.assert_allclose(
        stack.noise.spectrum(ell).value, drawn.spectrum(ell).value, rtol=1e-12
    )
    assert repr(stack.noise) == repr(drawn)
    assert stack.sampling == mock.cutouts.sampling
    assert make_dataset(tmp_path / "clean.zarr", population, **options)[:2].cutouts.noise is None


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("shape", 0), 10**19),
        (("shape", 0), 3),
        (("chunk_grid", "configuration", "chunk_shape", 0), 0),
        (("codecs",), [float("nan")]),
        (("chunk_key_encoding", "name"), -1),
        (("fill_value",), 1e300),
        (("storage_transformers",), 3),
    ],
    ids=lambda value: str(value)[:30],
)
# Newer versions of zarr say of some of it that it is wrong, too.
@pytest.mark.filterwarnings("ignore:.*stored chunk shape")
def test_descriptions_of_arrays_that_cannot_be(copy, keys, value):
    file = copy / "truth" / "cluster_id" / "zarr.json"
    described = entry = json.loads(file.read_text())
    for key in keys[:-1]:
        entry = entry[key]
    entry[keys[-1]] = value
    file.write_text(json.dumps(described))
    with pytest.raises((FileFormatError, IntegrityError), match="truth/cluster_id"):
        SimulationDataset.open(copy).table(["cluster_id"])


@pytest.mark.parametrize("files", [3, [1], {"maps/c/0/0/0": 3}, {"maps/c/0/0/0": {"size": []}}])
def test_records_of_shards_that_cannot_be(copy, files):
    file = copy / "shards" / "0" / "zarr.json"
    record = json.loads(file.read_text())
    record["attributes"]["files"] = files
    file.write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match="not complete"):
        SimulationDataset.open(copy)


@pytest.mark.parametrize("arguments", [("x",), ("x", None, None), ("x", {}, []), (3, 3, 3)])
def test_a_data_set_made_of_nonsense_says_how_to_open_one(arguments):
    with pytest.raises(InvalidInputError, match="SimulationDataset.open"):
        SimulationDataset(*arguments)


def test_fields_lie_in_files_of_their_own(tmp_path, sample):
    options = {"cosmology": "PSZ2", "seed": 3, "shard_size": 8}
    fields = {"mass": {}, "xray": {"exposure": 10 * u.ks}}
    path = tmp_path / "fields.zarr"
    dataset = make_dataset(path, sample, SMALL, fields=fields, **options)
    alone = make_dataset(tmp_path / "alone.zarr", sample, SMALL, **options)
    mocks_ = simulate(sample, SMALL, cosmology="PSZ2", seed=3, fields=fields)
    assert dataset.fields == {"mass": u.Unit("solMass / Mpc2"), "xray": u.ct}
    assert alone.fields == {}
    assert not (tmp_path / "alone.zarr" / "fields").exists()
    assert "fields" not in json.dumps(alone.origin)
    np.testing.assert_array_equal(dataset.maps(), alone.maps())
    shutil.rmtree(path / "maps")
    shutil.rmtree(path / "fields" / "xray")
    found = SimulationDataset(path, dataset._attributes, dataset._rows).maps([3, 12], field="mass")
    np.testing.assert_array_equal(found, mocks_.fields["mass"].data[[3, 12]])
    stack = dataset.field("mass", [3, 12])
    expected = mocks_.fields["mass"][[3, 12]]
    np.testing.assert_array_equal(stack.data, expected.data)
    assert (stack.unit, stack.beam, stack.geometry) == (expected.unit, SMALL.beam, SMALL.geometry)
    assert stack.names.tolist() == expected.names.tolist()
    assert stack.meta == expected.meta
    np.testing.assert_allclose(stack.coord.separation(expected.coord).arcsec, 0, atol=1e-6)
    with pytest.raises(InvalidInputError, match="'name' must be a str"):
        dataset.field(None)
    table = dataset.table(["mgas500", "concentration500"])
    np.testing.assert_array_equal(table["mgas500"], mocks_.table["mgas500"])
    with pytest.raises(UnknownNameError, match="no field 'galaxies'.*mass, xray"):
        dataset.maps(field="galaxies")
    with pytest.raises(InvalidInputError, match="name of one field"):
        dataset.maps(field=["mass"])
    with pytest.raises(InvalidInputError, match=r"is another data set \(fields.xray: .*null asked"):
        make_dataset(path, sample, SMALL, fields="mass", **options)
    turned = dict(reversed(fields.items()))
    with pytest.raises(InvalidInputError, match=r"\(fields: in another order\)"):
        make_dataset(path, sample, SMALL, fields=turned, **options)
