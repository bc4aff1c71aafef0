"""Mutated tables of clusters in all forms."""

import contextlib
import functools
import gzip
import re
import zlib

import astropy.units as u
import numpy as np
from astropy.io import fits, votable
from astropy.table import Column, MaskedColumn, Table

from fuzzing import damage
from fuzzing.cases import FREE, REFUSED, SAME, SAME_OR_REFUSED, Case, changed, differing
from fuzzing.damage import pick
from fuzzing.maps import reference_of
from szmass.clusters import ClusterSample

FORMS = {"ecsv": "ascii.ecsv", "fits": "fits", "vot": "votable", "csv": "ascii.csv"}
_TEXTS = ("ecsv", "csv")
NAMES = ["A 1", "PSZ2 G001.00+20.00", "0016"]
_UNITS = {"msz": "1e14 solMass", "y5r500": "arcmin2", "ra": "deg", "dec": "deg"}
_NUMBERS = ("redshift", "msz", "y5r500", "snr")


def make_table():
    """Three clusters."""
    table = Table()
    table["name"] = NAMES
    table["ra"] = Column([10.25, 201.5, 359.75], unit="deg")
    table["dec"] = Column([-45.5, 0.25, 61.125], unit="deg")
    table["redshift"] = [0.125, 0.3, 0.75]
    table["msz"] = Column([4.5, 7.25, 10.5], unit="1e14 solMass")
    table["y5r500"] = Column([0.0015, 0.003, 0.00125], unit="arcmin2")
    table["snr"] = [5.5, 12.25, 7.75]
    table["note"] = ["x", "a, b", "last"]
    return table


def content_of(table, form, path):
    """Bytes of a table in a form; in FITS with units as people write them."""
    if form == "fits":
        units = [str(column.unit or "") for column in table.itercols()]
        table = Table([c.copy() for c in table.itercols()], names=table.colnames)
        for column in table.itercols():
            column.unit = None
        hdu = fits.table_to_hdu(table)
        for i, unit in enumerate(units, start=1):
            if unit:
                hdu.header[f"TUNIT{i}"] = unit
        return damage.written([fits.PrimaryHDU(), hdu])
    if form == "vot":
        votable.writeto(table, str(path))  # Table.write damages memory: see szmass._tables.files
    else:
        table.write(path, format=FORMS[form], overwrite=True)
    content = path.read_bytes()
    path.unlink()
    return content


def read_sample(path, **options):
    """What a sample in a file is, as plain arrays."""
    if ".csv" in path.suffixes:
        header = path.read_bytes()
        with contextlib.suppress(OSError, EOFError, zlib.error), gzip.open(path) as file:
            header = file.read(1 << 16)  # not all of what may be a bomb
        # Units that are stated of a column that is not there are a mistake of the caller.
        options = {"units": {n: unit for n, unit in _UNITS.items() if n.encode() in header}}
    sample = ClusterSample.read(path, **options)
    result = {
        "name": sample.names,
        "ra": sample.coord.icrs.ra.deg,
        "dec": sample.coord.icrs.dec.deg,
        "redshift": sample.redshift,
    }
    units = {"msz": u.solMass, "y5r500": u.arcmin**2, "snr": u.dimensionless_unscaled}
    for name in units.keys() & set(sample.table.colnames):
        result[name] = sample.quantity(name).to_value(units[name])
    if "note" in sample.table.colnames:
        result["note"] = np.asarray(sample.table["note"]).astype(str)
    return result


def _cell(values, row, value):
    values = np.array(values, dtype=float)
    values[row] = value
    return values


def _renamed(rng, table, reference):
    old, *new = pick(
        rng,
        (
            *(("name", "Name"), ("name", "cluster"), ("name", "NAME"), ("redshift", "z")),
            *(("redshift", "Z"), ("redshift", "REDSHIFT")),
        ),
    )
    table.rename_column(old, new[0])
    return f"{old} called {new[0]}", SAME


def _positions_renamed(rng, table, reference):
    pairs = (("RAdeg", "DEdeg"), ("RA", "DEC"), ("RAJ2000", "DEJ2000"), ("RA_ICRS", "DE_ICRS"))
    new = pick(rng, pairs)
    for old, name in zip(("ra", "dec"), new, strict=True):
        table.rename_column(old, name)
    return f"positions called {new[0]}", SAME


