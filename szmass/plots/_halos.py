"""Plots of haloes: what tells what they hold, numbers of them, and the whole sky."""

from collections.abc import Mapping

import astropy.units as u
import numpy as np

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.baryons import importance_table
from szmass.exceptions import InvalidInputError
from szmass.plots.style import (
    COLOURS,
    LINE_STYLES,
    MARKERS,
    MICRO,
    Y_LABEL,
    check_columns,
    new_axes,
)

_LABELS = {"flux": "flux", "value": "S", "snr": "signal-to-noise ratio $q$", "y500": "$Y_{500}$"}
# Width of a picture of the sky [pixels], and the upper end of its colours as a share of pixels.
_WIDTH, _BRIGHTEST = 1200, 99.7


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


def plot_counts(counts, *, ax=None, points=None, scale=1.0):
    """Plot numbers of clusters above thresholds, or in bins of redshift, with their errors.

    Parameters
    ----------
    counts : `~astropy.table.Table` or dict
        From `~szmass.baryons.cumulative_counts` or `~szmass.baryons.redshift_counts`; several, all
        of one kind, by label.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    points : dict, optional
        What surveys found, by label: pairs of x, in the unit of the thresholds, and number. In bins
        of redshift the numbers of all bins.
    scale : float, optional
        Factor on the counts, such as the area of a survey over that of the light cone.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, logarithmic where thresholds are; errors are bands.

    Raises
    ------
    InvalidInputError
        There is no table, or it has other columns.
    """
    if not isinstance(counts, Mapping):
        check_kind(counts, "Table", "counts")
        counts = {str(counts.meta.get("physics", "")): counts}
    if not counts:
        raise InvalidInputError("'counts' must have a table of counts. Received: none")
    first = next(iter(counts.values()))
    binned = "z_low" in getattr(first, "colnames", ())
    needed = ("z_low", "z_high", "n", "n_err") if binned else ("threshold", "n", "n_err")
    for table in counts.values():
        check_columns(table, needed)
        if not len(table):
            raise InvalidInputError("'counts' must have a row. Received: a table without any")
    ax = new_axes(ax)
    for i, (label, table) in enumerate(counts.items()):
        n, error = (np.asarray(table[name], dtype=float) * scale for name in ("n", "n_err"))
        style = {"color": COLOURS[i % len(COLOURS)]}
        if binned:
            edges = np.append(table["z_low"], table["z_high"][-1])
            ax.stairs(n, edges, label=label, ls=LINE_STYLES[i % len(LINE_STYLES)], lw=1.6, **style)
            ax.stairs(n + error, edges, baseline=n - error, fill=True, alpha=0.2, **style)
        else:
            x = u.Quantity(table["threshold"]).value
            seen = n > 0
            line = LINE_STYLES[i % len(LINE_STYLES)]
            ax.plot(x[seen], n[seen], label=label, ls=line, lw=1.6, **style)
            low = np.maximum(n - error, 0.3 * scale)
            ax.fill_between(x, low, n + error, where=seen, alpha=0.2, lw=0, **style)
    _add_points(ax, points or {}, first, binned)
    if binned:
        ax.set_xlabel("redshift")
        ax.set_ylabel("clusters in a bin")
        ax.set_ylim(bottom=0)
    else:
        quantity, unit = first.meta.get("quantity", "value"), u.Quantity(first["threshold"]).unit
        name = _LABELS.get(quantity, quantity)
        ax.set(xscale="log", yscale="log")
        if not points and not any(np.any(table["n"]) for table in counts.values()):
            # Nothing is drawn that limits could follow.
            x = u.Quantity(first["threshold"]).value
            ax.set(xlim=(x.min(), 1.01 * x.max()), ylim=(0.3 * scale, 10 * scale))
        ax.set_xlabel(f"{name} [{unit.to_string('latex_inline')}]" if str(unit) else name)
        ax.set_ylabel("clusters above it")
    if any(counts) or points:
        ax.legend(frameon=False)
    return ax


def _add_points(ax, points, first, binned):
    for i, (label, (x, n)) in enumerate(points.items()):
        n = np.atleast_1d(np.asarray(n, dtype=float))
        if binned and len(n) == len(first):
            x = 0.5 * (np.asarray(first["z_low"]) + np.asarray(first["z_high"]))
        unit = None if binned else u.Quantity(first["threshold"]).unit
        x = np.atleast_1d(as_floats(x, unit, "points") if unit else np.asarray(x, dtype=float))
        if x.shape != n.shape:
            raise InvalidInputError(
                f"'points' must be pairs of x and number, as many of both. Received: "
                f"{label!r} with {x.size} and {n.size}"
            )
        marker = MARKERS[i % len(MARKERS)]
        ax.errorbar(x, n, np.sqrt(n), fmt=marker, color="k", ms=5, capsize=2, label=label)


def plot_sky(ymap, *, ax=None, title=None):
    """Plot a HEALPix map of the sky in Mollweide's projection, on a scale that is linear near zero.

    Parameters
    ----------
    ymap : `~szmass.maps.ComptonMap`
        The map.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    title : str, optional
        Title; by default the physics of the map, if it says it.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, without ticks; the image is ``ax.images[0]``, longitude to the left.

    Raises
    ------
    InvalidInputError
        It is no HEALPix map.
    """
    import healpy
    from matplotlib.colors import AsinhNorm
    from matplotlib.patches import Ellipse

    if check_kind(ymap, "ComptonMap", "ymap").nside is None:
        raise InvalidInputError(f"'ymap' must be a HEALPix map. Received: {ymap!r}")
    x, y = np.meshgrid(np.linspace(-2, 2, _WIDTH), np.linspace(-1, 1, _WIDTH // 2))
    image, on_sky = np.full(x.shape, np.nan), x**2 / 4 + y**2 < 1
    angle = np.arcsin(y[on_sky])
    lat = np.degrees(np.arcsin((2 * angle + np.sin(2 * angle)) / np.pi))
    lon = -90 * x[on_sky] / np.cos(angle)  # East is left
    nested = str(ymap.ordering) == "nested"
    pixels = healpy.ang2pix(ymap.nside, lon, lat, lonlat=True, nest=nested)
    image[on_sky] = ymap.values(pixels) / MICRO
    known = image[np.isfinite(image)]
    top = max(float(np.percentile(known, _BRIGHTEST)) if known.size else 1.0, 1e-3)
    ax = new_axes(ax, (8.4, 4.6))
    norm = AsinhNorm(linear_width=top / 10, vmin=0, vmax=3 * top)
    # What is not known of the sky stays grey.
    ax.add_patch(Ellipse((0, 0), 4, 2, fc="0.88", zorder=0))
    extent = (-2, 2, -1, 1)
    shown = ax.imshow(image, origin="lower", extent=extent, norm=norm, cmap="magma", zorder=1)
    ax.set_axis_off()
    decades = [step * 10.0**i for i in range(-4, 5) for step in (1, 3)]
    ticks = [0, *(tick for tick in decades if top / 10 < tick < 3 * top)]
    bar = {"orientation": "horizontal", "shrink": 0.6, "extend": "max", "format": "%g"}
    ax.figure.colorbar(shown, ax=ax, label=Y_LABEL, ticks=ticks, **bar)
    title = ymap.meta.get("PHYSICS", "") if title is None else title
    if title:
        ax.set_title(f"{title}, {ymap.frame}")
    return ax
