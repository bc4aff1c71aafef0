"""Measured values with errors and cuts, checked and turned into natural logarithms."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError

__all__ = ["LogVariable", "checked_values"]


class LogVariable:
    """Natural logarithms of the values, errors and cut of one variable.

    Parameters
    ----------
    value : `~astropy.units.Quantity`, shape (N,)
        The measured values.
    err : `~astropy.units.Quantity` or tuple of two, optional
        Their errors, or (errn, errp).
    minimum : `~astropy.units.Quantity`, optional
        The cut that all values passed, one number or one per value.
    unit : unit-like, optional
        The unit to convert to; by default that of ``value``.
    names : (str, str, str)
        How messages call value, errors and cut.

    Attributes
    ----------
    log, err, min : `~numpy.ndarray`, shape (N,)
        The logarithms of values and cut, and the standard deviations of the former; ``min`` is
        None without a cut.

    Raises
    ------
    InvalidInputError
        A value cannot be used; the message names the argument and the rows.
    InvalidUnitError
        A unit is missing or does not convert.
    """

    def __init__(self, value, err, minimum, unit, names):
        self.name, name_err, self.name_min = names
        self.unit = u.Unit(unit or getattr(value, "unit", None) or u.dimensionless_unscaled)
        values = checked_values(value, self.unit, self.name)
        if values.ndim != 1:
            raise InvalidInputError(
                f"'{self.name}' must be an array of one axis. Received: shape {values.shape}"
            )
        self.log = np.log(values)
        self.err = np.zeros(len(values))
        if err is not None:
            self.err = _log_errors(values, err, self.unit, name_err)
        self.min = None
        if minimum is not None:
            minimum = checked_values(minimum, self.unit, self.name_min)
            if minimum.shape not in ((), values.shape):
                raise InvalidInputError(
                    f"'{self.name_min}' must be one number or one per object ({len(values)}). "
                    f"Received: shape {minimum.shape}"
                )
            below = values < minimum
            if below.any():
                raise InvalidInputError(
                    f"'{self.name}' is below '{self.name_min}' in {_rows(below)}: such objects "
                    "cannot be in a sample with this cut. Remove them."
                )
            self.min = np.broadcast_to(np.log(minimum), values.shape)

    def __len__(self):
        return len(self.log)


def checked_values(value, unit, name):
    """Give values in a unit that all have a logarithm.

    Parameters
    ----------
    value : `~astropy.units.Quantity`
        The values.
    unit : unit-like
        The unit to convert to.
    name : str
        How messages call them.

    Returns
    -------
    `~numpy.ndarray`
        Of the shape of ``value``.

    Raises
    ------
    InvalidInputError
        Some are masked, NaN or not positive.
    InvalidUnitError
        The unit is missing or does not convert.
    """
    values = as_floats(value, unit, name)
    for bad, what in ((~np.isfinite(values), "masked or NaN"), (values <= 0, "not positive")):
        if np.any(bad):
            raise InvalidInputError(
                f"'{name}' is {what} in {_rows(np.atleast_1d(bad))}: select the objects that have "
                "a value first."
            )
    return values


def _rows(bad):
    rows = np.flatnonzero(bad)
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row {', '.join(map(str, rows[:5]))}{more}"


def _log_errors(values, err, unit, name):
    pair = err if isinstance(err, tuple | list) and len(err) == 2 else (err, err)
    down, up = (checked_values(part, unit, name) for part in pair)
    if down.shape != values.shape or up.shape != values.shape:
        raise InvalidInputError(
            f"'{name}' must have one error per object ({len(values)}), or be (errn, errp) of "
            f"such. Received: shapes {down.shape}, {up.shape}"
        )
    return np.arcsinh((down + up) / (2 * values))
