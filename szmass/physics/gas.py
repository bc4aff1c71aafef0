"""Published density profiles of the gas of clusters, by name."""

import abc
from dataclasses import dataclass, field

import astropy.constants as const
import numpy as np

from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass.physics.checks import broadcast, check_mass, check_redshift
from szmass.physics.cosmology import critical_density, efunc, get_cosmology, h70

__all__ = ["GAS_DENSITY_PROFILES", "GasDensityProfile", "get_gas_density_profile"]

#: Mean mass [proton masses] per electron and per particle of the gas, as in Arnaud et al. (2010).
MU_E, MU = 1.14, 0.59

#: Ions per electron.
IONS = MU_E / MU - 1

_PROTONS_PER_CM3 = (1 * const.M_sun / const.m_p).value / (1 * const.kpc.to("cm") * 1e3).value ** 3


def electrons(density):
    """Electrons per cm3 of a gas density [Msun / Mpc3]."""
    return density * _PROTONS_PER_CM3 / MU_E


@dataclass(frozen=True, kw_only=True)
class GasDensityProfile(abc.ABC):
    """Electron density of clusters of given mass and redshift: an amplitude times a shape.

    A subclass gives ``shape(x)``, of x = r / R500, and ``amplitude(mass, redshift, cosmology)``
    [cm-3], both on plain arrays.

    Parameters
    ----------
    name : str
        Name of the profile.
    references : tuple of str, optional
        ADS bibcodes of the papers to cite.
    """

    name: str
    references: tuple = field(default=(), repr=False)

    @abc.abstractmethod
    def shape(self, x):
        """Give the shape of the profile.

        Parameters
        ----------
        x : ndarray
            Radius r / R500, > 0.

        Returns
        -------
        ndarray
            The density over its amplitude.
        """

    @abc.abstractmethod
    def amplitude(self, mass, redshift, cosmology):
        """Give what the shape is multiplied by.

        Parameters
        ----------
        mass : ndarray
            M500c [Msun].
        redshift : ndarray
            Redshift.
        cosmology : `~astropy.cosmology.FLRW`
            The cosmology.

        Returns
        -------
        ndarray
            Electrons per cm3.
        """

    def electron_density(self, x, mass, redshift, *, cosmology):
        """Compute the density of electrons.

        Parameters
        ----------
        x : float or array-like
            Radius r / R500, > 0.
        mass : `~astropy.units.Quantity`
            M500c.
        redshift : float or array-like
            Redshift; all three broadcast.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, or its name.

        Returns
        -------
        ndarray or float
            Electrons per cm3.

        Raises
        ------
        InvalidInputError, InvalidUnitError
            A value is out of range, the shapes do not broadcast, or the mass has no unit of mass.

        Examples
        --------
        >>> import astropy.units as u
        >>> from szmass.physics import get_gas_density_profile
        >>> profile = get_gas_density_profile("pratt2022")
        >>> profile.electron_density([0.1, 1], 5e14 * u.solMass, 0.1, cosmology="PSZ2").round(5)
        array([0.00388, 0.00014])
        """
        x, mass, redshift = broadcast(
            x=as_floats(x, "", "x", positive=True),
            mass=check_mass(mass),
            redshift=check_redshift(redshift),
        )
        amplitude = self.amplitude(mass, redshift, get_cosmology(cosmology))
        return (amplitude * self.shape(x))[()]


@dataclass(frozen=True, kw_only=True)
class _Pratt2022(GasDensityProfile):
    """Generalised NFW form, evolution and dependence on mass of Pratt et al. (2022)."""

    def shape(self, x):
        x = x / 0.28
        return 1.20 * x**-0.42 * (1 + x**1.52) ** ((0.42 - 3 * 0.78) / 1.52)

    def amplitude(self, mass, redshift, cosmology):
        scale = efunc(redshift, cosmology) ** 0.09 * (mass * h70(cosmology) / 5e14) ** 0.22
        return scale * electrons(500 * critical_density(redshift, cosmology))


@dataclass(frozen=True, kw_only=True)
class _Ghirardini2019(GasDensityProfile):
    """Form of Vikhlinin et al. (2006) with the fits of Ghirardini et al. (2019), self-similar."""

    ln_n0: float
    ln_rc: float
    ln_rs: float
    alpha: float
    beta: float
    epsilon: float

    def shape(self, x):
        core, outer = x / np.exp(self.ln_rc), x / np.exp(self.ln_rs)
        inner = core**-self.alpha * (1 + core**2) ** (self.alpha / 2 - 3 * self.beta)
        return np.sqrt(inner * (1 + outer**3) ** (-self.epsilon / 3))

    def amplitude(self, mass, redshift, cosmology):
        scale = efunc(redshift, cosmology) ** 2 * h70(cosmology) ** 2
        return np.exp(self.ln_n0) * scale * np.ones_like(mass)


#: Profiles known by name.
GAS_DENSITY_PROFILES = Registry("gas density profile")


def _ghirardini2019(name, *fit):
    keys = ("ln_n0", "ln_rc", "ln_rs", "alpha", "beta", "epsilon")
    references = ("2019A&A...621A..41G",)
    entry = _Ghirardini2019(name=name, references=references, **dict(zip(keys, fit, strict=True)))
    GAS_DENSITY_PROFILES.add(name, entry)


GAS_DENSITY_PROFILES.add(
    "pratt2022", _Pratt2022(name="pratt2022", references=("2022A&A...665A..24P",))
)
_ghirardini2019("ghirardini2019", -4.4, -3.0, -0.29, 0.89, 0.43, 2.86)
_ghirardini2019("ghirardini2019-cc", -3.9, -3.2, 0.17, 0.80, 0.49, 4.67)
_ghirardini2019("ghirardini2019-ncc", -4.9, -2.7, -0.51, 0.70, 0.39, 2.60)


@GAS_DENSITY_PROFILES.getter(GasDensityProfile, "pratt2022")
def get_gas_density_profile(profile):
    """Look a gas density profile up by name, or pass one through.

    Parameters
    ----------
    profile : str or `GasDensityProfile`
        ``"pratt2022"``: 93 clusters found by their SZ signal, 5e13 to 2e15 solMass, z < 1.13.
        ``"ghirardini2019"``: the 12 of X-COP, z < 0.1, with their ``-cc`` (cool cores) and
        ``-ncc``. Or a profile.
    """
