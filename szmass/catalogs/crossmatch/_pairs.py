"""Pairs of positions on the sphere, which of them to keep, and what chance would give.

Positions are unit vectors and distances chords of the unit sphere: the chord c of an
angle t is 2 sin(t / 2), and a cap of radius t has the solid angle pi c^2.
"""

import numpy as np
from scipy.spatial import cKDTree

from szmass.exceptions import InvalidInputError

__all__ = ["chance_probability", "choose_pairs", "pairs_by_position"]

_CHUNK = 200_000
_MOST_PAIRS = 50_000_000
_SAMPLE = 500
# The density is the median over this many neighbours of that inside their own n-th neighbour.
_NEIGHBOURS = 12
_NTH = 5


def pairs_by_position(a, b, radius):
    """Find all pairs that are closer than a radius.

    Parameters
    ----------
    a, b : `~numpy.ndarray`, shape (N, 3), (M, 3)
        Unit vectors, NaN where not known.
    radius : `~numpy.ndarray`, shape (N,)
        Radius around each row of a [rad].

    Returns
    -------
    i, j : `~numpy.ndarray` of int
        Rows of a and of b.

    Raises
    ------
    InvalidInputError
        There are more pairs than fit into memory.
    """
    rows_a = np.flatnonzero(np.isfinite(a[:, 0]) & (radius > 0))
    rows_b = np.flatnonzero(np.isfinite(b[:, 0]))
    empty = np.empty(0, dtype=np.intp)
    if not len(rows_a) or not len(rows_b):
        return empty, empty
    # Rows of like radius share a tree, so that one large radius does not search for all; among
    # themselves they go by latitude, since compact trees are compared twice as fast.
    size = np.ceil(np.log2(radius[rows_a]))
    order = np.lexsort((a[rows_a, 2], size))
    rows_a, starts = rows_a[order], np.flatnonzero(np.diff(size[order], prepend=np.nan) != 0)
    # Rounding of the vectors: far below a micro-arcsecond.
    limit = 2 * np.sin(np.minimum(radius, np.pi) / 2) + 1e-14
    tree = cKDTree(b[rows_b])
    found, total = [], 0
    for rows in _chunks(rows_a, starts):
        most = limit[rows].max()
        sample = rows[:: max(len(rows) // _SAMPLE, 1)]
        counts = tree.query_ball_point(a[sample], most, return_length=True)
        if total + counts.mean() * len(rows) > _MOST_PAIRS:
            raise InvalidInputError(
                f"'radius' (up to {np.degrees(radius.max()) * 60:.4g} arcmin) gives more than "
                f"{_MOST_PAIRS:.0e} pairs of {len(a)} and {len(b)} positions. Make it smaller."
            )
        pairs = cKDTree(a[rows]).sparse_distance_matrix(tree, most, output_type="ndarray")
        i = rows[pairs["i"]]
        close = pairs["v"] <= limit[i]
        total += np.count_nonzero(close)
        found.append((i[close], rows_b[pairs["j"][close]]))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _chunks(rows, starts):
    for part in np.split(rows, starts[1:]):
        yield from np.split(part, range(_CHUNK, len(part), _CHUNK))


def choose_pairs(i, j, rank, first, mode):
    """Choose among pairs and sort them by row of a, the better one first.

    Parameters
    ----------
    i, j : `~numpy.ndarray` of int
        Rows of a and of b.
    rank : `~numpy.ndarray` of float
        Smaller is better; NaN is the worst.
    first : `~numpy.ndarray` of bool
        Pairs that are better than all others, whatever their rank.
    mode : {"all", "nearest", "best"}
        All of them; the best for each row of a; one-to-one, in the order of goodness.

    Returns
    -------
    `~numpy.ndarray` of int
        Indices of the chosen pairs. Pairs that are equally good go by the row of a, then of b.
    """
    keys = (rank, ~first) if first.any() else (rank,)
    if mode != "best":
        order = np.lexsort((j, *keys, i))
        if mode == "all" or not len(i):
            return order
        by_row = i[order]
        return order[np.concatenate(([True], by_row[1:] != by_row[:-1]))]
    order = np.lexsort((j, i, *keys))
    taken_a, taken_b = bytearray(i.max(initial=-1) + 1), bytearray(j.max(initial=-1) + 1)
    chosen = []
    for pair, row_a, row_b in zip(
        order.tolist(), i[order].tolist(), j[order].tolist(), strict=True
    ):
        if not (taken_a[row_a] or taken_b[row_b]):
            taken_a[row_a] = taken_b[row_b] = True
            chosen.append(pair)
    chosen = np.array(chosen, dtype=np.intp)
    return chosen[np.argsort(i[chosen], kind="stable")]


def chance_probability(separation, b, rows, density=None):
    """Compute the probability that a random row of b is at least as close.

    Parameters
    ----------
    separation : `~numpy.ndarray`, shape (P,)
        Separations [rad]; NaN gives NaN.
    b : `~numpy.ndarray`, shape (M, 3)
        Unit vectors, NaN where not known.
    rows : `~numpy.ndarray` of int, shape (P,)
        Row of b of each pair.
    density : float, optional
        Number of rows of b per steradian; by default it is measured around each row.

    Returns
    -------
    `~numpy.ndarray`, shape (P,)
        1 - exp(-density * solid angle of the cap).
    """
    cap = 4 * np.pi * np.sin(separation / 2) ** 2
    probability = np.full(len(cap), np.nan)
    use = np.isfinite(cap)
    if use.any():
        if density is None:
            wanted, inverse = np.unique(rows[use], return_inverse=True)
            density = _local_density(b, wanted)[inverse]
        with np.errstate(invalid="ignore"):  # rows at one place: no cap times infinite density
            expected = np.where(cap[use] > 0, density * cap[use], 0)
        probability[use] = -np.expm1(-expected)
    return probability


def _local_density(b, wanted):
    """Measure the density around rows of b [1/sr].

    The cap to the n-th neighbour of a row holds a Gamma-distributed multiple of the mean
    area per row, whose median is n - 1/3 to one per cent. The median over the row and its
    neighbours ignores clumps; and since the caps reach over a few mean distances only, few of
    them reach over the edge of a survey.
    """
    known = np.flatnonzero(np.isfinite(b[:, 0]))
    if len(known) < 2:
        return np.full(len(wanted), len(known) / (4 * np.pi))
    tree = cKDTree(b[known])
    nth = min(_NTH, len(known) - 1)
    # In the order of the tree's leaves queries are three times as fast.
    place = np.empty(len(b), dtype=np.intp)
    place[known[tree.indices]] = np.arange(len(known))
    order = np.argsort(place[wanted])
    _, around = tree.query(b[wanted[order]], k=min(_NEIGHBOURS, len(known)), workers=-1)
    needed = np.zeros(len(known), dtype=bool)
    needed[around] = True
    needed = tree.indices[needed[tree.indices]]
    chord = np.empty(len(known))
    chord[needed] = tree.query(b[known[needed]], k=[nth + 1], workers=-1)[0][:, 0]
    density = np.empty(len(wanted))
    with np.errstate(divide="ignore"):
        density[order] = (nth - 1 / 3) / (np.pi * np.median(chord[around], axis=1) ** 2)
    return density
