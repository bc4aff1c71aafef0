"""The mass-table schema, its flags, and tables of several methods."""

import copy
import warnings
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Column, QTable, Table, join, vstack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError, SzmassWarning
from szmass.results import (
    FLAG_WORDS,
    MASS_COLUMNS,
    LogMassPosterior,
    MassEstimates,
    MassFlag,
    MassScale,
    MassTable,
    MethodMasses,
    add_method,
    columns_of_method,
    masses_of,
    methods_of,
    one_method,
    read_masses,
    rescale_masses,
    side_by_side,
    write_masses,
)

# As szmass 0.1 wrote it: no kind, no scale of masses.
SCHEMA_1 = """\
# %ECSV 1.0
# ---
# datatype:
# - {name: name, datatype: string, description: Name of the cluster}
# - {name: redshift, datatype: float64}
# - {name: mass_scaling, unit: solMass, datatype: float64}
# - {name: mass_errn_scaling, unit: solMass, datatype: float64}
# - {name: mass_errp_scaling, unit: solMass, datatype: float64}
# - {name: flag_scaling, datatype: int64}
# - {name: mass_cnn, unit: solMass, datatype: float64}
# - {name: mass_errn_cnn, unit: solMass, datatype: float64}
# - {name: mass_errp_cnn, unit: solMass, datatype: float64}
# - {name: flag_cnn, datatype: int64}
# - {name: mass_wl, unit: solMass, datatype: float64}
# - {name: mass_errn_wl, unit: solMass, datatype: float64}
# - {name: mass_errp_wl, unit: solMass, datatype: float64}
# - {name: flag_wl, datatype: int64}
# meta: !!omap
# - {schema_version: 1}
# - methods:
#     scaling: {method: scaling, estimator: ScalingRelationMass(one_minus_b=0.9), one_minus_b: 0.9}
#     cnn: {method: cnn, estimator: CNNMass(weights=None), model_card: szmass-density}
#     wl: {method: weak lensing, estimator: LensingMass(table='lc2'), table: lc2}
# schema: astropy-2.0
name redshift mass_scaling mass_errn_scaling mass_errp_scaling flag_scaling mass_cnn mass_errn_cnn \
mass_errp_cnn flag_cnn mass_wl mass_errn_wl mass_errp_wl flag_wl
a 0.1 4e14 1e13 2e13 0 5e14 1e13 2e13 2048 6e14 1e14 1e14 0
b "" nan nan nan 1 nan nan nan 1 nan nan nan 1024
""".replace(" \\\n", " ")


@pytest.mark.parametrize("values", [["x", "1"], [0.5, 1.0], [1e300, 0.0]])
def test_flags_that_are_no_whole_numbers(tmp_path, values):
    table = make_table("scaling")
    table["flag"] = values
    with pytest.raises(FileFormatError, match="'flag' does not hold whole numbers"):
        masses_of(table, "scaling")
    write_masses(table, tmp_path / "a.ecsv")
    with pytest.raises(FileFormatError, match="'flag' does not hold whole numbers"):
        read_masses(tmp_path / "a.ecsv")


@pytest.mark.parametrize("column", ["mass", "mass_errn"])
def test_masses_that_are_text(tmp_path, column):
    table = make_table("scaling")
    table[column] = ["x", "1e14"]
    write_masses(table, tmp_path / "a.ecsv")
    with pytest.raises(InvalidInputError, match=f"'{column}' must be"):
        read_masses(tmp_path / "a.ecsv")


def make_table(method, masses=(1e14, np.nan), names=("a", "b")):
    estimates = MassEstimates(masses, [1e13, np.nan], [2e13, np.nan], [0, MassFlag.NO_CUTOUT])
    return estimates.to_table(names, [0.1, np.nan], method, {"method": method, "x": 1})


def test_table_follows_the_schema():
    table = make_table("scaling")
    assert table.colnames == list(MASS_COLUMNS)
    for name, (unit, description) in MASS_COLUMNS.items():
        assert table[name].unit == unit
        assert table[name].info.description == description
    assert list(table["redshift"].mask) == [False, True]
    assert np.isnan(table["mass"][1])


