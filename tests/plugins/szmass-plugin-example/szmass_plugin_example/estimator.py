"""An estimator that gives posteriors."""

import astropy.units as u
import numpy as np

from szmass.estimators import MassEstimator
from szmass.physics import get_scaling_relation, y_to_arcmin2
from szmass.results import LogMassPosterior, MassEstimates


class ExampleMass(MassEstimator):
    """Likelihood of Y500 under a relation with log-normal scatter and a prior flat in log M.

    Parameters
    ----------
    scatter : float, optional
        Scatter of ln Y500 at given mass.
    one_minus_b : float, optional
        Ratio 1-b of the relation's mass to the mass that comes out.
    cosmology : str, optional
        For E(z) and the angular-diameter distance.
    """

    tag = "example-mass"
    description = "Y500 under a log-normal scatter"
    requires = frozenset({"redshift", "y500"})
    gives_posterior = True
    kind = "relation"
    errors_hold = ("noise", "scatter")
    point_estimate = "median of the posterior"
    references = ("2016A&A...594A..24P",)

    def __init__(self, *, scatter=0.2, one_minus_b=0.8, cosmology="PSZ2"):
        self.scatter = scatter
        self.one_minus_b = one_minus_b
        self.cosmology = cosmology

    def _extra_meta(self, sample):
        return {"cosmology": self.cosmology, "mass_scale": float(self.one_minus_b)}

    def _weigh(self, sample):
        grid = np.linspace(13.0, 16.5, 701)
        y = sample.quantity("y500")[:, None]
        redshift = sample.redshift[:, None]
        mean = get_scaling_relation("planck2015").y500(
            10**grid * u.solMass,
            redshift,
            one_minus_b=self.one_minus_b,
            cosmology=self.cosmology,
        )
        offset = np.log(y / y_to_arcmin2(mean, redshift, cosmology=self.cosmology))
        sigma = np.hypot(self.scatter, sample.quantity("y500_err")[:, None] / y)
        posterior = LogMassPosterior.from_log_likelihood(
            grid,
            -0.5 * (offset / sigma).value ** 2,
            np.ones(len(grid)),
            names=sample.names,
            redshift=sample.redshift,
        )
        return MassEstimates.of_posterior(posterior)
