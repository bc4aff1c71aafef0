"""Circles and annuli on tangent planes: weights of pixels, sums, and the noise of the sums."""

import astropy.units as u
import numpy as np
from scipy import fft

from szmass.exceptions import InvalidInputError
from szmass.maps.noise import NoiseModel
from szmass.maps.noise.depth import DepthMap, check_factors

_CHUNK = 64  # cutouts at a time, which are turned to float64


class TangentGrid:
    """Pixels (ny, nx) of a side [rad] of the plane that touches the sky in their middle."""

    def __init__(self, shape, pixel):
        self.shape, self.pixel = shape, pixel
        up, right = (pixel * (np.arange(n) - (n - 1) / 2) for n in shape)
        # A pixel at the angle t from the middle is 1 / cos t farther away than one in the middle,
        # and is seen under the angle t: cos^3 t of its solid angle is left.
        self.solid_angle = pixel**2 * (1 + up[:, np.newaxis] ** 2 + right**2) ** -1.5

    def _disc(self, angle):
        """Part of each pixel that is within an angle [rad] of the middle."""
        from photutils.aperture import CircularAperture

        radius = np.tan(angle) / self.pixel
        if radius == 0:
            return np.zeros(self.shape)
        if radius >= np.hypot(*self.shape) / 2:
            return np.ones(self.shape)
        middle = [(n - 1) / 2 for n in reversed(self.shape)]
        mask = CircularAperture(middle, radius).to_mask(method="exact")
        return mask.to_image(self.shape)

    def rings(self, edges):
        """Solid angles [sr] of pixels in annuli of edges (K, 2) [rad], (K, ny nx), and of these."""
        parts = np.empty((len(edges), *self.shape))
        for ring, (inner, outer) in zip(parts, edges, strict=True):
            ring[:] = self._disc(outer) - self._disc(inner)
        parts = (parts * self.solid_angle).reshape(len(edges), -1)
        fits = np.tan(edges[:, 1]) / self.pixel <= min(self.shape) / 2
        beyond = 2 * np.pi * (np.cos(edges[:, 0]) - np.cos(edges[:, 1]))
        return parts, np.where(fits, parts.sum(axis=1), beyond)


