"""Folders of results that appear when all is done, and in which nothing of others is touched."""

import contextlib
import json
from pathlib import Path

from szmass._io.files import put_in_place, temporary_beside
from szmass.exceptions import InvalidInputError

__all__ = ["check_output_folder", "output_folder"]


def check_output_folder(folder, *, overwrite=False, marker=None):
    """Refuse a folder that results cannot go to.

    Parameters
    ----------
    folder : path-like
        The folder.
    overwrite : bool, optional
        Allow one with something in it.
    marker : str, optional
        Name of a file that such a folder must have: it tells whose it is.

    Returns
    -------
    pathlib.Path
        The folder, absolute.

    Raises
    ------
    InvalidInputError
        It is a file, has something in it that may not be replaced, or its parent does not exist.
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
    """Give a temporary folder beside the target and move its files there on success.

    Parameters
    ----------
    folder : path-like
        The target. Files of other names that are in it stay, but for those that an earlier
        ``marker`` lists in ``"files"``.
    overwrite : bool, optional
        As in `check_output_folder`.
    marker : str, optional
        As in `check_output_folder`: a JSON file that is written inside the block.

    Yields
    ------
    pathlib.Path
        Where to write.

    Raises
    ------
    InvalidInputError
        See `check_output_folder`.
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
