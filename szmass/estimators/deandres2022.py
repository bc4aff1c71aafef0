"""Masses from the networks of de Andres et al. (2022), published or trained by their protocol."""

from dataclasses import dataclass

import numpy as np

from szmass._utils.kinds import as_path
from szmass.estimators.cnn import NetworkMass
from szmass.estimators.core import register_estimator
from szmass.networks.binned import CARD, card_in, load_binned
from szmass.networks.published import load_published, published_card
from szmass.results import MassEstimates, MassFlag

__all__ = ["DeAndres2022"]


@register_estimator
@dataclass(kw_only=True, eq=False, repr=False)
class DeAndres2022(NetworkMass):
    """Masses from the networks that de Andres et al. (2022) trained and released, or from your own.

    Each of the redshift bins (0, 0.1], (0.1, 0.2], (0.2, 0.4] and (0.4, 1] has its network.
    Clusters outside them, and cutouts with missing pixels, are flagged and not weighed.

    Parameters
    ----------
    weights : path-like, optional
        Folder with the published files ``bestmodel-1.h5`` to ``bestmodel-4.h5``. Without it they
        are downloaded once and kept in the cache folder. Or the folder in which
        `~szmass.networks.train_selection` left networks of the same architecture with their model
        card, which then says for what redshifts, cutouts and masses they are.
    batch_size : int, optional
        Number of cutouts that are made ready for a network at once, in memory; it changes no
        masses.

    Notes
    -----
    The masses are true M500c as the networks learned it on hydrodynamic simulations; no
    hydrostatic bias enters. The errors are those of the published catalogue: the 68 % range of
    the true mass of simulated clusters at the same predicted mass. They depend on the
    predicted mass alone, not on the cutout. A mass beyond the published ones has no error
    (``NO_ERROR``); one beyond the masses of the training is flagged ``EXTRAPOLATED``.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325 (2022NatAs...6.1325D).

    Examples
    --------
    >>> from szmass.estimators import DeAndres2022
    >>> estimator = DeAndres2022()
    >>> table = estimator.predict(sample)  # doctest: +SKIP
    >>> sorted(estimator.needs)
    ['complete_cutout', 'redshift']
    """

    tag = "cnn-deandres2022"
    description = "published networks of de Andres et al. (2022) on Compton-y cutouts"
    errors_hold = ("noise", "scatter")
    point_estimate = "output of the network"
    downloads = True

    weights: object = None
    batch_size: int = 128
    _loaded = None

    def _weigh(self, sample):
        networks = self._networks()
        log10_mass = networks.log10_mass(
            sample.cutouts.data, sample.redshift, batch_size=self.batch_size
        )
        low, high = networks.card.log10_mass_range
        err_minus = err_plus = np.full(len(log10_mass), np.nan)
        if networks.card.error_table is not None:
            err_minus, err_plus = networks.card.error_table.at(log10_mass)
        flag = np.where(np.isnan(err_minus), MassFlag.NO_ERROR, 0)
        flag |= np.where((log10_mass < low) | (log10_mass > high), MassFlag.EXTRAPOLATED, 0)
        with np.errstate(over="ignore", under="ignore"):
            mass = 10.0**log10_mass
        # A map in other units than y sends the networks to where no number follows.
        mass[~np.isfinite(mass) | (mass == 0)] = np.nan
        return MassEstimates(mass, mass * (1 - 10.0**-err_minus), mass * (10.0**err_plus - 1), flag)

    def _own(self):
        """Tell whether the weights are of the user's own training."""
        return (
            self.weights is not None
            and (as_path(self.weights, "weights").expanduser() / CARD).is_file()
        )

    def _card(self):
        """Give the model card without loading the networks."""
        if not self._own():
            return published_card()
        return self._of_masses(card_in(self.weights))

    def _networks(self):
        # The card tells when there are other networks in the same folder.
        which = self.weights, self._card().digest
        if self._loaded is None or self._loaded[0] != which:
            load = load_binned if self._own() else load_published
            self._loaded = (which, load(self.weights))
        return self._loaded[1]

    def _extra_meta(self, sample):
        about = "68 % range of simulated true masses at the predicted mass"
        return super()._extra_meta(sample) | {"error_definition": about}
