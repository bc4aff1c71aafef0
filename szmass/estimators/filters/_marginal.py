"""Marginal likelihoods of mass: over scatter of Y, profiles and centres, on plain arrays.

The signal is in units of its error, u = Y / sigma, and the data in those of the noise, so that
ln L = u s - u^2 / 2 with the signal-to-noise ratio s. Coefficients of profile components enter as a
quadratic form, over which Gaussian integrals are exact; integrals over the position are tabulated.
"""

from dataclasses import dataclass

import numpy as np

from szmass.estimators.filters._templates import at_sizes

__all__ = ["Reduced", "marginal_log_likelihood"]

# Range of the scatter that is integrated over, and nodes per width of the narrower factor.
_RANGE, _SPACING = 5.0, 0.8

# Numbers that are worked on at a time.
_AT_ONCE = 300_000


@dataclass
class Reduced:
    """What is left of N cutouts: numbers per size, in units of the noise.

    Parameters
    ----------
    data : ndarray
        Shape (N, S, 1 or 3): signal-to-noise ratio; projections on two components.
    noise : ndarray
        Shape (N or 1, S, 1 or 6): ln(1 / sigma) at depth 1; products of mean and components;
        products of components (11, 22, 12).
    depth : ndarray
        Factors of the noise, shape (N,).
    signals, displaced : ndarray or None
        Integrals over the position from `DisplacedBank`, shapes (N, K) and (N, S, K).
    """

    data: np.ndarray
    noise: np.ndarray
    depth: np.ndarray
    signals: np.ndarray | None = None
    displaced: np.ndarray | None = None

    @classmethod
    def of(cls, measured, depth, signals=None, displaced=None):
        """Reduce what a bank of `diverse_bank` measured."""
        root = measured.root
        data = measured.projection / (root * depth[:, np.newaxis])[..., np.newaxis]
        gram = measured.gram / (root**2)[..., np.newaxis, np.newaxis]
        noise = [np.log(root)]
        if data.shape[2] == 3:
            index = ((0, 1), (0, 2), (1, 1), (2, 2), (1, 2))
            noise += [gram[..., i, j] for i, j in index]
        return cls(data, np.stack(noise, axis=-1), depth, signals, displaced)

    def __getitem__(self, rows):
        noise = self.noise if len(self.noise) == 1 else self.noise[rows]
        more = (None, None)
        if self.displaced is not None:
            more = self.signals[rows], self.displaced[rows]
        return Reduced(self.data[rows], noise, self.depth[rows], *more)


def _log_gaussian_integral(b1, b2, m11, m22, m12):
    """ln of the mean of exp(b a - a (M - 1) a / 2) over standard normal a of two dimensions."""
    determinant = m11 * m22 - m12**2
    return 0.5 * (
        (m22 * b1**2 + m11 * b2**2 - 2 * m12 * b1 * b2) / determinant - np.log(determinant)
    )


def _at_signals(signals, values, u):
    """Interpolate values (n, m, K) at evenly spaced signals (n, K) to u (n, m, k), by cubics."""
    count = signals.shape[1]
    position = u / signals[:, 1, np.newaxis, np.newaxis]
    position = np.minimum(position, count - 1.0)
    first = np.clip(position.astype(int) - 1, 0, count - 4)
    s = position - first
    weights = (
        -(s - 1) * (s - 2) * (s - 3) / 6,
        s * (s - 2) * (s - 3) / 2,
        -s * (s - 1) * (s - 3) / 2,
        s * (s - 1) * (s - 2) / 6,
    )
    return sum(
        weight * np.take_along_axis(values, first + i, axis=2) for i, weight in enumerate(weights)
    )


def _at_nodes(reduced, theta, y500, x):
    """ln L of clusters (n) at masses (m) and deviations x (k) of ln Y: (n, m, k)."""
    data = at_sizes(reduced.data, theta)[:, :, np.newaxis]
    noise = at_sizes(reduced.noise, theta)[:, :, np.newaxis]
    u = y500 * np.exp(noise[..., 0, 0]) / reduced.depth[:, np.newaxis]
    u = u[..., np.newaxis] * np.exp(x)
    total = u * (data[..., 0] - 0.5 * u)
    if data.shape[-1] == 3:
        total += _log_gaussian_integral(
            u * (data[..., 1] - u * noise[..., 1]),
            u * (data[..., 2] - u * noise[..., 2]),
            1 + u**2 * noise[..., 3],
            1 + u**2 * noise[..., 4],
            u**2 * noise[..., 5],
        )
    if reduced.displaced is not None:
        total += _at_signals(reduced.signals, at_sizes(reduced.displaced, theta), u)
    return total


def marginal_log_likelihood(reduced, theta, y500, sigma_lny):
    """ln of the likelihood of masses.

    Parameters
    ----------
    reduced : Reduced
        N cutouts.
    theta, y500 : ndarray
        Size [arcmin] and median signal [arcmin2] of the masses, shape (N, m).
    sigma_lny : float
        Scatter of ln Y at given mass.

    Returns
    -------
    ndarray
        Shape (N, m).
    """
    n, m = theta.shape
    result = np.empty((n, m))
    # The narrower of scatter and likelihood sets the spacing of the nodes: sums over evenly
    # spaced nodes converge exponentially for Gaussians.
    snr = np.maximum(reduced.data[..., 0].max(axis=1, initial=1.0), 1.0)
    half = np.ceil(_RANGE / _SPACING * np.sqrt(1 + (sigma_lny * snr) ** 2))
    half = _rounded(half)
    for count in np.unique(half):
        rows = np.flatnonzero(half == count)
        x = np.linspace(-_RANGE, _RANGE, 2 * int(count) + 1) if sigma_lny else np.zeros(1)
        log_weight = -0.5 * x**2
        log_weight -= np.log(np.exp(log_weight).sum())
        size = max(1, _AT_ONCE // (m * len(x)))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            log_l = _at_nodes(reduced[part], theta[part], y500[part], sigma_lny * x)
            log_l += log_weight
            highest = log_l.max(axis=2, keepdims=True)
            np.exp(log_l - highest, out=log_l)
            result[part] = np.log(log_l.sum(axis=2)) + highest[..., 0]
    return result


def _rounded(half):
    """Round numbers of nodes up to a few that clusters share."""
    return np.ceil(2 ** (np.ceil(4 * np.log2(half)) / 4)).astype(int)
