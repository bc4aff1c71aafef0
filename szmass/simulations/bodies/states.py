"""Dynamical states of simulated clusters, drawn with the distribution that a simulation has."""

import importlib.resources
import json
from dataclasses import dataclass, field

import numpy as np
from astropy import units as u
from astropy.table import QTable
from scipy.special import expit, logit, ndtri

from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass._utils.seeds import check_seed, uniforms
from szmass.exceptions import InvalidInputError
from szmass.physics.checks import broadcast, check_mass, check_redshift
from szmass.physics.states import is_relaxed
from szmass.simulations.population import mass_columns

__all__ = ["STATE_MODELS", "StateModel", "draw_states", "get_state_model"]

#: Models known by name; the entry-point group ``szmass.state_models`` adds to them.
STATE_MODELS = Registry("state model", "szmass.state_models")

#: What is drawn jointly, the scale on which it is tabulated, and the way back.
QUANTITIES = {
    "delta_r": (np.log, np.exp),
    "f_s": (logit, expit),
    "eta": (np.log, np.exp),
    "m500_m200": (logit, expit),
    "half_mass_scale": (logit, expit),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class StateModel:
    """Distribution of dynamical states at given M500c and redshift.

    Each quantity has quantiles that are linear in redshift between nodes and move with log M, on
    a logarithmic or logistic scale. A Gaussian copula joins them, with correlations that are linear
    in redshift as well. Scatter may grow with the disturbance d, the normalised sum of the scores
    of Delta_r and f_s: distances from the median have the factor exp(g d). The concentration
    follows from M500/M200 with a scatter. Beyond the nodes and masses of the fit the nearest of
    them is taken.

    Parameters
    ----------
    name : str
        Name of the model.
    redshift : array-like
        The Z nodes, rising.
    log_mass : array-like
        Lowest, middle and highest log10(M500c/solMass) of the fit at each node, shape (Z, 3).
    scores : array-like
        Quantiles that are tabulated, in standard deviations of a normal distribution; rising.
    quantiles : array-like
        Their values for ln Delta_r, logit f_s, ln eta, logit M500/M200 and logit of the half-mass
        scale over the scale of the cluster, at the middle mass and d = 0; shape (Z, 5, K).
    slopes : array-like
        How they change per dex of mass, shape (Z, 5).
    correlation : array-like
        Of the normal scores of the five, shape (Z, 5, 5).
    spread : array-like
        g of the five, 0 for none; shape (Z, 5).
    concentration : array-like
        Values of logit(M500/M200), rising, and ln c200c there, shape (2, C); constant beyond.
    sigma_ln_concentration : float
        Scatter of ln c200c at given M500/M200.
    references : tuple of str, optional
        Papers to cite.

    Raises
    ------
    InvalidInputError
        A table has another shape, quantiles fall, or a matrix is not one of correlations.

    See Also
    --------
    draw_states : Draws from it.
    """

    name: str
    redshift: object
    log_mass: object = field(repr=False)
    scores: object = field(repr=False)
    quantiles: object = field(repr=False)
    slopes: object = field(repr=False)
    correlation: object = field(repr=False)
    spread: object = field(repr=False)
    concentration: object = field(repr=False)
    sigma_ln_concentration: float = field(repr=False)
    references: tuple = field(default=(), repr=False)

    def __post_init__(self):
        nodes, levels, n = np.size(self.redshift), np.size(self.scores), len(QUANTITIES)
        for name, shape in {
            "redshift": (nodes,),
            "log_mass": (nodes, 3),
            "scores": (levels,),
            "quantiles": (nodes, n, levels),
            "slopes": (nodes, n),
            "correlation": (nodes, n, n),
            "spread": (nodes, n),
            "concentration": (2, np.size(self.concentration) // 2),
            "sigma_ln_concentration": (),
        }.items():
            array = as_floats(getattr(self, name), u.dimensionless_unscaled, name, finite=True)
            self._check(name, array.shape == shape, f"an array of the shape {shape}")
            object.__setattr__(self, name, array)
        for name in ("redshift", "log_mass", "scores", "quantiles"):
            steps = np.diff(getattr(self, name), axis=-1)
            self._check(name, steps.size and np.all(steps > 0), "rising, two values at least")
        matrices = self.correlation
        fine = np.allclose(matrices, np.swapaxes(matrices, 1, 2), rtol=0, atol=1e-12)
        fine = fine and np.allclose(np.diagonal(matrices, axis1=1, axis2=2), 1, rtol=0, atol=1e-12)
        fine = fine and np.linalg.eigvalsh(matrices).min() > 0
        self._check("concentration", np.all(np.diff(self.concentration[0]) > 0), "rising")
        self._check("correlation", fine, "symmetric and positive definite, with a diagonal of 1")
        object.__setattr__(self, "references", tuple(self.references))

    def _check(self, name, fine, expected):
        if not fine:
            raise InvalidInputError(f"'{name}' must be {expected}. Received: {getattr(self, name)}")

    def mass_range(self, redshift):
        """Give the masses of the fit.

        Parameters
        ----------
        redshift : float or array-like
            Redshifts; beyond those of the fit the nearest is taken.

        Returns
        -------
        tuple of `~astropy.units.Quantity`
            Lowest and highest M500c, between which 98 % of the clusters of the fit lie.
        """
        lowest, _, highest = np.moveaxis(self._at(self.log_mass, check_redshift(redshift)), -1, 0)
        return 10**lowest * u.solMass, 10**highest * u.solMass

    def _at(self, table, redshift):
        """Give a table whose first axis is that of the nodes at redshifts."""
        place = np.interp(redshift, self.redshift, np.arange(len(self.redshift)))
        low = np.minimum(place.astype(int), len(self.redshift) - 2)
        weight = (place - low).reshape(place.shape + (1,) * (table.ndim - 1))
        return (1 - weight) * table[low] + weight * table[low + 1]

    def transform(self, uniform, mass, redshift):
        """Turn uniform numbers into states.

        Parameters
        ----------
        uniform : array-like
            In (0, 1), shape (N, 6).
        mass : `~astropy.units.Quantity`
            True M500c.
        redshift : float or array-like
            Redshifts.

        Returns
        -------
        `~astropy.table.QTable`
            The columns of `draw_states` from delta_r on.

        Raises
        ------
        InvalidInputError
            A value is out of range or not known, or shapes do not fit.
        """
        uniform = as_floats(uniform, u.dimensionless_unscaled, "uniform", finite=True)
        if np.any((uniform <= 0) | (uniform >= 1)) or uniform.shape[1:] != (len(QUANTITIES) + 1,):
            raise InvalidInputError(
                f"'uniform' must be between 0 and 1, of the shape (N, {len(QUANTITIES) + 1}). "
                f"Received: shape {uniform.shape}"
            )
        mass, redshift, _ = broadcast(
            mass=check_mass(mass), redshift=check_redshift(redshift), uniform=uniform[:, 0]
        )
        if not np.all(np.isfinite(mass + redshift)):
            raise InvalidInputError("'mass' and 'redshift' must be known for every cluster.")
        log_mass, normal = np.log10(mass), ndtri(uniform)
        lowest, middle, highest = self._at(self.log_mass, redshift).T
        offset = np.clip(log_mass, lowest, highest) - middle
        correlation, spread = self._at(self.correlation, redshift), self._at(self.spread, redshift)
        root = np.linalg.cholesky(correlation)
        quantiles, slopes = self._at(self.quantiles, redshift), self._at(self.slopes, redshift)
        # Sums term by term: their last bits do not depend on the number of rows.
        scores = [
            sum(root[:, i, j] * normal[:, j] for j in range(i + 1)) for i in range(len(QUANTITIES))
        ]
        disturbance = (scores[0] + scores[1]) / np.sqrt(2 * (1 + correlation[:, 0, 1]))
        result = QTable()
        for i, (name, (_, back)) in enumerate(QUANTITIES.items()):
            median = self._quantile(np.zeros(len(mass)), quantiles[:, i])
            distance = self._quantile(scores[i], quantiles[:, i]) - median
            value = median + distance * np.exp(spread[:, i] * disturbance)
            result[name] = back(value + slopes[:, i] * offset)
        result["half_mass_scale"] /= 1 + redshift
        log_c = np.interp(logit(result["m500_m200"]), *self.concentration)
        result["concentration"] = np.exp(log_c + self.sigma_ln_concentration * normal[:, -1])
        result["disturbance"] = disturbance
        result["relaxed"] = is_relaxed(*(result[name] for name in ("delta_r", "f_s", "eta")))
        result["extrapolated"] = (
            (log_mass < lowest)
            | (log_mass > highest)
            | (redshift < self.redshift[0])
            | (redshift > self.redshift[-1])
        )
        return result

    def _quantile(self, score, values):
        """Interpolate rows of quantiles, with the last slopes beyond their ends."""
        left = np.clip(np.searchsorted(self.scores, score) - 1, 0, len(self.scores) - 2)
        rows = np.arange(len(score))
        low, high = values[rows, left], values[rows, left + 1]
        step = self.scores[left + 1] - self.scores[left]
        return low + (high - low) * (score - self.scores[left]) / step


def _the300():
    path = importlib.resources.files("szmass") / "data" / "states_the300.json"
    numbers = json.loads(path.read_text(encoding="utf-8"))
    return StateModel(**{name: value for name, value in numbers.items() if name != "source"})


STATE_MODELS.add_lazily("the300-gadget-x", _the300)


@STATE_MODELS.getter(StateModel, "the300-gadget-x")
def get_state_model(model):
    """Look a state model up by name, or pass one through."""


def draw_states(sample, model="the300-gadget-x", *, seed):
    """Draw the dynamical state of each cluster of a sample.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        As for `draw_clusters`.
    model : str or `StateModel`, optional
        Distribution of the states at given mass and redshift.
    seed : int
        Seed, on which and on its cluster_id alone the state of a cluster depends.

    Returns
    -------
    `~astropy.table.QTable`
        One row per cluster:

        ====================  =================================================================
        column                meaning
        ====================  =================================================================
        cluster_id            as in the sample
        delta_r               distance from the density peak to the centre of mass [R200c]
        f_s                   fraction of M200c in subhaloes
        eta                   virial ratio inside R200c, corrected for surface pressure
        m500_m200             M500c over M200c
        half_mass_scale       scale factor at which the main progenitor first had half of M200c
        concentration         c200c
        disturbance           normalised sum of the scores of delta_r and f_s, standard normal
        relaxed               `~szmass.physics.is_relaxed` of the first three
        extrapolated          outside the masses and redshifts of the fit
        ====================  =================================================================

        Outside, the distribution is that of the nearest mass and redshift of the fit.

    Raises
    ------
    InvalidInputError
        A column is missing, or a mass or redshift is out of range or not known.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.simulations import draw_states, from_masses
    >>> states = draw_states(from_masses([2e14, 8e14] * u.solMass, 0.1), seed=1)
    >>> states["extrapolated"].tolist()
    [True, False]
    """
    model = get_state_model(model)
    mass, redshift, ids = mass_columns(sample)
    drawn = uniforms(check_seed(seed), "states", zip(ids, strict=True), len(QUANTITIES) + 1)
    table = model.transform(drawn, mass * u.solMass, redshift)
    table.add_column(ids, name="cluster_id", index=0)
    table.meta.update(state_model=model.name, state_seed=int(seed))
    return table
