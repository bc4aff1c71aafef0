"""Columns of tables of lensing masses, and these in another cosmology and definition."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.cosmology import Cosmology
from astropy.table import MaskedColumn

from szmass._tables.columns import column_parts, parse_unit, stated_unit
from szmass._tables.roles import (
    as_table,
    can_only_be_degrees,
    find_role,
    frame_of,
    position_columns,
    split_pairs,
)
from szmass._tables.samples import as_dict, positions_of
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import hint_of_h
from szmass.catalogs._columns import CatalogColumn, catalog_columns
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.physics.cosmology import COSMOLOGIES, get_cosmology
from szmass.physics.halos import MassDefinition, convert_mass

_POSITIONS = (("ra", "dec", "icrs"), ("glon", "glat", "galactic"))
_SOURCE_REDSHIFT = 1.0
_BEHIND = 0.5  # sources are taken to be at least so far behind the cluster, in redshift
_ROLES = {
    "name": "Name",
    "ra": "Right ascension",
    "dec": "Declination",
    "glon": "Galactic longitude",
    "glat": "Galactic latitude",
    "redshift": "Redshift",
    "mass": "Mass",
    "mass_errn": "Distance down to the end of the 68 % interval",
    "mass_errp": "Distance up to the end of the 68 % interval",
}


@dataclass(frozen=True, kw_only=True)
class MassColumn:
    """What one mass of a lensing table is.

    Parameters
    ----------
    name : str
        Its column, by our name.
    definition : str
        Mass definition, for instance ``"500c"``.
    errn, errp : str, optional
        Columns of the distances to the ends of its 68 % interval.
    method : str, optional
        How it was measured.
    """

    name: str
    definition: str
    errn: str | None = None
    errp: str | None = None
    method: str = ""


def layout(definitions, *, ra="ra_deg", dec="dec_deg", unit="1e14 solMass", extra=""):
    """Describe columns and `MassColumn` s of a table laid out as those of the CLASH papers.

    Masses are in ``M500c``, ``e_M500c`` and the like; ``unit`` is None where the reader has to say
    it. Positions are in degrees or sexagesimal; ``extra`` columns are as in `catalog_columns`.
    """
    lines = [
        "name  cluster  str",
        f"ra  {ra}  deg  Right ascension",
        f"dec  {dec}  deg  Declination",
        "redshift  z  float",
        *extra.splitlines(),
    ]
    for name in definitions:
        lines += [f"m{name}  M{name}  solMass  Mass M{name}", f"m{name}_err  e_M{name}  solMass"]
    columns = catalog_columns(
        "\n".join(lines), required=("name",), published_units={"deg": "deg", "solMass": unit}
    )
    return columns, symmetric_masses(definitions)


def symmetric_masses(definitions, *, suffix="", method=""):
    """Describe masses such as ``m500c`` whose errors ``m500c_err`` hold in both directions."""
    names = {f"m{definition}{suffix}": definition for definition in definitions}
    return tuple(
        MassColumn(
            name=name, definition=definition, errn=f"{name}_err", errp=f"{name}_err", method=method
        )
        for name, definition in names.items()
    )


def describe(table, columns, mass_definition, missing):
    """Describe a table of one's own, whose column names by ours are ``columns``.

    ``missing`` has numbers that stand for "not known", by our names.

    Gives it with longitude and latitude instead of a SkyCoord, its columns, its masses, and the
    columns of the position with their frame, or None.
    """
    if mass_definition is None:
        raise InvalidInputError(
            "'mass_definition' must say what the masses are, for instance '500c'."
        )
    table = as_table(table, wanted="a Table, or a pandas DataFrame")
    columns = as_dict(columns, "columns")
    table, position = _with_position(table, columns)
    for role in ("name", "redshift"):
        if (found := find_role(table, role, columns.get(role))) not in (None, role):
            columns[role] = found
    err = columns.pop("mass_err", "mass_err" if "mass_err" in table.colnames else None)
    if err is not None:
        columns = {"mass_errn": err, "mass_errp": err} | columns
    unknown = sorted(set(columns).difference(_ROLES))
    if unknown:
        raise InvalidInputError(
            f"'columns' takes {', '.join(_ROLES)}, mass_err, coord. Received: {', '.join(unknown)}"
        )
    missing = as_dict(missing, "missing")
    if "mass_err" in missing:
        missing |= dict.fromkeys(("mass_errn", "mass_errp"), missing.pop("mass_err"))
    if unknown := sorted(set(missing).difference(_ROLES)):
        raise InvalidInputError(
            f"'missing' takes {', '.join(_ROLES)}, mass_err. Received: {', '.join(unknown)}"
        )
    required = {"name", "redshift", "mass", *columns}
    described = tuple(
        CatalogColumn(
            name=role,
            fits=columns.get(role),
            description=text,
            dtype="str" if role == "name" else "float",
            unit=_unit_of(role),
            missing=missing.get(role),
            required=role == "name",
        )
        for role, text in _ROLES.items()
        if role in required or role in table.colnames
    )
    # Our name must not win over the column that the caller chose.
    kept = [c for c in table.colnames if c not in _ROLES or columns.get(c, c) == c]
    table = table[[c for c in table.colnames if c in kept or c in columns.values()]]
    names = {column.name for column in described}
    errors = [name if name in names else None for name in ("mass_errn", "mass_errp")]
    definition = str(MassDefinition.parse(mass_definition))
    mass = MassColumn(name="mass", definition=definition, errn=errors[0], errp=errors[1])
    return table, described, (mass,), position


def _unit_of(role):
    if role in ("ra", "dec", "glon", "glat"):
        return "deg"
    return "solMass" if role.startswith("mass") else None


def _with_position(table, columns):
    """Give a table whose position is in columns, which are told in ``columns``, and their frame.

    The latter is (longitude, latitude, frame) by our names, or None without a position. A SkyCoord
    becomes ra and dec.
    """
    coord, frame, _ = split_pairs(table, columns, None, None)
    if frame not in (None, "icrs", "galactic"):
        raise InvalidInputError(
            f"Positions of a lensing table must be in 'icrs' or 'galactic'. Received: {frame!r}"
        )

    def read(some, pair):
        return positions_of(some, pair, frame, {})

    found = position_columns(table, coord, frame, read, required=coord is not None)
    if not found:
        return table, None
    if len(found) == 1:
        sky = table[found[0]].icrs
        table = table.copy()
        table.remove_columns([c for c in table.colnames if isinstance(table[c], SkyCoord)])
        table["ra"], table["dec"] = sky.ra.to(u.deg), sky.dec.to(u.deg)
        return table, _POSITIONS[0]
    frame = frame or frame_of(found)
    position = next(p for p in _POSITIONS if (p[2] == "galactic") == (frame == "galactic"))
    columns |= {
        ours: theirs for ours, theirs in zip(position, found, strict=False) if ours != theirs
    }
    return table, position


def with_units(table, columns, units, cosmology):
    """Give a copy where every column that needs one has a unit, masses one without h.

    Without a unit it is in the published one, or in that of ``units``, by our names (``mass`` is
    for all masses).
    """
    result = check_kind(table, "Table", "table").copy()
    ours = {column.name for column in columns}
    unknown = sorted(set(units).difference(ours, {"mass"}))
    if unknown:
        raise InvalidInputError(
            f"'units' takes {', '.join(sorted(ours | {'mass'}))}. Received: {', '.join(unknown)}"
        )
    theirs = {c.name: next((a for a in c.aliases if a in table.colnames), None) for c in columns}
    degrees = set()
    for pair in (p[:2] for p in _POSITIONS if None not in map(theirs.get, p[:2])):
        if can_only_be_degrees(*(table[theirs[name]] for name in pair)):
            degrees |= {*pair}
    for column in columns:
        name = theirs[column.name]
        if column.unit is None or name is None:
            continue
        is_mass = u.Unit(column.unit).is_equivalent(u.solMass)
        given = units.get(column.name, units.get("mass") if is_mass else None)
        values, mask, own = column_parts(table[name])
        is_angle_text = column.unit == "deg" and values.dtype.kind in "UO"
        own = parse_unit(own) or (None if is_angle_text else column.published_unit)
        if given is not None and own is not None:
            raise InvalidUnitError(
                f"The column '{name}' is in {own} and 'units' says '{given}'. Leave it out."
            )
        unit = given if own is None else own
        if unit is None and is_angle_text:
            continue  # it can say itself what it is in
        if unit is None and column.name in degrees:
            unit = "deg"
        if unit is None:
            raise InvalidUnitError(
                f"The column '{name}' has no unit. Say what it is in, for instance "
                f"units={{'{'mass' if is_mass else column.name}': "
                f"'{'1e14 solMass' if is_mass else 'deg'}'}}."
            )
        unit = mass_unit(unit, cosmology) if is_mass else stated_unit(name, None, unit)
        result[name] = MaskedColumn(values, mask=mask, unit=unit)
    return result


def mass_unit(unit, cosmology):
    """Read a unit of mass, such as ``"1e14 solMass / littleh"``; give it without h."""
    import astropy.cosmology.units as cu

    if isinstance(unit, u.LogUnit):
        return unit  # of a mass, or `standardise` says what is wrong
    if isinstance(unit, u.UnrecognizedUnit):
        unit = str(unit)
    try:
        with u.add_enabled_units(cu):
            parsed = u.Unit(unit)
        if parsed.is_equivalent(u.solMass):
            return parsed
        return u.Unit(u.Quantity(1, parsed).to(u.solMass, cu.with_H0(cosmology.H0)))
    except (ValueError, TypeError, u.UnitConversionError) as err:
        hint = (
            " 'h' is an hour: write 'littleh' for H0 / (100 km/s/Mpc)." if hint_of_h(unit) else ""
        )
        raise InvalidUnitError(
            f"A unit of mass such as '1e14 solMass' is needed. Received: '{unit}'.{hint}"
        ) from err


def record_of(definition, cosmology):
    """What ``meta`` says of a table of one's own, as text: `told_of` understands it."""
    name = cosmology.name
    known = name in COSMOLOGIES and COSMOLOGIES[name] == cosmology
    return {
        "mass_definition": definition,
        "cosmology": name if known else cosmology.to_format("yaml"),
    }


