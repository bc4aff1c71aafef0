"""How commands end: outputs are looked at first, nothing is half-written, no traceback is shown."""

import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

from szmass.cli import main
from szmass.cli.options import NOTHING_FOUND
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import SzmassWarning

SCALING = ("--estimators", "scaling")


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "c.ecsv"
    make_check_sample(4).write(path)
    return path


@pytest.fixture
def nothing_is_weighed(monkeypatch):
    """Let reading and weighing fail the test: the output was not looked at first."""

    def fail(*args, **options):
        raise AssertionError("the output was not looked at first")

    for name in ("szmass.catalogs.load_sample", "szmass.catalogs.load_catalog"):
        monkeypatch.setattr(name, fail)
    monkeypatch.setattr("szmass.results.read_masses", fail)


@pytest.mark.usefixtures("nothing_is_weighed")
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("there.ecsv", "exists"),
        ("none/m.ecsv", "does not exist"),
        ("folder.ecsv", "folder"),
        ("locked/m.ecsv", "permissions"),
    ],
)
@pytest.mark.parametrize(
    "command", ["baryons", "estimate", "posteriors", "catalog", "match", "report"]
)
def test_outputs_are_looked_at_first(catalog, tmp_path, monkeypatch, command, output, message):
    (tmp_path / "there.ecsv").write_text("mine")
    (tmp_path / "folder.ecsv").mkdir()
    (tmp_path / "folder.ecsv" / "mine").write_text("mine")
    (tmp_path / "locked").mkdir()
    access = os.access
    monkeypatch.setattr(  # whoever is root may write everywhere
        os, "access", lambda path, mode: "locked" not in str(path) and access(path, mode)
    )
    target = tmp_path / output
    result = {
        "baryons": lambda: run("baryons", catalog, "--model", "tng", "-o", target),
        "estimate": lambda: run("estimate", "--catalog", catalog, *SCALING, "-o", target),
        "posteriors": lambda: run(
            *("estimate", "--catalog", catalog, "--estimators", "likelihood"),
            *("-o", tmp_path / "m.ecsv", "--posteriors", target),
        ),
        "catalog": lambda: run("catalog", catalog, "-o", target),
        "match": lambda: run("match", catalog, catalog, "-o", target),
        "report": lambda: run("report", catalog, "-o", target),
    }[command]()
    assert result.exit_code in (1, 2), result.output
    assert command == "report" or message in result.stderr
    assert "looked at first" not in result.stderr
    assert (tmp_path / "there.ecsv").read_text() == "mine"


def test_no_output_takes_the_place_of_an_input(catalog, tmp_path):
    before = catalog.read_bytes()
    link = tmp_path / "link.ecsv"
    link.symlink_to(catalog)
    commands = ("estimate", *SCALING, "--catalog"), ("catalog",), ("baryons", "--model", "tng")
    for command in commands:
        for target in (catalog, link):
            result = run(*command, catalog, "-o", target, "--overwrite")
            assert result.exit_code == 2
            assert "cannot be written: this command reads it" in result.stderr
    both = tmp_path / "both.fits"
    result = run(
        *("estimate", "--catalog", catalog, "--estimators", "likelihood", "-o", both),
        *("--posteriors", both),
    )
    assert result.exit_code == 2
    assert catalog.read_bytes() == before
    assert not both.exists()


def test_devices_are_no_outputs(catalog):
    result = run("catalog", catalog, "-o", os.devnull, "--overwrite")
    assert result.exit_code == 1
    assert os.path.exists(os.devnull)


def test_an_empty_choice_has_its_own_exit_code(catalog, tmp_path):
    empty = ("--redshift", 0.9, 0.95)
    result = run("catalog", catalog, *empty, "-o", tmp_path / "a.ecsv")
    assert (result.exit_code, "0 clusters" in result.output) == (NOTHING_FOUND, True)
    result = run("estimate", "--catalog", catalog, *SCALING, *empty, "-o", tmp_path / "b.ecsv")
    assert result.exit_code == NOTHING_FOUND
    reversed_ = run("catalog", catalog, "--redshift", 0.5, 0.2, "-o", tmp_path / "c2.ecsv")
    assert reversed_.exit_code != 0


