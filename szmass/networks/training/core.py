"""Training of networks by a recipe."""

import contextlib
import importlib.util
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.workers import check_workers, run_tasks
from szmass.exceptions import InvalidInputError
from szmass.maps.noise import NoiseModel
from szmass.networks._densities import mixture_loss
from szmass.networks._inputs import NetworkInputs, compressed
from szmass.networks._weights import write_json
from szmass.networks.architectures import (
    ARCHITECTURES,
    check_amplitude_network,
    check_density_network,
)
from szmass.networks.protocol.core import train_selection
from szmass.networks.recipes import Recipe
from szmass.networks.training._amplitudes import AmplitudeEncoder, finish_amplitudes
from szmass.networks.training._ensemble import finish_ensemble
from szmass.networks.training._fit import (
    GO_ON,
    compiled,
    fit_network,
    seed_everything,
    use_one_thread,
)
from szmass.networks.training._mocks import draw_population, only_clusters
from szmass.networks.training._spectra import family_of
from szmass.networks.training._stream import MapStream, OwnSignals, check_noise, prefetched
from szmass.simulations import SimulationDataset, get_environment, get_observation, make_dataset

__all__ = ["make_training_data", "train"]

# How the maps of a recipe show the clusters; noise is drawn afresh in the training.
_OBSERVATION = "clean"

# Noise maps of each of many models in an epoch.
_FIELDS = 1024


def make_training_data(recipe, path, *, workers=1):
    """Make the mock maps of a recipe.

    For networks that give amplitudes these are two data sets: beside ``mocks.zarr``
    ``mocks-alone.zarr`` with the same clusters and nothing else in the field.

    Parameters
    ----------
    recipe : Recipe
        Its ``data`` section says which.
    path : path-like
        The data set to write; what is there of it already is kept.
    workers : int, optional
        Number of processes.

    Returns
    -------
    `~szmass.simulations.SimulationDataset`
        Clean maps with the truth.

    Raises
    ------
    InvalidInputError
        The recipe asks for what cannot be: files of noise that are not there or of another beam,
        too few clusters, or, where Keras is installed, an architecture that cannot be built. The
        message names the key.
    """
    _check_feasible(recipe, None, importlib.util.find_spec("keras") is not None)
    return _make_data(recipe, path, workers)


def _make_data(recipe, path, workers):
    data = recipe.data
    environment = get_environment(data["environment"], cosmology=data["cosmology"])
    places = {Path(path): environment}
    if recipe.kind == "amplitude":
        places[_alone(path)] = only_clusters(environment)
    made = [
        make_dataset(
            place,
            draw_population(recipe, data["clusters"], recipe.seed, get_noise_models(recipe)[0]),
            _OBSERVATION,
            model=data["model"],
            cosmology=data["cosmology"],
            seed=recipe.seed,
            projections=data["projections"],
            environment=around,
            workers=workers,
        )
        for place, around in places.items()
    ]
    return made[0]


def _alone(path):
    """Where the data set of the same clusters alone is."""
    path = Path(path)
    return path.with_name(f"{path.stem}-alone{path.suffix}")


def _open_alone(dataset):
    """The data set of the same clusters alone."""
    path = _alone(dataset.path)
    if not path.exists():
        raise InvalidInputError(
            f"Networks that give amplitudes need the clusters alone beside {dataset.path.name!r}, "
            f"as {path.name!r}: make both with make_training_data, or train with a recipe of kind "
            "'density', which takes any maps."
        )
    alone = SimulationDataset.open(path)
    if not np.array_equal(alone.cluster_id, dataset.cluster_id):
        raise InvalidInputError(f"{path.name!r} holds other clusters than {dataset.path.name!r}.")
    return alone


def _check_feasible(recipe, dataset, build=True):
    """Refuse, before data are made, what would be refused after; the message names the key."""
    seen = get_observation(_OBSERVATION) if dataset is None else dataset
    noise = get_noise_models(recipe)
    if dataset is not None:
        check_noise(noise, dataset)
        if recipe.kind == "amplitude":
            _open_alone(dataset)
    for name, model in zip(recipe.observation["noise"], noise, strict=False):
        if model.beam is None or not np.isclose(model.beam, seen.beam, rtol=0.01):
            raise InvalidInputError(
                f"'observation.noise' must have the beam of the maps, {seen.beam:g}. Received: "
                f"{name!r} with {model.beam}"
            )
    edges = _redshift_bins(recipe)
    if dataset is None:
        clusters, parts = recipe.data["clusters"], len(recipe.training["split"])
        sample = draw_population(recipe, clusters, recipe.seed, noise[0])
        number = np.bincount(np.searchsorted(edges, sample.redshift) - 1, minlength=len(edges) - 1)
        if number.min() < parts:
            low, high = edges[number.argmin() :][:2]
            raise InvalidInputError(
                f"'data.clusters' must be more: {number.min()} of {clusters} have redshifts in "
                f"({low:g}, {high:g}], and 'training.split' makes {parts} parts that need one each."
            )
    check = {"amplitude": check_amplitude_network, "density": check_density_network}
    if build and recipe.kind in check:
        try:
            check[recipe.kind](
                recipe.architecture["name"], seen.geometry.shape, **recipe.network_options
            )
        except InvalidInputError as err:
            raise InvalidInputError(f"'architecture' of the recipe: {err}") from err


