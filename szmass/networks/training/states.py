"""Training of networks that give densities of numbers of the dynamical state."""

import dataclasses
import itertools
import json

import astropy.units as u
import numpy as np

from szmass._utils.kinds import as_path
from szmass._utils.optional import import_optional
from szmass._utils.seeds import check_count, check_seed
from szmass.exceptions import InvalidInputError
from szmass.networks._densities import mixture_loss
from szmass.networks._inputs import turned
from szmass.networks.architectures import ARCHITECTURES
from szmass.networks.cards import ModelCard
from szmass.networks.shipped import load_networks
from szmass.networks.states import StateNetworks, state_metrics
from szmass.networks.training._ensemble import rounded_members, write_ensemble
from szmass.networks.training._fit import compiled, fit_network, seed_everything
from szmass.physics import get_dynamical_state
from szmass.version import __version__

__all__ = ["StateExamples", "fit_state_networks"]

_ARCHITECTURE = "state_cnn"
# Parts for training, and for validation and calibration; the rest is for the test.
_TRAINING, _VALIDATION = 0.8, 0.1
# Clusters that a calibration is fitted to.
_FEWEST = 50
# How often a band is taken away in training where there is another one.
_TAKEN = 0.15
# Room about the numbers of the training, and steps of the ends of densities [dex].
_ROOM, _STEP = 0.1, 0.05


@dataclasses.dataclass(frozen=True)
class StateExamples:
    """What networks of states learn from: images, and the states of their clusters.

    Parameters
    ----------
    planes, context : `~numpy.ndarray`
        As `StateNetworks` take them.
    told : `~numpy.ndarray` of bool
        Which bands tell something, (N, B).
    truth : dict of str to `~numpy.ndarray`
        True log10 of the number of the state, by the name of the definition.
    """

    planes: np.ndarray
    context: np.ndarray
    told: np.ndarray
    truth: dict

    def __len__(self):
        return len(self.planes)

    def __getitem__(self, rows):
        truth = {name: values[rows] for name, values in self.truth.items()}
        return StateExamples(self.planes[rows], self.context[rows], self.told[rows], truth)

    def without(self, taken):
        """Take bands away where another one is left.

        Parameters
        ----------
        taken : `~numpy.ndarray` of bool
            Which, (N, B).

        Returns
        -------
        StateExamples
            The images without them.
        """
        taken = taken & (self.told & ~taken).any(axis=1, keepdims=True)
        kept = (self.told & ~taken).astype(np.float32)
        context = self.context.copy()
        context[:, 4:] *= np.tile(kept, 2)
        planes = self.planes * np.tile(kept, 2)[:, np.newaxis, np.newaxis]
        return dataclasses.replace(self, planes=planes, context=context, told=kept > 0)


