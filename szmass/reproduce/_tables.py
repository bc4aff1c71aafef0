"""Tables of a reproduction: Table 1 of de Andres et al. (2022), and ratios to lensing masses."""

import itertools
from functools import partial
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack

from szmass.comparison.regression import fit_mass_ratio
from szmass.comparison.statistics import REDSHIFT_BINS, relative_difference_table
from szmass.results import masses_of, methods_of

#: Name of the method of lensing masses beside others.
LENSING = "wl"
# Fewer clusters do not determine a ratio and its scatter.
_LEAST = 4


class Column(NamedTuple):
    """A column of Table 1: of which masses it is, and what they are compared with."""

    masses: str
    title: str
    what: str
    #: Column or method of the reference, and what figures call it.
    reference: str
    label: str


#: The columns. All but the last are those of the paper.
COLUMNS = {
    "clean": Column("clean", "clean mocks", "(M - M_true) / M", "mass_true", "true"),
    "planck_like": Column(
        "planck_like", "Planck-like mocks", "(M - M_true) / M", "mass_true", "true"
    ),
    "planck_like_blind": Column(
        "planck_like", "Planck-like mocks", "(M - M_SZ) / M", "sz_blind", "SZ"
    ),
    "planck": Column("planck", "Planck clusters", "(M - MSZ) / M", "msz", "SZ"),
    "planck_like_sz": Column(
        "planck_like", "Planck-like mocks", "(M - M_SZ) / M, ideal M_SZ", "sz", "ideal SZ"
    ),
}
_OF_THE_PAPER = list(COLUMNS)[:-1]

# Mean and standard deviation per redshift bin and of all, as the authors showed them in a talk;
# first all clusters, then those above 10^14.7 Msun. Above redshift 0.4 the released networks are
# not those of these numbers.
_PUBLISHED = {
    "clean": (
        ((-0.03, 0.14), (-0.01, 0.12), (-0.01, 0.08), (-0.02, 0.08), (-0.02, 0.11)),
        ((-0.02, 0.13), (-0.02, 0.13), (-0.01, 0.08), (-0.02, 0.08), (-0.02, 0.11)),
    ),
    "planck_like": (
        ((-0.02, 0.21), (0.01, 0.15), (-0.01, 0.13), (-0.02, 0.15), (-0.02, 0.17)),
        ((-0.01, 0.16), (0.01, 0.16), (-0.01, 0.13), (-0.02, 0.15), (-0.01, 0.17)),
    ),
    "planck_like_sz": (
        ((0.08, 0.37), (0.20, 0.23), (0.25, 0.22), (0.29, 0.26), (0.19, 0.30)),
        ((0.21, 0.15), (0.23, 0.17), (0.25, 0.22), (0.29, 0.25), (0.25, 0.20)),
    ),
    "planck": (
        ((0.03, 0.29), (0.15, 0.14), (0.12, 0.13), (-0.09, 0.22), (0.08, 0.21)),
        ((0.26, 0.25), (0.18, 0.13), (0.13, 0.13), (-0.08, 0.21), (0.09, 0.19)),
    ),
}
_PUBLISHED["planck_like_blind"] = _PUBLISHED["planck_like_sz"]
_PUBLISHED_N = ((228, 245, 443, 178, 1094), (33, 82, 403, 166, 684))
_HALVES = (("", "all"), ("_massive", "log10 M > 14.7"))


def make_table1(methods, masses):
    """Compute five rows per method and column, of ``masses`` by data, None for no data.

    Columns are ``method``, ``data`` (key of `COLUMNS`), those of
    `~szmass.comparison.relative_difference_table`, and the published means and standard deviations.
    Without data the numbers are 0, and the means NaN.
    """
    rows = [
        _rows(method, name, masses[column.masses], column.reference)
        for method in methods
        for name, column in COLUMNS.items()
    ]
    table = vstack(rows, metadata_conflicts="silent")
    table.meta = {
        "reference": "2022NatAs...6.1325D",
        "published": "means and standard deviations as shown in a talk by the authors",
        "columns": {name: f"{column.what}, {column.title}" for name, column in COLUMNS.items()},
    }
    return table


def _rows(method, column, table, reference):
    masses, redshift = [np.zeros(0), np.zeros(0)], np.zeros(0)
    if (ours := find_masses(table, method)) is not None:
        masses, redshift = [ours.mass, masses_of(table, reference).mass], table["redshift"]
    found = relative_difference_table(*(mass * u.solMass for mass in masses), redshift)
    rows = QTable({"method": [method] * len(found), "data": [column] * len(found)})
    for name in found.colnames:
        rows[name] = found[name]
    for (suffix, _), values in zip(_HALVES, _PUBLISHED[column], strict=True):
        rows[f"published_mean{suffix}"], rows[f"published_std{suffix}"] = np.transpose(values)
    return rows


