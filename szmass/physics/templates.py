"""Fourier transforms of pressure profiles, and the weights of their matched filter.

The transform of a projection is a cut through the transform of the body (projection-slice
theorem), so the map of a sphere needs one integral, M(k) = 4 pi int p(x) x^2 sin(kx) / (kx) dx, and
that of an ellipsoid of similar shells the same M at the length of the stretched wave vector.
`transform_tables` does many profiles at a time, over the nodes of a fixed quadrature;
`disc_transform` does one profile without its core or its edge being rounded.
"""

import functools

import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.physics.pressure import GNFWProfile, get_pressure_profile

__all__ = [
    "K_MAX",
    "N_K",
    "X_NODES",
    "disc_transform",
    "filter_weights",
    "get_scale_free_profile",
    "sphere_weights",
    "table_length",
    "table_position",
    "transform_tables",
]

# Panels of r / R500 with their numbers of nodes; Y500 needs an edge at 1. The cube gathers nodes
# in the centre, where p rises as a power of x.
_SHELLS = ((0.0, 1.0, 64, 3), (1.0, 5.0, 160, 1))

# Range of k times theta500 and number of nodes of the tables, even in k^(1/2). At their end
# the transform has fallen to 1e-5 of its value at 0.
K_MAX, N_K = 100.0, 640


def _quadrature():
    nodes, weights = [], []
    for low, high, n, power in _SHELLS:
        s, w = np.polynomial.legendre.leggauss(n)
        s, w = (s + 1) / 2, w / 2
        nodes.append(low + (high - low) * s**power)
        weights.append((high - low) * power * s ** (power - 1) * w)
    return np.concatenate(nodes), np.concatenate(weights)


#: Radii [R500] at which the profiles are given, from 0 to the truncation at 5.
X_NODES, _X_WEIGHTS = _quadrature()


def sphere_weights(x_max):
    """Give weights w with I(x_max) = sum(w p), the integral 3 int p x^2 dx.

    Parameters
    ----------
    x_max : float
        Radius of the sphere [R500], 1 or 5.

    Returns
    -------
    ndarray
        Weights of p at `X_NODES`.
    """
    inside = x_max >= X_NODES
    return np.where(inside, 3 * X_NODES**2 * _X_WEIGHTS, 0.0)


@functools.cache
def _matrix():
    k = K_MAX * (np.arange(N_K) / (N_K - 1)) ** 2
    matrix = np.sinc(k / np.pi * X_NODES[:, np.newaxis])
    return (4 * np.pi * X_NODES**2 * _X_WEIGHTS)[:, np.newaxis] * matrix


def transform_tables(profiles, length=N_K):
    """Transform profiles of spheres.

    Parameters
    ----------
    profiles : ndarray
        p at `X_NODES`, shape (N, number of nodes).
    length : int, optional
        Number of values of k, at least `N_K`; see `table_length`.

    Returns
    -------
    ndarray
        M(k) at that many values of k, shape (N, length), float32.
    """
    # One product per profile: in a single large one the last bits depend on the number of rows.
    tables = [profile @ _matrix() for profile in profiles]
    tables = np.array(tables, dtype=np.float32).reshape(-1, N_K)
    if length == N_K:
        return tables
    return np.hstack([tables, _of_centres(np.asarray(profiles), length)])


def table_length(k_max):
    """Give the number of values that a table needs to reach a wave number.

    Parameters
    ----------
    k_max : float
        Highest k times theta500.

    Returns
    -------
    int
        At least `N_K`.
    """
    return max(N_K, int(np.ceil((N_K - 1) * np.sqrt(k_max / K_MAX))) + 2)


