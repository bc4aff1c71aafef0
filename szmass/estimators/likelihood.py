"""Posteriors of mass from Compton-y cutouts: what the data allow, and no more."""

from dataclasses import dataclass

import numpy as np

from szmass.estimators._catalogue_errors import (
    centring_errors,
    over_redshifts,
    redshift_errors,
)
from szmass.estimators.core import MassEstimator, register_estimator
from szmass.estimators.filters._banks import displaced_bank, filter_bank
from szmass.estimators.filters._likelihoods import Reduced, marginal_log_likelihood
from szmass.estimators.filters._setup import (
    MatchedFilters,
    NeedsDepth,
    depth_factors,
    field_flags,
)
from szmass.estimators.priors import (
    MassFunctionPrior,
    estimates_under,
    mass_grid,
    prior_meta,
    redshifts_under,
)
from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import as_stack
from szmass.physics.checks import check_one_minus_b
from szmass.physics.cosmology import get_cosmology
from szmass.physics.curves import mass_curve
from szmass.physics.scaling import get_scaling_relation
from szmass.results import MassFlag
from szmass.simulations.bodies.models import get_cluster_model

__all__ = ["LikelihoodMass"]

_GRID = np.linspace(13.0, 16.0, 301)


@register_estimator
@dataclass(kw_only=True, eq=False, repr=False)
class LikelihoodMass(NeedsDepth, MassEstimator):
    """Posterior of log M given cutout and redshift.

    The likelihood of the map under Gaussian noise, marginalised over the scatter of Y at given
    mass, the diversity of profiles, the position of the cluster, its redshift, a constant offset
    of the map and, if asked for, 1-b; times a prior. Where its assumptions hold, no estimator does
    better: the standard deviation of its mean is the information limit.

    Parameters
    ----------
    noise : `~szmass.maps.NoiseModel` or {"planck"}, optional
        Noise of the map, of its beam; "planck" is ``NoiseModel.planck()``. By
        default that of the map that the cutouts are from; if that is not known, it must be said.
    profile : str or `~szmass.physics.GNFWProfile`, optional
        Mean pressure profile.
    relation : str or `~szmass.physics.ScalingRelation`, optional
        Median Y500 of a mass.
    one_minus_b : float, optional
        Ratio 1-b of the mass of the relation to the mass that comes out.
    one_minus_b_err : float, optional
        Its standard error, over which masses are marginalised. It is common to all clusters: do
        not average it down.
    sigma_lny : float, optional
        Intrinsic scatter of ln Y500 at given mass; that of the relation by default.
    diversity : str or `~szmass.simulations.ClusterModel` or None, optional
        Model whose mix of dynamical states and scatter of the profile are marginalised over; None
        for the mean profile alone.
    centring : `~astropy.units.Quantity`, optional
        Standard deviation per axis of the cluster's distance from the middle. By default
        it follows from the column ``pos_err``, a 95 % radius, where the sample has it, and is 0
        elsewhere.
    prior : {"flat", "tinker08"} or callable, optional
        "flat" in log M; "tinker08" is `MassFunctionPrior` in the estimator's cosmology, from
        the mass on whose expected S/N is 1.5, since far more haloes are lighter and unseen; or a
        function of arrays ``(log10_mass, redshift)`` that gives a density in log10 M.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        For sizes and distances.
    depth : float or str, optional
        As in `MatchedFilterMass`.
    map_pixel : `~astropy.units.Quantity`, optional
        As in `MatchedFilterMass`.
    log10_mass : array-like, optional
        Grid of the posterior; by default 13 to 16 in steps of 0.01.

    Notes
    -----
    Masses are medians, errors reach to the 16 % and 84 % quantiles. A signal that is negative gives
    a posterior all the same; under the flat prior it reaches down to the lower end of the grid
    (``EXTRAPOLATED``).

    Where the sample has ``redshift_err``, a standard error, redshifts are marginalised over normal
    distributions about the catalogue's; 0, negative and unknown ones count as exact. A prior that
    depends on redshift is taken at the catalogue's.

    The shape of profiles enters through the two principal components of their transforms, the
    position through filters on a grid that reaches to 8 arcmin. Triaxiality and substructure are
    not in the model except through ``sigma_lny``.

    References
    ----------
    Melin, Bartlett & Delabrouille 2006, A&A 459, 341; Tinker et al. 2008, ApJ 688, 709.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.estimators import LikelihoodMass
    >>> from szmass.simulations import from_masses, simulate
    >>> clusters = from_masses([8e14] * u.solMass, 0.12, names=["Mock"])
    >>> sample = simulate(clusters, "planck-total", cosmology="PSZ2", seed=5)
    >>> posterior = LikelihoodMass(one_minus_b=0.8, sigma_lny=0.1).predict_posterior(sample)
    >>> low, high = posterior.interval()
    >>> print(f"{low[0]:.2g} to {high[0]:.2g}")
    8e+14 solMass to 9.4e+14 solMass
    """

    tag = "likelihood"
    description = "posterior from the likelihood of Compton-y cutouts"
    requires = frozenset({"redshift", "cutout"})
    kind = "likelihood"
    point_estimate = "median of the posterior"
    gives_posterior = True
    at_a_time = 256
    references = ("2006A&A...459..341M",)

    noise: object = None
    profile: object = "arnaud2010"
    relation: object = "planck2015"
    one_minus_b: float = 1.0
    one_minus_b_err: float = 0.0
    sigma_lny: float | None = None
    diversity: object = "a10"
    centring: object = None
    prior: object = "flat"
    cosmology: object = "PSZ2"
    depth: object = None
    map_pixel: object = None
    log10_mass: object = None

    def _extra_meta(self, sample):
        relation = get_scaling_relation(self.relation)
        setup = self._setup(sample.cutouts)
        papers = (*relation.references, *setup.profile.references, *self.references)
        prior, software = self.prior, self.software
        if prior == "tinker08" or isinstance(prior, MassFunctionPrior):
            papers, software = (*papers, "2008ApJ...688..709T"), (*software, "colossus")
        scatter = relation.scatter(self.sigma_lny)
        held = {
            "noise": True,
            "scatter": scatter > 0,
            "profile": self.diversity is not None,
            "centring": np.any(centring_errors(self.centring, sample) > 0),
            "redshift": np.any(redshift_errors(sample) > 0),
            "calibration": self._bias_error > 0,
        }
        return {
            "mass_scale": check_one_minus_b(self.one_minus_b, one=True),
            "errors_hold": [what for what, inside in held.items() if inside],
            "software": list(software),
            "references": list(dict.fromkeys(papers)),
            "relation": relation.name,
            "profile": setup.profile.name,
            "one_minus_b": check_one_minus_b(self.one_minus_b, one=True),
            "one_minus_b_err": self._bias_error,
            "sigma_lny": scatter,
            "diversity": None if self.diversity is None else get_cluster_model(self.diversity).name,
            **prior_meta(prior),
            "cosmology": str(get_cosmology(self.cosmology).name or self.cosmology),
            **setup.meta,
        }

    @property
    def redshift_range(self):
        """Lowest and highest redshift that may be weighed under the prior."""
        return redshifts_under(self.prior, super().redshift_range)

    def _setup(self, stack):
        return MatchedFilters(stack, self.noise, self.profile, self.map_pixel)

    def _grid(self):
        return mass_grid(self.log10_mass, _GRID)

    def log_likelihood(self, sample):
        """Give ln L of the cutouts of clusters on the grid of masses.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            N clusters, all with cutouts and redshifts.

        Returns
        -------
        log10_mass : `~numpy.ndarray`
            The grid.
        log_likelihood : `~numpy.ndarray`
            Shape (N, nodes), relative to no cluster being there. 0 where no pixel is valid, NaN
            for signals that no cluster has, thousands of times the noise.

        Raises
        ------
        InvalidInputError
            An option makes no sense, or beam, geometry and noise do not go together.
        """
        as_stack(sample)
        parts = [
            self._log_likelihood(sample[piece]) for piece in self._pieces(sample) or [slice(None)]
        ]
        return self._grid(), np.concatenate(parts)

    def _log_likelihood(self, sample):
        setup, relation = self._setup(sample.cutouts), get_scaling_relation(self.relation)
        grid, centring = self._grid(), centring_errors(self.centring, sample)
        nodes, shifts, weights = self._with_bias(grid)
        data, footprint = sample.cutouts.data, sample.cutouts.footprint
        depth = np.asarray(depth_factors(self.depth, setup, sample))
        family = None
        if self.diversity is not None:
            model = get_cluster_model(self.diversity)
            family = model.relaxed, model.disturbed, model.profile_scatter
        kind = setup.field, setup.profile, setup.variance, family
        measured = filter_bank(*kind).measure(data, footprint)
        cosmology, scatter = get_cosmology(self.cosmology), relation.scatter(self.sigma_lny)
        redshift, error = sample.redshift, redshift_errors(sample)
        log_l = np.empty((len(sample), len(nodes)))
        # Who has a position error is not changed by who has not.
        for rows in filter(len, (np.flatnonzero(centring <= 0), np.flatnonzero(centring > 0))):
            found, displaced = measured[rows], ()
            if centring[rows[0]] > 0:
                found, *displaced = displaced_bank(*kind).integrals(
                    data[rows], footprint[rows], found, depth[rows], centring[rows]
                )
            reduced = Reduced.of(found, depth[rows], *displaced)

            def at_redshift(z, part, reduced=reduced):
                curve = mass_curve(nodes, z, relation, self.one_minus_b, cosmology)
                return marginal_log_likelihood(reduced[part], *curve, scatter)

            log_l[rows] = over_redshifts(
                at_redshift, redshift[rows], error[rows], self.redshift_range
            )
        if len(shifts) == 1:
            return log_l
        total = np.zeros((len(log_l), len(grid)))
        highest = log_l.max(axis=1, keepdims=True)
        for shift, weight in zip(shifts, weights, strict=True):
            for row, values in zip(total, log_l - highest, strict=True):
                row += weight * np.exp(np.interp(grid + shift, nodes, values))
        return np.log(np.maximum(total, 1e-300)) + highest

    @property
    def _bias_error(self):
        try:
            return float(self.one_minus_b_err)
        except (TypeError, ValueError):
            raise InvalidInputError(
                f"'one_minus_b_err' must be a number. Received: {self.one_minus_b_err!r}"
            ) from None

    def _with_bias(self, grid):
        """Wider grid, and shifts of log10 M with their weights, for an uncertain 1-b."""
        mean, error = check_one_minus_b(self.one_minus_b, one=True), self._bias_error
        if not 0 <= error < 0.3 * mean:
            raise InvalidInputError(
                "'one_minus_b_err' must be at least 0 and below 0.3 of 'one_minus_b'. "
                f"Received: {self.one_minus_b_err!r}"
            )
        if error == 0:
            return grid, np.zeros(1), np.ones(1)
        deviation, weights = np.polynomial.hermite_e.hermegauss(15)
        inside = 1 + deviation * error / mean > 0.05
        shifts = np.log10(1 + deviation[inside] * error / mean)
        weights = weights[inside] / weights[inside].sum()
        low = np.arange(grid[0] + shifts.min() - 0.02, grid[0], 0.01)
        high = np.arange(grid[-1] + 0.01, grid[-1] + shifts.max() + 0.02, 0.01)
        return np.concatenate([low, grid, high]), shifts, weights

    def _weigh(self, sample):
        grid, setup = self._grid(), self._setup(sample.cutouts)
        depth = depth_factors(self.depth, setup, sample)

        def curve(log10_mass):
            cosmology = get_cosmology(self.cosmology)
            return mass_curve(
                log10_mass, sample.redshift, self.relation, self.one_minus_b, cosmology
            )

        found = estimates_under(
            self.prior,
            self.cosmology,
            grid,
            self._log_likelihood(sample),
            sample,
            setup.expected_snr(*curve(grid), depth),
        )
        theta, _ = curve(np.array([14.0]))
        found.flag |= np.where(np.isnan(found.mass), MassFlag.IMPLAUSIBLE, 0)
        size = theta[:, 0] * np.cbrt(found.mass / 1e14)
        found.flag |= field_flags(setup, sample, size, depth)
        return found
