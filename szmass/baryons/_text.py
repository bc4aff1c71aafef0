"""Text files of Rockstar, consistent-trees and AHF: headers, and rows in pieces."""

import io
import re
import shutil
import tempfile
import weakref
from pathlib import Path

import astropy.units as u
import numpy as np

from szmass._io.limits import DAMAGED_STREAM, opener_of
from szmass.baryons._columns import (
    IDS,
    POSITIONS,
    ahf_columns,
    bare,
    file_unit,
    finder_unit,
    rockstar_columns,
)
from szmass.exceptions import FileFormatError

_BLOCK = 1 << 24  # bytes that are parsed at once
_LOOKED_AT = 1 << 20  # bytes in which a header must end
# Rows that cannot be read are flagged, up to this fraction of a block: more are another version.
_MOST_BAD = 0.01
_NUMBER = r"\s*[=:]\s*(\d+\.?\d*(?:[eE][+-]?\d+)?)(?=[\s;,]|$)"
_IDS = ("id", "pid", "parentid", "hosthalo")
_FACTS = {
    "scale": re.compile(rf"^#\s*a{_NUMBER}", re.M),
    "h": re.compile(rf"^#.*\bh0?{_NUMBER}", re.M),
    "om": re.compile(rf"^#.*\bOm(?:ega_M)?{_NUMBER}", re.M),
    "ol": re.compile(rf"\bO(?:l|mega_L){_NUMBER}", re.M),
    "box": re.compile(rf"^#\s*(?:Full )?[Bb]ox size{_NUMBER}\s*Mpc\s*/\s*h", re.M),
}
_UNITS = {
    "mass": re.compile(r"^#Units: Masses in (.+?)\s*$", re.M),
    "radius": re.compile(r"^#Units: (?:Halo Distances, Lengths, and )?Radii in (.+?)\s*$", re.M),
    "position": re.compile(r"^#Units: Positions in (.+?)\s*$", re.M),
}
_REDSHIFT_IN_NAME = re.compile(r"[._]z(\d+)[.p](\d+)(?![\d])")


def header_facts(text):
    """Give the numbers of a header, those of scale, h, om, ol and box [Mpc/h] that it has."""
    found = {name: pattern.search(text) for name, pattern in _FACTS.items()}
    return {name: float(match[1]) for name, match in found.items() if match}


def stated_units(text):
    """Give units of masses, radii and positions as a header of Rockstar states them."""
    found = {kind: pattern.search(text) for kind, pattern in _UNITS.items()}
    return {kind: file_unit(match[1], kind) for kind, match in found.items() if match}


def redshift_in_name(path):
    """Give the redshift that stands in a file's name, "z0.117" or "z0p12"; None if none does."""
    match = _REDSHIFT_IN_NAME.search(Path(path).name)
    return float(f"{match[1]}.{match[2]}") if match else None


def text_format(head):
    """Tell whose file it is by its first bytes: "rockstar", "consistent-trees", "ahf", or None."""
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    names = {bare(name) for name in first.lstrip("#").split()} if first.startswith("#") else set()
    if {"hosthalo", "xc"} <= names or {"npart", "xc", "vxc"} <= names:
        return "ahf"
    if {"scale", "id", "descid"} <= names:
        return "consistent-trees"
    known = {"descid", "mvir", "vmax", "rvir", "rs", "np"} & names
    return "rockstar" if "id" in names and len(known) > 1 else None


