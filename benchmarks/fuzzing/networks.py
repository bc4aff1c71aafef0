"""Mutated model cards, files of weights, domain scores, and recipes of trainings."""

import copy
import functools
import hashlib
import io
import json
import zipfile
from importlib import resources

import numpy as np

from fuzzing import damage
from fuzzing.cases import FREE, REFUSED, SAME, SAME_OR_REFUSED, Case
from fuzzing.damage import pick
from szmass.networks import DomainScore, ModelCard, Recipe, load_binned, load_networks
from szmass.networks._weights import read_keras2_weights

#: Values of other types for JSON and TOML.
ODD = (
    *(None, True, False, 0, -1, 1.5, 1e300, -1e300, 10**40, "", "text", "1", [], {}, [1], ["a"]),
    *([[]], {"a": 1}, float("nan"), float("inf"), [None, None], [[1, 2], [3]], "\x00", "é" * 50),
)


def flat(value, prefix=""):
    """Entries of nested dicts and lists by their paths."""
    if isinstance(value, dict):
        pairs = [(f"{prefix}.{key}", entry) for key, entry in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [(f"{prefix}[{i}]", entry) for i, entry in enumerate(value)]
    else:
        return {prefix: f"{value!r}"}
    found = {f"{prefix} of": str(len(pairs))}
    for name, entry in pairs:
        found |= flat(entry, name)
    return found


def places(value, path=()):
    """Paths of all entries below a value."""
    found = []
    if isinstance(value, dict | list):
        keys = value.keys() if isinstance(value, dict) else range(len(value))
        for key in keys:
            found += [(*path, key), *places(value[key], (*path, key))]
    return found


def edited(rng, values):
    """Change one entry of nested values: the kind of change, the path, the new value, all."""
    values = copy.deepcopy(values)
    path = pick(rng, places(values))
    parent = values
    for key in path[:-1]:
        parent = parent[key]
    kind = pick(rng, ("odd", "odd", "odd", "odd", "removed", "added"))
    new = None
    if kind == "odd":
        new = copy.deepcopy(pick(rng, ODD))
        if repr(parent[path[-1]]) == repr(new):
            kind = "as it was"
        parent[path[-1]] = new
    elif kind == "removed":
        del parent[path[-1]]
    elif isinstance(parent, dict):
        parent["unknown"] = new = 3
    else:
        parent.append(pick(rng, ODD))
    return kind, path, new, values


# Cards


@functools.cache
def _shipped_card():
    path = resources.files("szmass") / "data" / "cnn" / "card.json"
    card = json.loads(path.read_text())
    card["training"], card["metrics"] = {"seed": 3}, {"bias": 0.01}
    return card


@functools.cache
def _published_card():
    return json.loads((resources.files("szmass") / "data" / "deandres2022.json").read_text())


def _read_card(path):
    card = ModelCard.read(path)
    about = flat(card.to_dict())
    about["bins"] = card.redshift_bin([0.05, 0.1, 0.15, 0.5, 0.99, np.nan])
    about["digest"] = card.digest
    return about


# Fields the values of which are whatever the author says: other ones make another card.
_FREE_FIELDS = (
    "training",
    "metrics",
    "licence",
    "references",
    "name",
    "split",
    "architecture_options",
)


def card_case(rng, folder):
    """A model card."""
    base = pick(rng, (_shipped_card, _published_card))
    values, path = base(), folder / "card.json"
    path.write_text(json.dumps(values))
    reference = _cached(base.__name__, lambda: _read_card(path))
    way = pick(rng, ("entry", "entry", "entry", "entry", "text", "garbled"))
    if way == "entry":
        kind, where, new, values = edited(rng, values)
        name = f"{'.'.join(map(str, where))} {kind} {new!r:.20}"
        text = json.dumps(values).encode()
        top = where[0]
        if kind == "as it was":
            expected = SAME
        elif top in _FREE_FIELDS:
            expected = FREE
        elif len(where) == 1 and kind in ("removed", "added"):
            expected = REFUSED
        elif top in ("h", "error_table", "interpolation") and new is None and kind == "odd":
            expected = FREE
        elif isinstance(new, int | float) and not isinstance(new, bool):
            expected = FREE  # another number may be right
            if not np.isfinite(float(new)) or (
                new < 0 and top not in ("rotation_deg", "normalisation")
            ):
                expected = REFUSED if top != "format_version" else FREE
        elif top in ("weights",) or isinstance(new, str) or kind in ("removed", "added"):
            expected = FREE if isinstance(new, str) or len(where) > 1 else SAME_OR_REFUSED
        else:
            expected = SAME_OR_REFUSED
    elif way == "garbled":
        name, text = damage.garbled(rng, json.dumps(values).encode())
        name, expected = f"bytes: {name}", FREE
    else:
        name, expected, text = _edited_json(rng, values)
    path.write_bytes(text)
    return Case(f"{base.__name__[1:]} {name}", expected, lambda: _read_card(path), reference)


_CACHE = {}


def _cached(key, make):
    if key not in _CACHE:
        _CACHE[key] = make()
    return _CACHE[key]


def _edited_json(rng, values):
    text = json.dumps(values)
    turned = dict(reversed(values.items()))
    deep = "[" * 100_000 + "]" * 100_000
    ways = {
        "in another order": (SAME, json.dumps(turned)),
        "with blanks": (SAME, json.dumps(values, indent=7)),
        "BOM": (SAME_OR_REFUSED, "\ufeff" + text),
        "utf-16": (SAME_OR_REFUSED, text.encode("utf-16")),
        "nested deep": (REFUSED, text.replace('"split":', f'"split": {deep}, "x":')),
        "nested deep alone": (REFUSED, deep),
        "a number of 10000 digits": (
            REFUSED,
            text.replace('"n_parameters": ', '"n_parameters": ' + "1" * 10_000),
        ),
        "list": (REFUSED, "[]"),
        "null": (REFUSED, "null"),
        "empty": (REFUSED, ""),
        "NaN": (REFUSED, text.replace('"pixel_scale_arcmin": 1.7', '"pixel_scale_arcmin": NaN')),
        "key twice": (SAME_OR_REFUSED, text[:-1] + ', "pixel_scale_arcmin": 3.0}'),
        "trailing": (REFUSED, text + "}"),
        "comment": (REFUSED, "// a card\n" + text),
        "surrogate": (FREE, text.replace('"TAN"', '"\\ud800"')),
    }
    name = pick(rng, tuple(ways))
    expected, new = ways[name]
    return name, expected, new if isinstance(new, bytes) else new.encode()


# Weights


@functools.cache
def _arrays():
    rng = np.random.default_rng(5)
    shapes = {"conv1/kernel": (3, 3, 1, 4), "conv1/bias": (4,), "dense1/kernel": (4, 1)}
    return {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def _npz(arrays, compressed=False):
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def _keras2(arrays):
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["layer_names"] = np.array(["conv2d_7", "dense_3"], dtype="S")
        for layer, ours in (("conv2d_7", "conv1"), ("dense_3", "dense1")):
            group = file.create_group(layer)
            names = [name for name in arrays if name.startswith(ours)]
            theirs = [f"net/{layer}/{name.rpartition('/')[2]}:0" for name in names]
            for name, path in zip(names, theirs, strict=True):
                group[path] = arrays[name]
            group.attrs["weight_names"] = np.array(theirs, dtype="S")
    return stream.getvalue()


def _folder_of(folder, content, *, density, sha256=None):
    card = copy.deepcopy(_shipped_card() if density else _published_card())
    if not density:
        card["redshift_bins"], card["normalisation"] = [[0.0, 1.0]], [[0.0, 1.0]]
    digest = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
    card["weights"] = [{"file": "model.npz", "sha256": digest, "url": None}]
    (folder / "card.json").write_text(json.dumps(card))
    (folder / "model.npz").write_bytes(content)


def _read_keras2(path):
    return read_keras2_weights(path)


def weights_case(rng, folder):
    """A file of weights: arrays in a zip file beside a card that names it, or HDF5 of Keras 2."""
    if rng.random() < 0.3:
        return _keras2_case(rng, folder)
    from szmass.networks._weights import load_arrays

    density = rng.random() < 0.3
    arrays = _arrays()
    if density:
        arrays = {f"member-0/{name}": array for name, array in arrays.items()}

    def read():
        if density:
            load_networks(folder)
        else:
            load_binned(folder)
        return load_arrays(folder / "model.npz")

    content = _npz(arrays)
    way = pick(rng, ("digest", "zip", "zip", "array", "array", "garbled"))
    if way == "digest":
        name, damaged = damage.garbled(rng, content)
        name = f"{name} under the digest of before"
        _folder_of(folder, damaged, density=density, sha256=hashlib.sha256(content).hexdigest())
        return Case(f"npz {name}", SAME_OR_REFUSED, read, arrays)
    if way == "garbled":
        name, content = damage.garbled(rng, content)
        expected = FREE
    elif way == "array":
        name, expected, content = _other_array(rng, arrays)
    else:
        name, expected, content = _other_zip(rng, arrays)
    if density and expected is not FREE:
        expected = FREE if expected is REFUSED and "calibration" not in name else expected
    _folder_of(folder, content, density=density)
    return Case(f"npz {name}", expected, read, arrays)


def _other_array(rng, arrays):
    first = next(iter(arrays))
    array = arrays[first]
    others = {
        "NaN": _nan(array),
        "object": np.array([{"a": 1}, None], dtype=object),
        "text": np.array(["a", "b"]),
        "complex": array.astype(complex),
        "record": np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]),
        "date": np.zeros(2, "M8[s]"),
        "bool": array > 0,
        "empty": np.zeros((0, 3)),
        "scalar": np.array(3.0),
        "other shape": array.reshape(-1),
    }
    kind = pick(rng, (*others, "big", "double", "fortran", "compressed", "missing", "unknown"))
    if kind in others:
        expected = FREE if kind not in ("object", "text", "record", "date") else REFUSED
        return f"array {kind}", expected, _npz(arrays | {first: others[kind]})
    if kind == "big":
        return kind, SAME, _npz({name: array.astype(">f4") for name, array in arrays.items()})
    if kind == "double":
        return kind, SAME, _npz({name: array.astype(float) for name, array in arrays.items()})
    if kind == "fortran":
        return kind, SAME, _npz({name: np.asfortranarray(a) for name, a in arrays.items()})
    if kind == "compressed":
        return kind, SAME, _npz(arrays, compressed=True)
    if kind == "missing":
        return kind, FREE, _npz({n: a for n, a in arrays.items() if n != first})
    return kind, FREE, _npz(arrays | {pick(rng, ("x", "calibration/x", "domain/side")): array})


