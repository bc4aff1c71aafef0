"""A table of masses taken apart into plain arrays, with notes on what it lacks."""

from dataclasses import dataclass, field

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from szmass._utils.attributes import column_parts
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.report._columns import join_sample, read_column
from szmass.results.masses import column_suffix

__all__ = ["Content", "Masses", "read_content"]

_TRUTH = "mass_true"
_CATALOGUE = {"msz": "catalogue (msz)"}
_ERRORS = ("mass_errn", "mass_errp")


@dataclass
class Masses:
    """The masses of one method.

    Parameters
    ----------
    label : str
        Its name.
    key : str
        What its columns end in: letters, digits and underscores.
    mass, errn, errp : ndarray
        [solMass], NaN where not known.
    flag : ndarray of int
        Bits of `~szmass.results.MassFlag`.
    kind : {"estimator", "lensing", "catalogue", "truth"}
        Where they come from.
    meta : dict
        What they were made with.
    """

    label: str
    key: str
    mass: np.ndarray
    errn: np.ndarray
    errp: np.ndarray
    flag: np.ndarray
    kind: str = "estimator"
    meta: dict = field(default_factory=dict)

    @property
    def known(self):
        """Which clusters have a mass."""
        return np.isfinite(self.mass)


@dataclass
class Content:
    """All that the report says of the clusters, in the order of the table.

    Parameters
    ----------
    names : list of str
        Names of the clusters.
    redshift, ra, dec : ndarray
        NaN where not known; positions are ICRS [deg].
    methods : list of Masses
        At least one.
    columns : dict of str to Numbers
        Everything else.
    meta : dict
        That of the table.
    notes : list of str
        What the table lacks or has wrong, for the reader.
    """

    names: list
    redshift: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    methods: list
    columns: dict
    meta: dict
    notes: list

    def __len__(self):
        return len(self.names)

    @property
    def estimators(self):
        """The methods but for catalogue and truth."""
        return [m for m in self.methods if m.kind in ("estimator", "lensing")]

    def method(self, name):
        """Find a method by its label, key, or name in the table.

        Parameters
        ----------
        name : str
            For instance ``"scaling"`` or ``"msz"``.

        Returns
        -------
        Masses
            The method.

        Raises
        ------
        InvalidInputError
            There is none of that name; the message lists those there are.
        """
        for method in self.methods:
            if name in (method.label, method.key):
                return method
        raise InvalidInputError(
            f"'reference' must be one of {', '.join(m.key for m in self.methods)}. "
            f"Received: {name!r}"
        )


def read_content(table, sample=None):
    """Take a table of masses apart.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Of one method or of several side by side.
    sample : `~szmass.clusters.ClusterSample`, optional
        The same clusters in any order, for columns that the table lacks.

    Returns
    -------
    Content
        Its content.

    Raises
    ------
    FileFormatError
        It has no names, no masses, or no rows.
    InvalidUnitError
        A mass has no unit of mass.
    """
    if not isinstance(table, Table):
        raise InvalidInputError(
            f"'table' must be a table of masses (a QTable). Received: {type(table).__name__}"
        )
    if "name" not in table.colnames:
        raise FileFormatError(
            "The table has no column 'name'. A report needs one with the names of the clusters; "
            f"the columns are {', '.join(table.colnames) or 'none'}."
        )
    if not len(table):
        raise FileFormatError("The table has no rows: there is no cluster to report on.")
    notes, used = [], {"name", "redshift", "ra", "dec", "coord"}
    names = [str(name) for name in np.ma.filled(np.ma.asarray(table["name"]), "")]
    unnamed = [i for i, name in enumerate(names) if not name.strip()]
    for i in unnamed:
        names[i] = f"row {i + 1}"
    if unnamed:
        notes.append(f"{len(unnamed)} clusters have no name; they are called by their row.")
    if sample is not None:
        table = join_sample(table, names, sample)
    added = table.meta.get("added_columns")
    if added:
        notes.append(
            f"The file lacked the columns {', '.join(map(str, added))}: they are not known."
        )
    methods = _methods(table, notes, used)
    columns = {}
    for name in table.colnames:
        read = None if name in used else read_column(name, table[name])
        if read is not None:
            columns[name] = read
    ra, dec = _positions(table, notes)
    return Content(
        names, _redshift(table, notes), ra, dec, methods, columns,
        dict(table.meta), notes,
    )  # fmt: skip


