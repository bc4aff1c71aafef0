"""What the documentation lists by hand is what the package has."""

import re
import runpy
from pathlib import Path

import pytest

import szmass
from szmass.results import MASS_COLUMNS, MassFlag

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not here")


@pytest.mark.parametrize("name", [flag.name for flag in MassFlag])
def test_every_flag_is_explained(name):
    assert re.search(rf"^``{name}``$", (DOCS / "topics" / "results.rst").read_text(), re.M)


@pytest.mark.parametrize("name", MASS_COLUMNS)
def test_every_column_is_explained(name):
    assert re.search(rf"^{name} ", (DOCS / "topics" / "results.rst").read_text(), re.M)


def test_figure_of_the_architecture_shows_the_package():
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot as plt

    try:
        figure = runpy.run_path(DOCS / "figures" / "architecture.py")
    finally:
        plt.close("all")
    assert figure["parts_of_the_package"]() == figure["PARTS"].keys()
    named = {name for start, end, _ in figure["FLOW"] for name in (start, end)}
    assert named == figure["PARTS"].keys() - {"cli"}


def test_reproduced_numbers_name_tests_that_exist():
    text = (DOCS / "topics" / "reproduced.rst").read_text()
    files = {
        path.stem.removeprefix("test_") for path in (ROOT / "tests" / "benchmarks").glob("*.py")
    }
    named = set(re.findall(r"``([a-z0-9_]+)``", text)) - {"test_"}
    assert len(named) > 8
    assert named <= files
    for script in re.findall(r"(?<!tests/)benchmarks/\w+\.py", text):
        assert (ROOT / script).exists()


def test_tutorials_begin_with_a_title():
    scripts = sorted((DOCS / "tutorials").glob("*.py"))
    assert len(scripts) == 8
    for number, script in enumerate(scripts, start=1):
        assert script.name.startswith(f"{number:02d}_")
        assert re.match(r'"""\n.+\n=+\n\n', script.read_text())


def test_reference_has_all_rooms_and_what_is_at_the_top():
    pages = {path.stem: path.read_text() for path in (DOCS / "reference").glob("*.rst")}
    top = pages.pop("index")
    assert pages.keys() == szmass._SUBPACKAGES
    for room, text in pages.items():
        assert f".. automodapi:: szmass.{room}\n" in text
        assert re.search(rf"^   {room}$", top, re.M)
    for name in szmass.__all__:
        assert re.search(rf"[.`]{name}`", top), name
