"""The command line, as a user calls it."""

import json
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from click.testing import CliRunner

from szmass._tables.files import read_table
from szmass.cli import main
from szmass.cli.options import NOTHING_FOUND
from szmass.estimators.checks import make_check_sample
from szmass.results import LogMassPosterior, masses_of, read_masses


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def catalog(tmp_path):
    """Write the table of a small sample."""
    sample = make_check_sample(6)
    sample.table["redshift"].mask[0] = True
    path = tmp_path / "catalog.ecsv"
    sample.write(path)
    return path


@pytest.fixture
def healpix_map(tmp_path):
    """Write a small map of the whole sky in Galactic coordinates."""
    import healpy

    path = tmp_path / "map.fits"
    values = np.random.default_rng(0).normal(0, 1e-6, 12 * 64**2).astype(np.float32)
    healpy.write_map(path, values, coord="G", column_names=["FULL"], dtype=np.float32)
    return path


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_estimate(catalog, tmp_path, suffix):
    output = tmp_path / f"masses{suffix}"
    result = run("estimate", "--catalog", catalog, "--estimators", "scaling", "-o", output)
    assert result.exit_code == 0, result.output
    assert "6 clusters written" in result.output
    assert "scaling: 5 weighed" in result.output
    assert "1 of 6 clusters were not weighed (1 NO_REDSHIFT)" in result.stderr
    table = read_table(output)
    assert len(table) == 6
    assert np.isfinite(table["mass_scaling"]).sum() == 5
    assert table["mass_scaling"].unit == u.solMass
    assert table.meta["methods"]["scaling"]["one_minus_b"] == 1.0


