"""Priors of mass for posteriors."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics.cosmology import get_cosmology
from szmass.physics.halos import theta500
from szmass.physics.mass_function import sky_density
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2
from szmass.results import LogMassPosterior, MassEstimates, MassFlag
from szmass.simulations.selection import SZSelection

__all__ = ["MassFunctionPrior"]

# Expected signal-to-noise ratio at which the prior "tinker08" of estimators begins: haloes are the
# more the lighter they are, and those that a map cannot show would win over the cluster.
_LEAST_SNR = 1.5

_LOG10_MASS = np.linspace(12.5, 16.5, 161)
_HIGHEST = 2.0
_REDSHIFT = np.linspace(np.sqrt(0.002), np.sqrt(_HIGHEST), 60) ** 2


class MassFunctionPrior:
    """Mass function of Tinker et al. (2008), and a selection if there is one.

    A detection that was made on the very map that the likelihood is of says nothing that the
    likelihood does not say: the mass function alone is then the right prior, and corrects for
    Eddington and Malmquist bias. ``selection`` is for clusters that were selected in other data.

    Parameters
    ----------
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        The cosmology, with Ob0; sigma8 and n come from its ``meta``, where missing from Planck
        2018.
    selection : `~szmass.simulations.SZSelection`, optional
        Multiply by the probability that a cluster of that mass is detected.
    one_minus_b : float, optional
        Ratio of the mass of the relation to the true mass, in the selection.
    relation : str or `~szmass.physics.ScalingRelation`, optional
        Mean Y500 of a mass, in the selection.
    sigma_lny : float, optional
        Scatter of ln Y500 in the selection; that of the relation by default.

    Notes
    -----
    The mass function is that of true masses. With 1-b = 1 in the estimator, masses on the
    hydrostatic scale are taken for true ones.

    References
    ----------
    Tinker et al. 2008, ApJ 688, 709, in the definition 500c.

    Examples
    --------
    >>> import numpy as np
    >>> from szmass import LogMassPosterior
    >>> from szmass.estimators import MassFunctionPrior
    >>> grid = np.linspace(14, 15.5, 151)
    >>> log_likelihood = -0.5 * ((grid[np.newaxis] - 14.7) / 0.1) ** 2
    >>> flat = LogMassPosterior.from_log_likelihood(grid, log_likelihood, "flat", redshift=[0.3])
    >>> steep = flat.reweight(MassFunctionPrior("Planck18"))
    >>> print((steep.median() / flat.median()).round(2))
    [0.87]
    """

    def __init__(
        self,
        cosmology="Planck18",
        *,
        selection=None,
        one_minus_b=1.0,
        relation="planck2015",
        sigma_lny=None,
    ):
        if selection is not None and not isinstance(selection, SZSelection):
            raise InvalidInputError(
                f"'selection' must be an SZSelection or None. Received: {selection!r}"
            )
        self.cosmology = get_cosmology(cosmology)
        self.selection = selection
        self.one_minus_b = one_minus_b
        self.relation = get_scaling_relation(relation)
        self.sigma_lny = self.relation.sigma_lny if sigma_lny is None else float(sigma_lny)
        self._table = None

    def __repr__(self):
        return f"MassFunctionPrior({self.cosmology.name!r}, selection={self.selection!r})"

    def __call__(self, log10_mass, redshift):
        """Give the density in log10 M, of any norm.

        Parameters
        ----------
        log10_mass : array-like
            log10(M500c / Msun) between 12.5 and 16.5.
        redshift : array-like
            Redshifts between 0 and 2, broadcast against it.

        Returns
        -------
        `~numpy.ndarray`
            The density.

        Raises
        ------
        InvalidInputError
            A redshift is out of range.
        """
        from scipy.interpolate import RegularGridInterpolator

        log10_mass, redshift = np.broadcast_arrays(
            np.asarray(log10_mass, dtype=float), np.asarray(redshift, dtype=float)
        )
        if not np.all((redshift > 0) & (redshift <= _HIGHEST)):
            raise InvalidInputError(
                "'redshift' must be known, above 0 and at most 2 for the mass function. Received: "
                f"{redshift.min():g} to {redshift.max():g}"
            )
        if self._table is None:
            density = sky_density(_LOG10_MASS * np.log(10), _REDSHIFT, self.cosmology)
            density /= density[:, :1]
            self._table = RegularGridInterpolator(
                (np.sqrt(_REDSHIFT), _LOG10_MASS), np.log(np.maximum(density, 1e-300))
            )
        at = np.sqrt(np.maximum(redshift, _REDSHIFT[0]))
        mass = np.clip(log10_mass, _LOG10_MASS[0], _LOG10_MASS[-1])
        density = np.exp(self._table(np.stack([at, mass], axis=-1)))
        if self.selection is not None:
            density = density * self._completeness(mass, redshift)
        return density

    def _completeness(self, log10_mass, redshift):
        shape = log10_mass.shape
        mass, redshift = 10 ** log10_mass.ravel() * u.solMass, redshift.ravel()
        options = {"cosmology": self.cosmology}
        y500 = self.relation.y500(mass, redshift, one_minus_b=self.one_minus_b, **options)
        found = self.selection.completeness(
            y_to_arcmin2(y500, redshift, **options),
            theta500(self.one_minus_b * mass, redshift, **options),
            sigma_lny=self.sigma_lny,
        )
        return found.reshape(shape)


def redshifts_under(prior, redshift_range):
    """Range of redshifts that are weighed under the option ``prior`` of an estimator."""
    low, high = redshift_range
    function = isinstance(prior, MassFunctionPrior) or (isinstance(prior, str) and prior != "flat")
    return low, min(high, _HIGHEST) if function else high


def prior_meta(prior):
    """What ``meta`` of results says of the option ``prior`` of an estimator."""
    meta = {"prior": prior if isinstance(prior, str) else repr(prior)}
    return meta | ({"prior_from_snr": _LEAST_SNR} if meta["prior"] == "tinker08" else {})


def mass_grid(log10_mass, default):
    """Grid of a posterior, of the option ``log10_mass`` of an estimator."""
    if log10_mass is None:
        return default
    grid = as_floats(log10_mass, "", "log10_mass", finite=True)
    if grid.ndim != 1 or len(grid) < 3 or not np.all(np.diff(grid) > 0):
        raise InvalidInputError("'log10_mass' must be at least 3 increasing numbers.")
    if grid[0] < 12 or grid[-1] > 17:
        raise InvalidInputError(
            "'log10_mass' must be log10(M500c / Msun), between 12 and 17. Received: "
            f"{grid[0]:g} to {grid[-1]:g}"
        )
    return grid


def estimates_under(prior, cosmology, grid, log_likelihood, sample, expected):
    """Estimates of posteriors, from ln L (N, nodes) and the option ``prior`` of an estimator.

    ``expected`` (N, nodes) are signal-to-noise ratios of the masses in the sample's map.
    """
    seen = None
    if isinstance(prior, str) and prior == "tinker08":
        prior, seen = MassFunctionPrior(cosmology), expected >= _LEAST_SNR
        seen |= ~seen.any(axis=1, keepdims=True)
    elif not (callable(prior) or (isinstance(prior, str) and prior == "flat")):
        raise InvalidInputError(
            "'prior' must be 'flat', 'tinker08', or a function of log10_mass and redshift. "
            f"Received: {prior!r}"
        )
    lost = np.zeros(len(sample), dtype=bool)
    if callable(prior):
        prior, lost = _values(prior, grid, log_likelihood, sample.redshift)
        prior = prior if seen is None else np.where(seen, prior, 0.0)
        log_likelihood = np.where(lost[:, np.newaxis], np.nan, log_likelihood)
    posterior = LogMassPosterior.from_log_likelihood(
        grid, log_likelihood, prior, names=sample.names, redshift=sample.redshift
    )
    found = MassEstimates.of_posterior(posterior)
    found.flag[lost] |= MassFlag.EXTRAPOLATED
    found.flag[posterior.cut_off] |= MassFlag.EXTRAPOLATED
    return found


def _values(prior, grid, log_likelihood, redshift):
    """Values of a prior, and the clusters (N,), if not all, to which it leaves no mass."""
    values = np.asarray(prior(grid[np.newaxis], redshift[:, np.newaxis]), dtype=float)
    lost = np.zeros(len(redshift), dtype=bool)
    if np.broadcast_shapes(values.shape, (1, 1)) in ((len(redshift), len(grid)), (1, len(grid))):
        possible = (values > 0) & (log_likelihood > -np.inf)
        lost = np.isnan(values).any(axis=-1) | ~possible.any(axis=1)
        lost &= not lost.all()
        values = np.where(lost[:, np.newaxis], 1.0, values)
    return values, lost
