"""Time and memory of a whole sky and of the demonstration, and how good its masses are.

python benchmarks/demo.py [sky] [demo]
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import astropy.units as u
import numpy as np

from szmass.demo import run_demo
from szmass.maps import NoiseModel
from szmass.simulations import Observation, draw_mass_function, simulate, simulate_sky, write_sky


def timed(what, function, *args, **kwargs):
    """Run a function and print how long it took, and the peak of memory so far."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what:<45} {time.perf_counter() - start:7.2f} s   peak {peak:5.2f} GB")
    return result


def sky():
    """Paint, add noise, write, cut out; compare cutouts with the flat-sky painter."""
    sample = draw_mass_function(4000, mass=(3e14, 5e15) * u.solMass, cosmology="PSZ2", seed=1)
    options = {"cosmology": "PSZ2", "seed": 1}
    ymap, mocks = timed("4000 clusters, nside 2048, no noise", simulate_sky, sample, **options)
    noise = NoiseModel.planck("total")
    timed("the same with noise", simulate_sky, sample, noise=noise, **options)
    with tempfile.TemporaryDirectory() as folder:
        timed("write", write_sky, ymap, Path(folder) / "sky.fits")
    timed("cut out", mocks.attach_cutouts, ymap, interpolation="nearest")
    flat = simulate(sample, Observation(name="flat", sampling="nearest"), **options)
    # Neighbours are on the sky alone: those of most clusters are far from the middle.
    middle = (slice(None), slice(40, 56), slice(40, 56))
    difference = np.abs(mocks.cutouts.data[middle] - flat.cutouts.data[middle]).max(axis=(1, 2))
    difference /= flat.cutouts.data.max(axis=(1, 2))
    print("sky - flat, over the peak: 10, 50, 90 %:", np.percentile(difference, [10, 50, 90]))
    pixel = 4 * np.pi * u.sr.to(u.arcmin**2) / ymap.shape[0]
    total = np.sum(ymap._pixels.take(np.arange(ymap.shape[0]))) * pixel
    print("Y on the sky / Y of the clusters:", total / mocks.quantity("y5r500_true").sum().value)


def demo():
    """The command as it stands."""
    with tempfile.TemporaryDirectory() as folder:
        print(timed("szmass demo", run_demo, Path(folder) / "demo").summary())


if __name__ == "__main__":
    for name in sys.argv[1:] or ("sky", "demo"):
        globals()[name]()
