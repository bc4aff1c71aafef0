"""Pixels without a value in arrays of maps: masks, marks, and exact zeros; and what y can be."""

import warnings

import astropy.units as u
import numpy as np
from astropy.nddata import NDData
from astropy.utils.masked import Masked

from szmass.exceptions import InvalidInputError, SzmassWarning

# healpy and Planck mark bad pixels by -1.6375e30, in float32; no y comes near this.
_LARGEST_VALUE = 1e30
_LARGEST_Y, _LARGEST_NOISE = 0.01, 5e-5
# A map is looked at in so many runs of so many pixels when it is opened.
_RUNS, _RUN = 64, 1024
# So many exact zeros, and so many times more than of any other value, are no chance.
_FEWEST_ZEROS, _EXCESS = 16, 10


def without_mask(values):
    """Bare values of an array, the mask that comes with it or None, and its unit or None."""
    unit, mask = getattr(values, "unit", None), None
    if isinstance(values, NDData):
        values, mask = values.data, values.mask
    elif isinstance(values, Masked):
        mask, values = values.mask, values.unmasked
    elif isinstance(values, np.ma.MaskedArray):
        mask, values = np.ma.getmaskarray(values), values.data
    if isinstance(values, u.Quantity):
        values = values.value
    try:
        values = np.asarray(values)
    except ValueError as err:  # rows of several lengths
        raise InvalidInputError(f"An array of numbers is expected: {err}") from err
    return values, None if mask is None else np.asarray(mask, dtype=bool), unit


def bool_array(values, masked):
    """An array of bool in which masked entries, of which nothing is known, are ``masked``."""
    values, mask, _ = without_mask(values)
    return values if mask is None or values.dtype != bool else np.where(mask, masked, values)


def has_value(values, mask):
    """Which values are finite, not UNSEEN and not masked."""
    valid = np.abs(values) < _LARGEST_VALUE
    return valid if mask is None else valid & ~mask


def checked_zeros(zeros):
    """Refuse anything but the three ways to take exact zeros."""
    if zeros not in (None, "observed", "unobserved"):
        raise InvalidInputError(
            f"'zeros' must be 'observed', 'unobserved' or None. Received: {zeros!r}"
        )
    return zeros


def mark_in(number, dtype):
    """Values, one or none, that mark bad pixels, as a column of a dtype rounds a number."""
    if number is None or not abs(number) < _LARGEST_VALUE:
        return ()
    return (np.dtype(dtype).newbyteorder("=").type(number) if dtype.kind == "f" else number,)


def valid_values(stored, marks):
    """Values as float64, and whether they are valid: finite, not huge, and none of the marks."""
    values = stored.astype(np.float64)
    valid = np.abs(values) < _LARGEST_VALUE
    for mark in marks:
        valid &= stored != mark
    return values, valid


def zeros_stand_out(values):
    """Whether exact zeros among noisy values, NaN where invalid, must be pixels without data.

    Noise has both signs, and no value of it comes as often. So a mask, clusters without noise, or
    coarse integers do not count.
    """
    zeros = np.count_nonzero(values == 0)
    if zeros < _FEWEST_ZEROS:
        return False
    others = values[(values != 0) & np.isfinite(values)]
    if min(np.count_nonzero(others > 0), np.count_nonzero(others < 0)) < 0.2 * others.size + 1:
        return False
    return zeros > _EXCESS * np.unique(others, return_counts=True)[1].max()


def look_at(pixels, zeros, name):
    """Say what is odd about the values of a map that is opened; give whether zeros are unobserved.

    Only a part of them is read: runs of pixels all over the map.
    """
    starts = np.unique(np.linspace(0, max(pixels.size - _RUN, 0), _RUNS).astype(np.int64))
    stored = np.unique(np.minimum(starts[:, None] + np.arange(_RUN), max(pixels.size - 1, 0)))
    values = pixels.take(pixels.numbers(stored)) if pixels.size else np.empty(0)
    values = values[np.isfinite(values)]
    _say_what_y_cannot_be(values, name)
    if zeros is None and zeros_stand_out(values):
        warn_of_zeros(f"About {100 * np.mean(values == 0):.2g} % of the pixels of {name} are")
        return True
    return zeros == "unobserved"


def warn_of_zeros(found):
    """Say that exact zeros are taken as pixels without data."""
    warnings.warn(
        f"{found} exactly 0, and the others are noise: the zeros are taken as not observed. State "
        "zeros='unobserved' when the map is opened to have that without this warning, or "
        "zeros='observed' if they are measured values.",
        SzmassWarning,
        stacklevel=4,
    )


def _say_what_y_cannot_be(values, name):
    if not values.size:
        return
    large = np.count_nonzero(np.abs(values) > _LARGEST_Y)
    noise = 1.4826 * np.median(np.abs(values - np.median(values)))
    if large <= max(4, 1e-3 * values.size) and noise <= _LARGEST_NOISE:
        return
    if values.min() >= 0 and values.max() == 1:
        return  # a mask
    warnings.warn(
        f"The values of {name} are implausible for Compton-y: {100 * large / values.size:.3g} % of "
        f"the pixels looked at have |y| > {_LARGEST_Y}, and their noise is about {noise:.3g}. "
        "Expected are a noise of 1e-6 to 1e-5, and 1e-4 in the middle of a rich cluster. If the "
        "map is in another unit, such as uK, convert it to y; its file should state the unit "
        "(BUNIT or TUNIT), which is checked then.",
        SzmassWarning,
        stacklevel=4,
    )
