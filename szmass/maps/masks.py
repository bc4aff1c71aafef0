"""Masks of cutouts: how many pixels, soft edges, point sources, other maps' masks, filled holes."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps._discs import check_discs, soft_edges, stack_discs
from szmass.maps._marks import bool_array
from szmass.maps.compton import ComptonMap
from szmass.maps.cutouts import Cutout, CutoutStack

__all__ = ["apodise", "apply_mask", "inpaint", "mask_sources", "masked_fraction"]

# Valid pixels up to this far from a hole tell what is in it [pixels]; holes closer to one another
# than this are filled together.
_REACH = 6

# A hole with its surroundings of more pixels is filled smoothly: the cost is the third power.
_LARGEST = 4000

# White noise beside the correlated one, relative to its variance: real pixels hold a little that
# did not go through the beam, and without it their covariance has no inverse.
_WHITE = 1e-4


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

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import CutoutStack, mask_sources, masked_fraction
    >>> coord = SkyCoord([10, 20], [30, 40], unit="deg", frame="galactic")
    >>> stack = CutoutStack(np.zeros((2, 96, 96)), None, coord, beam="10 arcmin")
    >>> masked_fraction(mask_sources(stack, coord[:1], "10 arcmin")).round(3)
    array([0.012, 0.   ])
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
        There is no pixel scale, or it differs from cutout to cutout, or the width is negative.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from szmass.maps import apodise
    >>> footprint = np.ones((1, 64, 64), bool)
    >>> footprint[0, :, :20] = False
    >>> weights = apodise(footprint, 10 * u.arcmin, pixel_scale=1.7 * u.arcmin)
    >>> weights[0, 32, 18:28].round(2)
    array([0.  , 0.  , 0.07, 0.26, 0.52, 0.77, 0.95, 1.  , 1.  , 1.  ])
    """
    pixel = _pixel_scale(footprint, pixel_scale)
    footprint = _footprint(footprint)
    width = float(as_floats(width, u.arcmin, "width", finite=True)) / pixel
    if width < 0:
        raise InvalidInputError(f"'width' must be >= 0. Received: {width * pixel:g} arcmin")
    return soft_edges(footprint, width)


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

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import CutoutStack, mask_sources
    >>> coord = SkyCoord([10, 20], [30, 40], unit="deg", frame="galactic")
    >>> stack = CutoutStack(np.zeros((2, 96, 96)), None, coord, beam="10 arcmin")
    >>> masked = mask_sources(stack, coord[:1], "10 arcmin")
    >>> masked.complete
    array([False,  True])
    """
    _check_stack(stack)
    return _with_footprint(
        stack, stack.footprint & ~stack_discs(stack, *check_discs(sources, radius))
    )


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

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import ComptonMap, CutoutStack, apply_mask
    >>> coord = SkyCoord([10, 20], [0, 40], unit="deg", frame="galactic")
    >>> stack = CutoutStack(np.zeros((2, 96, 96)), None, coord, beam="10 arcmin")
    >>> good = np.ones(12 * 64**2)
    >>> good[len(good) // 2 - 1000 : len(good) // 2 + 1000] = 0  # the galactic plane
    >>> apply_mask(stack, ComptonMap.from_healpix(good, ordering="ring", frame="galactic")).complete
    array([False,  True])
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
        used = bool_array(mask, masked=False)
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

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import CutoutStack, NoiseModel, inpaint, mask_sources
    >>> coord = SkyCoord([10, 20], [30, 40], unit="deg", frame="galactic")
    >>> stack = CutoutStack(np.zeros((2, 96, 96)), None, coord, beam="10 arcmin")
    >>> masked = mask_sources(stack, coord[:1], "10 arcmin")
    >>> filled = inpaint(masked, noise=NoiseModel.planck(), mark_valid=True)
    >>> filled.complete
    array([ True,  True])
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
        data[i] = _fill(data[i].astype(float), stack.footprint[i], correlation, generator)
    footprint = np.isfinite(data) if mark_valid else stack.footprint
    return stack.with_data(data, footprint)


def _check_stack(stack):
    if not isinstance(stack, CutoutStack):
        raise InvalidInputError(f"'stack' must be a CutoutStack. Received: {type(stack).__name__}")


def _footprint(footprint):
    if isinstance(footprint, Cutout | CutoutStack):
        return footprint.footprint
    footprint = bool_array(footprint, masked=False)
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
    if pixel_scale is not None:
        raise InvalidInputError("Cutouts have a pixel scale of their own: leave 'pixel_scale' out.")
    return cutouts.geometry.pixel_side(u.arcmin)


def _with_footprint(stack, footprint):
    return stack.with_data(np.where(footprint, stack.data, np.nan), footprint)


def _fill(image, footprint, correlation=None, rng=None):
    """Fill an image (float64) where the footprint is False; by a draw with ``rng``, else the mean.

    ``correlation`` is the covariance of two pixels by their distance in pixels.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt, label

    result = np.where(footprint, image, 0.0)
    holes = ~footprint
    if correlation is None:
        result[holes] = _harmonic(result, holes)
        return result
    groups, count = label(binary_dilation(holes, iterations=_REACH // 2), np.ones((3, 3)))
    for group in range(1, count + 1):
        hole = holes & (groups == group)
        around = footprint & (distance_transform_edt(~hole) <= _REACH)
        if hole.sum() + around.sum() > _LARGEST or not around.any():
            result[hole] = _harmonic(result, holes)[hole[holes]]
        else:
            result[hole] = _constrained(result, hole, around, correlation, rng)
    return result


def _harmonic(image, holes):
    """Solve Laplace's equation in the holes; the edges of the image reflect."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    number = np.full(image.shape, -1)
    number[holes] = np.arange(np.count_nonzero(holes))
    rows, columns, values, right = [], [], [], np.zeros(np.count_nonzero(holes))
    for axis in (0, 1):
        for step in (-1, 1):
            neighbour = np.roll(number, step, axis)
            value = np.roll(image, step, axis)
            edge = np.zeros(image.shape, bool)
            edge[(slice(None),) * axis + (0 if step == 1 else -1,)] = True
            inside = holes & ~edge
            own = number[inside]
            rows.append(own)
            columns.append(own)
            values.append(np.ones(own.size))
            known = inside & (neighbour < 0)
            np.add.at(right, number[known], value[known])
            unknown = inside & (neighbour >= 0)
            rows.append(number[unknown])
            columns.append(neighbour[unknown])
            values.append(-np.ones(np.count_nonzero(unknown)))
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return np.atleast_1d(spsolve(coo_array(entries, shape=(right.size,) * 2).tocsc(), right))


def _constrained(image, hole, around, correlation, rng):
    """Condition a Gaussian field of unknown mean on the pixels around a hole."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.spatial.distance import cdist

    points = [np.argwhere(where).astype(float) for where in (around, hole)]
    variance = float(correlation(np.zeros(1))[0])
    known = correlation(cdist(points[0], points[0]))
    known[np.diag_indices_from(known)] += _WHITE * variance
    # A mean that is not known: a constant of large variance in all pixels.
    offset = 100 * variance
    cross = correlation(cdist(points[1], points[0])) + offset
    factor = cho_factor(known + offset)
    mean = cross @ cho_solve(factor, image[around])
    if rng is None:
        return mean
    own = correlation(cdist(points[1], points[1])) + offset
    covariance = own - cross @ cho_solve(factor, cross.T)
    covariance[np.diag_indices_from(covariance)] += _WHITE * variance
    return mean + np.linalg.cholesky(covariance) @ rng.standard_normal(len(covariance))
