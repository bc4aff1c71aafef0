"""Masses of each method in a table: the one place that knows how their columns are named."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Table

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.physics.checks import check_one_minus_b
from szmass.results.flags import flags_in
from szmass.results.masses import (
    MASS_COLUMNS,
    SCHEMA_VERSION,
    MassTable,
    column_suffix,
    format_masses,
)
from szmass.results.scale import MassScale

__all__ = [
    "TRUE_MASS",
    "MethodMasses",
    "add_method",
    "columns_of_method",
    "masses_of",
    "methods_of",
    "one_method",
    "rescale_masses",
    "side_by_side",
]

# Columns that every method has, by the field of `MethodMasses`.
_SCHEMA_NAMES = {"mass": "mass", "errn": "mass_errn", "errp": "mass_errp", "flag": "flag"}

#: Column of the true masses of simulated clusters; it is of no method.
TRUE_MASS = "mass_true"

# Further columns that a method may have, by the field of `MethodMasses`, and what they are.
_MORE = {
    "mean": "Mean of M of the posterior",
    "samples": "Masses drawn from the posterior",
}

# What tables of schema 1 say of the estimators and networks of their time by name alone.
_KINDS_OF_OLD = {
    "ScalingRelationMass": "relation",
    "MatchedFilterMass": "filter",
    "LikelihoodMass": "likelihood",
    "LensingMass": "lensing",
    "CNNMass": "network",
    "DeAndres2022": "network",
}
_SCALES_OF_OLD = {
    "szmass-density": 0.8,
    "deandres2022": "true (simulation The Three Hundred)",
}


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
    mean : `~numpy.ndarray` or None
        Mean of M [solMass], where the table has it.
    names : `~numpy.ndarray` of str or None
        Names of the clusters, where the table has them.

    Examples
    --------
    >>> from szmass import estimate_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.results import masses_of
    >>> masses = masses_of(estimate_masses(make_check_sample(3), "scaling"), "scaling")
    >>> masses.kind, str(masses.mass_scale), masses.mass.shape
    ('relation', '1-b = 1', (3,))
    """

    method: str
    mass: np.ndarray
    errn: np.ndarray
    errp: np.ndarray
    flag: np.ndarray
    samples: np.ndarray | None = None
    about: dict = field(default_factory=dict)
    mean: np.ndarray | None = None
    names: np.ndarray | None = None

    @property
    def kind(self) -> str:
        """What the method is, a str: one of `MassEstimator.kind <szmass.estimators.MassEstimator>`,
        "catalog" for other columns of masses, "truth" for the true mass."""
        return str(self.about.get("kind", "other"))

    @property
    def mass_scale(self) -> MassScale:
        """Scale of the masses, a `MassScale`."""
        return _scale(self.about)


def _scale(about: Mapping[str, Any]) -> MassScale:
    value = about.get("mass_scale", "unknown")
    return MassScale(value if isinstance(value, int | float | str) else "unknown")


def complete_record(about: Any) -> dict[str, Any]:
    """Add to the record of a method of schema 1 what today's says outright."""
    about = dict(about) if isinstance(about, Mapping) else {}
    kind = _KINDS_OF_OLD.get(str(about.get("estimator")).partition("(")[0])
    if "kind" not in about and kind is not None:
        scale = "lensing" if kind == "lensing" else about.get("one_minus_b", "unknown")
        scale = _SCALES_OF_OLD.get(about.get("model_card"), scale)
        about = {"kind": kind, "mass_scale": scale} | about
    return about


def columns_of_method(method: str | None = None) -> dict[str, str]:
    """Give the names of the columns of a method.

    Parameters
    ----------
    method : str, optional
        Its name; None for the columns of a table of one method.

    Returns
    -------
    dict of str to str
        Field of `MethodMasses` to column.

    Examples
    --------
    >>> from szmass.results import columns_of_method
    >>> columns_of_method("cnn-deandres2022")["errn"]
    'mass_errn_cnn_deandres2022'
    """
    end = "" if method is None else f"_{column_suffix(method)}"
    columns = _SCHEMA_NAMES | {name: name for name in _MORE}
    return {name: f"{column}{end}" for name, column in columns.items()}


