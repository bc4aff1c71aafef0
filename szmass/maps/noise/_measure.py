"""Noise measured in maps or cutouts: checks of the input, windows, pseudo-spectra, local depth."""

from functools import partial

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._discs import check_discs, soft_edges, stack_discs
from szmass.maps.frames import lonlat, same_frame
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.noise._power import beam_power
from szmass.maps.noise._spectra import FlatCoupling, SphereCoupling, band_edges, solve_bands
from szmass.maps.noise.depth import DepthMap

# The beam leaves less than this part of the power beyond the last band.
_BEAM_LIMIT = 1e-6
# Two images are on one grid if no pixel is farther from its twin than this [pixels].
_SAME_PIXEL = 0.01
# Nodes of the table that describes the estimate.
_NODES = 256
# Width of soft edges in units of the beam, and where the beam is not known.
_TAPER, _WIDEST_TAPER = 3.0, 30 * u.arcmin
# HEALPix pixels at a time.
_PIECE = 2**22
# Bands on the sphere are at least this wide.
_NARROWEST = 6.0
# A pixel of the depth map needs so much of its area.
_COVERED = 0.25
# Sides of pixels may differ by this factor over an image that is treated as flat.
_FLATNESS = 1.25
# Fields of an image that is not flat: pixels along each side, and the least part that is there.
_FIELD, _LEAST = 256, 0.3
_NOTHING_LEFT = (
    "No pixel is left to measure noise in. Mask less, or reduce 'apodisation' or 'radius'."
)


def estimate_spectrum(
    first,
    second,
    *,
    mask=None,
    exclude=None,
    radius=None,
    apodisation=None,
    bands=None,
    depth_nside=None,
    fields=None,
):
    """Arguments of the `NoiseModel` of two splits, or of empty fields (``second`` None)."""
    splits = [("ymap", first)] if second is None else [("first", first), ("second", second)]
    for name, value in splits:
        # By what they have: maps and cutouts know the noise model, which cannot know them.
        if not (_is_stack(value) or (hasattr(value, "nside") and hasattr(value, "cutouts"))):
            raise InvalidInputError(
                f"'{name}' must be a ComptonMap or a CutoutStack. Received: {type(value).__name__}"
            )
    if (exclude is None) != (radius is None):
        raise InvalidInputError("'exclude' and 'radius' go together: give both or none.")
    discs = None if exclude is None else check_discs(exclude, radius)
    taper = _check_taper(apodisation, first.beam)
    if second is not None:
        _check_pair(first, second)
    stack = _is_stack(first)
    mask = _check_mask(first, mask, stack)
    if fields is not None and (stack or first.nside is not None):
        raise InvalidInputError("'fields' is for images: leave it out for other maps.")
    if fields is not None:
        first, stack, mask = _fields_of(first, fields, mask, taper), True, None
    whole_sky = not stack and first.nside is not None
    if depth_nside is not None and not whole_sky:
        raise InvalidInputError("'depth_nside' is for HEALPix maps. Leave it out here.")
    edges, depth = _check_edges(bands), None
    if whole_sky:
        # HEALPix transforms lose a few percent of the power beyond.
        limit = min(_beam_limit(first), 2 * first.nside)
        coupling, measured, depth = _measure_sphere(
            first, second, mask, discs, taper, edges, limit, depth_nside
        )
    else:
        pick = _stack_fields if stack else partial(_image_fields, mask=mask)
        coupling, measured = _measure_flat(
            *pick(first, second, discs), taper, edges, _beam_limit(first), second is None
        )
    table, found = _tabulate(coupling, measured, first.beam, second is None)
    if stack and (smeared := first.sampling.windows(first.geometry.pixel_scale).noise):
        # What interpolation took from the noise of the map it takes again from what is weighed.
        table["spectrum"] *= np.exp(table["ell"] ** 2 * smeared * u.arcmin.to(u.rad) ** 2)
    source = "empty fields" if second is None else "half difference"
    return {**table, "beam": first.beam, "depth": depth, "meta": {"source": source, "bands": found}}


