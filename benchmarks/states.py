"""Fit the model of dynamical states to The Three Hundred, and show how well it holds.

    python benchmarks/states.py --data FOLDER [--output FILE] [--draws 200]

FOLDER is that of the halo tables (see the development guide), with ``the300`` and
``tng300_dm_relations``. The check predicts each region by a model fitted to others, in five folds
by region, and compares the pooled predictions with what is measured; errors are from a bootstrap of
the regions. Then come the proxies of formation, and the model of all regions is written to FILE
(szmass/data/states_the300.json), if it is given.

M200 of these main progenitors stands one snapshot too early in the mass histories, and in the
table that was joined from them: their last two columns are the same, and M500/M200 scatters by 0.25
in ln against the column of its own number, 0.20 against the one before, and 0.21 at z = 0, where
M200 is that of the halo catalogue. It is put right here; correlations with M500/M200 as the joined
table has it are printed beside.
"""

import argparse
import json
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Table
from scipy.special import logit, ndtr
from scipy.stats import spearmanr

from szmass.physics import RELAXED_LIMITS, chi_ds, is_relaxed
from szmass.simulations import StateModel, draw_states, from_masses
from szmass.simulations.bodies.states import QUANTITIES

H = 0.6777
REDSHIFT_NODES = (0.0, 0.022, 0.12, 0.25, 0.4, 0.52, 0.65, 0.85, 1.03, 1.25)
SLOPE_NODES = (0.0, 0.5, 1.25)
SCORES = (-2.5, -2.0, -1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5)
CHECKED = (0.0, 0.25, 0.52, 1.03)
PUBLISHED_RELAXED = (0.210, 0.151, 0.117, 0.052)
# Weight of the flags "below the limit of relaxed clusters" in the correlations of the first three.
FLAGS = np.array([[0, 0.6, 0.1], [0.6, 0, 0.1], [0.1, 0.1, 0]])
FOLDS, SEED, BOOTSTRAPS = 5, 300, 1000
LEVELS = (16, 50, 84)
LOGIT_NODES = (-0.2, 0.35, 0.65, 0.85, 1.05, 1.4)
SPREAD = (2, 3)  # of QUANTITIES
PAIRS = [(i, j) for i in range(4) for j in range(i + 1, 4)]
REFERENCES = ("2018MNRAS.480.2898C",)
SOURCE = (
    "benchmarks/states.py of szmass, fitted to the main progenitors of the 324 central clusters of "
    "The Three Hundred, Gadget-X, z < 1.35; all inside R200c"
)


def load(folder):
    """Give arrays of regions by name, shape (snapshots up to the last node, 324)."""
    table = Table.read(folder / "g3x_main_progenitors_joined.fits")
    scale = np.loadtxt(folder / "redshifts.txt")[:, 1]
    m200 = np.loadtxt(folder / "G3X-Central-Masses-for-M200.txt") / H
    m200[m200 <= 0] = np.nan
    m200[:, 1:] = np.roll(m200[:, 1:], 1, axis=1)  # of snapshots 1 to 128
    m200[:, 1] = np.nan
    table.sort(["snap", "region"])
    data = {
        name: np.ma.filled(np.ma.array(table[name], float, subok=False), np.nan).reshape(-1, 324)
        for name in ("snap", "redshift", "m500c", "delta200", "fs200", "eta200", "m200c")
    }
    keep = data["redshift"][:, 0] < REDSHIFT_NODES[-1] + 0.1
    data = {name: array[keep] for name, array in data.items()}
    snapshots = data["snap"][:, 0].astype(int)
    data["redshift"] = np.maximum(data["redshift"], 0)
    data["joined"] = data["m500c"] / data.pop("m200c")
    half = [[half_mass(m200[i, : s + 1], scale[: s + 1]) for i in range(324)] for s in snapshots]
    values = np.stack(
        [
            data["delta200"],
            data["fs200"],
            data["eta200"],
            data["m500c"] / m200[:, snapshots].T,
            np.array(half) / scale[snapshots, np.newaxis],
        ]
    )
    # -1 stands for none; shares near or above 1, one in 500, are mistakes of the halo finder.
    values = np.where(values > 0, values, np.nan)
    values[[1, 3]] = np.where(values[[1, 3]] < 0.95, values[[1, 3]], np.nan)
    return data | {"values": values}


