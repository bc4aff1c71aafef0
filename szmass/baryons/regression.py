"""Fits of baryon properties to tables of simulated haloes, judged on regions that were held out."""

from dataclasses import dataclass, field

import numpy as np
from astropy.table import QTable
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import f as f_distribution

from szmass._tables.columns import column_parts
from szmass._utils.kinds import check_kind
from szmass._utils.names import did_you_mean
from szmass._utils.optional import import_optional
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_count, check_seed
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics import PROPERTIES, get_cosmology
from szmass.physics.baryons.model import halo_features, known_rows
from szmass.physics.baryons.regressed import (
    RegressedBaryonModel,
    check_band_of_lx,
    covariances,
    polynomial,
    standardised,
    sum_of_trees,
)

__all__ = ["METHODS", "CrossValidation", "fit_baryon_model", "importance_table"]

#: Ways to fit the mean: polynomials, and trees on what a polynomial in mass and redshift leaves.
METHODS = ("quadratic", "cubic", "boosting", "forest")

#: Strengths of the penalty on second-order terms that inner folds choose from; lower orders, and
#: all terms of mass and redshift alone, have the first.
_PENALTIES = (1e-4, 1e-2, 1e-1, 1.0)
_INNER_FOLDS = 5
_NODES = 12
_TREE_OPTIONS = {
    "boosting": {
        "boosting": "gbdt",
        "n_trees": 300,
        "learning_rate": 0.05,
        "num_leaves": 8,
        "min_data_in_leaf": 40,
        "bagging_fraction": 0.7,
        "feature_fraction": 0.7,
        "lambda_l2": 1.0,
    },
    "forest": {
        "boosting": "rf",
        "n_trees": 100,
        "num_leaves": 64,
        "min_data_in_leaf": 10,
        "bagging_fraction": 0.6,
        "feature_fraction": 0.7,
    },
}


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


