"""Where the pixels of an image are on the sky, as far as a flat sky needs it."""

import numpy as np
from astropy.coordinates import SkyCoord

from szmass.exceptions import InvalidInputError

__all__ = ["grids_apart", "image_discs", "image_pixel"]

# Sides of pixels may differ by this factor over an image that is treated as flat.
_FLATNESS = 1.25


def _vectors(ymap, x, y):
    """Unit vectors of pixel positions in the map's frame, last axis 3; NaN off the sky."""
    coord = ymap.wcs.pixel_to_world(x, y)
    return np.moveaxis(coord.cartesian.xyz.value, 0, -1)


def image_pixel(ymap):
    """Give the side of the pixels of an image, which must be about the same everywhere.

    Parameters
    ----------
    ymap : ComptonMap
        An image.

    Returns
    -------
    float
        Square root of the mean area [rad].
    """
    rows, columns = (np.linspace(0, n - 1, 9) for n in ymap.shape)
    x, y = np.meshgrid(columns, rows)
    here = _vectors(ymap, x, y)
    sides = [
        np.linalg.norm(_vectors(ymap, x + dx, y + dy) - here, axis=-1)
        for dx, dy in ((1, 0), (0, 1))
    ]
    if not np.nanmax(sides) < _FLATNESS * np.nanmin(sides):
        low, high = (np.degrees(side(sides)) * 60 for side in (np.nanmin, np.nanmax))
        raise InvalidInputError(
            f"The sides of the image's pixels run from {low:.3g} to {high:.3g} arcmin: it is too "
            "large, or its pixels are not square enough, to be treated as flat. Take cutouts of "
            "it and pass those."
        )
    return float(np.sqrt(np.nanmean(sides[0] * sides[1])))


def grids_apart(first, second):
    """Give how far pixels of the same number are from each other in two images.

    Parameters
    ----------
    first, second : ComptonMap
        Images of one shape.

    Returns
    -------
    float
        Largest distance [pixels of the first].
    """
    rows, columns = (np.linspace(0, n - 1, 9) for n in first.shape)
    x, y = np.meshgrid(columns, rows)
    one, other = (ymap.wcs.pixel_to_world(x, y) for ymap in (first, second))
    step = first.wcs.pixel_to_world(x + 1, y).separation(one)
    known = np.isfinite(step)
    if not known.any():
        return np.inf
    return float(np.nanmax((one.separation(other) / step).to_value("")[known]))


def image_discs(ymap, positions, radius, pixel):
    """Tell which pixels of an image are in discs around positions.

    Parameters
    ----------
    ymap : ComptonMap
        An image.
    positions : `~astropy.coordinates.SkyCoord`
        Centres.
    radius : ndarray
        Radius of each [rad].
    pixel : float
        Side of a pixel [rad].

    Returns
    -------
    ndarray
        bool, of the shape of the image.
    """
    inside = np.zeros(ymap.shape, bool)
    x, y = ymap.wcs.world_to_pixel(SkyCoord(positions))
    centers = np.moveaxis(positions.transform_to(ymap._pixels.frame).cartesian.xyz.value, 0, -1)
    for i, limit in enumerate(radius):
        if not np.isfinite(x[i] + y[i]):
            continue
        reach = _FLATNESS**2 * limit / pixel + 2
        low = [int(max(np.floor(c - reach), 0)) for c in (y[i], x[i])]
        high = [int(min(c + reach + 1, n)) for c, n in zip((y[i], x[i]), ymap.shape, strict=True)]
        if low[0] >= high[0] or low[1] >= high[1]:
            continue
        box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
        columns, rows = np.meshgrid(np.arange(low[1], high[1]), np.arange(low[0], high[0]))
        offset = np.sum((_vectors(ymap, columns, rows) - centers[i]) ** 2, axis=-1)
        inside[box] |= offset <= 4 * np.sin(limit / 2) ** 2
    return inside
