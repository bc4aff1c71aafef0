"""Files of noise models: FITS and ECSV, and extensions of other FITS files."""

import json

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from szmass._io.files import atomic_path
from szmass._io.fits import open_fits
from szmass._io.headers import understood
from szmass._tables.files import read_table, table_format, write_table
from szmass._tables.forms import form_of
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps.noise.depth import DepthMap, depth_from_dict

_KIND = "szmass noise model"
_DEPTH = "DEPTH"

#: Name of the extension with the spectrum.
NOISE_HDU = "NOISE"


def _about(model):
    beam = None if model.beam is None else float(model.beam.to_value(u.arcmin))
    depth = model.depth and model.depth.to_dict()
    nodes = len(model.ell)
    return {"kind": _KIND, "beam_arcmin": beam, "depth": depth, "nodes": nodes, "meta": model.meta}


def _depth_hdus(model):
    known = isinstance(model.depth, DepthMap)
    return [fits.ImageHDU(model.depth.values, name=_DEPTH)] if known else []


def _arguments(ell, spectrum, about, hdus, path):
    """Arguments of the model; ``hdus`` has the depth map, if there is one."""
    if len(ell) != about.get("nodes", len(ell)):
        raise FileFormatError(
            f"{str(path)!r} has {len(ell)} rows of the {about['nodes']} that were written."
        )
    values = None
    if about["depth"] is not None and about["depth"]["kind"] == "map":
        if _DEPTH not in hdus:
            raise FileFormatError(f"{str(path)!r} has lost its extension {_DEPTH}.")
        values = np.array(hdus[_DEPTH].data, float)
    beam = about["beam_arcmin"]
    return {
        "ell": np.array(ell, float),
        "spectrum": u.Quantity(spectrum, u.sr, dtype=float),
        "beam": None if beam is None else beam * u.arcmin,
        "depth": depth_from_dict(about["depth"], values),
        "meta": about["meta"],
    }


def model_to_hdus(model):
    """Extensions that hold a model."""
    columns = [
        fits.Column("ell", "D", array=model.ell),
        fits.Column("spectrum", "D", unit="sr", array=model.spectrum(model.ell).value),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name=NOISE_HDU)
    # In a long FITS string astropy takes a quote before a slash for the end of the value.
    hdu.header["ABOUT"] = json.dumps(_about(model), default=str).replace("'", "\\u0027")
    return [hdu, *_depth_hdus(model)]


def holds_model(hdus):
    """Whether a file has the extensions of `model_to_hdus`."""
    return NOISE_HDU in hdus and "ABOUT" in hdus[NOISE_HDU].header


def model_from_hdus(hdus, path):
    """Arguments of the model in extensions of a file."""
    if not holds_model(hdus):
        raise FileFormatError(f"{path} is truncated, or not a stack: it lacks {NOISE_HDU}.")
    hdu = hdus[NOISE_HDU]
    with understood(path, f"extension {NOISE_HDU}"):
        about = json.loads(hdu.header["ABOUT"])
        return _arguments(hdu.data["ell"], hdu.data["spectrum"], about, hdus, path)


def write(model, path, overwrite):
    """Write a model; its depth map, if it has one, goes to an extension of its own."""
    kind = table_format(path)
    depth_map = isinstance(model.depth, DepthMap)
    if kind == "votable" or (depth_map and kind != "fits"):
        raise InvalidInputError(
            f"A noise model {'with a depth map ' if depth_map else ''}is written as "
            f"{'.fits' if depth_map else '.fits or .ecsv'}. Received: {str(path)!r}"
        )
    table = QTable({"ell": model.ell, "spectrum": model.spectrum(model.ell)}, meta=_about(model))
    with atomic_path(path, overwrite=overwrite) as temporary:
        write_table(table, temporary)
        if depth_map:
            with fits.open(temporary, mode="append") as hdus:
                hdus += _depth_hdus(model)


def read(path):
    """Give the arguments of the model in a file."""
    table = read_table(path)
    if table.meta.get("kind") != _KIND or not {"ell", "spectrum"} <= set(table.colnames):
        raise FileFormatError(f"{str(path)!r} is no noise model that szmass wrote.")
    columns = table["ell"], table["spectrum"]
    if form_of(path) != "fits":
        with understood(path, "content"):
            return _arguments(*columns, table.meta, {}, path)
    with open_fits(path, memmap=False) as hdus, understood(path, "content"):
        return _arguments(*columns, table.meta, hdus, path)
