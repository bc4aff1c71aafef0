"""What the pixels of a HEALPix map do to a cutout of it."""

import numpy as np

from szmass.exceptions import InvalidInputError

__all__ = ["MARGIN", "SAMPLINGS", "box_variance", "nearest_pixels", "resample"]

SAMPLINGS = ("point", "nearest", "bilinear")

#: Pixels around a field that `resample` needs.
MARGIN = 3


def box_variance(sampling, nside):
    """Variance per axis [arcmin2] of the windows of pixels and interpolation.

    A map's pixel is a box; linear interpolation between pixels is, averaged over the phase, two
    boxes more. Through a beam much wider than the pixel they all look Gaussian.
    """
    if sampling not in SAMPLINGS:
        raise InvalidInputError(
            f"'sampling' must be one of {', '.join(map(repr, SAMPLINGS))}. Received: {sampling!r}"
        )
    area = 4 * np.pi / (12 * nside**2) * (180 / np.pi * 60) ** 2
    boxes = {"point": 0, "nearest": 1, "bilinear": 3}[sampling]
    return boxes * area / 12


def nearest_pixels(geometry, lon, lat, nside):
    """Give where the HEALPix pixels are that the pixels of a cutout fall in.

    Parameters
    ----------
    geometry : `~szmass.maps.CutoutGeometry`
        The grid of the cutout; the map is in the same frame.
    lon, lat : float
        Position [rad].
    nside : int
        Resolution of the map.

    Returns
    -------
    rows, columns : ndarray
        Positions of the centres of these pixels on the grid, in pixels from its middle.
    """
    import healpy

    east, north = geometry._plane()
    centre, (to_east, to_north) = _axes(lon, lat)
    # Three contiguous planes: healpy copies anything else.
    directions = [
        c + east * e + north * n for c, e, n in zip(centre, to_east, to_north, strict=True)
    ]
    x, y, z = healpy.pix2vec(nside, healpy.vec2pix(nside, *directions))
    away = x * centre[0] + y * centre[1] + z * centre[2]
    east = (x * to_east[0] + y * to_east[1]) / away
    north = (x * to_north[0] + y * to_north[1] + z * to_north[2]) / away
    scale = geometry.pixel_scale.to_value("rad")
    angle = geometry.rotation.to_value("rad")
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    return north * cos + east * sin, north * sin - east * cos


def _axes(lon, lat):
    """Unit vectors to a position, and to the East and North of it."""
    centre = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    return centre, (east, np.cross(centre, east))


def resample(field, rows, columns):
    """Evaluate a smooth field, ``MARGIN`` pixels larger on each side, at other positions."""
    from scipy.ndimage import map_coordinates

    middle = [(n - 1) / 2 for n in field.shape]
    points = np.stack([rows + middle[0], columns + middle[1]])
    return map_coordinates(field, points, order=3, mode="mirror", output=np.float32)
