"""Plots of what halos hold."""

import numpy as np

from szmass._utils.kinds import check_kind
from szmass.baryons import importance_table
from szmass.exceptions import InvalidInputError
from szmass.plots.style import COLOURS, new_axes


def plot_importance(model, *, ax=None):
    """Draw how much the scatter of each property grows when a feature is permuted.

    Parameters
    ----------
    model : `~szmass.physics.RegressedBaryonModel`
        A model of `~szmass.baryons.fit_baryon_model`, with importances in its card.
    ax : `~matplotlib.axes.Axes`, optional
        Axes to draw on; new ones by default.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, with a bar for each feature and property; its error is the standard deviation
        over folds.

    Raises
    ------
    InvalidInputError
        The card has no importances.
    """
    check_kind(model, "RegressedBaryonModel", "model")
    if "importance" not in model.card:
        raise InvalidInputError(
            "'model' must have importances: fit it with importance=True. Received: "
            f"{model.name!r}, whose card has none"
        )
    table = importance_table(model)[::-1]
    ax = new_axes(ax)
    height = 0.8 / len(model.properties)
    place = np.arange(len(table))
    for j, name in enumerate(model.properties):
        ax.barh(
            place + (len(model.properties) / 2 - j - 0.5) * height,
            np.maximum(table[name], 1e-5),
            height,
            xerr=table[f"{name}_err"],
            color=COLOURS[j % len(COLOURS)],
            label=name,
        )
    ax.set_yticks(place, table["feature"])
    ax.set_xscale("log")
    ax.set_xlim(1e-5)
    ax.set_xlabel("Growth of the scatter of ln")
    ax.legend()
    return ax
