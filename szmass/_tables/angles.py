"""Columns of angles: numbers, and text in hours or degrees."""

import re
import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import Angle, IllegalHourWarning

from szmass._tables.columns import (
    column_parts,
    describe_rows,
    equals_any,
    stated_unit,
    the,
    without_value,
)
from szmass.exceptions import InvalidInputError, InvalidUnitError

_DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_WITH_UNIT = re.compile(r"[^\W\d_]|[\xb0'\"\u2032\u2033]")  # 12h59m48s, 194.95d, 194\xb057'

_ROUNDING = 1e-9  # [deg]


def angle_column(column, name, kind, *, unit=None, plain=None, missing=None, names=None, label=""):
    """Read a column of angles, numbers or text: degrees (N,), NaN where masked.

    ``kind`` is "ra", "lon" or "lat", ``unit`` is for a column that has none. Text in parts
    ("12:59:48") is in that unit too; without one in hours for "ra", in degrees otherwise. Numbers,
    also as text, are in ``plain`` then, or refused. Text with units ("12h59m48s") tells them.
    """
    values, mask, own = column_parts(column)
    if values.ndim != 1 or values.dtype.kind not in "fiuUO":
        raise InvalidInputError(
            f"{the(label)} position column '{name}' must hold one angle per row. Received: "
            f"dtype {values.dtype}, shape {values.shape}"
        )
    stated = stated_unit(name, own, unit)
    unit = None if isinstance(stated, u.UnrecognizedUnit) else stated
    unit = u.hourangle if unit == u.hour else unit
    plain = plain if unit is None else unit
    is_text = values.dtype.kind in "UO"
    angular = not isinstance(plain, u.LogUnit) and (plain or u.deg).is_equivalent(u.deg)
    if not angular or (plain is None and not is_text):
        raise InvalidUnitError(
            f"{the(label)} position column '{name}' must have an angular unit. Received: {stated}. "
            f"Say what it is in, for instance units={{'{name}': 'deg'}}."
        )
    if missing is not None:
        mask |= equals_any(values, missing)

    def refuse(rows, problem, remedy="", what="position column"):
        if np.any(rows):
            raise InvalidInputError(
                f"{the(label)} {what} '{name}' {problem} in {describe_rows(names, rows)}, for "
                f"instance {values[rows][0]!s:.80}.{remedy}"
            )

    if is_text:
        usual = u.hourangle if kind == "ra" else u.deg
        degrees, hours = _read_text(values, mask, name, usual, unit, plain, refuse)
    else:
        degrees = np.where(mask, np.nan, values.astype(float)) * plain.to(u.deg)
        hours = np.full(degrees.shape, plain == u.hourangle)
    if kind == "lat":
        refuse(np.abs(degrees) > 90, "is beyond 90 deg", what="latitude")
    beyond = (degrees < 0) | (degrees > 360 - _ROUNDING)
    refuse(hours & beyond, "has hours outside of 0 to 24")
    refuse(np.abs(degrees) > 360, "is beyond 360 deg")
    return degrees


def is_sexagesimal(column):
    """Tell whether a column is of text of which nothing is a plain number."""
    values, mask, _ = column_parts(column)
    return values.dtype.kind in "UO" and not any(map(_DECIMAL.fullmatch, values[~mask].astype(str)))


def _read_text(values, mask, name, usual, unit, plain, refuse):
    """Give angles written as text in degrees, NaN where there is none, and which were in hours."""
    texts = np.char.replace(np.char.strip(values.astype(str)), "\u2212", "-")
    known = ~(mask | without_value(texts))
    with_unit, numbers, in_parts = np.zeros((3, len(texts)), dtype=bool)
    for row in np.flatnonzero(known):
        form = in_parts
        if _DECIMAL.fullmatch(texts[row]):
            form = numbers
        elif _WITH_UNIT.search(texts[row]):
            form = with_unit
        form[row] = True
    degrees, hours = np.full(len(texts), np.nan), np.zeros(len(texts), dtype=bool)
    wrong = np.zeros(len(texts), dtype=bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IllegalHourWarning)  # 24 is refused
        for row in np.flatnonzero(with_unit | in_parts):
            try:
                angle = Angle(texts[row], None if with_unit[row] else unit or usual)
                degrees[row], hours[row] = angle.deg, angle.unit == u.hourangle
            except (ValueError, TypeError):  # those of units and of ranges are of these kinds
                wrong[row] = True
    refuse(wrong, "holds text that is no angle")
    if in_parts.any() and plain is None and usual == u.deg:
        plain = usual  # both can only be degrees
    if in_parts.any() and numbers.any() and plain != usual:
        refuse(
            min(in_parts, numbers, key=np.count_nonzero),
            f"holds numbers such as {texts[numbers][0]}, and hours such as {texts[in_parts][0]}",
            " Write all rows in one way, or with units (12h59m48s, 194.95d).",
        )
    if plain is None:
        refuse(
            numbers,
            "holds text that does not say whether it is in degrees or hours",
            f" Say it, for instance units={{'{name}': 'deg'}}.",
        )
    elif numbers.any():
        degrees[numbers] = texts[numbers].astype(float) * plain.to(u.deg)
        hours[numbers] = plain == u.hourangle
    return degrees, hours


def known_positions(coord):
    """Tell which positions of a SkyCoord of any shape are neither masked nor NaN."""
    data = coord.spherical
    known = np.ones(coord.shape, dtype=bool)
    for angle in (data.lon, data.lat):
        values, mask, _ = column_parts(angle)
        known &= np.isfinite(values) & ~mask
    return known
