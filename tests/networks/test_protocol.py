"""One training of the published architecture, and its statistics."""

import dataclasses
import json

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table

from szmass.exceptions import FileFormatError
from szmass.maps import CutoutGeometry, NoiseModel
from szmass.networks import build_deandres2022
from szmass.networks._weights import load_arrays, set_arrays
from szmass.networks.protocol._training import (
    Protocol,
    error_table,
    mass_bin_statistics,
    pooled_means,
    read_record,
    relative_error,
    split_bin,
    train_one,
    training_folder,
)
from szmass.simulations import Observation, draw_flat, make_dataset

# The smallest maps that the architecture takes are 22 x 22.
GEOMETRY = CutoutGeometry(shape=(24, 24), pixel_scale=4 * u.arcmin)


@pytest.fixture(scope="module")
def protocol(tmp_path_factory):
    pytest.importorskip("zarr")
    folder = tmp_path_factory.mktemp("protocol")
    dataset = make_dataset(
        folder / "clean.zarr",
        draw_flat(60, redshift=np.linspace(0.02, 0.4, 60), seed=1),
        Observation(name="small", geometry=GEOMETRY),
        cosmology="PSZ2",
        seed=2,
        projections=2,
    )
    return Protocol(
        dataset=dataset,
        folder=folder / "trainings",
        noise=(NoiseModel.planck(depth=None),),
        redshift_bins=(0.0, 0.2, 0.4),
        fractions=(0.6, 0.2, 0.2),
        mass_bins=(14.5, 14.9),
        epochs=3,
        batch_size=16,
        learning_rate=1e-3,
        patience=None,
        seed=4,
        memory=1e9,
        tensorboard=False,
    )


def in_folder(protocol, folder, **changes):
    return dataclasses.replace(protocol, folder=folder, **changes)


@pytest.fixture(scope="module")
def trained(protocol):
    pytest.importorskip("keras")
    return train_one(protocol, 1, 7)


def test_splits_are_by_cluster_and_differ(protocol):
    seen = set()
    for model in range(3):
        parts = split_bin(protocol, 1, model)
        clusters = [set(part.cluster_id) for part in parts]
        assert not clusters[0] & clusters[1]
        assert not clusters[0] & clusters[2]
        assert not clusters[1] & clusters[2]
        redshift = np.concatenate([part.redshift for part in parts])
        assert np.all((redshift > 0.2) & (redshift <= 0.4))
        assert len(redshift) == np.count_nonzero(protocol.dataset.redshift > 0.2)
        seen.add(tuple(sorted(clusters[1])))
    assert len(seen) == 3


def test_record_and_files(protocol, trained):
    folder = training_folder(protocol.folder, 1, 7)
    assert folder == protocol.folder / "bin-1" / "007"
    assert sorted(path.name for path in folder.iterdir()) == [
        "log.csv",
        "record.json",
        "test.ecsv",
        "validation.ecsv",
        "weights.npz",
    ]
    assert read_record(protocol.folder, 1, 7) == trained
    assert read_record(protocol.folder, 1, 8) is None
    parts = dict(zip(("train", "validation", "test"), split_bin(protocol, 1, 7), strict=True))
    assert trained["maps"] == {name: len(part) for name, part in parts.items()}
    log = Table.read(folder / "log.csv", format="ascii.csv")
    np.testing.assert_allclose(log["val_loss"], trained["val_loss"], rtol=1e-8)
    assert trained["epochs"] == 3
    assert trained["best_epoch"] == np.argmin(trained["val_loss"]) + 1
    # The loss is the mean squared error of log10 M.
    assert trained["validation"]["rmse"] ** 2 == pytest.approx(min(trained["val_loss"]), rel=1e-5)


def test_normalisation_is_that_of_the_noisy_training_maps(protocol, trained):
    mean, sigma = trained["normalisation"]
    train = split_bin(protocol, 1, 7)[0]
    clean, noise = train.maps(), protocol.noise[0].rms()
    assert sigma == pytest.approx(np.hypot(clean.std(), noise), rel=0.05)
    assert mean == pytest.approx(clean.mean(), abs=0.3 * noise)


def test_predictions_follow_from_the_weights(protocol, trained):
    folder = training_folder(protocol.folder, 1, 7)
    table = QTable.read(folder / "test.ecsv")
    part = split_bin(protocol, 1, 7)[2]
    np.testing.assert_array_equal(table["cluster_id"], part.cluster_id)
    truth = part.table(["mass_true"])["mass_true"]
    assert np.all(table["mass_true"] == truth)
    predicted, true = np.log10(table["mass_cnn"].value), np.log10(table["mass_true"].value)
    statistics = mass_bin_statistics(predicted, true, part.cluster_id, protocol.mass_bins)
    assert statistics["maps"] == trained["test"]["maps"]
    assert statistics["rmse"] == pytest.approx(trained["test"]["rmse"], rel=1e-9)
    # Weights and normalisation are all that is needed; the noise alone cannot be had again here.
    network = build_deandres2022(GEOMETRY.shape)
    set_arrays(network, load_arrays(folder / "weights.npz"))
    mean, sigma = trained["normalisation"]
    maps = ((part.maps() - mean) / sigma)[..., np.newaxis]
    clean = np.asarray(network(maps, training=False))[:, 0]
    assert np.abs(clean - predicted).max() < 0.3


def test_the_same_again_in_another_folder(protocol, trained, tmp_path):
    other = train_one(in_folder(protocol, tmp_path), 1, 7)
    assert other == trained  # with the SHA-256 of its weights
    for name in ("log.csv", "test.ecsv", "weights.npz"):
        path = training_folder(tmp_path, 1, 7) / name
        assert path.read_bytes() == (training_folder(protocol.folder, 1, 7) / name).read_bytes(), (
            name
        )


