"""Residuals of matched-filter masses against the dynamical state, in Planck's noise."""

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np

from szmass import estimate_masses
from szmass.maps import NoiseModel
from szmass.physics import get_dynamical_state
from szmass.plots import plot_mass_state
from szmass.simulations import Observation, draw_flat, simulate

sample = draw_flat(400, mass=(4e14, 1.5e15) * u.solMass, redshift=(0.03, 0.15), seed=8)
planck = Observation(name="planck", noise=NoiseModel.planck())
mocks = simulate(sample, planck, model="a10-the300", cosmology="PSZ2", seed=8)
methods = ["matched_filter", "likelihood", "cnn"]
table = estimate_masses(mocks, methods, columns=("mass_true",), one_minus_b=0.8)
log_chi = np.log10(get_dynamical_state("deluca2021").measure(mocks.table))
fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
plot_mass_state(table, methods, state=log_chi, ax=ax, labels=methods)
ax.set_ylim(-0.25, 0.25)
