"""Columns as FITS and VOTable can hold them, and back: masks, text, small integers, UCDs."""

import base64
import re
import zlib

import astropy.units as u
import numpy as np
from astropy.table import Column, MaskedColumn
from astropy.utils.masked import Masked

from szmass.exceptions import InvalidInputError

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


_REAL = (int, float, np.integer, np.floating)
_NOT_IN_FITS = re.compile(r"[^ -~]| $")


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
        if format == "fits" and column.dtype.kind == "U" and not _is_plain(column):
            record["escaped"].append(name)
            column = _mapped(column, _escape)
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
        if name in record.get("escaped", ()) and _is_plain(column):
            column = _mapped(column, _unescape)
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


def _is_plain(column):
    """Whether text comes back from FITS: visible ASCII without blanks at the end."""
    texts = np.ravel(_plain(column)).astype(str)
    return not any(_NOT_IN_FITS.search(text) for text in texts.tolist())


def _escape(text):
    escaped = text.encode("unicode_escape").decode("ascii")
    bare = escaped.rstrip(" ")
    return bare + r"\x20" * (len(escaped) - len(bare))


def _unescape(text):
    return text.encode("ascii").decode("unicode_escape")


def to_ascii(texts):
    """Give text as FITS can hold it, and whether it is any other than it was."""
    if _is_plain(np.asarray(texts, dtype=str)):
        return list(texts), False
    return [_escape(text) for text in texts], True


def from_ascii(texts):
    """Give text back that `to_ascii` has changed."""
    return [_unescape(text) for text in texts]


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


def known_kind(column, name):
    """Give a column of Python objects as text or numbers, masked where None; or refuse it."""
    values, mask = np.ma.getdata(column), np.ma.getmaskarray(column).copy()
    mask |= np.array([value is None for value in np.ravel(values)], bool).reshape(mask.shape)
    kinds = {type(value) for value in values[~mask]}
    about = {"name": column.name, "unit": column.unit, "description": column.description}
    known = (((str,), ""), ((bool, np.bool_), False), ((int, np.integer), 0), (_REAL, np.nan))
    empty = next((e for types, e in known if all(issubclass(k, types) for k in kinds)), None)
    if empty is None or (bool in kinds and len(kinds) > 1):
        raise InvalidInputError(
            f"The column {name!r} holds {', '.join(sorted(kind.__name__ for kind in kinds))}: no "
            "file can hold that. Make it text or numbers, or leave it out."
        )
    plain = np.array([empty if m else v for v, m in zip(values.flat, mask.flat, strict=True)])
    return MaskedColumn(plain.reshape(values.shape), mask=mask, **about)
