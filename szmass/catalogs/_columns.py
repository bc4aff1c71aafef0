"""Columns of published tables, and how they become ours: names, units, missing values."""

import inspect
import re
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._tables.angles import angle_column
from szmass._tables.columns import (
    column_of,
    column_parts,
    convert,
    describe_rows,
    equals_any,
    numbers_of,
    parse_unit,
    without_value,
)
from szmass.exceptions import FileFormatError, InvalidInputError

# What columns hold whose names tell it; {} is the name without its end.
_DESCRIPTIONS = {
    "name": "Name",
    "redshift": "Redshift",
    "_errn": "Distance down to the end of the 68 % interval",
    "_errp": "Distance up to the end of the 68 % interval",
    "_err": "Error of {}",
}


@dataclass(frozen=True, kw_only=True)
class CatalogColumn:
    """What a catalogue says about one of its columns.

    Parameters
    ----------
    name : str
        Our name.
    description : str
        What it holds.
    fits : str, optional
        Its name in the published FITS or CSV file.
    vizier : tuple of str, optional
        Its names in the CDS file and in VizieR's tables; case matters.
    dtype : {"float", "float32", "int", "bool", "str"}, optional
        Kind of value. ``"float32"`` is stored in double precision after rounding to the
        single precision of the release.
    unit : str, optional
        Our unit.
    published_unit : str, optional
        The unit in the published tables, if another.
    missing : float or tuple of float, optional
        The numbers that stand for "not known".
    required : bool, optional
        Whether every row must have a value.
    optional : bool, optional
        Whether some published forms lack it: it is masked in tables without it.
    """

    name: str
    description: str
    fits: str | None = None
    vizier: tuple[str, ...] = ()
    dtype: str = "float"
    unit: str | None = None
    published_unit: str | None = None
    missing: float | tuple[float, ...] | None = None
    required: bool = False
    optional: bool = False

    @property
    def aliases(self):
        """All names of the column, ours first."""
        return tuple(name for name in (self.name, self.fits, *self.vizier) if name)


def catalog_columns(text, *, required=(), optional=(), missing=None, published_units=None):
    """Describe the columns of a catalogue by a table of them.

    Parameters
    ----------
    text : str
        A line for each column, of parts with two or more blanks between them: our name; its
        names in the published files, separated by one blank (``-`` for none); its kind (a
        ``dtype`` of `CatalogColumn`, or our unit); what it holds. The latter goes on in lines
        that are indented further, and can be left out for ``name``, ``redshift`` and errors,
        ``..._errn``, ``..._errp``, ``..._err``.
    required : str or collection of str or True, optional
        Columns that have a value in every row; True for all.
    optional : str or collection of str, optional
        Columns that some published forms lack.
    missing : dict of str to float or tuple of float, optional
        By column, the numbers that stand for "not known".
    published_units : dict of str to str, optional
        By our unit, that of the published tables, if another.

    Returns
    -------
    tuple of `CatalogColumn`
        The columns.

    Raises
    ------
    InvalidInputError
        A line does not describe a column, or a column that is named is not described.

    Examples
    --------
    >>> from szmass.catalogs import catalog_columns
    >>> columns = catalog_columns(
    ...     '''
    ...     name      ID       str
    ...     ra        RA _RA   deg      Right ascension (J2000)
    ...     m500      M500     solMass  M500c from the richness,
    ...                                 for H0 = 70, Om0 = 0.3
    ...     m500_err  e_M500   solMass
    ...     ''',
    ...     required=("name", "ra"),
    ...     missing={"m500": -1},
    ...     published_units={"solMass": "1e14 solMass"},
    ... )
    >>> columns[2].description, columns[3].description
    ('M500c from the richness, for H0 = 70, Om0 = 0.3', 'Error of m500')
    """
    lines = re.sub(r"\n +", "  ", inspect.cleandoc(text)).splitlines()
    rows = [re.split(r" {2,}", line, maxsplit=3) for line in lines]
    names = {row[0] for row in rows}
    required = (required,) if isinstance(required, str) else required
    optional = (optional,) if isinstance(optional, str) else optional
    for argument in (() if required is True else required, optional, missing or ()):
        if unknown := sorted(set(argument) - names):
            raise InvalidInputError(f"No column {', '.join(unknown)} is described.")
    columns = []
    for line, (name, *parts) in zip(lines, rows, strict=True):
        end = next((end for end in _DESCRIPTIONS if name.endswith(end)), None)
        if len(parts) not in ((2, 3) if end else (3,)):
            raise InvalidInputError(
                "A column is described by our name, its published names, its kind and what it "
                f"holds, with two or more blanks between them. Received: {line!r}"
            )
        theirs, kind, *description = parts
        if not description:
            description = [_DESCRIPTIONS[end].format(name.removesuffix(end))]
        is_unit = kind not in _CONVERTERS
        if is_unit and isinstance(u.Unit(kind, parse_strict="silent"), u.UnrecognizedUnit):
            raise InvalidInputError(
                f"The kind of {name!r} must be one of {', '.join(_CONVERTERS)}, or a unit. "
                f"Received: {kind!r}"
            )
        fits, *vizier = theirs.removeprefix("-").split() or [None]
        columns.append(
            CatalogColumn(
                name=name,
                description=" ".join(description[0].split()),
                fits=fits,
                vizier=tuple(vizier),
                dtype="float" if is_unit else kind,
                unit=kind if is_unit else None,
                published_unit=(published_units or {}).get(kind),
                missing=(missing or {}).get(name),
                required=required is True or name in required,
                optional=name in optional,
            )
        )
    return tuple(columns)