def told_of(record, mass_definition, cosmology):
    """Definition and cosmology of the masses of a table: those given, or those on record.

    `InvalidInputError` where they contradict one another.
    """
    definition, text = record.get("mass_definition"), record.get("cosmology")
    if definition is not None and mass_definition not in (None, definition):
        given = str(MassDefinition.parse(mass_definition))
        if given != definition:
            raise InvalidInputError(
                f"'mass_definition' is {given!r}, and the table says that its masses are "
                f"{definition!r}. Leave it out: masses(mass_definition={given!r}) converts them."
            )
    recorded, given = None, None if cosmology is None else get_cosmology(cosmology)
    if text is not None:
        known = text in COSMOLOGIES
        recorded = COSMOLOGIES[text] if known else Cosmology.from_format(text, format="yaml")
    if None not in (recorded, given) and not given.is_equivalent(recorded):
        raise InvalidInputError(
            f"'cosmology' is {describe_cosmology(given)}, and the table says that its masses are "
            f"in {describe_cosmology(recorded)}. Leave it out: masses(cosmology=...) converts them."
        )
    return mass_definition or definition, recorded if cosmology is None else cosmology


def describe_cosmology(cosmology):
    """Put a cosmology into words, such as ``"PSZ2 (H0 = 70, Om0 = 0.3)"``."""
    numbers = f"H0 = {cosmology.H0.to_value('km / (s Mpc)'):g}, Om0 = {cosmology.Om0:g}"
    return f"{cosmology.name} ({numbers})" if cosmology.name else numbers


