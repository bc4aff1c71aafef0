"""
Simulate and train
==================

A network learns to weigh from simulated clusters. This lesson simulates some, trains a network of seconds, and asks what it is
worth: the same steps as for the networks that ship, only shorter. It needs the extras ``train`` and ``distributed`` (Keras,
TensorFlow and zarr); if there is no output below, they were missing when these pages were built.
"""

# %%
# What a training depends on
# --------------------------
#
# All of it stands in a *recipe*: the clusters, what is added to their maps, the architecture, the
# training, the seed. Two recipes ship, ``"default"`` and ``"paper"``. Ours starts from the first
# and makes everything small.

from szmass.networks import Recipe

recipe = Recipe.read("default")
recipe.data

# %%
# ``mass`` and ``redshift`` say which clusters there are: even in log M, so that no mass is
# favoured, and as many in each redshift bin. This is the prior that the network will carry. The
# score that tells foreign cutouts takes thousands of mocks; with ``domain`` below 1000 there is
# none.

values = recipe.to_dict()
values["data"] |= {"clusters": 1200, "projections": 1, "environment": False}
values["observation"] |= {"noise": ["total"]}
values["training"] |= {"members": 1, "epochs": 6, "batch_size": 64, "domain": 1}
values["architecture"] |= {"filters": [8, 16, 24]}
small = Recipe.from_dict(values)

# %%
# Maps
# ----
#
# `~szmass.networks.train` makes the maps itself if none are given; here we make them, to look at a
# few.

import tempfile
from pathlib import Path

from szmass.networks import make_training_data

folder = Path(tempfile.mkdtemp())
dataset = make_training_data(small, folder / "maps.zarr")
print(dataset)

# %%
# The maps are clean. Noise, position errors and orientations are drawn afresh in every epoch, so
# that a network never sees the same map twice. Any data set of this form can be trained on, one of
# hydrodynamic simulations as well (`~szmass.simulations.import_maps`).

import matplotlib.pyplot as plt

from szmass.plots import plot_gallery

some = dataset[:4]
masses = some.quantity("mass_true").to_value("1e14 solMass")
titles = [f"{m:.1f}e14, z = {z:.2f}" for m, z in zip(masses, some.redshift, strict=True)]
_ = plt.figure(plot_gallery(some, titles=titles, contours=False))

# %%
# Train
# -----
#
# Clusters, not maps, are split into training, validation and test.

from szmass.networks import train

networks = train(small, folder / "net", dataset=dataset)

# %%
# The validation loss should fall with the training loss. Where it turns up again, a network has
# begun to learn its clusters by heart: it needs more of them. Six epochs are too few for that.

from astropy.table import Table

from szmass.plots import plot_training

ax = plot_training({"ours": Table.read(folder / "net" / "member-0" / "log.csv")})

# %%
# Weigh
# -----
#
# The folder is all that the estimator needs. What it gives is a posterior of log M, recalibrated
# on the validation set. We compare with the likelihood, under the same prior, on clusters that no
# training has seen. Both are told the depth of each field.

import astropy.units as u
import numpy as np

from szmass import estimate_masses
from szmass.estimators import CNNMass, LikelihoodMass
from szmass.simulations import draw_flat, simulate

limits = recipe.data["mass"]


def prior(log10_mass, redshift):
    """Flat in log M between the limits of the recipe."""
    low, high = np.log10(limits)
    return (log10_mass > low) * (log10_mass < high) * np.ones_like(redshift)


fresh = draw_flat(300, mass=limits * u.solMass, redshift=(0.02, 0.6), seed=77)
sample = simulate(fresh, "planck-total", cosmology="PSZ2", seed=77)
estimators = {
    "network": CNNMass(weights=folder / "net", depth="depth"),
    "likelihood": LikelihoodMass(
        one_minus_b=0.8, relation="arnaud2010", sigma_lny=0.1, depth="depth", prior=prior
    ),
}
posteriors = {}
table = estimate_masses(sample, estimators, columns=["mass_true"], posteriors=posteriors)

from szmass.plots import plot_mass_comparison

fig, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
for ax, method in zip(axes, estimators, strict=True):
    plot_mass_comparison(table, "mass_true", method, ax=ax)

# %%
# How good is it?
# ---------------
#
# The root mean square error in dex, and the part of true masses inside the 68 % intervals:

from szmass.comparison import efficiency_table

quality = efficiency_table(sample.quantity("mass_true"), sample.redshift, posteriors)
whole = quality[np.isinf(quality["redshift_min"])]  # all redshifts together
for row in whole:
    print(
        f"{row['method']:11} rmse {row['rmse']:.3f} dex, 68 % interval holds {100 * row['coverage_68']:.0f} %"
    )

# %%
# A network of seconds loses to the likelihood; what hours on 64 000 clusters give is said in
# :doc:`/guide/networks`. Its intervals should still hold about 68 %: that is what the calibration
# is for, and with few clusters to calibrate on it is rough.
#
# What it has learned
# -------------------
#
# * The scale of its masses is that of the simulations, 1-b = 0.8 here. Trained on others it would
#   give other masses for the same maps, see :doc:`/topics/networks`.
# * Its posterior has the prior of the recipe, flat in log M, and can be re-weighted.
# * It does not know what it was not shown. Networks with a score of their domain, as those that
#   ship, flag cutouts unlike their training as ``OUT_OF_DOMAIN``; this one answers to anything.
#
# The model card says all of this, and goes where the weights go:

card = networks.card
print(card.name, card.training["cosmology"], card.mass_definition)

import shutil

shutil.rmtree(folder)

# %%
# On the command line::
#
#     szmass train default -o mine --quick
#     szmass estimate --catalog psz2 --map milca --estimators cnn --set cnn.weights=mine -o masses.ecsv