def recorded_methods(table: Table) -> Mapping[str, Any]:
    """What ``meta`` of a table of several methods has on record of each, by name."""
    methods = table.meta.get("methods")
    return methods if isinstance(methods, Mapping) else {}


def _is_mass(column: Any) -> bool:
    unit = getattr(column, "unit", None)
    known = unit is not None and u.Unit(unit).is_equivalent(u.solMass)
    return known and getattr(column, "ndim", 1) == 1


def methods_of(table: Table, *, whole: bool = False) -> dict[str, dict[str, Any]]:
    """Give the methods whose masses a table holds.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A mass table of one method or of several.
    whole : bool, optional
        Count only methods that are on record or have errors or flags, and no other column
        ``mass_<something>``.

    Returns
    -------
    dict of str to dict
        What is on record of each method, by its name, in the order of the columns; empty where
        nothing is on record.

    Examples
    --------
    >>> from szmass import estimate_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.results import methods_of
    >>> list(methods_of(estimate_masses(make_check_sample(3), ["scaling", "matched_filter"])))
    ['scaling', 'matched_filter']
    """
    names = check_kind(table, "Table", "table", wanted="table of masses").colnames
    if "mass" in names:
        labels = table["method"][:1] if "method" in names else []
        label = str(labels[0]) if len(labels) and labels[0] is not np.ma.masked else ""
        name = label or str(table.meta.get("method", "mass"))
        return {name: complete_record(table.meta)}
    recorded = recorded_methods(table)
    by_suffix = {column_suffix(method): method for method in recorded}
    found = {}
    for name in names:
        suffix = name.removeprefix("mass_")
        if suffix == name or name == TRUE_MASS or name.startswith(("mass_errn", "mass_errp")):
            continue
        others = columns_of_method(suffix)
        known = suffix in by_suffix or {others["flag"], others["errn"]} & set(names)
        if known or (not whole and _is_mass(table[name])):
            method = by_suffix.get(suffix, suffix)
            found[method] = complete_record(recorded.get(method))
    return found


def masses_of(table: Table, method: str) -> MethodMasses:
    """Take the masses of one method out of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A mass table of one method or of several.
    method : str
        Name of the method; or of another column of masses, such as ``"msz"`` with its errors
        ``"msz_errn"`` and ``"msz_errp"``.

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

    Examples
    --------
    >>> from szmass import estimate_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.results import masses_of
    >>> table = estimate_masses(make_check_sample(3), "scaling")
    >>> bool((masses_of(table, "scaling").errp > 0).all())
    True
    >>> masses_of(table, "msz").kind
    'catalog'
    """
    known = methods_of(table)
    check_kind(method, "str", "method")
    name = method if method in known else _of_suffix(known, method)
    if name is not None:
        columns = columns_of_method(None if "mass" in table.colnames else name)
        about = known[name]
    elif method in table.colnames:
        name, columns = method, {"mass": method, "errn": f"{method}_errn", "errp": f"{method}_errp"}
        about = {"kind": "truth" if method == TRUE_MASS else "catalog"}
    elif columns_of_method(method)["mass"] in table.colnames:
        # It has neither errors nor a unit, of which the reader is told below.
        name, columns, about = method, columns_of_method(method), {}
    else:
        raise InvalidInputError(
            f"The table has no masses {method!r}: neither a method nor a column of that name. It "
            f"has the methods: {', '.join(known) or 'none'}."
        )

    def floats(field: str, default: Any = None) -> Any:
        column = columns.get(field)
        if column not in table.colnames:
            return default
        return np.array(as_floats(table[column], u.solMass, column))

    flag = np.zeros(len(table), int)
    if columns.get("flag") in table.colnames:
        flag = flags_in(table[columns["flag"]], columns["flag"])
    nan = np.full(len(table), np.nan)
    errors = floats("errn", nan), floats("errp", nan.copy())
    names = np.array(table["name"], dtype=str) if "name" in table.colnames else None
    return MethodMasses(
        name, floats("mass"), *errors, flag, floats("samples"), about, floats("mean"), names
    )


def _of_suffix(methods: Iterable[str], method: str) -> str | None:
    return {column_suffix(name): name for name in methods}.get(column_suffix(str(method)))


