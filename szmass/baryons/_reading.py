"""Halo catalogues of any form as tables with our columns, in pieces."""

import warnings
from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.cosmology import FlatLambdaCDM, LambdaCDM
from astropy.table import Column, MaskedColumn, QTable, Table

from szmass._io.limits import DAMAGED_STREAM, opener_of
from szmass._tables.columns import as_qtable, equals_any, numbers_of
from szmass._tables.files import read_table
from szmass._tables.forms import form_of
from szmass._utils.kinds import as_path, check_kind
from szmass._utils.names import did_you_mean
from szmass._utils.quantities import as_doubles
from szmass.baryons._arrays import FitsSource, HDF5Source, ParquetSource, TableSource
from szmass.baryons._columns import (
    COLUMNS,
    IDS,
    MASSES,
    POSITIVE,
    FileUnit,
    bare,
    file_unit,
    refuse_implausible,
)
from szmass.baryons._text import TextSource, text_format
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError, SzmassWarning
from szmass.physics import MassDefinition, get_cosmology

_TEXT = ("rockstar", "consistent-trees", "ahf")
_WHOLE = ("ecsv", "csv", "votable")
FORMATS = (*_TEXT, "rockstar-hdf5", "hdf5", "parquet", "fits", *_WHOLE)
_OTHERS = ("scale", "name")
# Finders whose identifiers begin at 0, so that it names a halo.
_FROM_ZERO = ("rockstar", "consistent-trees", "rockstar-hdf5")

# What headers say of scale factor, redshift, h, matter and dark energy.
_POSSIBLE = {
    "scale": (0.01, 1.01), "redshift": (-0.01, 99), "h": (0.1, 2), "om": (0, 2), "ol": (-2, 2),
}  # fmt: skip
_LOOKED_AT = 10_000  # rows


