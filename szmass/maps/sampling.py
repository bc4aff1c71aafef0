"""Sampling of the sky by pixels of maps and cutouts: beam, kinds, windows, displaced pixels."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass._utils.seeds import generator
from szmass.exceptions import InvalidInputError

__all__ = [
    "MARGIN",
    "N_PLACES",
    "SAMPLINGS",
    "Sampling",
    "Windows",
    "box_variance",
    "check_beam",
    "get_sampling",
    "healpix_pixel",
    "nearest_pixels",
    "noise_margin",
    "resample",
    "resample_noise",
    "tangent_axes",
]

#: Kinds of mock cutouts; those of `Sampling` are more.
SAMPLINGS = ("point", "nearest", "bilinear")

_INTERPOLATED = ("nearest", "bilinear")
_OF_MAPS = ("point", "window", "unknown")
_KINDS = ("point", "window", *_INTERPOLATED, "unknown")

#: Pixels around a field that `resample` needs.
MARGIN = 3

#: Number of random places of the sky of which `resample_noise` knows the pixels.
N_PLACES = 64


class Windows(NamedTuple):
    """Variances per axis [arcmin2] of what pixels and interpolation do to a map.

    Parameters
    ----------
    signal : float
        Of the window that clusters are seen through, besides the beam.
    noise : float
        Of the window that noise goes through which is in the map's pixels already.
    jitter : float
        Of displacements of the values that are not known.
    """

    signal: float
    noise: float
    jitter: float


@dataclass(frozen=True)
class Sampling:
    """How pixels of a map, or of cutouts of it, hold the sky behind the beam.

    A pixel of a map is a box; linear interpolation between pixels is, averaged over the phase, two
    boxes more; the nearest pixel is displaced by up to half a pixel, a box more. Through a
    beam that is wider than the pixel they all look Gaussian.

    Parameters
    ----------
    kind : {"unknown", "point", "window", "nearest", "bilinear"}, optional
        "point": values at the middles of pixels. "window": means over pixels, as makers of maps
        give them. "nearest", "bilinear": cutouts that were interpolated so from pixels of a map.
    pixel : `~astropy.units.Quantity` or str, optional
        Side of the pixels of the map; of cutouts this is not their own.
    map_kind : {"unknown", "point", "window"}, optional
        What the pixels of the map were that cutouts are interpolated from. Unknown ones are
        taken as means over pixels, which those of nearly all maps are.

    Raises
    ------
    InvalidInputError
        There is no such kind, or the side is not one positive angle.
    """

    kind: str = "unknown"
    pixel: u.Quantity | None = None
    map_kind: str = "unknown"

    def __post_init__(self):
        for name, known in (("kind", _KINDS), ("map_kind", _OF_MAPS)):
            if getattr(self, name) not in known:
                raise InvalidInputError(
                    f"'{name}' of a sampling must be one of {', '.join(map(repr, known))}. "
                    f"Received: {getattr(self, name)!r}"
                )
        if self.pixel is not None:
            side = as_floats(self.pixel, u.arcmin, "pixel", positive=True, finite=True)
            if side.ndim:
                raise InvalidInputError(f"'pixel' must be one angle. Received: {self.pixel!r}")
            object.__setattr__(self, "pixel", float(side) * u.arcmin)

    def __str__(self):
        if self.kind not in _INTERPOLATED:
            return self.kind
        side = "unknown size" if self.pixel is None else f"{self.pixel.value:.4g} arcmin"
        return f"{self.kind}, of pixels ({self.map_kind}) of {side}"

    @property
    def interpolation(self):
        """Either "nearest" or "bilinear"; None for what was not interpolated or is not known."""
        return self.kind if self.kind in _INTERPOLATED else None

    def to_dict(self):
        """Give the arguments as plain values that JSON can hold.

        Returns
        -------
        dict
            For instance ``{"kind": "bilinear", "pixel": "1.72 arcmin", "map_kind": "window"}``.
        """
        pixel = None if self.pixel is None else str(self.pixel)
        return {"kind": self.kind, "pixel": pixel, "map_kind": self.map_kind}

    def interpolated(self, interpolation, pixel):
        """Give the sampling of cutouts of a map.

        Parameters
        ----------
        interpolation : {"nearest", "bilinear"}
            How they are made.
        pixel : `~astropy.units.Quantity`
            Side of the pixels of the map.

        Returns
        -------
        Sampling
            That of the cutouts.
        """
        return Sampling(interpolation, pixel, self.map_kind if self.interpolation else self.kind)

    def windows(self, pixel=None):
        """Give what the sampling does to clusters and to noise.

        Parameters
        ----------
        pixel : `~astropy.units.Quantity` or str, optional
            Side of the pixels of the map, where the sampling does not know it.

        Returns
        -------
        Windows
            Three variances; 0 for an unknown sampling.
        """
        side = self.pixel if self.pixel is not None else pixel
        own, across, displaced = _boxes(self)
        if not own + across + displaced:
            return Windows(0.0, 0.0, 0.0)
        if side is None:
            raise InvalidInputError(f"'pixel' is needed: the windows of {self!r} depend on it.")
        box = float(as_floats(side, u.arcmin, "pixel", positive=True, finite=True)) ** 2 / 12
        moved = across + displaced
        return Windows((own + moved) * box, moved * box, displaced * box)


def _boxes(sampling):
    """How many boxes are the map's own pixels, interpolation, and displacement."""
    across, displaced = {"nearest": (0, 1), "bilinear": (2, 0)}.get(sampling.kind, (0, 0))
    own = sampling.map_kind != "point" if sampling.interpolation else sampling.kind == "window"
    return int(own), across, displaced


