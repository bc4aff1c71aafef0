"""Output files and folders that are either complete or not there, and locks on them."""

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import time
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from szmass._utils.kinds import as_path
from szmass._utils.progress import progress_bar
from szmass.exceptions import DiskSpaceError, InvalidInputError, SzmassError

_POLL = 0.2  # s between two looks at a lock that another process holds
# What file managers leave behind.
_IGNORED = {".DS_Store", "Thumbs.db", "desktop.ini", ".directory"}
_FULL = (errno.ENOSPC, errno.EDQUOT)
_STALE = 24 * 3600.0  # s without a change, after which what a killed process left is removed
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def temporary_beside(path, *, folder=None):
    """Give a free name of the same suffix beside a path (or in ``folder``, on the same disk).

    What is still there under it at the end, a file or a folder, is removed; so is what a process
    that was killed left of the same target, a day after its last change.
    """
    path = Path(path)
    folder = path.parent if folder is None else Path(folder)
    temporary = folder / f".{path.stem}-{secrets.token_hex(4)}{path.suffix}"
    _remove_stale(path, folder)
    try:
        yield temporary
    finally:
        _remove(temporary)


def is_full_disk(err):
    """Tell whether an OSError means that the disk is full; astropy's has no number."""
    return err.errno in _FULL or "Not enough space on disk" in str(err)


@contextlib.contextmanager
def full_disk_raises(path, kept="nothing of it was kept"):
    """Raise `DiskSpaceError` where the disk, or a quota, is full inside the block."""
    try:
        yield
    except OSError as err:
        if not is_full_disk(err):
            raise
        raise DiskSpaceError(
            f"The disk is full: {str(path)!r} could not be completed ({err}). Make room there or "
            f"choose another folder; {kept}."
        ) from err


@contextlib.contextmanager
def naming(path):
    """Begin the message of an error about what a file holds with its name, if it lacks it."""
    try:
        yield
    except SzmassError as err:
        if str(path) not in str(err):
            err.args = (f"{str(path)!r}: {err}",)
        raise


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_stale(path, folder):
    pattern = rf"\.{re.escape(path.stem)}-[0-9a-f]{{8}}{re.escape(path.suffix)}"
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if re.fullmatch(pattern, entry.name) and not entry.is_symlink():
                found = Path(entry.path)
                with contextlib.suppress(OSError):  # of others, or removed meanwhile by others
                    within = found.rglob("*") if entry.is_dir() else ()
                    last = max(place.lstat().st_mtime for place in (found, *within))
                    if time.time() - last > _STALE:
                        _remove(found)


def _to_disk(path):
    """Let what was written of a file, or of all in a folder, reach the disk before it is named."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    for file in files:
        try:
            handle = os.open(file, os.O_RDONLY)
        except OSError:  # a folder, on Windows
            continue
        try:
            os.fsync(handle)
        except OSError as err:
            if err.errno in (*_FULL, errno.EIO):
                raise
        finally:
            os.close(handle)


def put_in_place(made, path):
    """Give a complete file or folder its final name; a folder that cannot be replaced stays."""
    made, path = Path(made), Path(path)
    _to_disk(made)
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
    with full_disk_raises(path), temporary_beside(path) as temporary:
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


def make_folder(folder):
    """Give a folder, made with its parents where it is not there; refuse what cannot be one."""
    folder = as_path(folder, "folder").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        raise InvalidInputError(
            f"The folder {str(folder)!r} cannot be made: {str(place)!r} is a file. Choose another."
        ) from None
    except PermissionError:
        raise InvalidInputError(
            f"The folder {str(folder)!r} cannot be made: its permissions forbid it."
        ) from None
    return folder


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
    with full_disk_raises(folder), temporary_beside(folder) as temporary:
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
