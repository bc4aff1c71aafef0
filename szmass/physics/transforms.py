"""Fourier transforms of spherical pressure profiles, many at a time.

The transform of a projection is a cut through the transform of the body (projection-slice
theorem), so the map of a sphere needs one integral, M(k) = 4 pi int p(x) x^2 sin(kx) / (kx) dx, and
that of an ellipsoid of similar shells the same M at the length of the stretched wave vector. Over
the nodes of a fixed quadrature the integral is a product of matrix and vector.
"""

import functools

import numpy as np

__all__ = ["K_MAX", "N_K", "X_NODES", "sphere_weights", "table_position", "transform_tables"]

# Panels of r / R500 with their numbers of nodes; Y500 needs an edge at 1. The cube gathers nodes
# in the centre, where p rises as a power of x.
_PANELS = ((0.0, 1.0, 64, 3), (1.0, 5.0, 160, 1))

# Range of k times theta500 and number of nodes of the tables, even in k^(1/2). At their end
# the transform has fallen to 1e-5 of its value at 0.
K_MAX, N_K = 100.0, 640


def _quadrature():
    nodes, weights = [], []
    for low, high, n, power in _PANELS:
        s, w = np.polynomial.legendre.leggauss(n)
        s, w = (s + 1) / 2, w / 2
        nodes.append(low + (high - low) * s**power)
        weights.append((high - low) * power * s ** (power - 1) * w)
    return np.concatenate(nodes), np.concatenate(weights)


#: Radii [R500] at which the profiles are given, from 0 to the truncation at 5.
X_NODES, _X_WEIGHTS = _quadrature()


def sphere_weights(x_max):
    """Give weights w with I(x_max) = sum(w p), the integral 3 int p x^2 dx up to 1 or 5."""
    inside = x_max >= X_NODES
    return np.where(inside, 3 * X_NODES**2 * _X_WEIGHTS, 0.0)


@functools.cache
def _matrix():
    k = K_MAX * (np.arange(N_K) / (N_K - 1)) ** 2
    matrix = np.sinc(k / np.pi * X_NODES[:, np.newaxis])
    return (4 * np.pi * X_NODES**2 * _X_WEIGHTS)[:, np.newaxis] * matrix


def transform_tables(profiles):
    """Transform profiles.

    Parameters
    ----------
    profiles : ndarray
        p at `X_NODES`, shape (N, number of nodes).

    Returns
    -------
    ndarray
        M(k) at `N_K` values of k, shape (N, N_K), float32.
    """
    # One product per profile: in a single large one the last bits depend on the number of rows.
    tables = [profile @ _matrix() for profile in profiles]
    return np.array(tables, dtype=np.float32).reshape(-1, N_K)


def table_position(k_squared):
    """Position in a table, a float index, of squares of k; those beyond the end at the end."""
    position = np.sqrt(np.sqrt(k_squared))
    position *= np.float32((N_K - 1) / np.sqrt(K_MAX))
    return np.minimum(position, np.float32(N_K - 1.001), out=position)
