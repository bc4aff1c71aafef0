"""The one reader of mass tables: nothing else knows how their columns are named."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import astropy.units as u
import numpy as np

from szmass._utils.attributes import column_parts
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.results.masses import column_suffix

__all__ = ["MethodMasses", "masses_of", "methods_of"]


@dataclass(frozen=True)
class MethodMasses:
    """Masses of one method as plain arrays, one entry per cluster.

    Parameters
    ----------
    method : str
        Name of the method.
    mass, errn, errp : `~numpy.ndarray`
        Mass and its lower and upper 68 % distances [solMass]; NaN where unknown.
    flag : `~numpy.ndarray` of int
        Bits of `MassFlag`; 0 where the table has no such column.
    samples : `~numpy.ndarray` or None
        Masses drawn from the posterior [solMass], shape (N, n), where the table has them.
    about : dict
        What the table says of the method.
    """

    method: str
    mass: np.ndarray
    errn: np.ndarray
    errp: np.ndarray
    flag: np.ndarray
    samples: np.ndarray | None = None
    about: dict = field(default_factory=dict)


def methods_of(table):
    """Give the methods whose masses a table holds.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A mass table of one method or of several.

    Returns
    -------
    dict of str to dict
        What is on record of each method, by its name, in the order of the columns; empty where
        nothing is on record.
    """
    names = table.colnames
    if "mass" in names:
        return {str(table.meta.get("method", "mass")): dict(table.meta)}
    recorded = table.meta.get("methods")
    recorded = recorded if isinstance(recorded, Mapping) else {}
    by_suffix = {column_suffix(method): method for method in recorded}
    found = {}
    for name in names:
        suffix = name.removeprefix("mass_")
        complete = {f"flag_{suffix}", f"mass_errn_{suffix}"} & set(names)
        if suffix == name or not (complete or suffix in by_suffix):
            continue
        method = by_suffix.get(suffix, suffix)
        about = recorded.get(method, {})
        found[method] = dict(about) if isinstance(about, Mapping) else {}
    return found


def masses_of(table, method):
    """Take the masses of one method out of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A mass table of one method or of several.
    method : str
        Name of the method.

    Returns
    -------
    MethodMasses
        Plain arrays; errors are NaN where the table has none.

    Raises
    ------
    InvalidInputError
        The table has no masses of that method; the message lists those it has.
    InvalidUnitError
        A column of masses is not in a unit of mass.
    """
    known = methods_of(table)
    by_suffix = {column_suffix(name): name for name in known}
    name = method if method in known else by_suffix.get(column_suffix(method))
    if name is None:
        raise InvalidInputError(
            f"The table has no masses of method {method!r}. It has: {', '.join(known) or 'none'}."
        )
    end = "" if "mass" in table.colnames else f"_{column_suffix(name)}"

    def floats(column):
        if column not in table.colnames:
            return np.full(len(table), np.nan)
        return as_floats(table[column], u.solMass, column)

    flag = np.zeros(len(table), int)
    if f"flag{end}" in table.colnames:
        values, mask, _ = column_parts(table[f"flag{end}"])
        flag = np.where(mask, 0, values).astype(int)
    drawn = f"samples{end}"
    return MethodMasses(
        name,
        floats(f"mass{end}"),
        floats(f"mass_errn{end}"),
        floats(f"mass_errp{end}"),
        flag,
        as_floats(table[drawn], u.solMass, drawn) if drawn in table.colnames else None,
        known[name],
    )
