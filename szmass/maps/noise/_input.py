"""From maps or cutouts to the noise spectrum that they show: checks, windows, estimate."""

from functools import partial

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps.compton import ComptonMap
from szmass.maps.cutouts import CutoutStack
from szmass.maps.frames import same_frame
from szmass.maps.masks import apodise, check_discs, source_discs
from szmass.maps.noise import _sphere as _sphere_noise
from szmass.maps.noise._image_grid import grids_apart, image_discs, image_pixel
from szmass.maps.noise._power import beam_power
from szmass.maps.noise._spectra import FlatCoupling, band_edges, solve_bands

__all__ = ["estimate_spectrum"]

# The beam leaves less than this part of the power beyond the last band.
_BEAM_LIMIT = 1e-6
# Two images are on one grid if no pixel is farther from its twin than this [pixels].
_SAME_PIXEL = 0.01
# No y comes near this.
_LARGEST = 1e30
# Nodes of the table that describes the estimate.
_NODES = 256


def estimate_spectrum(
    first,
    second,
    *,
    mask=None,
    exclude=None,
    radius=None,
    apodisation="30 arcmin",
    bands=None,
    depth_nside=None,
):
    """Measure the noise in two splits, or in one map of empty fields.

    Parameters
    ----------
    first, second : ComptonMap or CutoutStack
        The splits; ``second`` is None for empty fields.
    mask, exclude, radius, apodisation, bands, depth_nside
        As in the constructors of `NoiseModel`.

    Returns
    -------
    dict
        Arguments of `NoiseModel`.
    """
    splits = [("ymap", first)] if second is None else [("first", first), ("second", second)]
    for name, value in splits:
        if not isinstance(value, ComptonMap | CutoutStack):
            raise InvalidInputError(
                f"'{name}' must be a ComptonMap or a CutoutStack. Received: {type(value).__name__}"
            )
    if (exclude is None) != (radius is None):
        raise InvalidInputError("'exclude' and 'radius' go together: give both or none.")
    discs = None if exclude is None else check_discs(exclude, radius)
    taper = as_floats(apodisation, u.rad, "apodisation", finite=True)
    if taper.ndim or taper < 0:
        raise InvalidInputError(f"'apodisation' must be one angle >= 0. Received: {apodisation!r}")
    if second is not None:
        _check_pair(first, second)
    stack = isinstance(first, CutoutStack)
    mask = _check_mask(first, mask, stack)
    whole_sky = not stack and first.nside is not None
    if depth_nside is not None and not whole_sky:
        raise InvalidInputError("'depth_nside' is for HEALPix maps. Leave it out here.")
    edges, depth = _check_edges(bands), None
    if whole_sky:
        # HEALPix transforms lose a few percent of the power beyond.
        limit = min(_beam_limit(first), 2 * first.nside)
        coupling, measured, depth = _sphere_noise.measure(
            first, second, mask, discs, float(taper), edges, limit, depth_nside
        )
    else:
        if stack:
            fields = _stack_fields(first, second, discs)
        else:
            fields = _image_fields(first, second, mask, discs)
        coupling, measured = _measure(
            *fields, float(taper), edges, _beam_limit(first), second is None
        )
    table, found = _tabulate(coupling, measured, first.beam, second is None)
    source = "empty fields" if second is None else "half difference"
    return {**table, "beam": first.beam, "depth": depth, "meta": {"source": source, "bands": found}}


def _beam_limit(maps):
    if maps.beam is None:
        return np.inf
    return np.sqrt(-np.log(_BEAM_LIMIT) * 8 * np.log(2)) / maps.beam.to_value(u.rad)


def _check_edges(bands):
    if bands is None:
        return None
    edges = as_floats(bands, "", "bands", finite=True)
    if edges.ndim != 1 or edges.size < 3 or np.any(np.diff(edges) <= 0) or edges[0] < 0:
        raise InvalidInputError(f"'bands' must be 3 or more increasing edges. Received: {bands!r}")
    return edges


def _check_mask(maps, mask, stack):
    if mask is None:
        return None
    if stack:
        raise InvalidInputError("Cutouts carry their masks: use apply_mask instead of 'mask'.")
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != maps.shape:
        expected = "" if maps.nside is None else f" (nside {maps.nside})"
        raise InvalidInputError(
            f"'mask' must be bool, of the shape of the map, {maps.shape}{expected}. Received: "
            f"{mask.dtype}, shape {mask.shape}"
        )
    return mask


