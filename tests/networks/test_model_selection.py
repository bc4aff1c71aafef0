"""Many trainings and the choice among them: settings, tables, cards, and going on after a kill."""

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from szmass.estimators.deandres2022 import DeAndres2022
from szmass.exceptions import (
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    MissingDependencyError,
    SzmassWarning,
    TrainingError,
    UnweighedClustersWarning,
    WorkerError,
)
from szmass.maps import CutoutGeometry, NoiseModel
from szmass.networks import (
    ModelCard,
    load_binned,
    models_below_threshold,
    selection_table,
    train_selection,
)
from szmass.networks.protocol import core
from szmass.networks.protocol._training import pooled_means, read_record, training_folder
from szmass.results import MassFlag
from szmass.simulations import Observation, draw_flat, make_dataset

pytest.importorskip("zarr")

GEOMETRY = CutoutGeometry(shape=(24, 24), pixel_scale=4 * u.arcmin)
SMALL = Observation(name="small", geometry=GEOMETRY)
NOISE = NoiseModel.planck(depth=None)
SETTINGS = {
    "noise": NOISE,
    "models": 2,
    "epochs": 2,
    "batch_size": 16,
    "fractions": (0.5, 0.2, 0.3),
    "redshift_bins": (0.0, 0.2, 0.4),
    "mass_bins": (14.65,),
    "min_clusters": 2,
    "threshold": 5.0,
    "seed": 3,
}


