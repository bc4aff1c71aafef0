"""Halo catalogues in HDF5, Parquet and tables: what columns they have, and rows in pieces."""

import contextlib
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table.meta import get_header_from_yaml

from szmass._io.fits import open_fits
from szmass._tables.columns import column_parts
from szmass._tables.forms import BAD_CONTENT
from szmass._utils.optional import import_optional
from szmass.baryons._columns import (
    COLUMNS,
    IDS,
    POSITIONS,
    file_unit,
    finder_unit,
    rockstar_columns,
)
from szmass.baryons._text import header_facts, redshift_in_name, stated_units
from szmass.exceptions import FileFormatError, SzmassError


@contextlib.contextmanager
def _damaged_raises(path):
    """Raise `FileFormatError` where libraries raise what they like of a damaged file."""
    try:
        yield
    except (*BAD_CONTENT, RuntimeError, MemoryError) as err:
        if isinstance(err, SzmassError) or getattr(err, "errno", None) is not None:
            raise
        raise FileFormatError(f"{str(path)!r} is truncated or damaged: {err}") from err


class _Arrays:
    """What the sources here have in common.

    ``names`` are those of the columns, ``units`` their units as text, ``facts`` numbers that hold
    for all rows, and ``length`` the number of rows.
    """

    finder = False

    def kind(self, ours):
        """Give the type in which one of our columns is read: None, as it is."""

    def columns(self, mass_definition):
        """Give columns by our names."""
        if self.finder:
            return rockstar_columns(self.names)
        lower = {}
        for name in self.names:
            lower.setdefault(name.lower(), name)
        wanted = (*IDS, *COLUMNS)
        # "z" is a position only beside "x" and "y": alone it is what people call a redshift.
        found = {ours: name for ours in wanted if (name := lower.get(ours))}
        if not set(POSITIONS) <= set(found):
            for name in POSITIONS:
                found.pop(name, None)
            if "redshift" not in found and "z" in lower:
                found["redshift"] = lower["z"]
        return found

    def unit(self, ours, theirs):
        """Give the unit of a column; None if the file does not say, text if it does."""
        text = self.units.get(theirs)
        if text is not None:
            return file_unit(text, theirs)
        return finder_unit(ours, POSITION_UNIT) if self.finder else None

    def pieces(self, rows):
        """Divide the rows: first row and the one after the last, of each piece."""
        return [(start, min(start + rows, self.length)) for start in range(0, self.length, rows)]


POSITION_UNIT = COLUMNS["x"][0]
# Names that attributes of HDF5 files have for what holds for all rows, in lower case.
_FACTS = {
    "redshift": ("redshift",),
    "scale": ("a", "scale", "scalefactor"),
    "h": ("h", "h0", "hubble", "hubbleparam"),
    "om": ("om", "om0", "omega_m", "omega0"),
}


class HDF5Source(_Arrays):
    """Columns of an HDF5 file: one-dimensional data sets of a group, or one of records."""

    def __init__(self, path, format=None):
        self.path = Path(path)
        with _damaged_raises(path), _open_hdf5(self.path) as file:
            self._place, self._records = self._find(file)
            node = file[self._place]
            if self._records:
                self.names, self.length = list(node.dtype.names), len(node)
                self.units = _astropy_units(file, self._place)
            else:
                sets = {n: d for n, d in node.items() if isinstance(n, str) and hasattr(d, "shape")}
                sets = {n: d for n, d in sets.items() if d.shape is not None}
                lengths = [len(d) for d in sets.values() if d.ndim == 1]
                self.length = max(lengths, key=lengths.count)
                sets = {n: d for n, d in sets.items() if d.shape == (self.length,)}
                self.names = list(sets)
                self.units = {n: unit for n, d in sets.items() if (unit := _unit_in(d.attrs))}
            texts = [_text(v) for at in {"/", self._place} for v in file[at].attrs.values()]
            header = "\n".join(text for text in texts if text)
            numbers = {k.lower(): v for at in ("/", self._place) for k, v in file[at].attrs.items()}
        self.facts = header_facts(header)
        for name, keys in _FACTS.items():
            for key in keys:
                value = numbers.get(key)
                if _is_number(value) and (name != "h" or 0.1 < value < 2):
                    self.facts.setdefault(name, float(value))
        if (redshift := redshift_in_name(path)) is not None:
            self.facts.setdefault("scale", 1 / (1 + redshift))
        theirs = rockstar_columns(self.names)
        like = {"id", "mvir", "rs", "vmax"} <= set(theirs) and not self.units
        like &= "scale" in theirs or bool(header_facts(header))
        self.finder = format == "rockstar-hdf5" or (format is None and like)
        self.format = "rockstar-hdf5" if self.finder else "hdf5"
        if self.finder and (stated := stated_units(header)):
            for ours, name in theirs.items():
                kind = "position" if ours in POSITIONS else None
                if kind in stated:
                    self.units[name] = stated[kind]

    def _find(self, file):
        """Give the place of the data, and whether it is one data set of records."""
        import h5py  # slow

        counts, records = {}, []

        def look(name, node):
            if isinstance(node, h5py.Dataset):
                if node.dtype.names:
                    records.append(name)
                elif node.ndim == 1 and len(node):
                    parent = node.parent.name
                    counts[parent] = counts.get(parent, 0) + 1

        file.visititems(look)
        records = [name for name in records if not name.startswith("__")] or records
        if len(records) == 1 and not counts.get("/"):
            return records[0], True
        if not counts:
            raise FileFormatError(
                f"{str(self.path)!r} has no columns: neither one-dimensional data sets in a group, "
                "nor one data set of records."
            )
        most = max(counts.values())
        best = [place for place, count in counts.items() if count == most]
        if len(best) > 1:
            raise FileFormatError(
                f"{str(self.path)!r} has several groups of columns ({', '.join(sorted(best))}). "
                "Copy the one that is meant to a file of its own."
            )
        return best[0], False

    def read(self, piece, wanted):
        """Read columns of a piece, and which rows are bad: none."""
        rows = slice(*piece)
        with _damaged_raises(self.path), _open_hdf5(self.path) as file:
            node = file[self._place]
            if self._records:
                data = node[rows]
                columns = {name: data[name] for name in wanted}
            else:
                columns = {name: node[name][rows] for name in wanted}
        return columns, np.zeros(piece[1] - piece[0], bool)


