"""Celestial frames of maps and cutouts, and the rotations between them."""

import astropy.units as u
import numpy as np
from astropy.coordinates import (
    BarycentricMeanEcliptic,
    BaseCoordinateFrame,
    CartesianRepresentation,
    Galactic,
    SkyCoord,
    Supergalactic,
    UnitSphericalRepresentation,
    frame_transform_graph,
)
from astropy.time import Time
from astropy.wcs.utils import wcs_to_celestial_frame

from szmass._tables.angles import known_positions
from szmass.exceptions import InvalidInputError

__all__ = ["frame_named", "lonlat"]

_ALIASES = {
    "g": "galactic",
    "c": "icrs",
    "e": "barycentricmeanecliptic",
    "ecliptic": "barycentricmeanecliptic",
    "celestial": "icrs",
    "equatorial": "icrs",
}


def frame_named(frame):
    """Give the frame that a name, a HEALPix letter or a frame object stands for.

    Parameters
    ----------
    frame : str or `~astropy.coordinates.BaseCoordinateFrame`
        For instance "galactic", "icrs", "fk5", "ecliptic", or "G", "C", "E".

    Returns
    -------
    `~astropy.coordinates.BaseCoordinateFrame`
        Without data.

    Raises
    ------
    InvalidInputError
        There is no such frame.
    """
    if isinstance(frame, BaseCoordinateFrame):
        return frame.replicate_without_data()
    cls = frame
    if isinstance(frame, str):
        name = frame.strip().lower()
        cls = frame_transform_graph.lookup_name(_ALIASES.get(name, name))
    if not (isinstance(cls, type) and issubclass(cls, BaseCoordinateFrame)):
        raise InvalidInputError(
            "'frame' must be 'galactic', 'icrs', 'fk5', 'ecliptic' or another frame of astropy "
            f"(or the letter G, C or E). Received: {frame!r}"
        )
    return cls()


def frame_of_image(wcs):
    """Celestial frame of a WCS, without data.

    CTYPE decides. RADESYS, which some headers have with galactic coordinates too and wcslib adds to
    ecliptic ones, counts for right ascensions only; astropy lets it win.
    """
    kind, system, equinox = wcs.wcs.lngtyp.strip(), wcs.wcs.radesys.strip(), wcs.wcs.equinox
    if kind == "GLON":
        return Galactic()
    if kind == "SLON":
        return Supergalactic()
    if kind == "ELON":
        equinox = equinox if np.isfinite(equinox) else 2000.0
        return BarycentricMeanEcliptic(equinox=Time(equinox, format="jyear"))
    if kind == "RA" and system.upper() in {"", "ICRS", "FK5", "FK4", "FK4-NO-E"}:
        wcs = wcs.celestial  # a copy
        wcs.wcs.radesys = system.upper()
        return wcs_to_celestial_frame(wcs)
    raise InvalidInputError(
        "The WCS must be in equatorial (RA and DEC with RADESYS ICRS, FK5 or FK4), galactic "
        "(GLON), ecliptic (ELON) or supergalactic (SLON) coordinates. Received: CTYPE "
        f"{', '.join(wcs.wcs.ctype)}, RADESYS {system!r}"
    )


def same_frame(one, other):
    """Whether two frames without data are the same, to the precision of HEALPix's three letters.

    ICRS and FK5 at J2000 differ by 0.02 arcsec and count as the same.
    """
    rotation = frame_rotation(one, other)
    return rotation is None or np.allclose(rotation, np.eye(3), rtol=0, atol=1e-6)


def frame_rotation(source, target):
    """Matrix (3, 3) that turns directions of one frame into another's; None if they are equal."""
    if source.is_equivalent_frame(target):
        return None
    axes = CartesianRepresentation(np.eye(3))
    try:
        turned = source.realize_frame(axes).transform_to(target)
        matrix = turned.represent_as(UnitSphericalRepresentation).to_cartesian().xyz.value
    except (u.UnitsError, ValueError, AttributeError) as err:
        raise InvalidInputError(_no_rotation(source, target)) from err
    if not np.allclose(matrix @ matrix.T, np.eye(3), rtol=0, atol=1e-12):
        raise InvalidInputError(_no_rotation(source, target))
    return matrix


def _no_rotation(source, target):
    return (
        f"The frames {source.name!r} and {target.name!r} are not related by a fixed rotation, "
        "which cutouts need. Use 'galactic', 'icrs', 'fk5' or 'ecliptic'."
    )


def lonlat(coord, frame):
    """Give longitudes and latitudes, NaN where a position is masked or NaN.

    Parameters
    ----------
    coord : `~astropy.coordinates.SkyCoord`
        Positions.
    frame : str
        The frame of the result.

    Returns
    -------
    `~numpy.ndarray`
        Shape ``(2,) + coord.shape``, radian.
    """
    coord, shape = SkyCoord(coord).ravel(), coord.shape
    angles = np.full((2, coord.size), np.nan)
    known = known_positions(coord)
    if known.any():
        plain = coord[known]
        plain = plain.unmasked if plain.masked else plain
        sphere = plain.transform_to(frame).spherical
        angles[:, known] = [sphere.lon.to_value(u.rad), sphere.lat.to_value(u.rad)]
    return angles.reshape(2, *shape)


def rotate_tangent_points(lon, lat, matrix):
    """Positions [rad] in another frame, and the position angle [rad] there of what was North.

    A rotation of the sphere (from `frame_rotation`, or None) turns a tangent plane by one angle.
    """
    if matrix is None:
        return lon, lat, np.zeros_like(lon)
    cos_lat = np.cos(lat)
    center = matrix @ [cos_lat * np.cos(lon), cos_lat * np.sin(lon), np.sin(lat)]
    north = matrix @ [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), cos_lat]
    lon = np.arctan2(center[1], center[0])
    lat = np.arctan2(center[2], np.hypot(center[0], center[1]))
    east_axis = np.array([-np.sin(lon), np.cos(lon), np.zeros_like(lon)])
    north_axis = [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)]
    angle = np.arctan2((north * east_axis).sum(axis=0), (north * np.array(north_axis)).sum(axis=0))
    return lon, lat, angle