def test_a_training_goes_on_after_its_check_point(protocol, trained, tmp_path):
    folder = training_folder(tmp_path, 1, 7)
    short = in_folder(protocol, tmp_path, epochs=1)

    def stop(*args):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("szmass.networks.protocol._training.save_arrays", stop)
        with pytest.raises(KeyboardInterrupt):
            train_one(short, 1, 7)
    assert (folder / "checkpoint.npz").exists()
    assert train_one(in_folder(protocol, tmp_path), 1, 7) == trained


def test_a_loss_that_is_not_finite_is_on_record(protocol, tmp_path):
    pytest.importorskip("keras")
    record = train_one(in_folder(protocol, tmp_path, learning_rate=1e30), 0, 0)
    assert "Lower the learning rate" in record["error"]
    assert read_record(tmp_path, 0, 0) == record
    assert "validation" not in record
    assert not (training_folder(tmp_path, 0, 0) / "weights.npz").exists()


def test_damaged_records(tmp_path):
    folder = training_folder(tmp_path, 0, 3)
    folder.mkdir(parents=True)
    for text in ("", "{", "[]", json.dumps({"bin": 0, "model": 4})):
        (folder / "record.json").write_text(text)
        with pytest.raises(FileFormatError, match=r"record.json' cannot be used"):
            read_record(tmp_path, 0, 3)


def test_relative_error_is_relative_to_the_prediction():
    np.testing.assert_allclose(relative_error([15.0, 14.0], [14.0, 15.0]), [0.9, -9.0])


def test_statistics_by_predicted_mass():
    predicted = np.array([14.0, 14.0, 14.5, 14.7, 15.5])
    true = np.array([14.1, 13.9, 14.5, 14.4, 15.2])
    found = mass_bin_statistics(predicted, true, np.array([1, 1, 2, 3, 4]), (14.5, 15.0))
    assert found["maps"] == [2, 2, 1]
    assert found["clusters"] == [1, 2, 1]
    low = 1 - 10 ** np.array([0.1, -0.1])
    np.testing.assert_allclose(
        found["mean"], [low.mean(), (1 - 10**-0.3) / 2, 1 - 10**-0.3], rtol=1e-12
    )
    np.testing.assert_allclose(found["std"][0], low.std(), rtol=1e-12)
    assert found["rmse"] == pytest.approx(np.sqrt((0.02 + 0.18) / 5))
    assert found["scatter"] == pytest.approx(np.std(true))
    empty = mass_bin_statistics(predicted, true, np.arange(5), (13.0, 14.6))
    assert empty["maps"] == [0, 3, 2]
    assert empty["mean"][0] is None
    assert empty["std"][0] is None
    json.dumps(mass_bin_statistics(predicted + 400, true, np.arange(5), (14.5,)), allow_nan=False)


@pytest.mark.parametrize(
    ("clusters", "least", "expected"),
    [
        ((5, 5, 5, 5), 5, [0.1, 0.2, 0.3, -0.4]),
        ((5, 4, 1, 5), 5, [0.1, 0.22, 0.22, -0.4]),  # (4 x 0.2 + 0.3) / 5
        ((1, 4, 5, 5), 5, [0.18, 0.18, 0.3, -0.4]),
        ((5, 5, 5, 4), 5, [0.1, 0.2, -0.1 / 9, -0.1 / 9]),
        ((5, 0, 5, 0), 5, [0.1, None, 0.3, None]),
        ((1, 1, 1, 1), 5, [None] * 4),
    ],
)
def test_sparse_mass_bins_are_pooled_with_a_neighbour(clusters, least, expected):
    means = [value if n else None for value, n in zip((0.1, 0.2, 0.3, -0.4), clusters, strict=True)]
    statistics = {"maps": [2 * n for n in clusters], "clusters": list(clusters), "mean": means}
    found = pooled_means(statistics, least)
    assert [value is None for value in found] == [value is None for value in expected]
    for value, other in zip(found, expected, strict=True):
        assert value == (other if other is None else pytest.approx(other))


def test_error_table_holds_the_range_of_the_true_mass():
    rng = np.random.default_rng(1)
    predicted = rng.uniform(14, 15, 20_000)
    true = predicted + np.where(rng.random(20_000) < 0.5, -0.1, 0.05) * rng.random(20_000)
    table = error_table(predicted, true)
    assert table.log10_mass[0] == predicted.min()
    assert table.log10_mass[-1] == predicted.max()
    assert len(table.log10_mass) == 20
    # 16 % of all are below -0.068, 16 % above 0.034.
    np.testing.assert_allclose(table.err_minus, 0.068, atol=0.006)
    np.testing.assert_allclose(table.err_plus, 0.034, atol=0.004)
    err_minus, err_plus = table.at(predicted)
    inside = (true > predicted - err_minus) & (true < predicted + err_plus)
    assert inside.mean() == pytest.approx(0.68, abs=0.01)


def test_error_table_of_few_equal_or_far_off_predictions():
    rng = np.random.default_rng(1)
    predicted = rng.uniform(14, 15, 59)
    assert error_table(predicted, predicted) is None
    assert error_table(np.full(200, 14.5), rng.uniform(14, 15, 200)) is None
    predicted = rng.uniform(14, 15, 300)
    table = error_table(predicted, predicted + 0.5)
    assert set(table.err_minus) == {1e-3}
    np.testing.assert_allclose(table.err_plus, 0.5)
