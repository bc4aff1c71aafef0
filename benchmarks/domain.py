"""How well the out-of-domain score tells foreign cutouts, and how often it is wrong in domain.

    python benchmarks/domain.py [--number 12000] [--network [FOLDER]] [--data FOLDER] [--seed 0]

Fits the score to mocks in domain as the default recipe has it: noise of two kinds whose depth is
told with an error of 5 %, other haloes, position errors of 1 arcmin. Half of them are sampled as a
HEALPix map by nearest pixel, a quarter bilinearly, a quarter as points.

Then prints false alarms on others, by bin, and for each foreign case, which the score was not
fitted to, the AUC against mocks in domain of the same masses, redshifts and depths: of all, of
those with a signal-to-noise ratio above 6 (for pairs: of each of the two; true Y500 over the noise
of a matched filter of known size), and the share flagged. Masses are those of the posterior that
knows the noise (`LikelihoodMass`, flat prior), or with ``--network`` those of networks. With the
folder of real data: clusters injected into the empty sky of the Coma field of MILCA, and the
real ones there.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import argparse
import time
from itertools import chain, pairwise
from pathlib import Path

import astropy.units as u
import numpy as np
from scipy.stats import rankdata

from szmass.clusters import ClusterSample
from szmass.estimators import LikelihoodMass
from szmass.maps import CutoutStack
from szmass.maps.masks import _fill as fill
from szmass.maps.noise import NoiseModel
from szmass.networks import load_networks
from szmass.networks.domain import DomainScore
from szmass.simulations import (
    ClusterPainter,
    Environment,
    Observation,
    draw_clusters,
    from_masses,
    inject,
    simulate,
)

COSMOLOGY = "PSZ2"
BINS = (0.01, 0.1, 0.2, 0.4, 1.0)
NOISES = {kind: NoiseModel.planck(kind) for kind in ("total", "instrument")}
DEPTH, DEPTH_ERROR = (0.65, 1.55), 0.05
PIXEL = 1.7
SIDE = 96
CENTRING = 1 * u.arcmin
# Peak of the residual of a point source [y], and how far from the middle it is [arcmin].
SOURCE, SOURCE_RADIUS = 1e-5, 40.0


def population(n, seed):
    rng = np.random.default_rng([seed, 7])
    which = rng.integers(0, len(BINS) - 1, n)
    redshift = rng.uniform(np.take(BINS, which), np.take(BINS, which + 1))
    mass = 10 ** rng.uniform(np.log10(5e13), np.log10(3.2e15), n)
    return from_masses(mass * u.solMass, redshift, seed=seed)


class Mocks:
    """Clean cutouts, their noise, and the masses that are told from what is made of them."""

    def __init__(self, sample, weigh, kind):
        self.sample, self._weigh, self.kind = sample, weigh, kind
        self.clean = sample.cutouts.data
        n, rng = len(sample), np.random.default_rng([len(sample), 5])
        depth = np.exp(rng.uniform(*np.log(DEPTH), n))
        self.rng, self.stated = rng, depth * np.exp(DEPTH_ERROR * rng.standard_normal(n))
        self.noise = NOISES[kind].draw(sample.cutouts.geometry, n, rng, depth=depth)
        theta = sample.quantity("theta500_true")
        y500 = sample.quantity("y500_true").to_value("arcmin2")
        self.snr = y500 / (NOISES[kind].sigma_y500(theta).value * depth)

    @classmethod
    def draw(cls, n, seed, weigh, sampling, kind="total", model="a10"):
        observation = Observation(name=sampling, sampling=sampling, centring=CENTRING)
        sample = simulate(
            population(n, seed),
            observation,
            model=model,
            cosmology=COSMOLOGY,
            seed=seed,
            environment=ENVIRONMENT,
        )
        return cls(sample, weigh, kind)

    def seen(self, maps):
        """What a score takes."""
        stack = self.sample.cutouts
        table = self.sample.table.copy()
        table["depth"] = self.stated
        sample = ClusterSample(table)
        sample.cutouts = CutoutStack(
            maps, None, self.sample.coord, names=self.sample.names, geometry=stack.geometry,
            beam=stack.beam,
        )  # fmt: skip
        inputs = INPUTS[self.kind]
        planes = inputs.planes(blocks(maps), self.stated)
        context = inputs.context(self.sample.redshift, self.stated)
        return planes, context, self._weigh(sample, self.kind)


def blocks(maps):
    """Means of 2 x 2 pixels, of which networks see planes."""
    half = SIDE // 2
    maps = np.asarray(maps, np.float32).reshape(len(maps), half, 2, half, 2)
    return maps.mean(axis=(2, 4))


# The same for all networks of cutouts of this size.
INPUTS = {kind: load_networks().inputs(noise) for kind, noise in NOISES.items()}
ENVIRONMENT = Environment()


def likelihood_masses():
    estimators = {
        kind: LikelihoodMass(
            noise=noise,
            relation="arnaud2010",
            one_minus_b=0.8,
            cosmology=COSMOLOGY,
            sigma_lny=0.1,
            depth="depth",
            prior="flat",
            log10_mass=np.linspace(np.log10(5e13), np.log10(3.2e15), 91),
        )
        for kind, noise in NOISES.items()
    }
    return lambda sample, kind: np.log10(estimators[kind].predict_posterior(sample).mean().value)


def network_masses(folder):
    networks = load_networks(folder)

    def weigh(sample, kind):
        depth = sample.quantity("depth").value
        density = networks.log_density(
            sample.cutouts.data, sample.redshift, noise=NOISES[kind], depth=depth
        )
        weight = np.exp(density)
        return weight @ networks.log10_mass / weight.sum(axis=1)

    return weigh


def foreign(mocks):
    """Yield name, maps, and the distance of a second cluster, if there is one [arcmin]."""
    rng, clean, noise, n = mocks.rng, mocks.clean, mocks.noise, len(mocks.clean)
    whole = clean + noise
    rms = noise.std(axis=(1, 2), keepdims=True)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    yield "white noise of the same rms", clean + rms * rng.standard_normal(noise.shape), None
    other = NOISES["instrument"].draw(mocks.sample.cutouts.geometry, n, rng)
    other *= rms / other.std(axis=(1, 2), keepdims=True)
    yield "instrument for total, same rms", clean + other, None
    for factor in (1.5, 1 / 1.5, 1.25, 1.1):
        yield f"noise x {factor:.2f}, not stated", clean + factor * noise, None
    radius, angle = SOURCE_RADIUS * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
    square = (x * PIXEL - (radius * np.cos(angle))[:, None, None]) ** 2
    square += (y * PIXEL - (radius * np.sin(angle))[:, None, None]) ** 2
    source = SOURCE * np.exp(-square / (2 * (10 / 2.3548) ** 2))
    yield f"point source of {-SOURCE:g} within 40'", whole - source, None
    yield f"point source of {SOURCE:+g} within 40'", whole + source, None
    radius = rng.uniform(5, 10, n)
    hole = np.hypot(x, y) * PIXEL < radius[:, None, None]
    yield "centre zero within 5-10'", np.where(hole, 0.0, whole), None
    mean = whole.mean(axis=(1, 2), keepdims=True)
    yield "centre at the mean within 5-10'", np.where(hole, mean, whole), None
    smooth = [fill(*pair) for pair in zip(whole.astype(float), ~hole, strict=True)]
    yield "centre inpainted within 5-10'", np.array(smooth), None
    few = slice(0, n // 4)
    drawn = np.array(whole, dtype=float)
    for i in range(n)[few]:
        drawn[i] = fill(
            drawn[i], ~hole[i], lambda r: NOISES[mocks.kind].correlation(r * PIXEL * u.arcmin), rng
        )
    yield "centre inpainted with noise", drawn[few], None
    for name, places, low, high in (
        ("second cluster, first in the middle", (0, 1), 3, 10),
        ("second cluster, middle between them", (-0.5, 0.5), 3, 10),
        ("neighbour of equal mass at 15-40'", (0, 1), 15, 40),
    ):
        distance, angle = rng.uniform(low, high, n), rng.uniform(0, 2 * np.pi, n)
        away = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        shift = mocks.sample.quantity("shift").to_value("arcmin")
        total = noise.copy()
        for seed, place in enumerate(places):
            total += paint(mocks.sample, 900 + seed, shift + place * away)
        yield name, total, distance
    yield "sign changed", -whole, None
    yield "y x 1e6", 1e6 * whole, None
    yield "constant 1e-6", np.full_like(whole, 1e-6), None


def profiles(n, seed, weigh):
    """Yield mocks of other pressure profiles, as `foreign` does."""
    for model in ("battaglia2012-agn", "planck2013"):
        mocks = Mocks.draw(n, seed, weigh, "point", model=model)
        yield f"profile {model}", mocks.clean + mocks.noise, None


def paint(sample, seed, shift):
    clusters = draw_clusters(sample, "a10", cosmology=COSMOLOGY, seed=seed)
    painter = ClusterPainter("a10")
    parts = [
        painter.paint(clusters[i : i + 256], shift=shift[i : i + 256, None] * u.arcmin)[0][:, 0]
        for i in range(0, len(sample), 256)
    ]
    return np.concatenate(parts)


def auc(inside, outside):
    ranks = rankdata(np.concatenate([np.minimum(inside, 1e300), np.minimum(outside, 1e300)]))
    n, m = len(inside), len(outside)
    return (ranks[n:].sum() - m * (m + 1) / 2) / (n * m) if n and m else np.nan


def false_alarms(score, mocks):
    seen = mocks.seen(mocks.clean + mocks.noise)
    values, redshift, log10_mass = score.score(*seen), mocks.sample.redshift, seen[2]
    flagged = values > score.threshold
    name = f"{mocks.sample.meta['observation']}, {mocks.kind}"
    print(f"  {name}: {100 * flagged.mean():.2f} % of {len(flagged)}")
    for low, high in pairwise(BINS):
        there = (redshift > low) & (redshift <= high)
        heavy = log10_mass > 14.7
        shares = [100 * flagged[there & where].mean() for where in (~heavy, heavy)]
        print(f"    z {low:g}-{high:g}: {shares[0]:.2f} % below 14.7, {shares[1]:.2f} % above")
    return values


def real(score, folder, weigh):
    """Clusters injected into the real sky, and real ones, at the depth of that field."""
    from szmass import ComptonMap, PSZ2Catalog

    path = folder / "milca_coma" / "map2048_MILCA_Coma_20deg_G.fits"
    ymap = ComptonMap.read(path, beam="10 arcmin")
    known = PSZ2Catalog.read(folder / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits")
    sample = known.sample(redshift=(0.01, 1))
    exclude = known.sample().coord
    mocks = inject(
        population(500, 8), ymap, exclude=exclude, cosmology=COSMOLOGY, seed=8,
        centring=CENTRING,
    )  # fmt: skip
    sample.attach_cutouts(ymap)
    sample = sample[sample.cutouts.complete]
    for name, which in (("injected", mocks), ("real", sample)):
        for depth in (0.92, 1.0):
            table = which.table.copy()
            table["depth"] = np.full(len(which), depth)
            which = ClusterSample(table, cutouts=which.cutouts)
            depths = np.full(len(which), depth)
            inputs = INPUTS["total"]
            planes = inputs.planes(blocks(which.cutouts.data), depths)
            seen = planes, inputs.context(which.redshift, depths), weigh(which, "total")
            flagged, parts = score.outside(*seen), score.parts(*seen)
            shares = {k: f"{100 * np.mean(v > score.threshold):.0f} %" for k, v in parts.items()}
            print(f"  {name}, depth {depth:g}: {flagged.sum()} of {len(flagged)} flagged; {shares}")
            if name == "real":
                found = zip(which.names, score.score(*seen), strict=True)
                print("    " + ", ".join(f"{cluster} {value:.1f}" for cluster, value in found))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=12000)
    parser.add_argument("--network", nargs="?", const=True, help="a folder, or those that ship")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = None if options.network is True else options.network
    weigh = network_masses(folder) if options.network else likelihood_masses()
    n, seed = options.number, options.seed
    seen = []
    samplings = (("nearest", 2), ("bilinear", 4), ("point", 4))
    for i, (sampling, share) in enumerate(samplings):
        for j, kind in enumerate(NOISES):
            mocks = Mocks.draw(n // (2 * share), seed + 100 + 2 * i + j, weigh, sampling, kind)
            seen.append(mocks.seen(mocks.clean + mocks.noise))
    start = time.perf_counter()
    score = DomainScore.fit(*(np.concatenate(part) for part in zip(*seen, strict=True)))
    size = sum(array.nbytes for array in score.to_arrays().values())
    print(f"fitted to {n} mocks in {time.perf_counter() - start:.0f} s; {size / 1e3:.0f} kB")
    del seen
    print(f"false alarms at {100 * score.false_alarm:g} %:")
    false_alarms(score, Mocks.draw(n // 3, seed + 10, weigh, "nearest"))
    false_alarms(score, Mocks.draw(n // 3, seed + 11, weigh, "point", "instrument"))
    inside = Mocks.draw(n // 3, seed + 12, weigh, "point")
    reference = false_alarms(score, inside)
    print(
        "foreign: AUC of all, with S/N > 6; share flagged of all, with S/N > 6; by part (S/N > 6)"
    )
    mocks = Mocks.draw(n // 10, seed + 13, weigh, "point")
    own = score.parts(*inside.seen(inside.clean + inside.noise))
    strong, bright = inside.snr > 6, mocks.snr > 6
    for name, maps, distance in chain(foreign(mocks), profiles(n // 10, seed + 13, weigh)):
        part = _first(mocks, len(maps))
        seen = part.seen(maps)
        values, parts = score.score(*seen), score.parts(*seen)
        rows = [("", np.ones(len(maps), bool))]
        if distance is not None and "second" in name:
            edges = (3, 5, 7.5, 10)
            rows += [
                (f", {a:g}-{b:g}'", (distance > a) & (distance < b)) for a, b in pairwise(edges)
            ]
        for label, there in rows:
            both = there & bright[: len(maps)]
            by_part = " ".join(
                f"{key} {auc(own[key][strong], parts[key][both]):.2f}" for key in own
            )
            print(
                f"  {name + label:46s} {auc(reference, values[there]):.3f} "
                f"{auc(reference[strong], values[both]):.3f}  "
                f"{np.mean(values[there] > score.threshold):.2f} "
                f"{np.mean(values[both] > score.threshold):.2f}  {by_part}"
            )
    if options.data:
        print("real sky:")
        real(score, options.data, weigh)


def _first(mocks, n):
    if n == len(mocks.sample):
        return mocks
    part = object.__new__(Mocks)
    vars(part).update(vars(mocks), sample=mocks.sample[:n], stated=mocks.stated[:n])
    return part


if __name__ == "__main__":
    main()
