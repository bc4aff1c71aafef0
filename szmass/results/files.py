"""Files of mass tables and of posteriors, and what is made of those of older versions."""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import registry, votable
from astropy.table import MaskedColumn, QTable, Table
from numpy.typing import NDArray

from szmass._tables.files import read_table, write_table
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning
from szmass.results.flags import MassFlag, flags_in
from szmass.results.masses import MASS_COLUMNS, SCHEMA_VERSION, MassTable, format_masses
from szmass.results.plausible import impossible_values, repeated_names
from szmass.results.reader import columns_of_method, complete_record, methods_of, recorded_methods

__all__ = ["read_masses", "write_masses"]

# Numbers below are no masses in solMass: a column without a unit holds something else.
_SMALLEST_MASS = 1e10


def read_masses(path: str | os.PathLike[str], *, format: str | None = None) -> MassTable:
    """Read a mass table, of one method or of several, and bring it to the present schema.

    Parameters
    ----------
    path : path-like
        An ECSV, FITS, VOTable or CSV file, also compressed.
    format : str, optional
        ``"ecsv"``, ``"fits"``, ``"votable"`` or ``"csv"``, where the suffix does not say.

    Returns
    -------
    MassTable
        With masses in solMass and all columns of the schema; others are kept as they are.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    FileFormatError
        It is damaged, no mass table, or of a later version of szmass.
    InvalidUnitError
        A mass has another unit, or none and numbers that cannot be in solMass.

    Warns
    -----
    SzmassWarning
        Columns that the schema has were missing and have been added: errors as NaN with the flag
        ``NO_ERROR``, flags as 0, redshifts as unknown. ``meta["added_columns"]`` lists them. Or the
        file does not say how its masses were made, on what scale they are and whom to cite. Or it
        has values that cannot be, such as negative masses, or names twice: they are kept.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from szmass import estimate_masses, read_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> table = estimate_masses(make_check_sample(3), "scaling")
    >>> with TemporaryDirectory() as folder:
    ...     table.write(f"{folder}/masses.ecsv")
    ...     again = read_masses(f"{folder}/masses.ecsv")
    >>> again.colnames == table.colnames, again.meta["methods"]["scaling"]["one_minus_b"]
    (True, 1.0)
    """
    table = MassTable(read_table(path, format=format), copy=False)
    try:
        table, notes = _completed(table, str(path))
    except InvalidInputError as err:
        raise type(err)(f"{str(path)!r}: {err}") from err
    for note in notes:
        warnings.warn(note, SzmassWarning, stacklevel=2)
    return format_masses(table)


def write_masses(
    table: Table,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    format: str | None = None,
) -> None:
    """Write a mass table, completely or not at all.

    The method ``write`` of a `MassTable` does the same. That of other tables loses the masks of
    text and bool columns and the nested ``meta`` in FITS and VOTable; this keeps them, and says in
    both what the columns are (UCDs).

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table; any other table will do as well.
    path : path-like
        The target: ``.ecsv``, ``.fits``, ``.vot`` or ``.csv``.
    overwrite : bool, optional
        Replace an existing file.
    format : str, optional
        The format, where the suffix does not say.

    Raises
    ------
    InvalidInputError
        The format is not known or cannot hold the table, the file exists, or its folder does not.

    Warns
    -----
    SzmassWarning
        The format is CSV, which keeps neither units nor ``meta``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from szmass import estimate_masses, read_masses
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.results import write_masses
    >>> table = estimate_masses(make_check_sample(3), "scaling")
    >>> with TemporaryDirectory() as folder:
    ...     write_masses(table, f"{folder}/masses.fits")
    ...     len(read_masses(f"{folder}/masses.fits"))
    3
    """
    write_table(table, path, overwrite=overwrite, format=format)


# Formats of astropy's own ``read`` and ``write``: our name of each, and the suffixes it stands for.
_UNIFIED = {
    "ascii.ecsv": ("ecsv", (".ecsv",)),
    "ecsv": ("ecsv", ()),
    "fits": ("fits", (".fits", ".fit", ".fts")),
    "votable": ("votable", (".vot", ".votable", ".xml")),
    "ascii.csv": ("csv", (".csv",)),
}
_COMPRESSED = (".gz", ".bz2", ".xz")


def _write_votable(
    table: QTable,
    target: Any,
    table_id: str | None = None,
    *,
    overwrite: bool = False,
    tabledata_format: str | None = None,
) -> None:
    """Write as astropy's ``Table.write`` does, by code that keeps to its memory."""
    # See szmass._tables.files: of astropy's ways to write a VOTable only this one is safe.
    if isinstance(target, str | os.PathLike):
        target = os.fspath(target)
        if os.path.exists(target) and not overwrite:
            raise OSError(f"{target!r} exists; pass overwrite=True to replace it.")
    votable.writeto(votable.from_table(table, table_id=table_id), target, tabledata_format)


