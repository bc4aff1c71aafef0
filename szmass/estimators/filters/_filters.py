"""Optimal filters for a finite field: inverse noise covariance, weights, holes; on plain arrays.

A cutout is not periodic, so the filter that is optimal in Fourier space is neither unbiased nor
optimal on it. Here the covariance of the pixels follows from the noise spectrum, and weights are
C^-1 t on the very pixels of the field, with an unknown constant offset marginalised. What a beam
has smoothed needs no fine pixels: blocks of them are averaged before the covariance is inverted.
"""

from dataclasses import dataclass
from itertools import product

import astropy.units as u
import numpy as np
from scipy import linalg

from szmass._utils.pieces import row_products
from szmass.estimators.filters._templates import SIZES, sample_blocks
from szmass.exceptions import InvalidInputError
from szmass.maps.noise import NoiseModel

# Blocks are no wider than the beam's FWHM over this: with 10 arcmin and pixels of 1.7 arcmin
# blocks of 2 x 2, whose Nyquist multipole the beam suppresses to 2e-7 in power.
_BLOCKS_PER_BEAM = 2.5

# At most so many blocks along each side are used, those in the middle: the matrix is dense.
_LARGEST = 50

# White noise that is added to each block, in units of the rms: without it filters would use
# multipoles where the beam leaves less than the rounding of float32 maps.
_FLOOR = 0.01

# A field of which less than this part is valid is not used.
_LEAST = 0.05

# Patterns that are even (0) or odd (1) along rows and columns, and their signs in quarters.
_PARITIES = list(product((0, 1), repeat=2))
_SIGNS = 1.0 - 2 * (np.inner(_PARITIES, _PARITIES) % 2)


