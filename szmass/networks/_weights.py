"""Weights of a network as named plain arrays: in files, in a Keras model, from a Keras-2 file."""

import json
import logging
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

from szmass._io.download import file_sha256
from szmass._io.files import atomic_path
from szmass._io.limits import check_npz, inflation_limit, too_large
from szmass.exceptions import FileFormatError

logger = logging.getLogger(__name__)

_KERAS2_LAYER = re.compile(r"(conv2d|dense)(_\d+)?")
_OUR_LAYER = {"conv2d": "conv", "dense": "dense"}


def read_keras2_weights(path):
    """Weights that ``save_weights`` of Keras 2 wrote to HDF5: ``"conv1/kernel"``, ...

    Keras 3 cannot load these files: they name the layers of a sub-classed model, which are counted
    here.
    """
    import h5py  # slow

    arrays, counts = {}, dict.fromkeys(_OUR_LAYER, 0)
    try:
        with h5py.File(path, "r") as file:
            for layer in file.attrs["layer_names"]:
                group = file[layer]
                names = [_text(name) for name in group.attrs["weight_names"]]
                if not names:
                    continue
                kind = _KERAS2_LAYER.fullmatch(_text(layer))
                if kind is None:
                    raise FileFormatError(
                        f"{str(path)!r} has a layer {_text(layer)!r} with weights; only "
                        f"{' and '.join(_OUR_LAYER)} layers are known."
                    )
                counts[kind[1]] += 1
                ours = f"{_OUR_LAYER[kind[1]]}{counts[kind[1]]}"
                for name in names:
                    parameter = name.rpartition("/")[2].partition(":")[0]
                    # What is stated need not be in the file: it is zeros then.
                    if group[name].nbytes > (limit := inflation_limit(Path(path).stat().st_size)):
                        raise too_large(path, limit)
                    arrays[f"{ours}/{parameter}"] = _numbers(group[name][()], name)
    except (OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError) as err:
        if isinstance(err, FileFormatError):
            raise
        raise FileFormatError(
            f"{str(path)!r} is not a complete weight file of Keras 2: {err}"
        ) from err
    return arrays


def _numbers(array, name):
    """An array of real numbers; anything else that a file may hold is refused."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiubc":
        raise FileFormatError(f"The array {name!r} must hold numbers. Received: {array.dtype}")
    return array


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)


def save_arrays(path, arrays):
    """Write named arrays to an ``.npz`` file, completely or not at all."""
    with atomic_path(path, overwrite=True) as temporary:
        np.savez(temporary, **arrays)


def write_json(path, values, *, overwrite=True, allow_nan=True):
    """Write plain values as JSON, completely or not at all."""
    text = json.dumps(values, indent=1, allow_nan=allow_nan)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")


def load_arrays(path, *, text=()):
    """Read named arrays of numbers from an ``.npz`` file, or say that it is damaged.

    Those in ``text`` may hold text instead.
    """
    try:
        check_npz(path)
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {
                name: file[name] if name in text else _numbers(file[name], name)
                for name in file.files
            }
    except (
        *(OSError, ValueError, EOFError, TypeError, LookupError),
        *(zipfile.BadZipFile, RuntimeError, zlib.error),  # encrypted, packed in an unknown way
    ) as err:
        raise FileFormatError(
            f"{str(path)!r} is not a complete file of plain arrays: {err}"
        ) from err


def named_weights(model):
    """Weights of a Keras model by names ``layer/weight``, with layers in between if it has any."""
    found = {}
    for layer in model.layers:
        for weight in layer.weights:
            # The model's own name, which stands before some, may be another when it is built again.
            parts = weight.path.split("/")
            inside = parts[parts.index(layer.name) + 1 :] if layer.name in parts else parts[-1:]
            found["/".join([layer.name, *inside])] = weight
    return found


def set_arrays(model, arrays):
    """Put arrays, one per weight named ``layer/weight``, into a Keras model."""
    wanted = named_weights(model)
    if differing := sorted(wanted.keys() ^ arrays.keys()):
        raise FileFormatError(
            f"The weights do not fit the network {model.name!r}: "
            + ", ".join(f"{n} is {'missing' if n in wanted else 'unknown'}" for n in differing)
        )
    for name, weight in wanted.items():
        if arrays[name].shape != tuple(weight.shape):
            raise FileFormatError(
                f"The weights {name!r} have shape {arrays[name].shape}; the network {model.name!r} "
                f"needs {tuple(weight.shape)}."
            )
        if arrays[name].dtype.kind not in "fiu" or not np.all(np.isfinite(arrays[name])):
            raise FileFormatError(
                f"The weights {name!r} contain NaN or infinite values, or no numbers."
            )
        weight.assign(arrays[name])


def cached_arrays(path, source_sha256, make):
    """Arrays that were converted before, or those of make(), which are kept.

    A ``.json`` beside the ``.npz`` has the SHA-256 of the source and its own; both must agree.
    """
    path = Path(path)
    record = path.with_suffix(".json")
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        if known == {"source_sha256": source_sha256, "sha256": file_sha256(path)}:
            return load_arrays(path)
    except (OSError, ValueError) as err:
        logger.debug("no usable converted weights at %s: %s", path, err)
    arrays = make()
    try:
        save_arrays(path, arrays)
        known = {"source_sha256": source_sha256, "sha256": file_sha256(path)}
        write_json(record, known)
    except OSError as err:  # a read-only or full cache costs time, not the result
        logger.warning("The converted weights could not be kept at %s: %s", path, err)
    return arrays