def _check_pair(first, second):
    def refuse(what, one, other):
        raise InvalidInputError(
            f"The two maps cannot be subtracted pixel by pixel: {what} of 'first' is {one}, that "
            f"of 'second' is {other}. Take both from one release, on the same pixels."
        )

    if type(first) is not type(second):
        refuse("the type", type(first).__name__, type(second).__name__)
    if first.beam != second.beam:
        refuse("the beam", first.beam, second.beam)
    if isinstance(first, CutoutStack):
        for name in ("geometry", "interpolation"):
            if getattr(first, name) != getattr(second, name):
                refuse(f"the {name}", getattr(first, name), getattr(second, name))
        if len(first) != len(second):
            refuse("the number", len(first), len(second))
        if np.nanmax(first.coord.separation(second.coord).arcsec, initial=0) > 0.01:
            refuse("a position", "one", "another")
    elif (first.nside, first.ordering) != (second.nside, second.ordering):
        refuse("the pixelisation", _pixelisation(first), _pixelisation(second))
    elif first.nside is not None:
        if not same_frame(first._pixels.frame, second._pixels.frame):
            refuse("the frame", first.frame, second.frame)
    elif first.shape != second.shape:
        refuse("the shape", first.shape, second.shape)
    else:
        apart = grids_apart(first, second)
        if not apart < _SAME_PIXEL:
            one, other = ("/".join(map(str, m.wcs.wcs.ctype)) for m in (first, second))
            refuse("the grid", one, f"{other}, where pixels are up to {apart:.3g} pixels away")


def _pixelisation(maps):
    return "an image" if maps.nside is None else f"nside {maps.nside} {maps.ordering}"


def _stack_fields(first, second, discs):
    """Data, usable pixels, and pixel side [rad] of cutouts."""
    if first.geometry.relative:
        raise InvalidInputError(
            "The pixels of these cutouts differ in size (a geometry in units of an angle per "
            "position): take cutouts with a pixel_scale in arcmin."
        )
    used = first.footprint.copy()
    data = first.data.astype(float)
    if second is not None:
        used &= second.footprint
        data = (data - second.data) / 2
    if discs is not None:
        used &= ~source_discs(first, discs[0], discs[1] * u.rad)
    return data, used, first.geometry.pixel_scale.to_value(u.rad)


def _image_values(ymap):
    data = np.array(ymap._pixels.data, float)
    # NaN and the UNSEEN of HEALPix tools, which images made from such maps may have.
    used = np.abs(data) < _LARGEST
    if ymap._pixels.mask is not None:
        used &= ~ymap._pixels.mask
    return data, used


def _image_fields(first, second, mask, discs):
    """Data, usable pixels, and pixel side [rad] of an image."""
    data, used = _image_values(first)
    if second is not None:
        other, also = _image_values(second)
        data, used = (data - other) / 2, used & also
    if mask is not None:
        used &= ~mask
    pixel = image_pixel(first)
    if discs is not None:
        used &= ~image_discs(first, *discs, pixel)
    return data[np.newaxis], used[np.newaxis], pixel


def _measure(data, used, pixel, taper, edges, limit, subtract):
    """Pseudo-spectrum of flat fields."""
    kept = used.any(axis=(1, 2))
    windows = apodise(used[kept], taper * u.rad, pixel_scale=pixel * u.rad)
    if not windows.any():
        raise InvalidInputError(
            "No pixel is left to measure noise in. Mask less, or reduce 'apodisation' or 'radius'."
        )
    data = np.where(used[kept], data[kept], 0.0)
    if subtract:
        sums = np.maximum(windows.sum(axis=(1, 2)), 1e-300)
        data -= (np.sum(data * windows, axis=(1, 2)) / sums)[:, np.newaxis, np.newaxis]
    shape = data.shape[1:]
    if edges is None:
        edges = band_edges(2 * np.pi / (min(shape) * pixel), min(limit, 0.8 * np.pi / pixel))
    coupling = FlatCoupling(windows, shape, pixel, edges)
    return coupling, coupling.measure(d * w for d, w in zip(data, windows, strict=True))


def _tabulate(coupling, measured, beam, subtracted):
    """Solve for the bands, and give the table of a NoiseModel and what each band is."""
    guess = np.ones_like if beam is None else partial(beam_power, beam=beam)
    shape, factor = solve_bands(coupling, measured, guess)
    assumed = shape(coupling.ell)
    centers, mean = coupling.mean(coupling.ell), coupling.mean(assumed)
    error = coupling.relative_error(assumed)
    # The subtraction of the mean takes power from the lowest band.
    start = int(subtracted)
    good = factor > 0
    good[:start] = False
    if np.count_nonzero(good) < 2:
        raise InvalidInputError(
            "The difference of the maps shows no noise: are they copies of one map?"
            if not subtracted
            else "The empty fields show no noise. Received: a constant map?"
        )
    top = coupling.edges[-1] if good[-1] else centers[good][-1]
    ell = np.geomspace(centers[good][0], top, _NODES)
    factors = np.interp(np.log(ell), np.log(centers[good]), factor[good])
    found = {
        "edges": coupling.edges[start:].tolist(),
        "spectrum": (factor * mean)[start:].tolist(),
        "relative_error": error[start:].tolist(),
    }
    return {"ell": ell, "spectrum": factors * shape(ell) * u.sr}, found
