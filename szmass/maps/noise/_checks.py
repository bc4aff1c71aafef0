"""Checks of what callers pass to a noise model; each gives the form that is worked with."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._checks import check_geometry

__all__ = ["absolute_grid", "check_sources", "check_table"]


def check_table(ell, spectrum):
    """Give multipoles, and a spectrum there [sr], as arrays of their own."""
    ell = as_floats(ell, "", "ell", positive=True, finite=True)
    spectrum = as_floats(spectrum, u.sr, "spectrum", positive=True, finite=True)
    if ell.ndim != 1 or ell.size < 2 or spectrum.shape != ell.shape:
        raise InvalidInputError(
            "'ell' and 'spectrum' must be one-dimensional, of one length and at least 2 long. "
            f"Received: shapes {ell.shape} and {spectrum.shape}"
        )
    if np.any(np.diff(ell) <= 0):
        first = int(np.argmax(np.diff(ell) <= 0))
        raise InvalidInputError(
            "'ell' must increase; sort it together with 'spectrum'. Received: "
            f"{ell[first]:g} before {ell[first + 1]:g}"
        )
    return ell.copy(), spectrum.copy()


def check_sources(rng, n):
    """Give a generator of random numbers, or a list of n."""
    if not isinstance(rng, list | tuple):
        return np.random.default_rng(rng)
    if len(rng) != n:
        raise InvalidInputError(
            f"'rng' must be one source of random numbers, or one per field ({n}). "
            f"Received: {len(rng)}"
        )
    return [np.random.default_rng(own) for own in rng]


def absolute_grid(geometry):
    """Give shape and pixel side [rad] of a geometry that has one."""
    geometry = check_geometry(geometry)
    if geometry.relative:
        raise InvalidInputError(
            "The geometry's pixel_scale is in units of an angle that differs from field to field, "
            "and noise has a scale of its own: use geometry.scaled(angle)."
        )
    return geometry.shape, geometry.pixel_scale.to_value(u.rad)
