"""Gas and stars that simulated clusters are drawn with."""

from dataclasses import dataclass, field

import numpy as np

from szmass._utils.registry import Registry
from szmass.physics.baryons.model import BaryonModel, get_baryon_model

__all__ = ["BARYON_RELATIONS", "BaryonRelation", "get_baryon_relation"]


@dataclass(frozen=True, kw_only=True)
class BaryonRelation:
    """Gas and stellar mass inside R500 at given M500: medians, scatter, and how they go with Y.

    Parameters
    ----------
    name : str
        Name of the simulation.
    model : `~szmass.physics.BaryonModel`
        Where the gas and its correlation with Y500 are from: it gives ``mgas500`` and ``y500``.
    stars : (float, float, float, float, float), optional
        M_star / M500 at 10^14.5 Msun, its slope with mass and with 1 + z, scatter of ln M_star,
        and the correlation with ln M_gas.
    """

    name: str
    model: BaryonModel = field(repr=False)
    stars: tuple = (0.0137, -0.05, 0.10, 0.118, -0.3)

    @property
    def references(self):
        """ADS bibcodes of the papers to cite."""
        return self.model.references

    def gas(self, mass, redshift):
        """Give what the gas mass is drawn from.

        Parameters
        ----------
        mass : ndarray
            M500c [Msun].
        redshift : ndarray
            Redshifts, of its shape.

        Returns
        -------
        median : ndarray
            Gas mass inside R500 [Msun].
        scatter : ndarray
            Scatter of its logarithm.
        correlation : ndarray
            Its correlation with ln Y500.
        """
        mean, covariance = self.model.moments({"m500c": mass, "redshift": redshift})
        gas, y = (self.model.properties.index(name) for name in ("mgas500", "y500"))
        scatter = np.sqrt(covariance[:, gas, gas])
        correlation = covariance[:, gas, y] / (scatter * np.sqrt(covariance[:, y, y]))
        return np.exp(mean[:, gas]), scatter, correlation

    def stellar_mass(self, mass, redshift):
        """Give the median stellar mass.

        Parameters
        ----------
        mass : ndarray
            M500c [Msun].
        redshift : ndarray
            Redshifts, of its shape.

        Returns
        -------
        ndarray
            Stellar mass inside R500 [Msun].
        """
        share, slope, evolution = self.stars[:3]
        return share * mass * (mass / 10**14.5) ** slope * (1 + redshift) ** evolution


#: Relations known by name. The gas is that of the baryon models of these names; the stars, which
#: these do not have, are from 3868 clusters above 1e14 Msun of The Three Hundred (Gadget-X; Cui et
#: al. 2018) in both.
BARYON_RELATIONS = Registry("baryon relation")


def _of_model(name):
    return lambda: BaryonRelation(name=name, model=get_baryon_model(name))


for _name in ("tng", "flamingo"):
    BARYON_RELATIONS.add_lazily(_name, _of_model(_name))


def get_baryon_relation(relation):
    """Look a baryon relation up by name, or pass one through.

    Parameters
    ----------
    relation : str or `BaryonRelation`
        ``"tng"`` (TNG300-1 and TNG-Cluster), ``"flamingo"`` (L1_m8), or a relation.

    Returns
    -------
    `BaryonRelation`
        The relation.

    Raises
    ------
    UnknownNameError
        No relation has that name; the message lists them.
    InvalidInputError
        Neither a name nor a relation was given.
    """
    expected = "a name such as 'tng', or a BaryonRelation"
    return BARYON_RELATIONS.resolve(relation, BaryonRelation, "baryons", expected)