def make(path, redshift=None, n=80, observation=SMALL):
    redshift = np.linspace(0.02, 0.4, n) if redshift is None else redshift
    clusters = draw_flat(n, redshift=redshift, seed=1)
    return make_dataset(path, clusters, observation, cosmology="PSZ2", seed=2, projections=3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make(tmp_path_factory.mktemp("data") / "clean.zarr")


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    """Two trainings in each of two redshift bins: the folder and the chosen networks."""
    pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("trained") / "paper"
    return folder, train_selection(dataset, folder, workers=2, **SETTINGS)


@pytest.fixture
def copy(trained, tmp_path):
    return shutil.copytree(trained[0], tmp_path / "copy")


@pytest.fixture
def no_training(monkeypatch):
    """Nothing may be trained."""

    def run(function, job, tasks, **options):
        assert not tasks
        return iter(())

    monkeypatch.setattr(core, "run_tasks", run)


def test_folder_and_table(trained, dataset):
    folder, _ = trained
    assert sorted(path.name for path in folder.iterdir()) == [
        "bin-0", "bin-0.npz", "bin-1", "bin-1.npz", "card.json", "selection.csv", "selection.json",
    ]  # fmt: skip
    table = selection_table(folder)
    assert list(table["bin"]) == [0, 0, 1, 1]
    assert list(table["redshift_bin"]) == ["(0, 0.2]"] * 2 + ["(0.2, 0.4]"] * 2
    assert list(table["model"]) == [0, 1, 0, 1]
    assert table["selected"].sum() == 2
    assert table.meta["mass_bins"] == [14.65]
    for row in table:
        record = read_record(folder, row["bin"], row["model"])
        assert row["rmse_test"] == record["test"]["rmse"]
        assert row["val_loss"] == min(record["val_loss"])
        biases = [bias for bias in pooled_means(record["validation"], 2) if bias is not None]
        assert row["bias_max"] == max(map(abs, biases))
    for number in (0, 1):
        rows = table[table["bin"] == number]
        assert rows["bias_max"][rows["selected"]] == rows["bias_max"].min() or np.any(
            rows["rmse_validation"] >= rows["scatter_validation"]
        )
    written = Table.read(folder / "selection.csv", format="ascii.csv")
    assert written.colnames == table.colnames
    np.testing.assert_allclose(written["bias_max"], table["bias_max"])
    splits = {tuple(read_record(folder, 0, i)["normalisation"]) for i in (0, 1)}
    assert len(splits) == 2


def test_card(trained, dataset):
    folder, networks = trained
    card = networks.card
    assert card == ModelCard.read(folder / "card.json")
    assert card.architecture == "deandres2022"
    assert card.n_parameters == 58437
    assert card.shape == (24, 24)
    assert (card.pixel_scale_arcmin, card.beam_fwhm_arcmin, card.h) == (4.0, 10.0, None)
    assert card.redshift_bins == ((0.0, 0.2), (0.2, 0.4))
    masses = np.log10(dataset.table(["mass_true"])["mass_true"].value)
    assert card.log10_mass_range == (masses.min(), masses.max())
    table = selection_table(folder)
    chosen = list(table["model"][table["selected"]])
    assert card.training["chosen"] == chosen
    records = [read_record(folder, i, model) for i, model in enumerate(chosen)]
    np.testing.assert_array_equal(card.normalisation, [r["normalisation"] for r in records])
    assert card.metrics["rmse_dex"] == [r["test"]["rmse"] for r in records]
    assert card.metrics["networks_below_threshold"] == [2, 2]
    # 72 test maps: two nodes with at least 30.
    assert len(card.error_table.log10_mass) == 2


def test_loaded_networks_weigh_as_they_did_in_the_training(trained, dataset):
    folder, networks = trained
    loaded = load_binned(folder)
    maps, redshift = dataset.maps(slice(0, 40)), dataset.redshift[:40]
    found = loaded.log10_mass(maps, redshift)
    np.testing.assert_array_equal(found, networks.log10_mass(maps, redshift))
    assert np.all((found > 13) & (found < 16))


def test_the_estimator_takes_the_folder(trained, dataset):
    folder, networks = trained
    sample = dataset[:30]
    estimator = DeAndres2022(weights=folder)
    table = estimator.predict(sample)
    expected = networks.log10_mass(sample.cutouts.data, sample.redshift)
    np.testing.assert_allclose(np.log10(table["mass"].value), expected, rtol=1e-12)
    assert table.meta["model_card"] == "deandres2022-paper"
    assert table.meta["model_card_digest"] == networks.card.digest
    err_minus, _ = networks.card.error_table.at(expected)
    np.testing.assert_array_equal(np.isnan(err_minus), np.isnan(table["mass_errn"]))
    sample.table["redshift"][0] = 0.41  # published networks reach further
    with pytest.warns(UnweighedClustersWarning, match="REDSHIFT_OUT_OF_RANGE"):
        assert estimator.predict(sample)["flag"][0] == MassFlag.REDSHIFT_OUT_OF_RANGE


def test_the_estimator_notices_other_networks_and_other_masses(copy, dataset):
    sample, estimator = dataset[:5], DeAndres2022(weights=copy)
    estimator.predict(sample)
    card = ModelCard.read(copy / "card.json")
    dataclasses.replace(card, name="other", error_table=None).write(
        copy / "card.json", overwrite=True
    )
    table = estimator.predict(sample)
    assert table.meta["model_card"] == "other"
    assert np.all(table["flag"] & MassFlag.NO_ERROR == MassFlag.NO_ERROR)
    dataclasses.replace(card, mass_definition="200c").write(copy / "card.json", overwrite=True)
    with pytest.raises(InvalidInputError, match="give masses of '200c'"):
        estimator.predict(sample)


def test_damaged_or_missing_weights(copy):
    (copy / "bin-1.npz").write_bytes((copy / "bin-0.npz").read_bytes())
    with pytest.raises(IntegrityError, match=r"bin-1\.npz"):
        load_binned(copy)
    (copy / "bin-1.npz").unlink()
    with pytest.raises(InvalidInputError, match=r"has no file 'bin-1\.npz'"):
        load_binned(copy)
    with pytest.raises(InvalidInputError, match=r"There is no 'card\.json'"):
        load_binned(copy / "bin-0")
    text = (copy / "card.json").read_text().replace('"format_version": 1', '"format_version": 99')
    (copy / "card.json").write_text(text)
    with pytest.raises(FileFormatError, match="Update szmass"):
        load_binned(copy)


def test_nothing_is_done_twice(copy, dataset, no_training):
    before = (copy / "card.json").read_bytes()
    train_selection(dataset, copy, resume=True, **SETTINGS)
    assert json.loads(before)["weights"] == json.loads((copy / "card.json").read_text())["weights"]


def test_how_many_clusters_a_bin_needs(copy, dataset, no_training):
    train_selection(dataset, copy, resume=True, **SETTINGS | {"min_clusters": None})
    # A fifth of 40 clusters, of which two bins have 4 each.
    assert selection_table(copy).meta["min_clusters"] == 2


def test_another_threshold_needs_no_training(copy, dataset, no_training):
    with pytest.warns(SzmassWarning, match=r"no network of the redshift bin \(0, 0.2\] is below"):
        networks = train_selection(
            dataset, copy, resume=True, **SETTINGS | {"threshold": 1e-9, "min_clusters": 1}
        )
    assert networks.card.metrics["networks_below_threshold"] == [0, 0]


def test_trainings_that_failed(copy, dataset, no_training):
    for number, model in ((0, 0), (1, 0), (1, 1)):
        path = training_folder(copy, number, model) / "record.json"
        record = json.loads(path.read_text())
        for name in ("validation", "test", "loss", "val_loss", "epochs", "best_epoch"):
            del record[name]
        path.write_text(json.dumps(record | {"error": "The loss became nan."}))
    with pytest.raises(TrainingError, match=r"All trainings of the redshift bin \(0.2, 0.4\] fail"):
        train_selection(dataset, copy, resume=True, **SETTINGS)
    shutil.copytree(training_folder(copy, 0, 1), training_folder(copy, 1, 2))
    path = training_folder(copy, 1, 2) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"bin": 1, "model": 2}))
    with pytest.warns(SzmassWarning, match="3 of 5 trainings failed"):
        networks = train_selection(dataset, copy, resume=True, **SETTINGS)
    assert networks.card.training["chosen"] == [1, 2]


