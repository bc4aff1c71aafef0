"""Sizes and signals that clusters have along a scaling relation, on plain arrays."""

import astropy.units as u
import numpy as np

from szmass.physics.halos import theta500
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2

__all__ = ["mass_curve"]

_PIVOT = 1e14 * u.solMass


def mass_curve(log10_mass, redshift, relation, one_minus_b, cosmology):
    """Give size and signal of masses along a scaling relation.

    Parameters
    ----------
    log10_mass : ndarray
        log10(M500c / Msun), shape (m,), or (N, m).
    redshift : ndarray
        Redshifts, shape (N,).
    relation : str or ScalingRelation
        The relation.
    one_minus_b : float
        Ratio of the mass of the relation to the true mass.
    cosmology : `~astropy.cosmology.FLRW`
        For sizes and distances.

    Returns
    -------
    theta500 : ndarray
        Angle of R500 of (1-b) M [arcmin], shape (N, m).
    y500 : ndarray
        Median Y500 [arcmin2], shape (N, m).

    Examples
    --------
    >>> import numpy as np
    >>> from szmass.physics.cosmology import get_cosmology
    >>> from szmass.physics.curves import mass_curve
    >>> at = np.array([14.5, 15.0]), np.array([0.2])
    >>> theta500, y500 = mass_curve(*at, "planck2015", 0.8, get_cosmology("PSZ2"))
    >>> theta500.round(2), (1e4 * y500).round(1)
    (array([[4.55, 6.67]]), array([[ 3.7, 29.4]]))
    """
    relation = get_scaling_relation(relation)
    y500 = relation.y500(_PIVOT, redshift, one_minus_b=one_minus_b, cosmology=cosmology)
    y500 = y_to_arcmin2(y500, redshift, cosmology=cosmology).value
    theta = theta500(one_minus_b * _PIVOT, redshift, cosmology=cosmology).to_value(u.arcmin)
    # Both are power laws of mass.
    ratio = 10 ** (log10_mass - 14)
    return (
        theta[:, np.newaxis] * np.cbrt(ratio),
        y500[:, np.newaxis] * ratio**relation.alpha,
    )
