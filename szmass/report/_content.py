"""Content of a report: a table of masses as plain arrays, with notes on what it lacks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from szmass._tables.columns import column_parts
from szmass._utils.quantities import as_doubles, as_floats, hint_of_h
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.morphology import StateFlag
from szmass.results import columns_of_method, masses_of, methods_of
from szmass.results.masses import column_suffix
from szmass.results.plausible import impossible_values, repeated_names

#: Measurements that are shown first, and under these names.
LABELS = {
    "snr": "S/N",
    "y5r500": "Y(5 R500)",
    "y500": "Y500",
    "theta500_true": "true θ500",
    "y500_true": "true Y500",
    "pos_err": "position error",
    "log_chi": "log χ (dynamical state)",
    "p_relaxed": "P(relaxed)",
    "p_prior": "P(relaxed), prior",
    "state_flag": "flags of the state",
}

# Columns of masses that are no method's: what they are called, and their key.
_PLAIN = {"msz": ("catalogue (msz)", "msz"), "mass_true": ("truth", "true")}
# Their kinds, by what the reader of tables calls them; all others are estimators.
_KINDS = {"lensing": "lensing", "catalog": "catalogue", "truth": "truth"}


@dataclass
class Masses:
    """The masses of one method: arrays of shape (N,) [solMass], NaN where not known.

    ``key`` is what its columns end in, ``flag`` bits of `~szmass.results.MassFlag`, ``kind`` one of
    "estimator", "lensing", "catalogue", "truth", ``scale`` the mass scale in words or nothing, and
    ``meta`` what they were made with.
    """

    label: str
    key: str
    mass: np.ndarray
    errn: np.ndarray
    errp: np.ndarray
    flag: np.ndarray
    kind: str = "estimator"
    scale: str = ""
    meta: dict = field(default_factory=dict)

    @property
    def known(self):
        """Which clusters have a mass."""
        return np.isfinite(self.mass)


@dataclass
class Content:
    """All that the report says of the clusters, in the order of the table.

    ``redshift``, ``ra`` and ``dec`` (ICRS [deg]) are NaN where not known; there is at least one of
    ``methods``; ``columns`` hold everything else, as `Numbers` by name; ``notes`` say what the
    table lacks or has wrong.
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
        """Find a method by its label, key, or name in the table, for instance ``"msz"``."""
        for method in self.methods:
            if name in (method.label, method.key):
                return method
        raise InvalidInputError(
            f"'reference' must be one of {', '.join(m.key for m in self.methods)}. "
            f"Received: {name!r}"
        )

    def numbers(self, name):
        """Give the numbers of a column, None where there is none of numbers."""
        column = self.columns.get(name)
        return None if column is None or column.values.dtype.kind != "f" else column.values


@dataclass
class Numbers:
    """A further column: numbers, NaN where not known, or words if ``values`` holds str."""

    label: str
    values: np.ndarray
    unit: str = ""


