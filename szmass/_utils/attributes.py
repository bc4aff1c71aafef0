"""Checked attributes of one cluster, and the same checks for the columns of a table."""

import astropy.units as u
import numpy as np
from astropy.coordinates import Angle, BaseCoordinateFrame, SkyCoord
from astropy.table import Column, MaskedColumn
from astropy.utils.masked import Masked

from szmass._utils.quantities import as_doubles, as_quantity
from szmass.exceptions import InvalidInputError, InvalidUnitError

# Spellings of units in published tables that astropy does not know.
_UNIT_SPELLINGS = {
    "degrees": "deg",
    "10^-3 arcmin^2": "1e-3 arcmin2",
    "10^14 Msol": "1e14 solMass",
}


class Attribute:
    """A class attribute whose every assignment is checked."""

    def __init__(self, doc):
        self.__doc__ = doc

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, obj, owner=None):
        return self if obj is None else obj.__dict__[self.name]

    def __set__(self, obj, value):
        obj.__dict__[self.name] = self.check(value)

    def check(self, value):
        """Give the value as it is stored, or raise an error that names the attribute."""
        raise NotImplementedError


class Text(Attribute):
    """A string that is not empty."""

    def check(self, value):
        if not isinstance(value, str) or not value.strip():
            raise InvalidInputError(
                f"'{self.name}' must be a string that is not empty. Received: {value!r}"
            )
        return str(value).strip()


class Position(Attribute):
    """One position on the sky, as a `~astropy.coordinates.SkyCoord`."""

    def check(self, value):
        if not isinstance(value, SkyCoord | BaseCoordinateFrame):
            raise InvalidInputError(f"'{self.name}' must be a SkyCoord. Received: {value!r}")
        value = value if isinstance(value, SkyCoord) else SkyCoord(value)
        if not value.isscalar:
            raise InvalidInputError(
                f"'{self.name}' must be one position. Received: an array of shape {value.shape}"
            )
        if not known_positions(value):
            raise InvalidInputError(f"'{self.name}' must not be masked or NaN. Received: {value!r}")
        return value


class Number(Attribute):
    """A number stored in ``unit`` (a plain float without one), or None where it is not known.

    ``sign`` is what is asked of known values: "positive", "not negative" or None.
    """

    def __init__(self, doc, unit=None, sign=None):
        super().__init__(doc)
        self.unit = None if unit is None else u.Unit(unit)
        self.sign = sign

    def check(self, value):
        if value is None or np.any(getattr(value, "mask", False)):
            return None
        if isinstance(value, Masked):
            value = value.unmasked
        quantity = as_quantity(value, self.unit or u.dimensionless_unscaled, self.name)
        if not quantity.isscalar:
            raise InvalidInputError(f"'{self.name}' must be one number. Received: {value!r}")
        number = float(as_doubles(quantity.value))
        if np.isnan(number):
            return None
        if np.isinf(number) or self._wrong_sign(number):
            raise InvalidInputError(
                f"'{self.name}' must be finite{self._wanted()}, or None where it is not known. "
                f"Received: {value!r}"
            )
        return number if self.unit is None else number * self.unit

    def check_column(self, column, names, *, unit=None, missing=None):
        """Check a column of a table; give its values in our unit, NaN where masked, and the mask.

        ``names`` are those of the rows, ``unit`` is for a column that has none, and ``missing`` is
        the number that stands for "not known", in the unit of the column.
        """
        values, mask, own_unit = column_parts(column)
        if values.ndim != 1 or values.dtype.kind not in "fiub":
            raise InvalidInputError(
                f"The column '{self.name}' must hold one number per row. Received: "
                f"dtype {values.dtype}, shape {values.shape}"
            )
        values = as_doubles(values)
        mask = mask | np.isnan(values)
        if missing is not None:
            mask |= values == missing
        values[mask] = np.nan
        values *= self._factor(own_unit, unit)
        wrong = ~mask & (np.isinf(values) | self._wrong_sign(values))
        if wrong.any():
            example = np.asarray(column)[wrong][0]
            raise InvalidInputError(
                f"The column '{self.name}' must be finite{self._wanted()} where it is known. "
                f"Received: {describe_rows(names, wrong)}, for instance {example}. If that stands "
                f"for 'not known', mask these rows or pass missing={{'{self.name}': {example}}}."
            )
        return values, mask

    def _factor(self, own_unit, given_unit):
        """Tell by what the numbers of a column are multiplied to be in ``self.unit``."""
        wanted = self.unit or u.dimensionless_unscaled
        given = None if given_unit is None else u.Unit(given_unit)
        own_unit = parse_unit(own_unit)
        if own_unit is None or isinstance(own_unit, u.UnrecognizedUnit):
            if given is None and self.unit is None and own_unit is None:
                return 1.0
            if given is None:
                raise InvalidUnitError(
                    f"The column '{self.name}' has "
                    + ("no unit" if own_unit is None else f"the unit '{own_unit}', unknown here")
                    + f". Say what it is in, for instance units={{'{self.name}': '{wanted}'}}."
                )
        elif given is not None and given != own_unit:
            raise InvalidUnitError(
                f"The column '{self.name}' is in {own_unit} and units={{'{self.name}': '{given}'}} "
                "says otherwise. Remove one of them."
            )
        unit = given or own_unit
        try:
            return unit_factor(unit, wanted)
        except u.UnitConversionError:
            raise InvalidUnitError(
                f"The column '{self.name}' must have a unit that converts to "
                f"{wanted if self.unit else 'a plain number'}. Received: {unit}"
            ) from None

    def _wrong_sign(self, values):
        if self.sign == "positive":
            return values <= 0
        return (values < 0) if self.sign == "not negative" else np.zeros_like(values, dtype=bool)

    def _wanted(self):
        return f" and {self.sign}" if self.sign else ""


