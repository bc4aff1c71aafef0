"""Likelihoods of size and signal along a scaling relation, plain and marginal, on plain arrays.

The signal is in units of its error, u = Y / sigma, and the data in those of the noise, so that
ln L = u s - u^2 / 2 with the signal-to-noise ratio s. It is marginalised over the scatter of Y,
over coefficients of profile components, which enter as a quadratic form, so that Gaussian integrals
are exact, and over the position, whose integrals are tabulated.
"""

from dataclasses import dataclass

import numpy as np

from szmass.estimators.filters._templates import at_sizes, cubic_weights

# Range of the scatter that is integrated over, and nodes per width of the narrower factor.
_RANGE, _SPACING = 5.0, 0.8

# The most nodes on either side, for signals of a thousand times their error.
_MOST = 2048

# Numbers that are worked on at a time.
_AT_ONCE = 300_000


def slice_log_likelihood(snr, root, theta, y500, depth):
    """ln L of pairs of size and signal, (N, m), up to a constant.

    ``snr`` (N, sizes) and ``root``, 1 / sigma of Y500 [arcmin^-2] (N or 1, sizes), are those of the
    filters at depth 1, ``depth`` (N,) factors of the noise.
    """
    depth = depth[:, np.newaxis]
    expected = y500 * np.exp(at_sizes(np.log(root), theta)) / depth
    return expected * (at_sizes(snr, theta) / depth - 0.5 * expected)


def peak_and_interval(log10_mass, log_likelihood):
    """Maximum of ln L (N, m), and 16 % and 84 % quantiles of L as a density in M, as log10 M (N,).

    The grid is evenly spaced. The peak is NaN where it is at an end. Where it lies outside of the
    quantiles, as faint signals may have it, the end on that side is where ln L is lower by 1/2.
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
    for row in np.flatnonzero((ends[0] >= peak) | (ends[1] <= peak)):
        for end, side, beyond in (
            (0, slice(top[row], None, -1), -1),
            (1, slice(top[row], None), 1),
        ):
            if beyond * (ends[end][row] - peak[row]) <= 0:
                fallen = log_likelihood[row, side] < log_likelihood[row, top[row]] - 0.5
                ends[end][row] = log10_mass[side][fallen.argmax() if fallen.any() else -1]
    return peak, *ends


@dataclass
class Reduced:
    """What is left of N cutouts: numbers per size, in units of the noise.

    ``data`` (N, S, 1 or 3): signal-to-noise ratio; projections on two components. ``noise`` (N or
    1, S, 1 or 6): ln(1 / sigma) at depth 1; products of mean and components; products of components
    (11, 22, 12). ``depth`` (N,): factors of the noise. ``signals`` (N, K) and ``displaced`` (N, S,
    K): integrals over the position from `DisplacedBank`, or None.
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


def _at_signals(signals, values, signal):
    """Interpolate values (n, m, K) at even signals (n, K) to others (n, m, k), by cubics."""
    position = signal / signals[:, 1, np.newaxis, np.newaxis]
    count = signals.shape[1]
    first, weights = cubic_weights(np.minimum(position, count - 1.0), count)
    return sum(w * np.take_along_axis(values, first + i, axis=2) for i, w in enumerate(weights))


def _at_nodes(reduced, theta, y500, x):
    """ln L of clusters (n) at masses (m) and deviations x (n or 1, k) of ln Y: (n, m, k)."""
    data = at_sizes(reduced.data, theta)[:, :, np.newaxis]
    noise = at_sizes(reduced.noise, theta)[:, :, np.newaxis]
    signal = y500 * np.exp(noise[..., 0, 0]) / reduced.depth[:, np.newaxis]
    signal = signal[..., np.newaxis] * np.exp(x)[:, np.newaxis]
    total = signal * (data[..., 0] - 0.5 * signal)
    if data.shape[-1] == 3:
        total += _log_gaussian_integral(
            signal * (data[..., 1] - signal * noise[..., 1]),
            signal * (data[..., 2] - signal * noise[..., 2]),
            1 + signal**2 * noise[..., 3],
            1 + signal**2 * noise[..., 4],
            signal**2 * noise[..., 5],
        )
    if reduced.displaced is not None:
        total += _at_signals(reduced.signals, at_sizes(reduced.displaced, theta), signal)
    return total


def marginal_log_likelihood(reduced, theta, y500, sigma_lny):
    """ln of the likelihood of masses (N, m) of N cutouts, with a scatter of ln Y at given mass.

    Sizes [arcmin] and median signals [arcmin2] of the masses have the shape (N, m), the scatter
    that of one number or (N,). NaN where a signal is so high that it would take more nodes than any
    cluster needs.
    """
    n, m = theta.shape
    sigma_lny = np.broadcast_to(sigma_lny, n)
    result = np.full((n, m), np.nan)
    # The narrower of scatter and likelihood sets the spacing of the nodes: sums over evenly
    # spaced nodes converge exponentially for Gaussians.
    snr = np.maximum(reduced.data[..., 0].max(axis=1, initial=1.0), 1.0)
    half = np.ceil(_RANGE / _SPACING * np.sqrt(1 + (sigma_lny * snr) ** 2))
    # Rounded up to a few numbers that clusters share.
    half = np.ceil(2 ** (np.ceil(4 * np.log2(half)) / 4))
    for count in np.unique(half[half <= _MOST]):
        rows = np.flatnonzero(half == count)
        x = np.linspace(-_RANGE, _RANGE, 2 * int(count) + 1) if sigma_lny.any() else np.zeros(1)
        log_weight = -0.5 * x**2
        log_weight -= np.log(np.exp(log_weight).sum())
        # Some masses of one cluster, or all masses of some clusters.
        width = min(m, max(1, _AT_ONCE // len(x)))
        size = max(1, _AT_ONCE // (width * len(x)))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            for low in range(0, m, width):
                log_l = _at_nodes(
                    reduced[part],
                    theta[part, low : low + width],
                    y500[part, low : low + width],
                    np.multiply.outer(sigma_lny[part], x),
                )
                log_l += log_weight
                highest = log_l.max(axis=2, keepdims=True)
                np.exp(log_l - highest, out=log_l)
                result[part, low : low + width] = np.log(log_l.sum(axis=2)) + highest[..., 0]
    return result
