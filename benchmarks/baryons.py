"""Make the data files of the baryon models, and print the numbers that they reach.

    python benchmarks/baryons.py tables --data FOLDER --output szmass/data/baryons
    python benchmarks/baryons.py train --data FOLDER --output szmass/data/baryons
    python benchmarks/baryons.py numbers --data FOLDER

FOLDER is that of the halo tables (see the development guide).

``tables`` takes nodes of the kernel-localised regressions that go with Aljamal et al. (2025).
Their Y_SZ is M_gas T_mw of each halo, so that one of the three follows from the others where all
gas counts: the correlation of T_mw with L_X, which the tables of FLAMINGO lack for all gas,
follows too, and matrices are singular but for rounding. Eigenvalues below 0.001 are raised to it,
which moves correlations by less than 0.005. The correlation of T_sl with L_X of all gas in
FLAMINGO cannot be had (conditional independence is wrong by up to 0.2 where the tables have it):
T_sl is left out.
"""

import argparse
import json
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table, vstack
from scipy.spatial import cKDTree

from szmass.baryons import fit_baryon_model, importance_table
from szmass.physics import (
    BARYON_MODELS,
    HALO_UNITS,
    get_baryon_model,
    get_cosmology,
    halo_features,
    spread,
)
from szmass.physics import PROPERTIES as UNIT

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


# The Three Hundred

H, COSMOLOGY, CUI = 0.6777, "TheThreeHundred", ("2018MNRAS.480.2898C",)
SHARES = (0.95, 0.9, 0.8, 0.7, 0.6)
STEPS = {
    "": (),
    "-m200": ("m200c",),
    "-formation": ("m200c", "half_mass_scale"),
    "-assembly": ("m200c", *(f"m500c_at_{share:g}" for share in SHARES)),
    "-state": ("m200c", *(f"m500c_at_{share:g}" for share in SHARES), "delta_r", "f_s", "eta"),
}
GADGET_X = "The Three Hundred, Gadget-X"
LOWEST_GADGET_X, LOWEST_GIZMO = 3e13, 5e13


def progenitors(folder):
    """Give main progenitors of the 324 clusters, M500 > 1e14 Msun and z < 1.05, with histories.

    M200 of the histories, and of the joined table, stands one snapshot too early but for z = 0 (see
    states.py); it is put right here, unless ``joined`` asks for that of the joined table.
    """
    table = Table.read(folder / "g3x_main_progenitors_joined.fits")
    table.sort(["snap", "region"])
    read = {
        name: np.ma.filled(np.ma.array(table[name], float, subok=False), np.nan).reshape(-1, 324)
        for name in table.colnames
    }
    scale = np.loadtxt(folder / "redshifts.txt")[:, 1]
    m200 = histories(folder)
    m500 = np.load(folder / "G3Xevo.npy")[:, :, 2].copy()
    m500[m500 <= 0] = np.nan
    snapshots = read["snap"][:, 0].astype(int)
    columns = {
        "region": read["region"].astype(int),
        "redshift": np.maximum(read["redshift"], 0),
        "m500c": read["m500c"],
        "m200c": m200[:, snapshots].T,
        "joined": read["m200c"],
        "delta_r": np.where(read["delta200"] > 0, read["delta200"], np.nan),
        "f_s": np.where(read["fs200"] > 0, read["fs200"], np.nan),
        "eta": np.where(read["eta200"] > 0, read["eta200"], np.nan),
        "mgas500": read["fgas500"] * read["m500c"],
        "mstar500": read["fstar500"] * read["m500c"],
    }
    half = [[_half_mass(m200[i, : s + 1], scale[: s + 1]) for i in range(324)] for s in snapshots]
    columns["half_mass_scale"] = np.array(half)
    for share in SHARES:
        columns[f"m500c_at_{share:g}"] = _earlier(m500, scale, snapshots, share)
    rows = (columns["m500c"] > 1e14) & (columns["redshift"] < 1.05)
    rows &= np.isfinite(read["m200c"])
    return _with_units({name: column[rows] for name, column in columns.items()})


