"""Time draws of noise cutouts beside simpler ways to make them, on one core, in one run.

    python benchmarks/noise.py [--number 1000] [--rounds 5]

All methods make 96 x 96 pixels of 1.7 arcmin with the total noise of the Planck y-maps. Those
marked "periodic" wrap at their edges and have no power on scales beyond the cutout; the others cut
fields out of ones twice as large. The best of some rounds counts, since other work on the
machine only ever makes a round slower. Ratios are worth more than milliseconds.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import time

import astropy.units as u
import healpy
import numpy as np
from scipy import fft

from szmass.maps import CutoutGeometry
from szmass.maps.noise import NoiseModel

GEOMETRY = CutoutGeometry()
PIXEL = GEOMETRY.pixel_scale.to_value(u.rad)
MODEL = NoiseModel.planck("total", depth=None)
ELL = np.arange(6000.0)
POWER = MODEL.spectrum(ELL).to_value(u.sr)


def naive(number, side):
    """Numpy's global state, a complex transform, and the spectrum interpolated for each map."""
    for _ in range(number):
        frequency = 2 * np.pi * np.fft.fftfreq(side, PIXEL)
        ell = np.hypot(frequency[:, None], frequency)
        white = np.fft.fft2(np.random.normal(size=(side, side)))  # noqa: NPY002
        field = np.fft.ifft2(white * np.sqrt(np.interp(ell, ELL, POWER))).real / PIXEL
        yield field[:96, :96]


def half_plane(number, side, dtype):
    """One amplitude for all maps, real transforms of white noise."""
    ly, lx = fft.fftfreq(side, PIXEL), fft.rfftfreq(side, PIXEL)
    ell = 2 * np.pi * np.hypot(ly[:, None], lx)
    amplitude = (np.sqrt(np.interp(ell, ELL, POWER)) / PIXEL).astype(dtype)
    rng = np.random.default_rng(0)
    for _ in range(number):
        white = fft.rfft2(rng.standard_normal((side, side), dtype=dtype))
        yield fft.irfft2(white * amplitude, s=(side, side))[:96, :96]


def szmass(number, dtype=np.float32, **options):
    """Draw all at once."""
    return MODEL.draw(GEOMETRY, number, 0, dtype=dtype, **options)


def random_numbers(number):
    """The random numbers that szmass draws, and nothing else."""
    shape = MODEL._sampler(GEOMETRY.shape, PIXEL, 2.0, np.dtype("f4"))._amplitude.shape
    rng = np.random.default_rng(0)
    block = np.empty((*shape, 2), np.float32)
    for _ in range(number):
        rng.standard_normal(out=block, dtype=np.float32)
        yield block


METHODS = {
    "naive, periodic": lambda n: naive(n, 96),
    "naive": lambda n: naive(n, 192),
    "rfft2, float64, periodic": lambda n: half_plane(n, 96, np.float64),
    "rfft2, float64": lambda n: half_plane(n, 192, np.float64),
    "rfft2, float32": lambda n: half_plane(n, 192, np.float32),
    "szmass": szmass,
    "szmass, float64": lambda n: szmass(n, np.float64),
    "szmass, out of 4 x": lambda n: szmass(n, padding=4),
    "szmass, random numbers alone": random_numbers,
}


def timed(function):
    start = time.perf_counter()
    for _ in function():
        pass
    return time.perf_counter() - start


def main():
    """Print a table of times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=1000, help="maps per round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    best = dict.fromkeys(METHODS, np.inf)
    for _ in range(options.rounds):
        for name, method in METHODS.items():
            seconds = timed(lambda method=method: method(options.number))
            best[name] = min(best[name], seconds / options.number)
    print(f"{'96 x 96 noise maps':32}{'ms per map':>12}{'maps/s':>10}{'to szmass':>12}")
    for name, seconds in best.items():
        ratio = seconds / best["szmass"]
        print(f"{name:32}{1e3 * seconds:12.3f}{1 / seconds:10.0f}{ratio:12.2f}")

    nside, spectrum = 512, POWER[: 3 * 512]
    ours = min(timed(lambda: [MODEL.draw_healpix(nside, 0)]) for _ in range(3))
    theirs = min(timed(lambda: [healpy.synfast(spectrum, nside)]) for _ in range(3))
    print(f"\nHEALPix nside {nside}: {ours:.2f} s, healpy.synfast {theirs:.2f} s")


if __name__ == "__main__":
    main()
