"""Fit the response of networks that give amplitudes anew, and write them with it.

    python benchmarks/response.py FOLDER [--networks FOLDER] [--number 32000] [--seed 3700151]

A quarter of the clusters tests it. They are those of the networks' recipe, drawn with another seed;
spectra of noise, the networks themselves, and what is in domain stay as they are.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

import szmass
from szmass.networks import Recipe, load_networks, make_training_data
from szmass.networks._weights import load_arrays
from szmass.networks.training._amplitudes import fit_response
from szmass.networks.training._ensemble import WEIGHTS_FILE, write_ensemble
from szmass.networks.training.core import Part, get_noise_models, make_encoder, make_stream
from szmass.simulations import SimulationDataset
from szmass.version import __version__

SPLIT = (0.75, 0.25)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write")
    shipped = Path(szmass.__file__).parent / "data" / "cnn"
    parser.add_argument("--networks", type=Path, default=shipped)
    parser.add_argument("--number", type=int, default=32_000)
    parser.add_argument("--seed", type=int, default=3_700_151)
    arguments = parser.parse_args()
    networks = load_networks(arguments.networks)
    arrays = load_arrays(arguments.networks / WEIGHTS_FILE)
    values = networks.card.training["recipe"]
    noise = get_noise_models(Recipe.from_dict(values))
    data = values["data"] | {"clusters": arguments.number}
    recipe = Recipe.from_dict(values | {"data": data, "seed": arguments.seed})
    with tempfile.TemporaryDirectory() as there:
        dataset = make_training_data(recipe, Path(there) / "mocks.zarr")
        alone = SimulationDataset.open(Path(there) / "mocks-alone.zarr")
        edges = (0.0, *recipe.data["redshift"][1:])
        parts = [d.split(SPLIT, seed=recipe.seed, redshift_bins=edges) for d in (dataset, alone)]
        streams = [
            make_stream(recipe, Part(*p), noise, recipe.seed) for p in zip(*parts, strict=True)
        ]
        response, _, metrics = fit_response(
            networks, lambda part: make_encoder(recipe, part, noise), streams
        )
    for name, array in response.items():
        print(name, array.round(4).tolist())
    how = {"clusters": len(parts[0][0]), "seed": recipe.seed, "szmass": __version__}
    card = dataclasses.replace(networks.card, training=networks.card.training | {"response": how})
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write_ensemble(arguments.folder, card, arrays | response, metrics)


if __name__ == "__main__":
    main()
