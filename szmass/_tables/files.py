"""Tables in and out: ECSV, FITS and VOTable with units, masks and all of ``meta``; CSV without."""

import functools
import json
import re
import tempfile
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.io.votable.tree import Info
from astropy.table import Column, MaskedColumn, QTable

from szmass._io.files import atomic_path, is_full_disk
from szmass._tables.columns import as_qtable, column_parts, without_few_digits
from szmass._tables.forms import BAD_CONTENT, META_KEY, TABLE_FORMATS, read_form
from szmass._tables.packing import known_kind, pack_columns, ucd_of, unpack_columns
from szmass._tables.text import write_csv
from szmass._utils.kinds import as_path, check_kind
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning

# Rows that are tried first: those of text that a format might change, and a few others.
_TRIED = 2000
_PLAIN = ("csv", "tsv")  # formats without units and meta
_BESIDE = "row_beside"  # a column that no table has: CSV knows no empty lines
_TRICKY = re.compile(r"[^!-~ ]|^\s|\s$|[\"'\\,#]|^[=+@-]|^$")


def table_format(path, format=None):
    """Tell the table format from a file name, or check a given one, which wins over the suffix."""
    if format is None:
        format = TABLE_FORMATS.get(as_path(path).suffix.lower())
    if format not in TABLE_FORMATS.values():
        suffixes = ", ".join(f"{suffix} ({name})" for suffix, name in TABLE_FORMATS.items())
        raise InvalidInputError(
            f"Cannot tell the table format of {str(path)!r}. Use one of the suffixes {suffixes}."
        )
    return format


def write_table(table, path, *, overwrite=False, format=None):
    """Write a table completely or not at all.

    VOTable and CSV cannot hold a `~astropy.coordinates.SkyCoord` column: there it becomes ``ra``
    and ``dec`` (ICRS), unless the table has columns of these names. A column that would not come
    back from the file as it is refused by name.
    """
    format = table_format(path, format)
    check_kind(table, "Table", "table")
    if isinstance(table, QTable):  # a sub-class may have writers of its own, which end here
        table = QTable(table, copy=False)
    table = _plain_kinds(table)
    with atomic_path(path, overwrite=overwrite) as temporary:
        _try(table, format)
        if format in _PLAIN:
            warnings.warn(
                f"{format.upper()} keeps neither units nor descriptions nor how the table was "
                "made: write ECSV, FITS or VOTable to keep them.",
                SzmassWarning,
                stacklevel=3,
            )
        try:
            _WRITERS[format](table, temporary)
        except BAD_CONTENT as err:
            known = isinstance(err, InvalidInputError) or getattr(err, "errno", None) is not None
            if known or (isinstance(err, OSError) and is_full_disk(err)):
                raise
            raise InvalidInputError(
                f"The table cannot be written as {format}, because of its meta or of a unit: {err}"
            ) from err


def _plain_kinds(table):
    """Give a copy of a table with columns of objects as what they hold."""
    result = without_few_digits(table)
    for name in table.colnames:
        if isinstance(table[name], Column) and table[name].dtype.kind == "O":
            result[name] = known_kind(table[name], name)
    return result


def _try(table, format):
    """Write and read back a few rows; refuse, by name, columns that do not survive it."""
    some = table[_tricky_rows(table)]
    some.meta = {}
    back, reason = _round_trip(some, format)
    if back is None and isinstance(reason, InvalidInputError):
        raise reason
    for name in some.colnames:
        there, why = back, None
        if back is None or name not in back.colnames:
            alone = QTable({name: some[name], _BESIDE: np.arange(len(some))})
            there, why = _round_trip(alone, format)
        if there is not None and isinstance(some[name], SkyCoord) and name not in there.colnames:
            continue  # in VOTable and CSV it is ra and dec
        if there is not None:
            found = name in there.colnames
            why = _difference(some[name], there[name], format) if found else "it would be lost"
        if why is not None:
            _refuse(name, format, why)
    if back is None:
        raise InvalidInputError(f"The table cannot be written as {format}: {reason}") from reason