def standardise(table, columns, *, strict=False):
    """Give a copy with the columns of `CatalogColumn` s: our names, units, masks and order.

    The table is in a published form or in ours; ``strict`` accepts the published units only.
    """
    found = {c: next((a for a in c.aliases if a in table.colnames), None) for c in columns}
    lost = [" or ".join(c.aliases) for c, name in found.items() if name is None and not c.optional]
    if lost:
        raise FileFormatError(
            f"The table lacks the column{'s' if len(lost) > 1 else ''} {', '.join(lost)}. "
            f"It has {', '.join(table.colnames) or 'none'}."
        )
    result = QTable()
    for column, name in found.items():
        if name is None:
            values, mask = _nothing(column, len(table)), np.ones(len(table), dtype=bool)
        else:
            values, mask = _read(table[name], column, name, strict)
        result[column.name] = _assemble(column, values, mask)
        result[column.name].info.description = column.description
    return result


def _nothing(column, n):
    """Give values to be masked, of a column that a table lacks."""
    dtype = {"int": int, "bool": bool, "str": "U1"}.get(column.dtype, float)
    return np.zeros(n, dtype=dtype)


def _read(column, described, name, strict):
    """Give the values of one column in our unit, and its mask."""
    values, mask, unit = column_parts(column)
    is_text = values.dtype.kind in "UO"
    try:
        if described.unit == "deg" and is_text:
            kind = {"ra": "ra", "dec": "lat", "glat": "lat"}.get(described.name, "lon")
            degrees_are_said = described.published_unit or name.lower().endswith("deg")
            plain = u.deg if degrees_are_said else None
            values, unit = angle_column(column, name, kind, plain=plain), u.deg
            mask = mask | np.isnan(values)
        values, mask = _CONVERTERS[described.dtype](values, mask)
    except InvalidInputError as err:
        raise FileFormatError(str(err)) from err
    except (TypeError, ValueError) as err:
        raise FileFormatError(
            f"The column '{name}' does not hold values of kind '{described.dtype}': {err}"
        ) from err
    if described.missing is not None:
        mask = mask | equals_any(values, described.missing)
    if described.required and values.dtype.kind == "U":
        mask = mask | without_value(values)
    if described.required and mask.any():
        raise FileFormatError(
            f"The column '{name}' has no value in {np.count_nonzero(mask)} rows, the first of "
            f"them row {np.argmax(mask)}."
        )
    if described.unit is not None:
        values = _in_our_unit(values, described, name, unit, strict)
    elif strict and parse_unit(unit) not in (None, u.dimensionless_unscaled):
        raise FileFormatError(f"The column '{name}' has the unit '{unit}' instead of none.")
    return values, mask


