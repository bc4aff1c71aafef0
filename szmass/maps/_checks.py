"""Checks of what callers pass to maps and cutouts; each gives the form that is worked with."""

import astropy.units as u
import numpy as np
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.wcs import WCS

from szmass._utils.kinds import hint_for
from szmass._utils.quantities import as_floats
from szmass.clusters import ClusterSample, as_clusters
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.maps._marks import bool_array, without_mask
from szmass.maps.geometry import CutoutGeometry

_ORDERINGS = {"ring": "ring", "nested": "nested", "nest": "nested"}


def check_names(names, n):
    """Names as an array of n str; empty ones for None."""
    names = np.array([""] * n if names is None else names, dtype=str)
    if names.shape != (n,):
        raise InvalidInputError(
            f"'names' must have one entry per position ({n}). Received: shape {names.shape}"
        )
    return names


def check_scale(scale, n, geometry):
    """Angles (n,) of a relative geometry [arcmin], NaN if not known; None for an absolute one."""
    if (scale is not None) != geometry.relative:
        raise InvalidInputError(
            "'angular_scale' is needed because the geometry's pixel_scale has no unit. Give "
            "one angle per position, for instance theta500, or a pixel_scale in arcmin."
            if geometry.relative
            else "'angular_scale' goes with a pixel_scale without unit, and that of the geometry "
            f"is {geometry.pixel_scale}."
        )
    if scale is None:
        return None
    value = as_floats(scale, u.arcmin, "angular_scale", positive=True)
    if value.shape not in ((), (n,)):
        raise InvalidInputError(
            f"'angular_scale' must have one entry per position ({n}). Received: shape {value.shape}"
        )
    return np.broadcast_to(value, n).copy() * u.arcmin


def check_geometry(geometry):
    """A `CutoutGeometry`, the default for None."""
    if geometry is None:
        return CutoutGeometry()
    if not isinstance(geometry, CutoutGeometry):
        raise InvalidInputError(f"'geometry' must be a CutoutGeometry. Received: {geometry!r}")
    return geometry


def positions_and_names(coord, names=None):
    """Positions as `check_positions` gives them, also of clusters, and their names.

    Names that are given win over those of the clusters; without any they are empty.
    """
    known = None
    if isinstance(coord, ClusterSample):
        coord, known = coord.coord, coord.names
    elif (clusters := as_clusters(coord)) is not None:
        frame = clusters[0].coord.frame.replicate_without_data()
        coord = SkyCoord([cluster.coord.transform_to(frame) for cluster in clusters])
        known = [cluster.name for cluster in clusters]
    coord = check_positions(coord)
    return coord, check_names(known if names is None else names, len(coord))


def check_positions(coord):
    """Positions (a SkyCoord or a list of them, one or N) as a SkyCoord of one dimension."""
    if isinstance(coord, list | tuple):
        try:
            coord = SkyCoord(list(coord)) if coord else SkyCoord([] * u.deg, [] * u.deg)
        except (TypeError, ValueError):
            coord = list(coord)
    if not isinstance(coord, SkyCoord | BaseCoordinateFrame):
        raise InvalidInputError(
            "'coord' must be a SkyCoord, for instance "
            f"SkyCoord(l, b, unit='deg', frame='galactic'). Received: {coord!r}"
            f"{hint_for(coord, 'SkyCoord')}"
        )
    coord = SkyCoord(coord)
    if coord.ndim > 1:
        raise InvalidInputError(
            f"'coord' must have one dimension. Received: shape {coord.shape}; use coord.ravel()."
        )
    return coord.reshape(1) if coord.isscalar else coord


def check_values(values, mask, name, *, ndim):
    """Values of a map as real numbers, not copied, and the mask joined with their own."""
    values, own, unit = without_mask(values)
    check_unit(unit, name)
    if own is not None:
        mask = own if mask is None else own | bool_array(mask, masked=True)
    if values.ndim != ndim or values.dtype.kind not in "fiu":
        raise InvalidInputError(
            f"'{name}' must be an array of real numbers with {ndim} dimension(s). Received: shape "
            f"{values.shape}, dtype {values.dtype}"
        )
    return values, mask


def check_unit(unit, name):
    """Refuse an array with a unit."""
    if unit is not None and unit != u.dimensionless_unscaled:
        raise InvalidUnitError(
            f"'{name}' must be dimensionless: Compton-y has no unit. Received: {unit}"
        )


def check_ordering(ordering):
    """ "ring" or "nested" for one of their spellings."""
    found = _ORDERINGS.get(str(ordering).strip().lower())
    if found is None:
        raise InvalidInputError(f"'ordering' must be 'ring' or 'nested'. Received: {ordering!r}")
    return found


def check_nside(nside, nested):
    """Refuse an nside that the NESTED scheme does not have."""
    if nested and nside & (nside - 1):
        raise InvalidInputError(
            f"A map in NESTED ordering must have an nside that is a power of two. Received: {nside}"
        )


def check_mask(mask, shape):
    """A mask as a bool array of the shape of the map, or None; True is not to be used."""
    if mask is None:
        return None
    mask = bool_array(mask, masked=True)
    if mask.dtype != bool:
        raise InvalidInputError(
            "'mask' must be of dtype bool, True for pixels that are not to be used. Received: "
            f"{mask.dtype}. Planck's mask files hold 1 for good pixels: pass mask=(values < 0.5)."
        )
    if mask.shape != shape:
        sizes = [
            f"nside {nside}" if nside else f"shape {size}"
            for size in (mask.shape, shape)
            for nside in [nside_of(size[0]) if len(size) == 1 else None]
        ]
        raise InvalidInputError(
            f"'mask' must have the pixels of the map ({sizes[1]}). Received: {sizes[0]}"
        )
    return mask


def nside_of(npix):
    """The nside of a HEALPix map of the whole sky of npix pixels, or None if there is none."""
    nside = round((npix / 12) ** 0.5)
    return nside if nside and 12 * nside**2 == npix else None


def check_whole_sky(values):
    """The nside of values (npix,) of all HEALPix pixels of the sky."""
    nside = nside_of(values.size)
    if values.ndim != 1 or nside is None:
        raise InvalidInputError(
            "'values' must have 12 nside^2 entries, one per HEALPix pixel of the sky. "
            f"Received: {values.size if values.ndim == 1 else values.shape}"
        )
    return nside


def is_celestial(wcs):
    """Whether a WCS has two celestial axes and no other, which are not parallel."""
    try:
        if not (isinstance(wcs, WCS) and wcs.naxis == 2 and wcs.has_celestial):
            return False
        return np.linalg.matrix_rank(wcs.pixel_scale_matrix) == 2
    except ValueError:  # axes that do not go together
        return False
