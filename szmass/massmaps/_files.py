"""FITS files of mass maps."""

import json

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.cosmology import Cosmology
from astropy.io import fits
from astropy.table import Table

from szmass._io.files import atomic_path
from szmass._io.fits import open_fits
from szmass._io.headers import Keywords, understood
from szmass._tables.packing import from_ascii, to_ascii
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.maps.frames import lonlat
from szmass.physics import COSMOLOGIES, get_cosmology

_UNIT = "solMass / Mpc2"
_KIND = "SURFACE-MASS-DENSITY"


def write_map(one, path, overwrite):
    """Write a `MassMap`."""
    if one.wcs is None:
        raise InvalidInputError("The map has no position, so no WCS can be written.")
    header = one.wcs.to_header()
    _describe(header, one)
    (header["NAME"],), header["ESCAPED"] = to_ascii([one.name])
    header["REDSHIFT"] = one.redshift if np.isfinite(one.redshift) else "unknown"
    header["FLAG"] = (one.flag, "bits of szmass.massmaps.MassMapFlag")
    if one.r500 is not None and np.isfinite(one.r500):
        header["R500"] = (one.r500.to_value(u.arcmin), "arcmin")
    hdus = [fits.PrimaryHDU(one.data, header), _image(one.std, "STD", _UNIT)]
    _write(path, [*hdus, _image(one.modes, "MODES")], overwrite)


def read_map(path, kind):
    """Make a `MassMap`, given as ``kind``, of a file."""
    with open_fits(path, memmap=False) as hdus:
        header = _checked(hdus, path, one=True)
        with understood(path, "map"):
            data, std = hdus[0].data, hdus["STD"].data
            geometry, coord = CutoutGeometry.from_wcs(header.wcs(), data.shape)
            name = header.text("NAME")
            if header.get("ESCAPED") is True:
                (name,) = from_ascii([name])
            r500 = header.number("R500")
            unknown = header.text("REDSHIFT") == "unknown"
            return kind(
                np.asarray(data, float),
                np.asarray(std, float),
                coord,
                geometry,
                modes=_modes(hdus, data.shape),
                redshift=np.nan if unknown else header.number("REDSHIFT"),
                r500=None if r500 is None else r500 * u.arcmin,
                name=name,
                flag=header.whole("FLAG"),
                **_described(header),
            )


def write_stack(stack, path, overwrite):
    """Write a `MassMapStack`."""
    header, geometry = fits.Header(), stack.geometry
    header["SHAPE1"], header["SHAPE2"] = geometry.shape
    header["PIXSCALE"] = (str(geometry.pixel_scale), "side of a pixel")  # as text: all digits
    header["GEOFRAME"] = (geometry.frame, "frame of the tangent planes")
    header["ROTATION"] = (str(geometry.rotation), "position angle of increasing rows")
    _describe(header, stack)
    lon, lat = np.degrees(lonlat(stack.coord, geometry.frame))
    names, header["ESCAPED"] = to_ascii(stack.names)
    table = Table(
        {
            "name": np.array(names, dtype=str),
            "lon": lon * u.deg,
            "lat": lat * u.deg,
            "redshift": stack.redshift,
            "r500": stack.r500 * u.arcmin,
            "flag": stack.flag,
        }
    )
    rows = fits.table_to_hdu(table)
    rows.name = "CLUSTERS"
    hdus = [fits.PrimaryHDU(header=header), _image(stack.data, "DATA", _UNIT)]
    hdus += [_image(stack.std, "STD", _UNIT), _image(stack.modes, "MODES"), rows]
    _write(path, hdus, overwrite)


def read_stack(path, kind):
    """Make a `MassMapStack`, given as ``kind``, of a file."""
    with open_fits(path, memmap=False) as hdus:
        header = _checked(hdus, path, one=False)
        with understood(path, "maps"):
            geometry = CutoutGeometry(
                shape=(header.whole("SHAPE1"), header.whole("SHAPE2")),
                pixel_scale=header.get("PIXSCALE"),
                frame=header.text("GEOFRAME"),
                rotation=header.get("ROTATION"),
            )
            table = hdus["CLUSTERS"].data
            names = [str(name) for name in table["name"]]
            shape = (len(names), *geometry.shape)
            # FITS has no arrays without pixels.
            data, std = (
                np.asarray(hdus[name].data, np.float32) if len(names) else np.zeros(shape)
                for name in ("DATA", "STD")
            )
            return kind(
                data,
                std,
                _modes(hdus, shape),
                SkyCoord(table["lon"] * u.deg, table["lat"] * u.deg, frame=geometry.frame),
                geometry,
                names=from_ascii(names) if header.get("ESCAPED") is True else names,
                redshift=np.asarray(table["redshift"], float),
                r500=np.asarray(table["r500"], float),
                flag=np.asarray(table["flag"], int),
                **_described(header),
            )


def _describe(header, maps):
    header["BTYPE"], header["BUNIT"] = _KIND, _UNIT
    name = str(maps.cosmology.name)
    known = name in COSMOLOGIES and COSMOLOGIES[name] == maps.cosmology
    header["COSMO"] = name if known else maps.cosmology.to_format("yaml").replace("\n", "\\n")
    header["META"] = json.dumps(maps.meta, default=str)


def _described(header):
    cosmology = header.text("COSMO")
    if "\\n" in cosmology:
        cosmology = Cosmology.from_format(cosmology.replace("\\n", "\n"), format="yaml")
    return {"cosmology": get_cosmology(cosmology), "meta": json.loads(header.text("META"))}


def _image(data, name, unit=None):
    hdu = fits.ImageHDU(data if np.size(data) else None, name=name)
    if unit:
        hdu.header["BUNIT"] = unit
    return hdu


def _modes(hdus, shape):
    data = hdus["MODES"].data
    axes = (0, *shape) if len(shape) == 2 else (shape[0], 0, *shape[1:])
    return np.zeros(axes) if data is None else np.asarray(data, float)


def _write(path, hdus, overwrite):
    with atomic_path(path, overwrite=overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary)


def _checked(hdus, path, *, one):
    header = Keywords(hdus[0].header, path)
    there = {hdu.name for hdu in hdus}
    what = "a mass map" if one else "a stack of mass maps"
    if header.text("BTYPE") != _KIND or not {"STD", "MODES"} <= there:
        raise FileFormatError(f"{path} is not {what} that szmass wrote.")
    if one == ("CLUSTERS" in there):
        other = "MassMapStack" if one else "MassMap"
        raise FileFormatError(f"{path} is not {what}: read it with {other}.read.")
    if header.text("BUNIT") != _UNIT:
        raise FileFormatError(f"{path} is in {header.text('BUNIT')!r}, not in {_UNIT}.")
    return header
