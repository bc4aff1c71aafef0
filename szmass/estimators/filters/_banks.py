"""Filters made for a field, once each: of families of profiles, and about its middle.

They tell where the cluster is brightest, and what it may be if its profile and its centre are not
known. All is on plain arrays.
"""

from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from szmass._utils.pieces import row_products
from szmass.estimators.filters._filters import FilterBank, Measured
from szmass.estimators.filters._templates import SIZES, radial_templates, sample_blocks
from szmass.physics.templates import (
    K_MAX,
    N_K,
    X_NODES,
    disc_transform,
    sphere_weights,
    transform_tables,
)
from szmass.simulations.bodies import profile_scatter

# Distances [arcmin] of displaced templates along each axis. Between them signals are splines.
_SHIFTS = np.linspace(-8.0, 8.0, 9)

# Nodes per axis of the integral over the position, in standard deviations.
_NODES = np.linspace(-3.2, 3.2, 25)

# Signals, in units of their error, at which that integral is tabulated, and how far beyond the
# measured ones: there ln L is lower than its maximum by _BEYOND^2 / 2.
_SIGNALS, _BEYOND = 12, 6.0

# Largest distance [arcmin] of a cluster from the middle, and least part of its signal found there.
_FAR, _LEAST_FOUND = 12.0, 0.1

# Profiles that are drawn, components that are kept, and where in k theta500 they matter most.
_DRAWN, _COMPONENTS, _K_SCALE = 1024, 2, 4.0


