"""A folder that is replaced as a whole, and only if a report made it."""

import contextlib
import json
import os
import secrets
import shutil
from pathlib import Path

from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.version import __version__

__all__ = ["MARKER", "report_folder"]

#: The file by which a folder is known to be a report.
MARKER = "szmass-report.json"
_FORMAT = "szmass report"
# What file managers leave behind.
_IGNORED = {".DS_Store", "Thumbs.db", "desktop.ini", ".directory"}


@contextlib.contextmanager
def report_folder(path):
    """Give a temporary folder beside the target and move it there on success.

    Parameters
    ----------
    path : path-like
        The target: a name that is free, an empty folder, or an earlier report.

    Yields
    ------
    pathlib.Path
        Where to write.

    Raises
    ------
    InvalidInputError
        The target is a file, a folder with something else in it, or in no folder.
    """
    path = Path(path).absolute()
    if path.is_symlink():
        path = path.resolve()
    check_target(path)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        yield temporary
        names = sorted(entry.name for entry in temporary.iterdir())
        (temporary / MARKER).write_text(
            json.dumps({"format": _FORMAT, "szmass": __version__, "files": [*names, MARKER]})
        )
        _swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_target(path):
    """Refuse to write over what is not a report.

    Parameters
    ----------
    path : pathlib.Path
        The target.

    Raises
    ------
    InvalidInputError
        As `report_folder`.
    """
    if not path.parent.is_dir():
        raise InvalidInputError(f"The folder {str(path.parent)!r} does not exist.")
    if not path.exists():
        return
    if not path.is_dir():
        raise InvalidInputError(f"The output {str(path)!r} is a file; give a folder.")
    found = {entry.name for entry in path.iterdir()} - _IGNORED
    if not found:
        return
    try:
        marker = _read_marker(path / MARKER)
    except FileFormatError:
        raise InvalidInputError(
            f"The output folder {str(path)!r} has something in it that is not a report. Nothing "
            "was changed; choose another name or empty the folder."
        ) from None
    foreign = sorted(found - set(marker))
    if foreign:
        raise InvalidInputError(
            f"The output folder {str(path)!r} is a report, but {foreign[0]!r} in it is not part of "
            "the report and would be lost. Nothing was changed; move it elsewhere."
        )


def _read_marker(path):
    try:
        marker = json.loads(path.read_text())
        if marker["format"] == _FORMAT:
            return [str(name) for name in marker["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise FileFormatError(f"{str(path)!r} does not mark a report.")


def _swap(new, path):
    """Put the new folder in the place of the old; the old one comes back if that fails."""
    if not path.exists():
        os.rename(new, path)
        return
    old = path.with_name(f".{path.name}-{secrets.token_hex(4)}-old")
    os.rename(path, old)
    try:
        os.rename(new, path)
    except BaseException:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)