def fit_baryon_model(
    table,
    targets=("mgas500", "mstar500"),
    features=("m500c", "redshift"),
    *,
    method="quadratic",
    groups="region",
    folds=10,
    seed=0,
    name="own",
    physics="",
    cosmology,
    references=(),
    lx_band=(0.5, 2.0, "rest"),
    importance=True,
    options=None,
):
    """Fit a baryon model to a table of haloes of one simulation.

    Means are of natural logarithms. "quadratic" has all terms up to second order, with a penalty on
    those of second order that inner folds choose; "cubic" adds those of third order in mass and
    redshift. "boosting" and "forest" are trees, by LightGBM, on what a quadratic in mass and
    redshift leaves. The covariance, which depends on mass and redshift, is that of residuals in
    folds that hold out whole groups, so that histories of one cluster never stand on both sides;
    the degrees of freedom of Student's t are theirs as well.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~szmass.baryons.HaloCatalog`
        One row per halo, with the columns of targets, features and groups. Rows in which a value is
        missing or cannot be are left out, and counted in the card.
    targets : sequence of str, optional
        Properties: keys of ``szmass.physics.PROPERTIES``.
    features : sequence of str, optional
        Columns of haloes; ``m500c`` and ``redshift`` are always among them.
    method : str, optional
        "quadratic", "cubic", "boosting" or "forest".
    groups : str, optional
        Column of what is held out together; None for single rows.
    folds : int, optional
        Number of folds.
    seed : int, optional
        Seed of the folds, of trees and of permutations.
    name : str, optional
        Name of the model.
    physics : str, optional
        The simulation, in words.
    cosmology : str or `~astropy.cosmology.FLRW`
        That of the simulation.
    references : sequence of str, optional
        ADS bibcodes.
    lx_band : tuple, optional
        As in `~szmass.physics.BaryonModel`, for the target ``lx``.
    importance : bool, optional
        Permute each feature in held-out rows, and put the growth of the scatter into the card.
    options : dict, optional
        For trees: ``n_trees`` and parameters of LightGBM, over the defaults.

    Returns
    -------
    `~szmass.physics.RegressedBaryonModel`
        The model, fitted to all rows. Its attribute ``cross_validation`` is a `CrossValidation`,
        its ``card`` has the numbers of that, and its ``write`` keeps both card and arrays.

    Raises
    ------
    InvalidInputError
        A column is missing, masses are not in solar masses, two rows are the same halo, or there
        are fewer groups than folds or too few rows.
    InvalidUnitError
        A column has no unit, or one of another kind.
    UnknownNameError
        There is no such method or target.
    MissingDependencyError
        Trees are asked for and LightGBM is not installed.

    See Also
    --------
    szmass.plots.plot_importance : Draws what permutations say.

    References
    ----------
    De Andres et al. 2023, MNRAS 518, 111 fit baryons of The Three Hundred by boosted trees in the
    same sense. Breiman 2001, Machine Learning 45, 5 (forests, permutations); Ke et al. 2017,
    NeurIPS 30 (LightGBM).

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from szmass.baryons import fit_baryon_model
    >>> rng = np.random.default_rng(1)
    >>> mass = 10 ** rng.uniform(14, 15, 400) * u.solMass
    >>> table = QTable({"m500c": mass, "redshift": rng.uniform(0, 1, 400),
    ...                 "mgas500": 0.13 * mass * np.exp(rng.normal(0, 0.05, 400)),
    ...                 "region": np.arange(400) // 4})
    >>> model = fit_baryon_model(table, ["mgas500"], cosmology="PSZ2", name="toy")
    >>> bool(abs(model.cross_validation.scatter[0] - 0.05) < 0.005)
    True
    """
    if method not in METHODS:
        raise UnknownNameError(
            f"No method is named {method!r}.{did_you_mean(method, METHODS)} "
            f"Known: {', '.join(METHODS)}."
        )
    if method in _TREE_OPTIONS:
        import_optional("lightgbm", extra="halos", purpose="fit trees")
    options = {**_TREE_OPTIONS.get(method, {}), **(options or {})}
    folds, seed = check_count(folds, "folds"), check_seed(seed)
    lx_band = check_band_of_lx(lx_band)
    if "n_trees" in options:
        check_count(options["n_trees"], "n_trees")
    features, values, y, group, rows = _read(table, targets, features, groups)
    n_groups = len(np.unique(group))
    if folds < 2 or n_groups < folds:
        raise InvalidInputError(
            f"'folds' must be at least 2 and at most the number of groups in {groups!r}, "
            f"{n_groups}. Received: {folds}"
        )
    if len(y) < 10 * (1 + len(features)):
        raise InvalidInputError(
            f"'table' must have at least {10 * (1 + len(features))} rows with all values for "
            f"{len(features)} features. Received: {len(y)} of {len(table)}"
        )
    rng = np.random.default_rng(seed)
    columns = np.array(standardised(values, features))
    fitter = _Fitter(method, features, options, seed)
    fold = _folds(group, folds, rng)

    residuals = np.empty_like(y)
    growth = np.zeros((folds, len(features), y.shape[1]))
    for k in range(folds):
        out = fold == k
        fit = fitter.fit(columns[:, ~out], y[~out], group[~out])
        residuals[out] = y[out] - fitter.mean(fit, columns[:, out])
        for i in range(len(features)) if importance else ():
            shuffled = columns[:, out].copy()
            rng.shuffle(shuffled[i])
            moved = y[out] - fitter.mean(fit, shuffled)
            growth[k, i] = np.sqrt((moved**2).mean(axis=0)) - np.sqrt(
                (residuals[out] ** 2).mean(axis=0)
            )
    arrays = fitter.fit(columns, y, group)
    x = (columns - arrays["centre"][:, np.newaxis]) / arrays["scale"][:, np.newaxis]
    where = x[[features.index(name) for name in ("m500c", "redshift")]]
    probability = np.empty(len(y))
    for k in range(folds):
        out = fold == k
        spread = _fit_covariance(residuals[~out], where[:, ~out])
        distance2 = _distance2(residuals, where, spread)
        tail = _fit_tail(distance2[~out], y.shape[1])
        ratio = distance2[out] / y.shape[1] * tail / (tail - 2)
        probability[out] = f_distribution.cdf(ratio, y.shape[1], tail)
    arrays["variance"], arrays["link"] = spread = _fit_covariance(residuals, where)
    tail = _fit_tail(_distance2(residuals, where, spread), y.shape[1])
    arrays["mass_limits"] = _mass_limits(columns[features.index("m500c")], values["redshift"])

    validation = CrossValidation(rows, fold, group, residuals, probability)
    cosmology = get_cosmology(cosmology)
    card = {
        "name": name,
        "physics": physics,
        "properties": list(targets),
        "features": list(features),
        "method": method,
        "options": options,
        "references": list(references),
        "cosmology": {
            "name": cosmology.name or "own",
            "H0": float(cosmology.H0.value),
            "Om0": float(cosmology.Om0),
        },
        "mass_range": [float(f(values["m500c"])) for f in (np.min, np.max)],
        "redshift_range": [float(f(values["redshift"])) for f in (np.min, np.max)],
        "feature_ranges": {
            n: [float(values[n].min()), float(values[n].max())]
            for n in features
            if n not in ("m500c", "redshift")
        },
        "tail": tail,
        "rows": len(y),
        "rows_left_out": len(table) - len(y),
        "groups": n_groups,
        "cross_validation": _numbers(validation, targets, folds, seed),
    }
    if "lx" in targets:
        card["lx_band"] = list(lx_band)
    if importance:
        card["importance"] = {
            feature: {
                target: [float(growth[:, i, j].mean()), float(growth[:, i, j].std())]
                for j, target in enumerate(targets)
            }
            for i, feature in enumerate(features)
        }
    model = RegressedBaryonModel(card, arrays)
    model.cross_validation = validation
    return model


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