def convert_lensing_mass(
    mass,
    redshift,
    *,
    from_definition,
    to_definition,
    from_cosmology,
    to_cosmology,
    concentration="diemer19",
    source_redshift=None,
):
    """Convert masses [solMass] from shear to another cosmology, then definition; tell the steps.

    ``source_redshift`` is the effective one of the lensed galaxies; what is not known is NaN.
    """
    source, target = (MassDefinition.parse(d) for d in (from_definition, to_definition))
    old, new = (get_cosmology(c) for c in (from_cosmology, to_cosmology))
    steps = []
    factor = _shear_factor(redshift, source, old, new, source_redshift)
    if not np.allclose(factor[np.isfinite(factor)], 1, rtol=1e-9, atol=0):
        mass = mass * factor
        steps.append(
            f"cosmology {describe_cosmology(old)} to {describe_cosmology(new)}: multiplied by "
            "(D_s/D_ls)^1.5 / sqrt(reference density), new over old, approximate; by "
            f"{np.nanmin(factor):.4f} to {np.nanmax(factor):.4f}"
        )
    if source != target:
        mass = convert_mass(
            u.Quantity(mass, u.solMass),
            redshift,
            source,
            target,
            cosmology=new,
            concentration=concentration,
        ).value
        steps.append(f"M{source} to M{target}: NFW with concentration {concentration}")
    return mass, steps


def _shear_factor(redshift, definition, old, new, source_redshift):
    """Give the ratio of the masses that the same shear means in two cosmologies."""
    factor = np.full(redshift.shape, np.nan)
    good = np.isfinite(redshift)
    lens = redshift[good]
    if source_redshift is None:
        sources = np.maximum(_SOURCE_REDSHIFT, lens + _BEHIND)
    else:
        sources = np.broadcast_to(np.asarray(source_redshift, dtype=float), redshift.shape)[good]
    if np.any(~(sources > lens)):
        raise InvalidInputError(
            "'source_redshift' must be greater than the redshift of every cluster. "
            f"Received: {source_redshift!r}"
        )
    densities = [definition.density(lens, cosmology=c).value for c in (old, new)]
    efficiency = _efficiency(lens, sources, old) / _efficiency(lens, sources, new)
    factor[good] = efficiency**1.5 * np.sqrt(densities[0] / densities[1])
    return factor


def _efficiency(lens, sources, cosmology):
    """Give D_ls / D_s."""
    near, far = (
        (cosmology.comoving_transverse_distance(z) / cosmology.hubble_distance).to_value("")
        for z in (lens, sources)
    )
    curvature = cosmology.Ok0
    between = far * np.sqrt(1 + curvature * near**2) - near * np.sqrt(1 + curvature * far**2)
    return between / far
