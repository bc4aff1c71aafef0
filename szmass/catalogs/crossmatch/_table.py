"""Table of matched rows with the columns of all catalogues."""

from dataclasses import dataclass, fields

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable
from astropy.time import Time, TimeDelta

from szmass._tables.columns import column_of, column_parts
from szmass.exceptions import InvalidInputError

# Column to (unit, description).
_PAIR_COLUMNS = {
    "separation": (u.arcmin, "Angle between the positions"),
    "delta_redshift": (None, "Redshift of the match minus that of the row"),
    "p_chance": (None, "Probability that an unrelated position is as close"),
    "matched_by": (None, "What made the pair"),
}


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of rows and what is known of them, one entry per pair; NaN where not known."""

    i: np.ndarray  # rows of a, -1 for none
    j: np.ndarray  # rows of b, -1 for none
    separation: np.ndarray  # [arcmin]
    delta_redshift: np.ndarray
    p_chance: np.ndarray
    matched_by: np.ndarray  # empty where there is no partner

    def with_unmatched_a(self, n):
        """Put in those of the n rows of a that have no partner, in the order of a."""
        lonely = np.setdiff1d(np.arange(n), self.i)
        order = np.argsort(np.concatenate((self.i, lonely)), kind="stable")
        return self._extended(lonely, np.full(len(lonely), -1), order)

    def with_unmatched_b(self, n):
        """Append those of the n rows of b that have no partner."""
        lonely = np.setdiff1d(np.arange(n), self.j)
        return self._extended(np.full(len(lonely), -1), lonely, slice(None))

    def _extended(self, i, j, order):
        nan = np.full(len(i), np.nan)
        added = {"i": i, "j": j, "matched_by": np.full(len(i), "")}
        return Pairs(
            **{
                field.name: np.concatenate((getattr(self, field.name), added.get(field.name, nan)))[
                    order
                ]
                for field in fields(self)
            }
        )

    def columns(self):
        """Give what is known of the pairs as columns of a table, masked where not known."""
        result = {}
        for name, (unit, description) in _PAIR_COLUMNS.items():
            values = getattr(self, name)
            unknown = values == "" if name == "matched_by" else np.isnan(values)
            column = column_of(values, unknown, unit)
            column.info.description = description
            result[name] = column
        return result


def require_prefixes(prefixes, n):
    """Refuse prefixes that are not n different words."""
    usable = [isinstance(prefix, str) and prefix.isidentifier() for prefix in prefixes]
    if isinstance(prefixes, str) or len(prefixes) != n or not all(usable) or len(set(prefixes)) < n:
        raise InvalidInputError(
            f"The prefixes must be {n} different words of letters, digits and underscores. "
            f"Received: {', '.join(map(repr, prefixes))}"
        )


def assemble(parts, matches):
    """Put (prefix, `Sources`, its row for each of the result or -1) of catalogues side by side.

    ``matches`` has by prefix the `Pairs` to stand after a catalogue, under "" those at the end.
    """
    columns = []
    for prefix, sources, rows in parts:
        for name, column in _plain_columns(sources.table).items():
            columns.append((f"{prefix}_{name}", _take(column, rows, name)))
        if prefix in matches:
            columns += [(f"{prefix}_{name}", c) for name, c in matches[prefix].columns().items()]
    if "" in matches:
        columns += matches[""].columns().items()
    table = QTable()
    for name, column in columns:
        if name in table.colnames:
            raise InvalidInputError(
                f"Two columns would have the name {name!r}: choose other prefixes, or rename one."
            )
        table[name] = column
    return table


def _plain_columns(table):
    """Give the columns by name, positions as two columns that every file format can hold."""
    columns = {}
    for name, column in table.items():
        if not isinstance(column, SkyCoord):
            columns[name] = column
            continue
        names = ("ra", "dec")
        if name != "coord" or set(names) & set(table.colnames):
            names = (f"{name}_ra", f"{name}_dec")
        sky = column.icrs.spherical
        for key, angle in zip(names, (sky.lon, sky.lat), strict=True):
            values, mask, unit = column_parts(angle)
            columns[key] = column_of(u.Quantity(values, unit).to(u.deg), mask, u.deg)
    return columns


def _take(column, rows, name):
    """Give rows of a column, masked where the row is -1."""
    none = rows < 0
    if not none.any():
        return column[rows]
    if isinstance(column, Time | TimeDelta):
        times = column if len(column) else type(column)([0.0], format="jd", scale=column.scale)
        taken = times[np.where(none, 0, rows)].copy()
        taken[none] = np.ma.masked
        taken.info.description = column.info.description
        return taken
    if not isinstance(column, Column | u.Quantity) or column.dtype.names:
        raise InvalidInputError(
            f"The column {name!r} ({type(column).__name__}) cannot be masked where a row has no "
            "match. Remove it, or leave 'unmatched' out."
        )
    values, mask, unit = column_parts(column)
    if not len(values):  # nothing to take: one row that will be masked
        values = np.zeros((1, *values.shape[1:]), dtype=values.dtype)
        mask = np.ones(values.shape, dtype=bool)
    rows = np.where(none, 0, rows)
    values, mask = values[rows], mask[rows]
    # One value under every mask, so that equal tables are equal to the last bit.
    values[none] = np.nan if values.dtype.kind == "f" else np.zeros(1, dtype=values.dtype)[0]
    mask[none] = True
    if isinstance(column, u.Quantity):
        result = column_of(values, mask, unit)
    else:
        result = MaskedColumn(values, mask=mask, unit=unit)
    result.info.description = column.info.description
    return result
