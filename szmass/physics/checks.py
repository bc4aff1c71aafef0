"""Checks of masses, redshifts and biases: unit, range, and what was perhaps meant."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError

__all__ = [
    "MASS_RANGE",
    "REDSHIFT_MAX",
    "broadcast",
    "check_mass",
    "check_one_minus_b",
    "check_redshift",
]

#: Masses outside are taken for a mistake (a logarithm, units of 1e14 Msun), not for a halo [Msun].
MASS_RANGE = (1e10, 1e17)

#: Redshifts above are taken for a sentinel.
REDSHIFT_MAX = 20.0


def _refuse(bad, array, name, expected):
    if np.any(bad):
        first = array[bad].flat[0] if array.ndim else array[()]
        raise InvalidInputError(
            f"'{name}' must be {expected}. Received: {first:g}"
            + (f" ({np.count_nonzero(bad)} such values)" if array.ndim else "")
        )


def check_mass(mass, name="mass"):
    """Give masses as floats in Msun.

    Parameters
    ----------
    mass : `~astropy.units.Quantity`
        Masses; NaN passes.
    name : str, optional
        Name of the argument, for the message.

    Returns
    -------
    ndarray
        Masses [Msun].

    Raises
    ------
    InvalidInputError
        A mass is not positive, or so small or large that it is a logarithm or has another unit.
    """
    mass = as_floats(mass, u.solMass, name, positive=True)
    low, high = MASS_RANGE
    _refuse(
        (mass < low) | (mass > high),
        mass,
        name,
        f"between {low:g} and {high:g} solMass (a linear mass, neither log10 nor in 1e14 solMass)",
    )
    return mass


def check_redshift(redshift, name="redshift", *, positive=False):
    """Give redshifts as floats.

    Parameters
    ----------
    redshift : float or array-like
        Redshifts; NaN passes.
    name : str, optional
        Name of the argument, for the message.
    positive : bool, optional
        Refuse zero.

    Returns
    -------
    ndarray
        Redshifts.

    Raises
    ------
    InvalidInputError
        A redshift is negative, or so high that it stands for "not known".
    """
    redshift = as_floats(redshift, u.dimensionless_unscaled, name)
    _refuse(
        (redshift < 0) | (redshift > REDSHIFT_MAX) | (positive & (redshift == 0)),
        redshift,
        name,
        f"{'greater than' if positive else 'at least'} 0 and at most {REDSHIFT_MAX:g}, "
        "or NaN where it is not known",
    )
    return redshift


def check_one_minus_b(one_minus_b, *, one=False):
    """Give 1-b, the ratio of the mass that a relation is calibrated in to the true mass.

    Parameters
    ----------
    one_minus_b : float or array-like
        The ratio.
    one : bool, optional
        Take one number only.

    Returns
    -------
    ndarray or float
        The ratio; a float if it is to be one.

    Raises
    ------
    InvalidInputError
        It is not between 0 and 2, not known, or not one number.
    """
    array = as_floats(one_minus_b, u.dimensionless_unscaled, "one_minus_b")
    if one and array.ndim:
        raise InvalidInputError(f"'one_minus_b' must be one number. Received: {one_minus_b!r}")
    _refuse(
        ~((array > 0) & (array <= 2)),
        array,
        "one_minus_b",
        "greater than 0 and at most 2; it is 1-b, not b (Planck: 0.8; 1 for MSZ itself)",
    )
    return float(array) if one else array


def broadcast(**arrays):
    """Broadcast named arrays.

    Parameters
    ----------
    **arrays : ndarray
        The arrays by the names of the arguments that they came as.

    Returns
    -------
    list of ndarray
        Arrays of one shape.

    Raises
    ------
    InvalidInputError
        The shapes do not fit; the message has all of them.
    """
    try:
        return np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"'{name}' {np.shape(array)}" for name, array in arrays.items())
        raise InvalidInputError(f"Shapes do not broadcast: {shapes}.") from None
