"""Means of baryon properties: polynomials, with or without trees, as arrays of a model."""

import numpy as np

from szmass._utils.optional import import_optional
from szmass.exceptions import InvalidInputError
from szmass.physics.baryons.regressed import polynomial, sum_of_trees

#: Ways to fit the mean: polynomials, and trees on what a polynomial in mass and redshift leaves.
METHODS = ("quadratic", "cubic", "boosting", "forest")

#: Strengths of the penalty on second-order terms that inner folds choose from; lower orders, and
#: all terms of mass and redshift alone, have the first.
_PENALTIES = (1e-4, 1e-2, 1e-1, 1.0)
_INNER_FOLDS = 5
TREE_OPTIONS = {
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


class MeanFitter:
    """Fits means, and gives them: what a method does with columns (F, N) and targets (N, K)."""

    def __init__(self, method, features, options, seed):
        self.method, self.options, self.seed = method, options, seed
        self.trees = method in TREE_OPTIONS
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
    fold = folds_of(group, _INNER_FOLDS, np.random.default_rng(0))
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


def folds_of(group, folds, rng):
    """Fold of each row, with groups as wholes."""
    names, which = np.unique(group, return_inverse=True)
    return (rng.permutation(len(names)) % folds)[which]
