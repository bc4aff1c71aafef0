"""Data sets on disk: maps per second from masses to files and back, and memory.

    python benchmarks/dataset.py [CLUSTERS] [FOLDER]

Each case runs in a process of its own; memory is the largest of the process and of its workers.
End to end includes the start of the workers, some seconds each, which counts for little in a large
data set; seconds of one core do not depend on what else the machine does.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from szmass.simulations import SimulationDataset, draw_flat, make_dataset

PROJECTIONS = 27
FULL = 7106 * PROJECTIONS
SHARD = 512  # small, so that few maps are shared evenly


def write(path, clusters, workers, observation):
    """Make one data set."""
    sample = draw_flat(clusters, seed=1)
    start, begun = time.perf_counter(), cpu_seconds()
    dataset = make_dataset(
        path,
        sample,
        observation,
        cosmology="PSZ2",
        seed=1,
        projections=PROJECTIONS,
        workers=workers,
        shard_size=SHARD,
    )
    rate = len(dataset) / (time.perf_counter() - start)
    work = len(dataset) / (cpu_seconds() - begun)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(
        f"{len(dataset)} maps, {observation}, {workers} process(es): {rate:.0f} maps/s end to end, "
        f"{work:.0f} maps per second of one core, {size / len(dataset) * FULL / 1e9:.2f} GB for "
        f"{FULL}"
    )


def cpu_seconds():
    """Processor time of this process and of its workers that have ended."""
    return sum(os.times()[:4])


def read(path):
    """Read a data set in all ways."""

    def timed(label, function, n=None):
        start = time.perf_counter()
        result = function()
        elapsed = time.perf_counter() - start
        print(f"{label}: {elapsed:.2f} s" + (f", {n / elapsed:.0f} / s" if n else ""))
        return result

    dataset = timed("open", lambda: SimulationDataset.open(path))
    n = len(dataset)
    timed("in order, batches of 256", lambda: sum(len(r) for r, _ in dataset.batches(256)), n)
    shuffled = dataset.batches(256, seed=1, buffer=2048)
    timed("shuffled, batches of 256", lambda: sum(len(r) for r, _ in shuffled), n)
    rows = np.random.default_rng(0).integers(0, n, 200)
    timed("single maps anywhere", lambda: [dataset.maps([row]) for row in rows], 200)
    timed("masses and redshifts", lambda: dataset.table(["mass_true", "redshift"]))
    timed("the whole truth", dataset.table)
    timed("split", lambda: dataset.split(seed=1))
    timed("verify", dataset.verify, n)


def main(clusters, folder):
    """Run every case by itself."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        for size in (clusters // 4, clusters):
            for workers, observation in ((1, "clean"), (2, "clean"), (2, "planck-like")):
                path = Path(temporary) / "data.zarr"
                shutil.rmtree(path, ignore_errors=True)
                case("write", path, size, workers, observation)
        case("read", path)


def case(*arguments):
    """Run a case in a new process."""
    subprocess.run([sys.executable, __file__, "case", *map(str, arguments)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["case"]:
        what, path, *numbers = sys.argv[2:]
        if what == "write":
            write(Path(path), int(numbers[0]), int(numbers[1]), numbers[2])
        else:
            read(Path(path))
        peak = [
            resource.getrusage(who).ru_maxrss / 1024
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        print(f"    memory: {peak[0]:.0f} MB, largest worker {peak[1]:.0f} MB")
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 185, sys.argv[2] if sys.argv[2:] else None)
