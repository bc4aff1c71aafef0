"""Models of what halos hold: their contract, their border, and how they go on beyond the fit."""

import importlib.resources
import json

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable

from szmass.exceptions import (
    FileFormatError,
    InvalidInputError,
    InvalidUnitError,
    UnknownNameError,
)
from szmass.physics import (
    BARYON_MODELS,
    BaryonFlag,
    PowerLawBaryonModel,
    RegressedBaryonModel,
    TabulatedBaryonModel,
    get_baryon_model,
    spread,
)
from szmass.physics.baryons.checks import BARYON_MODEL_CHECKS, make_check_halos

MODELS = sorted(BARYON_MODELS)


def halos(mass=(3e14, 8e14), redshift=(0.0, 0.3), **columns):
    return QTable({"m500c": mass * u.solMass, "redshift": redshift, **columns})


@pytest.mark.parametrize("check", BARYON_MODEL_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_contract(name, check):
    check(get_baryon_model(name))


class Overdrawn(PowerLawBaryonModel):
    """Draws twice as far out as its covariance says."""

    def _deviations(self, covariance, rng):
        return 2 * super()._deviations(covariance, rng)


class Forgetful(PowerLawBaryonModel):
    """Flags nothing."""

    def flags(self, features):
        return np.zeros(len(features["m500c"]), dtype=int)


@pytest.mark.parametrize(("kind", "failing"), [(Overdrawn, 1), (Forgetful, 2)])
def test_contract_finds_what_is_wrong(kind, failing):
    model = kind(
        "wrong",
        "an example",
        {"mgas500": (6e13, 1.2, 0, 0, 0.1)},
        pivot=(5e14 * u.solMass, 0.3),
        mass_range=[1e14, 2e15] * u.solMass,
        redshift_range=(0, 1),
    )
    failed = 0
    for check in BARYON_MODEL_CHECKS:
        try:
            check(model)
        except AssertionError:
            failed += 1
    assert failed == failing


@pytest.mark.parametrize("name", MODELS)
def test_properties_go_on_as_power_laws_beyond_the_masses_of_the_fit(name):
    model = get_baryon_model(name)
    row = make_check_halos(model, 1)
    features = {n: np.full(200, getattr(row[n], "value", row[n])[0]) for n in model.features}
    low, high = model.mass_range.to_value("solMass")
    mass = np.geomspace(low / 5, high * 5, 200)
    ratio = mass / features["m500c"]
    for n in model.features:
        if n != "m500c" and (n.startswith("m500c") or n == "m200c"):
            features[n] = features[n] * ratio
    features["m500c"] = mass
    mean, covariance = model.moments(features)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    slope = np.diff(mean, axis=0) / np.diff(np.log(mass))[:, np.newaxis]
    # No step at an edge, but for those of trees, and one slope beyond it.
    assert np.abs(np.diff(slope, axis=0)).max() < (2 if "boosting" in name else 0.25)
    for side in (mass < low / 1.1, mass > high * 1.1):
        beyond = slope[side[1:] & side[:-1]]
        assert np.ptp(beyond, axis=0).max() < 1e-8


def test_haloes_of_no_fit_at_their_redshift_follow_those_of_others():
    """Below 1e14 solMass there are haloes at z = 0 alone: nothing jumps from there on."""
    model = get_baryon_model("the300-gadgetx")
    redshift = np.linspace(0, 1, 101)
    features = {"m500c": np.full(101, 4e13), "redshift": redshift}
    mean, covariance = model.moments(features)
    assert np.abs(np.diff(mean, axis=0)).max() < 0.01
    assert np.abs(np.diff(np.log(covariance[:, 0, 0]))).max() < 0.02
    assert list(model.flags(features)[[0, -1]]) == [0, BaryonFlag.EXTRAPOLATED_MASS]


def test_table_says_what_it_is():
    table = get_baryon_model("tng").predict(halos(id=[3, 4]))
    about = table.meta["baryon_model"]
    assert about["cosmology"] == "TNG"
    assert about["mass_definition"] == "500c"
    assert about["lx_band"] == "0.5-2 keV, observer frame"
    assert about["references"] == ["2025MNRAS.544...67A"]
    assert list(table["id"]) == [3, 4]
    ratio = ((table["y500"] + table["y500_errp"]) / table["y500"]).value
    covariance = get_baryon_model("tng").predict(halos(), covariance=True)["ln_covariance"]
    np.testing.assert_allclose(np.log(ratio) ** 2, covariance[:, 4, 4], rtol=1e-10)


def test_draws_of_tables():
    model = get_baryon_model("flamingo")
    many = halos(np.full(30_000, 3e14), np.full(30_000, 0.2))
    drawn, again, other = (model.predict(many, draw=True, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(drawn["lx"], again["lx"])
    assert not np.array_equal(drawn["lx"], other["lx"])
    assert drawn.meta["baryon_model"]["seed"] == 1
    logs = np.log([drawn[name].value for name in ("mgas500", "lx")])
    _, covariance = model.moments({"m500c": np.array([3e14]), "redshift": np.array([0.2])})
    np.testing.assert_allclose(np.cov(logs)[0, 1], covariance[0, 0, 3], rtol=0.04)
    with pytest.raises(InvalidInputError, match="'seed'"):
        model.predict(many, draw=True)


def test_tails_of_draws_are_those_of_the_fit():
    model = get_baryon_model("the300-gizmo")
    n = 100_000
    features = {"m500c": np.full(n, 6e14), "redshift": np.zeros(n)}
    mean, covariance = model.moments({name: column[:1] for name, column in features.items()})
    rest = model.draw(features, np.random.default_rng(1)) - mean
    distance2 = np.einsum("ni,ij,nj->n", rest, np.linalg.inv(covariance[0]), rest)
    # Of a normal distribution 0.68 and 0.95 are inside.
    assert np.mean(distance2 < 3.51) == pytest.approx(0.743, abs=0.02)
    assert np.mean(distance2 < 7.81) == pytest.approx(0.93, abs=0.015)


def test_flags_of_rows():
    table = halos([3e14, 8e12, 3e14, np.nan, -1, 3e14], [0.0, 0.0, 2.5, 0.1, 0.1, 0.0])
    table["id"] = [1, 2, 3, 4, 5, 1]
    table["host"] = MaskedColumn([0, 7, 0, 0, 0, 0], mask=[1, 0, 1, 1, 1, 1])
    result = get_baryon_model("tng").predict(table)
    words = [BaryonFlag.describe(flag) for flag in result["flag"]]
    assert words == [
        "DUPLICATE",
        "EXTRAPOLATED_MASS|SUBHALO",
        "EXTRAPOLATED_MASS|EXTRAPOLATED_REDSHIFT",
        "MISSING_FEATURE",
        "MISSING_FEATURE",
        "DUPLICATE",
    ]
    assert np.array_equal(np.isnan(result["t_sl"]), [0, 0, 0, 1, 1, 0])
    # The limits depend on redshift: 3e14 is inside at z = 0.5 and outside at z = 2.
    flags = get_baryon_model("tng").predict(halos([3e14, 3e14], [0.5, 2.0]))["flag"]
    assert list(flags) == [0, BaryonFlag.EXTRAPOLATED_MASS]
    gizmo = get_baryon_model("the300-gizmo").predict(halos([3e14, 3e14], [0.0, 0.5]))["flag"]
    assert list(gizmo) == [0, BaryonFlag.EXTRAPOLATED_REDSHIFT]


def test_odd_rows_stop_no_others():
    table = get_baryon_model("tng").predict(halos([3e14, 3e14, 3e24, 0, 5e14], [0, 99, 0, 0, 0]))
    missing = int(BaryonFlag.MISSING_FEATURE)
    assert list(table["flag"]) == [0, missing, missing, missing, 0]
    assert np.array_equal(np.isfinite(table["mgas500"]), [1, 0, 0, 0, 1])


def test_features_outside_of_the_fit_are_flagged():
    model = get_baryon_model("the300-gadgetx-formation")
    columns = {"m200c": [4.5e14, 12e14] * u.solMass, "half_mass_scale": [0.5, 1.4]}
    table = halos(redshift=[0.3, 0.3], **columns)
    assert list(model.predict(table)["flag"]) == [0, BaryonFlag.EXTRAPOLATED_FEATURE]


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (halos([3e24, 3e14]), InvalidInputError, "'m500c' must be in solar masses.*Msun/h"),
        (halos([14.5, 14.9]), InvalidInputError, "logarithms"),
        (QTable({"m500c": [3e14], "redshift": [0.1]}), InvalidUnitError, "'m500c'"),
        (QTable({"m500c": [3e14] * u.Mpc, "redshift": [0.1]}), InvalidUnitError, "'m500c'"),
        (QTable({"M": [3e14]}), InvalidInputError, "'m500c', 'redshift', which tng needs.*: M"),
    ],
)
def test_what_is_no_halo_is_refused(table, error, message):
    with pytest.raises(error, match=message):
        get_baryon_model("tng").predict(table)


def test_columns_that_a_richer_model_needs_are_named():
    message = "'half_mass_scale', which the300-gadgetx-formation needs"
    with pytest.raises(InvalidInputError, match=message):
        get_baryon_model("the300-gadgetx-formation").predict(
            halos(m200c=[4, 12] * u.solMass * 1e14)
        )


def test_names_are_looked_up():
    with pytest.raises(UnknownNameError, match="the300-gizmo"):
        get_baryon_model("the300-gizmmo")
    with pytest.raises(InvalidInputError, match="'model' must be a name"):
        get_baryon_model(3)


def test_arrays_of_features_are_checked():
    model = get_baryon_model("tng")
    with pytest.raises(InvalidInputError, match="'redshift'"):
        model.moments({"m500c": np.array([3e14])})
    with pytest.raises(InvalidInputError, match="one shape"):
        model.moments({"m500c": np.array([3e14]), "redshift": np.zeros(2)})


def test_relations_say_what_their_papers_say():
    mean, covariance = get_baryon_model("bulbul2019").moments(
        {"m500c": np.array([6.35e14, 1.27e15]), "redshift": np.array([0.45, 0.45])}
    )
    np.testing.assert_allclose(np.exp(mean[0]), [7.37e13, 6.41, 4.12e44])
    np.testing.assert_allclose((mean[1] - mean[0]) / np.log(2), [1.26, 0.80, 1.89])
    np.testing.assert_allclose(np.sqrt(np.diag(covariance[0])), [0.10, 0.18, 0.27])
    mean, _ = get_baryon_model("chiu2018").moments(
        {"m500c": np.array([4.8e14, 4.8e14]), "redshift": np.array([0.6, 0.2])}
    )
    np.testing.assert_allclose(np.exp(mean[0]), [5.69e13, 4.00e12])
    np.testing.assert_allclose(mean[1] - mean[0], np.log(1.2 / 1.6) * np.array([-0.15, 0.05]))


def test_wrong_relations_are_refused():
    fine = {
        "pivot": (5e14 * u.solMass, 0.3),
        "mass_range": [1e14, 2e15] * u.solMass,
        "redshift_range": (0, 1),
    }
    with pytest.raises(InvalidInputError, match="five numbers"):
        PowerLawBaryonModel("a", "b", {"mgas500": (6e13, 1.2)}, **fine)
    with pytest.raises(InvalidInputError, match="five numbers"):
        PowerLawBaryonModel("a", "b", {"mgas": (6e13, 1.2, 0, 0, 0.1)}, **fine)
    two = {"mgas500": (6e13, 1.2, 0, 0, 0.1), "t_mw": (5, 0.6, 0, 0, 0.1)}
    with pytest.raises(InvalidInputError, match="correlation"):
        PowerLawBaryonModel("a", "b", two, correlation=[[1, 1.2], [1.2, 1]], **fine)


def test_spread_is_the_difference_of_medians():
    table = spread(["tng", "flamingo", "chiu2018"], halos())
    assert list(table["property"]) == ["mgas500"] * 3 + ["t_mw", "t_sl", "lx", "y500"]
    row = table[0]
    means = [
        get_baryon_model(name).predict(halos())["mgas500"].to_value("solMass")
        for name in ("tng", "flamingo")
    ]
    apart = np.log(means[1] / means[0])
    assert row["difference"] == pytest.approx(apart.mean())
    assert (row["difference_min"], row["difference_max"]) == pytest.approx((min(apart), max(apart)))
    assert row["ratio"] == pytest.approx(apart.mean() / max(row["scatter_a"], row["scatter_b"]))
    with pytest.raises(InvalidInputError, match="two or more"):
        spread(["tng", "tng"], halos())
    with pytest.raises(InvalidInputError, match="in common"):
        spread(["tng", "chiu2018"], halos([np.nan, np.nan]))


def test_damaged_tables_of_nodes_are_refused():
    path = importlib.resources.files("szmass") / "data" / "baryons" / "tng.json"
    numbers = json.loads(path.read_text())
    for name, value in (
        ("redshift", [0.0, 0.5, 0.4, 2.0]),
        ("scatter", (-np.array(numbers["scatter"])).tolist()),
        ("correlation", np.ones_like(numbers["correlation"]).tolist()),
        ("slope", numbers["slope"][:2]),
    ):
        with pytest.raises(InvalidInputError, match=f"'{name}'"):
            TabulatedBaryonModel(numbers | {name: value})


def test_damaged_models_are_refused(tmp_path):
    model = get_baryon_model("the300-gadgetx-boosting")
    with pytest.raises(FileFormatError, match="do not fit"):
        RegressedBaryonModel({}, model.arrays)
    with pytest.raises(FileFormatError, match="coefficients"):
        RegressedBaryonModel(model.card, model.arrays | {"coefficients": np.zeros((2, 3))})
    with pytest.raises(FileFormatError, match="known"):
        RegressedBaryonModel(model.card, model.arrays | {"centre": model.arrays["centre"] * np.nan})
    for name, value in (
        ("properties", ["foo"]),
        ("features", ["spin", "redshift"]),
        ("tail", 1),
        ("mass_range", [1e15, 1e14]),
        ("redshift_range", ["a", "b"]),
        ("feature_ranges", [1, 2]),
        ("lx_band", [1]),
    ):
        with pytest.raises(FileFormatError, match="do not fit"):
            RegressedBaryonModel(model.card | {name: value}, model.arrays)
    for name, value in (
        ("powers", model.arrays["powers"] + 0.5),
        ("powers", model.arrays["powers"] * 10**9),
        ("scale", model.arrays["scale"] * 0),
        ("coefficients", np.full_like(model.arrays["coefficients"], np.inf)),
        ("mass_limits", np.zeros((3, 0))),
        ("tree_feature", model.arrays["tree_feature"] + 99),
    ):
        with pytest.raises(FileFormatError, match=f"'{name}'"):
            RegressedBaryonModel(model.card, model.arrays | {name: value})
    model.write(tmp_path / "m")
    content = bytearray((tmp_path / "m" / "model.npz").read_bytes())
    content[200:260] = bytes(60)  # in the middle of what is deflated
    (tmp_path / "flipped").mkdir()
    (tmp_path / "flipped" / "model.npz").write_bytes(content)
    (tmp_path / "flipped" / "card.json").write_bytes((tmp_path / "m" / "card.json").read_bytes())
    with pytest.raises(FileFormatError, match="not the folder of a baryon model"):
        RegressedBaryonModel.read(tmp_path / "flipped")
    with pytest.raises(InvalidInputError, match="overwrite"):
        model.write(tmp_path / "m")
    (tmp_path / "m" / "model.npz").write_bytes(b"PK")
    with pytest.raises(FileFormatError, match="not the folder of a baryon model"):
        RegressedBaryonModel.read(tmp_path / "m")
    (tmp_path / "m" / "card.json").write_text("[]")
    with pytest.raises(FileFormatError, match="not the folder of a baryon model"):
        RegressedBaryonModel.read(tmp_path / "m")


def test_a_table_of_one_redshift_is_taken():
    path = importlib.resources.files("szmass") / "data" / "baryons" / "tng.json"
    numbers = json.loads(path.read_text())
    tables = ("redshift", "log_mass", "log_norm", "slope", "scatter", "correlation")
    one = TabulatedBaryonModel(numbers | {name: numbers[name][1:2] for name in tables})
    features = {"m500c": np.geomspace(1e13, 2e15, 30), "redshift": np.full(30, 0.5)}
    for ours, theirs in zip(
        one.moments(features), get_baryon_model("tng").moments(features), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
