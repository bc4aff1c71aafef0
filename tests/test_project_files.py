"""Files beside the package: versions, and what the linters are."""

import re
from pathlib import Path

import pytest

from szmass import __version__

ROOT = Path(__file__).parents[1]
yaml = pytest.importorskip("yaml")
version = pytest.importorskip("packaging.version")

pytestmark = pytest.mark.skipif(
    not (ROOT / ".ci" / "run").exists(), reason="this is not the repository"
)


def load(path):
    return yaml.safe_load((ROOT / path).read_text())


def test_version_to_cite_is_that_of_the_changes_and_of_the_package():
    cited = version.Version(load("CITATION.cff")["version"])
    newest = re.search(r"^(\d\S*)( \(.+\))?\n-{3,}$", (ROOT / "CHANGES.rst").read_text(), re.M)[1]
    assert cited == version.Version(newest)
    ours = version.Version(__version__)
    if any(ours.release) and not ours.is_devrelease:  # a release, not on the way to one
        assert cited == ours
    assert f".. _whatsnew-{cited}:" in (ROOT / "docs" / "whatsnew.rst").read_text()


def test_linters_are_the_same_everywhere():
    ci = (ROOT / ".ci" / "run").read_text().partition("== lint")[2]
    tox = (ROOT / "tox.ini").read_text().partition("[testenv:lint]")[2]
    hooks = load(".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert len(hooks) == 5
    for hook in hooks:
        command = hook["entry"].replace(" --force-exclude", "")
        for text in (ci, tox):
            assert re.search(rf"^ *{re.escape(command)}\b", text, re.M), command


def test_files_of_the_host_are_whole():
    jobs = load(".github/workflows/ci.yml")["jobs"]
    environments = {entry["env"] for entry in jobs["tox"]["strategy"]["matrix"]["include"]}
    assert environments >= {"py311", "py312", "py313", "oldestdeps", "noextras", "lint", "docs"}
    assert load(".github/workflows/release.yml")["jobs"].keys() == {"build", "publish"}
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_*.yml"):
        template = load(path.relative_to(ROOT))
        assert template["name"]
        assert [part["type"] for part in template["body"]]
    assert load(".readthedocs.yaml")["sphinx"]["fail_on_warning"] is True