def _register(name: str, ours: str, suffixes: tuple[str, ...]) -> None:
    """Let `MassTable` read and write a format; streams and options of astropy's go to astropy."""
    theirs = "ascii.ecsv" if name == "ecsv" else name

    def is_ours(place: Any, more: Any) -> bool:
        return isinstance(place, str | os.PathLike) and not more

    def write(
        table: Table, target: Any, *args: Any, overwrite: bool = False, **options: Any
    ) -> None:
        if is_ours(target, args or options) and not os.fspath(target).endswith(_COMPRESSED):
            write_table(table, target, overwrite=overwrite, format=ours)
            return
        plain = QTable(table, copy=False)
        if theirs == "votable":
            _write_votable(plain, target, *args, overwrite=overwrite, **options)
            return
        options |= {"overwrite": True} if overwrite else {}
        plain.write(target, *args, format=theirs, **options)

    def read(source: Any, *args: Any, **options: Any) -> MassTable:
        # astropy opens a file in order to look what format it has.
        place = getattr(source, "name", source)
        if is_ours(place, args or set(options) - {"filename"}):
            return read_masses(place, format=ours)
        return MassTable(QTable.read(source, *args, format=theirs, **options), copy=False)

    def identify(origin: str, path: Any, fileobj: Any, *args: Any, **kwargs: Any) -> bool:
        plain = str(path or "").lower()
        for suffix in _COMPRESSED:
            plain = plain.removesuffix(suffix)
        return plain.endswith(suffixes)

    registry.register_reader(name, MassTable, read)
    registry.register_writer(name, MassTable, write)
    if suffixes:
        registry.register_identifier(name, MassTable, identify)


for _name, _what in _UNIFIED.items():
    _register(_name, *_what)


def _completed(table: MassTable, path: str) -> tuple[MassTable, list[str]]:
    """Bring a mass table to the present schema, in place; give it, and notes on what it lacked."""
    version, writer = table.meta.get("schema_version", 0), _writer(table)
    where = f"{path!r} (written by szmass {writer})"
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise FileFormatError(
            f"{where} has the schema version {version!r}; this szmass knows up to "
            f"{SCHEMA_VERSION}. Update szmass."
        )
    methods = _methods(table, where)
    added = [] if "redshift" in table.colnames else ["redshift"]
    if added:
        unknown = MaskedColumn(np.full(len(table), np.nan), mask=np.ones(len(table), bool))
        table.add_column(unknown, name="redshift", index=table.colnames.index("name") + 1)
    for method in methods:
        added += _complete(table, method)
    notes = _impossible(table, methods, where)
    if added:
        table.meta["added_columns"] = added
        notes.append(f"{where} lacks {', '.join(added)}: filled in as not known.")
    single, recorded = methods == [None], recorded_methods(table)
    if not ({"estimator", "method"} & set(table.meta) if single else recorded):
        notes.append(
            f"{where} does not say how its masses were made, on which scale they are and what to "
            "cite: it is from another program or a format that does not keep it, such as CSV."
        )
    elif version < SCHEMA_VERSION and single:
        table.meta.update(complete_record(table.meta))
    elif version < SCHEMA_VERSION:
        table.meta["methods"] = {m: complete_record(a) for m, a in recorded.items()}
    table.meta["schema_version"] = SCHEMA_VERSION
    return table, notes


def _impossible(table: MassTable, methods: list[str | None], where: str) -> list[str]:
    """Say what cannot be in a table, with its column and first row."""
    columns = {"redshift": "redshift"}
    for method in methods:
        known = columns_of_method(method)
        columns |= {known[field]: field for field in ("mass", "errn", "errp", "flag")}
    names, notes = np.ma.filled(np.ma.asarray(table["name"]).astype(str), ""), []
    for column, field in columns.items():
        values = table[column]
        if field != "flag":
            values = as_floats(values, "" if field == "redshift" else u.solMass, column)
        for rows, why in impossible_values(field, values):
            notes.append((column, rows, why, values))
    if (again := repeated_names(names)).any():
        notes.append(("name", again, "the name of another row", names))
    return [
        f"{where}: the column {column!r} is {why} in {np.count_nonzero(rows)} of {len(table)} "
        f"rows, first in row {np.argmax(rows)} ({str(names[rows][0])!r}): {values[rows][0]}. It is "
        "kept as it is."
        for column, rows, why, values in notes
    ]


def _writer(table: MassTable) -> str:
    about = [table.meta, *recorded_methods(table).values()]
    found = {
        str(m["szmass_version"]) for m in about if isinstance(m, Mapping) and "szmass_version" in m
    }
    return ", ".join(sorted(found)) or "of unknown version"


def _methods(table: MassTable, where: str) -> list[str | None]:
    """Names of the methods; None stands for that of a table of one."""
    names = table.colnames
    if "name" not in names:
        raise FileFormatError(
            f"{where} is no mass table: it has no column 'name'. It has: {', '.join(names)}."
        )
    if "mass" in names:
        return [None]
    for method in recorded_methods(table):
        if (column := columns_of_method(method)["mass"]) not in names:
            raise FileFormatError(f"{where} lacks the column {column!r}, which its meta speaks of.")
    found: list[str | None] = [*methods_of(table, whole=True)]
    if not found:
        raise FileFormatError(
            f"{where} is no mass table: it has neither a column 'mass' nor columns 'mass_<method>' "
            f"with errors and flags. It has: {', '.join(names)}."
        )
    return found


