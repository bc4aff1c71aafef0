"""Measure halo catalogues of 10^7 rows: how fast they are read and predicted, in what memory.

    python benchmarks/halos.py [--number 10000000] [--formats rockstar,ahf,...] [--models tng,...]

Files of Rockstar and AHF are written as their documentation has them (43 columns), and the
same haloes as HDF5, FITS and, with pyarrow, Parquet, into a temporary folder. Then each is read in
pieces in a process of its own, with the columns that scaling relations need, and with all; models
predict from one piece in memory, and ``szmass baryons`` goes from file to file. Rates are by the
time of one processor, whatever else it has to do; memory is the largest resident set.
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

ROCKSTAR = """\
#ID DescID Mvir Vmax Vrms Rvir Rs Np X Y Z VX VY VZ JX JY JZ Spin rs_klypin Mvir_all M200b M200c \
M500c M2500c Xoff Voff spin_bullock b_to_a c_to_a A[x] A[y] A[z] b_to_a(500c) c_to_a(500c) \
A[x](500c) A[y](500c) A[z](500c) T/|U| M_pe_Behroozi M_pe_Diemer Halfmass_Radius PID
#a = 0.800000
#Om = 0.307115; Ol = 0.692885; h = 0.677700
#FOF linking length: 0.280000
#Unbound Threshold: 0.500000; FOF Refinement Threshold: 0.700000
#Particle mass: 1.54664e+09 Msun/h
#Box size: 1000.000000 Mpc/h
#Units: Masses in Msun / h
#Units: Positions in Mpc / h (comoving)
#Units: Velocities in km / s (physical, peculiar)
#Units: Halo Distances, Lengths, and Radii in kpc / h (comoving)
#Units: Angular Momenta in (Msun/h) * (Mpc/h) * km/s (physical)
#Units: Spins are dimensionless
#Np is an internal debugging quantity.
"""
_AHF_NAMES = """\
ID hostHalo numSubStruct Mhalo npart Xc Yc Zc VXc VYc VZc Rhalo Rmax r2 mbp_offset com_offset Vmax \
v_esc sigV lambda lambdaE Lx Ly Lz b c Eax Eay Eaz Ebx Eby Ebz Ecx Ecy Ecz ovdens nbins fMhires \
Ekin Epot SurfP Phi0 cNFW""".split()  # noqa: SIM905 - as it stands in the files
AHF = "#" + "\t".join(f"{name}({i})" for i, name in enumerate(_AHF_NAMES, 1)) + "\n"
_BLOCK = 100_000
_H, _OM = 0.6777, 0.307115


def haloes(number, rng, first=0):
    """Draw some haloes: a dict of arrays, masses in Msun/h and radii in comoving kpc/h."""
    m200 = 1e13 * rng.pareto(1.2, number) + 1e13
    m200 = np.minimum(m200, 3e15)
    concentration = 5 * (m200 / 1e14) ** -0.08 * np.exp(0.3 * rng.standard_normal(number))
    growth = _OM * 0.8**-3 + 1 - _OM
    r200 = 1e3 * np.cbrt(m200 / (4 / 3 * np.pi * 200 * 2.77536627e11 * growth)) / 0.8
    ratio = 0.62 + 0.1 * np.log10(concentration / 5)
    ids = first + np.arange(number)
    return {
        "id": ids,
        "host": np.where((ids % 10 == 9), ids - 9, -1),
        "m200c": m200,
        "m500c": ratio * m200,
        "r200c": r200,
        "rs": r200 / concentration,
        "vmax": 1000 * np.cbrt(m200 / 1e15),
        "x": rng.uniform(0, 1000, number),
        "y": rng.uniform(0, 1000, number),
        "z": rng.uniform(0, 1000, number),
        "c200c": concentration,
    }


def write_text(path, number, form):
    """Write a file of Rockstar or AHF; rows of a block of haloes serve for all, with other ids."""
    rng = np.random.default_rng(1)
    block = haloes(_BLOCK, rng)
    names = ROCKSTAR.split("\n", 1)[0][1:].split() if form == "rockstar" else _AHF_NAMES
    known = {
        "rockstar": {
            "Mvir": "m200c", "M200b": "m200c", "M200c": "m200c", "M500c": "m500c", "Rs": "rs",
            "Rvir": "r200c", "X": "x", "Y": "y", "Z": "z", "Vmax": "vmax", "Vrms": "vmax",
        },
        "ahf": {
            "Mhalo": "m200c", "Rhalo": "r200c", "Xc": "x", "Yc": "y", "Zc": "z", "Vmax": "vmax",
            "cNFW": "c200c",
        },
    }[form]  # fmt: skip
    big = {"Mvir", "Mvir_all", "M200b", "M200c", "M500c", "M2500c", "Mhalo", "JX", "JY", "JZ"}
    separator = " " if form == "rockstar" else "\t"
    rest = [name for name in names if name not in ("ID", "hostHalo")]
    values = [block[known[name]] if name in known else rng.uniform(0.1, 1, _BLOCK) for name in rest]
    if form == "rockstar":
        values[rest.index("PID")] = block["host"]
    formats = [
        "%.4e" if name in big else "%d" if name in ("PID", "DescID", "Np") else "%.5f"
        for name in rest
    ]
    lines = ["".join(separator + f for f in formats) % row for row in zip(*values, strict=True)]
    with path.open("w", encoding="utf-8") as file:
        file.write(ROCKSTAR if form == "rockstar" else AHF)
        for first in range(0, number, _BLOCK):
            last = min(first + _BLOCK, number) - first
            if form == "rockstar":
                file.writelines(f"{first + i}{lines[i]}\n" for i in range(last))
            else:
                hosts = np.where(block["host"] < 0, 0, block["host"] + first + 1).tolist()
                file.writelines(f"{first + i + 1}\t{hosts[i]}{lines[i]}\n" for i in range(last))


def write_arrays(path, number, form):
    """Write HDF5, FITS or Parquet, in blocks, with units."""
    import astropy.units as u
    from astropy.table import QTable

    from szmass._tables.appending import appending_table

    units = {"m200c": u.solMass, "m500c": u.solMass, "r200c": u.Mpc, "rs": u.Mpc}
    rng = np.random.default_rng(1)
    with appending_table(path) as writer:
        for first in range(0, number, 1_000_000):
            block = haloes(min(1_000_000, number - first), rng, first)
            for name in ("r200c", "rs"):
                block[name] *= 0.8 / 1e3
            table = QTable({n: block[n] for n in ("id", "host", *units, "c200c")})
            for name, unit in units.items():
                table[name] = table[name] / _H * unit
            table["redshift"] = 0.25
            writer.write(table)


# Linux keeps the peak of a process beyond exec in rusage, and not here.
PEAK = """
import atexit, re
from pathlib import Path
status = Path("/proc/self/status")
atexit.register(lambda: print("peak", re.search("VmHWM:\\\\s+(.*) kB", status.read_text())[1]))
"""


def in_process(code, *arguments):
    """Run some lines in a process of its own; give what it prints, and its peak MiB."""
    command = [sys.executable, "-c", PEAK + code, *map(str, arguments)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    printed, _, peak = printed.rpartition("peak ")
    return printed.strip(), int(peak) / 1024


READ = """
import sys, time
from szmass.baryons import HaloCatalog
path, options = sys.argv[1], eval(sys.argv[2])
start, rows, hosts = time.process_time(), 0, 0
for halos in HaloCatalog.iterate(path, **options):
    rows += len(halos)
    hosts += int(halos.is_host.sum())
