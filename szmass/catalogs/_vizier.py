"""Whole tables from VizieR, and an error for whatever is not the whole table.

VizieR says no in several ways: with an HTTP status, with an empty table and INFO
elements, with the first 50 rows, with another table. Each is recognised here, and
nothing is cached on the way. What may pass is asked for again after a pause.
"""

import hashlib
import io
import time
from datetime import UTC, datetime

from szmass.catalogs._config import conf
from szmass.catalogs._forms import parse_votable
from szmass.exceptions import RemoteDataError

__all__ = ["query_vizier"]

_PAUSE = 1.0  # s before the second attempt, doubled before each further one
_LONGEST_PAUSE = 30.0  # s
_TRY_AGAIN = {408, 425, 429}  # and all of 500 to 599
_CHUNK = 1 << 16  # bytes


class _PassingError(Exception):
    """A failure that may be over at the next attempt."""


def query_vizier(table_id, *, timeout=None):
    """Ask VizieR for all rows and columns of one table.

    Parameters
    ----------
    table_id : str
        Name of the table, for instance ``"J/A+A/594/A27/psz2"``.
    timeout : float, optional
        Longest silence of the server [s]; ``conf.vizier_timeout`` if None.

    Returns
    -------
    table : `~astropy.table.Table`
        The table as VizieR gives it.
    provenance : dict
        Server, table, query, date, and SHA-256 of the answer.

    Raises
    ------
    RemoteDataError
        The server could not be reached or reported an error, or the answer is incomplete
        or no such table.
    """
    vizier = _vizier(timeout)
    attempts = conf.vizier_attempts
    for attempt in range(1, attempts + 1):
        try:
            content = _ask(vizier, table_id)
            table = _table_of(content, table_id, vizier.VIZIER_SERVER)
            break
        except _PassingError as err:
            if attempt == attempts:
                tries = f" Gave up after {attempts} attempts." if attempts > 1 else ""
                raise RemoteDataError(f"{err}.{tries} {_remedy()}") from err.__cause__
        time.sleep(min(_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE))
    query = vizier.get_catalogs_async(table_id, get_query_payload=True)
    provenance = {
        "source": f"VizieR {table_id}",
        "server": vizier.VIZIER_SERVER,
        "query": "&".join(line for line in str(query).splitlines() if line),
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return table, provenance


def _vizier(timeout):
    from astroquery.vizier import VizierClass
    from astroquery.vizier import conf as astroquery_conf

    return VizierClass(
        columns=["**"],
        row_limit=-1,
        vizier_server=conf.vizier_server or astroquery_conf.server,
        timeout=conf.vizier_timeout if timeout is None else timeout,
    )


def _receive_until(end):
    """Make a hook for requests that reads an answer until a moment of the monotonic clock."""
    import requests

    def receive(response, **kwargs):
        # The time-out of requests is for silence: a server that drips would go on for ever.
        read = getattr(response.raw, "read1", response.raw.read)
        body = io.BytesIO()
        while chunk := read(_CHUNK, decode_content=True):
            body.write(chunk)
            if time.monotonic() > end:
                response.raw.close()
                raise requests.Timeout(
                    f"{body.tell()} bytes came within {conf.vizier_deadline:g} s, and not all "
                    "(timed out)"
                )
        body.seek(0)
        response.raw = body
        return response

    return receive


def _ask(vizier, table_id):
    """Give the bytes of one answer."""
    import requests
    import urllib3
    from astroquery import cache_conf

    server = vizier.VIZIER_SERVER
    hooks = vizier._session.hooks["response"]
    hooks.insert(0, _receive_until(time.monotonic() + conf.vizier_deadline))
    try:
        # astroquery would keep an error as if it were the table.
        with cache_conf.set_temp("cache_active", False):
            response = vizier.get_catalogs_async(table_id)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as err:
        raise _PassingError(f"VizieR ({server}) did not give {table_id!r}: {err}") from err
    finally:
        hooks.pop(0)
        vizier._session.close()
    if response.status_code in _TRY_AGAIN or response.status_code >= 500:
        raise _PassingError(
            f"VizieR ({server}) did not give {table_id!r}: it answered {response.status_code} "
            f"{response.reason}"
        )
    if response.status_code != 200:
        raise RemoteDataError(
            f"VizieR ({server}) did not give {table_id!r}: it answered {response.status_code} "
            f"{response.reason}. {_remedy()}"
        )
    return response.content


def _table_of(content, table_id, server):
    """Find the table in an answer."""
    try:
        tables, infos = parse_votable(content)
    except ValueError as err:
        raise _PassingError(
            f"VizieR ({server}) did not answer the request for {table_id!r} with a whole "
            f"VOTable: {err}"
        ) from err
    _raise_reported(infos, table_id, server)
    if table_id not in tables:
        raise RemoteDataError(
            f"VizieR ({server}) answered the request for {table_id!r} with "
            f"{', '.join(map(repr, tables)) or 'no table'}. {_remedy()}"
        )
    return tables[table_id]


def _raise_reported(infos, table_id, server):
    """Raise what the server reports in INFO elements beside an empty or short table."""
    status = {text.split()[0].upper() for name, text in infos if name == "QUERY_STATUS" and text}
    errors = [text for name, text in infos if name == "Error" and text]
    if errors or "ERROR" in status:
        said = "; ".join(dict.fromkeys(errors)) or "no reason given"
        raise _PassingError(f"VizieR ({server}) reports an error instead of {table_id!r}: {said}")
    if "OVERFLOW" in status:
        raise RemoteDataError(f"VizieR ({server}) cut {table_id!r} short. {_remedy()}")


def _remedy():
    return (
        "Try again later, choose a mirror with szmass.catalogs.conf.vizier_server = '...', or "
        "download the table by hand and read it from the file."
    )
