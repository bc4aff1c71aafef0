"""Output files that are either complete or not there."""

import contextlib
import os
import secrets
import warnings
from pathlib import Path

from astropy.io.fits.verify import VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from szmass.exceptions import InvalidInputError

__all__ = ["atomic_path", "damaged_fits_raises"]


@contextlib.contextmanager
def atomic_path(path, *, overwrite=False):
    """Give a temporary path beside the target and move it there on success.

    Whatever goes wrong inside the block, an existing target stays as it was and
    no half-written file is left.

    Parameters
    ----------
    path : path-like
        The target.
    overwrite : bool, optional
        Replace an existing file.

    Yields
    ------
    pathlib.Path
        Where to write; it has the target's suffix.

    Raises
    ------
    InvalidInputError
        The target exists and ``overwrite`` is False, or its folder does not exist.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidInputError(f"The output {str(path)!r} is a folder; give a file name.")
    if path.exists() and not overwrite:
        raise InvalidInputError(
            f"The output file {str(path)!r} exists. Choose another name or allow it to be "
            "overwritten (overwrite=True, or --overwrite on the shell)."
        )
    if not path.parent.is_dir():
        raise InvalidInputError(f"The output folder {str(path.parent)!r} does not exist.")
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def damaged_fits_raises():
    """Turn astropy's warnings about a truncated or corrupt FITS file into errors.

    Yields
    ------
    None
        Inside the block such a file raises
        `~astropy.utils.exceptions.AstropyUserWarning` (or its `VerifyWarning`).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", VerifyWarning)
        warnings.filterwarnings("error", ".*truncated", AstropyUserWarning)
        yield
