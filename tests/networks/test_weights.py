"""Weights as plain arrays: from Keras-2 files, in files of our own, in a model."""

import numpy as np
import pytest

from szmass.exceptions import FileFormatError
from szmass.networks._weights import load_arrays, read_keras2_weights, save_arrays, set_arrays
from szmass.networks.architectures import build_deandres2022

h5py = pytest.importorskip("h5py")


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_keras2_file_gives_named_arrays(keras2_file, arrays):
    assert_same(read_keras2_weights(keras2_file), arrays)


def test_truncated_keras2_file(keras2_file):
    keras2_file.write_bytes(keras2_file.read_bytes()[:100_000])
    with pytest.raises(FileFormatError, match=r"keras2\.h5' is not a complete weight file"):
        read_keras2_weights(keras2_file)


def test_hdf5_of_another_layout(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(FileFormatError, match="not a complete weight file of Keras 2"):
        read_keras2_weights(tmp_path / "a.h5")


def test_layer_of_unknown_kind(keras2_file):
    with h5py.File(keras2_file, "r+") as file:
        file.attrs["layer_names"] = np.array([b"lstm_1"])
        file["lstm_1/kernel:0"] = np.zeros(3)
        file["lstm_1"].attrs["weight_names"] = np.array([b"kernel:0"])
    with pytest.raises(FileFormatError, match="layer 'lstm_1' with weights"):
        read_keras2_weights(keras2_file)


@pytest.mark.parametrize(
    "value",
    ["text", np.array([b"a", b"b"]), None, h5py.SoftLink("/nowhere"), np.zeros(2, "f4,i4")],
    ids=["text", "texts", "group", "link", "records"],
)
def test_a_weight_that_is_no_array_of_numbers(keras2_file, value):
    with h5py.File(keras2_file, "r+") as file:
        layer = next(name for name in file if name.startswith("conv2d"))
        name = file[layer].attrs["weight_names"][0].decode()
        del file[layer][name]
        if value is None:
            file[layer].create_group(name)
        else:
            file[layer][name] = value
    with pytest.raises(FileFormatError, match="must hold numbers|not a complete weight file"):
        read_keras2_weights(keras2_file)


def test_a_weight_that_states_more_than_the_file_holds(keras2_file):
    with h5py.File(keras2_file, "r+") as file:
        layer = next(name for name in file if name.startswith("conv2d"))
        name = file[layer].attrs["weight_names"][0].decode()
        del file[layer][name]
        file[layer].create_dataset(name, shape=(10**9,), dtype="f4", chunks=(1000,))
    with pytest.raises(FileFormatError, match="inflates to more than 256 MB"):
        read_keras2_weights(keras2_file)


@pytest.mark.parametrize("names", [3, np.array([b"\xff\xfe"]), np.array([b"nowhere"])])
@pytest.mark.parametrize("attribute", ["layer_names", "weight_names"])
def test_names_that_are_none(keras2_file, attribute, names):
    with h5py.File(keras2_file, "r+") as file:
        layer = next(name for name in file if name.startswith("conv2d"))
        (file if attribute == "layer_names" else file[layer]).attrs[attribute] = names
    with pytest.raises(FileFormatError, match="not a complete weight file"):
        read_keras2_weights(keras2_file)


@pytest.mark.parametrize("kind", ["U3", "M8[s]", "f4,i4"])
def test_npz_of_other_things_than_numbers(tmp_path, kind):
    np.savez(tmp_path / "a.npz", a=np.zeros(2, kind))
    with pytest.raises(FileFormatError, match="'a' must hold numbers"):
        load_arrays(tmp_path / "a.npz")


def test_npz_round_trip(tmp_path, arrays):
    for _ in range(2):  # the second replaces the first
        save_arrays(tmp_path / "a.npz", arrays)
    assert_same(load_arrays(tmp_path / "a.npz"), arrays)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_damaged_npz(tmp_path, arrays):
    save_arrays(tmp_path / "a.npz", arrays)
    whole = (tmp_path / "a.npz").read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"x" * 100):
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(FileFormatError, match="not a complete file of plain arrays"):
            load_arrays(tmp_path / "a.npz")


def test_npz_with_objects_or_one_array_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    np.save(tmp_path / "b.npy", np.zeros(3))
    for name in ("a.npz", "b.npy"):
        with pytest.raises(FileFormatError, match="plain arrays"):
            load_arrays(tmp_path / name)


def test_set_arrays_takes_only_what_fits(arrays):
    pytest.importorskip("keras")
    model = build_deandres2022()
    set_arrays(model, arrays)
    np.testing.assert_array_equal(np.asarray(model.get_layer("dense2").bias), arrays["dense2/bias"])
    kernel = arrays["conv1/kernel"]
    for changed, message in (
        ({"extra/bias": kernel}, "extra/bias is unknown"),
        ({"conv1/kernel": kernel[:2]}, r"'conv1/kernel' have shape \(2, 3, 1, 16\)"),
        ({"conv1/kernel": np.where(kernel > 0, kernel, np.nan)}, "'conv1/kernel' contain NaN"),
    ):
        with pytest.raises(FileFormatError, match=message):
            set_arrays(model, arrays | changed)
    del arrays["dense4/bias"]
    with pytest.raises(FileFormatError, match="dense4/bias is missing"):
        set_arrays(model, arrays)
