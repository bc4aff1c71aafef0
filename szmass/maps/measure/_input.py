"""Checks of what callers pass to photometry and stacking."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats, as_quantity
from szmass.exceptions import InvalidInputError
from szmass.maps._checks import check_scale
from szmass.maps.cutouts import CutoutStack, as_stack
from szmass.maps.geometry import CutoutGeometry

_ANY_RELATIVE = CutoutGeometry((1, 1), 1.0)


def as_cutouts(cutouts):
    """A stack for a cutout, a stack, or a sample that has one."""
    cutouts = as_stack(cutouts)
    if not isinstance(cutouts, CutoutStack):
        raise InvalidInputError(
            "'cutouts' must be a Cutout, a CutoutStack or a ClusterSample with cutouts. "
            f"Received: {cutouts!r}"
        )
    return cutouts


def as_scale(angular_scale, cutouts):
    """N angles [arcmin] that radii without unit are in units of; those of the cutouts for None."""
    if angular_scale is None:
        return cutouts.angular_scale
    if cutouts.geometry.relative:
        raise InvalidInputError(
            "The cutouts are in units of their own 'angular_scale': leave the argument out."
        )
    return check_scale(angular_scale, len(cutouts), _ANY_RELATIVE)


def _lengths(value, name):
    """Give angles [arcmin], or numbers, as a Quantity."""
    try:
        value = u.Quantity(value)
        relative = value.unit.is_equivalent(u.one)
    except TypeError:
        relative = False
    quantity = as_quantity(value, u.one if relative else u.arcmin, name)
    as_floats(quantity, quantity.unit, name, finite=True)
    return quantity


def as_radii(radius, name="radius"):
    """Radii > 0 as a Quantity: angles [arcmin] or numbers, one or a list."""
    radius = _lengths(radius, name)
    if radius.ndim > 1 or not radius.size:
        raise InvalidInputError(
            f"'{name}' must be one radius or a list of them. Received: shape {radius.shape}"
        )
    as_floats(radius, radius.unit, name, positive=True)
    return radius


def as_edges(edges, name="edges", number=None):
    """Radii that increase from 0 or more, ``number`` of them: [arcmin] or numbers."""
    edges = _lengths(edges, name)
    fits = edges.ndim == 1 and (edges.size >= 2 if number is None else edges.size == number)
    if not fits or edges[0] < 0 or np.any(np.diff(edges) <= 0):
        wanted = "at least two" if number is None else str(number)
        raise InvalidInputError(
            f"'{name}' must be {wanted} increasing radii >= 0. Received: {edges}"
        )
    return edges


def as_ring(background):
    """Inner and outer radius of the background annulus, or None."""
    return None if background is None else as_edges(background, "background", 2)


def on_sky(lengths, scale, n, name):
    """Radii, angles or numbers in units of ``scale``, as angles of n cutouts, (n, K) [rad]."""
    if lengths.unit.is_equivalent(u.one):
        if scale is None:
            raise InvalidInputError(
                f"'{name}' has no unit, so it is in units of an angle of each cluster: give "
                "'angular_scale', for instance theta500, or a radius in arcmin."
            )
        angles = np.multiply.outer(scale.to_value(u.rad), lengths.value)
    else:
        angles = np.broadcast_to(lengths.to_value(u.rad), (n, lengths.size)).copy()
    if np.any(angles >= np.pi / 2):
        raise InvalidInputError(
            f"'{name}' must be below 90 deg, which a tangent plane does not reach. Received: "
            f"{np.degrees(np.nanmax(angles)):.4g} deg"
        )
    return angles
