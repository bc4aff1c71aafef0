"""What physics say that clusters hold, beside what observed ones do."""

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable

from szmass.physics import PROPERTIES, get_baryon_model
from szmass.plots.style import COLOURS

# Means of ln in thirds of the samples by M500c: mass, value, error of the mean. From the published
# tables of Bulbul et al. (2019) and Chiu et al. (2018), at median redshifts of 0.41 and 0.58.
OBSERVED = {
    "mgas500": {
        "Bulbul et al. 2019": [
            (3.44e14, 4.13e13, 0.053),
            (4.79e14, 6.57e13, 0.057),
            (7.85e14, 1.16e14, 0.036),
        ],
        "Chiu et al. 2018": [
            (3.83e14, 4.03e13, 0.034),
            (4.67e14, 5.45e13, 0.026),
            (6.79e14, 8.92e13, 0.032),
        ],
    },
    "mstar500": {
        "Chiu et al. 2018": [
            (3.87e14, 3.68e12, 0.048),
            (4.67e14, 4.22e12, 0.061),
            (6.67e14, 5.47e12, 0.053),
        ]
    },
    "t_sl": {
        "Bulbul et al. 2019": [
            (3.44e14, 4.18, 0.067),
            (4.79e14, 5.90, 0.051),
            (7.85e14, 8.31, 0.052),
        ]
    },
    "lx": {
        "Bulbul et al. 2019": [
            (3.44e14, 1.39e44, 0.154),
            (4.79e14, 2.45e44, 0.104),
            (7.85e14, 6.75e44, 0.097),
        ]
    },
}
MODELS = ("tng", "flamingo", "the300-gadgetx", "the300-gizmo")
LABELS = {
    "mgas500": r"$M_{\rm gas} / M_{500}$",
    "mstar500": r"$M_\star / M_{500}$",
    "t_sl": r"$T_{\rm sl}$ [keV]",
    "lx": r"$L_X$ (0.5-2 keV) [erg/s]",
}

mass = np.geomspace(1e14, 1.6e15, 60) * u.solMass
figure, panels = plt.subplots(2, 2, figsize=(8.4, 6.4), layout="constrained", sharex=True)
for ax, (name, papers) in zip(panels.flat, OBSERVED.items(), strict=True):
    share = PROPERTIES[name] == u.solMass
    for colour, key in zip(COLOURS, MODELS, strict=False):
        model = get_baryon_model(key)
        if name not in model.properties:
            continue
        redshift = min(0.45, model.redshift_range[1])
        table = model.predict(QTable({"m500c": mass, "redshift": np.full(60, redshift)}))
        scale = table["m500c"] if share else 1 * PROPERTIES[name]
        centre = (table[name] / scale).value
        low = ((table[name] - table[f"{name}_errn"]) / scale).value
        high = ((table[name] + table[f"{name}_errp"]) / scale).value
        label = key if redshift else f"{key}, z = 0"
        ax.plot(mass, centre, "-" if redshift else "--", color=colour, label=label)
        ax.fill_between(mass.value, low, high, color=colour, alpha=0.15, lw=0)
    for marker, (paper, points) in zip("os", papers.items(), strict=False):
        m, value, error = np.array(points).T
        value = value / m if share else value
        ax.errorbar(m, value, error * value, fmt=marker, color="black", ms=5, label=paper)
    ax.set(xscale="log", yscale="linear" if share else "log", ylabel=LABELS[name])
    ax.set_ylim(*((0, None) if share else (None, None)))
    ax.legend(fontsize="x-small")
for ax in panels[1]:
    ax.set_xlabel(r"$M_{500}$ [$M_\odot$]")
plt.show()
