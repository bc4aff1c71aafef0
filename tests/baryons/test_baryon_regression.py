"""Fits of baryon models: what they find, what held-out groups say, and what is refused."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable

from szmass.baryons import HaloCatalog, fit_baryon_model, importance_table
from szmass.exceptions import InvalidInputError, InvalidUnitError, UnknownNameError
from szmass.physics import RegressedBaryonModel, get_baryon_model
from szmass.physics.baryons.checks import check_baryon_model

NAMES = ["m500c", "redshift", "m200c", "half_mass_scale", "spin"]


def made(n=3000, seed=1, groups=150):
    """Halos whose gas and stars follow laws that are known: the scatter grows to low masses, gas
    follows the half-mass scale by a parabola, and spin says nothing."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, n)
    x = rng.uniform(-1.2, 1.2, n)
    redshift = rng.uniform(0, 1, n)
    mass = 4e14 * np.exp(x)
    ratio = rng.normal(0.4, 0.1, n)
    formed = rng.normal(-0.4, 0.15, n)
    sigma = np.exp(-3.0 - 0.4 * x)
    own, other = rng.normal(size=(2, n))
    gas = np.log(0.13) + 0.1 * x + 0.05 * redshift + 1.5 * (formed + 0.4) ** 2 + sigma * own
    stars = np.log(0.015) - 0.1 * x - 0.3 * (ratio - 0.4)
    stars = stars - sigma * own + 0.08 * other
    return QTable(
        {
            "region": group,
            "m500c": mass * u.solMass,
            "redshift": redshift,
            "m200c": mass * np.exp(ratio) * u.solMass,
            "half_mass_scale": np.exp(formed) / (1 + redshift),
            "spin": rng.lognormal(-3.5, 0.5, n),
            "mgas500": mass * np.exp(gas) * u.solMass,
            "mstar500": mass * np.exp(stars) * u.solMass,
        }
    )


def fit(table, features=NAMES, **options):
    return fit_baryon_model(table, features=features, cosmology="PSZ2", **options)


@pytest.fixture(scope="module")
def table():
    return made()


@pytest.fixture(scope="module")
def model(table):
    return fit(table)


def test_laws_are_found(model):
    features = {
        "m500c": 4e14 * np.exp([-1.0, 0.0, 1.0]),
        "redshift": np.full(3, 0.5),
        "half_mass_scale": np.full(3, np.exp(-0.4) / 1.5),
        "spin": np.full(3, 0.03),
    }
    features["m200c"] = features["m500c"] * np.exp(0.4)
    mean, covariance = model.moments(features)
    x = np.array([-1.0, 0.0, 1.0])
    expected = np.log(0.13) + 0.1 * x + 0.025 + np.log(features["m500c"])
    np.testing.assert_allclose(mean[:, 0], expected, atol=0.012)
    sigma = np.exp(-3.0 - 0.4 * x)
    np.testing.assert_allclose(np.sqrt(covariance[:, 0, 0]), sigma, rtol=0.06)
    np.testing.assert_allclose(np.sqrt(covariance[:, 1, 1]), np.hypot(sigma, 0.08), rtol=0.06)
    np.testing.assert_allclose(covariance[:, 0, 1], -(sigma**2), rtol=0.2)
    assert model.tail > 25


def test_held_out_rows_are_covered(model):
    held = model.cross_validation
    for level in (0.68, 0.95):
        share, error = held.coverage(level)
        assert abs(share - level) < 3 * error
        assert error < 0.02
    assert np.array_equal(np.unique(held.fold), np.arange(10))
    for group in np.unique(held.group):
        assert len(np.unique(held.fold[held.group == group])) == 1
    assert model.card["cross_validation"]["scatter"]["mgas500"] == held.scatter[0]


