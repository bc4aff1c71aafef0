"""Names of rows: their spellings, and look-up by them."""

import difflib
import functools
import re
import unicodedata
from collections import Counter

import numpy as np

from szmass._tables.columns import NO_VALUE
from szmass.exceptions import DuplicateNameError, UnknownNameError

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
# Abell, Corwin & Olowin (1989): numbers up to 4076, and S1 to S1174 for the supplement.
_ABELL = re.compile(r"(?:ABELL|ACO|A)-?(S?)-?0*(\d{1,4})-?([A-Z]?)")
_ZWICKY = re.compile(r"(?:ZWCL|ZWICKY|ZW)0*(\d.*)")
# MCXC names its clusters by J alone; most are RXC clusters of the same digits.
_XRAY = re.compile(r"(?:MCXC|RXC)?(J\d{4}\.\d[+-]\d{4})")
_MACS = re.compile(r"(?:MACS|MCS)(J\d{4}.*)")
_DASH = re.compile(r"(?<=[A-Z])-+")  # other dashes are signs, as in "G359.07-32.12"
_BETWEEN_DIGITS = re.compile(r"(?<=\d)\s+(?=\d)")
_SEPARATORS = re.compile(r"[,;|]")
_LISTED = 10

# Clusters that people call by names which surveys do not have: keys of one cluster by row.
_COMMON = tuple(
    frozenset(line.split())
    for line in """
    COMA COMACLUSTER A1656 J1259.7+2756
    PERSEUS PERSEUSCLUSTER A426 J0319.7+4130
    CENTAURUS CENTAURUSCLUSTER A3526 J1248.7-4118
    HYDRAA A780 J0918.1-1205
    OPHIUCHUS OPHIUCHUSCLUSTER J1712.4-2321
    PANDORA PANDORACLUSTER PANDORA'SCLUSTER A2744 J0014.3-3023
    BULLET BULLETCLUSTER 1E0657-56 1E0657-558 1ES0657 J0658.5-5556
    """.splitlines()
    if line.strip()
)


class NameIndex:
    """Find rows by name: in all usual spellings, as `name_key` has them, if only one row fits.

    ``kind`` is what the rows are, for the messages; repeated names are a `DuplicateNameError`.
    ``aliases`` are columns of further names, several in a cell separated by commas, semicolons or
    bars; rows may share them.
    """

    def __init__(self, names, kind="cluster", aliases=()):
        self.names = np.array(names, dtype=str)
        self.kind, self._aliases = kind, aliases
        if repeated := _repeated(self.names, _normalised):
            listed = "; ".join(
                f"{str(self.names[rows[0]])!r} in rows {', '.join(map(str, rows))}"
                for rows in repeated[:_LISTED]
            )
            raise DuplicateNameError(
                f"Each {kind} needs a name of its own, and {len(repeated)} "
                f"{'is' if len(repeated) == 1 else 'are'} repeated: {listed}."
            )

    def __getitem__(self, name):
        key = _normalised(name)
        if key in self._rows:
            return self._rows[key]
        alike = self.rows_of(name)
        if len(alike) == 1 and not _in_parts(self.names[alike[0]], name):
            return alike[0]
        close = [str(self.names[row]) for row in alike] or self.nearest(name)
        known = ", ".join(map(repr, map(str, self.names[:_LISTED])))
        if len(self.names) > _LISTED:
            known += f" and {len(self.names) - _LISTED} more"
        raise UnknownNameError(
            f"No {self.kind} is named {str(name)!r}"
            + (f", and {len(alike)} are alike. " if len(alike) > 1 else ". ")
            + (f"Did you mean {', '.join(map(repr, close))}?" if close else "")
            + ("" if close else f"Known: {known or 'none'}.")
        )

    def rows_of(self, name):
        """Give all rows that a name can mean: by their names, else by the further ones."""
        for by_key in (self._by_key, self._by_alias):
            for keys in _keys_of(name):
                if found := sorted({row for key in keys for row in by_key.get(key, ())}):
                    return found
        return []

    def names_of(self, row):
        """Give all names of a row."""
        cells = (str(column[row]) for column in self._aliases)
        return [str(self.names[row]), *(name for cell in cells for name in _names_in(cell))]

    def nearest(self, name, n=3):
        """Give the names that are spelled most nearly like one, at most n."""
        cells = (str(cell) for column in self._aliases for cell in column)
        spelled = {_normalised(text): text for cell in cells for text in _names_in(cell)}
        spelled |= {_normalised(text): str(text) for text in self.names}
        return [spelled[key] for key in difflib.get_close_matches(_normalised(name), spelled, n=n)]

    @functools.cached_property
    def _rows(self):
        return {_normalised(name): row for row, name in enumerate(self.names)}

    @functools.cached_property
    def _by_key(self):
        return _rows_by_key(enumerate(self.names.tolist()))

    @functools.cached_property
    def _by_alias(self):
        cells = (pair for column in self._aliases for pair in enumerate(map(str, column)))
        return _rows_by_key((row, name) for row, cell in cells for name in _names_in(cell))

    def alike(self):
        """Tell in words which rows have names that mean the same, as "A1" and "Abell 1" do."""
        # "A1 1" is a part of A1, "A11" another cluster.
        same = _repeated(self.names, lambda name: _common_key(_BETWEEN_DIGITS.sub("/", name)))
        if not same:
            return None
        listed = "; ".join(
            " and ".join(f"{str(self.names[row])!r} (row {row})" for row in found)
            for found in same[:_LISTED]
        )
        return (
            f"The same {self.kind} seems to stand in several rows under names that mean the same: "
            f"{listed}{f'; and {len(same) - _LISTED} more' if len(same) > _LISTED else ''}."
        )


