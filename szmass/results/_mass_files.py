"""What is made of a mass table that was read: its version, its units, and what it lacks."""

from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.table import MaskedColumn

from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError
from szmass.results.masses import (
    COLUMNS_OF_A_METHOD,
    MASS_COLUMNS,
    SCHEMA_VERSION,
    MassFlag,
    column_suffix,
)

__all__ = ["completed"]

# Numbers below are no masses in solMass: a column without a unit holds something else.
_SMALLEST_MASS = 1e10


def completed(table, path):
    """Bring a mass table to the present schema.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        As it was read; it is changed.
    path : str
        Its file, for the messages.

    Returns
    -------
    table : `~astropy.table.QTable`
        With all columns of the schema.
    note : str
        What was missing, or nothing.

    Raises
    ------
    FileFormatError
        It is no mass table, or one of a later version of szmass.
    InvalidUnitError
        A mass has no unit or another one.
    """
    version, writer = table.meta.get("schema_version", 0), _writer(table.meta)
    where = f"{path!r} (written by szmass {writer})"
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise FileFormatError(
            f"{where} has the schema version {version!r}; this szmass knows up to "
            f"{SCHEMA_VERSION}. Update szmass."
        )
    suffixes = _suffixes(table, where)
    added = [] if "redshift" in table.colnames else ["redshift"]
    if added:
        unknown = MaskedColumn(np.full(len(table), np.nan), mask=np.ones(len(table), bool))
        table.add_column(unknown, name="redshift", index=table.colnames.index("name") + 1)
    for suffix in suffixes:
        added += _complete(table, suffix)
    note = ""
    if added:
        table.meta["added_columns"] = added
        note = f"{where} lacks {', '.join(added)}: filled in as not known."
    table.meta["schema_version"] = SCHEMA_VERSION
    return table, note


def _writer(meta):
    methods = meta.get("methods")
    about = [meta, *(methods.values() if isinstance(methods, Mapping) else ())]
    found = {
        str(m["szmass_version"]) for m in about if isinstance(m, Mapping) and "szmass_version" in m
    }
    return ", ".join(sorted(found)) or "of unknown version"


def _suffixes(table, where):
    """Endings of the columns of each method; "" for the table of one."""
    names = table.colnames
    if "name" not in names:
        raise FileFormatError(
            f"{where} is no mass table: it has no column 'name'. It has: {', '.join(names)}."
        )
    if "mass" in names:
        return [""]
    methods = table.meta.get("methods")
    listed = [f"_{column_suffix(m)}" for m in methods] if isinstance(methods, Mapping) else []
    lost = [f"mass{suffix}" for suffix in listed if f"mass{suffix}" not in names]
    if lost:
        raise FileFormatError(f"{where} lacks the column {lost[0]!r}, which its meta speaks of.")
    found = [
        name.removeprefix("mass")
        for name in names
        if name.startswith("mass_") and {f"flag{name[4:]}", f"mass_errn{name[4:]}"} & set(names)
    ]
    if not found and not listed:
        raise FileFormatError(
            f"{where} is no mass table: it has neither a column 'mass' nor columns 'mass_<method>' "
            f"with errors and flags. It has: {', '.join(names)}."
        )
    return list(dict.fromkeys((*listed, *found)))


def _complete(table, suffix):
    """Bring the columns of one method to the schema; give the names of those that were missing."""
    added = []
    for name in COLUMNS_OF_A_METHOD[:3]:
        column = f"{name}{suffix}"
        if column not in table.colnames:
            added.append(column)
            table[column] = np.full(len(table), np.nan) * u.solMass
            table[column].info.description = MASS_COLUMNS[name][1]
            continue
        description = table[column].info.description
        table[column] = _masses(table[column], column) * u.solMass
        table[column].info.description = description or MASS_COLUMNS[name][1]
    flag, description = f"flag{suffix}", None
    if flag in table.colnames:
        description = table[flag].info.description
        table[flag] = np.ma.filled(np.ma.asarray(table[flag]), 0).astype(int)
    else:
        added.append(flag)
        table[flag] = np.zeros(len(table), int)
    if any("err" in name for name in added):
        known = np.isfinite(table[f"mass{suffix}"])
        table[flag] = np.where(known, table[flag] | MassFlag.NO_ERROR, table[flag]).astype(int)
    if not suffix and "method" not in table.colnames:
        added.append("method")
        table["method"] = np.full(len(table), str(table.meta.get("method", "unknown")))
    table[flag].info.description = description or MASS_COLUMNS["flag"][1]
    return added


def _masses(column, name):
    if getattr(column, "unit", None) is not None:
        return as_floats(column, u.solMass, name)
    values = as_floats(np.ma.asarray(column, dtype=float), "", name)
    # CSV has no units; what szmass writes is in solMass.
    plausible = values[np.isfinite(values) & (values != 0)]
    if not name.startswith("mass_err") and np.any(np.abs(plausible) < _SMALLEST_MASS):
        return as_floats(values, u.solMass, name)  # raises: there is no unit
    return values
