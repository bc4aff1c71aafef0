"""Means of many maps and of annuli of them, resampled clusters, and grids to do it on."""

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import CutoutStack
from szmass.maps.measure._apertures import TangentGrid, noise_covariance, pixel_sides

__all__ = ["Bootstrap", "MeanMap", "mean_rings", "rescaled"]

_CHUNK = 256  # cutouts at a time
_BLOCK = 5e6  # numbers of resampled maps at a time
_FLAT = 1e-6  # an angle that is small enough for the sky to be flat [rad]


def rescaled(cutouts, geometry, scale):
    """Resample cutouts onto a grid whose pixels are in units of an angle of each.

    Both grids are on the tangent plane of the same position, so that this is a change of scale.

    Parameters
    ----------
    cutouts : CutoutStack
        N cutouts with pixels in arcmin.
    geometry : CutoutGeometry
        A relative geometry with the frame and the rotation of the cutouts.
    scale : `~astropy.units.Quantity`
        N angles, NaN where not known.

    Returns
    -------
    CutoutStack
        Bilinear; what needs a pixel that is missing is missing.
    """
    from scipy.ndimage import map_coordinates

    own = cutouts.geometry
    steps = (geometry.pixel_scale.value * scale / own.pixel_scale).to_value(u.one)
    offsets = [np.arange(n) - (n - 1) / 2 for n in geometry.shape]
    data = np.full((len(cutouts), *geometry.shape), np.nan, dtype=np.float32)
    for i in np.flatnonzero(np.isfinite(steps)):
        rows, columns = (m + steps[i] * o for m, o in zip(own.center, offsets, strict=True))
        source = np.where(cutouts.footprint[i], cutouts.data[i], np.nan)
        grid = np.meshgrid(rows, columns, indexing="ij")
        map_coordinates(source, grid, output=data[i], order=1, cval=np.nan)
    return CutoutStack(
        data,
        None,
        cutouts.coord,
        names=cutouts.names,
        geometry=geometry,
        beam=cutouts.beam,
        interpolation="bilinear",
        angular_scale=scale,
        meta=cutouts.meta,
    )


def mean_rings(geometry, edges, radius, background):
    """Give the solid angles of pixels within annuli: profile, aperture, background.

    Parameters
    ----------
    geometry : CutoutGeometry
        The grid.
    edges, radius, background : `~astropy.units.Quantity`
        Edges of the profile, radius of the aperture, edges of the background annulus or None: in
        arcmin, or numbers for a relative geometry.

    Returns
    -------
    (ndarray, ndarray)
        As from `TangentGrid.rings`; of a relative geometry in an arbitrary unit.
    """
    unit = _FLAT if geometry.relative else u.arcmin.to(u.rad)
    pairs = [np.stack([edges[:-1].value, edges[1:].value], axis=1), [[0, radius.value]]]
    if background is not None:
        pairs.append([background.value])
    pairs = np.concatenate(pairs) * unit
    if pairs.max() >= np.pi / 2:
        raise InvalidInputError("Radii must be below 90 deg, which a tangent plane does not reach.")
    grid = TangentGrid(geometry.shape, geometry.pixel_scale.value * unit)
    return grid.rings(pairs)