def format_table1(table, methods):
    """Write Table 1 as Markdown, a block per method, the published one first."""
    title = "de Andres et al. (2022), from the talk"
    blocks = [_block(title, _published_cell, _OF_THE_PAPER)]
    blocks += [
        _block(method, partial(_cell, table[table["method"] == method]), list(COLUMNS))
        for method in methods
    ]
    return "\n\n".join(blocks)


def _block(title, cell, columns):
    """Write what ``cell`` says of a half (0 or 1), a column, and a row."""
    head = " | ".join(f"{COLUMNS[name].title}<br>{COLUMNS[name].what}" for name in columns)
    lines = [f"### {title}", "", f"| redshift | {head} |", "|" + "---|" * (len(columns) + 1)]
    edges = [f"{edge:g}" for edge in REDSHIFT_BINS]
    for half, (_, which) in enumerate(_HALVES):
        lines.append(f"| **{which}** |" + " |" * len(columns))
        for i, (low, high) in enumerate([*itertools.pairwise(edges), (edges[0], edges[-1])]):
            cells = [cell(half, column, i) for column in columns]
            lines.append(f"| {low}-{high} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(part, half, column, i):
    row = part[part["data"] == column][i]
    mean, std, n = (row[f"{name}{_HALVES[half][0]}"] for name in ("mean", "std", "n"))
    if not n:
        return "-"
    return f"{mean:.2f} ± {std:.2f} ({n})" if np.isfinite(std) else f"{mean:.2f} ({n})"


def _published_cell(half, column, i):
    mean, std = _PUBLISHED[column][half][i]
    return f"{mean:.2f} ± {std:.2f}" + (f" ({_PUBLISHED_N[half][i]})" if column == "planck" else "")


def find_masses(table, method):
    """Give the masses of a method or a column, None where there are none."""
    known = () if table is None else {*methods_of(table), *table.colnames}
    return masses_of(table, method) if method in known else None


def fit_ratios(pairs, methods):
    """Fit the ratio of each method's masses to those of lensing, of `match_lensing`.

    Fits are by (method, lensing table); "msz" is the catalogue's mass, "all" takes each cluster
    from the first table that has it. What has less than four clusters is not there.
    """
    names = np.asarray(pairs["table"], dtype=str)
    first = np.zeros(len(pairs), dtype=bool)
    first[np.unique(np.asarray(pairs["name"], dtype=str), return_index=True)[1]] = True
    groups = {tag: names == tag for tag in dict.fromkeys(names)}
    if len(groups) > 1:
        groups["all"] = first
    fits = {}
    for method in methods:
        ours = find_masses(pairs, method)
        if ours is None:
            continue
        values, lensing = ((m.mass, m.errn, m.errp) for m in (ours, masses_of(pairs, LENSING)))
        known = np.isfinite(np.sum([*values, *lensing], axis=0))
        for tag, inside in groups.items():
            rows = known & inside
            if np.count_nonzero(rows) < _LEAST:
                continue
            (a, *err_a), (b, *err_b) = (
                [value[rows] * u.solMass for value in part] for part in (values, lensing)
            )
            fits[method, tag] = fit_mass_ratio(a, b, err_a=tuple(err_a), err_b=tuple(err_b))
    return fits


def fit_table(fits):
    """Put the fits into a table, a row per method and lensing table."""
    rows = []
    for (method, tag), fit in fits.items():
        row = fit.to_table()
        row.add_columns([[method], [tag]], names=["mass", "table"], indexes=[0, 0])
        rows.append(row)
    return vstack(rows)


def format_fits(fits):
    """Write the fits as Markdown, a line per method and lensing table."""
    lines = [
        "| masses | lensing table | clusters | ratio to the lensing mass | scatter in ln |",
        "|---|---|---|---|---|",
    ]
    for (method, tag), fit in fits.items():
        name = "MSZ (1-b)" if method == "msz" else method
        lines.append(
            f"| {name} | {tag} | {fit.n} | {fit.value:.2f} -{fit.errn:.2f} +{fit.errp:.2f} | "
            f"{fit.scatter:.2f} -{fit.scatter_errn:.2f} +{fit.scatter_errp:.2f} |"
        )
    return "\n".join(lines)
