"""Masses and posteriors from the networks that ship with szmass, or that a user has trained."""

from dataclasses import dataclass

import numpy as np

from szmass._moved import moved_name
from szmass.estimators._catalogue_errors import (
    centring_errors,
    over_redshifts,
    redshift_errors,
)
from szmass.estimators.core import MassEstimator, register_estimator
from szmass.estimators.filters._likelihoods import Reduced, marginal_log_likelihood
from szmass.estimators.filters._setup import MatchedFilters, NeedsDepth, depth_factors
from szmass.estimators.filters._templates import SIZES
from szmass.estimators.priors import estimates_under, mass_grid, prior_meta, redshifts_under
from szmass.exceptions import InvalidInputError
from szmass.networks.amplitude import AmplitudeNetworks
from szmass.networks.density import DensityNetworks
from szmass.networks.saliency import occlusion_map
from szmass.networks.shipped import load_networks
from szmass.physics.cosmology import get_cosmology
from szmass.physics.curves import mass_curve
from szmass.physics.scaling import get_scaling_relation
from szmass.results import MassFlag, MassScale

__all__ = ["CNNMass"]


def __getattr__(name):
    if name == "DeAndres2022":
        return moved_name(__name__, "szmass.estimators", name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# Redshifts are above the lower end of a bin.
_ABOVE = 1e-4

# Relation along which signals belong to masses, and its scatter.
_RELATION = "planck2015"


class NetworkMass(MassEstimator):
    """What estimators by networks have in common: a model card, which says what may be weighed."""

    requires = frozenset({"redshift", "complete_cutout"})
    kind = "network"
    errors_hold = ("noise", "scatter", "centring")
    references = ("2022NatAs...6.1325D",)

    def __getstate__(self):
        # Copies and other processes load the networks themselves.
        return self.__dict__ | {"_loaded": None}

    def _card(self):
        """Model card of the networks."""
        return self._of_masses(self._networks().card)

    def _of_masses(self, card):
        """A card whose networks give masses of the definition that the estimator gives."""
        if card.mass_definition != self.mass_definition:
            raise InvalidInputError(
                f"The networks in 'weights' ({str(self.weights)!r}) give masses of "
                f"{card.mass_definition!r}; this estimator gives {self.mass_definition!r}."
            )
        return card

    def _missing(self, sample):
        card, flag = self._card(), super()._missing(sample)
        card.check_cutouts(sample.cutouts)
        known = np.isfinite(sample.redshift)
        flag[known & (card.redshift_bin(sample.redshift) < 0)] |= MassFlag.REDSHIFT_OUT_OF_RANGE
        return flag

    def _one_minus_b(self, default):
        """The 1-b of the clusters that the networks were trained on, where the card has it."""
        data = self._card().training.get("data")
        model = data.get("model") if isinstance(data, dict) else None
        return model.get("one_minus_b", default) if isinstance(model, dict) else default

    def _extra_meta(self, sample):
        card = self._card()
        simulation = card.training.get("simulation")
        scale = "unknown" if simulation is None else f"true (simulation {simulation})"
        scale = self._one_minus_b(scale)
        return {
            "mass_scale": MassScale(scale).value,
            "software": sorted({*self.software, *card.software}),
            "model_card": card.name,
            "model_card_digest": card.digest,
            "model_card_notes": list(card.check_cutouts(sample.cutouts)),
        }


@register_estimator
@dataclass(kw_only=True, eq=False, repr=False)
class CNNMass(NeedsDepth, NetworkMass):
    """Posterior of log M from networks that look at the cutout, and are told what is known of it.

    An ensemble of convolutional networks gives the amplitude of the signal in units of its noise.
    It is told redshift, noise spectrum, depth, how pixels hold the sky, and position error. The
    likelihood of the amplitude is written down: Gaussian noise, and a lognormal scatter of Y500 at
    given mass, which is told. So the prior can be exchanged.

    Parameters
    ----------
    weights : path-like, `~szmass.networks.AmplitudeNetworks` or `~szmass.networks.DensityNetworks`
        Folder that `szmass.networks.train`, or the command ``szmass train``, wrote, or the networks
        themselves; by default those that ship.
    noise : `~szmass.maps.NoiseModel` or {"planck"}, optional
        Noise of the map, of its beam; "planck" is ``NoiseModel.planck()``. By
        default that of the map that the cutouts are from; if that is not known, it must be said.
    depth : float or str, optional
        Factor of the noise amplitude, as in `MatchedFilterMass`. The networks need it: errors, and
        with them masses of faint clusters, follow from it.
    prior : {"flat", "tinker08"} or callable, optional
        "flat" in log M between the ends of the grid; "tinker08" is `MassFunctionPrior` in the
        cosmology of the training, from the mass on whose expected S/N is 1.5, since far more haloes
        are lighter and unseen; or a function of arrays ``(log10_mass, redshift)`` that gives a
        density in log10 M.
    sigma_lny : float, optional
        Intrinsic scatter of ln Y500 at given mass; that of Planck 2015, 0.173, by default, as for
        the other estimators. The mocks of the training have 0.10.
    centring : `~astropy.units.Quantity`, optional
        Standard deviation per axis of the cluster's distance from the middle, as in
        `LikelihoodMass`. Cutouts of nearest pixels displace clusters by up to half of one; that is
        added.
    log10_mass : array-like, optional
        Grid of the posterior, between 12 and 17; by default that of the networks, whose training
        goes on beyond both of its ends. Under a mass function take one from 13 where lighter haloes
        may be in the sample: a few per cent of detections near the limit are such that noise has
        lifted. With `~szmass.networks.DensityNetworks` there is no choice.
    batch_size : int, optional
        Number of cutouts that are made ready for the networks at once, in memory; it changes no
        masses.

    Notes
    -----
    Masses are true M500c, on the scale of the simulations: with the networks that ship that of
    1-b = 0.8, which is in no way measured by them. A mass is the median of its posterior; errors
    reach to the 16 % and 84 % quantiles. The mean of M, with which relative errors
    (M - M_true) / M vanish on average at any predicted mass, is
    `LogMassPosterior.mean_mass <szmass.results.LogMassPosterior.mean_mass>`, or a column of
    `estimate_masses` with ``mean=True``.

    Profiles, shapes and substructure scatter the signal further, and of the scatter of Y500 only a
    part is found where clusters are extended, as ``AmplitudeNetworks.response`` says of own mocks.

    Where the sample has ``redshift_err``, a standard error, the likelihood is averaged over a
    normal distribution of redshifts about the catalogue's; 0, negative and unknown ones count as
    exact.

    With `~szmass.networks.DensityNetworks`, which shipped before, the maximum of the density says
    how strong the signal is. Their training holds position errors of about an arcmin, and what is
    told of positions is not looked at.

    Flags: ``EXTRAPOLATED`` for a posterior that an end of the prior cuts off, ``OUT_OF_DOMAIN`` for
    a cutout unlike those of the training, or noise or a position error beyond those of the
    training; ``IMPLAUSIBLE`` for a signal that no cluster has, which gives no mass;
    ``REDSHIFT_OUT_OF_RANGE``.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.estimators import CNNMass
    >>> from szmass.simulations import from_masses, simulate
    >>> clusters = from_masses([8e14] * u.solMass, 0.12, names=["Mock"])
    >>> sample = simulate(clusters, "planck-total", cosmology="PSZ2", seed=5)
    >>> table = CNNMass().predict(sample)
    >>> print(f"{table['mass'][0]:.2g}, on the scale {table.meta['mass_scale']}")
    9e+14 solMass, on the scale 0.8
    """

    tag = "cnn"
    description = "posterior from networks that look at Compton-y cutouts"
    point_estimate = "median of the posterior"
    gives_posterior = True
    at_a_time = 1024

    weights: object = None
    noise: object = None
    depth: object = None
    prior: object = "flat"
    sigma_lny: float | None = None
    centring: object = None
    log10_mass: object = None
    batch_size: int = 256
    _loaded = None

    def _networks(self):
        if isinstance(self.weights, AmplitudeNetworks | DensityNetworks):
            return self.weights
        if self._loaded is None or self._loaded[0] != self.weights:
            self._loaded = (self.weights, load_networks(self.weights))
        return self._loaded[1]

    def _grid(self):
        networks = self._networks()
        if self.log10_mass is not None and isinstance(networks, DensityNetworks):
            raise InvalidInputError(
                "'log10_mass' must be left out: the networks in 'weights' give densities, and know "
                "no masses beyond their own grid. Networks that give amplitudes take any."
            )
        return mass_grid(self.log10_mass, networks.log10_mass)

    def _cosmology(self):
        name = self._card().training.get("cosmology")
        if not isinstance(name, str):
            raise InvalidInputError(
                "'training' of the model card must have the name of its 'cosmology'. "
                f"Received: {name!r}"
            )
        return name

    @property
    def redshift_range(self):
        """Lowest and highest redshift that may be weighed under the prior."""
        return redshifts_under(self.prior, super().redshift_range)

    def _setup(self, stack):
        return MatchedFilters(stack, self.noise, "arnaud2010", None)

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
        self._check_weighable(sample)
        networks, setup = self._networks(), self._setup(sample.cutouts)
        known = self._known(setup, sample)

        def log10_mass(maps, rows):
            found = self._found(maps, sample.redshift[rows], rows, known)
            if isinstance(networks, DensityNetworks):
                return networks.mean_log10_mass(found)
            slope, *_ = networks.response(sample.redshift[rows])
            curve = self._curve(self._grid(), sample.redshift[rows])
            expected = slope[:, np.newaxis] * setup.expected_snr(*curve, known["depth"][rows])
            return np.array(
                [np.interp(a, row, self._grid()) for a, row in zip(found, expected, strict=True)]
            )

        return occlusion_map(log10_mass, sample.cutouts, **options)

    def log_likelihood(self, sample):
        """Give ln L of what the networks find, on the grid of masses.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            N clusters that can all be weighed.

        Returns
        -------
        log10_mass : `~numpy.ndarray`
            The grid.
        log_likelihood : `~numpy.ndarray`
            Shape (N, nodes), each up to a constant.

        Raises
        ------
        InvalidInputError, CardMismatchError
            As from `saliency`.
        """
        self._check_weighable(sample)
        known = self._known(self._setup(sample.cutouts), sample)
        return self._grid(), self._log_likelihood(sample, known)[0]

    def _check_weighable(self, sample):
        flag = self._missing(sample)
        if bad := np.count_nonzero(flag):
            raise InvalidInputError(
                f"{bad} of {len(sample)} clusters cannot be weighed "
                f"({MassFlag.describe(np.bitwise_or.reduce(flag))}): leave them out."
            )

    def _known(self, setup, sample):
        """What networks are told of clusters, by the names of their arguments; all (N,) or one."""
        n = len(sample)
        return {
            "noise": setup.noise,
            "sampling": setup.sampling,
            "depth": np.broadcast_to(depth_factors(self.depth, setup, sample), n),
            "centring": np.hypot(centring_errors(self.centring, sample), setup.displacement),
        }

    def _found(self, data, redshift, rows, known):
        """What the networks find in cutouts of some rows: amplitudes (n,) or densities."""
        networks = self._networks()
        told = known | {name: known[name][rows] for name in ("depth", "centring")}
        if isinstance(networks, DensityNetworks):
            del told["centring"]
            return networks.log_density(data, redshift, **told, batch_size=self.batch_size)
        return networks.amplitude(data, redshift, **told, batch_size=self.batch_size)

    def _signal(self, setup, found, redshift, depth, centring):
        """What was found, in units of its noise, how deep that is, and its scatter, all (n,)."""
        networks = self._networks()
        if isinstance(networks, DensityNetworks):
            curve = self._curve(networks.mode(found)[:, np.newaxis], redshift)
            found = setup.expected_snr(*curve, depth)[:, 0]
        slope, noise, shapes, share = networks.response(redshift, centring)
        sigma_lny = get_scaling_relation(_RELATION).scatter(self.sigma_lny)
        return found / noise, depth * noise / slope, np.hypot(share * sigma_lny, shapes)

    def _log_likelihood(self, sample, known):
        """ln L (N, nodes), and what the networks find at the redshifts of the sample."""
        networks, setup = self._networks(), self._setup(sample.cutouts)
        data, grid = sample.cutouts.data, self._grid()
        root = setup.log_root[..., np.newaxis]
        bins, central = networks.card.redshift_bins, {}
        limits = bins[0][0] + _ABOVE, bins[-1][1]

        def at_redshift(redshift, rows):
            found = self._found(data[rows], redshift, rows, known)
            # Those of the catalogue may be nearer to the ends than redshifts with errors go.
            same = np.equal(*np.clip([redshift, sample.redshift[rows]], *limits))
            central.update(zip(rows[same], found[same], strict=True))
            told = known["depth"][rows], known["centring"][rows]
            snr, depth, scatter = self._signal(setup, found, redshift, *told)
            # Filters of all sizes would find the same.
            snrs = np.repeat(snr[:, np.newaxis], len(SIZES), axis=1)[..., np.newaxis]
            log_l = marginal_log_likelihood(
                Reduced(snrs, root, depth), *self._curve(grid, redshift), scatter
            )
            # Of the signal found, and not relative to none: networks do not weigh redshifts.
            return log_l - 0.5 * snr[:, np.newaxis] ** 2

        log_l = over_redshifts(at_redshift, sample.redshift, redshift_errors(sample), limits)
        return log_l, np.array([central[row] for row in range(len(sample))])

    def _weigh(self, sample):
        networks, setup = self._networks(), self._setup(sample.cutouts)
        grid, known = self._grid(), self._known(setup, sample)
        log_l, central = self._log_likelihood(sample, known)
        expected = setup.expected_snr(*self._curve(grid, sample.redshift), known["depth"])
        found = estimates_under(self.prior, self._cosmology(), grid, log_l, sample, expected)
        found.flag[np.isnan(log_l).any(axis=1)] |= MassFlag.IMPLAUSIBLE
        del known["centring"]
        if networks.domain is not None:
            score = networks.domain_score(sample.cutouts.data, sample.redshift, central, **known)
            # What has no score is not in domain either.
            found.flag[~(score <= networks.domain.threshold)] |= MassFlag.OUT_OF_DOMAIN
        if isinstance(networks, AmplitudeNetworks):
            centring = centring_errors(self.centring, sample)
            beyond = networks.beyond(sample.redshift, centring=centring, **known)
            found.flag[beyond] |= MassFlag.OUT_OF_DOMAIN
        return found

    def _curve(self, log10_mass, redshift):
        cosmology = get_cosmology(self._cosmology())
        return mass_curve(log10_mass, redshift, _RELATION, self._one_minus_b(1.0), cosmology)

    def _extra_meta(self, sample):
        card = self._card()
        told = {
            "noise": True,
            "scatter": True,
            "profile": True,
            # The training of density networks holds position errors.
            "centring": isinstance(self._networks(), DensityNetworks)
            or np.any(centring_errors(self.centring, sample) > 0),
            "redshift": np.any(redshift_errors(sample) > 0),
        }
        return super()._extra_meta(sample) | {
            "errors_hold": [what for what, inside in told.items() if inside],
            "references": list(card.references),
            **prior_meta(self.prior),
            "relation": _RELATION,
            "sigma_lny": get_scaling_relation(_RELATION).scatter(self.sigma_lny),
            "cosmology": self._cosmology(),
            **self._setup(sample.cutouts).meta,
        }
