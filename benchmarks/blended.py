"""What the flag BLENDED holds: neighbours that move masses, found and missed, and false alarms.

    python benchmarks/blended.py [--number 600] [--seed 41]

Pairs of cutouts with the same noise, without and with a neighbour of half the cluster's mass, at
its redshift, 12 to 25 arcmin away. Clusters have a signal-to-noise ratio of 4.5 to 20 in the median
noise of the Planck y-maps. Only near clusters, of many arcmin, are moved by such neighbours: one
sample has redshifts of 0.02 to 0.1, another of 0.03 to 0.8. Beside them, how long the flag takes.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import time
import warnings
from itertools import pairwise

import astropy.units as u
import numpy as np

from szmass.estimators import LikelihoodMass, MatchedFilterMass
from szmass.exceptions import UnweighedClustersWarning
from szmass.maps.noise import NoiseModel
from szmass.results import MassFlag
from szmass.simulations import (
    ClusterPainter,
    Observation,
    draw_clusters,
    draw_flat,
    from_masses,
    get_cluster_model,
    simulate,
)

NOISE = NoiseModel.planck(depth=None)
MODEL = {"noise": NOISE, "relation": "arnaud2010", "one_minus_b": 0.8}
ESTIMATORS = MatchedFilterMass(**MODEL), LikelihoodMass(**MODEL, sigma_lny=0.1)
SNR, DISTANCE = (4.5, 20.0), (12.0, 25.0)
MODELS = {
    "smooth": get_cluster_model("a10").smooth(),
    "a10 without merging": get_cluster_model("a10").off("merging"),
    "a10": get_cluster_model("a10"),
}


def pairs(n, model, redshift, seed):
    """Clusters, their signal-to-noise ratios, distances of neighbours, and two sets of cutouts."""
    population = draw_flat(4 * n, mass=(5e13, 2e15) * u.solMass, redshift=redshift, seed=seed)
    clean = simulate(
        population, Observation(name="clean", noise=None), model=model, cosmology="PSZ2", seed=seed
    )
    size = np.clip(clean.quantity("theta500_true"), 0.6 * u.arcmin, 190 * u.arcmin)
    snr = np.asarray(ESTIMATORS[0].measure(clean, size)["snr"])
    rows = np.flatnonzero((snr > SNR[0]) & (snr < SNR[1]))[:n]
    alone = clean[rows]
    half = from_masses(0.5 * alone.quantity("mass_true"), alone.redshift, seed=seed + 1)
    rng = np.random.default_rng(seed + 2)
    distance = rng.uniform(*DISTANCE, len(rows))
    angle = rng.uniform(0, 2 * np.pi, len(rows))
    shift = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=-1)
    maps, _ = ClusterPainter(model).paint(
        draw_clusters(half, model, cosmology="PSZ2", seed=seed + 1),
        shift=shift[:, np.newaxis] * u.arcmin,
    )
    alone.cutouts.data[:] += NOISE.draw(alone.cutouts.geometry, len(rows), seed + 3, depth=1)
    both = alone[:]
    both.cutouts = alone.cutouts[:]
    both.cutouts.data = alone.cutouts.data + maps[:, 0]
    return alone, both, snr[rows], distance


def moved(alone, both):
    """Which masses a neighbour moves by more than their error, of two tables."""
    change = both["mass"] - alone["mass"]
    error = np.where(change > 0, alone["mass_errp"], alone["mass_errn"])
    return np.abs(change) > error


def share(values, of):
    """Part of the rows ``of`` that has a flag, in words."""
    return f"{np.count_nonzero(values & of):3} of {np.count_nonzero(of):3}"


def table(name, estimator, alone, both, snr, distance):
    before, after = estimator.predict(alone), estimator.predict(both)
    false, found = (t["flag"] & MassFlag.BLENDED > 0 for t in (before, after))
    far = moved(before, after)
    error = np.sqrt(0.8 * 0.2 / max(np.count_nonzero(far), 1))
    print(
        f"  {name}, {estimator.tag}: {len(far)} clusters, {share(found, far)} moved ones flagged "
        f"({100 * found[far].mean():.0f} +- {100 * error:.0f} %), {share(found, ~far)} of the "
        f"others; false alarms without neighbour {100 * false.mean():.1f} %"
    )
    for label, values, edges in (
        ("S/N", snr, (4.5, 7, 10, 14, 20)),
        ("distance", distance, (12, 15, 18, 21, 25)),
    ):
        bins = [(low, high, (values >= low) & (values < high)) for low, high in pairwise(edges)]
        parts = [f"{low:g}-{high:g}: {share(found, far & inside)}" for low, high, inside in bins]
        print(f"    by {label:8} {'; '.join(parts)}")
        parts = [f"{low:g}-{high:g}: {share(false, inside)}" for low, high, inside in bins]
        if label == "S/N":
            print(f"    false alarms {'; '.join(parts)}")


def times(sample):
    estimator = ESTIMATORS[0]
    bank = estimator._setup(sample.cutouts).neighbours
    size, one = np.full(len(sample), 15), np.ones(len(sample))
    data, footprint = sample.cutouts.data, sample.cutouts.footprint
    for name, work in (
        ("masses and flags", lambda: estimator.predict(sample)),
        ("the flag alone", lambda: bank.blended(data, footprint, size, one, 0 * one)),
    ):
        rounds = []
        for _ in range(4):
            start = time.perf_counter()
            work()
            rounds.append(time.perf_counter() - start)
        print(f"  {name}: {1e3 * min(rounds[1:]) / len(sample):.3f} ms a cluster")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=600)
    parser.add_argument("--seed", type=int, default=41)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UnweighedClustersWarning)
    for redshift in ((0.02, 0.1), (0.03, 0.8)):
        for name, model in MODELS.items():
            print(f"z = {redshift[0]:g} to {redshift[1]:g}, seed {arguments.seed}")
            made = pairs(arguments.number, model, redshift, arguments.seed)
            for estimator in ESTIMATORS:
                table(name, estimator, *made)
    print("times")
    times(made[0])


if __name__ == "__main__":
    main()