def open_source(path, format=None):
    """Open a file, of a format of `FORMATS` or of that which its content tells."""
    path = as_path(path)
    if path.is_dir():
        raise InvalidInputError(f"{str(path)!r} is a folder; give a file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    if format is not None and format not in FORMATS:
        raise InvalidInputError(
            f"'format' must be one of {', '.join(FORMATS)}. Received: {format!r}"
            f"{did_you_mean(str(format), FORMATS)}"
        )
    form = format or _format_of(path)
    if form in _TEXT:
        return TextSource(path, form)
    if form in ("hdf5", "rockstar-hdf5"):
        return HDF5Source(path, format)
    if form == "parquet":
        return ParquetSource(path)
    if form == "fits" and opener_of(path) is open:
        return FitsSource(path)
    return TableSource(_with_angles(read_table(path, format=format)), path, form)


def _format_of(path):
    try:
        with opener_of(path)(path, "rb") as stream:
            head = stream.read(1 << 16)
    except DAMAGED_STREAM as err:
        if getattr(err, "errno", None) is not None:
            raise
        raise FileFormatError(f"{str(path)!r} is damaged (compressed): {err}") from err
    if not head:
        raise FileFormatError(f"{str(path)!r} is empty.")
    if head.startswith(b"\x89HDF\r\n"):
        return "hdf5"
    if head.startswith(b"PAR1"):
        return "parquet"
    if form := text_format(head):
        return form
    try:
        return form_of(path)
    except FileFormatError:
        raise FileFormatError(
            f"{str(path)!r} is no halo catalogue that is known: neither text of Rockstar "
            "('#ID DescID Mvir ...'), consistent-trees ('#scale(0) id(1) ...') or AHF ('#ID(1) "
            "hostHalo(2) ...'), all with their first line, nor HDF5, Parquet, FITS, ECSV, VOTable "
            f"or CSV. It begins with {head[:60].decode('utf-8', 'replace')!r}"
        ) from None


def _with_angles(table):
    """Give positions of a table as right ascension and declination."""
    table = as_qtable(table)
    for name in [n for n in table.colnames if isinstance(table[n], SkyCoord)]:
        if not {"ra", "dec"} & set(table.colnames):
            table["ra"], table["dec"] = table[name].icrs.ra.deg, table[name].icrs.dec.deg
            table["ra"].unit = table["dec"].unit = u.deg
        table.remove_column(name)
    return table


class Reading:
    """How to make tables of our columns of a file or table; arguments as in `HaloCatalog.read`."""

    def __init__(
        self, source, *, format=None, columns=None, units=None, missing=None, h=None,
        redshift=None, cosmology=None, mass_definition=None, only=None, also=(),
    ):  # fmt: skip
        if isinstance(source, Table):
            self.source = TableSource(_with_angles(source.copy(copy_data=False)))
        elif type(source).__name__ == "DataFrame":
            check_kind(source, "Table", "table")
        else:
            self.source = open_source(source, format)
        self.label = "The table" if self.source.path is None else repr(str(self.source.path))
        definition = mass_definition
        if definition is not None:
            definition = str(MassDefinition.parse(definition))
            if f"m{definition}" not in MASSES:
                raise InvalidInputError(
                    "'mass_definition' must be one of "
                    f"{', '.join(map(repr, MASSES.values()))}. Received: {mass_definition!r}"
                )
        self.columns = self._columns(_as_dict(columns, "columns"), definition)
        facts = self.source.facts
        for name, (low, high) in _POSSIBLE.items():
            if not low < facts.get(name, (low + high) / 2) < high:
                raise FileFormatError(
                    f"{self.label} states {name} = {facts[name]:g}, which cannot be: its header "
                    "is damaged."
                )
        self.cosmology = self._cosmology(facts, h, cosmology)
        self.h, self._h_from = self._find_h(facts, h)
        self.redshift = self._redshift(facts, redshift)
        self.units = self._find_units(_as_dict(units, "units"))
        self._missing = self._by_ours(_as_dict(missing, "missing"), "missing")
        self._also = (also,) if isinstance(also, str) else tuple(also)
        if lost := [name for name in self._also if name not in self.source.names]:
            raise InvalidInputError(
                f"{self.label} has no column {', '.join(map(repr, lost))} ('also'). It has "
                f"{', '.join(self.source.names)}."
            )
        self.ratios = self._find_ratios() if self.source.format == "ahf" else {}
        self._no_host = self._find_no_host()
        self.meta = self._about(facts, definition)
        if only is not None:
            self.look()
            self.keep(only)

    def _columns(self, given, definition):
        """Give columns of the file by our names, and those of the user over them."""
        source = self.source
        known = (*IDS, *_OTHERS, *COLUMNS)
        for ours, theirs in given.items():
            if ours not in known:
                raise InvalidInputError(
                    f"'columns' must name columns of haloes: {', '.join(known)}. Received: "
                    f"{ours!r}{did_you_mean(ours, known)}"
                )
            given[ours] = theirs = self._in_file(theirs)
            if theirs not in source.names:
                raise InvalidInputError(
                    f"{self.label} has no column {theirs!r} for '{ours}'. It has "
                    f"{', '.join(source.names) or 'no columns'}."
                )
        found = source.columns(definition) | given
        if twice := [name for name in found.values() if list(source.names).count(name) > 1]:
            raise InvalidInputError(
                f"{self.label} has two columns named {twice[0]!r}, and nothing tells which is "
                "meant: name one of them differently in its first line."
            )
        if "name" not in found and source.format not in (*_TEXT, "rockstar-hdf5"):
            found |= {"name": "name"} if "name" in source.names else {}
        if "id" not in found and source.format in _TEXT:
            raise InvalidInputError(
                f"{self.label} must have identifiers of haloes. Say which column has them, for "
                f"instance columns={{'id': 'haloid'}}. It has {', '.join(source.names)}."
            )
        if not set(found) & set(MASSES):
            if source.format == "ahf":
                raise InvalidInputError(
                    f"{self.label} is of AHF, which does not write which overdensity its masses "
                    "have. Say what was set in its input (Dvir and its reference), for instance "
                    "mass_definition='200c'."
                )
            raise InvalidInputError(
                f"{self.label} must have a mass ({', '.join(MASSES)}); say which column is one, "
                f"for instance columns={{'m200c': 'M200'}}. It has {', '.join(source.names)}."
            )
        return found

    def _in_file(self, theirs):
        """Give the name of a column of a finder, which may be said without its number."""
        if theirs in self.source.names or self.source.format not in (*_TEXT, "rockstar-hdf5"):
            return theirs
        alike = [name for name in self.source.names if bare(name) == bare(str(theirs))]
        return alike[0] if len(alike) == 1 else theirs

    def _cosmology(self, facts, h, cosmology):
        stated = None
        if "om" in facts and "h" in facts:
            flat = abs(facts["om"] + facts.get("ol", 1 - facts["om"]) - 1) < 1e-4
            stated = (
                FlatLambdaCDM(H0=100 * facts["h"], Om0=facts["om"])
                if flat
                else LambdaCDM(H0=100 * facts["h"], Om0=facts["om"], Ode0=facts["ol"])
            )
        if cosmology is None:
            return stated
        cosmology = get_cosmology(cosmology)
        if stated is not None and abs(cosmology.Om0 - stated.Om0) > 1e-3:
            raise InvalidInputError(
                f"{self.label} states Om = {stated.Om0:g}, and cosmology={cosmology.name!r} has "
                f"{cosmology.Om0:g}. Leave 'cosmology' out: that of the file is taken."
            )
        self._check_h(cosmology.h, "cosmology", facts.get("h", h))
        return cosmology

    def _check_h(self, value, argument, other):
        if other is not None and abs(value - other) > 1e-3:
            raise InvalidInputError(
                f"'{argument}' says h = {value:g}, and {self.label}, or another argument, says h "
                f"= {other:g}. Give it once."
            )

    def _find_h(self, facts, h):
        if h is not None:
            if isinstance(h, bool) or not isinstance(h, int | float | np.number) or not 0.1 < h < 2:
                raise InvalidInputError(
                    "'h' must be H0 / (100 km/s/Mpc), for instance 0.6777, or 1 for a file "
                    f"without h in its units. Received: {h!r}"
                )
            self._check_h(float(h), "h", facts.get("h"))
            return float(h), "argument"
        if "h" in facts:
            return facts["h"], "header"
        if self.cosmology is not None:
            return float(self.cosmology.h), "cosmology"
        return None, None

    def _redshift(self, facts, redshift):
        stated = facts.get("redshift")
        if stated is None and "scale" in facts:
            stated = 1 / facts["scale"] - 1
        by_row = next((self.columns[n] for n in ("redshift", "scale") if n in self.columns), None)
        if redshift is None:
            if stated is None and by_row is None:
                raise InvalidInputError(
                    f"{self.label} does not say its redshift: neither in its header or name, nor "
                    "in a column. Give redshift=..., or the column, for instance "
                    "columns={'redshift': 'z'}."
                )
            return None if by_row is not None or stated is None else self._not_negative(stated)
        if isinstance(redshift, bool) or not isinstance(redshift, int | float | np.number):
            raise InvalidInputError(f"'redshift' must be a number. Received: {redshift!r}")
        if not -1e-3 < redshift < 50:
            raise InvalidInputError(f"'redshift' must lie between 0 and 50. Received: {redshift:g}")
        if by_row is not None:
            raise InvalidInputError(
                f"{self.label} has redshifts in its column {by_row!r}: leave 'redshift' out."
            )
        if stated is not None and abs(stated - redshift) > 5e-3 * (1 + stated):
            raise InvalidInputError(
                f"{self.label} says z = {stated:.4g}, and redshift={redshift:g} says otherwise. "
                "Leave 'redshift' out."
            )
        return self._not_negative(float(redshift))

    @staticmethod
    def _not_negative(redshift):
        return 0.0 if -1e-3 < redshift < 0 else float(redshift)

    def _by_ours(self, given, what):
        """Let what is said of columns, by our names or those of the file, hold for ours."""
        result = {}
        for key, value in given.items():
            alike = (key, self._in_file(key))
            ours = [key] if key in self.columns else []
            ours = ours or [name for name, theirs in self.columns.items() if theirs in alike]
            if not ours:
                raise InvalidInputError(
                    f"'{what}' names a column that {self.label} does not have, or that is of no "
                    f"use here: {key!r}. Known are {', '.join(self.columns)}."
                )
            result |= dict.fromkeys(ours, value)
        return result

    def _find_units(self, given):
        given, units, lost, per_h = self._by_ours(given, "units"), {}, [], []
        for ours, theirs in self.columns.items():
            if ours not in COLUMNS:
                continue
            wanted = COLUMNS[ours][0]
            said = given.get(ours)
            unit = self.source.unit(ours, theirs) if said is None else file_unit(said, ours)
            if unit is None:
                unit = FileUnit() if wanted is None else unit
            if unit is None:
                lost.append(ours)
                continue
            unit.convert(1.0, ours, 1.0, 1.0)  # or it says that it cannot be
            units[ours] = unit
            per_h += [ours] if unit.per_h else []
        if lost:
            example = ", ".join(f"'{name}': '{COLUMNS[name][0]}'" for name in lost)
            raise InvalidUnitError(
                f"{self.label} does not say the unit of {', '.join(lost)}. Say it, for instance "
                f"units={{{example}}}, with '/h' where h is in it ('solMass/h')."
            )
        if per_h and self.h is None:
            raise InvalidInputError(
                f"The units of {', '.join(per_h)} in {self.label} have h in them, and the file "
                "does not say its value. Give h=..., for instance h=0.6777."
            )
        return units

    def look(self):
        """Read the first rows with all columns: what is implausible comes up before any work."""
        for piece in self.source.pieces(2 * _LOOKED_AT)[:1]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SzmassWarning)
                self.table(piece)

    def keep(self, only):
        """Read no other columns from now on, but for identifiers and redshifts."""
        only = [only] if isinstance(only, str) else list(only)
        has = [*self.columns, *self.ratios]
        if lost := [name for name in only if name not in has]:
            raise InvalidInputError(
                f"'only' must name columns that {self.label} has: {', '.join(has)}. Received: "
                f"{', '.join(map(repr, lost))}"
            )
        always = {*only, *IDS, *_OTHERS, "redshift"}
        self.columns = {ours: theirs for ours, theirs in self.columns.items() if ours in always}
        self.ratios = {ours: pair for ours, pair in self.ratios.items() if ours in always}

    def _find_ratios(self):
        """Columns of AHF that are made of two of its own."""
        names = {bare(name): name for name in self.source.names}
        radius = next((names[n] for n in ("rhalo", "rvir", "r200c") if n in names), None)
        found = {}
        if "r200c" in self.columns and {"comoffset"} <= set(names):
            found["delta_r"] = (names["comoffset"], radius)
        return found

    def _about(self, facts, definition):
        source = self.source
        about = {"format": source.format}
        if source.path is not None:
            about["file"] = source.path.name
        if self.h is not None:
            about |= {"h": self.h, "h_from": self._h_from}
        if self.cosmology is not None:
            about["cosmology"] = {
                "name": self.cosmology.name,
                "H0": float(self.cosmology.H0.value),
                "Om0": float(self.cosmology.Om0),
            }
        if "box" in facts and self.h:
            about["box_mpc"] = facts["box"] / self.h
        if definition is not None:
            about["mass_definition"] = definition
        about["columns"] = dict(self.columns)
        return about

    def table(self, piece):
        """Give the table of a piece, with our columns in our units."""
        wanted = dict.fromkeys(self._also, np.float64)
        wanted |= {theirs: self.source.kind(ours) for ours, theirs in self.columns.items()}
        wanted |= {name: np.float64 for pair in self.ratios.values() for name in pair}
        raw, bad = self.source.read(piece, wanted)
        result, n = QTable(), len(bad)
        for name in ("id", "name"):
            if name in self.columns:
                result[name] = _identifiers(raw[self.columns[name]])
        if "id" not in self.columns and "name" not in self.columns:
            result["id"] = np.arange(piece[0], piece[0] + n)
        if "host" in self.columns:
            result["host"] = self._hosts(raw[self.columns["host"]])
        redshift, wrong = self._redshifts(raw, n)
        result["redshift"], scale = redshift, 1 / (1 + redshift)
        for ours, unit in self.units.items():
            if ours == "redshift" or ours not in self.columns:
                continue
            values, text = _numbers(raw[self.columns[ours]], self._missing.get(ours))
            wrong |= text
            values = unit.convert(values, ours, self.h, scale)
            if ours in POSITIVE:
                values[~(values > 0)] = np.nan
            wanted = COLUMNS[ours][0]
            result[ours] = values if wanted is None else values * wanted
        for ours, pair in self.ratios.items():
            top, bottom = (_numbers(raw[name], None)[0] for name in pair)
            with np.errstate(divide="ignore", invalid="ignore"):
                result[ours] = np.where(bottom > 0, top / bottom, np.nan)
        for name in self._also:
            if name not in result.colnames:
                result[name] = _as_it_is(raw[name])
        refuse_implausible(result, self)
        wrong |= bad
        if wrong.any():
            rows = ", ".join(map(str, np.flatnonzero(wrong)[:5]))
            warnings.warn(
                f"{np.count_nonzero(wrong)} of {n} rows of {self.label} hold what is no number "
                f"(rows {rows} of those from {piece[0]} on): they are kept, with NaN.",
                SzmassWarning,
                stacklevel=3,
            )
        return result

    def _redshifts(self, raw, n):
        if self.redshift is not None:
            return np.full(n, self.redshift), np.zeros(n, bool)
        ours = "redshift" if "redshift" in self.columns else "scale"
        column = raw[self.columns[ours]]
        values, wrong = _numbers(column, self._missing.get(ours), exact=True)
        if ours == "scale":
            with np.errstate(divide="ignore"):
                values = np.where(values > 0, 1 / values - 1, np.nan)
        values = np.where((values < 0) & (values > -1e-3), 0.0, values)
        return np.where(values > -1e-3, values, np.nan), wrong

    def _find_no_host(self):
        """Tell what stands for "no host": -1, or 0 where none of the first rows is -1 or masked."""
        if "host" not in self.columns or self.source.format in _FROM_ZERO:
            return -1
        in_memory = isinstance(self.source, TableSource)
        rows = max(len(self.source.table), 1) if in_memory else 10 * _LOOKED_AT
        name, pieces = self.columns["host"], self.source.pieces(rows)
        if not pieces:
            return -1
        raw, _ = self.source.read(pieces[0], {name: self.source.kind("host")})
        values, mask = self._whole(raw[name])
        return -1 if mask.any() or np.any(values[~mask] == -1) else 0

    def _whole(self, column):
        values, mask = np.ma.getdata(column), np.ma.getmaskarray(column)
        if values.dtype.kind == "f":
            mask = mask | ~np.isfinite(values)
            return np.where(mask, -1, values).astype(np.int64), mask
        if values.dtype.kind in "iu":
            return values, mask
        raise InvalidInputError(
            f"The column {self.columns['host']!r} for 'host' in {self.label} must hold the "
            f"identifiers of larger haloes as whole numbers. Received: {values.dtype}"
        )

    def _hosts(self, column):
        """Identifiers of hosts, masked where the halo is one itself, with ``no_host`` below."""
        values, mask = self._whole(column)
        none = mask | (values == self._no_host) | (values < 0)
        if values.dtype == np.uint64:  # -1 without a sign
            none |= values == np.iinfo(np.uint64).max
        return MaskedColumn(np.where(none, 0, values), mask=none)