def test_flags_are_single_bits_and_named():
    assert len({flag.value for flag in MassFlag}) == len(list(MassFlag))
    assert all(flag.value.bit_count() == 1 for flag in MassFlag)
    assert MassFlag.describe(0) == ""
    assert MassFlag.describe(5) == "NO_REDSHIFT|NO_CUTOUT"


@pytest.mark.parametrize("value", ["x", {"a": 1}, [1j], [[1, 2], [3, 4]], [[1], [2, 3]], object()])
@pytest.mark.parametrize("field", ["mass", "errn", "errp", "mean", "flag", "posterior"])
def test_estimates_of_nonsense(field, value):
    arguments = {"mass": [1.0], "errn": [1.0], "errp": [1.0]} | {field: value}
    with pytest.raises(InvalidInputError, match=f"'{field}' must"):
        MassEstimates(**arguments)


@pytest.mark.parametrize("flag", [[1.5], [2**70], [-1.5]])
def test_flags_of_estimates_are_whole(flag):
    with pytest.raises(InvalidInputError, match="'flag' must hold whole numbers"):
        MassEstimates([1.0], [1.0], [1.0], flag)


def test_estimates_with_a_unit_are_converted():
    mass = [1e45] * u.kg
    assert MassEstimates(mass, mass, mass).mass[0] == pytest.approx(5.03e14, rel=1e-3)
    with pytest.raises(InvalidUnitError, match="'errn' must have a unit"):
        MassEstimates(mass, [1] * u.m, mass)
    for nonsense in (None, 3, "x"):
        with pytest.raises(InvalidInputError, match="'posterior' must be a LogMassPosterior"):
            MassEstimates.of_posterior(nonsense)


def test_estimates_of_unequal_length():
    with pytest.raises(InvalidInputError, match="one length"):
        MassEstimates([1.0, 2.0], [1.0], [1.0, 2.0])


def test_side_by_side_and_back():
    tables = {"scaling": make_table("scaling"), "cnn-x.2": make_table("cnn-x.2", (3e14, np.nan))}
    joined = side_by_side(tables)
    assert len(joined) == 2
    assert joined["mass_cnn_x_2"][0] == 3e14 * u.solMass
    assert joined.meta["methods"]["scaling"]["x"] == 1
    single = one_method(joined, "cnn-x.2")
    assert single.colnames == list(MASS_COLUMNS)
    np.testing.assert_array_equal(single["mass"], tables["cnn-x.2"]["mass"])
    assert single.meta == tables["cnn-x.2"].meta
    with pytest.raises(FileFormatError, match="It has: scaling, cnn-x.2"):
        one_method(joined, "lensing")


def test_side_by_side_refuses_other_clusters_and_equal_columns():
    table = make_table("a")
    with pytest.raises(InvalidInputError, match="at least one"):
        side_by_side({})
    with pytest.raises(InvalidInputError, match="'b' does not hold the clusters"):
        side_by_side({"a": table, "b": make_table("b", names=("b", "a"))})
    with pytest.raises(InvalidInputError, match="share the column name 'mass_a_b'"):
        side_by_side({"a-b": table, "a.b": table})


def joined():
    tables = {"scaling": make_table("scaling"), "cnn-x.2": make_table("cnn-x.2", (3e14, np.nan))}
    table = side_by_side(tables)
    table["mass_true"] = [1e14, 2e14] * u.solMass
    return table


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
@pytest.mark.parametrize("make", [joined, lambda: make_table("scaling")])
def test_read_masses_gives_what_was_written(make, suffix, tmp_path):
    table = make()
    write_masses(table, tmp_path / f"m{suffix}")
    back = read_masses(tmp_path / f"m{suffix}")
    assert back.colnames == table.colnames
    assert back.meta == table.meta
    assert back.meta["schema_version"] == 2
    for name in table.colnames:
        assert getattr(back[name], "unit", None) == getattr(table[name], "unit", None)
        assert back[name].info.description == table[name].info.description
        if "mass" in name:
            np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]))
    assert list(back["redshift"].mask) == [False, True]


