"""Protocol of many trainings of the published architecture, of which the best are chosen."""

import dataclasses
import importlib.util
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
from astropy.table import QTable

from szmass._io.download import check_sha256, file_sha256
from szmass._io.files import atomic_path, file_lock, make_folder
from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass._utils.seeds import check_count, check_seed
from szmass._utils.workers import check_workers, run_tasks
from szmass.exceptions import InvalidInputError, SzmassWarning, TrainingError
from szmass.networks._weights import write_json
from szmass.networks.binned import CARD, load_binned
from szmass.networks.protocol._outcome import (
    FREE,
    SETTINGS,
    make_card,
    read_settings,
    selection_table,
)
from szmass.networks.protocol._training import (
    WEIGHTS,
    Protocol,
    read_record,
    split_bin,
    train_in_own_process,
    training_folder,
)
from szmass.networks.training._fit import GO_ON
from szmass.networks.training._stream import check_noise
from szmass.simulations.dataset import SimulationDataset
from szmass.simulations.dataset.origin import array_digest, differences, plain
from szmass.simulations.dataset.rows import bin_label, bins_of

__all__ = ["train_selection"]

_TABLE = "selection.csv"
_REDSHIFT_BINS = (0.0, 0.1, 0.2, 0.4, 1.0)
_MASS_BINS = (14.2, 14.4, 14.6, 14.8, 15.0)


