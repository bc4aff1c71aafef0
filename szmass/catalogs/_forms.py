"""Forms in which tables are published or were written, told by their content."""

import gzip
import io
import re
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.votable import parse
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.exceptions import AstropyUserWarning

from szmass._io.fits import damaged_fits_raises
from szmass._io.tables import META_KEY, read_table
from szmass._utils.columns import parse_unit
from szmass.exceptions import FileFormatError

_FORMS = (
    "FITS, ECSV, VOTable, CSV, or a CDS table with its ReadMe beside it (all also with .gz at "
    "the end)"
)


def read_form(path, readme=None):
    """Read a table as it stands in the file, with units; give it, its form, and the bytes read.

    ``readme`` is that of a CDS table, by default the file ``ReadMe`` in the same folder.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as err:
            raise FileFormatError(f"{str(path)!r} is damaged (gzip): {err}") from err
    form = _form_of(content, path, readme)
    try:
        return _READERS[form](content, path, readme), form, content
    except (OSError, ValueError, TypeError, KeyError, IndexError, AstropyUserWarning) as err:
        if isinstance(err, FileFormatError):
            raise
        raise FileFormatError(f"{str(path)!r} could not be read as {form}: {err}") from err


def parse_votable(content):
    """Read a VOTable: its tables by name (or number), and names and texts of all INFO elements."""
    document = parse(io.BytesIO(content))
    infos = list(document.infos)
    for resource in document.resources:
        infos += resource.infos
    tables = {}
    for number, table in enumerate(document.iter_tables()):
        infos += table.infos
        tables[table.name or str(number)] = table.to_table(use_names_over_ids=True)
    texts = [(info.name, f"{info.value or ''} {info.content or ''}".strip()) for info in infos]
    return tables, texts


def _form_of(content, path, readme):
    head = content[:4096]
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if head.startswith(b"# %ECSV"):
        return "ecsv"
    if b"VOTABLE" in head:
        return "votable"
    name = path.name.removesuffix(".gz")
    if readme is not None or name in _records(path.with_name("ReadMe")):
        return "cds"
    if b"\0" not in head and name.endswith(".csv"):
        return "csv"
    hint = (
        " If it is a CDS table, its ReadMe is needed to read it: put it into the same folder "
        "under the name 'ReadMe', or pass readme=..."
        if name.endswith(".dat")
        else ""
    )
    raise FileFormatError(
        f"The form of {str(path)!r} is not known, or the file is damaged. Known forms are "
        f"{_FORMS}.{hint}"
    )


def _records(readme):
    """Record length and number of records by file name, from a ReadMe's summary of files."""
    if not readme.is_file():
        return {}
    text = readme.read_text(encoding="utf-8", errors="replace")
    rows = re.findall(r"^ ?(\S+\.dat)\s+(\d+)\s+(\d+)\s", text, flags=re.MULTILINE)
    return {name: (int(length), int(number)) for name, length, number in rows}


def _read_fits(content, path, readme):
    with damaged_fits_raises(), fits.open(io.BytesIO(content)) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
        if not tables:
            raise FileFormatError(f"{str(path)!r} holds no table, only images.")
        hdu = tables[0]
        if META_KEY not in hdu.header:
            # Not Table.read: published units are no FITS units and would make it warn.
            table = Table()
            for column in hdu.columns:
                values, unit = hdu.data[column.name], parse_unit(column.unit)
                table[column.name] = Column(values, unit=unit)
                if column.null not in (None, ""):  # TNULL of whole numbers
                    nothing = np.asarray(values) == column.null
                    table[column.name] = MaskedColumn(values, mask=nothing, unit=unit)
            return table
    return _read_own(content, "fits")


def _read_votable(content, path, readme):
    tables, infos = parse_votable(content)
    if any(name == META_KEY for name, _ in infos):
        return _read_own(content, "votable")
    if not tables:
        said = "; ".join(text for name, text in infos if name == "Error" and text)
        raise FileFormatError(
            f"{str(path)!r} holds no table" + (f", but an error: {said}" if said else ".")
        )
    return next(iter(tables.values()))


def _read_own(content, form):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"table.{form}")
        path.write_bytes(content)
        return read_table(path, format=form)


def _read_cds(content, path, readme):
    readme = Path(readme) if readme is not None else path.with_name("ReadMe")
    if not readme.is_file():
        raise FileFormatError(f"There is no ReadMe {str(readme)!r}.")
    name = path.name.removesuffix(".gz")
    length, number = _records(readme).get(name, (None, None))
    if number is None:
        raise FileFormatError(
            f"The ReadMe {str(readme)!r} does not describe {name!r}; it describes "
            f"{', '.join(_records(readme)) or 'no table'}. Give the file the name it has there."
        )
    lines = content.decode("utf-8", errors="replace").splitlines()
    if len(lines) != number or (not content.endswith(b"\n") and len(lines[-1]) < length):
        raise FileFormatError(
            f"{str(path)!r} is truncated or another version: it has {len(lines)} records, the "
            f"last of {len(lines[-1]) if lines else 0} bytes, and its ReadMe says {number} of "
            f"{length} bytes."
        )
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, name)  # the reader looks the name up in the ReadMe
        copy.write_bytes(content)
        return Table.read(copy, format="ascii.cds", readme=str(readme))


def _read_csv(content, path, readme):
    return Table.read(content.decode("utf-8").splitlines(), format="ascii.csv")


_READERS = {
    "fits": _read_fits,
    "ecsv": lambda content, path, readme: _read_own(content, "ecsv"),
    "votable": _read_votable,
    "cds": _read_cds,
    "csv": _read_csv,
}
