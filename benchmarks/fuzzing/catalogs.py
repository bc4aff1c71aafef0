"""Mutated files of catalogues and of lensing masses, and mutated answers of VizieR."""

import contextlib
import functools
import gzip
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table

from fuzzing import damage
from fuzzing.cases import FREE, REFUSED, SAME, SAME_OR_REFUSED, Case, changed
from fuzzing.damage import pick
from fuzzing.maps import reference_of
from fuzzing.tables import _ENTITIES, content_of
from szmass._io import transfer
from szmass.catalogs import Catalog, LensingTable, catalog_columns
from szmass.catalogs import conf as settings

_COORD = SkyCoord(
    [30.5, 120.25, 300.75, 211.5], [21.0, -40.5, 66.25, 2.5], unit="deg", frame="galactic"
)


class MadeUpCatalog(Catalog):
    """Four clusters that are nowhere on the sky."""

    tag = "fuzz"
    description = "Made up"
    vizier_id = "J/X+Y/1/2/fuzz"
    expected_rows = 4
    columns = catalog_columns(
        """
        name      NAME Name       str
        ra        RA RAdeg        deg      Right ascension
        dec       DEC DEdeg       deg      Declination
        glon      GLON GLON       deg      Galactic longitude
        glat      GLAT GLAT       deg      Galactic latitude
        redshift  Z z             float
        msz       MSZ MSZ         solMass  Mass
        msz_errn  LOW_MSZ e_MSZ   solMass
        msz_errp  UP_MSZ E_MSZ    solMass
        pipeline  PIPE Pipe       int      Number of the pipeline
        cosmo     COSMO COSMO     bool     Whether it is in the sample
        """,
        required=("name", "ra", "dec", "glon", "glat", "pipeline"),
        missing={"redshift": -1},
        published_units={"solMass": "1e14 solMass"},
    )


_NUMBERS = ("ra", "dec", "glon", "glat", "redshift", "msz", "msz_errn", "msz_errp", "pipeline")


def make_rows():
    """The columns under the names that VizieR has for them."""
    table = Table()
    table["Name"] = ["X 1", "X 2", "X 10", "X 11"]
    table["RAdeg"] = Column(_COORD.icrs.ra.deg.round(9), unit="deg")
    table["DEdeg"] = Column(_COORD.icrs.dec.deg.round(9), unit="deg")
    table["GLON"] = Column(_COORD.l.deg, unit="deg")
    table["GLAT"] = Column(_COORD.b.deg, unit="deg")
    table["z"] = MaskedColumn([0.25, 0.5, 0.0625, 0.0], mask=[0, 0, 0, 1])
    table["MSZ"] = Column([4.5, 7.25, 2.5, 3.0], unit="1e14 solMass")
    table["e_MSZ"] = Column([0.5, 0.75, 0.25, 0.5], unit="1e14 solMass")
    table["E_MSZ"] = Column([0.75, 0.5, 0.5, 0.25], unit="1e14 solMass")
    table["Pipe"] = [1, 2, 3, 1]
    table["COSMO"] = [1, 0, 1, 0]
    return table


def _about(catalog):
    result = {"name": np.asarray(catalog.table["name"]).astype(str)}
    for name in _NUMBERS:
        column = catalog.table[name]
        values = getattr(column, "unmasked", column)
        values = np.asarray(getattr(values, "value", values), dtype=float)
        mask = np.broadcast_to(np.asarray(getattr(column, "mask", False)), values.shape)
        result[name] = np.where(mask, np.nan, values)
    result["cosmo"] = np.asarray(catalog.table["cosmo"]).astype(bool)
    return result


def _read(path):
    return _about(MadeUpCatalog.read(path))


def _file_of(table, form, folder):
    path = folder / f"made.{form}"
    if form == "fits":
        table = table.copy()
        for old, new in (("E_MSZ", "UP_MSZ"), ("e_MSZ", "LOW_MSZ")):
            if old in table.colnames:
                table.rename_column(old, new)
        if hasattr(table["z"], "mask"):
            table["z"] = table["z"].filled(-1)
    return content_of(table, form, path)


_CDS = (
    *(("Name", "A5", "---"), ("RAdeg", "F13.9", "deg"), ("DEdeg", "F13.9", "deg")),
    *(("GLON", "F11.7", "deg"), ("GLAT", "F11.7", "deg"), ("z", "F8.5", "---")),
    *(("MSZ", "F7.4", "10+14Msun"), ("e_MSZ", "F6.4", "10+14Msun"), ("E_MSZ", "F6.4", "10+14Msun")),
    *(("Pipe", "I2", "---"), ("COSMO", "I2", "---")),
)