def train_selection(
    dataset,
    folder,
    *,
    noise,
    models=100,
    epochs=50,
    batch_size=64,
    learning_rate=1e-3,
    patience=10,
    fractions=(0.8, 0.1, 0.1),
    redshift_bins=_REDSHIFT_BINS,
    mass_bins=_MASS_BINS,
    min_clusters=None,
    threshold=0.05,
    seed,
    workers=1,
    memory=2e9,
    resume=False,
    tensorboard=False,
):
    """Train the architecture of de Andres et al. (2022) many times, and choose the least biased.

    For each redshift bin there are ``models`` trainings, each with its own random split of the
    clusters. A trained network is biased by the mean of (M_CNN - M_true) / M_CNN in bins of
    predicted mass; of each redshift bin that network is chosen whose largest absolute bias in the
    validation set is the smallest. What it is worth is measured with its test set.

    Parameters
    ----------
    dataset : `~szmass.simulations.SimulationDataset`
        Maps, with the column ``mass_true`` (M500c); all redshifts must be in a bin.
    folder : path-like
        Gets everything: trainings in ``bin-2/017`` (log, weights, predictions, record), a table of
        all of them in ``selection.csv``, and the chosen networks with their model card.
    noise : `~szmass.maps.NoiseModel`, sequence of these, or None
        Noise that is added to the maps, drawn afresh in each epoch, at depth 1; several take turns.
        None for maps that have noise already: then it is the same in each epoch.
    models : int, optional
        Trainings per redshift bin; 100 as published.
    epochs : int, optional
        Most epochs of a training. Batch size, learning rate, epochs and patience were not
        published with the networks; the defaults are those of szmass.
    batch_size : int, optional
        Maps of a batch.
    learning_rate : float, optional
        Of the optimizer, which is Adam.
    patience : int or None, optional
        Stop a training when its validation loss has not improved for so many epochs.
    fractions : (float, float, float), optional
        Fractions of clusters for training, validation and test, in each redshift bin.
    redshift_bins : sequence of float, optional
        Edges of the redshift bins; a bin holds its upper edge.
    mass_bins : sequence of float, optional
        Inner edges of the bins of predicted log10(M / Msun); the two outer bins are open.
    min_clusters : int or None, optional
        A bin of predicted mass with fewer clusters is pooled with its neighbour. By default 10, or
        in a small data set half of an even share, at least 2.
    threshold : float, optional
        Largest absolute bias of a network that is called unbiased. The chosen ones are the same
        whatever it is; if they are above it, a warning and the model card say so.
    seed : int
        Seed. Trainings depend on it and on their number, not on how many there are.
    workers : int, optional
        Trainings that run at the same time, in a process with one thread each.
    memory : float, optional
        Bytes of maps that one of them keeps; more are read from disk in each epoch.
    resume : bool, optional
        Go on with what is in the folder: more trainings, or another threshold, are possible too.
    tensorboard : bool, optional
        Write events for TensorBoard.

    Returns
    -------
    BinnedNetworks
        The chosen networks; `load_binned` loads them again.

    Raises
    ------
    InvalidInputError
        An argument is out of range, a redshift bin has too few clusters, or the folder holds
        something else.
    TrainingError
        All trainings of a redshift bin failed.
    WorkerError
        A process was killed.
    MissingDependencyError
        Keras or its backend is not installed.

    Warns
    -----
    SzmassWarning
        Trainings failed, or no network of a redshift bin is below the threshold.

    Notes
    -----
    Loss: mean of (log10 M_true - log10 M_CNN)^2. A network that minimises it predicts the mean of
    log M, for which the bias is not 0 but about -(2.3 rms)^2 / 2: -0.017 with an rms of 0.08 dex. A
    network that does no better than the mean mass is chosen only if there is no other, since its
    few bins of predicted mass may have no bias.

    The weights of the epoch with the smallest validation loss are kept. Maps come in random
    orientations. Networks see (y - mean) / sigma, with those of the training maps; the last layer
    begins at their mean log-mass.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325 (2022NatAs...6.1325D).
    """
    if not isinstance(dataset, SimulationDataset):
        raise InvalidInputError(
            f"'dataset' must be a SimulationDataset. Received: {type(dataset).__name__}"
        )
    folder = Path(folder).absolute()
    protocol = Protocol(
        dataset=dataset,
        folder=folder,
        noise=check_noise(noise, dataset),
        redshift_bins=_check_edges(redshift_bins, "redshift_bins", 2),
        fractions=_check_fractions(fractions),
        mass_bins=_check_edges(mass_bins, "mass_bins", 1),
        epochs=check_count(epochs, "epochs"),
        batch_size=check_count(batch_size, "batch_size"),
        learning_rate=_check_positive(learning_rate, "learning_rate"),
        patience=None if patience is None else check_count(patience, "patience"),
        seed=check_seed(seed),
        memory=_check_positive(memory, "memory"),
        tensorboard=bool(tensorboard),
    )
    models, workers = check_count(models, "models"), check_workers(workers)
    free = {
        "models": models,
        "threshold": _check_positive(threshold, "threshold"),
        "min_clusters": None if min_clusters is None else check_count(min_clusters, "min_clusters"),
    }
    _check_data(protocol)
    bins = range(len(protocol.redshift_bins) - 1)
    # A split that cannot be is refused before anything begins.
    n = min(len(np.unique(split_bin(protocol, number, 0)[1].cluster_id)) for number in bins)
    if min_clusters is not None and min_clusters > n:
        raise InvalidInputError(
            f"'min_clusters' must be at most the number of validation clusters, {n} in one of the "
            f"redshift bins. Received: {min_clusters}"
        )
    if min_clusters is None:
        free["min_clusters"] = min(n, 10, max(2, n // (2 * len(protocol.mass_bins) + 2)))
    if importlib.util.find_spec("keras") is None:
        import_optional("keras", extra="train", purpose="train a network")
    make_folder(folder)
    with file_lock(folder / "selection"):
        _begin(protocol, free, resume)
        tasks = [
            (number, model)
            for model in range(models)
            for number in bins
            if read_record(folder, number, model) is None
        ]
        total = models * len(bins)
        with progress_bar(
            total=total, initial=total - len(tasks), desc=folder.name, unit="training"
        ) as bar:
            for record in run_tasks(
                train_in_own_process,
                protocol,
                tasks,
                workers=workers,
                fresh=True,
                # Backends never free all memory.
                renew=20,
                remedy=GO_ON,
            ):
                bar.set_postfix(bin=record["bin"], model=record["model"], refresh=False)
                bar.update()
        table = selection_table(folder)
        with atomic_path(folder / _TABLE, overwrite=True) as temporary:
            table.write(temporary, format="ascii.csv")
        _keep_chosen(protocol, table)
    _tell(table)
    return load_binned(folder)


def _check_positive(value, name):
    """Give a positive finite number as a float."""
    if isinstance(value, bool) or not np.isscalar(value) or not 0 < value < np.inf:
        raise InvalidInputError(f"'{name}' must be a positive number. Received: {value!r}")
    return float(value)


def _check_edges(edges, name, least):
    """Give increasing edges as a tuple of at least so many floats."""
    values = np.asarray(edges, dtype=float)
    if values.ndim != 1 or len(values) < least or not np.all(np.diff(values) > 0):
        raise InvalidInputError(
            f"'{name}' must be {least} or more increasing numbers. Received: {edges!r}"
        )
    return tuple(float(value) for value in values)


def _check_fractions(fractions):
    """Give three fractions as a tuple."""
    values = tuple(float(value) for value in fractions)
    if len(values) != 3:
        raise InvalidInputError(
            "'fractions' must be three numbers, for training, validation and test. "
            f"Received: {fractions!r}"
        )
    return values


def _check_data(protocol):
    """Refuse a data set without masses, or whose redshifts are not those of the bins."""
    dataset = protocol.dataset
    mass = dataset.table(["mass_true"])["mass_true"]
    known = np.ma.filled(np.ma.asarray(mass.value), np.nan) > 0
    if not known.all():
        raise InvalidInputError(
            f"{np.count_nonzero(~known)} maps of the data set have no 'mass_true'. Take those that "
            "have one."
        )
    edges, redshift = protocol.redshift_bins, dataset.redshift
    there = np.unique(bins_of(redshift, edges))
    absent = [bin_label(edges, i) for i in range(len(edges) - 1) if i not in there]
    if absent:
        raise InvalidInputError(
            f"The data set has no map with a redshift in {', '.join(absent)}, and each bin needs a "
            "network. Add clusters there, or pass other 'redshift_bins'."
        )


def _begin(protocol, free, resume):
    """Put down what the folder is for, or see that it is for the same."""
    settings = {
        f.name: plain(getattr(protocol, f.name))
        for f in dataclasses.fields(protocol)
        if f.name not in ("dataset", "folder", "tensorboard")
    }
    dataset = protocol.dataset
    settings["dataset"] = {"sha256": dataset.digest, "rows": array_digest(dataset.cluster_id)}
    settings = json.loads(json.dumps(settings))
    path = protocol.folder / SETTINGS
    if path.exists():
        if not resume:
            raise InvalidInputError(
                f"The folder {str(protocol.folder)!r} has trainings already. Go on with "
                "resume=True, or choose another folder."
            )
        old = read_settings(protocol.folder)
        found = differences({k: old[k] for k in old if k not in FREE}, settings)
        if found:
            raise InvalidInputError(
                f"The trainings in {str(protocol.folder)!r} have other settings: "
                f"{'; '.join(found)}. Choose another folder."
            )
    elif any((protocol.folder / name).exists() for name in (CARD, "bin-0")):
        raise InvalidInputError(
            f"The folder {str(protocol.folder)!r} holds other networks. Choose another one."
        )
    write_json(path, settings | free)


def _keep_chosen(protocol, table):
    """Copy the weights of the chosen networks and write their card."""
    folder, chosen, tests = protocol.folder, [], []
    for number in range(len(protocol.redshift_bins) - 1):
        label = bin_label(protocol.redshift_bins, number)
        model = table["model"][(table["bin"] == number) & table["selected"]]
        if not len(model):
            raise TrainingError(
                f"All trainings of the redshift bin {label} failed. Lower 'learning_rate', and "
                "choose another folder."
            )
        record = read_record(folder, number, int(model[0]))
        source = training_folder(folder, number, int(model[0]))
        check_sha256(
            source / WEIGHTS,
            record["sha256"],
            remedy="Delete the record.json beside it, and train once more with resume=True.",
        )
        with atomic_path(folder / f"bin-{number}.npz", overwrite=True) as temporary:
            shutil.copyfile(source / WEIGHTS, temporary)
        chosen.append(record)
        tests.append(QTable.read(source / "test.ecsv"))
    files = [(f"bin-{i}.npz", file_sha256(folder / f"bin-{i}.npz")) for i in range(len(chosen))]
    make_card(protocol, table, chosen, tests, files).write(folder / CARD, overwrite=True)


def _tell(table):
    failed = np.count_nonzero(np.ma.getmaskarray(table["rmse_validation"]))
    above = table[table["selected"] & (table["bias_max"] >= table.meta["threshold"])]
    messages = []
    if failed:
        messages.append(f"{failed} of {len(table)} trainings failed")
    for row in above:
        messages.append(
            f"no network of the redshift bin {row['redshift_bin']} is below the threshold of "
            f"{table.meta['threshold']:g}: the least biased has {row['bias_max']:.3g}"
        )
    if messages:
        warnings.warn(f"{'; '.join(messages)}.", SzmassWarning, stacklevel=3)
