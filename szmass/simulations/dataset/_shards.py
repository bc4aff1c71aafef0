"""Folders of a data set: zarr arrays whose shards are written whole, with a record of each.

Shard k of every array holds the same rows. Its files are encoded in memory, written under names
that nobody reads, moved to their place, and only then put on record: a zarr group
``shards/<k>`` whose attributes hold sizes and SHA-256 of the files. A shard without a record, or
with a file of another size, does not exist for readers.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from szmass._io.download import file_sha256
from szmass._io.files import check_parent, file_lock, foreign_file, put_in_place, temporary_beside
from szmass._utils.kinds import as_path
from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.exceptions import DiskSpaceError, FileFormatError, InvalidInputError
from szmass.simulations.dataset._truth import ColumnSpec, encode, with_longer_names
from szmass.simulations.dataset.origin import differences, plain
from szmass.version import __version__

FORMAT = 1
MAPS = "maps"
FIELDS = "fields"
NOISE = "noise.fits"
_KEY = "szmass"
_SHARDS, _PARTIAL = "shards", ".partial"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def import_zarr():
    """Import zarr, or say what to install."""
    return import_optional("zarr", extra="distributed", purpose="keep data sets on disk")


@dataclass(frozen=True)
class Layout:
    """How the rows of a data set lie in its files: maps in a shard, and in a chunk that is read."""

    n_maps: int
    shape: tuple
    shard: int
    chunk: int
    columns: tuple
    fields: tuple = ()

    @classmethod
    def plan(cls, n_maps, views, shape, shard, columns, fields=()):
        """Choose shards of about ``shard`` maps that part no cluster of ``views`` maps."""
        if views > 1:
            columns = with_longer_names(columns, len(f" p{views - 1}"))
        chunk = views * -(-16 // views)
        rows = chunk * max(1, shard // chunk)
        return cls(n_maps, tuple(shape), rows, chunk, tuple(columns), tuple(fields))

    @classmethod
    def from_dict(cls, values):
        """Make a layout of what `dataclasses.asdict` gave, also by way of JSON."""
        columns = tuple(ColumnSpec.from_dict(spec) for spec in values["columns"])
        made = {"shape": tuple(values["shape"]), "columns": columns}
        return cls(**{**values, **made, "fields": tuple(values.get("fields", ()))})

    def to_dict(self):
        """Give what `from_dict` takes; without fields as it was before there were any."""
        values = dataclasses.asdict(self)
        return values if self.fields else {k: v for k, v in values.items() if k != "fields"}

    @property
    def n_shards(self):
        """Number of shards."""
        return -(-self.n_maps // self.shard)

    @property
    def nbytes(self):
        """Bytes of the maps of a full shard."""
        return self.shard * self.nbytes_of_row

    @property
    def nbytes_of_row(self):
        """Bytes of the maps of one row."""
        return 4 * (1 + len(self.fields)) * int(np.prod(self.shape))

    def rows(self, number):
        """First row of a shard, and the one after its last."""
        return number * self.shard, min((number + 1) * self.shard, self.n_maps)

    def shape_of(self, node):
        """Shape of an array of all maps."""
        return self.n_maps, *next(shape for name, _, shape in self.arrays() if name == node)

    def arrays(self):
        """Yield name, dtype and shape of one entry of all arrays that have any entries."""
        for node in (MAPS, *(f"{FIELDS}/{name}" for name in self.fields)):
            yield node, "float32", self.shape
        for spec in self.columns:
            for node, dtype, shape in spec.arrays():
                if 0 not in shape:
                    yield f"truth/{node}", dtype, shape


def _create_array(store, layout, node, dtype, shape, rows):
    zarr = import_zarr()
    crc = zarr.codecs.Crc32cCodec()
    options = {"compressors": [zarr.codecs.ZstdCodec(level=3), crc], "fill_value": 0}
    chunks = (layout.shard, *shape)
    if node == MAPS or node.startswith(FIELDS + "/"):
        # Noise-like mantissas: compression would gain a sixth and cost a third of the reading.
        options = {"compressors": [crc], "fill_value": np.nan, "shards": chunks}
        chunks = (layout.chunk, *shape)
    return zarr.create_array(
        store,
        name=node,
        shape=(rows, *shape),
        dtype=dtype,
        chunks=chunks,
        filters=None,
        config={"write_empty_chunks": True},
        **options,
    )


def check_place(path):
    """Read what the data set at a path is, None if the path is free; nothing else may be there."""
    path = as_path(path).absolute()
    check_parent(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return None
    try:
        return read_attributes(path)
    except (FileFormatError, FileNotFoundError) as err:
        raise InvalidInputError(
            f"The output {str(path)!r} exists and is no data set of szmass ({err}). Choose "
            "another name."
        ) from err


def _prepare(path, attributes, layout, *, overwrite):
    """Make the folder of a data set, or find the one of an earlier call of the same origin."""
    stored = check_place(path)
    if stored is not None:
        different = differences(stored["recipe"], attributes["recipe"])
        if not different:
            shutil.rmtree(path / _PARTIAL, ignore_errors=True)
            return
        if not overwrite:
            raise InvalidInputError(
                f"The output {str(path)!r} is another data set ({'; '.join(different[:4])}). "
                "Choose another name, or allow it to be removed (overwrite=True)."
            )
        if foreign := foreign_file(path, _own_files(stored["layout"])):
            raise InvalidInputError(
                f"The data set {str(path)!r} is not removed: {foreign!r} in it is no part of it "
                "and would be lost. Nothing was changed; move it elsewhere."
            )
        shutil.rmtree(path)
    with temporary_beside(path) as temporary:
        with _disk_full_explained(path):
            _create_folder(temporary, attributes, layout)
        put_in_place(temporary, path)


def _own_files(layout):
    """Names of all files and folders that a data set may have, whole or not."""
    shards = range(layout.n_shards)
    own = {"zarr.json", NOISE, _PARTIAL, "truth/zarr.json", f"{_SHARDS}/zarr.json"}
    own |= {f"{FIELDS}/zarr.json"} if layout.fields else set()
    own |= {f"{_SHARDS}/{number}/zarr.json" for number in shards}
    for node, _, shape in layout.arrays():
        own.add(f"{node}/zarr.json")
        own |= {_chunk_name(node, number, shape) for number in shards}
    return own


def _chunk_name(node, number, shape):
    trail = "/".join(["0"] * len(shape))
    return f"{node}/c/{number}" + (f"/{trail}" if trail else "")


def _create_folder(path, attributes, layout):
    zarr = import_zarr()
    store = zarr.storage.LocalStore(path)
    everything = {**attributes, "layout": layout.to_dict()}
    root = zarr.create_group(store, attributes={_KEY: everything})
    root.create_group(_SHARDS)
    root.create_group("truth")
    if layout.fields:
        root.create_group(FIELDS)
    for node, dtype, shape in layout.arrays():
        _create_array(store, layout, node, dtype, shape, layout.n_maps)


def read_attributes(path):
    """Read what a data set is: format, version, recipe, layout (a `Layout`) and others."""
    if not path.exists():
        raise FileNotFoundError(f"There is no data set {str(path)!r}.")
    try:
        attributes = json.loads((path / "zarr.json").read_text())["attributes"][_KEY]
        later = attributes["format"] > FORMAT
        layout = None if later else Layout.from_dict(attributes["layout"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise FileFormatError(f"{str(path)!r} is no data set of szmass.") from err
    if later:
        raise FileFormatError(
            f"The data set {str(path)!r} has format {attributes['format']}, written by szmass "
            f"{attributes.get('version')}; this version knows {FORMAT}. Update szmass."
        )
    return {**attributes, "layout": layout}


def write_shard(path, layout, number, maps, table, fields=None):
    """Write one shard of all arrays, and put it on record; ``fields``: other maps by name."""
    zarr = import_zarr()
    start, stop = layout.rows(number)
    arrays = {f"truth/{node}": array for node, array in encode(table, layout.columns).items()}
    arrays |= {MAPS: maps} | {f"{FIELDS}/{name}": data for name, data in (fields or {}).items()}
    partial = path / _PARTIAL
    files = {}
    with _disk_full_explained(path):
        partial.mkdir(exist_ok=True)
        for node, dtype, shape in layout.arrays():
            chunks = {}
            store = zarr.storage.MemoryStore(chunks)
            array = _create_array(store, layout, node, dtype, shape, stop - start)
            array[:] = np.asarray(arrays[node])
            (key,) = (key for key in chunks if not key.endswith("zarr.json"))
            content = memoryview(chunks[key].as_numpy_array()).cast("B")
            name = _chunk_name(node, number, shape)
            _write(path / name, partial, content)
            files[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        record = {"rows": [start, stop], "files": files}
        group = {"attributes": record, "zarr_format": 3, "node_type": "group"}
        _write(_record_path(path, number), partial, json.dumps(group, indent=1).encode())


def _write(target, partial, content):
    """Write a file that is complete or not there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_beside(target, folder=partial) as temporary:
        temporary.write_bytes(content)
        put_in_place(temporary, target)


