"""Plots of relative differences of masses: against mass, and their distribution."""

import itertools

import numpy as np

from szmass.comparison.statistics import REDSHIFT_BINS
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

__all__ = ["plot_error_distribution", "plot_relative_error", "plot_residuals"]

# Clusters that a bin needs for quantiles at 2.5 %, for mean and scatter, and for a density.
_FOR_95, _FOR_68, _FOR_DENSITY = 40, 10, 8
_STYLES = ("-", "--", ":", "-.")


def plot_residuals(table, method, truth="mass_true", *, ax=None, labels=None, n_points=200, seed=0):
    """Plot relative differences against the predicted mass, with median, 68 and 95 % bands.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, as from `~szmass.estimators.estimate_masses`.
    method, truth : str
        Names of methods, or of columns: what is compared with what.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    labels : (str, str), optional
        What to call the two; by default by their names.
    n_points : int, optional
        At most so many clusters are drawn as points, chosen at random; the bands are of all.
    seed : int, optional
        Seed of that choice.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes: (M - M_true) / M against M. The bands are of bins of equal numbers of clusters:
        at least 10 for the median and 68 %, at least 40 for 95 %.

    Raises
    ------
    InvalidInputError
        A column is missing, or no cluster has both masses.
    InvalidUnitError
        A column has no unit of mass.
    MissingDependencyError
        Matplotlib is not installed.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325.
    """
    mass, difference, _ = _differences(table, method, truth)
    ax = new_axes(ax, (6.0, 4.2))
    chosen = np.random.default_rng(seed).permutation(len(mass))[:n_points]
    many = f"{len(chosen)} of {len(mass)}" if len(chosen) < len(mass) else f"{len(mass)}"
    ax.scatter(
        mass[chosen], difference[chosen], s=9, color="0.25", alpha=0.7, lw=0, zorder=3,
        label=f"{many} cluster{'s' * (len(mass) != 1)}",
    )  # fmt: skip
    centre, levels = _running(mass, difference, [2.5, 16, 50, 84, 97.5], _FOR_68)
    if len(centre):
        wide, least = levels[:, [0, 4]], len(mass) // len(centre)
        if least >= _FOR_95:
            ax.fill_between(centre, *wide.T, color=COLOURS[5], alpha=0.35, lw=0, label="95 %")
        ax.fill_between(
            centre, *levels[:, [1, 3]].T, color=COLOURS[0], alpha=0.45, lw=0, label="68 %"
        )
        ax.plot(centre, levels[:, 2], "k--", lw=1.5, zorder=4, label="median")
    ax.axhline(0, color="k", lw=0.8)
    names = _names(method, truth, labels)
    log_ticks(ax.xaxis)
    ax.set(xlabel=mass_label(names[0]), ylabel=_difference_label(*names))
    _vertical_limits(ax, difference)
    ax.legend(frameon=False, ncols=2)
    return ax


