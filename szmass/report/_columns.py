"""Columns of the report that are no masses, and rows of a sample that belong to a table."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn

from szmass._utils.attributes import column_parts
from szmass.exceptions import InvalidInputError

__all__ = ["LABELS", "Numbers", "join_sample", "match_rows", "read_column"]

#: Measurements that are shown first, and under these names.
LABELS = {
    "snr": "S/N",
    "y5r500": "Y(5 R500)",
    "y500": "Y500",
    "theta500_true": "true θ500",
    "y500_true": "true Y500",
    "pos_err": "position error",
}


@dataclass
class Numbers:
    """A further column: numbers, or words if ``values`` holds str.

    Parameters
    ----------
    label : str
        What it is called.
    values : ndarray
        NaN, or the empty word, where not known.
    unit : str
        For instance "arcmin²".
    """

    label: str
    values: np.ndarray
    unit: str = ""


def match_rows(names, others, what):
    """Find clusters by name.

    Parameters
    ----------
    names : sequence of str
        Those of the table.
    others : sequence of str
        Names in what is matched.
    what : str
        Name of the argument, for the error message.

    Returns
    -------
    ndarray of int
        For each of ``names`` the place in ``others``, -1 where there is none.

    Raises
    ------
    InvalidInputError
        No name is found, or one that is wanted stands twice in ``others``.
    """
    others = [str(name) for name in others]
    if list(names) == others:
        return np.arange(len(others))
    places, repeated = {}, set()
    for place, name in enumerate(others):
        if name in places:
            repeated.add(name)
        places[name] = place
    rows = np.array([places.get(name, -1) for name in names])
    if np.all(rows < 0):
        raise InvalidInputError(
            f"'{what}' holds none of the clusters of the table: its names begin with "
            f"{', '.join(map(repr, others[:3])) or 'nothing'}, those of the table with "
            f"{', '.join(map(repr, list(names)[:3]))}."
        )
    wanted = sorted(repeated.intersection(names))
    if wanted:
        raise InvalidInputError(
            f"'{what}' holds {wanted[0]!r} more than once, and its clusters are not those of the "
            "table in their order, so that they have to be found by name."
        )
    return rows


def join_sample(table, names, sample):
    """Add the columns of a sample that a table lacks.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table; it is not changed.
    names : sequence of str
        Names of its clusters.
    sample : `~szmass.clusters.ClusterSample`
        The same clusters in any order.

    Returns
    -------
    `~astropy.table.Table`
        With the columns of both; what the sample does not have is masked or NaN.
    """
    rows = match_rows(names, sample.names, "sample")
    joined = table.copy(copy_data=False)
    for name in sample.table.colnames:
        if name not in (*joined.colnames, "coord", "redshift"):
            joined[name] = _taken(sample.table[name], rows)
    if "redshift" not in joined.colnames:
        joined["redshift"] = np.where(rows < 0, np.nan, sample.redshift[rows])
    if "coord" not in joined.colnames and not {"ra", "dec"} <= set(joined.colnames):
        position = sample.coord.icrs
        for name, angle in (("ra", position.ra), ("dec", position.dec)):
            joined[name] = np.where(rows < 0, np.nan, angle.deg[rows]) * u.deg
    return joined


def _taken(column, rows):
    missing = rows < 0
    taken = column[rows]
    if not missing.any() or isinstance(taken, SkyCoord):
        return taken
    values, mask, unit = column_parts(taken)
    return MaskedColumn(values, mask=mask | missing, unit=unit)


def read_column(name, column):
    """Read a column of numbers or words.

    Parameters
    ----------
    name : str
        Its name in the table.
    column : column of a table
        The column.

    Returns
    -------
    Numbers or None
        None for what is neither.
    """
    if isinstance(column, SkyCoord) or getattr(column, "ndim", 1) != 1:
        return None
    try:
        values, mask, unit = column_parts(column)
    except (TypeError, ValueError):
        return None
    label = LABELS.get(name, name.replace("_", " "))
    if values.dtype.kind in "fiu":
        return Numbers(label, np.where(mask, np.nan, values.astype(float)), _unit_text(unit))
    if values.dtype.kind in "USb":
        words = ["" if hidden else str(value) for value, hidden in zip(values, mask, strict=True)]
        return Numbers(label, np.array(words, dtype=str))
    return None


def _unit_text(unit):
    if unit is None or unit == u.dimensionless_unscaled:
        return ""
    text = u.Unit(unit).to_string("unicode")
    return text if text[-1] not in "′″°" else str(unit)
