"""What networks of the dynamical state look at: pixels of y and X-rays, scaled to R500."""

from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import Table
from scipy.ndimage import gaussian_filter

from szmass.exceptions import InvalidInputError
from szmass.morphology._images import LARGEST
from szmass.morphology._state_signal import (
    TOLD_FROM,
    radii,
    signal_to_noise,
    xray_level,
    xrays,
)
from szmass.morphology.flags import StateFlag

__all__ = ["StateImages", "see_for_states"]

# Pixels of the field of networks along a side, their side in R500 behind the beam, the least part
# of one that must be seen, and which lie in R500.
_SIDE, _PIXEL, _LEAST_COVERED = 48, 0.06, 0.3
_FAR = _PIXEL * np.hypot(*(np.mgrid[:_SIDE, :_SIDE] - (_SIDE - 1) / 2))
_INSIDE = _FAR < 1
# Smoothing of the image whose brightest place is the middle, and how far it is searched for [R500].
_SMOOTHING, _SEARCH = 0.2, 0.5


class StateImages(NamedTuple):
    """What networks of the state look at, one row per cluster.

    Parameters
    ----------
    planes : `~numpy.ndarray`
        Images about the brightest place, float32 (N, 24, 24, 2 B): of the B bands the inner half of
        the field, then of all of them the whole in blocks twice as large. A band that tells nothing
        is 0.
    context : `~numpy.ndarray`
        Numbers that go with them, float32 (N, 4 + 2 B).
    table : `~astropy.table.Table`
        Columns ``log10_mass`` and ``redshift``.
    snr : dict of str to `~numpy.ndarray`
        Signal over noise in R500 of each band; NaN where it is not known.
    told : `~numpy.ndarray` of bool
        Which bands tell something, (N, B).
    flag : `~numpy.ndarray` of int
        Bits of `StateFlag`.
    """

    planes: np.ndarray
    context: np.ndarray
    table: Table
    snr: dict
    told: np.ndarray
    flag: np.ndarray