def test_read_masses_restores_the_units_of_csv(tmp_path):
    table = joined()
    with pytest.warns(SzmassWarning, match="CSV keeps neither"):
        write_masses(table, tmp_path / "m.csv")
    with pytest.warns(SzmassWarning, match="does not say how its masses were made"):
        back = read_masses(tmp_path / "m.csv")
    for name in ("mass_scaling", "mass_errn_cnn_x_2", "mass_errp_scaling"):
        assert back[name].unit == u.solMass
        np.testing.assert_array_equal(back[name].value, table[name].value)
    assert list(back["flag_scaling"]) == list(table["flag_scaling"])
    assert list(back["redshift"].mask) == [False, True]
    assert "mass_true" in back.colnames


def test_masses_without_a_unit_that_are_not_in_solar_masses(tmp_path):
    table = make_table("scaling")
    table["mass"] = np.array([14.2, np.nan])
    write_masses(table, tmp_path / "m.ecsv")
    with pytest.raises(InvalidUnitError, match="'mass' must be a Quantity with a unit"):
        read_masses(tmp_path / "m.ecsv")
    table["mass"] = [14.2, np.nan] * u.Mpc
    write_masses(table, tmp_path / "m.ecsv", overwrite=True)
    with pytest.raises(InvalidUnitError, match="'mass' must have a unit that converts"):
        read_masses(tmp_path / "m.ecsv")
    table["mass"] = [4.2, np.nan] * u.Unit("1e14 solMass")
    write_masses(table, tmp_path / "m.ecsv", overwrite=True)
    assert read_masses(tmp_path / "m.ecsv")["mass"][0].to_value("solMass") == pytest.approx(4.2e14)


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("foo", "'mass' must have a unit that converts to solMass. Received: .*foo"),
        ("solMass/littleh", "'mass' must .* Received: .*littleh.*value is not known here: divide"),
        ("1e14 Msun h-1", "'mass' must .* In astropy 'h' is an hour"),
    ],
)
def test_units_that_are_unknown_or_per_h(tmp_path, unit, suffix, message):
    table = Table({"name": ["a"], "mass": [5e14], "flag": [0]})
    table["mass"].unit = unit
    path = tmp_path / f"m{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(path, format={".ecsv": "ascii.ecsv", ".vot": "votable"}.get(suffix))
        for read in (read_masses, MassTable.read):
            with pytest.raises(InvalidUnitError, match=f"m{suffix}': {message}"):
                read(path)
        with pytest.raises(InvalidUnitError, match=message):
            masses_of(QTable.read(path), "mass")


def test_errors_of_logarithms_are_no_masses(tmp_path):
    table = QTable({"name": ["a"], "mass": [14.5] * u.dex(u.solMass), "flag": [0]})
    table["mass_errn"] = [0.1] * u.dex(u.solMass)
    table.write(tmp_path / "m.ecsv")
    with pytest.raises(InvalidUnitError, match="'mass_errn' is in dex.(solMass|Msun)."):
        read_masses(tmp_path / "m.ecsv")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (
            "mass_scaling",
            -5e14,
            "infinite or not positive in 1 of 2 rows, first in row 1 .'b'.: -",
        ),
        ("mass_scaling", np.inf, "infinite or not positive in 1 of 2 rows"),
        ("mass_scaling", 5e28, "outside 1e[+]08 to 1e[+]18 solMass, as in another unit"),
        ("mass_errn_scaling", -1e13, "negative or infinite"),
        ("mass_errp_scaling", np.inf, "negative or infinite"),
        ("redshift", -1, "negative or above 20 .*'b'.*-1.0"),
        ("redshift", 99, "negative or above 20"),
        ("flag_scaling", -1, "no sum of bits of MassFlag"),
        ("flag_scaling", 2**30, "no sum of bits of MassFlag"),
        ("name", "a", "name of another row in 1 of 2 rows, first in row 1"),
    ],
)
@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_what_cannot_be_is_told_and_kept(tmp_path, column, value, message, suffix):
    table = joined()
    unit = table[column].unit if "mass" in column else 1
    table["name"], table["redshift"] = ["a", "b"], [0.1, 0.2]
    table[column][1] = value * unit if column != "name" else value
    path = tmp_path / f"m{suffix}"
    write_masses(table, path)
    with pytest.warns(SzmassWarning, match=f"m{suffix}'.*column '{column}' is .*{message}") as told:
        back = read_masses(path)
    assert len(told) == 1
    np.testing.assert_array_equal(np.asarray(back[column]), np.asarray(table[column]))


