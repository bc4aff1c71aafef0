"""Published relations of the integrated Compton parameter to mass, and its units."""

from dataclasses import dataclass, field

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats, as_quantity
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.physics.checks import broadcast, check_mass, check_one_minus_b, check_redshift
from szmass.physics.cosmology import (
    ARCMIN_PER_RADIAN,
    angular_diameter_distance,
    efunc,
    get_cosmology,
    h70,
)
from szmass.physics.pressure import get_pressure_profile

__all__ = [
    "SCALING_RELATIONS",
    "Arnaud2010",
    "Planck2013",
    "Planck2015",
    "ScalingRelation",
    "get_scaling_relation",
    "planck_theta500",
    "y_to_arcmin2",
    "y_to_mpc2",
]

_PIVOT = 6e14  # Msun


def _y_in(y, redshift, cosmology, target, other, factor):
    unit = getattr(y, "unit", None)
    if unit is None:
        y = as_quantity(y, target, "y") if isinstance(y, str) else y
        unit = getattr(y, "unit", None)
    if unit is not None and unit.is_equivalent(target):
        values = as_floats(y, target, "y")
        return u.Quantity(broadcast(y=values, redshift=check_redshift(redshift))[0], target)
    if unit is None or not unit.is_equivalent(other):
        raise InvalidUnitError(
            "'y' must be a Quantity in units of area (Mpc2) or solid angle (arcmin2). "
            f"Received: {y!r}"
        )
    cosmology = get_cosmology(cosmology)
    values, redshift = broadcast(
        y=as_floats(y, other, "y"), redshift=check_redshift(redshift, positive=True)
    )
    scale = angular_diameter_distance(redshift, cosmology) / ARCMIN_PER_RADIAN
    return u.Quantity(values * factor(scale), target)


def y_to_arcmin2(y, redshift, *, cosmology):
    """Integrated Compton parameter as a solid angle, Y = (D_A^2 Y) / D_A^2.

    Parameters
    ----------
    y : `~astropy.units.Quantity`
        Area (Mpc2); a solid angle only changes its unit. NaN gives NaN.
    redshift : float or array-like
        Redshift > 0, broadcast against ``y``; NaN gives NaN.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.

    Returns
    -------
    `~astropy.units.Quantity`
        Y [arcmin2].

    Raises
    ------
    InvalidUnitError
        ``y`` is neither an area nor a solid angle.
    InvalidInputError
        A redshift is out of range, or the shapes do not broadcast.
    """
    return _y_in(y, redshift, cosmology, u.arcmin**2, u.Mpc**2, lambda scale: scale**-2.0)


def y_to_mpc2(y, redshift, *, cosmology):
    """Integrated Compton parameter as an area, D_A^2 Y.

    Parameters
    ----------
    y : `~astropy.units.Quantity`
        Solid angle (arcmin2); an area only changes its unit. NaN gives NaN.
    redshift, cosmology : float or array-like, str or `~astropy.cosmology.FLRW`
        As for `y_to_arcmin2`; the redshift of an area may be 0.

    Returns
    -------
    `~astropy.units.Quantity`
        D_A^2 Y [Mpc2].

    Raises
    ------
    InvalidInputError, InvalidUnitError
        As `y_to_arcmin2` raises them: ``y`` must be an area or a solid angle.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.physics import y_to_mpc2
    >>> print(f"{y_to_mpc2(2e-3 * u.arcmin**2, 0.2, cosmology='PSZ2'):.3g}")
    7.84e-05 Mpc2
    """
    return _y_in(y, redshift, cosmology, u.Mpc**2, u.arcmin**2, lambda scale: scale**2.0)


def planck_theta500(mass, redshift, *, one_minus_b, cosmology):
    """Angular size by the formula of the Planck cluster counts.

    It restates the definition of R500 with constants rounded to four digits, and agrees with
    `theta500` of ``one_minus_b * mass`` to 0.03 %.

    Parameters
    ----------
    mass, redshift : `~astropy.units.Quantity`, float or array-like
        True M500c and redshift > 0, as for `theta500`.
    one_minus_b : float or array-like
        Ratio of the mass that the angular size is calibrated in to the true mass; it broadcasts
        against both.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.

    Returns
    -------
    `~astropy.units.Quantity`
        The angle 6.997 arcmin h70^-2/3 [(1-b) M500 / 3e14 Msun]^1/3 E^-2/3
        (D_A / 500 Mpc)^-1.

    Raises
    ------
    InvalidInputError, InvalidUnitError
        As `theta500` raises them, or ``one_minus_b`` is out of range.

    References
    ----------
    Planck Collaboration XX 2014, A&A 571, A20; XXIV 2016, A&A 594, A24.
    """
    cosmology = get_cosmology(cosmology)
    mass, redshift, one_minus_b = broadcast(
        mass=check_mass(mass),
        redshift=check_redshift(redshift, positive=True),
        one_minus_b=check_one_minus_b(one_minus_b),
    )
    distance = angular_diameter_distance(redshift, cosmology)
    theta = 6.997 * np.cbrt(one_minus_b * mass / 3e14) * 500 / distance
    theta *= (h70(cosmology) * efunc(redshift, cosmology)) ** (-2 / 3)
    return u.Quantity(theta, u.arcmin)


