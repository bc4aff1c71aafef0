"""The frame in which data sets are made: begin or go on, write what is missing, give it back."""

import json
from pathlib import Path

from szmass._io.locks import file_lock
from szmass._utils.progress import progress_bar
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.simulations.dataset import _shards
from szmass.simulations.dataset.origin import plain
from szmass.version import __version__

__all__ = ["build", "check_shard_size", "describe_geometry"]


def build(path, recipe, layout, cutouts, meta, write_missing, *, verify, overwrite):
    """Write the shards of a data set that are not there yet.

    Parameters
    ----------
    path : path-like
        The folder.
    recipe : dict
        What the data set is made from; only shards of the same recipe stay together.
    layout : Layout
        How the rows lie.
    cutouts : dict
        ``geometry``, ``beam``, ``interpolation`` and ``meta`` of the cutouts.
    meta : dict
        What is known about the clusters as a whole.
    write_missing : callable
        Called with the path and the numbers of shards that are missing; yields whenever one of
        them has been written.
    verify : bool
        Whether finished shards are read and made anew where they are damaged.
    overwrite : bool
        Whether another data set there is removed.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    _shards.import_zarr()
    path = Path(path).absolute()
    attributes = {
        "format": _shards.FORMAT,
        "version": __version__,
        "recipe": {**recipe, "version": __version__},
        "cutouts": cutouts,
        "meta": meta,
    }
    attributes = json.loads(json.dumps(attributes, default=plain))
    if not path.parent.is_dir():
        raise InvalidInputError(f"The output folder {str(path.parent)!r} does not exist.")
    with file_lock(path):
        _shards.prepare(path, attributes, layout, overwrite=overwrite)
        todo = [
            number
            for number in range(layout.n_shards)
            if not _shards.is_finished(path, number, checksums=verify)
        ]
        _shards.check_space(path, layout, todo)
        with progress_bar(total=layout.n_maps, desc=path.name, unit="map") as bar:
            bar.update(layout.n_maps - sum(_length(layout, number) for number in todo))
            for number in write_missing(path, todo):
                bar.update(_length(layout, number))
        if left := [number for number in todo if not _shards.is_finished(path, number)]:
            raise FileFormatError(
                f"{len(left)} of {layout.n_shards} shards were made, but are not in {str(path)!r}: "
                "workers on other machines need this folder under the same name."
            )
        _shards.finish(path)
    return path


def _length(layout, number):
    start, stop = layout.rows(number)
    return stop - start


def check_shard_size(shard_size):
    """Give the number of maps of a shard as a positive int."""
    if isinstance(shard_size, bool) or not isinstance(shard_size, int) or shard_size < 1:
        raise InvalidInputError(f"'shard_size' must be 1 or more. Received: {shard_size!r}")
    return shard_size


def describe_geometry(geometry):
    """Give the arguments of a `~szmass.maps.CutoutGeometry`; texts keep all digits."""
    return {
        "shape": list(geometry.shape),
        "pixel_scale": str(geometry.pixel_scale),
        "frame": geometry.frame,
        "rotation": str(geometry.rotation),
    }
