"""Plots of masses: of one method against another, and against redshift."""

import numpy as np

from szmass._tables.columns import column_parts
from szmass.comparison.literature import published_one_minus_b
from szmass.comparison.regression import RelationFit
from szmass.exceptions import InvalidInputError
from szmass.plots.style import (
    COLOURS,
    MARKERS,
    MASS_UNIT,
    check_columns,
    check_methods,
    legend_above,
    log_ticks,
    mass_label,
    new_axes,
    running_quantiles,
)
from szmass.results import MassFlag, masses_of, methods_of

# More points than this are drawn as their density.
_MANY = 2000
_CELLS = 45
# Bins of the running median hold at least so many clusters.
_LEAST = 10
# Outliers are told from a spread of at least so many clusters, and are so many sigma away.
_LEAST_SPREAD, _OUTLYING = 20, 3
_NAMES = {"mass_true": "true", "msz": "PSZ2", "cnn_mass": "CNN", "mass": "estimated"}

__doctest_requires__ = {"plot_*": ["matplotlib"]}


def method_name(name):
    """Say whose masses a method or a column holds."""
    return _NAMES.get(name, name)


def method_label(table, name):
    """Say whose masses they are, and their scale where it is known."""
    return with_scale(name, masses_of(table, name).mass_scale)


def with_scale(name, scale):
    return f"{method_name(name)} ({scale})" if scale.known else method_name(name)


def known_masses(table, *names):
    """Give masses and errors down and up [1e14 solMass] of methods or columns, NaN where unknown.

    They are of the clusters that have all masses, (N,) each; last come these rows, a bool array.
    """
    found = [masses_of(table, name) for name in names]
    parts = [np.array([m.mass, m.errn, m.errp]) / MASS_UNIT for m in found]
    rows = np.all([np.isfinite(part[0]) & (part[0] > 0) for part in parts], axis=0)
    if not rows.any():
        raise InvalidInputError(
            f"No cluster of the table has a mass by {' and by '.join(map(repr, names))}."
        )
    return *(part[:, rows] for part in parts), rows


def read_redshift(table):
    """Give the redshifts, NaN where unknown."""
    check_columns(table, ["redshift"])
    values, mask, _ = column_parts(table["redshift"])
    return np.where(mask, np.nan, values.astype(float))


