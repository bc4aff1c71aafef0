"""Whole tables from VizieR, dated copies that tell whether they were changed, and settings.

VizieR says no in several ways: with an HTTP status, with an empty table and INFO
elements, with the first 50 rows, with another table. Each is recognised here, and
nothing is cached on the way. What may pass is asked for again after a pause.

A snapshot is an ECSV file named after the catalogue and the day. Its ``meta`` says where it
is from, and holds the SHA-256 that the file has with zeros in the place of that number.
"""

import hashlib
import io
import re
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

from astropy.config import ConfigItem, ConfigNamespace

from szmass._io.files import atomic_path
from szmass._io.transfer import (
    HEADERS,
    GaveUpError,
    PassingError,
    may_pass,
    new_session,
    persistently,
    within,
)
from szmass._tables.files import read_table
from szmass._tables.forms import parse_votable
from szmass._utils.paths import cache_folder
from szmass.exceptions import (
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    RemoteDataError,
    SzmassWarning,
)

_CHUNK = 1 << 16  # bytes
_KEY = "snapshot_sha256"
_ZEROS = "0" * 64
_DIGEST = re.compile(rf"({_KEY}: ['\"]?)([0-9a-f]{{64}})".encode())


_MODULE = "szmass.catalogs"


class Conf(ConfigNamespace):
    """How catalogues are fetched and where they are kept.

    Set them for a session with ``szmass.catalogs.conf.vizier_timeout = 20``, for a block with
    ``conf.set_temp``, or for good under ``[catalogs]`` in ``szmass.cfg`` in the folder that
    `astropy.config.get_config_dir` gives.
    """

    vizier_server = ConfigItem(
        "",
        "Host name of the VizieR server or mirror; empty for that of astroquery.vizier.conf.",
        module=_MODULE,
    )
    vizier_timeout = ConfigItem(
        60.0, "Longest silence of the server [s].", cfgtype="float(min=0.001)", module=_MODULE
    )
    vizier_deadline = ConfigItem(
        600.0,
        "Longest time for one answer, however slowly it arrives [s].",
        cfgtype="float(min=0.001)",
        module=_MODULE,
    )
    vizier_largest = ConfigItem(
        100.0,
        "Largest answer, inflated [MB]; more of it is not read.",
        cfgtype="float(min=0.001)",
        module=_MODULE,
    )
    vizier_attempts = ConfigItem(
        3,
        "How often a server that fails or is silent is asked.",
        cfgtype="integer(min=1)",
        module=_MODULE,
    )
    offline = ConfigItem(
        False, "Never ask a server: use what earlier fetches have kept.", module=_MODULE
    )
    cache_folder = ConfigItem(
        "",
        "Folder of the snapshots; empty for 'catalogs' in the cache folder of szmass.",
        module=_MODULE,
    )


#: The settings.
conf = Conf()


def require_consistent(offline, refresh):
    """Tell whether a server may not be asked; 'offline' and ``refresh`` exclude each other."""
    offline = bool(offline or conf.offline)
    if offline and refresh:
        raise InvalidInputError("'offline' and 'refresh' exclude each other.")
    return offline


