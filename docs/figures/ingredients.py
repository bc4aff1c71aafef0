"""What each ingredient of a mock cutout does to one cluster."""

import dataclasses

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import AsinhNorm

from szmass.maps import NoiseModel, radial_profile
from szmass.simulations import CLUSTER_MODELS, Environment, Observation, from_masses, simulate

full = CLUSTER_MODELS["a10"]
smooth = full.smooth()
names = (
    "sigma_ln_one_minus_b", "sigma_lny", "relaxed", "disturbed", "profile_scatter", "gas_offset",
)  # fmt: skip
profile = dataclasses.replace(
    smooth, name="profile", **{name: getattr(full, name) for name in names}
)
triaxial = dataclasses.replace(
    profile, name="triaxial", axis_ratio_b=full.axis_ratio_b, axis_ratio_c=full.axis_ratio_c
)
# Pixels so fine that they do nothing; all observations paint the same field then.
clean = Observation(name="clean", sampling="nearest", nside=8192)
noisy = dataclasses.replace(clean, name="noisy", noise=NoiseModel.planck("total", depth=None))
pixels = dataclasses.replace(noisy, name="pixels", nside=512)
around = Environment(size=1024)

options = {"cosmology": "PSZ2", "seed": 12}
sample = from_masses(np.full(60, 9e14) * u.solMass, 0.07, seed=3)
# Of sixty such clusters the one with the heaviest companion has most to show.
ratio = np.asarray(simulate(sample, clean, model=full, **options).table["companion_ratio"])
sample = sample[[int(np.nanargmax(ratio))]]

steps = {
    "smooth sphere": (clean, smooth, None),
    "+ profile and Y of its own": (clean, profile, None),
    "+ triaxial body": (clean, triaxial, None),
    "+ subhaloes and companion": (clean, full, None),
    "+ other haloes in the field": (clean, full, around),
    "+ noise of the Planck map": (noisy, full, around),
    "+ pixels (here of 7 arcmin)": (pixels, full, around),
}
cutouts = {
    title: simulate(sample, observation, model=model, environment=environment, **options).cutouts
    for title, (observation, model, environment) in steps.items()
}

fig, axes = plt.subplots(2, 4, figsize=(11, 6), layout="constrained")
half = 0.5 * clean.geometry.size.to_value("deg")[0]
for ax, (title, stack) in zip(axes.flat, cutouts.items(), strict=False):
    shown = ax.imshow(
        stack.data[0] * 1e6,
        origin="lower",
        extent=(half, -half, -half, half),
        norm=AsinhNorm(linear_width=2, vmin=-5, vmax=80),
        cmap="magma",
    )
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    ax.set_xlabel(r"$\Delta l\,\cos b$ [deg]")
for ax in axes[:, 0]:
    ax.set_ylabel(r"$\Delta b$ [deg]")

last = axes.flat[-1]
for title, colour, style in zip(
    list(steps)[:4], ("#000000", "#0072B2", "#009E73", "#D55E00"), ("-", "--", "-.", "-"),
    strict=True,
):  # fmt: skip
    mean = radial_profile(cutouts[title], np.arange(0, 62, 3) * u.arcmin)
    last.plot(mean["radius"][0].value, mean["y"][0] * 1e6, color=colour, ls=style, label=title)
last.set(yscale="log", xlim=(0, 60), ylim=(0.1, 200), xlabel="Radius [arcmin]")
last.set_title(r"mean $y$ [$10^{-6}$]", fontsize=10)
last.set_box_aspect(1)
last.legend(fontsize=7, frameon=False)
fig.colorbar(
    shown,
    ax=axes,
    label=r"Compton-$y$ [$10^{-6}$]",
    ticks=[-5, -2, 0, 2, 5, 10, 20, 40, 80],
    format="%g",
    extend="both",
    shrink=0.8,
)
