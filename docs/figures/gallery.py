"""Mock cutouts, beside real ones where a map of the Coma field is at hand."""

import os
from pathlib import Path

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import AsinhNorm

from szmass.catalogs import PSZ2Catalog
from szmass.maps import ComptonMap
from szmass.simulations import from_masses, simulate

folder = Path(os.environ.get("SZMASS_TEST_DATA", "none"))
table = folder / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits"
field = folder / "milca_coma" / "map2048_MILCA_Coma_20deg_G.fits"
if table.exists() and field.exists():
    real = PSZ2Catalog.read(table).sample(redshift=(0, 1))
    real.attach_cutouts(ComptonMap.read(field, beam="10 arcmin"), interpolation="nearest")
    real = real[real.cutouts.complete & np.isfinite(real.quantity("msz"))]
    real = real[np.argsort(-real.quantity("snr").value)]
    # Coma has a second entry.
    alone = [i == 0 or real.coord[i].separation(real.coord[:i]).min() > 1 * u.deg for i in range(8)]
    real = real[np.flatnonzero(alone)[:5]]
    mass, redshift = real.quantity("msz") / 0.8, real.redshift
else:
    real = None
    mass = [8.5, 4.2, 7.0, 4.6, 9.5] * u.Unit("1e14 solMass")
    redshift = [0.023, 0.06, 0.14, 0.11, 0.33]

mocks = simulate(from_masses(mass, redshift), "planck-total", cosmology="PSZ2", seed=8)
rows = [("mock", mocks)] if real is None else [("Planck, MILCA", real), ("mock", mocks)]

fig, axes = plt.subplots(
    len(rows), 5, figsize=(11, 2.3 * len(rows) + 0.6), layout="constrained",
    sharex=True, sharey=True, squeeze=False,
)  # fmt: skip
half = 0.5 * mocks.cutouts.geometry.size.to_value("deg")[0]
for axs, (what, sample) in zip(axes, rows, strict=True):
    for i, ax in enumerate(axs):
        shown = ax.imshow(
            sample.cutouts.data[i] * 1e6,
            origin="lower",
            extent=(half, -half, -half, half),
            norm=AsinhNorm(linear_width=4, vmin=-5, vmax=60),
            cmap="magma",
        )
        value = mass[i].to_value("1e14 solMass")
        title = rf"$z$ = {redshift[i]:.3f}, {value:.1f} $\times 10^{{14}}\,M_\odot$"
        ax.set_title(sample.names[i] if sample is real else title, fontsize=8.5)
        ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axs[0].set_ylabel(f"{what}\n" + r"$\Delta b$ [deg]")
for ax in axes[-1]:
    ax.set_xlabel(r"$\Delta l\,\cos b$ [deg]")
fig.colorbar(
    shown,
    ax=axes,
    label=r"Compton-$y$ [$10^{-6}$]",
    ticks=[-5, 0, 5, 10, 20, 60],
    format="%g",
    extend="both",
)
