"""Checks at the border: a `~astropy.units.Quantity` comes in, a float array goes on."""

import re

import astropy.units as u
import numpy as np
from astropy.utils.masked import Masked

from szmass.exceptions import InvalidInputError, InvalidUnitError

# Powers of ten that float64 holds exactly.
_POWERS = np.array([float(10**k) for k in range(23)])


def hint_of_h(unit):
    """Say what "h" in a unit of mass is, and what to do; an empty text where it has none."""
    if not re.search(r"(?<![A-Za-z])(little)?h(?![A-Za-z])", str(unit)):
        return ""
    return (
        " In astropy 'h' is an hour, and 'littleh' is H0 / (100 km/s/Mpc), whose value is not "
        "known here: divide the masses by it first, and say that they are in solMass."
    )


def as_quantity(value, unit, name):
    """Convert an argument to a Quantity of a unit; a string such as ``"1.7 arcmin"`` is parsed.

    A bare number is accepted only where the unit is dimensionless.
    """
    unit = u.Unit(unit)
    wanted = f"a unit that converts to {str(unit) or 'a plain number'}"
    own = getattr(value, "unit", None)
    if isinstance(own, u.UnrecognizedUnit):
        raise InvalidUnitError(
            f"'{name}' must have {wanted}. Received: '{own}', which astropy does not know."
            f"{hint_of_h(own)}"
        )
    if isinstance(own, u.LogUnit) and "_err" in name:
        raise InvalidUnitError(
            f"'{name}' is in {own}. Make the error of a logarithm one of the value first: down "
            "value * (1 - 10**-error), up value * (10**error - 1)."
        )
    try:
        if isinstance(value, u.Quantity):
            return value.to(unit)
        quantity = u.Quantity(value)
        if isinstance(value, str) or unit.is_equivalent(u.dimensionless_unscaled):
            return quantity.to(unit)
    except u.UnitConversionError:
        received = (str(own) or "no unit") if getattr(value, "ndim", 0) else repr(value)
        raise InvalidUnitError(
            f"'{name}' must have {wanted}. Received: {received}.{hint_of_h(own)}"
        ) from None
    except (TypeError, ValueError) as err:
        raise InvalidInputError(
            f"'{name}' must be {f'a quantity in {unit}' if str(unit) else 'a number'}. "
            f"Received: {value!r:.200}"
        ) from err
    raise InvalidUnitError(
        f"'{name}' must be a Quantity with {wanted}, "
        f"for instance {value!r} * astropy.units.Unit('{unit}'). Received: {value!r}"
    )


def as_floats(value, unit, name, *, positive=False, finite=False):
    """Convert an argument, also a column of a table, to float64 in a unit, NaN where masked.

    ``positive`` refuses values <= 0 (NaN passes unless ``finite``), ``finite`` NaN and infinities.
    """
    mask = False
    if isinstance(value, Masked):
        mask, value = value.mask, value.unmasked
    elif isinstance(value, np.ma.MaskedArray):  # a MaskedColumn or np.ma.masked
        mask, value = np.ma.getmaskarray(value), np.ma.getdata(value, subok=True)
    if not isinstance(value, u.Quantity) and getattr(value, "unit", None) is not None:
        value = u.Quantity(np.asarray(value), value.unit, subok=True)  # magnitudes and dex too
    array = as_quantity(value, unit, name).value
    array = as_doubles(array) if np.ndim(array) < 2 else np.asarray(array, dtype=float)
    if np.any(mask):
        array = np.where(mask, np.nan, array)
    for wanted, bad, word in (
        (finite, ~np.isfinite(array), "finite"),
        (positive, array <= 0, "positive"),
    ):
        if wanted and np.any(bad):
            first = array[bad].flat[0] if array.ndim else array[()]
            raise InvalidInputError(
                f"'{name}' must be {word}. Received: {first} {u.Unit(unit)}"
                + (f" ({np.count_nonzero(bad)} such values)" if array.ndim else "")
            )
    return array


def as_doubles(values):
    """Give float64; of single precision the shortest decimal that it stands for, 0.1 of 0.1f."""
    values = np.asarray(values)
    wide = values.astype(float)
    if values.dtype.kind != "f" or values.dtype.itemsize != 4:
        return wide
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exponent = np.floor(np.log10(np.abs(wide)))
        rest = np.isfinite(exponent) & (np.abs(exponent) <= 14)
        exponent = np.where(rest, exponent, 0).astype(int)
        result = wide.copy()
        # Up to six digits survive single precision, nine always tell it.
        for digits in range(6, 10):
            power = digits - 1 - exponent
            up, down = _POWERS[np.maximum(power, 0)], _POWERS[np.maximum(-power, 0)]
            decimal = np.rint(wide * up / down) / up * down
            found = rest & (decimal.astype(values.dtype) == values)
            result = np.where(found, decimal, result)
            rest = rest & ~found
    return result


def as_limits(values, name):
    """Two numbers, the lower one first, as an array; or InvalidInputError."""
    values = np.asarray(values, dtype=float)
    if values.shape != (2,) or not values[0] < values[1]:
        raise InvalidInputError(
            f"'{name}' must be a lower and a higher limit. Received: {values.tolist()}"
        )
    return values