def _open_hdf5(path):
    import h5py  # slow

    try:
        return h5py.File(path, "r")
    except OSError as err:
        if not Path(path).exists():
            raise
        raise FileFormatError(f"{str(path)!r} is truncated, or no HDF5 file: {err}") from err


def _text(value):
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _unit_in(attributes):
    return next((t for n in ("unit", "units") if (t := _text(attributes.get(n, "")))), None)


def _is_number(value):
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _astropy_units(file, place):
    """Units of a table that astropy wrote."""
    if f"{place}.__table_column_meta__" not in file:
        return {}
    lines = [line.decode("utf-8") for line in file[f"{place}.__table_column_meta__"]]
    header = get_header_from_yaml(lines)
    return {c["name"]: str(c["unit"]) for c in header["datatype"] if c.get("unit") is not None}


class ParquetSource(_Arrays):
    """Columns of a Parquet file."""

    format = "parquet"

    def __init__(self, path, format=None):
        self.path, self.facts = Path(path), {}
        schema, self.length = self._open(lambda file: (file.schema_arrow, file.metadata.num_rows))
        self.names = list(schema.names)
        meta = {field.name: field.metadata or {} for field in schema}
        stated = {n: _text(m.get(b"unit") or m.get(b"units") or b"") for n, m in meta.items()}
        self.units = {name: unit for name, unit in stated.items() if unit}

    def _open(self, use):
        parquet = import_optional("pyarrow.parquet", extra="halos", purpose="read Parquet")
        with _damaged_raises(self.path), parquet.ParquetFile(self.path) as file:
            return use(file)

    def read(self, piece, wanted):
        """Read columns of a piece, NaN or masked where null, and which rows are bad: none."""
        return self._open(lambda file: self._rows(file, *piece, list(wanted)))

    def _rows(self, file, start, stop, names):
        parts, first = {name: [] for name in names}, 0
        for group in range(file.num_row_groups):
            after = first + file.metadata.row_group(group).num_rows
            if after > start and first < stop:
                table = file.read_row_group(group, columns=names)
                table = table.slice(max(start - first, 0), min(after, stop) - max(first, start))
                for name in names:
                    parts[name].append(_of_arrow(table.column(name)))
            first = after
        columns = {name: np.ma.concatenate(arrays) for name, arrays in parts.items()}
        return columns, np.zeros(stop - start, bool)


def _of_arrow(column):
    mask = column.is_null().to_numpy()
    if mask.any() and str(column.type) not in ("string", "large_string"):
        column = column.fill_null(0)
    return np.ma.MaskedArray(column.to_numpy(), mask=mask)


class FitsSource(_Arrays):
    """Columns of the first table of a FITS file; only rows that are asked for are read."""

    format = "fits"

    def __init__(self, path, format=None):
        self.path, self.facts = Path(path), {}
        with _damaged_raises(path), open_fits(self.path) as hdus:
            tables = [i for i, hdu in enumerate(hdus) if isinstance(hdu, fits.BinTableHDU)]
            if not tables:
                raise FileFormatError(f"{str(path)!r} holds no table, only images.")
            self._hdu = tables[0]
            described = hdus[self._hdu].columns
            self.length = hdus[self._hdu].header["NAXIS2"]
            self.names = list(described.names)
            if None in self.names:
                raise FileFormatError(f"{str(path)!r} has a column without a name (TTYPE).")
            self.units = {c.name: c.unit for c in described if c.unit}
            self._null = {c.name: c.null for c in described if c.null is not None}

    def read(self, piece, wanted):
        """Read columns of a piece, masked where null, and which rows are bad: none."""
        with _damaged_raises(self.path), open_fits(self.path) as hdus:
            data = hdus[self._hdu].data[slice(*piece)]
            columns = {name: np.array(data.field(name)) for name in wanted}
        for name, null in self._null.items():
            if name in columns and columns[name].dtype.kind in "iu":
                columns[name] = np.ma.MaskedArray(columns[name], columns[name] == null)
        return columns, np.zeros(piece[1] - piece[0], bool)


class TableSource(_Arrays):
    """Columns of a table in memory."""

    format = "table"

    def __init__(self, table, path=None, format="table"):
        self.table, self.path, self.format = table, path, format
        self.names, self.length, self.facts = list(table.colnames), len(table), {}
        units = {name: getattr(table[name], "unit", None) for name in self.names}
        self.units = {name: str(unit) for name, unit in units.items() if unit is not None}

    def read(self, piece, wanted):
        """Give columns of a piece, and which rows are bad: none."""
        columns = {}
        for name in wanted:
            values, mask, _ = column_parts(self.table[name][slice(*piece)])
            columns[name] = np.ma.MaskedArray(values, mask)
        return columns, np.zeros(piece[1] - piece[0], bool)
