"""FITS files of maps and cutouts: what they may be given as, and the values of their images."""

import contextlib
import os
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from szmass._io.fits import open_fits
from szmass._io.headers import Keywords, understood
from szmass.exceptions import InvalidInputError
from szmass.maps._marks import mark_in, valid_values

_HDUS = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU, fits.BinTableHDU)


@contextlib.contextmanager
def fits_of(source, *, memmap=True):
    """HDUs of a file, or those that are given, and what messages call them.

    That is a Path only for a file that is as its HDUs say.
    """
    if isinstance(source, _HDUS):
        source = [source]
    if isinstance(source, fits.HDUList | list) and all(isinstance(h, _HDUS) for h in source):
        hdus = source if isinstance(source, fits.HDUList) else fits.HDUList(source)
        yield hdus, hdus.filename() or "the HDU"
    elif isinstance(source, str | os.PathLike):
        with open_fits(source, memmap=memmap) as hdus:
            yield hdus, Path(source)
    else:
        raise InvalidInputError(
            "'path' must be the path of a FITS file, or an HDU or HDUList that astropy opened. "
            f"Received: {type(source).__name__}. Arrays are taken by ComptonMap.from_healpix and "
            "from_image."
        )


def image_values(hdu, path):
    """Values of an image that is in memory, as real numbers of its precision; NaN for marks."""
    header = Keywords(hdu.header, path)
    with understood(path, "image"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*BLANK", VerifyWarning)
        bad = header.number("BAD_DATA"), header.number("BLANK")
        data = hdu.data
        if data is None:
            return None
        if data.dtype.kind != "f":
            return data
        data = data.astype(data.dtype.newbyteorder("="))
        _, valid = valid_values(data, sum((mark_in(number, data.dtype) for number in bad), ()))
        return np.where(valid, data, data.dtype.type(np.nan))
