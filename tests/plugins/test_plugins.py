"""The table "Adding a ..." of CONTRIBUTING.rst: plug-ins of a foreign package, used for real.

The package ``szmass-plugin-example`` is installed by pip, and each script of ``uses`` runs in a
fresh interpreter that finds its plug-in by the entry point alone.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import szmass

HERE = Path(__file__).parent
PACKAGE = HERE / "szmass-plugin-example"
TABLE = HERE.parents[1] / "CONTRIBUTING.rst"
USES = {f"szmass.{path.stem}": path for path in sorted((HERE / "uses").glob("*.py"))}
NEEDS = {"szmass.architectures": ("keras", "zarr")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder that the package is installed in."""
    pytest.importorskip("setuptools", minversion="70.1")  # brings bdist_wheel
    folder = tmp_path_factory.mktemp("plugins")
    shutil.copytree(PACKAGE, folder / "source")  # building leaves files in it
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", "site", "./source"],
        cwd=folder,
        check=True,
    )
    return folder / "site"


@pytest.mark.parametrize("group", USES)
def test_plugin_is_found_and_used(group, installed, tmp_path):
    for module in NEEDS.get(group, ()):
        pytest.importorskip(module)
    paths = [installed, Path(szmass.__file__).parents[1], os.environ.get("PYTHONPATH")]
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path),
        "SZMASS_CACHE": str(tmp_path / "cache"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, USES[group]],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "could not be loaded" not in done.stderr


def test_nothing_of_it_is_here_without_being_installed():
    assert find_spec("szmass_plugin_example") is None


def test_table_of_contributing_names_what_is_exercised():
    named = set(re.findall(r"``(szmass\.\w+)``", TABLE.read_text().partition("Adding a")[2]))
    declared = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["entry-points"]
    source = "\n".join(p.read_text() for p in Path(szmass.__file__).parent.rglob("*.py"))
    read = re.findall(r'Registry\([^)]*"(szmass\.\w+)"', source)
    assert named == set(declared) == set(USES) == set(read)
    assert len(read) == len(set(read))
