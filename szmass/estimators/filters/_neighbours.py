"""Filters all over a field: what else is in it, and how noisy it is, on plain arrays."""

from functools import cached_property, lru_cache

import numpy as np
from scipy.special import log_ndtr

from szmass._utils.pieces import row_products
from szmass.estimators.filters._banks import cluster_templates, profile_transform
from szmass.estimators.filters._templates import SIZES, radial_templates
from szmass.simulations.bodies.models import get_cluster_model

# Sizes theta500 of neighbours, in beams. They are looked for at every block of the inner half of
# the field and at every _STEP-th beyond, but not nearer than a beam: there they cannot be told from
# another profile or centre.
_NEIGHBOUR_SIZES = np.array([0.8, 1.6])
_STEP = 2

# The noise of a field is measured with this size [arcmin], so many arcmin from its middle, beside
# what is smooth between rings of so many radii.
_NOISE_SIZE, _AWAY, _NOISE_RINGS = 8.0, 25.0, 6

# What may be wrong with the template of the cluster, as standard deviations: coefficients of its
# profile; ln of its size, of which there is a grid; centre in beams; ellipticity.
_UNSURE = np.array([1.0, 1.0, 0.05, 0.05, 0.05, 0.03, 0.03])
_CENTRE = slice(3, 5)

# Neighbours are as likely everywhere; their signal-to-noise ratio, next to the cluster, has an
# exponential distribution of this mean; so many are holes, as radio sources make them.
_MEAN_SNR, _HOLES = 3.0, 1e-3

# Below this part of the signal a change is one of the model: it says no more of neighbours.
_LEAST_CHANGE = 0.05

# Least part of the information on the cluster that must be left by holes.
_LEAST_SEEN = 1e-3

# Positions count where a neighbour may change the signal by that much and its error with this
# probability, as a quantile of the normal distribution.
_MAY = -1.28

# ln of the ratio of probabilities above which there is a neighbour, per beam area. It is set on
# mocks, see benchmarks/blended.py.
_LEAST_ODDS = 0.9


@lru_cache(maxsize=2)
def neighbour_bank(field, profile, variance):
    """The `NeighbourBank` of a field; arguments as in `cluster_templates`."""
    return NeighbourBank(field, profile, variance)


