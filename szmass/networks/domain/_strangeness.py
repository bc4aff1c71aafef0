"""How rare values are: from reference values to -log10 of the share that is at least as large."""

import numpy as np

__all__ = ["EvenedOut", "Rarity"]

# Beyond this share of the reference values the distribution is taken as exponential.
_TAIL = 0.05
# Shares at which quantiles are kept.
_SHARES = np.concatenate([np.linspace(1, 0.1, 91), np.geomspace(0.1, _TAIL, 12)[1:]])


class Rarity:
    """-log10 of the share of reference values above, extrapolated beyond the rarest 5 %.

    Parameters
    ----------
    quantiles : ndarray
        Values that known shares of the reference exceed.
    scale : float
        Mean excess of what is beyond the last of them.
    """

    def __init__(self, quantiles, scale):
        self.quantiles, self.scale = quantiles, scale

    @classmethod
    def fit(cls, reference):
        """Fit to reference values (N,)."""
        quantiles = np.quantile(reference, 1 - _SHARES)
        return cls(quantiles, np.mean(reference[reference > quantiles[-1]] - quantiles[-1]))

    def __call__(self, values):
        """Give the rarity of values (N,)."""
        inside = np.interp(values, self.quantiles, -np.log10(_SHARES))
        beyond = np.maximum(values - self.quantiles[-1], 0.0) / self.scale
        return inside + beyond / np.log(10)


class EvenedOut:
    """Takes out of values what depends on x in their middle and width.

    Parameters
    ----------
    middle, width : ndarray
        Coefficients in the basis, of the width's logarithm.
    """

    def __init__(self, middle, width):
        self.middle, self.width = middle, width

    @classmethod
    def fit(cls, values, terms, inverse):
        """Fit to values (N,) at terms of a basis (N, terms), whose normal matrix is inverted."""
        middle = inverse @ (terms.T @ values)
        distance = np.abs(values - terms @ middle)
        return cls(middle, inverse @ (terms.T @ np.log(distance + 1e-6)))

    def __call__(self, values, terms):
        """Give values (N,) with the same middle and width at all x."""
        return (values - terms @ self.middle) * np.exp(-(terms @ self.width))