def test_residuals_are_those_of_fits_that_have_not_seen_the_rows(table):
    """A group whose gas is 30 % off is found off by that: nothing of it leaks."""
    odd = table.copy()
    rows = np.flatnonzero(odd["region"] == 7)
    odd["mgas500"][rows] *= 1.3
    held = fit(odd, importance=False).cross_validation
    off = held.residuals[np.isin(held.rows, rows), 0].mean()
    plain = fit(table, importance=False).cross_validation
    was = plain.residuals[np.isin(plain.rows, rows), 0].mean()
    assert off - was == pytest.approx(np.log(1.3), abs=1e-3)


def test_importance_tells_what_matters(model):
    ranked = importance_table(model)
    assert ranked["feature"][0] == "m500c"
    of_gas = dict(zip(ranked["feature"], ranked["mgas500"], strict=True))
    of_stars = dict(zip(ranked["feature"], ranked["mstar500"], strict=True))
    assert of_gas["half_mass_scale"] > 0.01 > 100 * abs(of_gas["spin"])
    assert of_stars["m200c"] > 0.002 > 10 * abs(of_stars["spin"])


@pytest.mark.parametrize("method", ["quadratic", "cubic", "boosting", "forest"])
def test_models_come_back_bit_equal_and_keep_the_contract(method, table, tmp_path):
    if method in ("boosting", "forest"):
        pytest.importorskip("lightgbm")
    some = table[:1500]
    model = fit(some, method=method, name="mine", physics="made up", folds=3, importance=False)
    model.write(tmp_path / "mine")
    back = RegressedBaryonModel.read(tmp_path / "mine")
    features = {name: np.asarray(getattr(some[name], "value", some[name])) for name in NAMES}
    for one, other in zip(model.moments(features), back.moments(features), strict=True):
        assert np.array_equal(one, other)
    assert back.card == model.card
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["card.json", "model.npz"]
    again = fit(some, method=method, name="mine", physics="made up", folds=3, importance=False)
    assert all(np.array_equal(again.arrays[name], model.arrays[name]) for name in model.arrays)
    check_baryon_model(back)


@pytest.mark.parametrize(("method", "leaves"), [("boosting", 8), ("boosting", 31), ("forest", 64)])
def test_trees_are_those_of_lightgbm(method, leaves):
    lightgbm = pytest.importorskip("lightgbm")
    from szmass.baryons._means import _plain, _stacked
    from szmass.physics.baryons.regressed import sum_of_trees

    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 2000))
    x[1] = np.round(x[1], 1)  # ties
    y = np.sin(2 * x[0]) * x[1] + rng.normal(0, 0.1, 2000)
    kind = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}
    options = {"num_leaves": leaves, "verbose": -1, "num_threads": 1}
    options |= kind if method == "forest" else {}
    booster = lightgbm.train(options, lightgbm.Dataset(x.T, y), 40)
    trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    share = len(trees) if method == "forest" else 1
    arrays = _stacked([[_plain(tree, share) for tree in trees]])
    mine = {name.removeprefix("tree_"): array[0] for name, array in arrays.items()}
    new = np.hstack([x, rng.normal(0, 3, size=(4, 500))])
    np.testing.assert_allclose(sum_of_trees(new, mine), booster.predict(new.T), rtol=0, atol=1e-12)


def test_trees_find_what_a_polynomial_cannot(table):
    pytest.importorskip("lightgbm")
    odd = table.copy()
    odd["mgas500"] = odd["mgas500"] * np.where(odd["spin"] > 0.03, 1.2, 1.0)
    names = ["m500c", "redshift", "half_mass_scale", "spin"]
    plain, trees = (
        fit(odd, names, method=method, folds=5, importance=False).cross_validation.scatter[0]
        for method in ("quadratic", "boosting")
    )
    assert trees < 0.9 * plain


def test_rows_that_lack_something_are_left_out_and_counted(table):
    some = table[:1000].copy()
    some["m500c"][3] = np.nan
    some["mgas500"][5] = -1 * u.solMass
    some["half_mass_scale"][7] = -1
    some["m500c"][9] = 1e24 * u.solMass
    model = fit(some, importance=False)
    assert (model.card["rows"], model.card["rows_left_out"]) == (996, 4)
    assert not {3, 5, 7, 9} & set(model.cross_validation.rows)


