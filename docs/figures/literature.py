"""1-b of the literature, and one fitted to made-up masses."""

import astropy.units as u
import numpy as np

from szmass.comparison import fit_mass_ratio
from szmass.plots import plot_one_minus_b

rng = np.random.default_rng(1)
true = rng.normal(np.log(6), 0.4, 65)
lensing = np.exp(true + rng.normal(0, 0.2, 65)) * u.Unit("1e14 solMass")
msz = 0.75 * np.exp(true + rng.normal(0, 0.2, 65)) * lensing.unit
plot_one_minus_b(fit_mass_ratio(msz, lensing, err_b=0.2 * lensing), label="made-up masses")
