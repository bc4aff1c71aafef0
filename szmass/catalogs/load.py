"""Loading of a catalogue, or of its rows, from whatever names it."""

import os
import warnings
from pathlib import Path

import numpy as np

from szmass._tables.files import read_table
from szmass._tables.forms import read_form
from szmass._utils.kinds import as_path
from szmass._utils.names import did_you_mean
from szmass.catalogs._selection import warn_if_empty, within
from szmass.catalogs.core import CATALOGS
from szmass.catalogs.lensing import LensingTable, PublishedLensingTable
from szmass.catalogs.lensing.core import OWN_TABLE
from szmass.catalogs.psz2 import PSZ2Catalog
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError, SzmassWarning, UnknownNameError

__all__ = ["load_catalog", "load_lensing_table", "load_sample"]

# Some files have a few detections twice.
_MOST_ROWS = 1.1
# Names that say nothing about whose table it is.
_EVERYDAY = {
    "author",
    "cat",
    "cluster",
    "comment",
    "comments",
    "dec",
    "flag",
    "id",
    "index",
    "l500",
    "m",
    "m200",
    "m500",
    "mass",
    "mvir",
    "name",
    "note",
    "notes",
    "object",
    "r500",
    "ra",
    "redshift",
    "snr",
    "source",
    "state",
    "survey",
    "type",
    "y",
    "y500",
    "z",
    "zphot",
    "zspec",
}
_EVERYDAY |= {f"e_{name}" for name in _EVERYDAY} | {f"{name}_err" for name in _EVERYDAY}


def load_catalog(source, *, offline=False, readme=None, **options):
    """Read or fetch a catalogue, or any table of clusters.

    Parameters
    ----------
    source : str or path-like
        A tag of `CATALOGS`, such as ``"psz2"``, to fetch that catalogue; or a file, with the tag
        before it where it is a published catalogue that its columns do not tell,
        ``"sereno2017:masses.csv"``. A file that is no known catalogue is read by
        `ClusterSample.read <szmass.clusters.ClusterSample.read>`.
    offline : bool, optional
        Do not ask a server for a catalogue: use the copy kept by an earlier fetch.
    readme : path-like, optional
        The ReadMe of a CDS file; by default the file ``ReadMe`` in the same folder.
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
        given for a catalogue whose columns are known.

    Warns
    -----
    SzmassWarning
        The file has columns that the catalogue does not have, and they are left out.

    Notes
    -----
    A file is taken for a published catalogue if szmass wrote it as such, or if it has all columns
    under the names of the publication, some of which no other catalogue has, and not more rows. A
    table of your own whose columns have everyday names is a table of your own.
    """
    path = as_path(source, "source")
    if path.exists():
        catalog = None if options else _known_catalog(path, readme)
        if catalog is not None:
            return catalog
        return ClusterSample.read(path, readme=readme, **options)
    tag, colon, file = os.fspath(source).partition(":")
    if tag not in CATALOGS or (colon and not file):
        tag = os.fspath(source)
        raise UnknownNameError(
            f"{tag!r} is neither a file nor a known catalogue ({', '.join(CATALOGS)})."
            f"{did_you_mean(tag, CATALOGS)}"
        )
    if options:
        raise InvalidInputError(
            f"The columns of the catalogue {tag!r} are known. Received: {', '.join(options)}"
        )
    if file:
        return CATALOGS[tag].read(file, **({} if readme is None else {"readme": readme}))
    return CATALOGS[tag].fetch(offline=offline)


