"""What morphology tells of the dynamical state, and how fast it is measured.

    python benchmarks/morphology.py [--number 1000] [--seed 7]

Clusters of the model "a10-the300", whose matter and gas show Delta_r and f_s of The Three Hundred,
are observed in y and X-rays behind 20 arcsec, with a noise of 1e-5 in a beam and photons of 30 ks,
at redshifts of 0.15 to 0.5; and in the Planck y-maps below redshift 0.1. Printed are rank
correlations of each parameter with chi_DS (De Luca et al. 2021), and for clusters that a
StateRegression was not fitted to (ten folds): the correlation r of predicted and true log10 chi,
the area under the curve (AUC) of P(relaxed) by chi and by the flag of Cui et al. (2018), and how
often intervals of 68 and 95 % hold the truth. Errors are from a bootstrap of the clusters. Then
come pairs of equal clusters, one image of a relaxed cluster upon another at 0.5 to 1 R500, and
clusters that noise has buried, which must have the prior.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import time

import astropy.units as u
import numpy as np
from scipy.stats import rankdata, spearmanr

from szmass.maps import CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.morphology import STATE_PARAMETERS, StateRegression, measure_morphology
from szmass.physics import get_dynamical_state
from szmass.simulations import Observation, draw_flat, simulate

BEAM = 20 * u.arcsec
EXPOSURE, BACKGROUND = 30 * u.ks, 2e-5 * u.ct / u.s / u.arcmin**2
BOOTSTRAPS = 300
RELAXED = "cui2018"


def white_noise(rms, beam):
    """Noise with this standard deviation of the mean over the beam's area, and the beam in it."""
    ell = np.geomspace(30, 60000, 200)
    sigma = beam.to_value(u.rad) / np.sqrt(8 * np.log(2))
    area = 4 * np.pi * sigma**2
    return NoiseModel(ell, rms**2 * area * np.exp(-((ell * sigma) ** 2)) * u.sr, beam=beam)


def resolved(number, seed):
    """Tables of morphology in y and in X-rays, the clusters, and photons of the background."""
    population = draw_flat(number, mass=(3e14, 1.5e15) * u.solMass, redshift=(0.15, 0.5), seed=seed)
    geometry = CutoutGeometry((141, 141), 12 * u.arcsec)
    observation = Observation(
        name="20 arcsec", beam=BEAM, geometry=geometry, noise=white_noise(1e-5, BEAM)
    )
    xray = {"exposure": EXPOSURE, "background": BACKGROUND}
    options = {"model": "a10-the300", "cosmology": "PSZ2", "seed": seed}
    mocks = simulate(population, observation, fields={"xray": xray}, **options)
    r500 = mocks.table["theta500_true"]
    per_pixel = (BACKGROUND * EXPOSURE * geometry.pixel_scale**2).to_value(u.ct)
    tables = {
        "y": measure_morphology(mocks, r500=r500),
        "X": measure_morphology(mocks.fields["xray"], r500=r500, background=per_pixel),
    }
    return tables, mocks, per_pixel


def planck(number, seed, noise=None):
    """Table of morphology in the noise of Planck, and the truth."""
    population = draw_flat(number, mass=(3e14, 1.5e15) * u.solMass, redshift=(0.02, 0.1), seed=seed)
    observation = Observation(name="planck", noise=noise or NoiseModel.planck())
    options = {"model": "a10-the300", "cosmology": "PSZ2", "seed": seed}
    mocks = simulate(population, observation, **options)
    r500 = mocks.table["theta500_true"]
    return {"y": measure_morphology(mocks, r500=r500)}, mocks.table


def area_under_curve(score, truth):
    """Probability that a true one has the higher score than one that is not."""
    ranks, positive = rankdata(score), truth.sum()
    return (ranks[truth].sum() - positive * (positive + 1) / 2) / positive / (~truth).sum()


def with_error(function, *arrays, seed=0):
    """Give a statistic of rows, and its standard deviation over bootstraps."""
    rng = np.random.default_rng(seed)
    n = len(arrays[0])
    drawn = [function(*(a[rows] for a in arrays)) for rows in rng.integers(0, n, (BOOTSTRAPS, n))]
    return function(*arrays), np.std(drawn)


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


def report(title, tables, truth, seed):
    """Print correlations with the state, and how well a regression tells it."""
    chi = get_dynamical_state("deluca2021").measure(truth)
    relaxed = get_dynamical_state(RELAXED).relaxed(truth)
    log_chi = np.log10(chi)
    print(f"\n{title}: {len(truth)} clusters, {relaxed.mean():.0%} relaxed, "
          f"log10 chi {log_chi.mean():.3f} +- {log_chi.std():.3f}")  # fmt: skip
    print("rank correlation with chi: " + ", ".join(f"{band:>6}" for band in tables))
    for name in STATE_PARAMETERS:
        found = [spearmanr(t[name], chi, nan_policy="omit")[0] for t in tables.values()]
        print(f"  {name:24}" + ", ".join(f"{value:6.3f}" for value in found))
    bands = [{band: table} for band, table in tables.items()]
    for chosen in bands + ([tables] if len(tables) > 1 else []):
        score(" + ".join(chosen), chosen, truth, chi, relaxed, seed)
        rest = [name for name in STATE_PARAMETERS if name != "concentration"]
        what = " + ".join(chosen) + " without c"
        score(what, chosen, truth, chi, relaxed, seed, parameters=rest)


