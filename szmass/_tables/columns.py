"""Values of columns of tables: whatever class they have, and however they say "not known"."""

import re

import astropy.units as u
import numpy as np
from astropy.table import Column, MaskedColumn, QTable
from astropy.utils.masked import Masked

from szmass._utils.quantities import as_doubles, hint_of_h
from szmass.exceptions import InvalidInputError, InvalidUnitError

# Spellings of units in published tables that astropy does not know.
_UNIT_SPELLINGS = {
    "degrees": "deg",
    "10^-3 arcmin^2": "1e-3 arcmin2",
    "10^14 Msol": "1e14 solMass",
    "h:m:s": "hourangle",
    '"h:m:s"': "hourangle",
    "d:m:s": "deg",
    '"d:m:s"': "deg",
}
# Logarithms to base 10, as VizieR and others write them.
_LOGARITHM = re.compile(r"\[(.+)\]|(?:log|log10|lg) ?\((.+)\)")
#: What astropy, numpy, pandas, IRAF and databases write for no value, beside dashes and dots.
NO_VALUE = ("", "#n/a", "<na>", "indef", "masked", "n/a", "na", "nan", "nat", "none", "null")
_DASHES_AND_DOTS = " \t\u00a0-._\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2026"

#: How masses are shown; files hold all digits, and no such format.
FEW_DIGITS = ".4g"


def with_few_digits(table):
    """Give a copy, of the same data, whose real numbers are shown with `FEW_DIGITS`."""
    result = table.copy(copy_data=False)
    for column in result.itercols():
        if column.info.format is None and getattr(column.info.dtype, "kind", "") == "f":
            column.info.format = FEW_DIGITS
    return result


def without_few_digits(table):
    """Give a copy, of the same data, without the format `FEW_DIGITS`."""
    result = table.copy(copy_data=False)
    for column in result.itercols():
        if column.info.format == FEW_DIGITS:
            column.info.format = None
    return result


def column_parts(column):
    """Take a column of any class apart: a copy of its values, its mask, its unit or None.

    Bytes become text, and a column of objects one of text or numbers if it holds nothing else.
    """
    unit = getattr(column, "unit", None)
    if isinstance(column, Masked):
        mask, column = np.array(column.mask), column.unmasked
    else:
        mask = np.array(np.ma.getmaskarray(column))
    if isinstance(column, u.Quantity):
        column = column.value
    values = np.array(np.ma.getdata(column))
    if values.dtype.kind == "S":
        values = _decoded(values)
    elif values.dtype.kind in "mM":
        mask = mask | np.isnat(values)
    elif values.dtype.kind == "O" and mask.shape == values.shape:
        values, mask = _parts_of_objects(values, mask)
    return values, mask, unit


def column_of(values, mask, unit=None, *, always=False):
    """Undo `column_parts`; the column is a masked one if ``always`` or if something is masked."""
    masked = always or np.any(mask)
    if unit is None:
        return MaskedColumn(values, mask=mask) if masked else Column(values)
    quantity = u.Quantity(values, unit, subok=True)  # magnitudes and dex are sub-classes
    return Masked(quantity, mask=mask) if masked else quantity


def as_qtable(table):
    """Give a QTable of the columns of a table, also of those that astropy makes no quantities of.

    Masked ones in a logarithmic unit become quantities; what is no number loses its unit.
    """
    others = {}
    for name, column in table.items():
        unit = parse_unit(column.unit) if isinstance(column, Column) else None
        if unit is not None and column.dtype.kind not in "fiu":
            others[name] = column_of(*column_parts(column)[:2])
        elif isinstance(unit, u.LogUnit):
            others[name] = column_of(*column_parts(column)[:2], unit)
        if name in others:
            others[name].info.description = column.description
    if not others:
        return QTable(table, copy=False)
    result = QTable(meta=table.meta)
    for name, column in table.items():
        result[name] = others.get(name, column)
    return result


def _decoded(values):
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError:
        return np.char.decode(values, "latin-1")