def _nan(array):
    array = array.copy()
    array.flat[1] = np.nan
    return array


def _other_zip(rng, arrays):
    first = next(iter(arrays))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"

    def npy(shape, descr=b"<f4", data=b""):
        text = header.replace(b"%s", shape).replace(b"<f4", descr)
        text = text.ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data

    members = {
        "shape huge": npy(b"400000000000,"),
        "shape of 4 GB": npy(b"1000000000,"),
        "shape negative": npy(b"-5,"),
        "shape text": npy(b"'a',"),
        "shape of many axes": npy(b"1," * 70, data=bytes(4)),
        "shape of product zero": npy(b"9999999999999, 0"),
        "type odd": npy(b"2,", descr=b"<q9", data=bytes(8)),
        "type object": npy(b"1,", descr=b"|O", data=b"\x80\x04N."),
        "header is code": b"\x93NUMPY\x01\x00\x20\x00__import__('os').getcwd()      \n",
        "version 9": b"\x93NUMPY\x09\x00" + bytes(20),
        "no array": b"text",
        "empty": b"",
        "data short": npy(b"300,", data=bytes(40)),
    }
    kinds = (*members, "twice", "text beside", "folder", "absolute path", "encrypted", "comment")
    kind = "zeros" if rng.random() < 0.03 else pick(rng, kinds)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, array in arrays.items():
            plain = io.BytesIO()
            np.save(plain, array)
            content = plain.getvalue()
            if name == first and kind in members:
                content = members[kind]
            file.writestr(f"{name}.npy", content)
        if kind == "twice":
            plain = io.BytesIO()
            np.save(plain, arrays[first] + 1)
            file.writestr(f"{first}.npy", plain.getvalue())
        if kind == "text beside":
            file.writestr("readme.txt", "text")
        if kind == "folder":
            file.writestr("folder/", "")
        if kind == "absolute path":
            file.writestr("/etc/x.npy", b"x")
        if kind == "comment":
            file.comment = b"x" * 1000
    content = stream.getvalue()
    if kind == "zeros":
        content = _zip_bomb(first, npy(b"200000000,"))
    if kind == "encrypted":
        content = content.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        )
    expected = (
        SAME if kind == "comment" else SAME_OR_REFUSED if kind in ("twice", "encrypted") else FREE
    )
    if kind in members and kind not in ("shape of product zero", "no array"):
        expected = REFUSED
    return f"zip {kind}", FREE if expected is REFUSED and kind == "empty" else expected, content


