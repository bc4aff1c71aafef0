"""Saliency of parts of a cutout: how log M changes when the light there is taken away."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np

from szmass._utils.progress import progress_bar
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import CutoutStack
from szmass.maps.geometry import CutoutGeometry

__all__ = ["SaliencyStack", "occlusion_map", "stack_saliency"]

_FILLS = ("zero", "round")
# Radii [pixels] between which the round part of a cutout is interpolated.
_RING = 1.0


def occlusion_map(predict, cutouts, *, patches=12, width=None, fill="zero", batch_size=1024):
    """Measure how log M changes when the light of a part of the cutout is taken away.

    The patches overlap and have soft edges (cos^2), since sharp ones would add small scales that no
    beam lets through, and that a network never saw. Together they cover every pixel of the cutout
    once: the map of a method that is linear in y adds up to what it makes of all the light.

    Parameters
    ----------
    predict : callable
        ``predict(maps, rows)`` gives log10 of the mass of maps, float32 of shape (B, ny, nx), of
        the clusters ``rows``, indices that say whose redshift and depth to take: shape (B,).
    cutouts : `~szmass.maps.CutoutStack`
        Complete cutouts.
    patches : int, optional
        Number of patches along a side.
    width : `~astropy.units.Quantity`, optional
        Side of the middle part of the cutout that is divided into patches; by default all of it.
        It is rounded to whole pixels; the outermost patches fade out beyond it.
    fill : {"zero", "round"}, optional
        What is put in: "zero" is the mean of the map, no signal and no noise, which shows
        what the light there adds to the mass. "round" is the mean of the cutout at that radius,
        which shows what departures from a round cluster do.
    batch_size : int, optional
        About how many maps are given to ``predict`` at a time.

    Returns
    -------
    `~szmass.maps.CutoutStack`
        log10 M of the cutout minus that without the patch [dex], shape (N, patches, patches), on
        the grid of the patches: positive where there is light that the mass was told from.

    Raises
    ------
    InvalidInputError
        A cutout is not complete, an argument is out of range, or ``predict`` gives something else
        than one number for each map.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from szmass.networks import occlusion_map
    >>> from szmass.simulations import from_masses, simulate
    >>> sample = simulate(from_masses([8e14] * u.solMass, 0.1), "clean", cosmology="PSZ2", seed=1)
    >>> def log_of_sum(maps, rows):
    ...     return np.log10(maps.sum(axis=(1, 2)))
    >>> saliency = occlusion_map(log_of_sum, sample.cutouts, patches=8)
    >>> saliency.data.shape, bool(saliency.data[0].max() == saliency.data[0, 3:5, 3:5].max() > 0.1)
    ((1, 8, 8), True)
    """
    if not isinstance(cutouts, CutoutStack) or not np.all(cutouts.complete):
        raise InvalidInputError(
            "'cutouts' must be a CutoutStack without missing pixels: take cutouts[cutouts.complete]"
            f", or inpaint them. Received: {cutouts!r}"
        )
    if fill not in _FILLS:
        raise InvalidInputError(f"'fill' must be one of {', '.join(_FILLS)}. Received: {fill!r}")
    windows, geometry = _windows(cutouts.geometry, patches, width)
    count = patches**2
    rounds = _RoundPart(cutouts.geometry.shape) if fill == "round" else None
    at_once = max(1, int(batch_size) // (count + 1))
    result = np.empty((len(cutouts), patches, patches))
    with progress_bar(total=len(cutouts), desc="saliency", unit="cluster") as bar:
        for start in range(0, len(cutouts), at_once):
            maps = np.asarray(cutouts.data[start : start + at_once], dtype=np.float32)
            light = maps if rounds is None else maps - rounds(maps)
            # The last of each cluster's maps is the whole one.
            changed = np.empty((len(maps), count + 1, *maps.shape[1:]), dtype=np.float32)
            changed[:, -1] = maps
            np.multiply(windows, light[:, np.newaxis], out=changed[:, :-1])
            np.subtract(maps[:, np.newaxis], changed[:, :-1], out=changed[:, :-1])
            rows = np.repeat(np.arange(start, start + len(maps)), count + 1)
            found = np.asarray(predict(changed.reshape(-1, *maps.shape[1:]), rows), dtype=float)
            if found.shape != rows.shape:
                raise InvalidInputError(
                    f"'predict' must give one number for each of the {len(rows)} maps. Received: "
                    f"shape {found.shape}"
                )
            found = found.reshape(len(maps), count + 1)
            change = found[:, -1:] - found[:, :-1]
            result[start : start + len(maps)] = change.reshape(-1, patches, patches)
            bar.update(len(maps))
    return CutoutStack(
        result,
        None,
        cutouts.coord,
        names=cutouts.names,
        geometry=geometry,
        meta={**cutouts.meta, "quantity": "change of log10 mass [dex]", "fill": fill},
    )


class _RoundPart:
    """The mean of maps at each radius about their middle."""

    def __init__(self, shape):
        y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
        radius = np.hypot(y[:, np.newaxis], x).ravel() / _RING
        inner = np.floor(radius).astype(int)
        self._hats = np.zeros((radius.size, inner.max() + 2), dtype=np.float32)
        pixel = np.arange(radius.size)
        self._hats[pixel, inner] = 1 - (radius - inner)
        self._hats[pixel, inner + 1] = radius - inner
        self._means = self._hats / np.maximum(self._hats.sum(axis=0), 1e-9)

    def __call__(self, maps):
        means = maps.reshape(len(maps), -1) @ self._means
        return (means @ self._hats.T).reshape(maps.shape)


def _windows(geometry, patches, width):
    """Weights (patches^2, ny, nx) that add up to 1 where patches are, and the grid of patches."""
    if not isinstance(patches, int | np.integer) or patches < 2:
        raise InvalidInputError(f"'patches' must be a number of at least 2. Received: {patches!r}")
    side = geometry.shape[0]
    if width is not None:
        if geometry.relative:
            raise InvalidInputError("'width' needs cutouts whose pixel_scale is an angle.")
        width = as_floats(width, u.arcmin, "width", positive=True, finite=True)
        side = round(float(width / geometry.pixel_scale.to_value(u.arcmin)))
    elif geometry.shape[0] != geometry.shape[1]:
        raise InvalidInputError(
            "Give the 'width' of a square in the cutouts, which are "
            f"{geometry.shape[0]} x {geometry.shape[1]} pixels."
        )
    if not patches <= side <= min(geometry.shape):
        raise InvalidInputError(
            f"'width' must hold {patches} patches of a pixel or more and lie in the cutout of "
            f"{geometry.shape[0]} x {geometry.shape[1]} pixels. Received: {side} pixels"
        )
    rows, columns = (_bumps(n, side, patches) for n in geometry.shape)
    windows = np.einsum("iy,jx->ijyx", rows, columns).reshape(-1, *geometry.shape)
    grid = CutoutGeometry(
        (patches, patches),
        pixel_scale=geometry.pixel_scale * (side / patches),
        frame=geometry.frame,
        rotation=geometry.rotation,
    )
    return windows.astype(np.float32), grid


def _bumps(n, side, patches):
    """Overlapping cos^2 along one axis (patches, n), which add up to 1 between them."""
    step = side / patches
    position = (np.arange(n) - (n - 1) / 2)[np.newaxis]
    middle = (np.arange(patches) - (patches - 1) / 2)[:, np.newaxis] * step
    distance = (position - middle) / step
    bumps = np.where(np.abs(distance) < 1, np.cos(0.5 * np.pi * distance) ** 2, 0.0)
    if side == n:
        # Beyond the outermost middles there are no others: whole to the edge of the cutout.
        for row, end in ((0, distance[0] < 0), (-1, distance[-1] > 0)):
            bumps[row, end] = 1.0
    return bumps


@dataclass(frozen=True)
class SaliencyStack:
    """Mean of the maps of several clusters.

    Parameters
    ----------
    image : ndarray
        Mean change of log10 M [dex] for the light of one patch, shape ``geometry.shape``; NaN where
        no map reaches.
    error : ndarray
        Its standard error from the scatter between clusters, NaN for fewer than two.
    number : ndarray of int
        How many maps reach there.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid of patches: in arcmin, or in units of theta500.
    """

    image: np.ndarray
    error: np.ndarray
    number: np.ndarray
    geometry: CutoutGeometry


def stack_saliency(saliency, *, theta500=None, patches=12, width=6.0):
    """Average the maps of several clusters.

    Parameters
    ----------
    saliency : `~szmass.maps.CutoutStack`
        From `occlusion_map`.
    theta500 : `~astropy.units.Quantity`, optional
        Angle of R500 of each cluster, shape (N,). The maps are scaled by it before they are
        averaged, as densities: the change of log M for the light of a patch in units of theta500.
        By default they are averaged patch by patch.
    patches : int, optional
        Number of patches along a side of the scaled map.
    width : float, optional
        Side of the scaled map in theta500.

    Returns
    -------
    SaliencyStack
        Mean and error.

    Raises
    ------
    InvalidInputError
        It is no map of saliency, or an argument is out of range.
    """
    if not isinstance(saliency, CutoutStack) or not len(saliency):
        raise InvalidInputError(
            f"'saliency' must be what occlusion_map gives. Received: {saliency!r}"
        )
    maps, geometry = np.asarray(saliency.data, dtype=float), saliency.geometry
    if theta500 is not None:
        theta = as_floats(theta500, u.arcmin, "theta500", positive=True, finite=True)
        if theta.shape != (len(maps),):
            raise InvalidInputError(
                f"'theta500' must have one entry per map ({len(maps)}). Received: {theta.shape}"
            )
        if not (isinstance(patches, int | np.integer) and patches >= 2 and 0 < width < np.inf):
            raise InvalidInputError(
                "'patches' must be a number of at least 2 and 'width' positive. Received: "
                f"{patches!r} and {width!r}"
            )
        scaled = CutoutGeometry((patches, patches), pixel_scale=width / patches)
        maps = _scaled(maps, geometry, theta, scaled)
        geometry = scaled
    there = np.isfinite(maps)
    number = there.sum(axis=0)
    image = np.where(there, maps, 0.0).sum(axis=0) / np.where(number, number, np.nan)
    square = np.where(there, maps - image, 0.0) ** 2
    several = np.where(number > 1, number, np.nan)
    error = np.sqrt(square.sum(axis=0) / (several - 1) / several)
    return SaliencyStack(image, error, number, geometry)


def _scaled(maps, geometry, theta, scaled):
    """Interpolate maps at the patches of a grid in units of theta [arcmin]."""
    from scipy.ndimage import map_coordinates

    if geometry.relative:
        raise InvalidInputError("'saliency' is in units of an angle already: omit 'theta500'.")
    pixel = geometry.pixel_scale.to_value(u.arcmin)
    result = []
    for image, angle in zip(maps, theta, strict=True):
        ratio = scaled.pixel_scale.value * angle / pixel
        axes = (
            (np.arange(n) - (n - 1) / 2) * ratio + (length - 1) / 2
            for n, length in zip(scaled.shape, image.shape, strict=True)
        )
        places = np.meshgrid(*axes, indexing="ij")
        part = map_coordinates(image, places, order=1, mode="constant", cval=np.nan)
        result.append(part * ratio**2)
    return np.array(result)
