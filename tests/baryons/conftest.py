"""Halo files as Rockstar, consistent-trees and AHF write them, of the same few haloes."""

import numpy as np
import pytest

H, OM, SCALE = 0.6777, 0.307115, 0.8
ROCKSTAR = (
    "ID DescID Mvir Vmax Vrms Rvir Rs Np X Y Z VX VY VZ JX JY JZ Spin rs_klypin Mvir_all M200b "
    "M200c M500c M2500c Xoff Voff spin_bullock b_to_a c_to_a A[x] A[y] A[z] b_to_a(500c) "
    "c_to_a(500c) A[x](500c) A[y](500c) A[z](500c) T/|U| M_pe_Behroozi M_pe_Diemer "
    "Halfmass_Radius PID"
)
TREES = (
    "scale id desc_scale desc_id num_prog pid upid desc_pid phantom sam_Mvir Mvir Rvir rs vrms "
    "mmp? scale_of_last_MM vmax x y z vx vy vz Jx Jy Jz Spin Breadth_first_ID Depth_first_ID "
    "Tree_root_ID Orig_halo_ID Snap_num Next_coprogenitor_depthfirst_ID "
    "Last_progenitor_depthfirst_ID Last_mainleaf_depthfirst_ID Tidal_Force Tidal_ID Rs_Klypin "
    "Mvir_all M200b M200c M500c M2500c Xoff Voff Spin_Bullock b_to_a c_to_a A[x] A[y] A[z] "
    "b_to_a(500c) c_to_a(500c) A[x](500c) A[y](500c) A[z](500c) T/|U| M_pe_Behroozi M_pe_Diemer "
    "Halfmass_Radius Macc Mpeak Vacc Vpeak Halfmass_Scale Acc_Rate_Inst Acc_Rate_100Myr "
    "Acc_Rate_1*Tdyn Acc_Rate_2*Tdyn Acc_Rate_Mpeak"
)
AHF = (
    "ID hostHalo numSubStruct Mhalo npart Xc Yc Zc VXc VYc VZc Rhalo Rmax r2 mbp_offset com_offset "
    "Vmax v_esc sigV lambda lambdaE Lx Ly Lz b c Eax Eay Eaz Ebx Eby Ebz Ecx Ecy Ecz ovdens nbins "
    "fMhires Ekin Epot SurfP Phi0 cNFW"
)
ROCKSTAR_HEADER = f"""\
#a = {SCALE:.6f}
#Om = {OM:.6f}; Ol = {1 - OM:.6f}; h = {H:.6f}
#FOF linking length: 0.280000
#Unbound Threshold: 0.500000; FOF Refinement Threshold: 0.700000
#Particle mass: 1.54664e+09 Msun/h
#Box size: 1000.000000 Mpc/h
#Units: Masses in Msun / h
#Units: Positions in Mpc / h (comoving)
#Units: Velocities in km / s (physical, peculiar)
#Units: Halo Distances, Lengths, and Radii in kpc / h (comoving)
"""
TREES_HEADER = f"""\
#Omega_M = {OM:.6f}; Omega_L = {1 - OM:.6f}; h0 = {H:.6f}
#Full box size = 1000.000000 Mpc/h
#Mvir: Halo mass (Msun/h).
"""


def make_haloes(number=30):
    """Haloes in the units of the finders: Msun/h, comoving kpc/h and Mpc/h; every third is in 0."""
    rng = np.random.default_rng(4)
    m200 = 1e15 * 0.9 ** np.arange(number)
    growth = OM / SCALE**3 + 1 - OM
    r200 = 1e3 * np.cbrt(m200 / (4 / 3 * np.pi * 200 * 2.77536627e11 * growth)) / SCALE
    return {
        "id": np.arange(number),
        "host": np.where((np.arange(number) % 3 == 0) & (np.arange(number) > 0), 0, -1),
        "m200c": m200,
        "m500c": 0.65 * m200,
        "m200m": 1.2 * m200,
        "mvir": 1.1 * m200,
        "mpeak": 1.15 * m200,
        "r200c": r200,
        "rvir": 1.2 * r200,
        "rs": r200 / rng.uniform(3, 6, number),
        "vmax": rng.uniform(500, 2000, number),
        "vpeak": rng.uniform(2000, 2500, number),
        "vrms": rng.uniform(500, 2000, number),
        "spin": rng.uniform(0.01, 0.1, number),
        "b_to_a": rng.uniform(0.5, 1, number),
        "c_to_a": rng.uniform(0.3, 0.5, number),
        "x": rng.uniform(0, 1000, number),
        "y": rng.uniform(0, 1000, number),
        "z": rng.uniform(0, 1000, number),
        "half_mass_scale": rng.uniform(0.3, 0.8, number),
        "last_merger_scale": rng.uniform(0.1, 0.8, number),
        "accretion_rate": rng.uniform(1e3, 1e5, number),
    }


