"""Baryon models against the simulations that they stand for, and beside observed clusters.

Models of the numbers that ship are compared with the published tables themselves. Trees, forests
and five seeds of folds are in benchmarks/baryons.py.
"""

import importlib.util
from pathlib import Path

import astropy.constants as const
import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from szmass.baryons import fit_baryon_model
from szmass.physics import get_baryon_model, halo_features

pytestmark = pytest.mark.real_data
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "baryons.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_of_baryons", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(real_data):
    return real_data("halos/the300/g3x_main_progenitors_joined.fits").parent


# TNG and FLAMINGO

TABLES = {
    "tng": "TNG300_1_plus_TNG_Cluster_snap99",
    "flamingo": "FLAMINGO_L1000N3600_snap0078",
    "flamingo-all-gas": "FLAMINGO_L1000N3600_snap0078",
}
KEV = (const.k_B * u.K).to_value(u.keV)
MPC2 = (const.sigma_T * const.k_B / (1.14 * const.m_p * const.m_e * const.c**2)).to_value(
    u.Mpc**2 / (u.solMass * u.K)
)


def columns_of(name):
    recent = "_wo_recent_AGN" if name == "flamingo" else ""
    return {
        "mgas500": ("M_hot_gas_500c", 1.0),
        "t_sl": (f"T_sl{recent}_500c", KEV),
        "t_mw": (f"T_mw_hot_gas{recent}_500c", KEV),
        "lx": (f"L_X_ROSAT_obs{recent}_500c", 1.0),
        "y500": ("Y_SZ_500c", MPC2),
    }


@pytest.mark.parametrize("name", TABLES)
def test_published_tables_are_met(name, real_data):
    """At the node near 14.5 to rounding; at those that do not ship to 1 % and 3 % (scatter 6 %)."""
    folder = real_data("halos/mpq_tng_flamingo/gas_correlations_TNG300_1_snap99.csv").parent
    table = Table.read(folder / f"gas_scaling_parameters_{TABLES[name]}.csv")
    pairs = Table.read(folder / f"gas_correlations_{TABLES[name]}.csv")
    model = get_baryon_model(name)
    log_mass = np.asarray(table["M_500c"])
    near = np.argmin(np.abs(log_mass - 14.5))
    assert log_mass[near] == pytest.approx({"tng": 14.51}.get(name, 14.46), abs=0.005)

    def at(shift=0.0):
        features = {"m500c": 10 ** (log_mass + shift), "redshift": np.zeros(len(log_mass))}
        return model.moments(features)

    mean, covariance = at()
    slope = (at(1e-4)[0] - at(-1e-4)[0]) / (2e-4 * np.log(10))
    for j, key in enumerate(model.properties):
        column, factor = columns_of(name)[key]
        expected = np.log(10) * np.asarray(table[f"{column}_norm"]) + np.log(factor)
        assert np.abs(mean[:, j] - expected).max() < 0.015
        assert mean[near, j] == pytest.approx(expected[near], abs=4e-4)
        assert slope[near, j] == pytest.approx(table[f"{column}_slope"][near], rel=2e-3)
        scatter = np.sqrt(covariance[:, j, j])
        assert scatter[near] == pytest.approx(table[f"{column}_scatter"][near], rel=2e-3)
        np.testing.assert_allclose(scatter, table[f"{column}_scatter"], rtol=0.06)
        for i, other in enumerate(model.properties[:j]):
            names = columns_of(name)[other][0], column
            for key_of_pair in (f"{names[0]}_{names[1]}_corr", f"{names[1]}_{names[0]}_corr"):
                if key_of_pair in pairs.colnames:
                    found = covariance[:, i, j] / np.sqrt(covariance[:, i, i] * covariance[:, j, j])
                    assert found[near] == pytest.approx(pairs[key_of_pair][near], abs=6e-3)
                    assert np.abs(found - pairs[key_of_pair]).max() < 0.035


