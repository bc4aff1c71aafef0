"""Discs around positions, and soft edges of what is left, on the pixels of cutouts."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._checks import check_positions
from szmass.maps.frames import lonlat


def check_discs(positions, radius):
    """Check centres and radii of discs; give positions and radii [rad], one each."""
    positions = check_positions(positions)
    radius = as_floats(radius, u.rad, "radius", positive=True, finite=True)
    if radius.shape not in ((), positions.shape):
        raise InvalidInputError(
            f"'radius' must be one angle or one per position ({len(positions)}). "
            f"Received: shape {radius.shape}"
        )
    if not np.isfinite(lonlat(positions, "icrs")).all():
        raise InvalidInputError("The positions of discs must not be masked or NaN.")
    return positions, np.broadcast_to(radius, positions.shape)


def stack_discs(stack, sources, radius):
    """Which pixels of cutouts are in discs of radii [rad] around sources, (N, ny, nx)."""
    from scipy.spatial import cKDTree

    geometry = stack.geometry
    inside = np.zeros(stack.data.shape, dtype=bool)
    lon, lat = lonlat(stack.coord, geometry.frame)
    source_lon, source_lat = lonlat(sources, geometry.frame)
    known = np.flatnonzero(np.isfinite(lon))
    if not known.size or not source_lon.size:
        return inside
    scale = (
        np.ones(len(stack)) if stack.angular_scale is None else stack.angular_scale.to_value(u.rad)
    )
    east, north = geometry.plane()
    reach = np.arctan(np.hypot(np.abs(east).max(), np.abs(north).max()) * np.nanmax(scale))
    tree = cKDTree(_vectors(source_lon, source_lat))
    chord = 2 * np.sin(min(reach + radius.max(), np.pi) / 2)
    near = tree.query_ball_point(_vectors(lon[known], lat[known]), chord)
    for i, found in zip(known, near, strict=True):
        if not found or not np.isfinite(scale[i]):
            continue
        # Directions of the pixels, in the system in which the cutout's centre is the x axis.
        pixels = np.stack(np.broadcast_arrays(1.0, east * scale[i], north * scale[i]))
        pixels /= np.sqrt(np.sum(pixels**2, axis=0))
        delta, cos_lat = source_lon[found] - lon[i], np.cos(source_lat[found])
        to_axis, up = cos_lat * np.cos(delta), np.sin(source_lat[found])
        directions = np.stack(
            [
                to_axis * np.cos(lat[i]) + up * np.sin(lat[i]),
                cos_lat * np.sin(delta),
                up * np.cos(lat[i]) - to_axis * np.sin(lat[i]),
            ]
        )
        for direction, limit in zip(directions.T, radius[found], strict=True):
            # |a - b| = 2 sin(angle / 2) keeps its digits where cos(angle) does not.
            offset = np.sum((pixels - direction[:, None, None]) ** 2, axis=0)
            inside[i] |= offset <= 4 * np.sin(limit / 2) ** 2
    return inside


def soft_edges(footprint, width):
    """Weights from 0 to 1 that fall over a width [pixels] towards False, (..., ny, nx)."""
    from scipy.ndimage import distance_transform_edt

    weights = np.zeros(footprint.shape)
    last = last_weight = None
    for index in np.ndindex(footprint.shape[:-2]):
        image = footprint[index]
        # Most footprints of a stack are complete, and so the same.
        if last is None or not np.array_equal(image, last):
            distance = distance_transform_edt(np.pad(image, 1))[1:-1, 1:-1]
            depth = np.minimum(distance, width) / width if width > 0 else image
            last, last_weight = image, 0.5 * (1 - np.cos(np.pi * depth))
        weights[index] = last_weight
    return weights


def _vectors(lon, lat):
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
