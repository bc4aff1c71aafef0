"""Compton-y maps in FITS files: HEALPix tables and images."""

import re
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from szmass._io.fits import read_column
from szmass._io.headers import Keywords, understood
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.maps._checks import (
    check_mask,
    check_nside,
    check_ordering,
    is_celestial,
    nside_of,
)
from szmass.maps._headers import fits_of
from szmass.maps._healpix import HealpixPixels, PixelRuns
from szmass.maps._image import ImagePixels
from szmass.maps._marks import mark_in
from szmass.maps.frames import frame_named, same_frame
from szmass.maps.noise._files import holds_model
from szmass.maps.noise.core import NoiseModel
from szmass.maps.sampling import check_beam

# What map makers write for "no unit", apart from what astropy understands.
_NO_UNIT = {
    "", "none", "unknown", "unitless", "dimensionless", "nounit", "1", "y", "ysz", "comptony",
    "compton", "ycompton", "comptonparameter", "comptonyparameter",
}  # fmt: skip
_TEMPERATURE = re.compile(r"[munp]?k_?(cmb|rj)?$", re.IGNORECASE)
_UNIT_IN_COMMENT = re.compile(r"[\[(]\s*(\w+)\s*[\])]")
# Names of columns of pixel numbers.
_PIXEL = re.compile(
    r"(i|h|hp|hpx|healpix_?)?pix(el)?s?(_?(id|ind(ex)?|num(ber)?|no))?$", re.IGNORECASE
)
_LARGEST_NSIDE = 2**17  # 1.6 arcsec; tables of rings stay small
_BEAM_TOLERANCE = 0.01


def read_map(source, *, column, ordering, frame, beam, unit, hdu, mask):
    """Pixels, beam and ``meta`` of a `ComptonMap`, and noise and sampling if the file has them."""
    with fits_of(source) as (hdus, path):
        meta = {"MAPFILE": Path(path).name}
        chosen = _choose_hdu(hdus, hdu, path)
        header = Keywords(chosen.header, path)
        if isinstance(chosen, fits.BinTableHDU) and not isinstance(chosen, fits.CompImageHDU):
            name = _choose_column(chosen, column, path)
            meta |= {"MAPCOL": name, "PIXELS": "healpix"}
            _check_unit(chosen.columns[name].unit, unit, path)
            pixels = _read_healpix(path, chosen, name, ordering, frame, mask)
        else:
            for argument, value in (("column", column), ("ordering", ordering)):
                if value is not None:
                    raise InvalidInputError(
                        f"'{argument}' must be left out: it is for HEALPix tables, and {path} is "
                        "an image."
                    )
            meta["PIXELS"] = "image"
            _check_unit(header.get("BUNIT"), unit, path)
            pixels = _read_image(source, hdus, chosen, path, frame, mask)
        facts = {"noise": NoiseModel.from_hdus(hdus, path) if holds_model(hdus) else None}
        # A cutout that is opened as a map was interpolated from another one.
        kind = header.text("SAMPLING")
        facts["sampling"] = kind if kind in ("point", "window") else None
        facts["zeros"] = "observed" if header.text("ZEROS") == "observed" else None
        return pixels, _agreed_beam(header, beam, path), meta, facts


def _choose_hdu(hdus, wanted, path):
    if wanted is not None:
        try:
            return hdus[wanted]
        except (KeyError, IndexError, TypeError):
            names = ", ".join(f"{i} {hdu.name!r}" for i, hdu in enumerate(hdus))
            raise FileFormatError(f"{path} has no HDU {wanted!r}. It has: {names}.") from None
    for hdu in hdus:
        if Keywords(hdu.header, path).whole("NAXIS"):
            return hdu
    raise FileFormatError(f"{path} has neither an image nor a table.")


