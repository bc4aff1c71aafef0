"""Generalised NFW pressure profiles scaled by M500c."""

from dataclasses import dataclass, field

import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics._profile import PressureProfile
from szmass.physics.background import critical_density, efunc, h70, virial_pressure

__all__ = ["GNFWProfile"]


def _arnaud2010(mass, redshift, cosmology):
    """P500 [keV/cm3] of Arnaud et al. (2010), equation 5, with its rounded constant."""
    h = h70(cosmology)
    return 1.65e-3 * efunc(redshift, cosmology) ** (8 / 3) * (mass * h / 3e14) ** (2 / 3) * h**2


def _arnaud2010_exact(mass, redshift, cosmology):
    """The same from its definition, with mu = 0.59, mu_e = 1.14 and f_b = 0.175."""
    density = 500 * critical_density(redshift, cosmology)
    return 0.59 / 1.14 * 0.175 * virial_pressure(mass, density)


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
    def _inner_slope(self):
        return self.gamma

    @property
    def _self_similar(self):
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

    def _shape(self, x, pivots=None):
        if pivots is None:
            return self._p(x)
        cube = (2 * x) ** 3
        return self._p(x) * pivots ** (0.10 - (self.alpha_p + 0.10) * cube / (1 + cube))

    def _amplitude(self, mass, redshift, cosmology):
        h = h70(cosmology)
        pivots = mass * h / 3e14
        amplitude = _P500[self.p500](mass, redshift, cosmology) * h**self.p0_h70_exponent
        amplitude = amplitude * pivots**self.alpha_p
        return (amplitude, pivots) if self.alpha_p_prime else (amplitude,)
