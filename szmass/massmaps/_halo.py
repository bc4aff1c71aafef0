"""Projected NFW haloes on plain arrays, in units of R500, that end where those of the mocks do."""

import numpy as np

from szmass.physics.cosmology import ARCMIN_PER_RADIAN, angular_diameter_distance
from szmass.physics.halos import radius_at
from szmass.simulations.bodies.matter import nfw_mass

# Where haloes end [R500].
EDGE = 5.0

# Radii [R500] at which profiles are tabulated: even in their square root, dense in the middle.
_ROOT = np.linspace(0.0, np.sqrt(EDGE + 0.5), 96)
RADII = _ROOT**2


def surface_density(radius, c500):
    """Surface density [M500 / R500^2] of NFW haloes that end at 5 R500; arrays that broadcast.

    Takada & Jain (2003), MNRAS 340, 580, equation 27: infinite in the middle.
    """
    x = np.maximum(radius * c500, 1e-6)
    edge = EDGE * c500
    inside = x < edge
    x = np.where(np.abs(x - 1) < 1e-4, 1 + 1e-4, np.minimum(x, edge))
    square = np.abs(x**2 - 1)
    ratio = (x**2 + edge) / (x * (1 + edge))
    # Rounding may put the ratio of radii near 1 on its other side.
    near, far = np.arccosh(np.maximum(ratio, 1)), np.arccos(np.minimum(ratio, 1))
    first = np.sqrt(edge**2 - x**2) / (1 + edge) * np.sign(x - 1)
    shape = (first + np.where(x < 1, near, -far) / np.sqrt(square)) / square
    return np.where(inside, shape * c500**2 / (2 * np.pi * nfw_mass(c500)), 0.0)


def mean_over_pixels(c500, pixel):
    """Surface density at `RADII`, shape (N, 96): the mean over a square pixel of a side [R500]."""
    low, high = np.log(np.min(c500)), np.log(np.max(c500))
    nodes = np.linspace(low, high, max(2, int(np.ceil((high - low) / 0.15)) + 1))
    table = np.log(_mean_at(np.exp(nodes), pixel) + 1e-30)
    place = np.clip((np.log(c500) - low) / max(nodes[1] - low, 1e-12), 0, len(nodes) - 1)
    first = np.minimum(place.astype(int), len(nodes) - 2)
    share = (place - first)[:, np.newaxis]
    return np.exp((1 - share) * table[first] + share * table[first + 1])


def _mean_at(c500, pixel):
    c500 = np.reshape(c500, (-1, 1))
    result = surface_density(RADII, c500)
    # Beyond, the second derivatives of a mean over a square; near, points in it.
    near = np.searchsorted(RADII, 2 * pixel) + 1
    step = 0.05 * pixel
    r = RADII[near:]
    out, back = surface_density(r + step, c500), surface_density(r - step, c500)
    second = (out - 2 * result[:, near:] + back) / step**2
    curved = result[:, near:] + pixel**2 / 24 * (second + (out - back) / (2 * step * r))
    result[:, near:] = np.where(r < 0.95 * EDGE, curved, result[:, near:])
    n = 9
    offset = ((np.arange(n) + 0.5) / n - 0.5) * pixel
    x, y = (each.ravel() for each in np.meshgrid(offset, offset))
    own = np.sqrt(1 / np.pi) * pixel / n  # radius of a disc as large as the part of a pixel
    for k in range(near):
        for direction in ((1.0, 0.0), (np.sqrt(0.5), np.sqrt(0.5))):
            far = np.hypot(RADII[k] * direction[0] + x, RADII[k] * direction[1] + y)
            # The mean of a logarithm over a disc is that at exp(-1/2) of its radius.
            value = surface_density(np.maximum(far, 0.6065 * own), c500).mean(axis=1)
            result[:, k] = value if direction[1] == 0 else (result[:, k] + value) / 2
    return result


def angular_radius(mass, redshift, cosmology):
    """R500 [rad] of masses [Msun], and Msun/Mpc2 per M500/R500^2; arrays that broadcast."""
    r500 = radius_at(mass, redshift, cosmology)
    return r500 / angular_diameter_distance(redshift, cosmology), mass / r500**2


def theta_arcmin(mass, redshift, cosmology):
    """R500 [arcmin] of masses [Msun]."""
    return angular_radius(mass, redshift, cosmology)[0] * ARCMIN_PER_RADIAN
