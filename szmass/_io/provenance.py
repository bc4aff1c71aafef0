"""Records of fetched files: where they came from and what they were."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

from szmass._io.download import file_sha256
from szmass._io.files import atomic_path
from szmass.exceptions import IntegrityError

__all__ = ["confirm", "read_record", "record_path", "refuse_changed", "write_record"]


def record_path(path):
    """Give the name of the record of a file, a JSON file beside it."""
    path = Path(path)
    return path.with_name(f"{path.name}.json")


def read_record(path):
    """Read a record: url, member (of an archive), sha256, size, mtime_ns, date; {} without one."""
    try:
        return dict(json.loads(record_path(path).read_text()))
    except (OSError, TypeError, ValueError):
        return {}


def write_record(path, sha256, *, url=None, member=None):
    """Write the record of a file; ``url`` is None for one put there by hand."""
    stat = Path(path).stat()
    record = {
        "url": url,
        "member": member,
        "sha256": sha256,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with atomic_path(record_path(path), overwrite=True) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")


def confirm(path, *, sha256=None):
    """Raise `IntegrityError` where a file is not the one of ``sha256``, or of its record if None.

    It is read only if it changed size or date since last confirmed; without a record it is taken as
    it is and put on record.
    """
    path, record = Path(path), read_record(path)
    expected = sha256 or record.get("sha256")
    stat = path.stat()
    unchanged = (stat.st_size, stat.st_mtime_ns) == (record.get("size"), record.get("mtime_ns"))
    if unchanged and expected == record.get("sha256"):
        return
    found = file_sha256(path)
    if expected not in (None, found):
        on_record = "on record" if sha256 is None else "published"
        raise IntegrityError(
            f"The file {str(path)!r} has SHA-256 {found} instead of {expected}, which is "
            f"{on_record}: it is damaged or another version. Move or delete it to have it fetched "
            "again."
        )
    with contextlib.suppress(OSError):  # a folder of others that cannot be written to
        write_record(path, found, url=record.get("url"), member=record.get("member"))


def refuse_changed(path, sha256, *, url, member=None):
    """Raise `IntegrityError` where ``url`` gave another SHA-256 than the record of ``path`` has."""
    record = read_record(path)
    if (record.get("url"), record.get("member")) != (url, member):
        return
    if record.get("sha256") not in (None, sha256):
        raise IntegrityError(
            f"The file at {url} has SHA-256 {sha256}; the one fetched from there on "
            f"{record.get('date')} had {record['sha256']}: it was changed on its server. To accept "
            f"the new one, delete the record {str(record_path(path))!r} and try again"
        )
