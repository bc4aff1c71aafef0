"""The shell speaks of its own options, whatever argument of the library a message is about."""

import re
from pathlib import Path

import click
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from click.testing import CliRunner

import szmass
from szmass import ClusterSample
from szmass.cli import main
from szmass.cli.wording import in_shell_words, tell_reader
from szmass.estimators.checks import make_check_sample


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def ctx():
    return click.Context(main)


@pytest.mark.parametrize(
    ("command", "text", "said"),
    [
        ("estimate", "allow it to be overwritten (overwrite=True).", "overwritten (--overwrite)."),
        ("estimate", "with ordering='ring' or ordering='nested'.", "--ordering ring or --ordering"),
        (
            "estimate",
            "Use ComptonMap.read(..., beam=10 * u.arcmin).",
            "--beam '10 arcmin'",
        ),
        ("estimate", "call sample.attach_cutouts(compton_map) first.", "give the map by --map."),
        ("estimate", "one_minus_b=0.8 brings those", "--one-minus-b 0.8 brings those"),
        ("estimate", "'one_minus_b' must be a number", "'--one-minus-b' must be a number"),
        ("estimate", "units={'msz': '1e14 solMass'}.", "--unit 'msz=1e14 solMass'."),
        ("estimate", "missing={'redshift': -1.0}.", "--missing redshift=-1.0."),
        ("estimate", "columns={'ra': 'x', 'dec': 'y'}.", "--column ra=x --column dec=y."),
        ("estimate", "columns={'redshift': 'NAME'} (a", "--column redshift=NAME (a"),
        ("simulate", "columns={'name': 'NAME'} (a", "--column name=NAME of 'szmass catalog' (a"),
        ("estimate", "missing={'redshift': inf}.", "--missing redshift=inf."),
        ("estimate", "say so with unit=''.", "say so with --map-unit ''."),
        ("estimate", "zeros='observed' if", "--zeros observed if"),
        ("estimate", "the estimator 'cnn' with weights=... for", "with --set cnn.weights=... for"),
        ("match", "for instance cosmology='PSZ2'.", "'PSZ2'. (That is Python: 'szmass match' has"),
        ("estimate", "it: ComptonMap.from_image(a[0], w).", "(That is Python: 'szmass estimate'"),
        ("estimate", "which one holds y, with column=... Its", "with --map-column ... Its"),
        ("estimate", "'redshift' must be (low, high).", "'--redshift' must be (low, high)."),
        ("estimate", "under the name 'ReadMe', or pass readme=...", "under the name 'ReadMe'"),
        ("estimate", "'column' must be left out: it", "'--map-column' must be left out: it"),
        ("report", "instance units={'ra': 'deg'}.", "--unit ra=deg of 'szmass catalog'."),
        ("train", "Go on with resume=True, or", "Go on with --resume, or"),
        ("simulate", "'n' must be an integer", "'--number' must be an integer"),
        ("simulate", "with verify=True.", "with --verify."),
    ],
)
def test_arguments_become_options_of_the_command(ctx, command, text, said):
    assert said in in_shell_words(text, main.get_command(ctx, command), ctx)


@pytest.mark.parametrize(
    "text",
    [
        "The column 'redshift' must hold one number per row.",
        "It has no column 'beam'.",
        "There is no file 'noise'. See https://x.org/a?b=c and page=3.",
        "'nosuch' must be a number, nosuch=3.",
        "Connection(host='vizier.cds.unistra.fr', port=443): it failed.",
    ],
)
def test_what_is_no_argument_stays(ctx, text):
    assert in_shell_words(text, main.get_command(ctx, "catalog"), ctx) == text


def test_options_of_estimators_and_prefixes_of_a_match(ctx):
    tell_reader(ctx, settings={"cnn": {"batch_size": "abc"}})
    estimate = main.get_command(ctx, "estimate")
    assert "'--set cnn.batch_size' must" in in_shell_words("'batch_size' must be", estimate, ctx)
    tell_reader(ctx, prefix="b.")
    match = main.get_command(ctx, "match")
    assert in_shell_words("units={'ra': 'deg'}", match, ctx) == "--unit b.ra=deg"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,ra,dec,z\n01,1,2,0.1\n", "--column {}name=id"),
        ("name,ra,dec\nA,1,2\n", "--column {}redshift=NAME"),
        ("name,z\nA,0.1\n", "--column {}ra=RA --column {}dec=DEC"),
        ("name,ra,dec,z\nA,1,2,inf\n", "--missing {}redshift=inf"),
    ],
)
def test_columns_are_asked_for_by_options_that_work(tmp_path, text, said):
    make_check_sample(3).write(tmp_path / "c.ecsv")
    table, out = tmp_path / "t.csv", ("-o", tmp_path / "o.ecsv")
    table.write_text(text)
    degrees = [["--unit", f"{p}ra=deg", "--unit", f"{p}dec=deg"] for p in ("", "b.")]
    if "ra" not in text:
        degrees = [[], []]
    for args, prefix in (
        (("catalog", table, *degrees[0]), ""),
        (("match", tmp_path / "c.ecsv", table, *degrees[1]), "b."),
    ):
        result = run(*args, *out)
        assert result.exit_code == 1
        assert f"{str(table)!r}: " in result.stderr
        assert said.format(prefix, prefix) in result.stderr
        assert "={" not in result.stderr
    if text.startswith("id"):
        assert run("catalog", table, *degrees[0], "--column", "name=id", *out).exit_code == 0
        assert "\n01 " in (tmp_path / "o.ecsv").read_text()


