"""Cache folder, where szmass keeps what it downloads or converts."""

import os
from pathlib import Path

from astropy.config import get_cache_dir

from szmass.exceptions import InvalidInputError


def cache_folder(*parts):
    """Give a folder for downloads, made on demand, in ``SZMASS_CACHE`` or astropy's cache.

    Everything in it can be deleted and is made again when needed.
    """
    chosen = os.environ.get("SZMASS_CACHE")
    folder = Path(chosen or "~/.cache/szmass")
    try:
        folder = Path(chosen).expanduser() if chosen else Path(get_cache_dir("szmass"))
        folder = folder.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as err:  # there is no home folder
        raise InvalidInputError(
            f"The cache folder {str(folder)!r} cannot be created ({err}). Set the environment "
            "variable SZMASS_CACHE to a folder that can be written to."
        ) from err
    return folder
