"""Requests over HTTP that are made again where that may help, and the transfer of large files.

Retries follow the rules of urllib3; a transfer goes on where it was cut.
"""

import contextlib
import errno
import json
import re
import shutil
import time
from pathlib import Path

from szmass._utils.progress import progress_bar
from szmass.exceptions import DiskSpaceError, IntegrityError, RemoteDataError
from szmass.version import __version__

#: What every request says of who asks.
HEADERS = {"User-Agent": f"szmass/{__version__}"}
_PAUSE = 1.0  # s before the second attempt, doubled before each further one
_LONGEST_PAUSE = 30.0  # s
_LONGEST_WISH = 300.0  # s that a server may ask for by Retry-After
_CHUNK = 1 << 17  # bytes
_TIMEOUT = (15, 60)  # s: to connect, between two packets
_ATTEMPTS = 4  # in a row without progress
_PROGRESS = 1 << 20  # bytes that count as progress
_ORIGIN = ("url", "etag", "last_modified", "size", "sha256")


class PassingError(Exception):
    """A failure that may be over at the next attempt; ``response`` may say when (Retry-After)."""

    def __init__(self, message, response=None):
        super().__init__(message)
        self.response = response


class GaveUpError(Exception):
    """The end of all attempts; ``__cause__`` is the last failure, the text says how many."""


def may_pass(response):
    """Tell whether the status of an answer may be another one later."""
    return response.status_code in (408, 425, 429) or response.status_code >= 500


def persistently(request, *, attempts, progressed=lambda: False):
    """Call a function until it succeeds, with growing pauses or those that the server asks for.

    Errors of requests and urllib3 and `PassingError` are overcome, up to ``attempts`` in a row (or
    too long a pause): then `GaveUpError`. Counting begins anew where it had ``progressed``.
    """
    import requests
    from urllib3.exceptions import HTTPError, InvalidHeader
    from urllib3.util.retry import RequestHistory, Retry

    # urllib3 makes no pause after the first failure of a history: this one never happened.
    begun = (RequestHistory(None, None, None, None, None),)
    fresh = Retry(None, backoff_factor=_PAUSE / 2, backoff_max=_LONGEST_PAUSE, history=begun)
    retry = fresh
    while True:
        try:
            return request()
        except (requests.RequestException, HTTPError, PassingError) as err:
            retry = (fresh if progressed() else retry).increment()
            failures = len(retry.history) - len(begun)
            if failures >= attempts:
                raise GaveUpError(f"gave up after {failures} attempts") from err
            response = getattr(err, "response", None)
            try:
                wish = None if response is None else retry.get_retry_after(response)
            except InvalidHeader:
                wish = None
            if wish is not None and wish > _LONGEST_WISH:
                raise GaveUpError(f"the server asks for {wish:.0f} s of patience") from err
        time.sleep(wish or retry.get_backoff_time())


