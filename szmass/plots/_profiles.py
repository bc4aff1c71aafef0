"""Plots of profiles and of stacked cutouts."""

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.maps.measure.stacking import StackResult
from szmass.plots.style import COLOURS, MARKERS, MICRO, new_axes

__all__ = ["plot_profile", "plot_stack"]

_MAX_LABELLED = 7


def plot_profile(profile, *, ax=None, labels=None, beam=None):
    """Plot mean y against radius.

    Parameters
    ----------
    profile : `~astropy.table.QTable` or `~szmass.maps.StackResult`
        From `~szmass.maps.radial_profile`, one line per row, or a stack. Bars are ``y_err`` if
        there is one, else ``y_noise_err``; neighbouring points share noise.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    labels : sequence of str, optional
        One label per row; by default the names. More than seven rows are thin grey lines without.
    beam : `~astropy.units.Quantity`, optional
        FWHM of the map's beam: what is within half of it is shaded.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes.

    Raises
    ------
    InvalidInputError
        The table is not a profile or has no rows, or the labels are not as many as the rows.
    MissingDependencyError
        Matplotlib is not installed.
    """
    table = profile.profile if isinstance(profile, StackResult) else profile
    if not {"radius", "y"} <= set(getattr(table, "colnames", ())) or np.ndim(table["y"]) != 2:
        raise InvalidInputError(
            "'profile' must be a table from radial_profile, or a result of stack. "
            f"Received: {type(profile).__name__}"
        )
    if not len(table):
        raise InvalidInputError("'profile' has no rows: there is nothing to plot.")
    names = [str(name) for name in table["name"]] if labels is None else list(labels)
    if len(names) != len(table):
        raise InvalidInputError(
            f"'labels' must have one entry per row ({len(table)}). Received: {len(names)}"
        )
    ax = new_axes(ax, (6.4, 4.2))
    unit = getattr(table["radius"], "unit", None)
    unit = u.one if unit is None else unit
    error = next((name for name in ("y_err", "y_noise_err") if name in table.colnames), None)
    many = len(table) > _MAX_LABELLED
    # Bars of several clusters at the same radii would hide each other.
    step = 0.01 * float(np.nanmax(_plain(table["radius"])))
    for i, row in enumerate(table):
        radius, y = _plain(row["radius"]), _plain(row["y"]) / MICRO
        if many:
            ax.plot(radius, y, color="0.6", lw=0.8, alpha=0.7)
            continue
        ax.errorbar(
            radius + (i - (len(table) - 1) / 2) * step,
            y,
            yerr=None if error is None else _plain(row[error]) / MICRO,
            color=COLOURS[i],
            marker=MARKERS[i],
            markersize=5,
            lw=1.2,
            elinewidth=1.2,
            capsize=2.5,
            label=names[i] or None,
        )
    if many:
        y = np.ma.masked_invalid(_plain(table["y"])).mean(axis=0).filled(np.nan) / MICRO
        label = f"mean of {len(table)}"
        ax.plot(_plain(table["radius"][0]), y, color=COLOURS[0], lw=2, label=label)
    if beam is not None and unit != u.one:
        ax.axvspan(0, u.Quantity(beam).to_value(unit) / 2, color="0.9", lw=0, label="half the beam")
    ax.axhline(0, color="0.5", lw=0.8, zorder=0)
    ax.set_xlim(left=0)
    ax.set_xlabel(_radius_label(unit))
    ax.set_ylabel(r"Compton-$y$ [$10^{-6}$]")
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False)
    return ax


def plot_stack(result, *, ax=None, limit=None):
    """Plot the map of a stack, with the central aperture and the background annulus.

    Parameters
    ----------
    result : `~szmass.maps.StackResult`
        From `~szmass.maps.stack`.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    limit : float, optional
        Largest absolute y of the colours, which are symmetric about 0; by default that of the map.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes. The image is ``ax.images[0]``.

    Raises
    ------
    InvalidInputError
        The argument is no result of `~szmass.maps.stack`, or the limit is not positive.
    MissingDependencyError
        Matplotlib is not installed.
    """
    if not isinstance(result, StackResult):
        raise InvalidInputError(
            f"'result' must be a StackResult, which stack gives. Received: {type(result).__name__}"
        )
    limit = float(np.nanmax(np.abs(result.image))) if limit is None else limit
    if not limit > 0:
        raise InvalidInputError(f"'limit' must be positive. Received: {limit!r}")
    ax = new_axes(ax, (5.6, 4.6))
    unit = result.geometry.pixel_scale.unit
    height, width = result.geometry.size.value / 2
    image = ax.imshow(
        result.image / MICRO,
        origin="lower",
        extent=(width, -width, -height, height),  # longitude increases to the left
        cmap="RdBu_r",
        vmin=-limit / MICRO,
        vmax=limit / MICRO,
        interpolation="nearest",
    )
    bar = ax.figure.colorbar(image, ax=ax, pad=0.03, fraction=0.046)
    bar.set_label(r"mean Compton-$y$ [$10^{-6}$]")
    circles = [(result.radius.value, "-", "aperture")]
    if result.background is not None:
        circles += [(value, ":", None) for value in result.background.value]
    for radius, style, label in circles:
        angle = np.linspace(0, 2 * np.pi, 361)
        ax.plot(radius * np.cos(angle), radius * np.sin(angle), "k", ls=style, lw=1.1, label=label)
    ax.set_xlim(width, -width)
    ax.set_ylim(-height, height)
    label = "[arcmin]" if unit != u.one else r"[$\theta_{500}$]"
    turned = result.geometry.rotation.value != 0
    ax.set_xlabel(f"offset {label}" if turned else f"offset in longitude {label}")
    ax.set_ylabel(f"offset {label}" if turned else f"offset in latitude {label}")
    ax.set_title(_title(result), fontsize="medium")
    return ax


def _title(result):
    clusters = f"{result.n_clusters} cluster" + "s" * (result.n_clusters != 1)
    for value, what in (
        (result.noise_significance, "noise"),
        (result.significance, "bootstrap"),
    ):
        if np.isfinite(value):
            return rf"{clusters}, {value:.1f}$\sigma$ ({what})"
    return clusters


def _radius_label(unit):
    return r"$\theta\,/\,\theta_{500}$" if unit == u.one else f"radius [{unit}]"


def _plain(values):
    return np.asarray(getattr(values, "value", values), dtype=float)