def _lost(rng, table, reference):
    name = pick(rng, table.colnames)
    del table[name]
    if name in ("name", "ra", "dec"):
        return f"no {name}", REFUSED
    nan = np.full(3, np.nan)
    if name == "redshift":
        return "no redshift", changed({"redshift": nan}, refused=True)
    return f"no {name}", changed({name: None})


def _unknown_name(rng, table, reference):
    name = pick(rng, ("name", "ra", "dec"))
    table.rename_column(name, f"x_{name}")
    return f"{name} called otherwise", REFUSED


def _reordered(rng, table, reference):
    order = list(rng.permutation(table.colnames))
    for i, name in enumerate(order):
        column = table[name]
        del table[name]
        table.add_column(column, index=i, name=name)
    return "columns in another order", SAME


def _turned(rng, table, reference):
    table.reverse()
    return "rows turned", changed({name: value[::-1] for name, value in reference.items()})


def _doubled(rng, table, reference):
    table.add_row(table[1])
    return "a row twice", REFUSED


def _doubled_name(rng, table, reference):
    table["name"][2] = pick(rng, ("A 1", "A 1 ", " A 1"))
    return "a name twice", REFUSED


def _empty_name(rng, table, reference):
    table["name"][1] = pick(rng, ("", " "))
    return "a name that is empty", REFUSED


def _more(rng, table, reference):
    n = len(table)
    columns = {
        "[Msun]": Column(np.ones(n), unit="dex(solMass)"),
        "mag": Column(np.ones(n), unit="mag(AB)"),
        "complex": Column(np.ones(n, complex)),
        "bool": Column(np.ones(n, bool)),
        "several": Column(np.ones((n, 2))),
        "masked": MaskedColumn(np.ones(n), mask=np.ones(n, bool)),
        "infinite": Column(np.full(n, np.inf)),
        "text": Column(["...", "n/a", ""]),
        "small": Column(np.ones(n, np.uint8)),
        "big": Column(np.full(n, 2**62)),
    }
    name = pick(rng, tuple(columns))
    table["own"] = columns[name]
    return f"one more column: {name}", SAME_OR_REFUSED if name == "complex" else SAME


def _other_unit(rng, table, reference):
    name, unit = pick(
        rng,
        (
            *(("ra", "rad"), ("dec", "arcmin"), ("ra", "hourangle"), ("dec", "arcsec")),
            *(("msz", "kg"), ("msz", "solMass"), ("msz", "1e15 solMass"), ("y5r500", "sr")),
            *(("y5r500", "1e-3 arcmin2"), ("y5r500", "deg2")),
        ),
    )
    table[name] = Column(u.Quantity(table[name]).to(unit).value, unit=unit)
    return f"{name} in {unit}", changed({}, rtol=1e-7)


def _wrong_unit(rng, table, reference):
    pairs = (("msz", "deg"), ("msz", "km/s"), ("y5r500", "solMass"), ("ra", "kg"), ("dec", "m"))
    name, unit = pick(rng, pairs)
    table[name].unit = unit
    return f"{name} in {unit}", REFUSED


def _no_unit(rng, table, reference):
    name = pick(rng, ("msz", "y5r500", "ra", "dec"))
    table[name].unit = None
    return f"{name} without unit", REFUSED if name in ("msz", "y5r500") else SAME_OR_REFUSED


def _number(rng, table, reference):
    name, row = pick(rng, (*_NUMBERS, "ra", "dec")), int(rng.integers(3))
    value = pick(rng, (np.nan, np.inf, -np.inf, -1.0, -99.0, 0.0, 99.0, 1e300, -1e-300, 1e-300))
    table[name][row] = value
    scale = {"msz": 1e14}.get(name, 1.0)
    lost = {name: _cell(reference[name], row, np.nan)}
    kept = {name: _cell(reference[name], row, value * scale)}
    what = f"{name} {value}"
    if name in ("ra", "dec"):
        beyond = not np.isfinite(value) or not abs(value) <= (360 if name == "ra" else 90)
        there = value % 360 % 360 if name == "ra" else value  # twice: -1e-300 % 360 is 360
        kept = {name: _cell(reference[name], row, there)}
        return what, REFUSED if beyond else changed(kept, refused=True)
    if not np.isfinite(value):
        return what, changed(lost, refused=True)
    if name == "snr" or (value > 0 and name != "redshift") or (name != "msz" and value == 0):
        return what, changed(kept, lost, refused=True)
    if name in ("y5r500", "redshift") and value != -99:
        return what, changed(kept, lost, refused=True) if value > -0.5 else changed(
            lost, *([kept] if name == "y5r500" else []), refused=True
        )
    return what, changed(lost, *([kept] if name == "y5r500" else []), refused=True)


