"""Plots of masses: of one method against another, and against redshift."""

import numpy as np

from szmass.comparison.regression import RelationFit
from szmass.exceptions import InvalidInputError
from szmass.plots.style import (
    COLOURS,
    MARKERS,
    log_ticks,
    mass_label,
    method_name,
    new_axes,
    table_masses,
    table_redshift,
)

__all__ = ["plot_mass_comparison", "plot_mass_redshift"]

# More points than this are drawn as their density.
_MANY = 2000
_CELLS = 45
# Bins of the running median hold at least so many clusters.
_LEAST = 10


def plot_mass_comparison(
    table, x, y, *, ax=None, labels=None, colour="redshift", density=None, median=False, fit=None
):
    """Plot the masses of one method against those of another.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, as from `~szmass.estimators.estimate_masses`, or any table with
        columns of masses.
    x, y : str
        Names of methods, or of columns such as ``"mass_true"`` or ``"msz"``. Errors are drawn
        where there are columns of them.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    labels : (str, str), optional
        What to call the two; by default by their names.
    colour : {"redshift"} or None, optional
        What the colour of the points tells.
    density : bool, optional
        Draw the number of clusters per cell instead of points; by default above 2000.
    median : bool, optional
        Draw the running median of y, and its 16 and 84 % quantiles.
    fit : `~szmass.comparison.RelationFit`, optional
        A relation y(x), drawn with the 68 % interval of its normalisation: from
        ``fit_mass_ratio(y, x)``.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes. Clusters that one of the methods could not weigh are left out.

    Raises
    ------
    InvalidInputError
        A column is missing, or no cluster has both masses.
    InvalidUnitError
        A column has no unit of mass.
    MissingDependencyError
        Matplotlib is not installed.
    """
    (mx, *ex), (my, *ey) = table_masses(table, x), table_masses(table, y)
    known = np.isfinite(mx) & np.isfinite(my)
    if not known.any():
        raise InvalidInputError(f"No cluster of the table has a mass by {x!r} and by {y!r}.")
    if colour not in (None, "redshift"):
        raise InvalidInputError(f"'colour' must be 'redshift' or None. Received: {colour!r}")
    if fit is not None and not isinstance(fit, RelationFit):
        raise InvalidInputError(f"'fit' must be a RelationFit. Received: {fit!r}")
    ax = new_axes(ax)
    mx, my = mx[known], my[known]
    density = len(mx) > _MANY if density is None else density
    log_ticks(ax.xaxis)
    log_ticks(ax.yaxis)
    if density:
        cells = ax.hexbin(
            mx, my, xscale="log", yscale="log", gridsize=_CELLS, mincnt=1, bins="log",
            cmap="cividis", linewidths=0.1,
        )  # fmt: skip
        ax.figure.colorbar(cells, ax=ax, pad=0.02, label="clusters per cell")
        log_ticks(ax.xaxis)
        log_ticks(ax.yaxis)
    else:
        _bars(ax, mx, my, *([e if e is None else e[known] for e in pair] for pair in (ex, ey)))
        colours = {"color": COLOURS[0]}
        if colour == "redshift" and "redshift" in table.colnames:
            colours = {"c": table_redshift(table)[known], "cmap": "viridis", "vmin": 0}
        size = 22 if len(mx) < 100 else 9
        points = ax.scatter(mx, my, s=size, lw=0, alpha=0.85, zorder=3, **colours)
        if "c" in colours:
            ax.figure.colorbar(points, ax=ax, pad=0.02, label="redshift")
    _limits(ax, mx, my)
    ends = np.array(ax.get_xlim())
    ax.plot(ends, ends, color="k", lw=1, zorder=4, label="equal masses")
    if median:
        _median(ax, mx, my)
    if fit is not None:
        _relation(ax, fit, ends)
    names = [method_name(name) for name in (x, y)] if labels is None else labels
    ax.set(xlabel=mass_label(names[0]), ylabel=mass_label(names[1]))
    ax.legend(frameon=False, loc="upper left", title=f"{len(mx)} cluster{'s' * (len(mx) != 1)}")
    return ax


