"""From a recipe to networks in a folder: recipes, resuming, what is refused."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from szmass.cli import main
from szmass.exceptions import FileFormatError, IntegrityError, InvalidInputError, UnknownNameError
from szmass.networks import Recipe, load_networks, make_training_data, train

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
        ('"density"', '"dense"', "'kind' of a recipe must be one of density, selection"),
        ("clusters = 60", "", "'data' of the recipe lacks 'clusters'"),
        ("clusters = 60", "clusters = 0", "'data.clusters' must be a positive whole number"),
        ("clusters = 60", "cluster = 60", "'data' of a recipe has no 'cluster'"),
        ("[1e14, 2e15]", "[2e15, 1e14]", "'data.mass' must be two increasing masses"),
        ("[0.8, 1.2]", "[0.8]", "'observation.depth' must be a lower and an upper"),
        ('["total", "instrument"]', "[]", "'observation.noise' must be a list"),
        ("epochs = 2", "epochs = true", "'training.epochs' must be a positive whole"),
        ("[quick]", "[quicker]", "no section 'quicker'"),
        ("[data]", "[data", "no usable recipe"),
    ],
)
def test_recipes_that_make_no_sense_say_why(tmp_path, old, new, message):
    path = tmp_path / "bad.toml"
    path.write_text(RECIPE.replace(old, new, 1))
    with pytest.raises(FileFormatError, match=message):
        Recipe.read(path)


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


def test_an_interrupted_training_gives_the_same_networks(trained, recipe, dataset, tmp_path):
    folder = tmp_path / "again"
    quick = Recipe.read(recipe)
    train(quick, folder, dataset=dataset)
    for name in ("model.npz", "card.json"):
        assert (folder / name).read_bytes() == (trained / name).read_bytes()
    # What a kill after the first member leaves.
    shutil.rmtree(folder / "member-1")
    (folder / "model.npz").unlink()
    with pytest.raises(InvalidInputError, match="resume=True"):
        train(recipe, folder, dataset=dataset)
    train(recipe, folder, dataset=dataset, resume=True)
    assert (folder / "model.npz").read_bytes() == (trained / "model.npz").read_bytes()


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


def test_the_shell_trains_and_goes_on(recipe, dataset, tmp_path):
    arguments = ["train", str(recipe), "-o", str(tmp_path / "out"), "--data", str(dataset.path)]
    result = CliRunner().invoke(main, [*arguments, "--quick"])
    assert result.exit_code == 0, result.output
    assert "DensityNetworks 'tiny', 2 members" in result.output
    assert "z in (0, 1]" in result.output
    again = CliRunner().invoke(main, [*arguments, "--quick"])
    assert again.exit_code != 0
    assert "--resume" in again.output
