"""Look-up of rows by name."""

import difflib
import re
import unicodedata

import numpy as np

from szmass.exceptions import DuplicateNameError, UnknownNameError


class NameIndex:
    """Find rows by name: spaces, case and the sort of dash do not matter.

    ``kind`` is what the rows are, for the messages; repeated names are a `DuplicateNameError`.
    """

    def __init__(self, names, kind="cluster"):
        self.names = np.array(names, dtype=str)
        self.kind = kind
        self._rows, repeated, spaceless = {}, {}, {}
        for row, name in enumerate(self.names):
            key = _normalised(name)
            if key in self._rows:
                repeated.setdefault(key, [self._rows[key]]).append(row)
            self._rows.setdefault(key, row)
            spaceless.setdefault(key.replace(" ", ""), set()).add(key)
        if repeated:
            listed = "; ".join(
                f"{str(self.names[rows[0]])!r} in rows {', '.join(map(str, rows))}"
                for rows in list(repeated.values())[:10]
            )
            raise DuplicateNameError(
                f"Each {kind} needs a name of its own, and {len(repeated)} "
                f"{'is' if len(repeated) == 1 else 'are'} repeated: {listed}."
            )
        self._spaceless = {key: keys.pop() for key, keys in spaceless.items() if len(keys) == 1}

    def __getitem__(self, name):
        key = _normalised(name)
        key = key if key in self._rows else self._spaceless.get(key.replace(" ", ""))
        if key is None:
            close = difflib.get_close_matches(_normalised(name), self._rows, n=3)
            hint = ", ".join(repr(str(self.names[self._rows[match]])) for match in close)
            known = ", ".join(map(repr, map(str, self.names[:10])))
            if len(self.names) > 10:
                known += f" and {len(self.names) - 10} more"
            raise UnknownNameError(
                f"No {self.kind} is named {str(name)!r}. "
                + (f"Did you mean {hint}?" if hint else f"Known: {known or 'none'}.")
            )
        return self._rows[key]


def did_you_mean(name, known):
    """Give a hint such as " Did you mean 'psz2'?", or an empty text where nothing is close."""
    lower = {str(value).lower(): str(value) for value in known}
    close = difflib.get_close_matches(str(name).lower(), lower, n=1)
    return f" Did you mean {lower[close[0]]!r}?" if close else ""


def _normalised(name):
    name = unicodedata.normalize("NFKC", str(name))
    return " ".join(re.sub("[\u2010-\u2015\u2212]", "-", name).split()).casefold()
