"""Filters for the cutouts of a stack, from the options of an estimator; they are made once."""

import dataclasses
import warnings
from functools import lru_cache

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.estimators._catalogue_errors import position_errors
from szmass.estimators.filters._banks import filter_bank
from szmass.estimators.filters._filters import FieldNoise
from szmass.estimators.filters._neighbours import neighbour_bank
from szmass.estimators.filters._templates import SIZES, at_sizes
from szmass.exceptions import InvalidInputError, SzmassWarning
from szmass.maps.noise import get_noise_model
from szmass.maps.noise.depth import DepthMap
from szmass.maps.sampling import Sampling
from szmass.physics.templates import get_scale_free_profile
from szmass.results import MassFlag

# Cutouts whose sampling is not known are taken as points. That matters where the windows of
# bilinear ones would add more than this part to the variance of the beam.
_MATTERS = 0.05


# The inverse covariance of a field of 48 x 48 blocks takes 42 MB.
_field = lru_cache(maxsize=4)(FieldNoise)


class MatchedFilters:
    """Everything that the cutouts of one stack have in common; arguments as in the estimators.

    InvalidInputError if beam or geometry cannot be used, or the noise is that of another beam.
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
        noise = stack.noise if noise is None else noise
        if noise is None:
            raise InvalidInputError(
                "The noise of the cutouts' map is not known, and weights and errors depend on it. "
                "Say it with noise=..., to the estimator or when the map is opened: 'planck' for "
                "the Planck y-maps, or a NoiseModel, for instance "
                "NoiseModel.from_empty_fields(ymap, exclude=sample.coord, radius='30 arcmin')."
            )
        self.noise = get_noise_model(noise)
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
        #: By how much, per axis [arcmin], nearest pixels displace what is in them.
        self.displacement = np.sqrt(jitter)
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

    def expected_snr(self, theta, y500, depth):
        """S/N (N, m) of optimal filters for sizes [arcmin], signals [arcmin2] and depths (N,)."""
        return y500 * np.exp(at_sizes(self.log_root, theta)) / np.reshape(depth, (-1, 1))

    @property
    def log_root(self):
        """ln of 1 / sigma of Y500 [arcmin^-2] of optimal filters of all sizes, (1, sizes)."""
        sigma = self.noise.sigma_y500(SIZES * u.arcmin, profile=self.profile)
        return -np.log(sigma.to_value(u.arcmin**2))[np.newaxis]

    @property
    def bank(self):
        """Filters of all sizes in the middle of the field."""
        return filter_bank(self.field, self.profile, self.variance)

    @property
    def neighbours(self):
        """Filters all over the field."""
        return neighbour_bank(self.field, self.profile, self.variance)


class NeedsDepth:
    """A column that the option ``depth`` names is an input of single clusters like any other."""

    @property
    def _depth_column(self):
        return self.depth if isinstance(self.depth, str) and self.depth != "field" else None

    @property
    def needs(self):
        """What a cluster must have under the present options."""
        return super().needs | {self._depth_column} - {None}

    def _missing(self, sample):
        flag = super()._missing(sample)
        if self._depth_column is not None:
            flag[sample.quantity(self._depth_column) <= 0] |= MassFlag.NOT_POSITIVE
        return flag


def depth_factors(depth, setup, sample):
    """Factor of the noise amplitude of each field (N,); ``depth`` as in the estimators."""
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
    """Bits of `MassFlag` that tell of the fields of clusters, (N,).

    ``size`` is theta500 [arcmin], NaN for clusters without, and ``depth`` factors of the noise,
    (N,); ``measured`` what the filters in the middle gave, where that is known already.
    """
    data, footprint = sample.cutouts.data, sample.cutouts.footprint
    complete = footprint.all(axis=(1, 2)) & np.isfinite(data).all(axis=(1, 2))
    flag = np.where(complete, 0, MassFlag.INCOMPLETE_CUTOUT)
    known = np.isfinite(size)
    edge = min(np.abs(setup.field.x).max(), np.abs(setup.field.y).max())
    flag |= np.where(known & (5 * size > edge), MassFlag.CUTOUT_TOO_SMALL, 0)
    if measured is None:
        measured = setup.bank.measure(data, footprint)
    seen = np.broadcast_to(measured.root, measured.projection.shape[:2])[:, -1] > 1e-100
    rows, centring = np.flatnonzero(known & seen), position_errors(sample)
    if len(rows):
        nearest = np.abs(np.log(SIZES) - np.log(size[rows, np.newaxis])).argmin(axis=1)
        blended = setup.neighbours.blended(
            data[rows], footprint[rows], nearest, depth[rows], centring[rows]
        )
        flag[rows] |= np.where(blended, MassFlag.BLENDED, 0)
    return flag