def _masked(rng, table, reference):
    name, row = pick(rng, (*_NUMBERS, "ra", "name")), int(rng.integers(3))
    mask = np.arange(3) == row
    table[name] = MaskedColumn(table[name], mask=mask)
    if name in ("ra", "name"):
        return f"{name} masked", REFUSED
    return f"{name} masked", changed({name: _cell(reference[name], row, np.nan)})


def _text(rng, table, reference):
    name, row = pick(rng, _NUMBERS), int(rng.integers(3))
    text = pick(rng, ("n/a", "...", "-", "unknown", "", "nan", "1,5", "0.3?", "None", "--", "null"))
    texts = [f"{value}" for value in table[name]]
    texts[row] = text
    unit = table[name].unit
    table[name] = Column(texts, unit=None if unit is None else str(unit))
    lost = {name: _cell(reference[name], row, np.nan)}
    return f"{name} holds {text!r}", changed(lost, refused=True)


def _position_text(rng, table, reference):
    kind = pick(rng, ("sexagesimal", "decimal", "mixed", "nonsense", "beyond"))
    coord = reference
    hours = [f"{value / 15:.9f}" for value in coord["ra"]]
    pairs = {
        "sexagesimal": ["00:41:00", "13:26:00", "23:59:00"],
        "decimal": [f"{value:.6f}" for value in coord["ra"]],
        "mixed": ["10.25", "13:26:00", "359.75"],
        "nonsense": ["10.25", "east", "359.75"],
        "beyond": ["24:41:00", "13:26:00", "23:59:00"],
    }
    del hours
    table["ra"] = Column(pairs[kind], unit="hourangle" if kind == "sexagesimal" else "deg")
    expected = {"sexagesimal": SAME_OR_REFUSED, "decimal": SAME_OR_REFUSED}
    return f"ra as text, {kind}", expected.get(kind, REFUSED)


def _other_type(rng, table, reference):
    name = pick(rng, (*_NUMBERS, "ra", "dec"))
    kind = pick(rng, ("float32", "big", "text", "bool", "float16"))
    unit = table[name].unit
    values = np.asarray(table[name])
    if kind in ("float32", "float16"):
        new, expected = values.astype(kind), changed({}, rtol=2e-7 if kind == "float32" else 1e-3)
    elif kind == "big":
        new, expected = values.astype(">f8"), SAME
    elif kind == "text":
        new, expected = values.astype("U12"), SAME_OR_REFUSED
    else:
        new, expected = values > 1e9, REFUSED
        if name in ("redshift", "y5r500", "snr"):
            expected = changed(lambda found: not np.any(found[name] > 0), refused=True)
    table[name] = Column(new, unit=unit)
    return f"{name} as {kind}", expected


_CHANGES = (
    *(_renamed, _positions_renamed, _lost, _unknown_name, _reordered, _turned, _doubled),
    *(_doubled_name, _empty_name, _more, _other_unit, _wrong_unit, _no_unit, _number, _number),
    *(_number, _masked, _text, _text, _position_text, _other_type),
)
# What a CSV file cannot hold or tell.
_NOT_CSV = (_other_unit, _wrong_unit, _no_unit, _positions_renamed)


@functools.cache
def _base(form, folder):
    return content_of(make_table(), form, folder / f"made.{form}")


def table_case(rng, folder):
    """A table of clusters with something changed in its columns or cells."""
    form = pick(rng, tuple(FORMS))
    path = folder / f"clusters.{form}"
    reference = reference_of(("table", form), path, _base(form, folder), read_sample)
    path.unlink(missing_ok=True)
    table = make_table()
    change = pick(rng, _CHANGES)
    while form == "csv" and change in _NOT_CSV:
        change = pick(rng, _CHANGES)
    name, expected = change(rng, table, reference)
    if name.endswith(("complex", "several")) and form == "csv":
        name, expected = f"{name}, left out", SAME
        del table["own"]
    if "float16" in name and form in ("fits", "vot"):
        table = make_table()
        name, expected = "as it was", SAME
    if form == "csv" and name.endswith((", sexagesimal", ", beyond")):
        expected = FREE  # in degrees, as it is stated
    content = content_of(table, form, path)
    path.write_bytes(content)
    return Case(f"{form}: {name}", expected, lambda: read_sample(path), reference)


