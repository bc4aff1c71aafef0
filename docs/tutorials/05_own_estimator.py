"""
Your own estimator
==================

Every way to weigh a cluster is a class with one method. We write one that measures the signal in a circle, calibrate it on
simulations, check that it keeps the contract, and compare it with the matched filter.
"""

# %%
# The class
# ---------
#
# ``requires`` says what a cluster must have. Clusters that lack something never reach ``_weigh``:
# they keep their row, with NaN and a flag. Options are keyword-only and stored as they are, so
# that the table can say what it was made with.
#
# The mass is a power law of the signal within ten arcminutes as it would be seen from one
# distance, M = 6e14 solMass * (D_A\ :sup:`2` Y / Y_pivot)\ :sup:`slope`. ``Y_pivot`` and ``slope``
# are options.

import astropy.units as u
import numpy as np

from szmass.estimators import MassEstimator
from szmass.maps import NoiseModel
from szmass.maps.measure.photometry import aperture_photometry
from szmass.results import MassEstimates, MassFlag
from szmass.physics import get_cosmology, y_to_mpc2


class ApertureMass(MassEstimator):
    """Mass from the Compton-y within a circle of 10 arcmin."""

    tag = "aperture"
    description = "power law of Y within 10 arcmin"
    requires = frozenset({"redshift", "complete_cutout"})
    references = ()

    def __init__(self, *, y_pivot=1e-4, slope=0.6, scatter=0.25, cosmology="PSZ2"):
        self.y_pivot = y_pivot
        self.slope = slope
        self.scatter = scatter
        self.cosmology = cosmology

    def signal(self, sample):
        """E(z)^(-2/3) Y within the circle, and its error [Mpc2]."""
        found = aperture_photometry(
            sample.cutouts,
            10 * u.arcmin,
            background=[40, 70] * u.arcmin,
            noise=NoiseModel.planck(depth=None),
        )
        efunc = get_cosmology(self.cosmology).efunc(sample.redshift)
        y, error = (
            y_to_mpc2(found[name], sample.redshift, cosmology=self.cosmology).value
            for name in ("y", "y_err")
        )
        return y * efunc ** (-2 / 3), error * efunc ** (-2 / 3)

    def _weigh(self, sample):
        y, error = self.signal(sample)
        positive = y > 0
        y = np.where(positive, y, np.nan)
        mass = 6e14 * (y / self.y_pivot) ** self.slope
        relative = np.hypot(self.slope * error / y, self.scatter)
        flag = np.where(positive, 0, MassFlag.NOT_POSITIVE)
        return MassEstimates(mass, mass * (1 - np.exp(-relative)), mass * np.expm1(relative), flag)

    def _extra_meta(self, sample):
        return {"cosmology": self.cosmology}


# %%
# A signal that is not positive has no mass: it is flagged, not replaced by something small.
#
# Calibrate
# ---------
#
# `~szmass.comparison.fit_relation` fits a power law with scatter. Mocks without noise are enough
# for the relation; the noise comes into the errors of each cluster.

from szmass.comparison import fit_relation
from szmass.simulations import draw_flat, simulate

limits = [2e14, 1.6e15] * u.solMass
mocks = simulate(
    draw_flat(400, mass=limits, redshift=(0.05, 0.6), seed=1), "clean", cosmology="PSZ2", seed=1
)
y, _ = ApertureMass().signal(mocks)
relation = fit_relation(mocks.quantity("mass_true"), y * u.Mpc**2, pivot=1e-4 * u.Mpc**2)
pivot = float(1e-4 * (6e14 / relation.value.to_value("solMass")) ** (1 / relation.slope))
estimator = ApertureMass(y_pivot=pivot, slope=relation.slope, scatter=relation.scatter)
estimator

# %%
# The scatter of the masses, in the logarithm, is as large as it is because ten arcminutes are the
# core of a near cluster and all of a distant one. A power law in mass alone cannot know that,
# which is the lesson of this estimator.
#
# Check
# -----
#
# The contract can be run: schema, flags, missing inputs, an empty sample, independence of the
# rows, tables that survive every format. A failure says what was expected.

from szmass.estimators.checks import check_estimator

check_estimator(estimator)

# %%
# Compare
# -------
#
# An instance can be passed right away, under any name. Clusters that cannot be weighed are counted
# in a warning, which we catch to print it: in some circles the noise is below zero by more than
# the signal is above.

import warnings

from szmass import estimate_masses
from szmass.plots import plot_residuals
from szmass.estimators import MatchedFilterMass
from szmass.exceptions import UnweighedClustersWarning

test = simulate(
    draw_flat(400, mass=[4e14, 1.6e15] * u.solMass, redshift=(0.05, 0.6), seed=2),
    "planck-total",
    cosmology="PSZ2",
    seed=2,
)
methods = {"aperture": estimator, "filter": MatchedFilterMass(one_minus_b=0.8)}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UnweighedClustersWarning)
    table = estimate_masses(test, methods, columns=["mass_true"])
for warning in caught:
    print(warning.message)

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", sharey=True)
for ax, method in zip(axes, methods, strict=True):
    plot_residuals(table, method, ax=ax).set_ylim(-1, 1)

# %%
# The axis is the *predicted* mass. In numbers, per redshift bin, the mean of log M / M_true [dex]
# and the scatter about it:

from szmass.comparison import efficiency_table
from szmass.results import one_method

quality = efficiency_table(
    test.quantity("mass_true"), test.redshift, {m: one_method(table, m) for m in methods}
)
for row in quality:
    low, high = row["redshift_min"], row["redshift_max"]
    redshift = f"z {low:.1f} to {high:.1f}" if np.isfinite(low) else "all"
    print(
        f"{row['method']:9} {redshift:12} "
        f"{row['n']:4d}   bias {row['bias']:+.3f}   scatter {row['scatter']:.3f}"
    )

# %%
# The matched filter knows how large a cluster of each mass should look at each redshift, and
# weighs pixels by their noise; the circle knows neither. :doc:`/topics/information_limit` says how
# far any estimator can get.
#
# Make it known
# -------------
#
# Under its tag, in this process:

from szmass import ESTIMATORS
from szmass.estimators import register_estimator

register_estimator(ApertureMass)
print("aperture" in list(ESTIMATORS))

# %%
# In every process, the command line included, by the metadata of your package:
#
# .. code-block:: toml
#
#     [project.entry-points."szmass.estimators"]
#     aperture = "your_package:ApertureMass"
#
# .. code-block:: shell
#
#     szmass estimate ... --estimators aperture,matched_filter --set aperture.slope=0.55
#
# Put bibcodes into ``references`` and `szmass.cite <szmass.citations.cite>` names your papers
# wherever your masses are used. In your tests, one line runs the checks, see
# `szmass.estimators.checks`.
