"""
Cross-match to weak lensing
===========================

SZ masses rest on a calibration by hydrostatic equilibrium. Weak lensing measures masses without it, for fewer clusters and
with larger errors. Their mean ratio is 1-b. This lesson measures it, and shows two ways to get it wrong.
"""

# %%
# SZ masses
# ---------
#
# Mock clusters are weighed as Planck does, by the matched filter with 1-b = 1. They have 1-b =
# 0.8, which is what the comparison has to find. (``relation="arnaud2010"`` is that of the profile
# the mocks are painted with. Planck's own has 4 % more Y for a mass.)

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass import estimate_masses
from szmass.estimators import LensingMass, MatchedFilterMass
from szmass.maps import NoiseModel
from szmass.simulations import draw_flat, simulate

clusters = draw_flat(300, mass=[5e14, 1.6e15] * u.solMass, redshift=(0.05, 0.4), seed=4)
sample = simulate(clusters, "planck-like", cosmology="PSZ2", seed=4)
sz = estimate_masses(
    sample,
    MatchedFilterMass(noise=NoiseModel.planck("instrument"), relation="arnaud2010"),
    columns=["mass_true"],
)

# %%
# A table of lensing masses
# -------------------------
#
# Published tables come with the names, positions and mass definitions of their authors. This one,
# of 250 of the clusters, has M200c, in units of 1e14 solar masses, with errors of 25 %. On the
# real sky it would be `Herbonnet2020Table.read(...) <szmass.catalogs.Herbonnet2020Table>` or
# another of :doc:`/guide/catalogs`.

from szmass.physics import convert_mass

rng = np.random.default_rng(5)
seen = sample[:250]
true_200c = convert_mass(
    seen.quantity("mass_true"), seen.redshift, "500c", "200c", cosmology="PSZ2"
)
position = seen.coord.icrs.directional_offset_by(
    rng.uniform(0, 360, 250) * u.deg, rng.rayleigh(0.7, 250) * u.arcmin
)
published = QTable({"ID": [f"WL {i}" for i in range(250)]})
published["ra"], published["dec"] = position.ra, position.dec
published["redshift"] = seen.redshift + rng.normal(0, 0.002, 250)
published["M200"] = true_200c.to_value("1e14 solMass") * np.exp(rng.normal(0, 0.25, 250))
published["err"] = 0.25 * published["M200"]
for name in published.colnames[1:]:
    published[name].info.format = ".3f"
published[:3]

# %%
# A lensing mass means nothing without its definition and cosmology, so both have to be said.
# ``masses`` brings them to those of the SZ masses and records how. **The first mistake**: taking
# M200 for M500 would give a ratio that is too low by a third.

from szmass.catalogs import LensingTable

lensing = LensingTable(
    published,
    columns={"name": "ID", "mass": "M200", "mass_err": "err"},
    mass_definition="200c",
    cosmology="PSZ2",
    units={"mass": "1e14 solMass"},
)
masses = lensing.masses(mass_definition="500c", cosmology="PSZ2")
print(masses.meta["conversion"])
ratio = (masses["mass"] / published["M200"]).to_value("1e14 solMass")
print(f"M500 / M200: {np.median(ratio):.2f}")

# %%
# Who is who
# ----------
#
# Rows belong together if they are close on the sky *and* in redshift. ``p_chance`` is the
# probability that an unrelated cluster is as close.

from szmass.catalogs import crossmatch

pairs = crossmatch(masses, sz, radius="10 arcmin", delta_redshift=0.03, prefixes=("wl", "sz"))
print(f"{len(pairs)} pairs, largest chance {pairs['p_chance'].max():.0e}")
shown = pairs["wl_name", "sz_name", "separation", "delta_redshift"][:3]
shown["separation"].info.format = shown["delta_redshift"].info.format = ".3f"
shown

# %%
# The ratio
# ---------
#
# `~szmass.comparison.fit_mass_ratio` fits the ratio and the scatter around it, with the errors of
# both masses.

from szmass.comparison import fit_mass_ratio


def fit(rows, **options):
    """Fit SZ over lensing masses."""
    return fit_mass_ratio(
        rows["sz_mass_matched_filter"],
        rows["wl_mass"],
        err_a=(rows["sz_mass_errn_matched_filter"], rows["sz_mass_errp_matched_filter"]),
        err_b=(rows["wl_mass_errn"], rows["wl_mass_errp"]),
        **options,
    )


found = fit(pairs)
print(f"1-b = {found.value:.2f} -{found.errn:.2f} +{found.errp:.2f}, scatter {found.scatter:.2f}")

# %%
# The scatter is that of the SZ masses at given true mass, some 10 %: clusters of one mass differ
# in their signal. The errors of the masses are not in it. With the published tables, PSZ2 and the
# 65 clusters of Herbonnet et al. (2020), the same lines give 0.80 +- 0.04 with a scatter of 25 %.

from szmass.plots import plot_mass_comparison

ax = plot_mass_comparison(
    pairs,
    "wl_mass",
    "sz_mass_matched_filter",
    labels=("lensing", "SZ, 1-b = 1"),
    colour=None,
    fit=found,
)

# %%
# Selection
# ---------
#
# **The second mistake** is to forget how the sample came about. Keep only clusters with a high
# lensing mass, "the heavy ones", and the ratio falls: many are heavy only by the error of that
# mass. A limit in the SZ mass does the opposite, and every SZ catalogue has one. ``min_b`` and
# ``min_a`` tell the fit of the limit.

limit = 8e14 * u.solMass
heavy = pairs[pairs["wl_mass"] > limit]
for name, options in (("ignored", {}), ("in the fit", {"min_b": limit})):
    cut = fit(heavy, **options)
    print(
        f"limit {name:10}: 1-b = {cut.value:.2f} -{cut.errn:.2f} +{cut.errp:.2f}, {cut.n} clusters"
    )

# %%
# What was not selected is inferred from what was, so the error grows. :doc:`/guide/regression`
# says how good these errors are.
#
# Side by side
# ------------
#
# To have lensing masses as one more column of a mass table, look them up with the estimator
# ``lensing``. The clusters without one get the flag ``NO_MATCH``, and a warning says how many.

import warnings

from szmass.exceptions import UnweighedClustersWarning

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UnweighedClustersWarning)
    both = estimate_masses(sample, ["matched_filter", LensingMass(table=lensing)], one_minus_b=0.8)
print(caught[0].message)

# %%
# :doc:`/guide/crossmatching_workflow` goes this way with catalogues alone, and on the command line. Apply
# the measured 1-b by ``MatchedFilterMass(one_minus_b=0.80)``, or bring all methods of a table to it
# by ``one_minus_b=0.80``: lensing masses stay as they are.