def _bars(ax, x, y, x_errors, y_errors):
    """Draw errors that do not hide the points; what has none has no bar."""
    for (errn, errp), which in ((x_errors, "xerr"), (y_errors, "yerr")):
        if errn is None or errp is None:
            continue
        errors = np.nan_to_num(np.stack([errn, errp]))
        ax.errorbar(
            x, y, **{which: errors}, fmt="none", ecolor="0.6", elinewidth=0.6,
            alpha=0.7 if len(x) < 200 else 0.3, zorder=2,
        )  # fmt: skip


def _limits(ax, x, y):
    ax.set_xlim(x.min() / 1.15, x.max() * 1.15)
    ax.set_ylim(y.min() / 1.15, y.max() * 1.15)


def _median(ax, x, y):
    order = np.argsort(x)
    bins = np.array_split(order, max(1, min(12, len(x) // _LEAST)))
    if len(bins[0]) < _LEAST:
        return
    centre = [np.median(x[rows]) for rows in bins]
    low, middle, high = np.transpose([np.percentile(y[rows], [16, 50, 84]) for rows in bins])
    style = {"color": COLOURS[1], "zorder": 5}
    ax.plot(centre, middle, lw=1.8, label="median, 16 and 84 %", **style)
    for edge in (low, high):
        ax.plot(centre, edge, lw=1.1, ls="--", **style)


def _relation(ax, fit, ends):
    x = np.geomspace(*ends, 50)
    pivot = fit.pivot.to_value("1e14 solMass")
    value, errn, errp = (
        getattr(part, "to_value", lambda _, part=part: part)("1e14 solMass")
        for part in (fit.value, fit.errn, fit.errp)
    )
    # A ratio is in units of x, a relation in its own.
    norm = pivot if np.isscalar(fit.value) or fit.value.unit.is_equivalent("") else 1.0
    shape = norm * (x / pivot) ** fit.slope
    label = f"ratio {value:.2f} $-${errn:.2f} $+${errp:.2f}"
    ax.plot(x, value * shape, color=COLOURS[3], lw=1.8, zorder=5, label=label)
    ax.fill_between(
        x, (value - errn) * shape, (value + errp) * shape, color=COLOURS[3], alpha=0.3, lw=0
    )


def plot_mass_redshift(table, methods=None, *, ax=None, labels=None):
    """Plot masses against redshift.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, with the column ``redshift``.
    methods : str or sequence of str, optional
        Up to seven names of methods or columns; by default all methods of the table.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    labels : sequence of str, optional
        What to call them; by default by their names.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes. Clusters without redshift are left out.

    Raises
    ------
    InvalidInputError
        A column is missing, no method is given, or no cluster has a redshift and a mass.
    InvalidUnitError
        A column has no unit of mass.
    MissingDependencyError
        Matplotlib is not installed.
    """
    redshift = table_redshift(table)
    if methods is None:
        methods = list(table.meta.get("methods", {}))
    methods = [methods] if isinstance(methods, str) else list(methods)
    if not 1 <= len(methods) <= len(COLOURS):
        raise InvalidInputError(
            f"'methods' must be one to {len(COLOURS)} names. Received: {methods!r}"
        )
    masses = [table_masses(table, method)[0] for method in methods]
    if not any(np.isfinite(mass + redshift).any() for mass in masses):
        raise InvalidInputError("No cluster of the table has a redshift and a mass.")
    ax = new_axes(ax, (6.0, 4.2))
    names = [method_name(name) for name in methods] if labels is None else list(labels)
    size = 24 if len(redshift) < 100 else 10
    for i, (mass, name) in enumerate(zip(masses, names, strict=True)):
        ax.scatter(
            redshift, mass, s=size, color=COLOURS[i], marker=MARKERS[i], lw=0, alpha=0.65,
            rasterized=len(mass) > _MANY, label=f"{name} ({np.isfinite(mass + redshift).sum()})",
        )  # fmt: skip
    log_ticks(ax.yaxis)
    ax.set(xlabel="redshift", ylabel=mass_label())
    ax.set_xlim(left=0)
    ax.legend(frameon=False, loc="best", markerscale=1.5)
    return ax
