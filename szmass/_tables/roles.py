"""Columns of names, positions and redshifts, found by what SIMBAD, NED and VizieR call them.

Nothing is guessed: of two columns that say different things none is taken, and words that could be
anything ("id", "x") are no names of ours.
"""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from szmass._tables.columns import column_parts, describe_rows, numbers_of, parse_unit
from szmass._utils.kinds import hint_for
from szmass.exceptions import InvalidInputError

# Usual names of longitude and latitude in lower case, in the order in which they are looked for.
# "l" and "b" are too short to be matched in upper case as well.
PAIRS = (
    *(("ra", "dec", "icrs"), ("radeg", "dedeg", "icrs"), ("radeg", "decdeg", "icrs")),
    *(("ra_deg", "dec_deg", "icrs"), ("ra_deg", "de_deg", "icrs"), ("ra(deg)", "dec(deg)", "icrs")),
    *(("ra_d", "dec_d", "icrs"), ("_raj2000", "_dej2000", "icrs"), ("raj2000", "dej2000", "icrs")),
    *(("raj2000", "decj2000", "icrs"), ("ra_j2000", "dec_j2000", "icrs")),
    *(("_ra.icrs", "_de.icrs", "icrs"), ("_ra_icrs", "_de_icrs", "icrs")),
    *(("ra_icrs", "de_icrs", "icrs"), ("_ra", "_de", "icrs")),
    *(("glon", "glat", "galactic"), ("_glon", "_glat", "galactic"), ("l", "b", "galactic")),
)
# Two positions of one cluster are the same within so much: in one frame, and where one of them is
# galactic, which catalogues often round to 0.01 deg [arcmin].
_SAME, _SAME_ROUNDED = 0.05, 1.0
_LOOKED_AT = 5000  # rows of which two positions are compared


@dataclass(frozen=True)
class _Role:
    """Names of a column, in lower case, the first ones before the others, and its UCD."""

    first: tuple
    others: tuple
    ucd: str
    like: tuple  # beginnings of names that messages offer


ROLES = {
    "name": _Role(
        ("name", "cluster"),
        ("main_id", "object name", "object_name", "objname", "cluster_name"),
        "meta.id;meta.main",
        ("name", "id", "object", "cluster"),
    ),
    "pos_err": _Role(("pos_err",), (), "", ()),
    "redshift": _Role(
        ("redshift", "z"),
        ("rvz_redshift", "z_value"),
        "src.redshift",
        ("z", "redshift", "photo"),
    ),
}
#: Columns that are text whatever they hold.
NAME_COLUMNS = ROLES["name"].first + ROLES["name"].others


def as_table(value, argument="table", wanted="an astropy Table or QTable, or a pandas DataFrame"):
    """Give a Table for a Table or a pandas DataFrame, whose index counts if it has a name."""
    if isinstance(value, Table):
        return value
    if type(value).__name__ == "DataFrame" and type(value).__module__.startswith("pandas"):
        return Table.from_pandas(value, index=value.index.name is not None)
    raise InvalidInputError(
        f"'{argument}' must be {wanted}. Received: {type(value).__name__}{hint_for(value, 'Table')}"
    )


def given_column(table, name, *, label="The table", purpose=""):
    """Give the name of a column that somebody named, if it is there."""
    if name not in table.colnames:
        raise InvalidInputError(
            f"{label} has no column {name!r}{purpose}. It has "
            f"{', '.join(table.colnames) or 'no columns'}."
        )
    return name


def find_role(table, role, given=None, *, label="The table"):
    """Give the column of a role of `ROLES`: the given one, or the one that is found; else None.

    `InvalidInputError` where several are found that hold different things.
    """
    if given is not None:
        return given_column(table, given, label=label, purpose=f" for '{role}'")
    about = ROLES[role]
    # Names of a cluster may be many: the usual ones come one after the other.
    tiers = (about.first, about.others)
    if role != "redshift":
        tiers = [(name,) for names in tiers for name in names]
    for usual in tiers:
        found = [
            column
            for name in usual
            for column in _of_any_case(table, name)
            if role != "redshift" or _is_plain(table[column])
        ]
        if found:
            return _the_one(table, role, found, label)
    ucds = {name: _ucd(table[name]) for name in table.colnames}
    found = [
        name
        for name, ucd in ucds.items()
        if (ucd and ucd == about.ucd) or (role == "redshift" and ucd == f"{about.ucd};meta.main")
    ]
    return _the_one(table, role, found, label) if found else None


