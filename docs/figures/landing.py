"""One mock cluster as Planck would see it, and what it weighs."""

import astropy.units as u
import matplotlib.pyplot as plt

from szmass import estimate_masses
from szmass.estimators import CNNMass, LikelihoodMass, MatchedFilterMass
from szmass.plots import plot_cutout, plot_mass_posteriors
from szmass.simulations import from_masses, simulate

cluster = from_masses([8e14] * u.solMass, 0.12, names=["Mock"], seed=3)
sample = simulate(cluster, "planck-total", cosmology="PSZ2", seed=5)
likelihood, cnn = LikelihoodMass(), CNNMass()
methods = [MatchedFilterMass(), likelihood, cnn]
masses = estimate_masses(sample, methods, columns=["mass_true"], one_minus_b=0.8)
posteriors = {
    "likelihood": likelihood.predict_posterior(sample).rescaled(0.8),
    "cnn": cnn.predict_posterior(sample).rescaled(0.8),
}

figure = plt.figure(figsize=(10, 3.9), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.15))
ax = left.add_subplot(projection=sample.cutouts[0].wcs)
plot_cutout(sample.cutouts[0], theta500=sample.quantity("theta500_true")[0], ax=ax)
ax.set_title("a cluster of 8e14 solar masses in Planck's noise", fontsize="medium")
ax = plot_mass_posteriors(masses, posteriors=posteriors, ax=right.add_subplot())
ax.set_title("what it weighs, by three methods", fontsize="medium")
ax.set_xlim(4.2, 14)
ax.set_ylim(0, 1.15)
ax.legend(loc="upper left", frameon=False, fontsize="small")
