"""X-ray images from elsewhere, on the grid of the cutouts of their clusters."""

from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.wcs.utils import pixel_to_pixel

from szmass._utils.kinds import check_kind
from szmass._utils.names import rows_by_name
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.morphology._images import Images
from szmass.simulations import FieldStack

__all__ = ["read_xray_images"]

# Least part of a pixel that the image must cover, and parts of its pixels in one of ours.
_LEAST, _PARTS = 0.5, 2


def read_xray_images(images, sample, geometry, *, exposure=None, background=None):
    """Bring X-ray images of clusters onto the grid of their cutouts.

    Counts of a pixel go where it lies, in parts where it is not much smaller than those of the
    grid, and are normalised by the area that they are from.

    Parameters
    ----------
    images : dict of str to path-like or `~astropy.nddata.NDData`
        Counts by the name of the cluster: FITS images with a celestial WCS and square pixels.
    sample : `~szmass.clusters.ClusterSample`
        N clusters; those without an image get one without valid pixels.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid, that of the cutouts of the estimator.
    exposure : dict of str to path-like or array-like, optional
        Exposure maps by the name of the cluster, in any unit, on the pixels of its image. Counts
        become those that the longest exposure of the image would have; pixels without any are bad.
    background : float or dict of str to path-like or array-like, optional
        Background in counts of a pixel of the image, of all or by the name of the cluster. How it
        differs from its mean is subtracted before exposures are divided by; the mean is left to
        the ring about the cluster, and to the noise.

    Returns
    -------
    FieldStack
        Counts, for ``sample.fields["xray"]``.

    Raises
    ------
    InvalidInputError
        A name is none of the sample, an image has no WCS or negative values, or a map has another
        shape.
    FileFormatError
        A file is damaged, or holds no image.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.maps import CutoutGeometry
    >>> from szmass.morphology import read_xray_images
    >>> from szmass.simulations import from_masses, simulate
    >>> grid = CutoutGeometry((30, 30), 1 * u.arcmin)
    >>> clusters = from_masses([8e14] * u.solMass, [0.1], seed=1)
    >>> empty = read_xray_images({}, clusters, grid)
    >>> empty.data.shape, str(empty.unit)
    ((1, 30, 30), 'ct')
    """
    check_kind(geometry, "CutoutGeometry", "geometry")
    by_name = {
        "images": _rows(images, sample, "images"),
        "exposure": _rows(exposure or {}, sample, "exposure"),
    }
    if background is not None and not isinstance(background, Mapping):
        level = float(as_floats(background, "", "background", finite=True))
        background = dict.fromkeys(images, level)
    by_name["background"] = _rows(background or {}, sample, "background")
    known = np.isfinite(sample.coord.spherical.lon) & np.isfinite(sample.coord.spherical.lat)
    data = np.full((len(sample), *geometry.shape), np.nan, np.float32)
    for row, image in by_name["images"].items():
        if not known[row]:
            continue
        data[row] = _on_grid(
            image, sample.coord[row], geometry, str(sample.names[row]),
            by_name["exposure"].get(row), by_name["background"].get(row),
        )  # fmt: skip
    return FieldStack("xray", data, u.ct, sample.coord, geometry=geometry, names=sample.names)


def _rows(values, sample, name):
    """Values by row of the sample, from a dict by name."""
    if not isinstance(values, Mapping):
        raise InvalidInputError(
            f"'{name}' must be a dict by the names of clusters. Received: {values!r:.80}"
        )
    rows = rows_by_name(list(map(str, values)), sample.names)
    if np.any(rows < 0):
        lost = list(values)[int(np.argmin(rows))]
        raise InvalidInputError(f"'{name}' has {lost!r}, which is no cluster of the sample.")
    return dict(zip(rows.tolist(), values.values(), strict=True))


def _on_grid(image, coord, geometry, name, exposure, background):
    """Counts of one image in the pixels of the grid about a position, NaN where it has none."""
    given = Images(image, pixel_scale=None, mask=None, background=background, exposure=exposure)
    counts, background, exposure, good = given.row(0)
    wcs, grid = given.wcs(0), geometry.wcs(coord)
    if wcs is None or given.n > 1:
        raise InvalidInputError(f"The X-ray image of {name!r} must be one with a celestial WCS.")
    if np.any(counts[good] < 0):
        raise InvalidInputError(
            f"The X-ray image of {name!r} must hold counts, and has negative values. Give it as it "
            "was before the background was subtracted."
        )
    if background is not None:
        background = np.broadcast_to(background, counts.shape)
        counts = counts - background + background[good].mean()
    if exposure is not None:
        exposure = np.broadcast_to(exposure, counts.shape)
        counts = np.divide(counts, exposure, out=np.zeros_like(counts), where=good)
        counts *= exposure[good].max() if good.any() else 1.0
    ratio = given.pixel[0] / geometry.pixel_scale.to_value(u.rad)
    parts = max(1, int(np.ceil(_PARTS * ratio)))
    near = _near(wcs, grid, geometry.shape, counts.shape)
    counts, good = counts[near], good[near]
    row, column = (
        (np.arange(number * parts) + 0.5) / parts - 0.5 + axis.start
        for number, axis in zip(counts.shape, near, strict=True)
    )
    x, y = pixel_to_pixel(wcs, grid, *np.meshgrid(column, row))
    counts, good = (np.repeat(np.repeat(a, parts, 0), parts, 1) for a in (counts, good))
    ny, nx = geometry.shape
    with np.errstate(invalid="ignore"):
        inside = good & (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    pixels = np.rint(y[inside]).astype(int) * nx + np.rint(x[inside]).astype(int)
    area = np.bincount(pixels, minlength=ny * nx) * (ratio / parts) ** 2
    total = np.bincount(pixels, counts[inside], minlength=ny * nx) / parts**2
    total = np.divide(total, area, out=np.full(ny * nx, np.nan), where=area > _LEAST)
    return total.reshape(ny, nx)


def _near(wcs, grid, shape, own):
    """Slices (rows, columns) of an image that hold the grid."""
    ny, nx = shape
    x, y = np.meshgrid(np.linspace(-1, nx, 9), np.linspace(-1, ny, 9))
    found = pixel_to_pixel(grid, wcs, x.ravel(), y.ravel())
    slices = []
    for places, number in zip(found[::-1], own, strict=True):
        if not np.isfinite(places).all():  # beyond its projection
            slices.append(slice(0, number))
            continue
        low, high = np.floor(places.min()) - 1, np.ceil(places.max()) + 2
        start = int(np.clip(low, 0, number))
        slices.append(slice(start, int(np.clip(high, start, number))))
    return tuple(slices)