def fit_state_networks(
    images,
    folder,
    *,
    name,
    bands,
    geometry,
    beam,
    log10_mass,
    redshift,
    prior=None,
    about=None,
    members=2,
    epochs=20,
    batch_size=128,
    learning_rate=1e-3,
    weight_decay=1e-2,
    dropout=0.2,
    filters=(16, 24, 32),
    components=3,
    patience=None,
    seed=0,
    resume=False,
):
    """Train networks on images of mock clusters, calibrate and test them, and write them.

    Parameters
    ----------
    images : StateExamples
        Clusters in any order, whose images tell something each: eight of ten are for training, one
        for validation and calibration, one for the test in the card.
    folder : path-like
        Where ``card.json`` and ``model.npz`` go; before that a folder per network with its
        check-point and log.
    name : str
        Name of the networks.
    bands : sequence of str
        Of the images.
    geometry : `~szmass.maps.CutoutGeometry`
        Of the cutouts.
    beam : `~astropy.units.Quantity`
        Of the maps.
    log10_mass, redshift : (float, float)
        Ranges of the mocks.
    prior : dict of str to `~numpy.ndarray`, optional
        Arrays of the prior that are kept beside the networks.
    about : dict, optional
        What the card says of the training.
    members, epochs, batch_size, learning_rate, weight_decay : optional
        As in a `Recipe`.
    dropout, filters, components : optional
        Options of `build_state_cnn`.
    patience : int, optional
        As in a `Recipe`.
    seed : int, optional
        Of everything that is drawn.
    resume : bool, optional
        Go on with what an interrupted call left in the folder.

    Returns
    -------
    StateNetworks
        The networks, as `load_networks` reads them from the folder.

    Raises
    ------
    InvalidInputError
        There are too few clusters, an option is out of range, or the folder holds something.
    TrainingError
        A loss is not finite.
    MissingDependencyError
        Keras or its backend is not installed.
    """
    import_optional("keras", extra="train", purpose="train a network")
    check_seed(seed)
    folder = as_path(folder, "folder")
    if not resume and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInputError(
            f"The folder {str(folder)!r} holds something already. Choose another one, or go on "
            "with a training of the same images and options by resume=True."
        )
    counts = {"members": members, "epochs": epochs, "batch_size": batch_size}
    for key, value in counts.items():
        check_count(value, key)
    order = np.random.default_rng([seed, 0]).permutation(len(images))
    parts = np.split(
        order, (np.array([_TRAINING, _TRAINING + _VALIDATION]) * len(order)).astype(int)
    )
    if len(parts[0]) < batch_size or min(map(len, parts)) < 2:
        raise InvalidInputError(
            f"'batch_size' must be at most the number of images for training, {len(parts[0])} of "
            f"{len(images)}. Received: {batch_size}"
        )
    training, validation, test = (images[np.sort(part)] for part in parts)
    options = {
        "bands": list(bands),
        "ranges": {key: _ends(values) for key, values in images.truth.items()},
        "filters": list(filters),
        "components": components,
        "dropout": dropout,
    }
    fitted = {
        **counts, "learning_rate": learning_rate, "weight_decay": weight_decay,
        "patience": patience, "seed": seed,
    }  # fmt: skip
    for number in range(members):
        _fit_member(
            training, validation, folder / f"member-{number}", number, geometry.shape, options,
            fitted, resume,
        )  # fmt: skip
    card = ModelCard(
        name=name,
        architecture=_ARCHITECTURE,
        architecture_options=json.loads(json.dumps(options)),
        n_parameters=ARCHITECTURES[_ARCHITECTURE](geometry.shape, **options).count_params(),
        shape=geometry.shape,
        pixel_scale_arcmin=geometry.pixel_scale.to_value(u.arcmin),
        frame=geometry.frame,
        rotation_deg=geometry.rotation.to_value(u.deg),
        projection=geometry.projection,
        interpolation=None,
        beam_fwhm_arcmin=beam.to_value(u.arcmin),
        redshift_bins=(tuple(redshift),),
        normalisation=((0.0, 1.0),),
        target=StateNetworks.target,
        mass_definition="500c",
        h=None,
        log10_mass_range=tuple(log10_mass),
        training={
            "number": len(images),
            **fitted,
            "loss": "minus the mean of ln p(log10 of the number of the state)",
            "szmass_version": __version__,
            **(about or {}),
        },
        split=f"by cluster: {_TRAINING:g}, {_VALIDATION:g} for calibration, the rest for the test",
        metrics={},
        error_table=None,
        weights=(),
        licence="BSD-3-Clause",
        references=(),
    )
    arrays = rounded_members(members, folder)
    arrays |= {f"prior/{key}": array for key, array in (prior or {}).items()}
    arrays |= {"range/low": images.context.min(axis=0), "range/high": images.context.max(axis=0)}
    networks = StateNetworks(card, arrays)
    for pattern in itertools.product([False, True], repeat=len(bands)):
        seen = validation.without(~np.broadcast_to(pattern, validation.told.shape))
        seen = seen[(seen.told == pattern).all(axis=1)]
        if len(seen) < _FEWEST:
            continue
        for definition in networks.definitions:
            found = networks.from_planes(seen.planes, seen.context, definition)
            fit = networks.fit_calibration(found, seen.context, definition, seen.truth[definition])
            arrays[f"calibration/{definition}/{networks.bands_seen(seen.context)[0]}"] = fit
    networks = StateNetworks(card, arrays)
    write_ensemble(
        folder, card, arrays, {n: _test(networks, test, n) for n in networks.definitions}
    )
    return load_networks(folder)


def _ends(values):
    return [
        round(float(np.floor((values.min() - _ROOM) / _STEP) * _STEP), 3),
        round(float(np.ceil((values.max() + _ROOM) / _STEP) * _STEP), 3),
    ]


def _fit_member(training, validation, folder, number, shape, options, fitted, resume):
    seed = int(np.random.SeedSequence([fitted["seed"], number]).generate_state(1)[0] >> 1)
    seed_everything(seed)
    size = fitted["batch_size"]
    steps = len(training) // size
    losses = [mixture_loss(limits) for limits in options["ranges"].values()]

    def loss(truth, mixtures):
        return sum(one(truth[:, k], mixtures[:, k]) for k, one in enumerate(losses))

    model = compiled(
        ARCHITECTURES[_ARCHITECTURE](shape, **options), loss, steps * fitted["epochs"], fitted
    )
    fit_network(
        model,
        lambda epoch: _batches(training, size, seed, epoch),
        steps,
        ((validation.planes, validation.context), _target(validation)),
        folder,
        epochs=fitted["epochs"],
        patience=fitted["patience"],
        resume=resume,
        name=f"member {number}",
    )


def _batches(images, size, seed, epoch):
    """Batches in random order and orientation, with bands taken away, from that epoch on."""
    while True:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(images))
        for start in range(0, len(order) - size + 1, size):
            part = images[order[start : start + size]]
            part = part.without(rng.random(part.told.shape) < _TAKEN)
            turns = rng.integers(0, 8, size)
            planes = np.empty_like(part.planes)
            for turn in range(8):
                planes[turns == turn] = turned(part.planes[turns == turn], turn)
            yield (planes, part.context), _target(part)
        epoch += 1


def _target(images):
    return np.stack(list(images.truth.values()), axis=1).astype(np.float32)


def _test(networks, test, definition):
    found = networks.log_density(test.planes, test.context, definition)
    limit, truth = np.log10(get_dynamical_state(definition).limit), test.truth[definition]
    return {
        "all": state_metrics(
            networks.quantiles(found, definition, [0.5])[:, 0],
            truth,
            networks.below(found, definition, truth),
            1 - networks.below(found, definition, limit),
            truth > limit,
        )
    }
