"""The mass of Coma from its Planck y-map, or of a mock where that is not at hand, and lensing."""

import os
from pathlib import Path

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np

from szmass.catalogs import load_sample
from szmass.maps import open_map
from szmass.massmaps import NFWMaps
from szmass.physics import get_cosmology
from szmass.plots import plot_mass_map
from szmass.simulations import from_masses, simulate

folder = Path(os.environ.get("SZMASS_TEST_DATA", "none"))
table = folder / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits"
field = folder / "milca_coma" / "map2048_MILCA_Coma_20deg_G.fits"
if table.exists() and field.exists():
    sample = load_sample(table)[["PSZ2 G057.80+88.00"]]
    ymap = open_map(field, beam="10 arcmin")
    ymap.noise = "planck"
    sample.attach_cutouts(ymap)
else:
    sample = from_masses([8e14] * u.solMass, 0.0231, names=["mock of Coma"])
    sample = simulate(sample, "planck-total", cosmology="PSZ2", seed=1)
one = NFWMaps(one_minus_b=0.8).predict(sample)[0]

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
plot_mass_map(one, sample.cutouts[0], ax=left)
parts = np.geomspace(0.15, 2.8, 30)
mass, error = one.mass_within(parts * one.r500)
cosmology = get_cosmology("PSZ2")
mpc = cosmology.kpc_proper_per_arcmin(0.0231).to_value("Mpc / arcmin")
radius = parts * one.r500.to_value("arcmin") * mpc
right.fill_between(radius, (mass - error).value / 1e14, (mass + error).value / 1e14, alpha=0.3)
right.plot(radius, mass.value / 1e14, label="nfw, likelihood, 1-b = 0.8")


def cylinder(m200, c200, at):
    """Mass [1e14 solMass] of an endless NFW halo in cylinders [Mpc]."""
    density = 200 * cosmology.critical_density(0.0231).to_value("solMass / Mpc3")
    y = c200 * at / np.cbrt(3 * m200 / (4 * np.pi * density)) + 0j
    inner = (np.arccosh(1 / y) / np.sqrt(1 - y**2)).real
    return m200 * (np.log(y.real / 2) + inner) / (np.log1p(c200) - c200 / (1 + c200)) / 1e14


for paper, c200, line, values in (
    ("Gavazzi et al. 2009", 5.0, "C1", (5.1e14, 3.0e14, 9.4e14)),
    ("Kubo et al. 2007, $c$ = 4", 4.0, "C2", (26.9e14, 18.9e14, 36.2e14)),
):
    mid, low, high = (cylinder(value, c200, radius) for value in values)
    right.plot(radius, mid, line, ls="--", label=paper)
    right.fill_between(radius, low, high, color=line, alpha=0.12)
for part in (1, 1.5):
    right.axvline(part * one.r500.to_value("arcmin") * mpc, color="0.6", lw=0.8)
right.set(xscale="log", yscale="log", xlabel="radius [Mpc]",
          ylabel=r"mass in the cylinder [$10^{14}\,M_\odot$]", ylim=(0.3, 60))  # fmt: skip
right.legend(fontsize=8.5)
