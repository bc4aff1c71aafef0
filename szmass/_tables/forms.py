"""Forms in which tables are published or were written, told by their content."""

import io
import math
import re
import struct
import tempfile
import warnings
from pathlib import Path
from xml.parsers import expat

import numpy as np
import yaml
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.io.votable import parse
from astropy.table import QTable, Table
from astropy.table.meta import YamlParseError
from astropy.utils.exceptions import AstropyUserWarning

from szmass._io.fits import damaged_fits_raises
from szmass._io.limits import (
    DAMAGED_STREAM,
    fits_problem,
    inflation_limit,
    opener_of,
    read_content,
)
from szmass._tables.columns import parse_unit
from szmass._tables.text import read_csv
from szmass._utils.kinds import as_path
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning

#: FITS headers and VOTables hold no nested values: there ``meta`` travels as one JSON string.
META_KEY = "SZMETA"
#: What astropy and the libraries behind it raise of content that is not what it should be.
BAD_CONTENT = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, SyntaxError),
    *(AssertionError, NotImplementedError, RecursionError, struct.error, expat.ExpatError),
    *(yaml.YAMLError, YamlParseError, VerifyError, AstropyUserWarning, *DAMAGED_STREAM),
)
#: File suffix to form.
TABLE_FORMATS = {
    ".ecsv": "ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".csv": "csv",
    ".tsv": "tsv",
}
_SUFFIXES = {**TABLE_FORMATS, ".fts": "fits", ".tsv": "csv"}
_COMPRESSED = (".gz", ".bz2", ".xz")
_FORMS = (
    "FITS, ECSV, VOTable, CSV, or a CDS table with its ReadMe beside it (all also with .gz at "
    "the end)"
)


def read_form(path, *, format=None, readme=None, text=()):
    """Read a table as it stands in the file, with units; give it, its form, and our JSON or None.

    ``format`` wins over what the content tells. ``readme`` is that of a CDS table, by default the
    file ``ReadMe`` in the same folder. Columns in ``text`` are text where the form does not say.
    """
    path = as_path(path)
    if path.is_dir():
        raise InvalidInputError(f"{str(path)!r} is a folder; give a file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    form = format or form_of(path, readme)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*has a unit but is kept as a")
            table, packed, *others = _READERS[form](path, readme=readme, text=text)
    except BAD_CONTENT as err:
        if isinstance(err, FileFormatError) or getattr(err, "errno", None) is not None:
            raise
        raise FileFormatError(
            f"{str(path)!r} could not be read as {form} (truncated, or another format): {err}"
        ) from err
    if others:
        warnings.warn(
            f"{str(path)!r} holds {len(others)} tables: {', '.join(others)}. The first is read. "
            "Where another one is meant, read it with astropy, whose Table.read has the arguments "
            "hdu=... for FITS and table_id=... for VOTable, and pass it to "
            "ClusterSample.from_table or write it to a file of its own.",
            SzmassWarning,
            stacklevel=4,
        )
    return table, form, packed


def plain_name(path):
    """Give the name of a file without the suffix of its compression."""
    name = Path(path).name
    return next((name[: -len(end)] for end in _COMPRESSED if name.lower().endswith(end)), name)


def form_of(path, readme=None):
    """Tell the form of a table by its content, or by its suffix where that says nothing."""
    path = Path(path)
    try:
        with opener_of(path)(path, "rb") as stream:
            head = stream.read(4096)
    except DAMAGED_STREAM as err:
        if getattr(err, "errno", None) is not None:
            raise
        raise FileFormatError(f"{str(path)!r} is damaged (compressed): {err}") from err
    bare = head.replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf")
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if bare.startswith(b"# %ECSV"):
        return "ecsv"
    if b"VOTABLE" in bare and b"<" in bare[:8]:
        return "votable"
    name = plain_name(path)
    if readme is not None or name in _records(path.with_name("ReadMe")):
        return "cds"
    if form := _SUFFIXES.get(Path(name).suffix.lower()):
        return form
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


def parse_votable(content):
    """Read a VOTable: its tables by name or number, and names and texts of all INFO elements.

    `ValueError` where it refers to other files or addresses, or states more than it has.
    """
    try:
        streams = _check_votable(content)
        document = parse(io.BytesIO(content))
    except BAD_CONTENT as err:
        raise ValueError(f"it is no VOTable, or truncated: {err}") from err
    infos = list(document.infos)
    for resource in document.resources:
        infos += resource.infos
    tables = {}
    for number, table in enumerate(document.iter_tables()):
        infos += table.infos
        if streams[number] and not len(table.array):
            raise ValueError("its binary data give no row: they are damaged.")
        name = table.name or str(number)
        name = f"{name} ({number})" if name in tables else name
        tables[name] = table.to_table(use_names_over_ids=True)
    texts = [(info.name, f"{info.value or ''} {info.content or ''}".strip()) for info in infos]
    return tables, texts