def with_growth(folder, clusters):
    """Add what De Andres et al. (2023) rank, from the histories of M200: the scale factor of the
    last major merger (M200 up by a third within about 0.6 Gyr; the first snapshot if there is none)
    and the accretion rate since 0.8 of the scale factor."""
    m200 = histories(folder)
    scale = np.loadtxt(folder / "redshifts.txt")[:, 1]
    age = get_cosmology(COSMOLOGY).age(1 / scale - 1).to_value("yr")
    snapshots = np.abs(scale - 1 / (1 + np.asarray(clusters["redshift"]))[:, np.newaxis])
    last, rate = np.empty(len(clusters)), np.empty(len(clusters))
    for i, (region, snapshot) in enumerate(
        zip(clusters["region"], snapshots.argmin(1), strict=True)
    ):
        known = np.flatnonzero(np.isfinite(m200[region - 1, : snapshot + 1]))
        mass, when, a = m200[region - 1, known], age[known], scale[known]
        before = np.searchsorted(when, when - 4e8) - 1
        near = (before >= 0) & (when - when[before] < 1.2e9)
        mergers = np.flatnonzero(near & (mass > 4 / 3 * mass[before]))
        last[i] = a[mergers[-1]] if mergers.size else a[0]
        at = np.log(0.8 * a[-1])
        then = np.exp(np.interp(at, np.log(a), np.log(mass)))
        rate[i] = (mass[-1] - then) / (when[-1] - np.interp(np.exp(at), a, when))
    clusters["last_merger_scale"] = last
    clusters["accretion_rate"] = rate * HALO_UNITS["accretion_rate"]
    return clusters


def histories(folder):
    """Give M200 [Msun] of the main progenitors, (324, snapshots), with its snapshots put right."""
    m200 = np.loadtxt(folder / "G3X-Central-Masses-for-M200.txt") / H
    m200[:, 1:] = np.roll(m200[:, 1:], 1, axis=1)  # of snapshots 1 to 128
    m200[:, 1] = np.nan
    m200[m200 <= 0] = np.nan
    return m200


def _with_units(columns):
    return QTable(
        {name: column * UNIT.get(name, HALO_UNITS.get(name, 1)) for name, column in columns.items()}
    )


def _half_mass(mass, scale):
    """Scale factor at which a history first had half of its last mass."""
    known = np.isfinite(mass)
    if not known[-1]:
        return np.nan
    log_m, log_a = np.log(2 * mass[known] / mass[-1]), np.log(scale[known])
    first = np.argmax(log_m >= 0)
    return np.exp(np.interp(0, log_m[first - 1 : first + 1], log_a[first - 1 : first + 1]))


def _earlier(m500, scale, snapshots, share):
    """M500 of the main progenitor at a share of the scale factor, shape (snapshots, 324)."""
    result = np.empty((len(snapshots), len(m500)))
    for i, mass in enumerate(m500):
        known = np.isfinite(mass)
        at = np.log(share * scale[snapshots])
        result[:, i] = np.exp(np.interp(at, np.log(scale[known]), np.log(mass[known])))
    return result


def field_halos(folder, simulation):
    """Give all host haloes of the regions at z = 0."""
    data = np.load(folder / f"{simulation}_Mbh_snap_128-with_BH-info.npy")
    # M500 in 1e10 Msun/h in one file, in Msun/h in the other.
    m500 = data[:, 12] * (1e10 if simulation == "G3X" else 1) / H
    columns = {
        "region": data[:, 0].astype(int),
        "redshift": np.zeros(len(data)),
        "m500c": m500,
        "m200c": data[:, 3] / H,
        "mgas500": data[:, 14] * m500,
        "mstar500": data[:, 15] * m500,
        "x": data[:, 4],
        "y": data[:, 5],
        "z": data[:, 6],
        "r200": data[:, 7],
    }
    if simulation == "GIZMO":
        columns["t_mw"] = np.load(folder / "GIZMO-TM500-fullsample.npy")[:, 1]
    return _with_units(columns)


