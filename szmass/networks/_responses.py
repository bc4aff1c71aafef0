"""What networks find of a true amplitude: slope, noise, its growth and scatter, from mocks."""

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
_GROWTH = (0.0, 2.0)


class Response:
    """Distribution of what networks find where the true amplitude is nu.

    It is normal, of mean ``slope * nu`` and variance ``noise^2 + growth * slope * nu +
    (shapes * slope * nu)^2``; all four are functions of redshift, ``values`` (3, knots) and
    ``growth`` (knots,) at its knots. Networks that are told of position errors look for the
    cluster, and find more noise: that is multiplied by a function of the error, ``factors``
    (knots,) at its knots, 1 where positions are exact.
    """

    def __init__(self, values=None, factors=None, growth=None):
        if values is None:
            values = np.repeat(np.array(_START)[:, np.newaxis], len(_KNOTS), axis=1)
        if factors is None:
            factors = np.ones(len(_CENTRING))
        if growth is None:
            growth = np.zeros(len(_KNOTS))
        self.values = np.asarray(values, dtype=float)
        self.factors = np.asarray(factors, dtype=float)
        self.growth = np.asarray(growth, dtype=float)

    @classmethod
    def from_arrays(cls, arrays):
        """Make one of the arrays of a file: some of values, factors and growth, or nothing."""
        start = cls().to_arrays()
        for name, array in arrays.items():
            if (
                name not in start
                or array.shape != start[name].shape
                or np.any(array < 0)
                or (name != "growth" and np.any(array == 0))
            ):
                raise FileFormatError(
                    "The response must be positive "
                    + " and ".join(f"{name!r} of shape {own.shape}" for name, own in start.items())
                    + " ('growth' may be 0). Received: "
                    + f"{ {name: np.shape(array) for name, array in arrays.items()} }"
                )
        return cls(**arrays)

    def to_arrays(self):
        """Give the arrays of a file."""
        return {"values": self.values, "factors": self.factors, "growth": self.growth}

    @classmethod
    def fit(cls, found, true, redshift, centring):
        """Fit to amplitudes found and true, at redshifts and position errors [arcmin], all (N,).

        A few mocks may be anything.
        """
        start = cls()
        n, knots = start.values.size, len(_KNOTS)

        def response(numbers):
            factors = [1.0, *numbers[n:-knots]]
            return cls(numbers[:n].reshape(start.values.shape), factors, numbers[-knots:])

        def objective(numbers):
            pull, width = response(numbers).pull(found, true, redshift, centring)
            square = 0.5 * pull**2
            odd = _ODD / _WIDER * np.exp(-square / _WIDER**2)
            return -np.mean(np.log((1 - _ODD) * np.exp(-square) + odd + 1e-300) - np.log(width))

        factors = start.factors[1:]
        first = np.concatenate([start.values.ravel(), factors, start.growth])
        bounds = np.repeat(_LIMITS, knots, axis=0).tolist()
        bounds += [_FACTORS] * len(factors) + [_GROWTH] * knots
        return response(optimize.minimize(objective, first, bounds=bounds, method="L-BFGS-B").x)

    def at(self, redshift, centring):
        """Slope, noise, scatter and growth, all (N,), at redshifts and position errors [arcmin]."""
        slope, noise, shapes, growth = (
            np.interp(np.log(redshift), _KNOTS, row) for row in (*self.values, self.growth)
        )
        return slope, noise * np.interp(centring, _CENTRING, self.factors), shapes, growth

    def pull(self, found, true, redshift, centring):
        """Deviations in units of their standard deviations, and these, each (N,)."""
        slope, noise, shapes, growth = self.at(redshift, centring)
        mean = slope * true
        variance = noise**2 + growth * np.maximum(mean, 0) + (shapes * mean) ** 2
        width = np.sqrt(variance)
        return (found - mean) / width, width
