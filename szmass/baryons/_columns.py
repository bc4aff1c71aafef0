"""Columns of halo catalogues: our names and units, those of halo finders, and what cannot be."""

import re
from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np

from szmass._tables.columns import parse_unit
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.physics import HALO_UNITS, PROPERTIES

MASSES = {"m200c": "200c", "m500c": "500c", "m200m": "200m", "mvir": "vir"}
RADII = {"r200c": "200c", "r500c": "500c", "rvir": "vir"}
POSITIONS = ("x", "y", "z")
IDS = ("id", "host")

_LOOKED_AT = 10_000  # rows, where masses are checked
# Masses of haloes [Msun].
_LIGHTEST, _HEAVIEST = 1e5, 1e17
# Critical density today [h2 Msun / Mpc3].
_CRITICAL = 2.77536627e11
_SAME_H = 0.15  # relative, of masses and radii that differ by E(z) where that is not known
_USUAL_H = (0.55, 0.85)

_KMS = u.km / u.s
#: Our columns of numbers: unit and meaning. Radii are physical, positions comoving.
COLUMNS = {
    "redshift": (None, "Redshift"),
    "m200c": (u.solMass, "M200c"),
    "m500c": (u.solMass, "M500c"),
    "m200m": (u.solMass, "M200m, 200 times the mean matter density"),
    "mvir": (u.solMass, "Virial mass, of Bryan & Norman (1998)"),
    "mpeak": (u.solMass, "Largest mass that the halo ever had, in the finder's main definition"),
    "r200c": (u.Mpc, "R200c, physical"),
    "r500c": (u.Mpc, "R500c, physical"),
    "rvir": (u.Mpc, "Virial radius, physical"),
    "rs": (u.Mpc, "Scale radius of the NFW profile, physical"),
    "vmax": (_KMS, "Largest circular velocity"),
    "vpeak": (_KMS, "Largest vmax that the halo ever had"),
    "vrms": (_KMS, "Velocity dispersion of the particles, in three dimensions"),
    "c200c": (None, "Concentration R200c / rs"),
    "c500c": (None, "Concentration R500c / rs"),
    "spin": (None, "Spin parameter of Peebles (1969)"),
    "c_to_a": (None, "Ratio of the smallest to the largest axis"),
    "b_to_a": (None, "Ratio of the middle to the largest axis"),
    "half_mass_scale": (None, "Scale factor at which the halo had half of its largest mass"),
    "last_merger_scale": (None, "Scale factor of the last major merger"),
    "accretion_rate": (u.solMass / u.yr, "Mean growth over the last dynamical time"),
    "delta_r": (None, "Offset of the centre of mass from the density peak, over R200c"),
    "f_s": (None, "Fraction of the mass in subhaloes"),
    "eta": (None, "Virial ratio"),
    "relaxed": (None, "1 for a relaxed halo"),
    "m500_m200": (None, "M500c / M200c"),
    "x": (u.Mpc, "Position, comoving"),
    "y": (u.Mpc, "Position, comoving"),
    "z": (u.Mpc, "Position, comoving"),
    "ra": (u.deg, "Right ascension, ICRS"),
    "dec": (u.deg, "Declination, ICRS"),
}
# What histories and hydrodynamic simulations add.
COLUMNS |= {
    name: (unit, f"M500c at {name.rpartition('_')[2]} of the scale factor")
    for name, unit in HALO_UNITS.items()
    if "_at_" in name
}
COLUMNS |= {name: (unit, f"The property {name}, inside R500c") for name, unit in PROPERTIES.items()}
#: Columns whose values are positive; 0 is what finders write for "not found".
POSITIVE = {
    *MASSES, *RADII, "mpeak", "rs", "vmax", "vpeak", "vrms", "c200c", "c500c", "half_mass_scale",
    "last_merger_scale", "b_to_a", "c_to_a", "m500_m200", *PROPERTIES,
    *(name for name in HALO_UNITS if "_at_" in name),
}  # fmt: skip

# Names of finders are compared without numbers in parentheses, case, and signs.
_NUMBERED = re.compile(r"\(\d+\)$")

