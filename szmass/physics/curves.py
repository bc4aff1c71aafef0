"""Sizes and signals that clusters have along a scaling relation, on plain arrays."""

import astropy.units as u
import numpy as np

from szmass.physics.halos import theta500
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2

__all__ = ["mass_curve"]

_PIVOT = 1e14 * u.solMass


def mass_curve(log10_mass, redshift, relation, one_minus_b, cosmology):
    """Size and signal that each of m masses has at each of N redshifts.

    Gives theta500 [arcmin] of (1-b) M, and Y500 [arcmin2], each (N, m).
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
