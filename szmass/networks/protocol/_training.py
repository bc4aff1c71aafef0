"""One of many trainings of the architecture of de Andres et al. (2022), and how biased it is."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._io.download import file_sha256
from szmass._tables.files import write_table
from szmass._utils.optional import import_optional
from szmass.exceptions import FileFormatError, TrainingError
from szmass.networks._weights import save_arrays, write_json
from szmass.networks.architectures import build_deandres2022
from szmass.networks.cards import ErrorTable
from szmass.networks.training._fit import fit_network, model_arrays, seed_everything, use_one_thread
from szmass.networks.training._stream import MapStream

_RECORD, WEIGHTS = "record.json", "weights.npz"
_PARTS = ("train", "validation", "test")
# Maps that go through the network at once when it is tested: 0.2 GB in its first layers.
_CHUNK = 256
# Maps of a node of the table of errors, and the most nodes it has.
_PER_NODE, _MOST_NODES = 30, 20
# An end of the interval on the wrong side of the predicted mass counts as this [dex].
_LEAST_ERROR = 1e-3


@dataclass(frozen=True)
class Protocol:
    """What all trainings have in common; the meaning is that of `train_selection`'s arguments."""

    dataset: object
    folder: Path
    noise: tuple
    redshift_bins: tuple
    fractions: tuple
    mass_bins: tuple
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None
    seed: int
    memory: float
    tensorboard: bool


def training_folder(folder, number, model):
    """Give the folder of a training, for instance ``bin-2/017``."""
    return Path(folder) / f"bin-{number}" / f"{model:03d}"


def split_bin(protocol, number, model):
    """Split the clusters of a redshift bin for one training: training, validation, test maps."""
    low, high = protocol.redshift_bins[number : number + 2]
    redshift = protocol.dataset.redshift
    part = protocol.dataset.take(np.flatnonzero((redshift > low) & (redshift <= high)))
    seed = _seeds(protocol, number, model)[0]
    return part.split(protocol.fractions, seed=seed, redshift_bins=(low, high))


def train_in_own_process(protocol, number, model):
    """Do as `train_one` in a process that has nothing else to do, with one thread."""
    use_one_thread()
    return train_one(protocol, number, model)


