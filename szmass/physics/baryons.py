"""Gas and stars that clusters of given mass have in simulations, by name."""

from dataclasses import dataclass, field

import numpy as np

from szmass._utils.registry import Registry

__all__ = ["BARYON_RELATIONS", "BaryonRelation", "get_baryon_relation"]


@dataclass(frozen=True, kw_only=True)
class BaryonRelation:
    """Gas and stellar mass inside R500 at given M500: medians, scatter, and how they go with Y.

    Gas between nodes of mass is a cubic in log M, with norms and slopes of the nodes, and a power
    law beyond them; scatter and correlation are those of the nearest node there. In redshift all
    is linear, and constant beyond the last.

    Parameters
    ----------
    name : str
        Name of the simulation.
    nodes : dict
        By redshift: log10(M500 / Msun), log10(M_gas / Msun), slope of M_gas with M500, scatter of
        ln M_gas, and its correlation with ln Y500, at fixed mass; four tuples of equal length.
    stars : (float, float, float, float, float), optional
        M_star / M500 at 10^14.5 Msun, its slope with mass and with 1 + z, scatter of ln M_star,
        and the correlation with ln M_gas.
    references : tuple of str, optional
        ADS bibcodes of the papers to cite.
    """

    name: str
    nodes: dict = field(repr=False)
    stars: tuple = (0.0137, -0.05, 0.10, 0.118, -0.3)
    references: tuple = field(default=(), repr=False)

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
        log_m = np.log10(mass)
        zs = sorted(self.nodes)
        at_z = np.array([_at_mass(self.nodes[z], log_m) for z in zs])
        position = np.interp(redshift, zs, np.arange(len(zs)))
        # Hat functions of the redshifts.
        weight = np.maximum(0, 1 - np.abs(position - np.arange(len(zs))[:, np.newaxis]))
        log_gas, scatter, correlation = np.einsum("zn,zkn->kn", weight, at_z)
        return 10**log_gas, scatter, correlation

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


def _at_mass(nodes, log_m):
    from scipy.interpolate import CubicHermiteSpline

    at, norm, slope, scatter, correlation = nodes
    inside = np.clip(log_m, at[0], at[-1])
    beyond = (log_m - inside) * np.where(log_m > inside, slope[-1], slope[0])
    log_gas = CubicHermiteSpline(at, norm, slope)(inside) + beyond
    return log_gas, np.interp(log_m, at, scatter), np.interp(log_m, at, correlation)


#: Relations known by name. The gas is from the tables of kernel-localised regressions that go
#: with Aljamal et al. (2025), with Y_SZ; the stars, which these do not have, from 3868 clusters
#: above 1e14 Msun of The Three Hundred (Gadget-X; Cui et al. 2018) in both.
BARYON_RELATIONS = Registry("baryon relation")

_TNG = {
    0.0: (
        (13.5, 14.0, 14.5, 14.97),
        (12.4031, 13.0807, 13.6372, 14.1179),
        (1.584, 1.239, 1.047, 1.020),
        (0.152, 0.097, 0.055, 0.041),
        (0.908, 0.871, 0.794, 0.731),
    ),
    0.5: (
        (13.5, 14.0, 14.4, 14.77),
        (12.4374, 13.0867, 13.5307, 13.9102),
        (1.457, 1.207, 1.062, 1.017),
        (0.144, 0.080, 0.052, 0.040),
        (0.857, 0.841, 0.779, 0.750),
    ),
    1.0: (
        (13.5, 13.8, 14.1, 14.44),
        (12.4569, 12.8457, 13.1978, 13.5640),
        (1.370, 1.264, 1.135, 1.064),
        (0.139, 0.098, 0.074, 0.055),
        (0.810, 0.821, 0.810, 0.784),
    ),
}
_FLAMINGO = {
    0.0: (
        (13.5, 14.0, 14.5, 14.97),
        (12.1952, 12.9337, 13.5347, 14.0479),
        (1.710, 1.379, 1.166, 1.092),
        (0.181, 0.120, 0.066, 0.046),
        (0.914, 0.862, 0.765, 0.711),
    ),
    0.5: (
        (13.5, 14.0, 14.4, 14.77),
        (12.2525, 12.9442, 13.4210, 13.8308),
        (1.583, 1.317, 1.185, 1.116),
        (0.148, 0.098, 0.065, 0.048),
        (0.907, 0.844, 0.737, 0.652),
    ),
    1.0: (
        (13.5, 13.8, 14.1, 14.44),
        (12.2939, 12.7003, 13.0691, 13.4553),
        (1.484, 1.350, 1.238, 1.152),
        (0.121, 0.099, 0.081, 0.063),
        (0.894, 0.856, 0.774, 0.653),
    ),
}
_PAPERS = ("2025MNRAS.544...67A", "2018MNRAS.480.2898C")
for _name, _nodes in (("tng", _TNG), ("flamingo", _FLAMINGO)):
    BARYON_RELATIONS.add(_name, BaryonRelation(name=_name, nodes=_nodes, references=_PAPERS))


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