def _check_votable(content):
    """Refuse what is not as it says; tell of each table whether it has binary data."""
    limit, streams = inflation_limit(len(content)), []
    state = {"width": 0, "rows": 0, "inside": ""}

    def begin(name, attributes):
        name = state["inside"] = name.rpartition(":")[2]
        if name == "STREAM" and any(key.rpartition(":")[2] == "href" for key in attributes):
            raise ValueError(
                f"it refers to data elsewhere ({attributes.get('href')!r}): szmass "
                "neither fetches nor opens them. Save the table with its data in it."
            )
        if name == "TABLE":
            streams.append(False)
            rows = attributes.get("nrows", "0").strip()
            state.update(width=0, rows=int(rows) if rows.isdecimal() else 0)
            if state["rows"] > len(content):
                raise ValueError(f"it states {rows} rows: more than it can have.")
        elif name == "FIELD":
            lengths = re.findall(r"\d+", attributes.get("arraysize", "1"))
            state["width"] += 8 * math.prod(map(int, lengths))
        elif name == "TR":
            state["rows"] += 1
            if state["rows"] * state["width"] > 16 * limit:
                raise ValueError("it states larger cells (arraysize) than it has.")

    def text(said):
        if state["inside"] == "STREAM" and streams and said.strip():
            streams[-1] = True

    def refuse(name, *_):
        raise ValueError(f"it declares an entity ({name!r}): szmass reads none.")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EntityDeclHandler = begin, refuse
    parser.CharacterDataHandler = text
    parser.Parse(content, True)
    return streams


def _records(readme):
    """Record length and number of records by file name, from a ReadMe's summary of files."""
    if not readme.is_file():
        return {}
    text = readme.read_text(encoding="utf-8", errors="replace")
    rows = re.findall(r"^ ?(\S+\.dat)\s+(\d+)\s+(\d+)\s", text, flags=re.MULTILINE)
    return {name: (int(length), int(number)) for name, length, number in rows}


def _read_fits(path, **_):
    if problem := fits_problem(path):
        raise ValueError(problem)
    # Opened here, since astropy leaves a file open when it finds it truncated.
    with damaged_fits_raises(), open(path, "rb") as file, fits.open(file, memmap=False) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
        if not tables:
            raise FileFormatError(f"{str(path)!r} holds no table, only images.")
        held = [
            _described(
                f"HDU {hdus.index_of(hdu)}", hdu.name, hdu.columns.names, hdu.header["NAXIS2"]
            )
            for hdu in (tables if len(tables) > 1 else ())
        ]
        if META_KEY in tables[0].header:
            table = QTable.read(tables[0])
            return table, table.meta.pop(META_KEY), *held
        # Published units are no FITS units: as text they do not make astropy warn.
        table = Table.read(tables[0], unit_parse_strict="silent")
        for number, name in enumerate(tables[0].columns.names, start=1):
            if ucd := table.meta.pop(f"TUCD{number}", None):
                table[name].meta["ucd"] = ucd
    return _with_known_units(table), None, *held


def _described(place, name, columns, rows):
    """Name one of several tables of a file, for people who have to choose one."""
    more = ", ..." if len(columns) > 4 else ""
    called = f" {name!r}" if name else ""
    return f"{place}{called} ({rows} rows of {', '.join(columns[:4])}{more})"


def _with_known_units(table):
    for name in table.colnames:
        column = table[name]
        if getattr(column, "unit", None) is not None:
            column.unit = parse_unit(column.unit)
        if getattr(column, "dtype", np.dtype(float)).kind == "S":
            try:
                np.char.decode(np.asarray(column), "utf-8")
            except UnicodeDecodeError as err:
                raise ValueError(f"the text in its column {name!r} is not UTF-8: {err}") from err
    return table


def _read_votable(path, **_):
    content = read_content(path)
    tables, infos = parse_votable(content)
    if not tables:
        said = "; ".join(text for name, text in infos if name == "Error" and text)
        raise FileFormatError(
            f"{str(path)!r} holds no table" + (f", but an error: {said}" if said else ".")
        )
    held = [
        _described(f"number {number}", name, table.colnames, len(table))
        for number, (name, table) in enumerate(tables.items() if len(tables) > 1 else ())
    ]
    return next(iter(tables.values())), dict(infos).get(META_KEY), *held


def _read_ecsv(path, **_):
    text = read_content(path).decode("utf-8-sig")
    rows = (line for line in text.splitlines() if not line.startswith("#"))
    if sum(line.count('"') for line in rows) % 2:
        raise ValueError("a quotation mark is open at its end: it is cut short, or damaged.")
    return QTable.read(f"{text}\n", format="ascii.ecsv"), None


def _read_cds(path, *, readme, **_):
    readme = Path(readme) if readme is not None else path.with_name("ReadMe")
    if not readme.is_file():
        raise FileFormatError(f"There is no ReadMe {str(readme)!r}.")
    name, content = plain_name(path), read_content(path).removeprefix(b"\xef\xbb\xbf")
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
        return Table.read(copy, format="ascii.cds", readme=str(readme)), None


def _read_csv(path, *, text, **_):
    delimiter = "\t" if Path(plain_name(path)).suffix.lower() == ".tsv" else None
    return read_csv(read_content(path), path, text=text, delimiter=delimiter), None


def _read_tsv(path, *, text, **_):
    return read_csv(read_content(path), path, text=text, delimiter="\t"), None


_READERS = {
    "fits": _read_fits,
    "ecsv": _read_ecsv,
    "votable": _read_votable,
    "cds": _read_cds,
    "csv": _read_csv,
    "tsv": _read_tsv,
}