def _cds(table):
    """The lines of a CDS table and its ReadMe."""
    lines, described, start = [""] * len(table), [], 1
    for label, form, unit in _CDS:
        width, _, digits = form[1:].partition(".")
        for i, value in enumerate(table[label]):
            text = "" if value is np.ma.masked else f"{value:.{digits}f}" if digits else f"{value}"
            lines[i] += text.ljust(int(width)) if form[0] == "A" else text.rjust(int(width))
            lines[i] += " "
        end = start + int(width) - 1
        note = '?="" x' if label == "z" else "x"
        note = "? x" if label == "z" else note
        described.append(f"{start:>4}-{end:>3}  {form:<6} {unit:<14} {label:<9} {note}")
        start = end + 2
    rule, bar = "=" * 80, "-" * 80
    readme = [
        *("J/X+Y/1/2    Made up", rule, "File Summary:", bar),
        *(" FileName      Lrecl  Records   Explanations", bar),
        f"fuzz.dat         {start - 2}     {len(table)}   Made up",
        *(bar, "", "Byte-by-byte Description of file: fuzz.dat", bar),
        *("   Bytes Format Units          Label     Explanations", bar, *described, bar, "", rule),
    ]
    return "".join(line[:-1] + "\n" for line in lines), "\n".join(readme) + "\n"


# Changes of rows: what comes of them as a file, where nothing is compared with the publication, and
# as an answer of VizieR, where it is.


def _row(reference, name, row, value):
    values = reference[name].copy()
    values[row] = value
    return {name: values}


def _rows_mutated(rng, table, reference, remote):
    """Change one thing in the rows: its name, and what must come."""
    row = int(rng.integers(4))
    loose = SAME_OR_REFUSED if remote else SAME
    kind = pick(
        rng,
        (
            *("turned", "reordered", "twice", "fewer", "none", "lost", "unit", "factor", "swapped"),
            *("shifted", "negative", "huge", "nan", "masked", "text", "type", "name", "errors"),
            *("redshifts", "pipeline", "more"),
        ),
    )
    if kind == "turned":
        table.reverse()
        return changed({name: value[::-1] for name, value in reference.items()}), kind
    if kind == "reordered":
        for name in rng.permutation(table.colnames):
            column = table[name]
            del table[name]
            table[name] = column
        return SAME, kind
    if kind == "twice":
        table.add_row(table[row])
        return REFUSED, kind
    if kind in ("fewer", "none"):
        table.remove_rows(slice(row, None) if kind == "fewer" else slice(None))
        return REFUSED if remote else FREE, kind
    if kind == "lost":
        name = pick(rng, table.colnames)
        del table[name]
        return REFUSED, f"no {name}"
    if kind == "unit":
        name = pick(rng, ("RAdeg", "GLAT", "MSZ", "e_MSZ"))
        unit = pick(rng, ("kg s", "furlong", None, "Jy"))
        table[name].unit = unit
        return REFUSED, f"{name} in {unit}"
    if kind == "factor":
        name, unit = pick(rng, (("MSZ", "1e15 solMass"), ("RAdeg", "rad"), ("MSZ", "kg")))
        table[name] = Column(u.Quantity(table[name]).to(unit).value, unit=unit)
        return changed({}, rtol=1e-7, refused=remote), f"{name} in {unit}"
    if kind == "swapped":
        a, b = pick(rng, (("GLON", "GLAT"), ("RAdeg", "DEdeg"), ("RAdeg", "GLON")))
        table[a], table[b] = table[b].copy(), table[a].copy()
        return REFUSED if remote else FREE, f"{a} and {b} swapped"
    if kind == "shifted":
        table["RAdeg"] = Column((np.asarray(table["RAdeg"]) + 10) % 360, unit="deg")
        return REFUSED if remote else FREE, "RA shifted"
    if kind in ("negative", "huge", "nan"):
        name = pick(rng, ("MSZ", "e_MSZ", "z", "DEdeg"))
        value = {"negative": -5.0, "huge": 1e30, "nan": np.nan}[kind]
        table[name][row] = value
        ours = {"MSZ": "msz", "e_MSZ": "msz_errn", "z": "redshift", "DEdeg": "dec"}[name]
        what = f"{name} {kind}"
        if name == "DEdeg":
            return (REFUSED if remote or kind != "negative" else FREE), what
        if kind == "nan":
            return changed(_row(reference, ours, row, np.nan), refused=True), what
        return (REFUSED if remote else FREE), what
    if kind == "masked":
        name = pick(rng, ("z", "MSZ", "RAdeg", "Pipe", "Name"))
        mask = np.asarray(getattr(table[name], "mask", False)) | (np.arange(4) == row)
        table[name] = MaskedColumn(table[name], mask=mask)
        ours = {"z": "redshift", "MSZ": "msz"}.get(name)
        if ours is None:
            return REFUSED, f"{name} masked"
        return changed(_row(reference, ours, row, np.nan), refused=remote), f"{name} masked"
    if kind == "text":
        name = pick(rng, ("MSZ", "z", "Pipe"))
        texts = np.ma.filled(np.ma.asarray(table[name]).astype("U24"), "")
        texts[row] = pick(rng, ("...", "n/a", "x", "1,5"))
        table[name] = Column(texts, unit=getattr(table[name], "unit", None))
        ours = {"MSZ": "msz", "z": "redshift", "Pipe": "pipeline"}[name]
        lost = _row(reference, ours, row, np.nan)
        return changed(lost, refused=True), f"{name} holds {texts[row]!r}"
    if kind == "type":
        name = pick(rng, ("MSZ", "GLAT"))
        table[name] = Column(np.asarray(table[name], dtype=np.float32), unit=table[name].unit)
        return changed({}, rtol=2e-7, refused=remote), f"{name} as float32"
    if kind == "name":
        table["Name"][row] = pick(rng, ("", "X 2" if row != 1 else "X 1", " "))
        return REFUSED, "name empty or twice"
    if kind == "errors":
        table["e_MSZ"], table["E_MSZ"] = table["E_MSZ"].copy(), table["e_MSZ"].copy()
        return FREE, "errors swapped"
    if kind == "redshifts":
        table["z"] = MaskedColumn(np.zeros(4), mask=np.ones(4, bool))
        lost = {"redshift": np.full(4, np.nan)}
        return (FREE if remote else changed(lost)), "all redshifts missing"
    if kind == "pipeline":
        table["Pipe"] = np.array([1, 2.5, 3, 1])
        return REFUSED, "a number that is not whole"
    table["own"] = Column(np.ones(4), unit=pick(rng, ("dex(solMass)", "mag(AB)", "furlong", None)))
    return loose, "one more column"