def _is_stack(value):
    return hasattr(value, "footprint") and hasattr(value, "names")


def _check_taper(apodisation, beam):
    """Width of soft edges [rad]."""
    if apodisation is None:
        apodisation = _WIDEST_TAPER if beam is None else _TAPER * beam
    taper = as_floats(apodisation, u.rad, "apodisation", finite=True)
    if taper.ndim or taper < 0:
        raise InvalidInputError(f"'apodisation' must be one angle >= 0. Received: {apodisation!r}")
    return float(taper)


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
    if _is_stack(first):
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
        if not same_frame(first.celestial_frame, second.celestial_frame):
            refuse("the frame", first.frame, second.frame)
    elif first.shape != second.shape:
        refuse("the shape", first.shape, second.shape)
    else:
        apart = _grids_apart(first, second)
        if not apart < _SAME_PIXEL:
            one, other = ("/".join(map(str, m.wcs.wcs.ctype)) for m in (first, second))
            refuse("the grid", one, f"{other}, where pixels are up to {apart:.3g} pixels away")


def _pixelisation(maps):
    return "an image" if maps.nside is None else f"nside {maps.nside} {maps.ordering}"


def _stack_fields(first, second, discs):
    """Data, usable pixels, and pixel side [rad] of cutouts."""
    pixel = first.geometry.pixel_side()
    used = first.footprint.copy()
    data = first.data.astype(float)
    if second is not None:
        used &= second.footprint
        data = (data - second.data) / 2
    if discs is not None:
        used &= ~stack_discs(first, *discs)
    return data, used, pixel


def _image_fields(first, second, discs, mask):
    """Data, usable pixels, and pixel side [rad] of an image."""
    data = first.values()
    if second is not None:
        data = (data - second.values()) / 2
    used = np.isfinite(data)
    if mask is not None:
        used &= ~mask
    pixel = _image_pixel(first)
    if discs is not None:
        used &= ~_image_discs(first, *discs, pixel)
    return data[np.newaxis], used[np.newaxis], pixel


def _fields_of(ymap, number, mask, taper):
    """Cutouts with the map's own pixel size, about evenly spread over an image."""
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise InvalidInputError(f"'fields' must be a whole number >= 1. Received: {number!r}")
    if mask is not None:
        raise InvalidInputError("Give the mask when the map is opened, or leave 'fields' out.")
    ny, nx = ymap.shape
    y, x = np.meshgrid(*(np.linspace(0.02, 0.98, 48) * (n - 1) for n in (ny, nx)))
    coord = ymap.pixel_to_world(x.ravel(), y.ravel())
    coord = coord[np.isfinite(lonlat(coord, ymap.celestial_frame)).all(axis=0)]
    side = max(min(_FIELD, ny, nx), int(4 * taper / ymap.pixel_side.to_value(u.rad)))
    geometry, fields = CutoutGeometry((side, side), ymap.pixel_side), []
    # Golden steps through the grid meet all parts of the map in any number of tries.
    order = np.argsort(np.arange(len(coord)) * 0.6180339887 % 1)
    for start in range(0, len(order), 16):
        some = ymap.cutouts(coord[order[start : start + 16]], geometry=geometry)
        fields += some[some.footprint.mean(axis=(1, 2)) > _LEAST]
        if len(fields) >= number:
            return type(some).from_cutouts(fields[:number])
    if not fields:
        raise InvalidInputError("No part of the map is large enough to measure noise in.")
    return type(some).from_cutouts(fields)


