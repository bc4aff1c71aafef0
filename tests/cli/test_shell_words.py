"""The shell speaks of its own options, whatever argument of the library a message is about."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import szmass
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
        ("estimate", "coord=('x', 'y'), frame='icrs'.", "--column ra=x --column dec=y."),
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
