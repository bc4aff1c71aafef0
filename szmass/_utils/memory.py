"""Memory that is left, for a word before it runs out."""

import contextlib
import os
from pathlib import Path

from szmass.exceptions import InvalidInputError

_GIGABYTE = 1e9


def check_memory(size, what, cure):
    """Refuse what needs more bytes than are available; where that is not known all passes."""
    left = _available()
    if left is not None and size > left:
        raise InvalidInputError(
            f"{what} would take {size / _GIGABYTE:.3g} GB of memory, and {left / _GIGABYTE:.3g} GB "
            f"are available. {cure}"
        )


def _available():
    """Bytes that the system can give, or that are left to the container; None if not known."""
    left = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        left.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        left.append(max(limit - used, 0))
    if not left:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            left.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(left, default=None)
