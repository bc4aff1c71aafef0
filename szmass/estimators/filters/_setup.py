"""Filters for the cutouts of a stack, from the options of an estimator; they are made once."""

import dataclasses
import warnings
from functools import lru_cache

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.estimators.filters._filters import FieldNoise, FilterBank
from szmass.estimators.filters._neighbours import NeighbourBank
from szmass.estimators.filters._templates import SIZES, radial_templates
from szmass.exceptions import InvalidInputError, SzmassWarning
from szmass.maps.noise import get_noise_model
from szmass.maps.noise.depth import DepthMap
from szmass.maps.sampling import Sampling
from szmass.physics.templates import disc_transform, get_scale_free_profile
from szmass.results import MassFlag

__all__ = ["MatchedFilters", "depth_factors", "field_flags", "noise_of"]


# Cutouts whose sampling is not known are taken as points. That matters where the windows of
# bilinear ones would add more than this part to the variance of the beam.
_MATTERS = 0.05


def noise_of(stack, noise=None):
    """Noise model that an estimator is told, or else that of the cutouts; there must be one."""
    noise = stack.noise if noise is None else noise
    if noise is None:
        raise InvalidInputError(
            "The noise of the cutouts' map is not known, and weights and errors depend on it. Say "
            "it with noise=..., to the estimator or when the map is opened (--noise on the shell): "
            "'planck' for the Planck y-maps, or a NoiseModel, for instance "
            "NoiseModel.from_empty_fields(ymap, exclude=sample.coord, radius='30 arcmin')."
        )
    return get_noise_model(noise)


# The inverse covariance of a field of 48 x 48 blocks takes 42 MB.
@lru_cache(maxsize=4)
def _field(shape, pixel, beam, noise, variance, jitter):
    return FieldNoise(shape, pixel, beam, noise, variance, jitter)


@lru_cache(maxsize=8)
def _bank(field, profile, variance):
    return FilterBank.of(field, [_splines(field, profile, variance)])


@lru_cache(maxsize=2)
def _neighbours(field, profile, variance):
    return NeighbourBank(field, profile, variance, _bank(field, profile, variance))


@lru_cache(maxsize=16)
def _splines(field, profile, variance):
    reach = 20 + np.hypot(np.abs(field.x).max(), np.abs(field.y).max())
    return radial_templates(lambda k: disc_transform(k, profile), SIZES, variance, reach)


class MatchedFilters:
    """Everything that the cutouts of one stack have in common.

    Parameters
    ----------
    stack : `~szmass.maps.CutoutStack`
        The cutouts.
    noise : NoiseModel or str or None
        As in the estimators.
    profile : str or GNFWProfile
        As in the estimators.
    map_pixel : Quantity or None
        As in the estimators.

    Raises
    ------
    InvalidInputError
        Beam or geometry cannot be used, or the noise is that of another beam.
    """

    def __init__(self, stack, noise, profile, map_pixel):
        self.profile = get_scale_free_profile(profile)
        geometry, self.sampling = stack.geometry, stack.sampling
        pixel = geometry.pixel_side(u.arcmin)
        if stack.beam is None:
            raise InvalidInputError(
                "The beam of the cutouts is not known, and templates need it. Open the map with "
                "ComptonMap.read(..., beam=10 * u.arcmin)."
            )
        beam = stack.beam.to_value(u.arcmin)
        self.noise = noise_of(stack, noise)
        own = self.noise.beam
        if own is not None and abs(own.to_value(u.arcmin) / beam - 1) > 1e-3:
            raise InvalidInputError(
                f"'noise' is that of a map with a beam of {own:g}, and the cutouts have one of "
                f"{stack.beam:g}: take the noise of the map that the cutouts are from."
            )
        if map_pixel is not None:
            side = as_floats(map_pixel, u.arcmin, "map_pixel", positive=True, finite=True)
            self.sampling = dataclasses.replace(self.sampling, pixel=float(side) * u.arcmin)
        signal, extra, jitter = self.sampling.windows(geometry.pixel_scale)
        self.variance = beam**2 / (8 * np.log(2))
        self._warn_unknown(pixel)
        self.variance += signal
        self._arguments = (geometry.shape, pixel, beam, self.noise, extra, jitter)

    def _warn_unknown(self, pixel):
        unknown = Sampling("bilinear").windows(pixel * u.arcmin).signal / self.variance
        if self.sampling.kind == "unknown" and unknown > _MATTERS:
            warnings.warn(
                "How the pixels of the cutouts hold the sky is not known, and they are taken as "
                f"points. Interpolation could widen the beam by {100 * unknown / 2:.0f} %: say "
                "sampling='bilinear' or the like when the cutouts are made.",
                SzmassWarning,
                stacklevel=4,
            )

    @property
    def meta(self):
        """What the masses were weighed with, for ``meta`` of results."""
        return {
            "noise": str(self.noise.meta.get("source", "user")),
            "noise_rms": float(self.noise.rms()),
            "sampling": str(self.sampling),
        }

    @property
    def field(self):
        """Noise of the field; its inverse covariance is what takes long."""
        return _field(*self._arguments)

    @property
    def splines(self):
        """Radial templates of all sizes."""
        return _splines(self.field, self.profile, self.variance)

    @property
    def bank(self):
        """Filters of all sizes in the middle of the field."""
        return _bank(self.field, self.profile, self.variance)

    @property
    def neighbours(self):
        """Filters all over the field."""
        return _neighbours(self.field, self.profile, self.variance)

    @property
    def half_width(self):
        """Distance [arcmin] from the middle to the nearest edge of what is used."""
        return min(np.abs(self.field.x).max(), np.abs(self.field.y).max())