def see_for_states(sample, mass, *, cosmology, noise=None, depth=None, bands=("y", "X")):
    """Make the images that a network of states looks at.

    Pixels are parts of the radius that R500 has behind the beam, the root of the sum of the squares
    of theta500 and of the beam; values are over their mean inside that radius, and compressed by an
    inverse hyperbolic sine. The middle is where the smoothed image of the band with the larger
    signal-to-noise ratio is brightest: positions of catalogues tell nothing of the state.

    Parameters
    ----------
    sample, mass, cosmology, noise, depth : see `measure_for_states`
        N clusters with cutouts, their M500c, and what the maps are like.
    bands : sequence of str, optional
        "y", or both "y" and "X".

    Returns
    -------
    StateImages
        The images; a band below a signal-to-noise ratio of 1 is 0.

    Raises
    ------
    InvalidInputError
        The beam of the cutouts is not known; or as from `measure_for_states`.
    """
    if sample.cutouts.beam is None:
        raise InvalidInputError(
            "'sample' must have cutouts whose beam is known: open the map with "
            "ComptonMap.read(..., beam=10 * u.arcmin)."
        )
    mass, radius = radii(sample, mass, cosmology)
    n, half = len(sample), _SIDE // 2
    table = Table({"log10_mass": np.log10(mass), "redshift": sample.redshift})
    flag, snr, stacks = np.zeros(n, int), {}, {}
    for band in bands:
        stacks[band] = sample.cutouts if band == "y" else xrays(sample)
        snr[band] = signal_to_noise(band, stacks[band], radius, noise, depth, flag)
    ratios = np.nan_to_num([snr[band] for band in bands], nan=-1.0).T
    least = max(sample.cutouts.beam, 3 * sample.cutouts.geometry.pixel_scale)
    with np.errstate(invalid="ignore"):
        flag[radius < least] |= StateFlag.UNRESOLVED
    seen = _resampled(stacks, radius, ratios.argmax(axis=1), flag)
    with np.errstate(invalid="ignore"):
        mean = seen[:, :, _INSIDE].mean(axis=2)
        told = (ratios >= TOLD_FROM) & (mean > 0)
        flag[((ratios < TOLD_FROM) & np.isfinite(list(snr.values())).T).any(axis=1)] |= (
            StateFlag.LOW_SNR
        )
        flag[((ratios >= TOLD_FROM) & ~told).any(axis=1)] |= StateFlag.NOT_MEASURED
    flag[~told.any(axis=1)] |= StateFlag.PRIOR
    seen = np.where(told[..., np.newaxis, np.newaxis], seen, 0.0)
    seen = np.arcsinh(seen / np.where(told, mean, 1.0)[..., np.newaxis, np.newaxis])
    inner = slice(half // 2, half // 2 + half)
    wide = seen.reshape(n, len(bands), half, 2, half, 2).mean(axis=(3, 5))
    planes = np.concatenate([seen[:, :, inner, inner], wide], axis=1)
    resolved = (radius / sample.cutouts.beam).to_value(u.one)
    context = [
        *(table["log10_mass"] - 14.6, 4 * sample.redshift - 1),
        *(np.log10(sample.redshift) + 0.7, np.log10(resolved)),
        *told.T,
        *np.where(told, np.log10(np.maximum(ratios, 1)) - 1, 0).T,
    ]
    return StateImages(
        np.moveaxis(planes, 1, 3).astype(np.float32),
        np.stack(context, axis=1).astype(np.float32), table, snr, told, flag,
    )  # fmt: skip


def _resampled(stacks, radius, brightest, flag):
    """Means of the images over the pixels of a field about the brightest place, (N, B, n, n)."""
    bands, beam = list(stacks), stacks["y"].beam
    result = np.zeros((len(radius), len(bands), _SIDE, _SIDE))
    for i, size in enumerate(np.hypot(radius, beam)):
        fields = [
            None if stack is None else _Field(stack, i, size, radius[i] if band == "X" else None)
            for band, stack in stacks.items()
        ]
        best = fields[brightest[i]]
        place = best.brightest() if best.good.any() else np.zeros(2)
        for k, field in enumerate(fields):
            if field is None:
                continue
            result[i, k], known = field.about(place)
            if not field.good.any():
                flag[i] |= StateFlag.NO_IMAGE
            elif not known[_INSIDE].all():
                flag[i] |= StateFlag.INCOMPLETE
    return result


class _Field:
    """An image whose pixels become those of a field, in parts of ``size``.

    A ``radius`` R500 is that of the ring of the background, where there is one.
    """

    def __init__(self, stack, i, size, radius):
        image, footprint = np.asarray(stack.data[i], float), getattr(stack, "footprint", None)
        self.good = np.isfinite(image) & (np.abs(image) < LARGEST)
        if footprint is not None:
            self.good &= footprint[i]
        pixel = stack.geometry.pixel_scale
        self.size = (size / pixel).to_value(u.one)
        if radius is not None:
            level = xray_level(image, self.good, (radius / pixel).to_value(u.one))
            image = image - np.nan_to_num(level)
        self.image = np.where(self.good, image, 0.0)

    def about(self, place):
        """Means over pixels about a place (row, column) off the middle, and which are known."""
        edges = (np.arange(_SIDE + 1) - _SIDE / 2) * _PIXEL
        rows, columns = (
            _overlaps((number - 1) / 2 + (off + edges) * self.size, number)
            for off, number in zip(place, self.image.shape, strict=True)
        )
        covered, total = rows @ self.good @ columns.T, rows @ self.image @ columns.T
        known = covered > _LEAST_COVERED
        return np.divide(total, covered, out=np.zeros_like(total), where=known), known

    def brightest(self):
        """Place where the smoothed image is brightest."""
        image, known = self.about(np.zeros(2))
        image = gaussian_filter(image, _SMOOTHING / _PIXEL)
        near = known & (_FAR < _SEARCH)
        if not near.any():
            return np.zeros(2)
        place = np.unravel_index(np.argmax(np.where(near, image, -np.inf)), image.shape)
        return (np.array(place) - (_SIDE - 1) / 2) * _PIXEL


def _overlaps(edges, number):
    """Which part of each interval between edges lies in each of so many pixels."""
    pixels = np.arange(number)
    low = np.maximum(edges[:-1, np.newaxis], pixels - 0.5)
    high = np.minimum(edges[1:, np.newaxis], pixels + 0.5)
    return np.maximum(high - low, 0) / np.diff(edges)[:, np.newaxis]
