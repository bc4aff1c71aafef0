"""The mass-table schema, its flags, and tables of several methods."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError, SzmassWarning
from szmass.results import (
    MASS_COLUMNS,
    MassEstimates,
    MassFlag,
    one_method,
    read_masses,
    side_by_side,
    write_masses,
)


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