@dataclass(frozen=True, kw_only=True)
class ScalingRelation:
    """Power law between spherical Y500 and M500c.

    D_A^2 Y500 = 10^log10_y_star 1e-4 Mpc2 h70^y_h70_exponent E(z)^beta [(1-b) M500 h70 / 6e14
    Msun]^alpha.

    Parameters
    ----------
    name : str
        Key in `SCALING_RELATIONS`.
    log10_y_star, alpha, beta : float
        Normalisation at (1-b) M500 = 6e14 h70^-1 Msun, power of the mass, power of E(z).
    sigma_lny : float
        Intrinsic scatter of **ln** Y500 at given mass; NaN where the paper gives none.
    log10_y_star_err, alpha_err, beta_err, sigma_lny_err : float, optional
        Standard errors; zero for what was held fixed, NaN where the paper gives none.
    y_h70_exponent : float, optional
        Power of h70 = H0 / (70 km/s/Mpc) that Y carries: -2 in SZ, -5/2 in X-rays.
    references : tuple of str, optional
        ADS bibcodes of the papers to cite.

    Raises
    ------
    InvalidInputError
        The slope alpha is not positive.

    See Also
    --------
    dataclasses.replace : Gives a relation with some of these changed.
    """

    name: str
    log10_y_star: float
    alpha: float
    beta: float
    sigma_lny: float
    log10_y_star_err: float = np.nan
    alpha_err: float = np.nan
    beta_err: float = np.nan
    sigma_lny_err: float = np.nan
    y_h70_exponent: float = -2.0
    references: tuple = field(default=(), repr=False)

    def __post_init__(self):
        if not self.alpha > 0:
            raise InvalidInputError(f"'alpha' must be positive. Received: {self.alpha!r}")

    def scatter(self, sigma_lny=None):
        """Give the intrinsic scatter to use.

        Parameters
        ----------
        sigma_lny : float, optional
            Scatter of ln Y500 at given mass that replaces the relation's own.

        Returns
        -------
        float
            The scatter, >= 0.

        Raises
        ------
        InvalidInputError
            It is negative, or the relation was published without one and none is given.
        """
        try:
            sigma = float(self.sigma_lny if sigma_lny is None else sigma_lny)
        except (TypeError, ValueError):
            raise InvalidInputError(
                f"'sigma_lny' must be a number. Received: {sigma_lny!r}"
            ) from None
        if sigma >= 0:
            return sigma
        if sigma_lny is None:
            raise InvalidInputError(
                f"The relation {self.name!r} was published without an intrinsic scatter. Pass "
                "'sigma_lny' (0 for none)."
            )
        raise InvalidInputError(f"'sigma_lny' must be >= 0. Received: {sigma_lny!r}")

    def _normalisation(self, redshift, cosmology):
        """Y500 [Mpc2] at the pivot."""
        y_star = 1e-4 * 10**self.log10_y_star * h70(cosmology) ** self.y_h70_exponent
        return y_star * efunc(redshift, cosmology) ** self.beta

    def y500(self, mass, redshift, *, one_minus_b, cosmology):
        """Mean Y500 of a mass.

        Parameters
        ----------
        mass : `~astropy.units.Quantity`
            True M500c; NaN gives NaN.
        redshift : float or array-like
            Redshift; NaN gives NaN. All broadcast.
        one_minus_b : float or array-like
            Ratio of the mass that the relation is calibrated in to the true mass.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, or its name.

        Returns
        -------
        `~astropy.units.Quantity`
            D_A^2 Y500 [Mpc2], spherical.

        Raises
        ------
        InvalidInputError, InvalidUnitError
            A value is out of range, the shapes do not broadcast, or the mass has no unit of mass.
        """
        cosmology = get_cosmology(cosmology)
        mass, redshift, one_minus_b = broadcast(
            mass=check_mass(mass),
            redshift=check_redshift(redshift),
            one_minus_b=check_one_minus_b(one_minus_b),
        )
        pivots = one_minus_b * mass * h70(cosmology) / _PIVOT
        y500 = self._normalisation(redshift, cosmology) * pivots**self.alpha
        return u.Quantity(y500, u.Mpc**2)

    def mass(self, y500, redshift, *, one_minus_b, cosmology):
        """Mass whose mean Y500 is the given one.

        Parameters
        ----------
        y500 : `~astropy.units.Quantity`
            Spherical Y500 > 0, in an area (Mpc2) or a solid angle (arcmin2); NaN gives NaN.
        redshift : float or array-like
            Redshift, > 0 for a solid angle; NaN gives NaN. All broadcast.
        one_minus_b, cosmology : float or array-like, str or `~astropy.cosmology.FLRW`
            As for `y500`.

        Returns
        -------
        `~astropy.units.Quantity`
            True M500c [Msun]; the inverse of `y500`, without correction for scatter.

        Raises
        ------
        InvalidInputError, InvalidUnitError
            As `y500` raises them; Y500 must be positive, and an area or a solid angle.
        """
        cosmology = get_cosmology(cosmology)
        one_minus_b = check_one_minus_b(one_minus_b)
        y500 = y_to_mpc2(y500, redshift, cosmology=cosmology).value
        if np.any(y500 <= 0):
            raise InvalidInputError(
                f"'y500' must be positive for a mass to exist ({np.count_nonzero(y500 <= 0)} "
                "value(s) are not); mask such values first."
            )
        y500, redshift, one_minus_b = broadcast(
            y500=y500, redshift=check_redshift(redshift), one_minus_b=one_minus_b
        )
        pivots = (y500 / self._normalisation(redshift, cosmology)) ** (1 / self.alpha)
        return u.Quantity(pivots * _PIVOT / (one_minus_b * h70(cosmology)), u.solMass)


