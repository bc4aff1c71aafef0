"""Download of one file of known content."""

import hashlib
from pathlib import Path

from szmass._io.files import put_in_place
from szmass._io.locks import file_lock
from szmass._io.transfer import PartFile, transfer
from szmass._utils.paths import cache_folder
from szmass.exceptions import IntegrityError, InvalidInputError, RemoteDataError

__all__ = ["check_sha256", "fetch_file", "file_sha256"]


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
        folder.mkdir(parents=True, exist_ok=True)
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
        transfer(url, part, sha256=sha256, label=path.name)
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