def test_flags_are_counted_in_the_summary(tmp_path):
    sample = make_check_sample(5)
    sample.table["redshift"].mask[0] = True
    sample.table["y5r500"][1] = -1 * sample.table["y5r500"].unit
    sample.write(tmp_path / "c.ecsv")
    result = run("estimate", "--catalog", tmp_path / "c.ecsv", *SCALING, "-o", tmp_path / "m.ecsv")
    assert result.exit_code == 0, result.output
    assert "scaling: 3 weighed; flags: 1 NO_REDSHIFT, 1 NOT_POSITIVE" in result.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--set", "scaling.one_minus_b=abc"), "'--set scaling.one_minus_b' must"),
        (("--set", 'scaling.one_minus_b={"a": {"b": [1, null]}}'), "'--set scaling.one_minus_b'"),
        (("--set", f"scaling.one_minus_b={9999 * '['}"), "'--set scaling.one_minus_b'"),
        (("--set", "scaling.relatoin=x"), "Did you mean 'relation'?"),
        (("--set", "scaling.y=y500", "--set", "scaling.y=y5r500"), "'scaling.y' is given twice"),
        (("--unit", "msz=foo"), "'--unit': 'msz=foo' is not of the form COLUMN=UNIT: 'foo' is no"),
        (("--unit", "msz=solMass", "--unit", "msz=kg"), "'msz' is given twice"),
        (("--missing", "msz=many"), "'many' is no number"),
        (("--estimators", "scaling,scaling"), "'scaling' twice"),
        (("--estimators", "scalling"), "Did you mean 'scaling'?"),
        (("--catalog", "psz22"), "Did you mean 'psz2'?"),
    ],
)
def test_odd_values_are_told_by_their_option(catalog, tmp_path, args, message):
    output = tmp_path / "m.ecsv"
    result = run("estimate", "--catalog", catalog, *SCALING, "-o", output, *args)
    assert result.exit_code in (1, 2), result.output
    assert isinstance(result.exception, SystemExit)
    assert message in result.stderr
    assert not output.exists()


def test_unknown_commands_and_populations_have_a_hint(tmp_path):
    result = run("estimte")
    assert (result.exit_code, "Did you mean 'estimate'?" in result.stderr) == (2, True)
    result = run("simulate", "--population", "flta", "--seed", 1, "-o", tmp_path / "d")
    assert (result.exit_code, "Did you mean 'flat'?" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (
            ZeroDivisionError("one\ntwo"),
            1,
            "Unexpected ZeroDivisionError: one two (This is",
        ),
        (RecursionError(), 1, "Unexpected RecursionError: no message"),
        (MemoryError("8 EiB"), 1, "The memory of this machine does not suffice: 8 EiB"),
        (OSError(28, "No space left on device", "m.ecsv"), 1, "No space left on device: 'm.ecsv'"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
)
def test_whatever_happens_is_one_line(catalog, tmp_path, monkeypatch, fault, code, message):
    def fail(*args, **options):
        raise fault

    monkeypatch.setattr("szmass.catalogs.load_sample", fail)
    args = ("catalog", catalog, "-o", tmp_path / "x.ecsv")
    result = run(*args)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    if code == 1:
        assert "Traceback" in run("--debug", *args).stderr


def _start(*args, **options):
    return subprocess.Popen([sys.executable, "-m", "szmass", *map(str, args)], text=True, **options)


def test_nobody_reads_the_output():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = _start("info", **pipes)
    process.stdout.close()  # before anything is printed
    assert process.wait(120) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_nothing_behind(tmp_path, number, code):
    pytest.importorskip("matplotlib")
    output = tmp_path / "demo"
    with _start(
        "demo", "--folder", output, "--nside", 1024, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.2)
        process.send_signal(number)
        _, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_an_interrupted_import_is_one_line():
    code = """if True:
        import builtins, signal
        from szmass.__main__ import run
        real = builtins.__import__
        def interrupted(name, *args, **options):
            if name.startswith("astropy"):
                signal.raise_signal(signal.SIGINT)
            return real(name, *args, **options)
        builtins.__import__ = interrupted
        run()
    """
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (result.returncode, result.stderr) == (130, "Interrupted.\n")


class _Deleted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("how", ["import", "deleted", "twice"])
def test_an_interruption_that_is_taken_for_something_else(catalog, tmp_path, monkeypatch, how):
    def interrupted(*args, **options):
        warnings.warn("not seen", SzmassWarning, stacklevel=2)
        if how == "deleted":  # Python prints what is raised there, and goes on
            _Deleted()
            time.sleep(20)
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if how == "twice":
                signal.raise_signal(signal.SIGINT)  # while it is cleaned up
            raise ImportError("numpy._core.multiarray failed to import") from None

    monkeypatch.setattr("szmass.catalogs.load_sample", interrupted)
    result = run("catalog", catalog, "-o", tmp_path / "x.ecsv")
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("content", [b"", b"\0\1\2" * 999, b"hello\n", b"SIMPLE  =", b"["])
@pytest.mark.parametrize("suffix", [".ecsv", ".csv", ".fits", ".vot", ".npz", ""])
def test_rubbish_never_ends_in_a_traceback(catalog, tmp_path, content, suffix):
    rubbish = tmp_path / f"r\u00fcbbish \u2603{suffix}"
    rubbish.write_bytes(content)
    out = tmp_path / "out.ecsv"
    for args in (
        ("catalog", rubbish, "-o", out),
        ("estimate", "--catalog", catalog, *SCALING, "--map", rubbish, "-o", out),
        ("match", catalog, rubbish, "-o", out),
        ("baryons", rubbish, "--model", "tng", "-o", out),
        ("report", rubbish, "-o", tmp_path / "r"),
        ("simulate", "--population", rubbish, "--seed", 1, "-o", tmp_path / "d"),
        ("train", rubbish, "-o", tmp_path / "t", "--data", tmp_path),
    ):
        result = run(*args)
        assert result.exit_code in (1, 2), (args, result.output)
        assert isinstance(result.exception, SystemExit)
        assert "Unexpected" not in result.stderr, (args, result.stderr)
        assert not out.exists()
    assert np.array_equal(rubbish.read_bytes(), content)
