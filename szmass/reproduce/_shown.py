"""Tables and figures of a reproduction of de Andres et al. (2022), and ratios to lensing masses."""

import itertools
from functools import partial
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack

from szmass.comparison.regression import fit_mass_ratio
from szmass.comparison.statistics import REDSHIFT_BINS, relative_difference_table
from szmass.exceptions import InvalidInputError
from szmass.physics.pressure import get_pressure_profile
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2
from szmass.plots import (
    plot_error_distribution,
    plot_mass_comparison,
    plot_relative_error,
    plot_residuals,
    plot_selection,
    plot_training,
)
from szmass.plots.style import (
    draw_bars,
    log_ticks,
    mass_label,
    panel_grid,
    redshift_label,
    running_quantiles,
    split_by_redshift,
)
from szmass.results import masses_of, methods_of

#: Name of the method of lensing masses beside others.
LENSING = "wl"
# Fewer clusters do not determine a ratio and its scatter.
_LEAST = 4

# Of figures: size of a panel, and how many stand side by side.
_WIDTH, _HEIGHT, _COLUMNS = 4.9, 4.0, 3
# Clusters that a bin needs for quantiles.
_FOR_QUANTILES = 10


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


def draw_figures(result):
    """Draw all figures for which a `Reproduction` has data, by name."""
    plans = {
        "residuals": _panels(result, ["planck_like"], plot_residuals),
        "sz_masses": _panels(
            result,
            ["planck_like_blind", "planck"],
            partial(plot_mass_comparison, median=True, colour="redshift"),
        ),
        "error_distributions": _panels(result, list(COLUMNS), plot_error_distribution),
        "relative_errors": _panels(
            result, ["planck_like", "planck_like_blind", "planck"], plot_relative_error
        ),
        "y500": _y500_panels(result),
        "lensing": _lensing_panels(result),
        "selection": _training_panels(result),
    }
    figures = {name: _draw(panels) for name, panels in plans.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


# A panel is its title, and a function that draws into axes.


def _panels(result, columns, draw):
    """Give a panel per method and column that has data."""
    panels = []
    for method in result.methods:
        for name in columns:
            table, column = result.table(name), COLUMNS[name]
            found = find_masses(table, method)
            if found is not None and np.isfinite(found.mass).any():
                names = (_name(method), column.label)
                call = partial(draw, table, method, column.reference, labels=names)
                panels.append((f"{method}, {column.title}", call))
    return panels


def _name(method):
    return "CNN" if method == "published" or method.startswith("cnn") else method


def _draw(panels):
    if not panels:
        return None
    fig, axes = panel_grid(None, len(panels), _COLUMNS, (_WIDTH, _HEIGHT))
    drawn = 0
    for (title, call), ax in zip(panels, axes, strict=True):
        ax.set_title(title, fontsize="medium")
        try:
            call(ax=ax)
            drawn += 1
        except InvalidInputError:
            ax.text(0.5, 0.5, "too few clusters", ha="center", transform=ax.transAxes)
            ax.set(xticks=[], yticks=[])
    return fig if drawn else None


def _y500_panels(result):
    """Measured over true Y500 of mocks, blind over implied Y500 of PSZ2."""
    panels = []
    mocks, real = result.table("planck_like"), result.table("planck")
    if mocks is not None and {"y500_blind", "y500_true"} <= set(mocks.colnames):
        ratio = (mocks["y500_blind"] / mocks["y500_true"]).to_value(u.one)
        mass = mocks["mass_true"].to_value("1e14 solMass")
        labels = mass_label("true"), r"blind $Y_{500}$ / true $Y_{500}$"
        call = partial(_draw_ratio, mass, ratio, mocks["redshift"], labels)
        panels.append(("Planck-like mocks, size not known", call))
    if real is not None and "y5r500" in real.colnames:
        profile = get_pressure_profile("arnaud2010")
        mass, redshift = real["msz"], np.asarray(real["redshift"], dtype=float)
        implied = get_scaling_relation("planck2015").y500(
            mass, redshift, one_minus_b=1.0, cosmology="PSZ2"
        )
        implied = y_to_arcmin2(implied, redshift, cosmology="PSZ2")
        blind = real["y5r500"] * (profile.sphere_integral(1) / profile.sphere_integral(5))
        labels = mass_label("MSZ"), r"blind $Y_{500}$ / $Y_{500}$ of MSZ"
        mass, ratio = mass.to_value("1e14 solMass"), (blind / implied).to_value(u.one)
        call = partial(_draw_ratio, mass, ratio, redshift, labels)
        panels.append(("Planck clusters, PSZ2", call))
    return panels


def _draw_ratio(mass, ratio, redshift, labels, ax):
    """Draw the running median of a ratio against mass, per redshift bin."""
    drawn = False
    bins_of_redshift = split_by_redshift(np.asarray(redshift, dtype=float), REDSHIFT_BINS)
    for i, (low, high, inside) in enumerate(bins_of_redshift):
        inside = inside & np.isfinite(ratio)
        if bins := min(7, np.count_nonzero(inside) // _FOR_QUANTILES):
            centre, (least, middle, most) = running_quantiles(mass[inside], ratio[inside], bins)
            shifted = centre * 1.006 ** (i - 1.5)
            bars = middle - least, most - middle
            draw_bars(ax, shifted, middle, bars, i, label=redshift_label(low, high))
            drawn = True
    if not drawn:
        raise InvalidInputError("No redshift bin has ten clusters.")
    log_ticks(ax.xaxis)
    ax.axhline(1, color="k", lw=0.8)
    ax.set(xlabel=labels[0], ylabel=f"{labels[1]} (median, 16 and 84 %)")
    ax.legend(frameon=False, fontsize="small")


def _lensing_panels(result):
    if not result.lensing_fits:
        return []
    tables = set(result.lensing["table"])
    group = "all" if len(tables) > 1 else tables.pop()
    # Each cluster once.
    first = np.unique(np.asarray(result.lensing["name"], dtype=str), return_index=True)[1]
    pairs = result.lensing[np.sort(first)]
    panels = []
    for method in ["msz", *result.methods]:
        fit = result.lensing_fits.get((method, group))
        if fit is not None:
            title, name = ("MSZ", "SZ") if method == "msz" else (method, _name(method))
            call = partial(
                plot_mass_comparison, pairs, LENSING, method, fit=fit, labels=("lensing", name),
                colour=None,
            )  # fmt: skip
            panels.append((f"{title} / lensing", call))
    return panels


def _training_panels(result):
    panels = []
    if result.models is not None:
        call = partial(plot_selection, result.models, threshold=result.models.meta.get("threshold"))
        panels.append(("models that are unbiased enough", call))
    if result.histories is not None:
        panels.append(("training", partial(plot_training, result.histories)))
    return panels