def require_role(table, role, given=None):
    """Give the column of a role as `find_role` does, or say what is lacking."""
    column = find_role(table, role, given)
    if column is not None:
        return column
    about = ROLES[role]
    close = [name for name in table.colnames if name.lower().startswith(about.like)]
    raise InvalidInputError(
        f"The table has no column {' or '.join(map(repr, about.first))}. Say which one holds the "
        f"{role}, for instance columns={{'{role}': '{close[0] if close else 'NAME'}'}} (a masked "
        f"column if none is known). It has {', '.join(table.colnames) or 'no columns'}."
    )


def _of_any_case(table, name):
    """Columns of a name, in that case if it is there."""
    if name in table.colnames:
        return [name]
    return [column for column in table.colnames if column.lower() == name]


def _is_plain(column):
    """Whether a column has no unit that a redshift cannot have."""
    unit = parse_unit(getattr(column, "unit", None))
    return unit is None or unit.is_equivalent(u.dimensionless_unscaled)


def _ucd(column):
    return str((getattr(column.info, "meta", None) or {}).get("ucd", "")).strip().lower()


def _the_one(table, role, found, label):
    """The first of some columns if all hold the same."""
    first, *others = found
    for other in others:
        if not _hold_the_same(table[first], table[other]):
            raise InvalidInputError(
                f"{label} has several columns for the {role}, which differ: {', '.join(found)}. "
                f"Say which one is meant, for instance columns={{'{role}': '{first}'}}."
            )
    return first


def _hold_the_same(a, b):
    parts = [column_parts(column)[:2] for column in (a, b)]
    if all(values.dtype.kind in "fiub" for values, _ in parts):
        numbers = [numbers_of(values, mask)[0] for values, mask in parts]
        return np.array_equal(*numbers, equal_nan=True)
    texts = [np.where(mask, "", np.char.strip(values.astype(str))) for values, mask in parts]
    return np.array_equal(*texts)


def position_columns(table, coord, frame, read, *, required=True):
    """Give the columns of the position: a SkyCoord, or longitude and latitude.

    ``read`` gives the positions in a pair of columns, for rows of the table: where there are
    several pairs they must agree. Without any it is an error, unless not ``required``.
    """
    if coord is not None:
        columns = (coord,) if isinstance(coord, str) else tuple(coord)
        lost = [str(name) for name in columns if name not in table.colnames]
        if lost or len(columns) not in (1, 2):
            raise InvalidInputError(
                "'coord' must be the name of a SkyCoord column, or the names of longitude and "
                f"latitude. Received: {coord!r}; the table has {', '.join(table.colnames)}."
            )
        if len(columns) == 1 and not isinstance(table[columns[0]], SkyCoord):
            raise InvalidInputError(
                f"The column '{columns[0]}' is no SkyCoord. Give the names of longitude and "
                "latitude, for instance columns={'ra': 'RA', 'dec': 'DEC'}."
            )
        return columns
    skycoords = [name for name in table.colnames if isinstance(table[name], SkyCoord)]
    if "coord" in skycoords or len(skycoords) == 1:
        return ("coord" if "coord" in skycoords else skycoords[0],)
    if skycoords:
        raise InvalidInputError(
            f"The table has several positions ({', '.join(skycoords)}). Choose one, for instance "
            f"columns={{'coord': '{skycoords[0]}'}}."
        )
    galactic = None if frame is None else frame == "galactic"
    found = _pairs_in(table, galactic)
    if found:
        return found[0] if len(found) == 1 else _agreeing(table, found, read)
    if not required:
        return ()
    looked_for = ", ".join(f"{lon}/{lat}" for lon, lat, _ in PAIRS)
    close = [name for name in table.colnames if name.lower().lstrip("_").startswith(("ra", "de"))]
    example = f"'ra': '{close[0]}', 'dec': '{close[1]}'" if len(close) == 2 else None
    raise InvalidInputError(
        f"The table has no position: neither a SkyCoord column nor any of {looked_for} "
        "(in any case). Say which columns hold it, for instance columns={"
        + (example or "'ra': 'RA', 'dec': 'DEC'")
        + f"}}, or 'glon' and 'glat'. The table has {', '.join(table.colnames) or 'no columns'}."
    )


def _pairs_in(table, galactic=None):
    """Columns of longitude and latitude that have usual names, of galactic ones or the others."""
    found = []
    for lon, lat, frame in PAIRS:
        if galactic not in (None, frame == "galactic"):
            continue
        pair = [
            [c for c in table.colnames if c == name or (len(name) > 1 and c.lower() == name)]
            for name in (lon, lat)
        ]
        if all(len(columns) == 1 for columns in pair):
            found.append((pair[0][0], pair[1][0]))
    return found


