"""X-ray counts of three physics beside REFLEX."""

import astropy.units as u
import numpy as np

from szmass.baryons import cumulative_counts, draw_halos, make_lightcone
from szmass.plots import plot_counts

area, unit = 4.24 * u.sr, u.erg / u.s / u.cm**2
halos = draw_halos(
    area=area, mass=(2e13, 5e15) * u.solMass, redshift=(0.01, 0.4), cosmology="Planck18", seed=1
)
counts = {}
for name in ("tng", "flamingo", "bulbul2019"):
    cone = make_lightcone(name, halos, cosmology="Planck18", seed=1)
    counts[name] = cumulative_counts(cone, "flux", np.geomspace(1e-12, 1e-10, 21) * unit)
ax = plot_counts(counts, points={"REFLEX": (3e-12 * unit, 447)})
