"""A cutout on the sky, and a gallery of cutouts."""

import astropy.units as u
import matplotlib.pyplot as plt

from szmass.plots import plot_cutout, plot_gallery
from szmass.simulations import from_masses, simulate

mass = [12, 9, 8, 11, 7, 10, 9, 14] * u.Unit("1e14 solMass")
redshift = [0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7]
names = [f"Mock {letter}" for letter in "ABCDEFGH"]
clusters = from_masses(mass, redshift, names=names, seed=2)
sample = simulate(clusters, "planck-total", cosmology="PSZ2", seed=8)
size = sample.quantity("theta500_true")

plot_cutout(sample.cutouts[1], theta500=size[1])
plt.figure(plot_gallery(sample, theta500=size))
