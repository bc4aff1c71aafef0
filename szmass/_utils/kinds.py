"""Checks of what kind of object an argument is, whose messages say how to make the right one."""

import numbers
import os
from pathlib import Path

import numpy as np
from astropy.utils.masked import Masked

from szmass.exceptions import InvalidInputError

# How to come from what was passed (by the name of its class) to what is wanted.
_CURES = {
    "ClusterSample": {
        "str": "szmass.load_sample(path) reads one",
        "PurePath": "szmass.load_sample(path) reads one",
        "Table": "ClusterSample.from_table(table) makes one",
        "DataFrame": "ClusterSample.from_table(frame) makes one",
        "Cluster": "ClusterSample.from_clusters(cluster) makes one",
        "list": "ClusterSample.from_clusters makes one of a list of clusters",
        "Catalog": "its method sample() gives one",
        "SimulationDataset": "slices of it are samples: dataset[:]",
        "CutoutStack": "give the sample that has these cutouts",
        "ComptonMap": "sample.attach_cutouts(ymap) gives a sample the map's cutouts",
    },
    "ComptonMap": {
        "str": "szmass.open_map(path) opens it",
        "PurePath": "szmass.open_map(path) opens it",
        "CutoutStack": "set sample.cutouts, if these are the cutouts",
        "ndarray": "ComptonMap.from_healpix and ComptonMap.from_image make one",
        "_BaseHDU": "ComptonMap.from_image(hdu.data, WCS(hdu.header)) makes one of an image",
        "HDUList": "ComptonMap.read takes the path of the file",
    },
    "CutoutStack": {
        "str": "CutoutStack.read(path) reads one",
        "PurePath": "CutoutStack.read(path) reads one",
        "ClusterSample": "its attribute cutouts is one",
        "Cutout": "CutoutStack.from_cutouts([cutout]) makes one",
        "ComptonMap": "sample.attach_cutouts(ymap) cuts them out",
        "ndarray": "CutoutStack(data, footprint, coord) makes one",
    },
    "LogMassPosterior": {
        "str": "LogMassPosterior.read(path) reads one",
        "PurePath": "LogMassPosterior.read(path) reads one",
    },
    "SkyCoord": {
        "ClusterSample": "its attribute coord is one",
        "Cluster": "its attribute coord is one",
        "Table": "its column of positions may be one: table['coord']",
    },
    "Table": {
        "str": "szmass.read_masses(path) reads one of masses",
        "PurePath": "szmass.read_masses(path) reads one of masses",
        "DataFrame": "Table.from_pandas(frame) makes one",
        "ClusterSample": "its attribute table is one",
        "Catalog": "its attribute table is one",
    },
    "path": {
        "Table": "ClusterSample.from_table takes tables",
        "DataFrame": "ClusterSample.from_table(frame) takes it",
        "ClusterSample": "it is read already",
        "Catalog": "it is read already",
        "ComptonMap": "it is open already",
        "_BaseHDU": "ComptonMap.from_image(hdu.data, WCS(hdu.header)) takes an image",
        "HDUList": "give the path of the file instead",
    },
}


def check_kind(value, kind, argument, able=None, wanted=None):
    """Give an argument back if it is of a class, which is known by its name, or refuse it.

    ``able`` is a method which lets any other object that has it pass as well; ``wanted`` is what
    the message calls it.
    """
    if kind in _ancestry(value) or (able and callable(getattr(value, able, None))):
        return value
    wanted = wanted or ("table" if kind == "Table" else kind)
    raise InvalidInputError(f"'{argument}' must be a {wanted}. {_received(value, kind)}")


def as_path(value, argument="path"):
    """Give an argument as a Path, or refuse what is none."""
    try:
        return Path(os.fsdecode(value))
    except TypeError:
        raise InvalidInputError(
            f"'{argument}' must be a path, as a str or a Path. {_received(value, 'path')}"
        ) from None


def hint_for(value, kind):
    """Say how to make a kind of object of what was passed; an empty text where nothing is known."""
    cures = _CURES.get(kind, {})
    known = (cures[name] for name in _ancestry(value) if name in cures)
    return next((f": {cure}" for cure in known), "")


def _received(value, kind):
    plain = value is None or isinstance(value, str | os.PathLike | numbers.Number)
    shown = f"{value!r:.200}" if plain else f"a {type(value).__name__}"
    if isinstance(value, type):
        shown = f"the class {value.__name__}"
    return f"Received: {shown}{hint_for(value, kind)}"


def _ancestry(value):
    return [cls.__name__ for cls in type(value).__mro__]


def rows_of(item, n, index_of, kind, of):
    """Turn what chooses some of n named things into an int, a slice, or an array of int.

    ``item`` is a name, a number, a slice, a mask, or a list of names or numbers; ``index_of()``
    gives the `NameIndex`. ``kind`` is what the things are, ``of`` what they are in.
    """
    if isinstance(item, slice):
        return item
    if isinstance(item, str):
        return index_of()[item]
    if isinstance(item, numbers.Integral) and not isinstance(item, bool | np.bool_):
        if not -n <= item < n:
            raise IndexError(f"There is no {kind} {item} in a {of} of {n}.")
        return int(item)
    if isinstance(item, Masked | np.ma.MaskedArray) and item.dtype.kind == "b":
        item = item.filled(False)
    try:
        array = np.asarray(item)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.ndim == 1 and array.dtype.kind == "U":
        index = index_of()
        return np.array([index[name] for name in array], dtype=int)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "biu"):
        raise InvalidInputError(
            f"A {of} takes a name, a number, a slice, a mask, or a list of names or numbers. "
            f"Received: {item!r:.200}"
        )
    if array.dtype.kind == "b":
        if len(array) != n:
            raise InvalidInputError(
                f"The mask must have one entry per {kind} ({n}). Received: {len(array)}"
            )
        return np.flatnonzero(array)
    return array.astype(int)
