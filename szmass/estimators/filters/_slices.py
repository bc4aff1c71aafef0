"""Likelihoods of size and signal along a scaling relation, on plain arrays."""

import astropy.units as u
import numpy as np

from szmass.estimators.filters._templates import at_sizes
from szmass.physics.halos import theta500
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2

__all__ = ["mass_curve", "peak_and_interval", "slice_log_likelihood"]

_PIVOT = 1e14 * u.solMass


def mass_curve(log10_mass, redshift, relation, one_minus_b, cosmology):
    """Size and signal that each mass has at each redshift.

    Parameters
    ----------
    log10_mass : ndarray
        log10(M500c / Msun), shape (m,).
    redshift : ndarray
        Shape (N,).
    relation, one_minus_b, cosmology
        As in `ScalingRelation.y500`.

    Returns
    -------
    theta, y500 : ndarray
        theta500 [arcmin] of (1-b) M, and Y500 [arcmin2], each of shape (N, m).
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


def slice_log_likelihood(snr, root, theta, y500, depth):
    """ln L of pairs of size and signal, up to a constant.

    Parameters
    ----------
    snr : ndarray
        Signal-to-noise ratio of the filters at depth 1, shape (N, sizes).
    root : ndarray
        1 / sigma of Y500 [arcmin^-2] at depth 1, shape (N, sizes) or (1, sizes).
    theta, y500 : ndarray
        The pairs, shape (N, m).
    depth : ndarray
        Factors of the noise, shape (N,).

    Returns
    -------
    ndarray
        Shape (N, m).
    """
    depth = depth[:, np.newaxis]
    expected = y500 * np.exp(at_sizes(np.log(root), theta)) / depth
    return expected * (at_sizes(snr, theta) / depth - 0.5 * expected)


def peak_and_interval(log10_mass, log_likelihood):
    """Maximum of ln L, and 16 % and 84 % quantiles of L as a density in M.

    Parameters
    ----------
    log10_mass : ndarray
        Evenly spaced, shape (m,).
    log_likelihood : ndarray
        Shape (N, m).

    Returns
    -------
    peak, low, high : ndarray
        log10 M, each of shape (N,); the peak is NaN where it is at the lower end.
    """
    n, m = log_likelihood.shape
    rows = np.arange(n)
    top = np.argmax(log_likelihood, axis=1)
    middle = np.clip(top, 1, m - 2)
    left, centre, right = (log_likelihood[rows, middle + k] for k in (-1, 0, 1))
    curvature = left - 2 * centre + right
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(curvature < 0, 0.5 * (left - right) / curvature, 0.0)
    step = log10_mass[1] - log10_mass[0]
    peak = log10_mass[middle] + step * np.clip(shift, -1, 1)
    peak[(top == 0) | (top == m - 1)] = np.nan
    mass = 10**log10_mass
    density = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    cells = 0.5 * np.diff(mass) * (density[:, 1:] + density[:, :-1])
    below = np.concatenate([np.zeros((n, 1)), np.cumsum(cells, axis=1)], axis=1)
    below[:, 1:] += density[:, :1] * mass[0]
    ends = []
    for level in (0.158655, 0.841345):
        target = level * below[:, -1:]
        cell = np.clip((below < target).sum(axis=1) - 1, 0, m - 2)
        part = (target[:, 0] - below[rows, cell]) / cells[rows, cell]
        value = mass[cell] + np.clip(part, 0, 1) * (mass[cell + 1] - mass[cell])
        ends.append(np.log10(value))
    return peak, *ends
