"""The figures of de Andres et al. (2022), for any methods side by side."""

import itertools

import astropy.units as u
import numpy as np

from szmass.comparison._error_plots import (
    plot_error_distribution,
    plot_relative_error,
    plot_residuals,
)
from szmass.comparison._mass_plots import plot_mass_comparison
from szmass.comparison._reproduce.table1 import COLUMNS
from szmass.comparison._style import COLOURS, MARKERS, log_ticks, mass_label, new_figure
from szmass.comparison._training_plots import plot_selection, plot_training
from szmass.comparison.statistics import REDSHIFT_BINS
from szmass.exceptions import InvalidInputError
from szmass.masses import column_suffix
from szmass.physics.pressure import get_pressure_profile
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2

__all__ = ["draw_figures"]

_REFERENCES = {
    "clean": ("mass_true", "true"),
    "planck_like": ("mass_true", "true"),
    "planck_like_sz": ("sz", "SZ"),
    "planck": ("msz", "SZ"),
}
_WIDTH, _HEIGHT = 4.9, 4.0


def draw_figures(result):
    """Draw all figures for which there are data.

    Parameters
    ----------
    result : `~szmass.comparison.reproduce.Reproduction`
        What was found.

    Returns
    -------
    dict of str to `~matplotlib.figure.Figure`
        By name.
    """
    plans = {
        "residuals": _panels(result, ["planck_like"], _residuals),
        "sz_masses": _panels(result, ["planck_like_sz", "planck"], _sz_masses),
        "error_distributions": _panels(result, list(COLUMNS), _distributions),
        "relative_errors": _panels(result, ["planck_like", "planck_like_sz", "planck"], _relative),
        "y500": _y500_panels(result),
        "lensing": _lensing_panels(result),
        "selection": _training_panels(result),
    }
    figures = {name: _draw(panels) for name, panels in plans.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _panels(result, columns, draw):
    """Rows of panels: a row per method, a column per data set; None where there are no data."""
    rows = []
    for method in result.methods:
        row = []
        for column in columns:
            table, (reference, label) = result.table(column), _REFERENCES[column]
            has = table is not None and f"mass_{column_suffix(method)}" in table.colnames
            if has and np.isfinite(table[f"mass_{column_suffix(method)}"].value).any():
                names = (_name(method), label)
                row.append(_Panel(draw, table, method, reference, names, COLUMNS[column][0]))
            else:
                row.append(None)
        rows.append(row)
    return rows


def _name(method):
    return "CNN" if method == "published" else method


class _Panel:
    """What is drawn into one of the axes, and its title."""

    def __init__(self, draw, table, method, reference, names, title):
        self.call = lambda ax: draw(table, method, reference, names, ax)
        self.title = f"{method}, {title}"


def _draw(rows):
    rows = [row for row in rows if any(panel is not None for panel in row)]
    if not rows:
        return None
    kept = [i for i in range(len(rows[0])) if any(row[i] is not None for row in rows)]
    fig = new_figure(None, (_WIDTH * len(kept), _HEIGHT * len(rows)))
    axes = fig.subplots(len(rows), len(kept), squeeze=False)
    drawn = 0
    for row, axs in zip(rows, axes, strict=True):
        for i, ax in zip(kept, axs, strict=True):
            try:
                if row[i] is None:
                    raise InvalidInputError("no data")
                row[i].call(ax)
            except InvalidInputError:  # too few clusters for what the panel shows
                ax.set_axis_off()
                title = "" if row[i] is None else f"{row[i].title}: too few clusters"
                ax.text(0.5, 0.5, title or "no data", ha="center", transform=ax.transAxes)
            else:
                ax.set_title(row[i].title, fontsize="medium")
                drawn += 1
    return fig if drawn else None


def _residuals(table, method, reference, names, ax):
    plot_residuals(table, method, reference, ax=ax, labels=names)


def _sz_masses(table, method, reference, names, ax):
    plot_mass_comparison(
        table, method, reference, ax=ax, labels=names, median=True, colour="redshift"
    )


def _distributions(table, method, reference, names, ax):
    plot_error_distribution(table, method, reference, ax=ax, labels=names)


def _relative(table, method, reference, names, ax):
    plot_relative_error(table, method, reference, ax=ax, labels=names)


def _y500_panels(result):
    """Measured over true Y500 of mocks, blind over implied Y500 of PSZ2."""
    row = [None, None]
    mocks, real = result.table("planck_like"), result.table("planck")
    if mocks is not None and {"y500_blind", "y500_true"} <= set(mocks.colnames):
        ratio = (mocks["y500_blind"] / mocks["y500_true"]).to_value(u.one)
        mass = mocks["mass_true"].to_value("1e14 solMass")
        row[0] = _Ratio(
            mass, ratio, mocks["redshift"], mass_label("true"),
            r"blind $Y_{500}$ / true $Y_{500}$", "Planck-like mocks, size not known",
        )  # fmt: skip
    if real is not None and "y5r500" in real.colnames:
        profile = get_pressure_profile("arnaud2010")
        mass, redshift = real["msz"], np.asarray(real["redshift"], dtype=float)
        implied = get_scaling_relation("planck2015").y500(
            mass, redshift, one_minus_b=1.0, cosmology="PSZ2"
        )
        implied = y_to_arcmin2(implied, redshift, cosmology="PSZ2")
        blind = real["y5r500"] * (profile.sphere_integral(1) / profile.sphere_integral(5))
        row[1] = _Ratio(
            mass.to_value("1e14 solMass"), (blind / implied).to_value(u.one), redshift,
            mass_label("MSZ"), r"blind $Y_{500}$ / $Y_{500}$ of MSZ", "Planck clusters, PSZ2",
        )  # fmt: skip
    return [row]


class _Ratio:
    """Running median of a ratio against mass, per redshift bin."""

    def __init__(self, mass, ratio, redshift, xlabel, ylabel, title):
        self.mass, self.ratio, self.redshift = mass, ratio, np.asarray(redshift, dtype=float)
        self.labels, self.title = (xlabel, ylabel), title

    def call(self, ax):
        drawn = 0
        for i, (low, high) in enumerate(itertools.pairwise(REDSHIFT_BINS)):
            inside = (self.redshift > low) & (self.redshift <= high) & np.isfinite(self.ratio)
            mass, ratio = self.mass[inside], self.ratio[inside]
            parts = (
                np.array_split(np.argsort(mass), min(7, len(mass) // 10)) if len(mass) > 9 else ()
            )
            if not len(parts):
                continue
            low_, mid, high_ = np.transpose([np.percentile(ratio[p], [16, 50, 84]) for p in parts])
            drawn += 1
            ax.errorbar(
                [np.median(mass[p]) * 1.006 ** (i - 1.5) for p in parts], mid,
                yerr=[mid - low_, high_ - mid], color=COLOURS[i], marker=MARKERS[i], ms=4.5,
                lw=1.4, elinewidth=0.7, capsize=2, label=rf"${low:g} < z \leq {high:g}$",
            )  # fmt: skip
        if not drawn:
            raise InvalidInputError("No redshift bin has ten clusters.")
        log_ticks(ax.xaxis)
        ax.axhline(1, color="k", lw=0.8)
        ax.set(xlabel=self.labels[0], ylabel=f"{self.labels[1]} (median, 16 and 84 %)")
        ax.legend(frameon=False, fontsize="small")


def _lensing_panels(result):
    if result.lensing is None:
        return []
    row, group = [], "all" if len(set(result.lensing["table"])) > 1 else result.lensing["table"][0]
    for method in ["msz", *result.methods]:
        fit = result.lensing_fits.get((method, group))
        row.append(None if fit is None else _LensingPanel(result.lensing, method, fit))
    return [row]


class _LensingPanel:
    """Masses of one method against those of lensing, each cluster once."""

    def __init__(self, pairs, method, fit):
        self.pairs, self.method, self.fit = pairs, method, fit
        self.title = "MSZ / lensing" if method == "msz" else f"{method} / lensing"

    def call(self, ax):
        first = np.unique(np.asarray(self.pairs["name"], dtype=str), return_index=True)[1]
        name = "SZ" if self.method == "msz" else _name(self.method)
        plot_mass_comparison(
            self.pairs[np.sort(first)], "mass_wl", self.method, ax=ax, fit=self.fit,
            labels=("lensing", name), colour=None,
        )  # fmt: skip


def _training_panels(result):
    row = [None, None]
    if result.models is not None:
        row[0] = _Simple(lambda ax: plot_selection(result.models, ax=ax), "selection of models")
    if result.histories is not None:
        row[1] = _Simple(lambda ax: plot_training(result.histories, ax=ax), "training")
    return [row]


class _Simple:
    """A panel that is one plot."""

    def __init__(self, call, title):
        self.call, self.title = call, title
