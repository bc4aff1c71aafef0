"""The import direction of the package, and what importing it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import szmass

PACKAGE = Path(szmass.__file__).parent

# A module may import from its own layer and from those before it.
LAYERS = [
    {"exceptions", "version", "_moved", "_utils", "_io"},
    {"physics"},
    {"clusters", "results"},
    {"catalogs", "maps"},
    {"simulations"},
    {"networks"},
    {"estimators"},
    {"citations"},
    {"comparison"},
    {"plots"},
    {"report", "reproduce", "demo"},
    {"cli", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
INSIDE_FUNCTIONS_ONLY = {"keras", "tensorflow", "h5py", "jax", "torch"}
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imported_names(tree):
    """Yield (module, whether at module level) for each import in a syntax tree."""
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) not in inside


def part(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_to_earlier_layers(path):
    level = LEVEL[part(path)]
    for name, at_module_level in imported_names(ast.parse(path.read_text())):
        top, *rest = name.split(".")
        if top == "szmass":
            assert rest, "import from the sub-packages, not from szmass itself"
            assert LEVEL[rest[0]] <= level, f"{path.name} imports {name}"
        if at_module_level:
            assert top not in INSIDE_FUNCTIONS_ONLY, f"{path.name} imports {name} at its top"
            if level < LEVEL["plots"]:
                assert top != "matplotlib", f"{path.name} imports {name} at its top"


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize(
    "code",
    [
        "import szmass",
        "import szmass.cli.core",
        "from szmass import *",
        "from szmass import estimators, maps, catalogs, physics, comparison, networks",
    ],
)
def test_import_loads_nothing_heavy(code):
    heavy = "keras tensorflow matplotlib h5py torch jax"
    out = run(f"import sys; {code}; print([m for m in '{heavy}'.split() if m in sys.modules])")
    assert out.strip() == "[]"


def test_everything_named_at_the_top_exists():
    for name in szmass.__all__:
        assert getattr(szmass, name) is not None
        assert name in dir(szmass)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = szmass.nothing