@functools.cache
def _zip_bomb(name, head):
    """A zip file with an array of 800 MB of zeros in some kilobytes."""
    arrays = _arrays()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for other, array in arrays.items():
            if other != name:
                plain = io.BytesIO()
                np.save(plain, array)
                file.writestr(f"{other}.npy", plain.getvalue())
        with file.open(f"{name}.npy", "w") as member:
            member.write(head)
            for _ in range(200):
                member.write(bytes(4_000_000))
    return stream.getvalue()


def _keras2_case(rng, folder):
    import h5py

    arrays, path = _arrays(), folder / "weights.h5"
    content = _cached("keras2", lambda: _keras2(arrays))
    path.write_bytes(content)
    way = pick(rng, ("garbled", "garbled", "edited"))
    if way == "garbled":
        name, content = damage.garbled(rng, content)
        path.write_bytes(content)
        return Case(f"HDF5 bytes: {name}", FREE, lambda: _read_keras2(path), arrays)
    ways = {
        "no layers": lambda f: f.attrs.pop("layer_names"),
        "layers number": lambda f: f.attrs.__setitem__("layer_names", 3),
        "layers text": lambda f: f.attrs.__setitem__("layer_names", "conv2d_7"),
        "layers unknown": lambda f: f.attrs.__setitem__("layer_names", np.array([b"lstm"])),
        "layer missing": lambda f: f.pop("conv2d_7"),
        "layer is data": lambda f: (f.pop("conv2d_7"), f.__setitem__("conv2d_7", 3)),
        "no names": lambda f: f["conv2d_7"].attrs.pop("weight_names"),
        "names number": lambda f: f["conv2d_7"].attrs.__setitem__("weight_names", 3),
        "names unknown": lambda f: f["conv2d_7"].attrs.__setitem__(
            "weight_names", np.array([b"x"])
        ),
        "weight missing": lambda f: f["conv2d_7"].pop("net"),
        "weight is a group": lambda f: _weight(f, None),
        "weight text": lambda f: _weight(f, "text"),
        "weight objects": lambda f: _weight(f, np.array([b"a", b"bc"], dtype=h5py.string_dtype())),
        "weight huge": _huge,
        "layer odd bytes": lambda f: f.attrs.__setitem__("layer_names", np.array([b"\xff\xfe"])),
        "outer link": lambda f: _weight(f, h5py.ExternalLink("/etc/hostname", "/x")),
        "soft link to itself": lambda f: _weight(
            f, h5py.SoftLink("/conv2d_7/net/conv2d_7/kernel:0")
        ),
    }
    name = pick(rng, tuple(ways))
    with h5py.File(path, "r+") as file:
        ways[name](file)
    return Case(f"HDF5 {name}", REFUSED, lambda: _read_keras2(path), arrays)


