"""Published electron-pressure profiles, by name."""

from dataclasses import dataclass, field

import astropy.constants as const
import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError
from szmass.physics._profile import PressureProfile
from szmass.physics.checks import broadcast, check_mass, check_redshift
from szmass.physics.cosmology import critical_density, efunc, h70
from szmass.physics.halos import M500C, MassDefinition, convert_floats, density_at, radius_at

__all__ = [
    "PRESSURE_PROFILES",
    "Battaglia2012Profile",
    "GNFWProfile",
    "PressureProfile",
    "get_pressure_profile",
]

# Electron over thermal pressure at a hydrogen mass fraction of 0.76.
_ELECTRON_SHARE = 0.518

_G_MSUN2_PER_MPC4 = (const.G * u.solMass**2 / u.Mpc**4).to_value("keV / cm3")


def _virial_pressure(mass, density):
    """G M rho / (2 R) [keV/cm3] of a mass [Msun] with mean density rho [Msun/Mpc3] inside R."""
    radius = np.cbrt(3 * mass / (4 * np.pi * density))
    return _G_MSUN2_PER_MPC4 * mass * density / (2 * radius)


def _arnaud2010(mass, redshift, cosmology):
    """P500 [keV/cm3] of Arnaud et al. (2010), equation 5, with its rounded constant."""
    h = h70(cosmology)
    return 1.65e-3 * efunc(redshift, cosmology) ** (8 / 3) * (mass * h / 3e14) ** (2 / 3) * h**2


def _arnaud2010_exact(mass, redshift, cosmology):
    """The same from its definition, with mu = 0.59, mu_e = 1.14 and f_b = 0.175."""
    density = 500 * critical_density(redshift, cosmology)
    return 0.59 / 1.14 * 0.175 * _virial_pressure(mass, density)


def _ghirardini2019(mass, redshift, cosmology):
    """P500 [keV/cm3] of Ghirardini et al. (2019): mu = 0.6, mu_e = 1.14, f_b = 0.16."""
    h = h70(cosmology)
    # The paper fixes H0 = 70; h^2 carries its P500 to another H0 as in Arnaud et al.
    return 3.426e-3 * efunc(redshift, cosmology) ** (8 / 3) * (mass * h / 1e15) ** (2 / 3) * h**2


_P500 = {
    "arnaud2010": _arnaud2010,
    "arnaud2010-exact": _arnaud2010_exact,
    "ghirardini2019": _ghirardini2019,
}


@dataclass(frozen=True, kw_only=True)
class GNFWProfile(PressureProfile):
    """Generalised NFW pressure profile scaled by P500 and R500.

    P(r) = P500 (M500 / 3e14 h70^-1 Msun)^(alpha_p + alpha_p'(x)) p(x), with x = r / R500 and
    p(x) = P0 / {(c500 x)^gamma [1 + (c500 x)^alpha]^((beta - gamma) / alpha)}.

    Parameters
    ----------
    name : str
        Name of the profile.
    p0, c500, gamma, alpha, beta : float
        Parameters of p(x); gamma < 1.
    alpha_p : float, optional
        Departure of the mass dependence from self-similarity.
    alpha_p_prime : bool, optional
        Whether alpha_p'(x) = 0.10 - (alpha_p + 0.10) (2x)^3 / [1 + (2x)^3] is added. Planck's
        work, and therefore the default, leaves it out.
    p0_h70_exponent : float, optional
        Power of h70 that P0 carries: -3/2 where it is normalised in X-rays, -1 in SZ.
    p500 : {'arnaud2010', 'arnaud2010-exact', 'ghirardini2019'}, optional
        Normalisation: Arnaud et al. (2010), equation 5, with its rounded constant
        (1.65e-3 keV/cm3) or with the constant computed (1.6495e-3), or Ghirardini et al. (2019).
    truncation : float, optional
        Radius of the edge [R500].
    references : tuple of str, optional
        ADS bibcodes of the papers to cite.

    Raises
    ------
    InvalidInputError
        A parameter is out of range.

    See Also
    --------
    dataclasses.replace : Gives a profile with some of these changed.

    References
    ----------
    Nagai, Kravtsov & Vikhlinin (2007); Arnaud et al. (2010), equations 5, 8, 11 and 13.
    """

    name: str
    p0: float
    c500: float
    gamma: float
    alpha: float
    beta: float
    alpha_p: float = 0.0
    alpha_p_prime: bool = False
    p0_h70_exponent: float = -1.5
    p500: str = "arnaud2010"
    truncation: float = 5.0
    references: tuple = field(default=(), repr=False)

    def __post_init__(self):
        self._check_truncation()
        for key in ("p0", "c500", "alpha", "beta"):
            if not 0 < getattr(self, key) < np.inf:
                raise InvalidInputError(
                    f"'{key}' must be positive. Received: {getattr(self, key)!r}"
                )
        if not 0 <= self.gamma < 1:
            raise InvalidInputError(
                "'gamma' must be at least 0 and below 1, for y to be finite at the centre. "
                f"Received: {self.gamma!r}"
            )
        if self.p500 not in _P500:
            raise InvalidInputError(
                f"'p500' must be one of {', '.join(map(repr, _P500))}. Received: {self.p500!r}"
            )

    @property
    def inner_slope(self):
        return self.gamma

    @property
    def self_similar(self):
        return not self.alpha_p_prime

    def p(self, x):
        """Dimensionless profile.

        Parameters
        ----------
        x : float or array-like
            Radius r / R500, > 0.

        Returns
        -------
        ndarray or float
            The profile p(x) for h70 = 1, not truncated.

        Raises
        ------
        InvalidInputError
            A radius is not positive.
        """
        return self._p(as_floats(x, "", "x", positive=True))[()]

    def _p(self, x):
        x = self.c500 * x
        return (
            self.p0
            * x**-self.gamma
            * (1 + x**self.alpha) ** ((self.gamma - self.beta) / self.alpha)
        )

    def shape(self, x, *parameters):
        if not parameters:
            return self._p(x)
        (pivots,) = parameters
        cube = (2 * x) ** 3
        return self._p(x) * pivots ** (0.10 - (self.alpha_p + 0.10) * cube / (1 + cube))

    def amplitude(self, mass, redshift, cosmology):
        h = h70(cosmology)
        pivots = mass * h / 3e14
        amplitude = _P500[self.p500](mass, redshift, cosmology) * h**self.p0_h70_exponent
        amplitude = amplitude * pivots**self.alpha_p
        return (amplitude, pivots) if self.alpha_p_prime else (amplitude,)


