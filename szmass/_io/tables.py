"""Tables in and out: ECSV, FITS and VOTable with units, masks and all of ``meta``; CSV without."""

import base64
import json
import re
import warnings
import zlib

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.ascii import InconsistentTableError
from astropy.io.votable import from_table, parse
from astropy.io.votable.tree import Info
from astropy.table import Column, MaskedColumn, QTable
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked

from szmass._io.files import atomic_path
from szmass._io.fits import damaged_fits_raises
from szmass._utils.kinds import as_path, check_kind
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning

#: File suffix to table format.
TABLE_FORMATS = {
    ".ecsv": "ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".csv": "csv",
}

#: FITS headers and VOTables hold no nested values: there ``meta`` travels as one JSON string.
META_KEY = "SZMETA"

# What a column is, in the words of the Virtual Observatory, by its name.
_UCDS = (
    (r"name", "meta.id;meta.main"),
    (r"(coord\.)?ra", "pos.eq.ra"),
    (r"(coord\.)?dec", "pos.eq.dec"),
    (r"glon|coord\.l", "pos.galactic.lon"),
    (r"glat|coord\.b", "pos.galactic.lat"),
    (r"redshift", "src.redshift"),
    (r"(mass|msz)_err[np](_.*)?", "stat.error;phys.mass"),
    (r"(mass|msz)(_.*)?", "phys.mass"),
    (r"flag(_.*)?", "meta.code"),
    (r"snr", "stat.snr"),
    (r"pos_err", "stat.error;pos"),
)


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
    and ``dec`` (ICRS), unless the table has columns of these names.
    """
    format = table_format(path, format)
    check_kind(table, "Table", "table")
    if isinstance(table, QTable):  # a sub-class may have writers of its own, which end here
        table = QTable(table, copy=False)
    with atomic_path(path, overwrite=overwrite) as temporary:
        if format == "ecsv":
            _with_text_masks(table).write(temporary, format="ascii.ecsv")
        elif format == "csv":
            _write_csv(table, temporary)
        elif format == "fits":
            _write_fits(table, temporary)
        else:
            _write_votable(table, temporary)


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
    votable.to_xml(str(path))


def _write_csv(table, path):
    plain = _without_coordinates(table)
    for name in plain.colnames:
        if getattr(plain[name], "ndim", 1) > 1:
            raise InvalidInputError(
                f"CSV cannot hold the column {name!r}, which has several numbers in a row. Write "
                "ECSV, FITS or VOTable, or leave it out."
            )
    warnings.warn(
        "CSV keeps neither units nor descriptions nor how the table was made: write ECSV, FITS or "
        "VOTable to keep them.",
        SzmassWarning,
        stacklevel=4,
    )
    plain.meta = {}
    plain.write(path, format="ascii.csv")


def _with_truths(table):
    """Turn columns of "True" and "False", as CSV has them, into what they mean."""
    for name in table.colnames:
        column = table[name]
        if column.dtype.kind != "U" or not len(table):
            continue
        shown = column.filled("True") if isinstance(column, MaskedColumn) else column
        if np.isin(shown, ["True", "False"]).all():
            truth = np.asarray(shown) == "True"
            mask = getattr(column, "mask", None)
            table[name] = truth if mask is None else MaskedColumn(truth, mask=mask)
    return table


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
        if isinstance(column, SkyCoord):
            if "ra" not in table.colnames and "dec" not in table.colnames:
                plain["ra"], plain["dec"] = column.icrs.ra.to(u.deg), column.icrs.dec.to(u.deg)
        else:
            plain[name] = column
    return plain


def read_table(path, *, format=None):
    """Read a table that `write_table` or another program wrote, with its units, masks and meta.

    A warning says that another program changed rows of a FITS file or VOTable of ours, so that
    masks are lost.
    """
    format = table_format(path, format)
    path = as_path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    packed = None
    try:
        if format == "ecsv":
            table = QTable.read(path, format="ascii.ecsv")
        elif format == "csv":
            table = _with_truths(QTable.read(path, format="ascii.csv"))
        elif format == "fits":
            with damaged_fits_raises():
                table = QTable.read(path, format="fits", hdu=1)
            packed = table.meta.pop(META_KEY, None)
        else:
            votable = parse(str(path))
            table = QTable(votable.get_first_table().to_table(use_names_over_ids=True))
            infos = [info for resource in votable.resources for info in resource.infos]
            packed = next((info.value for info in infos if info.name == META_KEY), None)
    except (
        *(OSError, ValueError, IndexError, TypeError),
        *(InconsistentTableError, AstropyUserWarning),
    ) as err:
        raise FileFormatError(
            f"{str(path)!r} could not be read as {format} (truncated, or another format): {err}"
        ) from err
    return table if packed is None else _unpack(table, packed, path)


# Columns as FITS and VOTable can hold them, and back: masks, text, small integers, UCDs.


def ucd_of(name):
    """Give the UCD of a column by its name, None where nothing is known."""
    return next((ucd for pattern, ucd in _UCDS if re.fullmatch(pattern, name)), None)


def pack_columns(table, format):
    """Replace columns by what FITS or VOTable holds; give what `unpack_columns` needs."""
    record = {"masked": [], "masks": {}, "int8": [], "escaped": [], "descriptions": {}}
    key = _key_of(table)
    for name in table.colnames:
        column = table[name]
        if column.info.description:
            record["descriptions"][name] = column.info.description
        mask = getattr(column, "mask", None)
        if mask is not None:
            record["masked"].append(name)
        if not isinstance(column, Column | u.Quantity) or column.dtype.kind not in "biufUS":
            continue
        if _loses_mask(column, mask, format):
            column = _unmasked(column)
            record["masks"][name] = [_encode(mask), _digest(key, column)]
        if column.dtype == np.int8:
            record["int8"].append(name)
            column = column.astype(np.int16)
        if format == "fits" and column.dtype.kind == "U" and not _is_ascii(column):
            record["escaped"].append(name)
            column = _mapped(column, lambda text: text.encode("unicode_escape").decode("ascii"))
        if column is not table[name]:
            table[name] = column
    return record


def unpack_columns(table, record):
    """Undo `pack_columns`, in place; give the columns that changed since, whose masks are lost."""
    for name in table.colnames:
        column = table[name]
        if not isinstance(column, Column | u.Quantity):
            continue
        if column.dtype.kind == "S":
            column = _as_text(column)
        if name in record.get("escaped", ()) and _is_ascii(column):
            column = _mapped(column, lambda text: text.encode("ascii").decode("unicode_escape"))
        if column.dtype.byteorder not in "=|" and column.dtype.kind in "iuf":
            column = column.astype(column.dtype.newbyteorder("="))
        if name in record.get("int8", ()):
            column = column.astype(np.int8)
        if name not in record["masked"] or name in record.get("masks", {}):
            column = _unmasked(column)
        if column is not table[name]:
            table[name] = column
        if description := record.get("descriptions", {}).get(name):
            table[name].info.description = description
    lost, key = [], _key_of(table)
    masks = {n: value for n, value in record.get("masks", {}).items() if n in table.colnames}
    for name, (code, digest) in masks.items():
        if digest != _digest(key, table[name]):
            lost.append(name)
            continue
        mask = _decode(code, table[name].shape)
        if isinstance(table[name], u.Quantity):
            table[name] = Masked(table[name], mask=mask)
        else:
            table[name] = MaskedColumn(table[name], mask=mask)
    return lost


def _loses_mask(column, mask, format):
    """Whether a format cannot tell what is masked from what is not."""
    if mask is None:
        return False
    if column.dtype.kind in "US" or (column.dtype.kind == "b" and format == "fits"):
        return True
    if column.dtype.kind != "f":
        return False
    return bool(np.any(np.isnan(_plain(column)) & ~np.asarray(mask)))


def _plain(column):
    """The values as a plain array, whatever is masked."""
    if isinstance(column, Masked):
        column = column.unmasked
    return np.asarray(getattr(column, "data", column) if isinstance(column, Column) else column)


def _unmasked(column):
    """The column without a mask: empty, False, 0 or NaN where it was masked."""
    if getattr(column, "mask", None) is None:
        return column
    fill = {"f": np.nan, "U": "", "S": b"", "b": False}
    return column.filled(fill.get(column.dtype.kind, 0))


def _is_ascii(column):
    return all(text.isascii() for text in np.ravel(_plain(column)).astype(str))


def _mapped(column, function):
    values = np.array([function(text) for text in np.ravel(_plain(column))], dtype=str)
    return _like(column, values.reshape(column.shape))


def _as_text(column):
    return _like(column, np.char.decode(_plain(column), "utf-8").astype(str))


def _like(column, values):
    """A column of other values with the name, description and mask of another."""
    about = {"name": column.name, "description": column.info.description}
    if getattr(column, "mask", None) is not None:
        return MaskedColumn(values, mask=column.mask, **about)
    return Column(values, **about)


def _key_of(table):
    """Text that identifies the rows: that of the first column of text."""
    for name in table.colnames:
        if isinstance(table[name], Column) and table[name].dtype.kind in "US":
            column = table[name]
            column = _as_text(column) if column.dtype.kind == "S" else column
            values = _plain(_unmasked(column))
            return "\n".join(str(text).rstrip() for text in np.ravel(values))
    return ""


def _digest(key, column):
    """A number that changes when rows are added, removed, sorted or edited."""
    values = _plain(column)
    if values.dtype.kind == "f":
        values = np.isnan(values)
    if values.dtype.kind in "US":
        text = "\n".join(str(value).rstrip() for value in np.ravel(values))
    else:
        text = np.ravel(values).astype(np.uint8).tobytes().hex()
    return zlib.crc32(f"{key}\n{text}".encode())


def _encode(mask):
    packed = np.packbits(np.ravel(np.asarray(mask, dtype=bool))).tobytes()
    return base64.b64encode(zlib.compress(packed)).decode("ascii")


def _decode(code, shape):
    packed = np.frombuffer(zlib.decompress(base64.b64decode(code)), dtype=np.uint8)
    return np.unpackbits(packed, count=int(np.prod(shape))).astype(bool).reshape(shape)
