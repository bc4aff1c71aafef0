"""The mass-table schema, its flags, and tables of several methods."""

import astropy.units as u
import numpy as np
import pytest

from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.masses import MASS_COLUMNS, MassEstimates, MassFlag, one_method, side_by_side


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