def _round_trip(table, format):
    """Give a table as it comes back from a file, or None and why it does not."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "table")
        try:
            _WRITERS[format](table, path)
            return read_table(path, format=format), None
        except BAD_CONTENT as err:
            if getattr(err, "errno", None) is not None:
                raise
            return None, err


def _refuse(name, format, reason):
    raise InvalidInputError(
        f"{format.upper()} cannot hold the column {name!r} as it is: {reason}. Write another "
        "format, change the column, or leave it out."
    )


def _tricky_rows(table):
    rows = {*range(min(3, len(table))), *range(max(len(table) - 1, 0), len(table))}
    for column in table.itercols():
        if not isinstance(column, Column | u.Quantity) or column.ndim != 1 or not len(table):
            continue
        values, mask, _ = column_parts(column)
        rows.add(int(np.argmax(mask)))
        if values.dtype.kind == "U":
            found = (i for i, value in enumerate(values.tolist()) if _TRICKY.search(value))
            rows.update(i for i, _ in zip(found, range(_TRIED), strict=False))
            rows.add(int(np.argmax(np.char.str_len(values))))
        elif values.dtype.kind in "iuf":
            rows.update((int(np.argmin(values)), int(np.argmax(values))))
            rows.update(np.flatnonzero(~np.isfinite(values))[:20].tolist())
    return sorted(rows)


def _difference(column, back, format):
    """Tell how a column differs from what came back of it; None if it does not."""
    if isinstance(column, SkyCoord):
        same = isinstance(back, SkyCoord) and np.all(back.separation(column) < 1e-6 * u.arcsec)
        return None if same else "its positions do not come back"
    if not isinstance(column, Column | u.Quantity):
        return None if type(back) is type(column) else f"it is a {type(column).__name__}"
    if not isinstance(back, Column | u.Quantity):
        return f"it comes back as {type(back).__name__}"
    (values, mask, unit), (others, lost, other) = column_parts(column), column_parts(back)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    unit, other = (u.Unit(known or "") for known in (unit, other))
    if format not in _PLAIN and unit != other:
        return f"its unit {unit} comes back as {other}"
    if len(values) != len(others):
        return (
            f"{len(others)} of its {len(values)} rows come back, perhaps because of text that "
            "begins with '#'"
        )
    if values.shape != others.shape or np.any(mask != lost):
        return "its shape or mask does not come back"
    if mask.all() or not values.size:
        return None
    kinds = {kind.replace("u", "i") for kind in (values.dtype.kind, others.dtype.kind)}
    if len(kinds) > 1 or (values.dtype.itemsize > 16 > others.dtype.itemsize and "f" in kinds):
        return f"{values.dtype} comes back as {others.dtype}"
    if values.dtype.kind == "f":
        wrong = others.astype(values.dtype) != values
        wrong &= ~(np.isnan(values) & np.isnan(others))
    else:
        wrong = others != values
    wrong &= ~mask
    if wrong.any():
        was, found = values[wrong].tolist()[0], others[wrong].tolist()[0]
        return f"{was!r} comes back as {found!r}"
    return None


def _with_text_masks(table):
    """Let ECSV tell empty text from masked: it takes one for the other otherwise."""
    result = table.copy(copy_data=False)
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Column) and column.dtype.kind == "U":
            shown = column.filled("x") if isinstance(column, MaskedColumn) else column
            if np.any(np.asarray(shown) == ""):
                result[name] = MaskedColumn(column, copy=False)
                result[name].info.serialize_method["ecsv"] = "data_mask"
    return result


def _write_ecsv(table, path):
    table = _with_text_masks(table)
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Column) and column.dtype.kind == "U":
            values, mask, _ = column_parts(column)
            # Blanks at the ends of text survive as JSON alone, which objects are written in.
            if np.any((np.char.strip(values) != values) & ~mask):
                table[name] = column.astype(object)
    table.write(path, format="ascii.ecsv")


def _write_fits(table, path):
    plain = table.copy(copy_data=False)
    plain.meta = {META_KEY: _pack(table, pack_columns(plain, "fits"))}
    plain.write(path, format="fits")
    with fits.open(path, mode="update") as hdus:
        header = hdus[1].header
        for i, name in enumerate(hdus[1].columns.names, start=1):
            if ucd := ucd_of(name):
                header.set(f"TUCD{i}", ucd, after=f"TFORM{i}")


def _write_votable(table, path):
    plain = _without_coordinates(table)
    record = pack_columns(plain, "votable")
    for name in plain.colnames:
        if (ucd := ucd_of(name)) and not (plain[name].info.meta or {}).get("ucd"):
            plain[name].info.meta = {**(plain[name].info.meta or {}), "ucd": ucd}
    votable = from_table(plain)
    votable.resources[0].infos.append(Info(name=META_KEY, value=_pack(table, record)))
    # Not Table.write, nor VOTableFile.to_xml: their C code writes a zero behind its buffer for rows
    # of 256 or 512 bytes, which ends the process at some later time (astropy issue 20419).
    writeto(votable, str(path))


def _write_csv(table, path, delimiter=","):
    plain = _without_coordinates(table)
    for name in plain.colnames:
        if getattr(plain[name], "ndim", 1) > 1:
            raise InvalidInputError(
                f"CSV cannot hold the column {name!r}, which has several numbers in a row. Write "
                "ECSV, FITS or VOTable, or leave it out."
            )
    write_csv(plain, path, delimiter)


_WRITERS = {
    "ecsv": _write_ecsv,
    "csv": _write_csv,
    "tsv": functools.partial(_write_csv, delimiter="\t"),
    "fits": _write_fits,
    "votable": _write_votable,
}


def _pack(table, record):
    """Write ``meta`` as JSON, with what FITS or VOTable cannot tell of the columns."""
    packed = json.dumps(
        {"meta": dict(table.meta), **record},
        default=lambda value: value.item() if isinstance(value, np.generic) else str(value),
    )
    # In a long FITS string astropy takes a quote before a slash for the end of the value.
    return packed.replace("'", "\\u0027")


def _unpack(table, packed, path):
    """Undo `_pack`: restore ``meta``, and masks, text and types of the columns."""
    record = json.loads(packed)
    table.meta = record["meta"]
    if lost := unpack_columns(table, record):
        warnings.warn(
            f"{str(path)!r} was changed by another program: which values of {', '.join(lost)} "
            "are masked is not known any more. They are as they stand in the file.",
            SzmassWarning,
            stacklevel=4,
        )
    return table


def _without_coordinates(table):
    plain = QTable()
    for name, column in table.items():
        if not isinstance(column, SkyCoord):
            plain[name] = column
            continue
        angles = {"ra": column.icrs.ra.to(u.deg), "dec": column.icrs.dec.to(u.deg)}
        for angle, values in angles.items():
            there = plain[angle] if angle in plain.colnames else table.columns.get(angle)
            if there is None:
                plain[angle] = values
            elif not _agree(there, values):
                raise InvalidInputError(
                    f"The positions {name!r} would become 'ra' and 'dec', and the table has other "
                    f"values in {angle!r}. Write ECSV or FITS, or rename or leave out one of them."
                )
    return plain


def _agree(column, degrees):
    """Whether a column has these angles to a tenth of an arcsecond; degrees without a unit."""
    values, mask, unit = column_parts(column)
    if values.dtype.kind not in "fiu" or mask.any():
        return False
    unit = u.Unit(unit or u.deg)
    return unit.is_equivalent(u.deg) and np.allclose(
        values * unit.to(u.deg), degrees.value, rtol=0, atol=3e-5
    )


def read_table(path, *, format=None, readme=None, text=()):
    """Read a table that `write_table` or another program wrote, with its units, masks and meta.

    Its content tells the form, unless ``format`` is given, and the suffix where that does not.
    Columns of names, and those in ``text``, are text in CSV whatever they hold. A warning says that
    another program changed rows of a FITS file or VOTable of ours, so that masks are lost.
    """
    format = format and table_format(path, format)
    table, form, packed = read_form(path, format=format, readme=readme, text=text)
    if packed is not None:
        try:
            return _unpack(QTable(table, copy=False), packed, path)
        except BAD_CONTENT as err:
            raise FileFormatError(
                f"{str(path)!r} could not be read as {form}: what szmass wrote into it of its "
                f"columns is damaged ({err})"
            ) from err
    for name in table.colnames if form == "ecsv" else ():
        if isinstance(table[name], Column) and table[name].dtype.kind == "O":
            values, mask = np.ma.getdata(table[name]), np.ma.getmaskarray(table[name])
            if all(isinstance(value, str) for value in values[~mask]):
                plain = known_kind(table[name], name)
                table[name] = plain if mask.any() else Column(plain)
    return as_qtable(table)