print(rows, hosts, time.process_time() - start)
"""
_NEEDED = ["m500c", "m200c"]
FORMATS = {
    "rockstar": (".list", {}),
    "ahf": (".z0.250.AHF_halos", {"h": _H, "mass_definition": "200c"}),
    "hdf5": (".hdf5", {}),
    "fits": (".fits", {}),
    "parquet": (".parquet", {}),
}


def measure_reading(folder, number, form):
    """Print how fast a file is read, with few columns and with all."""
    suffix, options = FORMATS[form]
    path = folder / f"halos{suffix}"
    start = time.perf_counter()
    (write_text if form in ("rockstar", "ahf") else write_arrays)(path, number, form)
    size = path.stat().st_size
    print(
        f"{form}: {number} haloes, {size / 1e9:.2f} GB written in "
        f"{time.perf_counter() - start:.0f} s",
        flush=True,
    )
    few = [name for name in _NEEDED if form != "ahf" or name != "m500c"]
    for what, more in (("columns of a scaling relation", {"only": few}), ("all columns", {})):
        printed, memory = in_process(READ, path, {**options, **more})
        rows, hosts, seconds = printed.split()
        assert (int(rows), int(hosts)) == (number, number - number // 10), printed
        print(
            f"  read {what}: {number / float(seconds):,.0f} haloes/s, "
            f"{size / float(seconds) / 1e6:.0f} MB/s, {memory:.0f} MiB at most",
            flush=True,
        )
    return path


def measure_prediction(models, number=1_000_000):
    """Print how fast models predict from haloes in memory, on one core."""
    import astropy.units as u
    from astropy.table import QTable

    from szmass.baryons import HaloCatalog
    from szmass.physics import get_baryon_model

    block = haloes(number, np.random.default_rng(2))
    table = QTable({"id": block["id"], "redshift": np.full(number, 0.25)})
    table["m500c"], table["m200c"] = (block[n] / _H * u.solMass for n in ("m500c", "m200c"))
    rng = np.random.default_rng(3)
    for name in models:
        model = get_baryon_model(name)
        for feature in model.features:
            if feature.startswith("m500c_at_"):
                table[feature] = table["m500c"] * rng.uniform(0.3, 1, number)
            elif feature not in table.colnames:
                table[feature] = rng.uniform(0.02, 0.2, number)
        halos = HaloCatalog(table)
        for draw in (False, True):
            times = []
            for _ in range(3):
                start = time.process_time()
                model.predict(halos, draw=draw, seed=0 if draw else None)
                times.append(time.process_time() - start)
            word = "draws" if draw else "predicts"
            print(f"{name} {word} {number / min(times):,.0f} haloes/s", flush=True)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=10_000_000)
    parser.add_argument("--formats", default="rockstar,ahf,hdf5,fits,parquet", help="or none")
    parser.add_argument("--models", default="tng,flamingo,the300-gadgetx")
    parser.add_argument("--folder", help="where files are written, instead of a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for form in options.formats.split(",") if options.formats != "none" else ():
            path = measure_reading(Path(folder), options.number, form)
            if form == "rockstar":
                output = Path(folder, "out.fits")
                code = (
                    "from szmass.__main__ import run\ntry:\n    run()\nfinally:\n    import time\n"
                )
                code += "    print('seconds', time.process_time())"
                arguments = ["baryons", path, "--model", "tng", "-o", output]
                printed, memory = in_process(code, *arguments)
                seconds = float(printed.rpartition("seconds ")[2])
                print(
                    f"  szmass baryons --model tng: {options.number / seconds:,.0f} haloes/s from "
                    f"file to file, {memory:.0f} MiB at most",
                    flush=True,
                )
                output.unlink()
            path.unlink()
    measure_prediction(options.models.split(","))


if __name__ == "__main__":
    main()