def train_one(protocol, number, model):
    """Train one network, test it, and keep weights, log, predictions and record, which it gives.

    Its number chooses the split and all random numbers. If the loss became NaN, ``error`` says so.
    """
    folder = training_folder(protocol.folder, number, model)
    _, *seeds, keras_seed = _seeds(protocol, number, model)
    keras = import_optional("keras", extra="train", purpose="train a network")
    keras.utils.clear_session()
    seed_everything(keras_seed)
    streams = {
        name: MapStream(
            part,
            protocol.noise,
            batch_size=protocol.batch_size,
            seed=seed,
            blocks=False,
            memory=protocol.memory,
        )
        for name, part, seed in zip(_PARTS, split_bin(protocol, number, model), seeds, strict=True)
    }
    truth = {
        name: np.log10(stream.dataset.table(["mass_true"])["mass_true"].to_value(u.solMass))
        for name, stream in streams.items()
    }
    normalisation = _normalisation(streams["train"])
    network = build_deandres2022(protocol.dataset.geometry.shape)
    # Otherwise a good part of the training goes into learning that masses are about 1e14.7.
    network.get_layer("dense4").bias.assign([truth["train"].mean()])
    network.compile(keras.optimizers.Adam(protocol.learning_rate), loss="mse")
    record = {
        "bin": number,
        "redshift_bin": list(protocol.redshift_bins[number : number + 2]),
        "model": model,
        "seed": protocol.seed,
        "maps": {name: len(stream.dataset) for name, stream in streams.items()},
        "clusters": {
            name: len(np.unique(stream.dataset.cluster_id)) for name, stream in streams.items()
        },
        "normalisation": list(normalisation),
        "mass_bins": list(protocol.mass_bins),
        "software": f"Keras {keras.__version__} with {keras.backend.backend()}",
        "error": None,
    }
    validation = _all_maps(streams["validation"], normalisation)
    try:
        history = fit_network(
            network,
            lambda epoch: _batches(streams["train"], truth["train"], normalisation, epoch),
            streams["train"].steps,
            (validation, truth["validation"][:, np.newaxis]),
            folder,
            epochs=protocol.epochs,
            patience=protocol.patience,
            resume=True,
            tensorboard=protocol.tensorboard,
            validation_batch=_CHUNK,
            name=f"bin {number}, training {model}",
        )
    except TrainingError as err:
        record["error"] = str(err)
        folder.mkdir(parents=True, exist_ok=True)
    else:
        record["loss"] = [epoch["loss"] for epoch in history]
        record["val_loss"] = [epoch["val_loss"] for epoch in history]
        record["epochs"] = len(history)
        record["best_epoch"] = int(np.argmin(record["val_loss"])) + 1
        save_arrays(folder / WEIGHTS, model_arrays(network))
        record["sha256"] = file_sha256(folder / WEIGHTS)
        test = _all_maps(streams["test"], normalisation)
        for name, maps in (("validation", validation), ("test", test)):
            part = streams[name].dataset
            predicted = _predict(keras, network, maps)
            record[name] = mass_bin_statistics(
                predicted, truth[name], part.cluster_id, protocol.mass_bins
            )
            _write_predictions(folder / f"{name}.ecsv", part, predicted)
    write_json(folder / _RECORD, record, allow_nan=False)
    if record["error"] is None:  # it holds the optimizer, and is four times as large as the weights
        (folder / "checkpoint.npz").unlink(missing_ok=True)
    return record


def read_record(folder, number, model):
    """Read the record of a training, None if it is not finished."""
    path = training_folder(folder, number, model) / _RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as err:
        record, reason = None, err
    else:
        reason = "it is of another training"
    if not isinstance(record, dict) or [record.get("bin"), record.get("model")] != [number, model]:
        raise FileFormatError(
            f"The record {str(path)!r} cannot be used ({reason}). Delete it, and train once more "
            "with resume=True."
        )
    return record


def _seeds(protocol, number, model):
    """Seeds of split, training, validation and test maps, and of the network."""
    state = np.random.SeedSequence([protocol.seed, number, model]).generate_state(5)
    return [int(value >> 1) for value in state]


def _normalisation(stream):
    """Give mean and standard deviation of all pixels of the training maps."""
    n = total = squares = 0.0
    for parts in stream.epoch(0, in_order=True):
        for part in parts:
            # y is of order 1e-6; sums of squares in units of that keep their digits.
            maps = part.maps.astype(float) * 1e6
            n, total, squares = n + maps.size, total + maps.sum(), squares + (maps**2).sum()
    mean = total / n
    return mean * 1e-6, float(np.sqrt(squares / n - mean**2)) * 1e-6


def _normalised(maps, normalisation):
    mean, sigma = normalisation
    return ((maps.astype(float) - mean) / sigma).astype(np.float32)[..., np.newaxis]


def _batches(stream, truth, normalisation, epoch):
    for parts in stream.batches(epoch):
        maps, rows = (np.concatenate([getattr(p, n) for p in parts]) for n in ("maps", "rows"))
        yield _normalised(maps, normalisation), truth[rows][:, np.newaxis]


def _all_maps(stream, normalisation):
    """Give all maps in the order of the data set, each with one realisation of the noise."""
    maps = np.empty((len(stream.dataset), *stream.dataset.geometry.shape, 1), dtype=np.float32)
    for parts in stream.epoch(0, in_order=True):
        for part in parts:
            maps[part.rows] = _normalised(part.maps, normalisation)
    return maps


