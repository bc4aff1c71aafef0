"""Dynamical states by convolutional networks: the estimator, and how its networks are trained."""

import functools
import importlib.resources
from dataclasses import dataclass

import numpy as np

from szmass._utils.kinds import as_path
from szmass.exceptions import FileFormatError, InvalidInputError, UnknownNameError
from szmass.morphology.flags import StateFlag
from szmass.morphology.learned._mocks import DEFINITIONS, Mocks, joined
from szmass.morphology.learned._prior import (
    BEFORE,
    fit_priors,
    priors_as_arrays,
    priors_of_arrays,
    told_before,
)
from szmass.morphology.learned.map_states import Learned, MapState
from szmass.morphology.state_estimators import STATE_ESTIMATORS
from szmass.morphology.state_images import see_for_states
from szmass.networks import StateExamples, StateNetworks, fit_state_networks, load_networks
from szmass.physics import get_dynamical_state

__all__ = ["CNNState", "train_state_networks"]

_SHIPPED = importlib.resources.files("szmass") / "data" / "states"
_NAMES = ("planck", "resolved")


@dataclass(kw_only=True, eq=False, repr=False)
class CNNState(MapState):
    """Dynamical states by convolutional networks that see y-maps and X-ray images.

    Parameters
    ----------
    definition, mass, one_minus_b, cosmology, noise, depth : optional
        Definition of the state, masses, and noise, as in `MapState`.
    networks : str or path-like or StateNetworks, optional
        "planck" for y-maps behind 10 arcmin, "resolved" for y-maps behind 20 arcsec and X-ray
        counts, the folder of others, or `~szmass.networks.StateNetworks`. X-rays are the field
        ``"xray"`` of the sample, counts in pixels; without them the y-map is looked at alone.

    Notes
    -----
    The networks see what `see_for_states` makes of the images, and are told mass, redshift, beam
    and signal-to-noise ratios. Their densities are those of simulated clusters that are seen as the
    data are; the card says how well they do on clusters that no training has seen. A band whose
    signal in R500 is below its noise is left out (``LOW_SNR``); where nothing is left, the result
    is the prior of the mocks at that mass and redshift (``PRIOR``).

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.morphology import CNNState
    >>> from szmass.maps import NoiseModel
    >>> from szmass.simulations import Observation, from_masses, simulate
    >>> sample = from_masses([8e14, 3e14] * u.solMass, [0.05, 0.4], seed=1)
    >>> planck = Observation(name="planck", noise=NoiseModel.planck())
    >>> mocks = simulate(sample, planck, model="a10-the300", cosmology="PSZ2", seed=1)
    >>> table = CNNState(mass="mass_true", one_minus_b=1.0).predict(mocks)
    >>> table["method"].tolist()
    ['cnn', 'cnn']
    """

    tag = "cnn"
    description = "convolutional networks of the dynamical state on y-maps and X-ray images"

    networks: object = "planck"

    def _loaded(self):
        if isinstance(self.networks, StateNetworks):
            return self.networks
        return _load(self.networks)

    def _learned(self):
        networks = self._loaded()
        card = networks.card
        return Learned(
            "networks",
            card.name,
            card.shape,
            card.pixel_scale_arcmin,
            card.beam_fwhm_arcmin,
            networks.bands,
            card.training,
            card.metrics,
        )

    def _told(self, sample, mass, levels, **options):
        networks = self._loaded()
        images = see_for_states(sample, mass, **options)
        quantiles, p_prior, flag = told_before(
            f"networks {networks.card.name!r}", _priors(networks), _ranges(networks),
            images.table, self.definition, levels,
        )  # fmt: skip
        quantiles, p_relaxed = np.log10(quantiles), p_prior.copy()
        flag |= images.flag
        seen = images.told.any(axis=1)
        if seen.any():
            context = images.context[seen]
            found = networks.log_density(images.planes[seen], context, self.definition)
            limit = np.log10(get_dynamical_state(self.definition).limit)
            quantiles[seen] = networks.quantiles(found, self.definition, levels)
            p_relaxed[seen] = 1 - networks.below(found, self.definition, limit)
            flag[np.flatnonzero(seen)[networks.beyond(context)]] |= StateFlag.EXTRAPOLATED
        return quantiles, p_relaxed, p_prior, flag