def add_method(table: Table, masses: MethodMasses) -> Table:
    """Add the masses of a method to a table, at its end, and to ``meta["methods"]``.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table with one row per cluster; it is changed. Columns of the same names are replaced.
    masses : MethodMasses
        What is added, with its name.

    Returns
    -------
    `~astropy.table.Table`
        The same table.

    Raises
    ------
    InvalidInputError
        The masses are of other clusters or in another order, another method has the same column
        names, or the table is one of a single method.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from szmass.results import MethodMasses, add_method
    >>> table, ten = QTable({"name": ["a"]}), np.array([1e14])
    >>> mine = MethodMasses("mine", 5 * ten, ten, ten, np.array([0]), about={"kind": "catalog"})
    >>> add_method(table, mine).colnames
    ['name', 'mass_mine', 'mass_errn_mine', 'mass_errp_mine', 'flag_mine']
    """
    check_kind(table, "Table", "table", wanted="table of masses")
    columns = columns_of_method(check_kind(masses, "MethodMasses", "masses").method)
    if len(masses.mass) != len(table) or "mass" in table.colnames:
        raise InvalidInputError(
            f"'masses' must have one entry per row of 'table' ({len(table)}), a table that is not "
            f"that of one method. Received: {len(masses.mass)}"
        )
    if masses.names is not None and "name" in table.colnames:
        rows = np.flatnonzero(masses.names != np.array(table["name"], dtype=str))
        if len(rows):
            raise InvalidInputError(
                f"'masses' must be of the clusters of 'table' in their order: in row {rows[0]} is "
                f"{str(table['name'][rows[0]])!r}. Received: {str(masses.names[rows[0]])!r}"
            )
    other = _of_suffix(recorded_methods(table), masses.method)
    if columns["mass"] in table.colnames and other not in (None, masses.method):
        raise InvalidInputError(f"Two methods would share the column name {columns['mass']!r}.")
    for name, column in columns.items():
        values = getattr(masses, name)
        if values is None:
            continue
        text = _MORE.get(name) or MASS_COLUMNS[_SCHEMA_NAMES[name]][1]
        table[column] = values if name == "flag" else u.Quantity(values, u.solMass)
        table[column].info.description = f"{text} ({masses.method})"
    table.meta["methods"] = {**recorded_methods(table), masses.method: dict(masses.about)}
    return format_masses(table) if isinstance(table, MassTable) else table


def side_by_side(tables: Mapping[str, Table]) -> MassTable:
    """Join the mass tables of several methods: one row per cluster, columns per method.

    Parameters
    ----------
    tables : dict of str to `MassTable`
        Mass tables of the same clusters in the same order, by method.

    Returns
    -------
    `MassTable`
        Columns ``name``, ``redshift``, and for each method ``mass_<method>``,
        ``mass_errn_<method>``, ``mass_errp_<method>``, ``flag_<method>``. The methods' own
        ``meta`` stand in ``meta["methods"]``.

    Raises
    ------
    InvalidInputError
        The tables are not of the same clusters, or two methods would share a column name.

    Examples
    --------
    >>> from szmass.estimators import MatchedFilterMass, ScalingRelationMass
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.results import side_by_side
    >>> sample = make_check_sample(3)
    >>> methods = {"y": ScalingRelationMass(), "filter": MatchedFilterMass()}
    >>> table = side_by_side({name: method.predict(sample) for name, method in methods.items()})
    >>> [name for name in table.colnames if name.startswith("mass_err")]
    ['mass_errn_y', 'mass_errp_y', 'mass_errn_filter', 'mass_errp_filter']
    """
    if not isinstance(tables, Mapping):
        raise InvalidInputError(
            f"'tables' must be a dict of mass tables by method. Received: {type(tables).__name__}"
        )
    if not tables:
        raise InvalidInputError("'tables' must hold at least one mass table.")
    for method, table in tables.items():
        check_kind(table, "Table", f"tables[{method!r}]")
    first = next(iter(tables.values()))
    joined = MassTable()
    joined["name"], joined["redshift"] = first["name"], first["redshift"]
    joined.meta["schema_version"] = SCHEMA_VERSION
    for method, table in tables.items():
        if len(table) != len(first) or np.any(table["name"] != first["name"]):
            raise InvalidInputError(
                f"The table of {method!r} does not hold the clusters of the first in their order."
            )
        (found,) = methods_of(table)
        add_method(joined, replace(masses_of(table, found), method=method, about=dict(table.meta)))
    return joined