def read_content(table, sample=None):
    """Take apart a table of masses, of one method or of several side by side.

    ``sample`` has the same clusters in any order, for columns that the table lacks.
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
    if again := np.count_nonzero(repeated_names(names)):
        notes.append(f"{again} clusters have the name of an earlier one.")
    if sample is not None:
        table = _join_sample(table, names, sample)
    added = table.meta.get("added_columns")
    if added:
        notes.append(
            f"The file lacked the columns {', '.join(map(str, added))}: they are not known."
        )
    methods = _methods(table, notes, used)
    columns = {}
    for name in table.colnames:
        read = None if name in used else _read_column(name, table[name])
        if read is not None:
            columns[name] = read
    ra, dec = _positions(table, notes)
    return Content(
        names, _redshift(table, notes), ra, dec, methods, columns,
        dict(table.meta), notes,
    )  # fmt: skip


def _methods(table, notes, used):
    found, single = methods_of(table), "mass" in table.colnames
    described = table.meta.get("methods")
    described = described if isinstance(described, Mapping) else {}
    if found and not (single or described):
        notes.append(
            "The table does not say what its masses were made with (no 'methods' in its "
            "meta): it is from another program or an older version."
        )
    for name in () if single else described:
        if name not in found:
            column = columns_of_method(name)["mass"]
            notes.append(f"The table describes {name!r} but has no column {column!r}.")
    if not found:
        raise FileFormatError(
            "The table has no masses: a report needs a column 'mass_<method>' with its unit for "
            "at least one method, as estimate_masses makes it, or the column 'mass'. The columns "
            f"are {', '.join(table.colnames)}."
        )
    if single:
        used.add("method")
    columns = {name: columns_of_method(None if single else name) for name in found}
    for name in (name for name in _PLAIN if name in table.colnames):
        if _is_mass(table[name]):
            columns[name] = {"mass": name, "errn": f"{name}_errn", "errp": f"{name}_errp"}
        else:
            notes.append(f"The column {name!r} has no unit of mass: it is shown as plain numbers.")
    for parts in columns.values():
        for column in (parts["mass"], parts["errn"], parts["errp"]):
            if column in table.colnames and not _is_mass(table[column]):
                unit = getattr(table[column], "unit", None)
                raise InvalidUnitError(
                    f"The column {column!r} must have a unit of mass, for instance solMass. "
                    f"Received: {'no unit' if unit is None else repr(str(unit))}.{hint_of_h(unit)}"
                )
    done = table.meta.get("common_scale")
    if done:
        kept = f"; those of {', '.join(done['kept'])} stay as they are" if done["kept"] else ""
        notes.append(
            f"Masses of {', '.join(done['rescaled']) or 'no method'} are on the common scale "
            f"1-b = {done['one_minus_b']:g}{kept}."
        )
    methods = [_masses(table, name, columns[name], notes, used) for name in columns]
    if len({method.scale for method in methods if method.scale}) > 1:
        scales = "; ".join(f"{m.label}: {m.scale}" for m in methods if m.scale)
        notes.append(f"The masses are on different scales ({scales}): their ratios hold these too.")
    return methods


def _is_mass(column):
    unit = getattr(column, "unit", None)
    return unit is not None and u.Unit(unit).is_equivalent(u.solMass)


def _masses(table, name, columns, notes, used):
    """Read the masses of a method or a column, and note what is missing or cannot be."""
    found = masses_of(table, name)
    kind = _KINDS.get(found.kind, "estimator")
    label, key = _PLAIN.get(name, (name, column_suffix(name)))
    for part in ("mass", "errn", "errp", "flag"):
        column = columns.get(part)
        if column in table.colnames:
            used.add(column)
        elif part == "flag" and column:
            notes.append(f"The table has no column {column!r}: flags of {label} are not known.")
        elif column and kind != "truth":
            notes.append(f"The table has no column {column!r}: that error is not shown.")
    mass, errn, errp = (np.array(v) for v in (found.mass, found.errn, found.errp))
    for wrong, why in impossible_values("mass", mass):
        notes.append(
            f"{np.count_nonzero(wrong)} masses in {columns['mass']!r} are {why}; they are left out."
        )
        mass[wrong] = np.nan
    for part, error in (("errn", errn), ("errp", errp)):
        for wrong, why in impossible_values(part, error):
            notes.append(f"Some values of {columns[part]!r} are {why}; they are left out.")
            error[wrong] = np.nan
    for wrong, why in impossible_values("flag", found.flag):
        notes.append(f"{np.count_nonzero(wrong)} flags in {columns['flag']!r} are {why}.")
    scale = str(found.mass_scale) if found.mass_scale.known else ""
    return Masses(label, key, mass, errn, errp, found.flag, kind, scale, dict(found.about))


def _redshift(table, notes):
    if "redshift" in table.colnames:
        values, mask, _ = column_parts(table["redshift"])
        if values.dtype.kind not in "fiu":
            raise FileFormatError("The column 'redshift' does not hold numbers.")
        redshift = np.where(mask, np.nan, as_doubles(values))
        for wrong, why in impossible_values("redshift", redshift):
            notes.append(f"{np.count_nonzero(wrong)} redshifts are {why}; they are left out.")
            redshift[wrong] = np.nan
        return redshift
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


def match_rows(names, others, what):
    """Find clusters by name: for each of ``names`` the place in ``others``, -1 where there is none.

    ``what`` names the argument, for the messages: none may be found, or one twice in ``others``.
    """
    others = [str(name) for name in others]
    if list(names) == others:
        return np.arange(len(others))
    places, repeated = {}, set()
    for place, name in enumerate(others):
        if name in places:
            repeated.add(name)
        places[name] = place
    rows = np.array([places.get(name, -1) for name in names])
    if np.all(rows < 0):
        raise InvalidInputError(
            f"'{what}' holds none of the clusters of the table: its names begin with "
            f"{', '.join(map(repr, others[:3])) or 'nothing'}, those of the table with "
            f"{', '.join(map(repr, list(names)[:3]))}."
        )
    wanted = sorted(repeated.intersection(names))
    if wanted:
        raise InvalidInputError(
            f"'{what}' holds {wanted[0]!r} more than once, and its clusters are not those of the "
            "table in their order, so that they have to be found by name."
        )
    return rows


def _join_sample(table, names, sample):
    """Add the columns of a sample that a table lacks; those of other clusters are masked or NaN."""
    rows = match_rows(names, sample.names, "sample")
    joined = table.copy(copy_data=False)
    for name in sample.table.colnames:
        if name not in (*joined.colnames, "coord", "redshift"):
            joined[name] = _taken(sample.table[name], rows)
    if "redshift" not in joined.colnames:
        joined["redshift"] = np.where(rows < 0, np.nan, sample.redshift[rows])
    if "coord" not in joined.colnames and not {"ra", "dec"} <= set(joined.colnames):
        position = sample.coord.icrs
        for name, angle in (("ra", position.ra), ("dec", position.dec)):
            joined[name] = np.where(rows < 0, np.nan, angle.deg[rows]) * u.deg
    return joined


def _taken(column, rows):
    missing = rows < 0
    taken = column[rows]
    if not missing.any() or isinstance(taken, SkyCoord):
        return taken
    values, mask, unit = column_parts(taken)
    return MaskedColumn(values, mask=mask | missing, unit=unit)


def _read_column(name, column):
    """Read a column of numbers or words; None for what is neither."""
    if isinstance(column, SkyCoord) or getattr(column, "ndim", 1) != 1:
        return None
    try:
        values, mask, unit = column_parts(column)
    except (TypeError, ValueError):
        return None
    label = LABELS.get(name, name.replace("_", " "))
    if name == "state_flag" and values.dtype.kind in "fiu":
        words = [StateFlag.describe(value) for value in np.where(mask, 0, values)]
        return Numbers(label, np.array(words, dtype=str))
    if values.dtype.kind in "fiu":
        return Numbers(label, np.where(mask, np.nan, values.astype(float)), _unit_text(unit))
    if values.dtype.kind in "USb":
        words = ["" if hidden else str(value) for value, hidden in zip(values, mask, strict=True)]
        return Numbers(label, np.array(words, dtype=str))
    return None


def _unit_text(unit):
    if unit is None or unit == u.dimensionless_unscaled:
        return ""
    text = u.Unit(unit).to_string("unicode")
    return text if text[-1] not in "′″°" else str(unit)


def format_number(value, digits=4):
    """Write a number with so many significant digits; an em dash where it is not known."""
    if value is None or not math.isfinite(value):
        return "—"
    if value == int(value) and abs(value) < 1e7:
        return minus_sign(str(int(value)))
    return minus_sign(f"{value:.{digits}g}")


def format_mass(value, errn=math.nan, errp=math.nan):
    """Write a mass and its errors with the same number of decimals."""
    if value is None or not math.isfinite(value):
        return "—", "", ""
    decimals = min(max(0, 2 - math.floor(math.log10(value))), 6)
    errors = (f"{e:.{decimals}f}" if math.isfinite(e) else "" for e in (errn, errp))
    return f"{value:.{decimals}f}", *errors


def minus_sign(text):
    """Put minus signs in the place of hyphens."""
    return text.replace("-", "−")