def _weight(file, value):
    group = file["conv2d_7/net/conv2d_7"]
    del group["kernel:0"]
    if value is None:
        group.create_group("kernel:0")
    else:
        group["kernel:0"] = value


def _huge(file):
    group = file["conv2d_7/net/conv2d_7"]
    del group["kernel:0"]
    group.create_dataset("kernel:0", shape=(300_000_000,), dtype="f4", chunks=(100_000,))


# Domain scores


@functools.cache
def _domain():
    with np.load(resources.files("szmass") / "data" / "cnn" / "model.npz") as file:
        arrays = {n.partition("/")[2]: file[n] for n in file.files if n.startswith("domain/")}
    rng = np.random.default_rng(6)
    side = int(arrays["side"])
    planes = rng.normal(0, 0.5, (2, side, side, 4))
    low, high = arrays["range"]
    middle = (low + high) / 2
    levels = np.linalg.lstsq(arrays["noise_directions"].T, middle[2:], rcond=None)[0]
    context = np.tile(np.concatenate([[0.0, middle[1]], levels]), (2, 1))
    return arrays, planes, context, np.full(2, middle[0])


def domain_case(rng, folder):
    """The arrays of a score that tells what is out of domain."""
    arrays, *given = _domain()

    def read(arrays):
        score = DomainScore.from_arrays(arrays)
        return {"score": score.score(*given), "threshold": score.threshold}

    reference = _cached("domain", lambda: read(arrays))
    name = pick(rng, tuple(arrays))
    array = np.asarray(arrays[name])
    kind = pick(
        rng, ("NaN", "inf", "missing", "text", "object", "shape", "empty", "zeros", "double")
    )
    changed_arrays, expected = dict(arrays), REFUSED
    if kind in ("NaN", "inf"):
        if array.size == 0:
            kind, expected = "as it was", SAME
        elif array.dtype.kind in "fc":
            new = np.array(array)
            new.flat[int(rng.integers(new.size))] = np.nan if kind == "NaN" else np.inf
            changed_arrays[name] = new
        else:
            changed_arrays[name] = np.full(array.shape, np.nan)
    elif kind == "missing":
        del changed_arrays[name]
    elif kind in ("text", "object"):
        changed_arrays[name] = np.full(array.shape, "a" if kind == "text" else None)
        expected = REFUSED if array.size else SAME_OR_REFUSED
    elif kind == "shape":
        changed_arrays[name] = array[np.newaxis, ..., np.newaxis]
        expected = SAME_OR_REFUSED
    elif kind == "empty":
        changed_arrays[name] = array.ravel()[:0]
        expected = SAME if array.size == 0 else REFUSED
    elif kind == "zeros":
        changed_arrays[name], expected = array * 0, FREE
    else:
        kind = "in a list"
        changed_arrays[name], expected = array.tolist(), SAME_OR_REFUSED
    return Case(f"{name} {kind}", expected, lambda: read(changed_arrays), reference)