class TextSource:
    """Rows of a text file whose first line has the names of its columns.

    Attributes: ``path``, ``format``, ``names`` of the columns, ``facts`` of the header.
    """

    def __init__(self, path, format):
        self.path, self.format = Path(path), format
        self._plain = self._inflated()
        with open(self._plain, "rb") as file:
            head = file.read(_LOOKED_AT)
        lines = head.split(b"\n")
        header = []
        for line in lines:
            if line.strip() and not line.startswith(b"#"):
                break
            header.append(line)
        else:
            line = b""
        if not header or not header[0].startswith(b"#"):
            raise FileFormatError(
                f"{str(path)!r} must begin with a line of names, '#ID ...' or '#ID(1) ...'. "
                f"Received: {lines[0][:60].decode('utf-8', 'replace')!r}"
            )
        self._start = sum(len(part) + 1 for part in header)
        self._size = self._plain.stat().st_size
        self._row = len(line) + 1
        self._names_line = header[0].rstrip()
        self.names = header[0].decode("utf-8", "replace").lstrip("#").split()
        text = b"\n".join(header[1:]).decode("utf-8", "replace")
        self.facts, self._stated = header_facts(text), stated_units(text)
        rows = [part for part in lines[len(header) :][:100] if part.strip()]
        widths = [len(part.split()) for part in rows]
        if widths and len(self.names) not in widths:
            raise FileFormatError(
                f"{str(path)!r} names {len(self.names)} columns in its first line, and its rows "
                f"have {widths[0]} numbers: header and rows are of different versions, or the file "
                "is damaged."
            )
        self._id_type = self._type_of_ids(rows)
        if format == "ahf" and (redshift := redshift_in_name(path)) is not None:
            self.facts["scale"] = 1 / (1 + redshift)

    def _type_of_ids(self, rows):
        """Tell how identifiers are written: as numbers of 64 bits, all of them in AHF, or reals."""
        places = [i for i, name in enumerate(self.names) if bare(name) in _IDS]
        cells = [row.split() for row in rows]
        ids = [row[i] for row in cells if len(row) == len(self.names) for i in places]
        whole = [int(cell) for cell in ids if re.fullmatch(rb"[+-]?\d+", cell)]
        if len(whole) < len(ids) / 2:
            return np.float64
        return np.uint64 if max(whole, default=0) >= 2**63 else np.int64

    def _inflated(self):
        """Give the path of the plain text, which goes with this object if it is a copy."""
        if opener_of(self.path) is open:
            return self.path
        number, name = tempfile.mkstemp(prefix="szmass-")
        weakref.finalize(self, Path(name).unlink, missing_ok=True)
        try:
            with open(number, "wb") as file, opener_of(self.path)(self.path, "rb") as stream:
                shutil.copyfileobj(stream, file, _BLOCK)
        except DAMAGED_STREAM as err:
            raise FileFormatError(f"{str(self.path)!r} is damaged or truncated: {err}") from err
        return Path(name)

    def kind(self, ours):
        """Give the type in which one of our columns is read."""
        return self._id_type if ours in IDS else np.float64

    def columns(self, mass_definition):
        """Give columns by our names."""
        if self.format == "ahf":
            return ahf_columns(self.names, mass_definition)
        return rockstar_columns(self.names)

    def unit(self, ours, theirs):
        """Give the unit in which one of our columns is written."""
        unit = finder_unit(ours, u.kpc if self.format == "ahf" else u.Mpc)
        if unit.unit is None:
            return unit
        if ours in POSITIONS:
            return self._stated.get("position", unit)
        if unit.unit == u.kpc:
            return self._stated.get("radius", unit)
        return self._stated.get("mass", unit) if unit.unit == u.solMass else unit

    def pieces(self, rows):
        """Divide the file into pieces of about so many rows: first and last byte of each."""
        step = max(1, rows) * self._row
        starts = range(self._start, self._size, step)
        return [(start, min(start + step, self._size)) for start in starts]

    def read(self, piece, wanted):
        """Read columns of the rows that begin in a piece: arrays by name, and which rows are bad.

        Numbers are float64, identifiers int64; what cannot be read is NaN, or -1.
        """
        parts = [self._parse(block, at, wanted) for at, block in self._blocks(*piece)]
        parts = parts or [_nothing(wanted)]
        columns = {name: np.concatenate([part[name] for part, _ in parts]) for name in wanted}
        return columns, np.concatenate([bad for _, bad in parts])

    def _blocks(self, start, stop):
        """Give whole lines, some megabytes at a time, with the place of the first."""
        with open(self._plain, "rb") as file:
            if start > self._start:  # the line before is of the piece before
                file.seek(start - 1)
                start += len(file.readline()) - 1
            file.seek(start)
            while start < stop:
                block = file.read(min(_BLOCK, stop - start))
                if not block.endswith(b"\n"):
                    block += file.readline()
                yield start, block
                start += len(block)

    def _parse(self, block, at, wanted):
        if b"#" in block:
            block = self._without_comments(block)
        if not block.endswith(b"\n"):
            block = self._last_line(block)
        places = [self.names.index(name) for name in wanted]
        if not block.strip():
            return _nothing(wanted)
        wrong = _widths(block) != len(self.names)
        if not wrong.any():
            try:
                rows = np.loadtxt(
                    io.BytesIO(block),
                    dtype=[(f"c{i}", dtype) for i, dtype in enumerate(wanted.values())],
                    usecols=places,
                    comments=None,
                    ndmin=1,
                )
            except (ValueError, OverflowError):
                pass  # some number is none
            else:
                columns = {name: rows[f"c{i}"] for i, name in enumerate(wanted)}
                return columns, np.zeros(len(rows), bool)
        return self._parse_lines(block, at, wanted, places)

    def _without_comments(self, block):
        """Leave lines of comments out; a line of other names begins another version."""
        lines = block.split(b"\n")
        for line in lines:
            another = text_format(line) if line.startswith(b"#") else None
            if another and line.rstrip() != self._names_line:
                raise FileFormatError(
                    f"{str(self.path)!r} has a second line of names, with other columns: two "
                    "files of different versions were joined. Read them one by one."
                )
        return b"\n".join(line for line in lines if not line.startswith(b"#"))

    def _last_line(self, block):
        """Complete the last line of a file by its end of line, or refuse it."""
        last = block[block.rfind(b"\n") + 1 :]
        if last.strip() and len(last.split()) < len(self.names):
            raise FileFormatError(
                f"{str(self.path)!r} is truncated: it ends within a row, after "
                f"{len(last.split())} of {len(self.names)} columns. Fetch or copy it again; to do "
                "without the haloes that are missing, remove that line."
            )
        return block + b"\n"

    def _parse_lines(self, block, at, wanted, places):
        """Read line by line, where something is not as it should be."""
        lines = [line.split() for line in block.split(b"\n") if line.strip()]
        columns = {
            name: np.full(len(lines), _NONE[np.dtype(dtype).kind], dtype)
            for name, dtype in wanted.items()
        }
        bad = np.zeros(len(lines), bool)
        for row, cells in enumerate(lines):
            if len(cells) != len(self.names):
                bad[row] = True
                continue
            for values, place in zip(columns.values(), places, strict=True):
                try:
                    if b"_" in cells[place]:  # Python reads "1_000" as well
                        raise ValueError
                    whole = values.dtype.kind in "iu"
                    if cells[place] == b"-1" and values.dtype.kind == "u":
                        continue
                    values[row] = int(cells[place]) if whole else float(cells[place])
                except (ValueError, OverflowError):
                    bad[row] = True
        if np.count_nonzero(bad) > max(3, _MOST_BAD * len(lines)):
            first = int(np.argmax(bad))
            shown = b" ".join(lines[first])[:80].decode("utf-8", "replace")
            raise FileFormatError(
                f"{str(self.path)!r}: {np.count_nonzero(bad)} of {len(lines)} rows behind byte "
                f"{at} cannot be read as the {len(self.names)} numbers that the first line names "
                f"(the first of them: {shown!r}). The file is damaged, or of mixed versions."
            )
        return columns, bad


# What stands where a cell is no number; for identifiers without a sign -1 is the largest.
_NONE = {"i": -1, "u": np.iinfo(np.uint64).max, "f": np.nan}


def _nothing(wanted):
    return {name: np.empty(0, dtype) for name, dtype in wanted.items()}, np.zeros(0, bool)


def _widths(block):
    """Count the words of each line that is not empty."""
    buffer = np.frombuffer(block, np.uint8)
    blank = buffer <= 32  # blanks, tabs, ends of lines
    ends = np.flatnonzero(blank[1:] & ~blank[:-1]) + 1
    lines = np.flatnonzero(buffer == 10)
    counts = np.diff(np.searchsorted(ends, lines, side="right"), prepend=0)
    return counts[counts > 0]
