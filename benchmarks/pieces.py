"""Measure catalogues of many clusters from map and catalogue to a mass table, on the shell.

    python benchmarks/pieces.py [--number 1000000] [--short 10000] [--estimators matched_filter]

A catalogue and a map of 201 MB are made in a temporary folder, and ``szmass estimate`` runs on
them: on the short catalogue and on the long one for rate and memory, and on one of twice the short
one with one and two workers of a Dask cluster that is started here, and as two independent
processes that do one half each. Ratios are worth more than seconds.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import astropy.units as u
import healpy
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass import ClusterSample

NSIDE = 2048


def write_catalog(path, number, seed=1):
    """Write clusters all over the sky."""
    rng = np.random.default_rng(seed)
    lon = rng.uniform(0, 360, number)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, number)))
    table = QTable(
        {
            "name": np.char.add("c", np.arange(number).astype(str)),
            "coord": SkyCoord(lon, lat, unit="deg", frame="galactic"),
            "redshift": rng.uniform(0.05, 1, number),
            "y5r500": rng.uniform(1e-4, 1e-2, number) * u.arcmin**2,
        }
    )
    ClusterSample(table).write(path)


def write_map(path):
    """Write a map of white noise."""
    rng = np.random.default_rng(2)
    values = rng.normal(0, 2e-6, 12 * NSIDE**2).astype(np.float32)
    healpy.write_map(str(path), values, coord="G", column_names=["FULL"], dtype=np.float32)


class Runs:
    """Runs of the command, with wall-clock time [s] and peak memory [MiB]."""

    def __init__(self, folder, estimators):
        self.folder, self.estimators = folder, estimators
        self.log = folder / "log"

    def start(self, catalog, *more):
        """Start one; give what `end` takes."""
        output = self.folder / f"{time.monotonic_ns()}.fits"
        command = [sys.executable, "-m", "szmass", "estimate"]
        options = {
            "catalog": catalog,
            "map": self.folder / "map.fits",
            "beam": "10 arcmin",
            "noise": "planck",
            "estimators": self.estimators,
            "output": output,
        }
        command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
        start = time.perf_counter()
        return subprocess.Popen([*command, *more], stderr=self.log.open("wb")), start, output

    def end(self, process, start, output):
        """Wait for one; give seconds, MiB and the table's bytes without its dates."""
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"szmass estimate failed: {status}\n{self.log.read_text()[-2000:]}")
        return time.perf_counter() - start, usage.ru_maxrss / 1024, output

    def run(self, catalog, *more):
        """Run one to its end."""
        return self.end(*self.start(catalog, *more))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=1_000_000)
    parser.add_argument("--short", type=int, default=10_000)
    parser.add_argument("--estimators", default="matched_filter")
    parser.add_argument("--no-cluster", action="store_true", help="leave Dask out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_map(folder / "map.fits")
        numbers = {"short": options.short, "long": options.number, "double": 2 * options.short}
        for name, number in numbers.items():
            write_catalog(folder / f"{name}.fits", number)
        write_catalog(folder / "half.fits", options.short, seed=3)
        runs = Runs(folder, options.estimators)
        rates = {}
        for name in ("short", "long"):
            seconds, memory, _ = runs.run(folder / f"{name}.fits")
            rates[name] = numbers[name] / seconds
            print(
                f"{numbers[name]:8d} clusters: {seconds:7.1f} s, {rates[name]:6.0f} a second, "
                f"{memory:5.0f} MiB at most",
                flush=True,
            )
        print(
            f"rate of the long one over that of the short one: {rates['long'] / rates['short']:.2f}"
        )
        if not options.no_cluster:
            compare_clusters(runs, folder)


def compare_clusters(runs, folder):
    """Print what two workers gain over one, beside two independent processes."""
    from distributed import LocalCluster

    seconds = {}
    for workers in (1, 2):
        with LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster:
            arguments = folder / "double.fits", "--scheduler", cluster.scheduler_address
            runs.run(folder / "short.fits", *arguments[1:])  # imports
            seconds[workers] = runs.run(*arguments)[0]
    start = time.perf_counter()
    for both in [runs.start(folder / f"{name}.fits") for name in ("short", "half")]:
        runs.end(*both)
    two = time.perf_counter() - start
    alone = runs.run(folder / "double.fits")[0]
    print(
        f"two Dask workers: {seconds[1] / seconds[2]:.2f} of the speed of one; two independent "
        f"processes: {alone / two:.2f} of that of one"
    )


if __name__ == "__main__":
    main()
