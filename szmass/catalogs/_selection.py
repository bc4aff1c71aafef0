"""Rows of a catalogue, chosen by the values of its columns."""

import numbers
import warnings

import astropy.units as u
import numpy as np

from szmass._tables.columns import column_parts
from szmass._utils.quantities import as_quantity
from szmass.exceptions import InvalidInputError, SzmassWarning


def selected(table, where, selection, tag):
    """Tell which rows a mask and what is wanted of columns keep, and warn where it is none.

    ``where`` is a mask over the rows, or None; ``selection`` has (low, high) or a value by column.
    """
    keep = np.ones(len(table), dtype=bool)
    if where is not None:
        values, mask, _ = column_parts(where)
        if values.shape != keep.shape or values.dtype.kind != "b":
            raise InvalidInputError(
                f"'where' must be a mask with one entry per row ({len(table)}). Received: "
                f"dtype {values.dtype}, shape {values.shape}"
            )
        keep &= values & ~mask
    for name, wanted in selection.items():
        keep &= _matches(table, name, wanted, tag)
    if selection or where is not None:
        warn_if_empty(keep, ", ".join(["where"] * (where is not None) + list(selection)), 4)
    return keep


def _matches(table, name, wanted, tag):
    if name not in table.colnames:
        raise InvalidInputError(
            f"The catalogue {tag!r} has no column {name!r} to select by. It has "
            f"{', '.join(table.colnames)}."
        )
    values, mask, unit = column_parts(table[name])
    numeric = values.dtype.kind in "fiu"
    if not isinstance(wanted, tuple | list):
        return ~mask & (values == _wanted(wanted, values, unit, name))
    if len(wanted) != 2 or not numeric:
        raise InvalidInputError(
            f"'{name}' must be {'(low, high)' if numeric else 'one value, not a range'}. "
            f"Received: {wanted!r}"
        )
    ends = (None if end is None else _wanted(end, values, unit, name) for end in wanted)
    return ~mask & within(values, *ends, name=name)


def within(values, low, high, *, name):
    """Tell which known values are above the low end and up to the high one; None is open."""
    for end in (low, high):
        if end is not None and not (_is_number(end) and not np.isnan(end)):
            raise InvalidInputError(
                f"'{name}' must be (low, high), two numbers or None for an open end. "
                f"Received: {(low, high)!r}"
            )
    if low is not None and high is not None and low > high:
        raise InvalidInputError(
            f"'{name}' must be (low, high) with the lower end first. Received: ({low}, {high})"
        )
    keep = ~np.isnan(values)
    if low is not None:
        keep &= values > low
    if high is not None:
        keep &= values <= high
    return keep


def warn_if_empty(keep, what, stacklevel=3):
    """Warn where none of some rows is kept."""
    if len(keep) and not np.any(keep):
        text = f"None of {len(keep)} rows is selected by {what}."
        warnings.warn(text, SzmassWarning, stacklevel=stacklevel)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _wanted(value, values, unit, name):
    """Give what to compare a column with, in its unit, or refuse what it cannot equal."""
    if unit is not None and not (_is_number(value) and value == 0):
        return as_quantity(value, u.Unit(unit), name).value
    if isinstance(value, u.Quantity):
        return as_quantity(value, u.dimensionless_unscaled, name).value
    kind = values.dtype.kind
    fits = isinstance(value, str) if kind == "U" else _is_number(value)
    if kind == "b":
        fits = isinstance(value, bool | np.bool_) or (fits and value in (0, 1))
    if not fits:
        words = {"U": "a text", "b": "True or False"}.get(kind, "a number or (low, high)")
        raise InvalidInputError(f"'{name}' must be {words}. Received: {value!r}")
    return value
