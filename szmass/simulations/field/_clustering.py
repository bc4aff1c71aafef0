"""Haloes that are correlated with a cluster: how many, how heavy and where, on plain arrays.

Linear theory: around a cluster of bias b_t, haloes of bias b have (1 + b_t b xi(r)) times their
mean density. What is drawn is the excess; the mean density is that of the uncorrelated sky.
"""

import numpy as np
from scipy import fft

from szmass.exceptions import InvalidInputError
from szmass.physics.concentration import colossus_for
from szmass.physics.mass_function import sky_density

__all__ = ["REDSHIFT_MAX", "HaloClustering"]

#: Highest redshift of the tables.
REDSHIFT_MAX = 3.0

# Numbers of nodes of the tables: per e-fold of mass, and in the root of redshift.
_PER_E_FOLD, _N_Z = 20, 60
# Masses [Msun] for which the bias of a cluster is tabulated.
_CLUSTERS = (1e12, 1e16)


def _linear_correlation(power, h):
    """Linear correlation function of matter today.

    Parameters
    ----------
    power : callable
        Power spectrum [(Mpc/h)^3] of the wave number [h/Mpc].
    h : float
        H0 over 100 km / s / Mpc.

    Returns
    -------
    radius : ndarray
        Comoving [Mpc], to where the correlation falls to zero.
    xi : ndarray
        The correlation there, positive.
    """
    n, step = 4096, np.log(1e8) / 4095
    k = 1e-4 * np.exp(step * np.arange(n))
    r = 1e-4 * np.exp(step * np.arange(n))
    # Smoothed on 0.05 Mpc/h, so that the transform ends.
    spectrum = power(k) * np.exp(-((0.05 * k) ** 2))
    offset = fft.fhtoffset(step, mu=0.5, initial=np.log(k[n // 2] * r[n // 2]))
    r = r * np.exp(offset) / (k[n // 2] * r[n // 2])
    xi = fft.fht(k**1.5 * spectrum, step, mu=0.5, offset=offset) / (2 * np.pi * r) ** 1.5
    chosen = (r > 0.1) & (r < 300)
    r, xi = r[chosen], xi[chosen]
    end = np.argmax(xi <= 0) if np.any(xi <= 0) else len(xi)
    return r[:end] / h, xi[:end]


class HaloClustering:
    """The excess of haloes around clusters, with linear bias.

    Parameters
    ----------
    mass : (float, float)
        Limits of the M500c [Msun] of the haloes.
    cosmology : `~astropy.cosmology.FLRW`
        The cosmology, as for `sky_density`.

    References
    ----------
    Tinker et al. 2010, ApJ 724, 878 (bias), 2008, ApJ 688, 709 (mass function), both for 500c;
    Eisenstein & Hu 1998 (power spectrum); Diemer 2018 for colossus.
    """

    def __init__(self, mass, cosmology):
        low, high = np.log(mass)
        self.cosmology = cosmology
        self.log_mass = np.linspace(low, high, 2 + int(_PER_E_FOLD * (high - low)))
        self._root_z = np.linspace(np.sqrt(1e-3), np.sqrt(REDSHIFT_MAX), _N_Z)
        redshift = self._root_z**2
        self._cluster_mass = np.linspace(*np.log(_CLUSTERS), 100)
        masses = np.concatenate([self.log_mass, self._cluster_mass])
        with colossus_for(cosmology):
            from colossus.cosmology import cosmology as colossus_cosmology
            from colossus.lss import bias

            ours = colossus_cosmology.getCurrent()
            self._radius, xi = _linear_correlation(ours.matterPowerSpectrum, cosmology.h)
            self._growth = ours.growthFactor(redshift) ** 2
            scaled = np.exp(masses) * cosmology.h
            table = np.array(
                [bias.haloBias(scaled, z, mdef="500c", model="tinker10") for z in redshift]
            )
        self._bias = table[:, len(self.log_mass) :]
        volume = cosmology.differential_comoving_volume(redshift).to_value("Mpc3 / sr")
        density = sky_density(self.log_mass, redshift, cosmology)
        density *= table[:, : len(self.log_mass)] / (4 * np.pi * volume)[:, np.newaxis]
        # Number densities times bias above each mass, from the heaviest down.
        middle = 0.5 * np.diff(self.log_mass) * (density[:, 1:] + density[:, :-1])
        self._above = np.zeros_like(density)
        self._above[:, :-1] = np.cumsum(middle[:, ::-1], axis=1)[:, ::-1]
        # The integral of xi over a sphere [Mpc3].
        shells = 4 * np.pi * self._radius**3 * xi
        middle = 0.5 * np.diff(np.log(self._radius)) * (shells[1:] + shells[:-1])
        self._within = np.concatenate([[0.0], np.cumsum(middle)])

    def _state(self, mass, redshift):
        """Bias of a cluster, b n (> M) of the haloes [Mpc-3] and growth at its redshift."""
        if not redshift <= REDSHIFT_MAX:
            raise InvalidInputError(
                f"Clustered neighbours are known up to redshift {REDSHIFT_MAX:g}; a cluster is at "
                f"{redshift:g}. Leave it out, or use an environment with clustered=False."
            )
        place = (np.sqrt(redshift) - self._root_z[0]) / (self._root_z[1] - self._root_z[0])
        place = max(place, 0.0)
        i = min(int(place), _N_Z - 2)
        share = place - i
        bias, above, growth = (
            (1 - share) * table[i] + share * table[i + 1]
            for table in (self._bias, self._above, self._growth)
        )
        return np.interp(np.log(mass), self._cluster_mass, bias), above, growth

    def _ends(self, inner, outer):
        return np.interp([inner, max(inner, outer)], self._radius, self._within)

    def expected(self, mass, redshift, inner, outer=np.inf):
        """Give the mean excess of haloes in a shell around a cluster.

        Parameters
        ----------
        mass, redshift : float
            Of the cluster, M500c [Msun].
        inner, outer : float
            Radii of the shell, comoving [Mpc]; beyond the first zero of the correlation there is
            no excess.

        Returns
        -------
        float
            The number.
        """
        bias, above, growth = self._state(mass, redshift)
        low, high = self._ends(inner, outer)
        return bias * above[0] * growth * (high - low)

    def draw(self, mass, redshift, inner, outer, rng):
        """Draw the excess in a shell.

        Parameters
        ----------
        mass, redshift, inner, outer : float
            As in `expected`.
        rng : `~numpy.random.Generator`
            Source of random numbers.

        Returns
        -------
        mass : ndarray
            M500c [Msun], shape (n,).
        position : ndarray
            From the cluster, comoving [Mpc], shape (n, 3).
        """
        bias, above, growth = self._state(mass, redshift)
        low, high = self._ends(inner, outer)
        n = rng.poisson(bias * above[0] * growth * (high - low))
        uniform = rng.random((n, 4))
        log_mass = np.interp(uniform[:, 0] * above[0], above[::-1], self.log_mass[::-1])
        radius = np.interp(low + uniform[:, 1] * (high - low), self._within, self._radius)
        cos, angle = 2 * uniform[:, 2] - 1, 2 * np.pi * uniform[:, 3]
        sin = np.sqrt(1 - cos**2)
        direction = np.stack([sin * np.cos(angle), sin * np.sin(angle), cos], axis=1)
        return np.exp(log_mass), radius[:, np.newaxis] * direction
