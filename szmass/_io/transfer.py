"""Requests over HTTP that are made again where that may help, and the transfer of large files.

Retries follow the rules of urllib3; a transfer goes on where it was cut.
"""

import json
import re
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import urljoin

from szmass._io.files import full_disk_raises
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
_LONGEST_ANSWER = 300.0  # s until the headers of an answer, with all redirections
_ATTEMPTS = 4  # in a row without progress
_PROGRESS = 1 << 20  # bytes that count as progress
_KEPT = "what has arrived is kept and the next call goes on from there"
_ORIGIN = ("url", "etag", "last_modified", "size", "sha256")


class PassingError(Exception):
    """A failure that may be over at the next attempt; ``response`` may say when (Retry-After)."""

    def __init__(self, message, response=None):
        super().__init__(message)
        self.response = response


class GaveUpError(Exception):
    """The end of all attempts; ``__cause__`` is the last failure, the text says how many."""


def new_session():
    """Give a session of requests that is never led from HTTPS to HTTP."""
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp):
            target = super().get_redirect_target(resp)
            try:
                urljoin(resp.url, target or "")
            except ValueError as err:
                resp.close()
                raise requests.exceptions.InvalidURL(f"{resp.url} leads to {target!r}") from err
            if target and resp.url.startswith("https:"):
                there = urljoin(resp.url, target)
                if not there.lower().startswith("https:"):
                    raise RemoteDataError(
                        f"{resp.url} leads to {there}, where anybody on the way could change the "
                        "data (HTTP): nothing was fetched from there"
                    )
            return target

    return Session()


def within(seconds, request, *args, **options):
    """Call a function that waits for a server, at most so long: then a time-out of requests.

    Time-outs of sockets are for silence: headers that drip would go on for ever.
    """
    import requests

    done, result = threading.Event(), {}

    def work():
        try:
            result["value"] = request(*args, **options)
        except BaseException as err:  # noqa: BLE001 - raised in the thread that waits
            result["error"] = err
        done.set()
        if result.get("late"):
            getattr(result.get("value"), "close", lambda: None)()

    threading.Thread(target=work, daemon=True).start()
    if not done.wait(seconds):
        result["late"] = True
        raise requests.Timeout(f"no answer came within {seconds:g} s (timed out)")
    if "error" in result:
        raise result["error"]
    return result["value"]


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


def transfer(url, part, *, size=None, sha256=None, label=None, room=0, largest=None):
    """Bring a file to this machine, into a `PartFile` that keeps what has arrived after a failure.

    A part is continued only if it is certain to belong to the same file: the server confirms its
    ETag or date, or ``sha256``, which is *not* checked here, is known. Otherwise, and where the
    server cannot send ranges, it begins anew. ``room`` bytes must remain free on the disk besides.
    """
    best = part.size

    def progressed():
        nonlocal best
        further = part.size >= best + _PROGRESS
        best = max(best, part.size)
        return further

    with new_session() as session:
        try:
            persistently(
                lambda: _attempt(session, url, part, size, sha256, label, room, largest),
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


def _attempt(session, url, part, size, sha256, label, room, largest):
    origin = part.origin
    offset = part.size if _may_continue(origin, url, sha256) else 0
    if offset and offset == origin["size"]:
        return
    headers = {**HEADERS, "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if origin["url"] == url and _validator(origin):
            headers["If-Range"] = _validator(origin)
    options = {"headers": headers, "stream": True, "timeout": _TIMEOUT}
    with within(_LONGEST_ANSWER, session.get, url, **options) as response:
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
        limit = origin["size"] or size or largest
        if None not in (largest, origin["size"]) and origin["size"] > largest:
            raise IntegrityError(_too_much(url, largest))
        try:
            _receive(response, part, offset, origin["size"], label, limit)
        except _TooMuchError as err:
            part.discard()
            raise IntegrityError(_too_much(url, limit)) from err


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


class _TooMuchError(Exception):
    """More bytes came than a file can have."""


def _too_much(url, limit):
    return (
        f"{url} gave more than the {limit} bytes that the file can have: it is another file, or a "
        "faulty server. Nothing was kept"
    )


def _receive(response, part, offset, total, label, limit):
    bar = progress_bar(total=total, initial=offset, unit="B", unit_scale=True, desc=label)
    with bar, full_disk_raises(part.path, _KEPT), part.path.open("ab") as stream:
        # The bytes as they are on the server: not decompressed where it says "x-gzip" of a .tgz.
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            offset += len(chunk)
            if limit is not None and offset > limit:
                raise _TooMuchError
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
