"""Masked pixels of cutouts: how many, soft edges, point sources, other maps' masks, in-painting."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._checks import check_positions
from szmass.maps._inpainting import fill
from szmass.maps.compton import ComptonMap
from szmass.maps.cutouts import Cutout, CutoutStack
from szmass.maps.frames import lonlat

__all__ = ["apodise", "apply_mask", "inpaint", "mask_sources", "masked_fraction"]


def masked_fraction(footprint):
    """Give the fraction of pixels without a valid value.

    Parameters
    ----------
    footprint : CutoutStack or Cutout or array-like of bool
        Cutouts, or their footprints: True where there is a valid value.

    Returns
    -------
    `~numpy.ndarray` or float
        One number per cutout.

    Raises
    ------
    InvalidInputError
        The footprint is not an array of bool of two or three dimensions.
    """
    return 1 - _footprint(footprint).mean(axis=(-2, -1))


def apodise(footprint, width, *, pixel_scale=None):
    """Give weights that fall to 0 towards masked pixels and the edges of the image.

    The weight of a valid pixel at distance d from the nearest pixel that is masked or outside is
    [1 - cos(pi d / width)] / 2 for d < width, and 1 beyond.

    Parameters
    ----------
    footprint : CutoutStack or Cutout or array-like of bool
        Cutouts, or their footprints.
    width : `~astropy.units.Quantity` or str
        Width of the taper; 0 gives weights of 0 and 1.
    pixel_scale : `~astropy.units.Quantity` or str, optional
        Side of a pixel; cutouts have their own.

    Returns
    -------
    `~numpy.ndarray`
        Weights from 0 to 1, float64, of the shape of the footprint.

    Raises
    ------
    InvalidInputError
        There is no pixel scale, or it differs from cutout to cutout, or a value makes no sense.
    """
    from scipy.ndimage import distance_transform_edt

    pixel = _pixel_scale(footprint, pixel_scale)
    footprint = _footprint(footprint)
    width = float(as_floats(width, u.arcmin, "width", finite=True)) / pixel
    if width < 0:
        raise InvalidInputError(f"'width' must be >= 0. Received: {width * pixel:g} arcmin")
    weights = np.zeros(footprint.shape)
    last = last_weight = None
    for index in np.ndindex(footprint.shape[:-2]):
        image = footprint[index]
        # Most footprints of a stack are complete, and so the same.
        if last is None or not np.array_equal(image, last):
            distance = distance_transform_edt(np.pad(image, 1))[1:-1, 1:-1]
            depth = np.minimum(distance, width) / width if width > 0 else image
            last, last_weight = image, 0.5 * (1 - np.cos(np.pi * depth))
        weights[index] = last_weight
    return weights


def mask_sources(stack, sources, radius):
    """Mask discs around positions, such as point sources, in all cutouts that they reach into.

    Parameters
    ----------
    stack : CutoutStack
        Cutouts; they are not changed.
    sources : `~astropy.coordinates.SkyCoord`
        Positions of the sources, in any frame.
    radius : `~astropy.units.Quantity` or str
        Radius of the discs: one angle, or one per source.

    Returns
    -------
    CutoutStack
        With NaN, and footprint False, where the centre of a pixel is in a disc.

    Raises
    ------
    InvalidInputError
        An argument has the wrong type or length, or a position is not known.
    """
    _check_stack(stack)
    return _with_footprint(stack, stack.footprint & ~source_discs(stack, sources, radius))


def source_discs(stack, sources, radius):
    """Tell which pixels of cutouts are in discs around sources."""
    from scipy.spatial import cKDTree

    sources, radius = check_discs(sources, radius)
    geometry = stack.geometry
    inside = np.zeros(stack.data.shape, dtype=bool)
    lon, lat = lonlat(stack.coord, geometry.frame)
    source_lon, source_lat = lonlat(sources, geometry.frame)
    known = np.flatnonzero(np.isfinite(lon))
    if not known.size or not source_lon.size:
        return inside
    scale = (
        np.ones(len(stack)) if stack.angular_scale is None else stack.angular_scale.to_value(u.rad)
    )
    east, north = geometry._plane()
    reach = np.arctan(np.hypot(np.abs(east).max(), np.abs(north).max()) * np.nanmax(scale))
    tree = cKDTree(_vectors(source_lon, source_lat))
    chord = 2 * np.sin(min(reach + radius.max(), np.pi) / 2)
    near = tree.query_ball_point(_vectors(lon[known], lat[known]), chord)
    for i, found in zip(known, near, strict=True):
        if not found or not np.isfinite(scale[i]):
            continue
        # Directions of the pixels, in the system in which the cutout's centre is the x axis.
        pixels = np.stack(np.broadcast_arrays(1.0, east * scale[i], north * scale[i]))
        pixels /= np.sqrt(np.sum(pixels**2, axis=0))
        delta, cos_lat = source_lon[found] - lon[i], np.cos(source_lat[found])
        to_axis, up = cos_lat * np.cos(delta), np.sin(source_lat[found])
        directions = np.stack(
            [
                to_axis * np.cos(lat[i]) + up * np.sin(lat[i]),
                cos_lat * np.sin(delta),
                up * np.cos(lat[i]) - to_axis * np.sin(lat[i]),
            ]
        )
        for direction, limit in zip(directions.T, radius[found], strict=True):
            # |a - b| = 2 sin(angle / 2) keeps its digits where cos(angle) does not.
            offset = np.sum((pixels - direction[:, None, None]) ** 2, axis=0)
            inside[i] |= offset <= 4 * np.sin(limit / 2) ** 2
    return inside


def apply_mask(stack, mask):
    """Mask what another map masks: a Galactic mask, a mask of point sources.

    Parameters
    ----------
    stack : CutoutStack
        Cutouts; they are not changed.
    mask : ComptonMap or array-like of bool
        A map that is 1 where the sky is to be used and 0 where not, as Planck's masks are, looked
        up at the nearest pixel (what it does not cover is masked); or footprints to be joined
        with, of the shape of the stack or of one cutout.

    Returns
    -------
    CutoutStack
        With NaN, and footprint False, in masked pixels.

    Raises
    ------
    InvalidInputError
        An argument has the wrong type or shape, or the map has values other than those from 0 to 1.
    """
    _check_stack(stack)
    if isinstance(mask, ComptonMap):
        values = mask.cutouts(
            stack.coord,
            geometry=stack.geometry,
            interpolation="nearest",
            angular_scale=stack.angular_scale,
        ).data
        if np.nanmin(values, initial=0.0) < 0 or np.nanmax(values, initial=0.0) > 1:
            raise InvalidInputError(
                "'mask' must be a map of values from 0 (not to be used) to 1 (to be used). "
                f"Received: values from {np.nanmin(values):g} to {np.nanmax(values):g}"
            )
        used = values > 0.5
    else:
        used = np.asarray(mask)
        if used.dtype != bool or used.shape not in (stack.data.shape, stack.data.shape[1:]):
            raise InvalidInputError(
                f"'mask' must be a ComptonMap, or bool of shape {stack.data.shape} or "
                f"{stack.data.shape[1:]}. Received: {used.dtype}, shape {used.shape}"
            )
    return _with_footprint(stack, stack.footprint & used)


def inpaint(stack, *, noise=None, rng=None, mark_valid=False):
    """Fill pixels without a valid value from those around them.

    Parameters
    ----------
    stack : CutoutStack
        Cutouts; they are not changed. One without any valid pixel stays as it is.
    noise : NoiseModel, optional
        Fill with the mean that its correlations lead to, given the pixels around a hole. Without it
        the filling is the smooth one that Laplace's equation gives.
    rng : `~numpy.random.Generator` or int, optional
        With a noise model: add fluctuations, so that the filling is a draw and not a mean.
    mark_valid : bool, optional
        Make the footprint True where pixels were filled. By default it goes on to say which
        pixels were measured.

    Returns
    -------
    CutoutStack
        With finite pixels.

    Raises
    ------
    InvalidInputError
        An argument has the wrong type, or fluctuations are wanted without a noise model.
    """
    from scipy.interpolate import CubicSpline

    _check_stack(stack)
    if rng is not None and noise is None:
        raise InvalidInputError("'rng' adds the fluctuations of a noise model: give 'noise' too.")
    correlation = None
    if noise is not None:
        # Eight nodes per pixel: noise that went through a beam is much smoother than that.
        nodes = np.arange(8 * int(np.hypot(*stack.geometry.shape) + 1) + 1) / 8
        values = noise.correlation(nodes * _pixel_scale(stack, None) * u.arcmin)
        correlation = CubicSpline(nodes, values)
    generator = None if rng is None else np.random.default_rng(rng)
    data = stack.data.copy()
    for i in np.flatnonzero(~stack.complete & stack.footprint.any(axis=(1, 2))):
        data[i] = fill(data[i].astype(float), stack.footprint[i], correlation, generator)
    footprint = np.isfinite(data) if mark_valid else stack.footprint
    return _replace(stack, data, footprint)


def check_discs(positions, radius):
    """Check centres and radii of discs; give positions and radii [rad], one each."""
    positions = check_positions(positions)
    radius = as_floats(radius, u.rad, "radius", positive=True, finite=True)
    if radius.shape not in ((), positions.shape):
        raise InvalidInputError(
            f"'radius' must be one angle or one per position ({len(positions)}). "
            f"Received: shape {radius.shape}"
        )
    if not np.isfinite(lonlat(positions, "icrs")).all():
        raise InvalidInputError("The positions of discs must not be masked or NaN.")
    return positions, np.broadcast_to(radius, positions.shape)


def _vectors(lon, lat):
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def _check_stack(stack):
    if not isinstance(stack, CutoutStack):
        raise InvalidInputError(f"'stack' must be a CutoutStack. Received: {type(stack).__name__}")


def _footprint(footprint):
    if isinstance(footprint, Cutout | CutoutStack):
        return footprint.footprint
    footprint = np.asarray(footprint)
    if footprint.dtype != bool or footprint.ndim not in (2, 3):
        raise InvalidInputError(
            "'footprint' must be cutouts, or an array of bool of two or three dimensions. "
            f"Received: {footprint.dtype}, shape {footprint.shape}"
        )
    return footprint


def _pixel_scale(cutouts, pixel_scale):
    """Side of a pixel [arcmin]."""
    if not isinstance(cutouts, Cutout | CutoutStack):
        if pixel_scale is None:
            raise InvalidInputError(
                "'pixel_scale' is needed with an array: give the side of a pixel."
            )
        return float(as_floats(pixel_scale, u.arcmin, "pixel_scale", positive=True, finite=True))
    if pixel_scale is not None or cutouts.geometry.relative:
        raise InvalidInputError(
            "Cutouts have a pixel scale of their own: leave 'pixel_scale' out."
            if pixel_scale is not None
            else "The pixels of these cutouts differ in size (a geometry in units of an angle per "
            "position): work on cutouts with a pixel_scale in arcmin."
        )
    return cutouts.geometry.pixel_scale.to_value(u.arcmin)


def _with_footprint(stack, footprint):
    return _replace(stack, np.where(footprint, stack.data, np.nan), footprint)


def _replace(stack, data, footprint):
    return CutoutStack(
        data,
        footprint,
        stack.coord,
        names=stack.names,
        geometry=stack.geometry,
        beam=stack.beam,
        interpolation=stack.interpolation,
        angular_scale=stack.angular_scale,
        meta=stack.meta,
    )