def add_published_units(table, columns):
    """Give a copy in which numbers without a unit have the published one of their column."""
    result = table.copy()
    for column in columns:
        for name in set(column.aliases).intersection(table.colnames):
            values, _, unit = column_parts(table[name])
            if column.unit is not None and unit is None and values.dtype.kind in "fiu":
                result[name].unit = u.Unit(column.published_unit or column.unit)
    return result


def plain_numbers(column, name):
    """Give a column of numbers, also written as text, as floats, NaN where masked."""
    values, mask, _ = column_parts(column)
    try:
        values, mask = _floats(values, mask)
    except ValueError as err:
        raise FileFormatError(f"The column '{name}' does not hold numbers: {err}") from err
    return np.where(mask, np.nan, values)


def with_prefix(table, column, prefix):
    """Give a copy whose names in a column, if any, have the prefix that VizieR leaves out."""
    if column not in table.colnames:
        return table
    table = table.copy()
    names = np.char.strip(column_parts(table[column])[0].astype(str))
    bare = ~np.char.startswith(names, prefix.strip())
    table[column] = np.where(bare, np.char.add(prefix, names), names)
    return table


def _assemble(column, values, mask):
    can_miss = column.missing is not None or column.dtype == "str" or column.optional
    masked = (can_miss and not column.required) or mask.any()
    if masked:
        # One value under every mask, so that equal tables are equal to the last bit.
        values = values.copy()
        values[mask] = np.zeros(1, dtype=values.dtype)[0] if values.dtype.kind != "f" else np.nan
    return column_of(values, mask, column.unit, always=masked)


def _in_our_unit(values, column, name, unit, strict):
    unit, ours = parse_unit(unit), u.Unit(column.unit)
    published = u.Unit(column.published_unit or column.unit)
    if unit is None or isinstance(unit, u.UnrecognizedUnit) or not unit.is_equivalent(ours):
        raise FileFormatError(
            f"The column '{name}' must be in {published}. Received: {unit or 'no unit'}"
        )
    if strict and (isinstance(unit, u.LogUnit) or not np.isclose(unit.to(published), 1, rtol=1e-9)):
        raise FileFormatError(f"The column '{name}' is in {unit} instead of {published}.")
    return convert(values, column.name, unit, ours)


def _floats(values, mask):
    numbers, none, wrong = numbers_of(values, mask)
    if wrong.any():
        raise ValueError(f"{values[wrong][0]!s:.80} in {describe_rows(None, wrong)} is no number")
    return numbers, none


def _single_precision(values, mask):
    values, mask = _floats(values, mask)
    return values.astype(np.float32).astype(float), mask


def _integers(values, mask):
    if values.dtype.kind not in "iub":
        values, mask = _floats(values, mask)
        if np.any(values[~mask] != np.rint(values[~mask])):
            raise ValueError("some values are not whole")
    return np.where(mask, 0, values).astype(int), mask


def _booleans(values, mask):
    if values.dtype.kind in "iub":
        if np.any((values[~mask] != 0) & (values[~mask] != 1)):
            raise ValueError("some values are neither 0 nor 1")
        return np.where(mask, 0, values).astype(bool), mask
    texts, mask = _strings(values, mask)
    texts = np.char.upper(texts)
    if not np.isin(texts[~mask], ("T", "F", "TRUE", "FALSE", "0", "1")).all():
        raise ValueError("some values are neither true nor false")
    return np.isin(texts, ("T", "TRUE", "1")), mask


def _strings(values, mask):
    texts = np.char.strip(np.where(mask, "", values).astype(str))
    return texts, mask | (texts == "")


_CONVERTERS = {
    "float": _floats,
    "float32": _single_precision,
    "int": _integers,
    "bool": _booleans,
    "str": _strings,
}
