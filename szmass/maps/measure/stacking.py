"""The mean of many cutouts: map, profile and central amplitude, with errors."""

import dataclasses
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._checks import check_geometry
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.measure._apertures import (
    TangentGrid,
    check_depth,
    mean_radius,
    noise_covariance,
    pixel_sides,
)
from szmass.maps.measure._input import as_cutouts, as_edges, as_radii, as_ring, as_scale

__all__ = ["StackResult", "stack"]

_BINS = 12
_CHUNK = 256  # cutouts at a time
_BLOCK = 5e6  # numbers of resampled maps at a time
_FLAT = 1e-6  # an angle that is small enough for the sky to be flat [rad]


@dataclass(frozen=True, eq=False, repr=False)
class StackResult:
    """The mean of many cutouts, made by `stack`.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Mean y, shape ``geometry.shape``; NaN where no cutout has a value.
    image_err : `~numpy.ndarray` or None
        Its standard deviation over bootstrap samples, of the same shape.
    coverage : `~numpy.ndarray`
        Part of the weight that each pixel has, of the same shape.
    profile : `~astropy.table.QTable`
        One row with the columns of `radial_profile`; ``y_err`` and ``y_cov`` are from the
        bootstrap, ``y_noise_err`` and ``y_noise_cov`` from the noise model.
    amplitude : float
        Mean y within ``radius`` less that of the background annulus.
    amplitude_err : float
        Its standard deviation over bootstrap samples; NaN without.
    amplitude_noise_err : float
        Its standard deviation due to noise; NaN without a noise model.
    radius : `~astropy.units.Quantity`
        Radius of the central aperture.
    background : `~astropy.units.Quantity` or None
        Inner and outer radius of the background annulus.
    geometry : CutoutGeometry
        The grid; relative for ``scale="r500"``.
    n_clusters : int
        How many cutouts went in.
    meta : dict
        How it was made.
    """

    image: np.ndarray
    image_err: np.ndarray | None
    coverage: np.ndarray
    profile: QTable
    amplitude: float
    amplitude_err: float
    amplitude_noise_err: float
    radius: u.Quantity
    background: u.Quantity | None
    geometry: CutoutGeometry
    n_clusters: int
    meta: dict

    @property
    def significance(self):
        """Amplitude over its bootstrap error, which holds the differences between clusters."""
        return self.amplitude / self.amplitude_err

    @property
    def noise_significance(self):
        """Amplitude over the error due to noise alone: how sure it is that something is there."""
        return self.amplitude / self.amplitude_noise_err

    def __repr__(self):
        errors = f"{self.amplitude_err:.2g} (bootstrap), {self.amplitude_noise_err:.2g} (noise)"
        return (
            f"<StackResult of {self.n_clusters}: y={self.amplitude:.3g} within {self.radius:g} "
            f"+- {errors}>"
        )