def _measure_flat(data, used, pixel, taper, edges, limit, subtract):
    """Pseudo-spectrum of flat fields."""
    kept = used.any(axis=(1, 2))
    windows = soft_edges(used[kept], taper / pixel)
    if not windows.any():
        raise InvalidInputError(_NOTHING_LEFT)
    data = np.where(used[kept], data[kept], 0.0)
    if subtract:
        sums = np.maximum(windows.sum(axis=(1, 2)), 1e-300)
        data -= (np.sum(data * windows, axis=(1, 2)) / sums)[:, np.newaxis, np.newaxis]
    shape = data.shape[1:]
    if edges is None:
        edges = band_edges(2 * np.pi / (min(shape) * pixel), min(limit, 0.8 * np.pi / pixel))
    coupling = FlatCoupling(windows, shape, pixel, edges)
    return coupling, coupling.measure(d * w for d, w in zip(data, windows, strict=True))


def _measure_sphere(first, second, mask, discs, taper, edges, limit, depth_nside):
    """Coupling, pseudo-spectrum, local amplitude (mean square 1) of a map or half a difference."""
    import healpy

    data = _ring_values(first)
    if second is not None:
        data -= _ring_values(second)
        data /= 2
    used = np.isfinite(data)
    if mask is not None:
        nested = first.ordering == "nested"
        used &= ~(healpy.reorder(mask, n2r=True).astype(bool) if nested else mask)
    if discs is not None:
        lon, lat = lonlat(discs[0], first.celestial_frame)
        for vector, radius in zip(healpy.ang2vec(np.pi / 2 - lat, lon), discs[1], strict=True):
            used[healpy.query_disc(first.nside, vector, radius)] = False
    window = used.astype(float)
    if taper > 0 and not used.all():
        # Half of a smoothed edge lies inside the mask; what is left falls to 0 at the edge.
        # Beyond six times 1 / sigma the smoothed mask has nothing.
        ell_max = min(int(6 * np.sqrt(8 * np.log(2)) / taper) + 8, 3 * first.nside - 1)
        smooth = healpy.smoothing(window, fwhm=taper, lmax=ell_max, iter=0)
        window *= np.clip(2 * smooth - 1, 0, 1)
    weight = np.sum(window)
    if not weight > 0:
        raise InvalidInputError(_NOTHING_LEFT)
    data[~used] = 0
    if second is None:
        data -= np.sum(data * window) / weight
    pixel = 4 * np.pi / len(data)
    area = pixel * np.sum(window**2) ** 2 / np.sum(window**4)
    if edges is None:
        edges = band_edges(max(2 * np.pi / np.sqrt(area), _NARROWEST), limit)
    elif edges[-1] > 3 * first.nside - 1:
        raise InvalidInputError(
            f"'bands' must end at or below 3 nside - 1 = {3 * first.nside - 1}. "
            f"Received: {edges[-1]:g}"
        )
    depth = None
    if depth_nside is not None:
        depth = _local_amplitude(data, window, depth_nside, first)
    ell_max = int(np.ceil(edges[-1]))
    seen = healpy.anafast(window, lmax=min(2 * ell_max, 3 * first.nside - 1), iter=0, pol=False)
    coupling = SphereCoupling(seen, area, edges)
    data *= window
    pseudo = healpy.anafast(data, lmax=ell_max, iter=1, pol=False)
    return coupling, coupling.measure(pseudo), depth


def _ring_values(ymap):
    """Values in RING ordering, NaN where there is none."""
    import healpy

    result = np.empty(ymap.shape[0])
    for start in range(0, len(result), _PIECE):
        pixels = np.arange(start, min(start + _PIECE, len(result)))
        own = pixels if ymap.ordering == "ring" else healpy.ring2nest(ymap.nside, pixels)
        result[pixels] = ymap.values(own)
    return result


