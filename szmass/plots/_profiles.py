"""Plots of profiles, of stacked cutouts, and of what a network looks at."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps import Cutout
from szmass.maps.measure.stacking import StackResult
from szmass.networks.saliency import SaliencyStack
from szmass.plots.style import (
    COLOURS,
    MARKERS,
    MICRO,
    Y_LABEL,
    draw_circle,
    draw_image,
    new_axes,
    symmetric_limit,
)

__all__ = ["plot_profile", "plot_saliency", "plot_stack"]

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
    ax.set_ylabel(Y_LABEL)
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
    limit = symmetric_limit(result.image, limit) / MICRO
    ax = new_axes(ax, (5.6, 4.6))
    draw_image(
        ax, result.image / MICRO, result.geometry, f"mean {Y_LABEL}", cmap="RdBu_r",
        vmin=-limit, vmax=limit, interpolation="nearest",
    )  # fmt: skip
    draw_circle(ax, result.radius.value, label="aperture")
    for radius in () if result.background is None else result.background.value:
        draw_circle(ax, radius, ":")
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


def plot_saliency(saliency, *, ax=None, theta500=None, limit=None, numbers=False):
    """Plot how log M changes when the light of a part of the cutout is taken away.

    Parameters
    ----------
    saliency : `~szmass.maps.Cutout` or `~szmass.networks.SaliencyStack`
        One map of `~szmass.networks.occlusion_map`, or the mean of several from
        `~szmass.networks.stack_saliency`.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    theta500 : `~astropy.units.Quantity`, optional
        Radius of a dashed circle around the middle. Maps in units of theta500 have it anyway.
    limit : float, optional
        Largest absolute change [dex] of the colours, which are symmetric about 0; by default that
        of the map.
    numbers : bool, optional
        Write the changes [1e-3 dex] into the patches.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes. The image is ``ax.images[0]``.

    Raises
    ------
    InvalidInputError
        It is no map of saliency, has no value, or the limit is not positive.
    MissingDependencyError
        Matplotlib is not installed.
    """
    image, geometry, title = _parts(saliency)
    limit = symmetric_limit(image, limit)
    radius = 1.0 if geometry.relative else None
    if theta500 is not None and not geometry.relative:
        radius = float(as_floats(theta500, u.arcmin, "theta500", positive=True, finite=True))
    ax = new_axes(ax, (5.4, 4.4))
    extent = draw_image(
        ax, image, geometry, r"$\Delta\,\log_{10} M_{500}$ [dex] of the light of a patch",
        plain=geometry.relative, cmap="RdBu_r", vmin=-limit, vmax=limit,
    )  # fmt: skip
    if numbers:
        _write(ax, image, extent)
    if radius is not None:
        draw_circle(ax, radius, "--")
    if title:
        ax.set_title(title, fontsize="medium")
    return ax


def _parts(saliency):
    if isinstance(saliency, SaliencyStack):
        image, geometry = saliency.image, saliency.geometry
        title = f"mean of {int(np.max(saliency.number))} clusters"
    elif isinstance(saliency, Cutout) and "fill" in saliency.meta:
        image, geometry, title = saliency.data, saliency.geometry, saliency.name
    else:
        raise InvalidInputError(
            "'saliency' must be one map of occlusion_map, such as saliency[0], or what "
            f"stack_saliency gives. Received: {type(saliency).__name__}"
        )
    if not np.isfinite(image).any():
        raise InvalidInputError("'saliency' has no value: there is nothing to plot.")
    return np.asarray(image, dtype=float), geometry, title


def _write(ax, image, extent):
    left, right, low, high = extent
    ny, nx = image.shape
    for row, column in np.argwhere(np.isfinite(image)):
        ax.text(
            left + (column + 0.5) * (right - left) / nx,
            low + (row + 0.5) * (high - low) / ny,
            f"{1e3 * image[row, column]:.0f}",
            ha="center",
            va="center",
            fontsize=6,
        )