def test_masses_in_kilograms_that_are_none(tmp_path):
    table = joined()
    table["mass_scaling"] = [5e14, np.nan] * u.kg
    write_masses(table, tmp_path / "m.ecsv")
    with pytest.warns(SzmassWarning, match="'mass_scaling' is outside .* as in another unit"):
        read_masses(tmp_path / "m.ecsv")
    table["mass_scaling"] = [1e45, np.nan] * u.kg
    table["mass_errn_scaling"] = table["mass_errp_scaling"] = [1e44, np.nan] * u.kg
    write_masses(table, tmp_path / "m.ecsv", overwrite=True)
    assert read_masses(tmp_path / "m.ecsv")["mass_scaling"][0].value == pytest.approx(
        5.03e14, rel=1e-3
    )


def test_older_table_is_completed_and_says_so(tmp_path):
    table = joined()
    del table.meta["schema_version"]
    table.meta["methods"]["scaling"]["szmass_version"] = "0.0.7"
    table.remove_columns(["mass_errn_scaling", "flag_cnn_x_2", "redshift"])
    write_masses(table, tmp_path / "old.ecsv")
    with pytest.raises(FileFormatError, match="lacks the column 'redshift'.*read_masses"):
        one_method(table, "scaling")
    with pytest.warns(SzmassWarning, match=r"0\.0\.7\) lacks redshift, .*mass_errn_scaling"):
        back = read_masses(tmp_path / "old.ecsv")
    added = {"redshift", "mass_errn_scaling", "flag_cnn_x_2"}
    assert set(back.meta["added_columns"]) == added
    assert back.colnames[:2] == ["name", "redshift"]
    assert back["redshift"].mask.all()
    assert np.isnan(back["mass_errn_scaling"]).all()
    assert list(back["flag_scaling"]) == [MassFlag.NO_ERROR, MassFlag.NO_CUTOUT]
    assert list(back["flag_cnn_x_2"]) == [0, 0]
    assert one_method(back, "scaling").colnames == list(MASS_COLUMNS)
    assert back.meta["schema_version"] == 2


def test_tables_that_cannot_be_read_as_masses(tmp_path):
    path = tmp_path / "m.ecsv"

    def refuse(table, match):
        write_masses(table, path, overwrite=True)
        with pytest.raises(FileFormatError, match=match):
            read_masses(path)

    table = joined()
    table.meta["schema_version"] = 7
    table.meta["methods"]["scaling"]["szmass_version"] = "3.1"
    refuse(table, r"written by szmass 3\.1\) has the schema version 7.*Update szmass")
    table = joined()
    table.remove_columns("mass_scaling")
    refuse(table, "lacks the column 'mass_scaling', which its meta speaks of")
    refuse(joined()["name", "redshift", "mass_true"], "lacks the column 'mass_")
    refuse(QTable({"name": ["a"], "mass_true": [1e14] * u.solMass}), "neither a column 'mass'")
    refuse(QTable({"mass": [1e14] * u.solMass}), "it has no column 'name'")