def half_mass(mass, scale):
    """Scale factor at which a history first had half of its last mass."""
    known = np.isfinite(mass)
    if not known[-1]:
        return np.nan
    log_m, log_a = np.log(2 * mass[known] / mass[-1]), np.log(scale[known])
    first = np.argmax(log_m >= 0)
    return np.exp(np.interp(0, log_m[first - 1 : first + 1], log_a[first - 1 : first + 1]))


def concentrations(folder, data):
    """Measured concentrations at z = 0 of the 324, NaN where there is none."""
    halos = np.load(folder / "G3X_Mbh_snap_128-with_BH-info.npy")
    result = []
    for region, m500 in enumerate(data["m500c"][-1], start=1):
        own = halos[halos[:, 0] == region]
        row = own[np.argmin(np.abs(np.log(own[:, 12] * 1e10 / H / m500)))]
        result.append(row[9] if row[9] > 0 else np.nan)
    return np.array(result)


def hat(x, nodes):
    """Piecewise linear functions, one a node."""
    return np.array([np.interp(x, nodes, row) for row in np.eye(len(nodes))]).T


def quantile_regression(basis, y, level):
    """Coefficients with a share ``level`` of y below, by reweighted least squares."""
    beta = np.linalg.lstsq(basis, y, rcond=None)[0]
    beta += np.quantile(y - basis @ beta, level)
    for width in np.std(y) * np.geomspace(0.3, 1e-3, 60):
        rest = y - basis @ beta
        weight = np.where(rest > 0, level, 1 - level) / np.maximum(np.abs(rest), width)
        beta = np.linalg.solve(basis.T @ (weight[:, np.newaxis] * basis), basis.T @ (weight * y))
    return beta


def fit(data, regions, concentration):
    """Fit all tables of a model to some regions."""
    redshift = data["redshift"][:, regions]
    log_m = np.log10(data["m500c"][:, regions])
    values = data["values"][:, :, regions]
    known = np.isfinite(log_m)
    basis = hat(redshift[known], REDSHIFT_NODES)
    log_mass = np.array(
        [quantile_regression(basis, log_m[known], level) for level in (0.01, 0.5, 0.99)]
    ).T
    quantiles, slopes, rests = [], [], np.full(values.shape, np.nan)
    for k, (forth, _) in enumerate(QUANTITIES.values()):
        known = np.isfinite(log_m + values[k])
        y, basis = forth(values[k][known]), hat(redshift[known], REDSHIFT_NODES)
        low, middle, high = (basis @ log_mass).T
        offset = np.clip(log_m[known], low, high) - middle
        coarse = hat(redshift[known], SLOPE_NODES)
        both = np.hstack([basis, offset[:, np.newaxis] * coarse])
        slope = quantile_regression(both, y, 0.5)[basis.shape[1] :]
        slopes.append(hat(REDSHIFT_NODES, SLOPE_NODES) @ slope)
        rests[k][known] = y - (basis @ slopes[-1]) * offset
    known = np.isfinite(rests).all(axis=0)
    rests, basis = rests[:, known], hat(redshift[known], REDSHIFT_NODES)
    coarse = hat(redshift[known], SLOPE_NODES)
    scores, spread = [], np.zeros((len(rests), len(SLOPE_NODES)))
    for k, rest in enumerate(rests):
        if k in SPREAD:
            # How the scatter grows: its core, not its tails.
            d = scores[0] + scores[1]
            d /= np.sqrt(basis @ [np.average(d**2, weights=weight) for weight in basis.T])
            median = basis @ quantile_regression(basis, rest, 0.5)
            distance = np.log(np.maximum(np.abs(rest - median), 1e-4))
            both = np.hstack([coarse, coarse * d[:, np.newaxis]])
            spread[k] = quantile_regression(both, distance, 0.6)[coarse.shape[1] :]
            rest = median + (rest - median) * np.exp(-(coarse @ spread[k]) * d)
        rows = [quantile_regression(basis, rest, level) for level in ndtr(SCORES)]
        quantiles.append(np.maximum.accumulate(np.array(rows).T + 1e-9 * np.arange(len(SCORES)), 1))
        scores.append(score(rest, basis @ quantiles[-1]))
    numbers = {
        "redshift": list(REDSHIFT_NODES),
        "log_mass": log_mass,
        "scores": list(SCORES),
        "quantiles": np.moveaxis(quantiles, 0, 1),
        "slopes": np.array(slopes).T,
        "correlation": np.array([correlation(scores, weight) for weight in basis.T]),
        "spread": hat(REDSHIFT_NODES, SLOPE_NODES) @ spread.T,
    } | concentration_relation(concentration[regions], values[3, -1])
    return match(numbers, data["m500c"][:, regions], redshift, values)


