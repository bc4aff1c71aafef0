"""Transform of a pressure profile's disc, and the weights of its matched filter."""

from functools import lru_cache

import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.physics.pressure import GNFWProfile, get_pressure_profile

__all__ = ["disc_transform", "filter_weights", "get_scale_free_profile"]

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


@lru_cache(maxsize=16)
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
    """Fourier transform of the projected profile on the flat sky, for Y500 = 1.

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
    """Weights of the inverse noise in a matched filter of known size and position.

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
