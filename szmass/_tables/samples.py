"""Columns of a sample, found in a table of any layout and checked."""

import copy
from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord, frame_transform_graph
from astropy.table import Column, QTable

from szmass._tables.angles import angle_column, is_sexagesimal, known_positions
from szmass._tables.columns import (
    column_of,
    column_parts,
    describe_rows,
    equals_any,
    numbers_of,
    stated_unit,
    without_value,
)
from szmass._tables.roles import (
    by_column,
    can_only_be_degrees,
    frame_of,
    given_column,
    position_columns,
    require_role,
    split_pairs,
)
from szmass._utils.names import rows_by_name
from szmass.exceptions import InvalidInputError

# Centres closer than this are the same [arcmin].
_SAME_CENTRE = 0.02


def map_columns(table, *, name, coord, redshift, frame, columns, units, missing):
    """Find the columns of a table that a sample needs; arguments as in `ClusterSample.from_table`.

    Gives the columns by our names, ``name`` and ``coord`` first, and ``units`` and ``missing`` too.
    """
    columns, units, missing = (
        as_dict(value, what)
        for value, what in ((columns, "columns"), (units, "units"), (missing, "missing"))
    )
    coord, frame, angles = split_pairs(table, columns, coord, frame)
    units, missing = (by_column(table, said, angles) for said in (units, missing))
    theirs = {
        "name": require_role(table, "name", name or columns.pop("name", None)),
        "redshift": require_role(table, "redshift", redshift or columns.pop("redshift", None)),
    }
    theirs |= {
        key: given_column(table, value, purpose=f" for '{key}'") for key, value in columns.items()
    }
    names = row_names(table[theirs["name"]])
    positions, used = _find_positions(table, names, coord, frame, units, missing)
    result = {"name": names, "coord": positions}
    for column in table.colnames:
        for ours in [key for key, value in theirs.items() if value == column] or [column]:
            if column in used or (ours == "name" and column == theirs["name"]):
                continue
            if ours in result:
                raise InvalidInputError(
                    f"The table has a column {ours!r} besides the one that is to become {ours!r}. "
                    "Rename or remove it."
                )
            result[ours] = table[column]
    units, missing = (_by_our_names(given, theirs, used) for given in (units, missing))
    unknown = sorted({*units, *missing}.difference(result))
    if unknown:
        raise InvalidInputError(
            f"'units' and 'missing' name columns that the table does not have: "
            f"{', '.join(unknown)}. It has {', '.join(table.colnames)}."
        )
    return result, units, missing


def as_dict(value, what):
    """Give a dict for one that is given, or for None."""
    if value is not None and not isinstance(value, Mapping):
        raise InvalidInputError(f"'{what}' must be a dict by column. Received: {value!r}")
    return dict(value or {})


def _by_our_names(given, theirs, used):
    """Let what is said of columns by their names hold for ours, without those of positions."""
    result = {}
    for key, value in given.items():
        ours = [] if key in theirs else [name for name, column in theirs.items() if column == key]
        if key not in used:
            result |= dict.fromkeys(ours or [key], value)
    return result


def check_columns(columns, numbers, units, missing, meta):
    """Check and copy columns of a sample: names, positions, redshifts (NaN if none), the others.

    ``numbers`` has a `Number` for some; ``units`` are for columns that have none, ``missing`` has
    numbers that stand for "not known".
    """
    names, coord = row_names(columns["name"]), columns["coord"].copy()
    _refuse(("coord",), names, ~known_positions(coord), "masked or NaN")
    checked = {"name": Column(names), "coord": coord, "redshift": None}
    columns = {"redshift": np.full(len(names), np.nan)} | columns
    for key, column in columns.items():
        unit = units.get(key)
        if key in numbers:
            values, mask = numbers[key].check_column(
                column, names, unit=unit, missing=missing.get(key)
            )
            checked[key] = column_of(values, mask, numbers[key].unit, always=True)
        elif key not in ("name", "coord"):
            checked[key] = _copy(key, column, unit, missing.get(key))
    table = QTable(meta=copy.deepcopy(meta))
    for key, column in checked.items():
        table[key] = column
    return table


