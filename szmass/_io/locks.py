"""A lock between processes, so that two of them do not write one file at the same time."""

import contextlib
import os
import time
from pathlib import Path

from szmass._utils.progress import progress_bar

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

__all__ = ["file_lock"]

_POLL = 0.2  # s between two looks at a lock that another process holds


@contextlib.contextmanager
def file_lock(path):
    """Hold a lock that belongs to a file, waiting for whoever holds it.

    The operating system releases it when a process ends in whatever way, so that no stale
    lock is left behind.

    Parameters
    ----------
    path : path-like
        The file to be written; it need not exist. The lock is a file beside it, which is
        removed at the end.

    Yields
    ------
    None
        Inside the block no other process, and no other thread, holds the lock.
    """
    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    stream = _acquire(lock, path.name)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows does not remove open files
            lock.unlink()
        stream.close()


def _acquire(lock, name):
    with contextlib.ExitStack() as waiting:
        bar = None
        while True:
            stream = lock.open("a")
            if _try_lock(stream):
                # Whoever held it before removed the file: then this lock guards nothing.
                if _is_same_file(stream, lock):
                    return stream
                stream.close()
                continue
            stream.close()
            if bar is None:
                text = f"{name}: waiting for another process"
                bar = waiting.enter_context(progress_bar(desc=text, bar_format="{desc} {elapsed}"))
            bar.refresh()
            time.sleep(_POLL)


def _try_lock(stream):
    try:
        if fcntl is not None:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a file system without locks: better unguarded than not at all
    return True


def _is_same_file(stream, lock):
    try:
        return os.path.samestat(os.fstat(stream.fileno()), lock.stat())
    except FileNotFoundError:
        return False
