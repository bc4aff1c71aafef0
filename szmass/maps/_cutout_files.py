"""FITS files of cutouts and of stacks of cutouts."""

import re

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from szmass._io.files import atomic_path
from szmass._io.headers import Keywords, understood
from szmass._tables.packing import from_ascii, to_ascii
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps._headers import fits_of, image_values
from szmass.maps.frames import lonlat
from szmass.maps.geometry import CutoutGeometry, geometry_cards, geometry_of_cards
from szmass.maps.noise.core import NoiseModel
from szmass.maps.sampling import Sampling, healpix_pixel

_PSZ2_NAME = re.compile(r"PSZ2\s*G(\d{3}\.\d{2})([+-]\d{2}\.\d{2})$")
_PLANCK_BEAM = 10 * u.arcmin
_PLANCK_SAMPLING = Sampling("nearest", healpix_pixel(2048), "window")
# Cards that describe the file; all others are the user's.
_OWN = re.compile(
    r"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|EXTNAME|BUNIT|BTYPE|NAME|ESCAPED|BMAJ|BMIN|INTERPOL|SAMPLING|MAPSAMP|MAPPIX|NOISE"
    r"|WCSAXES|(CRPIX|CDELT|CUNIT|CTYPE|CRVAL)\d|PC\d_\d|LONPOLE|LATPOLE|RADESYS|EQUINOX|MJDREF"
    r"|NCUTOUTS|SHAPE[12]|PIXSCALE|GEOFRAME|ROTATION|CHECKSUM|DATASUM|BAD_DATA|BLANK|BSCALE|BZERO|COMMENT|HISTORY|)$"
)


def write_cutout(cutout, path, overwrite):
    """Write a `Cutout`."""
    if cutout.wcs is None:
        raise InvalidInputError(
            "The cutout has no position or no pixel scale in arcmin, so no WCS can be written; "
            "put it into a CutoutStack and write that."
        )
    header = cutout.wcs.to_header()
    header["BTYPE"] = ("COMPTON-Y", "dimensionless")
    (header["NAME"],), escaped = to_ascii([cutout.name])
    header["ESCAPED"] = (escaped, "whether NAME has escapes as Python has them")
    _describe(header, cutout)
    image = fits.PrimaryHDU(cutout.data, header)
    hdus = [image, _footprint_hdu(cutout.footprint), *_noise_hdus(cutout)]
    with atomic_path(path, overwrite=overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary)


def read_cutout(path, coord):
    """Give the arguments of a `Cutout`."""
    with fits_of(path, memmap=False) as (hdus, path):
        header, data = hdus[0].header, image_values(hdus[0], path)
        if data is None or data.ndim != 2:
            raise FileFormatError(
                f"{path} is not a cutout: expected an image of two dimensions in the first HDU."
            )
        with understood(path, "footprint"):
            footprint = hdus["FOOTPRINT"].data.astype(bool) if "FOOTPRINT" in hdus else None
        with understood(path, "header"):
            arguments = _described(hdus, path)
    keywords = Keywords(header, path)
    name = _names([keywords.text("NAME")], header, path)[0]
    if "CTYPE1" in header:
        if coord is not None:
            raise InvalidInputError(
                f"'coord' is for files without WCS; {path} has one. Leave 'coord' out."
            )
        geometry, coord = CutoutGeometry.from_wcs(keywords.wcs(), data.shape)
    elif {"NAME", "Z", "M500"} <= set(header) and data.shape == CutoutGeometry().shape:
        geometry = CutoutGeometry()
        coord = _position_of(name, path) if coord is None else coord
        arguments.update(beam=_PLANCK_BEAM, noise="planck", sampling=_PLANCK_SAMPLING)
    else:
        raise FileFormatError(
            f"{path} has no WCS, and it is not one of the published cutouts either (96 x 96 "
            "pixels, keywords NAME, Z and M500)."
        )
    return {
        **arguments,
        "data": data,
        "coord": coord,
        "geometry": geometry,
        "footprint": footprint,
        "name": name,
    }


def write_stack(stack, path, overwrite):
    """Write a `CutoutStack`."""
    header = fits.Header()
    geometry = stack.geometry
    header["NCUTOUTS"] = (len(stack), "number of cutouts")
    header.extend(geometry_cards(geometry))
    _describe(header, stack)
    lon, lat = np.degrees(lonlat(stack.coord, geometry.frame))
    names, header["ESCAPED"] = to_ascii(stack.names)
    table = Table({"name": np.array(names, dtype=str), "lon": lon * u.deg, "lat": lat * u.deg})
    if stack.angular_scale is not None:
        table["scale"] = stack.angular_scale
    positions = fits.table_to_hdu(table)
    positions.name = "POSITIONS"
    hdus = [
        fits.PrimaryHDU(header=header),
        fits.ImageHDU(stack.data, name="DATA"),
        _footprint_hdu(stack.footprint),
        positions,
        *_noise_hdus(stack),
    ]
    with atomic_path(path, overwrite=overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary)


