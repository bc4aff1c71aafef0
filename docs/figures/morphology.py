"""X-ray photons of two clusters, and what their morphology is measured in."""

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

from szmass.maps import CutoutGeometry
from szmass.morphology import measure_morphology
from szmass.physics import get_dynamical_state
from szmass.plots import plot_morphology
from szmass.simulations import Observation, from_masses, simulate

sharp = Observation(
    name="sharp", beam=20 * u.arcsec, geometry=CutoutGeometry((161, 161), 12 * u.arcsec)
)
background = 2e-5 * u.ct / u.s / u.arcmin**2
fields = {"xray": {"exposure": 30 * u.ks, "background": background}}
sample = from_masses(np.full(40, 8e14) * u.solMass, 0.15, seed=3)
options = {"model": "a10-the300", "cosmology": "PSZ2", "seed": 4}
mocks = simulate(sample, sharp, fields=fields, **options)
chi = get_dynamical_state("deluca2021").measure(mocks.table)
pair = [int(np.argmax(chi)), int(np.argmin(chi))]
photons = mocks.fields["xray"]
per_pixel = float((background * 30 * u.ks * (12 * u.arcsec) ** 2).to_value(u.ct))
table = measure_morphology(
    photons[pair],
    r500=mocks.table["theta500_true"][pair],
    background=per_pixel,
    noise="poisson",
    errors=30,
)
fig, axes = plt.subplots(1, 2, figsize=(9.2, 4.6), layout="constrained")
for k, ax in enumerate(axes):
    plot_morphology(gaussian_filter(photons.data[pair[k]], 1.0), table, k, ax=ax)
    ax.set_title(rf"$\chi_{{DS}}$ = {chi[pair[k]]:.2f}")
