"""One cluster by its name: catalogues at hand, then Sesame, SIMBAD and NED, which are made up here.

Answers have the formats that the services document; nothing is asked of a network.
"""

import io
import shlex
import urllib.error
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord, name_resolve
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from click.testing import CliRunner
from scipy.integrate import quad
from scipy.ndimage import gaussian_filter

from szmass import Cluster, ComptonMap, PSZ2Catalog, estimate_masses
from szmass.catalogs import MCXCCatalog, conf, find_cluster
from szmass.catalogs._remote import write_snapshot
from szmass.cli.core import main
from szmass.exceptions import (
    InvalidInputError,
    InvalidUnitError,
    RemoteDataError,
    SzmassWarning,
    UnknownNameError,
)
from szmass.results import masses_of, read_masses

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
    with pytest.raises(InvalidInputError, match="ambiguous: Sesame and SIMBAD have .* apart"):
        Cluster.from_name("Abell 2142")


def test_names_without_a_redshift(services, psz2):
    services.simbad = simbad_row(z="")
    with pytest.warns(SzmassWarning, match="of 'A2142' is not known to SIMBAD, NED. Say it"):
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


MASS = 8.77e14  # M500c of A2142 [solMass]


def painted_map(path, centre):
    """Write a y-map of one cluster of known mass behind a beam of 10 arcmin, in a little noise.

    Profile and Y-M relation are those of Arnaud et al. (2010) and Planck XX (2014), from their
    numbers: nothing of szmass.
    """
    cosmo = FlatLambdaCDM(70, 0.3)
    z = 0.0894
    efunc2 = cosmo.efunc(z) ** 2
    density = cosmo.critical_density(z).to_value("solMass / Mpc3")
    theta = (MASS / (4 / 3 * np.pi * 500 * density)) ** (1 / 3)
    distance = cosmo.angular_diameter_distance(z).to_value("Mpc")
    theta = np.degrees(theta / distance) * 60  # arcmin
    y500 = 1e-4 * 10**-0.19 * (MASS / 6e14) ** 1.79 * efunc2 ** (1 / 3)  # Mpc2
    y500 *= (np.degrees(1 / distance) * 60) ** 2  # arcmin2

    def pressure(x):
        t = 1.177 * x
        return t**-0.3081 * (1 + t**1.051) ** ((0.3081 - 5.4905) / 1.051)

    # The integral over the sphere of R500 is Y500; lines of sight end at 5 R500.
    norm = y500 / quad(lambda x: 4 * np.pi * x**2 * pressure(x), 0, 1)[0] / theta**2
    radius = np.geomspace(1e-3, 5, 300)
    along = [
        2 * quad(lambda s, b=b: pressure(np.hypot(b, s)), 0, np.sqrt(25 - b * b), limit=200)[0]
        for b in radius
    ]
    row, column = np.mgrid[:200, :200] - 99.5
    image = norm * np.interp(np.hypot(row, column) / theta, radius, along, right=0.0)
    image = gaussian_filter(image, 10 / np.sqrt(8 * np.log(2)))
    image += np.random.default_rng(3).normal(0, 2e-7, image.shape)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [centre.ra.deg, centre.dec.deg]
    wcs.wcs.cdelt, wcs.wcs.crpix = [-1 / 60, 1 / 60], [100.5, 100.5]
    fits.PrimaryHDU(image, wcs.to_header()).writeto(path)
    return path


def test_abell_2142_is_weighed_in_three_lines_and_by_one_command(tmp_path, mcxc, services):
    write_snapshot(mcxc.table, "mcxc")
    path = painted_map(tmp_path / "y.fits", SkyCoord(239.586, 27.227, unit="deg"))

    cluster = Cluster.from_name("Abell 2142")
    cluster.attach_cutouts(ComptonMap.read(path, beam="10 arcmin", noise="planck"))
    table = estimate_masses(cluster, "matched_filter")

    assert table["name"].tolist() == ["Abell 2142"]
    assert table["mass_matched_filter"][0].value == pytest.approx(MASS, rel=0.03)
    command = f"estimate --name 'Abell 2142' --map {path} --beam '10 arcmin' --noise planck"
    command += f" --estimators matched_filter -o {tmp_path / 'masses.ecsv'}"
    result = CliRunner().invoke(main, shlex.split(command))
    assert result.exit_code == 0, result.output
    assert "Abell 2142: found as J1558.3+2713 (mcxc)" in result.output
    assert f"{table['mass_matched_filter'][0].value:.4g}" in result.output
    again = read_masses(tmp_path / "masses.ecsv")
    assert masses_of(again, "matched_filter").mass[0] == table["mass_matched_filter"][0].value
    assert services.asked == []


def test_several_names_on_the_shell(tmp_path, mcxc, services, monkeypatch):
    mcxc.write(tmp_path / "mcxc.fits")
    out = tmp_path / "masses.ecsv"
    base = ["estimate", "--estimators", "lensing", "--set", "lensing.by=name", "-o", str(out)]
    names = ["--name", "A2142", "--name", "Abell 85"]
    for option in (["--redshift", "0", "1"], ["--redshifts", "upcluster-sz"]):
        result = CliRunner().invoke(main, [*base, *names, *option])
        assert result.exit_code == 2
        assert "--redshift chooses among the rows" in result.output
    result = CliRunner().invoke(main, base)
    assert result.exit_code == 2
    assert "give --catalog, or a cluster by --name, or both" in result.output
    base[2:5] = ["scaling"]
    file = ["--catalog", str(tmp_path / "mcxc.fits")]
    result = CliRunner().invoke(main, [*base, *file, "--name", "Abel 2142", "--offline"])
    assert result.exit_code == 1
    assert "Asked: mcxc (nearest: 'A2142'), nobody else (offline)." in result.output
    # What estimators need is looked at as for any sample.
    result = CliRunner().invoke(main, [*base, *file, *names, "--offline"])
    assert result.exit_code == 1
    assert "y5r500" in result.output


def test_fetch_keeps_catalogues_for_names(monkeypatch, catalog):
    monkeypatch.setattr(PSZ2Catalog, "fetch", classmethod(lambda cls: catalog))
    result = CliRunner().invoke(main, ["fetch", "psz2"])
    assert result.exit_code == 0, result.output
    assert "psz2: 60 rows" in result.output
    result = CliRunner().invoke(main, ["fetch"])
    assert "1653 rows  Second Planck catalogue" in result.output
