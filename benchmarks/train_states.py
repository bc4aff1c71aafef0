"""The fits and networks of the dynamical state that ship with szmass: how they were made.

    python benchmarks/train_states.py [planck] [resolved] [--kind morphology|cnn] [--folder FOLDER]

Clusters of the model "a10-the300" have the Delta_r, f_s and eta of The Three Hundred. "planck" sees
them in y behind 10 arcmin in the noise of the Planck y-maps; "resolved" in y behind 20 arcsec with
white noise of 3e-6 to 3e-4 in a beam, and in X-rays with exposures of 0.01 to 100 ks. R500 is
that of masses with a scatter of 0.06 dex. Cards have the seed, the number, the simulator, and how
well clusters are told by fits to others, or that no training has seen. One core takes about ten
minutes for the fits of both names, and half an hour for the networks; these go to
FOLDER/cnn-planck and FOLDER/cnn-resolved, with their check-points.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import time
from functools import partial
from pathlib import Path

import astropy.units as u
import numpy as np

from szmass.maps import CutoutGeometry, NoiseModel
from szmass.morphology import StateFits, train_state_networks
from szmass.simulations import Observation, draw_flat, simulate

MODEL, COSMOLOGY = "a10-the300", "PSZ2"
BEAM, RMS = 20 * u.arcsec, 1e-5
DEPTHS, EXPOSURES = (0.3, 30.0), (0.01, 100.0)  # of RMS; ks
BACKGROUND = 2e-5 * u.ct / u.s / u.arcmin**2
RESOLVED = {"mass": (2e14, 1.5e15) * u.solMass, "redshift": (0.12, 0.6)}
PLANCK = {"mass": (1e14, 1.5e15) * u.solMass, "redshift": (0.015, 0.6)}
EDGES = {
    "planck": {"y": (4, 15)},
    "resolved": {"y": (5, 30), "X": (10, 40)},
}
SEED = 11
# Networks: number of mocks, and options of the training.
SEED_OF_NETWORKS = 12
NETWORKS = {
    "planck": {"batches": 80, "options": {"members": 1, "epochs": 12}},
    "resolved": {"batches": 40, "options": {"members": 2, "epochs": 20}},
}
EACH = 500


def white_noise(rms, beam):
    """Noise with this standard deviation of the mean over the beam's area, and the beam in it."""
    ell = np.geomspace(30, 60000, 200)
    sigma = beam.to_value(u.rad) / np.sqrt(8 * np.log(2))
    area = 4 * np.pi * sigma**2
    return NoiseModel(ell, rms**2 * area * np.exp(-((ell * sigma) ** 2)) * u.sr, beam=beam)


def drawn(number, limits, seed):
    """Clusters flat in log M; redshifts with more of the near ones, which are large."""
    sample = draw_flat(number, mass=limits["mass"], redshift=limits["redshift"], seed=seed)
    low, high = limits["redshift"]
    uniform = np.random.default_rng([seed, 1]).random(number)
    sample.table["redshift"] = low * (high / low) ** uniform
    return sample


def resolved_mocks(number, seed, exposure=None, depth=None, geometry=None):
    """Mocks behind 20 arcsec, with noise in 1e-5 in a beam and exposure [ks] as drawn or given."""
    rng = np.random.default_rng([seed, 2])
    sample = drawn(number, RESOLVED, seed)
    (a, b), (c, d) = np.log(EXPOSURES), np.log(DEPTHS)
    exposures = np.exp(rng.uniform(a, b, number)) if exposure is None else np.full(number, exposure)
    sample.table["depth"] = np.exp(rng.uniform(c, d, number)) if depth is None else depth
    observation = Observation(
        name="20 arcsec",
        beam=BEAM,
        geometry=geometry or CutoutGeometry((141, 141), 12 * u.arcsec),
        noise=white_noise(RMS, BEAM),
    )
    longest = exposures.max()
    xray = {"exposure": longest * u.ks, "background": BACKGROUND}
    mocks = simulate(
        sample, observation, model=MODEL, cosmology=COSMOLOGY, seed=seed, fields={"xray": xray}
    )
    if exposure is None:  # counts of a part of the time are a binomial part of them
        counts = mocks.fields["xray"].data
        kept = (exposures / longest)[:, np.newaxis, np.newaxis]
        mocks.fields["xray"].data[:] = rng.binomial(np.rint(counts).astype(int), kept)
    return mocks


def planck_mocks(number, seed, noise=None, limits=PLANCK):
    """Mocks in the noise of the Planck y-maps."""
    observation = Observation(name="planck", noise=noise or NoiseModel.planck())
    sample = drawn(number, limits, seed)
    return simulate(sample, observation, model=MODEL, cosmology=COSMOLOGY, seed=seed)


def about_mocks(name, batches):
    """What cards say of the mocks."""
    return {
        "simulator": f"szmass.simulations.simulate, model {MODEL}",
        "noise": "Planck y-maps" if name == "planck" else "white, 3e-6 to 3e-4 in a beam",
        "xray_exposure_ks": list(EXPOSURES) if name == "resolved" else None,
        "xray_background": str(BACKGROUND) if name == "resolved" else None,
        "batches": batches,
        "script": "benchmarks/train_states.py",
    }


def mocks_of(name, batches, each, seed):
    """Functions that make the mocks of a name."""
    make = {"planck": planck_mocks, "resolved": resolved_mocks}[name]
    return [partial(make, each, seed + 1000 * i) for i in range(batches)]


def train(name, batches, each, workers):
    """Make the fits of a name."""
    return StateFits.train(
        mocks_of(name, batches, each, SEED),
        name=name,
        edges=EDGES[name],
        cosmology=COSMOLOGY,
        depth="depth" if name == "resolved" else None,
        seed=SEED,
        about=about_mocks(name, batches),
        workers=workers,
    )


def train_networks(name, folder, batches, each, workers):
    """Make the networks of a name."""
    return train_state_networks(
        mocks_of(name, batches, each, SEED_OF_NETWORKS),
        folder,
        name=name,
        bands=list(EDGES[name]),
        cosmology=COSMOLOGY,
        depth="depth" if name == "resolved" else None,
        seed=SEED_OF_NETWORKS,
        about=about_mocks(name, batches),
        workers=workers,
        **NETWORKS[name]["options"],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=["planck", "resolved"])
    parser.add_argument("--folder", type=Path, default=Path("szmass/data/states"))
    parser.add_argument("--kind", choices=["morphology", "cnn"], default="morphology")
    parser.add_argument("--batches", type=int)
    parser.add_argument("--each", type=int)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    for name in options.names or ["planck", "resolved"]:
        start = time.perf_counter()
        if options.kind == "cnn":
            batches = options.batches or NETWORKS[name]["batches"]
            folder = options.folder / f"cnn-{name}"
            found = train_networks(name, folder, batches, options.each or EACH, options.workers)
            print(f"{name}: {time.perf_counter() - start:.0f} s, {found.card.metrics}")
            continue
        fits = train(name, options.batches or 16, options.each or 375, options.workers)
        fits.write(options.folder / f"{name}.json", overwrite=True)
        print(f"{name}: {time.perf_counter() - start:.0f} s")
        for definition, found in fits.card["metrics"].items():
            print(f"  {definition}: {found['all']}, {found['below_signal_to_noise_1']} below S/N 1")
            for key, values in found["by_class"].items():
                print(f"    class {key}: {values}")


if __name__ == "__main__":
    main()
