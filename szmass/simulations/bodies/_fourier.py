"""Beam-convolved maps from their transforms.

A beam of 10 arcmin leaves nothing at the Nyquist frequency of 1.7 arcmin pixels: what is written
down in Fourier space and transformed back are exact point samples of the convolved sky, without a
finer grid. The period of the grid is so large that no component's periodic image reaches the field.
"""

import numpy as np
from scipy import fft

from szmass._utils.memory import check_memory
from szmass.exceptions import InvalidInputError
from szmass.physics.templates import K_MAX, N_K, table_length, table_position
from szmass.simulations.bodies._triaxial import projected_stretch

# What the windows suppress below exp(-_CUT^2 / 2) = 8e-7 is left out.
_CUT = 5.3

# Finest grid that is tried for pixels wider than the beam.
_FINEST = 8

# Modes of grids that are kept, and modes times components that are worked on at a time.
_KEPT, _AT_ONCE = 2**22, 2**22

# Grids of more modes are transformed in strips of so many, in bounded memory, where the field is a
# small part of the period; elsewhere one mode takes so many bytes.
_MOST, _STRIP, _BYTES = 2**21, 2**17, 200


class Window:
    """Windows of beam [arcmin] and pixels [arcmin2 per axis], Gaussian as far as it matters."""

    def __init__(self, fwhm, box_variance=0.0, cut=_CUT):
        self.sigma = np.sqrt(fwhm**2 / (8 * np.log(2)) + box_variance)
        self.k_max = cut / self.sigma

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
        self._kept = {}

    def size(self, reach):
        """Pixels of the period for components that reach so far [arcmin] from the middle."""
        longest = max(self.shape)
        needed = max(longest, longest / 2 + reach / self.pixel)
        return fft.next_fast_len(int(np.ceil(needed)), real=True)

    def table_length(self, size, slack=1.0):
        """Length of tables for bodies of a size [arcmin], which may fall short by ``slack``."""
        k_max = self.window.k_max * size
        return N_K if k_max <= slack * K_MAX else table_length(k_max)

    def draw(self, tables, amplitude, axes, size, place, matrix, shift):
        """Map of C bodies: an ellipsoid with row 0 of ``tables``, and spheres with row 1.

        Amplitudes (C,) are those of `spectrum`; semi-axes (3,) of the first, sizes (C - 1,) of the
        others, places (C, 3) in the frame of the ellipsoid and the shift (2,) are in arcmin.
        """
        stretch = np.zeros((len(amplitude), 3))
        stretch[0] = projected_stretch(axes[np.newaxis], matrix[np.newaxis])[0]
        stretch[1:, 0] = stretch[1:, 2] = size**2
        offset = place @ matrix[:2].T + shift
        longest = np.sqrt(
            0.5 * (stretch[:, 0] + stretch[:, 2])
            + np.hypot(0.5 * (stretch[:, 0] - stretch[:, 2]), stretch[:, 1])
        )
        reach = np.max(np.abs(offset).max(axis=1) + 5 * longest)
        n = self.size(reach)
        row = np.minimum(np.arange(len(amplitude)), 1)
        components = tables, row, amplitude, stretch, offset
        modes = (self.window.k_max * n * self.pixel) ** 2 / (8 * np.pi)
        if modes > _MOST:
            if n > 2 * max(self.shape):
                return self._in_strips(n, components)
            check_memory(
                _BYTES * modes,
                f"A field of {self.shape[0]} x {self.shape[1]} pixels",
                "Take fewer pixels, or a wider 'beam'.",
            )
        return self.image(n, self.spectrum(n, *components))

    def _modes(self, n):
        if n not in self._kept:
            made = self._make_modes(n)
            room = _KEPT - made["flat"].size
            while self._kept and sum(m["flat"].size for m in self._kept.values()) > room:
                self._kept.pop(next(iter(self._kept)))
            self._kept[n] = made
        return self._kept[n]

    def _wave_numbers(self, n):
        """Wave numbers [1 / arcmin] of the half-plane, along rows and columns."""
        n, pixel = n * self._fine, self.pixel / self._fine
        return 2 * np.pi * fft.rfftfreq(n, pixel), 2 * np.pi * fft.fftfreq(n, pixel)

    def _make_modes(self, n, rows=slice(None)):
        """Wave numbers within the window, their places in rows of the half-plane, factors."""
        pixel = self.pixel / self._fine
        kx, ky = self._wave_numbers(n)
        ky = ky[rows]
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
        return self._added(self._modes(n), tables, row, amplitude, stretch, offset)

    def _added(self, modes, tables, row, amplitude, stretch, offset):
        step = max(1, _AT_ONCE // modes["flat"].size)
        total = 0
        for start in range(0, len(amplitude), step):
            i = slice(start, start + step)
            total += self._sum(modes, tables, row[i], amplitude[i], stretch[i], offset[i])
        return total * modes["factor"]

    def _sum(self, modes, tables, row, amplitude, stretch, offset):
        stretch = stretch.astype(np.float32)[:, :, np.newaxis]
        square = stretch[:, 0] * modes["xx"]
        square += stretch[:, 1] * modes["xy"]
        square += stretch[:, 2] * modes["yy"]
        position = table_position(np.maximum(square, 0, out=square), tables.shape[1])
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
        return phase.sum(axis=0)

    def image(self, n, spectrum):
        """Transform the modes of one field to its map."""
        flat, step = self._modes(n)["flat"], self._fine
        n = n * step
        plane = np.zeros((n, n // 2 + 1), dtype=np.complex64)
        plane.reshape(-1)[flat] = spectrum
        ny, nx = self.shape
        return fft.irfft2(plane, s=(n, n))[: ny * step : step, : nx * step : step]

    def _in_strips(self, n, components):
        """Map of components as `image` gives it, from some rows of the half-plane after the other.

        The period is much longer than the field, so that the transform is a product of matrices.
        """
        kx, ky = self._wave_numbers(n)
        along, across = (
            np.exp(1j * np.outer(k, self.pixel * np.arange(length))).astype(np.complex64)
            for k, length in ((kx, self.shape[1]), (ky, self.shape[0]))
        )
        along[1:] *= 2  # for the other half of the plane
        rows = np.flatnonzero(np.abs(ky) <= self.window.k_max)
        image = np.zeros(self.shape)
        for part in np.array_split(rows, 1 + len(rows) * len(kx) // _STRIP):
            modes = self._make_modes(n, part)
            plane = np.zeros((len(part), len(kx)), dtype=np.complex64)
            plane.reshape(-1)[modes["flat"]] = self._added(modes, *components)
            image += (across[part].T @ (plane @ along)).real
        return image / (n * self._fine) ** 2
