"""What a selection among many trainings needs to be given."""

import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.maps.noise import NoiseModel
from szmass.networks.protocol._table import bin_label

__all__ = ["check_data", "check_edges", "check_fractions", "check_noise", "check_positive"]


def check_positive(value, name):
    """Give a positive finite number as a float."""
    if isinstance(value, bool) or not np.isscalar(value) or not 0 < value < np.inf:
        raise InvalidInputError(f"'{name}' must be a positive number. Received: {value!r}")
    return float(value)


def check_edges(edges, name, least):
    """Give increasing edges as a tuple of at least so many floats."""
    values = np.asarray(edges, dtype=float)
    if values.ndim != 1 or len(values) < least or not np.all(np.diff(values) > 0):
        raise InvalidInputError(
            f"'{name}' must be {least} or more increasing numbers. Received: {edges!r}"
        )
    return tuple(float(value) for value in values)


def check_fractions(fractions):
    """Give three fractions as a tuple."""
    values = tuple(float(value) for value in fractions)
    if len(values) != 3:
        raise InvalidInputError(
            "'fractions' must be three numbers, for training, validation and test. "
            f"Received: {fractions!r}"
        )
    return values


def check_noise(noise, dataset):
    """Give the noise models as a tuple; (None,) for none."""
    models = tuple(noise) if isinstance(noise, list | tuple) else (noise,)
    if not models or not all(isinstance(model, NoiseModel | None) for model in models):
        raise InvalidInputError(
            f"'noise' must be a NoiseModel, several of them, or None. Received: {noise!r}"
        )
    if dataset.beam is None:
        raise InvalidInputError(
            "The data set does not say what beam is in its maps: networks must know. Make it with "
            "a beam."
        )
    there = (dataset.origin.get("observation") or {}).get("noise")
    for model in models:
        if model is None:
            continue
        if there is not None:
            raise InvalidInputError(
                "The maps of the data set have noise already: pass noise=None, or make clean maps."
            )
        if model.beam is not None and not np.isclose(model.beam, dataset.beam, rtol=0.01):
            raise InvalidInputError(
                f"The noise has a beam of {model.beam:g}, the maps have one of {dataset.beam:g}."
            )
    return models


def check_data(protocol):
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
    outside = ~((redshift > edges[0]) & (redshift <= edges[-1]))
    if outside.any():
        raise InvalidInputError(
            f"{np.count_nonzero(outside)} maps have a redshift outside of ({edges[0]:g}, "
            f"{edges[-1]:g}], or none, for instance {redshift[outside][0]:.4g}. Take others, or "
            "pass other 'redshift_bins'."
        )
    there = np.unique(np.searchsorted(edges, redshift, side="left") - 1)
    absent = [bin_label(edges, i) for i in range(len(edges) - 1) if i not in there]
    if absent:
        raise InvalidInputError(
            f"The data set has no map with a redshift in {', '.join(absent)}, and each bin needs a "
            "network. Add clusters there, or pass other 'redshift_bins'."
        )
