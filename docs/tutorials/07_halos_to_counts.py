"""
From halos to counts
====================

A simulation of dark matter has halos and no gas. This lesson starts with the halo list of one, as Rockstar writes it, gives the
halos the gas of hydrodynamic simulations, looks at them from within, and counts what surveys in SZ and X-rays would find.
"""

# %%
# A halo list
# -----------
#
# We have no simulation at hand, so we make its file: halos of the mass function at z = 0.1 in a
# box of 700 Mpc/h, at random places, some of them with a sub-halo.

import tempfile
from pathlib import Path

import astropy.units as u
import numpy as np

from szmass.baryons import draw_halos
from szmass.physics import convert_mass, get_cosmology, overdensity_radius

cosmology = get_cosmology("Planck18")
h, scale, side = cosmology.h, 1 / 1.1, 700.0
drawn = draw_halos(
    mass=(5e13, 5e15) * u.solMass, redshift=(0.08, 0.12), cosmology=cosmology, seed=1
)
shell = np.diff(cosmology.comoving_volume([0.08, 0.12]))[0]
n = int(len(drawn) * ((side / h * u.Mpc) ** 3 / shell).to_value(""))

rng = np.random.default_rng(2)
halos = drawn[rng.integers(0, len(drawn), n)]
places = rng.uniform(0, side, (n, 3))
c200c = np.asarray(halos["c200c"])
options = {"cosmology": cosmology, "concentration": c200c}
mvir = convert_mass(halos["m200c"], 0.1, "200c", "vir", **options)
options = {"cosmology": cosmology, "mass_definition": "200c"}
r200c = overdensity_radius(halos["m200c"], 0.1, **options)
rs = (r200c / c200c).to_value("kpc") * h / scale  # comoving, as all lengths there
masses = [(mass * h).to_value("solMass") for mass in (mvir, halos["m200c"], halos["m500c"])]
lines = [
    "#ID Mvir M200c M500c Rs X Y Z Halfmass_Scale PID",
    f"#a = {scale:.6f}",
    f"#Om = {cosmology.Om0:.6f}; Ol = {cosmology.Ode0:.6f}; h = {h:.6f}",
    f"#Box size: {side:.6f} Mpc/h",
    "#Units: Masses in Msun / h",
    "#Units: Positions in Mpc / h (comoving)",
    "#Units: Halo Distances, Lengths, and Radii in kpc / h (comoving)",
]
form = "{} {:.5e} {:.5e} {:.5e} {:.3f} {:.5f} {:.5f} {:.5f} {:.4f} {}"
for i in range(n):
    mass = [column[i] for column in masses]
    lines.append(form.format(i, *mass, rs[i], *places[i], halos["half_mass_scale"][i], -1))
    if i % 20 == 0:
        mass = [0.1 * m for m in mass]
        lines.append(form.format(n + i, *mass, 0.5 * rs[i], *places[i], 0.5, i))
path = Path(tempfile.mkdtemp()) / "out_98.list"
path.write_text("\n".join(lines) + "\n")
print(path.name, "has", len(lines), "lines")

# %%
# Read it
# -------
#
# The file says what its columns, units, h and redshift are (:doc:`/guide/baryons`).

from szmass.baryons import HaloCatalog

catalog = HaloCatalog.read(path)
print(catalog)
print(len(catalog.hosts), "of them lie in no other halo")

# %%
# Gas
# ---
#
# A model is one named physics, fitted to a simulation or a sample of clusters. The prediction is a
# median with the scatter of halos about it.

from szmass.physics import get_baryon_model

table = get_baryon_model("flamingo").predict(catalog.hosts)
print(table["id", "m500c", "mgas500", "mgas500_errn", "t_sl", "lx"][:3])

# %%
# Look at it from within
# ----------------------
#
# An observer in the middle of the box sees the halos on the whole sky. We go as far as 900 Mpc, for
# which the periodic box is repeated. The sub-halos are left out: their gas is part of their hosts'.

import warnings

from szmass.baryons import make_lightcone, place_on_sky
from szmass.exceptions import SzmassWarning

sky = place_on_sky(catalog, box=side / h * u.Mpc, distance=900 * u.Mpc)
cones = {}
for name in ("tng", "flamingo"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SzmassWarning)
        cones[name] = make_lightcone(name, sky, cosmology=cosmology, seed=3)
print(cones["flamingo"])

# %%
# Now every halo has one draw of gas mass, temperature, luminosity and Y500, with the correlations
# that they have in the simulation: at given mass, those with more gas have the higher Y500.

heavy = cones["flamingo"].table
heavy = heavy[(heavy["m500c"] > 1.5e14 * u.solMass) & (heavy["m500c"] < 1.8e14 * u.solMass)]
print(
    np.corrcoef(np.log([heavy["mgas500"].value, heavy["y500"].value, heavy["lx"].value])).round(2)
)

# %%
# The sky in Compton-y
# --------------------
#
# The painter puts every halo on a HEALPix map with its own Y500. This one is coarse, to be quick;
# that of Planck has ``nside=2048``.

from szmass.plots import plot_sky

massive = cones["flamingo"][cones["flamingo"].table["m500c"] > 1e14 * u.solMass]
ymap = massive.ymap(nside=256, beam="30 arcmin")
_ = plot_sky(ymap)

# %%
# X-ray counts
# ------------
#
# Fluxes are in 0.1 to 2.4 keV at the observer. The errors have the Poisson and the sample variance;
# the halos of this box lie at random, so we take the latter from linear theory.

from szmass.baryons import cumulative_counts
from szmass.plots import plot_counts

thresholds = np.geomspace(3e-12, 1e-10, 16) * u.erg / u.s / u.cm**2
counts = {name: cumulative_counts(cone, "flux", thresholds) for name, cone in cones.items()}
_ = plot_counts(counts)

# %%
# The two physics differ by much more than their errors: the luminosities of the same halos do. At
# the faint end they also lack what is farther than 900 Mpc.
#
# SZ counts
# ---------
#
# Planck's matched filter finds clusters by their signal-to-noise ratio. Its noise by size is that of
# the median patch here; the folder of Planck's own table has all of them.

from szmass.baryons import redshift_counts
from szmass.maps import MMFNoiseTable
from szmass.simulations import SZSelection

size = [0.94, 1.69, 3.03, 5.44, 9.76, 17.5, 31.4] * u.arcmin
sigma = [[0.918], [0.966], [1.181], [1.701], [2.715], [4.768], [8.88]] * u.arcmin**2 * 1e-4
selection = SZSelection(MMFNoiseTable(size, [0.622], sigma), q_cut=6)
by_redshift = {}
for name, cone in cones.items():
    seen = cone.observed_snr(selection) > selection.q_cut
    by_redshift[name] = redshift_counts(cone, np.arange(0.02, 0.2, 0.03), where=seen)
_ = plot_counts(by_redshift)

# %%
# In Y500 the two agree far better than in X-rays: pressure follows the depth of the potential, and
# luminosity the density in the core. :doc:`/guide/lightcones` has the same on the shell, and
# the numbers of whole skies beside those of Planck and REFLEX.
