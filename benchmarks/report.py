"""Time, memory and size of reports on 1, 1094 and 100 000 clusters, beside writing the table alone.

    python benchmarks/report.py [NUMBER]...

Three methods; up to 2000 clusters have a page, a cutout of 96 x 96 pixels (a blob in correlated
noise) and a posterior. The limit to keep: 1094 clusters in 3 minutes and 60 MB.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from scipy.ndimage import gaussian_filter

from szmass._tables.files import write_table
from szmass.maps import CutoutStack
from szmass.report import write_report
from szmass.results import LogMassPosterior, MassEstimates, side_by_side

PAGES = 2000


def make(number):
    """Masses of three methods, and for those with a page cutouts and posteriors."""
    rng = np.random.default_rng(1)
    names = [f"CL J{i:06d}" for i in range(number)]
    truth, redshift = 10 ** rng.uniform(14.2, 15.2, number), rng.uniform(0.02, 0.9, number)
    tables = {}
    for method, scatter in (("first", 0.1), ("second", 0.15), ("third", 0.2)):
        mass = truth * np.exp(rng.normal(0, scatter, number))
        estimates = MassEstimates(mass, scatter * mass, scatter * mass)
        meta = {"cosmology": "PSZ2", "mass_definition": "500c"}
        tables[method] = estimates.to_table(names, redshift, method, meta)
    table = side_by_side(tables)
    table["ra"], table["dec"] = rng.uniform(0, 360, number) * u.deg, np.zeros(number) * u.deg
    table["snr"] = 4.5 + rng.exponential(4, number)
    table["mass_true"] = truth * u.solMass
    few = min(number, PAGES)
    noise = gaussian_filter(rng.normal(0, 1, (few, 96, 96)), (0, 2.5, 2.5))
    offset = np.arange(96) - 47.5
    blob = np.exp(-(offset**2 + offset[:, np.newaxis] ** 2) / 30)
    data = 1.7e-6 * noise / noise.std() + 1e-5 * blob
    coord = SkyCoord(table["ra"][:few], table["dec"][:few])
    stack = CutoutStack(data, None, coord, names=names[:few], beam=10 * u.arcmin)
    grid = np.linspace(14, 15.6, 161)
    density = np.exp(-0.5 * ((grid - np.log10(truth[:few, np.newaxis])) / 0.05) ** 2)
    posterior = LogMassPosterior(grid, density, np.ones(161), names=names[:few])
    return table, {"cutouts": stack, "posteriors": {"first": posterior}, "max_pages": PAGES}


def report(number, folder):
    """Write the table, and a report on it."""
    table, options = make(number)
    start = time.perf_counter()
    write_table(table, folder / "masses.ecsv")
    alone = time.perf_counter() - start
    start = time.perf_counter()
    page = write_report(table, folder / "report", **options)
    seconds = time.perf_counter() - start
    files = [file for file in page.parent.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{number:>7} clusters: {seconds:6.1f} s, {size:5.1f} MB in {len(files)} files, peak of "
        f"memory {peak:.2f} GB; the table alone {alone:.2f} s"
    )


if __name__ == "__main__":
    for n in map(int, sys.argv[1:] or (1, 1094, 100_000)):
        with tempfile.TemporaryDirectory() as place:
            report(n, Path(place))