_BASES = {}


def catalog_case(rng, folder):
    """A file of a catalogue."""
    form = pick(rng, ("ecsv", "fits", "vot", "cds"))
    way = pick(rng, ("rows", "rows", "rows", "garbled", "readme" if form == "cds" else "gzip"))
    path = folder / ("fuzz.dat" if form == "cds" else f"fuzz.{form}")

    def put(table, target=None):
        if form == "cds":
            content, readme = _cds(table)
            (folder / "ReadMe").write_text(readme)
            return content.encode()
        return _file_of(table, form, folder)

    if ("catalog", form) not in _BASES:
        _BASES["catalog", form] = put(make_rows()), _cds(make_rows())[1]
    content, readme = _BASES["catalog", form]
    if form == "cds":
        (folder / "ReadMe").write_text(readme)
    reference = reference_of(("catalog", form), path, content, _read)
    if way == "rows":
        table = make_rows()
        expected, name = _rows_mutated(rng, table, reference, remote=False)
        if form == "cds":
            if (
                not set(make_rows().colnames) <= set(table.colnames)
                or " in " in name
                or "holds" in name
            ):
                table, name, expected = make_rows(), "as it was", SAME
            if any(
                word in name
                for word in ("masked", "holds", "huge", "whole", "nan", "float32", "missing")
            ):
                expected = FREE
            if name in ("reordered", "one more column"):
                expected = SAME
        if form == "fits":
            if name.startswith("z masked") or name == "all redshifts missing":
                expected = expected.or_refused()
            if "no e_MSZ" in name or "no E_MSZ" in name or "no z" in name:
                table, name, expected = make_rows(), "as it was", SAME
        content = put(table)
    elif way == "garbled":
        name, content = damage.garbled(rng, content)
        name, expected = f"bytes: {name}", FREE
    elif way == "readme":
        readme = folder / "ReadMe"
        name, text = damage.garbled(rng, readme.read_bytes())
        readme.write_bytes(text)
        name, expected = f"ReadMe: {name}", FREE
    else:
        from fuzzing.tables import _compressed

        name, expected, content, path = _compressed(rng, content, path)
    path.write_bytes(content)
    return Case(f"{form}: {name}", expected, lambda: _read(path), reference)


