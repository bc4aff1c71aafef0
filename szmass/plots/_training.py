"""Plots of the training of networks: losses, and which models are unbiased enough."""

from collections.abc import Mapping

import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.plots.style import COLOURS, new_axes

__all__ = ["plot_selection", "plot_training"]

_STYLES = ("-", "--", ":", "-.")


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
    names = getattr(table, "colnames", ())
    for column in ("redshift_bin", metric):
        if column not in names:
            raise InvalidInputError(
                f"The table of models has no column {column!r}. It has: "
                f"{', '.join(names) or 'none'}."
            )
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
            ls=_STYLES[i // len(COLOURS) % len(_STYLES)],
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
    if len(text) == 2:
        return rf"${text[0]} < z \leq {text[1]}$"
    return label


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
        The axes.

    Raises
    ------
    InvalidInputError
        A column is missing, has no epoch, or there are too many runs.
    MissingDependencyError
        Matplotlib is not installed.
    """
    runs = _runs(histories, columns)
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


def _runs(histories, columns):
    if hasattr(histories, "colnames"):
        return {"": histories}
    if not isinstance(histories, Mapping):
        raise InvalidInputError(
            "'histories' must be a table, a dict of lists, or a dict of names to these. "
            f"Received: {type(histories).__name__}"
        )
    if any(column in histories for column in columns if column is not None):
        return {"": histories}
    return {str(name): history for name, history in histories.items()}


def _column(history, column, name, default=None):
    names = getattr(history, "colnames", None) or list(history)
    if column not in names:
        if default is not None:
            return default
        raise InvalidInputError(
            f"The history of {name or 'the run'} has no column {column!r}. It has: "
            f"{', '.join(map(str, names)) or 'none'}."
        )
    values = np.asarray(history[column], dtype=float)
    if not values.size:
        raise InvalidInputError(f"The history of {name or 'the run'} has no epochs.")
    return values