def _read(table, targets, features, groups):
    """Features as a tuple and by name, ln targets (N, K), groups and rows: all values known."""
    for name, value in (("targets", targets), ("features", features)):
        if isinstance(value, str):
            raise InvalidInputError(f"'{name}' must be a list of names. Received: {value!r}")
    for target in targets:
        if target not in PROPERTIES:
            raise UnknownNameError(
                f"No property is named {target!r}.{did_you_mean(target, list(PROPERTIES))} "
                f"Known: {', '.join(PROPERTIES)}."
            )
    if len(set(targets)) != len(targets) or len(set(features)) != len(features) or not targets:
        raise InvalidInputError(
            f"'targets' and 'features' must be names, each once. Received: {list(targets)}, "
            f"{list(features)}"
        )
    features = (*(n for n in ("m500c", "redshift") if n not in features), *features)
    values = halo_features(table, features, "the fit")
    n = len(values["m500c"])
    y = np.empty((n, len(targets)))
    for j, target in enumerate(targets):
        try:
            column = table[target]
        except LookupError:
            raise InvalidInputError(
                f"'table' must have the target {target!r}. It has: {', '.join(table.colnames)}"
            ) from None
        value = as_floats(column, PROPERTIES[target], target)
        y[:, j] = np.log(np.where(value > 0, value, np.nan))
    if groups is None:
        group, ungrouped = np.arange(n), np.zeros(n, dtype=bool)
    else:
        try:
            group, ungrouped, _ = column_parts(table[groups])
        except LookupError:
            raise InvalidInputError(
                f"'groups' must be a column of the table, or None. Received: {groups!r}; it has: "
                f"{', '.join(table.colnames)}"
            ) from None
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.isfinite(np.array([*standardised(values, features), *y.T])).all(axis=0)
    if group.dtype.kind == "f":
        ungrouped = ungrouped | np.isnan(group)
    rows = np.flatnonzero(known & known_rows(values) & ~ungrouped)
    values = {name: column[rows] for name, column in values.items()}
    _refuse_twins(np.column_stack([*values.values(), y[rows]]), rows)
    return features, values, y[rows], group[rows], rows


def _refuse_twins(data, rows):
    order = np.lexsort(data.T)
    same = np.all(data[order[1:]] == data[order[:-1]], axis=1)
    if np.any(same):
        first = np.flatnonzero(same)[0]
        a, b = sorted(int(rows[order[first + i]]) for i in (0, 1))
        raise InvalidInputError(
            f"'table' must have each halo once. Rows {a} and {b} have the same values "
            f"({np.count_nonzero(same)} such pairs)"
        )


