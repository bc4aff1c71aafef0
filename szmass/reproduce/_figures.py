"""Figures of de Andres et al. (2022), for any methods side by side."""

from functools import partial

import astropy.units as u
import numpy as np

from szmass.comparison.statistics import REDSHIFT_BINS
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
from szmass.reproduce._tables import COLUMNS, LENSING, find_masses

_WIDTH, _HEIGHT, _COLUMNS = 4.9, 4.0, 3
# Clusters that a bin needs for quantiles.
_LEAST = 10


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
        if bins := min(7, np.count_nonzero(inside) // _LEAST):
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
