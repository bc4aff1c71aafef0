"""Time cutouts of a HEALPix map beside other ways to make them, on one core, in one run.

    python benchmarks/cutouts.py [--number 1094] [--psz2 FILE] [--rounds 5] [--ordering ring]

Every method samples the same nside-2048 map in memory at the same positions, in turns; the best of
some rounds counts, since other work on the machine only ever makes a round slower. Ratios are worth
more than milliseconds. Then a map of 201 MB is written to a temporary folder, and fresh processes
go from the file to all cutouts.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

NSIDE = 2048
FRESH = """
import sys, time
start = time.perf_counter()
import numpy as np, astropy.units as u
from astropy.coordinates import SkyCoord
lon, lat = np.load(sys.argv[2])
coord = SkyCoord(lon, lat, unit="deg", frame="galactic")
{setup}
imported = time.perf_counter()
{work}
done = time.perf_counter()
# Not ru_maxrss, which begins with that of the process that started this one.
lines = open("/proc/self/status").read().splitlines()
peak, pages = (
    [int(line.split()[1]) / 1024 for line in lines if line.startswith(key)][0]
    for key in ("VmHWM", "RssFile")
)
print(done - imported, imported - start, peak, pages)
"""
SZMASS_SETUP = "from szmass.maps import ComptonMap"
SZMASS_WORK = """
stack = ComptonMap.read(sys.argv[1]).cutouts(coord, interpolation="{0}")
assert stack.complete.all()
"""
HEALPY_SETUP = "import healpy; from szmass.maps import CutoutGeometry"
HEALPY_WORK = """
values = healpy.read_map(sys.argv[1], dtype=np.float32)
rows, columns = np.indices((96, 96))
data = np.empty((len(lon), 96, 96), np.float32)
for i in range(len(lon)):
    l, b = CutoutGeometry()._wcs_at(lon[i], lat[i]).wcs_pix2world(columns.ravel(), rows.ravel(), 0)
    data[i] = healpy.get_interp_val(values, l, b, lonlat=True).reshape(96, 96)
