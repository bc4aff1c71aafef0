"""Measure bias and coverage of the fits of 1-b and scaling relations on simulated samples.

    python benchmarks/regression.py [--samples 500] [--number 20 65 200] [--population normal]

Each sample has N clusters with true masses from a log-normal or an exponential distribution (the
falling end of a mass function, which the model of the fit does not know), lensing masses with
errors of 15 to 35 %, and SZ masses with errors of 5 to 12 % and an intrinsic scatter of 20 %.
Samples are complete, or cut in the lensing mass, or in the SZ mass. Per case: the share of the
68 % intervals that hold the truth (binomial error 2.1 % for 500), the median of (fit - truth) in
units of the median error, the median error, and the share of intervals that are open on a side.
"""

import argparse
import time

import astropy.units as u
import numpy as np

from szmass.comparison.regression import fit_mass_ratio

RATIO, SCATTER, PIVOT = 0.75, 0.2, 6.0
CUTS = {"none": None, "lensing": ("min_b", 5.0), "sz": ("min_a", 4.0)}


def simulate(rng, n, slope, population, cut):
    """Give n clusters that pass the cut: masses [1e14 solMass] and relative errors."""
    columns = [np.empty(0)] * 4
    while len(columns[0]) < n:
        size = 20 * n
        if population == "normal":
            truth = rng.normal(np.log(PIVOT), 0.4, size)
        else:
            truth = np.log(2.0) + rng.exponential(0.45, size)
        err_b, err_a = rng.uniform(0.15, 0.35, size), rng.uniform(0.05, 0.12, size)
        ln_b = truth + rng.normal(0, err_b)
        ln_a = np.log(RATIO * PIVOT) + slope * (truth - np.log(PIVOT))
        ln_a += rng.normal(0, np.hypot(SCATTER, err_a))
        keep = np.ones(size, dtype=bool)
        if cut is not None:
            keep = {"min_a": ln_a, "min_b": ln_b}[cut[0]] > np.log(cut[1])
        new = (ln_a, ln_b, err_a, err_b)
        columns = [np.append(old, more[keep]) for old, more in zip(columns, new, strict=True)]
    return [column[:n] for column in columns]


def fit(sample, slope, cut):
    unit = u.Unit("1e14 solMass")
    ln_a, ln_b, err_a, err_b = sample
    masses, errors = [], []
    for ln, err in ((ln_a, err_a), (ln_b, err_b)):
        masses.append(np.exp(ln) * unit)
        errors.append(tuple(np.exp(ln) * part * unit for part in (-np.expm1(-err), np.expm1(err))))
    return fit_mass_ratio(
        *masses,
        err_a=errors[0],
        err_b=errors[1],
        slope=slope,
        pivot=PIVOT * unit,
        **({} if cut is None else {cut[0]: cut[1] * unit}),
    )


def run_case(n, slope, free, population, cut, samples, seed):
    rng = np.random.default_rng([seed, n, free])
    truth = np.array([RATIO, slope, SCATTER])
    results = []
    start = time.perf_counter()
    for _ in range(samples):
        found = fit(simulate(rng, n, slope, population, cut), None if free else slope, cut)
        results.append(
            [
                (found.value, found.errn, found.errp),
                (found.slope, found.slope_errn, found.slope_errp),
                (found.scatter, found.scatter_errn, found.scatter_errp),
            ]
        )
    seconds = (time.perf_counter() - start) / samples
    results = np.array(results)
    value, errn, errp = results.transpose(2, 0, 1)
    inside = (value - errn <= truth) & (truth <= value + errp)
    width = np.median((errn + errp) / 2, axis=0)
    with np.errstate(invalid="ignore"):
        return {
            "coverage": inside.mean(axis=0),
            "bias": np.median(value - truth, axis=0) / width,
            "error": width,
            "open": (np.isinf(errp) | (errn >= value)).mean(axis=0),
            "ms": 1e3 * seconds,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--number", type=int, nargs="+", default=[20, 65, 200])
    parser.add_argument("--population", choices=("normal", "exponential"), default="normal")
    parser.add_argument("--cuts", nargs="+", choices=tuple(CUTS), default=list(CUTS))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{arguments.samples} samples, {arguments.population} population: ratio, slope, scatter")
    print("  N slope cut      coverage [%]        bias [errors]       error             open [%]")
    for n in arguments.number:
        for free in (False, True):
            for name in arguments.cuts:
                slope = 0.9 if free else 1.0
                case = run_case(
                    n,
                    slope,
                    free,
                    arguments.population,
                    CUTS[name],
                    arguments.samples,
                    arguments.seed,
                )
                which = [0, 1, 2] if free else [0, 2]
                cells = [
                    "/".join(f"{100 * case['coverage'][i]:.1f}" for i in which),
                    "/".join(f"{case['bias'][i]:+.2f}" for i in which),
                    "/".join(f"{case['error'][i]:.3f}" for i in which),
                    "/".join(f"{100 * case['open'][i]:.0f}" for i in which),
                ]
                cells = "  ".join(cell.ljust(18) for cell in cells)
                print(
                    f"{n:>3} {'free' if free else 'given':5} {name:8} {cells} {case['ms']:.0f} ms",
                    flush=True,
                )


if __name__ == "__main__":
    main()
