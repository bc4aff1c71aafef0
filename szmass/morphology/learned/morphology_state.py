"""Dynamical states from morphology: the estimator of fits to mocks."""

from dataclasses import dataclass

import numpy as np

from szmass.morphology.learned.map_states import Learned, MapState
from szmass.morphology.learned.state_fits import StateFits
from szmass.morphology.state_estimators import STATE_ESTIMATORS
from szmass.morphology.state_measurement import measure_for_states

__all__ = ["MorphologyState"]


@dataclass(kw_only=True, eq=False, repr=False)
class MorphologyState(MapState):
    """Dynamical states by the morphology of y-maps and X-ray images, from fits to mock clusters.

    Parameters
    ----------
    definition, mass, one_minus_b, cosmology, noise, depth : optional
        What is told, masses, and noise, as in `MapState` and `CNNState`.
    fits : str or path-like or StateFits, optional
        "planck" or "resolved", of the maps that networks of these names are of (`CNNState`), the
        card of others, or `StateFits`. X-rays are the field ``"xray"`` of the sample, counts in
        pixels; without them the y-map is looked at alone.
    workers : int, optional
        Number of processes.

    Notes
    -----
    The states are those of simulated clusters that are seen as the data are; the card of the fits
    says how, and how well they do on clusters that were not fitted. A band whose signal in R500 is
    below its noise is left out (``LOW_SNR``); where nothing is left, the result is the prior of the
    mocks at that mass and redshift (``PRIOR``).

    Examples
    --------
    >>> from szmass.morphology import MorphologyState
    >>> from szmass.simulations import draw_flat, simulate
    >>> mocks = simulate(draw_flat(2, seed=1), "planck-total", cosmology="PSZ2", seed=1)
    >>> table = MorphologyState(mass="mass_true", one_minus_b=1.0).predict(mocks)
    >>> table.colnames[2:6]
    ['log_chi', 'log_chi_errn', 'log_chi_errp', 'p_relaxed']
    """

    tag = "morphology"
    description = "regression of the dynamical state on morphology in y and X-rays"

    fits: object = "planck"
    workers: int = 1

    def _learned(self):
        card = self._loaded().card
        names = ("name", "shape", "pixel_arcmin", "beam_arcmin", "bands", "training", "metrics")
        return Learned("fits", *(card[name] for name in names))

    def _loaded(self):
        return self.fits if isinstance(self.fits, StateFits) else StateFits.read(self.fits)

    def _told(self, sample, mass, levels, **options):
        fits = self._loaded()
        measured = measure_for_states(
            sample, mass, preset=fits.card["preset"], center=fits.card["center"],
            workers=self.workers, **options,
        )  # fmt: skip
        found, *others = fits.predict(measured, self.definition, levels)
        return np.log10(found), *others


STATE_ESTIMATORS.add(MorphologyState.tag, MorphologyState)