@pytest.mark.parametrize(
    ("name", "slopes", "scatters", "correlations"),
    [
        (
            "tng",
            {"mgas500": 1.04, "t_sl": 0.55, "t_mw": 0.60, "y500": 1.64, "lx": 1.51},
            {"mgas500": 0.054, "t_sl": 0.107, "t_mw": 0.061, "y500": 0.094, "lx": 0.63},
            {("mgas500", "y500"): 0.79, ("mgas500", "t_sl"): 0.39, ("mgas500", "lx"): 0.57}
            | {("lx", "y500"): 0.56},
        ),
        (
            "flamingo",
            {"mgas500": 1.18, "t_sl": 0.56, "t_mw": 0.56, "y500": 1.73, "lx": 1.49},
            {"mgas500": 0.069, "t_sl": 0.070, "t_mw": 0.056, "y500": 0.088, "lx": 0.205},
            {("mgas500", "y500"): 0.77, ("mgas500", "t_sl"): 0.12, ("mgas500", "lx"): 0.81}
            | {("lx", "y500"): 0.61},
        ),
        (
            "flamingo-all-gas",
            {},
            {"lx": 0.239},
            {("mgas500", "lx"): 0.68},
        ),
    ],
)
def test_slopes_scatters_and_correlations_at_the_nodes(name, slopes, scatters, correlations):
    model = get_baryon_model(name)
    node = {"tng": 14.508449894736842}.get(name, 14.455893157894735)
    features = {"m500c": 10 ** (node + np.array([-1e-4, 0, 1e-4])), "redshift": np.zeros(3)}
    mean, covariance = model.moments(features)
    at = {key: model.properties.index(key) for key in model.properties}
    slope = (mean[2] - mean[0]) / (2e-4 * np.log(10))
    scatter = np.sqrt(np.diag(covariance[1]))
    for key, value in slopes.items():
        assert slope[at[key]] == pytest.approx(value, rel=0.02)
    for key, value in scatters.items():
        assert scatter[at[key]] == pytest.approx(value, rel=0.02)
    for (a, b), value in correlations.items():
        r = covariance[1, at[a], at[b]] / (scatter[at[a]] * scatter[at[b]])
        assert r == pytest.approx(value, abs=0.02)


# The Three Hundred


def test_scatter_of_held_out_regions_falls_with_what_is_known(benchmark, folder):
    """Five seeds give .0416, .0407, .0392, .0365, .0357; .1203, .1196, .1185, .1167, .1167."""
    found = benchmark.ladder(folder, "quadratic", seeds=[0])
    gas, stars = np.array([found[step] for step in ("", "-m200", "-assembly", "-state")]).T
    assert np.all(gas < 1.02 * np.array([0.0416, 0.0411, 0.0384, 0.0378]))
    assert np.all(stars < 1.02 * np.array([0.1202, 0.1210, 0.1196, 0.1184]))
    assert np.all(np.diff(gas) < 0)
    assert np.all(np.diff(stars) < 3e-4)


@pytest.mark.slow
def test_boosting_reaches_the_same(benchmark, folder):
    pytest.importorskip("lightgbm")
    gas, stars = fit_baryon_model(
        benchmark.progenitors(folder),
        features=["m500c", "redshift", *benchmark.STEPS["-state"]],
        method="boosting",
        cosmology="TheThreeHundred",
        importance=False,
    ).cross_validation.scatter
    assert gas < 0.0378
    assert stars < 1.02 * 0.1184


@pytest.mark.parametrize("name", ["the300-gadgetx", "the300-gizmo", "the300-gadgetx-state"])
def test_models_that_ship_are_those_of_the_tables(name, benchmark, folder):
    """Their residuals over all rows, and the regions of held-out ones in the card."""
    simulation = "GIZMO" if "gizmo" in name else "G3X"
    model = get_baryon_model(name)
    table = benchmark.training(folder, simulation, model.features[2:])
    mean, covariance = model.moments(halo_features(table, model.features))
    measured = np.log([table[key].value for key in model.properties]).T
    known = np.isfinite(mean + measured).all(axis=1)
    scatter = np.array(list(model.card["cross_validation"]["scatter"].values()))
    rest = (measured - mean)[known]
    np.testing.assert_allclose(rest.std(axis=0), scatter, rtol=0.03)
    assert np.all(np.abs(rest.mean(axis=0)) < 0.1 * scatter)
    distance2 = np.einsum("ni,nij,nj->n", rest, np.linalg.inv(covariance[known]), rest)
    assert distance2.mean() / len(scatter) == pytest.approx(1, abs=0.05)
    for level, (share, error) in model.card["cross_validation"]["coverage"].items():
        assert abs(share - float(level)) < 2 * error


