"""Spellings of cluster names that mean the same, and pairs of rows that share a name."""

import re
import unicodedata

import numpy as np

__all__ = ["name_key", "name_keys", "pairs_by_name"]

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_NOT_A_NAME = {"N/A", "NONE", "NAN", "NULL"}
# Abell, Corwin & Olowin (1989): numbers up to 4076, and S1 to S1174 for the supplement.
_ABELL = re.compile(r"(?:ABELL|ACO|A)-?(S?)-?0*(\d{1,4})-?([A-Z]?)")
_ZWICKY = re.compile(r"(?:ZWCL|ZWICKY|ZW)0*(\d.*)")
# MCXC names its clusters by J alone; most are RXC clusters of the same digits.
_XRAY = re.compile(r"(?:MCXC|RXC)?(J\d{4}\.\d[+-]\d{4})")
_MACS = re.compile(r"(?:MACS|MCS)(J\d{4}.*)")
_SEPARATORS = re.compile(r"[,;|]")


def name_key(name):
    """Reduce a name to a form that all its usual spellings share; None where there is no name.

    "Abell 2142", "A2142" and "ACO 2142" are the same, and so are "MCXC J0000.1+0816" and
    "J0000.1+0816". Case, blanks, kinds of dashes, and a dash after a letter do not count.
    """
    text = unicodedata.normalize("NFKC", str(name)).translate(_DASHES).upper()
    text = re.sub(r"[\s_]", "", text)
    text = re.sub(r"(?<=[A-Z])-+", "", text)  # other dashes are signs, as in "G359.07-32.12"
    if text in _NOT_A_NAME or not any(map(str.isalnum, text)):
        return None
    if match := _ABELL.fullmatch(text):
        return f"A{match[1]}{match[2]}{match[3]}"
    if match := _XRAY.fullmatch(text):
        return match[1]
    if match := _ZWICKY.fullmatch(text):
        return f"ZWCL{match[1]}"
    if match := _MACS.fullmatch(text):
        return f"MACS{match[1]}"
    return text


def name_keys(columns, *, split=()):
    """Give rows and keys of the names in columns (values, mask); a row can have none or several.

    Columns numbered in ``split`` hold lists of names, separated by ``,``, ``;`` or ``|``.
    """
    rows, keys = [], []
    for number, (values, mask) in enumerate(columns):
        for row in np.flatnonzero(~mask):
            value = values[row]
            text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
            for name in _SEPARATORS.split(text) if number in split else (text,):
                key = name_key(name)
                if key is not None:
                    rows.append(row)
                    keys.append(key)
    return np.array(rows, dtype=np.intp), np.array(keys, dtype=str)


def pairs_by_name(a, b):
    """Find the pairs of rows that share a key, each once, sorted; a and b are of `name_keys`."""
    by_key = {}
    for row, key in zip(*b, strict=True):
        by_key.setdefault(key, []).append(row)
    pairs = {(i, j) for i, key in zip(*a, strict=True) for j in by_key.get(key, ())}
    pairs = np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
