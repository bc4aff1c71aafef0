"""FITS files whose damages are errors, and single columns of their tables."""

import contextlib
import gzip
import lzma
import warnings
import zlib

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError, VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from szmass._io.limits import fits_problem
from szmass._utils.kinds import as_path
from szmass.exceptions import FileFormatError

_ROWS_AT_ONCE = 2**16
# What astropy raises of headers that break the rules.
_BAD_HEADER = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError),
    VerifyError,
)


@contextlib.contextmanager
def damaged_fits_raises():
    """Turn astropy's warnings about a truncated or corrupt FITS file into errors of their class."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", VerifyWarning)
        warnings.filterwarnings("error", ".*truncated", AstropyUserWarning)
        yield


@contextlib.contextmanager
def open_fits(path, *, memmap=True):
    """Open a FITS file, possibly compressed; `FileFormatError` where it is truncated or not FITS.

    That is also raised where it shows only inside the block, as data are read with ``memmap``.
    """
    path = as_path(path)
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder; give a FITS file.")
    problem = fits_problem(path)
    try:
        if problem:
            raise OSError(problem)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "File may have been truncated", AstropyUserWarning)
            # Opened here, since astropy leaves a file open when it finds it truncated.
            with open(path, "rb") as file, _opened(file, memmap) as hdus:
                yield hdus
    except (
        *(OSError, EOFError, zlib.error, lzma.LZMAError),
        *(AstropyUserWarning, VerifyError),  # cards are understood when they are asked for
    ) as err:
        if getattr(err, "errno", None) is not None:  # not found, no permission, ...
            raise
        raise FileFormatError(
            f"{path} cannot be read as FITS: {err}. It may be truncated or something else; "
            "download it again."
        ) from err


@contextlib.contextmanager
def _opened(file, memmap):
    """Open a file with all its headers read; an OSError where one of them cannot be understood."""
    try:
        hdus = fits.open(file, memmap=memmap)
        for hdu in hdus:
            if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                hdu.columns  # noqa: B018 - astropy looks at them late
    except _BAD_HEADER as err:
        raise OSError(f"a header of it cannot be understood ({err})") from err
    with hdus:
        yield hdus


def read_column(path, hdu, name):
    """Give one column of a table without reading the others, in the file's byte order.

    It is memory-mapped unless the file is compressed or the column is scaled.
    """
    column = hdu.columns[name]
    with open(path, "rb") as file:
        start = file.read(6)
    gzipped = start[:2] == b"\x1f\x8b"
    if column.bscale or column.bzero or not (gzipped or start == b"SIMPLE"):
        return np.asarray(hdu.data[name])
    rows = hdu.header["NAXIS2"]
    dtype = hdu.columns.dtype.newbyteorder(">")
    offset = hdu.fileinfo()["datLoc"]
    if not rows:
        return np.empty(0, dtype[name])
    if not gzipped:
        table = np.memmap(path, dtype, mode="r", offset=offset, shape=(rows,))
        return np.asarray(table[name])
    part = dtype[name]
    values = np.empty((rows, *part.shape), part.base.newbyteorder("="))
    with gzip.open(path) as file:
        file.seek(offset)
        for start in range(0, rows, _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, rows)
            block = file.read((stop - start) * dtype.itemsize)
            values[start:stop] = np.frombuffer(block, dtype)[name]
    return values