def _folds(group, folds, rng):
    names, which = np.unique(group, return_inverse=True)
    return (rng.permutation(len(names)) % folds)[which]


def _mass_limits(log_mass, redshift):
    """Redshifts and the lowest and highest ln M about them, at nodes with equal shares of rows."""
    edges = np.unique(np.quantile(redshift, np.linspace(0, 1, _NODES)))
    place = np.searchsorted(edges, redshift, side="right")
    nodes = [
        (redshift[place == i].mean(), log_mass[place == i].min(), log_mass[place == i].max())
        for i in np.unique(place)
    ]
    return np.array(nodes).T


class _Fitter:
    """Fits means, and gives them: what a method does with columns (F, N) and targets (N, K)."""

    def __init__(self, method, features, options, seed):
        self.method, self.options, self.seed = method, options, seed
        self.trees = method in _TREE_OPTIONS
        self.own = [features.index(name) for name in ("m500c", "redshift")]

    def fit(self, columns, y, group):
        low, high = columns.min(axis=1), columns.max(axis=1)
        # Values far out in the tail of a column are taken at four standard deviations.
        centre, scale = columns.mean(axis=1), columns.std(axis=1)
        low, high = np.maximum(low, centre - 4 * scale), np.minimum(high, centre + 4 * scale)
        mass = self.own[0]
        low[mass], high[mass] = columns[mass].min(), columns[mass].max()
        constant = scale <= 1e-12 * np.abs(centre) + 1e-300
        scale = np.where(constant, 1.0, scale)
        arrays = {"centre": centre, "scale": scale, "low": low, "high": high}
        x = _scaled(columns, arrays)
        arrays["powers"] = powers = self._powers(np.flatnonzero(~constant), len(columns))
        second = np.any((powers > 0) & ~np.isin(np.arange(len(columns)), self.own), axis=1)
        second &= powers.sum(axis=1) > 1
        arrays["coefficients"] = _ridge(polynomial(x, powers), y, group, second)
        if self.trees:
            rest = y - polynomial(x, powers) @ arrays["coefficients"].T
            grown = [self._grow(x, rest[:, j]) for j in range(y.shape[1])]
            arrays |= _stacked(grown)
        return arrays

    def _powers(self, varying, n):
        """Powers of the terms, (T, F)."""
        used = [i for i in varying if not self.trees or i in self.own]
        unit = np.eye(n, dtype=np.int64)
        rows = [np.zeros(n, dtype=np.int64), *unit[used]]
        rows += [unit[i] + unit[j] for a, i in enumerate(used) for j in used[a:]]
        if self.method == "cubic":
            own = [i for i in used if i in self.own]
            rows += [
                unit[i] + unit[j] + unit[k]
                for a, i in enumerate(own)
                for b, j in enumerate(own[a:], a)
                for k in own[b:]
            ]
        return np.array(rows)

    def _grow(self, x, y):
        lightgbm = import_optional("lightgbm", extra="halos", purpose="fit trees")
        options = {
            "objective": "l2",
            "bagging_freq": 1,
            "verbose": -1,
            "num_threads": 1,
            "seed": self.seed % 2**31,
            "deterministic": True,
            "force_row_wise": True,
        } | {key: value for key, value in self.options.items() if key != "n_trees"}
        try:
            booster = lightgbm.train(options, lightgbm.Dataset(x.T, y), self.options["n_trees"])
        except lightgbm.basic.LightGBMError as err:
            raise InvalidInputError(
                f"'options' must be those of LightGBM, which says: {err}"
            ) from err
        trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
        share = len(trees) if options["boosting"] == "rf" else 1
        return [_plain(tree, share) for tree in trees]

    @staticmethod
    def mean(arrays, columns):
        x = _scaled(columns, arrays)
        mean = polynomial(x, arrays["powers"]) @ arrays["coefficients"].T
        if "tree_value" in arrays:
            names = ("feature", "threshold", "mask", "value")
            for j in range(mean.shape[1]):
                mean[:, j] += sum_of_trees(x, {n: arrays[f"tree_{n}"][j] for n in names})
        return mean


