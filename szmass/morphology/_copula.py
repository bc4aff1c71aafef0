"""Normal scores and their correlations, and the columns that they are made of."""

import numpy as np
from scipy.special import ndtri

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError

#: Parameters of morphology that tell of the state.
STATE_PARAMETERS = (
    "concentration",
    "centroid_shift",
    "p2_p0",
    "p3_p0",
    "asymmetry_180",
    "zernike",
    "ellipticity",
    "strip",
    "gaussian",
    "offset",
)


def interpolated(x, nodes, values):
    """Interpolate, and beyond the nodes go on with slope 1."""
    beyond = np.minimum(x - nodes[0], 0) + np.maximum(x - nodes[-1], 0)
    return np.interp(x, nodes, values) + beyond


def scores_of(values, quantiles, levels):
    """Normal scores of values by their quantiles, NaN to NaN."""
    # Where quantiles repeat, the middle of their levels.
    low = np.interp(values, quantiles, ndtri(levels))
    high = -np.interp(-values, -quantiles[::-1], -ndtri(levels)[::-1])
    return (low + high) / 2


def nearest_correlation(correlation):
    """Give the matrix, or one near it whose eigenvalues are positive and whose diagonal is 1."""
    eigenvalues, vectors = np.linalg.eigh(correlation)
    if eigenvalues[0] > 1e-6:
        return correlation
    correlation = (vectors * np.maximum(eigenvalues, 1e-3)) @ vectors.T
    scale = np.sqrt(np.diag(correlation))
    return correlation / np.outer(scale, scale)


def columns_of(tables, parameters, wanted=None):
    """Names "band:parameter" or "parameter", and their values (N, K)."""
    bands = tables if isinstance(tables, dict) else {"": tables}
    names, columns = [], []
    for table in bands.values():
        check_kind(table, "Table", "tables")
    if not bands or len({len(table) for table in bands.values()}) != 1:
        raise InvalidInputError("'tables' must be tables of one length, one for each band.")
    for band, table in bands.items():
        chosen = [parameters] if isinstance(parameters, str) else parameters
        if wanted is not None:
            start = f"{band}:" if band else ""
            chosen = [n.removeprefix(start) for n in wanted if not band or n.startswith(start)]
        elif chosen is None:
            chosen = [name for name in STATE_PARAMETERS if name in table.colnames]
        for name in dict.fromkeys(chosen):
            if name not in table.colnames:
                raise InvalidInputError(
                    f"The table{f' {band!r}' if band else ''} has no column {name!r}. It has: "
                    f"{', '.join(table.colnames)}."
                )
            names.append(f"{band}:{name}" if band else name)
            columns.append(as_floats(table[name], "", name))
    if not names or (wanted is not None and set(names) != set(wanted)):
        raise InvalidInputError(
            f"'tables' must have the parameters {', '.join(wanted or STATE_PARAMETERS)}. "
            f"Received: {', '.join(names) or 'none of them'}"
        )
    if wanted is not None:
        columns = [columns[names.index(name)] for name in wanted]
    values = np.column_stack(columns)
    return names, np.where(np.isfinite(values), values, np.nan)


def rows_of_tables(tables, rows):
    if isinstance(tables, dict):
        return {band: table[rows] for band, table in tables.items()}
    return tables[rows]


def numbers_of(truth, state, number):
    """Give the number of the state of each of so many clusters."""
    if hasattr(truth, "colnames") or isinstance(truth, dict):
        numbers = state.measure(truth)
    else:
        numbers = as_floats(truth, "", "truth")
    if numbers.shape != (number,):
        raise InvalidInputError(
            f"'truth' must be of the {number} clusters of the tables. "
            f"Received: shape {numbers.shape}"
        )
    return numbers
