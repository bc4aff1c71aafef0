"""Efficiency of mass estimates: their errors against what the data allow, and their coverage."""

import itertools
from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table

from szmass._utils.quantities import as_floats
from szmass.comparison.statistics import REDSHIFT_BINS
from szmass.exceptions import InvalidInputError
from szmass.results import LogMassPosterior, masses_of, methods_of
from szmass.results.masses import ONE_SIGMA

__all__ = ["efficiency_table"]

_TWO_SIGMA = 0.954499736103642


def efficiency_table(
    mass_true,
    redshift,
    estimates,
    *,
    limit=None,
    mass_bins=None,
    redshift_bins=REDSHIFT_BINS,
    bin_by="truth",
    pit_bins=10,
):
    """Compare estimates with true masses and with the information limit.

    The limit is the root mean square error of the mean of the exact posterior: no estimator
    that sees the same data has a smaller one, averaged over the population that is the posterior's
    prior. Efficiency is the limit over the error of the estimator, for the same clusters.

    Parameters
    ----------
    mass_true : `~astropy.units.Quantity`
        True masses, shape (N,).
    redshift : array-like
        Their redshifts.
    estimates : dict
        By name: a `~szmass.results.LogMassPosterior`, a mass table of an estimator, or masses
        (a Quantity). The estimate is the mean of log M of a posterior, else the mass. Clusters
        whose mass is NaN are left out, for that method.
    limit : `~szmass.results.LogMassPosterior`, optional
        The exact posteriors, under the prior that the population was drawn from.
    mass_bins : sequence of float, optional
        Edges in log10(M / Msun); without them clusters of all masses are taken together.
    redshift_bins : sequence of float, optional
        Edges in redshift; a bin holds its upper edge and not its lower one.
    bin_by : {"truth", "limit"}, optional
        Which mass is binned. In bins of *true* mass the posterior mean is pulled towards the others
        and other estimators may beat it; in bins of its own mean none can.
    pit_bins : int, optional
        Number of bins of the PIT histogram.

    Returns
    -------
    `~astropy.table.QTable`
        A row per method, mass bin and redshift bin, those of all masses and redshifts first.
        ``n``; ``n_unknown``, those left out; ``bias`` and ``bias_err``, the mean of
        log10(M / M_true) and its standard error; ``scatter`` about it; ``rmse``; ``limit``, the
        rmse of the exact posterior mean for the same clusters; ``efficiency`` and
        ``efficiency_err``; ``coverage_68`` and ``coverage_95``, the fractions of true masses inside
        the 68.27 % and 95.45 % intervals; ``pit``, the histogram of the posterior probability below
        the true mass, flat with mean 1 if posteriors are right; ``pit_p``, the
        Kolmogorov-Smirnov probability of a flat one. NaN for what an estimate does not tell, or
        where the bin is empty.

    Raises
    ------
    InvalidInputError
        Lengths differ, edges do not increase, or an estimate is of another kind.
    InvalidUnitError
        A mass has no unit of mass.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from szmass import LogMassPosterior
    >>> from szmass.comparison import efficiency_table
    >>> rng, grid = np.random.default_rng(1), np.linspace(13.5, 16, 251)
    >>> truth = rng.uniform(14.5, 15, 200)
    >>> seen = truth + 0.05 * rng.normal(size=200)
    >>> log_likelihood = -0.5 * ((grid - seen[:, np.newaxis]) / 0.05) ** 2
    >>> limit = LogMassPosterior.from_log_likelihood(grid, log_likelihood, "flat")
    >>> worse = 10 ** (seen + 0.05 * rng.normal(size=200)) * u.solMass
    >>> truth, redshift = 10**truth * u.solMass, np.full(200, 0.2)
    >>> table = efficiency_table(
    ...     truth, redshift, {"worse": worse}, limit=limit, redshift_bins=(0, 1)
    ... )
    >>> bool(0.6 < table["efficiency"][0] < 0.85)
    True
    """
    truth = np.log10(as_floats(mass_true, u.solMass, "mass_true", positive=True, finite=True))
    redshift = as_floats(redshift, "", "redshift")
    if truth.ndim != 1 or redshift.shape != truth.shape:
        raise InvalidInputError(
            "'mass_true' and 'redshift' must be arrays of one length. Received shapes: "
            f"{truth.shape} and {redshift.shape}"
        )
    if not isinstance(estimates, Mapping) or not estimates:
        raise InvalidInputError(
            "'estimates' must be a dict of names to posteriors, mass tables or masses. "
            f"Received: {estimates!r}"
        )
    if limit is not None and not isinstance(limit, LogMassPosterior):
        raise InvalidInputError(f"'limit' must be a LogMassPosterior. Received: {limit!r}")
    if bin_by not in ("truth", "limit") or (bin_by == "limit" and limit is None):
        raise InvalidInputError(
            f"'bin_by' must be 'truth', or 'limit' where a limit is given. Received: {bin_by!r}"
        )
    bound = np.full(len(truth), np.nan)
    if limit is not None:
        bound = _Estimate("limit", limit, truth, pit_bins).error
    binned = truth if bin_by == "truth" else truth + bound
    bins = list(
        itertools.product(
            _bins(mass_bins, "mass_bins", -np.inf, np.inf),
            _bins(redshift_bins, "redshift_bins", -np.inf, np.inf),
        )
    )
    rows = []
    for name, value in estimates.items():
        estimate = _Estimate(name, value, truth, pit_bins)
        for (mass_low, mass_high), (z_low, z_high) in bins:
            inside = (binned > mass_low) & (binned <= mass_high)
            # The row of all redshifts holds those without as well.
            inside &= ((redshift > z_low) & (redshift <= z_high)) | np.isinf(z_low)
            rows.append(
                {
                    "method": name,
                    "log10_mass_min": mass_low,
                    "log10_mass_max": mass_high,
                    "redshift_min": z_low,
                    "redshift_max": z_high,
                    **estimate.statistics(inside, bound),
                }
            )
    table = QTable(rows=rows)
    table.meta = {
        "difference": "log10(M / M_true)",
        "bin_by": bin_by,
        "limit": "rmse of the mean of the exact posterior" if limit is not None else "none",
    }
    return table


