"""Maps of other simulations, wherever they are: arrays, FITS, HDF5, npy, one file or many."""

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np

from szmass._io.download import file_sha256
from szmass._io.fits import open_fits
from szmass._utils.optional import import_optional
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.simulations.dataset.origin import array_digest

__all__ = ["open_maps"]

_FITS = (".fits", ".fit", ".fits.gz", ".fit.gz")
_HDF5 = (".h5", ".hdf5", ".hdf")


@contextlib.contextmanager
def open_maps(maps, key):
    """Open maps for reading a part at a time.

    Parameters
    ----------
    maps : ndarray or path-like or sequence of path-like
        An array, a file with all maps, or a file for each.
    key : str or int or None
        The HDU of FITS files, the data set of an HDF5 file.

    Yields
    ------
    maps : object
        With ``shape``; slices along the first axis are read when asked for.
    about : dict
        What tells these maps from others.

    Raises
    ------
    FileFormatError
        A file is of another form than its name says, or the form is not known.
    InvalidInputError
        There are no maps.
    """
    if isinstance(maps, np.ndarray):
        yield maps, {"sha256": array_digest(maps)}
    elif isinstance(maps, str | os.PathLike):
        path = Path(maps)
        if not path.exists():
            raise FileNotFoundError(f"There is no file {str(path)!r}.")
        with _open_file(path, key) as data:
            yield data, {"file": path.name, "key": key, "sha256": file_sha256(path)}
    else:
        files = _Files([Path(path) for path in maps], key)
        yield files, {"files": len(files.paths), "key": key, "sha256": files.digest()}


@contextlib.contextmanager
def _open_file(path, key):
    name = path.name.lower()
    if name.endswith(".npy"):
        try:
            yield np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as err:
            raise FileFormatError(f"{path} cannot be read as npy: {err}") from err
    elif name.endswith(_FITS):
        with open_fits(path) as hdus:
            yield _hdu(hdus, key, path).data
    elif name.endswith(_HDF5):
        h5py = import_optional("h5py", extra="cnn", purpose="read HDF5 files")
        try:
            file = h5py.File(path, "r")
        except OSError as err:
            raise FileFormatError(f"{path} cannot be read as HDF5: {err}") from err
        with file:
            yield _hdf5_dataset(h5py, file, key, path)
    else:
        known = ", ".join([".npy", *_FITS, *_HDF5])
        raise FileFormatError(f"{path} has none of the suffixes {known}.")


def _hdu(hdus, key, path):
    if key is not None:
        try:
            hdu = hdus[key]
        except (KeyError, IndexError) as err:
            raise InvalidInputError(f"{path} has no HDU {key!r}.") from err
    else:
        images = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
        if len(images) != 1:
            raise InvalidInputError(
                f"{path} has {len(images)} images; say with 'key' which HDU holds the maps."
            )
        hdu = images[0]
    if not hdu.is_image or hdu.data is None:
        raise FileFormatError(f"The HDU {key!r} of {path} holds no image.")
    return hdu


def _hdf5_dataset(h5py, file, key, path):
    if key is None:
        found = []

        def collect(name, node):
            if isinstance(node, h5py.Dataset) and node.ndim >= 3:
                found.append(name)

        file.visititems(collect)
        if len(found) != 1:
            raise InvalidInputError(
                f"{path} has {len(found)} data sets of maps ({', '.join(found[:5])}); say with "
                "'key' which one."
            )
        key = found[0]
    if key not in file or not isinstance(file[key], h5py.Dataset):
        raise InvalidInputError(f"{path} has no data set {key!r}.")
    return file[key]


class _Files:
    """One map per file, as if they were one array."""

    def __init__(self, paths, key):
        if not paths:
            raise InvalidInputError("'maps' holds no files.")
        self.paths, self.key = paths, key
        first = self._read(paths[0])
        self.shape = (len(paths), *first.shape)
        self.dtype = first.dtype

    def _read(self, path):
        with _open_file(path, self.key) as data:
            return np.array(data)

    def __getitem__(self, index):
        part = [self._read(path) for path in self.paths[index]]
        for path, image in zip(self.paths[index], part, strict=True):
            if image.shape != self.shape[1:]:
                raise InvalidInputError(
                    f"{path} has the shape {image.shape}, the first file has {self.shape[1:]}."
                )
        return np.stack(part)

    def digest(self):
        """SHA-256 of names, sizes and dates: reading a hundred thousand files twice takes long."""
        digest = hashlib.sha256()
        for path in self.paths:
            stat = path.stat()
            digest.update(repr((path.name, stat.st_size, stat.st_mtime_ns)).encode())
        return digest.hexdigest()
