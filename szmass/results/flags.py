"""Flags of masses, and what each means in words."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from szmass._tables.columns import column_parts
from szmass._utils.flags import WordedFlag
from szmass.exceptions import FileFormatError

__all__ = ["FLAG_WORDS", "MassFlag", "flags_in"]


class MassFlag(WordedFlag):
    """Bits of the column ``flag``; 0 means that nothing is to be said.

    Examples
    --------
    >>> from szmass.results import MassFlag
    >>> MassFlag.describe(260)
    'NO_CUTOUT|BLENDED'
    >>> MassFlag.NO_CUTOUT.words
    'The map does not cover the cluster at all.'
    """

    NO_REDSHIFT = 1, "No redshift is known, and the method needs one."
    REDSHIFT_OUT_OF_RANGE = 2, "The redshift is outside the range the method was made for."
    NO_CUTOUT = 4, "The map does not cover the cluster at all."
    INCOMPLETE_CUTOUT = 8, "The map covers only a part of the field around the cluster."
    NO_MEASUREMENT = 16, "A catalogue value that the method needs is missing."
    NOT_POSITIVE = 32, "A value that must be positive, such as Y, is not."
    EXTRAPOLATED = 64, "The mass is outside the range the method was made for: take it with care."
    NO_ERROR = 128, "There is a mass but no known error."
    BLENDED = 256, "A neighbour in the field may change the mass by more than its error."
    CUTOUT_TOO_SMALL = 512, "The cluster reaches beyond the cutout: only a part of it was used."
    NO_MATCH = 1024, "The cluster is not in the table that masses are looked up in."
    OUT_OF_DOMAIN = 2048, "The cutout looks unlike those that the network was trained on."
    IMPLAUSIBLE = 4096, "A value is beyond what clusters have, such as y > 0.01: look at the units."
    FAILED = 8192, "The estimator stopped with an error, or gave no mass and no reason."


def flags_in(column: Any, name: str) -> NDArray[np.int_]:
    """Read flags of a table.

    Parameters
    ----------
    column : `~astropy.table.Column`
        The column; numbers of any kind that are whole.
    name : str
        Its name, for messages.

    Returns
    -------
    `~numpy.ndarray` of int
        The flags, 0 where masked or NaN.

    Raises
    ------
    FileFormatError
        It holds something else than whole numbers.
    """
    values, mask, _ = column_parts(column)
    if values.dtype.kind in "iubf":
        values = np.where(mask | ~np.isfinite(values), 0, values)
        if np.all((values == np.rint(values)) & (np.abs(values) < 2.0**53)):
            return values.astype(int)
    raise FileFormatError(f"The column {name!r} does not hold whole numbers.")


#: What each flag means for a reader.
FLAG_WORDS = {flag: flag.words for flag in MassFlag}
