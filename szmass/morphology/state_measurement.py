"""What estimators of the dynamical state look at: morphology or pixels of y and X-rays."""

import functools
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import Table
from scipy.ndimage import gaussian_filter

from szmass._tables.samples import cutout_rows
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.exceptions import CardMismatchError, InvalidInputError
from szmass.maps import aperture_photometry
from szmass.morphology._images import LARGEST
from szmass.morphology.core import measure_morphology
from szmass.morphology.flags import MorphologyFlag, StateFlag
from szmass.morphology.states import STATE_PARAMETERS
from szmass.physics.halos import theta500

__all__ = [
    "TOLD_FROM",
    "XRAY_RING",
    "StateImages",
    "StateMeasurement",
    "check_images",
    "measure_for_states",
    "see_for_states",
]

#: Inner and outer radius [R500] of the ring that the background of X-rays is taken from.
XRAY_RING = (1.2, 1.5)
#: Below this signal over noise a band tells nothing.
TOLD_FROM = 1.0
# Pixels of the field of networks along a side, their side in R500 behind the beam, the least part
# of one that must be seen, and which lie in R500.
_SIDE, _PIXEL, _LEAST_COVERED = 48, 0.06, 0.3
_FAR = _PIXEL * np.hypot(*(np.mgrid[:_SIDE, :_SIDE] - (_SIDE - 1) / 2))
_INSIDE = _FAR < 1
# Smoothing of the image whose brightest place is the middle, and how far it is searched for [R500].
_SMOOTHING, _SEARCH = 0.2, 0.5
_STATE_SHIFTS = {  # flags of morphology: those of states
    MorphologyFlag.NO_IMAGE: StateFlag.NO_IMAGE,
    MorphologyFlag.TOO_LARGE: StateFlag.INCOMPLETE,
    MorphologyFlag.MASKED: StateFlag.INCOMPLETE,
    MorphologyFlag.MOSTLY_MASKED: StateFlag.INCOMPLETE,
    MorphologyFlag.UNRESOLVED: StateFlag.UNRESOLVED,
    MorphologyFlag.CONSTANT: StateFlag.NOT_MEASURED,
    MorphologyFlag.NOT_POSITIVE: StateFlag.NOT_MEASURED,
    MorphologyFlag.NO_CENTER: StateFlag.NOT_MEASURED,
    MorphologyFlag.NO_BACKGROUND: StateFlag.NOT_MEASURED,
    MorphologyFlag.FAILED: StateFlag.NOT_MEASURED,
}


class StateMeasurement(NamedTuple):
    """What estimators of the state look at, one row per cluster.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Columns ``log10_mass``, ``redshift``, and of each band and parameter, as ``y:offset``.
    snr : dict of str to `~numpy.ndarray`
        Signal over noise in R500 of each band; NaN where it is not known.
    flag : `~numpy.ndarray` of int
        Bits of `StateFlag`.
    """

    table: Table
    snr: dict
    flag: np.ndarray


def measure_for_states(sample, mass, *, cosmology, noise=None, depth=None, bands=("y", "X"),
                       preset="standard", center="peak", workers=1):  # fmt: skip
    """Measure what a fit of states looks at.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        N clusters with cutouts of Compton-y and, for the band "X", counts of X-rays as the field
        ``"xray"``.
    mass : `~astropy.units.Quantity`
        M500c, which R500 is computed from, one per cluster.
    cosmology : str or `~astropy.cosmology.FLRW`
        For R500.
    noise : NoiseModel, optional
        Noise of the y-map; by default that of the cutouts.
    depth : float or array-like, optional
        Factor of its amplitude.
    bands : sequence of str, optional
        Of "y" and "X".
    preset, center : optional
        As in `measure_morphology`.
    workers : int, optional
        Number of processes.

    Returns
    -------
    StateMeasurement
        The measurement; a band that is not there is NaN.

    Raises
    ------
    InvalidInputError
        The noise is not known, or is that of another map; X-rays are no `FieldStack
        <szmass.simulations.FieldStack>` of the clusters.
    """
    mass, radius = _radii(sample, mass, cosmology)
    table = Table({"log10_mass": np.log10(mass), "redshift": sample.redshift})
    flag, snr = np.zeros(len(sample), int), {}
    options = {"r500": radius, "preset": preset, "center": center, "workers": workers}
    for band in bands:
        stack = sample.cutouts if band == "y" else _xrays(sample)
        snr[band] = _snr(band, stack, radius, noise, depth, flag)
        if stack is None:
            for name in STATE_PARAMETERS:
                table[f"{band}:{name}"] = np.nan
            continue
        background = None if band == "y" else XRAY_RING
        found = measure_morphology(stack, background=background, **options)
        for theirs, ours in _STATE_SHIFTS.items():
            flag[(found["flag"] & theirs) > 0] |= ours
        for name in STATE_PARAMETERS:
            table[f"{band}:{name}"] = np.asarray(found[name], float)
        unknown = np.isnan(snr[band]) & ((flag & StateFlag.NO_IMAGE) == 0)
        flag[unknown] |= StateFlag.NOT_MEASURED  # it is left out
    return StateMeasurement(table, snr, flag)


