"""The real astroquery code against a server on this machine that answers as VizieR does."""

import gzip
import time

import numpy as np
import pytest
from astropy.io import fits

from szmass._tables.columns import column_parts
from szmass.catalogs import (
    ACTED56Catalog,
    DeAndres2022Catalog,
    MCXCCatalog,
    PSZ2Catalog,
    SPTSZCatalog,
    conf,
)
from szmass.catalogs._values import check_values
from szmass.catalogs.core import Catalog
from szmass.exceptions import FileFormatError, RemoteDataError

# The head and the tail of a real answer of July 2026; the HTTP status was 200.
SERVER_ERROR = b"""<?xml version="1.0" encoding="UTF-8"?>
<ns0:VOTABLE xmlns:ns0="http://www.ivoa.net/xml/VOTable/v1.3" version="1.4">
  <ns0:DESCRIPTION>VizieR Astronomical Server vizier.cds.unistra.fr</ns0:DESCRIPTION>
  <ns0:INFO ID="Error" name="Error" value="The database is not currently reachable." />
  <ns0:INFO name="Error" value=" " />
  <ns0:INFO name="Error" value=" -- no connection" />
  <ns0:INFO name="QUERY_STATUS" value="ERROR">
 -- no connection
</ns0:INFO>
  <ns0:RESOURCE>
</ns0:RESOURCE>
</ns0:VOTABLE>"""


@pytest.fixture(autouse=True)
def sixty_rows(monkeypatch):
    monkeypatch.setattr(PSZ2Catalog, "expected_rows", 60)


def assert_same_values(one, other, rtol):
    for name in one.colnames:
        (values, mask, unit), (others, other_mask, other_unit) = (
            column_parts(table[name]) for table in (one, other)
        )
        assert unit == other_unit
        np.testing.assert_array_equal(mask, other_mask, err_msg=name)
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, others, rtol=rtol, atol=0, err_msg=name)
        else:
            np.testing.assert_array_equal(values, others, err_msg=name)


@pytest.mark.parametrize("labels", ["cds_labels", "vizier_labels"])
def test_good_answer(vizier, psz2_like, rows, catalog, labels):
    vizier.body = psz2_like.vizier_answer(rows, labels=getattr(psz2_like, labels))
    vizier.row_limited_body = psz2_like.vizier_answer(rows, limit=50)
    fetched = PSZ2Catalog.fetch()
    assert_same_values(catalog.table, fetched.table, rtol=2e-7)
    (request,) = vizier.requests
    asked = request.splitlines()
    assert "-source=J/A+A/594/A27/psz2" in asked
    assert "-out.max=unlimited" in asked
    assert "-out.all" in asked
    meta = fetched.table.meta
    assert meta["source"] == "VizieR J/A+A/594/A27/psz2"
    assert meta["catalog"] == "psz2"
    assert len(meta["sha256"]) == 64
    assert meta["retrieved"].endswith("+00:00")


def test_fifty_rows(vizier, psz2_like, rows, cache):
    vizier.body = psz2_like.vizier_answer(rows, limit=50)
    with pytest.raises(RemoteDataError, match="gave 50 rows of .* instead of 60.*by hand"):
        PSZ2Catalog.fetch()
    assert len(vizier.requests) == 1  # the same again would not help
    assert not list(cache.glob("*"))


def test_a_row_too_many(vizier, psz2_like, rows, monkeypatch):
    monkeypatch.setattr(PSZ2Catalog, "expected_rows", 59)
    vizier.body = psz2_like.vizier_answer(rows)
    with pytest.raises(RemoteDataError, match="gave 60 rows of .* instead of 59"):
        PSZ2Catalog.fetch()


def test_error_as_empty_table_is_an_error_and_is_not_cached(vizier, psz2_like, rows, cache):
    vizier.body = SERVER_ERROR
    with pytest.raises(
        RemoteDataError,
        match="reports an error .*not currently reachable.; -- no connection.* 3 attempts",
    ):
        PSZ2Catalog.fetch()
    assert len(vizier.requests) == 3
    assert not list(cache.glob("*"))
    vizier.body = psz2_like.vizier_answer(rows)
    assert len(PSZ2Catalog.fetch()) == 60
    assert len(vizier.requests) == 4


@pytest.mark.real_data
def test_real_server_error(vizier, real_data):
    vizier.body = real_data("vizier/no_server_error.xml").read_bytes()
    with pytest.raises(RemoteDataError, match="No server is available for connection"):
        PSZ2Catalog.fetch()


@pytest.mark.real_data
def test_answer_of_another_catalogue(vizier, real_data):
    vizier.body = real_data("vizier/kang2010.xml").read_bytes()
    with pytest.raises(RemoteDataError, match="answered .* with 'J/ApJ/706/83/ysos'"):
        PSZ2Catalog.fetch()