def _methods(table, notes, used):
    described = table.meta.get("methods")
    described = described if isinstance(described, dict) else {}
    if "mass" in table.colnames:
        label = str(table["method"][0]) if "method" in table.colnames else ""
        label = label or str(table.meta.get("method", "mass"))
        keys = {"": (label, dict(table.meta))}
        used.add("method")
    else:
        keys = {}
        by_suffix = {column_suffix(name): name for name in described}
        for column in table.colnames:
            suffix = column.removeprefix("mass_")
            ours = column.startswith("mass_") and not column.startswith(_ERRORS)
            ours = ours and getattr(table[column], "ndim", 1) == 1
            if ours and column != _TRUTH and (suffix in by_suffix or _is_mass(table[column])):
                label = by_suffix.get(suffix, suffix)
                about = described.get(label)
                keys[f"_{suffix}"] = (label, about if isinstance(about, dict) else {})
        if keys and not described:
            notes.append(
                "The table does not say what its masses were made with (no 'methods' in its "
                "meta): it is from another program or an older version."
            )
        for suffix, name in by_suffix.items():
            if f"_{suffix}" not in keys:
                notes.append(f"The table describes {name!r} but has no column 'mass_{suffix}'.")
    if not keys:
        raise FileFormatError(
            "The table has no masses: a report needs a column 'mass_<method>' with its unit for "
            "at least one method, as estimate_masses makes it, or the column 'mass'. The columns "
            f"are {', '.join(table.colnames)}."
        )
    methods = [_method(table, end, *about, notes, used) for end, about in keys.items()]
    for name in (*_CATALOGUE, _TRUTH):
        if name in table.colnames and not _is_mass(table[name]):
            notes.append(f"The column {name!r} has no unit of mass: it is shown as plain numbers.")
    for name, label in _CATALOGUE.items():
        if name in table.colnames and _is_mass(table[name]):
            columns = (name, f"{name}_errn", f"{name}_errp")
            methods.append(_plain_masses(table, label, name, columns, "catalogue", notes, used))
    if _TRUTH in table.colnames and _is_mass(table[_TRUTH]):
        columns = (_TRUTH, None, None)
        methods.append(_plain_masses(table, "truth", "true", columns, "truth", notes, used))
    return methods


def _is_mass(column):
    unit = getattr(column, "unit", None)
    return unit is not None and u.Unit(unit).is_equivalent(u.solMass)


def _method(table, end, label, meta, notes, used):
    flag_name = f"flag{end}"
    lensing = str(meta.get("estimator", "")).startswith("LensingMass") or label == "lensing"
    columns = (f"mass{end}", f"mass_errn{end}", f"mass_errp{end}")
    kind = "lensing" if lensing else "estimator"
    masses = _plain_masses(table, label, column_suffix(label), columns, kind, notes, used)
    masses.meta = meta
    if flag_name in table.colnames:
        used.add(flag_name)
        flags, mask, _ = column_parts(table[flag_name])
        if flags.dtype.kind not in "iubf":
            raise FileFormatError(f"The column {flag_name!r} does not hold whole numbers.")
        masses.flag = np.where(mask | ~np.isfinite(flags), 0, flags).astype(int)
    else:
        notes.append(f"The table has no column {flag_name!r}: flags of {label} are not known.")
    return masses


def _plain_masses(table, label, key, columns, kind, notes, used):
    values = []
    for name in columns:
        if name is not None and name in table.colnames:
            used.add(name)
            values.append(_solar_masses(table[name], name))
        else:
            if name is not None:
                notes.append(f"The table has no column {name!r}: that error is not shown.")
            values.append(np.full(len(table), np.nan))
    mass, errn, errp = values
    wrong = np.isinf(mass) | (mass <= 0)
    if wrong.any():
        notes.append(
            f"{np.count_nonzero(wrong)} masses in {columns[0]!r} are infinite or not positive; "
            "they are left out."
        )
        mass[wrong] = np.nan
    for name, error in zip(columns[1:], (errn, errp), strict=True):
        if np.any(error < 0):
            notes.append(f"Some values of {name!r} are negative; they are left out.")
            error[error < 0] = np.nan
    return Masses(label, key, mass, errn, errp, np.zeros(len(table), int), kind)


def _solar_masses(column, name):
    try:
        return np.array(as_floats(column, u.solMass, name))
    except InvalidUnitError:
        unit = getattr(column, "unit", None)
        raise InvalidUnitError(
            f"The column {name!r} must have a unit of mass, for instance solMass. Received: "
            f"{'no unit' if unit is None else repr(str(unit))}"
        ) from None


def _redshift(table, notes):
    if "redshift" in table.colnames:
        values, mask, _ = column_parts(table["redshift"])
        if values.dtype.kind not in "fiu":
            raise FileFormatError("The column 'redshift' does not hold numbers.")
        return np.where(mask, np.nan, values.astype(float))
    notes.append("The table has no column 'redshift': there is nothing by redshift.")
    return np.full(len(table), np.nan)


def _positions(table, notes):
    if {"ra", "dec"} <= set(table.colnames):
        return tuple(_degrees(table[name], name, notes) for name in ("ra", "dec"))
    coord = table["coord"] if "coord" in table.colnames else None
    if isinstance(coord, SkyCoord):
        return coord.icrs.ra.deg, coord.icrs.dec.deg
    notes.append("The table has no columns 'ra' and 'dec': positions are not known.")
    return np.full(len(table), np.nan), np.full(len(table), np.nan)


def _degrees(column, name, notes):
    values, mask, unit = column_parts(column)
    if values.dtype.kind not in "fiu":
        raise FileFormatError(f"The column {name!r} does not hold numbers; give it in degrees.")
    if unit is None:
        notes.append(f"The column {name!r} has no unit: it is taken to be in degrees.")
    values = u.Quantity(np.where(mask, np.nan, values.astype(float)), unit or u.deg)
    return np.array(as_floats(values, u.deg, name))