def _names_in(cell):
    return [name.strip() for name in _SEPARATORS.split(cell) if name.strip()]


def _rows_by_key(names):
    rows = {}
    for row, name in names:
        if (key := name_key(name)) is not None:
            rows.setdefault(key, []).append(row)
    return rows


def _common_key(name):
    """Give the key of a name, the same for all names of a cluster that is known by several."""
    key = name_key(name)
    return next((min(keys) for keys in _COMMON if key in keys), key)


def _keys_of(name):
    """Give the keys to look for: that of a name, then those of the same cluster."""
    key = name_key(name)
    return [{key}, *(keys for keys in _COMMON if key in keys)]


def _in_parts(name, other):
    """Whether two names of one key differ by a blank between digits: "A1 1" is a part of A1."""
    keys = [name_key(_BETWEEN_DIGITS.sub("/", str(text))) for text in (name, other)]
    return keys[0] != keys[1] and name_key(name) == name_key(other)


def name_key(name):
    """Reduce a name to a form that all its usual spellings share; None where there is no name.

    "Abell 2142", "A2142" and "ACO 2142" are the same, and so are "MCXC J0000.1+0816" and
    "J0000.1+0816". Case, blanks, kinds of dashes, and a dash after a letter do not count.
    """
    text = "".join(_plain(str(name)).upper().replace("_", " ").split())
    if "-" in text:
        text = _DASH.sub("", text)
    if text.lower() in NO_VALUE or not any(map(str.isalnum, text)):
        return None
    if text[0] not in "AJMRZ":  # those of the patterns
        return text
    if match := _ABELL.fullmatch(text):
        return f"A{match[1]}{match[2]}{match[3]}"
    if match := _XRAY.fullmatch(text):
        return match[1]
    if match := _ZWICKY.fullmatch(text):
        return f"ZWCL{match[1]}"
    if match := _MACS.fullmatch(text):
        return f"MACS{match[1]}"
    return text


def rows_by_name(names, others):
    """Find where each name stands among others: -1 where it does not, or where it is not clear.

    Equal names come first, then those that mean the same (`name_key`) and do so once in both.
    """
    rows = np.full(len(names), -1)
    for key in (lambda name: _normalised(name) or None, name_key):
        ours, theirs = ([key(str(name)) for name in all_of] for all_of in (names, others))
        often = Counter(ours), Counter(theirs)
        places = {name: row for row, name in enumerate(theirs)}
        taken = set(rows.tolist())
        for row in np.flatnonzero(rows < 0):
            name = ours[row]
            if name is not None and all(number[name] == 1 for number in often):
                rows[row] = -1 if places[name] in taken else places[name]
    return rows


def did_you_mean(name, known):
    """Give a hint such as " Did you mean 'psz2'?", or an empty text where nothing is close."""
    lower = {str(value).lower(): str(value) for value in known}
    close = difflib.get_close_matches(str(name).lower(), lower, n=1)
    return f" Did you mean {lower[close[0]]!r}?" if close else ""


def _repeated(names, key):
    """Give the rows of each key that stands more than once, None aside.

    Hashes are compared first: keys themselves are 200 bytes a name, and samples hold millions.
    """
    hashes = np.fromiter((hash(key(name)) for name in names), np.int64, len(names))
    order = np.argsort(hashes, kind="stable")
    same = hashes[order[1:]] == hashes[order[:-1]]
    rows = {}
    for row in np.union1d(order[1:][same], order[:-1][same]).tolist():
        rows.setdefault(key(names[row]), []).append(row)
    rows.pop(None, None)
    return [found for found in rows.values() if len(found) > 1]


def _normalised(name):
    return " ".join(_plain(str(name)).split()).casefold()


def _plain(text):
    """Give text with one sort of dash and one form of every character."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_DASHES)