def _choose_column(hdu, wanted, path):
    with understood(path, "columns"):
        columns = hdu.columns
    names = [name for name in columns.names if name and not _PIXEL.match(name)]
    listed = f"Its columns: {', '.join(names) or 'none'}."
    if wanted is None:
        full = [name for name in names if name.upper() == "FULL"]
        if not names:
            raise FileFormatError(f"{path} has no column of values with a name (TTYPE).")
        if len(names) != 1 and len(full) != 1:
            raise FileFormatError(
                f"{path} has several columns: say which one holds y, with column=... {listed}"
            )
        wanted = (full or names)[0]
    found = [name for name in names if name.upper() == str(wanted).strip().upper()]
    if len(found) != 1:
        raise FileFormatError(f"{path} has no column {wanted!r}. {listed}")
    column = columns[found[0]]
    scaled = column.bscale not in (None, "", 0, 1)
    if not re.fullmatch(r"\d*[EDBIJK]" if scaled else r"\d*[ED]", str(column.format)):
        raise FileFormatError(
            f"The column {found[0]!r} of {path} must hold real numbers (format E or D, or integers "
            f"with TSCAL). Received: {column.format}. (A mask is passed as an array: mask=...)"
        )
    return found[0]


def _read_healpix(path, hdu, name, ordering, frame, mask):
    header = Keywords(hdu.header, path)
    nested = _agreed_ordering(header, ordering, path) == "nested"
    frame = _agreed_frame(header, frame, path)
    values = _read_values(path, hdu, name)
    numbers = _read_numbers(path, hdu, header)
    nside = header.whole("NSIDE")
    from_length = nside_of(values.size)
    if numbers is not None:
        nside = from_length if nside is None else nside
        if nside is None:
            raise FileFormatError(
                f"{path} is a partial map (it has a column of pixel numbers): it must have the "
                "keyword NSIDE."
            )
        if numbers.size != values.size:
            raise FileFormatError(
                f"{path} has {numbers.size} pixel numbers and {values.size} values in the column "
                f"{name!r}; expected as many."
            )
    else:
        if from_length is None or nside not in (from_length, None):
            raise FileFormatError(
                f"{path} has {values.size} pixels and NSIDE = {nside or 'unknown'}: a map of the "
                "whole sky has 12 NSIDE^2. It is cut short, or lacks a column PIXEL."
            )
        nside = from_length
    if not 1 <= nside <= _LARGEST_NSIDE:
        raise header.wrong("NSIDE", f"a number from 1 to {_LARGEST_NSIDE}")
    check_nside(nside, nested)
    runs = None if numbers is None else PixelRuns(numbers, 12 * nside**2)
    mask = check_mask(mask, (12 * nside**2,))
    null = [] if _is_scaled(hdu.columns[name]) else [f"TNULL{hdu.columns.names.index(name) + 1}"]
    bad = [header.number(key) for key in ("BAD_DATA", *null)]
    marks = sum((mark_in(number, values.dtype) for number in bad), ())
    return HealpixPixels(values, nside, nested, frame, runs=runs, mask=mask, marks=marks)


def _read_values(path, hdu, name):
    """A column, in the file's precision where it is not scaled."""
    with understood(path, f"column {name!r}"):
        column = hdu.columns[name]
        if not _is_scaled(column):
            in_file = isinstance(path, Path)
            return read_column(path, hdu, name) if in_file else np.asarray(hdu.data[name])
        if column.bscale in (None, "", 1):
            return np.asarray(hdu.data[name])  # unsigned integers
        stored = hdu.data.view(np.ndarray)[name]
        values = stored * float(column.bscale) + float(column.bzero or 0)
        return (
            values if column.null in (None, "") else np.where(stored == column.null, np.nan, values)
        )


def _is_scaled(column):
    return column.bscale not in (None, "", 1) or column.bzero not in (None, "", 0)


