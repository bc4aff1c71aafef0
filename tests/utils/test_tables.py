"""Tables survive every format, and a failed write leaves nothing behind."""

import io
import os
import re
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import parse, validate
from astropy.table import MaskedColumn, QTable
from astropy.utils.masked import Masked
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from szmass._tables.files import read_table, table_format, write_table
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning

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


TEXT = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=("C", "Z")),
    max_size=6,
)
FLOATS = st.floats(allow_nan=True, allow_infinity=False, width=64)


@st.composite
def tables(draw):
    """Tables of what catalogues and mass tables hold, with masks and NaN anywhere."""
    n = draw(st.integers(0, 5))

    def column(values):
        values = draw(st.lists(values, min_size=n, max_size=n))
        return values, draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n))

    table = QTable({"name": np.array([f"Abell {i}" for i in range(n)], dtype=str)})
    for name, kind, values in (
        ("text", str, TEXT),
        ("flag", np.int64, st.integers(0, 2**40)),
        ("small", np.int8, st.integers(-128, 127)),
        ("yes", bool, st.booleans()),
        ("number", float, FLOATS),
        ("single", np.float32, st.floats(width=32, allow_infinity=False)),
    ):
        entries, mask = column(values)
        array = np.array(entries, dtype=kind)
        table[name] = array if mask is None else MaskedColumn(array, mask=mask)
    entries, mask = column(FLOATS)
    mass = np.array(entries, dtype=float) * u.solMass
    table["mass"] = mass if mask is None else Masked(mass, mask=mask)
    return table


def same(a, b):
    """Whether two columns agree in values, masks, units and kind."""
    masks = [np.array(getattr(c, "mask", np.zeros(c.shape, bool))) for c in (a, b)]
    unit = getattr(a, "unit", None) == getattr(b, "unit", None)
    values = [
        np.asarray(c.unmasked.value if isinstance(c, Masked) else getattr(c, "data", c))
        for c in (a, b)
    ]
    equal = np.array_equal(
        *[np.where(m, v.dtype.type(), v) for m, v in zip(masks, values, strict=True)],
        equal_nan=values[0].dtype.kind == "f",
    )
    return (
        unit and equal and np.array_equal(*masks) and values[0].dtype.kind == values[1].dtype.kind
    )