@dataclass(frozen=True, kw_only=True)
class Battaglia2012Profile(PressureProfile):
    """Thermal pressure whose shape depends on mass and redshift.

    P_th = P_D P0 (x/xc)^-0.3 (1 + x/xc)^-beta with x = r / R_D and P_D = G M_D D rho_c f_b /
    (2 R_D); P0, xc and beta are each A (M_D / 1e14 Msun)^am (1+z)^az. The electrons have 0.518 of
    P_th.

    The methods take M500c; for a profile fitted in another definition the mass is converted
    by `convert_mass` with the concentrations of Diemer & Joyce (2019).

    Parameters
    ----------
    name : str
        Name of the profile.
    p0, xc, beta : tuple of float
        (A, am, az) of each.
    fitted_definition : str
        Mass definition D of the fit, ``"200c"`` or ``"500c"``.
    baryon_fraction : float, optional
        The f_b above; by default Ob0 / Om0 of the cosmology.
    truncation, references : float or tuple of str, optional
        As for `GNFWProfile`.

    Raises
    ------
    InvalidInputError
        A parameter is out of range.

    References
    ----------
    Battaglia, Bond, Pfrommer & Sievers (2012), ApJ 758, 75, table 1.
    """

    name: str
    p0: tuple
    xc: tuple
    beta: tuple
    fitted_definition: str
    baryon_fraction: float | None = None
    truncation: float = 5.0
    references: tuple = field(default=(), repr=False)

    inner_slope = 0.3
    self_similar = False

    def __post_init__(self):
        self._check_truncation()
        definition = MassDefinition.parse(self.fitted_definition)
        if definition.reference != "critical":
            raise InvalidInputError(
                "'fitted_definition' must refer to the critical density, such as '200c'. "
                f"Received: {self.fitted_definition!r}"
            )
        if self.baryon_fraction is not None and not 0 < self.baryon_fraction < 1:
            raise InvalidInputError(
                f"'baryon_fraction' must lie between 0 and 1. Received: {self.baryon_fraction!r}"
            )

    def _parameters(self, mass, redshift):
        for amplitude, mass_slope, redshift_slope in (self.p0, self.xc, self.beta):
            yield amplitude * (mass / 1e14) ** mass_slope * (1 + redshift) ** redshift_slope

    def p(self, x, mass, redshift):
        """Dimensionless profile.

        Parameters
        ----------
        x : float or array-like
            Radius r / R_D > 0, in the definition that the profile is fitted in.
        mass : `~astropy.units.Quantity`
            Mass in that definition.
        redshift : float or array-like
            Redshift; all three broadcast.

        Returns
        -------
        ndarray or float
            P_th / P_D, not truncated.

        Raises
        ------
        InvalidInputError, InvalidUnitError
            As `pressure` raises them.
        """
        x, mass, redshift = broadcast(
            x=as_floats(x, "", "x", positive=True),
            mass=check_mass(mass),
            redshift=check_redshift(redshift),
        )
        p0, xc, beta = self._parameters(mass, redshift)
        return (p0 * self.shape(x, xc, beta))[()]

    def shape(self, x, *parameters):
        xc, beta = parameters
        x = x / xc
        return x**-0.3 * (1 + x) ** -beta

    def amplitude(self, mass, redshift, cosmology):
        definition = MassDefinition.parse(self.fitted_definition)
        fraction = self.baryon_fraction
        if fraction is None:
            if not cosmology.Ob0:
                raise InvalidInputError(
                    f"The profile {self.name!r} needs the baryon fraction: give a 'cosmology' with "
                    f"Ob0, or the profile a 'baryon_fraction'. Received: {cosmology!r}"
                )
            fraction = cosmology.Ob0 / cosmology.Om0
        radius500 = radius_at(mass, redshift, cosmology)
        if definition != M500C:
            mass = convert_floats(mass, redshift, M500C, definition, cosmology)
        radius = radius_at(mass, redshift, cosmology, definition)
        thermal = fraction * _virial_pressure(mass, density_at(redshift, cosmology, definition))
        p0, xc, beta = self._parameters(mass, redshift)
        return _ELECTRON_SHARE * thermal * p0, xc * radius / radius500, beta