def check_images(stack, what, beam_arcmin, pixel_arcmin):
    """Refuse cutouts, or images of another field, of another beam or other pixels.

    Parameters
    ----------
    stack : `~szmass.maps.CutoutStack` or `~szmass.simulations.FieldStack`
        The cutouts.
    what : str
        What is made for them, in words.
    beam_arcmin, pixel_arcmin : float
        What it is made for.

    Raises
    ------
    CardMismatchError
        The beam is not known or differs by more than a tenth, or pixels by more than a third.
    """
    if stack.beam is None:
        raise CardMismatchError(
            f"The {what} are for a beam of {beam_arcmin:.3g} arcmin. That of the cutouts is not "
            "known: open the map with ComptonMap.read(..., beam=10 * u.arcmin)."
        )
    beam = stack.beam.to_value(u.arcmin)
    pixel = stack.geometry.pixel_scale
    pixel = pixel.to_value(u.arcmin) if pixel.unit.is_equivalent(u.arcmin) else np.nan
    for name, own, made, most in (
        ("a beam", beam, beam_arcmin, 0.1),
        ("pixels", pixel, pixel_arcmin, 1 / 3),
    ):
        if not abs(own / made - 1) <= most:
            raise CardMismatchError(
                f"The {what} are for {name} of {made:.3g} arcmin. The cutouts have {own:.3g} "
                "arcmin. Take others, or train some on mocks of such cutouts (StateFits.train, "
                "train_state_networks)."
            )


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
    sample : `~szmass.clusters.ClusterSample`
        N clusters with cutouts of Compton-y and, for the band "X", counts of X-rays as the field
        ``"xray"``.
    mass : `~astropy.units.Quantity`
        M500c, which R500 is computed from, one per cluster.
    cosmology : str or `~astropy.cosmology.FLRW`
        For R500.
    noise : NoiseModel, optional
        Noise of the y-map; by default that of the cutouts.
    depth : float or array-like, optional
        Factor of its amplitude.
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
    mass, radius = _radii(sample, mass, cosmology)
    n, half = len(sample), _SIDE // 2
    table = Table({"log10_mass": np.log10(mass), "redshift": sample.redshift})
    flag, snr, stacks = np.zeros(n, int), {}, {}
    for band in bands:
        stacks[band] = sample.cutouts if band == "y" else _xrays(sample)
        snr[band] = _snr(band, stacks[band], radius, noise, depth, flag)
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
            level = _xray_level(image, self.good, (radius / pixel).to_value(u.one))
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


def _radii(sample, mass, cosmology):
    mass = as_floats(mass, u.solMass, "mass")
    return mass, theta500(mass * u.solMass, sample.redshift, cosmology=cosmology)


def _snr(band, stack, radius, noise, depth, flag):
    """Signal over noise in a band, and flags where there is none."""
    if stack is None:
        flag |= StateFlag.NO_XRAY
        return np.full(len(radius), np.nan)
    return _y_snr(stack, radius, noise, depth) if band == "y" else _xray_snr(stack, radius)


def _y_snr(stack, radius, noise, depth):
    noise = stack.noise if noise is None else noise
    if noise is None:
        raise InvalidInputError(
            "The noise of the cutouts' map is not known, and the result depends on it. Say it with "
            "noise=..., to the estimator or when the map is opened: 'planck' for the Planck "
            "y-maps, or a NoiseModel, for instance "
            "NoiseModel.from_empty_fields(ymap, exclude=sample.coord, radius='30 arcmin')."
        )
    found = aperture_photometry(stack, 1.0, angular_scale=radius, noise=noise, depth=depth)
    y, err = (np.asarray(found[name].value, float) for name in ("y", "y_err"))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isfinite(y) & (err > 0), y / err, np.nan)


def _xrays(sample):
    """X-ray images in the order of clusters, also where one was put into the dict by hand."""
    stack = sample.fields.get("xray")
    if stack is None:
        return None
    if len(check_kind(stack, "FieldStack", "fields['xray']")) != len(sample):
        raise InvalidInputError(
            f"'fields' must hold an image per cluster ({len(sample)}). Received: {len(stack)} of "
            "'xray'"
        )
    return stack[cutout_rows(stack, sample.names, sample.coord)]


def _xray_snr(stack, radius):
    """Counts in R500 above those of a ring around it, over the root of all counts in R500."""
    sizes = (radius / stack.geometry.pixel_scale).to_value(u.one)
    result = np.full(len(stack), np.nan)
    for i, size in enumerate(sizes):
        image = np.asarray(stack.data[i], float)
        good, far = np.isfinite(image), _distances(image.shape)
        inside, level = good & (far < size), _xray_level(image, good, size)
        if inside.any() and np.isfinite(level):
            total = image[inside].sum()
            net = total - level * inside.sum()
            result[i] = net / np.sqrt(total) if total > 0 else 0.0
    return result


def _xray_level(image, good, size):
    """Mean of the ring of the background about the middle; NaN without any."""
    far = _distances(image.shape)
    ring = good & (far > XRAY_RING[0] * size) & (far < XRAY_RING[1] * size)
    return image[ring].mean() if ring.any() else np.nan


@functools.lru_cache(maxsize=8)
def _distances(shape):
    """Distances of pixels from the middle."""
    row, column = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(row - (shape[0] - 1) / 2, column - (shape[1] - 1) / 2)
