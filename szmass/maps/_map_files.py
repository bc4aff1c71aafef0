"""Compton-y maps in FITS files: HEALPix tables and images."""

import re

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from szmass._io.fits import open_fits, read_column
from szmass._utils.kinds import as_path
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.maps._checks import (
    check_mask,
    check_nside,
    check_ordering,
    is_celestial,
    nside_of,
)
from szmass.maps._healpix import HealpixPixels, PixelRuns
from szmass.maps._image import ImagePixels
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
_BEAM_TOLERANCE = 0.01


def read_map(path, *, column, ordering, frame, beam, unit, hdu, mask):
    """Pixels, beam and ``meta`` of a `ComptonMap`, and noise and sampling if the file has them."""
    meta = {"MAPFILE": as_path(path).name}
    with open_fits(path) as hdus:
        chosen = _choose_hdu(hdus, hdu, path)
        header = chosen.header
        if isinstance(chosen, fits.BinTableHDU) and not isinstance(chosen, fits.CompImageHDU):
            name = _choose_column(chosen, column, path)
            meta |= {"MAPCOL": name, "PIXELS": "healpix"}
            _check_unit(chosen.columns[name].unit, unit, path)
            pixels = _read_healpix(path, chosen, name, ordering, frame, mask)
        else:
            for argument, value in (("column", column), ("ordering", ordering)):
                if value is not None:
                    raise InvalidInputError(
                        f"'{argument}' is for HEALPix tables; {path} is an image. Leave it out."
                    )
            meta["PIXELS"] = "image"
            _check_unit(header.get("BUNIT"), unit, path)
            pixels = _read_image(path, chosen, frame, mask)
        facts = {"noise": NoiseModel.from_hdus(hdus, path) if holds_model(hdus) else None}
    # A cutout that is opened as a map was interpolated from another one.
    kind = header.get("SAMPLING")
    facts["sampling"] = kind if kind in ("point", "window") else None
    return pixels, _agreed_beam(header, beam, path), meta, facts


def _choose_hdu(hdus, wanted, path):
    if wanted is not None:
        try:
            return hdus[wanted]
        except (KeyError, IndexError):
            names = ", ".join(f"{i} {hdu.name!r}" for i, hdu in enumerate(hdus))
            raise FileFormatError(f"{path} has no HDU {wanted!r}. It has: {names}.") from None
    for hdu in hdus:
        if hdu.header.get("NAXIS", 0):
            return hdu
    raise FileFormatError(f"{path} has neither an image nor a table.")


def _choose_column(hdu, wanted, path):
    names = [name for name in hdu.columns.names if name.upper() != "PIXEL"]
    listed = f"Its columns: {', '.join(names) or 'none'}."
    if wanted is None:
        full = [name for name in names if name.upper() == "FULL"]
        if len(names) != 1 and len(full) != 1:
            raise FileFormatError(
                f"{path} has several columns: say which one holds y, with column=... {listed}"
            )
        wanted = (full or names)[0]
    found = [name for name in names if name.upper() == str(wanted).strip().upper()]
    if len(found) != 1:
        raise FileFormatError(f"{path} has no column {wanted!r}. {listed}")
    if not re.fullmatch(r"\d*[ED]", str(hdu.columns[found[0]].format)):
        raise FileFormatError(
            f"The column {found[0]!r} of {path} must hold real numbers (format E or D). Received: "
            f"{hdu.columns[found[0]].format}"
        )
    return found[0]


def _read_healpix(path, hdu, name, ordering, frame, mask):
    header = hdu.header
    nested = _agreed_ordering(header, ordering, path) == "nested"
    frame = _agreed_frame(header, frame, path)
    values = read_column(path, hdu, name)
    runs = None
    explicit = str(header.get("INDXSCHM", "")).strip().upper() == "EXPLICIT"
    if explicit:
        nside = header.get("NSIDE")
        if not isinstance(nside, int) or nside < 1 or "PIXEL" not in _upper(hdu.columns.names):
            raise FileFormatError(
                f"{path} is a partial map (INDXSCHM is EXPLICIT): it must have the keyword NSIDE "
                "and a column PIXEL."
            )
    else:
        nside = header.get("NSIDE", "unknown")
        from_length = nside_of(values.size)
        if from_length is None or nside not in (from_length, "unknown"):
            raise FileFormatError(
                f"{path} has {values.size} pixels and NSIDE = {nside}: a map of the whole sky has "
                "12 NSIDE^2. It is cut short, or lacks INDXSCHM = EXPLICIT."
            )
        nside = from_length
    check_nside(nside, nested)
    if explicit:
        pixel_column = hdu.columns.names[_upper(hdu.columns.names).index("PIXEL")]
        runs = PixelRuns(read_column(path, hdu, pixel_column), 12 * nside**2)
    mask = check_mask(mask, (12 * nside**2,))
    bad_value = header.get("BAD_DATA")
    if bad_value is not None:
        # As the column rounds it; what is as large as UNSEEN is bad in any case.
        bad_value = values.dtype.newbyteorder("=").type(bad_value)
        bad_value = bad_value if abs(bad_value) < 1e30 else None
    return HealpixPixels(values, nside, nested, frame, runs=runs, mask=mask, bad_value=bad_value)


def _read_image(path, hdu, frame, mask):
    data = hdu.data
    if data is None or data.ndim != 2:
        raise FileFormatError(
            f"The image of {path} must have two dimensions. Received: shape "
            f"{None if data is None else data.shape}. Take a plane of it: "
            "ComptonMap.from_image(data[0], WCS(header).celestial)."
        )
    wcs = WCS(hdu.header)
    if not is_celestial(wcs):
        raise FileFormatError(
            f"The image of {path} must have a WCS with two celestial axes. Received: "
            f"{list(wcs.wcs.ctype)}. (A published cutout without WCS is read by Cutout.read.)"
        )
    pixels = ImagePixels(data, wcs, check_mask(mask, data.shape))
    if frame is not None and not same_frame(pixels.frame, frame_named(frame)):
        raise InvalidInputError(_disagreement(path, "frame", pixels.frame.name, frame))
    return pixels


def _agreed_ordering(header, stated, path):
    stated = None if stated is None else check_ordering(stated)
    found = str(header.get("ORDERING", "")).strip().lower()
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
    found = str(header.get("COORDSYS", "")).strip().lower()
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
        given = u.Unit(stated)
        if given != u.dimensionless_unscaled:
            raise InvalidUnitError(
                f"'unit' must be dimensionless: Compton-y has no unit. Received: {stated!r}"
            )
    if re.sub(r"[\s_\-*]", "", text).lower() in _NO_UNIT:
        return
    parsed = u.Unit(text, parse_strict="silent")
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
        if keyword in header:
            value, comment = header[keyword], _UNIT_IN_COMMENT.search(header.comments[keyword])
            text = f"{value} {comment.group(1) if comment else ''}"
            try:
                return check_beam(text)
            except (ValueError, TypeError):
                continue
    major = header.get("BMAJ")
    if isinstance(major, float | int) and np.isclose(header.get("BMIN", major), major, rtol=0.01):
        # Twelve digits: ten arcmin are 0.16666666666666666 deg.
        return check_beam(float(f"{major * 60:.12g}") * u.arcmin)
    return None


def _disagreement(path, what, found, stated):
    return (
        f"{path} says that its {what} is {found}, and {what}={str(stated)!r} says otherwise. Leave "
        f"'{what}' out; if the file is wrong, read its array and use ComptonMap.from_healpix or "
        "from_image."
    )


def _upper(names):
    return [name.upper() for name in names]
