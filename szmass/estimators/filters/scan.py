"""Results of matched filters of many sizes: signals, and probability of size and signal."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._utils.quantities import as_floats
from szmass.estimators.filters._templates import SIZES, at_sizes
from szmass.exceptions import InvalidInputError

__all__ = ["FilterScan", "SignalSurface"]

# Sizes of a surface per step of the filters' sizes.
_FINER = 4


@dataclass(frozen=True)
class SignalSurface:
    """Probability of size and signal of one cluster, for flat priors in ln theta500 and Y500.

    Parameters
    ----------
    name : str
        Name of the cluster.
    theta500 : `~astropy.units.Quantity`
        Sizes [arcmin], shape (S,).
    y500 : `~astropy.units.Quantity`
        Signals [arcmin2], shape (M,).
    density : `~numpy.ndarray`
        Density in ln theta500 and Y500 / arcmin2, shape (S, M), of integral 1.
    curve : tuple of `~astropy.units.Quantity` or None
        Sizes and signals that masses at the cluster's redshift have.
    """

    name: str
    theta500: u.Quantity
    y500: u.Quantity
    density: np.ndarray
    curve: tuple | None = None


@dataclass(frozen=True)
class FilterScan:
    """What matched filters of a grid of sizes found.

    Parameters
    ----------
    names : `~numpy.ndarray`
        Names of the N clusters.
    theta500 : `~astropy.units.Quantity`
        The sizes [arcmin], shape (S,).
    y500, y500_err : `~astropy.units.Quantity`
        Signal and its error [arcmin2], shape (N, S).
    snr : `~numpy.ndarray`
        Their ratio.
    offset : `~astropy.units.Quantity`
        Where the cluster was found, right of and above the middle [arcmin], shape (N, 2).
    """

    names: np.ndarray
    theta500: u.Quantity
    y500: u.Quantity
    y500_err: u.Quantity
    snr: np.ndarray
    offset: u.Quantity

    def __len__(self):
        return len(self.names)

    def best(self):
        """Give for each cluster the size of highest signal-to-noise ratio.

        Returns
        -------
        `~astropy.table.QTable`
            Columns name, theta500, y500, y500_err, snr.
        """
        rows = np.arange(len(self))
        column = np.argmax(np.where(np.isnan(self.snr), -np.inf, self.snr), axis=1)
        return QTable(
            {
                "name": self.names,
                "theta500": self.theta500[column],
                "y500": self.y500[rows, column],
                "y500_err": self.y500_err[rows, column],
                "snr": self.snr[rows, column],
            }
        )

    def surface(self, row, *, y500=None, curve=None):
        """Give the probability of size and signal of one cluster.

        Parameters
        ----------
        row : int
            Which cluster.
        y500 : `~astropy.units.Quantity`, optional
            Signals at which to give it, evenly spaced [arcmin2].
        curve : tuple of `~astropy.units.Quantity`, optional
            Kept for the plot; `MatchedFilterMass.surface` gives that of the scaling relation.

        Returns
        -------
        SignalSurface
            Normalised over the sizes of the scan and these signals.

        Raises
        ------
        InvalidInputError
            The cluster has no signal to be described.
        """
        if not np.isfinite(self.snr[row]).all():
            raise InvalidInputError(
                f"The cluster {self.names[row]!r} was not measured: its cutout has no valid pixels."
            )
        # Finer than the sizes of the filters: between them everything is smooth.
        theta = np.geomspace(SIZES[0], SIZES[-1], _FINER * (len(SIZES) - 1) + 1)
        snr = at_sizes(self.snr[np.newaxis, row], theta[np.newaxis])[0]
        log_error = np.log(self.y500_err[np.newaxis, row].value)
        error = np.exp(at_sizes(log_error, theta[np.newaxis])[0])
        value = snr * error
        if y500 is None:
            likely = snr**2 > np.max(snr**2) - 9
            low, high = (value - 3 * error)[likely].min(), (value + 3 * error)[likely].max()
            y500 = np.linspace(low, high, 200) * u.arcmin**2
        y = as_floats(y500, u.arcmin**2, "y500", finite=True)
        pull = (y - value[:, np.newaxis]) / error[:, np.newaxis]
        density = np.exp(0.5 * (snr[:, np.newaxis] ** 2 - np.max(snr**2) - pull**2))
        norm = np.trapezoid(np.trapezoid(density, y, axis=1), np.log(theta))
        name = str(self.names[row])
        return SignalSurface(name, theta * u.arcmin, y * u.arcmin**2, density / norm, curve)