@pytest.mark.parametrize("kind", ["masked", "nan"])
def test_rows_of_no_known_group_are_left_out(table, kind):
    lost = np.arange(len(table)) < 700
    some = table.copy()
    region = np.asarray(table["region"])
    some["region"] = (
        MaskedColumn(region, mask=lost) if kind == "masked" else np.where(lost, np.nan, region)
    )
    found = fit(some, ["m500c"], importance=False)
    assert found.card["rows_left_out"] == 700
    assert found.cross_validation.rows.min() == 700


def test_importances_that_are_not_there_are_said(table):
    with pytest.raises(InvalidInputError, match="'model' must have importances"):
        importance_table(fit(table[:500], ["m500c"], importance=False))
    with pytest.raises(InvalidInputError, match="'model' must be a RegressedBaryonModel"):
        importance_table(get_baryon_model("tng"))


def test_halo_catalogues_are_taken(table):
    model = fit(HaloCatalog(table[:500]), ["m500_m200"], importance=False, folds=4)
    assert model.features == ("m500c", "redshift", "m500_m200")


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        ({}, {"method": "magic"}, UnknownNameError, "quadratic, cubic, boosting, forest"),
        ({}, {"targets": ["mgas"]}, UnknownNameError, "mgas500"),
        ({}, {"targets": ["lx"]}, InvalidInputError, "the target 'lx'"),
        ({}, {"targets": []}, InvalidInputError, "'targets'"),
        ({}, {"features": ["eta"]}, InvalidInputError, "'eta', which the fit needs"),
        ({}, {"features": ["spin", "spin"]}, InvalidInputError, "each once"),
        ({}, {"groups": "zone"}, InvalidInputError, "'groups' must be a column.*'zone'"),
        ({}, {"folds": 1}, InvalidInputError, "'folds' must be at least 2"),
        ({}, {"folds": 400}, InvalidInputError, "'folds'.*150"),
        ({}, {"seed": -1}, InvalidInputError, "'seed'"),
        ({"m500c": 1e24 * u.solMass}, {}, InvalidInputError, "Msun/h"),
        ({"m500c": 14.5}, {}, InvalidUnitError, "'m500c'"),
        ({"mgas500": 13.5}, {}, InvalidUnitError, "'mgas500'"),
        ({"rows": 30}, {"folds": 2}, InvalidInputError, "at least 60 rows"),
        ({"twice": True}, {}, InvalidInputError, "Rows 4 and 3000"),
        ({}, {"targets": "mgas500"}, InvalidInputError, "'targets' must be a list of names"),
        ({}, {"features": "m500c"}, InvalidInputError, "'features' must be a list of names"),
        ({}, {"lx_band": (2.0, 0.5, "rest")}, InvalidInputError, "'lx_band' must be the lower"),
        ({}, {"lx_band": (0.5, 2.0, "moon")}, InvalidInputError, "'lx_band'.*'moon'"),
        ({}, {"method": "boosting", "options": {"n_trees": 0}}, InvalidInputError, "'n_trees'"),
        (
            {},
            {"method": "boosting", "options": {"num_leaves": -3}},
            InvalidInputError,
            "'options' must be those of LightGBM",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(table, change, options, error, message):
    from astropy.table import vstack

    change = dict(change)
    some = table[: change.pop("rows", None)].copy()
    if change.pop("twice", False):
        some = vstack([some, some[4:5]])
    for name, value in change.items():
        some[name] = np.full(len(some), 1.0) * value
    with pytest.raises(error, match=message):
        fit(some, **({"importance": False} | options))


def test_importances_are_drawn(model):
    pytest.importorskip("matplotlib")
    from szmass.plots import plot_importance

    ax = plot_importance(model)
    assert [text.get_text() for text in ax.get_yticklabels()][-1] == "m500c"
    assert len(ax.patches) == 2 * len(NAMES)
    bare = fit(made(300), importance=False)
    with pytest.raises(InvalidInputError, match="importance=True"):
        plot_importance(bare)
