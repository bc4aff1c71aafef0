"""Tables survive every format, and a failed write leaves nothing behind."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable
from astropy.utils.masked import Masked

from szmass._utils.tables import read_table, table_format, write_table
from szmass.exceptions import FileFormatError, InvalidInputError

SUFFIXES = (".ecsv", ".fits", ".vot")


@pytest.fixture
def table():
    table = QTable()
    table["name"] = ["a", "bb", "c"]
    table["redshift"] = MaskedColumn([0.1, 0.2, 0.3], mask=[False, True, False])
    table["y5r500"] = Masked([1.0, 2.0, 3.0] * u.arcmin**2, mask=[False, False, True])
    table["mass"] = [1e14, np.nan, 3e14] * u.solMass
    table["z_nan"] = [np.nan, 1.0, 2.0]
    table["flag"] = [0, 4, 0]
    table.meta = {"methods": {"scaling": {"one_minus_b": 0.8, "text": "it's '/quoted' / ± " * 20}}}
    return table


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_keeps_units_masks_nan_and_meta(table, tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write_table(table, path)
    back = read_table(path)
    assert back.colnames == table.colnames
    assert back.meta == table.meta
    assert list(back["redshift"].mask) == [False, True, False]
    assert list(back["y5r500"].mask) == [False, False, True]
    assert back["y5r500"].unit == u.arcmin**2
    assert not isinstance(back["mass"], Masked)
    np.testing.assert_array_equal(back["mass"].value, table["mass"].value)
    np.testing.assert_array_equal(np.asarray(back["z_nan"]), table["z_nan"])
    assert list(back["name"]) == list(table["name"])
    assert back["flag"].dtype.kind == "i"


def test_votable_holds_coordinates_as_columns(table, tmp_path):
    table["coord"] = SkyCoord([10, 20, 30], [-5, 0, 5], unit="deg", frame="galactic")
    write_table(table, tmp_path / "t.vot")
    back = read_table(tmp_path / "t.vot")
    separation = SkyCoord(back["ra"], back["dec"]).separation(table["coord"])
    assert "coord" not in back.colnames
    assert separation.max() < 1e-6 * u.arcsec


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_zero_rows(table, tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(table[:0], path)
    back = read_table(path)
    assert len(back) == 0
    assert back.colnames == table.colnames


def test_existing_file_is_kept_unless_told(table, tmp_path):
    path = tmp_path / "t.ecsv"
    path.write_text("mine")
    with pytest.raises(InvalidInputError, match="exists"):
        write_table(table, path)
    assert path.read_text() == "mine"
    write_table(table, path, overwrite=True)
    assert len(read_table(path)) == 3


def test_failed_write_leaves_nothing(table, tmp_path):
    path = tmp_path / "t.ecsv"
    path.write_text("before")
    table.meta["bad"] = object()
    with pytest.raises(Exception, match="object"):
        write_table(table, path, overwrite=True)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["t.ecsv"]


def test_unknown_suffix_lists_the_known():
    with pytest.raises(InvalidInputError, match=r"\.ecsv \(ecsv\).*\.vot"):
        table_format("masses.xlsx")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_file(table, tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(table, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(FileFormatError, match="could not be read"):
        read_table(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_table(tmp_path / "none.ecsv")


def test_missing_folder(table, tmp_path):
    with pytest.raises(InvalidInputError, match="folder"):
        write_table(table, tmp_path / "none" / "t.ecsv")
