"""Emission of hot gas in an X-ray band."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from scipy.special import gammainc

from szmass._utils.docs import InheritsDocstrings
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError

__all__ = ["CoolingFunction", "TabulatedCooling"]

# The spectrum of bremsstrahlung is E^-_GAUNT exp(-E / kT) with its Gaunt factor.
_GAUNT = 0.4

_RATE = u.erg * u.cm**3 / u.s

# Share of a spectrum below E = e kT, tabulated: the incomplete gamma function is slow.
_LN_E = np.linspace(-14.0, 5.0, 4001)
_BELOW = gammainc(1 - _GAUNT, np.exp(_LN_E))


def _check_band(band):
    band = as_floats(band, u.keV, "band", positive=True, finite=True)
    if band.shape != (2,) or not band[0] < band[1]:
        raise InvalidInputError(
            f"'band' must be the lower and the higher energy. Received: {band} keV"
        )
    return tuple(float(energy) for energy in band) * u.keV


@dataclass(frozen=True, kw_only=True, eq=False)
class CoolingFunction(InheritsDocstrings):
    """Emission in an observed band, in closed form.

    The bolometric Lambda = (8.6e-3 T^-1.7 + 5.8e-2 T^0.5 + 6.3e-2) 1e-22 erg cm3 / s, per electron
    and ion, T in keV, is the fit of Tozzi & Norman (2001) to Sutherland & Dopita (1993) for 0.3 of
    the solar metallicity. The band has the share of a spectrum E^-0.4 exp(-E / kT).

    Parameters
    ----------
    band : `~astropy.units.Quantity`, optional
        Lower and higher energy at the observer.

    Raises
    ------
    InvalidInputError
        The energies are not positive, or not in this order.
    InvalidUnitError
        They have no unit of energy.

    Notes
    -----
    From 2 to 12 keV the bolometric function agrees to 5 % with the table for 0.3 solar that the
    package hydromass has, taken as per electron and proton; at 1 keV, where lines count, it is 30 %
    lower. The share of the band is that of a continuum. Absorption by the Galaxy is left out.
    """

    band: u.Quantity = (0.5, 2.0) * u.keV

    #: ADS bibcodes of the papers to cite; a table of one's own has none.
    references = ("2001ApJ...546...63T",)

    def __post_init__(self):
        object.__setattr__(self, "band", _check_band(self.band))

    def emission(self, temperature, redshift):
        """Compute the emission in the band.

        Parameters
        ----------
        temperature : ndarray
            Temperature kT [keV].
        redshift : ndarray
            Redshift, broadcast against it.

        Returns
        -------
        ndarray
            Lambda [erg cm3 / s], per electron and ion.
        """
        bolometric = 8.6e-3 * temperature**-1.7 + 5.8e-2 * np.sqrt(temperature) + 6.3e-2
        log = np.log((1 + redshift) / temperature)
        low, high = (np.interp(log + np.log(e), _LN_E, _BELOW) for e in self.band.value)
        return 1e-22 * bolometric * (high - low)

    def photon_energy(self, temperature, redshift):
        """Compute the mean energy of the photons in the band, as they arrive.

        Parameters
        ----------
        temperature, redshift : ndarray
            As for `emission`.

        Returns
        -------
        ndarray
            Energy [keV].
        """
        energy = np.geomspace(*self.band.value, 64)
        where = (1 + redshift) / temperature
        spectrum = energy ** (1 - _GAUNT) * np.exp(-np.multiply.outer(where, energy))
        # Even in ln E.
        return spectrum.sum(axis=-1) / (spectrum / energy).sum(axis=-1)


@dataclass(frozen=True, kw_only=True, eq=False)
class TabulatedCooling(CoolingFunction):
    """Emission in an observed band, from a table of one's own.

    Logarithms are interpolated, and in redshift; what is outside has the value of the end.

    Parameters
    ----------
    band : `~astropy.units.Quantity`, optional
        Lower and higher energy at the observer.
    temperature : `~astropy.units.Quantity`
        Temperatures kT, increasing, shape (n,).
    rate : `~astropy.units.Quantity`
        Lambda in the band per electron and ion, as an energy times volume over time, shape (n,),
        or (m, n) for m redshifts.
    redshift : array-like, optional
        The m redshifts, increasing.

    Raises
    ------
    InvalidInputError
        Shapes do not match, values do not increase or are not positive.
    InvalidUnitError
        A value has no unit, or one of another kind.
    """

    references = ()

    temperature: u.Quantity
    rate: u.Quantity
    redshift: np.ndarray | None = None

    def __post_init__(self):
        super().__post_init__()
        kt = as_floats(self.temperature, u.keV, "temperature", positive=True, finite=True)
        rate = as_floats(self.rate, _RATE, "rate", positive=True, finite=True)
        z = np.zeros(1)
        if self.redshift is not None:
            z = as_floats(self.redshift, "", "redshift", finite=True)
        rates = rate[np.newaxis] if self.redshift is None else rate
        if kt.ndim != 1 or z.ndim != 1 or rates.shape != (len(z), len(kt)) or len(kt) < 2:
            raise InvalidInputError(
                "'rate' must have an entry per 'temperature' (at least two), and a row per "
                f"'redshift' where that is given. Received: shapes {rate.shape} and {kt.shape}, "
                f"and redshifts {self.redshift}"
            )
        if np.any(np.diff(kt) <= 0) or np.any(np.diff(z) <= 0):
            raise InvalidInputError("'temperature' and 'redshift' must increase.")
        object.__setattr__(self, "_table", (np.log(kt), np.log(rates), z))

    def emission(self, temperature, redshift):
        log_t, log_rates, z = self._table
        log, redshift = np.broadcast_arrays(np.log(temperature), redshift)
        at_z = np.array([np.interp(log, log_t, row) for row in log_rates])
        if len(z) == 1:
            return np.exp(at_z[0])
        position = np.interp(redshift, z, np.arange(len(z)))
        low = np.minimum(position.astype(int), len(z) - 2)
        share = position - low
        lower, upper = (np.take_along_axis(at_z, (low + i)[np.newaxis], 0)[0] for i in (0, 1))
        return np.exp(lower + share * (upper - lower))
