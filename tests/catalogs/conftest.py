"""A made-up catalogue with the columns of PSZ2, in all its published forms, and a VizieR."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from xml.sax.saxutils import escape

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from szmass._io import transfer
from szmass.catalogs import PSZ2Catalog

# FITS name, FITS format, FITS unit, label in the ReadMe, Fortran format there, unit there.
COLUMNS = [
    ("INDEX", "I", "None", "Index", "I4", "---"),
    ("NAME", "18A", "None", "Name", "A18", "---"),
    ("GLON", "D", "degrees", "GLON", "F11.7", "deg"),
    ("GLAT", "D", "degrees", "GLAT", "F11.7", "deg"),
    ("RA", "D", "degrees", "RAdeg", "F11.7", "deg"),
    ("DEC", "D", "degrees", "DEdeg", "F11.7", "deg"),
    ("POS_ERR", "E", "arcmin", "e_pos", "F9.6", "arcmin"),
    ("SNR", "E", "None", "SNR", "F8.5", "---"),
    ("PIPELINE", "I", "None", "Pipeline", "I1", "---"),
    ("PIPE_DET", "I", "None", "PipeDet", "I3", "---"),
    ("PCCS2", "L", "None", "PCCS2", "I1", "---"),
    ("PSZ", "I", "None", "PSZ", "I5", "---"),
    ("IR_FLAG", "I", "None", "f_IR", "I1", "---"),
    ("Q_NEURAL", "E", "None", "q_neural", "F8.6", "---"),
    ("Y5R500", "E", "10^-3 arcmin^2", "Y5R500", "F10.6", "10-3arcmin+2"),
    ("Y5R500_ERR", "E", "10^-3 arcmin^2", "e_Y5R500", "F9.6", "10-3arcmin+2"),
    ("VALIDATION", "I", "None", "Val", "I3", "---"),
    ("REDSHIFT_ID", "25A", "None", "zID", "A25", "---"),
    ("REDSHIFT", "E", "None", "z", "F9.6", "---"),
    ("MSZ", "E", "10^14 Msol", "MSZ", "F9.6", "10+14Msun"),
    ("MSZ_ERR_UP", "E", "10^14 Msol", "E_MSZ", "F8.6", "10+14Msun"),
    ("MSZ_ERR_LOW", "E", "10^14 Msol", "e_MSZ", "F8.6", "10+14Msun"),
    ("MCXC", "25A", "None", "MCXC", "A12", "---"),
    ("REDMAPPER", "25A", "None", "RedMAPPer", "A20", "---"),
    ("ACT", "25A", "None", "ACT", "A19", "---"),
    ("SPT", "25A", "None", "SPT", "A16", "---"),
    ("WISE_FLAG", "I", "None", "f_WISE", "I3", "---"),
    ("AMI_EVIDENCE", "E", "None", "AMIevi", "E12.5", "---"),
    ("COSMO", "L", "None", "COSMO", "I1", "---"),
    ("COMMENT", "128A", "None", "Comment", "A65", "---"),
]
CDS_LABELS = {fits_name: label for fits_name, _, _, label, _, _ in COLUMNS}
# Columns as VizieR's own tables are known to spell them.
VIZIER_LABELS = CDS_LABELS | {
    "RA": "RAJ2000",
    "DEC": "DEJ2000",
    "POS_ERR": "ePos",
    "PIPELINE": "Pipe",
    "VALIDATION": "Valid",
}
VIZIER_UNITS = {
    fits_name: unit.replace("+2", "2") for fits_name, _, _, _, _, unit in COLUMNS if unit != "---"
}


def make_rows(n, seed=20):
    """Draw rows with the columns and the habits of the published FITS file."""
    rng = np.random.default_rng(seed)
    glon, glat = np.sort(rng.uniform(0, 360, n)), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    icrs = SkyCoord(glon, glat, unit="deg", frame="galactic").icrs
    unknown = rng.random(n) < 0.3
    redshift = np.round(rng.uniform(0.02, 0.9, n), 4)
    redshift[:3], unknown[:3] = (0.2, 0.4, 0.1198), False  # in single precision above 0.2, 0.4
    unknown[3] = True
    mass = rng.uniform(1, 12, n)

    def texts(pattern, share):
        return [pattern % i if rng.random() < share else "" for i in range(n)]

    rows = {
        "INDEX": np.arange(1, n + 1),
        "NAME": [f"PSZ2 G{lon:06.2f}{lat:+06.2f}" for lon, lat in zip(glon, glat, strict=True)],
        "GLON": glon,
        "GLAT": glat,
        "RA": icrs.ra.deg,
        "DEC": icrs.dec.deg,
        "POS_ERR": rng.uniform(1, 6, n),
        "SNR": rng.uniform(4.5, 30, n),
        "PIPELINE": rng.integers(1, 4, n),
        "PIPE_DET": rng.choice([1, 10, 11, 100, 101, 110, 111], n),
        "PCCS2": rng.random(n) < 0.2,
        "PSZ": np.where(rng.random(n) < 0.4, -1, rng.integers(1, 1228, n)),
        "IR_FLAG": (rng.random(n) < 0.1).astype(int),
        "Q_NEURAL": rng.random(n),
        "Y5R500": rng.uniform(0.5, 200, n),
        "Y5R500_ERR": rng.uniform(0.1, 20, n),
        "VALIDATION": rng.choice([-1, 10, 20, 21, 30], n),
        "REDSHIFT_ID": texts("ACO %d", 0.5),
        "REDSHIFT": np.where(unknown, -1, redshift),
        "MSZ": np.where(unknown, 0, mass),
        "MSZ_ERR_UP": np.where(unknown, 0, 0.1 * mass),
        "MSZ_ERR_LOW": np.where(unknown, 0, 0.08 * mass),
        "MCXC": texts("J%04d.0-0056", 0.4),
        "REDMAPPER": texts("RMJ%06d.9-010506.3", 0.3),
        "ACT": texts("ACT-CL J%04d-0103", 0.1),
        "SPT": texts("SPT-CLJ%04d-5256", 0.1),
        "WISE_FLAG": rng.choice([-10, -2, 0, 1, 3], n),
        "AMI_EVIDENCE": np.where(rng.random(n) < 0.8, -1000, rng.uniform(-4, 100, n)),
        "COSMO": rng.random(n) < 0.3,
        "COMMENT": texts("Point sources at: %dGHz,", 0.2),
    }
    for name, form, *_ in COLUMNS:
        if form == "E":
            rows[name] = np.asarray(rows[name], dtype=np.float32)
    return rows


def write_fits(path, rows):
    """Write rows as the Planck Legacy Archive has them."""
    columns = [
        fits.Column(name=name, format=form, unit=unit, array=rows[name])
        for name, form, unit, *_ in COLUMNS
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="PSZ2_UNION")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


def write_cds(folder, rows, name="psz2.dat"):
    """Write rows and a ReadMe as the CDS has them."""
    n = len(rows["NAME"])
    lines, described, start = [""] * n, [], 1
    for fits_name, _, _, label, form, unit in COLUMNS:
        width = int(form[1:].partition(".")[0])
        digits = form.partition(".")[2]
        for i, value in enumerate(rows[fits_name]):
            text = f"{value:.{digits}{form[0].lower()}}" if digits else f"{value}"
            if form[0] == "I":
                text = str(int(value))
            lines[i] += (text.ljust(width) if form[0] == "A" else text.rjust(width)) + " "
            assert len(lines[i]) == start + width
        null = {"PSZ": "?=-1 ", "MSZ": "?=0 "}.get(label, "")
        described.append(
            f"{start:>4}-{start + width - 1:>3}  {form:<6} {unit:<14} {label:<9} {null}x"
        )
        start += width + 1
    rule, bar = "=" * 80, "-" * 80
    readme = [
        "J/A+A/594/A27    Made up", rule, "File Summary:", bar,
        " FileName      Lrecl  Records   Explanations", bar,
        "ReadMe            80        .   This file",
        f"psz2.dat         {start - 2}     {n}   Made up", bar, "",
        "Byte-by-byte Description of file: psz2.dat", bar,
        "   Bytes Format Units          Label     Explanations", bar, *described, bar, "", rule,
    ]  # fmt: skip
    (folder / "ReadMe").write_text("\n".join(readme) + "\n")
    path = folder / name
    path.write_text("".join(line[:-1] + "\n" for line in lines))
    return path


def vizier_answer(rows, *, labels=None, units=None, limit=None, table="J/A+A/594/A27/psz2"):
    """Write rows as VizieR answers: a VOTable with its names, units and empty cells."""
    labels = VIZIER_LABELS if labels is None else labels
    units = VIZIER_UNITS | (units or {})
    types = {"D": "double", "E": "float", "I": "short", "L": "short"}
    names = [name for name, *_ in COLUMNS if name in labels]
    fields = []
    for name, form, *_ in COLUMNS:
        if name in labels:
            kind = types.get(form)
            kind = f'"{kind}"' if kind else '"char" arraysize="*"'
            unit = f' unit="{units[name]}"' if units.get(name) else ""
            fields.append(f'<FIELD name="{labels[name]}" datatype={kind}{unit}/>')

    def cell(name, value):
        if name in ("PSZ", "REDSHIFT") and value == -1:
            return ""
        if isinstance(value, np.bool_ | bool):
            return str(int(value))
        return escape(str(value))

    n = len(rows["NAME"]) if limit is None else limit
    lines = [
        "<TR>" + "".join(f"<TD>{cell(name, rows[name][i])}</TD>" for name in names) + "</TR>"
        for i in range(n)
    ]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">',
            "<DESCRIPTION>VizieR Astronomical Server</DESCRIPTION>",
            '<INFO ID="VERSION" name="votable-version" value="1.99+"/>',
            f'<RESOURCE ID="yCat" name="{table.rpartition("/")[0]}">',
            f'<TABLE ID="t" name="{table}">',
            *fields,
            "<DATA><TABLEDATA>",
            *lines,
            "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>",
        ]
    ).encode()


class LocalVizier:
    """What the tests tell the local server to do, and what it was asked."""

    def __init__(self):
        self.requests = []
        self.status, self.body = 200, b""
        self.row_limited_body = None  # the answer to a request that does not ask for all rows
        self.delay, self.claimed_length = 0, None
        self.first_statuses = []  # of the first answers; then ``status``
        self.headers = {}
        self.drip = None  # (bytes, seconds between them)
        self.header_pause = 0  # seconds after each header

    def answer(self, request):
        self.requests.append(request)
        time.sleep(self.delay)
        unlimited = "-out.max=unlimited" in request.splitlines()
        return self.body if unlimited or self.row_limited_body is None else self.row_limited_body


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Keep snapshots in a folder of this test, and do not wait between attempts."""
    monkeypatch.setattr(transfer, "_PAUSE", 0.01)
    monkeypatch.setenv("SZMASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "catalogs"


@pytest.fixture
def vizier(monkeypatch):
    """Let astroquery talk to a server on this machine."""
    from astroquery.vizier import VizierClass

    local = LocalVizier()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            body = local.answer(self.rfile.read(length).decode())
            status = local.first_statuses.pop(0) if local.first_statuses else local.status
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/x-votable+xml")
                self.send_header("Content-Length", str(local.claimed_length or len(body)))
                for name, value in local.headers.items():
                    self.send_header(name, value)
                while local.header_pause:
                    self.send_header("X-Drip", "y")
                    self.flush_headers()
                    time.sleep(local.header_pause)
                self.end_headers()
                size, pause = local.drip or (len(body) or 1, 0)
                for start in range(0, len(body), size):
                    self.wfile.write(body[start : start + size])
                    self.wfile.flush()
                    time.sleep(pause)
            except ConnectionError:
                pass  # the client gave up waiting

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/viz-bin/votable"
    monkeypatch.setattr(VizierClass, "_server_to_url", lambda self, return_type="votable": url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    yield local
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def psz2_like():
    """Give what the tests need to make answers of VizieR by themselves."""
    return SimpleNamespace(
        vizier_answer=vizier_answer,
        cds_labels=CDS_LABELS,
        vizier_labels=VIZIER_LABELS,
        fits_names=[name for name, *_ in COLUMNS],
    )


@pytest.fixture(scope="session")
def rows():
    return make_rows(60)


@pytest.fixture(scope="session")
def published(rows, tmp_path_factory):
    """Paths of one made-up catalogue by form."""
    folder = tmp_path_factory.mktemp("psz2")
    (folder / "answer.xml").write_bytes(vizier_answer(rows))
    return {
        "fits": write_fits(folder / "psz2.fits", rows),
        "cds": write_cds(folder, rows),
        "votable": folder / "answer.xml",
    }


@pytest.fixture
def catalog(published):
    return PSZ2Catalog.read(published["fits"])
