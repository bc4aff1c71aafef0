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
    """Whether doctest finds a line to run in its docstring, or in that of one of its members."""
    module, examples = inspect.getmodule(thing), []
    for found in doctest.DocTestFinder().find(thing, thing.__name__, module):
        examples += [e for e in found.examples if not e.options.get(doctest.SKIP)]
    return any("import " not in e.source for e in examples)


def test_what_scripts_import_first_has_an_example():
    objects = imported_names()
    having = {thing.__name__ for thing in objects if has_executed_example(thing)}
    lacking = {thing.__name__ for thing, pages in objects.items() if len(pages) > 1} - having
    assert not lacking, "several pages import these: give them an example that runs"
    assert len(having) >= 60