def match(numbers, mass, redshift, values):
    """Move the correlations until those of draws are those measured.

    Correlations of logarithms hang on the tails more than those of normal scores do.
    """
    known = np.isfinite(values).all(axis=0)
    mass, redshift, values = (np.tile(x[..., known], 12) for x in (mass, redshift, values))
    weights = hat(redshift, REDSHIFT_NODES).T
    uniform = np.random.default_rng(SEED).random((mass.size, len(values) + 1))
    wanted = np.array([joint(values, weight) for weight in weights])
    for _ in range(5):
        model = StateModel(name="trial", **numbers)
        drawn = model.transform(uniform, mass * u.solMass, redshift)
        drawn["half_mass_scale"] *= 1 + redshift
        rows = np.array([drawn[name] for name in QUANTITIES])
        got = np.array([joint(rows, weight) for weight in weights])
        numbers["correlation"] = numbers["correlation"] + wanted - got
    return numbers


def joint(values, weight):
    """Correlations, moved by FLAGS to those of being below what is called relaxed."""
    matrix = correlation(observables(values), weight)
    deviation = np.vstack([values[:2], np.abs(values[2:3] - 1)])
    below = deviation < np.array([*RELAXED_LIMITS.values()])[:, np.newaxis]
    flags = correlation(below.astype(float), weight)
    matrix[:3, :3] += FLAGS * (flags - matrix[:3, :3])
    return matrix


def observables(values):
    """What correlations are compared of: ln Delta_r, ln f_s, ln eta, and the rest as they are."""
    return np.vstack([np.log(values[:3]), values[3:]])


def score(values, quantiles):
    """Normal scores of values in rows of quantiles."""
    scores, rows = np.array(SCORES), np.arange(len(values))
    left = np.clip(np.sum(values[:, np.newaxis] > quantiles, axis=1) - 1, 0, len(scores) - 2)
    low, high = quantiles[rows, left], quantiles[rows, left + 1]
    step = scores[left + 1] - scores[left]
    return np.clip(scores[left] + step * (values - low) / (high - low), -3.5, 3.5)


def correlation(scores, weights):
    """Weighted correlation matrix of rows."""
    matrix = np.cov(scores, aweights=weights)
    scale = np.sqrt(np.diag(matrix))
    return matrix / np.outer(scale, scale)


def concentration_relation(c, q):
    """ln c by logit M500/M200 at z = 0."""
    known = np.isfinite(c + q)
    basis, y = hat(logit(q[known]), LOGIT_NODES), np.log(c[known])
    middle = quantile_regression(basis, y, 0.5)
    scatter = np.diff(np.percentile(y - basis @ middle, (16, 84)))[0] / 2
    return {
        "concentration": np.array([LOGIT_NODES, middle]),
        "sigma_ln_concentration": scatter,
    }


def predict(model, mass, redshift, draws, seed):
    """States of clusters of given mass, ``draws`` each; shape (4, clusters, draws)."""
    sample = from_masses(np.repeat(mass, draws) * u.solMass, max(redshift, 1e-6))
    table = draw_states(sample, model, seed=seed)
    return np.array([table[name] for name in list(QUANTITIES)[:4]]).reshape(4, -1, draws)


def statistics(states):
    """All that is compared, from rows of Delta_r, f_s, eta and M500/M200."""
    delta_r, f_s, eta, _ = states
    rows = {
        "eta": eta,
        "Delta_r": delta_r,
        "f_s": f_s,
        "chi 2": chi_ds(delta_r, f_s),
        "chi 3": chi_ds(delta_r, f_s, eta, form="haggar2020"),
    }
    result = {
        f"{name} {level} %": value
        for name, row in rows.items()
        for level, value in zip(LEVELS, np.percentile(row, LEVELS), strict=True)
    }
    result["relaxed"] = is_relaxed(delta_r, f_s, eta).mean()
    matrix = np.corrcoef(observables(states))
    names = ("ln Delta_r", "ln f_s", "ln eta", "M500/M200")
    return result | {f"r({names[i]}, {names[j]})": matrix[i, j] for i, j in PAIRS}