def test_answer_without_table(vizier):
    vizier.body = SERVER_ERROR.replace(b'name="Error"', b'name="x"').replace(b"ERROR", b"OK")
    with pytest.raises(RemoteDataError, match="answered .* with no table"):
        PSZ2Catalog.fetch()


def test_error_status_without_reason(vizier):
    vizier.body = SERVER_ERROR.replace(b'name="Error"', b'name="x"')
    with pytest.raises(RemoteDataError, match="reports an error .* no reason given"):
        PSZ2Catalog.fetch()


def test_overflow(vizier, psz2_like, rows):
    body = psz2_like.vizier_answer(rows)
    vizier.body = body.replace(
        b"</RESOURCE>", b'<INFO name="QUERY_STATUS" value="OVERFLOW"/></RESOURCE>'
    )
    with pytest.raises(RemoteDataError, match="cut 'J/A.*/psz2' short"):
        PSZ2Catalog.fetch()


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (429, 3), (500, 3), (503, 3)])
def test_http_error(vizier, psz2_like, rows, status, requests):
    vizier.body, vizier.status = psz2_like.vizier_answer(rows), status
    with pytest.raises(RemoteDataError, match=f"did not give .*{status}.*choose a mirror"):
        PSZ2Catalog.fetch()
    assert len(vizier.requests) == requests


@pytest.mark.parametrize("location", ["//[", "", "ftp://nowhere/"])
def test_redirect_to_nowhere(vizier, location):
    vizier.status, vizier.headers = 302, {"Location": location}
    with pytest.raises(RemoteDataError, match="did not give"):
        PSZ2Catalog.fetch()


@pytest.mark.parametrize("column", ["MSZ_ERR_UP", "MSZ_ERR_LOW"])
def test_error_beyond_all_masses(vizier, psz2_like, rows, column):
    vizier.body = psz2_like.vizier_answer(rows | {column: np.full(60, 1e20)})
    with pytest.raises(RemoteDataError, match="must be from 0 to 1e.16"):
        PSZ2Catalog.fetch()


def test_server_that_recovers(vizier, psz2_like, rows):
    vizier.body, vizier.first_statuses = psz2_like.vizier_answer(rows), [500, 503]
    assert len(PSZ2Catalog.fetch()) == 60
    assert len(vizier.requests) == 3


def test_number_of_attempts_is_configured(vizier):
    vizier.status = 500
    with conf.set_temp("vizier_attempts", 1), pytest.raises(RemoteDataError, match="500") as err:
        PSZ2Catalog.fetch()
    assert len(vizier.requests) == 1
    assert "attempts" not in str(err.value)


def test_pauses_grow(vizier, monkeypatch):
    pauses = []
    monkeypatch.setattr("szmass._io.transfer._PAUSE", 1.0)
    monkeypatch.setattr("szmass._io.transfer.time.sleep", pauses.append)
    vizier.status = 500
    with conf.set_temp("vizier_attempts", 8), pytest.raises(RemoteDataError, match="8 attempts"):
        PSZ2Catalog.fetch()
    assert [p for p in pauses if p >= 1] == [1, 2, 4, 8, 16, 30, 30]


def test_pause_that_the_server_asks_for(vizier, psz2_like, rows, monkeypatch):
    pauses = []
    monkeypatch.setattr("szmass._io.transfer.time.sleep", pauses.append)
    vizier.body, vizier.first_statuses = psz2_like.vizier_answer(rows), [429, 503]
    vizier.headers = {"Retry-After": "7"}
    assert len(PSZ2Catalog.fetch()) == 60
    assert [p for p in pauses if p >= 1] == [7, 7]


@pytest.mark.parametrize("body", [b"<html><body>Down for maintenance</body></html>", b""])
def test_answer_that_is_no_votable(vizier, body):
    vizier.body = body
    with pytest.raises(RemoteDataError, match="did not answer .* with a whole VOTable"):
        PSZ2Catalog.fetch()


def test_answer_cut_inside_the_table(vizier, psz2_like, rows):
    vizier.body = psz2_like.vizier_answer(rows)[:-3000]
    with pytest.raises(RemoteDataError, match="with a whole VOTable"):
        PSZ2Catalog.fetch()


def test_cut_connection(vizier, psz2_like, rows):
    vizier.body = psz2_like.vizier_answer(rows)
    vizier.claimed_length = len(vizier.body) + 1000
    with pytest.raises(RemoteDataError, match="did not give"):
        PSZ2Catalog.fetch()


def test_slow_server(vizier):
    vizier.delay = 1.0
    with pytest.raises(RemoteDataError, match="[Tt]imed out"):
        PSZ2Catalog.fetch(timeout=0.2)
    with conf.set_temp("vizier_timeout", 0.2), pytest.raises(RemoteDataError, match="[Tt]imed out"):
        PSZ2Catalog.fetch()


