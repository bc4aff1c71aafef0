"""
Where the mass is
=================

A cluster that merges has its mass in two places, and one number does not say so. This lesson looks at a simulated merger in
Compton-y, X-rays and galaxies, and makes maps of its projected mass: of the mass alone, and of what the skies show.
"""

# %%
# A merger in three skies
# -----------------------
#
# Among two thousand clusters we look for one with a companion of a third of its mass, and a relaxed one. The simulator shows both
# behind 20 arcsec: y with noise, photons of 30 ks, galaxies, and, for us alone, the true surface density.

import astropy.units as u
import numpy as np

from szmass.maps import CutoutGeometry, NoiseModel
from szmass.simulations import Observation, draw_clusters, from_masses, get_cluster_model, simulate

model = get_cluster_model("a10-the300")
sample = from_masses(np.full(2000, 8e14) * u.solMass, 0.2, seed=1)
drawn = draw_clusters(sample, model, cosmology="PSZ2", seed=1)
ratio = np.nan_to_num(np.asarray(drawn["companion_ratio"], float))
far = np.linalg.norm(drawn["companion_position"], axis=-1)
merger = int(np.argmax((ratio > 0.3) & (far > 0.8)))
relaxed = int(np.argmax(np.asarray(drawn["relaxed"])))

beam = 20 * u.arcsec
ell = np.geomspace(30, 60000, 200)
sigma = beam.to_value("rad") / np.sqrt(8 * np.log(2))
power = 3e-6**2 * 4 * np.pi * sigma**2 * np.exp(-((ell * sigma) ** 2))
observation = Observation(
    name="20 arcsec",
    beam=beam,
    geometry=CutoutGeometry((128, 128), 10 * u.arcsec),
    noise=NoiseModel(ell, power * u.sr, beam=beam),
)
background = 2e-5 * u.ct / u.s / u.arcmin**2
fields = {"mass": {}, "xray": {"exposure": 30 * u.ks, "background": background}, "galaxies": {}}
mocks = simulate(
    sample[[merger, relaxed]], observation, model=model, cosmology="PSZ2", seed=1, fields=fields
)
true = mocks.fields["mass"]

# %%
# How heavy
# ---------
#
# Maps of mass begin with a mass. Any estimator will do; here we take posteriors about the true masses, as wide as a tenth.

from szmass.results import LogMassPosterior

grid = np.linspace(14, 16, 401)
middle = np.log10(mocks.table["mass_true"].to_value("solMass"))
density = np.exp(-0.5 * ((grid - middle[:, np.newaxis]) / 0.045) ** 2)
masses = LogMassPosterior(
    grid, density, np.ones(len(grid)), names=mocks.names, meta={"mass_scale": 0.8}
)

# %%
# Maps
# ----
#
# ``nfw`` knows the mass, and how round the gas is. ``unet`` has seen thousands of clusters in these bands.

from szmass.massmaps import NFWMaps, UNetMaps

options = {"mass": masses, "geometry": observation.geometry}
halo = NFWMaps(**options).predict(mocks)
seen = UNetMaps(**options).predict(mocks)
for name, maps in (("nfw", halo), ("unet", seen)):
    mass, error = maps.mass_within(maps.r500 * u.arcmin)
    print(name, (mass / 1e14).round(2), "+-", (error / 1e14).round(2))

# %%
# The merger above, the relaxed cluster below; contours are y, the circle is R500. The mean of what is possible is
# smoother than what is there.

import matplotlib.pyplot as plt

from szmass.massmaps import MassMap
from szmass.plots import plot_mass_map

fig, axes = plt.subplots(2, 3, figsize=(13.5, 8), layout="constrained")
for i, row in enumerate(axes):
    truth = MassMap(
        np.maximum(true.data[i], 0),
        np.zeros(true.data[i].shape),
        mocks.coord[i],
        observation.geometry,
        redshift=0.2,
        cosmology="PSZ2",
        name="true",
    )
    for ax, one in zip(row, (truth, halo[i], seen[i]), strict=True):
        plot_mass_map(one, mocks.cutouts[i], ax=ax)
for ax, title in zip(axes[0], ("the truth", "nfw", "unet"), strict=True):
    ax.set_title(title)

# %%
# In numbers
# ----------
#
# How far off the logarithm of the surface density is inside R500, from pixel to pixel. The network gains where something stands
# beside the middle; a relaxed cluster may well be closer to the halo of its mass.

side = observation.geometry.pixel_scale.to_value("arcmin")
y, x = (np.indices(observation.geometry.shape) - 63.5) * side
for i, label in enumerate(("merger", "relaxed")):
    inside = np.hypot(x, y) < halo.r500[i]
    for name, maps in (("nfw", halo), ("unet", seen)):
        away = np.log(maps.data[i] / true.data[i])[inside]
        print(f"{label}, {name}: rms {np.sqrt(np.mean(away**2)):.2f}")

# %%
# A map knows its errors, and how they go together: masses in cylinders, profiles, convergence, and draws of the whole map.

one = seen[0]
print(one.profile([0.05, 0.2, 0.5, 1.0] * one.r500))
print("largest convergence for sources at z = 1:", one.convergence(1.0).data.max().round(2))
drawn = one.samples(100, seed=1).value
mass, error = one.mass_within(one.r500)
sums = drawn[:, np.hypot(x, y) < seen.r500[0]].sum(axis=1)
print("error of the mass within R500:", (error / mass).round(2))
print("its scatter in 100 draws:", (sums.std() / sums.mean()).round(2))