def one_method(table: Table, method: str) -> MassTable:
    """Take the mass table of one method out of a table of several.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        As `side_by_side` makes it.
    method : str
        Name of the method, as in ``table.meta["methods"]``.

    Returns
    -------
    `MassTable`
        With the columns of `MASS_COLUMNS`.

    Raises
    ------
    FileFormatError
        The table has no such method; the message lists those it has.

    Examples
    --------
    >>> from szmass import estimate_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.results import one_method
    >>> table = estimate_masses(make_check_sample(3), ["scaling", "matched_filter"])
    >>> one_method(table, "scaling").colnames
    ['name', 'redshift', 'mass', 'mass_errn', 'mass_errp', 'method', 'flag']
    """
    check_kind(table, "Table", "table", wanted="table of masses")
    columns = columns_of_method(check_kind(method, "str", "method"))
    if columns["mass"] not in table.colnames:
        raise FileFormatError(
            f"The table has no masses of method {method!r}. "
            f"It has: {', '.join(recorded_methods(table)) or 'none'}."
        )
    needed = ("name", "redshift", *(columns[name] for name in _SCHEMA_NAMES))
    lost = [name for name in needed if name not in table.colnames]
    if lost:
        raise FileFormatError(
            f"The table lacks the column {lost[0]!r} of method {method!r}. If it is from an older "
            "version of szmass, read it with szmass.results.read_masses."
        )
    single = MassTable(meta=dict(recorded_methods(table).get(method, {})))
    taken = {"name": table["name"], "redshift": table["redshift"]}
    taken |= {_SCHEMA_NAMES[name]: table[columns[name]] for name in _SCHEMA_NAMES}
    taken["method"] = np.full(len(table), method)
    for name, (_, description) in MASS_COLUMNS.items():
        single[name] = taken[name]
        single[name].info.description = description
    return single


def rescale_masses(table: Table, one_minus_b: float) -> Table:
    """Bring the methods of a table to one 1-b, as far as theirs is known.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A mass table of one method or of several; it is not changed.
    one_minus_b : float
        The 1-b that masses are to be on; they scale as 1 / (1-b).

    Returns
    -------
    `~astropy.table.Table`
        Masses, errors, means and samples of methods on the scale of another 1-b are multiplied.
        Others stay as they are. ``meta["common_scale"]`` lists both, and the record of a method
        says its ``mass_scale``, and in ``rescaled_from`` the 1-b that it had.

    Raises
    ------
    InvalidInputError
        ``one_minus_b`` is not above 0 and at most 2.

    Examples
    --------
    >>> from szmass import estimate_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.results import rescale_masses
    >>> table = estimate_masses(make_check_sample(3), "scaling")
    >>> true = rescale_masses(table, 0.8)
    >>> print((true["mass_scaling"] / table["mass_scaling"]).value)
    [1.25 1.25 1.25]
    """
    new = MassScale(check_one_minus_b(one_minus_b, one=True))
    table = table.copy()
    rescaled: list[str] = []
    kept: list[str] = []
    for method, about in methods_of(table).items():
        old = _scale(about)
        factor = old.factor_to(one_minus_b)
        (kept if factor is None else rescaled).append(method)
        if factor in (None, 1.0):
            continue
        single = "mass" in table.colnames
        for name, column in columns_of_method(None if single else method).items():
            if column in table.colnames and name != "flag":
                info = table[column].info
                description, shown = info.description, info.format
                table[column] = table[column] * factor
                table[column].info.description, table[column].info.format = description, shown
        about |= {"mass_scale": new.value, "rescaled_from": old.value}
        if single:
            table.meta.update(about)
        else:
            table.meta["methods"][method] = about
    table.meta["common_scale"] = {"one_minus_b": new.value, "rescaled": rescaled, "kept": kept}
    return table
