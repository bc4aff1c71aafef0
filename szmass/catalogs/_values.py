"""Values of a table: those that cannot be, and those that are not what was published."""

import re

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from szmass._tables.columns import column_parts, describe_rows
from szmass.exceptions import FileFormatError, InvalidInputError

# Columns of positions by our names, and the largest angles that can stand in them [deg].
_ANGLES = {"ra": 360, "dec": 90, "glon": 360, "glat": 90}

# What columns can hold at all: by the end of their names, or by their unit.
_RANGES = ((r"glon|ra", 0, 360), (r"glat|dec", -90, 90), (r"redshift", -0.01, 5))
_MASSES = (1e10, 1e16)  # solMass
_TOLERANCE = 1e-3  # of means: digits are lost in some forms
_POSITIONS = 0.05  # deg between two positions of a cluster
_NAMED = 0.5  # deg between a position and the one in a name, which is cut
_IN_NAME = re.compile(
    r"G(?P<lon>\d{3}\.\d+)(?P<lat>[+-]\d\d\.\d+)"
    r"|J(?P<h>\d\d)(?P<m>\d\d(\.\d)?)(\d\d(\.\d+)?)?(?P<sign>[+-])(?P<d>\d\d)(?P<am>\d\d)?"
)


def require_possible(table, names):
    """Refuse positions, redshifts, masses and errors of masses that cannot be."""
    for name in table.colnames:
        values, mask, unit = column_parts(table[name])
        if limit := _ANGLES.get(name):
            bad, what = np.abs(values) > limit, f"beyond {limit} deg"
        elif name == "redshift":
            bad, what = values < 0, "negative"
        elif unit is None or not unit.is_equivalent(u.solMass):
            continue
        elif "_err" in name:
            bad, what = values < 0, "negative"
        else:
            bad, what = values <= 0, "not positive"
        bad &= ~mask
        if bad.any():
            raise InvalidInputError(
                f"'{name}' is {what} in {np.count_nonzero(bad)} rows: {values[bad][0]:g} in "
                f"{describe_rows(names, bad)}. Mask what is not known."
            )


def check_values(table, catalog):
    """Raise `FileFormatError` where values of a catalogue cannot be those of the publication.

    ``table`` has our columns; ``catalog`` is its class, whose ``published`` tells how many values
    some columns have, and their mean, in the whole table.
    """
    names = np.asarray(table["name"], dtype=str)
    for column in catalog.columns:
        values, mask, _ = column_parts(table[column.name])
        if values.dtype.kind in "fi":
            _check_range(column, values, ~mask, names)
    _check_positions(table, names)
    if len(table) and "redshift" in table.colnames and column_parts(table["redshift"])[1].all():
        raise FileFormatError("No redshift is known.")
    for name, number, mean in catalog.published:
        values, mask, _ = column_parts(table[name])
        if len(table) != catalog.published_rows:
            break  # part of it, as in a test
        if np.count_nonzero(~mask) != number:
            raise FileFormatError(
                f"'{name}' is known in {np.count_nonzero(~mask)} rows instead of {number}."
            )
        found = np.mean(values[~mask], dtype=float)
        if not np.isclose(found, mean, rtol=_TOLERANCE, atol=0):
            raise FileFormatError(f"The mean of '{name}' is {found:.7g} instead of {mean:.7g}.")


def _check_range(column, values, known, names):
    low, high = -np.inf, np.inf
    if re.search(r"_err[np]?$", column.name):
        low, high = 0, _MASSES[1] if column.unit == "solMass" else high
    elif column.unit == "solMass":
        low, high = _MASSES
    for pattern, *ends in _RANGES:
        if re.fullmatch(pattern, column.name):
            low, high = ends
    with np.errstate(invalid="ignore"):
        wrong = known & ~((values >= low) & (values <= high))
    if wrong.any():
        raise FileFormatError(
            f"'{column.name}' must be from {low:g} to {high:g}. It is {values[wrong][0]:.6g} in "
            f"{describe_rows(names, wrong)}."
        )


def _check_positions(table, names):
    """Compare (ra, dec), (l, b) and the position in the names with each other."""
    found = {
        " and ".join(pair): SkyCoord(*(_degrees(table[c]) for c in pair), unit="deg", frame=frame)
        for *pair, frame in (("ra", "dec", "icrs"), ("glon", "glat", "galactic"))
        if set(pair) <= set(table.colnames)
    }
    positions = list(found.items())
    for i, (what, coord) in enumerate(positions):
        for other, there in positions[i + 1 :]:
            _require_near(coord.separation(there).deg, _POSITIONS, 0, what, other, names)
        named = _positions_of(names)
        _require_near(coord.separation(named).deg, _NAMED, 0.02, what, "the names", names)


def _degrees(column):
    values, mask, unit = column_parts(column)
    return np.where(mask, np.nan, values) * u.Unit(unit or "deg").to("deg")


def _positions_of(names):
    """Positions in names such as 'PSZ2 G000.04+45.13' and 'ACT-CL J0001.4-0306', NaN elsewhere."""
    found = [_IN_NAME.search(name) for name in names.tolist()]
    galactic = any(match and match["lon"] for match in found)
    lonlat = np.full((2, len(names)), np.nan)
    for i, match in enumerate(found):
        if match is None or (match["lon"] is not None) != galactic:
            continue
        if galactic:
            lonlat[:, i] = float(match["lon"]), float(match["lat"])
        else:
            latitude = int(match["d"]) + int(match["am"] or 0) / 60
            lonlat[0, i] = 15 * (int(match["h"]) + float(match["m"]) / 60)
            lonlat[1, i] = -latitude if match["sign"] == "-" else latitude
    lonlat[1, np.abs(lonlat[1]) > 90] = np.nan
    return SkyCoord(*lonlat, unit="deg", frame="galactic" if galactic else "icrs")


def _require_near(separation, limit, share, what, other, names):
    """Refuse positions that are further apart than ``limit``, but for a share of the rows."""
    with np.errstate(invalid="ignore"):
        far = separation > limit
    if np.count_nonzero(far) > share * len(names):
        raise FileFormatError(
            f"The positions from {what} and from {other} are up to "
            f"{np.nanmax(separation):.3g} deg apart, in {describe_rows(names, far)}."
        )
