"""Weights of the published layout with random numbers."""

import dataclasses
import hashlib

import numpy as np
import pytest

from szmass.networks import WeightsFile, published, published_card

SHAPES = {
    "conv1/kernel": (3, 3, 1, 16),
    "conv2/kernel": (3, 3, 16, 32),
    "conv3/kernel": (3, 3, 32, 64),
    "dense1/kernel": (64, 200),
    "dense2/kernel": (200, 100),
    "dense3/kernel": (100, 20),
    "dense4/kernel": (20, 1),
}


def make_arrays(seed):
    """Draw weights that give about 14.3 for maps of unit variance."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in SHAPES.items():
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        arrays[name] = rng.normal(0, scale, shape).astype(np.float32)
        bias = rng.normal(14.3 if name == "dense4/kernel" else 0, 0.05, shape[-1])
        arrays[name.replace("kernel", "bias")] = bias.astype(np.float32)
    return arrays


def write_keras2(path, arrays, number=474):
    """Write weights as ``save_weights`` of Keras 2 did for the published networks."""
    h5py = pytest.importorskip("h5py")
    convolutions = [f"conv2d_{number + i}" for i in range(3)]
    denses = [f"dense_{number + i}" for i in range(4)]
    layers = []
    for convolution in convolutions:
        layers += [convolution, convolution.replace("conv2d", "max_pooling2d")]
    layers += ["global_average_pooling2d_7", denses[0], "dropout_316", *denses[1:]]
    ours = dict(zip(convolutions + denses, (n.partition("/")[0] for n in SHAPES), strict=True))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(layers, dtype="S")
        file.attrs["backend"] = b"tensorflow"
        for layer in layers:
            group = file.create_group(layer)
            names = []
            if layer in ours:
                names = [
                    f"model__ntampaka_{number}/{layer}/{kind}:0" for kind in ("kernel", "bias")
                ]
                for name, kind in zip(names, ("kernel", "bias"), strict=True):
                    group[name] = arrays[f"{ours[layer]}/{kind}"]
            group.attrs["weight_names"] = np.array(names, dtype="S") if names else np.zeros(0)


@pytest.fixture
def arrays():
    """Random weights of one network."""
    return make_arrays(0)


@pytest.fixture
def keras2_file(tmp_path, arrays):
    """The random weights in a file of Keras 2."""
    path = tmp_path / "keras2.h5"
    write_keras2(path, arrays)
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("SZMASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "networks" / "deandres2022"


@pytest.fixture
def released(tmp_path, cache, monkeypatch):
    """A folder with four random weight files, and a published card that names them."""
    folder = tmp_path / "weights"
    folder.mkdir()
    entries = []
    for i, entry in enumerate(published_card().weights):
        path = folder / entry.file
        write_keras2(path, make_arrays(i), number=10 * i)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        entries.append(WeightsFile(entry.file, sha256, entry.url))
    card = dataclasses.replace(published_card(), weights=entries)
    monkeypatch.setattr(published, "published_card", lambda: card)
    return folder
