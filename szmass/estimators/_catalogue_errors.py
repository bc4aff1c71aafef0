"""Errors of redshift and position that a catalogue gives, and what they do to masses."""

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError

# Radius that holds 95 % of a two-dimensional normal distribution, in standard deviations.
_R95 = np.sqrt(-2 * np.log(0.05))

# Redshifts reach so many standard errors from the catalogue's. Nodes are so many that masses, which
# go about with the redshift, are no farther apart than _STEP in ln M, or more.
_REACH, _STEP = 3.2, 0.15
_NODES = np.array([5, 9, 17, 33, 65])


def redshift_errors(sample):
    """Standard errors of redshifts (N,); 0 where there is none, it is not known or negative."""
    return _errors(sample, "redshift_err", u.one)


def position_errors(sample):
    """Standard errors per axis [arcmin] (N,), from ``pos_err``, a 95 % radius; 0 as above."""
    return _errors(sample, "pos_err", u.arcmin) / _R95


def _errors(sample, column, unit):
    if column not in sample.table.colnames:
        return np.zeros(len(sample))
    error = as_floats(sample.quantity(column), unit, column)
    return np.where(np.isfinite(error) & (error > 0), error, 0.0)


def centring_errors(centring, sample):
    """Standard errors per axis [arcmin] (N,): those of the option, one angle, or of the sample."""
    if centring is None:
        return position_errors(sample)
    sigma = as_floats(centring, u.arcmin, "centring", finite=True)
    if sigma.ndim or sigma < 0:
        raise InvalidInputError(
            f"'centring' must be one angle of at least 0. Received: {centring!r}"
        )
    return np.full(len(sample), float(sigma))


def over_redshifts(log_density, redshift, error, limits):
    """ln of the mean of a density (N, m) over normal errors of redshifts.

    ``log_density(redshift, rows)`` gives it for some rows; redshifts stay within ``limits``.
    """
    needed = 2 * _REACH / _STEP * error / np.maximum(redshift, 1e-3)
    count = np.where(error > 0, _NODES[np.searchsorted(_NODES[:-1], needed)], 1)
    result = None
    for n in np.unique(count):
        rows = np.flatnonzero(count == n)
        total, norm = -np.inf, 0.0
        for deviation in np.linspace(-_REACH, _REACH, n) if n > 1 else np.zeros(1):
            at = redshift[rows] + deviation * error[rows]
            weight = np.where((at >= limits[0]) & (at <= limits[1]) | (n == 1), 1.0, 1e-300)
            weight *= np.exp(-0.5 * deviation**2)
            values = log_density(np.clip(at, *limits) if n > 1 else at, rows)
            with np.errstate(invalid="ignore"):  # where nothing is possible, and NaN
                total = np.logaddexp(total, values + np.log(weight)[:, np.newaxis])
            norm = norm + weight
        if result is None:
            result = np.empty((len(redshift), total.shape[1]))
        result[rows] = total - np.log(norm)[:, np.newaxis]
    return result


def redshift_shifts(mass, central, redshift, error, limits):
    """Distances in ln M, down and up (N,), of masses at redshifts of one standard error.

    ``mass(redshift, rows)`` gives masses of some rows. Where none is found on one side, that of the
    other counts; NaN if on neither.
    """
    down, up = np.zeros(len(redshift)), np.zeros(len(redshift))
    rows = np.flatnonzero((error > 0) & np.isfinite(central) & (central > 0))
    if len(rows):
        ends = [np.clip(redshift[rows] + sign * error[rows], *limits) for sign in (-1, 1)]
        with np.errstate(divide="ignore", invalid="ignore"):
            shifts = np.array([np.log(mass(end, rows) / central[rows]) for end in ends])
        shifts[~np.isfinite(shifts)] = np.nan
        shifts = np.where(np.isnan(shifts), -shifts[::-1], shifts)
        down[rows] = np.maximum(-shifts.min(axis=0), 0.0)
        up[rows] = np.maximum(shifts.max(axis=0), 0.0)
    return down, up