def stack(
    cutouts, *, weights=None, scale="angle", angular_scale=None, geometry=None, edges=None,
    radius=None, background=None, noise=None, depth=None, bootstrap=1000, rng=None,
):  # fmt: skip
    """Average cutouts pixel by pixel, where each of them is covered.

    Parameters
    ----------
    cutouts : Cutout or CutoutStack or ~szmass.clusters.ClusterSample
        N cutouts, or a sample that has them. Those without any value are left out.
    weights : array-like, optional
        N weights >= 0; equal if not given.
    scale : {"angle", "r500"}, optional
        Average at equal angle, or at equal angle in units of that of R500 (or of any
        other ``angular_scale``).
    angular_scale : `~astropy.units.Quantity`, optional
        For "r500": N angles, for instance theta500, by which cutouts with pixels in arcmin are
        resampled. NaN leaves one out. Cutouts of a relative geometry bring theirs along,
        and are sampled once instead of twice.
    geometry : CutoutGeometry, optional
        For cutouts that are resampled: a relative grid. By default 61 x 61 pixels of 0.1.
    edges : `~astropy.units.Quantity` or array-like, optional
        Edges of the profile: angles, or numbers for "r500". By default 12 bins up to the edge
        of the map.
    radius : `~astropy.units.Quantity` or float, optional
        Radius of the central aperture; by default the FWHM of the beam, or 1 for "r500".
    background : (`~astropy.units.Quantity`, `~astropy.units.Quantity`), optional
        Inner and outer radius of an annulus whose mean is subtracted from the amplitude. Map
        and profile stay as they are.
    noise : NoiseModel, optional
        Noise of the map, for errors due to noise alone. Cutouts count as independent, which
        they are not where they overlap.
    depth : float or array-like, optional
        As in `aperture_photometry`.
    bootstrap : int, optional
        Number of bootstrap samples of the clusters; 0 for none.
    rng : `~numpy.random.Generator` or int, optional
        Source of random numbers, or a seed.

    Returns
    -------
    StackResult
        Map, profile and amplitude.

    Raises
    ------
    InvalidInputError
        There is nothing to stack, fewer than two clusters to resample, or an argument makes no
        sense.
    InvalidUnitError
        A radius is in a unit that does not go with ``scale``.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.maps import NoiseModel, stack
    >>> from szmass.simulations import from_masses, simulate
    >>> sample = simulate(from_masses([1e15, 6e14] * u.solMass, 0.1), cosmology="PSZ2", seed=1)
    >>> result = stack(sample, background=[40, 60] * u.arcmin, noise=NoiseModel.planck(), rng=1)
    >>> result.n_clusters, bool(result.noise_significance > 5)
    (2, True)
    """
    cutouts = as_cutouts(cutouts)
    weights = _check_weights(weights, len(cutouts))
    depth = check_depth(noise, depth, cutouts)
    cutouts = _on_common_grid(cutouts, scale, angular_scale, geometry)
    edges, radius, background = _check_radii(cutouts, edges, radius, background)
    used = np.flatnonzero(cutouts.footprint.any(axis=(1, 2)) & (weights > 0))
    if not len(used):
        raise InvalidInputError(
            f"There is nothing to stack: none of the {len(weights)} cutouts has a value and "
            "a weight above 0."
        )
    if not isinstance(bootstrap, int | np.integer) or bootstrap < 0:
        raise InvalidInputError(f"'bootstrap' must be a whole number >= 0. Received: {bootstrap!r}")
    if bootstrap and len(used) < 2:
        raise InvalidInputError(
            "One cluster cannot be resampled: pass bootstrap=0, and 'noise' for an error."
        )
    rings = _mean_rings(cutouts.geometry, edges, radius, background)
    mean = _MeanMap(cutouts[used], weights[used], rings, background is not None)
    samples = _Bootstrap(mean, bootstrap, np.random.default_rng(rng))
    covariance = mean.noise_covariance(noise, depth[used])

    values = mean.values
    profile = QTable({"name": ["stack"]})
    profile["radius"] = mean_radius(edges.value)[np.newaxis] * edges.unit
    profile["y"] = values[np.newaxis, :-1]
    for prefix, matrix in (("y", samples.covariance), ("y_noise", covariance)):
        if matrix is not None:
            profile[f"{prefix}_err"] = np.sqrt(np.diag(matrix))[np.newaxis, :-1]
            profile[f"{prefix}_cov"] = matrix[np.newaxis, :-1, :-1]
    profile["coverage"] = mean.ring_coverage[np.newaxis]
    profile["complete"] = profile["coverage"] == 1
    profile.meta["edges"] = edges
    return StackResult(
        image=mean.image.reshape(cutouts.geometry.shape),
        image_err=samples.image_err,
        coverage=mean.coverage.reshape(cutouts.geometry.shape),
        profile=profile,
        amplitude=float(values[-1]),
        amplitude_err=_last_error(samples.covariance),
        amplitude_noise_err=_last_error(covariance),
        radius=radius,
        background=background,
        geometry=cutouts.geometry,
        n_clusters=len(used),
        meta={
            "scale": scale,
            "beam": None if cutouts.beam is None else str(cutouts.beam),
            "bootstrap": int(bootstrap),
            "noise": None if noise is None else repr(noise),
            "left_out": len(weights) - len(used),
        },
    )


