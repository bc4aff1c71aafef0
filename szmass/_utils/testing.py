"""Tests of the installed package, as a user runs them."""

import importlib
import subprocess
import sys
from pathlib import Path

from szmass._utils.optional import import_optional
from szmass.exceptions import UnknownNameError

__all__ = ["test"]

# What the examples need of setup.cfg, which is not installed.
_OPTIONS = [
    "--doctest-plus",
    "--override-ini=doctest_optionflags=NORMALIZE_WHITESPACE ELLIPSIS FLOAT_CMP",
    "-p",
    "no:cacheprovider",
]


def test(part=None, *arguments):  # noqa: PT028, no test of ours
    """Run the examples of the docstrings, and the tests where the source is at hand.

    An installed package has no tests with it: its examples run, of which each public class and
    function that scripts call first has one. Where szmass is imported from its source folder, the
    tests in ``tests`` and the examples of the guide run as well: a quarter of an hour, or half of
    that with the arguments ``"-n", "auto"``.

    Parameters
    ----------
    part : str, optional
        Only that part of the package, such as ``"results"``; its examples alone.
    *arguments : str
        Further arguments of pytest, such as ``"-q"``.

    Returns
    -------
    int
        What pytest gives: 0 where all passed.

    Raises
    ------
    UnknownNameError
        There is no such part.
    MissingDependencyError
        pytest or its plugin for examples is not installed.

    Examples
    --------
    >>> import szmass
    >>> szmass.test("results", "-q")  # doctest: +SKIP
    """
    purpose = {"extra": "test", "purpose": "test the installed package"}
    for module in ("pytest", "pytest_doctestplus"):
        import_optional(module, **purpose)
    package = Path(importlib.import_module("szmass").__file__).parent
    source = package.parent
    if part is not None:
        targets = [package / part, package / f"{part}.py"]
        targets = [target for target in targets if part.isidentifier() and target.exists()]
        if not targets:
            parts = sorted(path.stem for path in package.iterdir() if path.stem[0].isalpha())
            raise UnknownNameError(
                f"'part' must be one of {', '.join(parts)}, or None for all. Received: {part!r}"
            )
    else:
        folders = [source / "docs", source / "tests"]
        targets = [package, *(folders if all(folder.is_dir() for folder in folders) else [])]
    config = ["-c", str(source / "setup.cfg")] if (source / "setup.cfg").exists() else []
    command = [sys.executable, "-m", "pytest", *config, *_OPTIONS, *arguments]
    return subprocess.run([*command, *map(str, targets)], check=False).returncode


test.__test__ = False  # pytest is not to take it for a test of its own