@given(table=tables())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_table_comes_back(table, suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    before = table.copy()
    write_table(table, path, overwrite=True)
    back = read_table(path)
    assert back.colnames == table.colnames
    for name in table.colnames:
        assert same(back[name], table[name]), f"{suffix} {name}"
        assert same(table[name], before[name]), "the table itself must stay as it is"
        assert back[name].dtype == table[name].dtype or table[name].dtype.kind == "U"


@given(table=tables())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_csv_keeps_numbers_and_masks(table, tmp_path):
    path = tmp_path / "t.csv"
    del table["text"]  # "1" and "" are not told from a number and a masked value
    for name in ("number", "single", "mass"):  # astropy warns of subnormal numbers in text
        values = np.asarray(getattr(table[name], "unmasked", table[name]))
        assume(not np.any((values != 0) & (np.abs(values) < 1e-300)))
    with pytest.warns(SzmassWarning, match="CSV keeps neither units"):
        write_table(table, path, overwrite=True)
    back = read_table(path)
    assert back.colnames == table.colnames
    table["mass"] = (
        table["mass"].value
        if not isinstance(table["mass"], Masked)
        else MaskedColumn(table["mass"].unmasked.value, mask=table["mass"].mask)
    )
    for name in table.colnames:
        if len(table) and not np.all(getattr(table[name], "mask", False)):
            ours, theirs = table[name], back[name]
            if ours.dtype.kind == "f":  # whole numbers come back as integers
                theirs, ours = theirs.astype(float), ours.astype(float)
            if name == "single":
                theirs = theirs.astype(np.float32).astype(float)
            assert same(theirs, ours), name


def test_csv_refuses_several_numbers_in_a_row(table, tmp_path):
    table["draws"] = np.ones((3, 2))
    with pytest.raises(InvalidInputError, match="CSV cannot hold the column 'draws'"):
        write_table(table, tmp_path / "t.csv")
    assert not list(tmp_path.iterdir())


def test_text_that_fits_cannot_hold(table, tmp_path):
    table["name"] = ["Sérsic", "z\\u00e9ro", "<b>&amp;'/"]
    for suffix in SUFFIXES:
        write_table(table, tmp_path / f"t{suffix}")
        assert list(read_table(tmp_path / f"t{suffix}")["name"]) == list(table["name"])


@pytest.mark.parametrize("suffix", [".fits", ".vot"])
def test_masks_are_not_put_on_other_rows(suffix, tmp_path):
    table = QTable({"name": ["a", "b", "c"]})
    table["text"] = MaskedColumn(["x", "", "z"], mask=[False, False, True])
    path = tmp_path / f"t{suffix}"
    write_table(table, path)
    if suffix == ".fits":
        with fits.open(path, mode="update") as hdus:
            hdus[1].data = hdus[1].data[[2, 0, 1]]
    else:
        votable = parse(str(path))
        inner = votable.get_first_table()
        inner.array = inner.array[[2, 0, 1]]
        votable.to_xml(str(path))
    with pytest.warns(SzmassWarning, match="another program.*text"):
        back = read_table(path)
    assert list(back["name"]) == ["c", "a", "b"]
    assert not np.any(getattr(back["text"], "mask", False))


def test_votable_is_valid_and_says_what_columns_are(table, tmp_path):
    table["ra"], table["dec"] = [1.0, 2, 3] * u.deg, [1.0, 2, 3] * u.deg
    table["mass_errn_scaling"] = [1.0, 2, 3] * u.solMass
    path = tmp_path / "t.vot"
    write_table(table, path)
    report = io.StringIO()
    assert validate(str(path), output=report), report.getvalue()
    fields = {f.name: f.ucd for f in parse(str(path)).get_first_table().fields}
    assert fields["name"] == "meta.id;meta.main"
    assert (fields["ra"], fields["dec"]) == ("pos.eq.ra", "pos.eq.dec")
    assert fields["mass"] == "phys.mass"
    assert fields["mass_errn_scaling"] == "stat.error;phys.mass"
    assert fields["y5r500"] is None


def test_fits_has_standard_units_and_ucds(table, tmp_path):
    table["coord"] = SkyCoord([10, 20, 30], [-5, 0, 5], unit="deg")
    path = tmp_path / "t.fits"
    write_table(table, path)
    with fits.open(path) as hdus:
        hdus.verify("exception")
        header = hdus[1].header
        names = hdus[1].columns.names
        assert header[f"TUNIT{names.index('mass') + 1}"] == "solMass"
        assert header[f"TUNIT{names.index('y5r500') + 1}"] == "arcmin2"
        assert header[f"TUCD{names.index('coord.ra') + 1}"] == "pos.eq.ra"
        for unit in (c.unit for c in hdus[1].columns):
            assert unit is None or u.Unit(unit, format="fits")


def test_pandas_takes_every_table(table):
    pytest.importorskip("pandas")
    table["coord"] = SkyCoord([10, 20, 30], [-5, 0, 5], unit="deg")
    frame = table.to_pandas()
    assert list(frame["coord.ra"]) == pytest.approx([10, 20, 30])
    assert np.isnan(frame["redshift"][1])
    assert np.isnan(frame["y5r500"][2])
    assert frame["mass"][2] == 3e14


# A child of its own, as damage to memory ends the process; this allocator sees each byte too many.
MEMORY = """
import io, sys
from szmass._tables.files import write_table
from szmass.results import MassTable
lengths = [*range(100, 300), *range(400, 600)]
table = MassTable({"name": ["n" * length for length in lengths]})  # rows of 256 and 512 bytes
write_table(table, sys.argv[1])
table.write(io.BytesIO(), format="votable")
table.write(sys.argv[1], format="votable", overwrite=True, tabledata_format="tabledata")
"""


def test_votable_is_written_within_memory(tmp_path):
    environment = {**os.environ, "PYTHONMALLOC": "debug"}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "t.vot")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[:2000]
    rows = re.findall(r" *<TR>.*?</TR>\n", (tmp_path / "t.vot").read_text(), flags=re.DOTALL)
    assert {256, 512} <= {len(row) for row in rows}
