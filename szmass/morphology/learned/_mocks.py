"""Mock clusters that states are learned from: what is seen of them, and their true states."""

from collections.abc import Callable
from typing import NamedTuple

import joblib
import numpy as np
from astropy.table import Table

from szmass._utils.seeds import check_seed
from szmass._utils.workers import check_workers
from szmass.physics import get_dynamical_state

#: Definitions that are learned if none are named.
DEFINITIONS = ("deluca2021", "cui2018")


class Mocks(NamedTuple):
    """How mock clusters are looked at, in whatever process.

    ``look(sample, mass, depth=..., **options)`` is `measure_for_states` or `see_for_states`;
    ``mass`` and ``depth`` are columns, and R500 is that of masses with a ``scatter`` in log10.
    """

    look: Callable
    mass: str
    scatter: float
    depth: str | None
    definitions: tuple
    seed: int
    options: dict

    def look_at(self, samples, workers):
        """What is found of each sample, true numbers of all clusters by definition, cutouts.

        Samples may be functions that make them, in the process that looks at them.
        """
        check_seed(self.seed)
        done = joblib.Parallel(n_jobs=check_workers(workers))(
            joblib.delayed(self._look_at_one)(i, sample) for i, sample in enumerate(samples)
        )
        found, truths = [d[0] for d in done], [d[1] for d in done]
        truth = {name: np.concatenate([t[name] for t in truths]) for name in self.definitions}
        return found, truth, done[0][2]

    def _look_at_one(self, i, sample):
        sample = sample() if callable(sample) else sample
        rng = np.random.default_rng([self.seed, i])
        factor = 10 ** (self.scatter * rng.standard_normal(len(sample)))
        depth = None if self.depth is None else sample.quantity(self.depth).value
        found = self.look(sample, sample.quantity(self.mass) * factor, depth=depth, **self.options)
        truth = {name: get_dynamical_state(name).measure(sample.table) for name in self.definitions}
        return found, truth, (sample.cutouts.beam, sample.cutouts.geometry)


def joined(tables):
    """Tables of the same columns, one after the other."""
    columns = tables[0].colnames
    return Table({c: np.concatenate([table[c] for table in tables]) for c in columns})
