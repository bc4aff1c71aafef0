"""What the networks look at: near and far clusters, one and many."""

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np

from szmass.estimators import CNNMass
from szmass.maps import NoiseModel
from szmass.networks import stack_saliency
from szmass.plots import plot_saliency
from szmass.simulations import Observation, from_masses, simulate

NUMBER = 8
redshift = np.repeat([0.05, 0.3], NUMBER)
sample = simulate(
    from_masses(np.full(2 * NUMBER, 7e14) * u.solMass, redshift, seed=1),
    Observation(name="mock", noise=NoiseModel.planck(depth=None)),
    model="a10",
    cosmology="PSZ2",
    seed=2,
)
maps = CNNMass().saliency(sample, width=70 * u.arcmin)
size = sample.quantity("theta500_true")
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, rows in zip(axes, (slice(0, NUMBER), slice(NUMBER, None)), strict=True):
    plot_saliency(stack_saliency(maps[rows]), theta500=size[rows].mean(), ax=ax)
    ax.set_title(f"{NUMBER} clusters of 7e14 Msun at z = {sample.redshift[rows][0]}")