def plot_error_distribution(
    table, method, truth="mass_true", *, ax=None, labels=None, redshift_bins=REDSHIFT_BINS
):
    """Plot the probability density of relative differences per redshift bin.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, with the column ``redshift``.
    method, truth : str
        Names of methods, or of columns: what is compared with what.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    labels : (str, str), optional
        What to call the two; by default by their names.
    redshift_bins : sequence of float, optional
        Edges of up to seven bins; a bin holds its upper edge and not its lower one.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, with a Gaussian kernel density (Scott's rule) per bin, and mean, standard
        deviation and number in the legend. A bin of less than 8 clusters is drawn as marks.

    Raises
    ------
    InvalidInputError
        A column is missing, the edges do not increase, or no cluster in a bin has both masses.
    InvalidUnitError
        A column has no unit of mass.
    MissingDependencyError
        Matplotlib is not installed.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325.
    """
    _, difference, redshift = _differences(table, method, truth, need_redshift=True)
    bins = _bins(redshift, redshift_bins)
    if not any(inside.any() for _, _, inside in bins):
        raise InvalidInputError("No cluster with both masses is in one of the redshift bins.")
    ax = new_axes(ax, (6.0, 4.2))
    inside = np.any([rows for _, _, rows in bins], axis=0)
    low, high = np.quantile(difference[inside], [0.01, 0.99])
    margin = 0.3 * max(high - low, 0.1)
    grid = np.linspace(low - margin, high + margin, 400)
    for i, (z_low, z_high, rows) in enumerate(bins):
        values = difference[rows]
        if not len(values):
            continue
        spread = values.std(ddof=1) if len(values) > 1 else np.nan
        label = rf"${z_low:g} < z \leq {z_high:g}$: " + (
            rf"${values.mean():.2f} \pm {spread:.2f}$ ({len(values)})"
            if len(values) > 1
            else f"${values[0]:.2f}$ (1)"
        )
        style = {"color": COLOURS[i], "label": label}
        if len(values) >= _FOR_DENSITY and spread > 0:
            from scipy.stats import gaussian_kde

            density = gaussian_kde(values)(grid)
            ax.plot(grid, density, ls=_STYLES[i % len(_STYLES)], lw=1.8, **style)
        else:
            # The height of marks means nothing.
            ax.plot(
                values, np.full(len(values), 0.03 * (i + 1)), ls="none", marker=MARKERS[i], ms=6,
                transform=ax.get_xaxis_transform(), **style,
            )  # fmt: skip
    ax.axvline(0, color="k", lw=0.8)
    ax.set(xlabel=_difference_label(*_names(method, truth, labels)), ylabel="probability density")
    ax.set_xlim(grid[0], grid[-1])
    # The legend needs a place where there are no curves.
    ax.set_ylim(0, (1.25 + 0.08 * len(ax.lines)) * ax.get_ylim()[1])
    ax.legend(
        fontsize="small", loc="upper center", framealpha=0.85, edgecolor="none",
        title=r"mean $\pm$ standard deviation (number)", title_fontsize="small",
    )  # fmt: skip
    return ax


def plot_relative_error(
    table, methods, truth="mass_true", *, ax=None, labels=None, redshift_bins=REDSHIFT_BINS,
    against="predicted",
):  # fmt: skip
    """Plot running mean and standard deviation of relative differences against mass.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, with the column ``redshift``.
    methods : str or sequence of str
        Names of up to four methods or columns; they are told apart by the style of the lines.
    truth : str, optional
        Method or column that they are compared with.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    labels : sequence of str, optional
        What to call the methods, and last what they are compared with; by default by their names.
    redshift_bins : sequence of float, optional
        Edges of up to seven bins, told apart by colour; a bin holds its upper edge. Two
        edges make one bin.
    against : {"predicted", "truth"}, optional
        Which mass is on the axis. Against the true mass, predictions that keep to the range they
        were trained on look biased at both ends.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes: mean of (M - M_true) / M in bins of mass of equal numbers, at least 10; the
        bars are one standard deviation long on either side.

    Raises
    ------
    InvalidInputError
        A column is missing, the edges do not increase, or no bin has 10 clusters.
    InvalidUnitError
        A column has no unit of mass.
    MissingDependencyError
        Matplotlib is not installed.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325.
    """
    methods = [methods] if isinstance(methods, str) else list(methods)
    if not 1 <= len(methods) <= len(_STYLES):
        raise InvalidInputError(
            f"'methods' must be one to {len(_STYLES)} names. Received: {methods!r}"
        )
    if against not in ("predicted", "truth"):
        raise InvalidInputError(f"'against' must be 'predicted' or 'truth'. Received: {against!r}")
    names = [method_name(name) for name in (*methods, truth)] if labels is None else list(labels)
    lines = []
    for j, method in enumerate(methods):
        mass, difference, redshift = _differences(table, method, truth, need_redshift=True)
        if against == "truth":
            mass = mass * (1 - difference)
        for i, (low, high, rows) in enumerate(_bins(redshift, redshift_bins)):
            centre, moments = _running_moments(mass[rows], difference[rows])
            if len(centre):
                lines.append((i, j, low, high, centre, *moments.T))
    if not lines:
        raise InvalidInputError(
            f"No redshift bin has {_FOR_68} clusters with both masses: nothing to average."
        )
    ax = new_axes(ax, (6.4, 4.4))
    for i, j, low, high, centre, mean, std in lines:
        shift = 1.006 ** (len(lines) * 0.5 - i - j)  # bars at one place would hide each other
        label = rf"${low:g} < z \leq {high:g}$"
        ax.errorbar(
            centre * shift, mean, yerr=std, color=COLOURS[i], marker=MARKERS[i], ms=4.5, lw=1.4,
            ls=_STYLES[j], elinewidth=0.7, capsize=2,
            label=f"{label}, {names[j]}" if len(methods) > 1 else label,
        )  # fmt: skip
    ax.axhline(0, color="k", lw=0.8)
    log_ticks(ax.xaxis)
    one = names[0] if len(methods) == 1 else "predicted"
    ax.set(
        xlabel=mass_label(one if against == "predicted" else names[-1]),
        ylabel=_difference_label(one, names[-1]),
    )
    ax.legend(frameon=False, fontsize="small", ncols=2)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.22 * (high - low))
    return ax


