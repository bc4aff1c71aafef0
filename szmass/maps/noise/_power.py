"""An isotropic power spectrum given at some multipoles, and integrals over it, on plain arrays."""

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError

__all__ = ["PowerTable", "beam_power", "pixel_window_power"]

# Correlation functions are tabulated with so many nodes per wave of the highest multipole that
# matters, the one below which all but this part of the variance is.
_NODES_PER_WAVE, _NEGLECTED = 8, 1e-7


def beam_power(ell, beam):
    """B_l^2 of a Gaussian beam.

    Parameters
    ----------
    ell : ndarray
        Multipoles.
    beam : `~astropy.units.Quantity` or None
        FWHM; None raises an error.

    Returns
    -------
    ndarray
        Of the shape of ``ell``.
    """
    if beam is None:
        raise InvalidInputError(
            "The noise model has no beam, and this needs the one that is in its spectrum. Make it "
            "with beam=..., or from maps that have one."
        )
    sigma = beam.to_value(u.rad) / np.sqrt(8 * np.log(2))
    return np.exp(-ell * (ell + 1) * sigma**2)


def pixel_window_power(ell, pixel):
    """Mean over directions of the squared window of square pixels.

    Parameters
    ----------
    ell : ndarray
        Multipoles.
    pixel : float
        Side [rad].

    Returns
    -------
    ndarray
        Of the shape of ``ell``.
    """
    phi = (np.arange(32) + 0.5) * (np.pi / 64)
    x = np.multiply.outer(ell * pixel / (2 * np.pi), [np.cos(phi), np.sin(phi)])
    return np.mean(np.prod(np.sinc(x), axis=-2) ** 2, axis=-1)


class PowerTable:
    """Power spectrum: power laws between the nodes, constant below them, nothing beyond.

    Parameters
    ----------
    ell : ndarray
        Multipoles, > 0 and increasing.
    power : ndarray
        The spectrum there [sr], > 0.
    """

    def __init__(self, ell, power):
        self.ell, self.power = ell, power
        self._log = np.log(ell), np.log(power)

    def __call__(self, ell):
        """Give the spectrum [sr] at multipoles >= 0, of any shape."""
        inside = np.maximum(ell, self.ell[0])
        return np.where(ell > self.ell[-1], 0.0, np.exp(np.interp(np.log(inside), *self._log)))

    def _integrand(self, pixel):
        top = self.ell[-1]
        ell = np.linspace(0, top, int(np.clip(top, 2000, 12000)))
        integrand = ell * self(ell) / (2 * np.pi)
        return ell, integrand if pixel is None else integrand * pixel_window_power(ell, pixel)

    def variance(self, ell_min=0.0, pixel=None):
        """Variance from a multipole on, after averaging over square pixels of a side [rad]."""
        ell, integrand = self._integrand(pixel)
        steps = (integrand[1:] + integrand[:-1]) / 2 * np.diff(ell)
        below = np.concatenate([[0], np.cumsum(steps)])
        return below[-1] - np.interp(ell_min, ell, below)

    def correlation(self, separation, pixel=None):
        """Correlation function at angles [rad] of any shape."""
        from scipy.interpolate import CubicSpline
        from scipy.special import j0

        ell, integrand = self._integrand(pixel)
        weight = integrand * ell[1]
        weight[-1] /= 2
        below = np.cumsum(weight)
        highest = ell[np.searchsorted(below, (1 - _NEGLECTED) * below[-1])]
        farthest = max(float(np.max(separation, initial=0.0)), 1e-6)
        waves = highest * farthest / (2 * np.pi)
        nodes = np.linspace(0, farthest, int(_NODES_PER_WAVE * waves) + 16)
        parts = np.array_split(nodes, 1 + len(nodes) // 64)
        values = np.concatenate([j0(np.multiply.outer(part, ell)) @ weight for part in parts])
        return CubicSpline(nodes, values)(separation)

    def variance_in_field(self, shape, pixel, window=None):
        """Variance of the pixels of a field about its mean; pixel sides in rad."""
        lags = [np.arange(1 - n, n) for n in shape]
        pairs = np.multiply.outer(*(n - np.abs(lag) for n, lag in zip(shape, lags, strict=True)))
        separation = pixel * np.hypot(lags[0][:, np.newaxis], lags[1])
        correlation = self.correlation(separation, window)
        of_the_mean = np.sum(pairs * correlation) / np.prod(shape) ** 2
        return correlation[shape[0] - 1, shape[1] - 1] - of_the_mean
