"""The efficiency tool on a problem whose answers are known in closed form."""

import astropy.units as u
import numpy as np
import pytest

from szmass.comparison.efficiency import efficiency_table
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.results import LogMassPosterior, MassEstimates

GRID = np.linspace(13.0, 16.0, 601)
N, PRIOR, NOISE = 4000, 0.2, 0.1


@pytest.fixture(scope="module")
def problem():
    """Normal log masses measured with normal errors: the posterior is normal as well."""
    rng = np.random.default_rng(4)
    truth = rng.normal(14.6, PRIOR, N)
    data = truth + rng.normal(0, NOISE, N)
    log_l = -0.5 * ((GRID - data[:, np.newaxis]) / NOISE) ** 2
    prior = np.exp(-0.5 * ((GRID - 14.6) / PRIOR) ** 2)
    exact = LogMassPosterior.from_log_likelihood(GRID, log_l, prior)
    return 10**truth * u.solMass, rng.uniform(0.01, 0.9, N), 10**data * u.solMass, exact


def row(table, method, **limits):
    chosen = table["method"] == method
    for name in ("log10_mass_min", "redshift_min"):
        chosen &= table[name] == limits.get(name, -np.inf)
    (found,) = table[chosen]
    return found


def test_exact_posterior(problem):
    truth, z, _data, exact = problem
    found = row(efficiency_table(truth, z, {"exact": exact}, limit=exact), "exact")
    expected = 1 / np.sqrt(PRIOR**-2 + NOISE**-2)
    assert found["rmse"] == pytest.approx(expected, rel=0.03)
    assert found["efficiency"] == 1
    assert found["efficiency_err"] == 0
    assert abs(found["bias"]) < 3 * found["bias_err"]
    assert found["coverage_68"] == pytest.approx(0.683, abs=0.02)
    assert found["coverage_95"] == pytest.approx(0.954, abs=0.01)
    assert found["pit"] == pytest.approx(np.ones(10), abs=0.2)
    assert found["pit"].mean() == pytest.approx(1)
    assert found["pit_p"] > 0.01
    assert found["n"] == N


def test_plain_masses_are_less_efficient(problem):
    truth, z, data, exact = problem
    found = row(efficiency_table(truth, z, {"raw": data}, limit=exact), "raw")
    expected = 1 / np.sqrt(PRIOR**-2 + NOISE**-2) / NOISE
    assert abs(found["efficiency"] - expected) < 3 * found["efficiency_err"]
    assert 0 < found["efficiency_err"] < 0.02
    assert np.isnan(found["coverage_68"])
    assert np.isnan(found["pit"]).all()


def test_wrong_posteriors_are_found_out(problem):
    truth, z, _data, exact = problem
    flat = exact.reweight("flat")
    narrow = LogMassPosterior(GRID, exact.density**4, exact.prior)
    table = efficiency_table(truth, z, {"flat": flat, "narrow": narrow}, limit=exact)
    assert row(table, "narrow")["coverage_68"] < 0.45
    assert row(table, "narrow")["pit_p"] < 1e-6
    assert row(table, "narrow")["efficiency"] == pytest.approx(1, abs=1e-3)
    assert row(table, "flat")["coverage_68"] == pytest.approx(0.683, abs=0.02)
    assert row(table, "flat")["efficiency"] < 0.92


def test_mass_tables(problem):
    truth, z, data, exact = problem
    mass = data.value.copy()
    mass[:100] = np.nan
    error = mass * (10**NOISE - 1), mass * (1 - 10**-NOISE)
    table = MassEstimates(mass, error[1], error[0]).to_table(np.arange(N).astype(str), z, "raw", {})
    found = row(efficiency_table(truth, z, {"raw": table}, limit=exact), "raw")
    assert found["n"] == N - 100
    assert found["n_unknown"] == 100
    assert found["coverage_68"] == pytest.approx(0.683, abs=0.02)
    assert np.isnan(found["coverage_95"])


def test_bins(problem):
    truth, z, data, exact = problem
    options = {"limit": exact, "mass_bins": [14.2, 14.6, 15.0], "redshift_bins": [0, 0.5, 1]}
    by_truth = efficiency_table(truth, z, {"raw": data, "exact": exact}, **options)
    assert len(by_truth) == 2 * 3 * 3
    parts = [
        row(by_truth, "raw", redshift_min=0.0)["n"],
        row(by_truth, "raw", redshift_min=0.5)["n"],
    ]
    assert sum(parts) == N
    # Regression to the mean in bins of true mass; none in bins of the posterior mean.
    assert row(by_truth, "exact", log10_mass_min=14.2)["bias"] > 0.02
    by_limit = efficiency_table(truth, z, {"raw": data, "exact": exact}, bin_by="limit", **options)
    low = row(by_limit, "exact", log10_mass_min=14.2)
    assert abs(low["bias"]) < 3 * low["bias_err"]
    for edge in (14.2, 14.6):
        assert row(by_limit, "raw", log10_mass_min=edge)["efficiency"] < 1
    assert by_limit.meta["bin_by"] == "limit"


def test_empty_bins_and_no_limit(problem):
    truth, z, data, exact = problem
    table = efficiency_table(truth, z, {"raw": data, "exact": exact}, mass_bins=[16, 17])
    empty = row(table, "raw", log10_mass_min=16.0)
    assert empty["n"] == 0
    assert np.isnan(empty["rmse"])
    assert np.isnan(row(table, "raw")["efficiency"])
    assert row(table, "raw")["rmse"] == pytest.approx(NOISE, rel=0.05)


def test_unknown_redshift_counts_among_all(problem):
    truth, z, data, _exact = problem
    z = np.where(np.arange(N) < 10, np.nan, z)
    table = efficiency_table(truth, z, {"raw": data}, redshift_bins=[0, 1])
    assert row(table, "raw")["n"] == N
    assert row(table, "raw", redshift_min=0.0)["n"] == N - 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"redshift": [0.1]}, "'mass_true' and 'redshift' must be arrays of one length"),
        ({"estimates": {}}, "'estimates' must be a dict"),
        ({"estimates": {"a": [1e14] * u.solMass}}, "The estimate 'a' must have one entry per"),
        ({"limit": 0.1}, "'limit' must be a LogMassPosterior"),
        ({"bin_by": "redshift"}, "'bin_by' must be"),
        ({"limit": None, "bin_by": "limit"}, "'bin_by' must be"),
        ({"mass_bins": [15, 14]}, "'mass_bins' must be at least two increasing"),
    ],
)
def test_refused(problem, change, message):
    truth, z, data, exact = problem
    arguments = {"redshift": z, "estimates": {"raw": data}, "limit": exact} | change
    with pytest.raises(InvalidInputError, match=message):
        efficiency_table(truth, arguments.pop("redshift"), arguments.pop("estimates"), **arguments)


def test_tables_of_several_methods_and_numbers_without_unit(problem):
    truth, z, data, _exact = problem
    from astropy.table import QTable

    with pytest.raises(InvalidInputError, match=r"no column 'mass'.*one_method"):
        efficiency_table(truth, z, {"a": QTable({"mass_cnn": data})})
    with pytest.raises(InvalidUnitError, match="'raw'"):
        efficiency_table(truth, z, {"raw": np.log10(data.value)})