class FieldNoise:
    """Noise of the averaged pixels of cutouts of one shape (ny, nx), pixel and beam FWHM [arcmin].

    ``variance`` is that of a further Gaussian window that the noise of the map went through, per
    axis [arcmin2]; ``jitter`` that of the unknown displacements of the pixels' values.
    """

    def __init__(self, shape, pixel, beam, noise, variance=0.0, jitter=0.0):
        self.shape, self.pixel, self.beam = shape, pixel, beam
        widest = max(1, int(beam / _BLOCKS_PER_BEAM / pixel))
        # The middle of the field stays the middle of the blocks that are used.
        self.block = next(b for b in range(widest, 0, -1) if _fits(shape, b))
        counts = [_count(n, self.block) for n in shape]
        self.counts = tuple(counts)
        used = [count * self.block for count in counts]
        self.cut = tuple(
            slice((n - m) // 2, (n + m) // 2) for n, m in zip(shape, used, strict=True)
        )
        self.y, self.x = (
            (np.arange(n)[cut] - (n - 1) / 2) * pixel
            for n, cut in zip(shape, self.cut, strict=True)
        )
        self._lags = _block_covariance(noise, variance, counts, self.block, pixel)
        white = _FLOOR**2 * self._lags[0, 0]
        if jitter:
            # Displaced values differ by the gradient of the map: white noise of the pixels.
            white += jitter * noise.gradient_variance() / self.block**2
        self._lags[0, 0] += white
        self._factor = None
        self._invert()

    @property
    def reach(self):
        """Distance [arcmin] from the middle to the farthest pixel that is used."""
        return np.hypot(np.abs(self.x).max(), np.abs(self.y).max())

    def shifted(self, spline, step):
        """Positions x, y [arcmin] (P, 2) of every step-th block, templates there (blocks, P, S)."""
        # Templates depend on the distances of blocks alone.
        side = self.block * self.pixel
        fine = [
            (np.arange(-(n - 1) * self.block, n * self.block) - (self.block - 1) / 2) * self.pixel
            for n in self.counts
        ]
        lags = sample_blocks(spline, fine[1], fine[0], self.block).astype(np.float32)
        ny, nx = self.counts
        lags = lags.reshape(2 * ny - 1, 2 * nx - 1, -1)
        row, column = (np.arange(n) for n in self.counts)
        at = row[step // 2 :: step], column[step // 2 :: step]
        dy = row[:, np.newaxis] - at[0] + ny - 1
        dx = column[:, np.newaxis] - at[1] + nx - 1
        templates = lags[dy[:, np.newaxis, :, np.newaxis], dx[np.newaxis, :, np.newaxis, :]]
        y, x = ((a - (n - 1) / 2) * side for a, n in zip(at, self.counts, strict=True))
        positions = np.stack(np.broadcast_arrays(x, y[:, np.newaxis]), axis=-1).reshape(-1, 2)
        return positions, templates.reshape(ny * nx, len(positions), -1)

    def weights(self, templates):
        """Inverse covariance times templates (blocks, T), in a quarter of the time of a product."""
        templates = templates.reshape(*self.counts, -1)
        parts = np.tensordot(_SIGNS, [templates[quarter] for quarter in self._quarters], 1)
        shape = parts.shape
        parts = self._parts @ parts.reshape(*self._parts.shape[:2], -1)
        parts = np.tensordot(_SIGNS, parts.reshape(shape), 1)
        result = np.empty(templates.shape)
        for quarter, part in zip(self._quarters, parts, strict=True):
            result[quarter] = part
        total, share = self._total
        result, templates = (x.reshape(len(total), -1) for x in (result, templates))
        return result - np.outer(total, share @ templates)

    def _invert(self):
        """Set the inverse covariance of the blocks with a constant offset marginalised."""
        # A mirror changes nothing, so patterns that are even or odd along an axis do not mix: in
        # place of one matrix, four of a quarter of its rows are inverted.
        parts = np.array([self._inverse_of(parity) for parity in _PARITIES])
        quarters = dict(zip(_PARITIES, np.tensordot(_SIGNS, parts, 1), strict=True))
        inverse = np.empty(2 * self.counts)
        halves = [((n + 1) // 2, n) for n in self.counts]
        y, x = ((slice(m), slice(None, -m - 1, -1)) for m, _ in halves)
        self._quarters = [(y[a], x[b]) for a, b in _PARITIES]
        for a, b, c, d in product((0, 1), repeat=4):
            inverse[y[a], x[b], y[c], x[d]] = quarters[a ^ c, b ^ d]
        # The middle belongs to both halves.
        once = [np.where(2 * np.arange(m) == n - 1, 0.5, 1.0) for m, n in halves]
        parts *= np.multiply.outer(*once)
        self._parts = parts.reshape(len(parts), once[0].size * once[1].size, -1)
        inverse = inverse.reshape(np.prod(self.counts), -1)
        total = inverse.sum(axis=0)
        self._total = total, total / total.sum()
        inverse -= np.outer(*self._total)
        self.inverse = inverse

    def _inverse_of(self, parity):
        """Inverse covariance of patterns that are even (0) or odd (1) along rows and columns.

        It is that between the blocks (y, x, y, x) of the first half of each axis.
        """
        scale, lags = np.ones(()), []
        for n, odd in zip(self.counts, parity, strict=True):
            i = np.arange((n + 1) // 2)
            lags.append((np.abs(i[:, np.newaxis] - i), n - 1 - i[:, np.newaxis] - i))
            # The middle is its own image, and zero in odd patterns.
            own = np.where(2 * i == n - 1, 0.0 if odd else np.sqrt(0.5), 1.0)
            scale = np.multiply.outer(scale, own)
        covariance = sum(
            (-1) ** (a * parity[0] + b * parity[1])
            * self._lags[lags[0][a][:, np.newaxis, :, np.newaxis], lags[1][b][:, np.newaxis]]
            for a, b in product((0, 1), repeat=2)
        )
        shape, used = covariance.shape, np.flatnonzero(scale)
        result = np.zeros((np.prod(shape[:2]), np.prod(shape[2:])))
        if not len(used):  # a single row has no odd patterns
            return result.reshape(shape)
        scale = np.outer(scale.ravel()[used], scale.ravel()[used])
        covariance = covariance.reshape(result.shape)[np.ix_(used, used)] * scale
        factor, _ = linalg.lapack.dpotrf(covariance, lower=1)
        inverse, info = linalg.lapack.dpotri(factor, lower=1)
        if info:
            raise InvalidInputError("The covariance of the noise model cannot be inverted.")
        inverse = np.tril(inverse)
        inverse += np.tril(inverse, -1).T
        result[np.ix_(used, used)] = inverse / (4 * scale)
        return result.reshape(shape)

    def average(self, data):
        """Average cutouts (N, ny, nx) over blocks: (N, blocks), float64."""
        block, used = self.block, data[:, self.cut[0], self.cut[1]]
        # Several times as fast as the mean over axes.
        rows = sum(used[:, i::block] for i in range(block))
        total = sum(rows[:, :, i::block] for i in range(block))
        return total.reshape(len(data), -1).astype(float) / block**2

    def fill(self, image, valid):
        """Average a cutout (ny, nx), with blocks that miss a pixel at their most probable values.

        Those add nothing to what the others say: filters for the whole field give on them what
        filters made for the valid pixels would give. Gives averages (blocks,), None if next to
        nothing is valid, and the numbers of the blocks that were filled.
        """
        covered = self.covered(valid)
        hole = np.flatnonzero(~covered)
        if np.count_nonzero(covered) < _LEAST * len(covered):
            return None, hole
        y = self.average(np.where(valid, image, 0)[np.newaxis])[0]
        if len(hole):
            y[hole] = 0.0
            y[hole] = -self.solve_hole(hole, self.inverse[hole] @ y)
        return y, hole

    def solve_hole(self, hole, right):
        """Solve for the part of the inverse covariance that belongs to a hole."""
        key = hole.tobytes()
        # The same hole is asked for several times in a row.
        if self._factor is None or self._factor[0] != key:
            part = self.inverse[np.ix_(hole, hole)]
            self._factor = key, linalg.cho_factor(part, lower=True, overwrite_a=True)
        return linalg.cho_solve(self._factor[1], right)

    def fill_all(self, data, footprint):
        """Average cutouts (N, ny, nx), filled where needed; rows of NaN if that cannot be."""
        with np.errstate(invalid="ignore", over="ignore"):
            result = self.average(data)
        damaged = ~np.isfinite(data).all(axis=(1, 2)) | ~footprint.all(axis=(1, 2))
        for i in np.flatnonzero(damaged):
            filled, _ = self.fill(data[i], np.isfinite(data[i]) & footprint[i])
            result[i] = np.nan if filled is None else filled
        return result

    def covered(self, valid):
        """Tell blocks without a missing pixel; valid is (ny, nx), bool."""
        ny, nx = self.counts
        view = valid[self.cut].reshape(ny, self.block, nx, self.block)
        return view.all(axis=(1, 3)).ravel()


def _count(n, block):
    count = min(n // block, _LARGEST)
    return count if (n - count * block) % 2 == 0 else count - 1


def _fits(shape, block):
    return block == 1 or all(
        _count(n, block) > 0 and (n - _count(n, block) * block) % 2 == 0 for n in shape
    )


def _block_covariance(noise, variance, counts, block, pixel):
    """Covariance of blocks by their distance in rows and columns."""
    if variance:
        ell = noise.ell
        window = np.exp(-ell * (ell + 1) * variance * (np.pi / 10800) ** 2)
        noise = NoiseModel(ell, noise.spectrum(ell) * np.maximum(window, 1e-200))
    y, x = (np.arange(count * block) * pixel for count in counts)
    fine = noise.correlation(np.hypot(y[:, np.newaxis], x) * u.arcmin)
    # The mean over all pairs of pixels of two blocks: triangular weights over their distances.
    offset = np.arange(1 - block, block)
    weight = (block - np.abs(offset)) / block**2
    for axis, count in enumerate(counts):
        centre = np.arange(count) * block
        fine = sum(
            w * np.take(fine, np.abs(centre + d), axis=axis)
            for w, d in zip(weight, offset, strict=True)
        )
    return fine


@dataclass
class Measured:
    """What filters of S sizes and C templates found in N cutouts.

    ``projection`` is t^T C^-1 d, (N, S, C), and ``gram`` t^T C^-1 t', (N, S, C, C), or (1, S, C, C)
    if it is the same for all.
    """

    projection: np.ndarray
    gram: np.ndarray

    def __getitem__(self, rows):
        gram = self.gram if len(self.gram) == 1 else self.gram[rows]
        return Measured(self.projection[rows], gram)

    @property
    def root(self):
        """1 / sigma of the amplitude of the first template, shape (N or 1, S)."""
        return np.sqrt(np.maximum(self.gram[:, :, 0, 0], 1e-300))

    @property
    def snr(self):
        """Amplitude of the first template over its sigma, shape (N, S)."""
        return self.projection[:, :, 0] / self.root


class FilterBank:
    """Weights of many templates, y on the blocks (blocks, S, C), for one kind of field."""

    def __init__(self, field, templates):
        self.field = field
        blocks, *self.shape = templates.shape
        self.weights = field.weights(templates.reshape(blocks, -1))
        shaped = self.weights.reshape(templates.shape)
        self.gram = np.einsum("bsc,bsd->scd", templates, shaped, optimize=True)

    @classmethod
    def of(cls, field, spline):
        """Make the bank of templates (S) or (S, C) in the middle of the field."""
        samples = sample_blocks(spline, field.x, field.y, field.block)
        return cls(field, samples.reshape(len(samples), len(SIZES), -1))

    def measure(self, data, footprint=None):
        """Apply the filters to cutouts (N, ny, nx); pixels that are NaN are not valid.

        Where pixels are missing the filters are those that are optimal on the ones that are left.
        """
        n = len(data)
        with np.errstate(invalid="ignore", over="ignore"):
            projection = row_products(self.field.average(data), self.weights)
        projection = projection.reshape(n, *self.shape)
        damaged = ~np.isfinite(projection).all(axis=(1, 2))
        if footprint is not None:
            damaged |= ~footprint.all(axis=(1, 2))
        gram = self.gram[np.newaxis]
        if damaged.any():
            gram = np.repeat(gram, n, axis=0)
            for i in np.flatnonzero(damaged):
                valid = np.isfinite(data[i])
                if footprint is not None:
                    valid &= footprint[i]
                projection[i], gram[i] = self._measure_damaged(data[i], valid)
        return Measured(projection, gram)

    def _measure_damaged(self, image, valid):
        field = self.field
        filled, hole = field.fill(image, valid)
        if filled is None:
            return np.zeros(self.shape), np.zeros((*self.shape, self.shape[-1]))
        projection = (filled @ self.weights).reshape(self.shape)
        if not len(hole):
            return projection, self.gram
        # Leaving pixels out of a Gaussian is marginalising over them: a Schur complement.
        outside = self.weights[hole]
        solved = field.solve_hole(hole, outside)
        lost = np.einsum(
            "bsc,bsd->scd",
            outside.reshape(-1, *self.shape),
            solved.reshape(-1, *self.shape),
            optimize=True,
        )
        return projection, self.gram - lost
