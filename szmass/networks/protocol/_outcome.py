"""Outcome of many trainings: the table of which network is how biased, and the card of the best."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
from astropy.table import MaskedColumn, Table

from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.networks._weights import load_arrays
from szmass.networks.cards import ModelCard, WeightsFile
from szmass.networks.protocol._training import (
    error_table,
    pooled_means,
    read_record,
    relative_error,
)
from szmass.simulations.dataset.rows import bin_label
from szmass.version import __version__

SETTINGS = "selection.json"
# What may be another when trainings go on: the trainings that are there stay what they are.
FREE = ("models", "threshold", "min_clusters")


def selection_table(folder):
    """List the finished trainings of a folder.

    Parameters
    ----------
    folder : path-like
        The folder that `train_selection` was given; it may be still at work.

    Returns
    -------
    `~astropy.table.Table`
        One row per training: ``bin`` and ``redshift_bin`` (number and text), ``model``,
        ``selected``; ``bias_max``, the largest absolute bias in the validation set, and
        ``bias_validation_1``, ... per bin of predicted mass, masked where there are no maps, and
        that of neighbours together where there are too few clusters; ``mean``, ``std`` of the
        relative error, ``rmse`` [dex], and ``scatter``, the rmse of a network that has learned
        nothing, for validation and test; number of maps, epochs, losses. A training that failed
        has masked values. The edges of the bins are in ``meta``.

    Raises
    ------
    FileFormatError
        It is no such folder, or a record is damaged.
    """
    folder = Path(folder)
    settings = read_settings(folder)
    edges = settings["redshift_bins"]
    records = [
        record
        for number in range(len(edges) - 1)
        for model in _models(folder, number, settings["models"])
        if (record := read_record(folder, number, model)) is not None
    ]
    rows = [_row(record, settings) for record in records]
    names = list(rows[0]) if rows else ["bin", "redshift_bin", "model", "bias_max"]
    columns = {name: _column([row[name] for row in rows]) for name in names}
    table = Table(columns)
    table["selected"] = np.zeros(len(table), dtype=bool)
    for number in set(table["bin"]):
        chosen = _choose(table, number)
        if chosen is not None:
            table["selected"][chosen] = True
    table.meta.update(
        {name: settings[name] for name in (*FREE, "redshift_bins", "mass_bins", "seed")}
    )
    return table


def models_below_threshold(table, thresholds):
    """Count the trained networks whose largest absolute bias is below a threshold.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `selection_table`.
    thresholds : array-like of float
        Thresholds.

    Returns
    -------
    `~astropy.table.Table`
        The column ``threshold``, and one with the number of networks for each redshift bin.

    Raises
    ------
    InvalidInputError
        The table is another, or a threshold is not a number.
    """
    if not {"redshift_bin", "bias_max"} <= set(getattr(table, "colnames", ())):
        raise InvalidInputError(
            "'table' must have the columns 'redshift_bin' and 'bias_max', as selection_table gives "
            "it."
        )
    thresholds = np.atleast_1d(np.asarray(thresholds, dtype=float))
    if thresholds.ndim != 1 or not np.isfinite(thresholds).all():
        raise InvalidInputError("'thresholds' must be finite numbers.")
    bias = np.ma.filled(np.ma.asarray(table["bias_max"], dtype=float), np.inf)
    label = np.asarray(table["redshift_bin"]).astype(str)
    counts = Table({"threshold": thresholds})
    for name in dict.fromkeys(label):
        found = np.sort(bias[label == name])
        counts[str(name)] = np.searchsorted(found, thresholds, side="left")
    return counts


def read_settings(folder):
    path = folder / SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        return {name: settings[name] for name in settings} | {n: settings[n] for n in FREE}
    except (OSError, ValueError, TypeError, KeyError) as err:
        raise FileFormatError(
            f"{str(folder)!r} is no folder of trainings: {SETTINGS} cannot be read ({err!r})."
        ) from err


def _models(folder, number, models):
    """Numbers of the trainings that were asked for, and of those that were made before."""
    there = [
        int(p.name) for p in (folder / f"bin-{number}").glob("*") if re.fullmatch(r"\d+", p.name)
    ]
    return sorted({*range(models), *there})


def _row(record, settings):
    """Make a row of the table; None for what is not known."""
    row = {
        "bin": record["bin"],
        "redshift_bin": bin_label(settings["redshift_bins"], record["bin"]),
        "model": record["model"],
        "bias_max": None,
    }
    biases = {}
    for part in ("validation", "test"):
        found = record.get(part, {})
        means = [None] * (len(settings["mass_bins"]) + 1)
        if found:
            means = pooled_means(found, settings["min_clusters"])
        biases |= {f"bias_{part}_{i}": mean for i, mean in enumerate(means, start=1)}
        if part == "validation":
            values = [abs(value) for value in biases.values() if value is not None]
            row["bias_max"] = max(values, default=None)
        row |= {
            f"mean_{part}": found.get("relative_mean"),
            f"std_{part}": found.get("relative_std"),
            f"rmse_{part}": found.get("rmse"),
            f"scatter_{part}": found.get("scatter"),
        }
    losses = record.get("val_loss", [])
    row |= biases
    row |= {f"maps_{part}": record["maps"][part] for part in ("train", "validation", "test")}
    row |= {
        "epochs": record.get("epochs"),
        "best_epoch": record.get("best_epoch"),
        "loss": record["loss"][record["best_epoch"] - 1] if losses else None,
        "val_loss": min(losses, default=None),
    }
    return row


def _column(values):
    """Make a column, masked where a value is None."""
    mask = [value is None for value in values]
    known = [value for value in values if value is not None]
    fill = type(known[0])() if known else 0.0
    return MaskedColumn([fill if value is None else value for value in values], mask=mask)


def _choose(table, number):
    """Give the row of the least biased network of a redshift bin, or None."""
    bias = np.where(
        table["bin"] == number,
        np.ma.filled(np.ma.asarray(table["bias_max"], dtype=float), np.inf),
        np.inf,
    )
    learned = table["rmse_validation"] < table["scatter_validation"]
    better = np.where(np.ma.filled(learned, False), bias, np.inf)
    for values in (better, bias):
        if np.isfinite(values).any():
            return int(np.argmin(values))
    return None


def make_card(protocol, table, chosen, tests, files):
    """Card of the chosen networks, from their records, their test tables, and (name, SHA-256)."""
    dataset, geometry = protocol.dataset, protocol.dataset.geometry
    arrays = load_arrays(protocol.folder / files[0][0])
    predicted, true = (
        [np.log10(test[name].value) for test in tests] for name in ("mass_cnn", "mass_true")
    )
    masses = np.log10(dataset.table(["mass_true"])["mass_true"].to_value("solMass"))
    edges = protocol.redshift_bins
    return ModelCard(
        name=f"deandres2022-{protocol.folder.name}",
        architecture="deandres2022",
        architecture_options={},
        n_parameters=sum(array.size for array in arrays.values()),
        shape=geometry.shape,
        pixel_scale_arcmin=geometry.pixel_scale.to_value("arcmin"),
        frame=geometry.frame,
        rotation_deg=geometry.rotation.to_value("deg"),
        projection=geometry.projection,
        interpolation=dataset[:1].cutouts.interpolation,
        beam_fwhm_arcmin=dataset.beam.to_value("arcmin"),
        redshift_bins=tuple(itertools.pairwise(edges)),
        normalisation=[record["normalisation"] for record in chosen],
        target="log10_mass",
        mass_definition="500c",
        h=None,
        log10_mass_range=(masses.min(), masses.max()),
        training=_training(protocol, chosen, masses),
        split=(
            f"by cluster, {', '.join(f'{f:.0%}' for f in protocol.fractions)} for training, "
            f"validation and test, another split in each of {table.meta['models']} trainings per "
            "redshift bin; the least biased in its validation set was chosen"
        ),
        metrics=_metrics(table, chosen, predicted, true),
        error_table=error_table(np.concatenate(predicted), np.concatenate(true)),
        weights=[WeightsFile(name, sha256) for name, sha256 in files],
        licence="that of whoever trained them",
        references=("2022NatAs...6.1325D",),
    )


def _training(protocol, chosen, masses):
    dataset = protocol.dataset
    return {
        "simulation": dataset.meta.get("model"),
        "dataset_digest": dataset.digest,
        "n_clusters": len(np.unique(dataset.cluster_id)),
        "n_maps": len(masses),
        "redshift_range": [float(dataset.redshift.min()), float(dataset.redshift.max())],
        "noise": [None if model is None else repr(model) for model in protocol.noise],
        "augmentation": "eight orientations, noise drawn afresh in each epoch",
        "loss": "mean of (log10 M_true - log10 M_CNN)^2",
        "software": f"szmass {__version__}, {chosen[0]['software']}",
        "optimiser": "Adam",
        "learning_rate": protocol.learning_rate,
        "batch_size": protocol.batch_size,
        "epochs": [record["epochs"] for record in chosen],
        "most_epochs": protocol.epochs,
        "patience": protocol.patience,
        "seed": protocol.seed,
        "chosen": [record["model"] for record in chosen],
        "maps": [record["maps"] for record in chosen],
        "clusters": [record["clusters"] for record in chosen],
    }


def _metrics(table, chosen, predicted, true):
    selected = table[table["selected"]]
    errors = relative_error(np.concatenate(predicted), np.concatenate(true))
    threshold, bias = table.meta["threshold"], np.ma.filled(table["bias_max"], np.inf)
    return {
        "statistic": "mean and standard deviation of (M_CNN - M_true) / M_CNN in the test sets of "
        "the chosen trainings",
        "redshift_bins": [
            [record["test"]["relative_mean"], record["test"]["relative_std"]] for record in chosen
        ],
        "all": [float(errors.mean()), float(errors.std())],
        "rmse_dex": [record["test"]["rmse"] for record in chosen],
        "largest_bias_in_validation": [float(value) for value in selected["bias_max"]],
        "inner_edges_of_mass_bins": table.meta["mass_bins"],
        "threshold": threshold,
        "networks_below_threshold": [
            int(np.count_nonzero((table["bin"] == record["bin"]) & (bias < threshold)))
            for record in chosen
        ],
    }
