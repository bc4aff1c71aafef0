"""What networks find of a true amplitude: slope, noise, scatter and share, fitted to mocks."""

import numpy as np
from scipy import optimize

from szmass.exceptions import FileFormatError

# Middles of the redshift bins of de Andres et al. (2022), between which values are linear.
_KNOTS = np.log([0.055, 0.15, 0.3, 0.7])
# Position errors per axis [arcmin] between which factors of the noise are linear.
_CENTRING = (0.0, 1.0, 2.5)
# Part of mocks that may be anything, such as blends, and how much wider they scatter.
_ODD, _WIDER = 0.03, 5.0
_START = (1.0, 1.1, 0.06)
_LIMITS = ((0.5, 2.0), (0.2, 5.0), (1e-3, 1.0))
_FACTORS = (0.3, 3.0)
_SHARES = (0.5, 1.5)


class Response:
    """Distribution of what networks find where the true amplitude is nu.

    It is normal, of mean ``slope * nu`` and variance ``noise^2 + (shapes * slope * nu)^2``; all
    three are functions of redshift, ``values`` (3, knots) at its knots. Networks that are told of
    position errors look for the cluster, and find more noise: that is multiplied by a function of
    the error, ``factors`` (knots,) at its knots, 1 where positions are exact.

    A cluster brighter than its mass says looks like a larger one, whose noise is higher: of its
    deviation of ln Y from the median of its mass only a part is found, ``share`` (knots,) at the
    knots of redshift. So nu is there that of the median times exp(share * deviation).
    """

    def __init__(self, values=None, factors=None, share=None):
        if values is None:
            values = np.repeat(np.array(_START)[:, np.newaxis], len(_KNOTS), axis=1)
        if factors is None:
            factors = np.ones(len(_CENTRING))
        if share is None:
            share = np.ones(len(_KNOTS))
        self.values = np.asarray(values, dtype=float)
        self.factors = np.asarray(factors, dtype=float)
        self.share = np.asarray(share, dtype=float)

    @classmethod
    def from_arrays(cls, arrays):
        """Make one of the arrays of a file: values, factors, share, some of these, or nothing."""
        start = cls().to_arrays()
        for name, array in arrays.items():
            if name not in start or array.shape != start[name].shape or np.any(array <= 0):
                raise FileFormatError(
                    "The response must be positive "
                    + " and ".join(f"{name!r} of shape {own.shape}" for name, own in start.items())
                    + f". Received: { {name: np.shape(array) for name, array in arrays.items()} }"
                )
        return cls(**arrays)

    def to_arrays(self):
        """Give the arrays of a file."""
        return {"values": self.values, "factors": self.factors, "share": self.share}

    @classmethod
    def fit(cls, found, true, deviation, redshift, centring):
        """Fit to amplitudes found and true, all (N,); a few mocks may be anything.

        The logarithms of the true ones deviate by ``deviation`` from the median of their mass;
        position errors are in arcmin.
        """
        start = cls()
        shape, knots = start.values.shape, len(_KNOTS)
        n = start.values.size

        def response(numbers):
            values, share, factors = np.split(numbers, [n, n + knots])
            return cls(values.reshape(shape), [1.0, *factors], share)

        def objective(numbers):
            pull, width = response(numbers).pull(found, true, deviation, redshift, centring)
            square = 0.5 * pull**2
            odd = _ODD / _WIDER * np.exp(-square / _WIDER**2)
            return -np.mean(np.log((1 - _ODD) * np.exp(-square) + odd + 1e-300) - np.log(width))

        first = np.concatenate([start.values.ravel(), start.share, start.factors[1:]])
        limits = [*_LIMITS, _SHARES]
        bounds = [*np.repeat(limits, knots, axis=0), *[_FACTORS] * (len(_CENTRING) - 1)]
        return response(optimize.minimize(objective, first, bounds=bounds, method="L-BFGS-B").x)

    def at(self, redshift, centring):
        """Slope, noise, scatter and share, each (N,), at redshifts and position errors [arcmin]."""
        slope, noise, shapes, share = (
            np.interp(np.log(redshift), _KNOTS, row) for row in (*self.values, self.share)
        )
        return slope, noise * np.interp(centring, _CENTRING, self.factors), shapes, share

    def pull(self, found, true, deviation, redshift, centring):
        """Deviations in units of their standard deviations, and these, each (N,); as for `fit`."""
        slope, noise, shapes, share = self.at(redshift, centring)
        expected = slope * true * np.exp((share - 1) * deviation)
        width = np.hypot(noise, shapes * expected)
        return (found - expected) / width, width