_ROCKSTAR = {
    "id": "id",
    "pid": "host",
    "parentid": "host",
    "scale": "scale",
    "mvir": "mvir",
    "m200c": "m200c",
    "m500c": "m500c",
    "m200b": "m200m",
    "rvir": "rvir",
    "r200c": "r200c",
    "r500c": "r500c",
    "rs": "rs",
    "mpeak": "mpeak",
    "vmax": "vmax",
    "vpeak": "vpeak",
    "vrms": "vrms",
    "spin": "spin",
    "btoa": "b_to_a",
    "ctoa": "c_to_a",
    "halfmassscale": "half_mass_scale",
    "scaleoflastmm": "last_merger_scale",
    "accrate1tdyn": "accretion_rate",
    "x": "x",
    "y": "y",
    "z": "z",
}
# Mass, radius and concentration follow from the definition of the masses, which AHF does not state.
_AHF = {
    "id": "id",
    "hosthalo": "host",
    "vmax": "vmax",
    "sigv": "vrms",
    "lambdae": "spin",
    "b": "b_to_a",
    "c": "c_to_a",
    "xc": "x",
    "yc": "y",
    "zc": "z",
}


def bare(name):
    """Give the name of a finder's column without its number, case, and signs."""
    return re.sub(r"[\W_]", "", _NUMBERED.sub("", name)).lower()


def rockstar_columns(names):
    """Give columns of Rockstar or consistent-trees by our names."""
    found = {}
    for name in names:
        if ours := _ROCKSTAR.get(bare(name)):
            found.setdefault(ours, name)
    return found


def ahf_columns(names, mass_definition):
    """Give columns of AHF by our names; those in a definition if it is stated."""
    found = {}
    suffix = mass_definition
    if suffix is None and "m200c" in map(bare, names):  # converted from another finder
        suffix = "200c"
    known = dict(_AHF)
    for stem, ours in (("m", f"m{suffix}"), ("r", f"r{suffix}")):
        for ending in ("halo", "vir", "200c"):
            known[stem + ending] = ours
    if suffix == "200c":
        known |= {"cnfw": "c200c"}
    for name in names:
        ours = known.get(bare(name))
        if ours in COLUMNS or ours in IDS:
            found.setdefault(ours, name)
    return found


@dataclass(frozen=True)
class FileUnit:
    """Unit of a column in a file: with a power of 1/h, perhaps comoving, or of a log10."""

    unit: u.UnitBase | None = None
    per_h: int = 0
    comoving: bool = False
    logarithm: bool = False

    def convert(self, values, name, h, scale):
        """Give values in our unit; ``scale`` is the scale factor, perhaps by row."""
        if self.logarithm:
            with np.errstate(over="ignore"):
                values = 10.0**values
        return values * self._factor(name, h, scale)

    def _factor(self, name, h, scale):
        wanted = COLUMNS[name][0]
        try:
            value = (self.unit or u.dimensionless_unscaled).to(wanted or u.dimensionless_unscaled)
        except u.UnitConversionError:
            raise InvalidUnitError(
                f"The column '{name}' must have a unit that converts to "
                f"{wanted or 'a plain number'}. Received: {self.unit or 'no unit'}"
            ) from None
        value = value / h**self.per_h if self.per_h else value
        return value * scale if self.comoving and name not in POSITIONS else value


_PER_H = re.compile(r"\s*(?:/\s*h|\s\*?\s*h\s*(?:\^|\*\*)?-1|/\s*littleh)$|^h\^?-1\s*", re.I)
_LOGARITHM = re.compile(r"(?:dex|log10|log|lg) ?\((.+)\)|\[(.+)\]")
_COMOVING = re.compile(r"\s*\(?\b(?:comoving|co-moving)\b\)?", re.I)


def file_unit(text, name):
    """Read the unit of a column: as astropy's, "Msun/h", "dex(Msun/h)", "kpc / h (comoving)"."""
    given = str(text).strip()
    if match := _LOGARITHM.fullmatch(given):
        return replace(file_unit(match[1] or match[2], name), logarithm=True)
    rest, comoving = _COMOVING.subn("", given)
    rest, per_h = _PER_H.subn("", rest.replace("(physical)", "").strip())
    rest = rest.strip()
    if re.fullmatch(r"c[kM]pc", rest):
        rest, comoving = rest[1:], 1
    unit = parse_unit(rest)
    if isinstance(unit, u.UnrecognizedUnit) or unit is None:
        raise InvalidUnitError(
            f"The unit of '{name}' must be one that astropy knows, perhaps with '/h' behind it. "
            f"Received: {given!r}"
        )
    return FileUnit(unit, per_h, bool(comoving))