def _read_numbers(path, hdu, header):
    """Pixel numbers of the rows; None if these are all pixels of the sky in order."""
    scheme = header.text("INDXSCHM").upper()
    if scheme not in ("", "EXPLICIT", "IMPLICIT"):
        raise header.wrong("INDXSCHM", "IMPLICIT or EXPLICIT")
    names = [name for name in hdu.columns.names if name and _PIXEL.match(name)]
    names = [name for name in names if name.upper() == "PIXEL"] or names
    if not names:
        if scheme == "EXPLICIT":
            raise FileFormatError(
                f"{path} is a partial map (INDXSCHM is EXPLICIT): it must have the keyword NSIDE "
                "and a column PIXEL."
            )
        return None
    if len(names) > 1:
        raise FileFormatError(
            f"{path} has several columns of pixel numbers: {', '.join(names)}; expected one PIXEL."
        )
    column = hdu.columns[names[0]]
    numbers = _read_values(path, hdu, names[0]).reshape(-1)
    kind, limit = numbers.dtype.kind, 2**24 if numbers.dtype.itemsize == 4 else 2**53
    # Real numbers may be whole, but no larger than what they can hold.
    if not (
        kind in "iu" or (kind == "f" and np.all((numbers == np.floor(numbers)) & (numbers < limit)))
    ):
        raise FileFormatError(
            f"The column {names[0]!r} of {path} must hold pixel numbers. Received: format "
            f"{column.format}, and not all of it are whole numbers that this format can hold."
        )
    if scheme == "IMPLICIT":
        if not np.array_equal(numbers, np.arange(numbers.size)):
            raise FileFormatError(
                f"{path} has INDXSCHM = 'IMPLICIT' and a column {names[0]!r} that is not 0, 1, 2, "
                "...: one of them is wrong. Expected EXPLICIT if the column tells the pixels."
            )
        return None
    return numbers


def _read_image(source, hdus, hdu, path, frame, mask):
    header = Keywords(hdu.header, path)
    bad, blank, bits = (header.number(key) for key in ("BAD_DATA", "BLANK", "BITPIX"))
    scaled = any(header.number(key) not in (None, no) for key, no in (("BSCALE", 1), ("BZERO", 0)))
    with understood(path, "image"), warnings.catch_warnings():
        # BLANK, which astropy ignores in an image of real numbers, is honoured here.
        warnings.filterwarnings("ignore", ".*BLANK", VerifyWarning)
        if scaled or (blank is not None and bits > 0):
            # Integers that stand for numbers cannot stay in the file.
            with fits_of(source, memmap=False) as (whole, _):
                data = whole[next(i for i, one in enumerate(hdus) if one is hdu)].data
        else:
            data = hdu.data
    wcs = header.wcs()
    if data is not None and data.ndim > 2 and data.shape[:-2] == (1,) * (data.ndim - 2):
        data, wcs = data.reshape(data.shape[-2:]), wcs.celestial
    if data is None or data.ndim != 2 or not data.size:
        raise FileFormatError(
            f"The image of {path} must have two dimensions. Received: shape "
            f"{None if data is None else data.shape}. Take a plane of it: "
            "ComptonMap.from_image(data[0], WCS(header).celestial)."
        )
    if not is_celestial(wcs):
        raise FileFormatError(
            f"The image of {path} must have a WCS with two celestial axes. Received: "
            f"{list(wcs.wcs.ctype)}. (A published cutout without WCS is read by Cutout.read.)"
        )
    wcs.wcs.radesys = wcs.wcs.radesys.upper()  # astropy knows no 'icrs'
    marks = sum((mark_in(number, data.dtype) for number in (bad, blank)), ())
    mask = check_mask(mask, data.shape)
    with understood(path, "WCS"):
        pixels = ImagePixels(data, wcs, mask, marks)
    if frame is not None and not same_frame(pixels.frame, frame_named(frame)):
        raise InvalidInputError(_disagreement(path, "frame", pixels.frame.name, frame))
    return pixels