def by_column(table, said, angles):
    """Let what is said by our names of longitude and latitude hold for the columns they stand in.

    ``angles`` are those that were told, as `split_pairs` gives them; others are found.
    """
    result = dict(said)
    for names, galactic in ((("ra", "dec"), False), (("glon", "glat"), True)):
        for axis, name in enumerate(names):
            columns = [pair[axis] for pair in _pairs_in(table, galactic)]
            columns = [angles[name]] if name in angles else columns
            if name in said and columns and (name in angles or name not in table.colnames):
                value = result.pop(name)
                result = dict.fromkeys(columns, value) | result
    return result


def _agreeing(table, pairs, read):
    """The first pair that can be read, if what the others hold are the same positions."""
    rows = np.unique(np.linspace(0, len(table) - 1, _LOOKED_AT).astype(int)) if len(table) else []
    some = table[list(dict.fromkeys(name for pair in pairs for name in pair))][rows]
    places, problem = {}, None
    for pair in pairs:
        try:
            places[pair] = read(some, pair)
        except InvalidInputError as err:
            problem = problem or (pair, err)
    if not places:
        return problem[0]  # what is wrong with it is said when all of it is read
    (first, here), *others = places.items()
    for pair, there in others:
        one_frame = here.frame.name == there.frame.name
        apart = here.separation(there).arcmin
        differ = np.asarray(apart > (_SAME if one_frame else _SAME_ROUNDED))
        if differ.any():
            raise InvalidInputError(
                f"The table has several positions, {first[0]}/{first[1]} and {pair[0]}/{pair[1]}, "
                f"which differ by {np.nanmax(apart):.2g} arcmin ({describe_rows(None, differ)}). "
                f"Say which one is meant, for instance {_as_columns(first)} or {_as_columns(pair)}."
            )
    return first


def _as_columns(pair):
    ours = ("glon", "glat") if frame_of(pair) == "galactic" else ("ra", "dec")
    return f"columns={{'{ours[0]}': '{pair[0]}', '{ours[1]}': '{pair[1]}'}}"


def frame_of(columns):
    """Give the frame that the names of longitude and latitude tell."""
    lower = tuple(name.lower() for name in columns)
    for lon, lat, frame in PAIRS:
        if lower == (lon, lat):
            return frame
    raise InvalidInputError(
        f"The frame of the columns {columns[0]!r} and {columns[1]!r} is not known: say it, for "
        "instance frame='icrs' or frame='galactic'."
    )


def split_pairs(table, columns, coord, frame):
    """Take longitude and latitude out of a dict of columns by our names, in place.

    Gives the columns of the position, or None, their frame, and our names of them. One alone goes
    with the other one of the table.
    """
    for lon, lat, pair_frame in PAIRS if coord is None else ():
        told = [name for name in (lon, lat) if name in columns]
        if len(told) == 2 or (told and lon in ("ra", "glon")):
            found = [(columns.pop(n, None), *_of_any_case(table, n)) for n in (lon, lat)]
            pair = [next(filter(None, names), None) for names in found]
            if None in pair:
                lacking = (lon, lat)[pair.index(None)]
                raise InvalidInputError(
                    f"'columns' must name both {lon!r} and {lat!r}: the table has no column "
                    f"{lacking!r}. Received: {told[0]!r} alone"
                )
            return tuple(pair), frame or pair_frame, dict(zip((lon, lat), pair, strict=True))
    coord = columns.pop("coord", None) if coord is None else coord
    return coord, columns.pop("frame", None) if frame is None else frame, {}


def can_only_be_degrees(lon, lat, missing=()):
    """Whether numbers without a unit, of a pair, are more than hours or radians can be.

    Negative numbers and such as 99.99 prove nothing, as they may stand for "not known"; so do those
    in ``missing``.
    """
    parts = [column_parts(column) for column in (lon, lat)]
    if any(unit is not None or values.dtype.kind not in "fiu" for values, _, unit in parts):
        return False
    lon, lat = (values[~mask].astype(float) for values, mask, _ in parts)
    beyond = np.unique(lon[(lon > 24) & (lon <= 360) & ~np.isin(lon, missing)])
    proof = any(set(f"{value:g}") - set("9.") for value in beyond)
    known = lat[np.isfinite(lat) & ~np.isin(lat, missing)]
    return bool(proof and np.all(np.abs(known) <= 90))