def _local_amplitude(data, window, nside, ymap):
    import healpy

    if not isinstance(nside, int | np.integer) or not 1 <= nside < ymap.nside:
        raise InvalidInputError(
            f"'depth_nside' must be a whole number below the map's nside, {ymap.nside}. "
            f"Received: {nside!r}"
        )
    if not (healpy.isnsideok(nside, nest=True) and healpy.isnsideok(ymap.nside, nest=True)):
        raise InvalidInputError(
            "'depth_nside' and the map's nside must be powers of two. Received: "
            f"{nside} and {ymap.nside}"
        )
    power = np.zeros(12 * nside**2)
    cover = np.zeros(12 * nside**2)
    share = (ymap.nside // nside) ** 2
    for start in range(0, len(data), _PIECE):
        pixels = np.arange(start, min(start + _PIECE, len(data)))
        parent = healpy.nest2ring(nside, healpy.ring2nest(ymap.nside, pixels) // share)
        power += np.bincount(parent, window[pixels] * data[pixels] ** 2, len(power))
        cover += np.bincount(parent, window[pixels], len(power))
    mean = np.sum(window**2 * data**2) / np.sum(window**2)
    known = cover > _COVERED * share
    if not known.any():
        raise InvalidInputError(
            f"No pixel of nside {nside} is covered well enough for a depth: raise 'depth_nside'."
        )
    values = np.full(len(power), np.nan)
    values[known] = np.sqrt(power[known] / cover[known] / mean)
    return DepthMap(values, ymap.celestial_frame)


def _vectors(ymap, x, y):
    """Unit vectors of pixel positions in the map's frame, last axis 3; NaN off the sky."""
    coord = ymap.pixel_to_world(x, y)
    return np.moveaxis(coord.cartesian.xyz.value, 0, -1)


def _image_pixel(ymap):
    """Side [rad] of the pixels of an image, which must be about the same everywhere."""
    rows, columns = (np.linspace(0, n - 1, 9) for n in ymap.shape)
    x, y = np.meshgrid(columns, rows)
    here = _vectors(ymap, x, y)
    sides = [
        np.linalg.norm(_vectors(ymap, x + dx, y + dy) - here, axis=-1)
        for dx, dy in ((1, 0), (0, 1))
    ]
    if not np.nanmax(sides) < _FLATNESS * np.nanmin(sides):
        low, high = (np.degrees(side(sides)) * 60 for side in (np.nanmin, np.nanmax))
        raise InvalidInputError(
            f"The sides of the image's pixels run from {low:.3g} to {high:.3g} arcmin: it is too "
            "large, or its pixels are not square enough, to be treated as flat. Take cutouts of "
            "it and pass those."
        )
    return float(np.sqrt(np.nanmean(sides[0] * sides[1])))


def _grids_apart(first, second):
    """How far pixels of one number are apart at most in two images of one shape [pixels]."""
    rows, columns = (np.linspace(0, n - 1, 9) for n in first.shape)
    x, y = np.meshgrid(columns, rows)
    one, other = (ymap.pixel_to_world(x, y) for ymap in (first, second))
    step = first.pixel_to_world(x + 1, y).separation(one)
    known = np.isfinite(step)
    if not known.any():
        return np.inf
    return float(np.nanmax((one.separation(other) / step).to_value("")[known]))


def _image_discs(ymap, positions, radius, pixel):
    """Which pixels (of a side [rad]) of an image are in discs of radii [rad]."""
    inside = np.zeros(ymap.shape, bool)
    x, y = ymap.world_to_pixel(SkyCoord(positions))
    centers = np.moveaxis(positions.transform_to(ymap.celestial_frame).cartesian.xyz.value, 0, -1)
    for i, limit in enumerate(radius):
        if not np.isfinite(x[i] + y[i]):
            continue
        reach = _FLATNESS**2 * limit / pixel + 2
        low = [int(max(np.floor(c - reach), 0)) for c in (y[i], x[i])]
        high = [int(min(c + reach + 1, n)) for c, n in zip((y[i], x[i]), ymap.shape, strict=True)]
        if low[0] >= high[0] or low[1] >= high[1]:
            continue
        box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
        columns, rows = np.meshgrid(np.arange(low[1], high[1]), np.arange(low[0], high[0]))
        offset = np.sum((_vectors(ymap, columns, rows) - centers[i]) ** 2, axis=-1)
        inside[box] |= offset <= 4 * np.sin(limit / 2) ** 2
    return inside


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
