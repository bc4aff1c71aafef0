"""Precision and speed of the matched filter and of the posterior, on one core.

    python benchmarks/matched_filter.py [--number 5000] [--data FOLDER]

Amplitudes and their errors on mocks that follow the filter's assumptions; coverage and PIT of the
posterior on mocks from its own prior; how close estimators come to the information limit; masses of
a twin of PSZ2 if the folder with the catalogue is given; times, of which the best round counts.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import time
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import astropy.units as u
import numpy as np
from scipy.stats import kstest

from szmass.comparison.efficiency import efficiency_table
from szmass.estimators import LikelihoodMass, MassFunctionPrior, MatchedFilterMass
from szmass.exceptions import UnweighedClustersWarning
from szmass.maps.noise import NoiseModel
from szmass.simulations import (
    Observation,
    draw_flat,
    draw_mass_function,
    get_cluster_model,
    simulate,
    twin,
)

NOISE = NoiseModel.planck(depth=None)
COSMOLOGY = "Planck18"
LIMITS = 2e14, 5e15
#: Spheres that differ in Y500 and in their profiles.
SPHERES = replace(
    get_cluster_model("a10"),
    name="spheres",
    sigma_ln_one_minus_b=0.0,
    axis_ratio_b=(1.0, 0.0),
    axis_ratio_c=(1.0, 0.0),
    subhaloes=False,
    merging=0.0,
    gas_offset=(0.0, 0.0),
)
MODEL = {"noise": NOISE, "relation": "arnaud2010", "one_minus_b": 0.8, "cosmology": COSMOLOGY}


def amplitudes(n):
    population = draw_flat(n, mass=(2e14, 1.5e15) * u.solMass, redshift=(0.03, 0.8), seed=3)
    model = get_cluster_model("a10").smooth()
    for name, noise in (("with noise", NOISE), ("without", None)):
        sample = simulate(
            population if noise else population[:500],
            Observation(name="mock", noise=noise),
            model=model,
            cosmology=COSMOLOGY,
            seed=5,
        )
        found = MatchedFilterMass(noise=NOISE).measure(sample, sample.quantity("theta500_true"))
        y, error = sample.quantity("y500_true").value, found["y500_err"].value
        difference = found["y500"].value - y
        if noise is None:
            print(f"  {name}: within {np.max(np.abs(difference / y)):.1e} of the true Y500")
            continue
        pull, weight = difference / error, error**-2
        bias = np.sum(weight * y * difference) / np.sum(weight * y**2)
        print(
            f"  {name}: {n} maps, pull {pull.mean():+.3f} +- {n**-0.5:.3f}, width {pull.std():.3f} "
            f"+- {(2 * n) ** -0.5:.3f}; Y500 biased by {bias:+.4f} +- "
            f"{np.sum(weight * y**2) ** -0.5:.4f}"
        )


def tinker(log10_mass, redshift, prior=MassFunctionPrior(COSMOLOGY)):  # noqa: B008
    inside = (log10_mass >= np.log10(LIMITS[0])) & (log10_mass <= np.log10(LIMITS[1]))
    return inside * prior(log10_mass, redshift)


def flat(log10_mass, redshift):
    inside = (log10_mass >= np.log10(LIMITS[0])) & (log10_mass <= np.log10(LIMITS[1]))
    return inside * np.ones_like(redshift)


def flat_to_2e15(log10_mass, redshift):
    return flat(log10_mass, redshift) * (log10_mass <= np.log10(2e15))


def posteriors(n):
    grid = np.linspace(*np.log10(LIMITS), 351)
    options = MODEL | {"sigma_lny": 0.1, "log10_mass": grid}
    limits = {"mass": LIMITS * u.solMass, "redshift": (0.05, 0.6), "seed": 11}
    usual = limits | {"mass": (LIMITS[0], 2e15) * u.solMass}
    for name, prior, population, model, centring in (
        ("mass function", tinker, draw_mass_function(n, cosmology=COSMOLOGY, **limits), SPHERES, 1),
        ("flat, one profile, centred", flat, draw_flat(n, **limits), None, 0),
        ("flat to 2e15", flat_to_2e15, draw_flat(n, **usual), SPHERES, 1),
        ("flat", flat, draw_flat(n, **limits), SPHERES, 1),
        ("flat, triaxial and merging", flat, draw_flat(n, **limits), "a10", 1),
    ):
        diversity = "a10" if model else None
        model = model or replace(get_cluster_model("a10").smooth(), sigma_lny=0.1)
        observation = Observation(name="mock", noise=NOISE, centring=centring * u.arcmin)
        sample = simulate(population, observation, model=model, cosmology=COSMOLOGY, seed=12)
        estimator = LikelihoodMass(
            prior=prior, centring=centring * u.arcmin, diversity=diversity, **options
        )
        posterior = estimator.predict_posterior(sample)
        truth = sample.quantity("mass_true")
        coverage = [
            np.mean((truth > low) & (truth < high))
            for low, high in map(posterior.interval, (0.68, 0.95))
        ]
        pvalue = kstest(posterior.cdf(truth), "uniform").pvalue
        print(
            f"  {name}: 68 and 95 % intervals hold {100 * coverage[0]:.1f} and "
            f"{100 * coverage[1]:.1f} % of {n}; PIT flat with p = {pvalue:.2f}"
        )
        estimates = {
            "posterior": posterior,
            "flat prior": estimator.__class__(
                **estimator.options | {"prior": "flat", "log10_mass": None}
            ).predict_posterior(sample),
            "matched filter": MatchedFilterMass(**MODEL).predict(sample),
        }
        for row in efficiency_table(
            truth, sample.redshift, estimates, limit=posterior, redshift_bins=[0, 1]
        )[::2]:
            print(
                f"    {row['method']:15} n = {row['n']:5} bias {row['bias']:+.3f} rmse "
                f"{row['rmse']:.3f} dex, efficiency {row['efficiency']:.3f} +- "
                f"{row['efficiency_err']:.3f}, coverage {row['coverage_68']:.3f}"
            )


def masses(folder):
    from szmass.catalogs import PSZ2Catalog

    path = Path(folder) / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits"
    sample = twin(PSZ2Catalog.read(path).sample(redshift=(0, 1)))
    sample = simulate(sample, "planck-like", model="a10", cosmology="PSZ2", seed=1)
    estimator = MatchedFilterMass(noise=NoiseModel.planck("instrument"))
    ratio = (estimator.predict(sample)["mass"] / sample.quantity("msz")).value
    bins = [
        np.nanmedian(ratio[(sample.redshift > low) & (sample.redshift <= high)])
        for low, high in pairwise((0, 0.1, 0.2, 0.4, 1))
    ]
    print(f"  median M_SZ / MSZ {np.nanmedian(ratio):.3f}, by redshift {np.round(bins, 3)}")


def times():
    n = 1094
    observation = Observation(name="mock", noise=NOISE, centring=1 * u.arcmin)
    sample = simulate(
        draw_flat(n, mass=(3e14, 1.5e15) * u.solMass, seed=1),
        observation,
        model="a10",
        cosmology=COSMOLOGY,
        seed=2,
    )
    mock = MatchedFilterMass(**MODEL)
    posterior = LikelihoodMass(**MODEL, sigma_lny=0.1, centring=1 * u.arcmin)
    for name, work in (
        (f"{n} clusters x 32 sizes", lambda: mock.scan(sample)),
        (f"masses and flags of {n}", lambda: mock.predict(sample)),
        (f"posteriors of {n}", lambda: posterior.predict_posterior(sample)),
        ("SNR maps of 100", lambda: mock.snr_map(sample[:100], 4 * u.arcmin)),
    ):
        rounds = []
        for _ in range(4):
            start = time.perf_counter()
            work()
            rounds.append(time.perf_counter() - start)
        print(f"  {name}: {1e3 * min(rounds[1:]):.0f} ms, the first time {1e3 * rounds[0]:.0f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=5000)
    parser.add_argument("--data", help="folder with psz2/HFI_PCCS_SZ-union_R2.08.fits")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UnweighedClustersWarning)
    print("times")
    times()
    print("amplitudes")
    amplitudes(arguments.number)
    print("posteriors")
    posteriors(arguments.number)
    if arguments.data:
        print("twin of PSZ2")
        masses(arguments.data)


if __name__ == "__main__":
    main()
