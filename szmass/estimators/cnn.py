"""Masses and posteriors from the networks that ship with szmass, or that a user has trained."""

import numpy as np

from szmass.estimators._network_flags import flag_unusable
from szmass.estimators.core import MassEstimator, register_estimator
from szmass.estimators.filters._setup import MatchedFilters, depth_factors
from szmass.estimators.priors import get_prior
from szmass.exceptions import InvalidInputError
from szmass.networks.saliency import occlusion_map
from szmass.networks.shipped import load_networks
from szmass.results import LogMassPosterior, MassEstimates, MassFlag

__all__ = ["CNNMass"]

_ONE_SIGMA = 0.682689492137086

# A density at an end of the grid above this part of its maximum is cut off.
_CUT_OFF = 0.1


@register_estimator
class CNNMass(MassEstimator):
    """Posterior of log M from networks that look at cutout, redshift and noise level.

    An ensemble of convolutional networks gives the density of the true log M500c of clusters that
    look like this one in the simulations it was trained on, under a prior flat in log M between
    the ends of its grid; that density is recalibrated on simulations held out from the training.

    Parameters
    ----------
    weights : path-like, optional
        Folder that `szmass.networks.train` wrote; by default the networks that ship.
    noise : `~szmass.maps.NoiseModel` or {"planck"}, optional
        Noise of the map, of its beam; "planck" is ``NoiseModel.planck()``. By
        default that of the map that the cutouts are from; if that is not known, it must be said.
    depth : float or str, optional
        Factor of the noise amplitude, as in `MatchedFilterMass`. The networks need it: errors, and
        with them masses of faint clusters, follow from it.
    prior : {"flat", "tinker08"} or callable, optional
        "flat" in log M, as in the training; "tinker08" is `MassFunctionPrior` in the cosmology of
        the training; or a function of arrays ``(log10_mass, redshift)`` that gives a density in
        log10 M.
    batch_size : int, optional
        Number of cutouts that go through the networks at once; it does not change the masses.

    Notes
    -----
    Masses are true M500c, on the scale of the simulations: with the networks that ship that of
    1-b = 0.8, which is in no way measured by them. A mass is the mean of M, not of log M, so that
    relative errors (M - M_true) / M vanish on average at any predicted mass; errors reach
    to the 16 % and 84 % quantiles.

    Flags: ``EXTRAPOLATED`` for a posterior that an end of the prior cuts off, ``OUT_OF_DOMAIN`` for
    a cutout unlike those of the training, ``REDSHIFT_OUT_OF_RANGE``.
    """

    tag = "cnn"
    description = "posterior from density networks that look at Compton-y cutouts"
    requires = frozenset({"redshift", "complete_cutout"})
    mass_definition = "500c"
    references = ("2022NatAs...6.1325D",)
    extra = "cnn"

    def __init__(self, *, weights=None, noise=None, depth=None, prior="flat", batch_size=256):
        self.weights = weights
        self.noise = noise
        self.depth = depth
        self.prior = prior
        self.batch_size = batch_size
        self._loaded = None

    def __getstate__(self):
        # Copies and other processes load the networks themselves.
        return self.__dict__ | {"_loaded": None}

    def _networks(self):
        if self._loaded is None or self._loaded[0] != self.weights:
            self._loaded = (self.weights, load_networks(self.weights))
        return self._loaded[1]

    def _missing(self, sample):
        return flag_unusable(self._networks().card, sample, super()._missing(sample))

    def _setup(self, stack):
        return MatchedFilters(stack, self.noise, "arnaud2010", None)

    def predict_posterior(self, sample):
        """Give the posteriors of the masses of a sample.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            The clusters; it is not changed.

        Returns
        -------
        `~szmass.results.LogMassPosterior`
            One row per cluster in the order of the sample; NaN for those that cannot be weighed,
            with a flag.

        Raises
        ------
        InvalidInputError
            The sample lacks a whole input, an option makes no sense, or the prior leaves no mass.
        CardMismatchError
            The cutouts are not what the networks were trained on.
        """
        flag = self._missing(sample)
        networks = self._networks()
        log_density = np.full((len(sample), len(networks.log10_mass)), np.nan)
        usable, score = flag == 0, np.full(len(sample), np.nan)
        if usable.any():
            some = sample if usable.all() else sample[usable]
            setup = self._setup(some.cutouts)
            field = {"noise": setup.noise, "depth": depth_factors(self.depth, setup, some)}
            maps = some.cutouts.data, some.redshift
            found = networks.log_density(*maps, batch_size=self.batch_size, **field)
            log_density[usable] = found
            score[usable] = networks.domain_score(*maps, found, **field)
        posterior = LogMassPosterior.from_log_likelihood(
            networks.log10_mass,
            log_density,
            get_prior(self.prior, networks.card.training["cosmology"]),
            names=sample.names,
            redshift=sample.redshift,
            flag=flag,
        )
        ends = posterior.density[:, [0, -1]].max(axis=1)
        cut = usable & (ends > _CUT_OFF * posterior.density.max(axis=1))
        posterior.flag[cut] |= MassFlag.EXTRAPOLATED
        if networks.domain is not None:
            strange = usable & (score > networks.domain.threshold)
            posterior.flag[strange] |= MassFlag.OUT_OF_DOMAIN
        posterior.meta.update(self._meta(sample))
        return posterior

    def saliency(self, sample, **options):
        """Show from where in their cutouts the masses of clusters come.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            Clusters that can all be weighed.
        **options : dict
            As for `szmass.networks.occlusion_map`: ``patches``, ``width``, ``fill``.

        Returns
        -------
        `~szmass.maps.CutoutStack`
            Change of log10 M by each part of the cutout [dex], on the grid of the patches.

        Raises
        ------
        InvalidInputError
            A cluster cannot be weighed, or an option makes no sense.
        CardMismatchError
            The cutouts are not what the networks were trained on.
        """
        flag = self._missing(sample)
        if bad := np.count_nonzero(flag):
            raise InvalidInputError(
                f"{bad} of {len(sample)} clusters cannot be weighed "
                f"({MassFlag.describe(np.bitwise_or.reduce(flag))}): leave them out."
            )
        networks, setup = self._networks(), self._setup(sample.cutouts)
        depth = np.broadcast_to(depth_factors(self.depth, setup, sample), len(sample))

        def log10_mass(maps, rows):
            found = networks.log_density(
                maps,
                sample.redshift[rows],
                noise=setup.noise,
                depth=depth[rows],
                batch_size=self.batch_size,
            )
            return networks.mean_log10_mass(found)

        return occlusion_map(log10_mass, sample.cutouts, **options)

    def _weigh(self, sample):
        posterior = self.predict_posterior(sample)
        grid = posterior.log10_mass
        mass = np.trapezoid(posterior.density * 10**grid, grid, axis=1)
        low, high = (end.value for end in posterior.interval(_ONE_SIGMA))
        return MassEstimates(
            mass, np.maximum(mass - low, 0), np.maximum(high - mass, 0), posterior.flag
        )

    def _extra_meta(self, sample):
        card = self._networks().card
        return {
            "references": list(card.references),
            "model_card": card.name,
            "model_card_digest": card.digest,
            "model_card_notes": list(card.check_cutouts(sample.cutouts)),
            "prior": self.prior if isinstance(self.prior, str) else repr(self.prior),
            "cosmology": card.training["cosmology"],
            **self._setup(sample.cutouts).meta,
            "estimate": "mean of M; errors reach to the 16 and 84 % quantiles",
        }