def check(data, concentration, draws):
    """Print measured and predicted statistics, and how many lie outside."""
    rng = np.random.default_rng(SEED)
    fold = rng.permutation(np.arange(324) % FOLDS)
    models = [
        StateModel(name=f"fold-{k}", **fit(data, fold != k, concentration)) for k in range(FOLDS)
    ]
    missed = total = 0
    for target, published in zip(CHECKED, PUBLISHED_RELAXED, strict=True):
        row = np.argmin(np.abs(data["redshift"][:, 0] - target))
        redshift = data["redshift"][row, 0]
        states = data["values"][:4, row]
        known = np.isfinite(states).all(axis=0)
        predicted = np.concatenate(
            [
                predict(
                    model, data["m500c"][row, known & (fold == k)], redshift, draws, seed=k
                ).reshape(4, -1)
                for k, model in enumerate(models)
            ],
            axis=1,
        )
        states = states[:, known]
        samples = [
            statistics(states[:, rng.integers(0, known.sum(), known.sum())])
            for _ in range(BOOTSTRAPS)
        ]
        there, theirs = statistics(states), statistics(predicted)
        print(f"\nz = {redshift:.2f}: {known.sum()} clusters")
        print(f"{'':24s}{'measured':>10s}{'error':>8s}{'model':>8s}{'sigma':>7s}")
        for name, value in there.items():
            error = np.std([sample[name] for sample in samples])
            limit = 0.03 if name == "relaxed" else 2 * error
            reference = published if name == "relaxed" else value
            outside = abs(theirs[name] - reference) > limit
            missed, total = missed + outside, total + 1
            print(
                f"{name:24s}{value:10.3f}{error:8.3f}{theirs[name]:8.3f}"
                f"{(theirs[name] - value) / error:7.1f}{'  outside' if outside else ''}"
            )
        joined = np.vstack([states[:3], data["joined"][row, known]])
        matrix = np.corrcoef(observables(joined))[3]
        print(f"with M200 of the joined table: {' '.join(f'{r:.3f}' for r in matrix[:3])}")
    print(f"\n{missed} of {total} lie outside.")


def formation(data, concentration, numbers, folder):
    """Print proxies of formation, measured and drawn: 16, 50, 84 % and Spearman's r with chi 2."""
    model = StateModel(name="all", **numbers)
    for target in CHECKED:
        row = np.argmin(np.abs(data["redshift"][:, 0] - target))
        redshift, states = data["redshift"][row, 0], data["values"][:, row]
        known = np.isfinite(states).all(axis=0)
        sample = from_masses(np.repeat(data["m500c"][row, known], 50) * u.solMass, redshift + 1e-6)
        drawn = draw_states(sample, model, seed=SEED)
        names = ["m500_m200", "half_mass_scale"]
        there = dict(zip(names, states[3:, known] / [[1], [1 + redshift]], strict=True))
        if row == len(data["redshift"]) - 1:
            there["concentration"] = concentration[known]
        for name, values in there.items():
            for who, column, chi in (
                ("measured", values, chi_ds(*states[:2, known])),
                ("model", drawn[name], chi_ds(drawn["delta_r"], drawn["f_s"])),
            ):
                use = np.isfinite(column)
                low, middle, high = np.percentile(column[use], LEVELS)
                print(
                    f"z = {redshift:.2f} {name:16s}{who:9s}{low:6.3f}{middle:7.3f}{high:7.3f}"
                    f"   r = {spearmanr(column[use], chi[use])[0]:.2f}"
                )
    print("TNG300, M200c = 3e14:")
    for name in ("c200c", "a_form"):
        last = np.loadtxt(folder / f"KLLR_Params_TNG300_{name}_z0p00.txt")[-1]
        print(f"  {name}: {last[1]:.2f}, scatter {last[15]:.2f} in ln")
    last = np.loadtxt(folder / "KLLR_Corr_TNG300_a_form_c200c_z0p00.txt")[-1]
    print(f"  r = {last[1]:.2f}; here, Spearman's")
    use = np.isfinite(concentration + data["values"][4, -1])
    print(f"  {spearmanr(concentration[use], data['values'][4, -1][use])[0]:.2f}")


def write(numbers, path):
    """Write a model, one table a line."""
    entries = {"name": "the300-gadget-x", "source": SOURCE, "references": REFERENCES}
    entries |= {name: np.round(value, 4).tolist() for name, value in numbers.items()}
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in entries.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    data = load(options.data / "the300")
    concentration = concentrations(options.data / "the300", data)
    check(data, concentration, options.draws)
    numbers = fit(data, np.ones(324, dtype=bool), concentration)
    formation(data, concentration, numbers, options.data / "tng300_dm_relations")
    if options.output:
        write(numbers, options.output)


if __name__ == "__main__":
    main()
