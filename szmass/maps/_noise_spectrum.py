"""What the power spectrum of a map's noise implies: rms, correlations, matched-filter noise."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._checks import check_beam, check_geometry
from szmass.maps._fields import mean_power
from szmass.maps._power import PowerTable
from szmass.maps._template import filter_weights, get_scale_free_profile

__all__ = ["NoiseSpectrum", "absolute_grid"]


class NoiseSpectrum:
    """Isotropic noise of a Compton-y map with a known power spectrum.

    Parameters
    ----------
    ell : array-like
        Multipoles, > 0 and increasing.
    spectrum : `~astropy.units.Quantity`
        N_l of the map at these multipoles, > 0, as a solid angle.
    beam : `~astropy.units.Quantity` or str or None
        FWHM of the Gaussian beam that is in the spectrum.

    Raises
    ------
    InvalidInputError
        Multipoles do not increase, or a value is negative, zero or not finite.
    InvalidUnitError
        The spectrum is no solid angle, or the beam no angle.
    """

    def __init__(self, ell, spectrum, beam):
        ell = as_floats(ell, "", "ell", positive=True, finite=True)
        spectrum = as_floats(spectrum, u.sr, "spectrum", positive=True, finite=True)
        if ell.ndim != 1 or ell.size < 2 or spectrum.shape != ell.shape:
            raise InvalidInputError(
                "'ell' and 'spectrum' must be one-dimensional, of one length and at least 2 long. "
                f"Received: shapes {ell.shape} and {spectrum.shape}"
            )
        if np.any(np.diff(ell) <= 0):
            first = int(np.argmax(np.diff(ell) <= 0))
            raise InvalidInputError(
                "'ell' must increase; sort it together with 'spectrum'. Received: "
                f"{ell[first]:g} before {ell[first + 1]:g}"
            )
        self._power = PowerTable(ell.copy(), spectrum.copy())
        self._beam = check_beam(beam)

    ell = property(lambda self: self._power.ell.copy(), doc="Multipoles of the table.")
    beam = property(lambda self: self._beam, doc="FWHM of the beam in the spectrum, or None.")

    def _beam_power(self, ell):
        if self.beam is None:
            raise InvalidInputError(
                "The noise model has no beam, and this needs the one that is in its spectrum. Make "
                "it with beam=..., or from maps that have one."
            )
        sigma = self.beam.to_value(u.rad) / np.sqrt(8 * np.log(2))
        return np.exp(-ell * (ell + 1) * sigma**2)

    def spectrum(self, ell, *, deconvolved=False):
        """Give the power spectrum of the noise.

        Parameters
        ----------
        ell : float or array-like
            Multipoles, >= 0.
        deconvolved : bool, optional
            Divide by B_l^2, as a matched filter for sources on the sky has it.

        Returns
        -------
        `~astropy.units.Quantity`
            N_l [sr]. Beyond the last multipole of the table it is 0, or infinite if deconvolved.

        Raises
        ------
        InvalidInputError
            A multipole is negative or not finite, or the model has no beam to divide by.
        """
        ell = as_floats(ell, "", "ell", finite=True)
        if np.any(ell < 0):
            raise InvalidInputError(f"'ell' must be >= 0. Received: {ell.min():g}")
        power = self._power(ell)
        if deconvolved:
            power = np.where(power > 0, power / np.maximum(self._beam_power(ell), 1e-300), np.inf)
        return power * u.sr

    def rms(self, geometry=None, *, ell_min=0.0, pixel_scale=None):
        """Give the standard deviation of the noise at depth 1.

        Parameters
        ----------
        geometry : CutoutGeometry, optional
            Give what is expected of the pixels of such a field about the mean of the field, which
            lacks the power on larger scales.
        ell_min : float, optional
            Leave out multipoles below.
        pixel_scale : `~astropy.units.Quantity` or str, optional
            After averaging over square pixels of this side.

        Returns
        -------
        float
            In units of y.

        Raises
        ------
        InvalidInputError
            Geometry and ``ell_min`` are both given, or a value makes no sense.
        """
        pixel = None
        if pixel_scale is not None:
            pixel = as_floats(pixel_scale, u.rad, "pixel_scale", positive=True, finite=True)
        low = float(as_floats(ell_min, "", "ell_min", finite=True))
        if geometry is None:
            return float(np.sqrt(self._power.variance(low, pixel)))
        if low:
            raise InvalidInputError(
                "Give either 'geometry' or 'ell_min': both say what is left out."
            )
        return float(np.sqrt(self._power.variance_in_field(*absolute_grid(geometry), pixel)))

    def correlation(self, separation):
        """Give the covariance of two pixels at depth 1.

        Parameters
        ----------
        separation : `~astropy.units.Quantity`
            Angle between them, on the flat sky.

        Returns
        -------
        `~numpy.ndarray` or float
            In units of y^2; the variance at 0.

        Raises
        ------
        InvalidInputError
            An angle is negative or not finite.
        """
        separation = as_floats(separation, u.rad, "separation", finite=True)
        if np.any(separation < 0):
            raise InvalidInputError("'separation' must be >= 0.")
        return self._power.correlation(separation)[()]

    def fourier_power(self, geometry):
        """Give the power of each mode of a field, for filters in Fourier space.

        Parameters
        ----------
        geometry : CutoutGeometry
            The field, taken as periodic.

        Returns
        -------
        `~astropy.units.Quantity`
            Mean of N_l over the cell of each mode [sr], in the order of `numpy.fft.rfft2`: shape
            (ny, nx // 2 + 1).
        """
        return mean_power(self._power, *absolute_grid(geometry)) * u.sr

    def sigma_y500(self, theta500, *, profile="arnaud2010", ell_min=66.0):
        """Give the noise of a matched filter for clusters of known size and position.

        sigma^-2 = int l dl / (2 pi) |t_l|^2 B_l^2 / N_l with the transform t_l of the disc.

        Parameters
        ----------
        theta500 : `~astropy.units.Quantity`
            Angle of R500.
        profile : str or GNFWProfile, optional
            Pressure profile.
        ell_min : float, optional
            Multipoles below carry no information. The default is the fundamental of a field
            twice as large as the cutouts, and is where this comes closest to Planck's table.

        Returns
        -------
        `~astropy.units.Quantity`
            sigma of Y500 [arcmin2] at depth 1, of the shape of ``theta500``.

        Raises
        ------
        InvalidInputError
            The model has no beam, an angle is not positive, or the profile's shape depends on mass.
        """
        theta = as_floats(theta500, u.rad, "theta500", positive=True)
        low = float(as_floats(ell_min, "", "ell_min", positive=True, finite=True))
        if low >= self._power.ell[-1]:
            raise InvalidInputError(
                f"'ell_min' must be below the last multipole, {self._power.ell[-1]:.0f}. "
                f"Received: {low:g}"
            )
        ell = np.geomspace(low, self._power.ell[-1], 1500)
        weights = filter_weights(theta.ravel(), ell, get_scale_free_profile(profile))
        sigma = (weights @ (self._beam_power(ell) / self._power(ell))) ** -0.5
        return (sigma.reshape(theta.shape) * u.sr).to(u.arcmin**2)


def absolute_grid(geometry):
    """Shape and pixel side [rad] of a geometry that has one."""
    geometry = check_geometry(geometry)
    if geometry.relative:
        raise InvalidInputError(
            "The geometry's pixel_scale is in units of an angle that differs from field to field, "
            "and noise has a scale of its own: use geometry.scaled(angle)."
        )
    return geometry.shape, geometry.pixel_scale.to_value(u.rad)
