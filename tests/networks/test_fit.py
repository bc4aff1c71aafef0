"""One training: the same for the same seed, and whole after whatever interrupted it."""

import itertools
import sys

import numpy as np
import pytest
from astropy.table import Table

from szmass.exceptions import FileFormatError, MissingDependencyError, TrainingError
from szmass.networks._weights import load_arrays
from szmass.networks.training._fit import best_arrays, fit_network, model_arrays, seed_everything

pytest.importorskip("keras")

STEPS = 5
WEIGHTS = np.linspace(-1, 1, 6)


def draw(rng, n=16):
    x = rng.normal(size=(n, 6)).astype(np.float32)
    return x, (x @ WEIGHTS)[:, np.newaxis].astype(np.float32)


def batches(epoch):
    for number in itertools.count(epoch):
        rng = np.random.default_rng([3, number])
        for _ in range(STEPS):
            yield draw(rng)


VALIDATION = draw(np.random.default_rng(1), 50)


def make_network(seed, units=12):
    keras = seed_everything(seed)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(units, activation="relu", name="a"),
            layers.Dropout(0.3, name="drop"),
            layers.Dense(1, name="b"),
        ]
    )
    network.compile(keras.optimizers.Adam(0.02), loss="mse")
    return network


def fit(network, folder, epochs=5, data=batches, **options):
    return fit_network(network, data, STEPS, VALIDATION, folder, epochs=epochs, **options)


def assert_same(arrays, others):
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of five epochs without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    network = make_network(7)
    return folder, network, fit(network, folder)


def test_the_same_seed_gives_the_same_bits(whole, tmp_path):
    folder, network, history = whole
    other = make_network(7)
    assert fit(other, tmp_path) == history
    assert_same(model_arrays(other), model_arrays(network))
    assert_same(
        load_arrays(tmp_path / "checkpoint.npz", text={"history"}),
        load_arrays(folder / "checkpoint.npz", text={"history"}),
    )
    assert (tmp_path / "log.csv").read_bytes() == (folder / "log.csv").read_bytes()
    other = make_network(8)
    assert fit(other, tmp_path)[0] != history[0]


def test_an_interrupted_run_ends_as_a_whole_one(whole, tmp_path):
    folder, network, history = whole
    fit(make_network(7), tmp_path, epochs=2)
    other = make_network(99)  # weights, drop-out and optimizer must all come from the check-point
    assert fit(other, tmp_path, resume=True) == history
    assert_same(model_arrays(other), model_arrays(network))
    assert_same(
        load_arrays(tmp_path / "checkpoint.npz", text={"history"}),
        load_arrays(folder / "checkpoint.npz", text={"history"}),
    )
    assert (tmp_path / "log.csv").read_bytes() == (folder / "log.csv").read_bytes()


def test_without_resume_it_begins_anew(whole, tmp_path):
    (tmp_path / "checkpoint.npz").write_bytes(b"of an earlier run")
    assert fit(make_network(7), tmp_path) == whole[2]


def test_log_and_files(whole):
    folder, _, history = whole
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.npz", "log.csv"]
    log = Table.read(folder / "log.csv", format="ascii.csv")
    assert log.colnames == ["epoch", "loss", "val_loss", "learning_rate"]
    assert list(log["epoch"]) == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(log["val_loss"], [row["val_loss"] for row in history], rtol=1e-8)
    np.testing.assert_allclose(log["learning_rate"], 0.02, rtol=1e-6)
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_best_epoch_is_kept(tmp_path):
    def spoiling(epoch):
        # From the fourth epoch on the targets are others.
        for number, (x, y) in enumerate(batches(epoch), start=epoch * STEPS):
            yield x, (y if number < 3 * STEPS else 10 - y)

    network = make_network(7)
    history = fit(network, tmp_path, epochs=20, data=spoiling, patience=2)
    losses = [row["val_loss"] for row in history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 20
    assert losses[-1] > losses[best]
    assert network.evaluate(*VALIDATION, verbose=0) == pytest.approx(losses[best], rel=1e-6)
    assert_same(best_arrays(tmp_path), model_arrays(network))
    # It has waited long enough: going on does nothing.
    other = make_network(1)
    assert fit(other, tmp_path, epochs=20, data=None, patience=2, resume=True) == history
    assert_same(model_arrays(other), model_arrays(network))


def test_a_loss_that_is_not_finite_ends_it(tmp_path):
    def breaking(epoch):
        for number, (x, y) in enumerate(batches(epoch), start=epoch * STEPS):
            yield x, (y * np.nan if number == 2 * STEPS + 3 else y)

    with pytest.raises(TrainingError, match="loss of 'train' became nan in epoch 3, batch 4"):
        fit(make_network(7), tmp_path, data=breaking)
    kept = load_arrays(tmp_path / "checkpoint.npz", text={"history"})
    assert all(np.isfinite(value).all() for value in kept.values() if value.dtype.kind == "f")
    assert len(Table.read(tmp_path / "log.csv", format="ascii.csv")) == 2


def test_going_on_after_a_loss_that_was_not_finite(whole, tmp_path):
    def breaking(epoch):
        for number, (x, y) in enumerate(batches(epoch), start=epoch * STEPS):
            yield x, (y * np.inf if number == 2 * STEPS else y)

    with pytest.raises(TrainingError, match="became"):
        fit(make_network(7), tmp_path, data=breaking)
    network = make_network(5)
    assert fit(network, tmp_path, resume=True) == whole[2]
    assert_same(model_arrays(network), model_arrays(whole[1]))


def test_what_the_data_raise_is_raised(tmp_path):
    def lost(epoch):
        for number, batch in enumerate(batches(epoch)):
            if number == STEPS + 1:
                raise FileFormatError("shard 3 is damaged")
            yield batch

    with pytest.raises(FileFormatError, match="shard 3 is damaged"):
        fit(make_network(7), tmp_path, data=lost)
    assert (tmp_path / "checkpoint.npz").exists()


def test_damaged_check_points(whole, tmp_path):
    content = (whole[0] / "checkpoint.npz").read_bytes()
    path = tmp_path / "checkpoint.npz"
    for damaged in (content[: len(content) // 2], b"", b"nothing"):
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError, match=r"checkpoint\.npz' is not a complete file"):
            fit(make_network(7), tmp_path, resume=True)
        assert path.read_bytes() == damaged
        with pytest.raises(FileFormatError, match="not a complete file"):
            best_arrays(tmp_path)


def test_check_point_of_another_network(whole, tmp_path):
    (tmp_path / "checkpoint.npz").write_bytes((whole[0] / "checkpoint.npz").read_bytes())
    with pytest.raises(FileFormatError, match="not one of this network"):
        fit(make_network(7, units=13), tmp_path, resume=True)


def test_tensorboard(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tensorboard", None)
        with pytest.raises(MissingDependencyError, match="python -m pip install tensorboard"):
            fit(make_network(7), tmp_path, epochs=1, tensorboard=True)
    pytest.importorskip("tensorboard")
    fit(make_network(7), tmp_path, epochs=1, tensorboard=True)
    assert list(tmp_path.glob("**/events.out.tfevents.*"))