def read_stack(path):
    """Give the arguments of a `CutoutStack`."""
    with fits_of(path, memmap=False) as (hdus, path):
        header = Keywords(hdus[0].header, path)
        lost = [name for name in ("DATA", "FOOTPRINT", "POSITIONS") if name not in hdus]
        if lost or not header.text("GEOFRAME"):
            raise FileFormatError(
                f"{path} is not a stack of cutouts written by szmass: it lacks "
                f"{', '.join(lost) or 'GEOFRAME'}."
            )
        with understood(path, "header"):
            geometry = geometry_of_cards(header)
            described = _described(hdus, path)
        with understood(path, "table of positions"):
            table = hdus["POSITIONS"].data
            scale = table["scale"] * u.arcmin if "scale" in table.names else None
            coord = SkyCoord(table["lon"] * u.deg, table["lat"] * u.deg, frame=geometry.frame)
            names = _names([str(name) for name in table["name"]], hdus[0].header, path)
        shape = (len(names), *geometry.shape)
        data, footprint = (image_values(hdus[name], path) for name in ("DATA", "FOOTPRINT"))
        if not names:  # FITS has no arrays without pixels
            data, footprint = np.zeros(shape), np.zeros(shape)
        for name, values in (("DATA", data), ("FOOTPRINT", footprint)):
            if header.whole("NCUTOUTS") != len(names) or np.shape(values) != shape:
                raise FileFormatError(
                    f"{path} is no complete stack of cutouts: {name} has the shape "
                    f"{np.shape(values)}, {shape} by its positions and SHAPE1 and SHAPE2, and "
                    f"NCUTOUTS is {header.get('NCUTOUTS')}."
                )
        return {
            **described,
            "data": data,
            "footprint": footprint,
            "coord": coord,
            "names": names,
            "geometry": geometry,
            "angular_scale": scale,
        }


def _names(names, header, path):
    if Keywords(header, path).get("ESCAPED") is not True:
        return names
    with understood(path, "names"):
        return from_ascii(names)


def _footprint_hdu(footprint):
    return fits.ImageHDU(footprint.astype(np.uint8), name="FOOTPRINT")


def _noise_hdus(cutouts):
    return [] if cutouts.noise is None else cutouts.noise.to_hdus()


def _describe(header, cutouts):
    """Write beam, sampling and meta into a header, and whether noise comes with it."""
    if cutouts.beam is not None:
        header["BMAJ"] = (cutouts.beam.to_value(u.deg), "[deg] FWHM of the map's beam")
        header["BMIN"] = header["BMAJ"]
    sampling = cutouts.sampling
    if sampling.kind != "unknown":
        header["SAMPLING"] = (sampling.kind, "how pixels hold the sky behind the beam")
        header["MAPSAMP"] = (sampling.map_kind, "what the pixels of the map are")
    if sampling.pixel is not None:
        header["MAPPIX"] = (sampling.pixel.to_value(u.arcmin), "[arcmin] side of the map's pixels")
    header["NOISE"] = (cutouts.noise is not None, "whether the map's noise is in extensions")
    for key, value in cutouts.meta.items():
        if isinstance(value, str | bool | int | float | np.number) and not _OWN.match(key):
            plain = len(key) <= 8 and key.isupper()
            header[key if plain else f"HIERARCH {key}"] = value


def _described(hdus, path):
    """Read beam, noise, sampling and meta."""
    header = Keywords(hdus[0].header, path)
    beam, pixel = header.number("BMAJ"), header.number("MAPPIX")
    noise = NoiseModel.from_hdus(hdus, path) if header.get("NOISE") is True else None
    # Before SAMPLING there was INTERPOL, or nothing.
    kind = header.get("SAMPLING", header.get("INTERPOL", "unknown"))
    return {
        # Twelve digits: ten arcmin are 0.16666666666666666 deg.
        "beam": None if beam is None else float(f"{beam * 60:.12g}") * u.arcmin,
        "noise": noise,
        "sampling": Sampling(
            kind, None if pixel is None else pixel * u.arcmin, header.get("MAPSAMP", "unknown")
        ),
        "meta": {
            card.keyword: card.value
            for card in hdus[0].header.cards
            if not _OWN.match(card.keyword) and not isinstance(card.value, fits.card.Undefined)
        },
    }


def _position_of(name, path):
    match = _PSZ2_NAME.match(name.strip())
    if match is None:
        raise FileFormatError(
            f"{path} has neither a WCS nor the name of a PSZ2 cluster (NAME is {name!r}). Give its "
            "position with coord=SkyCoord(...)."
        )
    lon, lat = map(float, match.groups())
    return SkyCoord(lon * u.deg, lat * u.deg, frame="galactic")
