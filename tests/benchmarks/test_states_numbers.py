"""Dynamical states against the clusters of The Three Hundred that they are fitted to.

The held-out predictions, region by region, are in benchmarks/states.py.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from szmass.physics import chi_ds, get_dynamical_state, is_relaxed
from szmass.simulations import get_state_model

pytestmark = pytest.mark.real_data
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "states.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_of_states", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def measured(benchmark, real_data):
    return benchmark.load(real_data("halos/the300/g3x_main_progenitors_joined.fits").parent)


def at(measured, redshift):
    row = np.argmin(np.abs(measured["redshift"][:, 0] - redshift))
    return measured["redshift"][row, 0], measured["m500c"][row], measured["values"][:, row]


def test_flag_of_the_table_is_the_published_definition(measured, real_data):
    from astropy.table import Table

    table = Table.read(real_data("halos/the300/g3x_main_progenitors_joined.fits"))
    table = table[table["snap"] == 128]
    relaxed = is_relaxed(table["delta200"], table["fs200"], table["eta200"])
    np.testing.assert_array_equal(relaxed, table["relaxed200"] == 1)
    truth = {"delta_r": table["delta200"], "f_s": table["fs200"], "eta": table["eta200"]}
    np.testing.assert_array_equal(get_dynamical_state("cui2018").relaxed(truth), relaxed)
    haggar = get_dynamical_state("haggar2020")
    assert np.median(haggar.measure(truth)) == pytest.approx(0.77, abs=0.005)
    assert haggar.relaxed(truth).mean() == pytest.approx(0.31, abs=0.006)


@pytest.mark.parametrize(
    ("redshift", "relaxed", "median", "above_one"),
    [
        (0, 0.210, 0.99, 0.49),
        (0.25, 0.151, 0.91, 0.44),
        (0.52, 0.117, 0.91, 0.44),
        (1.03, 0.052, 0.87, 0.36),
    ],
)
def test_published_fractions(measured, redshift, relaxed, median, above_one):
    delta_r, f_s, eta = at(measured, redshift)[2][:3]
    assert is_relaxed(delta_r, f_s, eta).mean() == pytest.approx(relaxed, abs=0.001)
    chi = chi_ds(delta_r, f_s)
    assert np.median(chi) == pytest.approx(median, abs=0.005)
    assert np.mean(chi > 1) == pytest.approx(above_one, abs=0.006)


def test_third_parameter_at_redshift_zero(measured):
    chi = chi_ds(*at(measured, 0)[2][:3], form="haggar2020")
    assert np.median(chi) == pytest.approx(0.77, abs=0.005)
    assert np.mean(chi > 1) == pytest.approx(0.31, abs=0.005)


def test_mass_ratio_is_of_one_snapshot(measured):
    """With M200 as joined it scatters by a fifth more, but for z = 0."""
    ratios = measured["values"][3], measured["joined"]
    ours, joined = (
        np.nanmean([np.subtract(*np.nanpercentile(np.log(row), (84, 16))) for row in ratio[-30:-1]])
        for ratio in ratios
    )
    assert joined > 1.2 * ours
    np.testing.assert_allclose(
        ratios[0][-1][np.isfinite(ratios[0][-1])],
        ratios[1][-1][np.isfinite(ratios[0][-1])],
        rtol=1e-4,
    )


@pytest.mark.parametrize("redshift", [0, 0.25, 0.52, 1.03])
def test_drawn_states_are_those_measured(benchmark, measured, redshift):
    """Each median, 16 and 84 %, fraction and correlation to 2.5 of its bootstrap errors."""
    redshift, mass, states = at(measured, redshift)
    known = np.isfinite(states[:4]).all(axis=0)
    states = states[:4, known]
    model = get_state_model("the300-gadget-x")
    drawn = benchmark.predict(model, mass[known], redshift, 100, seed=1).reshape(4, -1)
    rng = np.random.default_rng(1)
    n = known.sum()
    again = [benchmark.statistics(states[:, rng.integers(0, n, n)]) for _ in range(200)]
    theirs = benchmark.statistics(drawn)
    pulls = {
        name: (theirs[name] - value) / np.std([row[name] for row in again])
        for name, value in benchmark.statistics(states).items()
    }
    assert {name: pull for name, pull in pulls.items() if abs(pull) > 2.5} == {}
