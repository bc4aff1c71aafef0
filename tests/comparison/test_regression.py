"""Fits of 1-b and scaling relations: exact cases, recovery, coverage, and bad input."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn
from astropy.utils.masked import Masked
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from szmass._tables.files import read_table, write_table
from szmass.comparison.regression import RelationFit, fit_mass_ratio, fit_relation
from szmass.exceptions import InvalidInputError, InvalidUnitError

MASS = u.Unit("1e14 solMass")
RATIO, SCATTER, PIVOT = 0.75, 0.2, 6.0
ONE_SIGMA = norm.cdf(1)


def simulate(rng, n, slope=1.0, cut=None, err_a=(0.05, 0.12), err_b=(0.15, 0.35)):
    """Give the arguments of a fit to n clusters, of which those above a cut were kept."""
    ln_a, ln_b, s_a, s_b = np.empty((4, 0))
    while len(ln_a) < n:
        size = 4 * n
        truth = rng.normal(np.log(PIVOT), 0.4, size)
        new_a, new_b = rng.uniform(*err_a, size), rng.uniform(*err_b, size)
        b = rng.normal(truth, new_b)
        a = np.log(RATIO * PIVOT) + slope * (truth - np.log(PIVOT))
        a = rng.normal(a, np.hypot(SCATTER, new_a))
        keep = np.ones(size, bool) if cut is None else {"min_a": a, "min_b": b}[cut[0]] > cut[1]
        ln_a, ln_b = np.append(ln_a, a[keep]), np.append(ln_b, b[keep])
        s_a, s_b = np.append(s_a, new_a[keep]), np.append(s_b, new_b[keep])
    values = [np.exp(ln[:n]) * MASS for ln in (ln_a, ln_b)]
    errors = [
        (-np.expm1(-s[:n]) * value, np.expm1(s[:n]) * value)
        for s, value in zip((s_a, s_b), values, strict=True)
    ]
    arguments = {"mass_a": values[0], "mass_b": values[1], "err_a": errors[0], "err_b": errors[1]}
    return arguments | ({} if cut is None else {cut[0]: np.exp(cut[1]) * MASS})


@pytest.fixture
def sample():
    return simulate(np.random.default_rng(1), 40)


def test_exact_masses_give_the_t_interval_of_the_mean():
    rng = np.random.default_rng(2)
    ln_ratio = rng.normal(-0.3, 0.2, 15)
    b = rng.uniform(2, 9, 15) * MASS
    fit = fit_mass_ratio(np.exp(ln_ratio) * b, b)
    half = t.ppf(ONE_SIGMA, 14) * ln_ratio.std(ddof=1) / np.sqrt(15)
    np.testing.assert_allclose(fit.value, np.exp(ln_ratio.mean()), rtol=1e-5)
    np.testing.assert_allclose(fit.value - fit.errn, np.exp(ln_ratio.mean() - half), rtol=5e-4)
    np.testing.assert_allclose(fit.value + fit.errp, np.exp(ln_ratio.mean() + half), rtol=5e-4)
    np.testing.assert_allclose(fit.scatter, ln_ratio.std(ddof=1), rtol=1e-4)
    assert (fit.slope, fit.slope_errn, fit.slope_errp, fit.n) == (1, 0, 0, 15)


def test_exact_x_gives_the_line_of_least_squares():
    rng = np.random.default_rng(3)
    n = 18
    x = rng.normal(0, 0.5, n)
    y = 0.3 + 1.7 * x + rng.normal(0, 0.3, n)
    fit = fit_relation(np.exp(y) * u.Mpc**2, np.exp(x) * u.solMass, pivot=1 * u.solMass)
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - intercept - slope * x
    s = np.sqrt(np.sum(residual**2) / (n - 2))
    spread = np.sum((x - x.mean()) ** 2)
    quantile = t.ppf(ONE_SIGMA, n - 2)
    np.testing.assert_allclose(fit.slope, slope, rtol=1e-3)
    np.testing.assert_allclose(fit.scatter, s, rtol=1e-3)
    half = quantile * s / np.sqrt(spread)
    np.testing.assert_allclose([fit.slope_errn, fit.slope_errp], half, rtol=5e-3)
    half = quantile * s * np.sqrt(1 / n + x.mean() ** 2 / spread)
    value, errp = fit.value.to_value("Mpc2"), fit.errp.to_value("Mpc2")
    np.testing.assert_allclose(np.log(value), intercept, atol=1e-3)
    np.testing.assert_allclose(np.log1p(errp / value), half, rtol=5e-3)


def test_given_slope_is_the_restricted_maximum_likelihood_of_a_weighted_mean():
    rng = np.random.default_rng(4)
    d = rng.normal(-0.2, 0.25, 25)
    s = rng.uniform(0.05, 0.4, 25)
    d += rng.normal(0, s)
    b = rng.uniform(2, 9, 25) * MASS
    a = np.exp(d) * b
    fit = fit_mass_ratio(a, b, err_a=(-np.expm1(-s) * a, np.expm1(s) * a))
    sigma = np.linspace(0.001, 0.8, 4000)
    weight = 1 / (sigma[:, None] ** 2 + s**2)
    mean = (weight * d).sum(1) / weight.sum(1)
    likelihood = 0.5 * (np.log(weight) - weight * (d - mean[:, None]) ** 2).sum(1)
    likelihood -= 0.5 * np.log(weight.sum(1))
    best = likelihood.argmax()
    # The factor is taken as (sum of weights)^(-1/2), as it is here.
    np.testing.assert_allclose(fit.scatter, sigma[best], atol=5e-4)
    np.testing.assert_allclose(fit.value, np.exp(mean[best]), rtol=1e-4)


def test_errors_are_symmetrised_in_the_logarithm():
    b = np.linspace(3, 9, 8) * MASS
    a = b * np.exp(np.linspace(-0.3, 0.1, 8))
    up, down = np.expm1(0.3) * a, -np.expm1(-0.3) * a
    asymmetric = fit_mass_ratio(a, b, err_a=(down, up))
    symmetric = fit_mass_ratio(a, b, err_a=(up + down) / 2)
    for name in ("value", "errn", "errp", "scatter_errp"):
        assert getattr(asymmetric, name) == pytest.approx(getattr(symmetric, name), rel=1e-9)
    # An error of the size of the mass is an interval down to zero, and still only a wide one.
    wide = fit_mass_ratio(a, b, err_a=a)
    assert wide.value < asymmetric.value + 0.1
    assert wide.scatter == 0


def test_ratio_turns_over_when_the_masses_are_exchanged(sample):
    fit = fit_mass_ratio(**sample)
    other = fit_mass_ratio(
        sample["mass_b"], sample["mass_a"], err_a=sample["err_b"], err_b=sample["err_a"]
    )
    np.testing.assert_allclose(other.value, 1 / fit.value, rtol=1e-4)
    np.testing.assert_allclose(other.scatter, fit.scatter, rtol=1e-3)
    np.testing.assert_allclose(other.errp, 1 / (fit.value - fit.errn) - other.value, rtol=1e-2)


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-3, 1e3), st.sampled_from(["solMass", "1e14 solMass", "kg"]))
def test_units_and_scales_do_not_matter(factor, unit):
    arguments = simulate(np.random.default_rng(5), 30, slope=0.8)
    arguments = {k: v if isinstance(v, tuple) else v.to(unit) for k, v in arguments.items()}
    fit = fit_mass_ratio(**arguments, slope=None)
    arguments["mass_b"] = factor * arguments["mass_b"]
    arguments["err_b"] = tuple(factor * err for err in arguments["err_b"])
    scaled = fit_mass_ratio(**arguments, slope=None)
    np.testing.assert_allclose(scaled.value * factor, fit.value, rtol=1e-3)
    np.testing.assert_allclose(scaled.slope, fit.slope, rtol=1e-3)
    np.testing.assert_allclose(scaled.errp * factor, fit.errp, rtol=1e-2)
    assert scaled.pivot.unit == u.solMass


def test_pivot_moves_the_value_along_the_line(sample):
    at_6, at_3 = (fit_mass_ratio(**sample, slope=None, pivot=m * MASS) for m in (6, 3))
    np.testing.assert_allclose(at_3.value, at_6.value * 0.5 ** (at_6.slope - 1), rtol=2e-3)
    np.testing.assert_allclose(at_3.slope, at_6.slope, rtol=2e-3)
    assert at_3.errp > at_6.errp  # further from the middle of the masses
    given = [fit_mass_ratio(**sample, pivot=m * MASS).value for m in (6, 3)]
    np.testing.assert_allclose(*given, rtol=1e-5)


def test_relation_and_ratio_are_the_same_fit(sample):
    ratio = fit_mass_ratio(**sample, slope=None, pivot=5 * MASS)
    relation = fit_relation(
        sample["mass_a"],
        sample["mass_b"],
        err_y=sample["err_a"],
        err_x=sample["err_b"],
        pivot=5 * MASS,
    )
    np.testing.assert_allclose((relation.value / (5 * MASS)).to_value(""), ratio.value, rtol=1e-5)
    assert relation.slope == pytest.approx(ratio.slope, rel=1e-4)
    assert relation.errp.unit == MASS


@pytest.mark.parametrize("cut", [None, ("min_a", np.log(4.5)), ("min_b", np.log(5.5))])
def test_large_samples_recover_the_truth(cut):
    arguments = simulate(np.random.default_rng(6), 4000, slope=0.85, cut=cut)
    fit = fit_mass_ratio(**arguments, slope=None, pivot=PIVOT * MASS)
    assert fit.errp < 0.02
    for value, err, truth in (
        (fit.value, fit.errp, RATIO),
        (fit.slope, fit.slope_errp, 0.85),
        (fit.scatter, fit.scatter_errp, SCATTER),
    ):
        assert abs(value - truth) < 2.5 * err
    if cut is not None:  # the same without the cut is wrong
        del arguments[cut[0]]
        wrong = fit_mass_ratio(**arguments, slope=None, pivot=PIVOT * MASS)
        assert (
            max(abs(wrong.value - RATIO) / wrong.errp, abs(wrong.slope - 0.85) / wrong.slope_errp)
            > 4
        )


def test_errors_in_x_do_not_flatten_the_slope():
    arguments = simulate(np.random.default_rng(7), 2000, err_b=(0.3, 0.4))
    fit = fit_mass_ratio(**arguments, slope=None)
    assert abs(fit.slope - 1) < 2.5 * fit.slope_errp
    del arguments["err_b"]
    assert fit_mass_ratio(**arguments, slope=None).slope < 0.7


def test_a_cut_can_differ_between_objects():
    rng = np.random.default_rng(8)
    arguments = simulate(rng, 3000)
    limits = rng.uniform(2, 8, 3000) * MASS
    keep = arguments["mass_a"] > limits
    kept = {
        k: tuple(e[keep] for e in v) if isinstance(v, tuple) else v[keep]
        for k, v in arguments.items()
    }
    fit = fit_mass_ratio(**kept, min_a=limits[keep])
    assert abs(fit.value - RATIO) < 2.5 * fit.errp
    assert fit_mass_ratio(**kept).value > RATIO + 4 * fit.errp
    assert fit.selection == "cut in mass_a"


def coverage(n, samples, seed, slope=None, cut=None):
    """Give the share of intervals that hold the truth, and the median offset in errors."""
    rng = np.random.default_rng(seed)
    inside, offset = [], []
    for _ in range(samples):
        fit = fit_mass_ratio(**simulate(rng, n, cut=cut), slope=slope, pivot=PIVOT * MASS)
        results = [
            (fit.value, fit.errn, fit.errp, RATIO),
            (fit.scatter, fit.scatter_errn, fit.scatter_errp, SCATTER),
        ]
        if slope is None:
            results.append((fit.slope, fit.slope_errn, fit.slope_errp, 1.0))
        inside.append([v - n <= truth <= v + p for v, n, p, truth in results])
        offset.append([v - truth for v, _, _, truth in results])
    return np.mean(inside, axis=0), np.median(offset, axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 65])
def test_the_68_per_cent_interval_holds_68_per_cent(n):
    shares, offset = coverage(n, 500, seed=1, slope=1.0)
    assert np.all((shares > 0.63) & (shares < 0.73))
    assert abs(offset[0]) < 0.01
    assert abs(offset[1]) < 0.03


@pytest.mark.parametrize(
    ("n", "cut"),
    [
        (65, ("min_a", np.log(4.0))),
        pytest.param(20, None, marks=pytest.mark.slow),
        pytest.param(65, ("min_b", np.log(5.0)), marks=pytest.mark.slow),
    ],
)
def test_coverage_with_free_slope_and_cuts(n, cut):
    # 120 samples have a binomial error of 4 %; the full run is benchmarks/regression.py.
    shares, offset = coverage(n, 120, seed=2, cut=cut)
    assert np.all(np.abs(shares - 0.683) < 0.12)
    assert abs(offset[0]) < 0.03


def test_bootstrap_agrees_and_is_reproducible():
    arguments = simulate(np.random.default_rng(9), 80)
    profile = fit_mass_ratio(**arguments)
    first, again, other = (
        fit_mass_ratio(**arguments, method="bootstrap", n_bootstrap=150, seed=s) for s in (1, 1, 2)
    )
    assert first == again != other
    assert first.value == profile.value
    assert first.method == "bootstrap"
    np.testing.assert_allclose(
        [first.errn, first.errp, first.scatter_errp + first.scatter_errn],
        [profile.errn, profile.errp, profile.scatter_errp + profile.scatter_errn],
        rtol=0.35,
    )


def test_no_scatter_beyond_the_errors():
    rng = np.random.default_rng(10)
    b = rng.uniform(3, 9, 30) * MASS
    err = 0.3 * b
    fit = fit_mass_ratio(b * np.exp(rng.normal(0, 0.1, 30)), b, err_b=err)
    assert fit.scatter == fit.scatter_errn == 0
    assert 0 < fit.scatter_errp < 0.2


def test_what_the_data_do_not_limit_is_infinite():
    rng = np.random.default_rng(11)
    b = np.exp(rng.normal(0, 0.05, 8)) * 6 * MASS  # all the same but for errors of 60 %
    a = np.exp(rng.normal(0, 0.3, 8)) * 4 * MASS
    fit = fit_mass_ratio(a, b, err_b=0.6 * b, slope=None)
    assert np.isinf(fit.slope_errp)
    assert "inf" in repr(fit)


def test_repr_and_table(sample, tmp_path):
    fit = fit_mass_ratio(**sample, slope=None, pivot=6 * MASS)
    assert repr(fit).startswith(
        f"<RelationFit: {fit.value:.4g} -{fit.errn:.2g} +{fit.errp:.2g} at "
    )
    assert "40 objects, profile" in repr(fit)
    assert "slope 1 (given)" in repr(fit_mass_ratio(**sample))
    for suffix in (".ecsv", ".fits", ".vot"):
        write_table(fit.to_table(), tmp_path / f"fit{suffix}")
        row = read_table(tmp_path / f"fit{suffix}")[0]
        again = RelationFit(
            **{
                name: str(np.asarray(row[name]).astype(str))
                if isinstance(value, str)
                else row[name]
                for name, value in vars(fit).items()
            }
        )
        assert again == fit
    relation = fit_relation(sample["mass_a"], sample["mass_b"]).to_table()
    assert relation["value"].unit == relation["errn"].unit == MASS


def changed(sample, **changes):
    result = dict(sample) | changes
    return {key: value for key, value in result.items() if value is not None}


def test_masked_and_nan_values_are_refused(sample):
    a = sample["mass_a"].copy()
    mask = np.zeros(40, bool)
    mask[[3, 7]] = True
    for bad in (Masked(a, mask=mask), MaskedColumn(a.value, mask=mask, unit=MASS)):
        with pytest.raises(
            InvalidInputError, match="'mass_a' is masked or NaN in row 3, 7: select"
        ):
            fit_mass_ratio(**changed(sample, mass_a=bad))
    a[5:15] = np.nan
    with pytest.raises(InvalidInputError, match="NaN in row 5, 6, 7, 8, 9 and 5 more"):
        fit_mass_ratio(**changed(sample, mass_a=a))


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"mass_a": np.ones(40)}, InvalidUnitError, "'mass_a' must be a Quantity"),
        ({"mass_a": np.ones(40) * u.Mpc}, InvalidUnitError, "'mass_a' must have a unit"),
        ({"mass_a": np.zeros(40) * MASS}, InvalidInputError, "'mass_a' is not positive in row 0"),
        ({"mass_a": np.ones((2, 20)) * MASS}, InvalidInputError, "array of one axis"),
        ({"mass_b": np.ones(39) * MASS, "err_b": None}, InvalidInputError, "40 and 39 values"),
        ({"err_a": np.zeros(40) * MASS}, InvalidInputError, "'err_a' is not positive in row 0"),
        ({"err_a": -np.ones(40) * MASS}, InvalidInputError, "'err_a' is not positive"),
        ({"err_a": np.full(40, np.nan) * MASS}, InvalidInputError, "'err_a' is masked or NaN"),
        ({"err_a": np.ones(3) * MASS}, InvalidInputError, "one error per object \\(40\\)"),
        ({"err_b": (np.ones(40) * MASS, np.ones(3) * MASS)}, InvalidInputError, "'err_b' must"),
        ({"err_a": np.ones(40)}, InvalidUnitError, "'err_a' must be a Quantity"),
        ({"min_a": 4 * MASS}, InvalidInputError, "'mass_a' is below 'min_a' in row"),
        ({"min_a": [1, 2] * MASS}, InvalidInputError, "one number or one per object"),
        ({"min_a": 0.1 * MASS, "min_b": 0.1 * MASS}, InvalidInputError, "not both"),
        ({"slope": "free"}, InvalidInputError, "'slope' must be a number or None"),
        ({"slope": np.nan}, InvalidInputError, "'slope' must be a number or None"),
        ({"pivot": [1, 2] * MASS}, InvalidInputError, "'pivot' must be one value"),
        ({"pivot": 3.0}, InvalidUnitError, "'pivot'"),
        ({"method": "mcmc"}, InvalidInputError, "'method' must be one of 'profile', 'bootstrap'"),
        ({"method": "bootstrap", "n_bootstrap": 1}, InvalidInputError, "'n_bootstrap' must be"),
    ],
)
def test_bad_arguments_are_explained(sample, changes, error, match):
    with pytest.raises(error, match=match):
        fit_mass_ratio(**changed(sample, **changes))


@pytest.mark.parametrize(
    ("n", "options", "match"),
    [
        (1, {}, "1 object cannot determine 2 parameters.*At least 3"),
        (2, {}, "2 objects cannot determine 2 parameters"),
        (5, {"slope": None}, "5 objects cannot determine 5 parameters.*At least 6"),
        (4, {"min_a": 0.01 * MASS}, "4 objects cannot determine 4 parameters"),
        (0, {}, "0 objects cannot"),
    ],
)
def test_samples_that_are_too_small(sample, n, options, match):
    few = {k: tuple(e[:n] for e in v) if isinstance(v, tuple) else v[:n] for k, v in sample.items()}
    with pytest.raises(InvalidInputError, match=match):
        fit_mass_ratio(**few, **options)


@pytest.mark.parametrize(
    ("n", "options"), [(3, {}), (6, {"slope": None}), (5, {"min_b": 0.1 * MASS})]
)
def test_smallest_samples_and_equal_objects(sample, n, options):
    few = {k: tuple(e[:n] for e in v) if isinstance(v, tuple) else v[:n] for k, v in sample.items()}
    fit = fit_mass_ratio(**few, **options)
    assert 0 < fit.errn <= fit.value
    same = {
        k: tuple(e[[0] * n] for e in v) if isinstance(v, tuple) else v[[0] * n]
        for k, v in few.items()
    }
    fit = fit_mass_ratio(**same, **options)
    assert fit.scatter == 0
