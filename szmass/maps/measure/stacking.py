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
from szmass.maps.measure._apertures import check_depth, mean_radius
from szmass.maps.measure._input import as_cutouts, as_edges, as_radii, as_ring, as_scale
from szmass.maps.measure._means import Bootstrap, MeanMap, mean_rings, rescaled

__all__ = ["StackResult", "stack"]

_BINS = 12


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
    cutouts,
    *,
    weights=None,
    scale="angle",
    angular_scale=None,
    geometry=None,
    edges=None,
    radius=None,
    background=None,
    noise=None,
    depth=None,
    bootstrap=1000,
    rng=None,
):
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
    rings = mean_rings(cutouts.geometry, edges, radius, background)
    mean = MeanMap(cutouts[used], weights[used], rings, background is not None)
    samples = Bootstrap(mean, bootstrap, np.random.default_rng(rng))
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
        return rescaled(cutouts, target, angles)
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
