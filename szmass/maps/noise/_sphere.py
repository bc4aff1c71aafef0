"""Pseudo-spectrum and local amplitude of the noise in HEALPix maps."""

import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.maps.frames import lonlat
from szmass.maps.noise._spectra import SphereCoupling, band_edges
from szmass.maps.noise.depth import DepthMap

__all__ = ["measure"]

_PIECE = 2**22
# Bands are at least this wide.
_NARROWEST = 6.0
# A pixel of the depth map needs so much of its area.
_COVERED = 0.25


def measure(first, second, mask, discs, taper, edges, limit, depth_nside):
    """Measure the pseudo-spectrum of a map, or of half the difference of two.

    Parameters
    ----------
    first, second : ComptonMap
        HEALPix maps of one kind; ``second`` may be None.
    mask : ndarray of bool or None
        True for pixels that are not to be used, in the maps' ordering.
    discs : (SkyCoord, ndarray) or None
        Positions and radii [rad] around which pixels are not to be used.
    taper : float
        Width of soft edges [rad].
    edges : ndarray or None
        Edges of the bands.
    limit : float
        Last multipole, if the edges are not given.
    depth_nside : int or None
        Resolution of the depth map.

    Returns
    -------
    coupling : SphereCoupling
        What the window does.
    measured : ndarray
        Pseudo-spectrum per band [sr].
    depth : DepthMap or None
        Local amplitude; its mean square over the window is 1.
    """
    import healpy

    data = _ring_values(first)
    if second is not None:
        data -= _ring_values(second)
        data /= 2
    used = np.isfinite(data)
    if mask is not None:
        used &= ~_to_ring(first, mask)
    if discs is not None:
        lon, lat = lonlat(discs[0], first._pixels.frame)
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
        raise InvalidInputError(
            "No pixel is left to measure noise in. Mask less, or reduce 'apodisation' or 'radius'."
        )
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


def _to_ring(ymap, values):
    import healpy

    return (
        values if ymap.ordering == "ring" else healpy.reorder(values, n2r=True).astype(values.dtype)
    )


def _ring_values(ymap):
    """Values in RING ordering, NaN where there is none."""
    import healpy

    result = np.empty(ymap.shape[0])
    for start in range(0, len(result), _PIECE):
        pixels = np.arange(start, min(start + _PIECE, len(result)))
        own = pixels if ymap.ordering == "ring" else healpy.ring2nest(ymap.nside, pixels)
        result[pixels] = ymap._pixels.take(own)
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
    return DepthMap(values, ymap._pixels.frame)
