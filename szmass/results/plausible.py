"""What masses, redshifts and flags of a table cannot be, whoever wrote it."""

from __future__ import annotations  # signatures say ArrayLike, not all that it is

import numpy as np
from numpy.typing import ArrayLike, NDArray

from szmass._tables.columns import without_value
from szmass.results.flags import MassFlag

__all__ = ["impossible_values", "repeated_names"]

# No group or cluster lies outside these masses [solMass] and above this redshift.
_MASSES = (1e8, 1e18)
_REDSHIFT = 20.0


def impossible_values(field: str, values: ArrayLike) -> list[tuple[NDArray[np.bool_], str]]:
    """Tell which values of a column cannot be, and why.

    Parameters
    ----------
    field : {"mass", "errn", "errp", "redshift", "flag"}
        What the values are.
    values : `~numpy.ndarray`
        Masses and errors [solMass], redshifts, or flags; NaN is not known, and can be.

    Returns
    -------
    list of (`~numpy.ndarray` of bool, str)
        The rows, at least one, and what is wrong with their values, for each thing that is.

    Examples
    --------
    >>> import numpy as np
    >>> from szmass.results.plausible import impossible_values
    >>> impossible_values("mass", np.array([5e14, -1.0, np.nan]))
    [(array([False,  True, False]), 'infinite or not positive')]
    """
    values = np.asarray(values)
    if field == "mass":
        wrong = np.isinf(values) | (values <= 0)
        low, high = _MASSES
        beyond = ~wrong & ((values < low) | (values > high))
        found = [
            (wrong, "infinite or not positive"),
            (beyond, f"outside {low:.0e} to {high:.0e} solMass, as in another unit"),
        ]
    elif field in ("errn", "errp"):
        found = [(np.isinf(values) | (values < 0), "negative or infinite")]
    elif field == "redshift":
        beyond = np.isinf(values) | (values < 0) | (values > _REDSHIFT)
        found = [(beyond, f"negative or above {_REDSHIFT:g}")]
    else:
        known = int(sum(MassFlag))
        beyond = (values < 0) | (values & ~known != 0)
        found = [(beyond, "no sum of bits of MassFlag")]
    return [(rows, why) for rows, why in found if rows.any()]


def repeated_names(names: ArrayLike) -> NDArray[np.bool_]:
    """Tell which rows have a name that an earlier row has.

    Parameters
    ----------
    names : array-like of str
        Names of clusters.

    Returns
    -------
    `~numpy.ndarray` of bool
        True from the second row of a name on; rows without a name are False.

    Examples
    --------
    >>> from szmass.results.plausible import repeated_names
    >>> repeated_names(["a", "b", "a"])
    array([False, False,  True])
    """
    names = np.asarray(names, dtype=str)
    again = np.ones(len(names), bool)
    again[np.unique(names, return_index=True)[1]] = False
    return again & ~without_value(names)
