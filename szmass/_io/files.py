"""Output files and folders that are either complete or not there."""

import contextlib
import os
import secrets
import shutil
import warnings
from pathlib import Path

from astropy.io.fits.verify import VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from szmass.exceptions import InvalidInputError

__all__ = ["atomic_path", "damaged_fits_raises", "put_in_place", "temporary_beside"]


@contextlib.contextmanager
def temporary_beside(path, *, folder=None):
    """Give a free name of the same suffix beside a path (or in ``folder``, on the same disk).

    What is still there under it at the end, a file or a folder, is removed.
    """
    path = Path(path)
    folder = path.parent if folder is None else Path(folder)
    temporary = folder / f".{path.stem}-{secrets.token_hex(4)}{path.suffix}"
    try:
        yield temporary
    finally:
        if temporary.is_dir() and not temporary.is_symlink():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def put_in_place(made, path):
    """Give a complete file or folder its final name; a folder that cannot be replaced stays."""
    made, path = Path(made), Path(path)
    if not (made.is_dir() and path.is_dir()):
        os.replace(made, path)
        return
    with temporary_beside(path) as former:
        os.replace(path, former)
        try:
            os.replace(made, path)
        except BaseException:
            os.replace(former, path)
            raise


@contextlib.contextmanager
def atomic_path(path, *, overwrite=False):
    """Give a temporary path of the target's suffix, and move it to the target on success.

    Whatever goes wrong, an existing target stays as it was and no half-written file is left.
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
    with temporary_beside(path) as temporary:
        yield temporary
        put_in_place(temporary, path)


@contextlib.contextmanager
def damaged_fits_raises():
    """Turn astropy's warnings about a truncated or corrupt FITS file into errors of their class."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", VerifyWarning)
        warnings.filterwarnings("error", ".*truncated", AstropyUserWarning)
        yield