def test_one_position_of_several_is_chosen(tmp_path):
    table = make_check_sample(3).table
    table["first"], table["second"] = table["coord"], table["coord"].galactic
    table.remove_column("coord")
    table.write(tmp_path / "t.ecsv")
    out = ("-o", tmp_path / "o.ecsv")
    result = run("catalog", tmp_path / "t.ecsv", *out)
    assert "Choose one, for instance --column coord=first." in result.stderr
    assert run("catalog", tmp_path / "t.ecsv", "--column", "coord=second", *out).exit_code == 0
    assert ClusterSample.read(tmp_path / "o.ecsv").coord.frame.name == "galactic"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("scaling.one_minus_b=abc", "'--set scaling.one_minus_b' must be a number."),
        ("scaling.one_minus_b=[1, 2]", "'--set scaling.one_minus_b' must be one number."),
        (
            "scaling.one_minus_b='1 Mpc'",
            "'--set scaling.one_minus_b' must have a unit that converts to a plain",
        ),
        ("scaling.sigma_lny=abc", "'--set scaling.sigma_lny' must be a number."),
        ("likelihood.one_minus_b_err=abc", "'--set likelihood.one_minus_b_err' must be a number."),
        ("cnn.weights=3", "'--set cnn.weights' must be a path"),
        ("cnn.weights=none-here", "must hold 'card.json' and the weights that it names"),
        ("matched_filter.noise=abc", "'--set matched_filter.noise' must be 'planck'; a file goes"),
    ],
)
def test_odd_settings_are_told(tmp_path, setting, message):
    make_check_sample(3).write(tmp_path / "c.ecsv")
    values = np.random.default_rng(1).normal(0, 1e-6, (200, 200))
    header = WCS(naxis=2)
    header.wcs.ctype, header.wcs.crval = ["RA---TAN", "DEC--TAN"], [150, 2]
    header.wcs.cdelt, header.wcs.crpix = [-0.05, 0.05], [100, 100]
    fits.writeto(tmp_path / "m.fits", values.astype(np.float32), header.to_header())
    result = run(
        *("estimate", "--catalog", tmp_path / "c.ecsv", "--map", tmp_path / "m.fits"),
        *(
            "--beam",
            "10 arcmin",
            "--noise",
            "planck",
            "--estimators",
            setting.partition(".")[0],
            "--set",
            setting,
        ),
        *("-o", tmp_path / "o.ecsv"),
    )
    assert result.exit_code == 1, result.output
    assert message in result.stderr


def test_a_table_that_is_none_of_lensing_is_named(tmp_path):
    make_check_sample(3).write(tmp_path / "c.ecsv")
    (tmp_path / "l.csv").write_text("name,ra,dec,z\nA,1,2,0.1\n")
    result = run(
        *("estimate", "--catalog", tmp_path / "c.ecsv", "--estimators", "lensing"),
        *("--set", f"lensing.table={tmp_path / 'l.csv'}", "-o", tmp_path / "o.ecsv"),
    )
    assert f"'{tmp_path / 'l.csv'}' is no known table of lensing masses" in result.stderr


def test_what_is_cited_is_a_file_where_there_is_one(tmp_path):
    (tmp_path / "pic.jpg").write_bytes(b"\xff\xd8")
    result = run("cite", tmp_path / "pic.jpg")
    assert result.exit_code == 1
    assert "The form of " in result.stderr


def test_messages_are_one_line_of_bounded_length(ctx):
    text = in_shell_words("one\n  two\n" + 5000 * "x", None, ctx)
    assert text.startswith("one two x")
    assert len(text) < 2100


def test_the_library_does_not_speak_of_the_shell():
    root = Path(szmass.__file__).parent
    files = [file for file in root.rglob("*.py") if "cli" not in file.relative_to(root).parts]
    found = [f.name for f in files if re.search(r"--[a-z-]+ on\s.*(shell|command)", f.read_text())]
    assert len(files) > 100
    assert not found


def test_missing_unit_beam_and_noise_are_asked_for_by_options(tmp_path):
    healpy = pytest.importorskip("healpy")
    import numpy as np

    make_check_sample(3).write(tmp_path / "c.ecsv")
    values = np.zeros(12 * 64**2, np.float32)
    healpy.write_map(tmp_path / "m.fits", values, coord="G", column_names=["Y"], dtype=np.float32)
    (tmp_path / "bare.csv").write_text("name,ra,dec,redshift\nA,1,2,0.1\n")
    (tmp_path / "t.dat").write_text("1 2 3\n")
    args = ("estimate", "--estimators", "matched_filter", "-o", tmp_path / "x.ecsv", "--catalog")
    for options, said, unsaid in (
        (("bare.csv",), "--unit ra=deg", "units="),
        (("t.dat",), "under the name 'ReadMe'", "readme="),
        (("c.ecsv",), "--map", "attach_cutouts"),
        (("c.ecsv", "--map", tmp_path / "m.fits"), "--beam '10 arcmin'", "ComptonMap"),
        (("c.ecsv", "--map", tmp_path / "m.fits", "--beam", "10 arcmin"), "--noise ", "noise="),
        (("c.ecsv", "--map", tmp_path / "m.fits", "--beam", "3 s"), "'--beam' must", "'beam'"),
    ):
        result = run(*args, tmp_path / options[0], *options[1:])
        assert result.exit_code == 1, result.output
        assert said in result.stderr
        assert unsaid not in result.stderr
        assert result.stderr.count("\n") == 1