def test_dripping_server(vizier, psz2_like, rows):
    vizier.body = psz2_like.vizier_answer(rows)
    vizier.drip = (20, 0.05)  # never silent for long
    start = time.monotonic()
    with (
        conf.set_temp("vizier_deadline", 0.3),
        conf.set_temp("vizier_attempts", 2),
        pytest.raises(RemoteDataError, match="bytes came within 0.3 s, and not all.*2 attempts"),
    ):
        PSZ2Catalog.fetch(timeout=5)
    assert time.monotonic() - start < 5


def test_compressed_answer(vizier, psz2_like, rows, monkeypatch):
    vizier.body = gzip.compress(psz2_like.vizier_answer(rows))
    vizier.headers = {"Content-Encoding": "gzip"}
    assert len(PSZ2Catalog.fetch()) == 60


def test_nobody_answers(monkeypatch):
    from astroquery.vizier import VizierClass

    url = "http://127.0.0.1:9/viz-bin/votable"
    monkeypatch.setattr(VizierClass, "_server_to_url", lambda self, return_type="votable": url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(RemoteDataError, match="did not give .*psz2"):
        PSZ2Catalog.fetch(timeout=2)


@pytest.mark.parametrize("ours", ["", "vizier.cfa.harvard.edu"])
def test_server_is_configured(monkeypatch, ours):
    from astroquery.vizier import VizierClass
    from astroquery.vizier import conf as astroquery_conf

    asked = []

    def refuse(self, table_id):
        asked.append(self.VIZIER_SERVER)
        raise ConnectionError

    monkeypatch.setattr(VizierClass, "get_catalogs_async", refuse)
    with (
        conf.set_temp("vizier_server", ours),
        astroquery_conf.set_temp("server", "vizier.nao.ac.jp"),
        pytest.raises(ConnectionError),
    ):
        PSZ2Catalog.fetch()
    assert asked == [ours or "vizier.nao.ac.jp"]


@pytest.mark.parametrize("lost", ["MSZ", "GLON", "REDSHIFT"])
def test_missing_column(vizier, psz2_like, rows, lost):
    labels = {k: v for k, v in psz2_like.vizier_labels.items() if k != lost}
    vizier.body = psz2_like.vizier_answer(rows, labels=labels)
    with pytest.raises(RemoteDataError, match=f"known here: The table lacks the column .*{lost}"):
        PSZ2Catalog.fetch()


@pytest.mark.parametrize(
    ("column", "unit", "message"),
    [
        ("Y5R500", "mJy", "'Y5R500' must be in 0.001 arcmin2. Received: mJy"),
        ("Y5R500", "arcmin2", "'Y5R500' is in arcmin2 instead of 0.001 arcmin2"),
        ("MSZ", "", "'MSZ' must be in 1e\\+14 solMass. Received: no unit"),
        ("MSZ", "10+13Msun", "'MSZ' is in 1e\\+13 solMass instead of 1e\\+14 solMass"),
        ("MSZ", "furlong!", "'MSZ' must be in .* Received: furlong!"),
        ("SNR", "mag", "'SNR' has the unit 'mag' instead of none"),
    ],
)
def test_changed_unit(vizier, psz2_like, rows, column, unit, message):
    vizier.body = psz2_like.vizier_answer(rows, units={column: unit})
    with pytest.raises(RemoteDataError, match=f"known here: The column {message}.*by hand"):
        PSZ2Catalog.fetch()


def test_catalogue_that_is_not_at_vizier():
    class Elsewhere(Catalog):
        tag = "elsewhere"
        download_page = "https://example.org"

    with pytest.raises(
        RemoteDataError, match="does not carry 'elsewhere'. Get it from https://example.org"
    ):
        Elsewhere.fetch()
    assert DeAndres2022Catalog.vizier_id is None


def test_catalogue_at_vizier_is_in_a_folder_of_the_cds():
    class AtVizier(Catalog):
        tag = "at-vizier"
        vizier_id = "J/A+A/1/2/table3"

    class Elsewhere(AtVizier):
        download_page = "https://example.org"

    assert AtVizier.download_page == "https://cdsarc.cds.unistra.fr/ftp/J/A+A/1/2/"
    assert Elsewhere.download_page == "https://example.org"
    assert Catalog.download_page is None


@pytest.mark.real_data
def test_whole_real_catalogue(vizier, psz2_like, real_data, monkeypatch):
    monkeypatch.setattr(PSZ2Catalog, "expected_rows", 1653)
    path = real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits")
    with fits.open(path) as hdus:
        rows = {name: hdus[1].data[name] for name in psz2_like.fits_names}
    vizier.body = psz2_like.vizier_answer(rows)
    fetched = PSZ2Catalog.fetch()
    assert len(fetched) == 1653
    assert_same_values(PSZ2Catalog.read(path).table, fetched.table, rtol=2e-7)


def test_headers_that_drip(vizier, psz2_like, rows):
    vizier.body, vizier.headers = psz2_like.vizier_answer(rows), {"X": "y"}
    vizier.header_pause = 0.2
    start = time.monotonic()
    with (
        conf.set_temp("vizier_deadline", 0.3),
        conf.set_temp("vizier_attempts", 2),
        pytest.raises(RemoteDataError, match="no answer came within 0.3 s.*2 attempts"),
    ):
        PSZ2Catalog.fetch(timeout=5)
    assert time.monotonic() - start < 5


def test_answer_that_inflates_without_end(vizier):
    vizier.body = gzip.compress(bytes(30_000_000))
    vizier.headers = {"Content-Encoding": "gzip"}
    with (
        conf.set_temp("vizier_largest", 1),
        pytest.raises(RemoteDataError, match=r"more than 1 MB.*vizier_largest"),
    ):
        PSZ2Catalog.fetch()
    assert len(vizier.requests) == 1


def test_answer_that_refers_to_a_file(vizier, psz2_like, rows, cache):
    body = psz2_like.vizier_answer(rows)
    start, end = body.index(b"<DATA>"), body.index(b"</DATA>")
    stream = b'<DATA><BINARY><STREAM href="file:///etc/hostname"/></BINARY>'
    vizier.body = body[:start] + stream + body[end:]
    with pytest.raises(RemoteDataError, match="refers to data elsewhere"):
        PSZ2Catalog.fetch()
    assert not list(cache.glob("*"))


def swapped(rows, one, other):
    return rows | {one: rows[other], other: rows[one]}


WRONG = {
    "swapped l and b": (lambda r: swapped(r, "GLON", "GLAT"), "'glon' must be from 0 to 360"),
    "ra shifted": (
        lambda r: r | {"RA": (r["RA"] + 10) % 360},
        "positions from ra and dec and from glon and glat are up to",
    ),
    "both shifted": (
        lambda r: r | {"NAME": r["NAME"][30:] + r["NAME"][:30]},
        "and from the names are up to",
    ),
    "masses in other units": (lambda r: r | {"MSZ": r["MSZ"] * 1000}, "'msz' must be from"),
    "negative mass": (
        lambda r: r | {"MSZ": np.where(np.arange(60) == 5, -5, r["MSZ"])},
        r"'msz' must be from .* row 5 \('PSZ2 G",
    ),
    "negative error": (lambda r: r | {"MSZ_ERR_UP": -r["MSZ_ERR_UP"]}, "'msz_errp' must be from 0"),
    "no redshifts": (lambda r: r | {"REDSHIFT": -np.ones(60)}, "No redshift is known"),
    "redshifts of velocities": (lambda r: r | {"REDSHIFT": r["REDSHIFT"] * 3e5}, "'redshift' must"),
}


@pytest.mark.parametrize("what", list(WRONG))
def test_values_that_cannot_be_are_no_snapshot(vizier, psz2_like, rows, cache, what):
    change, message = WRONG[what]
    vizier.body = psz2_like.vizier_answer(change(rows))
    with pytest.raises(RemoteDataError, match=f"is not as it is known here: .*{message}.*by hand"):
        PSZ2Catalog.fetch()
    assert not list(cache.glob("*"))


@pytest.mark.real_data
def test_values_of_the_whole_publication(real_data):
    table = PSZ2Catalog.read(real_data("psz2/psz2.dat")).table
    check_values(table, PSZ2Catalog)
    errors = table.copy()
    errors["msz_errn"], errors["msz_errp"] = table["msz_errp"], table["msz_errn"]
    with pytest.raises(FileFormatError, match="mean of 'msz_errp'"):
        check_values(errors, PSZ2Catalog)
    fewer = table.copy()
    fewer["redshift"].mask[np.flatnonzero(~fewer["redshift"].mask)[0]] = True
    with pytest.raises(FileFormatError, match="'redshift' is known in 1093 rows instead of 1094"):
        check_values(fewer, PSZ2Catalog)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("catalog", "file", "readme"),
    [
        (PSZ2Catalog, "psz2/HFI_PCCS_SZ-union_R2.08.fits", None),
        (MCXCCatalog, "crossmatch/mcxc.dat", "crossmatch/mcxc_ReadMe"),
        (SPTSZCatalog, "crossmatch/SPT2500d.fits", None),
        (ACTED56Catalog, "crossmatch/E-D56Clusters.fits", None),
    ],
)
def test_values_of_real_catalogues_pass(real_data, catalog, file, readme):
    table = catalog.read(real_data(file), readme=readme and real_data(readme)).table
    check_values(table, catalog)