def form_case(rng, folder):
    """A table of clusters the file of which was damaged or written otherwise."""
    form = pick(rng, tuple(FORMS))
    content = _base(form, folder)
    path = folder / f"clusters.{form}"
    reference = reference_of(("table", form), path, content, read_sample)
    path.unlink(missing_ok=True)
    ways = ["garbled", "garbled", "gzip", *{"fits": ["card"] * 4, "vot": ["xml"] * 4}.get(form, [])]
    ways += ["text"] * 3 if form in _TEXTS else []
    way = pick(rng, ways)
    if way == "garbled":
        name, content = damage.garbled(rng, content)
        name, expected = f"bytes: {name}", FREE
    elif way == "gzip":
        name, expected, content, path = _compressed(rng, content, path)
    elif way == "card":
        what, keyword, value, content = damage.mutated_card(rng, content)
        name = f"card {keyword} {what}" + ("" if value is None else f": {value}")
        expected = FREE if what == "garbage" else SAME_OR_REFUSED
        if keyword.startswith(("TTYPE", "TUNIT", "TNULL", "TSCAL", "TZERO", "NAXIS2")):
            expected = FREE
    elif way == "xml":
        name, expected, content = _edited_xml(rng, content)
    else:
        name, expected, content = _edited_text(rng, form, content, reference)
    path.write_bytes(content)
    return Case(f"{form}: {name}", expected, lambda: read_sample(path), reference)


def _compressed(rng, content, path):
    path = path.with_name(f"{path.name}.gz")
    packed = gzip.compress(content, 1)
    if rng.random() < 0.03:
        return "gzip bomb", REFUSED, damage.gzip_bomb(content), path
    kind = pick(rng, ("whole", "cut", "flip", "plain", "twice", "trailing"))
    if kind == "whole":
        return "gzip", SAME, packed, path
    if kind == "cut":
        return "gzip, cut", REFUSED, packed[: int(rng.integers(0, len(packed) - 1))], path
    if kind == "flip":
        return "gzip, flip", SAME_OR_REFUSED, damage.flipped(rng, packed)[0], path
    if kind == "plain":
        return "not compressed, called .gz", SAME_OR_REFUSED, content, path
    if kind == "twice":
        return "gzip of gzip", SAME_OR_REFUSED, gzip.compress(packed), path
    return "gzip and more", SAME_OR_REFUSED, packed + b"trailing garbage", path