def _of_centres(profiles, length):
    """Transforms beyond K_MAX, which the centre makes: as a convolution in ln x (FFTLog)."""
    from scipy.fft import fht
    from scipy.interpolate import CubicSpline

    inner = (X_NODES > 1e-8) & (X_NODES < 1)
    log_x = np.linspace(np.log(1e-8), np.log(1e2), 2048)
    spline = CubicSpline(np.log(X_NODES[inner]), np.log(profiles[:, inner]), axis=1)
    # What is smooth on a scale of 1 / k leaves nothing there: the outskirts fade out.
    fade = np.clip((np.log(0.9) - log_x) / np.log(0.9 / 0.1), 0, 1)
    fade = np.sin(0.5 * np.pi * fade) ** 2
    shape = np.exp(spline(np.minimum(log_x, np.log(0.95)))) * fade
    transform = fht(shape * np.exp(1.5 * log_x), log_x[1] - log_x[0], mu=0.5)
    log_k = np.log(K_MAX) + 2 * np.log(np.arange(N_K, length) / (N_K - 1))
    # The nodes of k are the inverse ones of x, in turn.
    rows = [np.interp(log_k, -log_x[::-1], row) for row in transform]
    return ((2 * np.pi) ** 1.5 * np.exp(-1.5 * log_k) * np.array(rows)).astype(np.float32)


def table_position(k_squared, length=N_K):
    """Find wave numbers in the tables of `transform_tables`.

    Parameters
    ----------
    k_squared : ndarray
        Squares of k times theta500.
    length : int, optional
        Length of the tables.

    Returns
    -------
    ndarray
        Index, a float; that of the end for wave numbers beyond it.
    """
    position = np.sqrt(np.sqrt(k_squared))
    position *= np.float32((N_K - 1) / np.sqrt(K_MAX))
    return np.minimum(position, np.float32(length - 1.001), out=position)


# Gauss-Legendre nodes of the radial integral, in panels.
_NODES, _PANELS = 32, 96
# l times theta500 [rad] of the table. At its upper end, which a cluster of 2 deg reaches at
# l = 11 000, the transform has fallen to 1e-6.
_K = np.concatenate([[0.0], np.geomspace(1e-3, 400, 2000)])


def get_scale_free_profile(profile):
    """Give a profile whose shape depends on r / R500 alone, by name or as an instance.

    Parameters
    ----------
    profile : str or GNFWProfile
        What the caller passed.

    Returns
    -------
    GNFWProfile
        The profile.
    """
    found = get_pressure_profile(profile)
    if not isinstance(found, GNFWProfile) or found.alpha_p_prime:
        raise InvalidInputError(
            "'profile' must have one shape for all masses (a GNFWProfile without alpha_p_prime), "
            f"because theta500 alone is to fix the template. Received: {profile!r}"
        )
    return found


@functools.lru_cache(maxsize=16)
def _table(profile):
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    panels = np.arange(_PANELS)[:, np.newaxis]
    s = ((nodes + 1) / 2 + panels).ravel() / _PANELS
    weights = np.tile(weights / 2, _PANELS) / _PANELS

    def shells(x_max):
        # u = x_max s^3 gathers nodes in the centre, where p rises as a power of u.
        u = x_max * s**3
        return u, 9 * x_max * s**2 * weights * profile.p(u) * u**2

    u, shell = shells(profile.truncation)
    y500 = shells(min(profile.truncation, 1.0))[1].sum()
    return np.array([np.sinc(k / np.pi * u) @ shell for k in _K]) / y500


def disc_transform(k, profile):
    """Transform a projected profile of Y500 = 1 on the flat sky.

    Parameters
    ----------
    k : ndarray
        l times theta500 [rad].
    profile : GNFWProfile
        The profile.

    Returns
    -------
    ndarray
        Dimensionless; at k = 0 it is the total Y in units of Y500, 1.796 for Arnaud et al. (2010).
    """
    return np.interp(k, _K, _table(profile), right=0.0)


def filter_weights(theta500, ell, profile):
    """Give the weights of the inverse noise in a matched filter of known size and position.

    sigma^-2 = int l dl / (2 pi) |t_l|^2 / N_l = sum of weights / N_l

    Parameters
    ----------
    theta500 : ndarray
        One-dimensional [rad].
    ell : ndarray
        Multipoles, spaced finely enough for the trapezoidal rule in ln l.
    profile : GNFWProfile
        The profile.

    Returns
    -------
    ndarray
        Shape (sizes, multipoles). With N_l in sr, beam-deconvolved, sigma of Y500 is in sr.
    """
    transform = disc_transform(np.multiply.outer(theta500, ell), profile)
    step = np.diff(np.log(ell), prepend=np.log(ell[0]), append=np.log(ell[-1]))
    return ell**2 / (2 * np.pi) * (step[1:] + step[:-1]) / 2 * transform**2
