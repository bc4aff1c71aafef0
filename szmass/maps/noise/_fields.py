"""Gaussian fields on the flat sky, drawn in Fourier space, on plain arrays."""

import numpy as np
from scipy import fft

from szmass.maps.noise._spectra import flat_multipoles

__all__ = ["FieldSampler", "mean_power"]

# Modes beyond those that hold all but this part of the variance are not drawn: noise that has
# been through a 10 arcmin beam fills a fifth of the Fourier plane of 1.7 arcmin pixels.
_NEGLECTED = 1e-6

# Fields made at a time, so that they stay in the processor's cache.
_CHUNK = 8

# The power of the lowest modes is a mean over their cells; up to this many fundamentals, with
# this many points in a cell.
_LOW, _POINTS = 6, 9


def mean_power(power, shape, pixel):
    """Give the power of each mode of a field, as a mean over the mode's cell.

    The cell of the mode 0 holds what is on scales larger than the field: the mean over the field
    is not 0.

    Parameters
    ----------
    power : callable
        Power spectrum as a function of l [sr], finite at l = 0.
    shape : (int, int)
        Pixels of the field.
    pixel : float
        Side of a pixel [rad].

    Returns
    -------
    ndarray
        Shape (ny, nx // 2 + 1) [sr].
    """
    result = power(flat_multipoles(shape, pixel))
    dy, dx = (2 * np.pi / (n * pixel) for n in shape)
    inside = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    rows = fft.fftfreq(shape[0], 1 / shape[0])
    for row in np.flatnonzero(np.abs(rows) <= _LOW):
        for column in range(min(_LOW + 1, result.shape[1])):
            ell = np.hypot((rows[row] + inside[:, np.newaxis]) * dy, (column + inside) * dx)
            result[row, column] = power(ell).mean()
    return result


class FieldSampler:
    """Draws of a Gaussian field that is not periodic over its own size.

    Parameters
    ----------
    power : callable
        Power spectrum as a function of l [sr], finite at l = 0.
    shape : (int, int)
        Pixels (ny, nx) of a field.
    pixel : float
        Side of a pixel [rad].
    padding : float
        Fields are cut out of larger ones; how many times larger in each direction.
    dtype : dtype
        float32 or float64.
    """

    def __init__(self, power, shape, pixel, padding, dtype):
        self._shape = shape
        self._dtype = np.dtype(dtype)
        rows, columns = (fft.next_fast_len(int(np.ceil(padding * n)), real=True) for n in shape)
        self._padded = rows, columns
        variance = mean_power(power, self._padded, pixel) / (rows * columns * pixel**2)
        # Real and imaginary part share the variance of a mode. In the columns of real modes
        # the inverse transform uses the real part alone of what comes out of the first step.
        amplitude = np.sqrt(variance / 2)
        amplitude[:, 0] *= np.sqrt(2)
        if columns % 2 == 0:
            amplitude[:, -1] *= np.sqrt(2)
        order = np.argsort(variance, axis=None)
        small = np.cumsum(variance.flat[order]) < _NEGLECTED * variance.sum()
        used = np.ones(variance.size, bool)
        used[order[small]] = False
        used = used.reshape(variance.shape)
        self._columns = int(np.flatnonzero(used.any(axis=0)).max()) + 1
        index = np.abs(fft.fftfreq(rows, 1 / rows)).astype(int)
        highest = index[used.any(axis=1)].max()
        self._rows = np.flatnonzero(index <= highest)
        self._split = int(np.count_nonzero(self._rows <= highest))
        self._amplitude = amplitude[self._rows, : self._columns].astype(self._dtype)

    def draw(self, n, rng):
        """Draw fields.

        Parameters
        ----------
        n : int
            How many.
        rng : `~numpy.random.Generator` or list of them
            Source of random numbers, or one for each field.

        Returns
        -------
        ndarray
            Shape (n, ny, nx), contiguous.
        """
        result = np.empty((n, *self._shape), self._dtype)
        ny, nx = self._shape
        kind = np.result_type(self._dtype, np.complex64)
        normal = np.empty((_CHUNK, *self._amplitude.shape, 2), self._dtype)
        modes = np.zeros((_CHUNK, self._padded[0], self._columns), kind)
        split, rest = self._split, len(self._rows) - self._split
        for start in range(0, n, _CHUNK):
            count = min(_CHUNK, n - start)
            if isinstance(rng, list):
                for row, own in zip(normal, rng[start : start + count], strict=False):
                    own.standard_normal(out=row, dtype=self._dtype)
            else:
                rng.standard_normal(out=normal[:count], dtype=self._dtype)
            block = normal[:count].view(kind)[..., 0]
            np.multiply(block[:, :split], self._amplitude[:split], out=modes[:count, :split])
            if rest:
                np.multiply(block[:, split:], self._amplitude[split:], out=modes[:count, -rest:])
            partly = fft.ifft(modes[:count], axis=1, norm="forward")[:, :ny]
            whole = fft.irfft(partly, n=self._padded[1], axis=2, norm="forward")
            result[start : start + count] = whole[:, :, :nx]
        return result
