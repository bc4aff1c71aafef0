"""The dynamical state of clusters from their morphology, by a regression that is also a density."""

import numpy as np
from astropy.table import QTable
from scipy.special import ndtr, ndtri

from szmass._io.stored import Stored
from szmass._tables.files import read_table, write_table
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_count, check_seed
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.morphology._copula import (
    STATE_PARAMETERS,
    columns_of,
    interpolated,
    nearest_correlation,
    numbers_of,
    rows_of_tables,
    scores_of,
)
from szmass.physics import get_dynamical_state

__all__ = ["STATE_PARAMETERS", "StateRegression"]

_NODES = 201
_LEVELS = (np.arange(_NODES) + 0.5) / _NODES
_FEWEST_ROWS, _FOLDS = 100, 10


class StateRegression(Stored):
    """Distribution of a number of the dynamical state at given morphology: a Gaussian copula.

    The state and each parameter are turned into normal scores by their own distributions in the
    clusters of the fit, and the scores have a joint normal distribution. What is missing is left
    out, and without anything the distribution of the state is that of the fit, the prior. What
    distances from the conditional mean are like, in units of their standard deviation, is taken
    from clusters of the fit that are predicted by fits to others.

    The fit must see clusters as the data do, with their noise and resolution: then parameters that
    noise has buried have no correlation with the state, and the prior is what is left.

    Parameters
    ----------
    state : str or DynamicalState
        Definition of the state, see `~szmass.physics.get_dynamical_state`.
    names : sequence of str
        Names of the K parameters.
    levels : array-like
        The Q probabilities of the quantiles, rising from above 0 to below 1.
    quantiles : array-like
        Quantiles of the state and of the parameters, shape (1 + K, Q).
    correlation : array-like
        Correlations of the scores, in this order, shape (1 + K, 1 + K).
    number : int
        How many clusters these are from: few make predictions less sure.
    shrinkage : float, optional
        By how much correlations among parameters are shrunk where weights are made of them, 0 to 1:
        parameters that say nearly the same are otherwise played off against each other.
    residuals : array-like, optional
        Quantiles of the distances from the mean, shape (Q,); normal ones by default.

    Raises
    ------
    InvalidInputError
        Shapes do not match, quantiles fall, or the matrix is not one of correlations.
    UnknownNameError
        There is no such definition of the state.

    Notes
    -----
    Files are tables: ECSV, FITS or VOTable by their suffix. They hold the name of the definition,
    which must be a known one.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from szmass.morphology import StateRegression
    >>> rng = np.random.default_rng(1)
    >>> chi = rng.lognormal(0, 0.5, 500)
    >>> table = Table({"concentration": 0.2 * chi**0.5 * rng.lognormal(0, 0.1, 500)})
    >>> fit = StateRegression.fit(table, chi, parameters=["concentration"])
    >>> found = fit.predict(Table({"concentration": [0.1, 0.35, np.nan]}))
    >>> found["p_relaxed"].round(2).tolist(), found["used"].tolist()
    ([0.0, 1.0, 0.5], [1, 1, 0])
    """

    def __init__(
        self,
        state,
        names,
        levels,
        quantiles,
        correlation,
        *,
        number,
        shrinkage=0.05,
        residuals=None,
    ):
        self.state, self.names = get_dynamical_state(state), tuple(map(str, names))
        self.levels = as_floats(levels, "", "levels", finite=True)
        self.quantiles = as_floats(quantiles, "", "quantiles", finite=True)
        self.correlation = as_floats(correlation, "", "correlation", finite=True)
        k = 1 + len(self.names)
        if self.quantiles.shape != (k, len(self.levels)) or self.correlation.shape != (k, k):
            raise InvalidInputError(
                f"'quantiles' and 'correlation' must have the shapes ({k}, {len(self.levels)}) and "
                f"({k}, {k}). Received: {self.quantiles.shape} and {self.correlation.shape}"
            )
        rising = np.all(np.diff(self.levels) > 0) and 0 < self.levels[0] < self.levels[-1] < 1
        if not rising or np.any(np.diff(self.quantiles, axis=1) < 0):
            raise InvalidInputError("'levels' must rise between 0 and 1, and 'quantiles' not fall.")
        symmetric = np.allclose(self.correlation, self.correlation.T, atol=1e-9)
        fine = symmetric and np.allclose(np.diag(self.correlation), 1, atol=1e-9)
        if not fine or np.linalg.eigvalsh(self.correlation)[0] <= 0:
            raise InvalidInputError("'correlation' must be a matrix of correlations.")
        self.number = check_count(number, "number")
        self.shrinkage = float(as_floats(shrinkage, "", "shrinkage", finite=True))
        if not 0 <= self.shrinkage < 1 or self.number <= 2 * k:
            raise InvalidInputError(
                "'shrinkage' must be in [0, 1), and 'number' more than twice that of parameters. "
                f"Received: {shrinkage} and {number}"
            )
        normal = ndtri(self.levels)
        self.residuals = normal if residuals is None else as_floats(residuals, "", "residuals")
        if self.residuals.shape != normal.shape or not np.all(np.diff(self.residuals) > 0):
            raise InvalidInputError("'residuals' must rise and have one value per level.")

    def __repr__(self):
        return f"<StateRegression of {self.state.name!r} on {', '.join(self.names)}>"

    @classmethod
    def fit(cls, tables, truth, *, state="deluca2021", parameters=None, shrinkage=0.05):
        """Fit clusters whose state is known.

        Parameters
        ----------
        tables : `~astropy.table.Table` or dict of str to `~astropy.table.Table`
            Morphology of N clusters, or of several images of them by a name for each band.
        truth : `~astropy.table.Table` or dict or array-like
            What the definition is computed from, or its number for each cluster.
        state : str or DynamicalState, optional
            The definition.
        parameters : sequence of str, optional
            Columns of the tables that are used; by default those of `STATE_PARAMETERS` that are in
            a table.
        shrinkage : float, optional
            See `StateRegression`.

        Returns
        -------
        StateRegression
            The fit.

        Raises
        ------
        InvalidInputError
            Lengths differ, the state or a parameter is known for fewer than 100 clusters, or the
            state is the same for all.
        """
        names, values = columns_of(tables, parameters)
        numbers = numbers_of(truth, get_dynamical_state(state), len(values))
        values = np.column_stack([numbers, values])[np.isfinite(numbers)]
        known = dict(zip(("the state", *names), np.isfinite(values).sum(axis=0), strict=True))
        if few := [name for name, number in known.items() if number < _FEWEST_ROWS]:
            raise InvalidInputError(
                f"A fit needs {_FEWEST_ROWS} clusters with a value; fewer have {', '.join(few)}."
            )
        if np.ptp(values[:, 0]) == 0:
            raise InvalidInputError(
                "'truth' must differ among clusters: a fit of one state tells none from another. "
                f"Received: {values[0, 0]:g} for all"
            )
        options = {"state": state, "shrinkage": shrinkage}
        part = np.arange(len(values)) % _FOLDS
        distances = []
        for k in range(_FOLDS):
            fit = cls._of_values(names, values[part != k], **options)
            mean, variance, *_ = fit._conditional(values[part == k, 1:])
            score = scores_of(values[part == k, 0], fit.quantiles[0], fit.levels)
            distances.append((score - mean) / np.sqrt(variance))
        residuals = np.quantile(np.concatenate(distances), _LEVELS)
        residuals += 1e-9 * np.arange(_NODES)  # rising where values repeat
        return cls._of_values(names, values, residuals=residuals, **options)

    @classmethod
    def _of_values(cls, names, values, *, state, shrinkage, residuals=None):
        """Fit the state and the parameters, columns of values (N, 1 + K)."""
        known = np.isfinite(values)
        quantiles = np.array(
            [np.quantile(column[k], _LEVELS) for column, k in zip(values.T, known.T, strict=True)]
        )
        scores = np.column_stack(
            [scores_of(column, q, _LEVELS) for column, q in zip(values.T, quantiles, strict=True)]
        )
        # Of each pair by the clusters that have both; zeros for missing scores do that.
        filled = np.where(known, scores, 0.0)
        norm = np.sqrt((filled**2).T @ known)
        correlation = (filled.T @ filled) / (norm * norm.T)
        options = {"number": len(values), "shrinkage": shrinkage, "residuals": residuals}
        return cls(state, names, _LEVELS, quantiles, nearest_correlation(correlation), **options)

    def predict(self, tables):
        """Give the distribution of the state of clusters.

        Parameters
        ----------
        tables : `~astropy.table.Table` or dict of str to `~astropy.table.Table`
            Morphology, as in the fit.

        Returns
        -------
        `~astropy.table.QTable`
            ``name`` if the tables have it; ``value``, the median of the number of the state, with
            ``value_errn`` and ``value_errp`` to the ends of the 68 % interval; ``p_relaxed``, the
            probability that it is above the limit of the definition; ``used``, how many parameters
            were known (0 is the prior); ``outside``, how many of them are beyond nearly all
            clusters of the fit; ``told``, the part of the variance of the score that they take.

        Raises
        ------
        InvalidInputError
            A table or parameter of the fit is missing.
        """
        mean, variance, used, outside = self._conditional(self._values(tables))
        spread = np.sqrt(variance)
        low, middle, high = self.quantile(tables, ndtr([-1, 0, 1])).T
        limit = scores_of(np.array([self.state.limit]), self.quantiles[0], self.levels)[0]
        result = QTable()
        first = next(iter(tables.values())) if isinstance(tables, dict) else tables
        if "name" in first.colnames:
            result["name"] = first["name"]
        result["value"] = middle
        result["value_errn"], result["value_errp"] = middle - low, high - middle
        result["p_relaxed"] = 1 - self._below((limit - mean) / spread, used)
        result["used"], result["outside"], result["told"] = used, outside, 1 - variance
        result.meta.update(
            state=self.state.name,
            limit=self.state.limit,
            parameters=list(self.names),
            references=list(self.state.references),
        )
        return result

    def quantile(self, tables, levels):
        """Give quantiles of the number of the state.

        Parameters
        ----------
        tables : `~astropy.table.Table` or dict of str to `~astropy.table.Table`
            Morphology of N clusters.
        levels : float or array-like
            Probabilities between 0 and 1.

        Returns
        -------
        `~numpy.ndarray`
            Shape (N,), or (N, L) for L levels; within the range of the fit.

        Raises
        ------
        InvalidInputError
            A table or parameter of the fit is missing, or a level is not between 0 and 1.
        """
        levels = as_floats(levels, "", "levels", finite=True)
        if np.any((levels <= 0) | (levels >= 1)):
            raise InvalidInputError(f"'levels' must be between 0 and 1. Received: {levels}")
        mean, variance, used, _ = self._conditional(self._values(tables))
        normal = np.broadcast_to(ndtri(levels), (len(mean), *levels.shape))
        shape = (-1,) + (1,) * levels.ndim
        own = interpolated(normal, ndtri(self.levels), self.residuals)
        steps = np.where(used.reshape(shape) > 0, own, normal) * np.sqrt(variance).reshape(shape)
        return np.interp(mean.reshape(shape) + steps, ndtri(self.levels), self.quantiles[0])

    def write(self, path, *, overwrite=False):
        get_dynamical_state(self.state.name)
        table = QTable({"level": self.levels, "residual": self.residuals})
        for k, quantiles in enumerate(self.quantiles):
            table[f"quantile_{k}"] = quantiles
        table.meta.update(
            szmass="state regression",
            state=self.state.name,
            names=list(self.names),
            correlation=self.correlation.ravel().tolist(),
            number=self.number,
            shrinkage=self.shrinkage,
        )
        write_table(table, path, overwrite=overwrite)

    @classmethod
    def read(cls, path):
        table = read_table(path)
        try:
            names = list(table.meta["names"])
            k = 1 + len(names)
            return cls(
                table.meta["state"],
                names,
                np.asarray(table["level"], float),
                [np.asarray(table[f"quantile_{i}"], float) for i in range(k)],
                np.reshape(np.asarray(table.meta["correlation"], float), (k, k)),
                number=int(table.meta["number"]),
                shrinkage=float(table.meta["shrinkage"]),
                residuals=np.asarray(table["residual"], float),
            )
        except (LookupError, TypeError, ValueError) as err:
            raise FileFormatError(f"{path} is no fit of dynamical states: {err}") from err

    @classmethod
    def held_out(cls, tables, truth, *, folds=10, seed=0, **options):
        """Predict each cluster by a fit to others.

        Parameters
        ----------
        tables : `~astropy.table.Table` or dict of str to `~astropy.table.Table`
            As in `fit`.
        truth : `~astropy.table.Table` or dict or array-like
            As in `fit`.
        folds : int, optional
            Number of parts that the clusters are divided into.
        seed : int, optional
            Seed of the division.
        **options : dict
            Options of `fit`.

        Returns
        -------
        `~astropy.table.QTable`
            As from `predict`, with ``truth``, the true number, and ``rank``, the probability of
            less than it: uniform if errors are right.

        Raises
        ------
        InvalidInputError
            As from `fit`, or there are fewer than two folds.
        """
        folds = check_count(folds, "folds")
        if folds < 2:
            raise InvalidInputError(f"'folds' must be at least 2. Received: {folds}")
        state = get_dynamical_state(options.get("state", "deluca2021"))
        number = len(columns_of(tables, options.get("parameters"))[1])
        numbers = numbers_of(truth, state, number)
        part = np.random.default_rng(check_seed(seed)).permutation(len(numbers)) % folds
        pieces, rows = [], []
        for k in range(folds):
            inside = part == k
            fit = cls.fit(rows_of_tables(tables, ~inside), numbers[~inside], **options)
            left = rows_of_tables(tables, inside)
            piece = fit.predict(left)
            mean, variance, used, _ = fit._conditional(fit._values(left))
            score = scores_of(numbers[inside], fit.quantiles[0], fit.levels)
            piece["truth"] = numbers[inside]
            piece["rank"] = fit._below((score - mean) / np.sqrt(variance), used)
            pieces.append(piece)
            rows.append(np.flatnonzero(inside))
        order = np.argsort(np.concatenate(rows))
        result = QTable(meta=pieces[0].meta)
        for name in pieces[0].colnames:
            result[name] = np.concatenate([piece[name] for piece in pieces])[order]
        return result

    def _values(self, tables):
        return columns_of(tables, None, wanted=self.names)[1]

    def _below(self, distance, used):
        """Probability of less than a distance from the mean, in standard deviations."""
        own = interpolated(distance, self.residuals, ndtri(self.levels))
        return ndtr(np.where(used > 0, own, distance))

    def _conditional(self, values):
        """Mean and variance of the score, and how many parameters are known and outside, (N,)."""
        known = np.isfinite(values)
        scores = np.column_stack(
            [
                scores_of(v, q, self.levels)
                for v, q in zip(values.T, self.quantiles[1:], strict=True)
            ]
        )
        low, high = self.quantiles[1:, 0], self.quantiles[1:, -1]
        outside = np.sum(known & ((values < low) | (values > high)), axis=1)
        mean, variance = np.zeros(len(values)), np.ones(len(values))
        patterns, inverse = np.unique(known, axis=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            rows, at = np.flatnonzero(inverse.ravel() == i), np.flatnonzero(pattern) + 1
            if not len(at):
                continue
            among, with_state = self.correlation[np.ix_(at, at)], self.correlation[at, 0]
            shrunk = (1 - self.shrinkage) * among + self.shrinkage * np.eye(len(at))
            weights = np.linalg.solve(shrunk, with_state)
            mean[rows] = scores[np.ix_(rows, at - 1)] @ weights
            # Of other clusters than those of the fit, whose number is finite.
            within = 1 - 2 * with_state @ weights + weights @ among @ weights
            variance[rows] = min(1.0, within * (self.number + len(at)) / (self.number - len(at)))
        return mean, variance, known.sum(axis=1), outside
