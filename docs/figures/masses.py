"""Masses of mock clusters by a matched filter against the true ones, in six plots."""

import astropy.units as u
import matplotlib.pyplot as plt

from szmass import estimate_masses
from szmass.estimators import MatchedFilterMass
from szmass.plots import (
    plot_error_distribution,
    plot_mass_comparison,
    plot_mass_redshift,
    plot_relative_error,
    plot_residuals,
)
from szmass.simulations import draw_flat, simulate

clusters = draw_flat(800, mass=[5e14, 2e15] * u.solMass, redshift=(0.02, 0.45), seed=1)
sample = simulate(clusters, "planck-like", cosmology="PSZ2", seed=1)
weigh = MatchedFilterMass(one_minus_b=0.8)
table = estimate_masses(sample, {"filter": weigh}, columns=["mass_true"])

fig, axes = plt.subplots(2, 3, figsize=(14.5, 8), layout="constrained")
plot_mass_comparison(table, "mass_true", "filter", ax=axes[0, 0], median=True)
plot_mass_comparison(table, "mass_true", "filter", ax=axes[0, 1], density=True)
plot_mass_redshift(table, ["mass_true", "filter"], ax=axes[0, 2])
plot_residuals(table, "filter", ax=axes[1, 0])
plot_error_distribution(table, "filter", ax=axes[1, 1])
plot_relative_error(table, "filter", ax=axes[1, 2])