def _differences(table, method, truth, need_redshift=False):
    """Give masses [1e14 solMass], (M - M_true) / M and redshifts of the known clusters."""
    mass, true = table_masses(table, method)[0], table_masses(table, truth)[0]
    redshift = table_redshift(table) if need_redshift else np.zeros(len(mass))
    known = np.isfinite(mass + true)
    if not known.any():
        raise InvalidInputError(
            f"No cluster of the table has a mass by {method!r} and by {truth!r}."
        )
    return mass[known], (1 - true / np.where(known, mass, 1))[known], redshift[known]


def _names(method, truth, labels):
    return [method_name(name) for name in (method, truth)] if labels is None else list(labels)


def _difference_label(method, truth):
    def mass(name):
        # A minus sign is wider than the hyphen that is meant.
        name = name.replace("_", r"\_").replace(" ", r"\ ").replace("-", "\u2010")
        return rf"M_\mathrm{{{name}}}"

    return rf"$({mass(method)} - {mass(truth)})\,/\,{mass(method)}$"


def _bins(redshift, edges):
    edges = np.asarray(edges, dtype=float)
    if edges.ndim != 1 or not 2 <= len(edges) <= len(COLOURS) + 1 or np.any(np.diff(edges) <= 0):
        raise InvalidInputError(
            f"'redshift_bins' must be two to {len(COLOURS) + 1} increasing edges. "
            f"Received: {edges.tolist()}"
        )
    return [
        (low, high, (redshift > low) & (redshift <= high))
        for low, high in itertools.pairwise(edges)
    ]


def _parts(mass, least):
    """Rows by mass in parts of equal number, up to 15."""
    number = min(15, len(mass) // least)
    return np.array_split(np.argsort(mass), number) if number else []


def _running(mass, values, percentiles, least):
    least = max(least, min(_FOR_95, len(mass) // 4))
    parts = _parts(mass, least)
    centre = np.array([np.median(mass[rows]) for rows in parts])
    return centre, np.array([np.percentile(values[rows], percentiles) for rows in parts])


def _running_moments(mass, values):
    parts = _parts(mass, max(_FOR_68, len(mass) // 7))
    centre = np.array([np.median(mass[rows]) for rows in parts])
    return centre, np.array([(values[rows].mean(), values[rows].std(ddof=1)) for rows in parts])


def _vertical_limits(ax, difference):
    low, high = np.quantile(difference, [0.005, 0.995])
    margin = 0.35 * max(high - low, 0.2)
    ax.set_ylim(low - 0.5 * margin, high + margin)