def finder_unit(name, lengths):
    """Give the unit in which Rockstar (kpc/h and Mpc/h) and AHF (kpc/h) write one of our columns.

    ``lengths`` are the units of positions; radii are in kpc/h, comoving, in all of them.
    """
    unit = COLUMNS[name][0] if name in COLUMNS else None
    if unit is None:
        return FileUnit()
    if name in POSITIONS:
        return FileUnit(lengths, 1, True)
    if unit == u.Mpc:
        return FileUnit(u.kpc, 1, True)
    return FileUnit(unit, int(unit in (u.solMass, u.solMass / u.yr)))


def refuse_implausible(table, reading):
    """Raise `InvalidInputError` where the masses of most haloes, or their radii, cannot be.

    ``reading`` is the `Reading` that made the table, and says what its columns were.
    """
    some = table[:: max(1, len(table) // _LOOKED_AT)]
    numbers = {name: some[name].value for name in (*MASSES, *RADII) if name in some.colnames}
    masses = [name for name in MASSES if name in numbers]
    for name in masses:
        _check_mass(name, _median(numbers[name]), reading)
    for name in masses[1:]:
        with np.errstate(invalid="ignore", over="ignore"):  # both may be infinite
            ratio = _median(numbers[name] / numbers[masses[0]])
        if ratio <= 0.05 or ratio >= 20:
            raise InvalidInputError(
                f"'{name}' is {ratio:.3g} times '{masses[0]}' in the median of {reading.label}: "
                f"the columns {reading.columns[name]!r} and {reading.columns[masses[0]]!r} have "
                f"different units. Say them, for instance units={{'{name}': '1e10 solMass/h'}}."
            )
    for radius, mass in (("r200c", "m200c"), ("r500c", "m500c")):
        if radius in numbers and mass in numbers:
            _check_density(numbers, some["redshift"], mass, radius, reading)


def _check_mass(name, mass, reading):
    if not (mass <= _LIGHTEST or mass >= _HEAVIEST):  # NaN where nothing is known
        return
    about = f"h = {reading.h:g}" if reading.h is not None else "no h"
    unit = reading.units[name]
    raise InvalidInputError(
        f"The column {reading.columns[name]!r} for '{name}' in {reading.label} gives masses of "
        f"{mass:.3g} solMass in the median, taken as {unit.unit}{'/h' if unit.per_h else ''} with "
        f"{about}: no halo has that. Say what it is in, for instance "
        f"units={{'{name}': '1e10 solMass/h'}}, or 'dex(solMass/h)' for a logarithm, and look at h."
    )


def _check_density(numbers, redshift, mass, radius, reading):
    """Compare the density of halos with that of the definition, which tells h."""
    z, overdensity = np.asarray(redshift), MASSES[mass][:-1]
    known = reading.cosmology is not None
    growth = reading.cosmology.efunc(z) ** 2 if known else 0.3 * (1 + z) ** 3 + 0.7
    density = numbers[mass] / (4 / 3 * np.pi * numbers[radius] ** 3) / float(overdensity)
    implied = np.sqrt(_median(density / (_CRITICAL * growth)))
    low, high = _USUAL_H if reading.h is None else reading.h * np.exp([-_SAME_H, _SAME_H])
    if not (implied <= low or implied >= high):  # NaN where nothing is known
        return
    stated = "between 0.55 and 0.85" if reading.h is None else f"{reading.h:g}"
    raise InvalidInputError(
        f"'{mass}' and '{radius}' of {reading.label} agree with a density of {overdensity} times "
        f"the critical one for h = {implied:.3g}, and h is {stated}. A unit with h in it was "
        "perhaps taken for one without, or a comoving radius for a physical one: say "
        f"units={{'{mass}': 'solMass/h', '{radius}': 'kpc/h (comoving)'}}, or what they are in, "
        "and h=..."
    )


def _median(values):
    values = values[np.isfinite(values)]
    return np.median(values) if values.size else np.nan
