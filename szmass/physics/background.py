"""Background cosmology on plain arrays: redshifts in, floats out, NaN to NaN."""

import astropy.constants as const
import astropy.units as u
import numpy as np

__all__ = [
    "ARCMIN_PER_RADIAN",
    "COMPTON",
    "angular_diameter_distance",
    "critical_density",
    "efunc",
    "h70",
    "virial_pressure",
]

#: sigma_T / (m_e c^2) [cm3 / (keV Mpc)]: pressure [keV/cm3] times length [Mpc] to Compton y.
COMPTON = (const.sigma_T / (const.m_e * const.c**2)).to_value("cm3 / (keV Mpc)")

ARCMIN_PER_RADIAN = (1 * u.rad).to_value(u.arcmin)


_G_MSUN2_PER_MPC4 = (const.G * u.solMass**2 / u.Mpc**4).to_value("keV / cm3")


def _finite_only(function, redshift):
    # Some of astropy's integrals warn about NaN, or refuse it.
    redshift = np.asarray(redshift, dtype=float)
    result = np.full(redshift.shape, np.nan)
    finite = np.isfinite(redshift)
    result[finite] = function(redshift[finite])
    return result


def efunc(redshift, cosmology):
    """E(z) = H(z) / H0."""
    return _finite_only(cosmology.efunc, redshift)


def critical_density(redshift, cosmology):
    """Critical density [Msun / Mpc3]."""
    return _finite_only(
        lambda z: cosmology.critical_density(z).to_value("solMass / Mpc3"), redshift
    )


def angular_diameter_distance(redshift, cosmology):
    """Angular-diameter distance [Mpc]."""
    return _finite_only(lambda z: cosmology.angular_diameter_distance(z).to_value("Mpc"), redshift)


def h70(cosmology):
    """H0 / (70 km/s/Mpc)."""
    return cosmology.H0.to_value("km / (s Mpc)") / 70


def virial_pressure(mass, density):
    """G M rho / (2 R) [keV/cm3] of a mass [Msun] with mean density rho [Msun/Mpc3] inside R."""
    radius = np.cbrt(3 * mass / (4 * np.pi * density))
    return _G_MSUN2_PER_MPC4 * mass * density / (2 * radius)
