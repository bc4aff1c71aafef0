"""Output files and folders that are either complete or not there, and locks on them."""

import contextlib
import errno
import json
import os
import secrets
import shutil
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from szmass._utils.kinds import as_path
from szmass._utils.progress import progress_bar
from szmass.exceptions import InvalidInputError

_POLL = 0.2  # s between two looks at a lock that another process holds
# What file managers leave behind.
_IGNORED = {".DS_Store", "Thumbs.db", "desktop.ini", ".directory"}
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def temporary_beside(path, *, folder=None):
    """Give a free name of the same suffix beside a path (or in ``folder``, on the same disk).

    What is still there under it at the end, a file or a folder, is removed.
    """
    path = Path(path)
    folder = path.parent if folder is None else Path(folder)
    temporary = folder / f".{path.stem}-{secrets.token_hex(4)}{path.suffix}"
    try:
        yield temporary
    finally:
        if temporary.is_dir() and not temporary.is_symlink():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def put_in_place(made, path):
    """Give a complete file or folder its final name; a folder that cannot be replaced stays."""
    made, path = Path(made), Path(path)
    if not (made.is_dir() and path.is_dir()):
        os.replace(made, path)
        return
    with temporary_beside(path) as former:
        os.replace(path, former)
        try:
            os.replace(made, path)
        except BaseException:
            os.replace(former, path)
            raise


@contextlib.contextmanager
def atomic_path(path, *, overwrite=False):
    """Give a temporary path of the target's suffix, and move it to the target on success.

    Whatever goes wrong, an existing target stays as it was and no half-written file is left.
    """
    path = check_output_file(path, overwrite=overwrite)
    with temporary_beside(path) as temporary:
        yield temporary
        put_in_place(temporary, path)


def check_output_file(path, *, overwrite=False):
    """Give a file's path, or refuse it where nothing can be written to it."""
    path = as_path(path)
    if path.is_dir():
        raise InvalidInputError(f"The output {str(path)!r} is a folder; give a file name.")
    if path.exists() and not path.is_file():
        raise InvalidInputError(f"The output {str(path)!r} is a device or a pipe; give a file.")
    if path.exists() and not overwrite:
        raise InvalidInputError(
            f"The output file {str(path)!r} exists. Choose another name or allow it to be "
            "overwritten (overwrite=True)."
        )
    check_parent(path)
    return path


def check_parent(path):
    """Refuse a path in a folder that does not exist or cannot be written to."""
    _check_writable(Path(path).absolute().parent)


def _check_writable(folder):
    if not folder.is_dir():
        raise InvalidInputError(f"The output folder {str(folder)!r} does not exist.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInputError(
            f"The output folder {str(folder)!r} cannot be written to: its permissions forbid it."
        )


def check_output_folder(folder, *, overwrite=False, marker=None):
    """Give a folder's absolute path, or refuse it where results cannot go to it.

    One with something in it needs ``overwrite`` and, where given, the file ``marker`` in it, which
    tells whose it is.
    """
    folder = as_path(folder, "folder").absolute()
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"The output {str(folder)!r} is a file; give a folder.")
    check_parent(folder)
    if folder.is_dir():
        _check_writable(folder)
    if folder.is_dir() and any(folder.iterdir()):
        if not overwrite:
            raise InvalidInputError(
                f"The output folder {str(folder)!r} has something in it. Choose another name or "
                "allow files to be overwritten (overwrite=True)."
            )
        if marker is not None and _files(folder / marker) is None:
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
        former = (_files(folder / marker) or []) if marker is not None else []
        new = sorted(file.name for file in temporary.iterdir())
        for name in new:
            put_in_place(temporary / name, folder / name)
        for name in set(former) - set(new):
            (folder / name).unlink(missing_ok=True)


def _files(marker):
    """Names that a marker lists, of files right beside it; None if it is no such record."""
    try:
        names = json.loads(marker.read_text())["files"]
        return [name for name in names if Path(name).name == name]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def foreign_file(folder, own=()):
    """Name a file in a folder that is none of ``own``; None if there is none.

    ``own`` are paths within the folder, also of folders with all that is in them.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if (path.is_dir() and not path.is_symlink()) or path.name in _IGNORED:
            continue
        if not any(part.as_posix() in own for part in (name, *name.parents)):
            return name.as_posix()
    return None


@contextlib.contextmanager
def file_lock(path):
    """Hold the lock of a file, which need not exist, waiting for whoever holds it.

    It is a file beside it, removed at the end. The operating system releases it when a process ends
    in whatever way, so that no stale lock is left behind.
    """
    path = Path(path)
    folder = path.parent.resolve(strict=True)  # which filelock would make
    lock = FileLock(folder / f".{path.name}.lock")
    try:
        _acquire(lock, path.name)
    except NotImplementedError:
        pass  # a file system without locks: better unguarded than not at all
    except OSError as err:
        if err.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        if lock.is_locked:
            # From filelock 3.29.5 on the file stays. It goes while the lock is held: whoever waits
            # notices, and no lock that was taken since is removed.
            if not isinstance(lock, SoftFileLock):
                with contextlib.suppress(OSError):  # Windows does not remove open files
                    Path(lock.lock_file).unlink()
            lock.release()


def _acquire(lock, name):
    with contextlib.ExitStack() as waiting:
        bar = None
        while True:
            try:
                lock.acquire(timeout=0 if bar is None else _POLL, poll_interval=_POLL)
                return
            except Timeout:
                if bar is None:
                    text = f"{name}: waiting for another process"
                    bar = progress_bar(desc=text, bar_format="{desc} {elapsed}")
                    waiting.enter_context(bar)
                bar.refresh()