def test_estimate_with_a_map_and_options(catalog, healpix_map, tmp_path):
    output = tmp_path / "masses.ecsv"
    result = run(
        "estimate", "--catalog", catalog, "--map", healpix_map, "--beam", "10 arcmin",
        "--estimators", "scaling", "--set", "scaling.one_minus_b=0.8", "--redshift", 0, 1,
        "--covered", "--output", output,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    table = read_table(output)
    assert len(table) == 5
    assert table.meta["methods"]["scaling"]["one_minus_b"] == 0.8


def test_nothing_weighed_has_its_own_exit_code(tmp_path):
    sample = make_check_sample(2)
    sample.table["redshift"].mask[:] = True
    sample.write(tmp_path / "c.ecsv")
    args = ("--catalog", tmp_path / "c.ecsv", "--estimators", "scaling", "-o", tmp_path / "m.ecsv")
    result = run("estimate", *args)
    assert result.exit_code == NOTHING_FOUND
    assert len(read_table(tmp_path / "m.ecsv")) == 2


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--estimators", "scalling"], 1, "No estimator is named 'scalling'. Did you mean"),
        (["--estimators", ","], 2, "give at least one name"),
        (["--estimators", "scaling", "--set", "cnn.x=1"], 2, "which is not in --estimators"),
        (["--estimators", "scaling", "--set", "scaling"], 2, "not of the form"),
        (["--estimators", "scaling", "--set", "scaling.b=1"], 2, "has no option 'b'"),
        (["--estimators", "scaling", "--set", "scaling.relation=x"], 1, "planck2015"),
        (["--estimators", "scaling", "--covered"], 2, "--covered needs --map"),
        (["--estimators", "cnn-deandres2022"], 1, "--map"),
        (["--estimators", "scaling", "--map", "none.fits"], 1, "none.fits"),
        (["--estimators", "scaling", "--map", "milka"], 1, "milka"),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_no_output(catalog, tmp_path, args, code, message):
    output = tmp_path / "masses.ecsv"
    result = run("estimate", "--catalog", catalog, "--output", output, *args)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not output.exists()


def test_unknown_output_format_is_refused_before_any_work(catalog, tmp_path):
    args = ("--catalog", catalog, "--estimators", "scaling", "--output", tmp_path / "m.xlsx")
    result = run("estimate", *args)
    assert result.exit_code == 1
    assert ".ecsv (ecsv)" in result.stderr


def test_output_is_not_overwritten_unless_told(catalog, tmp_path):
    output = tmp_path / "m.ecsv"
    output.write_text("mine")
    args = ("estimate", "--catalog", catalog, "--estimators", "scaling", "--output", output)
    assert run(*args).exit_code == 1
    assert output.read_text() == "mine"
    assert run(*args, "--overwrite").exit_code == 0


def test_damaged_inputs(healpix_map, tmp_path, catalog):
    healpix_map.write_bytes(healpix_map.read_bytes()[:100_000])
    args = ("--catalog", catalog, "--estimators", "scaling", "--output", tmp_path / "m.ecsv")
    result = run("estimate", *args, "--map", healpix_map)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    catalog.write_text("not a table")
    assert run("estimate", *args).exit_code == 1
    assert not (tmp_path / "m.ecsv").exists()


def test_catalog(catalog, tmp_path):
    result = run("catalog", catalog, "--redshift", 0, 1, "-o", tmp_path / "clean.vot")
    assert result.exit_code == 0, result.output
    assert "5 clusters written" in result.output
    assert len(read_table(tmp_path / "clean.vot")) == 5
    result = run("catalog", "psz3", "-o", tmp_path / "x.ecsv")
    assert result.exit_code == 1
    assert "psz2" in result.stderr


def test_fetch_lists_the_maps_and_refuses_unknown_names():
    result = run("fetch")
    assert result.exit_code == 0
    assert "milca" in result.output
    result = run("fetch", "milka")
    assert result.exit_code == 1
    assert "'milca'" in result.stderr


def test_info():
    result = run("info")
    assert result.exit_code == 0
    for word in (
        "szmass",
        "astropy",
        "scaling",
        "cnn-deandres2022",
        "psz2",
        "cache folder",
        "morphology",
    ):
        assert word in result.output
    facts = json.loads(run("info", "--json").output)
    assert facts["versions"]["numpy"] == np.__version__


def test_what_needs_no_cache_folder_runs_without_one(monkeypatch):
    monkeypatch.delenv("SZMASS_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    result = run("info")
    assert result.exit_code == 0
    for word in ("astropy", "none. The cache folder", "SZMASS_CACHE"):
        assert word in result.output
    facts = json.loads(run("info", "--json").output)
    assert facts["versions"]["numpy"] == np.__version__
    assert run("cite").exit_code == 0
    result = run("fetch", "milca")
    assert result.exit_code == 1
    assert "SZMASS_CACHE" in result.stderr


def test_help_and_module():
    for command in ((), ("estimate",), ("state",), ("catalog",), ("fetch",), ("info",)):
        assert "Usage" in run(*command, "--help").output
    command = [sys.executable, "-m", "szmass", "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.startswith("szmass, version")


@pytest.mark.real_data
def test_coma_field_end_to_end(real_data, tmp_path):
    output = tmp_path / "masses.ecsv"
    result = run(
        "estimate",
        "--catalog", real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"),
        "--map", real_data("milca_coma/map2048_MILCA_Coma_20deg_G.fits"),
        "--beam", "10 arcmin", "--interpolation", "nearest", "--covered", "--redshift", 0, 1,
        "--estimators", "cnn-deandres2022,scaling",
        "--set", f"cnn-deandres2022.weights={real_data('deepplanck/weights')}",
        "--output", output,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    table = read_table(output)
    assert len(table) == 12
    for tag in ("cnn_deandres2022", "scaling"):
        ratio = table[f"mass_{tag}"] / table["msz"]
        assert 0.9 < np.median(np.asarray(ratio)) < 1.5


@pytest.fixture
def estimate_likelihood(catalog, healpix_map, tmp_path):
    def estimate(*options, output="m.fits"):
        return run(
            "estimate", "--catalog", catalog, "--map", healpix_map, "--beam", "10 arcmin",
            "--noise", "planck", "--estimators", "scaling,likelihood", "-o", tmp_path / output,
            *options,
        )  # fmt: skip

    return estimate


def test_estimate_writes_posteriors_and_samples(estimate_likelihood, tmp_path):
    result = estimate_likelihood(
        *("--posteriors", tmp_path / "p.fits", "--posterior-samples", 50, "--seed", 3)
    )
    assert result.exit_code == 0, result.output
    assert "Posteriors of likelihood written" in result.output
    table = read_table(tmp_path / "m.fits")
    draws = table["samples_likelihood"]
    assert draws.shape == (6, 50)
    assert draws.unit == u.solMass
    posterior = LogMassPosterior.read(tmp_path / "p.fits")
    assert list(posterior.names) == list(table["name"])
    known = np.isfinite(table["mass_likelihood"])
    assert list(np.isfinite(draws).all(axis=1)) == list(known)
    assert known.sum() == 5
    assert u.allclose(posterior.median()[known], table["mass_likelihood"][known])
    assert np.all((posterior.cdf(draws.max(axis=1)) <= 1)[known])
    # Nothing else in the table depends on whether posteriors are asked for.
    assert estimate_likelihood(output="plain.fits").exit_code == 0
    plain = read_table(tmp_path / "plain.fits")
    for name in ("mass_likelihood", "mass_errn_likelihood", "mass_scaling"):
        np.testing.assert_allclose(plain[name].value, table[name].value, rtol=1e-9)
    assert list(plain["flag_likelihood"]) == list(table["flag_likelihood"])


def test_masses_of_the_networks_are_the_same_with_and_without_posteriors(
    estimate_likelihood, tmp_path
):
    options = "--estimators", "cnn,likelihood,scaling", "--one-minus-b", 0.8
    result = estimate_likelihood(*options, output="plain.fits")
    assert result.exit_code == 0, result.output
    assert "different scales" not in result.stderr
    more = "--posteriors", tmp_path / "p.fits", "--mean"
    assert estimate_likelihood(*options, *more).exit_code == 0
    plain, table = read_masses(tmp_path / "plain.fits"), read_masses(tmp_path / "m.fits")
    for method in ("cnn", "likelihood", "scaling"):
        before, after = masses_of(plain, method), masses_of(table, method)
        for name in ("mass", "errn", "errp", "flag"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        assert after.mass_scale.one_minus_b == 0.8
    assert before.mean is None
    mean, posterior = masses_of(table, "cnn").mean, LogMassPosterior.read(tmp_path / "p-cnn.fits")
    np.testing.assert_allclose(mean, posterior.mean_mass().value)
    moved = LogMassPosterior.read(tmp_path / "p-likelihood.fits")
    np.testing.assert_allclose(moved.median().value, masses_of(table, "likelihood").mass)
    assert moved.meta["rescaled_from"] == 1.0


def test_mixed_scales_are_said_on_the_shell(estimate_likelihood):
    result = estimate_likelihood("--estimators", "cnn,scaling")
    assert result.exit_code == 0
    assert "cnn: 1-b = 0.8, scaling: 1-b = 1" in " ".join(result.stderr.split())
    result = estimate_likelihood("--one-minus-b", 5, output="other.fits")
    assert result.exit_code == 1
    assert "'--one-minus-b'" in result.stderr


def test_posteriors_of_several_estimators_have_files_of_their_own(estimate_likelihood, tmp_path):
    result = estimate_likelihood(
        *("--estimators", "cnn,likelihood", "--posteriors", tmp_path / "p.fits")
    )
    assert result.exit_code == 0, result.output
    for tag in ("cnn", "likelihood"):
        assert LogMassPosterior.read(tmp_path / f"p-{tag}.fits").meta["method"] == tag


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--estimators", "scaling", "--posteriors", "p.fits"), "--posteriors needs"),
        (("--posteriors", "p.csv"), "--posteriors needs a name that ends in"),
        (("--posterior-samples", 5, "-o", "m.csv"), "does not go into CSV"),
        (("--posterior-samples", 0), "x>=1"),
    ],
)
def test_posterior_options_that_make_no_sense(estimate_likelihood, options, message):
    result = estimate_likelihood(*options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_samples_need_a_posterior(catalog, tmp_path):
    result = run(
        "estimate", "--catalog", catalog, "--estimators", "scaling", "-o", tmp_path / "m.ecsv",
        "--posterior-samples", 5,
    )  # fmt: skip
    assert result.exit_code == 1
    assert "needs a method that has posteriors" in result.stderr


def test_estimate_writes_csv_and_says_what_it_loses(catalog, tmp_path):
    output = tmp_path / "m.csv"
    result = run("estimate", "--catalog", catalog, "--estimators", "scaling", "-o", output)
    assert result.exit_code == 0, result.output
    assert "CSV keeps neither units" in result.stderr
    assert output.read_text().startswith("name,ra,dec,redshift")