"""


def positions(arguments):
    if arguments.psz2:
        from astropy.io import fits

        rows = fits.getdata(arguments.psz2)
        rows = rows[rows["REDSHIFT"] > 0][: arguments.number]
        return np.array([rows["GLON"], rows["GLAT"]])
    rng = np.random.default_rng(arguments.seed)
    n = arguments.number
    return np.array([rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))])


def methods(values, nested):
    """Give functions that make cutouts around positions [deg], and how many each is timed on."""
    import astropy.units as u
    import healpy
    import matplotlib as mpl
    from astropy.coordinates import Galactic, SkyCoord
    from astropy_healpix import HEALPix
    from reproject import reproject_from_healpix

    from szmass.maps import ComptonMap, CutoutGeometry

    mpl.use("Agg")
    ordering = "nested" if nested else "ring"
    ymap = ComptonMap.from_healpix(values, ordering=ordering, frame="galactic")
    grid = HEALPix(NSIDE, order=ordering, frame=Galactic())
    geometry = CutoutGeometry()
    rows, columns = np.indices(geometry.shape)

    def szmass(interpolation, with_wcs):
        def make(lonlat):
            coord = SkyCoord(*lonlat, unit="deg", frame="galactic")
            stack = ymap.cutouts(coord, interpolation=interpolation)
            if with_wcs:
                make.wcs = stack.wcs
            return stack.data

        return make

    def each(one):
        return lambda lonlat: [one(*position) for position in lonlat.T]

    def reprojected(order):
        return lambda lon, lat: reproject_from_healpix(
            (values, "galactic"),
            geometry._wcs_at(lon, lat),
            shape_out=geometry.shape,
            nested=nested,
            order=order,
        )[0]

    def gnomview(lon, lat):
        return healpy.gnomview(
            values,
            rot=(lon, lat),
            xsize=96,
            reso=1.7,
            nest=nested,
            no_plot=True,
            return_projected_map=True,
        )

    def sky(lon, lat):
        wcs = geometry._wcs_at(lon, lat)
        return np.array(wcs.wcs_pix2world(columns.ravel(), rows.ravel(), 0))

    def interpolated(lon, lat):
        found = healpy.get_interp_val(values, *sky(lon, lat), nest=nested, lonlat=True)
        return found.reshape(geometry.shape)

    def astropy_healpix(lon, lat):
        found = grid.interpolate_bilinear_lonlat(*(sky(lon, lat) * u.deg), values)
        return found.reshape(geometry.shape)

    return {
        "szmass, nearest": (szmass("nearest", False), 400),
        "szmass, nearest, each WCS": (szmass("nearest", True), 400),
        "szmass, bilinear": (szmass("bilinear", False), 400),
        "szmass, bilinear, each WCS": (szmass("bilinear", True), 400),
        "healpy.get_interp_val + WCS": (each(interpolated), 60),
        "astropy-healpix bilinear + WCS": (each(astropy_healpix), 40),
        "healpy.gnomview(no_plot)": (each(gnomview), 10),
        "reproject_from_healpix, nearest": (each(reprojected("nearest-neighbor")), 15),
        "reproject_from_healpix, bilinear": (each(reprojected("bilinear")), 15),
    }


def time_methods(lonlat, values, nested, rounds):
    chosen = methods(values, nested)
    rng = np.random.default_rng(0)
    best, found = dict.fromkeys(chosen, np.inf), {}
    for _ in range(rounds):
        order = rng.permutation(lonlat.shape[1])
        for name, (make, n) in chosen.items():
            part = lonlat[:, order[:n]]
            start = time.perf_counter()
            made = make(part)
            best[name] = min(best[name], (time.perf_counter() - start) / part.shape[1] * 1e3)
            found[name] = np.array(made[:10])
    reference = best["reproject_from_healpix, bilinear"]
    print(f"{'':34}{'ms/cutout':>10}{'cutouts per reproject call':>30}")
    for name, duration in best.items():
        print(f"{name:34}{duration:10.3f}{reference / duration:30.1f}")
    for kind in ("nearest", "bilinear"):
        ours, theirs = found[f"szmass, {kind}"], found[f"reproject_from_healpix, {kind}"]
        worst = np.abs(ours - theirs).max() / values.std()
        print(f"largest difference from reproject, {kind}: {worst:.1e} of the map's rms")


def time_files(lonlat, values, nested):
    from astropy.io import fits

    with tempfile.TemporaryDirectory() as folder:
        path, where = Path(folder, "map.fits"), Path(folder, "positions.npy")
        np.save(where, lonlat)
        column = fits.Column("y", "1024E", array=values.reshape(-1, 1024))
        table = fits.BinTableHDU.from_columns([column])
        ordering = "NESTED" if nested else "RING"
        table.header.update(
            PIXTYPE="HEALPIX", ORDERING=ordering, COORDSYS="G", NSIDE=NSIDE, INDXSCHM="IMPLICIT"
        )
        table.writeto(path)
        size = path.stat().st_size / 1e6
        print(f"\nfile of {size:.0f} MB -> {lonlat.shape[1]} cutouts, fresh process, memory in MiB")
        print(f"{'':34}{'s':>8}{'s of imports':>14}{'peak':>8}{'of it pages of files':>22}")
        for name, setup, work in (
            ("szmass, nearest", SZMASS_SETUP, SZMASS_WORK.format("nearest")),
            ("szmass, bilinear", SZMASS_SETUP, SZMASS_WORK.format("bilinear")),
            ("healpy.read_map + get_interp_val", HEALPY_SETUP, HEALPY_WORK),
        ):
            if nested and "healpy" in name:
                continue
            runs = []
            for _ in range(3):
                result = subprocess.run(
                    [sys.executable, "-c", FRESH.format(setup=setup, work=work), path, where],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                runs.append([float(number) for number in result.stdout.split()])
            duration, imports, peak, pages = np.min(runs, axis=0)
            print(f"{name:34}{duration:8.2f}{imports:14.2f}{peak:8.0f}{pages:22.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--number", type=int, default=1094, help="number of positions")
    parser.add_argument("--psz2", help="take the positions of this PSZ2 file (FITS)")
    parser.add_argument("--seed", type=int, default=1, help="seed of random positions")
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--ordering", choices=["ring", "nested"], default="ring")
    arguments = parser.parse_args()
    lonlat = positions(arguments)
    nested = arguments.ordering == "nested"
    values = np.random.default_rng(0).normal(0, 1.6e-6, 12 * NSIDE**2).astype(np.float32)
    print(
        f"{lonlat.shape[1]} positions, 96 x 96 pixels of 1.7 arcmin, nside {NSIDE} "
        f"{arguments.ordering} float32, best of {arguments.rounds} rounds"
    )
    time_methods(lonlat, values, nested, arguments.rounds)
    time_files(lonlat, values, nested)


if __name__ == "__main__":
    main()
