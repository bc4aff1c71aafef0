"""The register of catalogues, and samples from whatever names one."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table

from szmass.catalogs import (
    CATALOGS,
    Catalog,
    CatalogColumn,
    DeAndres2022Catalog,
    PSZ2Catalog,
    catalog_columns,
    load_catalog,
    load_sample,
    register_catalog,
)
from szmass.exceptions import (
    DuplicateNameError,
    FileFormatError,
    InvalidInputError,
    InvalidUnitError,
    SzmassWarning,
    UnknownNameError,
)


def test_register():
    assert CATALOGS["psz2"] is PSZ2Catalog
    assert CATALOGS["deandres2022"] is DeAndres2022Catalog
    with pytest.raises(UnknownNameError, match="Did you mean 'psz2'"):
        _ = CATALOGS["psz"]
    with pytest.raises(DuplicateNameError, match="'psz2' is taken"):
        register_catalog(type("Other", (Catalog,), {"tag": "psz2"}))


def test_only_catalogues_are_registered():
    with pytest.raises(InvalidInputError, match="must be a sub-class of szmass.catalogs.Catalog"):
        register_catalog(Table)
    with pytest.raises(InvalidInputError, match="Nameless must be registered under its tag"):
        register_catalog(type("Nameless", (Catalog,), {}))
    with pytest.raises(InvalidInputError, match="under its tag, 'psz2', a string. Received: 'psz'"):
        CATALOGS.add("psz", PSZ2Catalog)


def test_docstrings_of_catalogues_say_what_the_table_is_once():
    class Plain(Catalog):
        """Some clusters.

        References
        ----------
        A paper.
        """

    class Told(Catalog):
        """Some clusters.

        Parameters
        ----------
        rows : list
            Rows of its own.
        """

    class Silent(Catalog):
        pass

    assert re.findall(r"(\w+)\n---", Plain.__doc__) == ["Parameters", "References"]
    assert "with the published columns or with ours" in Plain.__doc__
    assert re.findall(r"(\w+)\n\s*---", Told.__doc__) == ["Parameters"]
    assert not Silent.__doc__


@pytest.mark.parametrize(("name", "limit"), [("ra", 360), ("dec", 90), ("glon", 360), ("glat", 90)])
def test_angles_end_where_the_sky_does(name, limit):
    names = ("ra", "dec") if name in ("ra", "dec") else ("glon", "glat")

    class Angles(Catalog):
        tag = "angles"
        position = (*names, "icrs" if name in ("ra", "dec") else "galactic")
        columns = catalog_columns(
            f"""
            name      name       str
            {names[0]:9} {names[0]:10} deg    Longitude
            {names[1]:9} {names[1]:10} deg    Latitude
            """
        )

    def catalog(value):
        values = dict.fromkeys(names, [0.0] * u.deg) | {name: [value] * u.deg}
        return Angles(QTable({"name": ["A"], **values}))

    assert catalog(float(limit)).table[name][0] == limit * u.deg
    for beyond in (limit + 0.01, -limit - 0.01):
        with pytest.raises(InvalidInputError, match=f"'{name}' is beyond {limit} deg in 1 row"):
            catalog(beyond)


PLUGIN = '''
"""A package with a catalogue of its own."""

from szmass.catalogs import Catalog, catalog_columns


class OursCatalog(Catalog):
    """Our clusters."""

    tag = "ours"
    description = "Our clusters"
    expected_rows = 2
    references = ("2026Ours....1....1X",)
    unitless_forms = ("csv",)
    columns = catalog_columns(
        """
        name      ID      str
        ra        alpha   deg      Right ascension (J2000)
        dec       delta   deg      Declination (J2000)
        redshift  zspec   float
        m500      M       solMass  M500c from the richness
        m500_err  e_M     solMass
        """,
        required=("name", "ra", "dec"),
        missing={"redshift": -1},
        published_units={"solMass": "1e14 solMass"},
    )
'''


def test_catalogue_of_another_package(tmp_path):
    """An installed package's entry point is all that it takes."""
    site = tmp_path / "site"
    about = site / "ours-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "ours_package.py").write_text(PLUGIN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[szmass.catalogs]\nours = ours_package:OursCatalog\nbroken = ours_package:nothing\n"
        "mistaken = ours_package:OursCatalog\n"
    )
    (tmp_path / "ours.csv").write_text(
        "ID,alpha,delta,zspec,M,e_M\nA,10,20,0.1,3,1\nB,30,-40,-1,5,2\n"
    )
    script = """
        import sys, warnings
        from szmass.catalogs import CATALOGS, load_catalog
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert "ours" in CATALOGS and len(CATALOGS["ours"].columns) == 6
        told = sorted(str(w.message) for w in caught)
        assert len(told) == 2, told
        assert "'broken'" in told[0] and "could not be loaded" in told[0]
        assert "'mistaken'" in told[1] and "registered under its tag, 'ours'" in told[1]
        assert "mistaken" not in CATALOGS and "psz2" in CATALOGS
        catalog = load_catalog(sys.argv[1])
        assert type(catalog) is CATALOGS["ours"]
        sample = catalog.sample(m500=("4e14 solMass", None))
        assert list(sample.names) == ["B"] and sample[0].redshift is None
        assert catalog.table.meta["references"] == ["2026Ours....1....1X"]
    """
    path = os.pathsep.join((str(site), str(Path(__file__).parents[2])))
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "ours.csv")],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        timeout=120,
    )