@dataclass(frozen=True, kw_only=True)
class Planck2013(ScalingRelation):
    """Relation of the Planck 2013 cluster counts.

    Parameters
    ----------
    name, log10_y_star, alpha, beta, sigma_lny : str or float, optional
        As in `ScalingRelation`; by default those of the paper.
    log10_y_star_err, alpha_err, beta_err, sigma_lny_err, y_h70_exponent, references : optional
        Of the paper as well; beta was held fixed.

    References
    ----------
    Planck Collaboration XX 2014, A&A 571, A20. The scatter of 0.075 dex there is 0.173 in ln Y.
    """

    name: str = "planck2013"
    log10_y_star: float = -0.19
    alpha: float = 1.79
    beta: float = 2 / 3
    sigma_lny: float = 0.173
    log10_y_star_err: float = 0.02
    alpha_err: float = 0.08
    beta_err: float = 0.0
    sigma_lny_err: float = 0.023
    references: tuple = field(default=("2014A&A...571A..20P",), repr=False)


@dataclass(frozen=True, kw_only=True)
class Planck2015(Planck2013):
    """Relation of the Planck 2015 cluster counts: that of 2013, with the power of E(z) tested.

    Parameters
    ----------
    name, log10_y_star, alpha, beta, sigma_lny : str or float, optional
        As in `ScalingRelation`; by default those of `Planck2013`.
    log10_y_star_err, alpha_err, beta_err, sigma_lny_err, y_h70_exponent, references : optional
        Those of 2013, but for beta, which the paper lets vary by 0.5.

    References
    ----------
    Planck Collaboration XXIV 2016, A&A 594, A24, table 1.
    """

    name: str = "planck2015"
    beta_err: float = 0.50
    references: tuple = field(default=("2016A&A...594A..24P",), repr=False)


def _arnaud2010_log10_y_star():
    # The integral of the universal profile, where H0 = 70 and E = 1; see Arnaud2010.
    cosmology = get_cosmology("PSZ2")
    y500 = get_pressure_profile("arnaud2010").y_spherical(
        _PIVOT * u.solMass, 0.0, cosmology=cosmology
    )
    return float(np.log10(y500.to_value("Mpc2") / 1e-4))


@dataclass(frozen=True, kw_only=True)
class Arnaud2010(ScalingRelation):
    """Relation that the universal pressure profile of Arnaud et al. (2010) implies.

    Y500 = 2.925e-5 Mpc2 I(1) h70^-5/2 E(z)^(2/3) (M500 / 3e14 h70^-1 Msun)^1.787, with I(1) the
    integral of the profile inside R500.

    Parameters
    ----------
    name, log10_y_star, alpha, beta, sigma_lny : str or float, optional
        As in `ScalingRelation`; by default those of the profile, which has no published scatter.
    log10_y_star_err, alpha_err, beta_err, sigma_lny_err, y_h70_exponent, references : optional
        The paper gives no errors; Y carries h70^-5/2.

    References
    ----------
    Arnaud et al. 2010, A&A 517, A92, section 6.
    """

    name: str = "arnaud2010"
    log10_y_star: float = field(default_factory=_arnaud2010_log10_y_star)
    alpha: float = 5 / 3 + 0.12
    beta: float = 2 / 3
    sigma_lny: float = np.nan
    y_h70_exponent: float = -2.5
    references: tuple = field(default=("2010A&A...517A..92A",), repr=False)


#: Relations known by name; the entry-point group ``szmass.scaling_relations`` adds to them.
SCALING_RELATIONS = Registry("scaling relation", "szmass.scaling_relations")
for _relation in (Planck2013(), Planck2015(), Arnaud2010()):
    SCALING_RELATIONS.add(_relation.name, _relation)


@SCALING_RELATIONS.getter(ScalingRelation, "planck2015")
def get_scaling_relation(relation):
    """Look a scaling relation up by name, or pass one through.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.physics import get_scaling_relation
    >>> relation = get_scaling_relation("planck2015")
    >>> mass = relation.mass(1.2e-3 * u.arcmin**2, 0.2, one_minus_b=0.8, cosmology="PSZ2")
    >>> print(f"{mass:.3g}")
    6.06e+14 solMass
    """
