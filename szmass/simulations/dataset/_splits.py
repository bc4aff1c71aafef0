"""Parts of a data set that share no cluster."""

import numpy as np

from szmass._utils.seeds import check_seed
from szmass.exceptions import InvalidInputError

__all__ = ["split_clusters"]

# Apart from the streams of `_seeds`, which make the clusters.
_STREAM = 1001


def split_clusters(cluster_id, redshift, fractions, seed, redshift_bins):
    """Assign rows to parts so that no cluster is in two of them.

    Parameters
    ----------
    cluster_id : ndarray
        What cluster each row shows.
    redshift : ndarray
        Its redshift.
    fractions : sequence of float
        Sizes of the parts, adding up to at most 1.
    seed : int
        Seed.
    redshift_bins : sequence of float or None
        Edges; clusters of each bin are split in these fractions by themselves.

    Returns
    -------
    list of ndarray
        The rows of each part, increasing.

    Raises
    ------
    InvalidInputError
        An argument makes no sense, or a bin has too few clusters for the parts.
    """
    fractions = _check_fractions(fractions)
    rng = np.random.default_rng(np.random.SeedSequence(check_seed(seed), spawn_key=(_STREAM,)))
    clusters, first, inverse = np.unique(cluster_id, return_index=True, return_inverse=True)
    part = np.full(len(clusters), -1)
    edges = _check_edges(redshift_bins)
    bins = np.zeros(len(clusters), dtype=int)
    if edges is not None:
        row_bins = _find_bins(redshift, edges)
        bins = row_bins[first]
    for number in range(1 if edges is None else len(edges) - 1):
        members = np.flatnonzero(bins == number)
        if len(members) < len(fractions):
            where = "" if edges is None else f" in the redshift bin {_text(edges, number)}"
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


def _find_bins(redshift, edges):
    """Number of the bin (low, high] of each redshift."""
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
                    f"Part {i} of the split has no map in the redshift bin {_text(edges, number)}. "
                    "Use another seed, or pass other 'redshift_bins'."
                )


def _text(edges, number):
    return f"({edges[number]:g}, {edges[number + 1]:g}]"
