"""Tables in and out: ECSV, FITS and VOTable, with units, masks and all of ``meta``."""

import json
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io.votable import from_table, parse
from astropy.io.votable.tree import Info
from astropy.table import MaskedColumn, QTable
from astropy.utils.exceptions import AstropyUserWarning

from szmass._utils.files import atomic_path, damaged_fits_raises
from szmass.exceptions import FileFormatError, InvalidInputError

__all__ = ["TABLE_FORMATS", "read_table", "table_format", "write_table"]

#: File suffix to table format.
TABLE_FORMATS = {
    ".ecsv": "ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
}

# FITS headers and VOTables hold no nested values: there ``meta`` travels as one JSON string.
_META_KEY = "SZMETA"


def table_format(path, format=None):
    """Tell the table format from a file name.

    Parameters
    ----------
    path : path-like
        The file.
    format : str, optional
        ``"ecsv"``, ``"fits"`` or ``"votable"``; wins over the suffix.

    Returns
    -------
    str
        The format.

    Raises
    ------
    InvalidInputError
        The format or the suffix is not known; the message lists those that are.
    """
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

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table. A VOTable cannot hold a `~astropy.coordinates.SkyCoord` column: there it
        becomes ``ra`` and ``dec`` (ICRS), unless the table has columns of these names.
    path : path-like
        The target; its suffix gives the format.
    overwrite : bool, optional
        Replace an existing file.
    format : str, optional
        ``"ecsv"``, ``"fits"`` or ``"votable"``, where the suffix does not say.

    Raises
    ------
    InvalidInputError
        The format is unknown, the file exists, or its folder does not.
    """
    format = table_format(path, format)
    with atomic_path(path, overwrite=overwrite) as temporary:
        if format == "ecsv":
            table.write(temporary, format="ascii.ecsv")
        elif format == "fits":
            plain = table.copy(copy_data=False)
            plain.meta = {_META_KEY: _pack_meta(table)}
            plain.write(temporary, format="fits")
        else:
            votable = from_table(_without_coordinates(table))
            votable.resources[0].infos.append(Info(name=_META_KEY, value=_pack_meta(table)))
            votable.to_xml(str(temporary))


def _pack_meta(table):
    """Write ``meta`` as JSON, with the names of the columns that really are masked.

    FITS and VOTable cannot tell NaN from masked; this list can.
    """
    masked = [name for name in table.colnames if getattr(table[name], "mask", None) is not None]
    packed = json.dumps(
        {"meta": dict(table.meta), "masked": masked},
        default=lambda value: value.item() if isinstance(value, np.generic) else str(value),
    )
    # In a long FITS string astropy takes a quote before a slash for the end of the value.
    return packed.replace("'", "\\u0027")


def _unpack_meta(table, packed):
    """Undo `_pack_meta`: restore ``meta``, unmask what was not masked when written."""
    packed = json.loads(packed)
    table.meta = packed["meta"]
    for name in table.colnames:
        column = table[name]
        if name in packed["masked"] or getattr(column, "mask", None) is None:
            continue
        if isinstance(column, MaskedColumn):
            fill = np.nan if column.dtype.kind == "f" else "" if column.dtype.kind in "US" else 0
            table[name] = column.filled(fill)
        else:
            table[name] = column.filled(np.nan)
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
    """Read a table that `write_table` or another program wrote.

    Parameters
    ----------
    path : path-like
        The file.
    format : str, optional
        ``"ecsv"``, ``"fits"`` or ``"votable"``, where the suffix does not say.

    Returns
    -------
    `~astropy.table.QTable`
        The table with its units, masks and ``meta``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    FileFormatError
        The file is truncated or not of that format.
    """
    format = table_format(path, format)
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    packed = None
    try:
        if format == "ecsv":
            table = QTable.read(path, format="ascii.ecsv")
        elif format == "fits":
            with damaged_fits_raises():
                table = QTable.read(path, format="fits", hdu=1)
            packed = table.meta.pop(_META_KEY, None)
        else:
            votable = parse(str(path))
            table = QTable(votable.get_first_table().to_table(use_names_over_ids=True))
            infos = [info for resource in votable.resources for info in resource.infos]
            packed = next((info.value for info in infos if info.name == _META_KEY), None)
    except (OSError, ValueError, IndexError, TypeError, AstropyUserWarning) as err:
        raise FileFormatError(
            f"{str(path)!r} could not be read as {format} (truncated, or another format): {err}"
        ) from err
    return table if packed is None else _unpack_meta(table, packed)
