"""Dated copies of fetched catalogues: readable files that tell whether they were changed.

A snapshot is an ECSV file named after the catalogue and the day. Its ``meta`` says where it
is from, and holds the SHA-256 that the file has with zeros in the place of that number.
"""

import hashlib
import re
import warnings
from datetime import UTC, datetime
from pathlib import Path

from szmass._io.files import atomic_path
from szmass._io.tables import read_table
from szmass._utils.paths import cache_folder
from szmass.catalogs._config import conf
from szmass.exceptions import FileFormatError, IntegrityError, InvalidInputError, SzmassWarning

__all__ = ["latest_snapshot", "read_snapshot", "write_snapshot"]

_KEY = "snapshot_sha256"
_ZEROS = "0" * 64
_DIGEST = re.compile(rf"({_KEY}: ['\"]?)([0-9a-f]{{64}})".encode())


def latest_snapshot(tag):
    """Find the newest snapshot of a catalogue.

    Parameters
    ----------
    tag : str
        Tag of the catalogue.

    Returns
    -------
    pathlib.Path or None
        The file, None if there is none.
    """
    try:
        found = _folder().glob(f"{tag}_[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].ecsv")
        return max(found, default=None, key=lambda path: path.name)
    except (OSError, InvalidInputError):
        return None


def read_snapshot(path):
    """Read a snapshot.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    `~astropy.table.QTable`
        The table, with ``meta["snapshot"]``, the file.

    Raises
    ------
    IntegrityError
        The file is not as it was written.
    """
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
    """Write a snapshot of today, or warn that it was not possible.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The catalogue; its ``meta`` becomes that of the file.
    tag : str
        Tag of the catalogue.

    Warns
    -----
    SzmassWarning
        The folder cannot be written to, or is full. The table is as good without a snapshot.
    """
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
