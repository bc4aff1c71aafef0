"""What all electron-pressure profiles have in common: the line-of-sight and volume integrals."""

import abc
from functools import cached_property

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics import _projection
from szmass.physics.background import ARCMIN_PER_RADIAN, COMPTON, angular_diameter_distance
from szmass.physics.checks import broadcast, check_mass, check_redshift
from szmass.physics.cosmology import get_cosmology
from szmass.physics.halos import _M500C

__all__ = ["PressureProfile"]


class PressureProfile(abc.ABC):
    """Electron pressure of a galaxy cluster as a function of M500c and redshift.

    A subclass says what the pressure is in units of a scale (`_shape`) and what the scale is
    (`_amplitude`); this class integrates it. Radii are in units of R500c, and there is no
    pressure beyond ``truncation`` of them, in three dimensions.

    Attributes
    ----------
    name : str
        Key in `PRESSURE_PROFILES`.
    references : tuple of str
        ADS bibcodes of the papers to cite.
    truncation : float
        Radius of the edge [R500c].

    Notes
    -----
    The mass that the public methods take is the one that the profile was scaled by: to paint a
    cluster of true mass M with a profile calibrated on masses that are low by 1-b, pass (1-b) M.

    For loops over many haloes there are two methods on plain arrays: ``_scales(mass, redshift,
    cosmology)``, with ``mass`` and ``redshift`` of one shape [Msun], gives a tuple of arrays of
    that shape; ``_compton_y(theta, *scales)``, with theta in arcmin and the scales of one
    halo, gives y.
    """

    #: gamma of p ~ x^-gamma at the centre; must be < 1.
    _inner_slope = 0.0

    #: Whether p(x) is the same for all masses and redshifts.
    _self_similar = True

    @abc.abstractmethod
    def _shape(self, x, *parameters):
        """Pressure in units of the amplitude at x = r / R500; parameters broadcast against x."""

    @abc.abstractmethod
    def _amplitude(self, mass, redshift, cosmology):
        """Amplitude [keV/cm3] and shape parameters, each of the shape of ``mass`` [Msun]."""

    def _check_truncation(self):
        if not 0 < self.truncation < np.inf:
            raise InvalidInputError(
                "'truncation' must be a positive, finite number of R500. "
                f"Received: {self.truncation!r}"
            )

    def _scales(self, mass, redshift, cosmology):
        """theta500 [arcmin], scale of y, shape parameters: arrays of the shape of ``mass``."""
        radius = _M500C._radius(mass, redshift, cosmology)
        amplitude, *parameters = self._amplitude(mass, redshift, cosmology)
        theta = radius / angular_diameter_distance(redshift, cosmology) * ARCMIN_PER_RADIAN
        return theta, COMPTON * amplitude * radius, *parameters

    @cached_property
    def _self_similar_table(self):
        return self._table()

    def _table(self, *parameters):
        return _projection.build_table(
            lambda x: self._shape(x, *parameters), self._inner_slope, self.truncation
        )

    def _compton_y(self, theta, theta500, scale, *parameters):
        """Compton y at angles ``theta`` [arcmin] of one halo."""
        x, values = self._table(*parameters) if parameters else self._self_similar_table
        return scale * np.interp(theta / theta500, x, values, right=0.0)

    def pressure(self, radius, mass, redshift, *, cosmology):
        """Electron pressure.

        Parameters
        ----------
        radius : `~astropy.units.Quantity`
            Physical distance from the centre, > 0.
        mass : `~astropy.units.Quantity`
            M500c; NaN gives NaN.
        redshift : float or array-like
            Redshift; NaN gives NaN. All three broadcast.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, or its name.

        Returns
        -------
        `~astropy.units.Quantity`
            Pressure [keV / cm3]; zero beyond the truncation.

        Raises
        ------
        InvalidInputError
            A value is out of range, or the shapes do not broadcast.
        InvalidUnitError
            Radius or mass has no unit, or one of another kind.
        """
        cosmology = get_cosmology(cosmology)
        radius = as_floats(radius, u.Mpc, "radius", positive=True)
        mass, redshift = check_mass(mass), check_redshift(redshift)
        broadcast(radius=radius, mass=mass, redshift=redshift)
        mass, redshift = broadcast(mass=mass, redshift=redshift)
        amplitude, *parameters = self._amplitude(mass, redshift, cosmology)
        x = radius / _M500C._radius(mass, redshift, cosmology)
        pressure = amplitude * self._shape(x, *parameters)
        return u.Quantity(np.where(x > self.truncation, 0.0, pressure), "keV / cm3")

    def compton_y(self, theta, mass, redshift, *, cosmology):
        """Compton y along the line of sight, without beam.

        Parameters
        ----------
        theta : `~astropy.units.Quantity`
            Angle from the centre, >= 0.
        mass : `~astropy.units.Quantity`
            M500c; NaN gives NaN.
        redshift : float or array-like
            Redshift > 0; NaN gives NaN. All three broadcast.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, or its name.

        Returns
        -------
        ndarray or float
            Dimensionless y, within 1e-5 of its central value.

        Raises
        ------
        InvalidInputError
            A value is out of range, or the shapes do not broadcast.
        InvalidUnitError
            Theta or mass has no unit, or one of another kind.
        """
        cosmology = get_cosmology(cosmology)
        theta = as_floats(theta, u.arcmin, "theta")
        if np.any(theta < 0):
            raise InvalidInputError(
                f"'theta' is a distance from the centre and cannot be negative. Received: {theta}"
            )
        mass, redshift = check_mass(mass), check_redshift(redshift, positive=True)
        broadcast(theta=theta, mass=mass, redshift=redshift)
        mass, redshift = broadcast(mass=mass, redshift=redshift)
        scales = self._scales(mass, redshift, cosmology)
        if self._self_similar:
            return self._compton_y(theta, *scales)[()]
        theta, *scales = np.broadcast_arrays(theta, *scales)
        y = np.full(theta.shape, np.nan)
        haloes, index = np.unique(
            np.stack(scales).reshape(len(scales), -1), axis=1, return_inverse=True
        )
        index = index.reshape(theta.shape)
        for i, halo in enumerate(haloes.T):
            if np.all(np.isfinite(halo)):
                y[index == i] = self._compton_y(theta[index == i], *halo)
        return y[()]

    def sphere_integral(self, x):
        """Dimensionless integral over a sphere, I(x) = 3 int_0^x p(u) u^2 du.

        Parameters
        ----------
        x : float or array-like
            Radius of the sphere [R500], > 0.

        Returns
        -------
        ndarray or float
            I(x) for h70 = 1; constant beyond the truncation.

        Raises
        ------
        InvalidInputError
            A radius is not positive, or p(x) depends on mass or redshift.
        """
        return self._dimensionless(_projection.sphere_integral, x)

    def cylinder_integral(self, x):
        """Dimensionless integral over a cylinder cut by the sphere of the truncation.

        J(x) = I(t) - 3 int_x^t p(u) sqrt(u^2 - x^2) u du with t the truncation.

        Parameters
        ----------
        x : float or array-like
            Radius of the cylinder [R500], > 0.

        Returns
        -------
        ndarray or float
            J(x) for h70 = 1; constant beyond the truncation.

        Raises
        ------
        InvalidInputError
            A radius is not positive, or p(x) depends on mass or redshift.
        """
        return self._dimensionless(self._cylinder, x)

    @property
    def y500_over_y5r500(self):
        """Y inside R500 over Y inside 5 R500, both spherical: I(1) / I(5)."""
        inner, outer = self.sphere_integral([1.0, 5.0])
        return float(inner / outer)

    def _dimensionless(self, integral, x):
        if not self._self_similar:
            raise InvalidInputError(
                f"The shape of {self.name!r} depends on mass and redshift: use y_spherical or "
                "y_cylindrical instead of a dimensionless integral."
            )
        return self._integrate(integral, as_floats(x, "", "x", positive=True))[()]

    def _cylinder(self, shape, x):
        return _projection.cylinder_integral(shape, x, self.truncation)

    def y_spherical(self, mass, redshift, *, cosmology, x_max=1):
        """Compton parameter integrated over a sphere, D_A^2 Y.

        Parameters
        ----------
        mass : `~astropy.units.Quantity`
            M500c; NaN gives NaN.
        redshift : float or array-like
            Redshift, broadcast against ``mass``; NaN gives NaN.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, or its name.
        x_max : float, optional
            Radius of the sphere [R500]: 1 gives Y500, 5 gives Y5R500. Beyond the truncation
            there is nothing to add.

        Returns
        -------
        `~astropy.units.Quantity`
            Y [Mpc2].

        Raises
        ------
        InvalidInputError
            A value is out of range, or the shapes do not broadcast.
        InvalidUnitError
            The mass has no unit, or one of another kind.

        References
        ----------
        Arnaud et al. (2010), section 6.
        """
        return self._y(_projection.sphere_integral, mass, redshift, cosmology, x_max)

    def y_cylindrical(self, mass, redshift, *, cosmology, x_max=1):
        """Compton parameter integrated over a disc on the sky, D_A^2 Y.

        Parameters
        ----------
        mass : `~astropy.units.Quantity`
            M500c; NaN gives NaN.
        redshift : float or array-like
            Redshift, broadcast against ``mass``; NaN gives NaN.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, or its name.
        x_max : float, optional
            Radius of the disc [R500].

        Returns
        -------
        `~astropy.units.Quantity`
            Y [Mpc2].

        Raises
        ------
        InvalidInputError
            A value is out of range, or the shapes do not broadcast.
        InvalidUnitError
            The mass has no unit, or one of another kind.

        References
        ----------
        Arnaud et al. (2010), section 6.
        """
        return self._y(self._cylinder, mass, redshift, cosmology, x_max)

    def _y(self, integral, mass, redshift, cosmology, x_max):
        cosmology = get_cosmology(cosmology)
        x_max = as_floats(x_max, "", "x_max", positive=True)
        mass, redshift = broadcast(mass=check_mass(mass), redshift=check_redshift(redshift))
        broadcast(mass=mass, x_max=x_max)
        amplitude, *parameters = self._amplitude(mass, redshift, cosmology)
        value = self._integrate(integral, x_max, *parameters)
        volume = 4 * np.pi / 3 * _M500C._radius(mass, redshift, cosmology) ** 3
        return u.Quantity(COMPTON * amplitude * volume * value, u.Mpc**2)

    def _integrate(self, integral, x, *parameters):
        x, *parameters = np.broadcast_arrays(np.minimum(x, self.truncation), *parameters)
        parameters = [p[..., np.newaxis] for p in parameters]
        return integral(lambda r: self._shape(r, *parameters), x)