@pytest.mark.parametrize("cls", list(CATALOGS.values()), ids=lambda cls: cls.tag)
def test_descriptions_are_complete(cls):
    assert cls.tag
    assert cls.description
    assert cls.expected_rows > 0
    assert all(len(bibcode) == 19 for bibcode in cls.references)
    names = [column.name for column in cls.columns]
    assert len(set(names)) == len(names)
    aliases = [alias for column in cls.columns for alias in set(column.aliases)]
    assert len(set(aliases)) == len(aliases), "one name would mean two columns"
    assert all(column.description for column in cls.columns)


class Tiny(Catalog):
    tag = "tiny"
    columns = (
        CatalogColumn(name="name", fits="ID", dtype="str", required=True, description="Name"),
        CatalogColumn(name="ra", fits="RA", unit="deg", required=True, description="RA"),
        CatalogColumn(name="dec", fits="DE", unit="deg", required=True, description="Dec"),
        CatalogColumn(name="redshift", fits="Z", missing=-9, description="Redshift"),
        CatalogColumn(name="known", fits="F", dtype="bool", description="Flag"),
        CatalogColumn(name="n", fits="N", dtype="int", description="Count"),
    )


def tiny(**columns):
    table = Table(
        {
            "ID": [b"a ", b" b", b"c"],
            "RA": [1.0, 2.0, 3.0],
            "DE": [1.0, 2.0, 3.0],
            "Z": [0.1, -9, np.nan],
            "F": ["T", "false", "1"],
            "N": [1.0, 2.0, 3.0],
        }
    )
    for name in ("RA", "DE"):
        table[name].unit = "degrees"
    for name, values in columns.items():
        table[name] = values
    return Tiny(table)


@pytest.mark.filterwarnings("ignore:'degrees' did not parse")
def test_odd_but_clear_values():
    table = tiny().table
    assert list(table["name"]) == ["a", "b", "c"]
    assert list(table["redshift"].mask) == [False, True, True]
    assert list(table["known"]) == [True, False, True]
    assert table["n"].dtype == int
    assert tiny()["B"].redshift is None
    assert tiny(Z=np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])).table["redshift"].mask[1]
    with pytest.raises(FileFormatError, match="'F' does not hold .*neither true nor false"):
        tiny(F=["T", "maybe", ""])
    with pytest.raises(FileFormatError, match="'ID' has no value in 1 rows, the first .* row 1"):
        tiny(ID=["a", " ", "c"])


def test_columns_as_a_table():
    columns = catalog_columns(
        """
        name        ID id       str
        other_name  -           str    Another name,
                                       if it has one
        m500_errn   M_lo        solMass
        y           Y           float  What it says
                    and goes on to say
        """,
        required="name",
        missing={"y": 0},
        published_units={"solMass": "1e14 solMass"},
    )
    assert [c.name for c in columns] == ["name", "other_name", "m500_errn", "y"]
    assert [c.aliases for c in columns] == [
        ("name", "ID", "id"), ("other_name",), ("m500_errn", "M_lo"), ("y", "Y"),
    ]  # fmt: skip
    assert [c.dtype for c in columns] == ["str", "str", "float", "float"]
    assert [c.unit for c in columns] == [None, None, "solMass", None]
    assert [c.published_unit for c in columns] == [None, None, "1e14 solMass", None]
    assert [c.required for c in columns] == [True, False, False, False]
    assert [c.missing for c in columns] == [None, None, None, 0]
    assert [c.description for c in columns] == [
        "Name",
        "Another name, if it has one",
        "Distance down to the end of the 68 % interval",
        "What it says and goes on to say",
    ]
    assert all(
        c.required for c in catalog_columns("name  ID  str\nredshift  z  float", required=True)
    )


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("name ID  str", {}, "two or more blanks between them. Received: 'name ID  str'"),
        ("name  ID  str\nmass  M  solMass", {}, "what it holds.*Received: 'mass  M  solMass'"),
        ("name  ID  str", {"required": ("name", "ra")}, "No column ra is described"),
        ("name  ID  str", {"missing": {"z": -1}}, "No column z is described"),
        ("name  ID  text", {}, "kind of 'name' must be one of float, .*or a unit.*'text'"),
    ],
)
def test_table_of_columns_that_cannot_be(text, options, message):
    with pytest.raises(InvalidInputError, match=message):
        catalog_columns(text, **options)