def check_beam(beam):
    """Give a beam as a scalar Quantity in arcmin, or None.

    Parameters
    ----------
    beam : `~astropy.units.Quantity` or str or None
        FWHM.

    Returns
    -------
    `~astropy.units.Quantity` or None
        In arcmin.
    """
    if beam is None:
        return None
    value = as_floats(beam, u.arcmin, "beam", positive=True, finite=True)
    if value.ndim:
        raise InvalidInputError(f"'beam' must be one number. Received: {beam!r}")
    return float(value) * u.arcmin


def get_sampling(sampling, interpolation=None):
    """Give the `Sampling` that the arguments of a constructor stand for.

    Parameters
    ----------
    sampling : Sampling or str or None
        A sampling or its kind.
    interpolation : {"nearest", "bilinear"}, optional
        The kind, where ``sampling`` is None.

    Returns
    -------
    Sampling
        Of the kind "unknown" if neither says.
    """
    if sampling is None:
        sampling = interpolation or "unknown"
    if isinstance(sampling, str):
        return Sampling(sampling)
    if not isinstance(sampling, Sampling):
        raise InvalidInputError(
            f"'sampling' must be a Sampling or one of {', '.join(map(repr, _KINDS))}. "
            f"Received: {sampling!r}"
        )
    return sampling


def healpix_pixel(nside):
    """Give the side of a square of the area of a HEALPix pixel.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    `~astropy.units.Quantity`
        The side [arcmin].
    """
    return np.sqrt(4 * np.pi / (12 * nside**2)) * (180 / np.pi * 60) * u.arcmin


def box_variance(sampling, nside):
    """Give the variance of the windows of pixels and interpolation of a HEALPix map.

    Displacements of the nearest pixels are not in it: mocks make them one by one.

    Parameters
    ----------
    sampling : {"point", "nearest", "bilinear"}
        How cutouts of it are sampled.
    nside : int
        Resolution.

    Returns
    -------
    float
        Variance per axis [arcmin2].
    """
    if sampling not in SAMPLINGS:
        raise InvalidInputError(
            f"'sampling' must be one of {', '.join(map(repr, SAMPLINGS))}. Received: {sampling!r}"
        )
    windows = Sampling(sampling, healpix_pixel(nside)).windows()
    return windows.signal - windows.jitter


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
    rows : ndarray
        Positions of the centres of these pixels on the grid, in pixels from its middle.
    columns : ndarray
        The same along rows.
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
    """Give the unit vectors to a position, and to the East and North of it.

    Parameters
    ----------
    lon, lat : float
        Position [rad].

    Returns
    -------
    centre : ndarray
        The vector to it.
    axes : (ndarray, ndarray)
        The vectors to East and North.
    """
    centre = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    return centre, (east, np.cross(centre, east))


def resample(field, rows, columns):
    """Evaluate a smooth field at other positions.

    Parameters
    ----------
    field : ndarray
        The field, ``MARGIN`` pixels larger on each side than the positions need.
    rows, columns : ndarray
        Positions, in pixels from the middle.

    Returns
    -------
    ndarray
        Values there, float32.
    """
    from scipy.ndimage import map_coordinates

    middle = [(n - 1) / 2 for n in field.shape]
    points = np.stack([rows + middle[0], columns + middle[1]])
    return map_coordinates(field, points, order=3, mode="mirror", output=np.float32)


def noise_margin(geometry, nside):
    """Give how many pixels around a field `resample_noise` needs.

    Parameters
    ----------
    geometry : `~szmass.maps.CutoutGeometry`
        The grid of the cutout.
    nside : int
        Resolution of the map.

    Returns
    -------
    int
        Pixels on each side.
    """
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
    """Give the nearest-pixel cutout of a map of which a field is known.

    Fast, for noise: from derivatives at the next point of the field, to 0.2 % of its rms behind a
    beam of six pixels.

    Parameters
    ----------
    field : ndarray
        The field, `noise_margin` pixels larger on each side than the cutout.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid of the cutout.
    place : int
        Which of `N_PLACES` places the pixels are taken from.
    nside : int
        Resolution of the map.

    Returns
    -------
    ndarray
        The cutout.
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