def depth_factors(depth, setup, sample):
    """Factor of the noise amplitude of each cluster's field.

    Parameters
    ----------
    depth : object
        As in the estimators.
    setup : MatchedFilters
        Of the cutouts.
    sample : `~szmass.clusters.ClusterSample`
        The clusters.

    Returns
    -------
    ndarray
        Shape (N,).
    """
    n = len(sample)
    if depth is None:
        if not isinstance(setup.noise.depth, DepthMap):
            return np.ones(n)
        known = setup.noise.depth.at(sample.coord)
        return np.where(np.isfinite(known), known, 1.0)
    if isinstance(depth, str) and depth == "field":
        return setup.neighbours.depth(sample.cutouts.data, sample.cutouts.footprint)
    if isinstance(depth, str):
        depth = sample.quantity(depth).to(u.one)
    value = as_floats(depth, "", "depth", positive=True, finite=True)
    if value.shape not in ((), (n,)):
        raise InvalidInputError(
            "'depth' must be None, 'field', a number, or the name of a column. "
            f"Received: an array of shape {value.shape}"
        )
    return np.broadcast_to(value, n)


def field_flags(setup, sample, size, depth, measured=None):
    """Tell what is to be said about the fields of clusters.

    Parameters
    ----------
    setup : MatchedFilters
        Of the cutouts.
    sample : `~szmass.clusters.ClusterSample`
        The clusters.
    size : ndarray
        theta500 [arcmin], shape (N,); NaN for clusters without.
    depth : ndarray
        Factors of the noise, shape (N,).
    measured : Measured, optional
        What the filters in the middle gave, where that is known already.

    Returns
    -------
    ndarray of int
        Bits of `MassFlag`.
    """
    data, footprint = sample.cutouts.data, sample.cutouts.footprint
    complete = footprint.all(axis=(1, 2)) & np.isfinite(data).all(axis=(1, 2))
    flag = np.where(complete, 0, MassFlag.INCOMPLETE_CUTOUT)
    known = np.isfinite(size)
    flag |= np.where(known & (5 * size > setup.half_width), MassFlag.CUTOUT_TOO_SMALL, 0)
    if measured is None:
        measured = setup.bank.measure(data, footprint)
    seen = np.broadcast_to(measured.root, measured.projection.shape[:2])[:, -1] > 1e-100
    rows = np.flatnonzero(known & seen)
    if len(rows):
        nearest = np.abs(np.log(SIZES) - np.log(size[rows, np.newaxis])).argmin(axis=1)
        gram = np.broadcast_to(measured.gram[..., 0, 0], measured.projection.shape[:2])
        blended = setup.neighbours.blended(
            data[rows],
            footprint[rows],
            nearest,
            measured.projection[rows, nearest, 0],
            gram[rows, nearest],
            depth[rows],
        )
        flag[rows] |= np.where(blended, MassFlag.BLENDED, 0)
    return flag
