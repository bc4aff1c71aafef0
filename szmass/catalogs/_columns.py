"""From the columns of a published table to ours: names, units, missing values."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import Angle
from astropy.table import Column, MaskedColumn, QTable
from astropy.utils.masked import Masked

from szmass._utils.attributes import column_parts, parse_unit, unit_factor
from szmass.exceptions import FileFormatError

__all__ = ["CatalogColumn", "add_published_units", "standardise"]


@dataclass(frozen=True, kw_only=True)
class CatalogColumn:
    """What a catalogue says about one of its columns.

    Parameters
    ----------
    name : str
        Our name.
    description : str
        What it holds.
    fits : str, optional
        Its name in the published FITS or CSV file.
    vizier : tuple of str, optional
        Its names in the CDS file and in VizieR's tables; case matters.
    dtype : {"float", "float32", "int", "bool", "str"}, optional
        Kind of value. ``"float32"`` is stored in double precision after rounding to the
        single precision of the release.
    unit : str, optional
        Our unit.
    published_unit : str, optional
        The unit in the published tables, if another.
    missing : float, optional
        The number that stands for "not known".
    required : bool, optional
        Whether every row must have a value.
    """

    name: str
    description: str
    fits: str | None = None
    vizier: tuple[str, ...] = ()
    dtype: str = "float"
    unit: str | None = None
    published_unit: str | None = None
    missing: float | None = None
    required: bool = False

    @property
    def aliases(self):
        """All names of the column, ours first."""
        return tuple(name for name in (self.name, self.fits, *self.vizier) if name)


def standardise(table, columns, *, strict=False):
    """Give a table our column names, units and masks.

    Parameters
    ----------
    table : `~astropy.table.Table`
        In a published form or in ours.
    columns : sequence of `CatalogColumn`
        What the result holds, in this order.
    strict : bool, optional
        Accept no other units than the published ones.

    Returns
    -------
    `~astropy.table.QTable`
        A copy; columns that can have missing values are masked ones.

    Raises
    ------
    FileFormatError
        A column is not there, or has other units or values than it can have.
    """
    found = {c: next((a for a in c.aliases if a in table.colnames), None) for c in columns}
    lost = [" or ".join(column.aliases) for column, name in found.items() if name is None]
    if lost:
        raise FileFormatError(
            f"The table lacks the column{'s' if len(lost) > 1 else ''} {', '.join(lost)}. "
            f"It has {', '.join(table.colnames) or 'none'}."
        )
    result = QTable()
    for column, name in found.items():
        values, mask, unit = column_parts(table[name])
        if column.unit == "deg" and values.dtype.kind in "USO":
            values, unit = _sexagesimal(values, mask, column, name), u.deg
        try:
            values, mask = _CONVERTERS[column.dtype](values, mask)
        except (TypeError, ValueError) as err:
            raise FileFormatError(
                f"The column '{name}' does not hold values of kind '{column.dtype}': {err}"
            ) from err
        if column.missing is not None:
            mask = mask | (values == column.missing)
        if column.required and mask.any():
            raise FileFormatError(
                f"The column '{name}' has no value in {np.count_nonzero(mask)} rows, the first of "
                f"them row {np.argmax(mask)}."
            )
        if column.unit is not None:
            values = values * _factor(column, name, unit, strict)
        elif strict and parse_unit(unit) not in (None, u.dimensionless_unscaled):
            raise FileFormatError(f"The column '{name}' has the unit '{unit}' instead of none.")
        result[column.name] = _assemble(column, values, mask)
        result[column.name].info.description = column.description
    return result


def add_published_units(table, columns):
    """Give numbers without a unit the published one.

    Parameters
    ----------
    table : `~astropy.table.Table`
        In a published form that does not say its units.
    columns : sequence of `CatalogColumn`
        What its columns are.

    Returns
    -------
    `~astropy.table.Table`
        A copy.
    """
    result = table.copy()
    for column in columns:
        for name in set(column.aliases).intersection(table.colnames):
            values, _, unit = column_parts(table[name])
            if column.unit is not None and unit is None and values.dtype.kind in "fiu":
                result[name].unit = u.Unit(column.published_unit or column.unit)
    return result


def _assemble(column, values, mask):
    can_miss = column.missing is not None or column.dtype == "str"
    masked = (can_miss and not column.required) or mask.any()
    if masked:
        # One value under every mask, so that equal tables are equal to the last bit.
        values = values.copy()
        values[mask] = np.zeros(1, dtype=values.dtype)[0] if values.dtype.kind != "f" else np.nan
    if column.unit is not None:
        quantity = u.Quantity(values, column.unit)
        return Masked(quantity, mask=mask) if masked else quantity
    return MaskedColumn(values, mask=mask) if masked else Column(values)


def _factor(column, name, unit, strict):
    unit, ours = parse_unit(unit), u.Unit(column.unit)
    published = u.Unit(column.published_unit or column.unit)
    if unit is None or isinstance(unit, u.UnrecognizedUnit) or not unit.is_equivalent(ours):
        raise FileFormatError(
            f"The column '{name}' must be in {published}. Received: {unit or 'no unit'}"
        )
    if strict and not np.isclose(unit.to(published), 1, rtol=1e-9, atol=0):
        raise FileFormatError(f"The column '{name}' is in {unit} instead of {published}.")
    return unit_factor(unit, ours)


def _sexagesimal(values, mask, column, name):
    """Give angles written as text in degrees; right ascensions are in hours."""
    degrees = np.full(len(values), np.nan)
    unit = u.hourangle if column.name == "ra" else u.deg
    try:
        degrees[~mask] = Angle(values[~mask].astype(str), unit).deg
    except ValueError as err:
        raise FileFormatError(f"The column '{name}' holds text that is no angle: {err}") from err
    return degrees


def _floats(values, mask):
    values = values.astype(float)
    return values, mask | np.isnan(values)


def _single_precision(values, mask):
    values, mask = _floats(values, mask)
    return values.astype(np.float32).astype(float), mask


def _integers(values, mask):
    if values.dtype.kind not in "iub" and np.any(values[~mask] != np.rint(values[~mask])):
        raise ValueError("some values are not whole")
    return np.where(mask, 0, values).astype(int), mask


def _booleans(values, mask):
    if values.dtype.kind in "iub":
        if np.any((values[~mask] != 0) & (values[~mask] != 1)):
            raise ValueError("some values are neither 0 nor 1")
        return np.where(mask, 0, values).astype(bool), mask
    texts, mask = _strings(values, mask)
    texts = np.char.upper(texts)
    if not np.isin(texts[~mask], ("T", "F", "TRUE", "FALSE", "0", "1")).all():
        raise ValueError("some values are neither true nor false")
    return np.isin(texts, ("T", "TRUE", "1")), mask


def _strings(values, mask):
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    elif values.dtype.kind == "O":
        values = np.array([v.decode() if isinstance(v, bytes) else v for v in values.ravel()])
    texts = np.char.strip(np.where(mask, "", values).astype(str))
    return texts, mask | (texts == "")


_CONVERTERS = {
    "float": _floats,
    "float32": _single_precision,
    "int": _integers,
    "bool": _booleans,
    "str": _strings,
}
