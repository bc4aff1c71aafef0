"""Requests over HTTP that are made again where that may help, with urllib3's rules of retry."""

import time

from szmass.version import __version__

__all__ = ["HEADERS", "GaveUpError", "PassingError", "may_pass", "persistently"]

#: What every request says of who asks.
HEADERS = {"User-Agent": f"szmass/{__version__}"}
_PAUSE = 1.0  # s before the second attempt, doubled before each further one
_LONGEST_PAUSE = 30.0  # s
_LONGEST_WISH = 300.0  # s that a server may ask for by Retry-After


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