_NAMES = {
    "ID": "id", "PID": "host", "Mvir": "mvir", "M200b": "m200m", "M200c": "m200c",
    "M500c": "m500c", "Rvir": "rvir", "Rs": "rs", "Vmax": "vmax", "Vrms": "vrms", "X": "x",
    "Y": "y", "Z": "z", "Spin": "spin", "b_to_a": "b_to_a", "c_to_a": "c_to_a",
    "Mpeak": "mpeak", "Vpeak": "vpeak", "Halfmass_Scale": "half_mass_scale",
    "scale_of_last_MM": "last_merger_scale", "Acc_Rate_1*Tdyn": "accretion_rate",
}  # fmt: skip
_AHF_NAMES = {
    "Mhalo": "m200c", "Rhalo": "r200c", "Vmax": "vmax", "sigV": "vrms", "lambdaE": "spin",
    "b": "b_to_a", "c": "c_to_a",
}  # fmt: skip
_WHOLE = {"ID", "PID", "hostHalo", "DescID", "Np", "desc_id", "num_prog", "numSubStruct", "npart"}


def rows_of(names, haloes, known):
    """Give rows of numbers as text; what is not known of a halo is 0.5, or 7 where it is whole."""
    lower = {name.lower(): ours for name, ours in known.items()}
    columns = []
    for name in names.split():
        ours = lower.get(name.lower())
        if ours in ("id", "host"):
            columns.append([f"{value:d}" for value in haloes[ours]])
        elif ours:
            columns.append([f"{value:.7g}" for value in haloes[ours]])
        else:
            columns.append(["7" if name in _WHOLE else "0.5"] * len(haloes["id"]))
    return [list(row) for row in zip(*columns, strict=True)]


def write_rockstar(path, haloes, names=ROCKSTAR, header=ROCKSTAR_HEADER):
    """Write a list of Rockstar; give the path."""
    lines = [" ".join(row) + "\n" for row in rows_of(names, haloes, _NAMES)]
    path.write_text(f"#{names}\n{header}{''.join(lines)}")
    return path


def write_trees(path, haloes, scale=SCALE):
    """Write a list of consistent-trees."""
    numbered = " ".join(f"{name}({i})" for i, name in enumerate(TREES.split()))
    rows = rows_of(TREES, haloes, _NAMES)
    for row in rows:
        row[0] = f"{scale:.4f}"
    lines = [" ".join(row) + "\n" for row in rows]
    path.write_text(f"#{numbered}\n{TREES_HEADER}{''.join(lines)}")
    return path


def write_ahf(path, haloes, no_host=0):
    """Write a file of AHF, whose positions are in kpc/h; identifiers begin at 1."""
    haloes = dict(haloes)
    haloes["host"] = np.where(haloes["host"] < 0, no_host, haloes["host"] + 1)
    haloes["id"] = haloes["id"] + 1
    for name, ours in (("Xc", "x"), ("Yc", "y"), ("Zc", "z")):
        haloes[name] = 1000 * haloes[ours]
    haloes["com"], haloes["c"] = 0.05 * haloes["r200c"], haloes["r200c"] / haloes["rs"]
    known = _AHF_NAMES | {
        "ID": "id", "hostHalo": "host", "Xc": "Xc", "Yc": "Yc", "Zc": "Zc", "com_offset": "com",
        "cNFW": "c",
    }  # fmt: skip
    known["c"] = "c_to_a"
    numbered = "\t".join(f"{name}({i})" for i, name in enumerate(AHF.split(), 1))
    lines = ["\t".join(row) + "\n" for row in rows_of(AHF, haloes, known)]
    path.write_text(f"#{numbered}\n{''.join(lines)}")
    return path


@pytest.fixture(scope="session")
def haloes():
    """Haloes in the units of the finders."""
    return make_haloes()
