"""Examples in every --help, which parse, and what the Tab key gives."""

import re
import shlex

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from szmass.cli import main
from szmass.cli.options import by_prefix

COMMANDS = ["", *main.list_commands(None)]
MADE_UP = re.compile(r"[\w./-]+\.\w+|mine|mymodel|mocks|networks|maps|small|twins|survey|sky|patch")


def examples_of(command):
    """Give the lines of the section 'Examples' of a help text, those that go on joined."""
    text = CliRunner().invoke(main, [*command.split(), "--help"]).output
    block = re.search(r"\n  Examples:\n((?:    .*\n)+)", text)
    assert block, f"'szmass {command} --help' has no examples"
    lines = []
    for line in block[1].splitlines():
        if line.startswith("    szmass"):
            lines.append(line.strip())
        else:
            assert line.startswith("        "), "what goes on is indented further"
            lines[-1] += " " + line.strip()
    return lines


def parse(line):
    """Parse a line as click does, with files that are there; give command, its context, words."""
    words = shlex.split(re.split(r" [>|] ", line)[0])
    assert words.pop(0) == "szmass"
    command = main.get_command(None, words[0])
    return command, command.make_context(words[0], words[1:]), words[1:]


@pytest.fixture(autouse=True)
def files_exist(monkeypatch):
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: value)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_parse(command):
    lines = examples_of(command)
    assert lines
    for line in lines:
        assert line.startswith(f"szmass {command}".strip())
        assert len(line) < 240
        parsed, ctx, _ = parse(line)
        with ctx:
            if parsed.name == "match":
                for flag in ("columns", "units", "missing"):
                    by_prefix(ctx.params[flag], ctx.params["prefixes"], flag)
    if len(lines) > 1:
        assert len({frozenset(parse(line)[2]) for line in lines}) == len(lines)


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_names_in_examples_are_known(command):
    """Whatever the Tab key knows of a parameter, the examples use none of."""
    for line in examples_of(command):
        parsed, ctx, _ = parse(line)
        for param in parsed.params:
            if param._custom_shell_complete is None or param.name == "options":
                continue
            value = ctx.params.get(param.name)
            value = value["source"] if isinstance(value, dict) else value
            for name in value if isinstance(value, list | tuple) else [value]:
                if name and not MADE_UP.fullmatch(name):
                    found = param.shell_complete(ctx, name)
                    assert name in [item.value for item in found if item.type == "plain"], line


def complete(line):
    *args, incomplete = line.split(" ")
    items = ShellComplete(main, {}, "szmass", "_SZMASS_COMPLETE").get_completions(args, incomplete)
    return [item.value for item in items], {item.type for item in items}


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("est", ["estimate"]),
        ("estimate --catalog ps", ["psz2"]),
        ("match mcxc act-ed", ["act-ed56"]),
        ("catalog spt-", ["spt-ecs", "spt-sz"]),
        ("estimate --map milca-r2.02", ["milca-r2.02"]),
        ("estimate --estimators like", ["likelihood"]),
        ("estimate --estimators cnn,like", ["cnn,likelihood"]),
        ("estimate --estimators cnn,cn", ["cnn,cnn-deandres2022"]),
        ("estimate --noise pl", ["planck"]),
        ("estimate --estimators cnn --set ", ["cnn."]),
        ("estimate --estimators cnn --set cnn.sigma", ["cnn.sigma_lny="]),
        ("state --set morphology.fi", ["morphology.fits="]),
        ("state --definition cui", ["cui2018"]),
        ("baryons mine.fits --model tn", ["tng"]),
        ("lightcone --gas a10-s", ["a10-spheres"]),
        ("simulate --population mass", ["mass-function"]),
        ("simulate --observation pl", ["planck-like", "planck-total"]),
        ("simulate --field x", ["xray"]),
        ("reproduce --lensing lc", ["lc2"]),
        ("fetch milca-r2.02", ["milca-r2.02"]),
        ("cite herb", ["herbonnet2020"]),
    ],
)
def test_tab_key(line, values, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complete(line) == (values, {"plain"} if values else set())


def test_files_come_with_the_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "psz2.fits").write_text("")
    (tmp_path / "psfolder").mkdir()
    assert complete("estimate --catalog ps") == (["psz2", "psz2.fits"], {"plain"})
    assert complete("estimate --catalog nothing/els") == (["nothing/els"], {"file"})
    assert complete("report mass") == (["mass"], {"file"})
    assert complete("estimate --posteriors p") == (["p"], {"file"})


def test_bash_is_answered():
    env = {"_SZMASS_COMPLETE": "bash_complete", "COMP_WORDS": "szmass estimate --catalog ps"}
    result = CliRunner().invoke(main, env=env | {"COMP_CWORD": "3"}, prog_name="szmass")
    assert result.output == "plain,psz2\n"
    for shell in ("bash", "zsh", "fish"):
        script = CliRunner().invoke(
            main, env={"_SZMASS_COMPLETE": f"{shell}_source"}, prog_name="szmass"
        )
        assert f"{shell}_complete" in script.output