@lru_cache(maxsize=8)
def profile_components(profile, relaxed, disturbed, strength):
    """Mean transform of a family of profiles of one Y500, and its principal components.

    The family varies about a mean profile by fractions of dynamical states and a factor on the
    scatter of ln p, as in `ClusterModel`. Gives k = l theta500, and the mean followed by the
    components for a coefficient of variance 1, shape (1 + components, len(k)).
    """
    rng = np.random.default_rng(20)
    state = profile_scatter.draw_states(rng.random(_DRAWN), (relaxed, disturbed))
    normal = rng.standard_normal((_DRAWN // 2, len(profile_scatter.SCATTER_NODES)))
    deviation = profile_scatter.deviations(
        np.concatenate([normal, -normal]), (relaxed, disturbed), strength
    )
    shapes = profile_scatter.scattered(profile.shape(X_NODES), state, deviation)
    k = K_MAX * (np.arange(N_K) / (N_K - 1)) ** 2
    y500 = 4 * np.pi / 3 * (shapes @ sphere_weights(1.0))
    transforms = transform_tables(shapes) / y500[:, np.newaxis]
    mean = transforms.mean(axis=0)
    apart = transforms - mean
    weight = np.sqrt(k * np.gradient(k)) * np.exp(-0.5 * (k / _K_SCALE) ** 2)
    left = np.linalg.svd(apart * weight, full_matrices=False)[0]
    scores = left[:, :_COMPONENTS] * np.sqrt(_DRAWN)
    return k, np.concatenate([mean[np.newaxis], scores.T @ apart / _DRAWN])


def profile_transform(profile, family=None):
    """Transform of a profile as a function; with a family those of its mean and components."""
    if family is None:
        return lambda x: disc_transform(x, profile)
    k, tables = profile_components(profile, *family)
    return lambda x: np.stack([np.interp(x, k, row, right=0.0) for row in tables], axis=-1)


@lru_cache(maxsize=16)
def cluster_templates(field, profile, variance, family=None):
    """Radial templates of all sizes for a field, from `radial_templates`.

    ``variance`` is that of the signal's window [arcmin2]. ``family`` holds the arguments of
    `profile_components` after the profile, for templates of the mean and of the components.
    """
    return radial_templates(profile_transform(profile, family), SIZES, variance, 20 + field.reach)


@lru_cache(maxsize=8)
def filter_bank(field, profile, variance, family=None):
    """Filters of all sizes in the middle of a field; arguments as in `cluster_templates`."""
    return FilterBank.of(field, cluster_templates(field, profile, variance, family))


@lru_cache(maxsize=2)
def displaced_bank(field, profile, variance, family):
    """The `DisplacedBank` of a field; arguments as in `cluster_templates`."""
    return DisplacedBank(field, cluster_templates(field, profile, variance, family))


@lru_cache(maxsize=4)
def centring_losses(field, profile, variance):
    """Distances [arcmin] (R,), and ln of signal there over what filters in the middle find of it.

    The latter (R, sizes); arguments as in `cluster_templates`.
    """
    bank = filter_bank(field, profile, variance)
    spline = cluster_templates(field, profile, variance)
    radii = np.linspace(0.0, _FAR, 25)
    found = [
        np.einsum("bs,bs->s", sample_blocks(spline, field.x - r, field.y, field.block), weights)
        for weights in [bank.weights.reshape(-1, len(SIZES))]
        for r in radii
    ]
    return radii, -np.log(np.maximum(found / bank.gram[:, 0, 0], _LEAST_FOUND))


class OffsetBank:
    """Filters of all sizes at positions around the middle, to search for the cluster.

    The positions reach to a radius, in steps [arcmin].
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
        shape = len(self.positions), len(SIZES)
        self.gram = np.empty(shape)
        weights = np.empty((len(field.inverse), *shape), dtype=np.float32)
        # In doubles: wide templates are mostly an offset, which has no weight.
        for i, (x, y) in enumerate(self.positions):
            template = sample_blocks(spline, field.x - x, field.y - y, field.block)
            exact = field.weights(template)
            weights[:, i] = exact
            self.gram[i] = np.einsum("bs,bs->s", template, exact)
        self._weights = weights.reshape(len(weights), -1)

    def search(self, data, footprint, radius):
        """Find the position of the highest signal-to-noise ratio within a radius of the middle.

        Radii [arcmin] are (N,). Gives the indices of the positions (N,), and t^T C^-1 d and t^T
        C^-1 t of all sizes there, (N, S).
        """
        blocks = self.field.fill_all(data, footprint).astype(np.float32)
        values = row_products(blocks, self._weights).astype(float)
        values = values.reshape(len(data), *self.gram.shape)
        snr = (values / np.sqrt(self.gram)).max(axis=2)
        snr[self.distance > radius[:, np.newaxis] + 1e-9] = -np.inf
        best = np.argmax(snr, axis=1)
        return best, values[np.arange(len(data)), best], self.gram[best]


class DisplacedBank:
    """Filters of all sizes on a grid of positions, and integrals over the position."""

    def __init__(self, field, spline):
        self.field = field
        n = len(_SHIFTS) // 2
        shifted = (
            sample_blocks(spline, field.x - x, field.y - y, field.block)
            for y in _SHIFTS[n:]
            for x in _SHIFTS[n:]
        )
        weights = [
            field.weights(template.reshape(len(template), -1)).astype(np.float32)
            for template in shifted
        ]
        some = np.stack(weights, axis=-1)
        some = some.reshape(*field.counts, -1, n + 1, n + 1)
        # Those on the other sides are the same in a mirror.
        weights = np.concatenate([some[:, ::-1, :, :, :0:-1], some], axis=4)
        weights = np.concatenate([weights[::-1, :, :, :0:-1], weights], axis=3)
        self._weights = weights.reshape(len(field.inverse), -1)
        self._cardinal = CubicSpline(_SHIFTS, np.eye(len(_SHIFTS)))

    def integrals(self, data, footprint, measured, depth, sigma):
        """Integrate exp(u [s(position) - s(best)]) over the position.

        Takes cutouts (N, ny, nx), what the bank of the middle ``measured`` in them, factors of the
        noise (N,), and standard deviations per axis of the position [arcmin] (N,). Gives the same
        at the most probable position, since components at a wrong one would take the displacement
        for a difference of the profile; values of u, evenly spaced from 0, (N, K); and ln of the
        integrals (N, sizes, K).
        """
        n, count = len(data), len(_SHIFTS)
        # Where next to nothing is valid nothing was seen.
        filled = np.nan_to_num(self.field.fill_all(data, footprint))
        grid = row_products(filled.astype(np.float32), self._weights).astype(float)
        grid = grid.reshape(n, len(SIZES), -1, count, count)
        # Rounding of float32 weights cancels in differences from the middle.
        grid -= grid[..., count // 2, count // 2, np.newaxis, np.newaxis]
        unit = measured.root * depth[:, np.newaxis]
        at = np.clip(sigma[:, np.newaxis] * _NODES, _SHIFTS[0], _SHIFTS[-1])
        matrix = self._cardinal(at)
        fine = np.matmul(matrix[:, np.newaxis], grid[:, :, 0]) @ matrix[:, np.newaxis].swapaxes(
            2, 3
        )
        fine /= unit[:, :, np.newaxis, np.newaxis]
        middle = measured.snr / depth[:, np.newaxis]
        weight = np.exp(-0.5 * np.add.outer(_NODES**2, _NODES**2))
        y, x = self._best(fine, middle, np.log(weight), sigma)
        moved = np.einsum("nscyx,ny,nx->nsc", grid, self._cardinal(y), self._cardinal(x))
        best = Measured(measured.projection + moved, measured.gram)
        fine = fine.reshape(n, len(SIZES), -1) - (moved[:, :, 0] / unit)[:, :, np.newaxis]
        highest = np.maximum((best.snr / depth[:, np.newaxis]).max(axis=1), 0.0) + _BEYOND
        signals = highest[:, np.newaxis] * np.linspace(0, 1, _SIGNALS)
        weight = weight.ravel() / weight.sum()
        log_integral = np.zeros((n, len(SIZES), _SIGNALS))
        # One cluster at a time: arrays of all of them are slow to go through again and again.
        for values, signal, result in zip(fine, signals, log_integral, strict=True):
            top = values.max(axis=1, keepdims=True)
            # exp(u s) at evenly spaced u are powers of one exponential.
            step = np.exp(signal[1] * (values - top))
            power = np.broadcast_to(weight, values.shape).copy()
            for i in range(1, _SIGNALS):
                power *= step
                total = np.log(np.maximum(power.sum(axis=1), 1e-300))
                result[:, i] = total + signal[i] * top[:, 0]
        return best, signals, log_integral

    @staticmethod
    def _best(fine, middle, log_weight, sigma):
        """Most probable position y, x [arcmin] at the size of highest signal, between nodes."""
        rows = np.arange(len(fine))
        size = middle.argmax(axis=1)
        snr = np.maximum(fine[rows, size] + middle[rows, size, np.newaxis, np.newaxis], 0.0)
        log_l = 0.5 * snr**2 + log_weight
        m = len(_NODES)
        top = np.stack(np.divmod(log_l.reshape(len(fine), -1).argmax(axis=1), m))
        y, x = np.clip(top, 1, m - 2)
        result = []
        for dy, dx, index in ((1, 0, y), (0, 1, x)):
            low, here, high = (log_l[rows, y + k * dy, x + k * dx] for k in (-1, 0, 1))
            bend = np.minimum(low - 2 * here + high, -1e-12)
            shift = np.clip(0.5 * (low - high) / bend, -1, 1)
            node = _NODES[index] + shift * (_NODES[1] - _NODES[0])
            result.append(np.clip(node * sigma, _SHIFTS[0], _SHIFTS[-1]))
        return result