@given(
    rows=st.lists(
        st.tuples(
            st.floats(1e12, 1e17) | st.just(np.nan),
            st.floats(1e10, 1e16) | st.just(np.nan),
            st.floats(1e-6, 3) | st.sampled_from([0.0, np.nan]),
            st.integers(0, 2047),
        ),
        max_size=5,
    ),
    suffix=st.sampled_from([".ecsv", ".fits", ".vot", ".csv"]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_masses_come_back(rows, suffix, tmp_path):
    mass, error, redshift, flag = np.array(rows, dtype=float).reshape(-1, 4).T
    estimates = MassEstimates(mass, error, error, flag)
    names = [f"C {i}" for i in range(len(rows))]
    table = side_by_side({"a-b": estimates.to_table(names, redshift, "a-b", {"n": 1})})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SzmassWarning)  # of CSV
        write_masses(table, tmp_path / f"m{suffix}", overwrite=True)
        back = read_masses(tmp_path / f"m{suffix}")
    for name in ("mass_a_b", "mass_errn_a_b", "mass_errp_a_b"):
        assert back[name].unit == u.solMass
        np.testing.assert_array_equal(back[name].value, table[name].value)
    assert list(back["flag_a_b"]) == list(table["flag_a_b"])
    known = np.ma.filled(np.ma.asarray(back["redshift"], dtype=float), np.nan)
    np.testing.assert_array_equal(known, redshift)
    assert suffix == ".csv" or back.meta == table.meta


def table_of_two():
    known = {"kind": "relation", "mass_scale": 1.0, "estimator": "A()"}
    first = make_table("scaling")
    first.meta |= known
    second = make_table("wl", (3e14, np.nan))
    second.meta |= {"kind": "lensing", "mass_scale": "lensing", "references": ["x"]}
    table = side_by_side({"scaling": first, "wl": second})
    table["seen"] = np.ma.MaskedArray(["yes", ""], mask=[False, True])
    return table


class TestMassTable:
    @pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
    @pytest.mark.parametrize("make", [table_of_two, lambda: make_table("scaling")])
    def test_astropys_own_read_and_write_keep_all(self, make, suffix, tmp_path):
        table, path = make(), tmp_path / f"m{suffix}"
        table.write(path)
        with pytest.raises((InvalidInputError, OSError), match="exist"):
            table.write(path)
        table.write(str(path), overwrite=True)
        for back in (MassTable.read(path), MassTable.read(str(path)), read_masses(path)):
            assert type(back) is MassTable
            assert back.meta == table.meta
            assert back.colnames == table.colnames
            for method in methods_of(table):
                ours, theirs = masses_of(back, method), masses_of(table, method)
                for name in ("mass", "errn", "errp", "flag"):
                    np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
            if "seen" in table.colnames:
                assert list(back["seen"].mask) == [False, True]
                assert back["seen"][0] == "yes"

    def test_formats_by_name_streams_and_options_of_astropy(self, tmp_path):
        table = table_of_two()
        for format in ("ecsv", "ascii.ecsv", "fits", "votable"):
            table.write(tmp_path / "m.dat", format=format, overwrite=True)
            assert MassTable.read(tmp_path / "m.dat", format=format).meta == table.meta
        with (tmp_path / "stream.ecsv").open("w") as stream:
            table.write(stream, format="ascii.ecsv")
        assert MassTable.read(tmp_path / "stream.ecsv").meta == table.meta
        table.write(tmp_path / "t.ecsv", delimiter=",")
        assert ",".join(table.colnames) in (tmp_path / "t.ecsv").read_text()
        assert QTable.read(tmp_path / "t.ecsv", format="ascii.ecsv").colnames == table.colnames
        part = table["name", "mass_wl"]
        part.meta.clear()
        part.write(tmp_path / "m.fits.gz")
        assert len(QTable.read(tmp_path / "m.fits.gz")) == 2
        table.write(tmp_path / "m.tex", format="ascii.latex")
        with pytest.warns(SzmassWarning, match="CSV keeps neither"):
            table.write(tmp_path / "m.csv")

    def test_slices_copies_and_joins_stay_mass_tables(self):
        table = table_of_two()
        for part in (table[:1], table[[1]], table.copy(), copy.deepcopy(table)):
            assert type(part) is MassTable
            assert list(methods_of(part)) == ["scaling", "wl"]
        assert masses_of(table[:1], "wl").mass == [3e14]
        del table["seen"]
        assert type(vstack([table[:1], table[1:]])) is MassTable
        more = Table({"name": ["b", "a"], "richness": [3, 5]})
        joined = join(table, more, keys="name")
        assert type(joined) is MassTable
        assert masses_of(joined, "scaling").mass[0] == 1e14
        assert list(joined["richness"]) == [5, 3]
        assert methods_of(table["name", "redshift"]) == {}


class TestReader:
    def test_tables_of_one_of_several_and_without_meta(self, tmp_path):
        single = make_table("scaling")
        assert list(methods_of(single)) == ["scaling"]
        assert masses_of(single, "scaling").method == "scaling"
        table = table_of_two()
        assert masses_of(table, "wl").kind == "lensing"
        assert str(masses_of(table, "scaling").mass_scale) == "1-b = 1"
        table.meta.clear()
        assert list(methods_of(table)) == ["scaling", "wl"]
        unknown = masses_of(table, "wl")
        assert (unknown.kind, str(unknown.mass_scale)) == ("other", "unknown")
        with pytest.warns(SzmassWarning, match="CSV keeps"):
            write_masses(table["name", "mass_wl", "mass_errn_wl"], tmp_path / "m.csv")
        with pytest.warns(SzmassWarning) as caught:
            back = read_masses(tmp_path / "m.csv")
        assert len(caught) == 2  # what was added, and that nothing is known of it
        assert list(methods_of(back)) == ["wl"]

    def test_columns_that_are_no_methods(self):
        table = QTable({"name": ["a"], "mass_true": [1e14] * u.solMass})
        table["mass_definition"] = ["500c"]
        table["mass_grid"] = np.ones((1, 3)) * u.solMass
        table["msz"], table["msz_errn"] = [2e14] * u.solMass, [1e13] * u.solMass
        assert methods_of(table) == {}
        table["mass_sz"] = [3e14] * u.solMass
        assert list(methods_of(table)) == ["sz"]
        assert methods_of(table, whole=True) == {}
        assert masses_of(table, "mass_true").kind == "truth"
        msz = masses_of(table, "msz")
        assert (msz.kind, msz.mass[0], msz.errn[0]) == ("catalog", 2e14, 1e13)
        assert np.isnan(msz.errp[0])
        with pytest.raises(InvalidInputError, match=r"no masses 'cnn'.*It has the methods: sz"):
            masses_of(table, "cnn")
        with pytest.raises(InvalidInputError, match="'table' must be a table"):
            masses_of([1], "cnn")

    def test_bad_columns_are_named(self):
        table = table_of_two()
        table["flag_wl"] = Column(["x", "y"])
        with pytest.raises(FileFormatError, match="'flag_wl' does not hold whole numbers"):
            masses_of(table, "wl")
        table["mass_scaling"] = [1.0, 2.0]
        with pytest.raises(InvalidUnitError, match="mass_scaling"):
            masses_of(table, "scaling")

    def test_what_is_added_is_read_again(self):
        table = QTable({"name": ["a", "b"]})
        mass = np.array([1e14, 2e14])
        masses = MethodMasses(
            "my-way", mass, 0.1 * mass, 0.2 * mass, np.array([0, 8]),
            samples=np.ones((2, 3)) * 1e14, mean=1.1 * mass, about={"kind": "catalog"},
        )  # fmt: skip
        back = masses_of(add_method(table, masses), "my-way")
        for name in columns_of_method("my-way"):
            np.testing.assert_array_equal(getattr(back, name), getattr(masses, name))
        assert back.about["kind"] == "catalog"
        with pytest.raises(InvalidInputError, match=r"share the column name 'mass_my_way'"):
            add_method(table, replace(masses, method="my.way"))
        with pytest.raises(InvalidInputError, match="one entry per row"):
            add_method(table[:1], masses)
        with pytest.raises(InvalidInputError, match="one entry per row"):
            add_method(make_table("a"), masses)

    def test_masses_of_clusters_in_another_order_are_not_added(self):
        table = table_of_two()
        masses = masses_of(table[::-1], "wl")
        with pytest.raises(InvalidInputError, match="in their order: in row 0 is 'a'. .*: 'b'"):
            add_method(table, masses)
        back = masses_of(add_method(table, masses_of(table, "wl")), "wl")
        np.testing.assert_array_equal(back.mass, masses.mass[::-1])


class TestScale:
    def test_what_a_scale_says(self):
        assert str(MassScale(0.8)) == "1-b = 0.8"
        assert MassScale(0.8).factor_to(1) == 0.8
        for text in ("lensing", "true (simulation X)", "unknown"):
            assert str(MassScale(text)) == text
            assert MassScale(text).one_minus_b is None
        assert not MassScale().known
        for bad in (0.0, 3, np.nan, True, None, ""):
            with pytest.raises(InvalidInputError):
                MassScale(bad)

    def test_only_a_1_b_is_rescaled(self):
        table = table_of_two()
        before = table.copy()
        true = rescale_masses(table, 0.8)
        for name in ("mass_scaling", "mass_errn_scaling", "mass_errp_scaling"):
            np.testing.assert_allclose(true[name], table[name] / 0.8)
            assert true[name].unit == u.solMass
            assert true[name].info.description == table[name].info.description
        np.testing.assert_array_equal(true["mass_wl"], table["mass_wl"])
        np.testing.assert_array_equal(true["flag_scaling"], table["flag_scaling"])
        assert true.meta["common_scale"]["kept"] == ["wl"]
        assert masses_of(true, "scaling").mass_scale == MassScale(0.8)
        assert table.meta == before.meta
        np.testing.assert_array_equal(table["mass_scaling"], before["mass_scaling"])
        np.testing.assert_allclose(rescale_masses(true, 1)["mass_scaling"], table["mass_scaling"])
        single = one_method(table, "scaling")
        assert rescale_masses(single, 0.5)["mass"][0] == 2e14 * u.solMass
        assert rescale_masses(single, 0.5).meta["mass_scale"] == 0.5

    def test_posteriors_are_rescaled_with_their_prior(self):
        grid = np.linspace(13, 16, 61)
        density = np.exp(-0.5 * ((grid - 14.5) / 0.2) ** 2)[np.newaxis]
        posterior = LogMassPosterior(grid, density, 10 ** (-grid), meta={"mass_scale": 1.0})
        moved = posterior.rescaled(0.8)
        np.testing.assert_allclose(moved.median(), posterior.median() / 0.8)
        np.testing.assert_allclose(moved.mean_mass(), posterior.mean_mass() / 0.8)
        np.testing.assert_array_equal(moved.prior, posterior.prior)
        assert moved.meta == {"mass_scale": 0.8, "rescaled_from": 1.0}
        assert posterior.log10_mass[0] == 13
        for scale in ("lensing", "unknown", 0.8):
            posterior.meta["mass_scale"] = scale
            assert posterior.rescaled(0.8) is posterior


def test_a_table_of_schema_1(tmp_path):
    (tmp_path / "old.ecsv").write_text(SCHEMA_1)
    table = read_masses(tmp_path / "old.ecsv")
    assert table.meta["schema_version"] == 2
    found = {method: masses_of(table, method) for method in methods_of(table)}
    assert {m: f.kind for m, f in found.items()} == {
        "scaling": "relation", "cnn": "network", "wl": "lensing",
    }  # fmt: skip
    assert {m: str(f.mass_scale) for m, f in found.items()} == {
        "scaling": "1-b = 0.9", "cnn": "1-b = 0.8", "wl": "lensing",
    }  # fmt: skip
    assert found["cnn"].flag[0] == MassFlag.OUT_OF_DOMAIN
    assert table.meta["methods"]["wl"]["mass_scale"] == "lensing"
    # The same without read_masses.
    plain = QTable.read(tmp_path / "old.ecsv")
    assert {m: str(masses_of(plain, m).mass_scale) for m in methods_of(plain)} == {
        m: str(f.mass_scale) for m, f in found.items()
    }
    assert read_masses(tmp_path / "old.ecsv").meta == table.meta
    single = one_method(table, "scaling")
    assert single.colnames == list(MASS_COLUMNS)
    assert single.meta["mass_scale"] == 0.9


def test_what_does_not_say_how_it_was_made(tmp_path):
    table = table_of_two()
    del table.meta["methods"]
    table.write(tmp_path / "m.fits")
    with pytest.warns(SzmassWarning, match="does not say how its masses were made.*on which scale"):
        read_masses(tmp_path / "m.fits")
    single = make_table("scaling")
    QTable({name: single[name] for name in single.colnames}).write(tmp_path / "s.ecsv")
    with pytest.warns(SzmassWarning, match="does not say how its masses were made"):
        assert list(methods_of(read_masses(tmp_path / "s.ecsv"))) == ["scaling"]


def test_every_flag_has_words():
    assert set(FLAG_WORDS) == set(MassFlag)
    assert all(words.endswith(".") for words in FLAG_WORDS.values())
    assert MassFlag(4).words == FLAG_WORDS[MassFlag.NO_CUTOUT]
