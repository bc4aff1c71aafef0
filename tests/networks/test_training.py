"""From a recipe to networks in a folder: recipes, resuming, what is refused."""

import json
import shutil
import tomllib
from importlib import resources

import numpy as np
import pytest
from click.testing import CliRunner

from szmass.cli import main
from szmass.estimators.cnn import CNNMass
from szmass.exceptions import (
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    MissingDependencyError,
    UnknownNameError,
)
from szmass.networks import (
    ARCHITECTURES,
    Recipe,
    density_head,
    density_inputs,
    load_networks,
    make_training_data,
    train,
)
from szmass.networks._weights import load_arrays
from szmass.networks.training.core import train_member
from szmass.results import MassFlag

pytest.importorskip("keras")
pytest.importorskip("zarr")

RECIPE = """
kind = "density"
name = "tiny"
seed = 3
[data]
clusters = 60
mass = [1e14, 2e15]
redshift = [0.02, 0.1, 0.2, 0.4, 1.0]
environment = false
[observation]
noise = ["total", "instrument"]
depth = [0.8, 1.2]
centring = 1.0
[training]
members = 2
epochs = 2
domain = 1
batch_size = 16
[architecture]
filters = [3, 3, 3]
components = 2
[quick]
training.epochs = 1
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, recipe):
    return make_training_data(Recipe.read(recipe), tmp_path_factory.mktemp("data") / "data.zarr")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, recipe, dataset):
    folder = tmp_path_factory.mktemp("trained") / "tiny"
    train(recipe, folder, dataset=dataset)
    return folder


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kind = "amplitude"', "kind = [[1], [2]]"),
        ("[data]", "[data]\nx = " + "[" * 5000 + "]" * 5000),
        ("seed = ", "seed = " + "1" * 5000),
        ("filters = [", "filters = [nan, "),
        ("[quick]", "[quick]\n" + ".".join(5000 * ["a"]) + " = 1"),
    ],
    ids=["kind", "nested", "digits", "NaN", "deep"],
)
def test_recipes_that_are_odd_in_form(tmp_path, old, new):
    text = (resources.files("szmass") / "data" / "recipes" / "default.toml").read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FileFormatError, match="no usable recipe"):
        Recipe.read(path)


def test_recipes_that_ship_can_be_read():
    for name in ("default", "paper"):
        recipe = Recipe.read(name)
        assert Recipe(**recipe.to_dict()) == recipe
        quick = recipe.quickly()
        assert quick.data["clusters"] < recipe.data["clusters"]
        assert quick.quick == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 3", "", "lacks 'seed'"),
        ("seed = 3", "seed = -1", "'seed' must be an integer >= 0"),
        ('"density"', '"dense"', "'kind' of a recipe must be one of density, amplitude, selection"),
        ("clusters = 60", "", "'data' of the recipe lacks 'clusters'"),
        ("clusters = 60", "clusters = 0", "'data.clusters' must be a positive whole number"),
        ("clusters = 60", "cluster = 60", "'data' of a recipe has no 'cluster'"),
        ("clusters = 60", "cluster = 60", r"Did you mean 'clusters'\?"),
        ("[1e14, 2e15]", "[2e15, 1e14]", "'data.mass' must be two increasing masses"),
        ("[0.8, 1.2]", "[0.8]", "'observation.depth' must be a lower and an upper"),
        ('["total", "instrument"]', "[]", "'observation.noise' must be a list"),
        ("epochs = 2", "epochs = true", "'training.epochs' must be a positive whole"),
        ("[0.02, 0.1, 0.2, 0.4, 1.0]", "[0.4, 0.1]", "'data.redshift' must be increasing"),
        ("[1e14, 2e15]", "[14.0, 15.3]", "'data.mass' must be two increasing masses"),
        ("environment = false", 'environment = "no"', "'data.environment' must be true or false"),
        ("environment = false", "environment = {haloez = false}", "'data.environment': .*haloez"),
        ("environment = false", "environment = {size = -2}", "'data.environment': .*'size'"),
        (
            "environment = false",
            'environment = {ingredients = ["fog"]}',
            "'data.environment': .*'fog'",
        ),
        ("environment = false", 'model = "b12"', "'data.model' must be one of a10,"),
        ("environment = false", 'cosmology = "mine"', "'data.cosmology' must be one of .*PSZ2"),
        ('"instrument"]', '"instrumental"]', "'observation.noise'.*instrumental"),
        ("centring = 1.0", "centring = -1.0", "'observation.centring' must be a number that is"),
        ("centring = 1.0", "centring = inf", "'observation.centring' must be a number that is"),
        ("domain = 1", 'precision = "double"', "'training.precision' must be one of float32"),
        ("domain = 1", "split = [0.9, 0.2, 0.1]", "'training.split' must be three positive"),
        ("domain = 1", "models = 2", "'training' of a recipe has no 'models'"),
        ('"tiny"', "3", "'name' must be a text"),
        ("filters", "filter", "'architecture' of a recipe has no 'filter'; 'density_cnn' has filt"),
        (
            "filters = [",
            "filters = -1\nold = [",
            "'architecture.filters' must be a list",
        ),
        ("filters = [", "filters = [0, ", "'architecture.filters' must be a list"),
        ("filters", 'name = "vit"\nfilters', "'architecture.name' must be one of .*'szmass.arch"),
        ("filters", 'name = "deandres2022"\nfilters', "'architecture.name' .* kind 'density', wh"),
        ("filters", "log10_mass_range = [13, 16]\nfilters", "has no 'log10_mass_range'"),
        ("training.epochs = 1", "training.epoch = 1", "'quick' of the recipe: 'training' of a r"),
        ("training.epochs = 1", "training = 1", "'quick' must hold values by section"),
        ("[quick]", "[quicker]", "no section 'quicker'"),
        ("[data]", "[data", "no usable recipe"),
    ],
)
def test_recipes_that_make_no_sense_say_why(tmp_path, old, new, message):
    path = tmp_path / "bad.toml"
    path.write_text(RECIPE.replace(old, new, 1))
    with pytest.raises(FileFormatError, match=message):
        Recipe.read(path)


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("training", {"redshift_bins": [0.0, 0.5]}, "'training.redshift_bins' must hold all of"),
        ("training", {"redshift_bins": [0.0, 1.0, 2.0]}, "and have no bin beyond"),
        ("training", {"members": 2}, "'training' of a recipe has no 'members'"),
        ("architecture", {"dropout": 0.2}, "'architecture' .* must be left out"),
        ("architecture", {"name": "density_cnn"}, "'architecture' .* must be left out"),
    ],
)
def test_values_that_do_not_go_together(section, changes, message):
    values = Recipe.read("paper").to_dict()
    values[section] |= changes
    with pytest.raises(InvalidInputError, match=message):
        Recipe.from_dict(values)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("3, 3]", f"{10**30}]", "'architecture' .* 'density_cnn' cannot be built for cutouts of"),
        ("clusters = 60", "clusters = 8", r"'data.clusters' must be more: \d of 8 have redshifts"),
        ('"instrument"]', '"none.ecsv"]', "'observation.noise' cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_made(tmp_path, old, new, message):
    path = tmp_path / "bad.toml"
    path.write_text(RECIPE.replace(old, new, 1))
    with pytest.raises(InvalidInputError, match=message):
        train(path, tmp_path / "out")
    with pytest.raises(InvalidInputError, match=message):
        make_training_data(Recipe.read(path), tmp_path / "data.zarr")
    assert [item.name for item in tmp_path.iterdir()] == ["bad.toml"]


def build_tiny(shape, *, log10_mass_range, units=4):
    """Architecture of another package: it sees the means of planes, and no positions."""
    import keras

    planes, context = density_inputs(shape)
    x = keras.layers.GlobalAveragePooling2D(data_format="channels_last")(planes)
    x = keras.layers.Concatenate()([x, context])
    x = keras.layers.Dense(units, activation="gelu", name="seen")(x)
    return keras.Model([planes, context], density_head(x, log10_mass_range, components=2))


def build_nameless(shape, *, log10_mass_range):
    import keras

    planes, context = density_inputs(shape)
    x = keras.layers.Dense(3)(context)
    return keras.Model([planes, context], density_head(x, log10_mass_range))


def build_number(shape, *, log10_mass_range):
    import keras

    planes, context = density_inputs(shape)
    return keras.Model([planes, context], keras.layers.Dense(1, name="mass")(context))


@pytest.fixture
def foreign(monkeypatch):
    """Architectures of another package, which goes away after the test."""
    names = dict(ARCHITECTURES) | {
        "tiny": build_tiny,
        "nameless": build_nameless,
        "number": build_number,
    }
    monkeypatch.setattr(ARCHITECTURES, "_objects", names)
    return monkeypatch


def test_an_architecture_of_another_package(foreign, dataset, tmp_path):
    path = tmp_path / "tiny.toml"
    text = RECIPE.replace("filters = [3, 3, 3]\ncomponents = 2", 'name = "tiny"\nunits = 5')
    path.write_text(text.replace("members = 2", "members = 1"))
    networks = train(path, tmp_path / "tiny", dataset=dataset)
    card = load_networks(tmp_path / "tiny").card
    assert card == networks.card
    assert (card.architecture, card.architecture_options["units"]) == ("tiny", 5)
    assert card.training["architecture_source"] == f"{__name__}:build_tiny"
    assert "member-0/seen/kernel" in load_arrays(tmp_path / "tiny" / "model.npz")
    sample = dataset[:12]
    masses = CNNMass(weights=tmp_path / "tiny", noise="planck").predict(sample)
    assert np.all(np.isfinite(masses["mass"].value))
    # Two epochs leave densities that the ends of the prior cut off.
    assert not np.any(masses["flag"] & ~MassFlag.EXTRAPOLATED)
    assert masses.meta["model_card_digest"] == card.digest
    foreign.undo()
    for load in (
        load_networks,
        lambda folder: CNNMass(weights=folder, noise="planck").predict(sample),
    ):
        with pytest.raises(
            MissingDependencyError,
            match=rf"'tiny', which no .*'szmass.architectures'.*was {__name__}:build_tiny. Install",
        ):
            load(tmp_path / "tiny")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nameless", "must give each layer a name of its own"),
        ("number", r"must give \(None, 3, components\).*gives \(None, 1\)"),
    ],
)
def test_architectures_that_break_the_contract(foreign, dataset, tmp_path, name, message):
    values = tomllib.loads(RECIPE) | {"architecture": {"name": name}}
    with pytest.raises(InvalidInputError, match=f"'architecture' of the recipe: .*{message}"):
        train(Recipe.from_dict(values), tmp_path / "out", dataset=dataset)
    assert not (tmp_path / "out").exists()


def test_unknown_recipe_lists_those_that_ship():
    with pytest.raises(UnknownNameError, match="default, paper"):
        Recipe.read("best")


def test_folder_has_card_weights_logs_and_recipe(trained):
    networks = load_networks(trained)
    assert len(networks) == 2
    card = networks.card
    assert card.training["recipe"]["name"] == "tiny"
    assert card.training["maps"] == 60
    rows = card.metrics["test"]
    assert rows[0]["n"] == sum(r["n"] for r in rows[:1])
    assert {"rmse", "bias", "coverage_68", "coverage_95"} <= rows[0].keys()
    log = (trained / "member-1" / "log.csv").read_text().splitlines()
    assert log[0].startswith("epoch,loss,val_loss")
    assert len(log) == 3


def test_an_interrupted_training_gives_the_same_networks(
    trained, recipe, dataset, tmp_path, monkeypatch
):
    folder = tmp_path / "again"

    def until_killed(job, number):
        if number == 1:
            raise KeyboardInterrupt
        return train_member(job, number)

    with monkeypatch.context() as patch:
        patch.setattr("szmass.networks.training.core.train_member", until_killed)
        with pytest.raises(KeyboardInterrupt):
            train(Recipe.read(recipe), folder, dataset=dataset)
    assert not (folder / "model.npz").exists()
    with pytest.raises(InvalidInputError, match="resume=True"):
        train(recipe, folder, dataset=dataset)
    train(recipe, folder, dataset=dataset, resume=True)
    for name in ("model.npz", "card.json"):
        assert (folder / name).read_bytes() == (trained / name).read_bytes()


def test_the_folder_is_looked_at_first(tmp_path, recipe, dataset, monkeypatch):
    def fail(*args):
        raise AssertionError("the folder was not looked at first")

    monkeypatch.setattr("szmass.networks.training.core._check_feasible", fail)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="no training of szmass"):
        train(recipe, tmp_path, dataset=dataset)
    monkeypatch.setattr("os.access", lambda *args: False)
    with pytest.raises(InvalidInputError, match="permissions"):
        train(recipe, tmp_path / "new" / "folder", dataset=dataset)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_folders_of_others_are_left_alone(trained, tmp_path, recipe, dataset):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="no training of szmass"):
        train(recipe, tmp_path, dataset=dataset)
    with pytest.raises(InvalidInputError, match="training of another recipe"):
        train(Recipe.read(recipe).quickly(), trained, dataset=dataset, resume=True)


def test_a_dataset_without_a_redshift_bin_is_refused(recipe, dataset, tmp_path):
    some = dataset.take(np.flatnonzero(dataset.redshift > 0.1))
    with pytest.raises(InvalidInputError, match=r"There are 0 clusters in the redshift bin"):
        train(recipe, tmp_path / "x", dataset=some)


def test_damaged_weights_and_cards_are_refused(trained, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder)
    with (folder / "model.npz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(IntegrityError, match="SHA-256"):
        load_networks(folder)
    card = json.loads((folder / "card.json").read_text())
    card["format_version"] = 99
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(FileFormatError, match="Update szmass"):
        load_networks(folder)
    with pytest.raises(FileNotFoundError):
        load_networks(tmp_path / "nothing")
    (folder / "model.npz").unlink()
    (folder / "card.json").write_text(json.dumps(card | {"format_version": 1}))
    with pytest.raises(InvalidInputError, match="has no file 'model.npz'"):
        load_networks(folder)


def test_the_shell_trains_and_goes_on(foreign, dataset, tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE.replace("filters = [3, 3, 3]\ncomponents = 2", 'name = "tiny"'))
    arguments = ["train", str(recipe), "-o", str(tmp_path / "out"), "--data", str(dataset.path)]
    result = CliRunner().invoke(main, [*arguments, "--quick"])
    assert result.exit_code == 0, result.output
    assert "DensityNetworks 'tiny', 2 members" in result.output
    assert "z in (0, 1]" in result.output
    again = CliRunner().invoke(main, [*arguments, "--quick"])
    assert again.exit_code != 0
    assert "--resume" in again.output
