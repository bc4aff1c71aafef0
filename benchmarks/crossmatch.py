"""Time the cross-matching of two random skies, and compare with astropy's own functions.

    python benchmarks/crossmatch.py [--number 1000000] [--compare 100000] [--radius 60]

First every mode matches two skies of ``--number`` uniform positions in fresh processes, which
report wall time and peak memory. Then, with ``--compare`` positions, szmass and astropy's
``search_around_sky`` and ``match_to_catalog_sky`` do the same work in turns; the best of some
rounds counts. The pairs are compared as well.
"""

import argparse
import resource
import subprocess
import sys
import time

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import QTable

from szmass.catalogs.crossmatch import crossmatch


def sky(n, seed):
    rng = np.random.default_rng(seed)
    coord = SkyCoord(
        rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n))), unit="deg"
    )
    return QTable({"row": np.arange(n), "coord": coord, "redshift": rng.uniform(0, 1, n)})


def one_mode(n, radius, mode):
    a, b = sky(n, 1), sky(n, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    start = time.perf_counter()
    table = crossmatch(a, b, radius=radius, mode=mode)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{mode:8} {n} x {n}: {len(table)} pairs in {seconds:.1f} s, "
        f"peak {peak:.2f} GiB ({before:.2f} GiB before)"
    )


def compare(n, radius, rounds):
    a, b = sky(n, 1), sky(n, 2)
    near = u.Quantity(radius)

    def all_astropy():
        i, j, _, _ = search_around_sky(a["coord"], b["coord"], near)
        return set(zip(i.tolist(), j.tolist(), strict=True))

    def nearest_astropy():
        j, separation, _ = a["coord"].match_to_catalog_sky(b["coord"])
        i = np.flatnonzero(separation <= near)
        return set(zip(i.tolist(), j[i].tolist(), strict=True))

    def with_szmass(mode):
        # A given density leaves out what astropy does not compute.
        table = crossmatch(a, b, radius=near, mode=mode, density=1 / u.deg**2)
        return set(zip(table["a_row"].tolist(), table["b_row"].tolist(), strict=True))

    for mode, theirs in (("all", all_astropy), ("nearest", nearest_astropy)):
        times = {"szmass": [], "astropy": []}
        for _ in range(rounds):
            for name, work in (
                ("szmass", lambda mode=mode: with_szmass(mode)),
                ("astropy", theirs),
            ):
                for frame in (a, b):  # astropy keeps the tree of a SkyCoord
                    frame["coord"] = SkyCoord(frame["coord"].ra, frame["coord"].dec)
                start = time.perf_counter()
                pairs = work()
                times[name].append(time.perf_counter() - start)
                if name == "szmass":
                    ours = pairs
        best = {name: min(values) for name, values in times.items()}
        print(
            f"{mode:8} {n} x {n}: szmass {best['szmass']:.2f} s, astropy {best['astropy']:.2f} s, "
            f"ratio {best['astropy'] / best['szmass']:.2f}, {len(ours)} pairs, "
            f"{'the same' if ours == pairs else 'NOT the same'}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=1_000_000)
    parser.add_argument("--compare", type=int, default=100_000)
    parser.add_argument("--radius", default="10 arcmin")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mode", help="run one mode in this process")
    arguments = parser.parse_args()
    if arguments.mode:
        one_mode(arguments.number, arguments.radius, arguments.mode)
        return
    for mode in ("best", "nearest", "all"):
        options = ["--number", str(arguments.number), "--radius", arguments.radius, "--mode", mode]
        subprocess.run([sys.executable, __file__, *options], check=True)
    compare(arguments.compare, arguments.radius, arguments.rounds)


if __name__ == "__main__":
    main()
