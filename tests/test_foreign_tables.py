"""Tables as SIMBAD, NED, VizieR, TOPCAT and pandas give them are read without options.

They are made here of the formats that these document; a few clusters stand in each.
"""

import io
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from click.testing import CliRunner

from szmass import ClusterSample
from szmass.catalogs import LensingTable, crossmatch, load_sample
from szmass.cli.core import main
from szmass.exceptions import InvalidInputError, InvalidUnitError

NAMES = ["ACO  2142", "ACO    85", "ACO  2029"]
COORD = SkyCoord([239.5833, 10.4602, 227.7337], [27.2333, -9.3031, 5.7445], unit="deg")
Z = [0.0894, 0.0555, 0.0766]
HMS = ["15 58 20.0", "00 41 50.4", "15 10 56.1"]
DMS = ["+27 14 00", "-09 18 11", "+05 44 40"]


def votable(fields, rows):
    """A VOTable of (name, type, attributes) and rows, as services write it."""
    head = "".join(
        f'<FIELD name="{name}" datatype="{kind}" {more}/>' for name, kind, more in fields
    )
    body = "".join(
        "<TR>" + "".join(f"<TD>{cell}</TD>" for cell in row) + "</TR>"
        for row in zip(*rows, strict=True)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><VOTABLE version="1.4" '
        'xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results"><TABLE>'
        f"{head}<DATA><TABLEDATA>{body}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


TEXT = 'arraysize="*"'
MAIN = f'{TEXT} ucd="meta.id;meta.main"'


def simbad():
    """The answer of SIMBAD's TAP service, as astroquery 0.4.8 and later give it."""
    fields = [
        ("main_id", "char", MAIN),
        ("ra", "double", 'unit="deg" ucd="pos.eq.ra;meta.main"'),
        ("dec", "double", 'unit="deg" ucd="pos.eq.dec;meta.main"'),
        ("coo_err_maj", "float", 'unit="mas" ucd="phys.angSize.smajAxis;pos.errorEllipse"'),
        ("coo_wavelength", "char", TEXT),
        ("rvz_redshift", "double", 'ucd="src.redshift"'),
        ("matched_id", "char", TEXT),
    ]
    return votable(fields, [NAMES, COORD.ra.deg, COORD.dec.deg, [""] * 3, ["O"] * 3, Z, NAMES])


def simbad_before():
    """The VOTable of SIMBAD's pages, and of astroquery before 0.4.8."""
    fields = [
        ("MAIN_ID", "char", MAIN),
        ("RA", "char", f'{TEXT} unit="&quot;h:m:s&quot;" ucd="pos.eq.ra;meta.main"'),
        ("DEC", "char", f'{TEXT} unit="&quot;d:m:s&quot;" ucd="pos.eq.dec;meta.main"'),
        ("RA_PREC", "short", ""),
        ("Z_VALUE", "float", 'ucd="src.redshift"'),
    ]
    return votable(fields, [NAMES, HMS, DMS, [5] * 3, Z])


def ned():
    fields = [
        ("No.", "int", 'ucd="meta.number"'),
        ("Object Name", "char", 'arraysize="30" ucd="meta.id;meta.main"'),
        ("RA", "double", 'unit="degrees" ucd="pos.eq.ra;meta.main"'),
        ("DEC", "double", 'unit="degrees" ucd="pos.eq.dec;meta.main"'),
        ("Type", "char", f'{TEXT} ucd="src.class"'),
        ("Velocity", "double", 'unit="km/sec" ucd="src.veloc.hc"'),
        ("Redshift", "double", 'ucd="src.redshift"'),
        ("Redshift Flag", "char", f'{TEXT} ucd="meta.code;src.redshift"'),
        ("Separation", "double", 'unit="arcmin" ucd="pos.distance"'),
    ]
    cells = [[1, 2, 3], NAMES, COORD.ra.deg, COORD.dec.deg, ["GClstr"] * 3]
    return votable(fields, [*cells, [27000, 16600, 22900], Z, [""] * 3, [""] * 3])


def vizier_psz2():
    """Columns of J/A+A/594/A27/psz2 with the positions that VizieR computes."""
    galactic = COORD.galactic
    fields = [
        ("_RAJ2000", "double", 'unit="deg" ucd="pos.eq.ra"'),
        ("_DEJ2000", "double", 'unit="deg" ucd="pos.eq.dec"'),
        ("Name", "char", MAIN),
        ("RAJ2000", "double", 'unit="deg" ucd="pos.eq.ra;meta.main"'),
        ("DEJ2000", "double", 'unit="deg" ucd="pos.eq.dec;meta.main"'),
        ("GLON", "double", 'unit="deg" ucd="pos.galactic.lon"'),
        ("GLAT", "double", 'unit="deg" ucd="pos.galactic.lat"'),
        ("z", "double", 'ucd="src.redshift"'),
        ("MSZ", "float", 'unit="10+14Msun" ucd="phys.mass"'),
    ]
    angles = [COORD.ra.deg.round(4), COORD.dec.deg.round(4), NAMES, COORD.ra.deg, COORD.dec.deg]
    return votable(
        fields, [*angles, galactic.l.deg.round(2), galactic.b.deg.round(2), Z, [8, 5, 7]]
    )


def vizier_mcxc():
    """Columns of J/A+A/534/A109/mcxc: names under a label of their own, positions as text."""
    fields = [
        ("MCXC", "char", MAIN),
        ("OName", "char", f'{TEXT} ucd="meta.id"'),
        ("RAJ2000", "char", f'{TEXT} unit="&quot;h:m:s&quot;" ucd="pos.eq.ra;meta.main"'),
        ("DEJ2000", "char", f'{TEXT} unit="&quot;d:m:s&quot;" ucd="pos.eq.dec;meta.main"'),
        ("z", "double", 'ucd="src.redshift"'),
        ("L500", "double", 'unit="10+37W" ucd="phys.luminosity"'),
    ]
    return votable(fields, [NAMES, ["x"] * 3, HMS, DMS, Z, [1, 2, 3]])


def vizier_tsv():
    """VizieR's text (asu-tsv) of a table with positions computed in ICRS."""
    rows = zip(NAMES, COORD.ra.deg, COORD.dec.deg, Z, strict=True)
    return "\n".join(
        [
            "#",
            "#   VizieR Astronomical Server vizier.cds.unistra.fr",
            "#Title: Rich Clusters of Galaxies",
            "#Table\tVII_110A_table3:",
            "#Column\tACO\t(A9)\tAbell name\t[ucd=meta.id;meta.main]",
            "#Column\t_RA_icrs\t(F10.6)\tRight ascension (ICRS)\t[ucd=pos.eq.ra]",
            "#Column\t_DE_icrs\t(F10.6)\tDeclination (ICRS)\t[ucd=pos.eq.dec]",
            "#Column\tz\t(F7.5)\t? Redshift\t[ucd=src.redshift]",
            "ACO\t_RA_icrs\t_DE_icrs\tz",
            " \tdeg\tdeg\t ",
            "---------\t----------\t----------\t-------",
            *(f"{name}\t{ra:10.6f}\t{dec:+10.6f}\t{z:7.5f}" for name, ra, dec, z in rows),
            "",
        ]
    ).encode()


def topcat():
    """A FITS file as TOPCAT writes it: a VOTable in the primary HDU, UCDs as TUCDn."""
    columns = [
        fits.Column("CLUSTER_ID", "9A", array=NAMES),
        fits.Column("RA_J2000", "D", unit="deg", array=COORD.ra.deg),
        fits.Column("DEC_J2000", "D", unit="deg", array=COORD.dec.deg),
        fits.Column("ZCL", "D", array=Z),
        fits.Column("N", "J", array=[1, 2, 3]),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    for number, ucd in ((1, "meta.id;meta.main"), (4, "src.redshift")):
        table.header[f"TUCD{number}"] = ucd
    primary = fits.PrimaryHDU(np.frombuffer(b"<?xml version='1.0'?><VOTABLE/>", np.uint8))
    primary.header["VOTMETA"] = True
    buffer = io.BytesIO()
    fits.HDUList([primary, table]).writeto(buffer)
    return buffer.getvalue()


FILES = {
    "simbad.vot": simbad,
    "simbad_before.xml": simbad_before,
    "ned.xml": ned,
    "psz2.vot": vizier_psz2,
    "mcxc.vot": vizier_mcxc,
    "aco.tsv": vizier_tsv,
    "topcat.fits": topcat,
}


def assert_read(sample):
    assert sample.names.tolist() == NAMES
    np.testing.assert_allclose(sample.redshift, Z, rtol=1e-7)
    assert sample.coord.icrs.separation(COORD).arcsec.max() < 1


@pytest.mark.parametrize("name", FILES)
def test_files_are_read_without_options(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    assert_read(ClusterSample.read(path))
    assert_read(load_sample(path))
    out = tmp_path / "out.ecsv"
    result = CliRunner().invoke(main, ["catalog", str(path), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert_read(ClusterSample.read(out))


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith((".tsv", ".fits"))])
def test_tables_of_astroquery_are_read_without_options(name):
    table = Table.read(io.BytesIO(FILES[name]()), format="votable")
    assert_read(ClusterSample.from_table(table))
    found = crossmatch(table, QTable({"coord": COORD, "name": ["a", "b", "c"]}), radius="1 arcmin")
    assert found["b_name"].tolist() == ["a", "b", "c"]
    table["mass"] = [5e14, 6e14, 7e14] * u.solMass
    lensing = LensingTable(table, mass_definition="500c", cosmology="PSZ2")
    assert_read(lensing.sample())


def test_data_frames_are_read_without_options():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"Name": NAMES, "RA": COORD.ra.deg, "Dec": COORD.dec.deg, "z": Z, "note": ["x", None, "y"]}
    )
    before = frame.copy(deep=True)
    assert_read(ClusterSample.from_table(frame))
    assert_read(ClusterSample.from_table(frame.set_index("Name")))
    assert frame.equals(before)
    assert ClusterSample.from_table(frame).table["note"].mask.tolist() == [False, True, False]
    frame.loc[1, "z"] = np.nan
    assert np.isnan(ClusterSample.from_table(frame).redshift[1])
    simbad_frame = Table.read(io.BytesIO(simbad()), format="votable").to_pandas()
    assert_read(ClusterSample.from_table(simbad_frame))
    both = crossmatch(frame, simbad_frame, radius="1 arcmin")
    assert len(both) == 3
    # Right ascensions that can be hours: only who made the frame knows.
    with pytest.raises(
        InvalidUnitError, match=r"'RA' must have an angular unit.*units=\{'RA': 'deg'"
    ):
        ClusterSample.from_table(frame[1:2])
    units = {"ra": "deg", "dec": "deg"}
    for columns in ({"ra": "RA", "dec": "Dec"}, {"ra": "RA"}, None):
        told = ClusterSample.from_table(frame[1:2], columns=columns, units=units)
        assert told.coord.ra.deg[0] == COORD.ra.deg[1]
    told = crossmatch(frame[1:2], told, radius="1 arcsec", columns=({"units": units}, None))
    assert len(told) == 1


@pytest.mark.parametrize("mark", [-99.0, 99.99, 999.0])
def test_marks_of_unknown_values_prove_no_degrees(mark):
    hours = table(ra=[COORD.ra.hour[0], COORD.ra.hour[1], mark], dec=COORD.dec.deg)
    for missing in ({}, {"ra": mark}):
        with pytest.raises(InvalidUnitError, match="'ra' must have an angular unit"):
            ClusterSample.from_table(hours, missing=missing)
    hours["ra"][2] = 37.0
    with pytest.raises(InvalidUnitError, match="'ra' must have an angular unit"):
        ClusterSample.from_table(hours, missing={"ra": 37.0})


def table(**columns):
    base = {"name": NAMES, "ra": COORD.ra, "dec": COORD.dec, "z": Z}
    return Table({name: value for name, value in (base | columns).items() if value is not None})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"redshift": [0.1, 0.2, 0.3]},
            "several columns for the redshift, which differ: redshift, z",
        ),
        ({"redshift": MaskedColumn(Z, mask=[0, 0, 1])}, "which differ: redshift, z"),
        ({"z": None, "rvz_redshift": Z, "z_value": [1, 2, 3]}, "differ: rvz_redshift, z_value"),
        ({"z": None, "z_1": Z, "z_2": Z}, r"no column 'redshift' or 'z'.*'redshift': 'z_1'"),
        (
            {"RA_ICRS": COORD.ra + 1 * u.arcmin, "DE_ICRS": COORD.dec},
            r"several positions, ra/dec and RA_ICRS/DE_ICRS, which differ by 0\.99 arcmin",
        ),
        (
            {"glon": COORD.galactic.l, "glat": COORD.galactic.b + 0.1 * u.deg},
            r"differ by 6 arcmin .rows 0, 1, 2.. Say .*\{'ra': 'ra'.*\{'glon': 'glon'",
        ),
        (
            {"ra": None, "dec": None, "ra_1": COORD.ra, "dec_1": COORD.dec},
            "'ra': 'ra_1', 'dec': 'dec_1'",
        ),
        ({"name": None, "id": [1, 2, 3]}, "no column 'name' or 'cluster'.*'name': 'id'"),
        ({"ra": ["239.58", "10.46", "227.73"]}, "does not say whether it is in degrees or hours"),
        ({"ra": ["239.58", "00 41 50", "227.73"]}, "holds numbers such as 239.58, and hours"),
    ],
)
def test_what_could_be_two_things_is_refused_by_name(columns, message):
    with pytest.raises(InvalidInputError, match=message):
        ClusterSample.from_table(table(**columns))