STATE_ESTIMATORS.add(CNNState.tag, CNNState)


def _load(networks):
    """Networks that ship under a name, or of a folder."""
    if isinstance(networks, str) and networks in _NAMES:
        return _shipped(networks)
    folder = as_path(networks, "networks")
    if not folder.exists():
        raise UnknownNameError(
            f"No networks of states are named {str(networks)!r}, and there is no such folder. "
            f"Known: {', '.join(_NAMES)}."
        )
    found = load_networks(folder)
    if not isinstance(found, StateNetworks):
        raise FileFormatError(f"The networks {found.card.name!r} are not those of states.")
    _priors(found)
    return found


@functools.cache
def _shipped(name):
    with importlib.resources.as_file(_SHIPPED / f"cnn-{name}") as folder:
        return load_networks(folder)


def _priors(networks):
    """Priors beside networks, which must have one of each definition."""
    try:
        return priors_of_arrays(networks.prior, networks.definitions)
    except (LookupError, TypeError, ValueError) as err:
        raise FileFormatError(
            f"The networks {networks.card.name!r} have no prior of states: {err}"
        ) from err


def _ranges(networks):
    return networks.card.log10_mass_range, networks.card.redshift_bins[0]


def train_state_networks(
    samples,
    folder,
    *,
    name,
    cosmology,
    bands=("y", "X"),
    mass="mass_true",
    mass_scatter=0.06,
    depth=None,
    definitions=DEFINITIONS,
    seed=0,
    about=None,
    workers=1,
    **options,
):
    """Train networks of the state on mock clusters.

    Parameters
    ----------
    samples : iterable of `~szmass.clusters.ClusterSample` or callable
        As for `StateFits.train`: mocks of noise and exposures as wide as those of the data.
    folder : path-like
        Where ``card.json`` and ``model.npz`` go; before that a folder per network with its
        check-point and log.
    name : str
        Name of the networks.
    cosmology : str or `~astropy.cosmology.FLRW`
        For R500.
    bands : sequence of str, optional
        "y", or both "y" and "X".
    mass, mass_scatter, depth, definitions : optional
        As for `StateFits.train`.
    seed : int, optional
        Seed of everything that is drawn but the mocks.
    about, workers : optional
        As for `StateFits.train`.
    **options : dict
        Options of `~szmass.networks.fit_state_networks`, such as ``epochs``.

    Returns
    -------
    StateNetworks
        The networks, as `~szmass.networks.load_networks` reads them from the folder.

    Raises
    ------
    InvalidInputError
        A sample lacks what is needed, there are too few, an option is out of range, or the folder
        holds something.
    MissingDependencyError
        Keras or its backend is not installed.
    """
    if list(bands) not in (["y"], ["y", "X"]):
        raise InvalidInputError(f"'bands' must be ['y'] or ['y', 'X']. Received: {bands!r}")
    job = Mocks(
        see_for_states, mass, mass_scatter, depth, tuple(definitions), seed,
        {"cosmology": cosmology, "bands": list(bands)},
    )  # fmt: skip
    found, truth, (beam, geometry) = job.look_at(samples, workers)
    table = joined([one.table for one in found])
    planes, context, told = (
        np.concatenate([getattr(one, key) for one in found])
        for key in ("planes", "context", "told")
    )
    logs = {definition: np.log10(numbers) for definition, numbers in truth.items()}
    ranges = {key: (float(table[key].min()), float(table[key].max())) for key in BEFORE}
    about = {
        "mass_scatter_dex": float(mass_scatter), "cosmology": str(cosmology), **(about or {}),
    }  # fmt: skip
    return fit_state_networks(
        StateExamples(planes, context, told, logs)[told.any(axis=1)],
        folder,
        name=name,
        bands=bands,
        geometry=geometry,
        beam=beam,
        prior=priors_as_arrays(fit_priors(table, truth)),
        about=about,
        seed=seed,
        **ranges,
        **options,
    )