def _redshift_bins(recipe):
    """Edges of the redshift bins that all parts of the data have clusters in."""
    return recipe.training.get("redshift_bins") or (0.0, *recipe.data["redshift"][1:])


def train(recipe, folder, *, dataset=None, resume=False, workers=1, tensorboard=False):
    """Train networks as a recipe says.

    Parameters
    ----------
    recipe : Recipe or path-like
        The recipe, its file, or the name of one that ships.
    folder : path-like
        Where to write: ``model.npz`` and ``card.json`` in the end, before that a folder per network
        with its check-point and log, and the data if no data set is given.
    dataset : `~szmass.simulations.SimulationDataset` or path-like, optional
        Clean maps to train on, as `make_training_data` makes them; by default those of the recipe.
    resume : bool, optional
        Go on with what an interrupted call left in the folder; the result is the same.
    workers : int, optional
        Number of networks that are trained side by side, each by one processor.
    tensorboard : bool, optional
        Write events for TensorBoard.

    Returns
    -------
    AmplitudeNetworks, DensityNetworks or BinnedNetworks
        The trained networks, as `load_networks` reads them from the folder.

    Raises
    ------
    InvalidInputError
        The folder holds something else, or the training of another recipe; the data set is not
        what the recipe needs; or the recipe asks for what cannot be, as for `make_training_data`.
    TrainingError
        A loss is not finite.
    FileFormatError
        A check-point is damaged.
    WorkerError
        A worker died; what it had finished is kept.
    MissingDependencyError
        Keras, its backend, or zarr is not installed.
    """
    import_optional("keras", extra="train", purpose="train a network")
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.read(recipe)
    workers = check_workers(workers)
    if dataset is not None and not isinstance(dataset, SimulationDataset):
        dataset = SimulationDataset.open(dataset)
    folder = _check_folder(Path(folder).absolute(), recipe, resume)
    _check_feasible(recipe, dataset)
    if not folder.is_dir() or not any(folder.iterdir()):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "recipe.json", recipe.to_dict())
    if dataset is None:
        dataset = _make_data(recipe, folder / "data.zarr", workers)
    if recipe.kind == "selection":
        options = {key: value for key, value in recipe.training.items() if key != "split"}
        return train_selection(
            dataset,
            folder,
            noise=_with_depths(recipe),
            fractions=recipe.training["split"],
            seed=recipe.seed,
            workers=workers,
            resume=resume,
            tensorboard=tensorboard,
            **options,
        )

    def divided(dataset):
        return dataset.split(
            recipe.training["split"], seed=recipe.seed, redshift_bins=_redshift_bins(recipe)
        )

    parts = divided(dataset)
    alone = divided(_open_alone(dataset)) if recipe.kind == "amplitude" else [None] * len(parts)
    parts = [Part(*pair) for pair in zip(parts, alone, strict=True)]
    builder = ARCHITECTURES[recipe.architecture["name"]]
    job = MemberJob(recipe, builder, *parts[:2], folder, resume, tensorboard, workers > 1)
    members = [(number,) for number in range(recipe.training["members"])]
    for _ in run_tasks(
        train_member, job, members, workers=workers, fresh=workers > 1, remedy=GO_ON
    ):
        pass
    noise = get_noise_models(recipe)
    streams = [make_stream(recipe, part, noise, recipe.seed) for part in parts[1:]]
    finish = {"amplitude": finish_amplitudes, "density": finish_ensemble}[recipe.kind]
    return finish(
        recipe, folder, dataset, lambda part: make_encoder(recipe, part, noise), streams, noise
    )


def _check_folder(folder, recipe, resume):
    """Refuse a folder that is not free, but for that of an earlier training to be resumed."""
    record = folder / "recipe.json"
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"The output {str(folder)!r} is a file; give a folder.")
    if folder.exists() and any(folder.iterdir()):
        if not record.exists():
            raise InvalidInputError(
                f"The folder {str(folder)!r} holds something that is no training of szmass. "
                "Choose another one."
            )
        if not _is_record_of(record, recipe):
            raise InvalidInputError(
                f"The folder {str(folder)!r} holds a training of another recipe: see "
                "its recipe.json. Choose another folder."
            )
        if not resume:
            raise InvalidInputError(
                f"The folder {str(folder)!r} holds a training of this recipe. Go on with "
                "resume=True, or choose another folder."
            )
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidInputError(
            f"The folder {str(folder)!r} cannot be made: the permissions of {str(there)!r} forbid "
            "it."
        )
    return folder


def _is_record_of(path, recipe):
    """Tell whether a file holds a recipe, whose defaults may have been left out."""
    try:
        there = Recipe.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return False
    return there.to_dict() == recipe.to_dict()