def training(folder, simulation, features=()):
    """Give the table that a model that ships is fitted to."""
    halos = field_halos(folder, simulation)
    if simulation == "GIZMO":
        return halos[halos["m500c"] > LOWEST_GIZMO * u.solMass]
    clusters = progenitors(folder)
    if features:
        return clusters
    # What is in both is taken once.
    last = clusters[clusters["redshift"] == 0]
    own = dict(zip(last["region"], last["m500c"].value, strict=True))
    rows = halos["m500c"] > LOWEST_GADGET_X * u.solMass
    for i in np.flatnonzero(rows):
        other = own.get(halos["region"][i])
        rows[i] = other is None or abs(np.log(halos["m500c"][i].value / other)) > 1e-4
    names = ["region", "redshift", "m500c", "m200c", "mgas500", "mstar500"]
    return vstack([clusters[names], halos[rows][names]])


def train(folder, output):
    """Fit and write the models of The Three Hundred."""
    folder = folder / "the300"
    common = {"cosmology": COSMOLOGY, "references": CUI, "seed": 300}
    for step, extra in STEPS.items():
        table = training(folder, "G3X", extra)
        what = "main progenitors of 324 clusters, z < 1.05, M500 > 1e14 Msun"
        if not extra:
            what += f", and host haloes at z = 0 above {LOWEST_GADGET_X:g} Msun"
        name = f"the300-gadgetx{step}"
        model = fit_baryon_model(
            table,
            ["mgas500", "mstar500"],
            ["m500c", "redshift", *extra],
            method="quadratic" if extra else "cubic",
            name=name,
            physics=f"{GADGET_X}: {what}",
            **common,
        )
        model.write(output / name, overwrite=True)
        _tell(model)
    model = fit_baryon_model(
        training(folder, "G3X", True),
        ["mgas500", "mstar500"],
        ["m500c", "redshift", *STEPS["-state"]],
        method="boosting",
        name="the300-gadgetx-boosting",
        physics=f"{GADGET_X}: main progenitors of 324 clusters, z < 1.05, M500 > 1e14 Msun",
        **common,
    )
    model.write(output / "the300-gadgetx-boosting", overwrite=True)
    _tell(model)
    model = fit_baryon_model(
        training(folder, "GIZMO"),
        ["mgas500", "mstar500", "t_mw"],
        method="cubic",
        name="the300-gizmo",
        physics=f"The Three Hundred, GIZMO-SIMBA: host haloes at z = 0 above {LOWEST_GIZMO:g} Msun",
        cosmology=COSMOLOGY,
        references=(*CUI, "2022MNRAS.514..977C"),
        seed=300,
    )
    model.write(output / "the300-gizmo", overwrite=True)
    _tell(model)


def _tell(model):
    held = model.cross_validation
    print(model.name, len(held.rows), "rows; scatter", held.scatter.round(5))
    for level in (0.68, 0.95):
        share, error = held.coverage(level)
        print(f"   coverage of {level}: {share:.4f} +- {error:.4f}")
    if "importance" in model.card:
        importance_table(model).pprint_all()


# Numbers

GOALS = {
    "": (0.0416, 0.1202),
    "-m200": (0.0411, 0.1210),
    "-formation": (0.0384, 0.1196),
    "-assembly": (0.0384, 0.1196),
    "-state": (0.0378, 0.1184),
}


def ladder(folder, method, seeds=range(5), m200="m200c"):
    """Give the scatter of f_gas and f_star, the mean of fold seeds, with more and more columns."""
    clusters = progenitors(folder)
    clusters["m200c"] = u.Quantity(clusters[m200], u.solMass)
    result = {}
    for step, extra in STEPS.items():
        scatter = [
            fit_baryon_model(
                clusters,
                features=["m500c", "redshift", *extra],
                method=method,
                cosmology=COSMOLOGY,
                seed=seed,
                importance=False,
            ).cross_validation.scatter
            for seed in seeds
        ]
        result[step] = np.mean(scatter, axis=0)
    return result