def plot_mass_comparison(
    table, x, y, *, ax=None, labels=None, colour="redshift", density=None, median=False, fit=None,
    outliers=True,
):  # fmt: skip
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
    outliers : bool, optional
        Ring the clusters whose ratio y/x is further than 3 sigma from the median, sigma being 1.48
        times the median deviation in ln, and say how many of them have which flag. Without a flag
        the ring is grey. Only of 20 clusters or more.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, logarithmic. Clusters that one of the methods could not weigh are left out; the
        legend has the number of the others.

    Raises
    ------
    InvalidInputError
        A column is missing, or no cluster has both masses.
    InvalidUnitError
        A column has no unit of mass.
    MissingDependencyError
        Matplotlib is not installed.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass import estimate_masses
    >>> from szmass.plots import plot_mass_comparison
    >>> from szmass.simulations import draw_flat, simulate
    >>> clusters = draw_flat(12, mass=[5e14, 1e15] * u.solMass, redshift=(0.05, 0.4), seed=1)
    >>> sample = simulate(clusters, "planck-total", cosmology="PSZ2", seed=1)
    >>> masses = estimate_masses(sample, "matched_filter", columns=["mass_true"], one_minus_b=0.8)
    >>> ax = plot_mass_comparison(masses, "mass_true", "matched_filter")
    >>> ax.figure.savefig("masses.png")  # doctest: +SKIP
    """
    (mx, *ex), (my, *ey), known = known_masses(table, x, y)
    if colour not in (None, "redshift"):
        raise InvalidInputError(f"'colour' must be 'redshift' or None. Received: {colour!r}")
    if fit is not None and not isinstance(fit, RelationFit):
        raise InvalidInputError(f"'fit' must be a RelationFit. Received: {fit!r}")
    ax = new_axes(ax)
    density = len(mx) > _MANY if density is None else density
    log_ticks(ax.xaxis, ax.yaxis)
    if density:
        cells = ax.hexbin(
            mx, my, xscale="log", yscale="log", gridsize=_CELLS, mincnt=1, bins="log",
            cmap="cividis", linewidths=0.1,
        )  # fmt: skip
        ax.figure.colorbar(cells, ax=ax, pad=0.02, label="clusters per cell")
        log_ticks(ax.xaxis, ax.yaxis)
    else:
        _bars(ax, mx, my, ex, ey)
        colours = {"color": COLOURS[0]}
        if colour == "redshift" and "redshift" in table.colnames:
            colours = {"c": read_redshift(table)[known], "cmap": "viridis", "vmin": 0}
        size = 22 if len(mx) < 100 else 9
        points = ax.scatter(mx, my, s=size, lw=0, alpha=0.85, zorder=3, **colours)
        if "c" in colours:
            ax.figure.colorbar(points, ax=ax, pad=0.02, label="redshift")
    ax.set_xlim(mx.min() / 1.15, mx.max() * 1.15)
    ax.set_ylim(my.min() / 1.15, my.max() * 1.15)
    ends = np.array(ax.get_xlim())
    ax.plot(ends, ends, color="k", lw=1, zorder=4, label="equal masses")
    if median:
        _median(ax, mx, my)
    if fit is not None:
        _relation(ax, fit, ends)
    names = [method_label(table, name) for name in (x, y)] if labels is None else labels
    ax.set(xlabel=mass_label(names[0]), ylabel=mass_label(names[1]))
    if outliers and len(mx) >= _LEAST_SPREAD:
        flags = np.bitwise_or(masses_of(table, x).flag, masses_of(table, y).flag)[known]
        _outliers(ax, mx, my, flags)
    legend_above(ax, title=f"{len(mx)} cluster{'s' * (len(mx) != 1)}", alignment="left")
    return ax


def _bars(ax, x, y, x_errors, y_errors):
    """Draw errors that do not hide the points; what has none has no bar."""
    for errors, which in ((x_errors, "xerr"), (y_errors, "yerr")):
        if np.isnan(errors).all(axis=1).any():
            continue
        ax.errorbar(
            x, y, **{which: np.nan_to_num(errors)}, fmt="none", ecolor="0.6", elinewidth=0.6,
            alpha=0.7 if len(x) < 200 else 0.3, zorder=2,
        )  # fmt: skip


def _outliers(ax, x, y, flags):
    ratio = np.log(y / x)
    away = np.abs(ratio - np.median(ratio))
    away = away > _OUTLYING * 1.4826 * np.median(away)
    bits = {bit.name: int(np.count_nonzero(flags[away] & bit)) for bit in MassFlag}
    said = ", ".join(f"{name} {count}" for name, count in bits.items() if count)
    told = f"beyond {_OUTLYING}$\\sigma$"
    for rows, colour, label in (
        (away & (flags != 0), COLOURS[1], f"{told}: {said}"),
        (away & (flags == 0), "0.45", f"{told}, no flag"),
    ):
        if rows.any():
            ax.scatter(
                x[rows], y[rows], s=70, facecolors="none", edgecolors=colour, lw=1.1, zorder=6,
                label=label,
            )  # fmt: skip


def _median(ax, x, y):
    centre, (low, middle, high) = running_quantiles(x, y, min(12, len(x) // _LEAST))
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


def plot_one_minus_b(fit=None, *, names=None, ax=None, label="this fit"):
    """Plot 1-b of the literature, and one's own across it.

    Parameters
    ----------
    fit : `~szmass.comparison.RelationFit`, optional
        From `~szmass.comparison.fit_mass_ratio`; its 68 % interval is drawn as a band.
    names : sequence of str, optional
        Which published values, from above; all of `~szmass.comparison.published_one_minus_b` by
        default.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    label : str, optional
        What to call the fit.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes. The colour of a point tells what stands for the true mass.

    Raises
    ------
    UnknownNameError
        There is no such published value.
    InvalidInputError
        ``fit`` is none, or not of a ratio of masses.
    MissingDependencyError
        Matplotlib is not installed.
    """
    table = published_one_minus_b(fit, names=names)
    ax = new_axes(ax, size=(6.4, 1.6 + 0.27 * len(table)))
    rows = np.arange(len(table))
    for i, kind in enumerate(dict.fromkeys(table["true_mass"].tolist())):
        of_kind = table["true_mass"] == kind
        errors = np.array([table["errn"][of_kind], table["errp"][of_kind]])
        style = {"color": COLOURS[i % len(COLOURS)], "fmt": MARKERS[i % len(MARKERS)], "ms": 5}
        values = table["one_minus_b"][of_kind]
        ax.errorbar(values, rows[of_kind], xerr=errors, capsize=2, label=kind, **style)
    ax.axvline(1, color="0.5", lw=0.8, ls=":", zorder=0)
    if fit is not None:
        name = f"{label}: {fit.value:.2f} $-${fit.errn:.2f} $+${fit.errp:.2f}"
        ax.axvline(fit.value, color="k", lw=1.2, zorder=1, label=name)
        ax.axvspan(fit.value - fit.errn, fit.value + fit.errp, color="k", alpha=0.13, lw=0)
    ax.set_yticks(rows, table["label"].tolist())
    ax.set(xlabel="1-b, SZ mass over true mass", ylim=(len(table) - 0.4, -0.6))
    ax.figure.legend(
        *ax.get_legend_handles_labels(),
        frameon=False,
        loc="outside upper center",
        ncols=3,
        fontsize="small",
    )
    return ax


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
    InvalidInputError, InvalidUnitError, MissingDependencyError
        As `plot_mass_comparison` raises them, or no method is given, or no cluster has a redshift.
    """
    redshift = read_redshift(table)
    methods = check_methods(methods_of(table) if methods is None else methods, len(COLOURS))
    masses = [masses_of(table, method).mass / MASS_UNIT for method in methods]
    masses = [np.where(mass > 0, mass, np.nan) for mass in masses]
    if not any(np.isfinite(mass + redshift).any() for mass in masses):
        raise InvalidInputError("No cluster of the table has a redshift and a mass.")
    ax = new_axes(ax, (6.0, 4.2))
    names = [method_label(table, m) for m in methods] if labels is None else list(labels)
    size = 24 if len(redshift) < 100 else 10
    for i, (mass, name) in enumerate(zip(masses, names, strict=True)):
        ax.scatter(
            redshift, mass, s=size, color=COLOURS[i], marker=MARKERS[i], lw=0, alpha=0.65,
            rasterized=len(mass) > _MANY, label=f"{name} ({np.isfinite(mass + redshift).sum()})",
        )  # fmt: skip
    log_ticks(ax.yaxis)
    ax.set(xlabel="redshift", ylabel=mass_label())
    ax.set_xlim(left=0)
    legend_above(ax, markerscale=1.5)
    return ax
