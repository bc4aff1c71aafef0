"""One call from whatever names a catalogue to a sample."""

import os
from pathlib import Path

from szmass.catalogs._forms import read_form
from szmass.catalogs.core import CATALOGS
from szmass.clusters import ClusterSample
from szmass.exceptions import UnknownNameError

__all__ = ["load_sample"]


def load_sample(source, *, redshift=None, **options):
    """Make a sample of a catalogue's name or of a file.

    Parameters
    ----------
    source : str or path-like
        A tag of `CATALOGS`, such as ``"psz2"``, to fetch that catalogue; else a file: a
        catalogue in a form that its ``read`` knows (the columns tell which), or any table for
        `ClusterSample.read <szmass.clusters.ClusterSample.read>`.
    redshift : (float, float), optional
        Keep clusters with low < redshift <= high.
    **options : dict
        Passed to `ClusterSample.read <szmass.clusters.ClusterSample.read>`, for tables that are
        no known catalogue.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        The clusters.

    Raises
    ------
    UnknownNameError
        There is neither such a catalogue nor such a file.
    RemoteDataError
        The catalogue could not be fetched.
    FileFormatError
        The form of the file is not known, or it is damaged.
    InvalidInputError
        The table has no names, positions or redshifts, or some that cannot be.
    """
    path = Path(source)
    if not path.exists():
        if os.fspath(source) not in CATALOGS:
            raise UnknownNameError(
                f"{os.fspath(source)!r} is neither a file nor a known catalogue "
                f"({', '.join(CATALOGS)})."
            )
        sample = CATALOGS[os.fspath(source)].fetch().sample()
    else:
        catalog = _known_catalog(path)
        sample = ClusterSample.read(path, **options) if catalog is None else catalog.sample()
    if redshift is None:
        return sample
    low, high = redshift
    return sample[(sample.redshift > low) & (sample.redshift <= high)]


def _known_catalog(path):
    """Read the file as the catalogue whose columns it has; None if there is none."""
    columns = set(read_form(path)[0].colnames)
    for cls in CATALOGS.values():
        if cls.position is not None and all(columns & set(c.aliases) for c in cls.columns):
            return cls.read(path)
    return None