class MeanMap:
    """Weighted mean of N cutouts, and means of it over annuli.

    Parameters
    ----------
    cutouts : CutoutStack
        Each with a value somewhere.
    weights : ndarray
        N weights > 0.
    rings : (ndarray, ndarray)
        From `mean_rings`.
    subtract : bool
        Whether the last annulus is a background.
    """

    def __init__(self, cutouts, weights, rings, subtract):
        (self._parts, self._whole), self._subtract = rings, subtract
        self.cutouts, self.weights = cutouts, weights
        self._all_complete = bool(cutouts.complete.all())
        missing, total = np.zeros((2, cutouts.data[0].size))
        for part in self._chunks():
            missing += weights[part] @ ~cutouts.footprint[part].reshape(-1, missing.size)
            total += weights[part] @ self._pixels(part)
        # What nobody misses has a coverage of exactly 1, what everybody misses one of exactly 0.
        covered = cutouts.footprint.any(axis=0).ravel()
        self.coverage = np.where(covered, 1 - missing / weights.sum(), 0.0)
        weight = self.coverage * weights.sum()
        self.image = total / np.where(weight > 0, weight, np.nan)
        self.values = self.over_rings(self.image)

    def _chunks(self):
        """Yield slices of the cutouts."""
        for start in range(0, len(self.weights), _CHUNK):
            yield slice(start, start + _CHUNK)

    def _pixels(self, part):
        """Values of some cutouts, 0 where there is none; shape (n, ny nx), float32."""
        footprint, data = self.cutouts.footprint[part], self.cutouts.data[part]
        return np.where(footprint, data, np.float32(0)).reshape(len(data), -1)

    def resampled(self, counts):
        """Give the mean maps of samples that hold the cutouts ``counts`` times (n, N)."""
        weights = (counts * self.weights).astype(np.float32)
        total = np.zeros((len(counts), len(self.image)), np.float32)
        weight = weights.sum(axis=1, keepdims=True)
        if not self._all_complete:
            weight = np.zeros_like(total)
        for part in self._chunks():
            total += weights[:, part] @ self._pixels(part)
            if not self._all_complete:
                footprint = self.cutouts.footprint[part].reshape(-1, total.shape[1])
                weight += weights[:, part] @ footprint.astype(np.float32)
        return total / np.where(weight > 0, weight, np.nan)

    def over_rings(self, images):
        """Give means over the annuli of the profile and the amplitude of images (..., ny nx)."""
        valid = np.isfinite(images)
        area = valid @ self._parts.T
        total = np.where(valid, images, 0) @ self._parts.T
        means = total / np.where(area > 1e-9 * self._whole, area, np.nan)
        return self._with_amplitude(means)

    def _with_amplitude(self, means):
        """Turn the last of the annuli, aperture and perhaps background, into the amplitude."""
        if not self._subtract:
            return means
        amplitude = means[..., -2] - means[..., -1]
        return np.concatenate([means[..., :-2], amplitude[..., np.newaxis]], axis=-1)

    @property
    def ring_coverage(self):
        """Part of the weight that the annuli of the profile have."""
        n = len(self._parts) - 1 - self._subtract
        parts, whole = self._parts[:n], self._whole[:n]
        return 1 - (parts @ (1 - self.coverage) + (whole - parts.sum(axis=1))) / whole

    def noise_covariance(self, noise, depth):
        """Give the covariance of profile and amplitude due to noise that is independent.

        Parameters
        ----------
        noise : NoiseModel or None
            The noise.
        depth : ndarray
            N factors of its amplitude.

        Returns
        -------
        ndarray or None
            Square, the amplitude last; NaN for annuli that nothing covers.
        """
        covariance = noise_covariance(noise, self.cutouts)
        if covariance is None:
            return None
        weight = self.coverage * self.weights.sum()
        area = (weight > 0) @ self._parts.T
        area = np.where(area > 1e-9 * self._whole, area, np.nan)[:, np.newaxis]
        # What one unit of weight of a cutout contributes.
        linear = self._with_amplitude((self._parts / area).T).T
        linear /= np.where(weight > 0, weight, np.inf)
        unknown = np.isnan(linear).any(axis=1)
        linear = np.nan_to_num(linear).reshape(-1, *self.cutouts.geometry.shape)
        factors = (depth * self.weights) ** 2
        pixels = pixel_sides(self.cutouts)
        if self._all_complete and np.ptp(pixels) == 0:
            result = covariance(linear, pixels[0]) * factors.sum()
        else:
            result = sum(
                factor * covariance(linear * footprint, pixel)
                for factor, footprint, pixel in zip(
                    factors, self.cutouts.footprint, pixels, strict=True
                )
            )
        result[unknown], result[:, unknown] = np.nan, np.nan
        return result


class Bootstrap:
    """Covariance of profile and amplitude, and error of the map, from resampled clusters.

    Parameters
    ----------
    mean : MeanMap
        What is resampled.
    n_samples : int
        How often; with 0 the results are None.
    rng : `~numpy.random.Generator`
        Source of random numbers.
    """

    def __init__(self, mean, n_samples, rng):
        self.covariance = self.image_err = None
        if not n_samples:
            return
        n, size = len(mean.weights), len(mean.image)
        block = max(1, int(_BLOCK / size))
        square, known, values = np.zeros(size), np.zeros(size), []
        for start in range(0, n_samples, block):
            counts = rng.multinomial(n, np.full(n, 1 / n), min(block, n_samples - start))
            images = mean.resampled(counts)
            values.append(mean.over_rings(images))
            # About the mean of all: small numbers, whose squares lose nothing.
            difference = images - mean.image
            valid = np.isfinite(difference)
            difference[~valid] = 0
            known += valid.sum(axis=0)
            square += np.sum(difference**2, axis=0)
        error = np.sqrt(square / np.where(known > 1, known - 1, np.nan))
        self.image_err = error.reshape(mean.cutouts.geometry.shape)
        self.covariance = _covariance(np.concatenate(values))


def _covariance(samples):
    """Covariance of columns, of each two over the rows in which both are known."""
    valid = np.isfinite(samples)
    counts = valid.T.astype(float) @ valid
    with np.errstate(invalid="ignore"):
        mean = np.where(valid, samples, 0).sum(axis=0) / np.diag(counts)
    centred = np.where(valid, samples - mean, 0)
    return centred.T @ centred / np.where(counts > 1, counts - 1, np.nan)
