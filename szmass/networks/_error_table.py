"""Errors of a network, tabulated against the mass it predicts."""

from dataclasses import dataclass

import numpy as np

from szmass.exceptions import InvalidInputError

__all__ = ["ErrorTable"]


@dataclass(frozen=True)
class ErrorTable:
    """Errors of log10(mass) as a function of the predicted mass, linear between nodes.

    Parameters
    ----------
    log10_mass : tuple of float
        Predicted log10(mass / Msun), increasing.
    err_minus, err_plus : tuple of float
        Distances [dex] down and up from the predicted mass to the limits of the interval.
    level : float
        Probability in the interval.
    """

    log10_mass: tuple[float, ...]
    err_minus: tuple[float, ...]
    err_plus: tuple[float, ...]
    level: float = 0.68

    def __post_init__(self):
        for name in ("log10_mass", "err_minus", "err_plus"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        if not len(self.log10_mass) == len(self.err_minus) == len(self.err_plus) >= 2:
            raise InvalidInputError(
                "'log10_mass', 'err_minus' and 'err_plus' must be of one length, at least 2."
            )
        if np.any(np.diff(self.log10_mass) <= 0):
            raise InvalidInputError("'log10_mass' of an error table must increase.")
        if not all(error > 0 for error in self.err_minus + self.err_plus):
            raise InvalidInputError("'err_minus' and 'err_plus' must be positive.")

    def at(self, log10_mass):
        """Look errors up.

        Parameters
        ----------
        log10_mass : array-like of float
            Predicted log10(mass / Msun).

        Returns
        -------
        err_minus : `~numpy.ndarray`
            Errors downwards [dex]; NaN outside the table.
        err_plus : `~numpy.ndarray`
            Errors upwards [dex]; NaN outside the table.
        """
        return tuple(
            np.interp(log10_mass, self.log10_mass, values, left=np.nan, right=np.nan)
            for values in (self.err_minus, self.err_plus)
        )
