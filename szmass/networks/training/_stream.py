"""Stream of maps for training: clean ones, with noise and position errors drawn afresh."""

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.maps.noise import NoiseModel
from szmass.networks._inputs import displaced, pooled, turned

# Maps that are read, or noise that is drawn, at a time.
_CHUNK = 2048

# Part of clusters whose position is exact, where position errors are told.
_EXACT = 0.1
# Noise models in a batch, at most; for validation there are all.
_KINDS = 8


@dataclass(frozen=True)
class MapBatch:
    """Noisy maps of y (N, ny, nx), of rows of the data set, and the number of their noise model.

    ``depth`` are factors of the noise amplitude as they are told, ``centring`` position errors per
    axis [pixels], ``factor`` what the clusters' own signals were multiplied by, all (N,).
    """

    rows: np.ndarray
    maps: np.ndarray
    noise: int
    depth: np.ndarray
    centring: np.ndarray
    factor: np.ndarray


@dataclass(frozen=True)
class OwnSignals:
    """Maps of the clusters of a data set alone, so that their signals can be changed.

    Signals are multiplied by factors of that standard deviation of the logarithm; half of those
    that may be turned, (N,), are negative.
    """

    dataset: object
    spread: float
    turned: np.ndarray


class MapStream:
    """Clean maps with fresh noise, in random order and orientation, from seed and epoch alone.

    A batch has equal parts of all noise models, or of eight drawn anew; None stands for no noise.
    An epoch consists of whole batches. ``centring`` is the standard deviation per axis of the
    displacement [pixels]; with ``own`` signals it is the largest, and each map has its own.
    ``depth`` is the range of the factor of the noise amplitude, even in its logarithm;
    ``depth_error`` the standard deviation of ln of the factor that is told. ``blocks`` averages 2 x
    2 pixels. ``fields`` noise maps are drawn per epoch and noise model, each used in random
    orientations and with either sign. Maps that take no more ``memory`` than so many bytes are
    kept, others are read from disk in every epoch.
    """

    def __init__(
        self,
        dataset,
        noise,
        *,
        batch_size,
        seed,
        centring=0.0,
        depth=(1.0, 1.0),
        depth_error=0.0,
        blocks=True,
        fields=8192,
        memory=6e9,
        own=None,
    ):
        if not len(dataset):
            raise InvalidInputError("The data set has no maps to train on.")
        if centring and not blocks:
            raise InvalidInputError("'centring' needs 'blocks': whole maps are not displaced.")
        self.dataset, self.noise, self.seed = dataset, tuple(noise), seed
        self.batch_size = min(batch_size, len(dataset))
        self.centring, self.depth, self.depth_error = centring, depth, depth_error
        self.blocks, self.own = blocks, own
        self.fields = min(fields, 2 * math.ceil(len(dataset) / len(self.noise)))
        side = dataset.geometry.shape[0] // (2 if blocks else 1)
        self._kept = None
        self._keep = 4 * side**2 * len(dataset) * (1 if own is None else 2) <= memory

    @property
    def steps(self):
        """Batches of an epoch."""
        return len(self.dataset) // self.batch_size

    def batches(self, epoch=0):
        """Batches without end, each a list of MapBatch, one per noise model, from an epoch on."""
        while True:
            yield from self.epoch(epoch)
            epoch += 1

    def epoch(self, number, *, in_order=False):
        """Batches of one epoch; in order, all maps once and upright, as for validation."""
        rng = np.random.default_rng([self.seed, number])
        banks = [self._bank(model, rng) for model in self.noise]
        for rows, maps, alone in self._clean(number, in_order):
            parts, kinds = [], np.arange(len(banks))
            if len(kinds) > _KINDS and not in_order:
                kinds = rng.choice(kinds, _KINDS, replace=False)
            shares = np.array_split(np.arange(len(rows)), len(kinds))
            for kind, share in zip(kinds, shares, strict=True):
                if len(share):
                    own = None if alone is None else alone[share]
                    given = rows[share], maps[share], own, int(kind)
                    parts.append(self._noisy(*given, banks, rng, in_order))
            yield parts

    def whole(self, encoder):
        """Inputs, a pair, and targets of all maps once and in order, as an encoder gives them."""
        batches = [encoder(parts) for parts in self.epoch(0, in_order=True)]
        inputs = tuple(np.concatenate([batch[0][i] for batch in batches]) for i in range(2))
        return inputs, np.concatenate([batch[1] for batch in batches])

    def _clean(self, number, in_order):
        size = self.batch_size
        if self._keep:
            if self._kept is None:
                self._kept = [
                    np.concatenate([self._reduced(part) for _, part in dataset.batches(_CHUNK)])
                    for dataset in self._datasets
                ]
            order = np.arange(len(self.dataset))
            if not in_order:
                order = np.random.default_rng([self.seed, number, 1]).permutation(order)
            end = len(order) if in_order else self.steps * size
            for start in range(0, end, size):
                rows = order[start : start + size]
                maps = [kept[rows] for kept in self._kept]
                yield rows, maps[0], maps[1] if self.own else None
            return
        seed = None if in_order else self.seed
        batches = [d.batches(size, seed=seed, epoch=number) for d in self._datasets]
        for (rows, maps), *alone in zip(*batches, strict=True):
            if in_order or len(rows) == size:
                own = self._reduced(alone[0][1]) if alone else None
                yield rows, self._reduced(maps), own

    @property
    def _datasets(self):
        return [self.dataset, *([self.own.dataset] if self.own else [])]

    def _reduced(self, maps):
        if not np.isfinite(maps).all():
            bad = np.count_nonzero(~np.isfinite(maps).all(axis=(1, 2)))
            raise InvalidInputError(
                f"{bad} maps of {self.dataset.path.name!r} have pixels that are not finite: train "
                "on complete maps."
            )
        return pooled(maps) if self.blocks else maps

    def _bank(self, model, rng):
        if model is None:
            return None
        parts = []
        for start in range(0, self.fields, _CHUNK):
            n = min(_CHUNK, self.fields - start)
            fields = model.draw(self.dataset.geometry, n, rng, depth=1.0)
            parts.append(pooled(fields) if self.blocks else fields)
        return np.concatenate(parts)

    def _noisy(self, rows, maps, alone, kind, banks, rng, in_order):
        n = len(rows)
        low, high = np.log(self.depth)
        depth = np.exp(rng.uniform(low, high, n))
        centring, factor = np.full(n, self.centring), np.ones(n)
        if self.own is not None:
            centring *= rng.random(n) * (rng.random(n) > _EXACT)
            factor = np.exp(self.own.spread * rng.standard_normal(n))
            factor[self.own.turned[rows] & (rng.random(n) < 0.5)] *= -1
            maps = maps + (factor - 1).astype(np.float32)[:, np.newaxis, np.newaxis] * alone
        if self.centring:
            # Positions do not depend on the size of the pixels that have been averaged.
            shift = rng.normal(0.0, 0.5, (n, 2)) * centring[:, np.newaxis]
            maps = displaced(maps, shift)
        if banks[kind] is not None:
            field = rng.integers(0, len(banks[kind]), n)
            sign = rng.choice(np.array([-1, 1]), n)
            noise = turned(banks[kind][field], int(rng.integers(8)))
            maps = maps + (sign * depth).astype(np.float32)[:, np.newaxis, np.newaxis] * noise
        if not in_order:
            maps = turned(maps, int(rng.integers(8)))
        told = depth * np.exp(self.depth_error * rng.standard_normal(n))
        return MapBatch(rows, maps, kind, told, centring, factor)


def check_noise(noise, dataset):
    """Give the noise models as a tuple; (None,) for none."""
    models = tuple(noise) if isinstance(noise, list | tuple) else (noise,)
    if not models or not all(isinstance(model, NoiseModel | None) for model in models):
        raise InvalidInputError(
            f"'noise' must be a NoiseModel, several of them, or None. Received: {noise!r}"
        )
    if dataset.beam is None:
        raise InvalidInputError(
            "The data set does not say what beam is in its maps: networks must know. Make it with "
            "a beam."
        )
    there = (dataset.origin.get("observation") or {}).get("noise")
    for model in models:
        if model is None:
            continue
        if there is not None:
            raise InvalidInputError(
                "The maps of the data set have noise already: pass noise=None, or make clean maps."
            )
        if model.beam is not None and not np.isclose(model.beam, dataset.beam, rtol=0.01):
            raise InvalidInputError(
                f"The noise has a beam of {model.beam:g}, the maps have one of {dataset.beam:g}."
            )
    return models


def prefetched(iterator, ahead=4):
    """Run an iterator in a thread, some items ahead; what it raises is raised here."""
    iterator, end = iter(iterator), object()
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, iterator, end) for _ in range(ahead))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, iterator, end))
            yield item
