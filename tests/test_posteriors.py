"""LogMassPosterior: quantiles, moments, priors, and what it refuses."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from szmass._tables.files import write_table
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.results import MASS_COLUMNS, LogMassPosterior, MassFlag
from szmass.results.files import posterior_to_table as to_table

GRID = np.linspace(13.5, 15.8, 231)


def gaussian(centre=(14.5, 14.8), sigma=0.1, **options):
    centre = np.atleast_1d(centre)
    log_l = -0.5 * ((GRID - centre[:, np.newaxis]) / sigma) ** 2
    return LogMassPosterior.from_log_likelihood(GRID, log_l, "flat", **options)


def dex(mass):
    return np.log10(mass.to_value(u.solMass))


def test_numbers_of_a_normal_density():
    p = gaussian(names=["a", "b"])
    assert len(p) == 2
    assert dex(p.median()) == pytest.approx([14.5, 14.8], abs=1e-6)
    assert dex(p.mean()) == pytest.approx([14.5, 14.8], abs=1e-6)
    assert p.std() == pytest.approx([0.1, 0.1], rel=2e-3)
    low, high = p.interval()
    assert dex(low) == pytest.approx([14.4, 14.7], abs=3e-4)
    assert dex(high) == pytest.approx([14.6, 14.9], abs=3e-4)
    low, high = p.interval(0.95)
    assert dex(high) - dex(low) == pytest.approx(2 * 1.95996 * 0.1, rel=2e-3)
    assert np.trapezoid(p.density, GRID, axis=1) == pytest.approx(1)
    assert p[1:].names == ["b"]
    assert p[1].density.shape == (1, len(GRID))
    assert repr(p) == "<LogMassPosterior of 2: 231 masses, log10(M/Msun) = 13.5 to 15.8>"


@given(st.floats(0.001, 0.999), st.floats(14.0, 15.2), st.floats(0.03, 0.3))
@settings(max_examples=50, deadline=None)
def test_quantile_inverts_cdf(probability, centre, sigma):
    p = gaussian(centre, sigma)
    assert p.cdf(p.quantile(probability))[0] == pytest.approx(probability, abs=1e-9)


def test_cdf_far_outside_the_grid():
    p = gaussian()
    assert list(p.cdf(1e10 * u.solMass)) == [0, 0]
    assert list(p.cdf(1e17 * u.solMass)) == [1, 1]


def test_densities_that_an_end_of_the_grid_cuts_off():
    grid = np.linspace(13.0, 16.0, 301)
    # At the upper end the third has exp(-2) = 0.135 of its maximum, the fourth exp(-4.5) = 0.011.
    centres = np.array([14.5, 12.9, 15.6, 15.4])
    density = np.exp(-0.5 * ((grid - centres[:, np.newaxis]) / 0.2) ** 2)
    posterior = LogMassPosterior(grid, density, np.ones(301))
    np.testing.assert_array_equal(posterior.cut_off, [False, True, True, False])


def test_samples_follow_the_density():
    draws = gaussian(14.5).sample(20000, 3)
    assert draws.shape == (1, 20000)
    assert kstest(dex(draws[0]), norm(14.5, 0.1).cdf).pvalue > 0.01


def test_coarse_uneven_grids_are_integrated_exactly():
    p = LogMassPosterior([14.0, 14.5, 15.5], [[0, 1, 0]], np.ones(3))
    assert dex(p.median())[0] == pytest.approx(15.5 - np.sqrt(0.75))
    assert dex(p.mean())[0] == pytest.approx((14.0 + 14.5 + 15.5) / 3)
    variance = (14.0**2 + 14.5**2 + 15.5**2 - 14 * 14.5 - 14 * 15.5 - 14.5 * 15.5) / 18
    assert p.std()[0] == pytest.approx(np.sqrt(variance))


def test_another_prior_moves_a_normal_density_as_theory_says():
    # exp(-s x) on a normal density of width sigma moves it by -s sigma^2.
    flat = gaussian()
    steep = flat.reweight(
        lambda log10_mass, redshift: 10 ** (-3 * log10_mass) * np.ones_like(redshift)
    )
    expected = np.array([14.5, 14.8]) - 3 * np.log(10) * 0.1**2
    assert dex(steep.median()) == pytest.approx(expected, abs=2e-4)
    back = steep.reweight("flat")
    np.testing.assert_allclose(back.density, flat.density, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(steep.reweight(steep.prior).density, steep.density, atol=1e-12)


def test_priors_of_redshift_get_it():
    def prior(log10_mass, redshift):
        return np.where(log10_mass < 14.5 + redshift, 1.0, 0.0)

    p = gaussian([14.6, 14.6], redshift=[0.05, 0.2]).reweight(prior)
    assert np.all(p.density[0, GRID > 14.56] == 0)
    assert p.density[1, np.searchsorted(GRID, 14.6)] > 0


def test_priors_must_give_a_value_for_each_mass():
    with pytest.raises(InvalidInputError, match=r"shape \(1, 231\). Received: \(3,\)"):
        gaussian([14.6, 14.6], redshift=[0.1, np.nan]).reweight(lambda mass, z: np.ones(3))


def test_mass_that_a_prior_excluded_does_not_come_back():
    cut = gaussian().reweight(np.where(GRID > 14.6, 1.0, 0.0))
    with pytest.raises(InvalidInputError, match="allows masses that the old prior excludes"):
        cut.reweight("flat")


def test_prior_that_leaves_nothing():
    with pytest.raises(InvalidInputError, match=r"'prior' leaves no mass for 2 of 2"):
        gaussian().reweight(np.zeros(len(GRID)))
    log_l = np.where(GRID < 14, 0.0, -np.inf)[np.newaxis]
    with pytest.raises(InvalidInputError, match=r"'prior' leaves no mass for 1 of 1.*number 0"):
        LogMassPosterior.from_log_likelihood(GRID, log_l, np.where(GRID > 15, 1.0, 0.0))
    with pytest.raises(InvalidInputError, match=r"'density' is zero everywhere for 1 of 2"):
        LogMassPosterior(GRID, [np.zeros(231), np.ones(231)], np.ones(231))


def test_unknown_clusters_stay_unknown():
    log_l = np.stack([-((GRID - 14.5) ** 2), np.full(len(GRID), np.nan)])
    flag = [0, MassFlag.NO_CUTOUT]
    p = LogMassPosterior.from_log_likelihood(GRID, log_l, "flat", flag=flag)
    for values in (p.median(), p.mean(), p.std(), *p.interval(), p.cdf(1e14 * u.solMass)):
        assert list(np.isnan(values)) == [False, True]
    assert np.isnan(p.sample(5, 1)[1]).all()
    assert np.isnan(p.reweight(p.prior[0]).median()[1])
    table = p.to_table("mine")
    assert table.colnames == list(MASS_COLUMNS)
    assert list(table["flag"]) == flag
    assert table["mass"][0] == p.median()[0]
    assert table["mass_errn"][0] == p.median()[0] - p.interval()[0][0]
    assert np.isnan(table["mass_errp"][1])
    assert table.meta["method"] == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([14, 15], [[1, 1]], [1, 1]), "'log10_mass' must be at least 3"),
        (([14, 15, 15], [[1, 1, 1]], [1, 1, 1]), "'log10_mass' must be at least 3 increasing"),
        (([14, 15, 16], [1, 1, 1], [1, 1, 1]), r"'density' must have the shape \(N, 3\)"),
        (([14, 15, 16], [[1, -1, 1]], [1, 1, 1]), "'density' must be finite and at least 0"),
        (([14, 15, 16], [[1, 1, 1]], [1, 1]), r"'prior' must have the shape \(3,\)"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        LogMassPosterior(*arguments)


def test_refused_options():
    p = gaussian()
    with pytest.raises(InvalidInputError, match="'names' must have one entry per cluster"):
        gaussian(names=["a"])
    with pytest.raises(InvalidInputError, match="'level'"):
        p.interval(1.5)
    with pytest.raises(InvalidInputError, match="'probability'"):
        p.quantile(-0.1)
    with pytest.raises(InvalidInputError, match="'prior' must be 'flat'"):
        p.reweight("tinker")
    with pytest.raises(InvalidInputError, match="'prior' must be finite"):
        p.reweight(lambda m, z: -np.ones_like(m * z))
    with pytest.raises(InvalidUnitError, match="'mass'"):
        p.cdf(14.5)


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
@pytest.mark.parametrize("one_prior", [True, False])
def test_files_give_the_posteriors_back(suffix, one_prior, tmp_path):
    names, redshift = ["A 1", "b<é>", "c"], [0.1, np.nan, 0.3]
    prior = np.ones(len(GRID)) if one_prior else np.linspace(1, [2, 3, 4], len(GRID)).T
    log_l = -0.5 * ((GRID - np.array([[14.5], [14.8], [np.nan]])) / 0.1) ** 2
    p = LogMassPosterior.from_log_likelihood(
        GRID,
        log_l,
        prior,
        names=names,
        redshift=redshift,
        flag=[0, 1, 4],
        meta={"prior": "flat", "references": ["2006A&A...459..341M"]},
    )
    p.write(tmp_path / f"p{suffix}")
    back = LogMassPosterior.read(tmp_path / f"p{suffix}")
    np.testing.assert_array_equal(back.log10_mass, p.log10_mass)
    np.testing.assert_array_equal(back.density, p.density)
    np.testing.assert_allclose(back.prior, p.prior, rtol=1e-13)
    assert list(back.names) == names
    np.testing.assert_array_equal(back.redshift, redshift)
    assert list(back.flag) == [0, 1, 4]
    assert back.meta == p.meta
    with pytest.raises(InvalidInputError, match="exists"):
        p.write(tmp_path / f"p{suffix}")
    p[:0].write(tmp_path / f"p{suffix}", overwrite=True)
    assert len(LogMassPosterior.read(tmp_path / f"p{suffix}")) == 0


def test_files_that_hold_no_posteriors(tmp_path):
    p = gaussian(names=["a", "b"])
    with pytest.raises(InvalidInputError, match="CSV cannot hold the column 'density'"):
        p.write(tmp_path / "p.csv")
    write_table(p.to_table(), tmp_path / "m.ecsv")
    with pytest.raises(FileFormatError, match="holds no posteriors"):
        LogMassPosterior.read(tmp_path / "m.ecsv")
    table = to_table(p)
    table.meta["schema_version"] = 9
    write_table(table, tmp_path / "n.ecsv")
    with pytest.raises(FileFormatError, match="schema version 9.*Update szmass"):
        LogMassPosterior.read(tmp_path / "n.ecsv")
    with pytest.raises(FileNotFoundError):
        LogMassPosterior.read(tmp_path / "none.fits")


@given(
    rows=st.lists(
        st.tuples(
            st.text(
                st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["C", "Z"])
            ),
            st.floats(14, 15.3) | st.just(np.nan),
            st.floats(0, 3) | st.just(np.nan),
            st.integers(0, 4095),
        ),
        max_size=4,
    ),
    prior=st.sampled_from(["flat", "steep", "with redshift"]),
    suffix=st.sampled_from([".ecsv", ".fits", ".vot"]),
)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_posteriors_come_back(rows, prior, suffix, tmp_path):
    names, centre, redshift, flag = zip(*rows, strict=True) if rows else ((), (), (), ())
    priors = {
        "flat": "flat",
        "steep": 10 ** (-2 * (GRID - 14)),
        "with redshift": np.ones((len(rows), 1)) * GRID ** np.arange(len(rows))[:, np.newaxis],
    }
    log_l = -0.5 * ((GRID - np.reshape(np.array(centre, dtype=float), (-1, 1))) / 0.1) ** 2
    p = LogMassPosterior.from_log_likelihood(
        GRID, log_l, priors[prior], names=names, redshift=redshift, flag=flag
    )
    p.write(tmp_path / f"p{suffix}", overwrite=True)
    back = LogMassPosterior.read(tmp_path / f"p{suffix}")
    assert list(back.names) == list(names)
    assert list(back.flag) == list(flag)
    np.testing.assert_array_equal(back.redshift, np.array(redshift, dtype=float))
    np.testing.assert_array_equal(back.density, p.density)
    np.testing.assert_allclose(back.prior, p.prior, rtol=1e-12)


def _written_with(path, edit):
    table = to_table(gaussian(names=["a", "b"], meta={"mass_scale": 1.0}))
    edit(table)
    write_table(table, path)
    return path


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "vot"])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema_version", None, "schema version None"),
        ("schema_version", "x", "schema version 'x'"),
        ("about", 3, "'about' of its meta must be a mapping"),
        ("about", [], "'about' of its meta must be a mapping"),
        ("log10_mass", ["x", "y"], "'log10_mass'"),
        ("log10_mass", 3, "'log10_mass'"),
        ("prior", ["a"], "'prior'"),
        ("prior", -1.5, "'prior'"),
        ("prior", [[1.0]], "'prior'"),
        ("prior", [float("nan"), *np.ones(230)], "a number of the prior is not finite"),
    ],
)
def test_files_whose_meta_is_damaged(tmp_path, suffix, key, value, message):
    path = _written_with(tmp_path / f"p.{suffix}", lambda t: t.meta.update({key: value}))
    with pytest.raises(FileFormatError, match=message):
        LogMassPosterior.read(path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("redshift", ["0.2", "..."], "'redshift' must be"),
        ("flag", [0.5, 4.0], "'flag' does not hold whole numbers"),
        ("flag", ["0", "x"], "'flag' does not hold whole numbers"),
    ],
)
def test_files_whose_columns_hold_something_else(tmp_path, column, values, message):
    path = _written_with(tmp_path / "p.ecsv", lambda t: t.replace_column(column, values))
    with pytest.raises(FileFormatError, match=message):
        LogMassPosterior.read(path)
