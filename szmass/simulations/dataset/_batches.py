"""The order in which a data set that is larger than memory is read."""

import numpy as np

__all__ = ["batches", "even_blocks", "mixed_blocks"]


def even_blocks(n, buffer):
    """Yield the rows 0 to n - 1 in blocks of at most ``buffer``."""
    for start in range(0, n, buffer):
        yield np.arange(start, min(start + buffer, n))


def mixed_blocks(shards, buffer, rng):
    """Yield the rows of whole shards, in random order, in blocks of about ``buffer``.

    Parameters
    ----------
    shards : ndarray of int
        The shard that each row is in.
    buffer : int
        Blocks are larger only if one shard is.
    rng : `~numpy.random.Generator`
        Source of random numbers.

    Yields
    ------
    ndarray of int
        Rows, increasing.
    """
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
    """Read blocks and yield them in batches, one block in memory at a time.

    Parameters
    ----------
    read : callable
        Gives the maps of rows.
    blocks : iterable of ndarray of int
        Rows.
    batch_size : int
        Maps of a batch; a batch may hold the end of one block and the beginning of the next.
    rng : `~numpy.random.Generator`, optional
        Mixes the rows of each block.

    Yields
    ------
    rows : ndarray of int
        Rows of the batch.
    maps : ndarray
        Their maps, an array of their own.
    """
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
