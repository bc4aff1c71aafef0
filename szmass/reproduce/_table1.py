"""Table 1 of de Andres et al. (2022): mean and scatter of relative differences."""

import itertools

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack

from szmass.comparison.statistics import REDSHIFT_BINS, relative_difference_table
from szmass.results.masses import column_suffix

__all__ = ["COLUMNS", "format_table1", "make_table1"]

#: The columns: heading, and what is compared with what.
COLUMNS = {
    "clean": ("clean mocks", "(M - M_true) / M"),
    "planck_like": ("Planck-like mocks", "(M - M_true) / M"),
    "planck_like_sz": ("Planck-like mocks", "(M - M_SZ) / M"),
    "planck": ("Planck clusters", "(M - MSZ) / M"),
}

# Which masses they are of, and the column that these are compared with.
_DATA = {
    "clean": ("clean", "mass_true"),
    "planck_like": ("planck_like", "mass_true"),
    "planck_like_sz": ("planck_like", "mass_sz"),
    "planck": ("planck", "msz"),
}

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
_PUBLISHED_N = ((228, 245, 443, 178, 1094), (33, 82, 403, 166, 684))
_HALVES = (("", "all"), ("_massive", "log10 M > 14.7"))


def make_table1(methods, masses):
    """Compute the table.

    Parameters
    ----------
    methods : sequence of str
        Names of the methods.
    masses : dict of str to `~astropy.table.QTable` or None
        Masses side by side of "clean", "planck_like" and "planck"; None for no data.

    Returns
    -------
    `~astropy.table.QTable`
        Five rows per method and column: ``method``, ``data`` (key of `COLUMNS`), the columns of
        `~szmass.comparison.relative_difference_table`, and the published means and standard
        deviations. Without data the numbers are 0, and the means NaN.
    """
    rows = []
    for method in methods:
        for column, (data, reference) in _DATA.items():
            rows.append(_rows(method, column, masses[data], reference))
    table = vstack(rows, metadata_conflicts="silent")
    table.meta = {
        "reference": "2022NatAs...6.1325D",
        "published": "means and standard deviations as shown in a talk by the authors",
        "columns": {key: f"{what}, {title}" for key, (title, what) in COLUMNS.items()},
    }
    return table


def _rows(method, column, table, reference):
    name = f"mass_{column_suffix(method)}"
    if table is not None and name in table.colnames:
        found = relative_difference_table(table[name], table[reference], table["redshift"])
    else:
        nothing = np.zeros(0) * u.solMass
        found = relative_difference_table(nothing, nothing, np.zeros(0))
    rows = QTable({"method": [method] * len(found), "data": [column] * len(found)})
    for name in found.colnames:
        rows[name] = found[name]
    for (suffix, _), values in zip(_HALVES, _PUBLISHED[column], strict=True):
        rows[f"published_mean{suffix}"], rows[f"published_std{suffix}"] = np.transpose(values)
    return rows


def format_table1(table, methods):
    """Write the table as Markdown.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        From `make_table1`.
    methods : sequence of str
        Methods in order.

    Returns
    -------
    str
        A table per method, the published one first.
    """
    head = " | ".join(f"{title}<br>{what}" for title, what in COLUMNS.values())
    blocks = [_block("de Andres et al. (2022), from the talk", head, _published_cells())]
    for method in methods:
        part = table[table["method"] == method]
        blocks.append(_block(method, head, _cells(part)))
    return "\n\n".join(blocks)


def _block(title, head, halves):
    lines = [f"### {title}", "", f"| redshift | {head} |", "|" + "---|" * (len(COLUMNS) + 1)]
    for (_, which), rows in zip(_HALVES, halves, strict=True):
        lines.append(f"| **{which}** |" + " |" * len(COLUMNS))
        lines += [
            f"| {span} | {' | '.join(cells)} |" for span, cells in zip(_spans(), rows, strict=True)
        ]
    return "\n".join(lines)


def _spans():
    edges = [f"{edge:g}" for edge in REDSHIFT_BINS]
    pairs = [*itertools.pairwise(edges), (edges[0], edges[-1])]
    return [f"{low}-{high}" for low, high in pairs]


def _cell(mean, std, n):
    if not n:
        return "-"
    if not np.isfinite(std):
        return f"{mean:.2f} ({n})"
    return f"{mean:.2f} ± {std:.2f} ({n})"


def _cells(part):
    for suffix, _ in _HALVES:
        yield [
            [
                _cell(*(part[part["data"] == column][f"{name}{suffix}"][i] for name in _STATISTICS))
                for column in COLUMNS
            ]
            for i in range(len(REDSHIFT_BINS))
        ]


_STATISTICS = ("mean", "std", "n")


def _published_cells():
    for half, numbers in enumerate(_PUBLISHED_N):
        yield [
            [
                f"{_PUBLISHED[column][half][i][0]:.2f} ± {_PUBLISHED[column][half][i][1]:.2f}"
                + (f" ({n})" if column == "planck" else "")
                for column in COLUMNS
            ]
            for i, n in enumerate(numbers)
        ]
