"""Base class of electron-pressure profiles, with their line-of-sight and volume integrals."""

import abc
from functools import cached_property

import astropy.units as u
import numpy as np

from szmass._utils.docs import InheritsDocstrings
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics.checks import broadcast, check_mass, check_redshift
from szmass.physics.cosmology import (
    ARCMIN_PER_RADIAN,
    COMPTON,
    angular_diameter_distance,
    get_cosmology,
)
from szmass.physics.halos import radius_at

# Integrals of a spherical profile on plain arrays, in units of the radius that it is scaled by.
# ``shape`` is a vectorised function of radius, falling at most as a power law inside; it gets an
# array of the shape of ``x`` with one axis more, at the end.


# Gauss-Legendre on [0, 1]. Under the substitutions below the integrands are analytic on a scale
# of order one, and 96 nodes leave 1e-14.
_S, _W = np.polynomial.legendre.leggauss(96)
_S, _W = (_S + 1) / 2, _W / 2

# Number of nodes at which a table is integrated, and at which it is kept.
_COARSE, _FINE = 192, 2048

_PRESSURE = u.keV / u.cm**3


def sphere_integral(shape, x):
    """I(x) = 3 int_0^x p(r) r^2 dr."""
    # r = x exp(-t): what is below exp(-18) holds less than 1e-16 for inner slopes up to 1.
    depth = (18 + np.maximum(np.log(x), 0))[..., np.newaxis]
    r = x[..., np.newaxis] * np.exp(-depth * _S)
    return 3 * np.sum(_W * depth * shape(r) * r**3, axis=-1)


def line_integral(shape, x, x_max):
    """2 int_0^L p(sqrt(x^2 + l^2)) dl along the line of sight, with L^2 = x_max^2 - x^2."""
    # r = x cosh(t)
    depth = np.arccosh(np.maximum(x_max / x, 1.0))[..., np.newaxis]
    r = x[..., np.newaxis] * np.cosh(depth * _S)
    return 2 * np.sum(_W * depth * shape(r) * r, axis=-1)


def cylinder_integral(shape, x, x_max):
    """J(x) = I(x_max) - int_x^x_max 3 p(r) sqrt(r^2 - x^2) r dr."""
    # What is outside the sphere x: r - sqrt(r^2 - x^2) = x exp(-t) without cancellation.
    depth = np.arccosh(np.maximum(x_max / x, 1.0))[..., np.newaxis]
    t = depth * _S
    r = x[..., np.newaxis] * np.cosh(t)
    outside = np.sum(_W * depth * shape(r) * np.sinh(2 * t) * np.exp(-t), axis=-1)
    return sphere_integral(shape, x) + 1.5 * x**3 * outside


def build_table(shape, inner_slope, x_max):
    """Nodes x and line integrals to interpolate linearly, within 3e-6 of the central value."""
    from scipy.interpolate import CubicSpline

    # In s = (x / x_max)^(1/power) the integral is quadratic at the centre and, thanks to the
    # sine, linear at the edge, so that evenly spaced nodes serve both.
    power = 2 / (1 - inner_slope)

    def nodes(n):
        return x_max * np.sin(np.linspace(0, np.pi / 2, n)) ** power

    coarse = nodes(_COARSE)
    values = np.empty(_COARSE)
    values[0] = 2 * power * x_max * np.sum(_W * _S ** (power - 1) * shape(x_max * _S**power))
    values[1:] = line_integral(shape, coarse[1:], x_max)
    spline = CubicSpline(np.linspace(0, 1, _COARSE), values)
    fine = spline(np.linspace(0, 1, _FINE))
    fine[-1] = 0.0
    return nodes(_FINE), fine