# VizieR


class _Server:
    """A server on this machine that gives one answer."""

    def __init__(self):
        self.body, self.status, self.headers = b"", 200, {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with contextlib.suppress(ConnectionError):
                    self.send_response(server.status)
                    length = {"Content-Length": str(len(server.body))}
                    for name, value in (length | server.headers).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(server.body)

            do_GET = do_POST  # noqa: N815 - the name that the server calls

            def log_message(self, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/viz-bin/votable"


@functools.cache
def _server():
    from astroquery.vizier import VizierClass

    server = _Server()
    mock.patch.object(VizierClass, "_server_to_url", return_value=server.url).start()
    mock.patch.object(transfer, "_PAUSE", 0.0).start()
    mock.patch.dict("os.environ", {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).start()
    return server


def _answer(table, name="J/X+Y/1/2/fuzz"):
    types = {"f": '"double"', "i": '"int"', "U": '"char" arraysize="*"'}
    fields, rows = [], []
    for column in table.itercols():
        unit = f' unit="{column.unit}"' if column.unit is not None else ""
        kind = types.get(column.dtype.kind, '"float"')
        if column.dtype == np.float32:
            kind = '"float"'
        fields.append(f'<FIELD name="{column.name}" datatype={kind}{unit}/>')
    for row in table:
        cells = "".join(f"<TD>{'' if v is np.ma.masked else v}</TD>" for v in row)
        rows.append(f"<TR>{cells}</TR>")
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">',
            '<INFO ID="VERSION" name="votable-version" value="1.99+"/>',
            f'<RESOURCE ID="yCat" name="J/X+Y/1/2"><TABLE ID="t" name="{name}">',
            *fields,
            *("<DATA><TABLEDATA>", *rows, "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"),
        ]
    ).encode()


def _fetch(folder):
    with (
        settings.set_temp("cache_folder", str(folder / "snapshots")),
        settings.set_temp("vizier_attempts", 2),
        settings.set_temp("vizier_deadline", 5.0),
    ):
        fetched = _about(MadeUpCatalog.fetch(refresh=True))
        kept = _about(MadeUpCatalog.fetch(offline=True))
    return fetched | {f"kept {name}": value for name, value in kept.items()}


def vizier_case(rng, folder):
    """An answer of VizieR."""
    server = _server()
    server.body, server.status, server.headers = _answer(make_rows()), 200, {}
    reference = reference_of("vizier", folder / "x", b"", lambda path: _fetch(path.parent))
    way = pick(rng, ("rows", "rows", "rows", "rows", "garbled", "http", "xml"))
    expected, body = FREE, server.body
    if way == "rows":
        table, plain = make_rows(), {k: v for k, v in reference.items() if "kept" not in k}
        expected, name = _rows_mutated(rng, table, plain, remote=True)
        if expected.changed:
            both = [c | {f"kept {k}": v for k, v in c.items()} for c in expected.changed]
            expected = changed(*both, rtol=expected.rtol, refused=expected.refused)
        body = _answer(table)
    elif way == "garbled":
        name, body = damage.garbled(rng, body)
        name = f"bytes: {name}"
    elif way == "xml":
        name, expected, body = _other_document(rng, body)
    else:
        name, expected, body = _other_http(rng, body, server)
    server.body = body
    # Several inputs of one process share the server: its state is set when the input is run.
    state = dict(vars(server))

    def read():
        vars(server).update(state)
        return _fetch(folder)

    return Case(name, expected, read, reference)


def _other_document(rng, body):
    error = b'<INFO name="Error" value="no connection"/>'
    ways = {
        "an error": (REFUSED, re.sub(rb"<TABLE .*</TABLE>", error, body, flags=re.DOTALL)),
        "error beside rows": (REFUSED, body.replace(b"<RESOURCE", error + b"<RESOURCE")),
        "overflow": (
            REFUSED,
            body.replace(
                b"</RESOURCE>", b'<INFO name="QUERY_STATUS" value="OVERFLOW"/></RESOURCE>'
            ),
        ),
        "another table": (REFUSED, _answer(make_rows(), "J/Z/1/other")),
        "no table": (REFUSED, b'<?xml version="1.0"?><VOTABLE version="1.4"></VOTABLE>'),
        "HTML": (REFUSED, b"<!DOCTYPE html><html><body>Maintenance</body></html>"),
        "nothing": (REFUSED, b""),
        "JSON": (REFUSED, b'{"error": "no"}'),
        "entities": (
            REFUSED,
            body.replace(b"<VOTABLE", _ENTITIES + b"]><VOTABLE").replace(b"X 10", b"&a11;"),
        ),
        "stream": (
            REFUSED,
            re.sub(
                rb"<TABLEDATA>.*</TABLEDATA>",
                b'<BINARY><STREAM href="file:///etc/hostname"/></BINARY>',
                body,
                flags=re.DOTALL,
            ),
        ),
        "table twice": (
            SAME_OR_REFUSED,
            re.sub(rb"<TABLE .*</TABLE>", rb"\g<0>\g<0>", body, flags=re.DOTALL),
        ),
    }
    name = pick(rng, tuple(ways))
    return name, *ways[name]


def _other_http(rng, body, server):
    if rng.random() < 0.05:
        server.headers = {"Content-Encoding": "gzip"}
        return "gzip bomb", REFUSED, damage.gzip_bomb(body)
    kind = pick(rng, ("status", "gzip", "gzip cut", "no gzip", "longer", "odd length", "redirect"))
    if kind == "status":
        server.status = int(pick(rng, (204, 206, 301, 400, 403, 404, 418, 429, 500, 503)))
        if server.status == 429:
            server.headers = {"Retry-After": pick(rng, ("0", "-1", "soon", "1e400", "99999999999"))}
        return f"status {server.status}", SAME_OR_REFUSED if server.status == 206 else REFUSED, body
    if kind == "gzip":
        server.headers = {"Content-Encoding": "gzip"}
        return kind, SAME, gzip.compress(body)
    if kind == "gzip cut":
        server.headers = {"Content-Encoding": "gzip"}
        return kind, REFUSED, gzip.compress(body)[:-40]
    if kind == "no gzip":
        server.headers = {"Content-Encoding": pick(rng, ("gzip", "deflate"))}
        return kind, REFUSED, body
    if kind == "longer":
        server.headers = {"Content-Length": str(len(body) - 100)}
        return kind, REFUSED, body
    if kind == "odd length":
        server.headers = {"Content-Length": pick(rng, ("-1", "x", ""))}
        return kind, SAME_OR_REFUSED, body
    server.status, server.headers = (
        302,
        {"Location": pick(rng, (server.url, "ftp://x/", "", "//["))},
    )
    return kind, REFUSED, body


# Lensing masses


def _read_lensing(path, **options):
    options = {"mass_definition": "500c", "cosmology": "PSZ2"} | options
    columns = {"name": "Name", "ra": "RAdeg", "dec": "DEdeg", "redshift": "z", "mass": "MSZ"}
    columns |= {"mass_errn": "e_MSZ", "mass_errp": "E_MSZ"}
    table = LensingTable.read(path, columns=columns, **options)
    masses = table.masses()
    result = {"name": np.asarray(masses["name"]).astype(str)}
    result["redshift"] = np.ma.filled(np.ma.asarray(masses["redshift"], dtype=float), np.nan)
    for name in ("ra", "dec", "mass", "mass_errn", "mass_errp"):
        column = masses[name]
        result[name] = np.asarray(getattr(column, "value", column), dtype=float)
    return result


def lensing_case(rng, folder):
    """A table of lensing masses of the user's own."""
    form = pick(rng, ("ecsv", "vot"))
    path = folder / f"lensing.{form}"
    if ("lensing", form) not in _BASES:
        _BASES["lensing", form] = _file_of(make_rows(), form, folder)
    reference = reference_of(("lensing", form), path, _BASES["lensing", form], _read_lensing)
    table = make_rows()
    expected, name = _rows_mutated(rng, table, reference | _others(reference), remote=False)
    ours = {"msz": "mass", "msz_errn": "mass_errn", "msz_errp": "mass_errp"}
    if expected.changed:
        kept = [
            {ours.get(key, key): v for key, v in change.items() if ours.get(key, key) in reference}
            for change in expected.changed
        ]
        expected = changed(*kept, rtol=expected.rtol, refused=True)
    unseen = (
        "GLON",
        "GLAT",
        "Pipe",
        "COSMO",
        "errors",
        "nan",
        "whole",
        "redshifts",
        "masked",
        "negative",
    )
    if any(word in name for word in unseen):
        expected = FREE
    path.write_bytes(_file_of(table, form, folder))
    return Case(f"{form}: {name}", expected, lambda: _read_lensing(path), reference)


def _others(reference):
    names = {"msz": "mass", "msz_errn": "mass_errn", "msz_errp": "mass_errp"}
    return {"pipeline": np.ones(4)} | {name: reference[ours] for name, ours in names.items()}
