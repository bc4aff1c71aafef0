"""Number of haloes on the sky by mass and redshift, on plain arrays."""

import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.physics.concentration import colossus_for

__all__ = ["FULL_SKY", "SkyAbundance", "sky_density"]

#: Solid angle of the sky [deg2].
FULL_SKY = 41252.96124941927


def sky_density(log_mass, redshift, cosmology):
    """Number of haloes on the whole sky per unit of ln M500c and redshift (Tinker et al. 2008).

    Parameters
    ----------
    log_mass : ndarray
        ln(M500c / Msun).
    redshift : ndarray
        Redshifts > 0.
    cosmology : `~astropy.cosmology.FLRW`
        With Ob0; sigma8 and n are taken from its ``meta``, Planck 2018's where missing.

    Returns
    -------
    ndarray
        Shape (len(redshift), len(log_mass)).
    """
    density = np.empty((len(redshift), len(log_mass)))
    with colossus_for(cosmology):
        from colossus.lss import mass_function

        for i, z in enumerate(redshift):
            try:
                density[i] = mass_function.massFunction(
                    np.exp(log_mass) * cosmology.h,
                    float(z),
                    q_in="M",
                    q_out="dndlnM",
                    mdef="500c",
                    model="tinker08",
                )
            except Exception as err:  # colossus raises no class of its own
                raise InvalidInputError(
                    f"The mass function of Tinker et al. (2008) has no value at redshift {z:g} in "
                    f"this cosmology: {err}"
                ) from err
    volume = cosmology.differential_comoving_volume(redshift).to_value("Mpc3 / sr")
    return density * cosmology.h**3 * (4 * np.pi * volume)[:, np.newaxis]


class SkyAbundance:
    """The mass function on a grid, to count haloes and to draw them.

    Parameters
    ----------
    mass, redshift : (float, float)
        Limits of M500c [Msun] and redshift.
    cosmology : `~astropy.cosmology.FLRW`
        The cosmology.
    """

    _PER_E_FOLD, _PER_REDSHIFT = 40, 120

    def __init__(self, mass, redshift, cosmology):
        low, high = np.log(mass)
        self.log_mass = np.linspace(low, high, 2 + int(self._PER_E_FOLD * (high - low)))
        # Evenly spaced in sqrt(z): the volume rises as z^2 from zero.
        z_low, z_high = redshift
        n = 16 + int(self._PER_REDSHIFT * (z_high - z_low))
        self.redshift = np.linspace(np.sqrt(z_low), np.sqrt(z_high), n) ** 2
        start = max(z_low, 1e-6)
        self.density = sky_density(self.log_mass, np.maximum(self.redshift, start), cosmology)
        # Cumulative from the heaviest down, so that the steep end does not lose digits.
        step = self.log_mass[1] - self.log_mass[0]
        middle = 0.5 * step * (self.density[:, 1:] + self.density[:, :-1])
        self._above = np.zeros_like(self.density)
        self._above[:, :-1] = np.cumsum(middle[:, ::-1], axis=1)[:, ::-1]
        self._per_redshift = self._above[:, 0]
        widths = np.diff(self.redshift)
        middle = 0.5 * widths * (self._per_redshift[1:] + self._per_redshift[:-1])
        self._below = np.concatenate([[0.0], np.cumsum(middle)])

    @property
    def total(self):
        """Number of haloes on the whole sky."""
        return self._below[-1]

    def draw(self, n, rng):
        """Draw haloes.

        Parameters
        ----------
        n : int
            How many.
        rng : `~numpy.random.Generator`
            Source of random numbers.

        Returns
        -------
        mass : ndarray
            M500c [Msun], shape (n,).
        redshift : ndarray
            Redshift, shape (n,).
        """
        redshift = np.interp(rng.random(n) * self.total, self._below, self.redshift)
        row = np.clip(np.searchsorted(self.redshift, redshift) - 1, 0, len(self.redshift) - 2)
        share = (redshift - self.redshift[row]) / (self.redshift[row + 1] - self.redshift[row])
        fraction = rng.random(n)
        log_mass = np.empty(n)
        for i in np.unique(row):
            here = np.flatnonzero(row == i)
            ends = [
                np.interp(
                    fraction[here],
                    self._above[j, ::-1] / self._above[j, 0],
                    self.log_mass[::-1],
                )
                for j in (i, i + 1)
            ]
            log_mass[here] = (1 - share[here]) * ends[0] + share[here] * ends[1]
        return np.exp(log_mass), redshift