def _last_error(covariance):
    return np.nan if covariance is None else float(np.sqrt(covariance[-1, -1]))


def _check_weights(weights, n):
    if weights is None:
        return np.ones(n)
    weights = as_floats(weights, "", "weights", finite=True)
    if weights.shape != (n,) or np.any(weights < 0):
        raise InvalidInputError(
            f"'weights' must be one number >= 0 per cutout ({n}). Received: {weights}"
        )
    return weights


def _on_common_grid(cutouts, scale, angular_scale, geometry):
    if scale not in ("angle", "r500"):
        raise InvalidInputError(f"'scale' must be 'angle' or 'r500'. Received: {scale!r}")
    relative = cutouts.geometry.relative
    if scale == "r500" and not relative:
        angles = as_scale(angular_scale, cutouts)
        if angles is None:
            raise InvalidInputError(
                "scale='r500' needs 'angular_scale', one angle per cutout such as theta500, or "
                "cutouts of a relative geometry."
            )
        own = cutouts.geometry
        target = CutoutGeometry((61, 61), 0.1) if geometry is None else check_geometry(geometry)
        if not target.relative:
            raise InvalidInputError(
                "'geometry' must have a pixel_scale without unit, in units of 'angular_scale'. "
                f"Received: {target!r}"
            )
        target = dataclasses.replace(target, frame=own.frame, rotation=own.rotation)
        return _rescaled(cutouts, target, angles)
    if scale == "angle" and relative:
        raise InvalidInputError(
            "The cutouts are in units of an angle of each: stack them with scale='r500'."
        )
    if angular_scale is not None or geometry is not None:
        raise InvalidInputError(
            "'angular_scale' and 'geometry' are for cutouts with pixels in arcmin that "
            "scale='r500' resamples: leave them out."
        )
    return cutouts


def _check_radii(cutouts, edges, radius, background):
    geometry = cutouts.geometry
    if edges is None:
        edges = np.linspace(0, 0.5, _BINS + 1) * geometry.size.min()
    if radius is None:
        radius = 1.0 if geometry.relative else cutouts.beam
        if radius is None:
            raise InvalidInputError("The cutouts have no beam to take 'radius' from: give it.")
    edges, radius, background = as_edges(edges), as_radii(radius), as_ring(background)
    if radius.ndim:
        raise InvalidInputError(f"'radius' must be one radius. Received: {radius}")
    for name, value in (("edges", edges), ("radius", radius), ("background", background)):
        if value is not None and value.unit.is_equivalent(u.one) != geometry.relative:
            raise InvalidInputError(
                f"'{name}' must be "
                + ("numbers, in units of R500" if geometry.relative else "in arcmin, or an angle")
                + f". Received: {value}"
            )
    return edges, radius, background


def _rescaled(cutouts, geometry, scale):
    """Resample cutouts, bilinear, to a relative geometry about the same positions."""
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
    return cutouts.with_data(data, geometry=geometry, angular_scale=scale, sampling="bilinear")


def _mean_rings(geometry, edges, radius, background):
    """Solid angles of pixels in the annuli of profile, aperture, background; relative: any unit."""
    unit = _FLAT if geometry.relative else u.arcmin.to(u.rad)
    pairs = [np.stack([edges[:-1].value, edges[1:].value], axis=1), [[0, radius.value]]]
    if background is not None:
        pairs.append([background.value])
    pairs = np.concatenate(pairs) * unit
    if pairs.max() >= np.pi / 2:
        raise InvalidInputError("Radii must be below 90 deg, which a tangent plane does not reach.")
    grid = TangentGrid(geometry.shape, geometry.pixel_scale.value * unit)
    return grid.rings(pairs)


class _MeanMap:
    """Weighted mean of cutouts, and its means over `_mean_rings`, the last perhaps a background."""

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
        """Covariance of profile and amplitude (last) by noise of N depths, NaN if not covered."""
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


class _Bootstrap:
    """Covariance of profile and amplitude, and error of a mean map; None with 0 samples."""

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
