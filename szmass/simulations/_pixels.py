"""Pixels of HEALPix maps in mock cutouts: their windows, their places, and fields seen there."""

import functools

import numpy as np

from szmass._utils.seeds import generator
from szmass.exceptions import InvalidInputError
from szmass.maps.sampling import Sampling, healpix_pixel

# Kinds of mock cutouts; those of `Sampling` are more.
_SAMPLINGS = ("point", "nearest", "bilinear")

#: Pixels around a field that `resample` needs.
MARGIN = 3

#: Number of random places of the sky of which `resample_noise` knows the pixels.
N_PLACES = 64


def box_variance(sampling, nside):
    """Variance per axis [arcmin2] of the windows of pixels and interpolation of a HEALPix map.

    Displacements of the nearest pixels are not in it: mocks make them one by one.
    """
    if sampling not in _SAMPLINGS:
        raise InvalidInputError(
            f"'sampling' must be one of {', '.join(map(repr, _SAMPLINGS))}. Received: {sampling!r}"
        )
    windows = Sampling(sampling, healpix_pixel(nside)).windows()
    return windows.signal - windows.jitter


def nearest_pixels(geometry, lon, lat, nside):
    """Rows and columns, from the middle of a grid, of the HEALPix pixels that its pixels fall in.

    The grid is about lon, lat [rad], the map in its frame.
    """
    import healpy

    east, north = geometry.plane()
    centre, (to_east, to_north) = tangent_axes(lon, lat)
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


def tangent_axes(lon, lat):
    """Unit vectors to lon, lat [rad], and to the East and North of it."""
    centre = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    return centre, (east, np.cross(centre, east))


def resample(field, rows, columns):
    """Values (float32) of a smooth field at positions in pixels from its middle.

    The field is ``MARGIN`` pixels larger on each side than they need.
    """
    from scipy.ndimage import map_coordinates

    middle = [(n - 1) / 2 for n in field.shape]
    points = np.stack([rows + middle[0], columns + middle[1]])
    return map_coordinates(field, points, order=3, mode="mirror", output=np.float32)


def noise_margin(geometry, nside):
    """Pixels on each side of a cutout that `resample_noise` needs."""
    import healpy

    farthest = healpy.max_pixrad(nside) / geometry.pixel_scale.to_value("rad")
    return int(farthest + 0.5) + 2


@functools.lru_cache(maxsize=4)
def _places(geometry, nside):
    """Pixels of cutouts at random places: index in a field with margins, distance from there."""
    rng = generator(0, "positions")
    ny, nx = geometry.shape
    shape = (N_PLACES, ny * nx)
    index, rows, columns = np.empty(shape, np.int32), *np.empty((2, *shape), np.float32)
    margin = noise_margin(geometry, nside)
    for i in range(N_PLACES):
        lon, lat = 2 * np.pi * rng.random(), np.arcsin(2 * rng.random() - 1)
        row, column = nearest_pixels(geometry, lon, lat, nside)
        row = row.ravel() + (ny - 1) / 2 + margin
        column = column.ravel() + (nx - 1) / 2 + margin
        here = np.rint(row).astype(int), np.rint(column).astype(int)
        index[i] = here[0] * (nx + 2 * margin) + here[1]
        rows[i], columns[i] = row - here[0], column - here[1]
    return index, rows, columns


def resample_noise(field, geometry, place, nside):
    """Nearest-pixel cutout of a map of nside, of which a field with `noise_margin` is known.

    The pixels are those of one of `N_PLACES` places. Fast, for noise: from derivatives at the next
    point of the field, to 0.2 % of its rms behind a beam of six pixels.
    """
    index, dy, dx = (table[place] for table in _places(geometry, nside))
    flat, width = field.ravel(), field.shape[1]

    def at(rows, columns):
        return flat.take(index + np.int32(rows * width + columns))

    middle = at(0, 0)
    up, down, right, left = at(1, 0), at(-1, 0), at(0, 1), at(0, -1)
    slope_y = (8 * (up - down) - at(2, 0) + at(-2, 0)) / 12
    slope_x = (8 * (right - left) - at(0, 2) + at(0, -2)) / 12
    mixed = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    curve_y, curve_x = up + down - 2 * middle, right + left - 2 * middle
    value = middle + dy * (slope_y + 0.5 * dy * curve_y + dx * mixed)
    value += dx * (slope_x + 0.5 * dx * curve_x)
    return value.reshape(geometry.shape)