class PartFile:
    """The part of a file that has arrived, and where it comes from, as JSON beside it."""

    def __init__(self, path):
        self.path = Path(path)
        self._origin_path = self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self):
        """Number of bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def origin(self):
        """What is known of the whole file: url, etag, last_modified, size, sha256; or None."""
        try:
            origin = dict(json.loads(self._origin_path.read_text()))
        except (OSError, TypeError, ValueError):
            origin = {}
        return {key: origin.get(key) for key in _ORIGIN}

    def begin(self, origin):
        """Forget what has arrived; note the `origin` of the next bytes."""
        self.discard()
        self._origin_path.write_text(json.dumps(origin, indent=1))

    def discard(self):
        """Remove the part and the note of its origin."""
        for path in (self.path, self._origin_path):
            path.unlink(missing_ok=True)


def transfer(url, part, *, size=None, sha256=None, label=None, room=0):
    """Bring a file to this machine, into a `PartFile` that keeps what has arrived after a failure.

    A part is continued only if it is certain to belong to the same file: the server confirms its
    ETag or date, or ``sha256``, which is *not* checked here, is known. Otherwise, and where the
    server cannot send ranges, it begins anew. ``room`` bytes must remain free on the disk besides.
    """
    import requests

    best = part.size

    def progressed():
        nonlocal best
        further = part.size >= best + _PROGRESS
        best = max(best, part.size)
        return further

    with requests.Session() as session:
        try:
            persistently(
                lambda: _attempt(session, url, part, size, sha256, label, room),
                attempts=_ATTEMPTS,
                progressed=progressed,
            )
        except GaveUpError as err:
            raise RemoteDataError(
                f"{url} did not deliver ({_reason(err.__cause__)}); {err} without progress"
            ) from err.__cause__


def _reason(err):
    """Give the heart of an error that requests and urllib3 have wrapped several times."""
    inner = err.args[0] if err.args else err
    text = str(getattr(inner, "reason", inner))
    return re.sub(r"^(HTTPS?Connection(Pool)?\(.*?\)|<[^>]*>): ", "", text)


def _attempt(session, url, part, size, sha256, label, room):
    origin = part.origin
    offset = part.size if _may_continue(origin, url, sha256) else 0
    if offset and offset == origin["size"]:
        return
    headers = {**HEADERS, "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if origin["url"] == url and _validator(origin):
            headers["If-Range"] = _validator(origin)
    with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        continues = False
        if offset and response.status_code in (206, 416):
            start, total = _content_range(response)
            continues = _same_file(response, total, origin, url)
            if continues and response.status_code == 416 and total == offset:
                return
            if not (continues and start == offset):
                part.discard()
                raise PassingError("the file at the server is not the one begun")
        elif response.status_code != 200:
            _refuse(response, url)
        if not continues:
            offset = 0
            origin = _describe(response, url, sha256)
            _check_answer(response, origin, size)
        check_room(part.path.parent, (origin["size"] or size or 0) - offset + room)
        if not continues:
            part.begin(origin)
        _receive(response, part, offset, origin["size"], label)


def _may_continue(origin, url, sha256):
    if sha256 is not None and origin["sha256"] == sha256:
        return True
    return origin["url"] == url and _validator(origin) is not None


def _validator(origin):
    etag = origin["etag"]
    return etag if etag and not etag.startswith("W/") else origin["last_modified"]


def _describe(response, url, sha256):
    length = response.headers.get("Content-Length", "")
    return {
        "url": url,
        "etag": response.headers.get("ETag"),
        "last_modified": response.headers.get("Last-Modified"),
        "size": int(length) if length.isdecimal() else None,
        "sha256": sha256,
    }


def _same_file(response, total, origin, url):
    if None not in (total, origin["size"]) and total != origin["size"]:
        return False
    if origin["url"] != url:
        return True  # a mirror: the SHA-256 will tell
    return all(
        name not in response.headers or origin[key] in (None, response.headers[name])
        for key, name in (("etag", "ETag"), ("last_modified", "Last-Modified"))
    )


def _content_range(response):
    pattern = r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)"
    match = re.fullmatch(pattern, response.headers.get("Content-Range", "").strip())
    return (None, None) if match is None else tuple(x and int(x) for x in match.groups())


def _refuse(response, url):
    answer = f"{url} answered {response.status_code} {response.reason}"
    if may_pass(response):
        raise PassingError(answer, response)
    raise RemoteDataError(answer)


def _check_answer(response, origin, size):
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise RemoteDataError(f"{origin['url']} answered with a web page instead of a file")
    if None not in (size, origin["size"]) and size != origin["size"]:
        raise IntegrityError(
            f"The file at {origin['url']} has {origin['size']} bytes instead of {size}: it is "
            "another version"
        )


def _receive(response, part, offset, total, label):
    bar = progress_bar(total=total, initial=offset, unit="B", unit_scale=True, desc=label)
    with bar, full_disk_raises(part.path), part.path.open("ab") as stream:
        # The bytes as they are on the server: not decompressed where it says "x-gzip" of a .tgz.
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            stream.write(chunk)
            bar.update(len(chunk))
    if total is not None and part.size != total:
        raise PassingError(f"{part.size} bytes came instead of {total}")


def check_room(folder, needed):
    """Raise `DiskSpaceError` where fewer bytes than needed are free on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskSpaceError(
            f"{needed / 1e9:.2f} GB are needed in {str(folder)!r}, and {free / 1e9:.2f} GB are "
            "free. Make room there or choose another folder."
        )


@contextlib.contextmanager
def full_disk_raises(path):
    """Raise `DiskSpaceError` where the disk, or a quota, is full inside the block."""
    try:
        yield
    except OSError as err:
        if err.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskSpaceError(
            f"The disk is full: {str(path)!r} could not be completed ({err}). Make room there or "
            "choose another folder; what has arrived is kept and the next call goes on from there."
        ) from err
