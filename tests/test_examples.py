"""What scripts import first has an example in its docstring, which the doctests run."""

import ast
import doctest
import importlib
import inspect
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not here")

# Imported by several pages all the same: what would have to make files or skies of many seconds,
# or a table that has to be fetched; the pages run them, or say what they need.
WITHOUT = {
    "DeAndres2022Catalog",
    "Herbonnet2020Table",
    "Recipe",
    "SimulationDataset",
    "make_demo",
    "plot_counts",
    "plot_saliency",
    "plot_selection",
    "plot_training",
    "redshift_counts",
    "stack_saliency",
}


def imports_of(code):
    """Yield (module, name) of what lines of code import from szmass."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "szmass":
            yield from ((node.module, alias.name) for alias in node.names)


def imported_names():
    """Objects that README, guides and tutorials import, with the pages that do."""
    pages = defaultdict(set)
    for path in [ROOT / "README.rst", *DOCS.glob("guide/*.rst"), *DOCS.glob("topics/*.rst")]:
        lines = re.findall(
            r"^ *(?:>>> )?(from szmass[\w.]* import [\w, ]+)", path.read_text(), re.M
        )
        for found in imports_of("\n".join(lines)):
            pages[found].add(path.name)
    for path in DOCS.glob("tutorials/*.py"):
        for found in imports_of(path.read_text()):
            pages[found].add(path.name)
    objects = defaultdict(set)
    for (module, name), where in pages.items():
        thing = getattr(importlib.import_module(module), name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            objects[thing] |= where
    return objects


def has_executed_example(thing):
    """Whether its docstring, or that of one of its methods, has a line that is run."""
    docs = [thing.__doc__]
    if inspect.isclass(thing):
        docs += [getattr(thing, name).__doc__ for name in vars(thing) if not name.startswith("_")]
    examples = [e for doc in docs for e in doctest.DocTestParser().get_examples(doc or "")]
    return any(not e.options.get(doctest.SKIP) and "import " not in e.source for e in examples)


def test_what_scripts_import_first_has_an_example():
    objects = imported_names()
    assert len(objects) > 100
    having = {thing.__name__ for thing in objects if has_executed_example(thing)}
    lacking = {t.__name__ for t, pages in objects.items() if len(pages) > 1} - having - WITHOUT
    assert not lacking, "give these an example that runs in their docstring"
    assert len(having) >= 60
