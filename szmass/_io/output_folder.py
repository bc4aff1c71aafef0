"""Folders of results that appear when all is done, and in which nothing of others is touched."""

import contextlib
import json
from pathlib import Path

from szmass._io.files import put_in_place, temporary_beside
from szmass.exceptions import InvalidInputError

__all__ = ["check_output_folder", "output_folder"]


def check_output_folder(folder, *, overwrite=False, marker=None):
    """Give a folder's absolute path, or refuse it where results cannot go to it.

    One with something in it needs ``overwrite`` and, where given, the file ``marker`` in it, which
    tells whose it is.
    """
    folder = Path(folder).absolute()
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"The output {str(folder)!r} is a file; give a folder.")
    if not folder.parent.is_dir():
        raise InvalidInputError(f"The folder {str(folder.parent)!r} does not exist.")
    if folder.is_dir() and any(folder.iterdir()):
        if not overwrite:
            raise InvalidInputError(
                f"The output folder {str(folder)!r} has something in it. Choose another name or "
                "allow files to be overwritten (overwrite=True, or --overwrite on the shell)."
            )
        if marker is not None and not (folder / marker).is_file():
            raise InvalidInputError(
                f"The output folder {str(folder)!r} has something in it, and no {marker!r} that "
                "would tell that it may be replaced. Choose another name."
            )
    return folder


@contextlib.contextmanager
def output_folder(folder, *, overwrite=False, marker=None):
    """Give a temporary folder beside the target, and move its files there on success.

    Files of other names that are in the target stay, but for those that an earlier ``marker``, a
    JSON file written inside the block, lists in ``"files"``.
    """
    folder = check_output_folder(folder, overwrite=overwrite, marker=marker)
    with temporary_beside(folder) as temporary:
        temporary.mkdir()
        yield temporary
        folder.mkdir(exist_ok=True)
        former = _files(folder / marker) if marker is not None else []
        new = sorted(file.name for file in temporary.iterdir())
        for name in new:
            put_in_place(temporary / name, folder / name)
        for name in set(former) - set(new):
            (folder / name).unlink(missing_ok=True)


def _files(marker):
    """Names that a marker lists, of files right beside it."""
    try:
        names = json.loads(marker.read_text())["files"]
        return [name for name in names if Path(name).name == name]
    except (OSError, ValueError, KeyError, TypeError):
        return []