def row_names(column):
    """Give the names of rows (text, bytes or numbers) without blanks around them; none is empty."""
    values, mask, _ = column_parts(column)
    if values.dtype.kind == "f":
        mask = mask | np.isnan(values)
        whole = np.where(mask, 0, values)
        if np.all((whole % 1 == 0) & (np.abs(whole) < 1e15)):  # some were not known
            values = whole.astype(np.int64)
    names = np.char.strip(values.astype(str))
    bad = mask | without_value(names)
    if bad.any():
        rows = ", ".join(map(str, np.flatnonzero(bad)[:10]))
        raise InvalidInputError(f"Every cluster needs a name; there is none in row {rows}.")
    return names


def _copy(name, column, unit, missing):
    """Copy a column of which nothing is known, as a quantity if it has a unit."""
    if not isinstance(column, Column | u.Quantity | np.ndarray):
        return column.copy()  # a time, a position, ...
    values, mask, own = column_parts(column)
    given, unit = unit, stated_unit(name, own, unit)
    values = values.astype(values.dtype.newbyteorder("="))
    if missing is not None:
        mask = mask | equals_any(values, missing)
    about = {}
    if unit is not None and not isinstance(unit, u.UnrecognizedUnit) and values.dtype.kind in "UO":
        numbers, none, wrong = numbers_of(values, mask)
        if not wrong.any():
            values, mask = numbers, none
        elif given is not None:
            raise InvalidInputError(
                f"The column '{name}' must hold numbers, as it is said to be in {given}. Received: "
                f"{values[wrong][0]!s:.80}"
            )
    if values.dtype.kind not in "fiu" or isinstance(unit, u.UnrecognizedUnit):
        unit, about = None, {} if unit is None else {"unit": str(unit)}
    result = column_of(values, mask, unit, always=bool(about))
    result.info.meta = about or None
    result.info.description = getattr(column.info, "description", None)
    return result


def _find_positions(table, names, coord, frame, units, missing):
    """Give the positions, and the names of the columns they were made from."""

    def read(some, pair):
        return positions_of(some, pair, frame, units, missing)

    columns = position_columns(table, coord, frame, read)
    if len(columns) == 1 and frame not in (None, table[columns[0]].frame.name):
        raise InvalidInputError(
            f"The column '{columns[0]}' is a SkyCoord in the frame "
            f"'{table[columns[0]].frame.name}', and frame='{frame}' says otherwise. Leave 'frame' "
            "out."
        )
    positions = positions_of(table, columns, frame, units, missing, names=names)
    _refuse(columns, names, ~known_positions(positions), "masked or NaN")
    return positions, columns


def positions_of(table, columns, frame, units, missing=None, *, names=None, label=""):
    """Positions (N,) of the `position_columns`, NaN where masked, in a frame that these may tell.

    ``units`` and ``missing`` are by column; ``names`` of rows and ``label`` are for messages.
    """
    if len(columns) == 1:
        return table[columns[0]]
    frame, missing = frame or frame_of(columns), missing or {}
    kinds = ("ra" if _is_equatorial(frame) else "lon", "lat")
    degrees, plain = [], None
    lon_lat = [table[column] for column in columns]
    marks = np.ravel([value for name in columns for value in np.atleast_1d(missing.get(name, []))])
    unsaid = not {*columns} & units.keys() and can_only_be_degrees(*lon_lat, marks)
    for column, kind in zip(columns, kinds, strict=True):
        plain = u.deg if column.lower().endswith("deg") else plain
        unit = u.deg if unsaid else units.get(column)
        about = {"unit": unit, "missing": missing.get(column), "names": names}
        degrees.append(angle_column(table[column], column, kind, plain=plain, label=label, **about))
        # Latitudes beside longitudes in hours or degrees, minutes and seconds are in degrees.
        plain = u.deg if is_sexagesimal(table[column]) else None
    return SkyCoord(*degrees, unit="deg", frame=frame)


