"""Tables in and out: ECSV, FITS and VOTable with units, masks and all of ``meta``; CSV without."""

import json
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.ascii import InconsistentTableError
from astropy.io.votable import from_table, parse
from astropy.io.votable.tree import Info
from astropy.table import Column, MaskedColumn, QTable
from astropy.utils.exceptions import AstropyUserWarning

from szmass._io.files import atomic_path, damaged_fits_raises
from szmass._io.table_columns import pack_columns, ucd_of, unpack_columns
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning

__all__ = ["META_KEY", "TABLE_FORMATS", "read_table", "table_format", "write_table"]

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


def table_format(path, format=None):
    """Tell the table format from a file name, or check a given one, which wins over the suffix."""
    if format is None:
        format = TABLE_FORMATS.get(Path(path).suffix.lower())
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
    path = Path(path)
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
