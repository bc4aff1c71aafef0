"""Two clusters in all their skies: a relaxed one, and one that merges."""

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import AsinhNorm, LogNorm

from szmass.maps import CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.simulations import Observation, from_masses, simulate

half = 18.0  # arcmin
sharp = Observation(
    name="sharp", beam=20 * u.arcsec, geometry=CutoutGeometry((240, 240), 0.15 * u.arcmin)
)
planck = Observation(name="planck", noise=NoiseModel.planck("total", depth=None))
fields = {
    "mass": {},
    "xray": {"exposure": 30 * u.ks, "background": 2e-5 * u.ct / u.s / u.arcmin**2},
    "galaxies": {"background": 0.05 / u.arcmin**2},
}

options = {"cosmology": "PSZ2", "seed": 4}
sample = from_masses(np.full(60, 8e14) * u.solMass, 0.08, seed=3)
truth = simulate(sample, "clean", **options).table
ratio = np.nan_to_num(truth["companion_ratio"]) * (
    np.linalg.norm(np.nan_to_num(truth["companion_position"]), axis=1) < 1.5
)
subhaloes = np.nansum(truth["subhalo_ratio"], axis=1) + (truth["state"] != "relaxed")
sample = sample[[int(np.argmin(subhaloes)), int(np.argmax(ratio))]]
mocks = simulate(sample, sharp, fields=fields, **options)
seen = simulate(sample, planck, **options)

skies = (
    (
        "Compton-$y$, 20 arcsec",
        mocks.cutouts.data * 1e6,
        AsinhNorm(3, vmin=0, vmax=200),
        "magma",
        [0, 5, 20, 100],
    ),
    (
        "Compton-$y$, Planck",
        seen.cutouts.data * 1e6,
        AsinhNorm(3, vmin=-5, vmax=100),
        "magma",
        [0, 5, 20, 100],
    ),
    (
        r"mass [$M_\odot$ Mpc$^{-2}$]",
        mocks.fields["mass"].data,
        LogNorm(2e13, 3e15),
        "viridis",
        [1e14, 1e15],
    ),
    (
        "X-ray photons",
        mocks.fields["xray"].data,
        AsinhNorm(2, vmin=0, vmax=400),
        "inferno",
        [0, 5, 20, 100, 400],
    ),
    ("galaxies", mocks.fields["galaxies"].data, None, None, None),
)
fig, axes = plt.subplots(2, 5, figsize=(11.5, 5.4), layout="constrained", sharex=True, sharey=True)
for i, row in enumerate(axes):
    for ax, (title, maps, norm, cmap, ticks) in zip(row, skies, strict=True):
        scale = 1.7 if maps.shape[1] == 96 else 0.15
        edge = 0.5 * maps.shape[1] * scale
        if norm is None:
            y, x = np.nonzero(maps[i])
            ax.scatter(edge - x * scale, y * scale - edge, s=4, color="#0072B2", lw=0)
            ax.set_aspect("equal")
        else:
            shown = ax.imshow(
                maps[i], origin="lower", extent=(edge, -edge, -edge, edge), norm=norm, cmap=cmap
            )
            if i == 1:
                unit = " [$10^{-6}$]" if title.startswith("Compton") else ""
                label = title.split(",")[0] + unit
                bar = fig.colorbar(shown, ax=ax, location="bottom", label=label, ticks=ticks)
                if norm.vmax < 1e4:
                    bar.set_ticks(ticks, labels=map(str, ticks), minor=False)
                    bar.ax.minorticks_off()
        ax.set(xlim=(half, -half), ylim=(-half, half), xticks=[-10, 0, 10], yticks=[-10, 0, 10])
        if i == 0:
            ax.set_title(title, fontsize=10)
for ax, name in zip(axes[:, 0], ("relaxed", "merging"), strict=True):
    ax.set_ylabel(name + r": $\Delta b$ [arcmin]")
