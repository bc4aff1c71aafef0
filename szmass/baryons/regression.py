"""Fits of baryon properties to tables of simulated haloes, judged on regions that were held out."""

import numpy as np

from szmass._tables.columns import column_parts
from szmass._utils.names import did_you_mean
from szmass._utils.optional import import_optional
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_count, check_seed
from szmass.baryons._means import METHODS, TREE_OPTIONS, MeanFitter
from szmass.baryons.cross_validation import (
    CrossValidation,
    fit_covariance,
    hold_out,
    probability_inside,
    tail_of,
)
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics import PROPERTIES, get_cosmology
from szmass.physics.baryons.model import halo_features, known_rows
from szmass.physics.baryons.regressed import (
    RegressedBaryonModel,
    check_band_of_lx,
    standardised,
)

__all__ = ["METHODS", "fit_baryon_model"]

# Nodes in redshift of the limits of mass.
_NODES = 12


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
    if method in TREE_OPTIONS:
        import_optional("lightgbm", extra="halos", purpose="fit trees")
    options = {**TREE_OPTIONS.get(method, {}), **(options or {})}
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
    fitter = MeanFitter(method, features, options, seed)
    fold, residuals, growth = hold_out(fitter, columns, y, group, folds, rng, importance)
    arrays = fitter.fit(columns, y, group)
    x = (columns - arrays["centre"][:, np.newaxis]) / arrays["scale"][:, np.newaxis]
    where = x[[features.index(name) for name in ("m500c", "redshift")]]
    probability = probability_inside(residuals, where, fold)
    arrays["variance"], arrays["link"] = spread = fit_covariance(residuals, where)
    tail = tail_of(residuals, where, spread)
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


def _mass_limits(log_mass, redshift):
    """Redshifts and the lowest and highest ln M about them, at nodes with equal shares of rows."""
    edges = np.unique(np.quantile(redshift, np.linspace(0, 1, _NODES)))
    place = np.searchsorted(edges, redshift, side="right")
    nodes = [
        (redshift[place == i].mean(), log_mass[place == i].min(), log_mass[place == i].max())
        for i in np.unique(place)
    ]
    return np.array(nodes).T


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
