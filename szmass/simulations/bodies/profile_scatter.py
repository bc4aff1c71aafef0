"""Scatter of the pressure profiles of clusters of one mass, on plain arrays."""

import functools

import numpy as np

from szmass.physics.pressure import get_pressure_profile
from szmass.physics.templates import X_NODES

__all__ = ["SCATTER_NODES", "STATES", "deviations", "draw_states", "interpolated", "scattered"]

#: Radii [R500] at which the scatter of ln p is given, and its standard deviation there: lowest
#: near 0.5 R500 (Sayers et al. 2023), below 30 % beyond 0.2 R500 and rising inward (Arnaud et al.
#: 2010). Correlated as exp(-|d ln x|).
SCATTER_NODES = np.array([0.03, 0.1, 0.3, 0.5, 1.0, 2.0])
_SCATTER = np.array([0.6, 0.4, 0.25, 0.20, 0.25, 0.40])

#: Dynamical states, and the profile of Arnaud et al. (2010) that each has.
STATES = ("relaxed", "intermediate", "disturbed")
_STATE_PROFILES = ("arnaud2010-cc", "arnaud2010", "arnaud2010-md")


@functools.cache
def _state_factors(at_scatter_nodes=False):
    """Profiles of the states over the universal one, with the Y500 of the universal one."""
    x = SCATTER_NODES if at_scatter_nodes else X_NODES
    universal = get_pressure_profile("arnaud2010")
    factors = []
    for name in _STATE_PROFILES:
        profile = get_pressure_profile(name)
        norm = universal.sphere_integral(1.0) / profile.sphere_integral(1.0)
        factors.append(norm * profile.p(x) / universal.p(x))
    return np.array(factors)


def draw_states(uniform, fractions):
    """Turn uniform numbers into dynamical states.

    Parameters
    ----------
    uniform : ndarray
        In (0, 1).
    fractions : (float, float)
        Fractions of relaxed and disturbed clusters.

    Returns
    -------
    ndarray
        Indices of `STATES`.
    """
    relaxed, disturbed = fractions
    return np.where(uniform < relaxed, 0, np.where(uniform < 1 - disturbed, 1, 2))


@functools.lru_cache(maxsize=32)
def _root(fractions, strength):
    """Square root of the covariance of ln p that the mix of states does not bring already."""
    distance = np.abs(np.subtract.outer(*[np.log(SCATTER_NODES)] * 2))
    total = np.outer(_SCATTER, _SCATTER) * np.exp(-distance)
    relaxed, disturbed = fractions
    weight = np.array([relaxed, 1 - relaxed - disturbed, disturbed])
    log_factor = np.log(_state_factors(at_scatter_nodes=True))
    log_factor = log_factor - weight @ log_factor
    values, vectors = np.linalg.eigh(total - (weight * log_factor.T) @ log_factor)
    return strength * vectors * np.sqrt(np.maximum(values, 0.0))


@functools.cache
def _interpolation():
    """Matrix from the scatter nodes to `X_NODES`: linear in ln x, constant outside."""
    log_x = np.log(X_NODES)
    columns = [np.interp(log_x, np.log(SCATTER_NODES), row) for row in np.eye(len(SCATTER_NODES))]
    return np.array(columns)


def deviations(normal, fractions, strength):
    """Turn standard normal numbers into deviations of ln p.

    Parameters
    ----------
    normal : ndarray
        Shape (N, 6).
    fractions : (float, float)
        Fractions of relaxed and disturbed clusters.
    strength : float
        Factor on the standard deviations.

    Returns
    -------
    ndarray
        At `SCATTER_NODES`, shape (N, 6).
    """
    return _product(normal, _root(tuple(fractions), float(strength)).T)


def scattered(shapes, state, at_nodes):
    """Give mean profiles their dynamical states and deviations.

    Parameters
    ----------
    shapes : ndarray
        Mean pressure at `X_NODES`, shape (N or 1, number of nodes).
    state : ndarray of int
        Indices of `STATES`, shape (N,).
    at_nodes : ndarray
        Deviations of ln p at `SCATTER_NODES`, shape (N, 6).

    Returns
    -------
    ndarray
        Pressure, shape (N, number of nodes).
    """
    return shapes * _state_factors()[state] * np.exp(interpolated(at_nodes))


def interpolated(at_nodes):
    """Interpolate deviations between `SCATTER_NODES`.

    Parameters
    ----------
    at_nodes : ndarray
        At `SCATTER_NODES`, shape (N, 6).

    Returns
    -------
    ndarray
        At `X_NODES`, linear in ln x, constant outside; shape (N, number of nodes).
    """
    return _product(at_nodes, _interpolation())


def _product(rows, matrix):
    """Matrix product whose last bits do not depend on the number of rows."""
    result = np.zeros((len(rows), matrix.shape[1]))
    for column, factors in zip(rows.T, matrix, strict=True):
        result += column[:, np.newaxis] * factors
    return result
