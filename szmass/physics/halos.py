"""Mass definitions, overdensity radii and conversion between them."""

import re
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics import concentration as _concentration
from szmass.physics.checks import broadcast, check_mass, check_redshift
from szmass.physics.cosmology import (
    ARCMIN_PER_RADIAN,
    angular_diameter_distance,
    critical_density,
    finite_only,
    get_cosmology,
)

__all__ = ["MassDefinition", "convert_mass", "overdensity_radius", "theta500"]


@dataclass(frozen=True)
class MassDefinition:
    """Mass inside the sphere of a given mean density.

    Parameters
    ----------
    overdensity : float or None
        Mean density in units of the reference density; None for ``"virial"``, where it
        depends on redshift.
    reference : {'critical', 'mean', 'virial'}
        The critical density, the mean matter density, or the critical density times the
        virial overdensity of Bryan & Norman (1998), equation 6.

    Raises
    ------
    InvalidInputError
        The overdensity is not positive, or the reference is not one of the three.

    Notes
    -----
    Written and parsed as ``"500c"``, ``"200m"``, ``"vir"``.
    """

    overdensity: float | None
    reference: str = "critical"

    def __post_init__(self):
        if self.reference not in ("critical", "mean", "virial"):
            raise InvalidInputError(
                f"'reference' must be 'critical', 'mean' or 'virial'. Received: {self.reference!r}"
            )
        if self.reference == "virial":
            if self.overdensity is not None:
                raise InvalidInputError(
                    "'overdensity' must be None for the virial definition. "
                    f"Received: {self.overdensity!r}"
                )
        elif not isinstance(self.overdensity, (int, float)) or not 0 < self.overdensity < np.inf:
            raise InvalidInputError(
                f"'overdensity' must be a positive number. Received: {self.overdensity!r}"
            )

    @classmethod
    def parse(cls, definition):
        """Read a mass definition.

        Parameters
        ----------
        definition : str or `MassDefinition`
            ``"500c"``, ``"200m"``, ``"vir"`` and the like; an instance is passed through.

        Returns
        -------
        `MassDefinition`
            The definition.

        Raises
        ------
        InvalidInputError
            The text is not of that form.
        """
        if isinstance(definition, cls):
            return definition
        if definition == "vir":
            return cls(None, "virial")
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([cm])", str(definition))
        if match is None:
            raise InvalidInputError(
                "A mass definition must be a number followed by 'c' (critical) or 'm' (mean "
                f"matter), such as '500c', or 'vir'. Received: {definition!r}"
            )
        return cls(float(match[1]), {"c": "critical", "m": "mean"}[match[2]])

    def __str__(self):
        if self.reference == "virial":
            return "vir"
        return f"{self.overdensity:g}{self.reference[0]}"

    def density(self, redshift, *, cosmology):
        """Mean density inside the radius that this definition sets.

        Parameters
        ----------
        redshift : float or array-like
            Redshift; NaN gives NaN.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, or its name.

        Returns
        -------
        `~astropy.units.Quantity`
            Density [Msun / Mpc3], physical, of the shape of ``redshift``.
        """
        redshift = check_redshift(redshift)
        return u.Quantity(density_at(redshift, get_cosmology(cosmology), self), "solMass / Mpc3")


M500C = MassDefinition(500.0)


def density_at(redshift, cosmology, definition=M500C):
    """Mean density [Msun / Mpc3] inside the radius of a definition; NaN to NaN."""
    critical = critical_density(redshift, cosmology)
    if definition.reference == "critical":
        return definition.overdensity * critical
    matter = finite_only(cosmology.Om, redshift)
    if definition.reference == "mean":
        return definition.overdensity * matter * critical
    return (18 * np.pi**2 + 82 * (matter - 1) - 39 * (matter - 1) ** 2) * critical


def radius_at(mass, redshift, cosmology, definition=M500C):
    """Radius [Mpc] of masses [Msun] in a definition; NaN to NaN."""
    return np.cbrt(3 * mass / (4 * np.pi * density_at(redshift, cosmology, definition)))


def concentration500(mass, redshift, model, cosmology):
    """Median R500 / r_s of masses M500c [Msun] by a relation of concentration and mass."""
    native = MassDefinition.parse(_concentration.CONCENTRATION_MODELS[model])
    densities = [density_at(redshift, cosmology, which) for which in (M500C, native)]
    found, c = _concentration.model_mass(mass, redshift, *densities, model, cosmology)
    return np.cbrt(mass / found * densities[1] / densities[0]) * c


def overdensity_radius(mass, redshift, *, cosmology, mass_definition="500c"):
    """Compute the radius of the sphere that holds a mass at a given mean density.

    Parameters
    ----------
    mass : `~astropy.units.Quantity`
        Mass in ``mass_definition``; NaN gives NaN.
    redshift : float or array-like
        Redshift, broadcast against ``mass``; NaN gives NaN.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.
    mass_definition : str or `MassDefinition`, optional
        What the mass is.

    Returns
    -------
    `~astropy.units.Quantity`
        Physical radius [Mpc].

    Raises
    ------
    InvalidInputError
        A mass or redshift is out of range, or their shapes do not broadcast.
    InvalidUnitError
        The mass has no unit, or one of another kind.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.physics import overdensity_radius
    >>> radius = overdensity_radius(6e14 * u.solMass, 0.2, cosmology="PSZ2")
    >>> print(f"{radius:.3f}")
    1.200 Mpc
    """
    definition = MassDefinition.parse(mass_definition)
    cosmology = get_cosmology(cosmology)
    mass, redshift = broadcast(mass=check_mass(mass), redshift=check_redshift(redshift))
    return u.Quantity(radius_at(mass, redshift, cosmology, definition), u.Mpc)


