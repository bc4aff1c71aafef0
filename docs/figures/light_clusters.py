"""Y500 of near mock clusters, of the position and size of highest S/N, over the true one."""

import itertools
from dataclasses import replace

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np

from szmass.estimators import MatchedFilterMass
from szmass.maps import NoiseModel
from szmass.simulations import draw_flat, get_observation, simulate

noise = NoiseModel.planck()
observation = replace(get_observation("planck-like"), noise=noise)
clusters = draw_flat(1500, mass=[8e13, 1.2e15] * u.solMass, redshift=(0.02, 0.1), seed=1)
noisy = simulate(clusters, observation, cosmology="PSZ2", seed=1)
clean = simulate(clusters, "clean", cosmology="PSZ2", seed=1)

fixed = MatchedFilterMass(noise=noise, depth="depth")
blind = MatchedFilterMass(noise=noise, depth="depth", search=5 * u.arcmin)
known = fixed.measure(noisy, noisy.quantity("theta500_true"))
detected, every = known["snr"] > 4.5, np.isfinite(known["snr"])
found = blind.scan(noisy).best()
series = [
    ("without noise", blind.scan(clean).best(), every, "#000000", "o"),
    ("all", found, every, "#56B4E9", "v"),
    ("S/N > 4.5", found, detected, "#0072B2", "s"),
    ("S/N > 4.5, position known", fixed.scan(noisy).best(), detected, "#D55E00", "^"),
    ("S/N > 4.5, position and size known", known, detected, "#009E73", "D"),
]
mass, truth = noisy.quantity("mass_true").to_value("1e14 solMass"), noisy.quantity("y500_true")
edges = np.geomspace(0.8, 12, 8)
rng = np.random.default_rng(1)
fig, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
for i, (label, measured, chosen, colour, marker) in enumerate(series):
    ratio = (measured["y500"] / truth).to_value(u.one)
    points = []
    for low, high in itertools.pairwise(edges):
        inside = chosen & (mass >= low) & (mass < high)
        if np.count_nonzero(inside) >= 10:
            medians = np.median(rng.choice(ratio[inside], (300, inside.sum())), axis=1)
            middle = np.sqrt(low * high) * 1.025 ** (i - 2)
            points.append((middle, np.median(ratio[inside]), medians.std()))
    x, y, error = np.transpose(points)
    ax.errorbar(x, y, error, fmt=marker, color=colour, ms=5, lw=1.2, label=label)
ax.axhline(1, color="0.5", lw=0.8)
ax.set(xscale="log", ylim=(0.5, 1.7), xlabel=r"$M_\mathrm{true}$ [$10^{14}\,M_\odot$]")
ax.set_ylabel(r"median of $Y_{500}$ / true $Y_{500}$")
ax.set_xticks([1, 2, 5, 10], ["1", "2", "5", "10"])
ax.minorticks_off()
ax.legend(frameon=False, fontsize="small", title="redshift 0.02-0.1, noise of Planck's filters")
