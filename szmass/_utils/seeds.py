"""Streams of random numbers that depend on the seed and on what they are for, on nothing else."""

import numpy as np

from szmass.exceptions import InvalidInputError

# One number per purpose, never reused: the stream of a purpose stays the same when others change.
_PURPOSES = {
    "population": 1,
    "positions": 2,
    "selection": 3,
    "cluster": 4,
    "projection": 5,
    "observation": 6,
    "noise": 7,
    "environment": 8,
    "sky": 9,
    "neighbours": 10,
    "ingredient": 11,
    "states": 12,
    "halos": 13,
    "baryons": 14,
    "predictions": 15,
    "morphology": 18,
}


def check_seed(seed):
    """Give a seed as a non-negative int."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidInputError(f"'seed' must be an integer of at least 0. Received: {seed!r}")
    return int(seed)


def check_count(n, name):
    """Give a number of things as a positive int."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InvalidInputError(f"'{name}' must be an integer of at least 1. Received: {n!r}")
    return int(n)


def generator(seed, purpose, *indices):
    """Give the generator of a purpose, for instance of cluster 17 in projection 3."""
    key = (_PURPOSES[purpose], *(int(i) for i in indices))
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(check_seed(seed), spawn_key=key))
    )


def uniforms(seed, purpose, indices, n):
    """Draw ``n`` numbers in (0, 1) for each tuple in ``indices``: a row and a stream each."""
    result = np.array([generator(seed, purpose, *index).random(n) for index in indices])
    # random() can give 0, which has no normal quantile.
    return np.maximum(result.reshape(-1, n), 2.0**-54)
