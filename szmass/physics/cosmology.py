"""Cosmologies by name, so that every result can say which one it used."""

from functools import partial

import astropy.constants as const
import astropy.cosmology
import astropy.units as u
import numpy as np
from astropy.cosmology import FLRW, FlatLambdaCDM

from szmass._utils.registry import Registry

__all__ = ["COSMOLOGIES", "cosmology_references", "get_cosmology"]

#: sigma_T / (m_e c^2) [cm3 / (keV Mpc)]: pressure [keV/cm3] times length [Mpc] to Compton y.
COMPTON = (const.sigma_T / (const.m_e * const.c**2)).to_value("cm3 / (keV Mpc)")

# What a unit is called is parsed at each use, which takes longer than what is computed here.
_MASS_DENSITY, _HUBBLE = u.solMass / u.Mpc**3, u.km / u.s / u.Mpc

ARCMIN_PER_RADIAN = (1 * u.rad).to_value(u.arcmin)

#: Cosmologies known by name, beside the realisations of `astropy.cosmology`.
COSMOLOGIES = Registry("cosmology")

# The Planck SZ papers, PSZ2's MSZ and most weak-lensing tables: flat, no radiation. They give no
# density of baryons; 0.05 is ours and matters to concentration-mass relations alone.
COSMOLOGIES.add("PSZ2", FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0, Ob0=0.05, name="PSZ2"))
# The simulations on which de Andres et al. (2022) trained.
COSMOLOGIES.add(
    "TheThreeHundred",
    FlatLambdaCDM(
        H0=67.8,
        Om0=0.307,
        Tcmb0=0,
        Ob0=0.048,
        name="TheThreeHundred",
        meta={"sigma8": 0.823, "n": 0.96},
    ),
)
# Reading all of them would be half of the time that importing this package takes.
for _name in astropy.cosmology.realizations.available:
    COSMOLOGIES.add_lazily(_name, partial(getattr, astropy.cosmology, _name))

# ADS bibcodes by name. astropy's own say theirs in prose only.
_REFERENCES = {
    "PSZ2": ("2016A&A...594A..27P",),
    "TheThreeHundred": ("2018MNRAS.480.2898C",),
    "WMAP1": ("2003ApJS..148..175S",),
    "WMAP3": ("2007ApJS..170..377S",),
    "WMAP5": ("2009ApJS..180..330K",),
    "WMAP7": ("2011ApJS..192...18K",),
    "WMAP9": ("2013ApJS..208...19H",),
    "Planck13": ("2014A&A...571A..16P",),
    "Planck15": ("2016A&A...594A..13P",),
    "Planck18": ("2020A&A...641A...6P",),
}


def get_cosmology(cosmology):
    """Look a cosmology up by name, or pass one through.

    Parameters
    ----------
    cosmology : str or `~astropy.cosmology.FLRW`
        ``"PSZ2"`` (H0 = 70 km/s/Mpc, Om0 = 0.3, flat, no radiation),
        ``"TheThreeHundred"``, a name of `astropy.cosmology` such as ``"Planck18"``,
        or any astropy cosmology.

    Returns
    -------
    `~astropy.cosmology.FLRW`
        The cosmology.

    Raises
    ------
    UnknownNameError
        No cosmology of that name is known.
    InvalidInputError
        Neither a name nor an astropy cosmology was given.

    Examples
    --------
    >>> from szmass.physics import get_cosmology
    >>> cosmology = get_cosmology("PSZ2")
    >>> print(cosmology.H0, cosmology.Om0)
    70.0 km / (Mpc s) 0.3
    >>> get_cosmology(cosmology) is cosmology
    True
    """
    expected = "a name such as 'PSZ2' or 'Planck18', or an astropy cosmology"
    return COSMOLOGIES.resolve(cosmology, FLRW, "cosmology", expected)


def cosmology_references(cosmology):
    """Give the papers that a cosmology is from.

    Parameters
    ----------
    cosmology : str or `~astropy.cosmology.FLRW`
        As for `get_cosmology`.

    Returns
    -------
    tuple of str
        ADS bibcodes; empty for a cosmology of your own.

    Raises
    ------
    UnknownNameError, InvalidInputError
        As `get_cosmology` raises them.
    """
    cosmology = get_cosmology(cosmology)
    # One of your own may have the name of another.
    known = cosmology.name in COSMOLOGIES and COSMOLOGIES[cosmology.name] == cosmology
    return _REFERENCES.get(cosmology.name, ()) if known else ()


# Background cosmology on plain arrays: redshifts in, floats out, NaN to NaN.


def finite_only(function, redshift):
    """Call a function of redshift where that is finite: astropy's integrals refuse NaN."""
    redshift = np.asarray(redshift, dtype=float)
    result = np.full(redshift.shape, np.nan)
    finite = np.isfinite(redshift)
    result[finite] = function(redshift[finite])
    return result


def efunc(redshift, cosmology):
    """E(z) = H(z) / H0."""
    return finite_only(cosmology.efunc, redshift)


def critical_density(redshift, cosmology):
    """Critical density [Msun / Mpc3]."""
    return finite_only(lambda z: cosmology.critical_density(z).to_value(_MASS_DENSITY), redshift)


def angular_diameter_distance(redshift, cosmology):
    """Angular-diameter distance [Mpc]."""
    return finite_only(lambda z: cosmology.angular_diameter_distance(z).to_value("Mpc"), redshift)


def h70(cosmology):
    """H0 / (70 km/s/Mpc)."""
    return cosmology.H0.to_value(_HUBBLE) / 70
