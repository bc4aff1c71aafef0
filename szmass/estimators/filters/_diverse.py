"""Templates of clusters whose profiles differ and whose centres are not known, on plain arrays."""

from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

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

__all__ = ["DisplacedBank", "displaced_bank", "diverse_bank", "profile_components"]

# Distances [arcmin] of displaced templates along each axis. Between them signals are splines.
_SHIFTS = np.linspace(-8.0, 8.0, 9)

# Nodes per axis of the integral over the position, in standard deviations.
_NODES = np.linspace(-3.2, 3.2, 25)

# Signals, in units of their error, at which that integral is tabulated, and how far beyond the
# measured ones: there ln L is lower than its maximum by _BEYOND^2 / 2.
_SIGNALS, _BEYOND = 12, 6.0

# Profiles that are drawn, components that are kept, and where in k theta500 they matter most.
_DRAWN, _COMPONENTS, _K_SCALE = 1024, 2, 4.0


@lru_cache(maxsize=8)
def profile_components(profile, relaxed, disturbed, strength):
    """Mean transform of a family of profiles of one Y500, and its principal components.

    Parameters
    ----------
    profile : GNFWProfile
        Mean profile of the clusters that are neither relaxed nor disturbed.
    relaxed, disturbed, strength : float
        As in `ClusterModel`: fractions of the states, factor on the scatter of ln p.

    Returns
    -------
    k : ndarray
        l theta500.
    transforms : ndarray
        Mean, then components for a coefficient of variance 1, shape (1 + components, len(k)).
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


def _transform(profile, family):
    """Transforms of mean and components as a function; of the profile alone without a family."""
    if family is None:
        return lambda x: disc_transform(x, profile)[..., np.newaxis]
    k, tables = profile_components(profile, *family)
    return lambda x: np.stack([np.interp(x, k, row, right=0.0) for row in tables], axis=-1)


def _reach(field):
    return 20 + np.hypot(np.abs(field.x).max(), np.abs(field.y).max())


@lru_cache(maxsize=4)
def diverse_bank(field, profile, variance, family):
    """Make filters for the mean and the components of a family of profiles.

    Parameters
    ----------
    field : FieldNoise
        The noise.
    profile : GNFWProfile
        Pressure profile.
    variance : float
        Of the signal's window [arcmin2].
    family : tuple or None
        Arguments of `profile_components` after the profile; None for the profile alone.

    Returns
    -------
    FilterBank
        Templates in the order mean, components.
    """
    spline = radial_templates(_transform(profile, family), SIZES, variance, _reach(field))
    templates = sample_blocks(spline, field.x, field.y, field.block)
    return FilterBank(field, templates.reshape(len(templates), len(SIZES), -1))


@lru_cache(maxsize=2)
def displaced_bank(field, profile, variance, family):
    """Make the `DisplacedBank` of a family; arguments as in `diverse_bank`."""
    spline = radial_templates(_transform(profile, family), SIZES, variance, _reach(field))
    return DisplacedBank(field, spline)


class DisplacedBank:
    """Filters of all sizes on a grid of positions, and integrals over the position.

    Parameters
    ----------
    field : FieldNoise
        The noise.
    spline : CubicSpline
        Radial templates of mean and components, of all sizes.
    """

    def __init__(self, field, spline):
        self.field = field
        parts = [
            sample_blocks(spline, field.x - x, field.y - y, field.block).astype(np.float32)
            for y in _SHIFTS
            for x in _SHIFTS
        ]
        flat = np.stack(parts, axis=-1).reshape(len(parts[0]), -1)
        self._weights = field.inverse.astype(np.float32) @ flat
        self._cardinal = CubicSpline(_SHIFTS, np.eye(len(_SHIFTS)))

    def integrals(self, data, footprint, measured, depth, sigma):
        """Integrate exp(u [s(position) - s(best)]) over the position.

        Parameters
        ----------
        data, footprint : ndarray
            Cutouts, shape (N, ny, nx).
        measured : Measured
            What the bank of the middle found in them.
        depth : ndarray
            Factors of the noise, shape (N,).
        sigma : ndarray
            Standard deviations per axis of the position [arcmin], shape (N,).

        Returns
        -------
        best : Measured
            The same at the most probable position: components at a wrong one would take the
            displacement for a difference of the profile.
        signals : ndarray
            Values of u, evenly spaced from 0, shape (N, K).
        log_integral : ndarray
            Shape (N, sizes, K).
        """
        n, count = len(data), len(_SHIFTS)
        # Where next to nothing is valid nothing was seen.
        filled = np.nan_to_num(self.field.fill_all(data, footprint))
        grid = (filled @ self._weights).astype(float).reshape(n, len(SIZES), -1, count, count)
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
        top = fine.max(axis=2, keepdims=True)
        # exp(u s) at evenly spaced u are powers of one exponential.
        step = np.exp(signals[:, 1, np.newaxis, np.newaxis] * (fine - top))
        power = np.broadcast_to(weight, fine.shape).copy()
        for i in range(1, _SIGNALS):
            power *= step
            total = np.log(np.maximum(power.sum(axis=2), 1e-300))
            log_integral[:, :, i] = total + signals[:, i, np.newaxis] * top[..., 0]
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