def _edited_text(rng, form, content, reference):
    text = content.decode()
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("name"))
    ecsv = form == "ecsv"
    others = {name: value for name, value in reference.items() if name != "note"}
    # There is a comma in a note, too.
    apart = changed(
        lambda found: not differing({n: v for n, v in found.items() if n != "note"}, others, 1e-9),
        refused=True,
    )

    def join(parts):
        return "\n".join(parts) + "\n"

    ways = {
        "BOM": (SAME, "\ufeff" + text),
        "CRLF": (SAME, text.replace("\n", "\r\n")),
        "CR": (SAME_OR_REFUSED, text.replace("\n", "\r")),
        "no last line end": (SAME, text.rstrip("\n")),
        "blank lines at the end": (SAME, text + "\n\n"),
        "blank lines within": (
            SAME_OR_REFUSED,
            text.replace("A 1", "\n\nA 1").replace('"\n', "\n"),
        ),
        "comment before": (SAME_OR_REFUSED, "# a comment\n" + text),
        "comment after": (SAME_OR_REFUSED, text + "# a comment\n"),
        "a cell too few": (
            REFUSED,
            join([*lines[:-1], lines[-1].rpartition("," if not ecsv else " ")[0]]),
        ),
        "a cell too many": (REFUSED, join([*lines[:-1], lines[-1] + (" 3" if ecsv else ",3")])),
        "only a header": (FREE, join(lines[: first + 1])),
        "empty": (REFUSED, ""),
        "a column twice": (SAME_OR_REFUSED, re.sub(r"\bsnr\b", "msz", text)),
        "NUL": (SAME_OR_REFUSED, text.replace("A 1", "A\x001")),
        "long line": (REFUSED, join([*lines, "x" * 100_000])),
        "nonsense": (REFUSED, "\x01\x02" * 200),
        "semicolons": (apart, text.replace(",", ";") if not ecsv else text),
        "tabs": (apart, text.replace("," if not ecsv else " ", "\t")),
        "quotes open": (REFUSED, text.replace("last", '"last')),
        "header missing": (REFUSED, join(lines[first + 1 :])),
        "HTML": (REFUSED, "<!DOCTYPE html><html><body>Not found</body></html>"),
        "JSON": (REFUSED, '{"name": ["A 1"]}'),
        "blanks about cells": (apart, text.replace(",", " , ") if not ecsv else text),
    }
    if ecsv:
        ways |= {
            "type unknown": (REFUSED, text.replace("float64", "float99", 1)),
            "type text": (FREE, text.replace("float64", "string", 1)),
            "type int": (REFUSED, text.replace("float64", "int64", 1)),
            "type complex": (FREE, text.replace("float64", "complex128", 1)),
            "type object": (FREE, text.replace("float64", "object", 1)),
            "type bool": (REFUSED, text.replace("float64", "bool", 1)),
            "unit odd": (REFUSED, text.replace("unit: deg", "unit: furlong", 1)),
            "unit list": (SAME_OR_REFUSED, text.replace("unit: deg", "unit: [1, 2]", 1)),
            "unit number": (SAME_OR_REFUSED, text.replace("unit: deg", "unit: 3", 1)),
            "YAML open": (REFUSED, text.replace("datatype:", "datatype: [", 1)),
            "YAML object": (REFUSED, _meta(text, "!!python/object/apply:os.getcwd []")),
            "YAML aliases": (SAME_OR_REFUSED, _meta(text, _laughs())),
            "YAML nested": (SAME_OR_REFUSED, _meta(text, "[" * 3000 + "]" * 3000)),
            "meta list": (SAME_OR_REFUSED, _meta(text, "[1, 2, 3]")),
            "meta number": (SAME_OR_REFUSED, _meta(text, "3")),
            "meta frame odd": (SAME_OR_REFUSED, _meta(text, "{coord_frame: nowhere}")),
            "meta frame number": (SAME_OR_REFUSED, _meta(text, "{coord_frame: 3}")),
            "meta catalog": (SAME_OR_REFUSED, _meta(text, "{catalog: psz2, references: 4}")),
            "delimiter odd": (REFUSED, text.replace("# datatype:", "# delimiter: x\n# datatype:")),
            "serialized odd": (
                SAME_OR_REFUSED,
                _meta(text, "{__serialized_columns__: {ra: {__class__: os.path}}}"),
            ),
            "subtype odd": (
                SAME_OR_REFUSED,
                text.replace(
                    "name: snr, datatype: float64", "name: snr, datatype: string, subtype: json"
                ),
            ),
            "a name of a column odd": (REFUSED, text.replace("name: snr", "name: [snr]")),
            "datatype missing": (REFUSED, text.replace(", datatype: float64", "", 1)),
        }
    else:
        ways |= {"latin-1": (FREE, None), "utf-16": (REFUSED, None)}
    name = pick(rng, tuple(ways))
    expected, new = ways[name]
    if new is None:
        return name, expected, text.replace("last", "naïve").encode(name)
    return name, expected, new.encode("utf-8")


def _meta(text, value):
    text = re.sub(r"# meta:.*\n(# (?!schema).*\n)*", "", text)
    return text.replace("# schema:", f"# meta: {value}\n# schema:", 1)


def _laughs():
    lines = ["{a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]" for i in range(1, 10)]
    return ", ".join(lines) + "}"


_ENTITIES = b'<!DOCTYPE x [<!ENTITY a0 "ha">' + b"".join(
    b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 12)
)


