"""What a reproduction was made with."""

import platform
from datetime import UTC, datetime

import astropy
import numpy as np

from szmass.version import __version__

__all__ = ["describe_reproduction"]


def describe_reproduction(masses, about, arguments):
    """Describe what was made, for a JSON file.

    Parameters
    ----------
    masses : dict of str to `~astropy.table.QTable` or None
        Masses side by side.
    about : dict
        By column and method what it was made from.
    arguments : dict
        Arguments of `szmass.reproduce.core.reproduce`.

    Returns
    -------
    dict
        Versions, date, arguments, columns, and what each method says of itself.
    """
    return {
        "what": "szmass reproduce",
        "versions": {
            "szmass": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "astropy": astropy.__version__,
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "arguments": {name: _told(value) for name, value in arguments.items()},
        "columns": about,
        "methods": {
            data: {} if table is None else table.meta.get("methods", {})
            for data, table in masses.items()
        },
    }


def _told(value):
    if isinstance(value, list):
        return [_told(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