def test_columns_that_say_the_same_are_no_contradiction():
    galactic = COORD.galactic
    same = table(redshift=Z, RA_ICRS=HMS, DE_ICRS=DMS, glon=galactic.l, glat=galactic.b)
    assert_read(ClusterSample.from_table(same))
    # A length is no redshift.
    assert_read(ClusterSample.from_table(table(redshift=Z, z=[1, 2, 3] * u.Mpc)))
    # What is told is taken, whatever there is beside it.
    two = table(redshift=[0.1, 0.2, 0.3], RA_ICRS=COORD.ra + 1 * u.deg, DE_ICRS=COORD.dec)
    told = {"redshift": "z", "ra": "ra", "dec": "dec"}
    with pytest.raises(InvalidInputError, match="a column 'redshift' besides the one"):
        ClusterSample.from_table(two, columns=told)
    two.remove_column("redshift")
    assert_read(ClusterSample.from_table(two, columns=told))
    assert_read(ClusterSample.from_table(two, columns=told | {"ra": "ra"}))


def test_one_grammar_of_columns_and_units():
    mine = Table({"id": NAMES, "lon": COORD.ra.deg / 15, "lat": COORD.dec.deg, "zz": [*Z[:2], -1]})
    mine["mass"] = [5.0, 6.0, 7.0]
    columns = {"name": "id", "ra": "lon", "dec": "lat", "redshift": "zz"}
    units = {"ra": "hourangle", "dec": "deg"}
    said = {"columns": columns, "units": units, "missing": {"redshift": -1}}
    sample = ClusterSample.from_table(mine, **said)
    units_of_mass = {"units": units | {"mass": "1e14 solMass"}}
    lensing = LensingTable(mine, mass_definition="500c", cosmology="PSZ2", **said | units_of_mass)
    for found in (sample, lensing.sample()):
        assert found.coord.separation(COORD).arcsec.max() < 1e-3
        assert np.isnan(found.redshift).tolist() == [False, False, True]
    role = columns | {"units": units, "missing": {"redshift": -1}}
    pairs = crossmatch(mine, sample, radius="1 arcsec", columns=(role, None))
    assert pairs["a_id"].tolist() == NAMES
    by_theirs = role | {"units": {"lon": "hourangle", "lat": "deg"}, "missing": {"zz": -1}}
    assert len(crossmatch(mine, sample, radius="1 arcsec", columns=(by_theirs, None))) == 3


