"""Plots of errors: relative differences of masses, and how networks learn to make them small."""

from collections.abc import Mapping

import numpy as np

from szmass.comparison.statistics import REDSHIFT_BINS
from szmass.exceptions import InvalidInputError
from szmass.plots._masses import known_masses, method_label, method_name, read_redshift
from szmass.plots.style import (
    COLOURS,
    LINE_STYLES,
    MARKERS,
    check_columns,
    check_methods,
    draw_bars,
    legend_above,
    log_ticks,
    mass_label,
    new_axes,
    redshift_label,
    running_quantiles,
    split_by_redshift,
)

# Clusters that a bin needs for quantiles at 2.5 %, for mean and scatter, and for a density.
_FOR_95, _FOR_68, _FOR_DENSITY = 40, 10, 8

__doctest_requires__ = {"plot_*": ["matplotlib"]}


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
    InvalidInputError, InvalidUnitError, MissingDependencyError
        As `plot_mass_comparison` raises them.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from szmass.plots import plot_residuals
    >>> true, error = np.geomspace(2, 12, 200), np.random.default_rng(1).lognormal(0, 0.2, 200)
    >>> masses = QTable({"mass_true": true, "mass": true * error})
    >>> for name in masses.colnames:
    ...     masses[name].unit = "1e14 solMass"
    >>> ax = plot_residuals(masses, "mass")
    >>> ax.figure.savefig("residuals.png")  # doctest: +SKIP
    """
    mass, difference, _ = _differences(table, method, truth)
    ax = new_axes(ax, (6.0, 4.2))
    chosen = np.random.default_rng(seed).permutation(len(mass))[:n_points]
    many = f"{len(chosen)} of {len(mass)}" if len(chosen) < len(mass) else f"{len(mass)}"
    ax.scatter(
        mass[chosen], difference[chosen], s=9, color="0.25", alpha=0.7, lw=0, zorder=3,
        label=f"{many} cluster{'s' * (len(mass) != 1)}",
    )  # fmt: skip
    bins = min(15, len(mass) // max(_FOR_68, min(_FOR_95, len(mass) // 4)))
    percent = [2.5, 16, 50, 84, 97.5]
    centre, (least, low, middle, high, most) = running_quantiles(mass, difference, bins, percent)
    if bins:
        if len(mass) // bins >= _FOR_95:
            ax.fill_between(centre, least, most, color=COLOURS[5], alpha=0.35, lw=0, label="95 %")
        ax.fill_between(centre, low, high, color=COLOURS[0], alpha=0.45, lw=0, label="68 %")
        ax.plot(centre, middle, "k--", lw=1.5, zorder=4, label="median")
    ax.axhline(0, color="k", lw=0.8)
    names, (shown, _) = _names(table, (method, truth), labels)
    log_ticks(ax.xaxis)
    ax.set(xlabel=mass_label(shown), ylabel=_difference_label(*names))
    low, high = np.quantile(difference, [0.005, 0.995])
    margin = 0.35 * max(high - low, 0.2)
    ax.set_ylim(low - 0.5 * margin, high + 0.5 * margin)
    legend_above(ax, ncols=4)
    return ax


def plot_error_distribution(
    table, method, truth="mass_true", *, ax=None, labels=None, redshift_bins=REDSHIFT_BINS
):
    """Plot the probability density of relative differences per redshift bin.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, with the column ``redshift``.
    method, truth, ax, labels : see `plot_residuals`
        What is compared with what, where to draw, and names.
    redshift_bins : sequence of float, optional
        Edges of up to seven bins; a bin holds its upper edge and not its lower one.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, with a Gaussian kernel density (Scott's rule) per bin, and mean, standard
        deviation and number in the legend. A bin of less than 8 clusters is drawn as marks.

    Raises
    ------
    InvalidInputError, InvalidUnitError, MissingDependencyError
        As `plot_mass_comparison` raises them; the edges do not increase, or no cluster in a bin has
        both masses.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325.
    """
    _, difference, redshift = _differences(table, method, truth, need_redshift=True)
    bins = split_by_redshift(redshift, redshift_bins)
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
        known = rf" \pm {spread:.2f}" if len(values) > 1 else ""
        label = f"{redshift_label(z_low, z_high)}: ${values.mean():.2f}{known}$ ({len(values)})"
        style = {"color": COLOURS[i], "label": label}
        if len(values) >= _FOR_DENSITY and spread > 0:
            from scipy.stats import gaussian_kde

            density = gaussian_kde(values)(grid)
            ax.plot(grid, density, ls=LINE_STYLES[i % len(LINE_STYLES)], lw=1.8, **style)
        else:
            # The height of marks means nothing.
            ax.plot(
                values, np.full(len(values), 0.03 * (i + 1)), ls="none", marker=MARKERS[i], ms=6,
                transform=ax.get_xaxis_transform(), **style,
            )  # fmt: skip
    ax.axvline(0, color="k", lw=0.8)
    names, _ = _names(table, (method, truth), labels)
    ax.set(xlabel=_difference_label(*names), ylabel="probability density")
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
    truth, ax : str, `~matplotlib.axes.Axes`, optional
        Method or column that they are compared with, and where to draw, as for `plot_residuals`.
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
    InvalidInputError, InvalidUnitError, MissingDependencyError
        As `plot_mass_comparison` raises them; the edges do not increase, or no bin has 10
        clusters.

    References
    ----------
    As for `plot_residuals`.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from szmass.plots import plot_relative_error
    >>> true, units = np.geomspace(2, 12, 40), dict.fromkeys(["mass_true", "mass"], "1e14 solMass")
    >>> masses = {"mass_true": true, "mass": 0.8 * true, "redshift": np.full(40, 0.2)}
    >>> masses = QTable(masses, units=units)
    >>> ax = plot_relative_error(masses, "mass", redshift_bins=(0, 1))
    >>> ax.lines[0].get_ydata().round(2)
    array([-0.25, -0.25, -0.25, -0.25])
    """
    methods = check_methods(methods, len(LINE_STYLES))
    if against not in ("predicted", "truth"):
        raise InvalidInputError(f"'against' must be 'predicted' or 'truth'. Received: {against!r}")
    names, shown = _names(table, (*methods, truth), labels)
    lines = []
    for j, method in enumerate(methods):
        mass, difference, redshift = _differences(table, method, truth, need_redshift=True)
        if against == "truth":
            mass = mass * (1 - difference)
        for i, (low, high, rows) in enumerate(split_by_redshift(redshift, redshift_bins)):
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
        label = redshift_label(low, high)
        label = f"{label}, {shown[j]}" if len(methods) > 1 else label
        draw_bars(ax, centre * shift, mean, std, i, ls=LINE_STYLES[j], label=label)
    ax.axhline(0, color="k", lw=0.8)
    log_ticks(ax.xaxis)
    one, predicted = (names[0], shown[0]) if len(methods) == 1 else ("predicted", "predicted")
    ax.set(
        xlabel=mass_label(predicted if against == "predicted" else shown[-1]),
        ylabel=_difference_label(one, names[-1]),
    )
    legend_above(ax)
    return ax


def _differences(table, method, truth, need_redshift=False):
    """Give masses [1e14 solMass], (M - M_true) / M and redshifts of the known clusters."""
    (mass, *_), (true, *_), known = known_masses(table, method, truth)
    redshift = read_redshift(table)[known] if need_redshift else np.zeros(len(mass))
    return mass, 1 - true / mass, redshift


def _names(table, methods, labels):
    """Give what to call methods, and the same with their mass scales."""
    if labels is not None:
        return list(labels), list(labels)
    return [method_name(m) for m in methods], [method_label(table, m) for m in methods]


def _difference_label(method, truth):
    def mass(name):
        # A minus sign is wider than the hyphen that is meant.
        name = name.replace("_", r"\_").replace(" ", r"\ ").replace("-", "\u2010")
        return rf"M_\mathrm{{{name}}}"

    return rf"$({mass(method)} - {mass(truth)})\,/\,{mass(method)}$"


def _running_moments(mass, values):
    """Give medians of mass, (B,), and mean and standard deviation, (B, 2), up to 7 bins."""
    bins = len(mass) // max(_FOR_68, len(mass) // 7)
    parts = np.array_split(np.argsort(mass), bins) if bins else []
    centre = np.array([np.median(mass[rows]) for rows in parts])
    return centre, np.array([(values[rows].mean(), values[rows].std(ddof=1)) for rows in parts])


def plot_selection(table, *, ax=None, metric="bias_max", threshold=None):
    """Plot how many trained models are below a threshold, against the threshold.

    Parameters
    ----------
    table : `~astropy.table.Table`
        One row per model: ``redshift_bin`` (a number or a text) and the column ``metric``.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    metric : str, optional
        The column, of which the absolute value is compared with the threshold.
    threshold : float, optional
        One that was chosen, drawn as a vertical line.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, with a step line per redshift bin. Models whose metric is not finite are never
        below.

    Raises
    ------
    InvalidInputError
        A column is missing, or there is no finite metric.
    MissingDependencyError
        Matplotlib is not installed.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325.
    """
    check_columns(table, ("redshift_bin", metric), "The table of models")
    values = np.abs(np.ma.filled(np.ma.asarray(table[metric], dtype=float), np.nan))
    bins = np.asarray(table["redshift_bin"]).astype(str)
    found = np.isfinite(values)
    if not found.any():
        raise InvalidInputError(f"No model has a finite {metric!r}.")
    ax = new_axes(ax, (5.6, 4.2))
    end = 1.05 * values[found].max()
    labels = list(dict.fromkeys(bins))
    for i, label in enumerate(labels):
        inside = np.sort(values[(bins == label) & found])
        x = np.concatenate([[0], inside, [end]])
        y = np.concatenate([[0], np.arange(1, len(inside) + 1), [len(inside)]])
        ax.step(
            x, y, where="post", color=COLOURS[i % len(COLOURS)], lw=1.8,
            ls=LINE_STYLES[i // len(COLOURS) % len(LINE_STYLES)],
            label=_bin_label(label) + f" ({np.sum(bins == label)})",
        )  # fmt: skip
    if threshold is not None:
        ax.axvline(threshold, color="0.3", ls="--", lw=1, label=f"threshold {threshold:g}")
    ax.set(
        xlabel=f"threshold on |{metric.replace('_', ' ')}|",
        ylabel="number of models below",
        xlim=(0, end),
    )
    ax.set_ylim(bottom=0)
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False, title="redshift bin (models)", fontsize="small")
    return ax


def _bin_label(label):
    text = label.strip("()[] ").replace(",", " ").replace("-", " ").split()
    return rf"${text[0]} < z \leq {text[1]}$" if len(text) == 2 else label


def plot_training(histories, *, ax=None, columns=("loss", "val_loss")):
    """Plot loss against epoch, for training and validation, of one or several runs.

    Parameters
    ----------
    histories : `~astropy.table.Table` or dict
        A table, or a dict of lists as Keras gives it, with the columns ``columns`` and
        optionally ``epoch``; or a dict of names to up to seven of these.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    columns : (str, str), optional
        The columns of training (dashed) and validation (solid); None for one that is not to be
        drawn.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes: loss, on a logarithmic scale if it is positive, against the epoch from 1.

    Raises
    ------
    InvalidInputError
        A column is missing, has no epoch, or there are too many runs.
    MissingDependencyError
        Matplotlib is not installed.

    Examples
    --------
    >>> from szmass.plots import plot_training
    >>> ax = plot_training({"loss": [2.0, 1.2, 0.9], "val_loss": [2.1, 1.4, 1.2]})
    >>> ax.get_xlabel()
    'epoch'
    """
    if not isinstance(histories, Mapping) and not hasattr(histories, "colnames"):
        raise InvalidInputError(
            "'histories' must be a table, a dict of lists, or a dict of names to these. "
            f"Received: {type(histories).__name__}"
        )
    single = hasattr(histories, "colnames") or any(column in histories for column in columns)
    runs = {"": histories} if single else {str(name): run for name, run in histories.items()}
    if not 1 <= len(runs) <= len(COLOURS):
        raise InvalidInputError(
            f"'histories' must be one to {len(COLOURS)} runs. Received: {len(runs)}"
        )
    ax = new_axes(ax, (6.0, 4.2))
    lowest, most = np.inf, 1
    for i, (name, history) in enumerate(runs.items()):
        for column, style, what in zip(
            columns, ("--", "-"), ("training", "validation"), strict=True
        ):
            if column is None:
                continue
            loss = _column(history, column, name)
            epoch = _column(history, "epoch", name, default=np.arange(1, len(loss) + 1))
            label = f"{name}, {what}" if name else what
            ax.plot(
                epoch, loss, color=COLOURS[i], ls=style, lw=1.5, label=label,
                marker="o" if len(loss) == 1 else None,
            )  # fmt: skip
            if len(loss):
                lowest, most = min(lowest, np.nanmin(loss)), max(most, len(loss))
    ax.set(xlabel="epoch", ylabel=r"loss (mean squared error of $\log_{10} M$)")
    if lowest > 0:
        ax.set_yscale("log")
    ax.legend(frameon=False, fontsize="small")
    return ax


def _column(history, column, name, default=None):
    if default is not None and column not in (getattr(history, "colnames", None) or history):
        return default
    check_columns(history, [column], f"The history of {name or 'the run'}")
    values = np.asarray(history[column], dtype=float)
    if not values.size:
        raise InvalidInputError(f"The history of {name or 'the run'} has no epochs.")
    return values
