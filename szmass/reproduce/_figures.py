"""The figures of de Andres et al. (2022), for any methods side by side."""

import itertools

import astropy.units as u
import numpy as np

from szmass.comparison.statistics import REDSHIFT_BINS
from szmass.exceptions import InvalidInputError
from szmass.physics.pressure import get_pressure_profile
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2
from szmass.plots._errors import plot_error_distribution, plot_relative_error, plot_residuals
from szmass.plots._masses import plot_mass_comparison
from szmass.plots._training import plot_selection, plot_training
from szmass.plots.style import COLOURS, MARKERS, log_ticks, mass_label, new_figure
from szmass.reproduce._table1 import COLUMNS
from szmass.results.masses import column_suffix

__all__ = ["draw_figures"]

_REFERENCES = {
    "clean": ("mass_true", "true"),
    "planck_like": ("mass_true", "true"),
    "planck_like_sz": ("sz", "SZ"),
    "planck": ("msz", "SZ"),
}
_WIDTH, _HEIGHT, _COLUMNS = 4.9, 4.0, 3
# Clusters that a bin needs for quantiles.
_LEAST = 10


def draw_figures(result):
    """Draw all figures for which there are data.

    Parameters
    ----------
    result : `~szmass.reproduce.core.Reproduction`
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
    """Give a panel per method and column that has data."""
    panels = []
    for method in result.methods:
        for column in columns:
            table, (reference, label) = result.table(column), _REFERENCES[column]
            name = f"mass_{column_suffix(method)}"
            if table is None or name not in table.colnames:
                continue
            if np.isfinite(table[name].value).any():
                title = f"{method}, {COLUMNS[column][0]}"
                panels.append(_Panel(draw, table, method, reference, (_name(method), label), title))
    return panels


def _name(method):
    return "CNN" if method == "published" or method.startswith("cnn") else method


class _Panel:
    """What is drawn into one of the axes, and its title."""

    def __init__(self, draw, table, method, reference, names, title):
        self.call = lambda ax: draw(table, method, reference, names, ax)
        self.title = title


def _draw(panels):
    if not panels:
        return None
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    fig = new_figure(None, (_WIDTH * columns, _HEIGHT * rows))
    axes = list(fig.subplots(rows, columns, squeeze=False).flat)
    drawn = 0
    for panel, ax in zip(panels, axes, strict=False):
        ax.set_title(panel.title, fontsize="medium")
        try:
            panel.call(ax)
            drawn += 1
        except InvalidInputError:
            ax.text(0.5, 0.5, "too few clusters", ha="center", transform=ax.transAxes)
            ax.set(xticks=[], yticks=[])
    for ax in axes[len(panels) :]:
        ax.remove()
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
    panels = []
    mocks, real = result.table("planck_like"), result.table("planck")
    if mocks is not None and {"y500_blind", "y500_true"} <= set(mocks.colnames):
        ratio = (mocks["y500_blind"] / mocks["y500_true"]).to_value(u.one)
        mass = mocks["mass_true"].to_value("1e14 solMass")
        panels.append(_Ratio(
            mass, ratio, mocks["redshift"], mass_label("true"),
            r"blind $Y_{500}$ / true $Y_{500}$", "Planck-like mocks, size not known",
        ))  # fmt: skip
    if real is not None and "y5r500" in real.colnames:
        profile = get_pressure_profile("arnaud2010")
        mass, redshift = real["msz"], np.asarray(real["redshift"], dtype=float)
        implied = get_scaling_relation("planck2015").y500(
            mass, redshift, one_minus_b=1.0, cosmology="PSZ2"
        )
        implied = y_to_arcmin2(implied, redshift, cosmology="PSZ2")
        blind = real["y5r500"] * (profile.sphere_integral(1) / profile.sphere_integral(5))
        panels.append(_Ratio(
            mass.to_value("1e14 solMass"), (blind / implied).to_value(u.one), redshift,
            mass_label("MSZ"), r"blind $Y_{500}$ / $Y_{500}$ of MSZ", "Planck clusters, PSZ2",
        ))  # fmt: skip
    return panels


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
            if len(mass) < _LEAST:
                continue
            parts = np.array_split(np.argsort(mass), min(7, len(mass) // _LEAST))
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
    if not result.lensing_fits:
        return []
    tables = set(result.lensing["table"])
    group = "all" if len(tables) > 1 else tables.pop()
    panels = []
    for method in ["msz", *result.methods]:
        fit = result.lensing_fits.get((method, group))
        if fit is not None:
            panels.append(_LensingPanel(result.lensing, method, fit))
    return panels


class _LensingPanel:
    """Masses of one method against those of lensing, each cluster once."""

    def __init__(self, pairs, method, fit):
        self.pairs, self.method, self.fit = pairs, method, fit
        self.title = "MSZ / lensing" if method == "msz" else f"{method} / lensing"

    def call(self, ax):
        first = np.unique(np.asarray(self.pairs["name"], dtype=str), return_index=True)[1]
        name = "SZ" if self.method == "msz" else _name(self.method)
        plot_mass_comparison(
            self.pairs[np.sort(first)], "wl", self.method, ax=ax, fit=self.fit,
            labels=("lensing", name), colour=None,
        )  # fmt: skip


def _training_panels(result):
    panels = []
    if result.models is not None:
        chosen = result.models.meta.get("threshold")
        panels.append(
            _Simple(
                lambda ax: plot_selection(result.models, ax=ax, threshold=chosen),
                "models that are unbiased enough",
            )
        )
    if result.histories is not None:
        panels.append(_Simple(lambda ax: plot_training(result.histories, ax=ax), "training"))
    return panels


class _Simple:
    """A panel that is one plot."""

    def __init__(self, call, title):
        self.call, self.title = call, title
