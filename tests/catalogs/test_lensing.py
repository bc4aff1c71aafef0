"""Tables of weak-lensing masses: published ones, a user's own, and conversions."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.cosmology import FlatLambdaCDM
from astropy.table import Column, QTable, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass.catalogs import (
    CATALOGS,
    Herbonnet2020Table,
    LC2Table,
    LensingTable,
    Medezinski2018Table,
    PublishedLensingTable,
    Sereno2017Table,
    Umetsu2014Table,
    Umetsu2016Table,
    load_lensing_table,
)
from szmass.exceptions import (
    DuplicateNameError,
    FileFormatError,
    InvalidInputError,
    InvalidUnitError,
)
from szmass.physics import convert_mass, get_cosmology

PUBLISHED = [cls for cls in CATALOGS.values() if issubclass(cls, PublishedLensingTable)]


def own_table(**changes):
    """Make a small table as a user may have it: no units, names of its own."""
    table = Table(
        {
            "ID": ["A85", "A2142", "A2029"],
            "alpha": [10.46, 239.58, 227.73],
            "delta": [-9.30, 27.23, 5.74],
            "z": [0.0555, 0.0894, 0.0766],
            "M": [5.7, 9.7, 12.1],
            "eM": [2.2, 2.3, 2.5],
        }
    )
    for name, values in changes.items():
        table[name] = values
    return table


OPTIONS = {
    "columns": {"name": "ID", "ra": "alpha", "dec": "delta", "mass": "M", "mass_err": "eM"},
    "mass_definition": "500c",
    "cosmology": "PSZ2",
    "units": {"mass": "1e14 solMass", "ra": "deg", "dec": "deg"},
}
DEGREES = {"ra": "deg", "dec": "deg"}
HOURS = {"mass": "1e14 solMass", "dec": "deg"}


def published_table(cls):
    """Make two rows with the published columns and no units."""
    table = Table()
    for i, column in enumerate(cls.columns):
        name = column.fits or column.vizier[0]
        values = [1.0 + 0.01 * i, 2.0]
        if column.dtype == "str":
            values = ["A1", "A2"]
        elif column.name in ("ra", "dec") and name.endswith("ms"):
            values = ["01:02:03.4", "02:03:04.5"]
        elif column.name == "redshift":
            values = [0.1, 0.2]
        table[name] = values
    return table


@pytest.mark.parametrize("cls", PUBLISHED, ids=lambda cls: cls.tag)
@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits", ".vot"])
def test_published_tables_read_what_they_document(cls, suffix, tmp_path):
    options = {}
    if cls is Medezinski2018Table:
        options = {"cosmology": "PSZ2", "units": {"mass": "1e14 solMass"}}
    path = tmp_path / f"table{suffix}"
    written = published_table(cls)
    written.write(path, format="votable" if suffix == ".vot" else None)
    table = cls.read(path, **options)
    assert len(table) == 2
    for column in table.mass_columns:
        assert table.table[column.name].unit == u.solMass
        assert np.all(table.table[column.name].value >= 1e14)
        assert {column.name, column.errn, column.errp} <= set(table.table.colnames)
    assert table.references
    assert len(table.sample()) == 2
    masses = table.masses()
    assert np.all(np.isfinite(masses["mass"].value))
    assert masses.meta["mass_definition"] == "500c"
    assert masses.meta["references"] == list(cls.references)
    # What is written comes back.
    table.write(tmp_path / "back.ecsv")
    again = cls.read(tmp_path / "back.ecsv", **({"cosmology": "PSZ2"} if options else {}))
    np.testing.assert_array_equal(again.masses()["mass"].value, masses["mass"].value)


def test_published_facts():
    assert {cls.tag for cls in PUBLISHED} == {
        "herbonnet2020", "lc2", "medezinski2018", "sereno2017", "umetsu2014", "umetsu2016",
    }  # fmt: skip
    for cls in (Herbonnet2020Table, Sereno2017Table, LC2Table):
        assert get_cosmology(cls.cosmology).Om0 == 0.3
    for cls in (Umetsu2014Table, Umetsu2016Table):
        assert (cls.cosmology.H0.value, cls.cosmology.Om0) == (70, 0.27)
    assert Medezinski2018Table.cosmology is None
    assert Herbonnet2020Table.mass_columns[0].name == "m500c_aperture"
    assert [cls.tag for cls in PUBLISHED if cls.vizier_id] == ["lc2"]


def test_a_unit_that_the_file_gives_wins():
    table = published_table(Herbonnet2020Table)
    table["M500_ap"].unit = "1e15 solMass"
    read = Herbonnet2020Table(table)
    assert read.table["m500c_aperture"][1].value == pytest.approx(2e15)


def test_medezinski_has_to_be_told(tmp_path):
    table = published_table(Medezinski2018Table)
    with pytest.raises(InvalidInputError, match="'cosmology' must say"):
        Medezinski2018Table(table)
    with pytest.raises(InvalidUnitError, match="'M500c' has no unit. .*units={'mass'"):
        Medezinski2018Table(table, cosmology="PSZ2")
    per_h = Medezinski2018Table(
        table, cosmology="PSZ2", units={"mass": "1e14 solMass / littleh"}
    ).masses()
    plain = Medezinski2018Table(table, cosmology="PSZ2", units={"mass": "1e14 solMass"}).masses()
    np.testing.assert_allclose(per_h["mass"].value, plain["mass"].value / 0.7, rtol=1e-12)
    np.testing.assert_allclose(per_h["mass_errn"].value, plain["mass_errn"].value / 0.7, rtol=1e-12)


def test_a_column_per_h():
    import astropy.cosmology.units as cu

    options = OPTIONS | {"units": DEGREES}
    table = own_table()
    for name in ("M", "eM"):
        table[name].unit = 1e14 * u.solMass / cu.littleh
    masses = LensingTable(table, **options).masses()
    np.testing.assert_allclose(masses["mass"].to_value("1e14 solMass")[0], 5.7 / 0.7)
    np.testing.assert_allclose(masses["mass_errn"].to_value("1e14 solMass")[0], 2.2 / 0.7)


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits", ".vot"])
def test_own_table(tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    own_table().write(path, format="votable" if suffix == ".vot" else None)
    table = LensingTable.read(path, **OPTIONS)
    masses = table.masses()
    assert masses.colnames == [
        "name", "ra", "dec", "redshift", "mass", "mass_errn", "mass_errp",
    ]  # fmt: skip
    np.testing.assert_allclose(masses["mass"].to_value("1e14 solMass"), [5.7, 9.7, 12.1])
    np.testing.assert_allclose(masses["mass_errp"].to_value("1e14 solMass"), [2.2, 2.3, 2.5])
    assert masses.meta["conversion"] == ["none"]
    assert masses.meta["published_cosmology"] == "PSZ2 (H0 = 70, Om0 = 0.3)"


def test_own_table_with_our_names_and_a_skycoord():
    table = QTable({"cluster": ["A85", "A2142"]})
    table["coord"] = SkyCoord([115, 44], [-72, 48], unit="deg", frame="galactic")
    table["z"] = [0.0555, 0.0894]
    table["mass"] = [5.7e14, 9.7e14] * u.solMass
    read = LensingTable(table, mass_definition="200m", cosmology="Planck18")
    np.testing.assert_allclose(read.table["ra"], table["coord"].icrs.ra)
    assert np.all(np.isnan(read.masses()["mass_errn"]))
    assert read.mass_columns[0].definition == "200m"
    table["mass_err"] = 0.2 * table["mass"]
    read = LensingTable(table, mass_definition="500c", cosmology="PSZ2")
    np.testing.assert_allclose(read.masses()["mass_errn"] / read.masses()["mass"], 0.2)


def test_own_table_without_positions():
    options = OPTIONS | {
        "columns": {"name": "ID", "mass": "M"},
        "units": {"mass": "1e14 solMass"},
    }
    table = LensingTable(own_table(), **options)
    assert table.position is None
    assert table.masses().colnames[:2] == ["name", "redshift"]
    with pytest.raises(InvalidInputError, match="no positions"):
        table.sample()


def test_the_chosen_column_wins_over_one_with_our_name():
    table = own_table(mass=[1.0, 1.0, 1.0])
    assert LensingTable(table, **OPTIONS).masses()["mass"][0].value == pytest.approx(5.7e14)


def test_masked_values():
    table = Table(own_table(), masked=True)
    table["M"].mask[1] = table["z"].mask[2] = table["eM"].mask[0] = True
    masses = LensingTable(table, **OPTIONS).masses(mass_definition="200c")
    assert np.isfinite(masses["mass"].value).tolist() == [True, False, False]
    assert np.isnan(masses["mass_errn"].value).all()
    assert masses["redshift"].mask.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "options", "error", "message"),
    [
        ({}, {"mass_definition": None}, InvalidInputError, "'mass_definition' must say"),
        ({}, {"mass_definition": "M500"}, InvalidInputError, "followed by 'c'"),
        ({}, {"cosmology": None}, InvalidInputError, "'cosmology' must say"),
        ({}, {"cosmology": 70}, InvalidInputError, "'cosmology' must be a name"),
        ({}, {"units": DEGREES}, InvalidUnitError, "'M' has no unit"),
        (
            {"alpha": [1.0, 2.0, 3.0]},
            {"units": {"mass": "1e14 solMass"}},
            InvalidUnitError,
            "'alpha' has no unit",
        ),
        (
            {},
            {"units": DEGREES | {"mass": "1e14 solMass/h"}},
            InvalidUnitError,
            "'h' is an hour.*littleh",
        ),
        (
            {},
            {"units": DEGREES | {"mass": "Mpc"}},
            InvalidUnitError,
            "A unit of mass .* Received: 'Mpc'",
        ),
        ({}, {"units": {"m500": "solMass"}}, InvalidInputError, "'units' takes .*m500"),
        ({"M": [5, 9, 12] * u.kg}, {}, InvalidUnitError, "'M' is in kg and 'units' says"),
        ({}, {"columns": {"m500": "M"}}, InvalidInputError, "'columns' takes .*m500"),
        ({}, {"columns": {"name": "ID"}, "units": {}}, FileFormatError, "lacks the column mass"),
        ({}, {"columns": {"name": "ID", "mass": "M500"}, "units": {}}, FileFormatError, "or M500"),
        ({"ID": ["A85", "A85", "A2029"]}, {}, DuplicateNameError, "'A85' in rows 0, 1"),
        ({"eM": [2.2, -2.3, 2.5]}, {}, InvalidInputError, "negative in 1 rows.*'A2142'"),
        ({"M": [5.7, 9.7, -99.0]}, {}, InvalidInputError, "'mass' is not positive.*'A2029'"),
        ({"z": [-1.0, 0.1, 0.1]}, {}, InvalidInputError, "'redshift' is negative.*'A85'"),
        ({"M": ["a", "b", "c"]}, {}, FileFormatError, "'M' does not hold values"),
        ({"delta": [-93.0, 0, 0]}, {}, InvalidInputError, "beyond 90 deg.*'A85'"),
    ],
)
def test_bad_tables(changes, options, error, message):
    with pytest.raises(error, match=message):
        LensingTable(own_table(**changes), **(OPTIONS | options))


def test_not_a_table():
    with pytest.raises(
        InvalidInputError, match="must be a Table, or a pandas DataFrame. Received: dict"
    ):
        LensingTable({"name": ["a"]}, **OPTIONS)


def test_wrong_file(tmp_path):
    path = tmp_path / "t.csv"
    own_table().write(path)
    with pytest.raises(FileFormatError, match="is not the catalogue 'herbonnet2020'.*lacks"):
        Herbonnet2020Table.read(path)
    with pytest.raises(InvalidInputError, match="'column' must be one of mass. Received: 'm5'"):
        LensingTable.read(path, **OPTIONS).masses(column="m5")


def lensing(definition="500c", cosmology="PSZ2", **changes):
    options = OPTIONS | {"mass_definition": definition, "cosmology": cosmology}
    return LensingTable(own_table(**changes), **options)


def test_definition_is_converted():
    table = lensing("200c")
    masses = table.masses()
    expected = convert_mass(
        table.table["mass"], table.table["redshift"], "200c", "500c", cosmology="PSZ2"
    )
    np.testing.assert_allclose(masses["mass"].value, expected.value, rtol=1e-12)
    np.testing.assert_allclose(
        masses["mass_errn"] / masses["mass"], [2.2 / 5.7, 2.3 / 9.7, 2.5 / 12.1]
    )
    assert masses.meta["conversion"] == ["M200c to M500c: NFW with concentration diemer19"]
    assert masses.meta["published_definition"] == "200c"
    other = table.masses(concentration=4.0)
    assert not np.allclose(other["mass"].value, masses["mass"].value, rtol=1e-3)


@settings(deadline=None, max_examples=40)
@given(h=st.floats(0.5, 0.9))
def test_masses_go_as_one_over_h(h):
    masses = lensing().masses(cosmology=FlatLambdaCDM(H0=100 * h, Om0=0.3, Tcmb0=0))
    np.testing.assert_allclose(
        masses["mass"].to_value("1e14 solMass"), np.array([5.7, 9.7, 12.1]) * 0.7 / h, rtol=1e-9
    )


@settings(deadline=None, max_examples=40)
@given(om=st.floats(0.2, 0.4), definition=st.sampled_from(["500c", "200c", "200m", "vir"]))
def test_cosmology_is_converted_there_and_back(om, definition):
    other = FlatLambdaCDM(H0=67, Om0=om, Tcmb0=0, Ob0=0.05)
    there = lensing(definition).masses(cosmology=other, mass_definition=definition)
    back = LensingTable(
        QTable({name: there[name] for name in ("name", "redshift", "mass")}),
        mass_definition=definition,
        cosmology=other,
    ).masses(cosmology="PSZ2", mass_definition=definition)
    np.testing.assert_allclose(back["mass"].to_value("1e14 solMass"), [5.7, 9.7, 12.1], rtol=1e-9)
    assert "approximate" in there.meta["conversion"][0]
    assert "Om0 = 0.3)" in there.meta["conversion"][0]


def test_shear_means_a_larger_mass_where_sources_are_nearer():
    """An isothermal sphere, worked out from its Einstein angle without the formula used."""
    z, zs = 0.4, 0.9
    old, new = get_cosmology("PSZ2"), FlatLambdaCDM(H0=62, Om0=0.4, Tcmb0=0, Ob0=0.05)
    velocity2 = {}
    for name, c in (("old", old), ("new", new)):
        far, near = (c.comoving_distance(x).value for x in (zs, z))
        velocity2[name] = 1 / (1 - near / far)  # sigma^2 at fixed Einstein angle
    mass = {name: velocity2[name] ** 1.5 / c.H(z).value for name, c in (("old", old), ("new", new))}
    table = lensing(z=[z, z, z])
    converted = table.masses(cosmology=new, source_redshift=zs)["mass"]
    np.testing.assert_allclose(
        (converted / table.masses()["mass"]).value, mass["new"] / mass["old"], rtol=1e-9
    )
    with pytest.raises(InvalidInputError, match="'source_redshift' must be greater"):
        table.masses(cosmology=new, source_redshift=0.3)


def test_same_cosmology_by_another_name_changes_nothing():
    masses = lensing().masses(cosmology=FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0, name="mine"))
    assert masses.meta["conversion"] == ["none"]
    assert masses.meta["cosmology"] == "mine (H0 = 70, Om0 = 0.3)"


def test_curved_cosmology_is_continuous_with_a_flat_one():
    from astropy.cosmology import LambdaCDM

    table = lensing()
    flat = table.masses(cosmology=FlatLambdaCDM(H0=67, Om0=0.35, Tcmb0=0))["mass"]
    nearly = table.masses(cosmology=LambdaCDM(H0=67, Om0=0.35, Ode0=0.6501, Tcmb0=0))["mass"]
    np.testing.assert_allclose(nearly / flat, 1, atol=1e-3)


def test_lc2_from_vizier_with_positions_as_text(vizier, monkeypatch):
    monkeypatch.setattr(LC2Table, "expected_rows", 2)
    fields = [
        ("Name", 'datatype="char" arraysize="*"', ""),
        ("NameNED", 'datatype="char" arraysize="*"', ""),
        ("RAJ2000", 'datatype="char" arraysize="*"', "h:m:s"),
        ("DEJ2000", 'datatype="char" arraysize="*"', "d:m:s"),
        ("z", 'datatype="float"', ""),
        *((name, 'datatype="float"', "10+14Msun") for name in ("M500", "e_M500", "M200", "e_M200")),
        ("Author", 'datatype="char" arraysize="*"', ""),
        ("BibCode", 'datatype="char" arraysize="19"', ""),
    ]
    rows = [
        [
            "A85",
            "ABELL 85",
            "00 41 50.4",
            "-09 18 11",
            "0.055",
            "5.7",
            "2.2",
            "8.4",
            "3.3",
            "X",
            "b",
        ],
        ["A2142", "", "15 58 20.0", "+27 14 00", "0.089", "9.7", "2.3", "", "", "Y", "b"],
    ]
    vizier.body = (
        "".join(
            [
                '<?xml version="1.0"?><VOTABLE version="1.4" '
                'xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>'
                f'<TABLE name="{LC2Table.vizier_id}">',
                *(f'<FIELD name="{n}" {t}{f" unit={u!r}" if u else ""}/>' for n, t, u in fields),
                "<DATA><TABLEDATA>",
                *("<TR>" + "".join(f"<TD>{c}</TD>" for c in row) + "</TR>" for row in rows),
                "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>",
            ]
        )
        .replace("'", '"')
        .encode()
    )
    table = LC2Table.fetch()
    np.testing.assert_allclose(table.table["ra"].value, [10.46, 239.583333], atol=1e-5)
    np.testing.assert_allclose(table.table["dec"].value, [-9.303056, 27.233333], atol=1e-5)
    assert table.table["m200c"].mask.tolist() == [False, True]
    assert table.masses()["mass"][0].value == pytest.approx(5.7e14)
    assert len(LC2Table.fetch(offline=True)) == 2


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"alpha": ["10.46", "239.58", "227.73"], "delta": ["-9.30", "27.23", "5.74"]}, {}),
        (
            {
                "alpha": Column(["10.46", "239.58", "227.73"], unit="deg"),
                "delta": Column(["-9.30", "27.23", "5.74"], unit="deg"),
            },
            {"units": {"mass": "1e14 solMass"}},
        ),
        ({"alpha": ["00:41:50.4", "15 58 19.2", "15h10m55.2s"]}, {"units": HOURS}),
    ],
)
def test_positions_as_text_follow_their_unit(changes, options):
    table = LensingTable(own_table(**changes), **(OPTIONS | options)).table
    np.testing.assert_allclose(table["ra"].to_value("deg"), [10.46, 239.58, 227.73], atol=1e-6)


def test_positions_as_text_without_a_unit_are_refused():
    changes = {"alpha": ["10.46", "239.58", "227.73"]}
    with pytest.raises(FileFormatError, match="'alpha' holds text that does not say .* 10.46"):
        LensingTable(own_table(**changes), **(OPTIONS | {"units": HOURS}))
    changes["alpha"][1] = "15:58:19"
    for units in (HOURS, OPTIONS["units"]):
        with pytest.raises(FileFormatError, match="'alpha' holds numbers such as 10.46, and hours"):
            LensingTable(own_table(**changes), **(OPTIONS | {"units": units}))


def test_published_columns_of_degrees_as_text():
    table = published_table(Umetsu2014Table)
    table["ra_hms"].name, table["dec_dms"].name = "ra_deg", "dec_deg"
    table["ra_deg"], table["dec_deg"] = ["10.46", "239.58"], ["-9.30", "+27.23"]
    np.testing.assert_allclose(Umetsu2014Table(table).table["ra"].value, [10.46, 239.58])


def test_values_that_are_not_known_or_no_numbers():
    table = own_table(z=["0.0555", "...", "N/A"], M=["5.7", "--", "12.1"])
    read = LensingTable(table, **OPTIONS).table
    assert read["redshift"].mask.tolist() == [False, True, True]
    assert read["mass"].mask.tolist() == [False, True, False]
    with pytest.raises(FileFormatError, match="'z' does not hold values .*high in row 1"):
        LensingTable(own_table(z=["0.0555", "high", "1"]), **OPTIONS)
    with pytest.raises(
        FileFormatError, match="'ID' has no value in 1 rows, the first of them row 2"
    ):
        LensingTable(own_table(ID=["A85", "A2142", "N/A"]), **OPTIONS)


def test_errors_of_nothing_pass():
    masses = LensingTable(own_table(eM=[2.2, 0.0, 2.5]), **OPTIONS).masses()
    np.testing.assert_allclose(masses["mass_errn"].to_value("1e14 solMass"), [2.2, 0.0, 2.5])


def test_masses_as_logarithms():
    units = {**OPTIONS["units"], "mass": "dex(solMass)"}
    columns = {k: v for k, v in OPTIONS["columns"].items() if k != "mass_err"}
    table = own_table(M=[14.5, 14.7, 15.0])
    read = LensingTable(table, **(OPTIONS | {"units": units, "columns": columns}))
    np.testing.assert_allclose(read.table["mass"].value, [10**14.5, 10**14.7, 1e15])
    with pytest.raises(InvalidUnitError, match="'mass_errn' is in dex.solMass."):
        LensingTable(table, **(OPTIONS | {"units": units}))


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
@pytest.mark.parametrize(
    "cosmology",
    ["PSZ2", "Planck18", FlatLambdaCDM(71.23456789012345, 0.27, m_nu=[0, 0, 0.06] * u.eV)],
)
def test_own_table_keeps_what_its_masses_are(tmp_path, suffix, cosmology):
    path = tmp_path / f"mine{suffix}"
    table = LensingTable(
        own_table(), **OPTIONS | {"mass_definition": "200m", "cosmology": cosmology}
    )
    table.write(path)
    again = LensingTable.read(path)
    assert again.mass_columns == table.mass_columns
    assert again.cosmology == table.cosmology
    assert again.position == table.position
    ours, theirs = (t.masses(mass_definition="500c", cosmology="PSZ2") for t in (table, again))
    for name in ("mass", "mass_errn", "mass_errp", "ra"):
        np.testing.assert_array_equal(ours[name].value, theirs[name].value)
    assert load_lensing_table(path).cosmology == table.cosmology
    # Told once more it is the same, told otherwise an error.
    LensingTable.read(path, mass_definition="200m", cosmology=cosmology)
    with pytest.raises(InvalidInputError, match="'mass_definition' is '500c', and the .*'200m'"):
        LensingTable.read(path, mass_definition="500c")
    with pytest.raises(InvalidInputError, match="'cosmology' is WMAP9 .*its masses are in"):
        LensingTable.read(path, cosmology="WMAP9")


def test_own_table_with_the_columns_of_others():
    table = own_table()
    table.rename_columns(["ID", "alpha", "delta"], ["main_id", "_RAJ2000", "_DEJ2000"])
    for frame in (table, table.to_pandas()):  # right ascensions beyond 24 can only be degrees
        read = LensingTable(
            frame,
            columns={"mass": "M", "mass_err": "eM"},
            mass_definition="500c",
            cosmology="PSZ2",
            units={"mass": "1e14 solMass"},
            missing={"mass": 9.7},
        )
        np.testing.assert_allclose(read.sample().coord.ra.deg, table["_RAJ2000"])
        masses = read.masses()["mass"].to_value("1e14 solMass")
        np.testing.assert_allclose(masses, [5.7, np.nan, 12.1])
    with pytest.raises(InvalidInputError, match="'missing' takes name, .*Received: m500"):
        LensingTable(table, mass_definition="500c", cosmology="PSZ2", missing={"m500": 0})
    table["redshift"] = [0.1, 0.2, 0.3]
    with pytest.raises(InvalidInputError, match="several columns for the redshift, which differ"):
        LensingTable(table, columns={"mass": "M"}, mass_definition="500c", cosmology="PSZ2")
