"""Keywords of FITS headers as people write them."""

import contextlib
import math
import re
import warnings

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.wcs import WCS

from szmass.exceptions import FileFormatError, SzmassError

# What astropy, wcslib and numpy raise of files that break the rules of FITS.
_BROKEN = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError,
    NotImplementedError, MemoryError, RecursionError, VerifyError,
)  # fmt: skip

_WCS_NUMBER = re.compile(
    r"(CRVAL|CRPIX|CDELT|CROTA)\d|(CD|PC|PV)\d+_\d+|LONPOLE|LATPOLE|EQUINOX|EPOCH"
)


@contextlib.contextmanager
def understood(path, what):
    """Turn what a library raises of one part of a file into a `FileFormatError` that names it."""
    try:
        yield
    except FileFormatError:
        raise
    except SzmassError as err:
        raise FileFormatError(f"{path} cannot be read, because of its {what}: {err}") from err
    except _BROKEN as err:
        cause = " ".join(str(err).split()) or type(err).__name__
        raise FileFormatError(
            f"{path} cannot be read: its {what} cannot be understood ({cause[:300]})."
        ) from err


class Keywords:
    """Keywords of a header; a blank or undefined one counts as absent."""

    def __init__(self, header, path):
        self._header, self._path = header, path

    def get(self, name, default=None):
        """The value as it stands there."""
        with understood(self._path, f"keyword {name}"):
            value = self._header.get(name)
        blank = isinstance(value, fits.card.Undefined) or (
            isinstance(value, str) and not value.strip()
        )
        return default if value is None or blank else value

    def text(self, name):
        """The value as text without spaces around it, "" where there is none."""
        return str(self.get(name, "")).strip()

    def number(self, name):
        """A real number, also where it is written as text; None where there is none."""
        value = self.get(name)
        try:
            if value is None or isinstance(value, bool | np.bool_):
                raise TypeError
            return float(_plain(value) if isinstance(value, str) else value)
        except (TypeError, ValueError):
            if value is not None:
                raise self._wrong(name, value, "a number") from None
            return None

    def whole(self, name):
        """A whole number, also where it is written as text or with a point."""
        value = self.number(name)
        if value is not None and not (math.isfinite(value) and value == int(value)):
            raise self._wrong(name, self.get(name), "a whole number")
        return None if value is None else int(value)

    def comment(self, name):
        """The comment of a card."""
        with understood(self._path, f"keyword {name}"):
            return self._header.comments[name]

    def wrong(self, name, wanted):
        """The error for a value that cannot be used."""
        return self._wrong(name, self.get(name), wanted)

    def _wrong(self, name, value, wanted):
        return FileFormatError(f"{self._path} has {name} = {value!r}; expected {wanted}.")

    def wcs(self):
        """The WCS, with numbers in it that can be computed with."""
        with understood(self._path, "WCS"), warnings.catch_warnings():
            # Headers of another program, with matters of style that do no harm.
            warnings.simplefilter("ignore")
            header = self._header.copy()
            for name in set(filter(_WCS_NUMBER.match, header)):
                # wcslib passes over what is no number, and takes a default.
                value = self.number(name)
                if value is None:
                    del header[name]
                else:
                    header[name] = value
            wcs = WCS(header)
            wcs.wcs.set()
            numbers = np.concatenate([wcs.wcs.crval, wcs.wcs.crpix, wcs.pixel_scale_matrix.ravel()])
        if not np.isfinite(numbers).all():
            raise FileFormatError(
                f"{self._path} has a WCS with numbers that are not finite (CRVAL, CRPIX, CDELT)."
            )
        return wcs


def _plain(text):
    """A number as Python writes it, of FITS's 1.5D-3 and epochs such as J2000.0."""
    return re.sub(r"^\s*[JB](?=\d)", "", text.upper()).replace("D", "E")
