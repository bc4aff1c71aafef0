"""Files fetched from elsewhere: download, taking out of an archive, record of what they were."""

import contextlib
import hashlib
import json
import lzma
import tarfile
import zlib
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from szmass._io.files import (
    atomic_path,
    file_lock,
    full_disk_raises,
    make_folder,
    put_in_place,
)
from szmass._io.transfer import PartFile, check_room, transfer
from szmass._utils.paths import cache_folder
from szmass._utils.progress import progress_bar
from szmass.exceptions import FileFormatError, IntegrityError, InvalidInputError, RemoteDataError

_CHUNK = 1 << 20  # bytes
_KEPT = "the archive is kept and the next call goes on from there"
_LARGEST_SMALL = 200_000_000  # bytes of a file that is fetched as a small one
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


def file_sha256(path):
    """Compute the SHA-256 of a file, 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_sha256(path, sha256, *, remedy):
    """Refuse a file of another SHA-256; ``remedy`` ends the message with what the user can do."""
    found = file_sha256(path)
    if found != sha256:
        raise IntegrityError(
            f"The file {str(path)!r} has SHA-256 {found} instead of {sha256}: it is damaged or "
            f"another version. {remedy}"
        )


def fetch_file(url, sha256, filename, *, folder=None):
    """Give the path of a small file in ``folder`` (default the cache), downloaded if not there yet.

    A file that is there is used as it is, or refused: it is never replaced, since it may be the
    user's own. Nothing is kept of a download that failed or has another SHA-256.
    """
    if Path(filename).name != filename:
        raise InvalidInputError(f"'filename' must be a plain name. Received: {filename!r}")
    folder = cache_folder() if folder is None else Path(folder)
    path = folder / filename
    if not path.exists():
        make_folder(folder)
        with file_lock(path):
            if not path.exists():
                _download(url, sha256, path)
                return path
    check_sha256(path, sha256, remedy=f"Delete it to have it fetched again from {url}.")
    return path


def _download(url, sha256, path):
    by_hand = f"download it by hand and save it as {str(path)!r}"
    part = PartFile(path.with_name(f".{path.name}.part"))
    try:
        transfer(url, part, sha256=sha256, label=path.name, largest=_LARGEST_SMALL)
        if file_sha256(part.path) != sha256:
            raise IntegrityError(
                f"The file at {url} is not the one on record, or was damaged on the way. "
                f"Nothing was kept. Try again, or if there is a copy with SHA-256 {sha256} "
                f"elsewhere, {by_hand}."
            )
        put_in_place(part.path, path)
    except RemoteDataError as err:
        raise RemoteDataError(f"{err}. Check the connection and try again, or {by_hand}.") from err
    finally:
        part.discard()


def extract_member(archive, member, path):
    """Write the first regular file named ``member`` of a tar archive, also compressed, to ``path``.

    The name decides only *which* it is, never where it is written: links, devices and names that
    point out of the archive are passed over. Nothing is left at ``path`` after a failure.
    """
    archive, path = Path(archive), Path(path)
    try:
        with tarfile.open(archive, "r|*") as tar:
            _copy(tar, _find(tar, archive, member), path)
    except BaseException as err:
        path.unlink(missing_ok=True)
        if isinstance(err, _DAMAGED):
            raise FileFormatError(
                f"{member!r} could not be taken out of {str(archive)!r}: the archive is damaged, "
                f"cut short or no tar file ({err})"
            ) from err
        raise


def _find(tar, archive, member):
    passed_over = []
    with progress_bar(desc=f"looking for {member}", bar_format="{desc} {elapsed}") as bar:
        for info in tar:
            bar.update()
            name = PurePosixPath(info.name)
            if name.name != member:
                continue
            if info.isreg() and not name.is_absolute() and ".." not in name.parts:
                return info
            passed_over.append(info.name)
    reason = f" ({passed_over[0]!r} is a link or points out of the archive)" if passed_over else ""
    raise FileFormatError(f"The archive {str(archive)!r} has no file {member!r}{reason}")


def _copy(tar, info, path):
    check_room(path.parent, info.size)
    bar = progress_bar(total=info.size, unit="B", unit_scale=True, desc=path.name)
    with (
        bar,
        full_disk_raises(path, _KEPT),
        tar.extractfile(info) as source,
        path.open("wb") as target,
    ):
        while chunk := source.read(_CHUNK):
            target.write(chunk)
            bar.update(len(chunk))


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
