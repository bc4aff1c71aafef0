"""Power spectra of masked fields with the coupling of modes undone, on plain arrays.

A homogeneous field n seen through a window w has the correlation function of n times that of w. So
the mean pseudo-spectrum that a spectrum leads to is a transform to correlations, a product
and a transform back: the coupling matrix of Hivon et al. 2002 (2002ApJ...567....2H) without
its 3-j symbols, and the same on the flat sky. Spectra are a smooth shape times one number per
band; the shape matters only inside a band.
"""

import numpy as np
from scipy import fft

from szmass.exceptions import InvalidInputError
from szmass.maps.noise._power import flat_multipoles

# Width of a band relative to l, where the field is large enough for it.
_LOG_WIDTH = 0.12

# How far beyond its last band a spectrum on the sphere goes on.
_BEYOND = 1.1


def band_edges(fundamental, ell_max):
    """Edges of bands up to ell_max: as wide as the fundamental at first, then a fraction of l."""
    edges = [0.5 * fundamental]
    while edges[-1] < ell_max:
        edges.append(edges[-1] + max(1.25 * fundamental, _LOG_WIDTH * edges[-1]))
    if edges[-1] - ell_max > 0.5 * (edges[-1] - edges[-2]):
        del edges[-1]
    edges[-1] = ell_max
    return np.array(edges)


class _Coupling:
    """Means over bands; ``ell``, ``weight``: multipoles and how many modes each stands for."""

    def __init__(self, ell, weight, edges, area):
        self.ell, self.edges = ell, edges
        band = np.digitize(ell, edges) - 1
        self._used = (band >= 0) & (band < len(edges) - 1)
        self._band, self._weight = band[self._used], weight[self._used]
        self._norm = np.bincount(self._band, self._weight, len(edges) - 1)
        if len(edges) < 3 or np.any(np.diff(edges) <= 0) or np.any(self._norm == 0):
            raise InvalidInputError(
                "Each band of multipoles must hold modes of the field. Received: edges at "
                + ", ".join(f"{edge:.0f}" for edge in edges)
            )
        self.area = area

    def mean(self, power):
        """Mean of a spectrum in each band."""
        return np.bincount(self._band, self._weight * power[self._used]) / self._norm

    def bands_of(self, shape):
        """Yield the part of a spectrum in each band; outer bands go on beyond their edges."""
        index = np.digitize(self.ell, self.edges[1:-1])
        for band in range(len(self.edges) - 1):
            yield np.where(index == band, shape, 0.0)

    def relative_error(self, shape):
        """Sampling error of each band, as if its modes were independent."""
        power, square = self.mean(shape), self.mean(shape**2)
        modes = np.diff(self.edges**2) * self.area / (4 * np.pi) * power**2 / square
        return np.sqrt(2 / modes)


class FlatCoupling(_Coupling):
    """Pseudo-spectra of fields of pixels of a side [rad] through windows (ny, nx), one each."""

    def __init__(self, windows, shape, pixel, edges):
        # Twice the field: correlations at lags up to its whole side, not wrapped.
        self._padded = tuple(fft.next_fast_len(2 * n, real=True) for n in shape)
        total, square, quartic = 0.0, 0.0, 0.0
        for window in windows:
            total = total + self._pseudo(window)
            square += np.sum(window**2)
            quartic += np.sum(window**4)
        ell = flat_multipoles(self._padded, pixel)
        weight = np.full(ell.shape, 2.0)
        weight[:, 0] = 1.0
        if self._padded[1] % 2 == 0:
            weight[:, -1] = 1.0
        super().__init__(ell, weight, edges, pixel**2 * square**2 / quartic)
        self._correlation = fft.irfft2(total / square, s=self._padded)
        self._scale = pixel**2 / square

    def _pseudo(self, field):
        return np.abs(fft.rfft2(field, s=self._padded)) ** 2

    def measure(self, fields):
        """Mean per band of data times window, per area of the windows [data^2 sr]."""
        return self.mean(sum(self._pseudo(field) for field in fields) * self._scale)

    def response(self, shape):
        """Pseudo-spectrum per band (first axis) due to each band of a spectrum (second axis)."""
        rows = []
        for part in self.bands_of(shape):
            correlation = fft.irfft2(part, s=self._padded) * self._correlation
            rows.append(self.mean(fft.rfft2(correlation).real))
        return np.transpose(rows)


class SphereCoupling(_Coupling):
    """Pseudo-spectra through a window of known spectrum; area: (int w^2)^2 / int w^4 [sr]."""

    def __init__(self, window_spectrum, area, edges):
        # What is somewhat beyond the last band leaks into it.
        ell = np.arange(np.ceil(_BEYOND * edges[-1]) + 1)
        super().__init__(ell, 2 * ell + 1, edges, area)
        degree = 2 * (len(ell) - 1) + len(window_spectrum) - 1
        self._x, self._quadrature = _fejer(degree + 1)
        modes = 2 * np.arange(len(window_spectrum)) + 1
        self._power = modes @ window_spectrum / (4 * np.pi)
        window = modes / (4 * np.pi) * window_spectrum / self._power
        self._correlation = np.polynomial.legendre.legval(self._x, window)

    def measure(self, spectrum):
        """Mean per band of a pseudo-spectrum from l = 0, per area of the window."""
        padded = np.zeros(len(self.ell))
        padded[: len(spectrum)] = spectrum[: len(self.ell)]
        return self.mean(padded / self._power)

    def response(self, shape):
        """Pseudo-spectrum per band (first axis) due to each band of a spectrum (second axis)."""
        coefficients = np.transpose(list(self.bands_of(shape)))
        coefficients *= (2 * self.ell[:, np.newaxis] + 1) / (4 * np.pi)
        correlation = np.polynomial.legendre.legval(self._x, coefficients)
        correlation *= 2 * np.pi * self._quadrature * self._correlation
        before, polynomial = np.zeros_like(self._x), np.ones_like(self._x)
        spectra = np.empty((len(self.ell), len(correlation)))
        for ell in range(len(self.ell)):
            spectra[ell] = correlation @ polynomial
            following = ((2 * ell + 1) * self._x * polynomial - ell * before) / (ell + 1)
            before, polynomial = polynomial, following
        return np.transpose([self.mean(spectrum) for spectrum in spectra.T])


def _fejer(n):
    """Nodes and weights on [-1, 1] that integrate polynomials of degree n - 1 exactly."""
    theta = (np.arange(n) + 0.5) * np.pi / n
    even = np.zeros(n)
    k = np.arange(0, n, 2)
    even[::2] = 2 / (1 - k**2)
    return np.cos(theta), 2 * fft.idct(even, type=2)


def solve_bands(coupling, measured, beam_power):
    """Undo the coupling: shape of the spectrum inside bands, and its factor in each (may be < 0).

    ``beam_power(l)`` is a first guess of the shape.
    """
    shape = beam_power
    factor = np.linalg.solve(coupling.response(shape(coupling.ell)), measured)
    # A cubic in log-log through the first solution is a better shape.
    ell = np.maximum(coupling.mean(coupling.ell), 1.0)
    good = factor > 0
    if np.count_nonzero(good) > 4:
        weight = 1 / coupling.relative_error(shape(coupling.ell))[good]
        cubic = np.polynomial.Polynomial.fit(np.log(ell[good]), np.log(factor[good]), 3, w=weight)

        def shape(x):
            x_in = np.clip(x, ell[0], ell[-1])
            return beam_power(x) * np.exp(cubic(np.log(x_in)))

        factor = np.linalg.solve(coupling.response(shape(coupling.ell)), measured)
    return shape, factor