class PressureProfile(InheritsDocstrings, abc.ABC):
    """Electron pressure of a galaxy cluster as a function of M500c and redshift.

    A subclass says what the pressure is in units of a scale (`shape`) and what the scale is
    (`amplitude`); this class integrates it. Radii are in units of R500c, and there is no
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

    For loops over many haloes `scales` and `y_at` work on plain arrays.
    """

    #: gamma of p ~ x^-gamma at the centre; must be < 1.
    inner_slope = 0.0

    #: Whether p(x) is the same for all masses and redshifts.
    self_similar = True

    @abc.abstractmethod
    def shape(self, x, *parameters):
        """Pressure in units of the amplitude, on plain arrays and not truncated.

        Parameters
        ----------
        x : ndarray
            Radius r / R500, > 0.
        *parameters : ndarray
            Shape parameters of `amplitude`, broadcast against ``x``.

        Returns
        -------
        ndarray
            The profile.
        """

    @abc.abstractmethod
    def amplitude(self, mass, redshift, cosmology):
        """Scale of the pressure, on plain arrays.

        Parameters
        ----------
        mass, redshift : ndarray
            M500c [Msun] and redshift, of one shape; NaN gives NaN.
        cosmology : `~astropy.cosmology.FLRW`
            The cosmology.

        Returns
        -------
        tuple of ndarray
            The amplitude [keV/cm3], then the shape parameters, each of the shape of ``mass``.
        """

    def _check_truncation(self):
        if not 0 < self.truncation < np.inf:
            raise InvalidInputError(
                "'truncation' must be a positive, finite number of R500. "
                f"Received: {self.truncation!r}"
            )

    def scales(self, mass, redshift, cosmology):
        """Angular size, scale of y and shape of haloes, on plain arrays.

        Parameters
        ----------
        mass, redshift, cosmology : ndarray, `~astropy.cosmology.FLRW`
            As for `amplitude`.

        Returns
        -------
        tuple of ndarray
            theta500 [arcmin], the scale of y, then the shape parameters.
        """
        radius = radius_at(mass, redshift, cosmology)
        amplitude, *parameters = self.amplitude(mass, redshift, cosmology)
        theta = radius / angular_diameter_distance(redshift, cosmology) * ARCMIN_PER_RADIAN
        return theta, COMPTON * amplitude * radius, *parameters

    @cached_property
    def _self_similar_table(self):
        return self._table()

    def _table(self, *parameters):
        return build_table(lambda x: self.shape(x, *parameters), self.inner_slope, self.truncation)

    def y_at(self, theta, theta500, scale, *parameters):
        """Compton y of one halo, on plain arrays.

        Parameters
        ----------
        theta : ndarray
            Angles from the centre [arcmin].
        theta500, scale : float
            From `scales`.
        *parameters : float
            Shape parameters, from `scales`.

        Returns
        -------
        ndarray
            Dimensionless y.
        """
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
        amplitude, *parameters = self.amplitude(mass, redshift, cosmology)
        x = radius / radius_at(mass, redshift, cosmology)
        pressure = amplitude * self.shape(x, *parameters)
        return u.Quantity(np.where(x > self.truncation, 0.0, pressure), _PRESSURE)

    def compton_y(self, theta, mass, redshift, *, cosmology):
        """Compton y along the line of sight, without beam.

        Parameters
        ----------
        theta : `~astropy.units.Quantity`
            Angle from the centre, >= 0.
        mass, redshift, cosmology : `~astropy.units.Quantity`, float or array-like, str
            As for `pressure`, with a redshift > 0.

        Returns
        -------
        ndarray or float
            Dimensionless y, within 1e-5 of its central value.

        Raises
        ------
        InvalidInputError, InvalidUnitError
            As `pressure` raises them; ``theta`` must be an angle.
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
        scales = self.scales(mass, redshift, cosmology)
        if self.self_similar:
            return self.y_at(theta, *scales)[()]
        theta, *scales = np.broadcast_arrays(theta, *scales)
        y = np.full(theta.shape, np.nan)
        haloes, index = np.unique(
            np.stack(scales).reshape(len(scales), -1), axis=1, return_inverse=True
        )
        index = index.reshape(theta.shape)
        for i, halo in enumerate(haloes.T):
            if np.all(np.isfinite(halo)):
                y[index == i] = self.y_at(theta[index == i], *halo)
        return y[()]

    def sphere_integral(self, x):
        """Dimensionless integral over a sphere, I(x) = 3 int_0^x p(u) u^2 du.

        Parameters
        ----------
        x : float or array-like
            Radius [R500], > 0.

        Returns
        -------
        ndarray or float
            I(x) for h70 = 1; constant beyond the truncation.

        Raises
        ------
        InvalidInputError
            A radius is not positive, or p(x) depends on mass or redshift.
        """
        return self._dimensionless(sphere_integral, x)

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
            J(x) for h70 = 1; beyond the truncation it is that of the whole sphere, as `I(x)
            <sphere_integral>` is.

        Raises
        ------
        InvalidInputError
            As `sphere_integral` raises it.
        """
        return self._dimensionless(self._cylinder, x)

    @property
    def y500_over_y5r500(self):
        """Y inside R500 over Y inside 5 R500, both spherical: I(1) / I(5)."""
        inner, outer = self.sphere_integral([1.0, 5.0])
        return float(inner / outer)

    def _dimensionless(self, integral, x):
        if not self.self_similar:
            raise InvalidInputError(
                f"The shape of {self.name!r} depends on mass and redshift: use y_spherical or "
                "y_cylindrical instead of a dimensionless integral."
            )
        return self._integrate(integral, as_floats(x, "", "x", positive=True))[()]

    def _cylinder(self, shape, x):
        return cylinder_integral(shape, x, self.truncation)

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
        InvalidInputError, InvalidUnitError
            A value is out of range, the shapes do not broadcast, or the mass has no unit of mass.

        References
        ----------
        Arnaud et al. (2010), section 6.
        """
        return self._y(sphere_integral, mass, redshift, cosmology, x_max)

    def y_cylindrical(self, mass, redshift, *, cosmology, x_max=1):
        """Compton parameter integrated over a disc on the sky, D_A^2 Y.

        Parameters
        ----------
        mass, redshift, cosmology : `~astropy.units.Quantity`, float or array-like, str
            As for `y_spherical`.
        x_max : float, optional
            Radius of the disc [R500].

        Returns
        -------
        `~astropy.units.Quantity`
            Y [Mpc2], with what lies in front and behind up to the truncation.

        Raises
        ------
        InvalidInputError, InvalidUnitError
            As `y_spherical` raises them, which has the reference.
        """
        return self._y(self._cylinder, mass, redshift, cosmology, x_max)

    def _y(self, integral, mass, redshift, cosmology, x_max):
        cosmology = get_cosmology(cosmology)
        x_max = as_floats(x_max, "", "x_max", positive=True)
        mass, redshift = broadcast(mass=check_mass(mass), redshift=check_redshift(redshift))
        broadcast(mass=mass, x_max=x_max)
        amplitude, *parameters = self.amplitude(mass, redshift, cosmology)
        value = self._integrate(integral, x_max, *parameters)
        volume = 4 * np.pi / 3 * radius_at(mass, redshift, cosmology) ** 3
        return u.Quantity(COMPTON * amplitude * volume * value, u.Mpc**2)

    def _integrate(self, integral, x, *parameters):
        x, *parameters = np.broadcast_arrays(np.minimum(x, self.truncation), *parameters)
        parameters = [p[..., np.newaxis] for p in parameters]
        return integral(lambda r: self.shape(r, *parameters), x)
