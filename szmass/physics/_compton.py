"""Integrated Compton parameters as areas and solid angles, and Planck's theta500."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats, as_quantity
from szmass.exceptions import InvalidUnitError
from szmass.physics.background import ARCMIN_PER_RADIAN, angular_diameter_distance, efunc, h70
from szmass.physics.checks import broadcast, check_mass, check_one_minus_b, check_redshift
from szmass.physics.cosmology import get_cosmology

__all__ = ["planck_theta500", "y_to_arcmin2", "y_to_mpc2"]


def _convert(y, redshift, cosmology, target, other, factor):
    unit = getattr(y, "unit", None)
    if unit is None:
        y = as_quantity(y, target, "y") if isinstance(y, str) else y
        unit = getattr(y, "unit", None)
    if unit is not None and unit.is_equivalent(target):
        values = as_floats(y, target, "y")
        return u.Quantity(broadcast(y=values, redshift=check_redshift(redshift))[0], target)
    if unit is None or not unit.is_equivalent(other):
        raise InvalidUnitError(
            "'y' must be a Quantity in units of area (Mpc2) or solid angle (arcmin2). "
            f"Received: {y!r}"
        )
    cosmology = get_cosmology(cosmology)
    values, redshift = broadcast(
        y=as_floats(y, other, "y"), redshift=check_redshift(redshift, positive=True)
    )
    scale = angular_diameter_distance(redshift, cosmology) / ARCMIN_PER_RADIAN
    return u.Quantity(values * factor(scale), target)


def y_to_arcmin2(y, redshift, *, cosmology):
    """Integrated Compton parameter as a solid angle, Y = (D_A^2 Y) / D_A^2.

    Parameters
    ----------
    y : `~astropy.units.Quantity`
        Area (Mpc2); a solid angle only changes its unit. NaN gives NaN.
    redshift : float or array-like
        Redshift > 0, broadcast against ``y``; NaN gives NaN.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.

    Returns
    -------
    `~astropy.units.Quantity`
        Y [arcmin2].

    Raises
    ------
    InvalidUnitError
        ``y`` is neither an area nor a solid angle.
    InvalidInputError
        A redshift is out of range, or the shapes do not broadcast.
    """
    return _convert(y, redshift, cosmology, u.arcmin**2, u.Mpc**2, lambda scale: scale**-2.0)


def y_to_mpc2(y, redshift, *, cosmology):
    """Integrated Compton parameter as an area, D_A^2 Y.

    Parameters
    ----------
    y : `~astropy.units.Quantity`
        Solid angle (arcmin2); an area only changes its unit. NaN gives NaN.
    redshift : float or array-like
        Redshift, > 0 for a solid angle, broadcast against ``y``; NaN gives NaN.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.

    Returns
    -------
    `~astropy.units.Quantity`
        D_A^2 Y [Mpc2].

    Raises
    ------
    InvalidUnitError
        ``y`` is neither an area nor a solid angle.
    InvalidInputError
        A redshift is out of range, or the shapes do not broadcast.
    """
    return _convert(y, redshift, cosmology, u.Mpc**2, u.arcmin**2, lambda scale: scale**2.0)


def planck_theta500(mass, redshift, *, one_minus_b, cosmology):
    """Angular size by the formula of the Planck cluster counts.

    It restates the definition of R500 with constants rounded to four digits, and agrees with
    `theta500` of ``one_minus_b * mass`` to 0.03 %.

    Parameters
    ----------
    mass : `~astropy.units.Quantity`
        True M500c; NaN gives NaN.
    redshift : float or array-like
        Redshift > 0; NaN gives NaN. All broadcast.
    one_minus_b : float or array-like
        Ratio of the mass that the angular size is calibrated in to the true mass.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.

    Returns
    -------
    `~astropy.units.Quantity`
        The angle 6.997 arcmin h70^-2/3 [(1-b) M500 / 3e14 Msun]^1/3 E^-2/3
        (D_A / 500 Mpc)^-1.

    Raises
    ------
    InvalidInputError
        A value is out of range, or the shapes do not broadcast.
    InvalidUnitError
        The mass has no unit, or one of another kind.

    References
    ----------
    Planck Collaboration XX 2014, A&A 571, A20; XXIV 2016, A&A 594, A24.
    """
    cosmology = get_cosmology(cosmology)
    mass, redshift, one_minus_b = broadcast(
        mass=check_mass(mass),
        redshift=check_redshift(redshift, positive=True),
        one_minus_b=check_one_minus_b(one_minus_b),
    )
    distance = angular_diameter_distance(redshift, cosmology)
    theta = 6.997 * np.cbrt(one_minus_b * mass / 3e14) * 500 / distance
    theta *= (h70(cosmology) * efunc(redshift, cosmology)) ** (-2 / 3)
    return u.Quantity(theta, u.arcmin)