def _parts_of_objects(values, mask):
    mask = mask | np.reshape([is_nothing(value) for value in values.flat], values.shape)
    known = [_decoded(np.array(v)).item() if isinstance(v, bytes) else v for v in values[~mask]]
    if all(isinstance(v, str) for v in known):
        filled = np.full(values.shape, "", dtype=np.array(known, dtype=str).dtype)
    elif all(isinstance(v, bool | int | float | np.number | np.bool_) for v in known):
        dtype = np.array(known).dtype
        filled = np.full(values.shape, np.nan if dtype.kind == "f" else 0, dtype=dtype)
    else:
        return values, mask
    filled[~mask] = known
    return filled, mask


def is_nothing(value):
    """Tell whether an object stands for no value: None, NaN, pandas.NA, NaT or masked."""
    if value is None or type(value).__name__ in ("NAType", "NaTType", "MaskedConstant"):
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def without_value(texts):
    """Tell which texts stand for no value, such as "--", "N/A" or "nan"."""
    texts = np.asarray(texts, dtype=str)
    bare = np.char.strip(texts, _DASHES_AND_DOTS) == ""
    return bare | np.isin(np.char.lower(np.char.strip(texts)), NO_VALUE)


def equals_any(values, wanted):
    """Tell which values are one of some numbers, or the only one, in their own precision."""
    wanted = np.atleast_1d(wanted)
    if values.dtype.kind in "fiu" and wanted.dtype.kind not in "fiub":
        raise InvalidInputError(
            f"What stands for 'not known' must be numbers in such a column. Received: {wanted}"
        )
    return np.isin(values, wanted.astype(values.dtype) if values.dtype.kind == "f" else wanted)


def numbers_of(values, mask):
    """Give numbers or text (N,) as floats, NaN where masked, and the mask.

    The third array tells which texts are neither numbers nor stand for no value; they are masked.
    """
    wrong = np.zeros(values.shape, dtype=bool)
    if values.dtype.kind in "fiub":
        numbers = values.astype(float)
    else:
        texts = np.char.strip(values.astype(str))
        known = ~(mask | without_value(texts))
        numbers = np.full(values.shape, np.nan)
        for index in np.flatnonzero(known):
            number = _number_of(texts[index])
            numbers[index], wrong[index] = (np.nan, True) if number is None else (number, False)
    mask = mask | np.isnan(numbers)
    numbers[mask] = np.nan
    return numbers, mask, wrong


def _number_of(text):
    try:
        return None if "_" in text else float(text)  # Python reads "1_000" as well
    except ValueError:
        return None


def number_column(column, name, wanted=None, *, unit=None, missing=None, names=None, label=""):
    """Read a column of numbers, also written as text: its values in a unit, NaN where masked, mask.

    ``unit`` is for a column that has none, ``missing`` has numbers that stand for "not known";
    ``names`` are those of the rows, and ``label`` the table's for messages.
    """
    values, mask, own = column_parts(column)
    if values.ndim != 1 or values.dtype.kind not in "fiubUO":
        raise InvalidInputError(
            f"{the(label)} column '{name}' must hold one number per row. Received: "
            f"dtype {values.dtype}, shape {values.shape}"
        )
    real = values.dtype.kind == "f"
    numbers, mask, wrong = numbers_of(as_doubles(values) if real else values, mask)
    if wrong.any():
        raise InvalidInputError(
            f"{the(label)} column '{name}' must hold one number per row. Received: "
            f"{values[wrong][0]!s:.80} in {describe_rows(names, wrong)}. Mask what is not known."
        )
    if missing is not None:
        mask |= equals_any(values if values.dtype.kind == "f" else numbers, missing)
        numbers[mask] = np.nan
    unit = _required_unit(name, stated_unit(name, own, unit), wanted, label)
    return numbers if unit is None else convert(numbers, name, unit, wanted, label), mask


