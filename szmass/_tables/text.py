"""CSV whose text stays text: names such as '0016', '1E2215', 'nan', '--' or 'True'."""

import csv
import re

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from szmass._tables.columns import parse_unit
from szmass._tables.roles import NAME_COLUMNS
from szmass.exceptions import FileFormatError, InvalidInputError

_ROWS_AT_ONCE = 2**14
_WHOLE = re.compile(r"[+-]?[0-9]+")
_BEGINS_WITH_ZERO = re.compile(r"[+-]?0[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eEdD][+-]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_NO_VALUE = frozenset(("", "--", "null", "none", "n/a", "na", "<na>", "#n/a"))
# A spreadsheet runs what begins so; with an apostrophe in front it is text.
_RUNS = re.compile(r"'*[=+\-@\t\r]")
_LARGEST = 2**63 - 1
# Of tables of VizieR: what stands below the header, and what it says of columns above it.
_RULE = re.compile(r"-+")
_UCD = re.compile(r"^#Column\t(\S+)\t.*\[ucd=([^\]\s]+)\]", re.MULTILINE)
_Q = '"'


def read_csv(content, path, *, text=(), delimiter=None):
    """Read a table; columns in ``text`` and those of `NAME_COLUMNS` are text whatever they hold.

    So are quoted cells under a header that is not. The first line without "#" in front is the
    header, or the last with it if the first without is of numbers.
    """
    lines = _decode(content, path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    header, first, delimiter = _header(lines, path, delimiter)
    units, first = _units(lines, first, delimiter, path)
    names = [_bare(value, was) for value, was in zip(*header, strict=True)]
    if len(set(names)) < len(names) or "" in names:
        raise FileFormatError(
            f"{str(path)!r} must have a header with a name for each column, no two the same. "
            f"Received: {', '.join(map(repr, names))}"
        )
    always = {name.lower() for name in text} | set(NAME_COLUMNS)
    fixed = {i for i, name in enumerate(names) if name.lower() in always}
    kinds = ["text" if i in fixed else None for i in range(len(names))]
    informed = _tell_quotes(header, lines, first, delimiter, path)
    while True:  # once more, from the first row, where a later one changes what a column holds
        parts, changed = [[] for _ in names], False
        for rows, quotes in _chunks(lines, first, delimiter, len(names), path):
            columns = zip(zip(*rows, strict=True), zip(*quotes, strict=True), strict=True)
            for i, (cells, quoted) in enumerate(columns):
                kind = kinds[i]
                if kind != "text":
                    kind = "text" if informed and any(quoted) else _kind(cells, kind)
                changed |= bool(parts[i]) and kind != kinds[i]
                kinds[i] = kind
                parts[i].append(None if changed else _values(cells, quoted, kind))
        if not changed:
            break
    table = Table()
    for i, name in enumerate(names):
        table[name] = _column(parts[i], kinds[i])
        if units and (unit := parse_unit(units[i])) is not None:
            table[name].unit = unit
    for name, ucd in _UCD.findall("\n".join(line for line in lines[:first] if line[:1] == "#")):
        if name in table.colnames:
            table[name].meta["ucd"] = ucd
    return table


def _units(lines, number, delimiter, path):
    """Give the units that VizieR writes below the header, or None, and the number of the next line.

    They are told by the line of dashes that follows them; it may be there alone.
    """
    units = None
    shown = [i for i, line in enumerate(lines[number : number + 4], number) if line.strip()][:2]
    for i in shown:
        cells, _, after = _record(lines, i, delimiter, path)
        if all(map(_RULE.fullmatch, cells)):
            return units, after
        units = cells
    return None, number


def _decode(content, path):
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:4096]:
        raise FileFormatError(
            f"{str(path)!r} is no text in UTF-8 (but UTF-16, or binary). Save it as CSV in UTF-8."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        raise FileFormatError(
            f"{str(path)!r} must be text in UTF-8. Line {line} is not: {err}. Save it as CSV in "
            "UTF-8."
        ) from err


def _header(lines, path, delimiter):
    """Give the cells of the header, the number of the line after it, and what separates cells."""
    shown = (i for i, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    number = next(shown, None)
    if number is None:
        raise FileFormatError(f"{str(path)!r} could not be read as csv: it is empty.")
    line = lines[number]
    comments = [comment.lstrip("# ") for comment in lines[:number] if comment.startswith("#")]
    if delimiter is None:
        delimiter = max(",;\t", key=line.count)
    header, quoted, after = _record(lines, number, delimiter, path)
    if comments and any(map(_NUMBER.fullmatch, header)):
        stated = [cell.strip() for cell in comments[-1].split(delimiter)]
        if len(stated) == len(header):
            return (stated, (False,) * len(stated)), number, delimiter
    return (header, quoted), after, delimiter


def _record(lines, number, delimiter, path, like=()):
    """Give the cells of a record, whether each is quoted, and the number of the next line.

    ``like`` is what was quoted in the record before.
    """
    line, begun = lines[number], number
    number += 1
    if '"' not in line:
        cells = [cell.strip() for cell in line.split(delimiter)]
        return cells, (False,) * len(cells), number
    cells = next(csv.reader([line], delimiter=delimiter))
    if len(cells) == len(like) and line == delimiter.join(
        [f'"{c.replace(_Q, _Q + _Q)}"' if was else c for c, was in zip(cells, like, strict=True)]
    ):  # as nearly always
        return [c if was else c.strip() for c, was in zip(cells, like, strict=True)], like, number
    mark = re.escape(delimiter)
    pattern = re.compile(rf' *("(?:[^"]|"")*" *|(?!")[^{mark}]*)({mark}|\Z)')
    while True:
        cells, quoted, place = [], [], 0
        while match := pattern.match(line, place):
            cell = match[1].strip(" ") if match[1][:1] == _Q else match[1].strip()
            quoted.append(len(cell) > 1 and cell[0] == cell[-1] == _Q)
            cells.append(cell[1:-1].replace(_Q + _Q, _Q) if quoted[-1] else cell)
            place = match.end()
            if not match[2]:
                return cells, tuple(quoted), number
        if number >= len(lines):
            raise FileFormatError(
                f"{str(path)!r} is truncated or damaged: a quoted cell that begins in line "
                f"{begun + 1} has no end."
            )
        line, number = f"{line}\n{lines[number]}", number + 1


def _chunks(lines, number, delimiter, width, path):
    """Give the rows, some thousands at once: their cells, and which of these are quoted."""
    rows, quotes, quoted = [], [], ()
    while number < len(lines):
        line = lines[number]
        if not line.strip() or line.startswith("#"):
            number += 1
            continue
        begun = number
        cells, quoted, number = _record(lines, number, delimiter, path, quoted)
        if len(cells) != width:
            raise FileFormatError(
                f"{str(path)!r} could not be read as csv: line {begun + 1} has {len(cells)} cells, "
                f"the header {width}. It may be truncated."
            )
        rows.append(cells)
        quotes.append(quoted)
        if len(rows) == _ROWS_AT_ONCE:
            yield rows, quotes
            rows, quotes = [], []
    if rows:
        yield rows, quotes


def _tell_quotes(header, lines, first, delimiter, path):
    """Whether quotes tell text from numbers: not where all is quoted, the header as well."""
    if not all(header[1]):
        return True
    _, quotes = next(_chunks(lines, first, delimiter, len(header[0]), path), ([], [()]))
    return not all(quotes[0])


def _kind(cells, known):
    """Tell what cells hold, given what those before held."""
    if known in (None, "whole", "number") and _are_plain_numbers(cells):
        return "number"  # as nearly always
    values = [value for value in cells if value.lower() not in _NO_VALUE]
    if not values:
        return known
    if all(map(_WHOLE.fullmatch, values)):
        identifiers = known != "number" and any(map(_BEGINS_WITH_ZERO.fullmatch, values))
        large = any(len(value) > 18 and abs(int(value)) > _LARGEST for value in values)
        kind = "text" if identifiers or large else "whole"
    elif all(_NUMBER.fullmatch(value) or _NO_NUMBER.fullmatch(value) for value in values):
        finite = [abs(_float(v)) != np.inf for v in values if not _NO_NUMBER.fullmatch(v)]
        kind = "number" if all(finite) else "text"
    else:
        kind = "truth" if set(values) <= {"True", "False"} else "text"
    if known in (None, kind):
        return kind
    return "number" if {known, kind} == {"whole", "number"} else "text"


def _are_plain_numbers(cells):
    """Whether cells are finite numbers and not all whole."""
    whole = "".join(cells)
    if not ("." in whole and whole.isascii()) or "_" in whole:
        return False
    try:
        return bool(np.isfinite(list(map(float, cells))).all())
    except ValueError:
        return False


def _float(text):
    try:
        return float(text)
    except ValueError:  # of Fortran
        return float(text.replace("d", "e").replace("D", "e"))


def _values(cells, quoted, kind):
    """Give values and mask of some cells of a column."""
    if kind == "text":
        values = list(map(_bare, cells, quoted))
        return np.array(values, dtype=str), ~(np.array(cells, dtype=bool) | np.array(quoted))
    empty, read = {"whole": (0, int), "truth": (False, "True".__eq__)}.get(kind, (np.nan, _float))
    mask = np.zeros(len(cells), dtype=bool)
    if kind == "truth" or not _NO_VALUE.isdisjoint(map(str.lower, cells)):
        mask = np.array([value.lower() in _NO_VALUE for value in cells])
        cells = ["" if hidden else value for value, hidden in zip(cells, mask, strict=True)]
        return np.array([read(value) if value else empty for value in cells]), mask
    return np.array(list(map(read, cells)), dtype=type(empty)), mask


def _column(parts, kind):
    if not parts:
        return Column(np.array([], dtype=str if kind == "text" else float))
    values = np.concatenate([values for values, _ in parts])
    mask = np.concatenate([mask for _, mask in parts])
    return MaskedColumn(values, mask=mask) if mask.any() else Column(values)


def _bare(value, was_quoted):
    """Undo `_harmless`."""
    return value[1:] if was_quoted and value[:1] == "'" and _RUNS.match(value) else value


def _harmless(value):
    return f"'{value}" if _RUNS.match(value) else value


def write_csv(table, path, delimiter=","):
    """Write a table with quotes around text, and an apostrophe before what spreadsheets would run.

    `read_csv` gives it back. Numbers are never quoted; nothing between two commas means no value.
    """
    columns = [_cells(table[name], name) for name in table.colnames]
    header = [
        _quote(name) if _RUNS.match(name) or re.search(r'[",;\t\n]|^[\s#]|\s$', name) else name
        for name in table.colnames
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(delimiter.join(header) + "\n")
        file.writelines(delimiter.join(row) + "\n" for row in zip(*columns, strict=True))


def _cells(column, name):
    """Give the cells of a column."""
    mask = np.ma.getmaskarray(column) if not hasattr(column, "mask") else np.asarray(column.mask)
    values = getattr(column, "unmasked", column)
    values = np.asarray(getattr(values, "value", values))
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind not in "biufU":
        raise InvalidInputError(
            f"CSV cannot hold the column {name!r} of {values.dtype}. Write another format, or "
            "leave it out."
        )
    show = _quote if values.dtype.kind == "U" else str
    if values.dtype.kind != "f" or values.dtype == float:
        values = values.tolist()  # which is quicker; other floats have fewer digits or more
    return ["" if hidden else show(v) for v, hidden in zip(values, mask, strict=True)]


def _quote(value):
    return '"' + _harmless(str(value)).replace('"', '""') + '"'
