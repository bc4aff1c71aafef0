"""Anomaly scores: Gaussian densities that depend smoothly on a few numbers, and p-values."""

from itertools import combinations_with_replacement

import numpy as np

__all__ = [
    "AnomalyScore",
    "ConditionalGaussian",
    "SmoothBasis",
    "Standardisation",
    "inverse_normal",
]

# Steps of iterative fits: of variances, and of coefficients given variances.
_VARIANCE_STEPS, _ROUNDS = 8, 3
# Squared deviations count up to this many variances, and weigh less beyond the other: rare
# mergers are not to set them.
_LARGEST, _KNEE = 12.0, 8.0
_EXPONENT = 60.0
# Beyond this share of the reference values the distribution is taken as exponential.
_TAIL = 0.05
# Shares at which quantiles are kept.
_SHARES = np.concatenate([np.linspace(1, 0.1, 91), np.geomspace(0.1, _TAIL, 12)[1:]])


class SmoothBasis:
    """Polynomials up to a total degree, of variables that are moved into the range low to high."""

    def __init__(self, low, high, degree):
        self.low, self.high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
        self._terms = [
            list(term)
            for order in range(degree + 1)
            for term in combinations_with_replacement(range(len(self.low)), order)
        ]

    def __len__(self):
        return len(self._terms)

    def __call__(self, x):
        """Polynomials (N, terms) at x (N, variables)."""
        width = np.maximum(self.high - self.low, 1e-12)
        t = 2 * (np.clip(x, self.low, self.high) - self.low) / width - 1
        return np.stack([t[:, term].prod(axis=1) for term in self._terms], axis=1)


class ConditionalGaussian:
    """Whitens numbers by their mean and covariance at given x.

    Each number is predicted from those before it, with coefficients that depend on x, and its
    residual is divided by a standard deviation that depends on x: a Cholesky factor made of
    regressions. Complex numbers have mean 0 and real coefficients, as multipoles of fields without
    a preferred direction have; their real and imaginary parts have variance 1/2 when whitened.

    ``means``, ``slopes`` and ``variances`` are lists of coefficients, one array per number: of the
    mean, of the numbers before, and of the logarithm of the variance.
    """

    def __init__(self, means, slopes, variances):
        self.means, self.slopes, self.variances = means, slopes, variances

    @classmethod
    def fit(cls, values, terms, few):
        """Fit to values (N, K): means and variances in terms (N, terms), slopes in few others."""
        inverse = inverse_normal(terms)
        found = []
        for k in range(values.shape[1]):
            before = _products(values[:, :k], few)
            offset = 0 if np.iscomplexobj(values) else terms.shape[1]
            design = np.concatenate([terms[:, :offset], before], axis=1)
            log_variance, variance = np.zeros(len(values)), None
            for _ in range(_ROUNDS):
                weight = np.exp(-0.5 * log_variance)
                slope = _least_squares(design * weight[:, np.newaxis], values[:, k] * weight)
                square = np.abs(values[:, k] - design @ slope) ** 2
                variance = _log_variance(square, terms, inverse, variance)
                log_variance = np.clip(terms @ variance, -_EXPONENT, _EXPONENT)
                log_variance = log_variance + np.log1p(square / np.exp(log_variance) / _KNEE)
            found.append((slope[:offset], slope[offset:], variance))
        return cls(*(list(part) for part in zip(*found, strict=True)))

    def whiten(self, values, terms, few, *, difference=False):
        """Give standardised residuals; of a difference of two values without the mean."""
        result = np.empty_like(values)
        for k, slope in enumerate(self.slopes):
            expected = _products(values[:, :k], few) @ slope
            if len(self.means[k]) and not difference:
                expected = expected + terms @ self.means[k]
            result[:, k] = (values[:, k] - expected) * np.exp(-0.5 * (terms @ self.variances[k]))
        return result


def inverse_normal(terms):
    """Invert the matrix of normal equations of a basis at all points."""
    normal = terms.T @ terms
    return np.linalg.inv(normal + 1e-9 * np.trace(normal) * np.eye(len(normal)))


def _products(before, few):
    parts = [before[:, [j]] * few for j in range(before.shape[1])]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(before), 0))


def _least_squares(design, target):
    if not design.shape[1]:
        return np.zeros(0)
    normal = (design.conj().T @ design).real
    normal[np.diag_indices_from(normal)] *= 1 + 1e-6
    return np.linalg.solve(normal, (design.conj().T @ target).real)


def _log_variance(square, terms, inverse, start):
    """Gamma regression with a logarithmic link, whose information matrix is constant."""
    if start is None:
        start = inverse @ (terms.T @ np.log(square + 1e-12 * square.mean() + 1e-300))
    for _ in range(_VARIANCE_STEPS):
        ratio = square / np.exp(np.clip(terms @ start, -_EXPONENT, _EXPONENT))
        start = start + np.clip(inverse @ (terms.T @ (np.minimum(ratio, _LARGEST) - 1)), -1, 1)
    return start


class AnomalyScore:
    """-log10 of the share of reference values above, extrapolated beyond the rarest 5 %.

    ``quantiles`` are exceeded by known shares of the reference; ``scale`` is the mean excess of
    what is beyond the last of them.
    """

    def __init__(self, quantiles, scale):
        self.quantiles, self.scale = quantiles, scale

    @classmethod
    def fit(cls, reference):
        """Fit to reference values (N,)."""
        quantiles = np.quantile(reference, 1 - _SHARES)
        return cls(quantiles, np.mean(reference[reference > quantiles[-1]] - quantiles[-1]))

    def __call__(self, values):
        """-log10 p of values (N,)."""
        inside = np.interp(values, self.quantiles, -np.log10(_SHARES))
        beyond = np.maximum(values - self.quantiles[-1], 0.0) / self.scale
        return inside + beyond / np.log(10)


class Standardisation:
    """Takes what depends on x out of middle and width: coefficients of it, and of its logarithm."""

    def __init__(self, middle, width):
        self.middle, self.width = middle, width

    @classmethod
    def fit(cls, values, terms, inverse):
        """Fit to values (N,) at terms of a basis (N, terms), whose normal matrix is inverted."""
        middle = inverse @ (terms.T @ values)
        distance = np.abs(values - terms @ middle)
        return cls(middle, inverse @ (terms.T @ np.log(distance + 1e-6)))

    def __call__(self, values, terms):
        """Values (N,) with the same middle and width at all x."""
        return (values - terms @ self.middle) * np.exp(-(terms @ self.width))