def column_parts(column):
    """Take a column of any class apart: a copy of its values, its mask, its unit or None."""
    unit = getattr(column, "unit", None)
    if isinstance(column, Masked):
        mask, column = np.array(column.mask), column.unmasked
    else:
        mask = np.array(np.ma.getmaskarray(column))
    if isinstance(column, u.Quantity):
        column = column.value
    return np.array(np.ma.getdata(column)), mask, unit


def column_of(values, mask, unit=None, *, always=False):
    """Undo `column_parts`; the column is a masked one if ``always`` or if something is masked."""
    masked = always or np.any(mask)
    if unit is None:
        return MaskedColumn(values, mask=mask) if masked else Column(values)
    quantity = u.Quantity(values, unit)
    return Masked(quantity, mask=mask) if masked else quantity


def degrees_of_text(values, mask, unit):
    """Read angles (N,) written as text, in hours or degrees; give degrees, NaN where masked."""
    degrees = np.full(len(values), np.nan)
    if not mask.all():
        degrees[~mask] = Angle(values[~mask].astype(str), unit).deg
    return degrees


def describe_rows(names, selected):
    """Name the selected rows of a table, at most five, as ``"row 3 ('A2142')"``."""
    rows = np.flatnonzero(selected)
    listed = ", ".join(f"{row} ({str(names[row])!r})" for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {listed}{more}"


def known_positions(coord):
    """Tell which positions of a SkyCoord of any shape are neither masked nor NaN."""
    data = coord.spherical
    known = np.ones(coord.shape, dtype=bool)
    for angle in (data.lon, data.lat):
        values, mask, _ = column_parts(angle)
        known &= np.isfinite(values) & ~mask
    return known


def parse_unit(text):
    """Read a unit as tables spell it ("10+14Msun"); None for none, UnrecognizedUnit if unclear."""
    if text is None or (isinstance(text, u.UnitBase) and text.physical_type != "unknown"):
        return text
    # "10+14Msun" in a VOTable 1.4 comes here as 1e14 of an "Msun" that converts to nothing.
    text = str(text).strip()
    if text in ("", "None", "---"):
        return None
    if text in _UNIT_SPELLINGS:
        return u.Unit(_UNIT_SPELLINGS[text])
    for format in ("cds", "generic", "vounit"):
        try:
            unit = u.Unit(text, format=format)
        except ValueError:
            continue
        if unit.physical_type != "unknown":
            return unit
    return u.Unit(text, parse_strict="silent")


def unit_factor(unit, wanted):
    """Tell the factor from one unit to another, exact where they differ by a power of ten."""
    ratio = unit / wanted
    return unit.to(wanted) if getattr(ratio, "bases", None) else ratio.scale
