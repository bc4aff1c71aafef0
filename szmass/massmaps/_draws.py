"""Maps of haloes whose mass, concentration, place and axes are not known exactly."""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from szmass.massmaps._grid import FADE, Placement, distances
from szmass.massmaps._halo import RADII, mean_over_pixels

#: How many haloes stand for all that are possible.
DRAWS = 32
# Modes that are kept of what these haloes differ by, and of that together with their bodies.
_KEPT, _TOGETHER = 6, 12
_STEP = np.sqrt(RADII[1])
# Pixels that are larger are made of parts that are not [R500].
_SMALL = 0.15


@functools.cache
def normals():
    """Normal deviates (DRAWS, 6) of a Latin hypercube, of mean 0, variance 1, not correlated."""
    order = np.random.default_rng(7).permuted(np.tile(np.arange(DRAWS), (6, 1)), axis=1)
    drawn = ndtri((order + 0.5) / DRAWS)
    return np.linalg.solve(np.linalg.cholesky(np.cov(drawn, bias=True)), drawn).T


def probabilities():
    """Where in its distribution the mass of each halo is, (DRAWS,)."""
    return ndtr(normals()[:, 0])


@dataclass(frozen=True)
class Body:
    """How ln Sigma differs from the halo: mean and scatter at each pixel, and modes of the scatter.

    ``modes`` have the scatter in them; what they leave of its square is independent.
    """

    mean: np.ndarray
    sigma: np.ndarray
    modes: np.ndarray


@dataclass(frozen=True)
class Haloes:
    """What haloes of one cluster have, all for a median mass: ``size`` is R500 over that of it.

    ``surface`` is M500 / R500^2 [solMass / Mpc2] of each, ``c500`` its concentration, ``offset``
    (DRAWS, 2) its place along columns and rows [R500 of the median], ``ellipse`` (DRAWS, 2) its
    axes: (a^2 - b^2) / (a^2 + b^2) times cosine and sine of twice the angle from the columns.
    """

    size: np.ndarray
    surface: np.ndarray
    c500: np.ndarray
    offset: np.ndarray
    ellipse: np.ndarray


def mass_map(haloes, body, place):
    """Mean, standard deviation (ny, nx) and modes (K, ny, nx) of the surface density.

    ``body`` is of the pixels of ``place``, a `Placement` in R500 of the median mass.
    """
    # Means over a pixel depend on the direction as well, unless it is small.
    parts = int(np.ceil(place.pixel / _SMALL))
    fine = Placement(tuple(parts * n for n in place.shape), place.pixel / parts)
    table = mean_over_pixels(haloes.c500, fine.pixel) * haloes.surface[:, np.newaxis]
    table = np.append(table, np.zeros((len(table), 1)), axis=1).astype(np.float32)
    x, y = (axis.astype(np.float32) for axis in fine.places())
    drawn = np.empty((len(table), *place.shape), np.float32)
    blocks = place.shape[0], parts, place.shape[1], parts
    for i, profile in enumerate(table):
        e1, e2 = haloes.ellipse[i]
        stretch = 1 / np.sqrt(1 - e1**2 - e2**2) / haloes.size[i] ** 2
        column, row = x - np.float32(haloes.offset[i, 0]), y - np.float32(haloes.offset[i, 1])
        square = (column**2 * (1 - e1) * stretch) + (row**2 * (1 + e1) * stretch)[:, np.newaxis]
        if e2:
            square -= (column * (2 * e2 * stretch)) * row[:, np.newaxis]
        # The table is even in the root of the radius.
        at = np.sqrt(np.sqrt(np.maximum(square, 0, out=square)), out=square)
        at *= np.float32(1 / _STEP)
        np.minimum(at, np.float32(len(profile) - 1.001), out=at)
        first = at.astype(np.int32)
        at -= first
        low = profile[first]
        at *= profile[first + 1] - low
        at += low
        drawn[i] = at if parts == 1 else at.reshape(blocks).mean(axis=(1, 3))
    mean = drawn.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn /= mean
    drawn[~np.isfinite(drawn)] = 1
    drawn -= 1
    spread = np.mean(drawn**2, axis=0)
    own = _components(drawn / np.float32(np.sqrt(len(drawn))), _KEPT)
    factor = np.exp(body.mean + body.sigma**2 / 2)
    relative = (1 + spread) * np.exp(body.sigma**2) - 1
    # What the modes add up to may not be more than the variance of the logarithm.
    modes = np.concatenate([own, body.modes])
    if len(modes) > _TOGETHER:
        modes = _components(modes, _TOGETHER, mean / mean.max())
    most = np.sqrt(np.log1p(relative) / np.maximum((modes**2).sum(axis=0), 1e-30))
    mean = mean * factor
    return mean, mean * np.sqrt(relative), modes * np.minimum(1, most)


def _components(parts, number, weight=1.0):
    """The largest principal components of what adds up in squares, in pixels of given weights."""
    flat, weighted = (part.reshape(len(parts), -1) for part in (parts, parts * weight))
    _, vector = np.linalg.eigh(weighted @ weighted.T)
    return (vector[:, -number:].T @ flat).reshape(number, *parts.shape[1:])


def body_at(mean, sigma, modes, place):
    """A `Body` on the grid, at the pixels of a `Placement`; it fades where the grid ends."""
    rows, columns = place.from_grid()
    fading = place.fading()
    scatter = np.broadcast_to(np.asarray(sigma, float), mean.shape)
    # Beyond the grid the mean is that of the halo, and the scatter that of the edge.
    far = distances()
    edge = scatter[(far > FADE[0]) & (far < FADE[1])].mean()
    # Of the surface density itself, whose sum the mass is: means of logarithms are too low.
    mean = np.log1p(rows @ np.expm1(mean) @ columns.T)
    return Body(
        (mean * fading).astype(np.float32),
        (edge + rows @ (scatter - edge) @ columns.T * fading).astype(np.float32),
        (rows @ (modes * scatter) @ columns.T * fading).astype(np.float32),
    )


def placed(geometry, theta500):
    """Give the pixels of a geometry in R500 [arcmin] as a `Placement`."""
    if geometry.relative:
        return Placement(geometry.shape, float(geometry.pixel_scale.value))
    return Placement(geometry.shape, geometry.pixel_side("arcmin") / theta500)
