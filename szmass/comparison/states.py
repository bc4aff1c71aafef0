"""Masses of relaxed and disturbed clusters: whether the error of a mass depends on the state."""

import numpy as np
from astropy.table import QTable

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.results import masses_of, methods_of

__all__ = ["mass_bias_by_state"]

_FEWEST = 4


def mass_bias_by_state(table, methods=None, *, state="log_chi", truth="mass_true"):
    """Give the mean residual of masses in the relaxed and the disturbed half of clusters.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, as from `~szmass.estimators.estimate_masses`.
    methods : str or sequence of str, optional
        Names of methods; by default all of the table.
    state : str or array-like, optional
        Column of a number that is larger for more relaxed clusters, or the numbers, (N,). The
        halves are above and below its median in the clusters that the method has weighed; where
        more than half have the largest value, as of a flag, these and the others.
    truth : str, optional
        Column of what the masses are compared with.

    Returns
    -------
    `~astropy.table.QTable`
        A row per method: ``method``, ``n``; ``relaxed`` and ``disturbed``, the mean of
        log10 (M / truth) [dex] in either half, with standard errors ``relaxed_err`` and
        ``disturbed_err``; ``difference``, the former minus the latter, with ``difference_err``;
        and ``slope``, d log10 (M / truth) / d state by least squares, with ``slope_err``.

    Raises
    ------
    InvalidInputError
        A column is missing, no method is named, the state is not one number per cluster, or a
        method has fewer than four clusters with all of them.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from szmass.comparison import mass_bias_by_state
    >>> state = np.linspace(-1, 1, 40)
    >>> table = QTable({"log_chi": state, "mass_true": np.full(40, 5e14) * u.solMass})
    >>> table["mass_mine"] = table["mass_true"] * 10 ** (0.05 * state)
    >>> mass_bias_by_state(table)["difference"].round(3).tolist()
    [0.051]
    """
    check_kind(table, "Table", "table")
    if isinstance(state, str):
        if state not in table.colnames:
            raise InvalidInputError(
                f"'state' must be a column of the table, or numbers. Received: {state!r}; the "
                f"columns are {', '.join(table.colnames)}. add_states puts log_chi there."
            )
        state = table[state]
    state = as_floats(state, "", "state")
    if state.shape != (len(table),):
        raise InvalidInputError(
            f"'state' must have one number per row ({len(table)}). Received: shape {state.shape}"
        )
    true = masses_of(table, truth).mass
    rows = []
    methods = [methods] if isinstance(methods, str) else methods
    methods = methods_of(table) if methods is None else list(methods)
    if not methods:
        raise InvalidInputError("The table has no masses by a method, or 'methods' names none.")
    for method in methods:
        with np.errstate(invalid="ignore", divide="ignore"):
            residual = np.log10(masses_of(table, method).mass / true)
        known = np.isfinite(residual) & np.isfinite(state)
        if known.sum() < _FEWEST:
            raise InvalidInputError(
                f"A mean needs at least {_FEWEST} clusters with a mass by {method!r}, {truth!r} "
                f"and the state. There are {known.sum()}."
            )
        residual, x = residual[known], state[known]
        relaxed = x > np.median(x)
        if not relaxed.any():  # more than half have the largest value
            relaxed = x == np.max(x)
        (high, high_err), (low, low_err) = (_mean(residual[half]) for half in (relaxed, ~relaxed))
        slope, slope_err = _slope(x, residual)
        rows.append(
            {
                "method": method,
                "n": len(x),
                "relaxed": high,
                "relaxed_err": high_err,
                "disturbed": low,
                "disturbed_err": low_err,
                "difference": high - low,
                "difference_err": np.hypot(high_err, low_err),
                "slope": slope,
                "slope_err": slope_err,
            }
        )
    return QTable(rows=rows, meta={"residual": f"log10 (M / {truth}) [dex]"})


def _mean(values):
    if len(values) < 2:
        return np.nan, np.nan
    return values.mean(), values.std(ddof=1) / np.sqrt(len(values))


def _slope(x, y):
    away = x - x.mean()
    total = np.sum(away**2)
    if not total > 0:
        return np.nan, np.nan
    slope = np.sum(away * y) / total
    left = y - y.mean() - slope * away
    return slope, np.sqrt(np.sum(left**2) / (len(x) - 2) / total)