def _with_depths(recipe):
    """Noise models at the ends and in the middle of the range of depths."""
    low, high = recipe.observation["depth"]
    factors = np.geomspace(low, high, 3) if high > low else [low]
    return [model.scaled(float(f)) for model in get_noise_models(recipe) for f in factors]


def get_noise_models(recipe):
    """Noise models of a recipe, in its order, and then those drawn about them."""
    try:
        measured = [
            NoiseModel.planck(kind, depth=None) if not Path(kind).suffix else NoiseModel.read(kind)
            for kind in recipe.observation["noise"]
        ]
    except (OSError, ValueError) as err:
        raise InvalidInputError(f"'observation.noise' cannot be read: {err}") from err
    return family_of(measured, recipe.observation.get("spectra", 0), recipe.seed)


@dataclass(frozen=True)
class Part:
    """A part of the data, and the same clusters alone if they are needed."""

    dataset: SimulationDataset
    alone: SimulationDataset | None


@dataclass(frozen=True)
class MemberJob:
    """What every member of an ensemble needs."""

    recipe: Recipe
    builder: Callable
    training: Part
    validation: Part
    folder: Path
    resume: bool
    tensorboard: bool
    one_thread: bool


def train_member(job, number):
    """Train a member of the ensemble; its check-point holds its best weights."""
    if job.one_thread:
        use_one_thread()
    recipe, options = job.recipe, job.recipe.training
    seed = int(np.random.SeedSequence([recipe.seed, number]).generate_state(1)[0] >> 1)
    keras = seed_everything(seed)
    noise = get_noise_models(recipe)
    stream = make_stream(recipe, job.training, noise, seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(options["precision"])
    try:
        with _all_devices(keras):
            model = job.builder(job.training.dataset.geometry.shape, **recipe.network_options)
            compiled(model, _loss(recipe), stream.steps * options["epochs"], options)
        encoder = make_encoder(recipe, job.training.dataset, noise)
        validation = make_stream(recipe, job.validation, noise, recipe.seed).whole(
            make_encoder(recipe, job.validation.dataset, noise)
        )
        fit_network(
            model,
            lambda epoch: prefetched(map(encoder, stream.batches(epoch))),
            stream.steps,
            validation,
            job.folder / f"member-{number}",
            epochs=options["epochs"],
            patience=options["patience"],
            resume=job.resume,
            tensorboard=job.tensorboard,
            name=f"member {number}",
        )
    finally:
        keras.config.set_dtype_policy(policy)
    return number


def _loss(recipe):
    if recipe.kind == "amplitude":
        return "mse"
    return mixture_loss(recipe.network_options["log10_mass_range"])


def make_encoder(recipe, dataset, noise):
    """What turns batches of noisy maps of a data set into inputs and targets."""
    if recipe.kind == "amplitude":
        return AmplitudeEncoder(recipe, dataset, noise)
    return Encoder(dataset, noise)


def make_stream(recipe, part, noise, seed):
    """Noisy maps of a part of the data as a recipe wants them."""
    observation, dataset, more = recipe.observation, part.dataset, {}
    pixel = dataset.geometry.pixel_scale.to_value(u.arcmin)
    if recipe.kind == "amplitude":
        amplitude = AmplitudeEncoder(recipe, dataset, noise[:1]).amplitude[0]
        weak = compressed(amplitude) < observation["lowest"]
        more["own"] = OwnSignals(part.alone, observation["sigma_lny"], weak)
        more["fields"] = _FIELDS
    return MapStream(
        dataset,
        noise,
        batch_size=recipe.training["batch_size"],
        seed=seed,
        centring=observation["centring"] / pixel,
        depth=observation["depth"],
        depth_error=observation["depth_error"],
        **more,
    )


class Encoder:
    """Turns batches of noisy maps of a data set into inputs and targets of the density network."""

    def __init__(self, dataset, noise):
        pixel = float(dataset.geometry.pixel_scale.to_value(u.arcmin))
        self.inputs = [NetworkInputs(dataset.geometry.shape, pixel, model) for model in noise]
        self.redshift = dataset.redshift
        mass = dataset.table(["mass_true"])["mass_true"].to_value(u.solMass)
        self.log10_mass = np.log10(mass).astype(np.float32)

    def __call__(self, parts):
        planes, context, target = [], [], []
        for part in parts:
            inputs = self.inputs[part.noise]
            planes.append(inputs.planes(part.maps, part.depth))
            context.append(inputs.context(self.redshift[part.rows], part.depth))
            target.append(self.log10_mass[part.rows])
        return (np.concatenate(planes), np.concatenate(context)), np.concatenate(target)


def _all_devices(keras):
    """Share batches among accelerators, if there is more than one."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if len(tf.config.list_physical_devices("GPU")) > 1:
            return tf.distribute.MirroredStrategy().scope()
    elif backend == "jax" and len(keras.distribution.list_devices()) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    return contextlib.nullcontext()
