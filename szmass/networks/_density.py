"""Densities of log-mass from the mixtures that a network gives: the loss, and values on a grid."""

import math

import numpy as np
from scipy.special import logsumexp, ndtr

from szmass._utils.optional import import_optional

__all__ = ["log_density", "mixture_loss", "normalised"]

_LOG_2PI = math.log(2 * math.pi)


def mixture_loss(log10_mass_range):
    """Give the loss: minus the logarithm of the density at the true log10 M.

    Parameters
    ----------
    log10_mass_range : (float, float)
        Ends of the prior, where the density is cut off.

    Returns
    -------
    callable
        ``loss(truth, mixture)`` for Keras.
    """
    ops = import_optional("keras", extra="cnn", purpose="train a network").ops
    low, high = map(float, log10_mass_range)

    def loss(truth, mixture):
        weights, means, sigmas = mixture[:, 0], mixture[:, 1], mixture[:, 2]
        pull = (ops.reshape(truth, (-1, 1)) - means) / sigmas
        terms = weights - 0.5 * pull**2 - ops.log(sigmas) - 0.5 * _LOG_2PI

        def below(edge):
            return 0.5 + 0.5 * ops.erf((edge - means) / (sigmas * math.sqrt(2)))

        inside = ops.sum(ops.exp(weights) * (below(high) - below(low)), axis=-1)
        return ops.log(inside + 1e-9) - ops.logsumexp(terms, axis=-1)

    return loss


def log_density(mixture, grid):
    """Evaluate mixtures on a grid that spans the prior.

    Parameters
    ----------
    mixture : ndarray
        Shape (N, 3, components).
    grid : ndarray
        log10 M, shape (nodes,).

    Returns
    -------
    ndarray
        ln of the density per dex, shape (N, nodes), of integral one between the ends of the grid.
    """
    weights, means, sigmas = np.moveaxis(np.asarray(mixture, dtype=float), 1, 0)
    inside = ndtr((grid[-1] - means) / sigmas) - ndtr((grid[0] - means) / sigmas)
    weights = weights - np.log((np.exp(weights) * inside).sum(axis=1) + 1e-300)[:, np.newaxis]
    weights = weights - np.log(sigmas) - 0.5 * _LOG_2PI
    pull = (grid[:, np.newaxis] - means[:, np.newaxis]) / sigmas[:, np.newaxis]
    return logsumexp(weights[:, np.newaxis] - 0.5 * pull**2, axis=-1)


def normalised(log_density, grid):
    """Make the integral of densities one, from and to their logarithms."""
    log_density = log_density - log_density.max(axis=1, keepdims=True)
    return log_density - np.log(np.trapezoid(np.exp(log_density), grid, axis=1))[:, np.newaxis]