def matched(folder):
    """Give rows of both simulations, at z = 0, that are the same halo: mutual nearest neighbours
    within R200 / 2 whose M500 are within a factor of 1.65."""
    tables = [field_halos(folder, simulation) for simulation in ("G3X", "GIZMO")]
    pairs = []
    for region in np.unique(tables[0]["region"]):
        rows = [np.flatnonzero(table["region"] == region) for table in tables]
        places = [
            np.array([table[axis][own] for axis in "xyz"]).T
            for table, own in zip(tables, rows, strict=True)
        ]
        trees = [cKDTree(place) for place in places]
        distance, there = trees[1].query(places[0])
        back = trees[0].query(places[1])[1]
        for i, (d, j) in enumerate(zip(distance, there, strict=True)):
            a, b = rows[0][i], rows[1][j]
            ratio = np.log(tables[1]["m500c"][b] / tables[0]["m500c"][a])
            if back[j] == i and d < 0.5 * tables[0]["r200"][a] and abs(ratio) < 0.5:
                pairs.append((a, b))
    one, other = np.array(pairs).T
    return tables[0][one], tables[1][other]


def largest(folder):
    """Give the largest halo of each region in both simulations."""
    result = []
    for simulation in ("G3X", "GIZMO"):
        table = field_halos(folder, simulation)
        table.sort(["region", "m500c"])
        last = np.r_[np.diff(table["region"]) > 0, True]
        result.append(table[last])
    return result


def physics_gap(one, other):
    """ln f_gas of GIZMO less that of Gadget-X, of pairs of haloes: measured, by the models at each
    halo's own mass, and by `spread` at the masses of Gadget-X."""
    gas = [np.log((table["mgas500"] / table["m500c"]).value) for table in (one, other)]
    said = []
    for name, table in (("the300-gadgetx", one), ("the300-gizmo", other)):
        mean, _ = get_baryon_model(name).moments(halo_features(table, ("m500c", "redshift")))
        said.append(mean[:, 0] - np.log(table["m500c"].value))
    apart = spread(["the300-gadgetx", "the300-gizmo"], one)
    (row,) = apart[apart["property"] == "mgas500"]
    return (gas[1] - gas[0]).mean(), (said[1] - said[0]).mean(), row["difference"]


def real_clusters(folder):
    """Give tables of observed clusters with the columns of models, and errors of ln."""
    folder = folder / "real_xray_tables"
    result = {}
    for name, file, columns in (
        (
            "Bulbul et al. 2019",
            "xmmspt_bulbul_chiu+19.fits",
            {"mgas500": "Mgas", "t_sl": "Txcin", "lx": "Lxcin"},
        ),
        ("Chiu et al. 2018", "xvp_chiu18.fits", {"mgas500": "mgas", "mstar500": "mstar"}),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)
            table = Table.read(folder / file)
        halos = {
            "m500c": np.asarray(table["m500"], float),
            "redshift": np.asarray(table["redshift"], float),
        }
        halos["m500c_err"] = np.asarray(table["m500_err"], float) / halos["m500c"]
        # Radius of the measurements: arcsec in one, arcmin in the other.
        angle = np.asarray(table["r500"], float) * (1 if name.startswith("Bulbul") else 60)
        distance = get_cosmology("PSZ2").angular_diameter_distance(halos["redshift"])
        radius = (angle * u.arcsec).to_value("rad") * distance
        density = get_cosmology("PSZ2").critical_density(halos["redshift"])
        enclosed = 4 * np.pi / 3 * 500 * density * radius**3
        halos["m500c_of_radius"] = enclosed.to_value("solMass")
        for own, theirs in columns.items():
            halos[own] = np.asarray(table[theirs], float)
            halos[f"{own}_err"] = np.asarray(table[f"{theirs}_err"], float) / halos[own]
        result[name] = {key: np.where(column > 0, column, np.nan) for key, column in halos.items()}
    return result


