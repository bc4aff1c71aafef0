"""Lensing masses in another cosmology and definition, and what was done in words."""

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.physics.cosmology import get_cosmology
from szmass.physics.halos import MassDefinition, convert_mass

__all__ = ["convert_lensing_mass", "describe_cosmology", "mass_unit"]

_SOURCE_REDSHIFT = 1.0
_BEHIND = 0.5  # sources are taken to be at least so far behind the cluster, in redshift


def mass_unit(unit, cosmology):
    """Read a unit of mass, such as ``"1e14 solMass / littleh"``; give it without h."""
    import astropy.cosmology.units as cu

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
            " 'h' is an hour: write 'littleh' for H0 / (100 km/s/Mpc)." if "/h" in str(unit) else ""
        )
        raise InvalidUnitError(
            f"A unit of mass such as '1e14 solMass' is needed. Received: '{unit}'.{hint}"
        ) from err


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