def _bins(edges, name, low, high):
    """Everything, then the bins."""
    if edges is None:
        return [(low, high)]
    edges = as_floats(edges, "", name, finite=True)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise InvalidInputError(
            f"'{name}' must be at least two increasing edges. Received: {edges.tolist()}"
        )
    return [(low, high), *itertools.pairwise(edges.tolist())]


class _Estimate:
    """Errors [dex], whether intervals hold the truth, and PIT, one entry per cluster."""

    def __init__(self, name, value, truth, pit_bins):
        self.pit_bins = pit_bins
        n = len(truth)
        self.inside = np.full((2, n), np.nan)
        self.pit = np.full(n, np.nan)
        mass = 10**truth * u.solMass
        if isinstance(value, LogMassPosterior):
            self._check(name, len(value), n)
            self.error = np.log10(value.mean().value) - truth
            self.pit = value.cdf(mass)
            for row, level in zip(self.inside, (ONE_SIGMA, _TWO_SIGMA), strict=True):
                row[:] = np.abs(self.pit - 0.5) <= level / 2
            self.inside[:, np.isnan(self.pit)] = np.nan
        elif isinstance(value, Table):
            if "mass" not in value.colnames:
                raise InvalidInputError(
                    f"The table of {name!r} has no column 'mass'. Take the table of one method, "
                    "for instance with szmass.results.one_method."
                )
            self._check(name, len(value), n)
            (method,) = methods_of(value)
            found = masses_of(value, method)
            self.error = self._log(found.mass) - truth
            known = np.isfinite(found.mass + found.errn + found.errp)
            low, high = found.mass - found.errn, found.mass + found.errp
            self.inside[0, known] = ((mass.value >= low) & (mass.value <= high))[known]
        else:
            found = as_floats(value, u.solMass, name)
            self._check(name, len(np.atleast_1d(found)), n)
            self.error = self._log(found) - truth

    @staticmethod
    def _log(mass):
        return np.log10(np.where(mass > 0, mass, np.nan))

    @staticmethod
    def _check(name, received, n):
        if received != n:
            raise InvalidInputError(
                f"The estimate {name!r} must have one entry per true mass ({n}). "
                f"Received: {received}"
            )

    def statistics(self, inside, bound):
        """Statistics of the clusters of a bin."""
        from scipy.stats import kstest

        known = inside & np.isfinite(self.error)
        error, best, n = self.error[known], bound[known], int(np.count_nonzero(known))
        row = {
            "n": n,
            "n_unknown": int(np.count_nonzero(inside)) - n,
            "bias": error.mean() if n else np.nan,
            "bias_err": error.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan,
            "scatter": error.std(ddof=1) if n > 1 else np.nan,
            "rmse": np.sqrt(np.mean(error**2)) if n else np.nan,
            "limit": np.sqrt(np.mean(best**2)) if n else np.nan,
        }
        row["efficiency"] = row["limit"] / row["rmse"] if n and row["rmse"] > 0 else np.nan
        row["efficiency_err"] = np.nan
        if n > 1 and row["limit"] > 0 and row["rmse"] > 0:
            # Errors of the two are correlated: the delta method on their ratio.
            apart = (best / row["limit"]) ** 2 - (error / row["rmse"]) ** 2
            row["efficiency_err"] = 0.5 * row["efficiency"] * apart.std(ddof=1) / np.sqrt(n)
        for values, level in zip(self.inside, ("68", "95"), strict=True):
            values = values[known & np.isfinite(values)]
            row[f"coverage_{level}"] = values.mean() if len(values) else np.nan
        pit = self.pit[known & np.isfinite(self.pit)]
        row["pit"] = np.full(self.pit_bins, np.nan)
        row["pit_p"] = np.nan
        if len(pit):
            counts = np.histogram(pit, bins=self.pit_bins, range=(0, 1))[0]
            row["pit"] = counts * self.pit_bins / len(pit)
            row["pit_p"] = float(kstest(pit, "uniform").pvalue)
        return row
