"""Signal and noise of the images that states are told from, and which images they may be."""

import functools

import astropy.units as u
import numpy as np

from szmass._tables.samples import cutout_rows
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.exceptions import CardMismatchError, InvalidInputError
from szmass.maps import aperture_photometry
from szmass.morphology.flags import StateFlag
from szmass.physics.halos import theta500

#: Inner and outer radius [R500] of the ring that the background of X-rays is taken from.
XRAY_RING = (1.2, 1.5)
#: Below this signal over noise a band tells nothing.
TOLD_FROM = 1.0


def check_images(stack, what, beam_arcmin, pixel_arcmin):
    """Refuse images whose beam or pixels are not those that ``what`` is made for."""
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


def radii(sample, mass, cosmology):
    """Masses [Msun], and theta500 of them."""
    mass = as_floats(mass, u.solMass, "mass")
    return mass, theta500(mass * u.solMass, sample.redshift, cosmology=cosmology)


def signal_to_noise(band, stack, radius, noise, depth, flag):
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


def xrays(sample):
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
        inside, level = good & (far < size), xray_level(image, good, size)
        if inside.any() and np.isfinite(level):
            total = image[inside].sum()
            net = total - level * inside.sum()
            result[i] = net / np.sqrt(total) if total > 0 else 0.0
    return result


def xray_level(image, good, size):
    """Mean of the ring of the background about the middle; NaN without any."""
    far = _distances(image.shape)
    ring = good & (far > XRAY_RING[0] * size) & (far < XRAY_RING[1] * size)
    return image[ring].mean() if ring.any() else np.nan


@functools.lru_cache(maxsize=8)
def _distances(shape):
    """Distances of pixels from the middle."""
    row, column = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(row - (shape[0] - 1) / 2, column - (shape[1] - 1) / 2)