def offsets(clusters, model, mass="m500c"):
    """Give, by property, the mean of ln(observed / median of the model) over clusters, its error,
    the standard deviation, and the number of clusters."""
    model = get_baryon_model(model)
    features = {"m500c": clusters[mass], "redshift": clusters["redshift"]}
    mean, _ = model.moments(features)
    # Extrapolated haloes count; those of GIZMO, which has no evolution, are all at z = 0.
    result = {}
    for j, name in enumerate(model.properties):
        if name in clusters:
            rest = np.log(clusters[name]) - mean[:, j]
            rest = rest[np.isfinite(rest)]
            result[name] = rest.mean(), rest.std() / np.sqrt(len(rest)), rest.std(), len(rest)
    return result


def numbers(data, _):
    """Print the numbers of the guide."""
    folder = data / "the300"
    print("sigma ln f_gas, f_star of held-out regions, mean of five fold seeds; goals")
    for method, seeds in (("quadratic", 5), ("boosting", 5), ("forest", 2)):
        for step, scatter in ladder(folder, method, range(seeds)).items():
            print(f"  {method:10} {step or 'M, z':10}", scatter.round(4), GOALS[step])
    print("  quadratic, M200 as joined:")
    for step, scatter in ladder(folder, "quadratic", m200="joined").items():
        print(f"  {'':10} {step or 'M, z':10}", scatter.round(4))
    print("columns as De Andres et al. have them, where the public tables do")
    names = ("m200c", "half_mass_scale", "last_merger_scale", "accretion_rate")
    model = fit_baryon_model(
        with_growth(folder, progenitors(folder)),
        features=["m500c", "redshift", *names],
        cosmology=COSMOLOGY,
    )
    print("  scatter", model.cross_validation.scatter.round(4))
    importance_table(model).pprint_all()
    print("ln f_gas, GIZMO less Gadget-X: measured, models at own mass, spread")
    print("  largest", np.round(physics_gap(*largest(folder)), 4))
    one, other = matched(folder)
    for least in (5e14, 2e14, 1e14):
        rows = one["m500c"] > least * u.solMass
        print(f"  {least:g}", np.round(physics_gap(one[rows], other[rows]), 4), np.sum(rows))
    print("coverage of held-out regions")
    for name in BARYON_MODELS:
        card = getattr(BARYON_MODELS[name], "card", None)
        if card:
            print(f"  {name:26}", card["cross_validation"]["coverage"], f"tail {card['tail']:.1f}")
    gizmo = field_halos(folder, "GIZMO")
    rows = gizmo["m500c"].value * H > 1e14
    model = get_baryon_model("the300-gizmo")
    mean, covariance = model.moments(halo_features(gizmo[rows], model.features))
    x = np.log(gizmo["m500c"][rows].value / 6e14)
    slope, norm = np.polyfit(x, mean[:, 2], 1)
    rest = np.log(gizmo["t_mw"][rows].value) - mean[:, 2]
    print(
        f"T_mw of GIZMO: {np.exp(norm):.3f} keV (M / 6e14)^{slope:.3f}, "
        f"residuals {rest.std():.4f}, by the model {np.sqrt(covariance[:, 2, 2].mean()):.4f}"
    )
    print("observed clusters: mean of ln(observed / median), error, deviation, number")
    for paper, clusters in real_clusters(data).items():
        print(
            f"  {paper}: M500 of the radius / M500:",
            np.nanmedian(clusters["m500c_of_radius"] / clusters["m500c"]).round(3),
        )
        for name in BARYON_MODELS:
            if set(BARYON_MODELS[name].features) == {"m500c", "redshift"}:
                for mass in ("m500c", "m500c_of_radius"):
                    for key, value in offsets(clusters, name, mass).items():
                        print(f"    {name:18} {mass:16} {key:9}", np.round(value, 3))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["tables", "train", "numbers"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    {"tables": tables, "train": train, "numbers": numbers}[args.what](args.data, args.output)


if __name__ == "__main__":
    main()
