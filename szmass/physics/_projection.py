"""Integrals of a spherical profile truncated in three dimensions, on plain arrays.

Lengths are in units of the radius that the profile is scaled by. ``shape`` is a vectorised
function of radius, positive and falling at most as a power law inside.
"""

import numpy as np

__all__ = ["build_table", "cylinder_integral", "line_integral", "sphere_integral"]


def _gauss_legendre(n):
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1) / 2, weights / 2


# Gauss-Legendre on [0, 1]. Under the substitutions below the integrands are analytic on a scale
# of order one, and 96 nodes leave 1e-14.
_S, _W = _gauss_legendre(96)

# Number of nodes at which a table is integrated, and at which it is kept.
_COARSE, _FINE = 192, 2048


def sphere_integral(shape, x):
    """I(x) = 3 int_0^x p(u) u^2 du.

    Parameters
    ----------
    shape : callable
        p(u); gets an array of the shape of ``x`` with one axis more, at the end.
    x : ndarray
        Upper limit, > 0.

    Returns
    -------
    ndarray
        Of the shape of ``x``.
    """
    # u = x exp(-t): what is below exp(-18) holds less than 1e-16 for inner slopes up to 1.
    depth = (18 + np.maximum(np.log(x), 0))[..., np.newaxis]
    u = x[..., np.newaxis] * np.exp(-depth * _S)
    return 3 * np.sum(_W * depth * shape(u) * u**3, axis=-1)


def line_integral(shape, x, x_max):
    """2 int_0^L p(sqrt(x^2 + l^2)) dl along the line of sight, with L^2 = x_max^2 - x^2.

    Parameters
    ----------
    shape : callable
        p(u); gets an array of the shape of ``x`` with one axis more, at the end.
    x : ndarray
        Projected radius, 0 < x <= x_max.
    x_max : float or ndarray
        Radius beyond which there is nothing.

    Returns
    -------
    ndarray
        Of the shape of ``x``.
    """
    # u = x cosh(t)
    depth = np.arccosh(np.maximum(x_max / x, 1.0))[..., np.newaxis]
    u = x[..., np.newaxis] * np.cosh(depth * _S)
    return 2 * np.sum(_W * depth * shape(u) * u, axis=-1)


def cylinder_integral(shape, x, x_max):
    """J(x) = I(x_max) - int_x^x_max 3 p(u) sqrt(u^2 - x^2) u du.

    Parameters
    ----------
    shape : callable
        p(u); gets an array of the shape of ``x`` with one axis more, at the end.
    x : ndarray
        Radius of the cylinder, 0 < x <= x_max.
    x_max : float or ndarray
        Radius of the sphere that the cylinder is cut by.

    Returns
    -------
    ndarray
        Of the shape of ``x``.
    """
    # What is outside the sphere x: u - sqrt(u^2 - x^2) = x exp(-t) without cancellation.
    depth = np.arccosh(np.maximum(x_max / x, 1.0))[..., np.newaxis]
    t = depth * _S
    u = x[..., np.newaxis] * np.cosh(t)
    outside = np.sum(_W * depth * shape(u) * np.sinh(2 * t) * np.exp(-t), axis=-1)
    return sphere_integral(shape, x) + 1.5 * x**3 * outside


def build_table(shape, inner_slope, x_max):
    """Tabulate the line integral from the centre to the edge for linear interpolation.

    Parameters
    ----------
    shape : callable
        p(u).
    inner_slope : float
        gamma < 1 of p ~ u^-gamma in the centre.
    x_max : float
        Radius beyond which there is nothing.

    Returns
    -------
    x, values : ndarray
        Nodes and line integrals. Linear interpolation errs by less than 3e-6 of the central
        value.
    """
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