def _as_dict(value, what):
    if value is not None and not isinstance(value, Mapping):
        raise InvalidInputError(f"'{what}' must be a dict by column. Received: {value!r}")
    return dict(value or {})


def _numbers(column, missing, *, exact=False):
    """Give numbers of a column as floats, NaN where there is none, and which are none by mistake.

    ``exact`` takes single precision for the shortest decimal that it stands for.
    """
    values, mask = np.ma.getdata(column), np.ma.getmaskarray(column)
    if missing is not None:
        mask = mask | equals_any(values, missing)
    if values.dtype.kind in "fiu":
        numbers = as_doubles(values) if exact else values.astype(float)
        if mask.any():
            numbers[mask] = np.nan
        return numbers, np.zeros(len(values), bool)
    values, _, wrong = numbers_of(values, mask)
    return values, wrong


def _identifiers(column):
    """Give identifiers or names, whole numbers also where they were written as reals."""
    column = _as_it_is(column)
    if column.dtype.kind != "f":
        return column
    values = np.where(np.isfinite(np.ma.filled(column, np.nan)), np.ma.getdata(column), -1)
    return Column(values.astype(np.int64)) if np.all(values % 1 == 0) else column


def _as_it_is(column):
    values, mask = np.ma.getdata(column), np.ma.getmaskarray(column)
    if values.dtype.kind in "SO":
        values = np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values.tolist()])
    return MaskedColumn(values, mask=mask) if mask.any() else Column(values)
