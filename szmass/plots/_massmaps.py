"""Plots of maps of projected mass."""

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.maps import Cutout
from szmass.massmaps import MassMap
from szmass.plots.style import MASS_UNIT, check_kind, new_axes

# Contours of y, as parts of the largest value inside the map.
_PARTS = np.array([0.05, 0.1, 0.2, 0.4, 0.6, 0.8])
# Decades of colours below the largest surface density.
_DECADES = 2.5


def plot_mass_map(mass_map, cutout=None, *, ax=None, error=False, contours=True, cmap="magma"):
    """Plot a map of projected mass, with contours of Compton-y.

    Parameters
    ----------
    mass_map : `~szmass.massmaps.MassMap`
        The map.
    cutout : `~szmass.maps.Cutout`, optional
        Compton-y about the same position, in the same directions.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    error : bool, optional
        Draw the standard deviation over the mean instead.
    contours : bool or sequence of float, optional
        Levels of y. True stands for 0.05, 0.1, 0.2, 0.4, 0.6 and 0.8 of the largest y in the map.
    cmap : str or `~matplotlib.colors.Colormap`, optional
        The colours.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes; the image is ``ax.images[0]``. A dashed circle is R500, where it is known.

    Raises
    ------
    InvalidInputError
        It is no mass map, has no value above 0, the cutout is about another place or turned, or
        contours do not increase.
    MissingDependencyError
        Matplotlib is not installed.
    """
    check_kind(mass_map, MassMap, "mass_map", "such as maps[0]")
    if mass_map.mask.all() or not np.any(mass_map.data[~mass_map.mask] > 0):
        raise InvalidInputError(f"The map of {mass_map.name!r} has no value above 0.")
    data = np.where(mass_map.mask, np.nan, mass_map.data)
    ax = new_axes(ax, (5.4, 4.6))
    height, width = mass_map.geometry.size.to_value(u.arcmin) / 2
    where = {"origin": "lower", "extent": (width, -width, -height, height)}
    if error:
        image = np.divide(mass_map.std, data, out=np.full(data.shape, np.nan), where=data > 0)
        label = r"$\sigma_\Sigma\,/\,\Sigma$"
        options = {"vmin": 0, "vmax": np.nanpercentile(image, 99)}
    else:
        from matplotlib.colors import LogNorm

        image = data / MASS_UNIT
        label = r"$\Sigma$ [$10^{14}\,M_\odot\,\mathrm{Mpc}^{-2}$]"
        top = np.nanmax(image)
        options = {"norm": LogNorm(top / 10**_DECADES, top, clip=True)}
    picture = ax.imshow(image, cmap=cmap, interpolation="nearest", **where, **options)
    ax.figure.colorbar(picture, ax=ax, pad=0.02, fraction=0.046, label=label)
    if cutout is not None and contours is not False:
        _draw_contours(ax, mass_map, cutout, contours, (width, height))
    if mass_map.r500 is not None:
        angle, radius = np.linspace(0, 2 * np.pi, 361), mass_map.r500.to_value(u.arcmin)
        ax.plot(radius * np.cos(angle), radius * np.sin(angle), "w--", lw=1.1)
    ax.set(xlim=(width, -width), ylim=(-height, height))
    galactic = mass_map.geometry.frame == "galactic"
    turned = mass_map.geometry.rotation.value != 0
    names = (r"$\Delta l\,\cos b$", r"$\Delta b$") if galactic else (
        r"$\Delta\alpha\,\cos\delta$", r"$\Delta\delta$"
    )  # fmt: skip
    names = ("offset", "offset") if turned else names
    ax.set(xlabel=f"{names[0]} [arcmin]", ylabel=f"{names[1]} [arcmin]", title=mass_map.name)
    return ax


def _draw_contours(ax, mass_map, cutout, contours, half):
    check_kind(cutout, Cutout, "cutout", "such as sample.cutouts[0]")
    own, other = mass_map.geometry, cutout.geometry
    apart = mass_map.coord.separation(cutout.coord)
    if apart > 0.01 * own.pixel_scale or (own.frame, own.rotation) != (other.frame, other.rotation):
        raise InvalidInputError(
            "'cutout' must be about the position of the mass map, with its frame and rotation. "
            f"Received: {cutout!r}, {apart.to(u.arcmin):.3g} away"
        )
    y = np.where(cutout.footprint, cutout.data, np.nan)
    up, right = (
        (np.arange(n) - middle) * other.pixel_scale.to_value(u.arcmin)
        for n, middle in zip(other.shape, other.center, strict=True)
    )
    shown = (np.abs(up)[:, np.newaxis] <= half[1]) & (np.abs(right) <= half[0])
    values = y[shown & np.isfinite(y)]
    if not len(values):
        return
    levels = _PARTS * values.max() if contours is True else np.asarray(contours, dtype=float)
    if levels.ndim != 1 or np.any(np.diff(levels) <= 0):
        if contours is True:  # no y above 0
            return
        raise InvalidInputError(
            f"'contours' must be True, False, or increasing values of y. Received: {contours!r}"
        )
    ax.contour(-right, up, y, levels=levels, colors="c", linewidths=0.8)
