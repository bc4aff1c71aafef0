"""
A sample like PSZ2
==================

The second Planck catalogue has 1094 clusters with redshift. Weighing them all takes a catalogue, a map, and a few
lines; understanding the result takes a sample whose true masses are known. This lesson does both on a simulated sky.
"""

# %%
# Catalogue and map
# -----------------
#
# On the real sky the two come from archives, which needs a network once:
#
# .. code-block:: python
#
#     from szmass import PSZ2Catalog
#     from szmass.maps import open_map
#
#     sample = PSZ2Catalog.fetch().sample(redshift=(0, 1))
#     ymap = open_map("milca")
#
# Here we make both. Clusters are drawn from the mass function and painted on a sky with the noise of
# the Planck maps. Its pixels are coarser than Planck's, to be quick.

import astropy.units as u

from szmass.maps import NoiseModel
from szmass.simulations import draw_mass_function, simulate_sky

noise = NoiseModel.planck("total", depth=None)
population = draw_mass_function(
    4000, mass=[3e14, 5e15] * u.solMass, redshift=(0.02, 0.6), cosmology="PSZ2", seed=1
)
ymap, clusters = simulate_sky(population, nside=512, noise=noise, cosmology="PSZ2", seed=1)
print(ymap)

# %%
# Cutouts
# -------
#
# A cutout is a tangent plane of 96 x 96 pixels of 1.7 arcmin in Galactic coordinates, as the
# published networks expect it. The footprint belongs to it: what the map does not cover is NaN,
# never a guess. Here the map is the whole sky.

clusters.attach_cutouts(ymap, interpolation="nearest")
print(f"{clusters.cutouts.complete.sum()} of {len(clusters)} cutouts are complete")

# %%
# Detection
# ---------
#
# A survey sees the clusters that stand out of the noise. A matched filter of each cluster's size
# measures its Y500 and signal-to-noise ratio, and those above 4.5 are the catalogue, as in PSZ2. The
# filter is told the pixels of the map, because they are nearly as large as the beam here.

import healpy

from szmass.estimators import MatchedFilterMass

pixel = healpy.nside2resol(ymap.nside, arcmin=True) * u.arcmin
matched_filter = MatchedFilterMass(noise=noise, one_minus_b=0.8, map_pixel=pixel)
measured = matched_filter.measure(clusters, clusters.quantity("theta500_true"))
for name in ("snr", "y500", "y500_err"):
    clusters.table[name] = measured[name]
sample = clusters[clusters.quantity("snr").value > 4.5]
print(f"{len(sample)} of {len(clusters)} are detected")

# %%
# The twelve clusters of highest signal-to-noise ratio, with contours at 3, 5, 10, ... times the
# noise:

import matplotlib.pyplot as plt
import numpy as np

from szmass.plots import plot_gallery

best = sample[np.argsort(-sample.quantity("snr").value)[:12]]
_ = plt.figure(plot_gallery(best, titles=[f"z = {z:.2f}" for z in best.redshift]))

# %%
# Weigh
# -----
#
# Estimators go by name, or as objects where they need options. ``scaling`` takes Y500 from the
# catalogue. ``matched_filter`` finds size and signal in the map, without being told the size. On the
# real map the list would be ``["cnn", "matched_filter", "likelihood"]``; the networks need pixels
# like those they were trained on.

from szmass import estimate_masses
from szmass.estimators import ScalingRelationMass

table = estimate_masses(
    sample,
    {
        "filter": matched_filter,
        "scaling": ScalingRelationMass(one_minus_b=0.8, y="y500"),
    },
    columns=["mass_true", "snr"],
)
shown = table["name", "redshift", "mass_true", "mass_filter", "flag_filter"][:5]
shown["redshift"].info.format = ".3f"
shown["mass_true"].info.format = shown["mass_filter"].info.format = ".3g"
shown

# %%
# How good are they?
# ------------------
#
# The layout of Table 1 of de Andres et al. (2022): mean and standard deviation of (M - M_true) / M
# per redshift bin, for all clusters and for heavy ones. On the real sky there is no ``mass_true``;
# put ``msz`` in its place.

from szmass.comparison import format_difference_table, relative_difference_table

print(
    format_difference_table(
        relative_difference_table(table["mass_filter"], table["mass_true"], table["redshift"])
    )
)

# %%
# The clouds are narrow, and most points lie a little above the line.

from szmass.plots import plot_mass_comparison

fig, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
for ax, method in zip(axes, ("filter", "scaling"), strict=True):
    plot_mass_comparison(table, "mass_true", method, ax=ax)

# %%
# Why too high?
# -------------
#
# Nothing is wrong with the estimators: they know the noise, the beam and 1-b. It is the sample.
# Near the threshold of detection, those clusters are found that noise has lifted, and they are the
# majority. Far above it the bias is gone:

ratio = (table["mass_filter"] / table["mass_true"]).value
snr = sample.quantity("snr").value
for low, high in ((4.5, 6), (6, 8), (8, np.inf)):
    inside = (snr > low) & (snr <= high)
    print(
        f"S/N {low:3.1f} to {high:3.1f}: {inside.sum():3d} clusters, median ratio {np.median(ratio[inside]):.3f}"
    )

# %%
# The same happens on the real sky, where the truth is not at hand to show it. A selected sample is
# no fair test of an estimator, and a correction belongs into the analysis: a prior
# (:doc:`01_one_cluster`) or a fit with the selection in it (:doc:`03_weak_lensing`).
#
# What is flagged
# ---------------

from collections import Counter

from szmass.results import MassFlag

for flag, number in sorted(Counter(table["flag_filter"].tolist()).items()):
    print(f"{number:4d}  {MassFlag.describe(flag) or 'nothing to say'}")

# %%
# ``CUTOUT_TOO_SMALL`` are nearby clusters that reach beyond 2.7 degrees, ``BLENDED`` such with a
# neighbour: both have masses, to be used with care.
#
# Keep it
# -------
#
# The table knows what it was made with, and what to cite.

import tempfile
from pathlib import Path

from szmass.results import read_masses, write_masses

with tempfile.TemporaryDirectory() as folder:
    write_masses(table, Path(folder) / "masses.ecsv")
    back = read_masses(Path(folder) / "masses.ecsv")
for name in ("relation", "one_minus_b", "cosmology", "references"):
    print(f"{name:12} {back.meta['methods']['filter'][name]}")

# %%
# The same on the command line, with pages to look at in a browser at the end (:doc:`/guide/report`)::
#
#     szmass estimate --catalog psz2 --map milca --redshift 0 1 --estimators matched_filter,likelihood -o masses.ecsv
#     szmass report masses.ecsv -o report --catalog psz2 --map milca
#     szmass cite masses.ecsv