def _required_unit(name, unit, wanted, label):
    if unit is None and wanted is None:
        return None
    if unit is None or isinstance(unit, u.UnrecognizedUnit):
        raise InvalidUnitError(
            f"{the(label)} column '{name}' has "
            + ("no unit" if unit is None else f"the unit '{unit}', unknown here")
            + f". Say what it is in, for instance units={{'{name}': '{wanted or ''}'}}."
            + hint_of_h(unit)
        )
    return unit


def stated_unit(name, own, given):
    """Give the unit of a column: its own, or the given one, with which it must not disagree."""
    own = parse_unit(own)
    if given is None:
        return own
    parsed = parse_unit(given)
    if isinstance(parsed, u.UnrecognizedUnit):
        raise InvalidUnitError(
            f"The unit of '{name}' must be one that astropy knows. Received: '{given}'."
            f"{hint_of_h(given)}"
        )
    if parsed is None:
        return own
    if own is not None and not isinstance(own, u.UnrecognizedUnit) and own != parsed:
        raise InvalidUnitError(
            f"The column '{name}' is in {own} and units={{'{name}': '{given}'}} says otherwise. "
            "Remove one of them."
        )
    return parsed


def convert(values, name, unit, wanted, label=""):
    """Convert values of a column; those in a logarithmic unit become linear, but no errors."""
    target = wanted or u.dimensionless_unscaled
    logarithmic = isinstance(unit, u.LogUnit) or unit == u.dex
    if logarithmic and "_err" in name:
        raise InvalidUnitError(
            f"{the(label)} column '{name}' is in {unit}. Make the error of a logarithm one of the "
            "value first: down value * (1 - 10**-error), up value * (10**error - 1)."
        )
    try:
        if isinstance(unit, u.LogUnit):
            with np.errstate(over="ignore"):
                return unit.to(target, values)
        return values * unit_factor(unit, target)
    except u.UnitConversionError:
        hint = f" A logarithm is in 'dex({wanted})'." if logarithmic and wanted else ""
        raise InvalidUnitError(
            f"{the(label)} column '{name}' must have a unit that converts to "
            f"{wanted or 'a plain number'}. Received: {unit}.{hint or hint_of_h(unit)}"
        ) from None


def parse_unit(text):
    """Read a unit as tables spell it ("10+14Msun"); None for none, UnrecognizedUnit if unclear."""
    if text is None or isinstance(text, u.LogUnit):
        return text
    if isinstance(text, u.UnitBase) and text.physical_type != "unknown":
        return text
    # "10+14Msun" in a VOTable 1.4 comes here as 1e14 of an "Msun" that converts to nothing.
    text = str(text).strip()
    if text in ("", "None", "---"):
        return None
    if text in _UNIT_SPELLINGS:
        return u.Unit(_UNIT_SPELLINGS[text])
    if (match := _LOGARITHM.fullmatch(text)) and match[0] != "[-]":
        inner = parse_unit(match[1] or match[2])
        if isinstance(inner, u.LogUnit):
            return inner
        if isinstance(inner, u.UnitBase) and not isinstance(inner, u.UnrecognizedUnit):
            return u.dex(inner)
    for format in ("cds", "generic", "vounit"):
        try:
            unit = u.Unit(text, format=format)
        except (ValueError, TypeError):
            continue
        if unit.physical_type != "unknown":
            return unit
    return u.Unit(text, parse_strict="silent")


def unit_factor(unit, wanted):
    """Tell the factor from one unit to another, exact where they differ by a power of ten."""
    ratio = unit / wanted
    return unit.to(wanted) if getattr(ratio, "bases", None) else ratio.scale


def the(label):
    """Begin a message about a column of a table, which ``label`` names, such as "'b': "."""
    return f"{label}the" if label else "The"


def describe_rows(names, selected):
    """Name the selected rows of a table, at most five, as ``"row 3 ('A2142')"``."""
    rows = np.flatnonzero(selected)
    listed = ", ".join(
        f"{row}" if names is None else f"{row} ({str(names[row])!r})" for row in rows[:5]
    )
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {listed}{more}"
