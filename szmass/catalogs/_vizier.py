"""Whole tables from VizieR, and an error for whatever is not the whole table.

VizieR says no in several ways: with an HTTP status, with an empty table and INFO
elements, with the first 50 rows, with another table. Each is recognised here, and
nothing is cached on the way.
"""

import hashlib
from datetime import UTC, datetime

from szmass.catalogs._forms import parse_votable
from szmass.exceptions import RemoteDataError

__all__ = ["query_vizier"]


def query_vizier(table_id, *, timeout=None):
    """Ask VizieR for all rows and columns of one table.

    Parameters
    ----------
    table_id : str
        Name of the table, for instance ``"J/A+A/594/A27/psz2"``.
    timeout : float, optional
        Longest silence of the server [s]; ``astroquery.vizier.conf.timeout`` if None.

    Returns
    -------
    table : `~astropy.table.Table`
        The table as VizieR gives it.
    provenance : dict
        Server, table, date, and SHA-256 of the answer.

    Raises
    ------
    RemoteDataError
        The server could not be reached or reported an error, or the answer is incomplete
        or no such table.
    """
    import requests
    from astroquery import cache_conf
    from astroquery.vizier import VizierClass, conf

    server = conf.server
    vizier = VizierClass(
        columns=["**"],
        row_limit=-1,
        vizier_server=server,
        timeout=conf.timeout if timeout is None else timeout,
    )
    try:
        # astroquery would keep an error as if it were the table.
        with cache_conf.set_temp("cache_active", False):
            response = vizier.get_catalogs_async(table_id)
        response.raise_for_status()
    except requests.RequestException as err:
        raise RemoteDataError(
            f"VizieR ({server}) did not give {table_id!r}: {err}. {_remedy()}"
        ) from err
    try:
        tables, infos = parse_votable(response.content)
    except ValueError as err:
        raise RemoteDataError(
            f"VizieR ({server}) did not answer the request for {table_id!r} with a whole "
            f"VOTable: {err}. {_remedy()}"
        ) from err
    _raise_reported(infos, table_id, server)
    if table_id not in tables:
        raise RemoteDataError(
            f"VizieR ({server}) answered the request for {table_id!r} with "
            f"{', '.join(map(repr, tables)) or 'no table'}. {_remedy()}"
        )
    provenance = {
        "source": f"VizieR {table_id}",
        "server": server,
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": hashlib.sha256(response.content).hexdigest(),
    }
    return tables[table_id], provenance


def _raise_reported(infos, table_id, server):
    """Raise what the server reports in INFO elements beside an empty or short table."""
    status = {text.split()[0].upper() for name, text in infos if name == "QUERY_STATUS" and text}
    errors = [text for name, text in infos if name == "Error" and text]
    if errors or "ERROR" in status:
        said = "; ".join(dict.fromkeys(errors)) or "no reason given"
        raise RemoteDataError(
            f"VizieR ({server}) reports an error instead of {table_id!r}: {said}. {_remedy()}"
        )
    if "OVERFLOW" in status:
        raise RemoteDataError(f"VizieR ({server}) cut {table_id!r} short. {_remedy()}")


def _remedy():
    return (
        "Try again later, choose a mirror with astroquery.vizier.conf.server = '...', or download "
        "the table by hand and read it from the file."
    )
