"""Rows of a data set: parts that share no cluster, and the order in which maps are read."""

import numpy as np

from szmass._utils.seeds import check_seed
from szmass.exceptions import InvalidInputError

__all__ = ["bin_label", "bins_of"]

# Apart from the streams that make the clusters.
_STREAM = 1001


def split_clusters(cluster_id, redshift, fractions, seed, redshift_bins):
    """Rows of each part, increasing, so that no cluster is in two; by bins of redshift if any."""
    fractions = _check_fractions(fractions)
    rng = np.random.default_rng(np.random.SeedSequence(check_seed(seed), spawn_key=(_STREAM,)))
    clusters, first, inverse = np.unique(cluster_id, return_index=True, return_inverse=True)
    part = np.full(len(clusters), -1)
    edges = _check_edges(redshift_bins)
    bins = np.zeros(len(clusters), dtype=int)
    if edges is not None:
        row_bins = bins_of(redshift, edges)
        bins = row_bins[first]
    for number in range(1 if edges is None else len(edges) - 1):
        members = np.flatnonzero(bins == number)
        if len(members) < len(fractions):
            where = "" if edges is None else f" in the redshift bin {bin_label(edges, number)}"
            hint = "" if edges is None else ", or pass other 'redshift_bins', or None for no bins"
            raise InvalidInputError(
                f"There are {len(members)} clusters{where}, and {len(fractions)} parts that each "
                f"need one. Use a data set with more{hint}."
            )
        part[rng.permutation(members)] = _shares(len(members), fractions)
    rows = [np.flatnonzero(part[inverse] == i) for i in range(len(fractions))]
    if edges is not None:
        _check_bins_present(row_bins, rows, edges)
    return rows


def _shares(n, fractions):
    """Give a part to each of n members, at least one member to each part; -1 for the rest."""
    cuts = np.round(np.cumsum(fractions) * n).astype(int)
    for i in range(len(cuts)):  # upwards: everybody gets one
        cuts[i] = max(cuts[i], (cuts[i - 1] if i else 0) + 1)
    for i in reversed(range(len(cuts))):  # downwards: as far as there are any
        cuts[i] = min(cuts[i], n - (len(cuts) - 1 - i))
    part = np.searchsorted(cuts, np.arange(n), side="right")
    return np.where(part < len(cuts), part, -1)


def _check_fractions(fractions):
    values = np.asarray(fractions, dtype=float)
    if values.ndim != 1 or not values.size or not np.all(values > 0) or values.sum() > 1 + 1e-9:
        raise InvalidInputError(
            "'fractions' must be positive numbers that add up to at most 1, for instance "
            f"(0.8, 0.1, 0.1). Received: {fractions!r}"
        )
    return values


def _check_edges(edges):
    if edges is None:
        return None
    values = np.asarray(edges, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.all(np.diff(values) > 0):
        raise InvalidInputError(
            f"'redshift_bins' must be two or more increasing edges. Received: {edges!r}"
        )
    return values


def bins_of(redshift, edges):
    """Give the redshift bin of each map.

    Parameters
    ----------
    redshift : ndarray
        Redshifts, shape (N,).
    edges : array-like of float
        Increasing edges of bins (low, high].

    Returns
    -------
    ndarray of int
        Numbers of the bins, shape (N,).

    Raises
    ------
    InvalidInputError
        A redshift is in none, or not known.
    """
    bins = np.searchsorted(edges, redshift, side="left") - 1
    outside = ~((redshift > edges[0]) & (redshift <= edges[-1]))
    if outside.any():
        raise InvalidInputError(
            f"{np.count_nonzero(outside)} maps have a redshift outside of ({edges[0]:g}, "
            f"{edges[-1]:g}], or none, for instance {redshift[outside][0]:.4g}. Select others, "
            "or pass other 'redshift_bins'."
        )
    return bins


def _check_bins_present(row_bins, parts, edges):
    for number in range(len(edges) - 1):
        for i, rows in enumerate(parts):
            if not np.any(row_bins[rows] == number):
                raise InvalidInputError(
                    f"Part {i} of the split has no map in the redshift bin "
                    f"{bin_label(edges, number)}. Use another seed, or pass other 'redshift_bins'."
                )


def bin_label(edges, number):
    """Write a redshift bin as ``(low, high]``.

    Parameters
    ----------
    edges : sequence of float
        Edges of the bins.
    number : int
        Which one.

    Returns
    -------
    str
        Its label.
    """
    return f"({edges[number]:g}, {edges[number + 1]:g}]"


def mixed_blocks(shards, buffer, rng):
    """Yield the rows of whole shards, in random order, in blocks of about ``buffer``."""
    order = np.argsort(shards, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(shards[order])) + 1) if len(order) else []
    block, size = [], 0
    for i in rng.permutation(len(parts)):
        if block and size + len(parts[i]) > buffer:
            yield np.sort(np.concatenate(block))
            block, size = [], 0
        block.append(parts[i])
        size += len(parts[i])
    if block:
        yield np.sort(np.concatenate(block))


def batches(read, blocks, batch_size, rng=None):
    """Yield batches of rows and maps (arrays of their own) of blocks, mixed each by ``rng``."""
    rows, maps = np.arange(0), None
    for block in blocks:
        pixels = read(block)
        order = np.arange(len(block)) if rng is None else rng.permutation(len(block))
        start = 0
        while start < len(order):
            stop = start + batch_size - len(rows)
            part = order[start:stop]
            more = pixels[part]
            maps = np.concatenate([maps, more]) if len(rows) else more
            rows = np.concatenate([rows, block[part]])
            start = stop
            if len(rows) == batch_size:
                yield rows, maps
                rows = rows[:0]
        del pixels  # before the next block is read
    if len(rows):
        yield rows, maps
