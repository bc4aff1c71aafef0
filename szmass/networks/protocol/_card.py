"""The model card of networks that were chosen among many trainings."""

import itertools

import numpy as np

from szmass.networks._weights import load_arrays
from szmass.networks.cards import ModelCard, WeightsFile
from szmass.networks.protocol._bias import error_table, relative_error
from szmass.version import __version__

__all__ = ["make_card"]


def make_card(protocol, table, chosen, tests, files):
    """Write down what the chosen networks were trained on and what they are worth.

    Parameters
    ----------
    protocol : Protocol
        What all trainings have in common.
    table : `~astropy.table.Table`
        All trainings.
    chosen : list of dict
        Record of the chosen training of each redshift bin.
    tests : list of `~astropy.table.QTable`
        Its predictions for its test maps.
    files : list of (str, str)
        Name and SHA-256 of its weights in the folder.

    Returns
    -------
    ModelCard
        The card.
    """
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
