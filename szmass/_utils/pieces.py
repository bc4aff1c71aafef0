"""Rows in pieces of one shape, so that no result depends on how many there are."""

import numpy as np


def in_pieces(function, size, *arrays):
    """Apply a function of rows to so many at a time, and join what it gives: one array, or some.

    How products and networks are summed depends on the shapes of arrays. The last piece is filled
    up with its last row: each row gives the same to the bit in any company.
    """
    n, found = len(arrays[0]), []
    for start in range(0, max(n, 1), size):
        parts = [array[start : start + size] for array in arrays]
        count = len(parts[0])
        if 0 < count < size:
            fill = np.minimum(np.arange(size), count - 1)
            parts = [part[fill] for part in parts]
        given = function(*parts)
        several = isinstance(given, tuple)
        found.append([array[:count] for array in (given if several else (given,))])
    joined = tuple(np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return joined if several else joined[0]


# Rows of a product taken transposed are the lanes of its vectors: on all processors so many go
# through the same sums, whatever the place where they stand.
_LANES = 16


def row_products(rows, matrix):
    """Products of rows (N, K) with a matrix (K, P), the same for a row in any company."""
    return in_pieces(lambda part: (matrix.T @ part.T).T, _LANES, rows)