class NoiseCovariance:
    """Covariance of sums over pixels of noise, exact for samples of a field on the flat sky.

    ``largest`` is the side of the largest pixel that will be asked for [rad].
    """

    def __init__(self, noise, shape, largest):
        from scipy.interpolate import CubicSpline

        reach = largest * np.hypot(*shape)
        nodes = np.linspace(0, reach, int(8 * reach * noise.ell[-1]) + 16)
        self._correlation = CubicSpline(nodes, noise.correlation(nodes * u.rad))
        self._padded = tuple(fft.next_fast_len(2 * n, real=True) for n in shape)
        self._pixel = None

    def _set_pixel(self, pixel):
        if pixel == self._pixel:
            return
        lags = [np.abs(fft.fftfreq(n, 1 / n)) for n in self._padded]
        separation = pixel * np.hypot(lags[0][:, np.newaxis], lags[1])
        # Lags longer than the grid meet no pair of pixels.
        table = self._correlation(np.minimum(separation, self._correlation.x[-1]))
        self._power = fft.rfft2(table).real
        # The transform of real weights has half of the modes: the others count twice.
        twice = slice(1, (self._padded[1] + 1) // 2)
        self._power[:, twice] *= 2
        self._power /= np.prod(self._padded)
        self._pixel = pixel

    def __call__(self, weights, pixel):
        """Covariance (K, K) of sums with weights (K, ny, nx) of pixels of a side [rad]."""
        self._set_pixel(pixel)
        modes = fft.rfft2(weights, s=self._padded)
        left = (modes * self._power).reshape(len(modes), -1)
        return (left @ modes.reshape(len(modes), -1).conj().T).real


def ring_sums(cutouts, edges, covariance=None):
    """Integrals [sr], solid angles [sr] and coverage, (N, K), of annuli of edges (N, K, 2) [rad].

    And the covariance of the integrals at depth 1, (N, K, K) [sr2], or None. NaN edges give NaN;
    the coverage is exactly 1 where nothing is missing.
    """
    n, k = edges.shape[:2]
    integral, area = np.full((n, k), np.nan), np.full((n, k), np.nan)
    coverage = np.zeros((n, k))
    noise = None if covariance is None else np.full((n, k, k), np.nan)
    for pixel, rings, members in _groups(cutouts, edges):
        parts, whole = TangentGrid(cutouts.geometry.shape, pixel).rings(rings)
        inside = parts.sum(axis=1)
        images = parts.reshape(k, *cutouts.geometry.shape)
        used = parts.any(axis=0)
        common = None
        for start in range(0, len(members), _CHUNK):
            chunk = members[start : start + _CHUNK]
            footprint = cutouts.footprint[chunk].reshape(len(chunk), -1)
            data = cutouts.data[chunk].reshape(len(chunk), -1).astype(float)
            integral[chunk] = np.where(footprint, data, 0.0) @ parts.T
            missing = (~footprint).astype(float) @ parts.T
            part = 1 - (missing + (whole - inside)) / whole
            # What rounding leaves of nothing is nothing.
            coverage[chunk] = np.where(part > 1e-9, part, 0.0)
            area[chunk] = np.where(part > 1e-9, inside - missing, 0.0)
            if noise is None:
                continue
            for i, covered in zip(chunk, footprint[:, used].all(axis=1), strict=True):
                if not covered:
                    noise[i] = covariance(images * cutouts.footprint[i], pixel)
                    continue
                if common is None:
                    common = covariance(images, pixel)
                noise[i] = common
    return integral, area, coverage, noise


def _groups(cutouts, edges):
    """Yield pixel side, annuli and indices of cutouts for which these are the same."""
    pixels = pixel_sides(cutouts)
    keys = np.column_stack([pixels, edges.reshape(len(edges), 2 * edges.shape[1])])
    known = np.flatnonzero(np.isfinite(keys).all(axis=1))
    if not len(known):
        return
    unique, inverse, counts = np.unique(
        keys[known], axis=0, return_inverse=True, return_counts=True
    )
    order = known[np.argsort(inverse.ravel(), kind="stable")]
    for key, members in zip(unique, np.split(order, np.cumsum(counts)[:-1]), strict=True):
        yield key[0], key[1:].reshape(-1, 2), members


def mean_radius(edges):
    """Mean distance from the middle over the area of annuli between B + 1 radii, (B,)."""
    return 2 / 3 * np.diff(edges**3) / np.diff(edges**2)


def pixel_sides(cutouts):
    """Side of the pixels of each cutout [rad], (N,); NaN where its angle is not known."""
    geometry = cutouts.geometry
    if geometry.relative:
        return geometry.pixel_scale.value * cutouts.angular_scale.to_value(u.rad)
    return np.full(len(cutouts), geometry.pixel_scale.to_value(u.rad))


def noise_covariance(noise, cutouts):
    """Check that a noise model is that of the cutouts' map; what computes with it, or None."""
    if noise is None:
        return None
    both = noise.beam is not None and cutouts.beam is not None
    if both and abs(noise.beam / cutouts.beam - 1) > 1e-6:
        raise InvalidInputError(
            f"The noise is that of a map with a beam of {noise.beam}, the cutouts have "
            f"{cutouts.beam}: take the noise of the map that they are from."
        )
    pixels = pixel_sides(cutouts)
    if not np.isfinite(pixels).any():
        return None
    return NoiseCovariance(noise, cutouts.geometry.shape, np.nanmax(pixels))


def check_depth(noise, depth, cutouts):
    """Check noise and depth; factor (N,) of the noise amplitude, NaN if it is not known."""
    if not isinstance(noise, NoiseModel | None):
        raise InvalidInputError(
            f"'noise' must be a NoiseModel, for instance NoiseModel.planck(). Received: {noise!r}"
        )
    n = len(cutouts)
    if depth is None:
        known = noise is not None and isinstance(noise.depth, DepthMap)
        return noise.depth.at(cutouts.coord) if known and n else np.ones(n)
    if noise is None:
        raise InvalidInputError("'depth' is a factor of the noise: give 'noise' as well.")
    return check_factors(depth, n, "cutout")