class Edges(Catalog):
    """Values on the edges of ranges, and masked ones over numbers that would match."""

    tag = "edges"
    columns = catalog_columns(
        """
        name      -  str
        ra        -  deg      RA
        dec       -  deg      Dec
        redshift  -  float
        mass      -  solMass  Mass
        n         -  int      Count
        other     -  str      Other name
        good      -  bool     Flag
        """,
        required=("name", "ra", "dec"),
        missing={"n": -1},
    )


@pytest.fixture
def edges():
    table = Table({"name": list("abcde"), "ra": [1.0, 2, 3, 4, 5], "dec": [0.0] * 5})
    table["ra"].unit = table["dec"].unit = "deg"
    table["redshift"] = [0.0, 0.05, 0.1, 0.3, np.nan]
    table["mass"] = [1e14, 2e14, 3e14, 4e14, np.nan]
    table["mass"].unit = "solMass"
    table["n"] = [0, 1, 2, 3, -1]
    table["other"] = ["x", "y", "", "y", ""]
    table["good"] = [True, False, True, False, True]
    return Edges(table)


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ({"redshift": (0.1, 0.3)}, "d"),  # the lower end is left out, the upper one is in
        ({"redshift": (0.0999, 0.2999)}, "c"),
        ({"redshift": [0.1, 0.3]}, "d"),
        ({"redshift": (0, None)}, "bcd"),
        ({"redshift": (None, 0)}, "a"),
        ({"redshift": (-0.1, 0)}, "a"),
        ({"redshift": (None, None)}, "abcd"),
        ({"n": (1, 3)}, "cd"),
        ({"n": (-1, None)}, "abcd"),  # -1 is masked, and so is what stands under the mask
        ({"n": (None, 0)}, "a"),
        ({"n": 0}, "a"),
        ({"n": 1}, "b"),
        ({"mass": (0, None)}, "abcd"),
        ({"mass": (0.0, "2e14 solMass")}, "ab"),
        ({"mass": ("1e14 solMass", "3e14 solMass")}, "bc"),
        ({"mass": "3e14 solMass"}, "c"),
        ({"other": "y"}, "bd"),
        ({"good": True}, "ace"),
        ({"good": False, "n": (1, None)}, "d"),
        ({"names": ["d", "a", "c"], "redshift": (0, None)}, "dc"),
        ({"names": "B"}, "b"),
        ({"names": []}, ""),
        ({"where": [True, True, False, False, True], "good": True}, "ae"),
        ({"where": np.ma.masked_array([True] * 5, mask=[1, 0, 0, 1, 0])}, "bce"),
        ({}, "abcde"),
    ],
)
def test_ends_of_a_selection(edges, selection, names):
    assert list(edges.sample(**selection).names) == list(names)