def _edited_xml(rng, content):
    def sub(old, new, count=1):
        return re.sub(old, new, content, count=count)

    rows = re.search(rb"<TABLEDATA>.*</TABLEDATA>|<BINARY2?>.*</BINARY2?>", content, re.DOTALL)
    data = rows.group(0)
    ways = {
        "stream of a file": (
            REFUSED,
            content.replace(data, b'<BINARY><STREAM href="file:///etc/hostname"/></BINARY>'),
        ),
        "stream of an address": (
            REFUSED,
            content.replace(data, b'<FITS><STREAM href="http://127.0.0.1:9/x.fits"/></FITS>'),
        ),
        "binary that is none": (
            REFUSED,
            content.replace(data, b'<BINARY><STREAM encoding="base64">AAAA////</STREAM></BINARY>'),
        ),
        "no rows": (FREE, content.replace(data, b"<TABLEDATA></TABLEDATA>")),
        "no data": (FREE, content.replace(data, b"")),
        "datatype unknown": (REFUSED, sub(rb'datatype="double"', b'datatype="quad"')),
        "datatype text": (FREE, sub(rb'datatype="double"', b'datatype="char" arraysize="*"')),
        "datatype int": (REFUSED, sub(rb'datatype="double"', b'datatype="int"')),
        "datatype bit": (REFUSED, sub(rb'datatype="double"', b'datatype="bit"')),
        "no datatype": (SAME_OR_REFUSED, sub(rb' datatype="double"', b"")),
        "arraysize": (FREE, sub(rb'datatype="double"', b'datatype="double" arraysize="3"')),
        "arraysize huge": (
            REFUSED,
            sub(rb'datatype="double"', b'datatype="double" arraysize="2000000000"'),
        ),
        "arraysize odd": (REFUSED, sub(rb'datatype="double"', b'datatype="double" arraysize="x"')),
        "unit odd": (REFUSED, sub(rb'unit="deg"', b'unit="furlong"')),
        "unit gone": (SAME_OR_REFUSED, sub(rb' unit="deg"', b"")),
        "nrows more": (SAME_OR_REFUSED, sub(rb"<TABLE", b'<TABLE nrows="3000000000"')),
        "nrows odd": (SAME_OR_REFUSED, sub(rb"<TABLE", b'<TABLE nrows="x"')),
        "entities": (
            REFUSED,
            sub(rb"<VOTABLE", _ENTITIES + b"]><VOTABLE").replace(b"A 1", b"&a11;"),
        ),
        "outer entity": (
            REFUSED,
            sub(
                rb"<VOTABLE", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><VOTABLE'
            ).replace(b"A 1", b"&e;"),
        ),
        "end missing": (REFUSED, content[: content.rindex(b"</VOTABLE>") - 12]),
        "version odd": (SAME_OR_REFUSED, sub(rb'version="1\.\d"', b'version="9.7"')),
        "namespace odd": (FREE, sub(rb"ivoa.net", b"nowhere.net")),
        "encoding odd": (SAME_OR_REFUSED, sub(rb"utf-8", b"klingon")),
        "encoding utf-16": (SAME_OR_REFUSED, content.decode().encode("utf-16")),
        "BOM": (SAME_OR_REFUSED, b"\xef\xbb\xbf" + content),
        "nested deep": (REFUSED, sub(rb"<RESOURCE", b"<RESOURCE>" * 3000 + b"<RESOURCE")),
        "empty cells": (FREE, sub(rb"<TD>[^<]*</TD>", b"<TD/>", 0)),
        "cell of text": (REFUSED, sub(rb"<TD>10\.25</TD>", b"<TD>ten</TD>")),
        "cell too few": (FREE, sub(rb"<TD>10\.25</TD>", b"")),
        "cell too many": (FREE, sub(rb"<TD>10\.25</TD>", b"<TD>10.25</TD><TD>3</TD>")),
        "column twice": (changed({"snr": None}, refused=True), sub(rb'name="snr"', b'name="msz"')),
        "comment": (SAME, sub(rb"<RESOURCE", b"<!-- a comment --><RESOURCE")),
        "info": (SAME, sub(rb"<RESOURCE[^>]*>", rb'\g<0><INFO name="x" value="y"/>')),
        "meta that is none": (
            REFUSED,
            sub(rb"<RESOURCE[^>]*>", rb'\g<0><INFO name="SZMETA" value="{"/>'),
        ),
        "meta list": (REFUSED, sub(rb"<RESOURCE[^>]*>", rb'\g<0><INFO name="SZMETA" value="[]"/>')),
        "meta number": (
            REFUSED,
            sub(rb"<RESOURCE[^>]*>", rb'\g<0><INFO name="SZMETA" value="3"/>'),
        ),
        "meta without masks": (
            SAME_OR_REFUSED,
            sub(rb"<RESOURCE[^>]*>", rb'\g<0><INFO name="SZMETA" value="{&quot;meta&quot;: {}}"/>'),
        ),
    }
    name = pick(rng, tuple(ways))
    expected, new = ways[name]
    return name, expected, new