def _predict(keras, network, maps):
    parts = [
        keras.ops.convert_to_numpy(network(maps[start : start + _CHUNK], training=False))[:, 0]
        for start in range(0, len(maps), _CHUNK)
    ]
    return np.concatenate(parts).astype(float)


def _write_predictions(path, dataset, predicted):
    truth = dataset.table(["cluster_id", "redshift", "mass_true"])
    # A mass beyond what numbers can hold is infinite; the record has its logarithm's statistics.
    with np.errstate(over="ignore"):
        mass = 10.0**predicted * u.solMass
    columns = {name: truth[name] for name in truth.colnames} | {"mass_cnn": mass}
    write_table(QTable(columns), path, overwrite=True)


def relative_error(predicted, true):
    """(M_predicted - M_true) / M_predicted from decimal logarithms."""
    return 1 - 10.0 ** (np.asarray(true) - np.asarray(predicted))


def mass_bin_statistics(predicted, true, cluster_id, edges):
    """Statistics of the errors of log10(M / Msun) of one network in bins of predicted mass.

    Lists between and beyond the edges, None where there are too few; and numbers of all maps, where
    ``scatter`` [dex] is the rmse of one who always says the mean of the true masses.
    """
    error = relative_error(predicted, true)
    index = np.searchsorted(edges, predicted, side="right")
    result = {"maps": [], "clusters": [], "mean": [], "std": []}
    for number in range(len(edges) + 1):
        rows = index == number
        result["maps"].append(int(rows.sum()))
        result["clusters"].append(len(np.unique(cluster_id[rows])))
        result["mean"].append(_or_none(error[rows].mean()) if rows.any() else None)
        result["std"].append(_or_none(error[rows].std()) if rows.any() else None)
    result |= {
        "relative_mean": _or_none(error.mean()),
        "relative_std": _or_none(error.std()),
        "rmse": _or_none(np.sqrt(np.mean((predicted - true) ** 2))),
        "scatter": float(np.std(true)),
    }
    return result


def _or_none(value):
    return float(value) if math.isfinite(value) else None


def pooled_means(statistics, least):
    """Mean relative error per bin, with those of fewer than the least clusters pooled.

    Otherwise a network could hide where it is biased by predicting few such masses. Bins are pooled
    with the next ones, the last ones with those before. None where there are no maps or too few.
    """
    groups, waiting = [], []
    for number in range(len(statistics["maps"])):
        waiting.append(number)
        if sum(statistics["clusters"][i] for i in waiting) >= least:
            groups.append(waiting)
            waiting = []
    if groups:
        groups[-1] += waiting
    result = [None] * len(statistics["maps"])
    for group in groups:
        there = [i for i in group if statistics["maps"][i]]
        weights = [statistics["maps"][i] for i in there]
        # An infinite error has no number on record.
        if any(statistics["mean"][i] is None for i in there):
            continue
        for i in there:
            means = [statistics["mean"][j] for j in there]
            result[i] = float(np.average(means, weights=weights))
    return result


def error_table(predicted, true, level=0.68):
    """Range of the true log10 mass at the predicted one, at a level; None with fewer than 60 maps.

    Nodes are at the median predicted mass of equal numbers of maps, the outer ones at the ends.
    """
    n = min(_MOST_NODES, len(predicted) // _PER_NODE)
    if n < 2:
        return None
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, n)
    nodes = np.array([np.median(predicted[part]) for part in parts])
    nodes[[0, -1]] = predicted[order[[0, -1]]]
    tail = 50 * (1 - level)
    low, high = np.transpose(
        [np.percentile(true[part] - predicted[part], [tail, 100 - tail]) for part in parts]
    )
    # Equal predictions, as of a network that has learned nothing, make one node.
    keep = np.concatenate([[True], np.diff(nodes) > 0])
    if keep.sum() < 2:
        return None
    return ErrorTable(
        nodes[keep], np.maximum(-low, _LEAST_ERROR)[keep], np.maximum(high, _LEAST_ERROR)[keep]
    )