def _scaled(columns, arrays):
    low, high, centre, scale = (
        arrays[name][:, np.newaxis] for name in ("low", "high", "centre", "scale")
    )
    return (np.clip(columns, low, high) - centre) / scale


def _ridge(basis, y, group, second):
    """Coefficients (K, T), with a penalty on some terms for each target by inner folds."""
    fold = _folds(group, _INNER_FOLDS, np.random.default_rng(0))
    squares = [basis[fold == k].T @ basis[fold == k] for k in range(_INNER_FOLDS)]
    products = [basis[fold == k].T @ y[fold == k] for k in range(_INNER_FOLDS)]
    square, product = sum(squares), sum(products)
    free = np.ones(len(second))
    free[0] = 0

    def solve(a, b, penalty, n):
        return np.linalg.solve(a + n * np.diag(np.where(second, penalty, _PENALTIES[0] * free)), b)

    penalties = _PENALTIES if np.any(second) else _PENALTIES[:1]
    loss = np.zeros((len(penalties), y.shape[1]))
    for p, penalty in enumerate(penalties) if len(penalties) > 1 else ():
        for k in range(_INNER_FOLDS):
            out = fold == k
            beta = solve(square - squares[k], product - products[k], penalty, np.sum(~out))
            loss[p] += ((y[out] - basis[out] @ beta) ** 2).sum(axis=0)
    best = loss.argmin(axis=0)
    of = [solve(square, product, penalty, len(y)) for penalty in penalties]
    return np.array([of[p][:, j] for j, p in enumerate(best)])


def _plain(tree, share):
    """Splits and leaves of a tree of LightGBM: features, thresholds, masks, values."""
    splits, values = [], []

    def walk(node):
        """Leaves below a node, as bits."""
        if "leaf_value" in node:
            values.append(node["leaf_value"] / share)
            return 1 << (len(values) - 1)
        if node["decision_type"] != "<=":
            raise InvalidInputError("'options' must leave features plain numbers.")
        place = len(splits)
        splits.append(None)
        left = walk(node["left_child"])
        splits[place] = (node["split_feature"], node["threshold"], (2**64 - 1) ^ left)
        return left | walk(node["right_child"])

    walk(tree)
    if len(values) > 64:
        raise InvalidInputError(f"'num_leaves' must be at most 64. Received: {len(values)}")
    return splits, values


def _stacked(grown):
    """Trees of all targets in arrays of one shape; what is missing never splits."""
    trees = max(len(of) for of in grown)
    leaves = max(2, *(len(values) for of in grown for _, values in of))
    shape = (len(grown), trees, leaves)
    arrays = {
        "tree_feature": np.zeros((*shape[:2], leaves - 1), dtype=np.int16),
        "tree_threshold": np.full((*shape[:2], leaves - 1), np.inf),
        "tree_mask": np.full((*shape[:2], leaves - 1), 2**64 - 1, dtype=np.uint64),
        "tree_value": np.zeros(shape),
    }
    for j, of in enumerate(grown):
        for b, (splits, values) in enumerate(of):
            arrays["tree_value"][j, b, : len(values)] = values
            for s, split in enumerate(splits):
                for name, value in zip(("feature", "threshold", "mask"), split, strict=True):
                    arrays[f"tree_{name}"][j, b, s] = value
    return arrays


def _fit_covariance(residuals, where):
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


def _numbers(validation, targets, folds, seed):
    result = {
        "folds": folds,
        "seed": seed,
        "scatter": dict(zip(targets, map(float, validation.scatter), strict=True)),
        "mean": dict(zip(targets, map(float, validation.residuals.mean(axis=0)), strict=True)),
        "correlation": np.corrcoef(validation.residuals.T).reshape(len(targets), -1).tolist(),
        "coverage": {},
    }
    for level in (0.68, 0.95):
        result["coverage"][str(level)] = [float(v) for v in validation.coverage(level)]
    return result
