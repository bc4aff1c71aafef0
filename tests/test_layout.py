"""Layout of the package: the direction of imports, what is private, and what importing it costs."""

import ast
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import szmass

PACKAGE = Path(szmass.__file__).parent

# A module may import from its own layer and from those before it.
LAYERS = [
    {"exceptions", "version", "_moved", "_utils", "_io", "_tables"},
    {"physics"},
    {"clusters", "results"},
    {"catalogs", "maps"},
    {"simulations"},
    {"networks"},
    {"estimators"},
    {"morphology"},
    {"massmaps"},
    {"baryons"},
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


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


BY_NAME = {module_of(path): path for path in [*MODULES, PACKAGE / "__init__.py"]}


def imported_modules(path):
    """Yield the modules of the package that a file imports, as far as they have a file."""
    for name, _ in imported_names(ast.parse(path.read_text())):
        for module in (name, name.rpartition(".")[0]):
            if module in BY_NAME:
                yield module
                break


def test_private_modules_stay_in_their_room():
    across = [
        f"{module_of(path)} imports {name}"
        for path in MODULES
        for name in imported_modules(path)
        if part(BY_NAME[name]) not in (part(path), "_utils", "_io", "_moved")
        and any(step.startswith("_") for step in name.split(".")[2:])
    ]
    assert not across, "\n".join(across)


# Of the standard library, and methods that named tuples have.
_PUBLIC_ALL_THE_SAME = {"_asdict", "_exit", "_replace"}


def test_private_members_stay_in_their_room():
    trees = {path: ast.parse(path.read_text()) for path in MODULES}
    defined = {}
    for path, tree in trees.items():
        names = defined.setdefault(part(path), set(_PUBLIC_ALL_THE_SAME))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
    across = [
        f"{module_of(path)}:{node.lineno} {ast.unparse(node)}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in defined[part(path)]
        and ast.unparse(node.value) not in ("self", "cls")
    ]
    assert not across, "\n".join(across)


def test_modules_import_each_other_in_no_circle():
    TopologicalSorter({module_of(p): set(imported_modules(p)) for p in MODULES}).prepare()


def test_folders_can_be_taken_in_at_a_glance():
    fullest = Counter(path.parent for path in MODULES).most_common(1)[0]
    assert fullest[1] <= 18, fullest


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_import_loads_nothing_heavy():
    lines = [
        "import szmass",
        "import szmass.cli.core",
        "from szmass import estimators, maps, catalogs, physics, comparison, networks",
        "from szmass import *",
    ]
    heavy = ["keras", "tensorflow", "matplotlib", "h5py", "torch", "jax"]
    look = f"print([m for m in {heavy} if m in sys.modules])"
    out = run("\n".join(["import sys", *(f"{line}\n{look}" for line in lines)]))
    assert dict(zip(lines, out.splitlines(), strict=True)) == dict.fromkeys(lines, "[]")


def test_everything_named_at_the_top_exists():
    for name in szmass.__all__:
        assert getattr(szmass, name) is not None
        assert name in dir(szmass)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = szmass.nothing
