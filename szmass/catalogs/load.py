"""Loading of a catalogue, or of its rows, from whatever names it."""

import os
from pathlib import Path

import numpy as np

from szmass._io.forms import read_form
from szmass.catalogs.core import CATALOGS, within
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError, UnknownNameError

__all__ = ["load_catalog", "load_sample"]


def load_catalog(source, *, offline=False, **options):
    """Read or fetch a catalogue, or any table of clusters.

    Parameters
    ----------
    source : str or path-like
        A tag of `CATALOGS`, such as ``"psz2"``, to fetch that catalogue; else a file: a
        catalogue in a form that its ``read`` knows (the columns tell which), or any table for
        `ClusterSample.read <szmass.clusters.ClusterSample.read>`.
    offline : bool, optional
        Do not ask a server for a catalogue: use the copy kept by an earlier fetch.
    **options : dict
        Passed to `ClusterSample.read <szmass.clusters.ClusterSample.read>`. A file is then not
        looked at for a known catalogue, as the options say what its columns are.

    Returns
    -------
    `~szmass.catalogs.Catalog` or `~szmass.clusters.ClusterSample`
        The rows, in ``table``.

    Raises
    ------
    UnknownNameError
        There is neither such a catalogue nor such a file.
    RemoteDataError
        The catalogue could not be fetched.
    FileFormatError
        The form of the file is not known, or it is damaged.
    InvalidInputError
        The table has no names, positions or redshifts, or some that cannot be; or options are
        given for a catalogue that is fetched.
    """
    path = Path(source)
    if path.exists():
        catalog = None if options else _known_catalog(path)
        return ClusterSample.read(path, **options) if catalog is None else catalog
    tag = os.fspath(source)
    if tag not in CATALOGS:
        raise UnknownNameError(
            f"{tag!r} is neither a file nor a known catalogue ({', '.join(CATALOGS)})."
        )
    if options:
        raise InvalidInputError(
            f"The columns of the catalogue {tag!r} are known. Received: {', '.join(options)}"
        )
    return CATALOGS[tag].fetch(offline=offline)


def load_sample(source, *, redshift=None, offline=False, redshift_column=None, **options):
    """Make a sample of a catalogue's name or of a file.

    Parameters
    ----------
    source : str or path-like
        As for `load_catalog`.
    redshift : (float, float), optional
        Keep clusters with low < redshift <= high; None is an open end.
    offline : bool, optional
        Do not ask a server for a catalogue: use the copy kept by an earlier fetch.
    redshift_column : str, optional
        The column of redshifts, for tables that are no known catalogue.
    **options : dict
        Passed to `ClusterSample.read <szmass.clusters.ClusterSample.read>`, for such tables.

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
    if redshift_column is not None:
        options["redshift"] = redshift_column
    loaded = load_catalog(source, offline=offline, **options)
    sample = loaded if isinstance(loaded, ClusterSample) else loaded.sample()
    if redshift is None:
        return sample
    if np.shape(redshift) != (2,):
        raise InvalidInputError(f"'redshift' must be (low, high). Received: {redshift!r}")
    return sample[within(sample.redshift, *redshift)]


def _known_catalog(path):
    """Read the file as the catalogue whose columns it has; None if there is none."""
    columns = set(read_form(path)[0].colnames)
    known = [cls for cls in CATALOGS.values() if all(columns & set(c.aliases) for c in cls.columns)]
    # A table that has the columns of several has more than those of the smaller ones.
    return max(known, key=lambda cls: len(cls.columns)).read(path) if known else None