def test_a_chosen_network_that_was_damaged(copy, dataset, no_training):
    table = selection_table(copy)
    model = int(table["model"][table["selected"]][0])
    (training_folder(copy, 0, model) / "weights.npz").write_bytes(b"x")
    with pytest.raises(IntegrityError, match="train once more with resume=True"):
        train_selection(dataset, copy, resume=True, **SETTINGS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resume": False}, "has trainings already. Go on with resume=True"),
        ({"seed": 4}, "other settings: seed: 3 there, 4 asked for"),
        ({"epochs": 3, "batch_size": 8}, "batch_size: 16 there, 8 asked for; epochs: 2 there"),
        ({"noise": NOISE.scaled(0.5)}, "other settings: noise"),
        ({"redshift_bins": (0, 0.4)}, "other settings: redshift_bins"),
    ],
)
def test_other_settings_need_another_folder(copy, dataset, no_training, changes, message):
    with pytest.raises(InvalidInputError, match=message):
        train_selection(dataset, copy, **SETTINGS | {"resume": True} | changes)


def test_folders_of_other_things(trained, dataset, tmp_path, no_training):
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(InvalidInputError, match="holds other networks"):
        train_selection(dataset, tmp_path, **SETTINGS)
    with pytest.raises(FileFormatError, match="is no folder of trainings"):
        selection_table(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_and_going_on(trained, dataset, tmp_path):
    folder = tmp_path / "paper"
    first = training_folder(folder, 0, 0)

    def kill():
        end = time.monotonic() + 300
        while not (first / "checkpoint.npz").exists() and time.monotonic() < end:
            time.sleep(0.002)
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)

    settings = SETTINGS | {"models": 1}
    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(WorkerError, match="go on with resume=True"):
        train_selection(dataset, folder, **settings)
    killer.join()
    assert not (folder / "card.json").exists()
    train_selection(dataset, folder, resume=True, **settings)
    for number in (0, 1):
        # Weights are among the records by their SHA-256. Other trainings do not matter.
        assert read_record(folder, number, 0) == read_record(trained[0], number, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"redshift_bins": (0, 0.2, 0.4, 1)}, r"no map with a redshift in \(0.4, 1\]"),
        ({"redshift_bins": (0.5, 0.6)}, "240 maps have a redshift outside"),
        ({"redshift_bins": (0.4, 0.2)}, "'redshift_bins' must be 2 or more increasing"),
        ({"mass_bins": ()}, "'mass_bins' must be 1 or more increasing"),
        ({"fractions": (0.9, 0.1)}, "'fractions' must be three numbers"),
        ({"fractions": (0.9, 0.1, 0.1)}, "'fractions' must be positive numbers that add up"),
        ({"models": 0}, "'models'"),
        ({"min_clusters": 99}, "'min_clusters' must be at most the number of validation clusters"),
        ({"workers": 0}, "'workers'"),
        ({"patience": 0}, "'patience'"),
        ({"threshold": 0}, "'threshold' must be a positive number"),
        ({"learning_rate": np.nan}, "'learning_rate' must be a positive number"),
        ({"seed": -1}, "'seed'"),
        ({"noise": "planck"}, "'noise' must be a NoiseModel"),
        ({"noise": []}, "'noise' must be a NoiseModel"),
        (
            {"noise": NoiseModel(NOISE.ell, NOISE.spectrum(NOISE.ell), beam="5 arcmin")},
            "noise has a beam of 5 arcmin",
        ),
        ({"dataset": "path"}, "'dataset' must be a SimulationDataset"),
    ],
)
def test_senseless_arguments(dataset, tmp_path, no_training, changes, message):
    arguments = {"dataset": dataset, "folder": tmp_path / "new"} | SETTINGS | changes
    with pytest.raises(InvalidInputError, match=message):
        train_selection(**arguments)
    assert not (tmp_path / "new").exists()


def test_too_few_clusters_for_a_split(dataset, tmp_path, no_training):
    two = dataset.take(np.isin(dataset.cluster_id, np.unique(dataset.cluster_id)[:2]))
    with pytest.raises(InvalidInputError, match=r"2 clusters in the redshift bin .* and 3 parts"):
        train_selection(two, tmp_path / "new", **SETTINGS | {"redshift_bins": (0, 1)})


def test_maps_that_have_noise(tmp_path, no_training):
    noisy = make(tmp_path / "noisy.zarr", n=8, observation=dataclasses.replace(SMALL, noise=NOISE))
    with pytest.raises(InvalidInputError, match="have noise already"):
        train_selection(noisy, tmp_path / "new", **SETTINGS)


