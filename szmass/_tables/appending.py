"""Tables that are written in pieces, so that memory does not limit how long they are."""

import contextlib
import gc
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable

from szmass._io.files import atomic_path
from szmass._tables.columns import column_parts
from szmass._tables.files import write_table
from szmass._tables.text import write_csv
from szmass._utils.kinds import as_path
from szmass._utils.optional import import_optional
from szmass.exceptions import InvalidInputError

_BLOCK = 2880  # bytes, of FITS
_ROWS_OF_TEXT = 50_000  # as text a number takes ten times its bytes
#: File suffix to form, of tables that can be written in pieces.
APPENDABLE = {
    ".ecsv": "ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".csv": "csv",
    ".hdf5": "hdf5",
    ".h5": "hdf5",
    ".parquet": "parquet",
}


def appendable_format(path):
    """Tell the form of a table that is written in pieces by the name of its file, or refuse it."""
    form = APPENDABLE.get(as_path(path).suffix.lower())
    if form is None:
        suffixes = ", ".join(APPENDABLE)
        raise InvalidInputError(
            f"Cannot tell the table format of {str(path)!r}. Use one of the suffixes {suffixes}."
        )
    return form


@contextlib.contextmanager
def appending_table(path, *, overwrite=False):
    """Give an object whose ``write(table)`` appends rows; the file is there at the end, or not.

    All tables have the columns of the first, whose ``meta`` is kept. Nothing in them is masked.
    """
    form = appendable_format(path)
    with atomic_path(path, overwrite=overwrite) as temporary:
        writer = _WRITERS[form](temporary)
        try:
            yield writer
        finally:
            writer.close()
        if not writer.begun:
            raise InvalidInputError(f"Nothing was written to {str(path)!r}.")


class _Writer:
    """What the forms have in common; ``rows`` are written at once."""

    rows = 1_000_000

    def __init__(self, path):
        self.path, self.begun, self._columns = path, False, None

    def write(self, table):
        """Append the rows of a table."""
        columns = [(n, str(table[n].unit or ""), table[n].dtype.kind) for n in table.colnames]
        for name in table.colnames:
            if np.any(getattr(table[name], "mask", False)):
                raise InvalidInputError(f"The column {name!r} has masked values: fill them first.")
        if self.begun and columns != self._columns:
            raise InvalidInputError("All pieces of a table must have the same columns.")
        self._columns = columns
        for start in range(0, max(len(table), 1), self.rows):
            first, self.begun = not self.begun, True
            (self.begin if first else self.append)(table[start : start + self.rows])

    def begin(self, table):
        """Write the first rows, with all that is not rows."""
        write_table(table, self.path)

    def close(self):
        """End the file."""


class _CSVWriter(_Writer):
    rows = _ROWS_OF_TEXT

    def append(self, table):
        with tempfile.TemporaryDirectory() as folder:
            piece = Path(folder, "piece.csv")
            write_csv(table, piece)
            text = piece.read_bytes()
        with self.path.open("ab") as file:
            file.write(text.partition(b"\n")[2])


class _ECSVWriter(_Writer):
    rows = _ROWS_OF_TEXT

    def append(self, table):
        text = io.StringIO()
        table = QTable(table, copy=False)
        table.meta = {}
        table.write(text, format="ascii.ecsv")
        lines = text.getvalue().splitlines(keepends=True)
        header = next(i for i, line in enumerate(lines) if not line.startswith("#"))
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.writelines(lines[header + 1 :])
        gc.collect()  # astropy's writer leaves circles of references to all it wrote


class _FITSWriter(_Writer):
    def begin(self, table):
        super().begin(table)
        with fits.open(self.path) as hdus:
            header, place = hdus[1].header, hdus[1].fileinfo()
            self._header, self._data = place["hdrLoc"], place["datLoc"]
            self._width, self._rows = header["NAXIS1"], header["NAXIS2"]
            self._forms = [column.format for column in hdus[1].columns]
        with self.path.open("r+b") as file:
            file.truncate(self._data + self._width * self._rows)

    def append(self, table):
        content = io.BytesIO()
        plain = QTable(table, copy=False)
        plain.meta = {}
        fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(plain)]).writeto(content)
        content.seek(0)
        with fits.open(content) as hdus:
            start = hdus[1].fileinfo()["datLoc"]
            if [column.format for column in hdus[1].columns] != self._forms:
                raise InvalidInputError("All pieces of a table must have text of one length.")
            rows = content.getvalue()[start : start + self._width * len(table)]
        with self.path.open("ab") as file:
            file.write(rows)
        self._rows += len(table)

    def close(self):
        if not self.begun:
            return
        with self.path.open("r+b") as file:
            file.seek(self._header)
            header = file.read(self._data - self._header)
            place = header.index(b"NAXIS2  =")
            file.seek(self._header + place)
            file.write(str(fits.Card("NAXIS2", self._rows, "number of rows")).encode("ascii"))
            size = file.seek(0, io.SEEK_END)
            file.write(bytes(-size % _BLOCK))


class _HDF5Writer(_Writer):
    def begin(self, table):
        import h5py  # slow

        self._file = h5py.File(self.path, "w")
        self._file.attrs["meta"] = _meta(table)
        chunk = min(2**16, max(len(table), 1))
        for name in table.colnames:
            values, _, unit = column_parts(table[name])
            kind = h5py.string_dtype() if values.dtype.kind == "U" else values.dtype
            shape = (0, *values.shape[1:])
            made = self._file.create_dataset(
                name, shape, kind, maxshape=(None, *shape[1:]), chunks=(chunk, *shape[1:])
            )
            if unit is not None:
                made.attrs["unit"] = str(unit)
            if table[name].info.description:
                made.attrs["description"] = table[name].info.description
        self.append(table)

    def append(self, table):
        for name in table.colnames:
            values = column_parts(table[name])[0]
            column = self._file[name]
            size = len(column)
            column.resize(size + len(values), axis=0)
            column[size:] = values.astype(object) if values.dtype.kind == "U" else values

    def close(self):
        if self.begun:
            self._file.close()


class _ParquetWriter(_Writer):
    def __init__(self, path):
        super().__init__(path)
        import_optional("pyarrow.parquet", extra="halos", purpose="write Parquet")

    def _table(self, table):
        arrow = import_optional("pyarrow", extra="halos", purpose="write Parquet")
        columns, fields = [], []
        for name in table.colnames:
            values, _, unit = column_parts(table[name])
            column = arrow.array(values if values.ndim == 1 else values.tolist())
            about = {} if unit is None else {"unit": str(unit)}
            fields.append(arrow.field(name, column.type, metadata=about))
            columns.append(column)
        meta = {"szmass": self._meta}
        return arrow.Table.from_arrays(columns, schema=arrow.schema(fields, metadata=meta))

    def begin(self, table):
        parquet = import_optional("pyarrow.parquet", extra="halos", purpose="write Parquet")
        self._meta = _meta(table)
        rows = self._table(table)
        self._file = parquet.ParquetWriter(self.path, rows.schema)
        self._file.write_table(rows)

    def append(self, table):
        self._file.write_table(self._table(table))

    def close(self):
        if self.begun and hasattr(self, "_file"):
            self._file.close()


def _meta(table):
    return json.dumps(dict(table.meta), default=str)


_WRITERS = {
    "ecsv": _ECSVWriter,
    "csv": _CSVWriter,
    "fits": _FITSWriter,
    "hdf5": _HDF5Writer,
    "parquet": _ParquetWriter,
}
