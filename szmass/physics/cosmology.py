"""Cosmologies by name, so that every result can say which one it used."""

import astropy.cosmology
from astropy.cosmology import FLRW, FlatLambdaCDM

from szmass._utils.registry import Registry

__all__ = ["COSMOLOGIES", "get_cosmology"]

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
for _name in astropy.cosmology.realizations.available:
    COSMOLOGIES.add(_name, getattr(astropy.cosmology, _name))


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
    """
    expected = "a name such as 'PSZ2' or 'Planck18', or an astropy cosmology"
    return COSMOLOGIES.resolve(cosmology, FLRW, "cosmology", expected)
