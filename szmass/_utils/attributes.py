"""Checked attributes of one cluster, and the same checks for the columns of a table."""

import astropy.units as u
import numpy as np
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.utils.masked import Masked

from szmass._utils.columns import column_parts, describe_rows, is_nothing, number_column
from szmass._utils.quantities import as_doubles, as_quantity
from szmass.exceptions import InvalidInputError


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
        if is_nothing(value) or np.any(getattr(value, "mask", False)):
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

        ``names`` are those of the rows, ``unit`` is for a column that has none, and ``missing`` has
        numbers that stand for "not known", in the unit of the column.
        """
        values, mask = number_column(
            column, self.name, self.unit, unit=unit, missing=missing, names=names
        )
        wrong = ~mask & (np.isinf(values) | self._wrong_sign(values))
        if wrong.any():
            example = np.asarray(column)[wrong][0]
            raise InvalidInputError(
                f"The column '{self.name}' must be finite{self._wanted()} where it is known. "
                f"Received: {describe_rows(names, wrong)}, for instance {example}. If that stands "
                f"for 'not known', mask these rows or pass missing={{'{self.name}': {example}}}."
            )
        return values, mask

    def _wrong_sign(self, values):
        if self.sign == "positive":
            return values <= 0
        return (values < 0) if self.sign == "not negative" else np.zeros_like(values, dtype=bool)

    def _wanted(self):
        return f" and {self.sign}" if self.sign else ""


def known_positions(coord):
    """Tell which positions of a SkyCoord of any shape are neither masked nor NaN."""
    data = coord.spherical
    known = np.ones(coord.shape, dtype=bool)
    for angle in (data.lon, data.lat):
        values, mask, _ = column_parts(angle)
        known &= np.isfinite(values) & ~mask
    return known
