"""Make the data files of the baryon models, and print the numbers that they reach.

    python benchmarks/baryons.py tables --data FOLDER --output szmass/data/baryons

FOLDER is that of the halo tables (see the development guide).

``tables`` takes nodes of the kernel-localised regressions that go with Aljamal et al. (2025). Their
Y_SZ is M_gas T_mw of each halo, so that one of the three follows from the others where all gas
counts: the correlation of T_mw with L_X, which the tables of FLAMINGO lack for all gas, follows too,
and matrices are singular but for rounding. Eigenvalues below 0.001 are raised to it, which moves
correlations by less than 0.005. The correlation of T_sl with L_X of all gas in FLAMINGO cannot be
had (conditional independence is wrong by up to 0.2 where the tables have it): T_sl is left out.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from astropy.table import Table

REDSHIFTS = (0.0, 0.5, 1.0, 2.0)
NODES = (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 19)
SOURCE = (
    "Kernel-localised regressions of Aljamal et al. 2025, MNRAS 544, 67, as tables in "
    "github.com/ealjamal/MPQScaling (4b3713), at 11 of 20 masses; benchmarks/baryons.py of szmass"
)
TNG, FLAMINGO = "TNG300_1_plus_TNG_Cluster_snap", "FLAMINGO_L1000N3600_snap"
OF_TABLES = {
    "tng": {
        "physics": "IllustrisTNG: TNG300-1 and TNG-Cluster; all gas",
        "cosmology": {"name": "TNG", "H0": 67.74, "Om0": 0.3089},
        "files": [f"{TNG}{snap}" for snap in (99, 67, 50, 33)],
        "columns": ("T_mw_hot_gas", "T_sl", "L_X_ROSAT_obs"),
    },
    "flamingo": {
        "physics": "FLAMINGO L1_m8; temperatures and L_X without recently heated gas",
        "cosmology": {"name": "FLAMINGO", "H0": 68.1, "Om0": 0.306},
        "files": [f"{FLAMINGO}{snap:04d}" for snap in (78, 68, 58, 38)],
        "columns": (
            "T_mw_hot_gas_wo_recent_AGN",
            "T_sl_wo_recent_AGN",
            "L_X_ROSAT_obs_wo_recent_AGN",
        ),
    },
    "flamingo-all-gas": {
        "physics": "FLAMINGO L1_m8; all gas",
        "cosmology": {"name": "FLAMINGO", "H0": 68.1, "Om0": 0.306},
        "files": [f"{FLAMINGO}{snap:04d}" for snap in (78, 68, 58, 38)],
        "columns": ("T_mw_hot_gas", None, "L_X_ROSAT_obs"),
    },
}
UNITS = {"mgas500": "Msun", "t_mw": "K", "t_sl": "K", "lx": "erg / s", "y500": "Msun K"}
FLOOR = 1e-3


def _correlation(table, a, b):
    for name in (f"{a}_{b}_corr", f"{b}_{a}_corr"):
        if name in table.colnames:
            return np.asarray(table[name])
    return None


def _matrices(table, names, scatter):
    """Correlations (masses, K, K) of columns, with that of T_mw and L_X where it is missing."""
    k = len(names)
    result = np.ones((len(table), k, k))
    for i in range(k):
        for j in range(i):
            r = _correlation(table, names[i], names[j])
            if r is None:
                # ln T = ln Y - ln M: the covariance with L_X is that of Y less that of M.
                gas, y = 0, k - 1
                assert (j, i) == (1, k - 2), "only T_mw with L_X can be made up for"
                of = [_correlation(table, names[m], names[i]) * scatter[m] for m in (gas, y)]
                r = (of[1] - of[0]) / scatter[j]
            result[:, i, j] = result[:, j, i] = r
    values, vectors = np.linalg.eigh(result)
    raised = vectors * np.maximum(values, FLOOR)[:, np.newaxis] @ np.swapaxes(vectors, 1, 2)
    size = np.sqrt(np.diagonal(raised, axis1=1, axis2=2))
    raised /= size[:, :, np.newaxis] * size[:, np.newaxis, :]
    return raised, np.abs(raised - result).max()


def tables(folder, output):
    """Write a file for each simulation of the published tables."""
    folder = folder / "mpq_tng_flamingo"
    nodes = list(NODES)
    for name, of in OF_TABLES.items():
        t_mw, t_sl, lx = of["columns"]
        columns = {"mgas500": "M_hot_gas", "t_mw": t_mw, "t_sl": t_sl, "lx": lx, "y500": "Y_SZ"}
        columns = {key: f"{column}_500c" for key, column in columns.items() if column}
        numbers = {
            "name": name,
            "physics": of["physics"],
            "source": SOURCE,
            "references": ["2025MNRAS.544...67A"],
            "cosmology": of["cosmology"],
            "lx_band": [0.5, 2.0, "observer"],
            "properties": list(columns),
            "units": [UNITS[key] for key in columns],
            "redshift": list(REDSHIFTS),
        }
        lists = {key: [] for key in ("log_mass", "log_norm", "slope", "scatter", "correlation")}
        moved = 0
        for file in of["files"]:
            relation = Table.read(folder / f"gas_scaling_parameters_{file}.csv")
            get = {
                part: np.array([relation[f"{column}_{part}"] for column in columns.values()])
                for part in ("norm", "slope", "scatter")
            }
            correlation = Table.read(folder / f"gas_correlations_{file}.csv")
            matrices, change = _matrices(correlation, list(columns.values()), get["scatter"])
            moved = max(moved, change)
            i, j = np.tril_indices(len(columns), -1)
            for key, array in {
                "log_mass": np.asarray(relation["M_500c"])[nodes],
                "log_norm": get["norm"][:, nodes],
                "slope": get["slope"][:, nodes],
                "scatter": get["scatter"][:, nodes],
                "correlation": matrices[nodes][:, i, j],
            }.items():
                lists[key].append(np.round(array, 4).tolist())
        text = json.dumps(numbers | lists)
        (output / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {len(text)} bytes; correlations moved by up to {moved:.4f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["tables"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    if args.what == "tables":
        tables(args.data, args.output)


if __name__ == "__main__":
    main()