def _complete(table: MassTable, method: str | None) -> list[str]:
    """Bring the columns of one method to the schema; give the names of those that were missing."""
    added = []
    columns = columns_of_method(method)
    own = columns_of_method()
    for field in ("mass", "errn", "errp"):
        column, known = columns[field], MASS_COLUMNS[own[field]][1]
        if column not in table.colnames:
            added.append(column)
            table[column] = np.full(len(table), np.nan) * u.solMass
            table[column].info.description = known
            continue
        description = table[column].info.description
        table[column] = _masses(table[column], column, field == "mass") * u.solMass
        table[column].info.description = description or known
    flag, description = columns["flag"], None
    if flag in table.colnames:
        description = table[flag].info.description
        table[flag] = flags_in(table[flag], flag)
    else:
        added.append(flag)
        table[flag] = np.zeros(len(table), int)
    if {columns["errn"], columns["errp"]} & set(added):
        known = np.isfinite(table[columns["mass"]])
        table[flag] = np.where(known, table[flag] | MassFlag.NO_ERROR, table[flag]).astype(int)
    if method is None and "method" not in table.colnames:
        added.append("method")
        table["method"] = np.full(len(table), str(table.meta.get("method", "unknown")))
    table[flag].info.description = description or MASS_COLUMNS["flag"][1]
    return added


def _masses(column: Any, name: str, central: bool) -> NDArray[np.float64]:
    if getattr(column, "unit", None) is not None:
        return as_floats(column, u.solMass, name)
    values = as_floats(column, "", name)
    # CSV has no units; what szmass writes is in solMass.
    plausible = values[np.isfinite(values) & (values != 0)]
    if central and np.any(np.abs(plausible) < _SMALLEST_MASS):
        return as_floats(values, u.solMass, name)  # raises: there is no unit
    return values


_KIND = "LogMassPosterior"
_POSTERIOR_VERSION = 1


def posterior_to_table(posterior: Any) -> QTable:
    """Give a posterior as a table that ECSV, FITS and VOTable hold."""
    table = QTable()
    table["name"] = posterior.names
    table["redshift"] = MaskedColumn(posterior.redshift, mask=np.isnan(posterior.redshift))
    table["flag"] = posterior.flag
    if len(posterior):  # ECSV cannot read empty columns of several numbers in a row
        table["density"] = posterior.density
        about = "Density of log10(M500c / Msun) [1/dex] on the grid log10_mass of the meta"
        table["density"].info.description = about
    table.meta = {
        "kind": _KIND,
        "schema_version": _POSTERIOR_VERSION,
        "log10_mass": posterior.log10_mass.tolist(),
        "about": dict(posterior.meta),
    }
    known = np.flatnonzero(~np.isnan(posterior.prior[:, 0]))
    first = posterior.prior[known[:1]]
    if np.array_equal(posterior.prior[known], np.repeat(first, len(known), axis=0)):
        flat = np.ones(len(posterior.log10_mass))
        table.meta["prior"] = (first[0] if len(known) else flat).tolist()
    else:
        table["prior"] = posterior.prior
    return table


def posterior_from_table(table: Table, where: str) -> dict[str, Any]:
    """Give the arguments of a `LogMassPosterior`, by name."""
    meta = table.meta
    lost = {"name", "redshift", "flag", "density"} - set(table.colnames)
    lost -= set() if len(table) else {"density"}
    if meta.get("kind") != _KIND or lost or "log10_mass" not in meta:
        raise FileFormatError(
            f"{where!r} holds no posteriors: those that LogMassPosterior.write writes have "
            "the columns name, redshift, flag and density, and the grid in their meta."
        )
    version = meta.get("schema_version", 0)
    if not isinstance(version, int) or version > _POSTERIOR_VERSION:
        raise FileFormatError(
            f"{where!r} has the schema version {version!r}; this szmass knows up to "
            f"{_POSTERIOR_VERSION}. Update szmass."
        )
    if not isinstance(meta.get("about"), Mapping):
        raise FileFormatError(f"{where!r} is damaged: 'about' of its meta must be a mapping.")
    grid = as_floats(meta["log10_mass"], "", "log10_mass")
    density = np.empty((0, grid.size))
    if len(table):
        density = as_floats(table["density"], "", "density").reshape(len(table), -1)
    prior = table["prior"] if "prior" in table.colnames else meta.get("prior")
    prior = as_floats(prior, "", "prior")
    known = ~np.isnan(density).any(axis=1)
    if not np.isfinite(prior[known] if prior.shape == density.shape else prior).all():
        raise FileFormatError(f"{where!r} is damaged: a number of the prior is not finite.")
    return {
        "log10_mass": grid,
        "density": density,
        "prior": prior,
        "names": np.array(table["name"], dtype=str),
        "redshift": as_floats(table["redshift"], "", "redshift"),
        "flag": flags_in(table["flag"], "flag"),
        "meta": meta["about"],
    }
