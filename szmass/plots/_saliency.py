"""Plot of what a network looks at."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps import Cutout
from szmass.networks.saliency import SaliencyStack
from szmass.plots.style import new_axes

__all__ = ["plot_saliency"]


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
    limit = float(np.nanmax(np.abs(image))) if limit is None else limit
    if not limit > 0:
        raise InvalidInputError(f"'limit' must be positive. Received: {limit!r}")
    unit = u.one if geometry.relative else u.arcmin
    height, width = geometry.size.to_value(unit) / 2
    radius = 1.0 if geometry.relative else None
    if theta500 is not None and not geometry.relative:
        radius = float(as_floats(theta500, u.arcmin, "theta500", positive=True, finite=True))
    ax = new_axes(ax, (5.4, 4.4))
    extent = (width, -width, -height, height)  # longitude increases to the left
    picture = ax.imshow(
        image, origin="lower", extent=extent, cmap="RdBu_r", vmin=-limit, vmax=limit
    )
    bar = ax.figure.colorbar(picture, ax=ax, pad=0.03, fraction=0.046)
    bar.set_label(r"$\Delta\,\log_{10} M_{500}$ [dex] of the light of a patch")
    if numbers:
        _write(ax, image, extent)
    if radius is not None:
        angle = np.linspace(0, 2 * np.pi, 361)
        ax.plot(radius * np.cos(angle), radius * np.sin(angle), "k--", lw=1.1)
    ax.set(xlim=(width, -width), ylim=(-height, height))
    label = r"[$\theta_{500}$]" if geometry.relative else "[arcmin]"
    turned = geometry.relative or geometry.rotation.value != 0
    ax.set_xlabel(f"offset {label}" if turned else f"offset in longitude {label}")
    ax.set_ylabel(f"offset {label}" if turned else f"offset in latitude {label}")
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
