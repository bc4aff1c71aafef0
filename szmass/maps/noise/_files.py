"""Noise models in FITS and ECSV files."""

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from szmass._io.files import atomic_path
from szmass._io.fits import open_fits
from szmass._io.tables import read_table, table_format, write_table
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps.noise.depth import DepthMap, depth_from_dict

__all__ = ["read", "write"]

_KIND = "szmass noise model"
_DEPTH = "DEPTH"


def write(model, path, overwrite):
    """Write a model; its depth map, if it has one, goes to an extension of its own."""
    kind = table_format(path)
    depth_map = isinstance(model.depth, DepthMap)
    if kind == "votable" or (depth_map and kind != "fits"):
        raise InvalidInputError(
            f"A noise model {'with a depth map ' if depth_map else ''}is written as "
            f"{'.fits' if depth_map else '.fits or .ecsv'}. Received: {str(path)!r}"
        )
    table = QTable()
    table["ell"] = model.ell
    table["spectrum"] = model.spectrum(model.ell)
    stored = model.depth and model.depth._to_dict()
    beam = None if model.beam is None else float(model.beam.to_value(u.arcmin))
    table.meta = {"kind": _KIND, "beam_arcmin": beam, "depth": stored, "meta": model.meta}
    with atomic_path(path, overwrite=overwrite) as temporary:
        write_table(table, temporary)
        if depth_map:
            hdu = fits.ImageHDU(model.depth.values, name=_DEPTH)
            with fits.open(temporary, mode="append") as hdus:
                hdus.append(hdu)


def read(path):
    """Give the arguments of the model in a file."""
    table = read_table(path)
    if table.meta.get("kind") != _KIND or not {"ell", "spectrum"} <= set(table.colnames):
        raise FileFormatError(f"{str(path)!r} is no noise model that szmass wrote.")
    stored, values = table.meta["depth"], None
    if stored is not None and stored["kind"] == "map":
        with open_fits(path, memmap=False) as hdus:
            if _DEPTH not in hdus:
                raise FileFormatError(f"{str(path)!r} has lost its extension {_DEPTH}.")
            values = np.array(hdus[_DEPTH].data, float)
    beam = table.meta["beam_arcmin"]
    return {
        "ell": np.asarray(table["ell"]),
        "spectrum": table["spectrum"],
        "beam": None if beam is None else beam * u.arcmin,
        "depth": depth_from_dict(stored, values),
        "meta": table.meta["meta"],
    }