def _is_equatorial(frame):
    known = frame_transform_graph.lookup_name(str(getattr(frame, "name", frame)))
    if known is None:
        raise InvalidInputError(
            "'frame' must be the name of a frame of astropy, such as 'icrs' or 'galactic'. "
            f"Received: {frame!r}"
        )
    return "ra" in known().get_representation_component_names()


def _refuse(columns, names, bad, what):
    if np.any(bad):
        raise InvalidInputError(
            f"The position ({', '.join(columns)}) is {what} in {describe_rows(names, bad)}. "
            "Remove these rows or fill in their positions."
        )


def cutout_rows(stack, names, coord):
    """Rows of a `CutoutStack` for clusters, in their order: by name, and by centres without names.

    `InvalidInputError` where these do not agree: a cutout of another cluster weighs another one.
    """
    own = np.asarray(stack.names, dtype=str)
    rows = np.arange(len(names))
    sure = own == np.asarray(names, dtype=str)
    if not sure.all() and np.any(np.char.strip(own) != ""):
        found = rows_by_name(names, own)
        moved = (found >= 0) & (found != rows)
        if (found >= 0).all():
            rows, sure = found, found >= 0
        elif moved.any():
            lost = int(np.argmax(found < 0))
            raise InvalidInputError(
                f"'cutouts' are in another order than the clusters ({str(names[moved][0])!r} is in "
                f"row {found[moved][0]}), and none is named {str(names[lost])!r}. Give each cutout "
                "the name of its cluster, or cut them out again: sample.attach_cutouts(ymap)."
            )
        else:
            sure = found >= 0
    if stack.coord is not coord or np.any(rows != np.arange(len(rows))):
        _check_centres(stack, rows, sure, names, coord)
    return rows


def _check_centres(stack, rows, sure, names, coord):
    """Refuse cutouts that do not hold their cluster, or, where no name tells, are of another."""
    known = known_positions(coord) & known_positions(stack.coord)[rows]
    strange = ~known & ~sure & (np.char.strip(stack.names[rows]) != "")
    if strange.any():
        first = int(np.argmax(strange))
        raise InvalidInputError(
            f"'cutouts': nothing tells that {str(stack.names[rows[first]])!r} is the cutout of "
            f"{str(names[first])!r}, since names differ and a position is not known. Give each "
            "cutout the name of its cluster."
        )
    known = np.flatnonzero(known)
    if not len(known):
        return
    rows, clusters = rows[known], coord[known]
    centres = stack.coord[rows].transform_to(clusters.frame)
    apart = clusters.separation(centres).to_value(u.arcmin)
    reach = stack.geometry.size.min() / 2
    if stack.geometry.relative:
        if stack.angular_scale is None:  # as large as nobody knows
            return
        reach = reach * stack.angular_scale[rows]
    bad = apart > reach.to_value(u.arcmin)
    off = apart > _SAME_CENTRE
    if np.any(off & ~sure[known]):
        nearest, distance, _ = centres.match_to_catalog_sky(clusters)
        nearer = distance.to_value(u.arcmin) < apart - _SAME_CENTRE
        bad |= ~sure[known] & nearer & (nearest != np.arange(len(known)))
    if bad.any():
        first = int(np.argmax(bad))
        called = f" ({str(stack.names[rows[first]])!r})" if stack.names[rows[first]] else ""
        raise InvalidInputError(
            f"'cutouts' are not of the clusters in their order, in {np.count_nonzero(bad)} of "
            f"{len(names)}: cutout {rows[first]}{called} is centred {apart[first]:.4g} arcmin from "
            f"{str(names[known[first]])!r}. Put them in the order of the clusters, give them their "
            "names, or cut them out again: sample.attach_cutouts(ymap)."
        )