def score(what, tables, truth, chi, relaxed, seed, **options):
    """Print how well one regression does."""
    found = StateRegression.held_out(tables, truth, seed=seed, **options)
    flag = StateRegression.held_out(tables, truth, seed=seed, state=RELAXED, **options)
    r, r_err = with_error(correlation, np.log10(found["value"]), np.log10(chi))
    own, own_err = with_error(area_under_curve, found["p_relaxed"], chi > 1)
    auc, auc_err = with_error(area_under_curve, flag["p_relaxed"], relaxed)
    off = np.abs(found["rank"] - 0.5)
    print(f"{what:16} r = {r:.3f} +- {r_err:.3f}; AUC {own:.3f} +- {own_err:.3f} by chi, "
          f"{auc:.3f} +- {auc_err:.3f} by the flag; 68 and 95 %: {np.mean(off < 0.34):.3f}, "
          f"{np.mean(off < 0.475):.3f}; mean P(relaxed) {np.mean(flag['p_relaxed']):.3f}, "
          f"true {relaxed.mean():.3f}")  # fmt: skip


def equal_pairs(mocks, tables, per_pixel, seed):
    """Print P(relaxed) of images with a second relaxed cluster in them."""
    fit = StateRegression.fit(tables, mocks.table, state=RELAXED)
    chi = get_dynamical_state("deluca2021").measure(mocks.table)
    order = np.argsort(-chi)[:100]
    rng = np.random.default_rng(seed)
    radius = mocks.table["theta500_true"].to_value("arcmin") / 0.2
    y, x = [], []
    for i in order:
        # The nearest in size among the relaxed ones.
        j = min((k for k in order if k != i), key=lambda k: abs(radius[k] - radius[i]))
        far, angle = radius[i] * rng.uniform(0.5, 1), rng.uniform(0, 2 * np.pi)
        shift = tuple(np.rint([far * np.sin(angle), far * np.cos(angle)]).astype(int))
        y.append(mocks.cutouts.data[i] + np.roll(mocks.cutouts.data[j], shift, (0, 1)))
        photons = mocks.fields["xray"].data
        x.append(photons[i] + np.roll(photons[j], shift, (0, 1)))
    options = {"r500": mocks.table["theta500_true"][order], "pixel_scale": 12 * u.arcsec}
    pairs = {
        "y": measure_morphology(np.array(y), **options),
        "X": measure_morphology(np.array(x), background=2 * per_pixel, **options),
    }
    p = fit.predict(pairs)["p_relaxed"]
    alone = fit.predict({band: table[order] for band, table in tables.items()})["p_relaxed"]
    print(f"\nPairs of equal clusters: P(relaxed) < 0.05 in {np.mean(p < 0.05):.0%}, "
          f"median {np.median(p):.4f}; alone: median {np.median(alone):.2f}")  # fmt: skip


def buried(seed):
    """Print what is said of clusters in thirty times the noise of Planck."""
    tables, truth = planck(600, seed, noise=NoiseModel.planck().scaled(30))
    fit = StateRegression.fit({"y": tables["y"][:400]}, truth[:400])
    chi = get_dynamical_state("deluca2021").measure(truth)[:400]
    levels = (0.16, 0.5, 0.84)
    found = np.log10(fit.quantile({"y": tables["y"][400:]}, levels))
    prior = np.log10(np.quantile(chi, levels))
    print(f"\nBuried in noise: 16, 50 and 84 % of log10 chi are {found.mean(axis=0).round(3)} "
          f"in the mean of {len(found)} clusters, of the prior {prior.round(3)}")  # fmt: skip


def speed(table_of, n):
    """Print the time that a cutout takes."""
    start = time.process_time()
    table_of()
    seconds = time.process_time() - start
    print(f"\n96 x 96 pixels, all parameters: {60 * n / seconds:.0f} cutouts a minute on one core")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    tables, mocks, per_pixel = resolved(options.number, options.seed)
    report("Resolved", tables, mocks.table, options.seed)
    equal_pairs(mocks, tables, per_pixel, options.seed)
    tables, truth = planck(options.number, options.seed)
    report("Planck, z < 0.1", tables, truth, options.seed)
    buried(options.seed)
    observation = Observation(name="planck", noise=NoiseModel.planck())
    population = draw_flat(300, mass=(3e14, 1.5e15) * u.solMass, redshift=(0.02, 0.1), seed=1)
    mocks = simulate(population, observation, model="a10", cosmology="PSZ2", seed=1)
    speed(lambda: measure_morphology(mocks, r500=mocks.table["theta500_true"]), len(mocks))


if __name__ == "__main__":
    main()
