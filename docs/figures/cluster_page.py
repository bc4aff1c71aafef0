"""All there is to see of one mock cluster."""

import astropy.units as u
import matplotlib.pyplot as plt

from szmass import estimate_masses
from szmass.estimators import LikelihoodMass, MatchedFilterMass
from szmass.maps import NoiseModel
from szmass.plots import plot_cluster
from szmass.simulations import from_masses, simulate

cluster = from_masses([8e14] * u.solMass, 0.12, names=["Mock"], seed=3)
sample = simulate(cluster, "planck-total", cosmology="PSZ2", seed=5)
filtered, likelihood = MatchedFilterMass(one_minus_b=0.8), LikelihoodMass(one_minus_b=0.8)
masses = estimate_masses(sample, [filtered, likelihood], columns=["mass_true"])
page = plot_cluster(
    sample[0],
    masses,
    posteriors={"likelihood": likelihood.predict_posterior(sample)},
    surface=filtered.surface(sample, 0),
    theta500=sample.quantity("theta500_true")[0],
    noise=NoiseModel.planck(depth=None),
)
plt.figure(page)
