"""Tables that are written in pieces are those that are written at once."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table, vstack

from szmass._tables.appending import APPENDABLE, appending_table
from szmass._tables.files import read_table
from szmass.exceptions import InvalidInputError

WARNS = pytest.mark.filterwarnings("ignore:CSV keeps neither")


def make_table(n=7):
    table = QTable(
        {
            "id": np.arange(n) + 2**60,
            "mass": np.linspace(1, 2, n) / 3 * u.solMass,
            "name": [f"c {i}" for i in range(n)],
            "flag": np.arange(n, dtype=np.int32),
            "single": np.linspace(0, 1, n).astype(np.float32),
        },
        meta={"made": {"by": "a 'test'", "with": [1, 2.5]}},
    )
    table["mass"][3] = np.nan
    return table


def write(table, path, ends, **options):
    with appending_table(path, **options) as writer:
        for start, end in zip((0, *ends), (*ends, len(table)), strict=True):
            writer.write(table[start:end])


def write_both(first, second, path, **options):
    with appending_table(path, **options) as writer:
        writer.write(first)
        writer.write(second)


@WARNS
@pytest.mark.parametrize("suffix", APPENDABLE)
@pytest.mark.parametrize("ends", [(3, 5), (0, 7), ()])
def test_pieces_come_back_as_one_table(tmp_path, suffix, ends):
    table, path = make_table(), tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    if ends[:1] == (0,) and suffix == ".csv":
        pytest.skip("an empty CSV does not tell what its columns are")
    write(table, path, ends)
    if suffix in (".hdf5", ".h5"):
        import h5py

        with h5py.File(path) as file:
            back = Table({name: file[name][:] for name in table.colnames})
            back["name"] = back["name"].astype(str)
            assert file["mass"].attrs["unit"] == "solMass"
            assert '"with": [1, 2.5]' in file.attrs["meta"]
    elif suffix == ".parquet":
        from pyarrow import parquet

        back = parquet.read_table(path)
        assert back.schema.field("mass").metadata == {b"unit": b"solMass"}
        back = Table({name: back[name].to_numpy() for name in table.colnames})
    else:
        back = read_table(path)
        assert back.meta == ({} if suffix == ".csv" else table.meta)
    for name in table.colnames:
        expected = getattr(table[name], "value", table[name])
        found = np.asarray(getattr(back[name], "value", back[name]))
        equal_nan = found.dtype.kind == "f"
        found = found.astype(expected.dtype) if suffix == ".csv" else found
        assert np.array_equal(found, np.asarray(expected), equal_nan=equal_nan), name
    if suffix in (".fits", ".ecsv"):
        whole = tmp_path / f"whole{suffix}"
        write(table, whole, ())
        assert whole.read_bytes() == path.read_bytes()
        assert len(Table.read(path)) == 7


@WARNS
@pytest.mark.parametrize("suffix", APPENDABLE)
def test_nothing_half_written_is_left(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path, table = tmp_path / f"t{suffix}", make_table()
    path.write_text("mine")
    with pytest.raises(AttributeError):
        write_both(table, None, path, overwrite=True)
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(InvalidInputError, match="exists"), appending_table(path):
        pass


def test_pieces_that_do_not_fit_are_refused(tmp_path):
    table = make_table()
    other = table.copy()
    other["mass"] = other["mass"].to("kg")
    longer = vstack([table, table])
    longer["name"] = [f"cluster {i}" for i in range(14)]
    masked = Table({"a": np.ma.MaskedArray([1, 2], [False, True])})
    for first, second, message in (
        (table, other, "the same columns"),
        (table, longer, "text of one length"),
        (masked, masked, "'a' has masked values"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            write_both(first, second, tmp_path / "t.fits")
        assert not (tmp_path / "t.fits").exists()
    with (
        pytest.raises(InvalidInputError, match="Nothing was written"),
        appending_table(tmp_path / "t.fits"),
    ):
        pass
    with pytest.raises(InvalidInputError, match="suffixes .ecsv"), appending_table("t.vot"):
        pass
