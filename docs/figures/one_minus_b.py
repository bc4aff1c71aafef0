"""SZ masses against lensing masses of made-up clusters, and the ratio fitted to them."""

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, NullFormatter

from szmass.comparison.regression import fit_mass_ratio

rng = np.random.default_rng(2)
true = 10 ** rng.uniform(14.4, 15.1, 65)
errors = {"sz": 0.08, "wl": 0.25}
masses = {
    "sz": 0.8 * true * np.exp(rng.normal(0, np.hypot(0.15, errors["sz"]), 65)) * u.solMass,
    "wl": true * np.exp(rng.normal(0, np.hypot(0.2, errors["wl"]), 65)) * u.solMass,
}
fit = fit_mass_ratio(
    masses["sz"],
    masses["wl"],
    err_a=errors["sz"] * masses["sz"],
    err_b=errors["wl"] * masses["wl"],
)
fig, ax = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
values = {key: mass.to_value("1e14 solMass") for key, mass in masses.items()}
ax.errorbar(
    values["wl"],
    values["sz"],
    xerr=errors["wl"] * values["wl"],
    yerr=errors["sz"] * values["sz"],
    fmt="o",
    ms=4,
    lw=0.8,
    color="#0072B2",
    ecolor="0.7",
)
line = np.geomspace(0.9 * values["wl"].min(), 1.1 * values["wl"].max(), 2)
ax.fill_between(
    line,
    (fit.value - fit.errn) * line,
    (fit.value + fit.errp) * line,
    color="#D55E00",
    alpha=0.3,
    lw=0,
)
label = f"1-b = {fit.value:.2f} -{fit.errn:.2f} +{fit.errp:.2f}"
ax.plot(line, fit.value * line, color="#D55E00", label=label)
ax.plot(line, line, color="0.4", ls="--", lw=1, label="equal masses")
ax.set(xscale="log", yscale="log")
for axis in (ax.xaxis, ax.yaxis):
    axis.set_major_locator(FixedLocator([1, 2, 5, 10, 20]))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
ax.set(
    xlabel=r"lensing mass [$10^{14}\,M_\odot$]",
    ylabel=r"SZ mass [$10^{14}\,M_\odot$]",
)
ax.legend(frameon=False)