def theta500(mass, redshift, *, cosmology):
    """Angular radius of R500c.

    Parameters
    ----------
    mass, redshift, cosmology : `~astropy.units.Quantity`, float or array-like, str
        M500c, redshift > 0 and cosmology, as for `overdensity_radius`.

    Returns
    -------
    `~astropy.units.Quantity`
        R500 / D_A [arcmin].

    Raises
    ------
    InvalidInputError, InvalidUnitError
        As `overdensity_radius` raises them.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.physics import theta500
    >>> print(theta500(6e14 * u.solMass, [0.05, 0.3], cosmology="PSZ2").round(2))
    [21.52  4.33] arcmin
    """
    cosmology = get_cosmology(cosmology)
    mass, redshift = broadcast(
        mass=check_mass(mass), redshift=check_redshift(redshift, positive=True)
    )
    distance = angular_diameter_distance(redshift, cosmology)
    angle = radius_at(mass, redshift, cosmology) / distance * ARCMIN_PER_RADIAN
    return u.Quantity(angle, u.arcmin)


def convert_mass(
    mass, redshift, from_definition, to_definition, *, cosmology, concentration="diemer19"
):
    """Convert a mass to another definition, for an NFW halo.

    Parameters
    ----------
    mass : `~astropy.units.Quantity`
        Mass in ``from_definition``; NaN gives NaN.
    redshift : float or array-like
        As for `overdensity_radius`.
    from_definition, to_definition : str or `MassDefinition`
        ``"500c"``, ``"200m"``, ``"vir"`` and the like.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name. A concentration model also uses its ``Ob0`` and, from its
        ``meta``, ``sigma8`` and ``n``; where these two are missing, 0.8102 and 0.9665
        (Planck 2018) are taken. Ten per cent in sigma8 change M200c/M500c by less than 1 %.
    concentration : str or float or array-like, optional
        A concentration-mass relation of colossus, by name, or the concentration
        R / r_s itself, in ``from_definition``.

    Returns
    -------
    `~astropy.units.Quantity`
        Mass [Msun] in ``to_definition``.

    Raises
    ------
    InvalidInputError
        A value is out of range, shapes do not broadcast, or the concentration model cannot
        be used with this cosmology or mass.
    InvalidUnitError
        The mass has no unit of mass.
    UnknownNameError
        No concentration model has that name.

    Warns
    -----
    SzmassWarning
        Some masses or redshifts are outside the calibration of the concentration model.

    References
    ----------
    Navarro, Frenk & White (1997); Diemer & Joyce (2019) for the default concentrations;
    Diemer (2018) for colossus.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.physics import convert_mass
    >>> mass = convert_mass(6e14 * u.solMass, 0.2, "500c", "200c", cosmology="PSZ2")
    >>> print(f"{mass:.3g}")
    8.8e+14 solMass
    """
    source = MassDefinition.parse(from_definition)
    target = MassDefinition.parse(to_definition)
    cosmology = get_cosmology(cosmology)
    mass, redshift = check_mass(mass), check_redshift(redshift)
    if isinstance(concentration, str):
        _concentration.check_model(concentration)
        mass, redshift = broadcast(mass=mass, redshift=redshift)
    else:
        concentration = as_floats(concentration, "", "concentration")
        low, high = _concentration.CONCENTRATION_RANGE
        if np.any((concentration < low) | (concentration > high)):
            raise InvalidInputError(
                f"'concentration' must be the name of a model or R / r_s between {low:g} and "
                f"{high:g}. Received: {concentration}"
            )
        mass, redshift, concentration = broadcast(
            mass=mass, redshift=redshift, concentration=concentration
        )
    return u.Quantity(
        convert_floats(mass, redshift, source, target, cosmology, concentration), u.solMass
    )


def convert_floats(mass, redshift, source, target, cosmology, concentration="diemer19"):
    """Convert masses [Msun]; ``mass`` and ``redshift`` of one shape, NaN to NaN."""
    result = np.full(mass.shape, np.nan)
    good = np.isfinite(mass) & np.isfinite(redshift)
    if not isinstance(concentration, str):
        good &= np.isfinite(concentration)
    mass, redshift = mass[good], redshift[good]
    if source == target or mass.size == 0:
        result[good] = mass
        return result
    density_from = density_at(redshift, cosmology, source)
    density_to = density_at(redshift, cosmology, target)
    if isinstance(concentration, str):
        model = concentration
        native = MassDefinition.parse(_concentration.CONCENTRATION_MODELS[model])
        density_model = density_at(redshift, cosmology, native)
        mass, value = _concentration.model_mass(
            mass, redshift, density_from, density_model, model, cosmology
        )
        density_from = density_model
    else:
        value = concentration[good]
    result[good] = _concentration.nfw_convert(mass, value, density_from, density_to)
    return result
