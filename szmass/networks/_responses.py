"""What networks find of a true amplitude: slope, noise and scatter, fitted to mocks."""

import numpy as np
from scipy import optimize

from szmass.exceptions import FileFormatError

# Middles of the redshift bins of de Andres et al. (2022), between which values are linear.
_KNOTS = np.log([0.055, 0.15, 0.3, 0.7])
# Part of mocks that may be anything, such as blends, and how much wider they scatter.
_ODD, _WIDER = 0.03, 5.0
_START = (1.0, 1.1, 0.06)
_LIMITS = ((0.5, 2.0), (0.2, 5.0), (1e-3, 1.0))


class Response:
    """Distribution of what networks find where the true amplitude is nu.

    It is normal, of mean ``slope * nu`` and variance ``noise^2 + (shapes * slope * nu)^2``; all
    three are functions of redshift, ``values`` (3, knots) at its knots.
    """

    def __init__(self, values=None):
        if values is None:
            values = np.repeat(np.array(_START)[:, np.newaxis], len(_KNOTS), axis=1)
        self.values = np.asarray(values, dtype=float)

    @classmethod
    def from_arrays(cls, arrays):
        """Make one of the arrays of a file: values, or nothing."""
        found = cls(**arrays) if arrays.keys() <= {"values"} else None
        if found is None or found.values.shape != cls().values.shape or np.any(found.values <= 0):
            raise FileFormatError(
                f"The response must be positive 'values' of shape {cls().values.shape}. "
                f"Received: { {name: np.shape(array) for name, array in arrays.items()} }"
            )
        return found

    @classmethod
    def fit(cls, found, true, redshift):
        """Fit to amplitudes found and true, at redshifts (N,); a few mocks may be anything."""

        def objective(values):
            pull, width = cls(values.reshape(3, -1)).pull(found, true, redshift)
            square = 0.5 * pull**2
            odd = _ODD / _WIDER * np.exp(-square / _WIDER**2)
            return -np.mean(np.log((1 - _ODD) * np.exp(-square) + odd + 1e-300) - np.log(width))

        start = cls().values
        bounds = np.repeat(np.array(_LIMITS), len(_KNOTS), axis=0)
        fitted = optimize.minimize(objective, start.ravel(), bounds=bounds, method="L-BFGS-B")
        return cls(fitted.x.reshape(start.shape))

    def at(self, redshift):
        """Slope, noise and scatter, each (N,), at redshifts."""
        return [np.interp(np.log(redshift), _KNOTS, row) for row in self.values]

    def pull(self, found, true, redshift):
        """Deviations in units of their standard deviations, and these, each (N,)."""
        slope, noise, shapes = self.at(redshift)
        width = np.hypot(noise, shapes * slope * true)
        return (found - slope * true) / width, width
