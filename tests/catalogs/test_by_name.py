"""One cluster by its name: catalogues at hand, then Sesame, SIMBAD and NED, which are made up here.

Answers have the formats that the services document; nothing is asked of a network.
"""

import io
import urllib.error
from types import SimpleNamespace

import astropy.units as u
import pytest
from astropy.coordinates import SkyCoord, name_resolve
from astropy.table import Table

from szmass import Cluster, PSZ2Catalog
from szmass.catalogs import MCXCCatalog, conf, find_cluster
from szmass.catalogs._remote import write_snapshot
from szmass.exceptions import (
    InvalidInputError,
    InvalidUnitError,
    RemoteDataError,
    SzmassWarning,
    UnknownNameError,
)

HERE = SkyCoord(239.5833, 27.2333, unit="deg")

SESAME = """# Abell 2142\t#Q22523669
#=S=Simbad (via url):    1
%@ 3256803
%I.0 ACO  2142
%C.0 ClG
%J {ra} {dec} = 15:58:20.00 +27:14:00.0
%V z 0.0894 D [0.0005] 2018A&A...613A..67S
#====Done (2026-Nov-27,10:00:00z)====
"""
NOTHING = """# Abell 99999\t#Q22523669
#!SIMBAD: Nothing found
#!NED: Nothing found
#!Vizier: Nothing found
#====Done (2026-Nov-27,10:00:00z)====
"""
SIMBAD = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="OK"/><TABLE>
<FIELD name="main_id" datatype="char" arraysize="*" ucd="meta.id;meta.main"/>
<FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main"/>
<FIELD name="dec" datatype="double" unit="deg" ucd="pos.eq.dec;meta.main"/>
<FIELD name="otype" datatype="char" arraysize="*" ucd="src.class"/>
<FIELD name="rvz_redshift" datatype="double" ucd="src.redshift"/>
<FIELD name="ids" datatype="char" arraysize="*" ucd="meta.id"/>
<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""
NED = """<?xml version="1.0"?>
<VOTABLE version="1.1"><RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/>
<TABLE ID="NED_MainTable" name="Main Information Table for {name}">
<FIELD ID="main_col1" name="No." ucd="meta.number" datatype="int"/>
<FIELD ID="main_col2" name="Object Name" ucd="meta.id;meta.main" datatype="char" arraysize="30"/>
<FIELD ID="main_col3" name="RA" ucd="pos.eq.ra;meta.main" datatype="double" unit="degrees"/>
<FIELD ID="main_col4" name="DEC" ucd="pos.eq.dec;meta.main" datatype="double" unit="degrees"/>
<FIELD ID="main_col5" name="Type" ucd="src.class" datatype="char" arraysize="*"/>
<FIELD ID="main_col6" name="Velocity" ucd="src.veloc.hc" datatype="double" unit="km/sec"/>
<FIELD ID="main_col7" name="Redshift" ucd="src.redshift" datatype="double"/>
<DATA><TABLEDATA><TR><TD>1</TD><TD>{name}</TD><TD>{ra}</TD><TD>{dec}</TD><TD>{type}</TD>
<TD>{velocity}</TD><TD>{z}</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""
NED_ERROR = """<?xml version="1.0"?>
<VOTABLE version="1.1"><RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/>
<PARAM name="queryDateTime" datatype="char" arraysize="*" value="2026-11-27T05:08:36PDT"/>
<PARAM name="Error" value="The object name that you have submitted is not currently recognized"/>
</RESOURCE></VOTABLE>"""


def simbad_row(ra=239.5833, dec=27.2333, kind="ClG", z=0.0894, ids="ACO  2142|RXC J1558.3+2713"):
    cells = ("ACO  2142", ra, dec, kind, z, ids)
    return "<TR>" + "".join(f"<TD>{cell}</TD>" for cell in cells) + "</TR>"


class Services:
    """Sesame, SIMBAD and NED, with the answer of each: text, or an error; and what was asked."""

    def __init__(self, monkeypatch, folder):
        from astroquery.ipac.ned import NedClass
        from astroquery.simbad import SimbadClass

        self.sesame, self.simbad = SESAME.format(ra=239.5833, dec="+27.2333"), simbad_row()
        self.ned, self.asked = NED_ERROR, []
        self._folder = folder
        monkeypatch.setattr(name_resolve, "download_file", self._sesame)
        monkeypatch.setattr(SimbadClass, "query_tap", lambda _, query, **__: self._simbad(query))
        monkeypatch.setattr(NedClass, "_request", lambda _, *args, **kw: self._ned(kw["params"]))

    def _answer(self, service, query, answer):
        self.asked.append((service, query))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _sesame(self, url, **_):
        path = self._folder / "sesame.txt"
        path.write_text(self._answer("Sesame", url, self.sesame))
        return str(path)

    def _simbad(self, query):
        rows = self._answer("SIMBAD", query, self.simbad)
        return Table.read(io.BytesIO(SIMBAD.format(rows=rows).encode()), format="votable")

    def _ned(self, params):
        return SimpleNamespace(content=self._answer("NED", str(params), self.ned).encode())


@pytest.fixture
def services(monkeypatch, tmp_path):
    return Services(monkeypatch, tmp_path)


@pytest.fixture
def mcxc():
    """Two clusters with our columns of MCXC."""
    table = Table({"name": ["J1558.3+2713", "J0041.8-0918"]})
    table["other_name"] = ["RXC J1558.3+2713", "RXC J0041.8-0918"]
    table["alternative_names"] = ["A2142", "A0085, Abell 85"]
    table["ra"], table["dec"] = [239.586, 10.459] * u.deg, [27.227, -9.302] * u.deg
    table["redshift"] = [0.0894, 0.0555]
    for column in MCXCCatalog.columns:
        if column.name not in table.colnames:
            unit = u.Unit(column.unit or "")
            table[column.name] = ["", ""] if column.dtype == "str" else [1.0, 1.0] * unit
    return MCXCCatalog(table)


@pytest.fixture
def psz2(catalog):
    """A made-up PSZ2 whose first row is A2142, under its name in MCXC alone."""
    table = catalog.table.copy()
    table["name"][0], table["mcxc"][0] = "PSZ2 G044.20+48.66", "J1558.3+2713"
    table["redshift_id"][0] = "RXC J1558.3+2713"
    table["mcxc"][4:6] = "J1248.7-4118"
    table["name"][3] = "PSZ2 G005.00+06.00"
    return PSZ2Catalog(table)


def test_names_in_catalogues_that_are_given(psz2, mcxc, services):
    cluster = Cluster.from_name("Abell 2142", catalog=mcxc)
    assert cluster.name == "Abell 2142"
    assert cluster.redshift == 0.0894
    assert cluster.measurements["found_as"] == "J1558.3+2713 (mcxc)"
    # MCXC knows that it is Abell 2142, PSZ2 that it is a cluster of MCXC: PSZ2 has the signal.
    both = find_cluster("ACO 2142", catalog=[psz2, mcxc])
    assert both.measurements["found_as"] == "PSZ2 G044.20+48.66 (psz2)"
    assert both.y5r500 == psz2["PSZ2 G044.20+48.66"].y5r500
    assert both.coord.frame.name == "galactic"
    sample = mcxc.sample()
    assert find_cluster("mcxc j0041.8-0918", catalog=sample).redshift == 0.0555
    assert find_cluster("A85", catalog=mcxc, redshift=0.056).redshift == 0.056
    assert services.asked == []


def test_names_in_catalogues_that_were_fetched(psz2, mcxc, services):
    write_snapshot(psz2.table, "psz2")
    write_snapshot(mcxc.table, "mcxc")
    cluster = Cluster.from_name("A2142")
    assert cluster.measurements["found_as"] == "PSZ2 G044.20+48.66 (psz2)"
    assert cluster.msz == psz2["PSZ2 G044.20+48.66"].msz
    with pytest.raises(
        InvalidInputError, match="'Centaurus' is ambiguous in psz2: 'PSZ2 .*have it"
    ):
        Cluster.from_name("Centaurus")
    with pytest.raises(UnknownNameError, match=r"Asked: psz2.*mcxc \(nearest: 'A2142'\), nobody"):
        Cluster.from_name("Abel 2142", offline=True)
    assert services.asked == []


def test_a_snapshot_that_was_changed_is_told(psz2, services, cache):
    write_snapshot(psz2.table, "psz2")
    (path,) = cache.glob("psz2_*.ecsv")
    path.write_bytes(path.read_bytes().replace(b"G044.20", b"G044.21"))
    with pytest.warns(SzmassWarning, match="was changed or damaged.*not looked at"):
        assert Cluster.from_name("Abell 2142").measurements["found_as"].endswith("(Sesame)")


def test_names_are_resolved(services):
    cluster = Cluster.from_name(" Abell 2142 ")
    assert cluster.name == "Abell 2142"
    assert cluster.coord.separation(HERE).arcsec < 1e-3
    assert cluster.redshift == 0.0894
    assert cluster.measurements == {"found_as": "ACO  2142 (Sesame)", "redshift_by": "SIMBAD"}
    (_, url), (_, query) = services.asked
    assert url.endswith("?Abell%202142")
    assert "ident.id = 'Abell 2142'" in query
    services.simbad = simbad_row(z="")
    services.ned = NED.format(
        name="ABELL 2142", ra=239.567, dec=27.225, type="GClstr", velocity=27253, z=0.0909
    )
    cluster = Cluster.from_name("Abell 2142")
    assert cluster.redshift == 0.0909
    assert cluster.measurements["redshift_by"] == "NED"


def test_names_that_simbad_knows_are_looked_up_in_the_catalogues(psz2, services):
    cluster = find_cluster("Abell 2142", catalog=psz2)
    assert cluster.measurements["found_as"] == "PSZ2 G044.20+48.66 (psz2)"
    assert cluster.msz is not None
    assert [service for service, _ in services.asked] == ["Sesame", "SIMBAD"]


def test_quotes_in_names(services):
    Cluster.from_name("Pandora's Cluster")
    assert "ident.id = 'Pandora''s Cluster'" in services.asked[1][1]


def test_unknown_names(services, mcxc):
    services.sesame, services.simbad = NOTHING, ""
    with pytest.raises(UnknownNameError) as err:
        Cluster.from_name("Abell 99999")
    text = str(err.value)
    assert "Asked: Sesame, SIMBAD, NED." in text
    assert "'szmass fetch psz2' fetches one" in text
    with pytest.raises(UnknownNameError, match=r"Asked: mcxc \(nearest: 'A2142'\), Sesame, SIMBAD"):
        Cluster.from_name("Abel 2142", catalog=mcxc)
    for bad in ("", " ", None, 7):
        with pytest.raises(InvalidInputError, match="'name' must be a name"):
            Cluster.from_name(bad)


def test_offline_asks_nobody(services, mcxc):
    with pytest.raises(UnknownNameError, match="Asked: nobody else .offline.*szmass fetch psz2"):
        Cluster.from_name("Abell 2142", offline=True)
    with conf.set_temp("offline", True), pytest.raises(UnknownNameError, match="offline"):
        Cluster.from_name("Abell 2142")
    assert services.asked == []


def test_services_that_are_down(services):
    down = urllib.error.URLError("no route")
    services.sesame = down
    # The others suffice.
    cluster = Cluster.from_name("Abell 2142")
    assert (cluster.coord.ra.deg, cluster.redshift) == (239.5833, 0.0894)
    services.simbad = services.ned = ConnectionError("refused")
    with pytest.raises(RemoteDataError) as err:
        Cluster.from_name("Abell 2142")
    for part in ("Sesame did not answer", "SIMBAD did not answer (ConnectionError: refused)"):
        assert part in str(err.value)
    services.ned = NED_ERROR
    with pytest.raises(RemoteDataError, match="NED do not know it"):
        Cluster.from_name("Abell 2142")
    services.sesame = SESAME.format(ra=239.5833, dec="+27.2333")
    with pytest.warns(SzmassWarning, match="not known to SIMBAD, NED. SIMBAD did not answer"):
        assert Cluster.from_name("Abell 2142").redshift is None


def test_a_service_that_is_silent_is_not_waited_for(services, monkeypatch):
    import threading

    silence = threading.Event()
    monkeypatch.setattr(name_resolve, "download_file", lambda *_, **__: silence.wait(20))
    cluster = Cluster.from_name("Abell 2142", timeout=0.2)
    assert cluster.redshift == 0.0894
    silence.set()


def test_ambiguous_names(services):
    services.simbad = simbad_row(ra=10.0)
    with pytest.raises(
        InvalidInputError, match="ambiguous: Sesame and SIMBAD have .* apart"
    ):
        Cluster.from_name("Abell 2142")


def test_names_without_a_redshift(services, psz2):
    services.simbad = simbad_row(z="")
    with pytest.warns(
        SzmassWarning, match="of 'A2142' is not known to SIMBAD, NED. Say it"
    ):
        assert Cluster.from_name("A2142").redshift is None
    assert Cluster.from_name("A2142", redshift=0.09).redshift == 0.09
    # The row that has none in PSZ2, online and offline.
    services.simbad = simbad_row(z=0.3)
    cluster = Cluster.from_name("PSZ2 G005.00+06.00", catalog=psz2)
    assert (cluster.redshift, cluster.measurements["redshift_by"]) == (0.3, "SIMBAD")
    with pytest.warns(SzmassWarning, match="not known to psz2. Say it"):
        Cluster.from_name("PSZ2 G005.00+06.00", catalog=psz2, offline=True)


def test_what_is_no_cluster_is_told(services):
    services.simbad = simbad_row(kind="Sy1")
    with pytest.warns(SzmassWarning, match=r"'M 77' is of type Sy1 \(SIMBAD\), no cluster"):
        Cluster.from_name("M 77")


@pytest.mark.parametrize("bad", [7, [None], {}])
def test_catalogues_that_are_none(bad):
    with pytest.raises(InvalidInputError, match="'catalog' must be a tag"):
        find_cluster("A85", catalog=bad)


def test_near(mcxc):
    at = SkyCoord(239.6, 27.2, unit="deg")
    sample = mcxc.near(at)
    assert sample.names.tolist() == ["J1558.3+2713"]
    separation = sample.coord[0].separation(at).arcmin
    assert sample.quantity("separation")[0].to_value("arcmin") == pytest.approx(separation)
    assert mcxc.near(at.galactic, 180 * u.deg).names.tolist() == ["J1558.3+2713", "J0041.8-0918"]
    assert len(mcxc.near(mcxc["A85"], "1 arcsec")) == 1
    with pytest.warns(SzmassWarning, match="None of 2 rows .* a distance of 1 arcmin"):
        assert len(mcxc.near(SkyCoord(0, 0, unit="deg"), "1 arcmin")) == 0
    for bad in ("Coma", SkyCoord([1, 2], [3, 4], unit="deg"), None):
        with pytest.raises(InvalidInputError, match="'coord' must be one position"):
            mcxc.near(bad)
    with pytest.raises(InvalidUnitError, match="'radius'"):
        mcxc.near(at, 3)
    with pytest.raises(InvalidInputError, match="'radius' must be one angle"):
        mcxc.near(at, [1, 2] * u.deg)


def test_catalogues_find_rows_by_further_names(psz2, mcxc):
    assert mcxc["Abell 85"].name == "J0041.8-0918"
    assert psz2["RXC J1558.3+2713"].name == "PSZ2 G044.20+48.66"
    assert mcxc.sample(names=["A0085"]).names.tolist() == ["J0041.8-0918"]
    with pytest.raises(UnknownNameError, match="2 are alike. Did you mean 'PSZ2 G"):
        _ = psz2["Centaurus"]