def query_vizier(table_id, *, timeout=None):
    """Ask VizieR for all rows and columns of one table, for instance ``"J/A+A/594/A27/psz2"``.

    Gives the table as VizieR has it, and a dict: server, query, date, and SHA-256 of the answer.
    ``timeout`` is the longest silence [s], ``conf.vizier_timeout`` if None.
    """
    vizier = _client(timeout)

    def ask():
        content = _ask(vizier, table_id)
        return content, _table_of(content, table_id, vizier.VIZIER_SERVER)

    attempts = conf.vizier_attempts
    try:
        content, table = persistently(ask, attempts=attempts)
    except GaveUpError as err:
        tries = f" {str(err).capitalize()}." if attempts > 1 else ""
        last = err.__cause__
        raise RemoteDataError(f"{last}.{tries} {_remedy()}") from last.__cause__
    query = vizier.get_catalogs_async(table_id, get_query_payload=True)
    provenance = {
        "source": f"VizieR {table_id}",
        "server": vizier.VIZIER_SERVER,
        "query": "&".join(line for line in str(query).splitlines() if line),
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return table, provenance


def _client(timeout):
    """astroquery's VizieR with our way to send a request, which keeps nothing of the answer."""
    from astroquery.vizier import VizierClass
    from astroquery.vizier import conf as astroquery_conf

    class Client(VizierClass):
        def _request(self, method, url, *, data=None, timeout=None, **options):
            return _receive(method, url, data=data, timeout=timeout)

    return Client(
        columns=["**"],
        row_limit=-1,
        vizier_server=conf.vizier_server or astroquery_conf.server,
        timeout=conf.vizier_timeout if timeout is None else timeout,
    )


def _receive(method, url, **options):
    """Send a request; give the answer and its body, which has to come before the deadline."""
    import requests

    end = time.monotonic() + conf.vizier_deadline
    options |= {"headers": HEADERS, "stream": True}
    with (
        new_session() as session,
        within(conf.vizier_deadline, session.request, method, url, **options) as response,
    ):
        # The time-out of requests is for silence: a server that drips would go on for ever.
        body = io.BytesIO()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            body.write(chunk)
            if body.tell() > conf.vizier_largest * 1e6:
                raise RemoteDataError(
                    f"{url} gave more than {conf.vizier_largest:g} MB: no table of a catalogue. If "
                    "it is one, set szmass.catalogs.conf.vizier_largest (MB) to a larger number."
                )
            if time.monotonic() > end:
                raise requests.Timeout(
                    f"{body.tell()} bytes came within {conf.vizier_deadline:g} s, and not all "
                    "(timed out)"
                )
    return response, body.getvalue()


def _ask(vizier, table_id):
    """Give the bytes of one answer."""
    import requests
    import urllib3

    said_no = f"VizieR ({vizier.VIZIER_SERVER}) did not give {table_id!r}"
    try:
        response, content = vizier.get_catalogs_async(table_id)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as err:
        raise PassingError(f"{said_no}: {err}") from err
    status = f"{said_no}: it answered {response.status_code} {response.reason}"
    if may_pass(response):
        raise PassingError(status, response)
    if response.status_code != 200:
        raise RemoteDataError(f"{status}. {_remedy()}")
    return content


def _table_of(content, table_id, server):
    """Find the table in an answer."""
    try:
        tables, infos = parse_votable(content)
    except ValueError as err:
        raise PassingError(
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
        raise PassingError(f"VizieR ({server}) reports an error instead of {table_id!r}: {said}")
    if "OVERFLOW" in status:
        raise RemoteDataError(f"VizieR ({server}) cut {table_id!r} short. {_remedy()}")


def _remedy():
    return (
        "Try again later, choose a mirror with szmass.catalogs.conf.vizier_server = '...', or "
        "download the table by hand and read it from the file."
    )


def latest_snapshot(tag):
    """Find the newest snapshot of the catalogue of a tag; None if there is none."""
    try:
        found = _folder().glob(f"{tag}_[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].ecsv")
        # A date to come, of a clock that was wrong, would win for ever.
        tomorrow = f"{tag}_{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}.ecsv"
        past = (path for path in found if path.name <= tomorrow)
        return max(past, default=None, key=lambda path: path.name)
    except (OSError, InvalidInputError):
        return None


def read_snapshot(path):
    """Read a snapshot; `IntegrityError` where it is not as it was written."""
    remedy = "Delete it, or fetch the catalogue again with refresh=True."
    try:
        content = Path(path).read_bytes()
    except OSError as err:
        raise IntegrityError(f"The snapshot {str(path)!r} cannot be read: {err}. {remedy}") from err
    match = _DIGEST.search(content)
    if match is None or _digest(content) != match[2].decode():
        raise IntegrityError(
            f"The snapshot {str(path)!r} was changed or damaged since it was written. {remedy}"
        )
    try:
        table = read_table(path, format="ecsv")
    except FileFormatError as err:
        raise IntegrityError(f"The snapshot cannot be used: {err} {remedy}") from err
    table.meta["snapshot"] = str(path)
    return table


def write_snapshot(table, tag):
    """Write a snapshot of today, or warn that it was not possible."""
    table = table.copy(copy_data=False)
    table.meta = {**table.meta, _KEY: _ZEROS}
    try:
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{tag}_{datetime.now(UTC):%Y-%m-%d}.ecsv"
        with atomic_path(path, overwrite=True) as temporary:
            table.write(temporary, format="ascii.ecsv")
            content = temporary.read_bytes()
            digest = _digest(content).encode()
            temporary.write_bytes(_DIGEST.sub(rb"\g<1>" + digest, content, count=1))
    except (OSError, InvalidInputError) as err:
        warnings.warn(
            f"The catalogue {tag!r} was fetched but could not be kept for the next time: {err}. "
            "Set szmass.catalogs.conf.cache_folder to a folder that can be written to.",
            SzmassWarning,
            stacklevel=3,
        )


def _folder():
    return Path(conf.cache_folder).expanduser() if conf.cache_folder else cache_folder("catalogs")


def _digest(content):
    return hashlib.sha256(_DIGEST.sub(rb"\g<1>" + _ZEROS.encode(), content, count=1)).hexdigest()
