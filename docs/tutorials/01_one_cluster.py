"""
One cluster
===========

A Planck map shows a galaxy cluster as a faint spot of ten arcminutes. How heavy is it, and how well
is that known? We simulate one cluster, so that the answer is known, and weigh it in the way a real one
is weighed.
"""

# %%
# A cluster and its cutout
# ------------------------
#
# Everything in szmass begins with a `~szmass.clusters.ClusterSample` that has *cutouts*: pieces of
# a Compton-y map around each cluster. For a cluster of the sky, these lines make one:
#
# .. code-block:: python
#
#     from szmass import PSZ2Catalog
#     from szmass.maps import open_map
#
#     sample = PSZ2Catalog.fetch().sample(names=["PSZ2 G359.07-32.12"])
#     sample.attach_cutouts(open_map("milca"))
#
# Here the sky is a mock: a cluster of 8e14 solar masses at redshift 0.12, with the noise, the beam
# and the pixels of the Planck maps.

import astropy.units as u

from szmass.simulations import from_masses, simulate

cluster = from_masses([8e14] * u.solMass, 0.12, names=["Mock"], seed=3)
sample = simulate(cluster, "planck-total", cosmology="PSZ2", seed=5)
print(sample.cutouts)

# %%
# The circle in the corner is the beam. The dashed one has the radius theta500 that belongs to the
# true mass: the beam hides most of the cluster's shape, and what is left to measure is above all
# one number, its total signal.

from szmass.plots import plot_cutout

theta500 = sample.quantity("theta500_true")[0]
ax = plot_cutout(sample.cutouts[0], theta500=theta500)

# %%
# Weigh it
# --------
#
# ``matched_filter`` finds the size and signal that fit best and turns them into a mass by the Y-M
# relation: this is Planck's own method. ``likelihood`` gives the whole probability of the mass.
#
# Both have to be told ``one_minus_b``, the ratio of the hydrostatic mass that relations are
# calibrated with to the true mass. These mocks have 0.8 on average. It cannot be seen in the map, so an
# estimator never guesses it.

from szmass import estimate_masses
from szmass.estimators import LikelihoodMass, MatchedFilterMass

matched_filter = MatchedFilterMass(one_minus_b=0.8)
likelihood = LikelihoodMass(one_minus_b=0.8)
posteriors = {}
table = estimate_masses(
    sample, [matched_filter, likelihood], columns=["mass_true"], posteriors=posteriors
)
for method in ("matched_filter", "likelihood"):
    mass, low, high = (
        table[f"{name}_{method}"][0].to_value("1e14 solMass")
        for name in ("mass", "mass_errn", "mass_errp")
    )
    print(f"{method:15} {mass:5.2f} -{low:.2f} +{high:.2f}  1e14 solMass")
print(f"{'true':15} {table['mass_true'][0].to_value('1e14 solMass'):5.2f}")

# %%
# Masses are M500c, never in units of 1/h; errors are the distances to the 16 % and 84 % quantiles.
# Those of ``matched_filter`` hold the noise alone. Those of ``likelihood`` are larger because they
# also hold that clusters of one mass differ in signal and in shape: of the two, these are the
# errors to quote.

from szmass.plots import plot_mass_posteriors

ax = plot_mass_posteriors(table, posteriors=posteriors)

# %%
# What the prior does
# -------------------
#
# Light clusters are far more numerous than heavy ones, so a measured mass is more often a light
# cluster that noise has lifted than the other way round. The posterior above has a flat prior in
# log M. It knows its prior, which can therefore be exchanged for the mass function; the median
# goes down (Eddington bias).

from szmass.estimators import MassFunctionPrior

flat = posteriors["likelihood"]
steep = flat.reweight(MassFunctionPrior("Planck18"))
print(f"flat in log M:  {flat.median()[0].to_value('1e14 solMass'):.2f}e14 solMass")
print(f"mass function:  {steep.median()[0].to_value('1e14 solMass'):.2f}e14 solMass")

# %%
# What 1-b does
# -------------
#
# With ``one_minus_b=1``, the default and the convention of the column ``msz`` of PSZ2, the mass is
# on the hydrostatic scale and lower by about 20 %. Two masses can be compared only if their 1-b
# are the same; it stands in the table.

hydrostatic = estimate_masses(sample, "matched_filter")
print(f"{hydrostatic['mass_matched_filter'][0].to_value('1e14 solMass'):.2f}e14 solMass")
print("1-b =", hydrostatic.meta["methods"]["matched_filter"]["one_minus_b"])

# %%
# All on one page
# ---------------
#
# In the panel of size and signal, all combinations in the band fit the map about equally well. The
# line holds those that one mass has at this redshift: the mass is where it is nearest to the band.
# Without a redshift there is no line and no mass. This mock is a disturbed cluster whose gas is
# wider than that of others of its mass, so that the line passes beside the middle of the band. The
# matched filter takes no notice; the likelihood knows that clusters differ, hence its errors.

import matplotlib.pyplot as plt

from szmass.plots import plot_cluster
from szmass.maps import NoiseModel

page = plot_cluster(
    sample[0],
    table,
    posteriors=posteriors,
    surface=matched_filter.surface(sample, 0),
    theta500=theta500,
    noise=NoiseModel.planck(depth=None),
)
_ = plt.figure(page)

# %%
# What can go wrong
# -----------------
#
# A cluster that cannot be weighed keeps its row, and its flag says why. Without a redshift:

import warnings

from szmass.exceptions import UnweighedClustersWarning
from szmass.results import MassFlag

sample.table["redshift"].mask = True
with warnings.catch_warnings():
    warnings.simplefilter("ignore", UnweighedClustersWarning)
    lost = matched_filter.predict(sample)
print(lost["mass"][0], "-", MassFlag.describe(lost["flag"][0]))

# %%
# :doc:`/topics/results` explains every column and flag, :doc:`/topics/masses` what the masses
# mean, and :doc:`/guide/matched_filter` the two estimators. The next lesson weighs a whole
# catalogue.
