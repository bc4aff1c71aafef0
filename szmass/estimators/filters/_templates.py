"""Templates: a cluster of unit Y500 through beam and pixels, on plain arrays.

Angles are in arcmin, Y in arcmin2; transforms are functions of l theta500 with Y500 = 1.
"""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import j0

_ARCMIN = np.pi / 10800

#: Sizes theta500 [arcmin] of the filters, evenly spaced in the logarithm.
SIZES = np.geomspace(0.5, 200.0, 32)
_STEP = np.log(SIZES[1] / SIZES[0])

# Multipoles of the Hankel transform. The windows leave exp(-_CUT^2 / 2) = 8e-7 at the last one.
_CUT, _ELL_STEP = 5.3, 2.0

# Nodes of the radial splines per standard deviation of the window.
_NODES_PER_SIGMA = 12


def radial_templates(transform, sizes, variance, radius):
    """Spline of y over the angle [arcmin] from the centre, for Y500 = 1 arcmin2 and each size.

    y(r) = int l dl / (2 pi) T(l theta500) exp(-l^2 variance / 2) J0(l r)

    The transform T takes l theta500 (L, S) and gives (L, S), or (L, S, C) for C templates; the
    spline gives (..., S) or (..., S, C). Sizes are theta500 [arcmin], the variance is that of the
    Gaussian window per axis [arcmin2], the radius the largest angle [arcmin].
    """
    sigma = np.sqrt(variance)
    nodes = np.linspace(0, radius, int(_NODES_PER_SIGMA * radius / sigma) + 16)
    ell = np.arange(0.5 * _ELL_STEP, _CUT / (sigma * _ARCMIN), _ELL_STEP)
    values = transform(np.multiply.outer(ell, sizes * _ARCMIN))
    weight = ell * np.exp(-0.5 * (ell * sigma * _ARCMIN) ** 2) * _ELL_STEP / (2 * np.pi)
    # Y of 1 arcmin2 is _ARCMIN^2 sr.
    values = values.reshape(len(ell), -1) * (weight * _ARCMIN**2)[:, np.newaxis]
    parts = np.array_split(nodes, 1 + len(nodes) // 128)
    y = np.concatenate([j0(np.multiply.outer(part * _ARCMIN, ell)) @ values for part in parts])
    shape = (len(nodes), len(sizes), -1) if values.shape[1] != len(sizes) else (len(nodes), -1)
    return CubicSpline(nodes, y.reshape(shape))


def sample_blocks(spline, x, y, block):
    """Radial splines on pixels, averaged over blocks: (blocks, ...), rows after each other.

    x and y are distances [arcmin] of columns and rows from the cluster, of numbers that the block
    divides.
    """
    values = spline(np.hypot(y[:, np.newaxis], x).ravel())
    ny, nx = len(y) // block, len(x) // block
    values = values.reshape(ny, block, nx, block, *values.shape[1:]).mean(axis=(1, 3))
    return values.reshape(ny * nx, *values.shape[2:])


def cubic_weights(position, count):
    """First of the four nodes of a cubic at positions among ``count`` even ones, and weights."""
    first = np.clip(position.astype(int) - 1, 0, count - 4)
    s = position - first
    return first, (
        -(s - 1) * (s - 2) * (s - 3) / 6,
        s * (s - 2) * (s - 3) / 2,
        -s * (s - 1) * (s - 3) / 2,
        s * (s - 1) * (s - 2) / 6,
    )


def at_sizes(values, theta):
    """Interpolate what is known at `SIZES` to other sizes, by cubics in ln theta500: (N, m, ...).

    Values are (N or 1, len(SIZES), ...). Sizes [arcmin] (N, m) outside the range get the value at
    its end.
    """
    position = np.log(np.clip(theta, SIZES[0], SIZES[-1]) / SIZES[0]) / _STEP
    first, weights = cubic_weights(position, len(SIZES))
    rows = np.arange(len(values))[:, np.newaxis] if len(values) > 1 else 0
    extra = (...,) + (np.newaxis,) * (values.ndim - 2)
    return sum(weight[extra] * values[rows, first + k] for k, weight in enumerate(weights))