def test_difference_between_two_physics(benchmark, folder):
    measured, models, spread = benchmark.physics_gap(*benchmark.largest(folder))
    assert measured == pytest.approx(-0.119, abs=0.002)
    assert models == pytest.approx(-0.119, abs=0.01)
    assert spread == pytest.approx(-0.119, abs=0.01)
    one, other = benchmark.matched(folder)
    for least, expected in ((5e14, -0.118), (2e14, -0.171), (1e14, -0.323)):
        rows = one["m500c"] > least * u.solMass
        measured, models, spread = benchmark.physics_gap(one[rows], other[rows])
        assert measured == pytest.approx(expected, abs=0.02)
        assert models == pytest.approx(expected, abs=0.02)
        # At one mass for both; haloes of GIZMO are lighter, and so poorer in gas.
        assert models < spread < 0.8 * models


def test_temperature_of_gizmo(benchmark, folder):
    table = benchmark.field_halos(folder, "GIZMO")
    table = table[table["m500c"] * 0.6777 > 1e14 * u.solMass]
    model = get_baryon_model("the300-gizmo")
    mean, covariance = model.moments(halo_features(table, model.features))
    assert len(table) == 547
    slope, norm = np.polyfit(np.log(table["m500c"].value / 6e14), mean[:, 2], 1)
    assert np.exp(norm) == pytest.approx(5.50, abs=0.03)
    assert slope == pytest.approx(0.525, abs=0.01)
    rest = np.log(table["t_mw"].value) - mean[:, 2]
    assert rest.std() == pytest.approx(0.090, abs=0.003)
    assert np.sqrt(covariance[:, 2, 2].mean()) == pytest.approx(0.090, abs=0.006)


# Observed clusters, which are in no fit


def test_observed_clusters_beside_the_models(benchmark, real_data):
    """Means of ln(observed / median) at given M500, as the guide has them."""
    data = real_data("halos/real_xray_tables/xvp_chiu18.fits").parents[1]
    found = benchmark.real_clusters(data)
    bulbul, chiu = found["Bulbul et al. 2019"], found["Chiu et al. 2018"]
    for clusters, model, key, expected in (
        (bulbul, "tng", "mgas500", -0.03),
        (bulbul, "flamingo", "mgas500", 0.17),
        (bulbul, "the300-gadgetx", "mgas500", 0.00),
        (bulbul, "the300-gizmo", "mgas500", 0.20),
        (bulbul, "tng", "t_sl", 0.31),
        (bulbul, "flamingo", "t_sl", 0.10),
        (bulbul, "tng", "lx", -0.94),
        (bulbul, "flamingo", "lx", -0.06),
        (chiu, "tng", "mgas500", -0.16),
        (chiu, "flamingo", "mgas500", 0.04),
        (chiu, "the300-gadgetx", "mgas500", -0.14),
        (chiu, "the300-gizmo", "mgas500", 0.07),
        (chiu, "the300-gadgetx", "mstar500", -0.44),
    ):
        offset, error, _, n = benchmark.offsets(clusters, model)[key]
        assert offset == pytest.approx(expected, abs=0.01)
        assert error < 0.09
        assert n in (68, 84, 91)
    # Their own relations, of the same clusters, are met within 0.1; the radii of Bulbul et al. are
    # those of masses a quarter higher than the ones that stand beside them.
    assert np.nanmedian(bulbul["m500c_of_radius"] / bulbul["m500c"]) == pytest.approx(
        1.26, abs=0.01
    )
    for clusters, model, mass in (
        (bulbul, "bulbul2019", "m500c_of_radius"),
        (chiu, "chiu2018", "m500c"),
    ):
        own = benchmark.offsets(clusters, model, mass)
        assert all(abs(value[0]) < 0.1 for key, value in own.items() if key != "lx")
