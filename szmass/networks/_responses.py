"""What networks find of a true amplitude: slope, noise and scatter, fitted to mocks."""

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


class Response:
    """Distribution of what networks find where the true amplitude is nu.

    It is normal, of mean ``slope * nu`` and variance ``noise^2 + (shapes * slope * nu)^2``; all
    three are functions of redshift, ``values`` (3, knots) at its knots. Networks that are told of
    position errors look for the cluster, and find more noise: that is multiplied by a function of
    the error, ``factors`` (knots,) at its knots, 1 where positions are exact.
    """

    def __init__(self, values=None, factors=None):
        if values is None:
            values = np.repeat(np.array(_START)[:, np.newaxis], len(_KNOTS), axis=1)
        if factors is None:
            factors = np.ones(len(_CENTRING))
        self.values = np.asarray(values, dtype=float)
        self.factors = np.asarray(factors, dtype=float)

    @classmethod
    def from_arrays(cls, arrays):
        """Make one of the arrays of a file: values, factors, or nothing."""
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
        return {"values": self.values, "factors": self.factors}

    @classmethod
    def fit(cls, found, true, redshift, centring):
        """Fit to amplitudes found and true, at redshifts and position errors [arcmin], all (N,).

        A few mocks may be anything.
        """
        start = cls()
        n = start.values.size

        def response(numbers):
            return cls(numbers[:n].reshape(start.values.shape), [1.0, *numbers[n:]])

        def objective(numbers):
            pull, width = response(numbers).pull(found, true, redshift, centring)
            square = 0.5 * pull**2
            odd = _ODD / _WIDER * np.exp(-square / _WIDER**2)
            return -np.mean(np.log((1 - _ODD) * np.exp(-square) + odd + 1e-300) - np.log(width))

        first = np.concatenate([start.values.ravel(), start.factors[1:]])
        bounds = [*np.repeat(_LIMITS, len(_KNOTS), axis=0), *[_FACTORS] * (len(first) - n)]
        return response(optimize.minimize(objective, first, bounds=bounds, method="L-BFGS-B").x)

    def at(self, redshift, centring):
        """Slope, noise and scatter, each (N,), at redshifts and position errors [arcmin]."""
        slope, noise, shapes = (np.interp(np.log(redshift), _KNOTS, row) for row in self.values)
        return slope, noise * np.interp(centring, _CENTRING, self.factors), shapes

    def pull(self, found, true, redshift, centring):
        """Deviations in units of their standard deviations, and these, each (N,)."""
        slope, noise, shapes = self.at(redshift, centring)
        width = np.hypot(noise, shapes * slope * true)
        return (found - slope * true) / width, width
