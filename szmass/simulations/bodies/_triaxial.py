"""Shapes and orientations of triaxial gas bodies of similar shells, on plain arrays."""

import functools

import numpy as np
from scipy.special import ndtr, ndtri

#: Axis ratios are never below; no cluster's gas is that flat.
AXIS_RATIO_MIN = 0.3


def _truncated_normal(uniform, mean, sigma, low, high):
    if sigma < 1e-6:  # none, to any precision that a ratio of axes is known to
        return np.clip(np.full_like(uniform, mean), low, high)
    # From the mean's side, where the tail keeps its digits.
    side = np.where(mean > high, -1.0, 1.0)
    edges = [ndtr(side * (edge - mean) / sigma) for edge in (low, high)]
    share = edges[0] + uniform * (edges[1] - edges[0])
    nearest = np.clip(np.full_like(uniform, mean), low, high)
    possible = np.abs(edges[1] - edges[0]) > 1e-12
    value = mean + side * sigma * ndtri(np.where(possible, share, 0.5))
    return np.where(possible, np.clip(value, low, high), nearest)


def draw_axes(uniform, q, s):
    """Semi-axes of unit volume, shape (N, 3); b/a, c/a normal (mean, sigma), c/a <= b/a <= 1."""
    ratio_b = _truncated_normal(uniform[:, 0], *q, AXIS_RATIO_MIN, 1.0)
    ratio_c = _truncated_normal(uniform[:, 1], *s, AXIS_RATIO_MIN, ratio_b)
    axes = np.stack([np.ones_like(ratio_b), ratio_b, ratio_c], axis=1)
    return axes / np.cbrt(axes.prod(axis=1, keepdims=True))


def rotations(uniform):
    """Quaternions x, y, z, w of even rotations (Shoemake 1992), and matrices from body to sky."""
    first, second = np.sqrt(1 - uniform[:, 0]), np.sqrt(uniform[:, 0])
    angle = 2 * np.pi * uniform[:, 1:]
    x, y = first * np.sin(angle[:, 0]), first * np.cos(angle[:, 0])
    z, w = second * np.sin(angle[:, 1]), second * np.cos(angle[:, 1])
    quaternion = np.stack([x, y, z, w], axis=1)
    return quaternion, rotation_matrix(quaternion)


def rotation_matrix(quaternion):
    """Turn unit quaternions x, y, z, w, shape (N, 4), into matrices, shape (N, 3, 3)."""
    x, y, z, w = quaternion.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def projected_stretch(axes, matrix):
    """Q (xx, xy, yy), shape (N, 3), with k_scaled^2 = k Q k on the sky, of axes and rotations."""
    plane = matrix[:, :2] * axes[:, np.newaxis]
    right, up = plane[:, 0], plane[:, 1]
    return np.stack([(right**2).sum(-1), (right * up).sum(-1), (up**2).sum(-1)], axis=1)


@functools.cache
def _octant():
    """Unit vectors (144, 3) of one octant, all of the sphere for ellipsoids, and their shares."""
    cos, weight = np.polynomial.legendre.leggauss(12)
    cos, weight = np.repeat((cos + 1) / 2, 12), np.repeat(weight / 24, 12)
    angle = np.tile((np.arange(12) + 0.5) * np.pi / 24, 12)
    sin = np.sqrt(1 - cos**2)
    return np.stack([sin * np.cos(angle), sin * np.sin(angle), cos], axis=1), weight


def within_sphere(axes, radius, enclosed):
    """What bodies of semi-axes (N, 3) hold in a sphere of radius (N,); ``enclosed`` as if round."""
    vectors, weight = _octant()
    length = np.sqrt(np.einsum("ni,ki->nk", axes**2, vectors**2))
    return (enclosed(np.reshape(radius, (-1, 1)) / length) * weight).sum(axis=1)


def shells_within_sphere(distance, shells, radius):
    """Share of spherical shells, with their middle at a distance, inside a sphere of a radius."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (radius**2 - (distance - shells) ** 2) / (4 * distance * shells)
    return np.where(distance > 0, np.clip(share, 0, 1), shells < radius)
