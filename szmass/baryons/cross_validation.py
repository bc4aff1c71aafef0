"""What rows that were held out say of a fit: residuals, their covariance, importances."""

from dataclasses import dataclass, field

import numpy as np
from astropy.table import QTable
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import f as f_distribution

from szmass._utils.kinds import check_kind
from szmass.baryons._means import folds_of
from szmass.exceptions import InvalidInputError
from szmass.physics.baryons.regressed import covariances

__all__ = ["CrossValidation", "importance_table"]


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What rows that a fit has not seen say about it.

    Parameters
    ----------
    rows : ndarray of int
        Rows of the table that all values are known of, shape (N,).
    fold : ndarray of int
        The fold in which each was held out.
    group : ndarray
        Its group.
    residuals : ndarray
        ln of the value less the mean of a fit to the other folds, shape (N, K).
    probability : ndarray
        Probability, by the covariance and the tail of the other folds' residuals, of values as near
        to the mean as those of a row, shape (N,): even between 0 and 1 if all is well.
    """

    rows: np.ndarray = field(repr=False)
    fold: np.ndarray = field(repr=False)
    group: np.ndarray = field(repr=False)
    residuals: np.ndarray = field(repr=False)
    probability: np.ndarray = field(repr=False)

    @property
    def scatter(self):
        """Standard deviation of the residuals of each property."""
        return self.residuals.std(axis=0)

    def coverage(self, level, rows=slice(None)):
        """Give the share of rows inside the joint region of a probability, and its error.

        Parameters
        ----------
        level : float
            The probability.
        rows : slice or ndarray, optional
            Which of the rows.

        Returns
        -------
        share : float
            The share.
        error : float
            Its error, with groups as wholes.
        """
        inside = self.probability[rows] < level
        _, which = np.unique(self.group[rows], return_inverse=True)
        share = inside.mean()
        excess = np.bincount(which, inside - share)
        return share, np.sqrt(np.sum(excess**2)) / len(inside)


def importance_table(model):
    """Give the permutation importances of a card as a table, the most important feature first.

    Parameters
    ----------
    model : `~szmass.physics.RegressedBaryonModel`
        A fitted model.

    Returns
    -------
    `~astropy.table.QTable`
        ``feature`` and for each property the growth of the scatter of ln, with ``_err``.

    Raises
    ------
    InvalidInputError
        The card has no importances, or the model is of another kind.
    """
    importance = check_kind(model, "RegressedBaryonModel", "model").card.get("importance")
    if importance is None:
        raise InvalidInputError(
            "'model' must have importances: fit it with importance=True. Received: "
            f"{model.name!r}, whose card has none"
        )
    result = QTable({"feature": list(importance)})
    for name in model.properties:
        result[name] = [importance[f][name][0] for f in importance]
        result[f"{name}_err"] = [importance[f][name][1] for f in importance]
    order = np.argsort(-sum(result[name] for name in model.properties), kind="stable")
    return result[order]


def hold_out(fitter, columns, y, group, folds, rng, importance):
    """Fit (F, N) columns to (N, K) targets without each fold, and look at it.

    Returns
    -------
    fold : ndarray of int
        The fold of each row.
    residuals : ndarray
        Targets less the mean of the other folds, (N, K).
    growth : ndarray
        How much the scatter grows where a column is shuffled, (folds, F, K); 0 unless
        ``importance``.
    """
    fold = folds_of(group, folds, rng)
    residuals = np.empty_like(y)
    growth = np.zeros((folds, len(columns), y.shape[1]))
    for k in range(folds):
        out = fold == k
        fit = fitter.fit(columns[:, ~out], y[~out], group[~out])
        residuals[out] = y[out] - fitter.mean(fit, columns[:, out])
        for i in range(len(columns)) if importance else ():
            shuffled = columns[:, out].copy()
            rng.shuffle(shuffled[i])
            moved = y[out] - fitter.mean(fit, shuffled)
            growth[k, i] = np.sqrt((moved**2).mean(axis=0)) - np.sqrt(
                (residuals[out] ** 2).mean(axis=0)
            )
    return fold, residuals, growth


def probability_inside(residuals, where, fold):
    """Probability of values as near to the mean as those of a row, by what the other folds say."""
    probability = np.empty(len(residuals))
    k = residuals.shape[1]
    for out in (fold == number for number in np.unique(fold)):
        spread = fit_covariance(residuals[~out], where[:, ~out])
        distance2 = _distance2(residuals, where, spread)
        tail = _fit_tail(distance2[~out], k)
        ratio = distance2[out] / k * tail / (tail - 2)
        probability[out] = f_distribution.cdf(ratio, k, tail)
    return probability


def fit_covariance(residuals, where):
    """Give ``variance`` (K, 4) and ``link`` (K, K, 2) by maximum likelihood of the residuals."""
    k = residuals.shape[1]
    basis = np.array([np.ones(len(residuals)), where[0], where[0] ** 2, where[1]])
    moving = np.flatnonzero(np.r_[True, np.ptp(basis[1:], axis=1) > 0])
    basis = basis[moving]
    variance, link = np.zeros((k, 4)), np.zeros((k, k, 2))
    for i in range(k):
        before = np.concatenate([residuals[:, :i].T * b for b in basis[:2]]).T
        log_variance = np.full(len(residuals), np.log(np.mean(residuals[:, i] ** 2)))
        for _ in range(4 if i else 1):
            rest = residuals[:, i]
            if i:
                weighted = before * np.exp(-log_variance)[:, np.newaxis]
                beta = np.linalg.solve(weighted.T @ before, weighted.T @ rest)
                rest = rest - before @ beta
                link[i, :i] = beta.reshape(-1, i).T
            gamma = _log_variance(basis, rest**2)
            log_variance = gamma @ basis
        variance[i, moving] = gamma
    return variance, link


def _log_variance(basis, square):
    """Minimise the sum of g b + r^2 exp(-g b), which is convex in g, by Newton's steps."""
    gamma = np.zeros(len(basis))
    gamma[0] = np.log(square.mean())
    for _ in range(30):
        ratio = square * np.exp(-gamma @ basis)
        step = np.linalg.solve((basis * ratio) @ basis.T, basis @ (ratio - 1))
        size = np.abs(step @ basis).max()
        gamma += step / max(1.0, size)
        if size < 1e-10:
            break
    return gamma


def tail_of(residuals, where, spread):
    """Degrees of freedom of Student's t that residuals follow, of a covariance."""
    return _fit_tail(_distance2(residuals, where, spread), residuals.shape[1])


def _distance2(residuals, where, spread):
    """Squared distances in units of the covariance."""
    inverse = np.linalg.inv(covariances(*where, *spread))
    return np.einsum("ni,nij,nj->n", residuals, inverse, residuals)


def _fit_tail(distance2, k):
    """Degrees of freedom of Student's t of unit covariance, by maximum likelihood."""

    def loss(x):
        nu = 2 + np.exp(x)
        norm = gammaln((nu + k) / 2) - gammaln(nu / 2) - k / 2 * np.log(nu - 2)
        return -norm + (nu + k) / 2 * np.mean(np.log1p(distance2 / (nu - 2)))

    return float(2 + np.exp(minimize_scalar(loss, bounds=(-2, 6), method="bounded").x))
