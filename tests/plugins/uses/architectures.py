"""Use of an architecture of another package: a recipe names it, and a tiny network is trained."""

from pathlib import Path

import numpy as np
from click.testing import CliRunner

from szmass.cli import main
from szmass.estimators import CNNMass
from szmass.networks import Recipe, load_networks
from szmass.simulations import draw_flat, simulate

RECIPE = """
kind = "density"
name = "tiny"
seed = 3
[data]
clusters = 60
mass = [1e14, 2e15]
redshift = [0.05, 0.4, 1.0]
environment = false
[observation]
noise = ["instrument"]
[training]
epochs = 1
batch_size = 16
domain = 0
[architecture]
name = "example-net"
width = 5
"""

Path("tiny.toml").write_text(RECIPE)
assert Recipe.read("tiny.toml").architecture["name"] == "example-net"
done = CliRunner().invoke(main, ["train", "tiny.toml", "-o", "tiny"])
assert done.exit_code == 0, (done.output, done.exception)
networks = load_networks("tiny")
assert networks.card.architecture == "example-net"
assert [layer.units for layer in networks.models[0].layers if layer.name == "dense"] == [5]

sample = simulate(draw_flat(3, redshift=(0.1, 0.3), seed=1), cosmology="PSZ2", seed=1)
table = CNNMass(weights="tiny").predict(sample)
assert np.isfinite(table["mass"]).all()