def _agreed_ordering(header, stated, path):
    stated = None if stated is None else check_ordering(stated)
    found = header.text("ORDERING").lower()
    try:
        found = check_ordering(found) if found else None
    except InvalidInputError:
        raise FileFormatError(
            f"{path} has ORDERING = {found!r}; expected RING or NESTED."
        ) from None
    if found is None and stated is None:
        raise FileFormatError(
            f"{path} does not say how its pixels are ordered (keyword ORDERING): state it with "
            "ordering='ring' or ordering='nested'."
        )
    if found is not None and stated not in (None, found):
        raise InvalidInputError(_disagreement(path, "ordering", found, stated))
    return found or stated


def _agreed_frame(header, stated, path):
    found = header.text("COORDSYS").lower()
    stated_frame = None if stated is None else frame_named(stated)
    if not found or found == "unknown":
        if stated is None:
            raise FileFormatError(
                f"{path} does not say in which frame its pixels are (keyword COORDSYS): state it "
                "with frame='galactic' or frame='icrs'."
            )
        return stated_frame
    try:
        found_frame = frame_named(found)
    except InvalidInputError:
        raise FileFormatError(f"{path} has COORDSYS = {found!r}; expected G, C or E.") from None
    if stated is None:
        return found_frame
    if not same_frame(found_frame, stated_frame):
        raise InvalidInputError(_disagreement(path, "frame", found_frame.name, stated))
    return stated_frame


def _check_unit(found, stated, path):
    """Refuse anything that is not the dimensionless y."""
    text = "" if found is None else str(found).strip()
    if stated is not None:
        try:
            given = u.Unit(stated)
        except (ValueError, TypeError):
            given = None
        if given != u.dimensionless_unscaled:
            raise InvalidUnitError(
                f"'unit' must be dimensionless: Compton-y has no unit. Received: {stated!r}"
            )
    if re.sub(r"[\s_\-*]", "", text).lower() in _NO_UNIT:
        return
    try:
        parsed = u.Unit(text, parse_strict="silent")
    except (ValueError, TypeError, ArithmeticError):
        parsed = u.UnrecognizedUnit(text)
    if parsed == u.dimensionless_unscaled:
        return
    known = not isinstance(parsed, u.UnrecognizedUnit) or _TEMPERATURE.match(text)
    if known or stated is None:
        raise InvalidUnitError(
            f"{path} is in {text!r}, and a Compton-y map is dimensionless."
            + ("" if known else " If these numbers are y, say so with unit=''.")
        )


def _agreed_beam(header, stated, path):
    stated = check_beam(stated)
    found = _beam_in(header)
    if stated is None or found is None:
        return found if stated is None else stated
    if abs(found - stated) > _BEAM_TOLERANCE * stated:
        raise InvalidInputError(_disagreement(path, "beam", f"{found:.5g}", stated))
    return stated


def _beam_in(header):
    """Give the FWHM that a header states with its unit, or None."""
    for keyword in ("BEAM_FWHM", "FWHM"):
        value = header.get(keyword)
        if value is not None:
            comment = _UNIT_IN_COMMENT.search(header.comment(keyword))
            try:
                return check_beam(f"{value} {comment.group(1) if comment else ''}")
            except (ValueError, TypeError):
                continue
    major = header.get("BMAJ")
    minor = header.get("BMIN", major)
    if all(type(n) in (float, int) and 0 < n < 180 for n in (major, minor)):
        # Twelve digits: ten arcmin are 0.16666666666666666 deg.
        same = np.isclose(minor, major, rtol=0.01)
        return check_beam(float(f"{major * 60:.12g}") * u.arcmin) if same else None
    return None


def _disagreement(path, what, found, stated):
    return (
        f"{path} says that its {what} is {found}, and {what}={str(stated)!r} says otherwise. Leave "
        f"'{what}' out; if the file is wrong, read its array and use ComptonMap.from_healpix or "
        "from_image."
    )
