"""Mutated folders of simulated data sets."""

import functools
import hashlib
import json
import tempfile
from pathlib import Path

import astropy.units as u
import numpy as np

from fuzzing import damage
from fuzzing.cases import FREE, REFUSED, SAME, SAME_OR_REFUSED, Case, changed
from fuzzing.damage import pick
from fuzzing.networks import edited
from szmass.maps import CutoutGeometry
from szmass.simulations import Observation, SimulationDataset, draw_flat, make_dataset


@functools.cache
def _base():
    """The files of a small data set by name, and what it holds."""
    geometry = CutoutGeometry(shape=(8, 8), pixel_scale=4 * u.arcmin)
    observation = Observation(name="fuzz", geometry=geometry)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "set.zarr")
        made = draw_flat(6, seed=1)
        made.table["remark"] = [f"r{i}" for i in range(6)]
        make_dataset(path, made, observation, cosmology="PSZ2", seed=3, shard_size=4, projections=1)
        files = {
            str(file.relative_to(path)): file.read_bytes()
            for file in sorted(path.rglob("*"))
            if file.is_file()
        }
        return files, _read(path)


def _read(path):
    dataset = SimulationDataset.open(path)
    dataset.verify()
    sample = dataset.sample()
    noise = dataset.noise
    return {
        "maps": dataset.maps(),
        "name": sample.names,
        "redshift": dataset.redshift,
        "ra": sample.coord.icrs.ra.deg,
        "columns": np.array(sorted(sample.table.colnames)),
        "remark": np.asarray(sample.table["remark"]).astype(str),
        "beam": np.nan if dataset.beam is None else dataset.beam.to_value(u.arcmin),
        "scale": dataset.geometry.pixel_side(u.arcmin),
        "sampling": dataset.sampling.kind,
        "ell": np.zeros(0) if noise is None else noise.ell,
        "digest": dataset.digest,
    }


def dataset_case(rng, folder):
    """A folder of a data set."""
    files, reference = _base()
    files, path = dict(files), folder / "set.zarr"
    way = pick(rng, ("bytes", "bytes", "json", "json", "json", "lost", "swapped", "record", "more"))
    data = [name for name in files if not name.endswith(".json")]
    texts = [name for name in files if name.endswith(".json")]
    expected = SAME_OR_REFUSED
    if way == "bytes":
        target = pick(rng, data)
        name, files[target] = damage.garbled(rng, files[target])
        name = f"{target}: {name}"
        if target == "noise.fits":
            expected = FREE
    elif way == "json":
        target = pick(rng, texts)
        kind, where, new, values = edited(rng, json.loads(files[target]))
        files[target] = json.dumps(values).encode()
        name = f"{target} {'.'.join(map(str, where))} {kind} {new!r:.20}"
        # What it was made from and what is in it is what the folder says; nothing tells better.
        says = {"recipe", "meta", "cutouts", "version", "columns"} & set(map(str, where))
        expected = (
            FREE
            if says or target.count("/")
            else changed({"digest": reference["digest"]}, same=True, refused=True)
        )
        if "shards" in target and kind != "as it was":
            expected = FREE
    elif way == "lost":
        target = pick(rng, tuple(files))
        del files[target]
        name = f"{target} lost"
        expected = (
            FREE if target in ("noise.fits", "shards/zarr.json", "truth/zarr.json") else REFUSED
        )
    elif way == "swapped":
        a, b = pick(rng, data), pick(rng, data)
        files[a], files[b] = files[b], files[a]
        name = f"{a} and {b} swapped"
        expected = SAME if files[a] == files[b] else REFUSED
        if "noise.fits" in (a, b) and a != b:
            expected = FREE
    elif way == "record":
        name, expected = _with_record(rng, files, data)
    else:
        extra = pick(rng, ("notes.txt", "shards/9/zarr.json", "maps/c/9/0/0", ".partial/x"))
        files[extra], name, expected = b"x", f"{extra} more", SAME_OR_REFUSED
    for file, content in files.items():
        target = path / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return Case(f"data set {name}", expected, lambda: _read(path), reference)


def _with_record(rng, files, data):
    """Damage a file and put its new size and SHA-256 on record."""
    target = pick(rng, [name for name in data if name != "noise.fits"])
    what, content = damage.garbled(rng, files[target])
    files[target] = content
    for name in files:
        if name.startswith("shards/") and name.count("/") == 2:
            record = json.loads(files[name])
            own = record["attributes"]["files"]
            if target in own:
                digest = hashlib.sha256(content).hexdigest()
                own[target] = {"size": len(content), "sha256": digest}
                files[name] = json.dumps(record).encode()
    # The arrays have check sums of their own; what is not read tells nothing.
    return f"{target}: {what}, on record", FREE
