"""Dynamical states from morphology: the estimator of fits to mocks."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from scipy.special import ndtr

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.maps.noise import get_noise_model
from szmass.morphology.state_estimators import STATE_ESTIMATORS, StateEstimates, StateEstimator
from szmass.morphology.state_fits import StateFits
from szmass.morphology.state_measurement import measure_for_states
from szmass.physics import get_cosmology
from szmass.physics.checks import check_one_minus_b

__all__ = ["MorphologyState"]


@dataclass(kw_only=True, eq=False, repr=False)
class MorphologyState(StateEstimator):
    """Dynamical states by the morphology of y-maps and X-ray images, from fits to mock clusters.

    Parameters
    ----------
    fits : str or path-like or StateFits, optional
        "planck" for y-maps behind 10 arcmin, "resolved" for y-maps behind 20 arcsec and X-ray
        counts, the card of others, or `StateFits`. X-rays are the field ``"xray"`` of the sample,
        counts in pixels; without them the y-map is looked at alone.
    definition : str, optional
        Definition of the state: one that the fits have, "deluca2021" or "cui2018".
    mass : str, optional
        Column of the masses M500c that R500 is computed from.
    one_minus_b : float, optional
        Ratio 1-b of these masses to the true ones: R500 is that of the mass over it. Masses such
        as MSZ of PSZ2 have about 0.8.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        For R500.
    noise : `~szmass.maps.NoiseModel` or {"planck"}, optional
        Noise of the y-map; by default that of the map that the cutouts are from.
    depth : float or str, optional
        Factor of the noise amplitude: a number, or the name of a column. By default that of the
        model where it is known by position, else 1.
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
    >>> import astropy.units as u
    >>> from szmass.morphology import MorphologyState
    >>> from szmass.maps import NoiseModel
    >>> from szmass.simulations import Observation, from_masses, simulate
    >>> sample = from_masses([8e14, 3e14] * u.solMass, [0.05, 0.4], seed=1)
    >>> planck = Observation(name="planck", noise=NoiseModel.planck())
    >>> mocks = simulate(sample, planck, model="a10-the300", cosmology="PSZ2", seed=1)
    >>> table = MorphologyState(mass="mass_true", one_minus_b=1.0).predict(mocks)
    >>> table.colnames[2:6]
    ['log_chi', 'log_chi_errn', 'log_chi_errp', 'p_relaxed']
    """

    tag = "morphology"
    description = "regression of the dynamical state on morphology in y and X-rays"
    references = ("2018MNRAS.480.2898C",)  # whose clusters the states of the mocks are of

    fits: object = "planck"
    definition: str = "deluca2021"
    mass: str = "msz"
    one_minus_b: float = 0.8
    cosmology: object = "PSZ2"
    noise: object = None
    depth: object = None
    workers: int = 1

    @property
    def geometry(self):
        """The grid of the mocks that were fitted."""
        card = self._loaded().card
        return CutoutGeometry(tuple(card["shape"]), card["pixel_arcmin"] * u.arcmin)

    @property
    def needs(self):
        """A redshift, cutouts, and the column of masses."""
        return frozenset({"redshift", "cutout", self.mass})

    def _loaded(self):
        return self.fits if isinstance(self.fits, StateFits) else StateFits.read(self.fits)

    def _noise(self, sample):
        stack = sample.cutouts
        return stack.noise if self.noise is None else get_noise_model(self.noise)

    def _extra_meta(self, sample):
        card, noise = self._loaded().card, self._noise(sample)
        return {
            "fits": card["name"],
            "trained_on": dict(card["training"]),
            "metrics": {
                name: dict(found["all"])
                for name, found in card["metrics"].items()
                if name == self.definition
            },
            "prior": "mocks of the training at the mass and redshift of the cluster",
            "bands": list(card["bands"]),
            "xray": "xray" in sample.fields,
            "noise": None if noise is None else str(noise.meta.get("source", "user")),
            "noise_rms": None if noise is None else float(noise.rms()),
            "mass_column": self.mass,
            "one_minus_b": check_one_minus_b(self.one_minus_b, one=True),
            "cosmology": str(get_cosmology(self.cosmology).name or self.cosmology),
        }

    def _tell(self, sample):
        fits = self._loaded()
        fits.check(sample.cutouts)
        xrays = sample.fields.get("xray") if "X" in fits.card["bands"] else None
        if getattr(xrays, "beam", None) is not None:
            fits.check(xrays)
        depth = sample.quantity(self.depth).value if isinstance(self.depth, str) else self.depth
        if depth is not None:
            depth = as_floats(depth, "", "depth", positive=True, finite=True)
        mass = sample.quantity(self.mass)
        if not mass.unit.is_equivalent(u.solMass):
            raise InvalidInputError(
                f"'mass' must be a column of masses. Received: {self.mass!r}, in {mass.unit}"
            )
        measured = measure_for_states(
            sample,
            mass / check_one_minus_b(self.one_minus_b, one=True),
            cosmology=self.cosmology,
            noise=self._noise(sample),
            depth=depth,
            bands=fits.card["bands"],
            preset=fits.card["preset"],
            center=fits.card["center"],
            workers=self.workers,
        )
        found, p_relaxed, p_prior, flag = fits.predict(
            measured, self.definition, ndtr([-1.0, 0.0, 1.0])
        )
        low, middle, high = np.log10(found).T
        return StateEstimates(middle, middle - low, high - middle, p_relaxed, p_prior, flag)


STATE_ESTIMATORS.add(MorphologyState.tag, MorphologyState)
