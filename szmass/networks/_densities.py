"""Densities of log-mass from the mixtures that a network gives: loss, values, calibration."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from szmass._utils.optional import import_optional
from szmass.exceptions import FileFormatError
from szmass.networks._inputs import turned

_LOG_2PI = math.log(2 * math.pi)


class Scale(NamedTuple):
    """What coefficients of a calibration are made for, that they are of order one and independent.

    ``knots``, ln of the numbers between which they are linear; middle and scale of what the density
    is of [dex]; middle of the level.
    """

    knots: np.ndarray
    pivot: float
    dex: float
    level: float


# Middles of the redshift bins of de Andres et al. (2022); the level is that of the noise.
_MASSES = Scale(np.log([0.055, 0.15, 0.3, 0.7]), 14.6, 0.5, 0.6)
# Prior standard deviation of a coefficient: what the data do not say stays as it is.
_RIDGE = 0.3
# Densities are no lower than this below their maximum: networks know nothing of far wings.
_FLOOR = 20.0
_STEPS = 30
# A step that gains less ln L ends the fit.
_GAIN = 1e-3
_CHUNK = 4096


def mixture_loss(log10_mass_range):
    """Loss for Keras: -ln of the density, which is cut off at the range, at the true log10 M."""
    ops = import_optional("keras", extra="train", purpose="train a network").ops
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


def averaged(networks, planes, context, grid, which=slice(None)):
    """ln of the density (N, nodes) that networks give, averaged over them and eight orientations.

    ``which`` picks the mixture of one density of those that networks give.
    """
    eight = np.concatenate([turned(planes, turn) for turn in range(8)])
    contexts = np.tile(context, (8, 1))
    total = 0.0
    for network in networks:
        densities = log_density(network(eight, contexts)[:, which], grid)
        total = total + densities.reshape(8, len(planes), -1).sum(0)
    return normalised(total / (8 * len(networks)), grid)


def log_density(mixture, grid):
    """ln of the density per dex, of integral one on the grid, of mixtures (N, 3, components)."""
    weights, means, sigmas = np.moveaxis(np.asarray(mixture, dtype=float), 1, 0)
    inside = ndtr((grid[-1] - means) / sigmas) - ndtr((grid[0] - means) / sigmas)
    weights = weights - np.log((np.exp(weights) * inside).sum(axis=1) + 1e-300)[:, np.newaxis]
    weights = weights - np.log(sigmas) - 0.5 * _LOG_2PI
    terms = (grid - means[..., np.newaxis]) / sigmas[..., np.newaxis]
    terms = weights[..., np.newaxis] - 0.5 * terms**2
    # All is finite, and what scipy does for the rest takes three times as long.
    highest = terms.max(axis=1)
    return highest + np.log(np.exp(terms - highest[:, np.newaxis]).sum(axis=1))


def normalised(log_density, grid):
    """Logarithms of densities (N, nodes), of integral one."""
    log_density = log_density - log_density.max(axis=1, keepdims=True)
    return log_density - np.log(np.trapezoid(np.exp(log_density), grid, axis=1))[:, np.newaxis]


class Calibration:
    """Widths and tilts that make densities agree with the truth of a validation set.

    A density p(t), t = log10 M, becomes proportional to p(t)^(1 + a) exp(b t), where a and b are
    smooth functions of redshift, of the mean of p and of the noise level, with coefficients (2,
    functions). Their fit by maximum likelihood is convex, and has the right mean of t and of ln p,
    the spread. Another ``scale`` is for densities of something else, or in place of redshift.
    """

    def __init__(self, coefficients=None, scale=_MASSES):
        if coefficients is None:  # nothing is changed
            coefficients = np.zeros((2, 4 * len(scale.knots)))
        self.coefficients, self.scale = np.asarray(coefficients), scale

    @classmethod
    def from_arrays(cls, arrays, scale=_MASSES):
        """Make one of the arrays of a file: coefficients, or nothing."""
        found = cls(**arrays, scale=scale) if arrays.keys() <= {"coefficients"} else None
        wanted = cls(scale=scale).coefficients.shape
        if found is None or found.coefficients.shape != wanted:
            raise FileFormatError(
                f"The calibration must be 'coefficients' of shape {wanted}. "
                f"Received: { {name: np.shape(array) for name, array in arrays.items()} }"
            )
        return found

    def apply(self, log_density, grid, redshift, level):
        """Recalibrate ln p (N, nodes) on an even grid, at redshift and log noise (N,)."""
        functions = self._functions(log_density, grid, redshift, level)
        # Sums and not products of matrices: a row is to be the same in any company.
        width, tilt = (functions * self.coefficients[:, np.newaxis]).sum(axis=2)
        total = (1 + width)[:, np.newaxis] * _floored(log_density)
        total += tilt[:, np.newaxis] * self._scaled(grid)
        return normalised(total, grid)

    @classmethod
    def fit(cls, log_density, grid, redshift, level, truth, scale=_MASSES):
        """Fit to densities, as in `apply`, and true log10 M (N,)."""
        found = cls(scale=scale)
        functions, log_density = (
            found._functions(log_density, grid, redshift, level),
            _floored(log_density),
        )
        n = functions.shape[1]
        node = np.interp(truth, grid, np.arange(len(grid)))
        low = np.minimum(node.astype(int), len(grid) - 2)
        rows, part = np.arange(len(truth)), node - low
        seen = (1 - part) * log_density[rows, low] + part * log_density[rows, low + 1]
        target = np.stack([seen, found._scaled(truth)])
        value = found._objective(target, log_density, grid, functions)
        for _ in range(_STEPS):
            mean, covariance = found._moments(log_density, grid, functions)
            gradient = ((target - mean) @ functions - found.coefficients / _RIDGE**2).ravel()
            hessian = np.empty((2, n, 2, n))
            for i, j in np.ndindex(2, 2):
                hessian[i, :, j] = functions.T @ (functions * covariance[i, j][:, np.newaxis])
            hessian = hessian.reshape(2 * n, 2 * n) + np.eye(2 * n) / _RIDGE**2
            step = np.linalg.solve(hessian, gradient).reshape(2, n)
            gain = 0.0
            # The problem is convex: some part of a Newton step always gains.
            for part in 0.5 ** np.arange(12):
                trial = cls(found.coefficients + part * step, scale)
                gain = trial._objective(target, log_density, grid, functions) - value
                if gain > 0:
                    found, value = trial, value + gain
                    break
            if gain < _GAIN:
                break
        return found

    def _objective(self, target, log_density, grid, functions):
        """Log-likelihood of the truth, and of the coefficients under their prior."""
        total = -0.5 * np.sum(self.coefficients**2) / _RIDGE**2
        for start in range(0, len(log_density), _CHUNK):
            part = slice(start, start + _CHUNK)
            width, tilt = self.coefficients @ functions[part].T
            logs = log_density[part] + width[:, np.newaxis] * log_density[part]
            logs += tilt[:, np.newaxis] * self._scaled(grid)
            highest = logs.max(axis=1, keepdims=True)
            norm = np.trapezoid(np.exp(logs - highest), grid, axis=1)
            own = (1 + width) * target[0, part] + tilt * target[1, part]
            total += np.sum(own - highest[:, 0] - np.log(norm))
        return total

    def _moments(self, log_density, grid, functions):
        """Mean and covariance of (ln p, t) under the calibrated densities."""
        n = len(log_density)
        mean, covariance = np.empty((2, n)), np.empty((2, 2, n))
        t = self._scaled(grid)
        for start in range(0, n, _CHUNK):
            part = slice(start, start + _CHUNK)
            logs = log_density[part]
            width, tilt = self.coefficients @ functions[part].T
            total = (1 + width)[:, np.newaxis] * logs + tilt[:, np.newaxis] * t
            p = np.exp(total - total.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            mean[0, part], mean[1, part] = (p * logs).sum(axis=1), p @ t
            first, second = logs - mean[0, part, np.newaxis], t - mean[1, part, np.newaxis]
            covariance[0, 0, part] = (p * first**2).sum(axis=1)
            covariance[0, 1, part] = covariance[1, 0, part] = (p * first * second).sum(axis=1)
            covariance[1, 1, part] = (p * second**2).sum(axis=1)
        return mean, covariance

    def _scaled(self, log10_mass):
        return (log10_mass - self.scale.pivot) / self.scale.dex

    def _functions(self, log_density, grid, redshift, level):
        """Functions of redshift, mean and noise level, shape (N, functions)."""
        p, number = np.exp(log_density), np.arange(len(self.scale.knots))
        mean = self._scaled((p * grid).sum(axis=1) / p.sum(axis=1))
        place = np.interp(np.log(redshift), self.scale.knots, number)
        hats = np.maximum(0, 1 - np.abs(place[:, np.newaxis] - number))
        above = np.asarray(level) - self.scale.level
        terms = np.stack([np.ones_like(mean), mean, mean**2, above], axis=1)
        return (hats[:, :, np.newaxis] * terms[:, np.newaxis]).reshape(len(mean), -1)


def _floored(log_density):
    return np.maximum(log_density, log_density.max(axis=1, keepdims=True) - _FLOOR)