class NeighbourBank:
    """Filters for neighbours of the cluster in the middle; ``variance`` is the window's [arcmin2].

    A neighbour is fitted together with the cluster, whose profile, size, centre and shape are
    free within bounds.
    """

    def __init__(self, field, profile, variance):
        self.field = field
        self._transform, self._variance = profile_transform(profile), variance
        positions, templates = self._shifted(_NEIGHBOUR_SIZES * field.beam, 1)
        distance = np.hypot(*positions.T)
        row, column = np.divmod(np.arange(len(positions)), field.counts[1])
        inner = distance < 0.5 * min(np.abs(field.x).max(), np.abs(field.y).max())
        sparse = (row % _STEP == _STEP // 2) & (column % _STEP == _STEP // 2)
        used = (inner | sparse) & (distance > field.beam)
        neighbours = templates[:, used].reshape(len(templates), -1)
        self._weights = field.inverse.astype(np.float32) @ neighbours
        self._gram = np.einsum("bp,bp->p", neighbours, self._weights, dtype=float)
        area = np.where(inner, 1.0, _STEP**2)[used] * (field.block * field.pixel / field.beam) ** 2
        self._log_area = np.repeat(np.log(area / len(_NEIGHBOUR_SIZES)), len(_NEIGHBOUR_SIZES))
        own = _own_templates(field, profile, variance)
        weights = field.weights(own.reshape(len(own), -1)).reshape(own.shape)
        self._own_gram = np.einsum("bsi,bsj->sij", own, weights, optimize=True)
        self._cross = np.tensordot(weights, neighbours.astype(float), (0, 0))
        self._own_weights = weights.reshape(len(own), -1).astype(np.float32)

    def _shifted(self, sizes, step):
        reach = 10 + 2 * self.field.reach
        return self.field.shifted(
            radial_templates(self._transform, sizes, self._variance, reach), step
        )

    def _blocks(self, data, footprint):
        return self.field.fill_all(data, footprint).astype(np.float32)

    @cached_property
    def _noise_filters(self):
        """Weights (blocks, positions) of filters of unit noise, which the cluster leaves alone.

        It may fill the field: what is smooth in radius, to the quadrupole, is taken out.
        """
        positions, templates = self._shifted(np.array([_NOISE_SIZE]), _STEP)
        distance = np.hypot(*positions.T)
        away = distance > _AWAY
        distance, templates = distance[away], templates[:, away, 0].astype(float)
        weights = self.field.weights(templates)
        nodes = np.linspace(distance.min(), distance.max(), _NOISE_RINGS)
        rings = np.array([np.interp(distance, nodes, row) for row in np.eye(len(nodes))])
        angle = np.arctan2(*positions[away].T)
        waves = [wave(m * angle) for m in (1, 2) for wave in (np.cos, np.sin)]
        smooth = np.concatenate([rings, *(rings[::2] * wave for wave in waves)])
        weights = weights @ (np.eye(len(distance)) - np.linalg.pinv(smooth) @ smooth)
        variance = np.einsum("bp,bp->p", weights, np.linalg.solve(self.field.inverse, weights))
        return (weights / np.sqrt(variance)).astype(np.float32)

    def depth(self, data, footprint):
        """Noise of each field in units of the model's: robust spread of a filter's output."""
        snr = row_products(self._blocks(data, footprint), self._noise_filters).astype(float)
        spread = 1.4826 * np.median(np.abs(snr), axis=1)
        return np.where(spread > 0, spread, 1.0)

    def blended(self, data, footprint, size, depth, centring):
        """Which of N clusters have a neighbour that may move their signal by more than its error.

        ``size`` is the index of the size that each has, ``depth`` are factors of the noise and
        ``centring`` standard errors of positions [arcmin], (N,).
        """
        return self.log_odds(data, footprint, size, depth, centring) > _LEAST_ODDS

    def log_odds(self, data, footprint, size, depth, centring):
        """ln of the odds of such neighbours to none, per beam area; arguments as in `blended`."""
        blocks = self._blocks(data, footprint)
        other, own = (
            row_products(blocks, weights).astype(float) / depth[:, np.newaxis]
            for weights in (self._weights, self._own_weights)
        )
        own = own.reshape(len(data), len(SIZES), -1)[np.arange(len(data)), size]
        valid = np.isfinite(data) & footprint
        cross = [self._cross[s] for s in size]
        gram = self._own_gram[size]
        for i in np.flatnonzero(~valid.all(axis=(1, 2))):
            gram[i], cross[i] = self._without(valid[i], size[i])
        # Where next to nothing of the cluster is seen, nothing can be said of neighbours.
        dark = gram[:, 0, 0] < _LEAST_SEEN * self._own_gram[size, 0, 0]
        gram[dark] = self._own_gram[size[dark]]
        root = np.sqrt(gram[:, 0, 0])
        signal = np.maximum(own[:, 0] / root, 1.0)
        unsure = np.repeat(_UNSURE[np.newaxis], len(data), axis=0)
        unsure[:, _CENTRE] = np.hypot(unsure[:, _CENTRE], centring[:, np.newaxis] / self.field.beam)
        spread = unsure * (signal / root)[:, np.newaxis]
        diagonal = np.arange(1, gram.shape[1])
        gram[:, diagonal, diagonal] += spread**-2
        # Templates of the cluster, made orthogonal to each other, of unit error.
        basis = np.linalg.inv(np.linalg.cholesky(gram))
        own = np.einsum("nij,nj->ni", basis, own)
        change = np.maximum(1.0, _LEAST_CHANGE * signal) * root
        rows = zip(other, own, basis, cross, change, strict=True)
        return np.where(dark, -np.inf, [self._log_odds(*row) for row in rows])

    def _without(self, valid, s):
        """Products of the cluster's templates, and with neighbours', on the valid pixels."""
        hole = np.flatnonzero(~self.field.covered(valid))
        own = self._own_weights.reshape(len(self._weights), len(SIZES), -1)[hole, s].astype(float)
        solved = self.field.solve_hole(hole, own) if len(hole) else own
        return self._own_gram[s] - own.T @ solved, self._cross[s] - solved.T @ self._weights[hole]

    def _log_odds(self, other, own, basis, cross, change):
        taken = basis @ cross
        free = self._gram - (taken * taken).sum(axis=0)
        # Next to the cluster there is nothing left to fit.
        free[free < 0.05 * self._gram] = np.inf
        error = np.sqrt(free)
        snr = (other - own @ taken) / error
        at = np.abs(snr) - 1 / _MEAN_SNR
        # A neighbour changes the signal by that much if its signal-to-noise ratio is this.
        with np.errstate(divide="ignore"):
            needed = error * change / np.abs(cross[0])
        seen = np.flatnonzero(at - needed > _MAY)
        if not len(seen):
            return -np.inf
        # exp(-m / mean) / mean, times exp(m snr - m^2 / 2), from ``needed`` to infinity.
        at = at[seen]
        log_odds = 0.5 * at**2 + log_ndtr(at - needed[seen]) + self._log_area[seen]
        log_odds += np.where(snr[seen] < 0, np.log(_HOLES), 0.0)
        highest = log_odds.max()
        total = np.exp(log_odds - highest).sum()
        return highest + np.log(total * np.sqrt(2 * np.pi) / _MEAN_SNR)


def _own_templates(field, profile, variance):
    """Templates of the cluster (blocks, sizes, 8): itself, and what may be wrong, see _UNSURE."""
    model = get_cluster_model("a10")
    family = model.relaxed, model.disturbed, model.profile_scatter
    spline = cluster_templates(field, profile, variance, family)
    y, x = np.meshgrid(field.y, field.x, indexing="ij")
    radius = np.hypot(x, y)
    mean, *components = np.moveaxis(spline(radius), -1, 0)
    slope = spline(radius, 1)[..., 0]
    angle = np.arctan2(y, x)[..., np.newaxis]
    along = radius[..., np.newaxis] * slope
    templates = [mean, *components, np.gradient(mean, np.log(SIZES), axis=-1)]
    templates += [field.beam * slope * wave(angle) for wave in (np.cos, np.sin)]
    templates += [along * wave(2 * angle) for wave in (np.cos, np.sin)]
    (ny, nx), block = field.counts, field.block
    blocks = np.stack(templates, axis=-1).reshape(ny, block, nx, block, len(SIZES), -1)
    return blocks.mean(axis=(1, 3)).reshape(ny * nx, len(SIZES), -1)