@pytest.mark.parametrize(
    "selection",
    [
        {"redshift": (0.1, 0.1)},
        {"redshift": (3, None)},
        {"other": ""},  # no name is no name to select by
        {"where": [False] * 5},
        {"good": False, "n": 0},
    ],
    ids=str,
)
def test_a_selection_of_nothing_is_told(edges, selection):
    with pytest.warns(SzmassWarning, match=f"None of 5 rows is selected by {', '.join(selection)}"):
        assert len(edges.sample(**selection)) == 0


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"redshift": (0.3, 0.1)}, r"'redshift' must be .* lower end first. Received: .0.3, 0.1"),
        ({"mass": ("3e14 solMass", 0)}, "'mass' must be .* lower end first"),
        ({"redshift": "0-1"}, r"'redshift' must be a number or .low, high.. Received: '0-1'"),
        ({"redshift": ("0", "1")}, "'redshift' must be a number or .low, high.. Received: '0'"),
        ({"redshift": (np.nan, 1)}, "'redshift' must be .low, high., two numbers or None"),
        ({"redshift": True}, "'redshift' must be a number"),
        ({"n": "1"}, "'n' must be a number or .low, high.. Received: '1'"),
        ({"other": 3}, "'other' must be a text. Received: 3"),
        ({"good": "yes"}, "'good' must be True or False. Received: 'yes'"),
        ({"good": 2}, "'good' must be True or False. Received: 2"),
        ({"redshift": (0.1,)}, r"'redshift' must be \(low, high\)"),
        ({"redshift": ()}, r"'redshift' must be \(low, high\)"),
        ({"good": (0, 1)}, "'good' must be one value, not a range"),
        ({"mass": (1, None)}, "'mass' must be a Quantity"),
        ({"mass": 1e14}, "'mass' must be a Quantity"),
        ({"mass": None}, "'mass' must be a"),
        ({"where": [1, 1, 0, 0, 1]}, "one entry per row .5..* Received: dtype int"),
        ({"where": [True] * 6}, "one entry per row"),
        ({"z": (0, 1)}, "no column 'z' to select by. It has name, ra"),
    ],
)
def test_selections_that_cannot_be(edges, selection, message):
    with pytest.raises(InvalidInputError, match=message):
        edges.sample(**selection)
    with pytest.raises(UnknownNameError, match="No edges row is named 'f'"):
        edges.sample(names=["f"])


def test_position_of_a_sample_is_said_once(edges):
    assert "ra" not in edges.sample().table.colnames
    assert edges["c"].coord.ra.deg == 3
    assert edges[-1].name == "e"
    assert edges[1:3].names.tolist() == ["b", "c"]
    without = type("Without", (Edges,), {"position": None})(edges.table)
    with pytest.raises(InvalidInputError, match="'edges' has no positions"):
        without.sample()


@pytest.mark.parametrize("form", ["fits", "cds", "votable"])
def test_sample_of_a_catalogue_file(published, form):
    sample = load_sample(published[form], redshift=(0, 0.3))
    whole = PSZ2Catalog.read(published[form])
    assert list(sample.names) == list(whole.sample(redshift=(0, 0.3)).names)
    assert len(load_sample(str(published[form]))) == 60


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_sample_of_a_file_of_our_own(catalog, tmp_path, suffix):
    sample = catalog.sample(redshift=(0, 1))
    catalog.write(tmp_path / f"catalog{suffix}")
    sample.write(tmp_path / f"sample{suffix}")
    for again in (
        load_sample(tmp_path / f"catalog{suffix}", redshift=(0, 1)),
        load_sample(tmp_path / f"sample{suffix}"),
    ):
        assert again.table.colnames == sample.table.colnames
        assert list(again.names) == list(sample.names)
        assert again.coord.frame.name == "galactic"
        assert again.coord.separation(sample.coord).max().arcsec < 1e-6
        np.testing.assert_array_equal(again.quantity("msz"), sample.quantity("msz"))


def test_sample_of_any_table(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("cluster,RAdeg,DEdeg,z,M500\nA1,10,20,0.1,3\nA2,30,-40,0.3,5\n")
    sample = load_sample(
        path, redshift=(0.1, 0.3), columns={"msz": "M500"}, units={"msz": "1e14 solMass"}
    )
    assert list(sample.names) == ["A2"]
    assert sample[0].msz.value == 5e14
    for ends, names in (((None, 0.1), ["A1"]), ((None, None), ["A1", "A2"])):
        assert list(load_sample(path, redshift=ends).names) == names
    with pytest.warns(SzmassWarning, match="None of 2 rows is selected by redshift 0.3 to None"):
        assert len(load_sample(path, redshift=(0.3, None))) == 0
    with pytest.raises(InvalidInputError, match="'redshift' must be .* lower end first"):
        load_sample(path, redshift=(0.3, 0.1))
    for ends in (0.1, (0.1,), (0.1, 0.2, 0.3)):
        with pytest.raises(InvalidInputError, match=r"'redshift' must be \(low, high\)"):
            load_sample(path, redshift=ends)
    with pytest.raises(InvalidUnitError, match="'msz' has no unit"):
        load_sample(path, columns={"msz": "M500"})


def test_name_of_a_catalogue_fetches_it(monkeypatch, catalog):
    monkeypatch.setattr(PSZ2Catalog, "fetch", classmethod(lambda cls, **options: catalog))
    assert len(load_sample("psz2")) == 60


def test_neither_file_nor_catalogue(tmp_path):
    with pytest.raises(UnknownNameError, match="neither a file .* known catalogue .*psz2"):
        load_sample(tmp_path / "nothing.fits")
    (tmp_path / "x.txt").write_text("a b\n1 2\n")
    with pytest.raises(FileFormatError, match="Known forms are"):
        load_sample(tmp_path / "x.txt")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInputError, match="no column 'name' or 'cluster'"):
        load_sample(tmp_path / "x.csv")