def load_sample(
    source, *, redshift=None, offline=False, redshift_column=None, redshifts=None, **options
):
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
    redshifts : str or path-like, optional
        ``"upcluster-sz"``, to fetch it, or ``"upcluster-sz:FILE"``: newer redshifts of PSZ2, as of
        `PSZ2Catalog.sample <szmass.catalogs.PSZ2Catalog.sample>`.
    **options : dict
        Passed to `ClusterSample.read <szmass.clusters.ClusterSample.read>`, for such tables.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        The clusters.

    Raises
    ------
    UnknownNameError, RemoteDataError, FileFormatError, InvalidInputError
        As from `load_catalog`; or ``redshifts`` are asked for of another catalogue than PSZ2.
    """
    if redshift_column is not None:
        options["redshift"] = redshift_column
    loaded = load_catalog(source, offline=offline, **options)
    if redshifts is not None:
        if not isinstance(loaded, PSZ2Catalog):
            raise InvalidInputError(
                f"'redshifts' are for the catalogue 'psz2'. Received: {os.fspath(source)!r}"
            )
        sample = loaded.sample(redshifts=load_catalog(redshifts, offline=offline))
    else:
        sample = loaded if isinstance(loaded, ClusterSample) else loaded.sample()
    if redshift is None:
        return sample
    if np.shape(redshift) != (2,):
        raise InvalidInputError(f"'redshift' must be (low, high). Received: {redshift!r}")
    keep = within(sample.redshift, *redshift, name="redshift")
    warn_if_empty(keep, f"redshift {redshift[0]} to {redshift[1]}")
    return sample[keep]


def load_lensing_table(table):
    """Read or fetch a published table of weak-lensing masses.

    Parameters
    ----------
    table : str or path-like or LensingTable
        A tag of `CATALOGS`, such as ``"lc2"``, or a file, as for `load_catalog`, also one that
        `LensingTable.write` wrote; a table that was read is given back.

    Returns
    -------
    `~szmass.catalogs.LensingTable`
        The table.

    Raises
    ------
    UnknownNameError, RemoteDataError, FileFormatError
        As from `load_catalog`.
    InvalidInputError
        It is something else than a lensing table that is known.
    """
    if isinstance(table, LensingTable):
        return table
    if not isinstance(table, str | os.PathLike):
        raise InvalidInputError(
            f"'table' must be a LensingTable, a tag or a file. Received: {table!r}"
        )
    source, path = os.fspath(table), Path(table)
    if path.exists():
        own = OWN_TABLE in read_table(path).meta
        loaded = LensingTable.read(path) if own else _known_catalog(path)
    else:
        loaded = load_catalog(source)
    if not isinstance(loaded, LensingTable):
        known = [t for t, cls in CATALOGS.items() if issubclass(cls, PublishedLensingTable)]
        raise InvalidInputError(
            f"{source!r} is no known table of lensing masses ({', '.join(known)}). Name it if it "
            f"is one of these, as in '{known[0]}:{source}'. A table of your own is read with "
            "LensingTable.read(...), which is told what its masses are; pass that, or what its "
            "method write wrote."
        )
    return loaded


def _known_catalog(path, readme=None):
    """Read the file as the catalogue that it is; None if it is none that is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SzmassWarning)  # comes when it is read
        table, _, packed = read_form(path, readme=readme)
    ours = (table if packed is None else read_table(path)).meta.get("catalog")
    if isinstance(ours, str) and ours in CATALOGS:
        known = [CATALOGS[ours]] if _has_all(table, CATALOGS[ours], ours=True) else []
    else:
        known = [cls for cls in CATALOGS.values() if _is_publication(table, cls)]
    if not known:
        return None
    # A table that has the columns of several has more than those of the smaller ones.
    cls = max(known, key=lambda cls: len(cls.columns))
    lost = set(table.colnames).difference(*(column.aliases for column in cls.columns))
    if lost and (ours is not None or len(table) < (cls.expected_rows or 0)):
        warnings.warn(
            f"{str(path)!r} is read as the catalogue {cls.tag!r}, without the columns "
            f"{', '.join(sorted(lost))}. Use ClusterSample.read to keep them.",
            SzmassWarning,
            stacklevel=4,
        )
    return cls.read(path, **({} if readme is None else {"readme": readme}))


def _published_names(column):
    return {column.fits, *column.vizier} - {None}


def _has_all(table, cls, *, ours):
    names = set(table.colnames)
    # Columns without a published name are made of others when the publication is read.
    needed = (c for c in cls.columns if ours or (_published_names(c) and not c.optional))
    return all(names & (set(c.aliases) if ours else _published_names(c)) for c in needed)


def _is_publication(table, cls):
    """Tell whether a table has the columns of a publication, and some that only this one has."""
    rows = cls.expected_rows
    if not _has_all(table, cls, ours=False) or (rows and len(table) > _MOST_ROWS * rows):
        return False
    others = (c for other in CATALOGS.values() if other is not cls for c in other.columns)
    elsewhere = {name for column in others for name in column.aliases}
    own = {name for column in cls.columns for name in _published_names(column)} - elsewhere
    return any(name in own and name.lower() not in _EVERYDAY for name in table.colnames)