def test_without_keras(dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingDependencyError, match="pip install 'szmass\\[train\\]'"):
        train_selection(dataset, tmp_path / "new", **SETTINGS)
    assert not (tmp_path / "new").exists()


def write_record(folder, number, model, bias, clusters=(20, 20), rmse=0.1, error=None):
    part = {
        "maps": [30 if n else 0 for n in clusters],
        "clusters": list(clusters),
        "mean": list(bias),
        "std": [0.1, 0.1],
        "relative_mean": 0.0,
        "relative_std": 0.1,
        "rmse": rmse,
        "scatter": 0.3,
    }
    record = {"bin": number, "model": model, "error": error}
    record["maps"] = dict.fromkeys(("train", "validation", "test"), 60)
    if error is None:
        record |= {"validation": part, "test": part, "epochs": 3, "best_epoch": 2}
        record |= {"loss": [0.3, 0.2, 0.1], "val_loss": [0.4, 0.3, 0.35]}
    path = training_folder(folder, number, model)
    path.mkdir(parents=True)
    (path / "record.json").write_text(json.dumps(record))


@pytest.fixture
def records(tmp_path):
    """Records of trainings whose biases are known."""
    settings = {
        "redshift_bins": [0.0, 0.2, 0.4],
        "mass_bins": [14.5],
        "models": 4,
        "min_clusters": 10,
        "threshold": 0.05,
        "seed": 1,
    }
    (tmp_path / "selection.json").write_text(json.dumps(settings))
    write_record(tmp_path, 0, 0, (-0.04, 0.06))
    write_record(tmp_path, 0, 1, (0.03, -0.01), clusters=(20, 9))  # pooled: too few in the second
    write_record(tmp_path, 0, 2, (-0.03, 0.02))
    write_record(tmp_path, 0, 3, (None, 0.001), clusters=(0, 40), rmse=0.31)  # has learned nothing
    write_record(tmp_path, 1, 0, (0.2, 0.1))
    write_record(tmp_path, 1, 2, (None, None), error="The loss became nan.")
    return tmp_path


def test_the_least_biased_that_has_learned_something_is_chosen(records):
    table = selection_table(records)
    assert list(zip(table["bin"], table["model"], strict=True)) == [
        (0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 2),
    ]  # fmt: skip
    assert list(table["selected"]) == [False, True, False, False, True, False]
    np.testing.assert_allclose(
        table["bias_max"].filled(np.nan), [0.06, 0.01, 0.03, 0.001, 0.2, np.nan]
    )
    assert list(table["bias_validation_2"].mask) == [False, False, False, False, False, True]
    assert list(table["bias_validation_1"].mask) == [False, False, False, True, False, True]
    assert list(table["loss"][:2]) == [0.2, 0.2]
    assert table["loss"].mask[5]


def test_a_network_that_learned_nothing_is_chosen_only_alone(records):
    for model in range(3):
        shutil.rmtree(training_folder(records, 0, model))
    table = selection_table(records)
    assert list(table["selected"]) == [True, True, False]


def test_numbers_of_models_below_thresholds(records):
    counts = models_below_threshold(selection_table(records), [0.0, 0.005, 0.05, 1.0])
    assert counts.colnames == ["threshold", "(0, 0.2]", "(0.2, 0.4]"]
    assert list(counts["(0, 0.2]"]) == [0, 1, 3, 4]
    assert list(counts["(0.2, 0.4]"]) == [0, 0, 0, 1]
    one = Table({"redshift_bin": ["all"], "bias_max": [0.5]})
    assert list(models_below_threshold(one, [0.5, 0.6])["all"]) == [0, 1]  # below, not at
    with pytest.raises(InvalidInputError, match="must have the columns"):
        models_below_threshold(Table({"a": [1]}), [0.1])
    with pytest.raises(InvalidInputError, match="'thresholds' must be finite"):
        models_below_threshold(selection_table(records), [np.nan])


def test_a_table_without_trainings(records):
    for number in (0, 1):
        shutil.rmtree(records / f"bin-{number}")
    assert len(selection_table(records)) == 0


def test_tables_and_logs_can_be_plotted(trained):
    pytest.importorskip("matplotlib")
    from szmass.plots import plot_relative_error, plot_selection, plot_training

    folder, _ = trained
    axes = plot_selection(selection_table(folder), threshold=0.05)
    assert "$0 < z" in axes.get_legend_handles_labels()[1][0]
    training = training_folder(folder, 0, 1)
    log = Table.read(training / "log.csv", format="ascii.csv")
    assert len(plot_training(log).lines) == 2
    from astropy.table import QTable

    table = QTable.read(training / "test.ecsv")
    plot_relative_error(table, "mass_cnn", redshift_bins=(0, 0.2))