# Recipes


@functools.cache
def _recipe_texts():
    folder = resources.files("szmass") / "data" / "recipes"
    return {name: (folder / f"{name}.toml").read_text() for name in ("default", "paper")}


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if value is None:
        return '""'
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def _read_recipe(path):
    recipe = Recipe.read(path)
    return flat(recipe.to_dict()) | flat(recipe.network_options, "options")


def recipe_case(rng, folder):
    """A recipe of a training."""
    import tomllib

    base = pick(rng, ("default", "paper"))
    text, path = _recipe_texts()[base], folder / "recipe.toml"
    path.write_text(text)
    reference = _cached(("recipe", base), lambda: _read_recipe(path))
    way = pick(rng, ("entry", "entry", "entry", "entry", "text", "garbled"))
    if way == "entry":
        kind, where, new, values = edited(rng, tomllib.loads(text))
        name = f"{'.'.join(map(str, where))} {kind} {new!r:.20}"
        content = "\n".join(f"{key} = {_toml(value)}" for key, value in values.items()).encode()
        number = isinstance(new, int | float) and not isinstance(new, bool)
        expected = SAME_OR_REFUSED
        if kind == "as it was":
            expected = SAME
        elif (
            kind == "removed"
            or len(where) > 2
            or number
            or isinstance(new, str | bool | list | dict)
        ):
            expected = FREE
        if kind == "added" and isinstance(where[-1], str):
            expected = REFUSED if where[0] != "data" or len(where) < 3 else FREE
        if number and (not np.isfinite(float(new)) or (new < 0 and len(where) < 3)):
            expected = REFUSED
        count = where[-1] in ("seed", "clusters", "members", "epochs", "batch_size")
        if count and len(where) < 3 and isinstance(new, str | list | dict | bool | float):
            expected = REFUSED
        if new is None and kind == "odd":
            expected = FREE
    elif way == "garbled":
        name, content = damage.garbled(rng, text.encode())
        name, expected = f"bytes: {name}", FREE
    else:
        ways = {
            "nested deep": (REFUSED, text + "\nx = " + "[" * 5000 + "]" * 5000),
            "keys deep": (REFUSED, text + "\n" + ".".join(["a"] * 5000) + " = 1"),
            "key twice": (REFUSED, "seed = 5\n" + text),
            "BOM": (SAME_OR_REFUSED, "\ufeff" + text),
            "CRLF": (SAME, text.replace("\n", "\r\n")),
            "empty": (REFUSED, ""),
            "JSON": (REFUSED, "{}"),
            "a number of 10000 digits": (
                REFUSED,
                text.replace("seed = ", "seed = " + "1" * 10_000),
            ),
            "date": (REFUSED, text.replace("seed = ", "seed = 1979-05-27 #")),
            "time": (REFUSED, text.replace("clusters = ", "clusters = 07:32:00 #", 1)),
            "comment": (SAME, "# a recipe\n" + text),
            "latin-1": (REFUSED, ("# naïve\n" + text).encode("latin-1")),
        }
        name = pick(rng, tuple(ways))
        expected, content = ways[name]
        content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(content)
    return Case(f"{base} {name}", expected, lambda: _read_recipe(path), reference)
