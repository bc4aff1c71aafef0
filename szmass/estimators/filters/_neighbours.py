"""Filters all over a field: what else is in it, how noisy it is, where the cluster is brightest."""

import numpy as np

from szmass.estimators.filters._templates import radial_templates, sample_blocks
from szmass.physics.templates import disc_transform

__all__ = ["NeighbourBank", "OffsetBank"]

# Sizes theta500 [arcmin] of neighbours that are looked for, on every _STEP-th block.
_SIZES = np.array([2.0, 8.0, 30.0])
_STEP = 2

# A neighbour counts if its signal-to-noise ratio is above the first, and if fitting it together
# with the cluster changes the signal of the cluster by more than its error and by more than this
# part of it. Nearer than a beam neighbours cannot be told from a wrong profile or centre.
_SIGNIFICANT, _CHANGE = 5.0, 0.2

# The noise of a field is measured with the middle size, so many arcmin from its middle.
_AWAY = 25.0


class NeighbourBank:
    """Filters of a few sizes at positions all over the field.

    Parameters
    ----------
    field : FieldNoise
        The noise.
    profile : GNFWProfile
        Pressure profile.
    variance : float
        Of the signal's window [arcmin2].
    bank : FilterBank
        Filters in the middle.
    """

    def __init__(self, field, profile, variance, bank):
        self.field = field
        reach = 10 + 2 * np.hypot(np.abs(field.x).max(), np.abs(field.y).max())
        spline = radial_templates(lambda k: disc_transform(k, profile), _SIZES, variance, reach)
        positions, templates = field.shifted(spline, _STEP)
        self.distance = np.hypot(*positions.T)
        flat = templates.reshape(len(templates), -1)
        self._weights = field.inverse.astype(np.float32) @ flat
        self._gram = np.einsum("bp,bp->p", flat, self._weights, dtype=float)
        # With the cluster's own template, for each of its sizes.
        self._cross = flat.T.astype(float) @ bank.weights.reshape(len(flat), *bank.shape)[..., 0]

    def _project(self, data, footprint):
        return (self.field.fill_all(data, footprint) @ self._weights).astype(float)

    def depth(self, data, footprint):
        """Noise of each field in units of the model's: robust spread of a filter's output."""
        n = len(data)
        snr = (self._project(data, footprint) / np.sqrt(self._gram)).reshape(n, -1, len(_SIZES))
        snr = snr[:, self.distance > _AWAY, 1]
        middle = np.median(snr, axis=1, keepdims=True)
        spread = 1.4826 * np.median(np.abs(snr - middle), axis=1)
        return np.where(spread > 0, spread, 1.0)

    def blended(self, data, footprint, size, projection, gram, depth):
        """Tell clusters whose signal changes when a neighbour is fitted with it.

        Parameters
        ----------
        data, footprint : ndarray
            Cutouts, shape (N, ny, nx).
        size : ndarray of int
            Index of the size that each cluster has.
        projection, gram : ndarray
            t^T C^-1 d and t^T C^-1 t of that size, shape (N,).
        depth : ndarray
            Factors of the noise, shape (N,).

        Returns
        -------
        ndarray of bool
            Shape (N,).
        """
        other = self._project(data, footprint)
        cross = self._cross[:, size].T
        single = (projection / gram)[:, np.newaxis]
        free = self._gram - cross**2 / gram[:, np.newaxis]
        # Next to the cluster there is nothing left to fit.
        near = np.repeat(self.distance < self.field.beam, len(_SIZES))
        free = np.where(near | (free < 0.05 * self._gram), np.inf, free)
        amplitude = (other - cross * single) / free
        snr = (
            np.abs(amplitude)
            * np.sqrt(np.where(np.isfinite(free), free, 0.0))
            / depth[:, np.newaxis]
        )
        best = np.argmax(snr, axis=1)
        rows = np.arange(len(data))
        change = np.abs(cross[rows, best] * amplitude[rows, best] / gram)
        least = np.maximum(depth / np.sqrt(gram), _CHANGE * np.abs(single[:, 0]))
        return (snr[rows, best] > _SIGNIFICANT) & (change > least)


class OffsetBank:
    """Filters of all sizes at positions around the middle, to search for the cluster.

    Parameters
    ----------
    field : FieldNoise
        The noise.
    spline : CubicSpline
        Radial templates of all sizes.
    radius, step : float
        How far the positions reach, and their distance [arcmin].
    """

    def __init__(self, field, spline, radius, step):
        self.field = field
        n = int(np.ceil(radius / step))
        x, y = np.meshgrid(np.arange(-n, n + 1) * step, np.arange(-n, n + 1) * step)
        positions = np.stack([x.ravel(), y.ravel()], axis=1)
        distance = np.hypot(*positions.T)
        # The middle comes first: it wins where nothing is better.
        order = np.argsort(distance, kind="stable")
        self.positions = positions[order][distance[order] <= radius + 1e-9]
        self.distance = np.hypot(*self.positions.T)
        parts = [
            sample_blocks(spline, field.x - x, field.y - y, field.block) for x, y in self.positions
        ]
        templates = np.stack(parts, axis=1).astype(np.float32)
        flat = templates.reshape(len(templates), -1)
        weights = field.inverse.astype(np.float32) @ flat
        self.gram = np.einsum("bp,bp->p", flat, weights, dtype=float)
        self.gram = self.gram.reshape(templates.shape[1:])
        self._weights = weights

    def search(self, data, footprint, radius):
        """Find the position of the highest signal-to-noise ratio within a radius of the middle.

        Parameters
        ----------
        data, footprint : ndarray
            Cutouts, shape (N, ny, nx).
        radius : ndarray
            How far to look [arcmin], shape (N,).

        Returns
        -------
        best : ndarray of int
            Index of the position, shape (N,).
        projection, gram : ndarray
            t^T C^-1 d and t^T C^-1 t of all sizes there, shape (N, S).
        """
        values = (self.field.fill_all(data, footprint) @ self._weights).astype(float)
        values = values.reshape(len(data), *self.gram.shape)
        snr = (values / np.sqrt(self.gram)).max(axis=2)
        snr[self.distance > radius[:, np.newaxis] + 1e-9] = -np.inf
        best = np.argmax(snr, axis=1)
        return best, values[np.arange(len(data)), best], self.gram[best]
