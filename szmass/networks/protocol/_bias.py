"""Bias and error of predicted masses, by predicted mass."""

import math

import numpy as np

from szmass.networks.cards import ErrorTable

__all__ = ["error_table", "mass_bin_statistics", "pooled_means", "relative_error"]

# Maps of a node of the table of errors, and the most nodes it has.
_PER_NODE, _MOST_NODES = 30, 20
# An end of the interval on the wrong side of the predicted mass counts as this [dex].
_LEAST_ERROR = 1e-3


def relative_error(predicted, true):
    """(M_predicted - M_true) / M_predicted from decimal logarithms."""
    return 1 - 10.0 ** (np.asarray(true) - np.asarray(predicted))


def mass_bin_statistics(predicted, true, cluster_id, edges):
    """Statistics of the errors of log10(M / Msun) of one network in bins of predicted mass.

    Lists between and beyond the edges, None where there are too few; and numbers of all maps, where
    ``scatter`` [dex] is the rmse of one who always says the mean of the true masses.
    """
    error = relative_error(predicted, true)
    index = np.searchsorted(edges, predicted, side="right")
    result = {"maps": [], "clusters": [], "mean": [], "std": []}
    for number in range(len(edges) + 1):
        rows = index == number
        result["maps"].append(int(rows.sum()))
        result["clusters"].append(len(np.unique(cluster_id[rows])))
        result["mean"].append(_or_none(error[rows].mean()) if rows.any() else None)
        result["std"].append(_or_none(error[rows].std()) if rows.any() else None)
    result |= {
        "relative_mean": _or_none(error.mean()),
        "relative_std": _or_none(error.std()),
        "rmse": _or_none(np.sqrt(np.mean((predicted - true) ** 2))),
        "scatter": float(np.std(true)),
    }
    return result


def _or_none(value):
    return float(value) if math.isfinite(value) else None


def pooled_means(statistics, least):
    """Mean relative error per bin, with those of fewer than the least clusters pooled.

    Otherwise a network could hide where it is biased by predicting few such masses. Bins are pooled
    with the next ones, the last ones with those before. None where there are no maps or too few.
    """
    groups, waiting = [], []
    for number in range(len(statistics["maps"])):
        waiting.append(number)
        if sum(statistics["clusters"][i] for i in waiting) >= least:
            groups.append(waiting)
            waiting = []
    if groups:
        groups[-1] += waiting
    result = [None] * len(statistics["maps"])
    for group in groups:
        there = [i for i in group if statistics["maps"][i]]
        weights = [statistics["maps"][i] for i in there]
        # An infinite error has no number on record.
        if any(statistics["mean"][i] is None for i in there):
            continue
        for i in there:
            means = [statistics["mean"][j] for j in there]
            result[i] = float(np.average(means, weights=weights))
    return result


def error_table(predicted, true, level=0.68):
    """Range of the true log10 mass at the predicted one, at a level; None with fewer than 60 maps.

    Nodes are at the median predicted mass of equal numbers of maps, the outer ones at the ends.
    """
    n = min(_MOST_NODES, len(predicted) // _PER_NODE)
    if n < 2:
        return None
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, n)
    nodes = np.array([np.median(predicted[part]) for part in parts])
    nodes[[0, -1]] = predicted[order[[0, -1]]]
    tail = 50 * (1 - level)
    low, high = np.transpose(
        [np.percentile(true[part] - predicted[part], [tail, 100 - tail]) for part in parts]
    )
    # Equal predictions, as of a network that has learned nothing, make one node.
    keep = np.concatenate([[True], np.diff(nodes) > 0])
    if keep.sum() < 2:
        return None
    return ErrorTable(
        nodes[keep], np.maximum(-low, _LEAST_ERROR)[keep], np.maximum(high, _LEAST_ERROR)[keep]
    )
