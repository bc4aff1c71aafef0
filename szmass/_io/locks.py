"""A lock between processes, so that two of them do not write one file at the same time."""

import contextlib
import errno
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from szmass._utils.progress import progress_bar

__all__ = ["file_lock"]

_POLL = 0.2  # s between two looks at a lock that another process holds
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


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