#: Profiles known by name; the entry-point group ``szmass.pressure_profiles`` adds to them.
PRESSURE_PROFILES = Registry("pressure profile", "szmass.pressure_profiles")


def _gnfw(name, p0, c500, gamma, alpha, beta, **options):
    profile = GNFWProfile(
        name=name, p0=p0, c500=c500, gamma=gamma, alpha=alpha, beta=beta, **options
    )
    PRESSURE_PROFILES.add(name, profile)


_ARNAUD2010 = {"references": ("2010A&A...517A..92A",)}
_gnfw("arnaud2010", 8.403, 1.177, 0.3081, 1.0510, 5.4905, alpha_p=0.12, **_ARNAUD2010)
_gnfw("arnaud2010-cc", 3.249, 1.128, 0.7736, 1.2223, 5.4905, alpha_p=0.12, **_ARNAUD2010)
_gnfw("arnaud2010-md", 3.202, 1.083, 0.3798, 1.4063, 5.4905, alpha_p=0.12, **_ARNAUD2010)
_gnfw("arnaud2010-selfsimilar", 8.130, 1.156, 0.3292, 1.0620, 5.4807, **_ARNAUD2010)
_gnfw(
    *("planck2013", 6.41, 1.81, 0.31, 1.33, 4.13),
    alpha_p=0.12,
    p0_h70_exponent=-1.0,
    references=("2013A&A...550A.131P",),
)
_gnfw(
    *("he2021", 5.048, 1.217, 0.433, 1.192, 5.490),
    references=("2021ApJ...908...91H",),
)
_GHIRARDINI2019 = {
    "p500": "ghirardini2019",
    "references": ("2019A&A...621A..41G",),
}
_gnfw("ghirardini2019", 5.68, 1.49, 0.43, 1.33, 4.40, **_GHIRARDINI2019)
_gnfw("ghirardini2019-cc", 6.03, 1.68, 0.51, 1.33, 4.37, **_GHIRARDINI2019)
_gnfw("ghirardini2019-ncc", 7.96, 1.79, 0.29, 1.33, 4.05, **_GHIRARDINI2019)


def _battaglia2012(name, fitted_definition, p0, xc, beta):
    profile = Battaglia2012Profile(
        name=name,
        p0=p0,
        xc=xc,
        beta=beta,
        fitted_definition=fitted_definition,
        references=("2012ApJ...758...75B",),
    )
    PRESSURE_PROFILES.add(name, profile)


_battaglia2012(
    *("battaglia2012-agn", "200c"),
    p0=(18.1, 0.154, -0.758),
    xc=(0.497, -0.00865, 0.731),
    beta=(4.35, 0.0393, 0.415),
)
_battaglia2012(
    *("battaglia2012-agn-500c", "500c"),
    p0=(7.49, 0.226, -0.957),
    xc=(0.710, -0.0833, 0.853),
    beta=(4.19, 0.048, 0.615),
)
_battaglia2012(
    *("battaglia2012-shock", "200c"),
    p0=(20.7, -0.074, -0.743),
    xc=(0.438, 0.011, 1.01),
    beta=(3.82, 0.0375, 0.535),
)


@PRESSURE_PROFILES.getter(PressureProfile, "arnaud2010")
def get_pressure_profile(profile):
    """Look a pressure profile up by name, or pass one through.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.physics import get_pressure_profile
    >>> profile = get_pressure_profile("arnaud2010")
    >>> print(f"{profile.y_spherical(6e14 * u.solMass, 0.2, cosmology='PSZ2'):.3g}")
    6.63e-05 Mpc2
    """