def test_two_positions_do_not_stop_a_match_by_name():
    two = table(RA_ICRS=COORD.ra + 1 * u.deg, DE_ICRS=COORD.dec)
    assert len(crossmatch(two, table(), by="name")) == 3
    with pytest.raises(InvalidInputError, match="'a': The table has several positions"):
        crossmatch(two, table())


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.filterwarnings(
    "ignore:.*keeps neither units:astropy.utils.exceptions.AstropyUserWarning"
)
def test_plain_text_goes_out_and_comes_back(tmp_path, suffix):
    sample = ClusterSample.from_table(table(note=["a\tb", 'say "x"', "c,d"]))
    path = tmp_path / f"clusters{suffix}"
    sample.write(path)
    assert ("\t" if suffix == ".tsv" else ",") in path.read_text().splitlines()[0]
    again = ClusterSample.read(path)
    assert_read(again)
    assert again.table["note"].tolist() == sample.table["note"].tolist()


def test_pipes_of_the_shell(tmp_path):
    """One process writes to the next, as on a terminal."""
    path, out = tmp_path / "aco.tsv", tmp_path / "out.fits"
    path.write_bytes(vizier_tsv())
    szmass = f"{sys.executable} -m szmass catalog"
    result = subprocess.run(
        f"{szmass} {path} -o - | {szmass} - -o {out}",
        shell=True,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "3 clusters written to standard output" in result.stderr
    assert result.stdout == f"3 clusters written to {out}\n"
    assert_read(ClusterSample.read(out))


def run(*args, **options):
    return CliRunner().invoke(main, [str(arg) for arg in args], **options)


@pytest.mark.parametrize("name", FILES)
def test_standard_input_is_told_by_its_content(tmp_path, name):
    out = tmp_path / "out.ecsv"
    result = run("catalog", "-", "-o", out, input=FILES[name]())
    assert result.exit_code == 0, result.output
    assert_read(ClusterSample.read(out))


def test_mistakes_in_pipes_are_told(tmp_path):
    out = tmp_path / "out.ecsv"
    result = run("catalog", "-", "-o", out, input=b"")
    assert result.exit_code == 1
    assert "Error: standard input could not be read as csv: it is empty" in result.output
    result = run("match", "-", "-", "-o", out, input=b"")
    assert result.exit_code == 2
    assert "standard input ('-') can be read once" in result.output
    result = run("catalog", "-", "-o", "-", input=b"name,ra,dec\nA,1,2\n")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "standard input: The table has no column 'redshift'" in result.stderr
    assert not out.exists()


def test_a_lensing_table_of_ones_own_on_the_shell(tmp_path):
    path, lensing = tmp_path / "mine.csv", tmp_path / "lensing.ecsv"
    mine = Table({"cluster": NAMES, "ra": COORD.ra.deg, "dec": COORD.dec.deg, "z": Z})
    mine["M200"], mine["err"] = [5.0, 6.0, -1.0], [1.0, 1.0, -1.0]
    mine.write(path)
    told = [
        "--column",
        "mass=M200",
        "--column",
        "mass_err=err",
        "--unit",
        "mass=1e14 solMass/littleh",
    ]
    told += ["--missing", "mass=-1", "--missing", "mass_err=-1"]
    about = ["--mass-definition", "200c", "--cosmology", "Planck18"]
    result = run("catalog", path, *told, *about, "-o", lensing)
    assert result.exit_code == 0, result.output
    out = tmp_path / "masses.ecsv"
    estimate = ["estimate", "--catalog", path, "--estimators", "lensing", "-o", out]
    result = run(*estimate, "--set", f"lensing.table={lensing}", "--set", "lensing.cosmology=PSZ2")
    assert result.exit_code == 0, result.output
    expected = LensingTable.read(lensing).masses(mass_definition="500c", cosmology="PSZ2")["mass"]
    masses = QTable.read(out)["mass_lensing"]
    np.testing.assert_array_equal(masses.value[:2], expected.value[:2])
    assert np.isnan(masses.value[2])
    result = run("catalog", path, *told, *about[:2], "-o", tmp_path / "no.ecsv")
    assert result.exit_code == 1
    assert "'--cosmology' must say in which cosmology" in result.output
    result = run("catalog", path, *told, *about, "--redshift", 0, 1, "-o", tmp_path / "no.ecsv")
    assert result.exit_code == 2


def test_cds_tables_with_their_readme(tmp_path):
    rows = zip(NAMES, COORD.ra.deg, COORD.dec.deg, Z, strict=True)
    lines = [f"{name:9} {ra:8.4f} {dec:8.4f} {z:6.4f}" for name, ra, dec, z in rows]
    path, readme = tmp_path / "clusters.dat", tmp_path / "elsewhere" / "ReadMe.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    readme.parent.mkdir()
    bar = "-" * 80
    text = [
        *("J/A+A/1/1  Made up", "=" * 80, "File Summary:", bar),
        *(" FileName   Lrecl  Records  Explanations", bar, "ReadMe        80     .  This file"),
        *("clusters.dat  34     3  Clusters", bar, ""),
        *("Byte-by-byte Description of file: clusters.dat", bar),
        *("   Bytes Format Units  Label   Explanations", bar),
        *("   1-  9  A9    ---    Name    Name", "  11- 18  F8.4  deg    RAdeg   Right ascension"),
        *("  20- 27  F8.4  deg    DEdeg   Declination", "  29- 34  F6.4  ---    z       Redshift"),
        *(bar, "", "=" * 80),
    ]
    readme.write_text("\n".join(text) + "\n")
    assert_read(ClusterSample.read(path, readme=readme))
    assert_read(load_sample(path, readme=readme))
    out = tmp_path / "out.ecsv"
    assert run("catalog", path, "--readme", readme, "-o", out).exit_code == 0
    assert_read(ClusterSample.read(out))
    result = run("catalog", path, "-o", tmp_path / "no.ecsv")
    assert result.exit_code == 1
    assert (
        "put it into the same folder under the name 'ReadMe', or give it by --readme"
        in result.output
    )
