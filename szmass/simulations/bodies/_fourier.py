"""Beam-convolved maps from their transforms.

A beam of 10 arcmin leaves nothing at the Nyquist frequency of 1.7 arcmin pixels: what is written
down in Fourier space and transformed back are exact point samples of the convolved sky, without a
finer grid. The period of the grid is so large that no component's periodic image reaches the field.
"""

import functools

import numpy as np
from scipy import fft

from szmass.exceptions import InvalidInputError
from szmass.physics.templates import table_position

# What the windows suppress below exp(-_CUT^2 / 2) = 8e-7 is left out.
_CUT = 5.3

# Finest grid that is tried for pixels wider than the beam.
_FINEST = 8


class Window:
    """Windows of beam [arcmin] and pixels [arcmin2 per axis], Gaussian as far as it matters."""

    def __init__(self, fwhm, box_variance=0.0):
        self.sigma = np.sqrt(fwhm**2 / (8 * np.log(2)) + box_variance)
        self.k_max = _CUT / self.sigma

    def __call__(self, k_squared):
        return np.exp(-0.5 * self.sigma**2 * k_squared)


class FieldGrid:
    """Adds up components of fields of one shape and pixel [arcmin] and transforms them to maps."""

    def __init__(self, shape, pixel, window):
        # A finer grid where the pixels do not resolve the beam, of which every n-th point is kept.
        self._fine = max(1, int(np.ceil(pixel * window.k_max / np.pi)))
        if self._fine > _FINEST:
            widest = _FINEST * np.pi / window.k_max
            raise InvalidInputError(
                f"Pixels of {pixel:g} arcmin are much too coarse for the beam; they must be at "
                f"most {widest:.3g} arcmin. Choose a finer 'pixel_scale' or a wider 'beam'."
            )
        self.shape, self.pixel, self.window = tuple(shape), pixel, window
        self._modes = functools.lru_cache(maxsize=32)(self._make_modes)

    def size(self, reach):
        """Pixels of the period for components that reach so far [arcmin] from the middle."""
        longest = max(self.shape)
        needed = max(longest, longest / 2 + reach / self.pixel)
        return fft.next_fast_len(int(np.ceil(needed)), real=True)

    def _make_modes(self, n):
        """Wave numbers [1 / arcmin] within the window, their places in the half-plane, factors."""
        pixel = self.pixel / self._fine
        n = n * self._fine
        kx = 2 * np.pi * fft.rfftfreq(n, pixel)
        ky = 2 * np.pi * fft.fftfreq(n, pixel)
        square = ky[:, np.newaxis] ** 2 + kx**2
        iy, ix = np.nonzero(square <= self.window.k_max**2)
        square = square[iy, ix]
        # The middle of the field is not on a pixel of the grid.
        middle = [(length - 1) / 2 * self.pixel for length in self.shape]
        factor = self.window(square) / pixel**2
        factor = factor * np.exp(-1j * (ky[iy] * middle[0] + kx[ix] * middle[1]))
        return {
            "kx": kx.astype(np.float32),
            "ky": ky.astype(np.float32),
            "iy": iy,
            "ix": ix,
            "flat": iy * len(kx) + ix,
            "xx": (kx[ix] ** 2).astype(np.float32),
            "yy": (ky[iy] ** 2).astype(np.float32),
            "xy": (2 * kx[ix] * ky[iy]).astype(np.float32),
            "factor": factor.astype(np.complex64),
        }

    def spectrum(self, n, tables, row, amplitude, stretch, offset):
        """Modes (complex64), of a period of ``n`` pixels, of the sum of C components of one field.

        Each has a row of the transforms ``tables``, an amplitude [arcmin2], xx, xy, yy of Q (C, 3)
        in k_scaled^2 = k Q k [arcmin2], and its place right of and above the middle [arcmin].
        """
        modes = self._modes(n)
        stretch = stretch.astype(np.float32)[:, :, np.newaxis]
        square = stretch[:, 0] * modes["xx"]
        square += stretch[:, 1] * modes["xy"]
        square += stretch[:, 2] * modes["yy"]
        position = table_position(np.maximum(square, 0, out=square))
        index = position.astype(np.int32)
        position -= index
        index += (row * tables.shape[1]).astype(np.int32)[:, np.newaxis]
        flat = tables.ravel()
        value = flat.take(index)
        index += 1
        value += position * (flat.take(index) - value)
        value *= amplitude.astype(np.float32)[:, np.newaxis]
        shift_x = np.exp(-1j * offset[:, :1] * modes["kx"]).astype(np.complex64)
        shift_y = np.exp(-1j * offset[:, 1:] * modes["ky"]).astype(np.complex64)
        phase = shift_x.take(modes["ix"], axis=1)
        phase *= shift_y.take(modes["iy"], axis=1)
        phase *= value
        return phase.sum(axis=0) * modes["factor"]

    def image(self, n, spectrum):
        """Transform the modes of one field to its map."""
        flat, step = self._modes(n)["flat"], self._fine
        n = n * step
        plane = np.zeros((n, n // 2 + 1), dtype=np.complex64)
        plane.reshape(-1)[flat] = spectrum
        ny, nx = self.shape
        return fft.irfft2(plane, s=(n, n))[: ny * step : step, : nx * step : step]