@contextlib.contextmanager
def _disk_full_explained(path):
    try:
        yield
    except OSError as err:
        if err.errno not in _FULL:
            raise
        free = shutil.disk_usage(path.parent).free
        raise DiskSpaceError(
            f"The disk of {str(path)!r} is full ({free / 1e6:.0f} MB free): {err}. Finished shards "
            "are kept; make room and run the same call again to go on."
        ) from err


def _check_space(path, layout, todo):
    """Refuse to begin what the disk cannot hold."""
    needed = len(todo) * min(layout.nbytes, layout.n_maps * layout.nbytes_of_row)
    free = shutil.disk_usage(path).free
    if needed > free:
        raise DiskSpaceError(
            f"The maps need {needed / 1e9:.3g} GB, and the disk of {str(path)!r} has "
            f"{free / 1e9:.3g} GB free: {(needed - free) / 1e9:.3g} GB are missing."
        )


def _record_path(path, number):
    return path / _SHARDS / str(number) / "zarr.json"


def read_record(path, number):
    """Read the record of a shard: ``rows`` and ``files``; None if there is none."""
    try:
        record = json.loads(_record_path(path, number).read_text())["attributes"]
        return record if record["files"] and isinstance(record["files"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def damaged_files(path, number, *, checksums):
    """Files of a shard without the size, or checksum, on record; the record if that lacks."""
    record = read_record(path, number)
    if record is None:
        return [str(_record_path(path, number).relative_to(path))]
    damaged = []
    for name, expected in record["files"].items():
        file = path / name
        try:
            fine = file.stat().st_size == expected["size"]
            fine = fine and (not checksums or file_sha256(file) == expected["sha256"])
        except (OSError, TypeError, LookupError):  # or the record is damaged
            fine = False
        if not fine:
            damaged.append(name)
    return damaged


def is_finished(path, number, *, checksums=False):
    """Tell whether a shard is there, whole."""
    return not damaged_files(path, number, checksums=checksums)


def build(path, origin, layout, cutouts, meta, write_missing, *, verify, overwrite, noise=None):
    """Write what is missing of a data set, under a lock; ``verify`` makes damaged shards anew.

    ``write_missing(path, numbers)`` yields whenever it has written one; ``noise`` is the model of
    what is in the maps, and goes into a file beside them.
    """
    import_zarr()
    path = Path(path).absolute()
    attributes = {
        "format": FORMAT,
        "version": __version__,
        # The name that format 1 has for the origin.
        "recipe": {**origin, "version": __version__},
        "cutouts": cutouts,
        "meta": meta,
    }
    attributes = json.loads(json.dumps(attributes, default=plain))
    check_parent(path)
    with file_lock(path):
        _prepare(path, attributes, layout, overwrite=overwrite)
        if noise is not None:
            noise.write(path / NOISE, overwrite=True)
        todo = [i for i in range(layout.n_shards) if not is_finished(path, i, checksums=verify)]
        _check_space(path, layout, todo)
        with progress_bar(total=layout.n_maps, desc=path.name, unit="map") as bar:
            bar.update(layout.n_maps - sum(_length(layout, number) for number in todo))
            with contextlib.closing(write_missing(path, todo)) as written:
                for number in written:
                    bar.update(_length(layout, number))
        if left := [number for number in todo if not is_finished(path, number)]:
            raise FileFormatError(
                f"{len(left)} of {layout.n_shards} shards were made, but are not in {str(path)!r}: "
                "workers on other machines need this folder under the same name."
            )
        shutil.rmtree(path / _PARTIAL, ignore_errors=True)
    return path


def _length(layout, number):
    start, stop = layout.rows(number)
    return stop - start


def describe_geometry(geometry):
    """Give the arguments of a `~szmass.maps.CutoutGeometry`; texts keep all digits."""
    return {
        "shape": list(geometry.shape),
        "pixel_scale": str(geometry.pixel_scale),
        "frame": geometry.frame,
        "rotation": str(geometry.rotation),
    }