EVERYDAY = {
    "as spt-sz": "name ra dec snr redshift redshift_err m500 m500_errn m500_errp richness",
    "as medezinski2018": "name ra dec z M500c e_M500c",
    "as medezinski2018, its names": "cluster ra_deg dec_deg z M500c e_M500c",
    "as sereno2017": "cluster ra_deg dec_deg z M200c e_M200c M500c e_M500c",
    "as umetsu2014": "cluster ra_deg dec_deg z M200c e_M200c M500c e_M500c kt",
    "as lc2": "name ned_name ra dec redshift m500c m500c_err m200c m200c_err author bibcode",
    "as mcxc": "name other_name alternative_names ra dec redshift survey l500 m500 r500 notes",
    "as erass1": "name ra dec redshift redshift_type extent_likelihood p_contamination m500 "
    "m500_errn m500_errp",
    "as act-dr5": "name ra dec snr fixed_snr redshift redshift_err redshift_type m500 m500_errn "
    "m500_errp m200m m200m_errn m200m_errp m500_cal m500_cal_errn m500_cal_errp",
}


@pytest.mark.parametrize("columns", EVERYDAY.values(), ids=EVERYDAY)
@pytest.mark.parametrize("rows", [2, 5, 35])
def test_a_table_of_ones_own_stays_ones_own(columns, rows, tmp_path):
    table = Table()
    for name in columns.split():
        text = name in ("name", "cluster", "author", "bibcode", "survey", "notes", "redshift_type")
        text |= name.endswith("_name") or name == "alternative_names"
        table[name] = [f"XY{i}" for i in range(rows)] if text else 0.1 + np.arange(rows)
    table["ours"] = np.arange(rows)
    lon, lat = (next(n for n in table.colnames if n.startswith(key)) for key in ("ra", "dec"))
    table[lon].unit = table[lat].unit = "deg"
    if lon == "ra_deg":
        table["coord"] = SkyCoord(table[lon], table[lat])
        table.remove_columns([lon, lat])
    table.write(tmp_path / "mine.ecsv")
    sample = load_sample(tmp_path / "mine.ecsv")
    assert not {"catalog", "references"} & set(sample.meta)
    assert "ours" in sample.table.colnames


def test_columns_beside_those_of_a_catalogue_are_told(catalog, tmp_path):
    catalog.table["richness"] = np.arange(60)
    catalog.write(tmp_path / "more.ecsv")
    with pytest.warns(SzmassWarning, match="as the catalogue 'psz2', without .* richness. Use"):
        assert len(load_sample(tmp_path / "more.ecsv")) == 60


def test_a_name_in_meta_that_is_no_tag(tmp_path):
    table = Table({"name": ["a"], "z": [0.1]}, meta={"catalog": "my survey", "references": ["me"]})
    table["coord"] = SkyCoord([1], [2], unit="deg")
    table.write(tmp_path / "mine.ecsv")
    assert load_sample(tmp_path / "mine.ecsv").meta["catalog"] == "my survey"


def test_a_catalogue_can_be_named(tmp_path):
    table = Table({"cluster": ["A1", "A2"]})
    for name in EVERYDAY["as sereno2017"].split()[1:]:
        table[name] = [0.1, 0.2]
    table.write(tmp_path / "masses.csv")
    named = load_catalog(f"sereno2017:{tmp_path / 'masses.csv'}")
    assert type(named) is CATALOGS["sereno2017"]
    with pytest.raises(InvalidInputError, match="columns of the catalogue 'sereno2017' are known"):
        load_catalog(f"sereno2017:{tmp_path / 'masses.csv'}", name="x")
    for name in ("PSZ2", "psz", "psz2:"):
        with pytest.raises(UnknownNameError, match="neither a file nor .*Did you mean 'psz2'"):
            load_catalog(name)
    with pytest.raises(FileNotFoundError, match="no file 'nothing.csv'"):
        load_catalog("psz2:nothing.csv")
