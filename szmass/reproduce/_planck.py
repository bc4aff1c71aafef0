"""Real clusters: weighed in a map, and with published masses."""

import os

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass.catalogs import DeAndres2022Catalog, load_sample
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, open_map
from szmass.results import MassFlag, side_by_side

__all__ = ["read_catalog", "read_published", "weigh_clusters"]

_REDSHIFT = (0.0, 1.0)
_CARRIED = ("msz", "msz_errn", "msz_errp", "y5r500", "y5r500_err", "snr")


def weigh_clusters(named, *, catalog, ymap, published):
    """Put masses of real clusters side by side.

    Parameters
    ----------
    named : dict of str to `~szmass.estimators.MassEstimator`
        What to weigh with.
    catalog : `~szmass.clusters.ClusterSample` or None
        From `read_catalog`.
    ymap : path-like or `~szmass.maps.ComptonMap` or None
        The map.
    published : `~szmass.catalogs.DeAndres2022Catalog` or None
        Published masses, which become the method "published".

    Returns
    -------
    table : `~astropy.table.QTable` or None
        A row per cluster with redshift and MSZ; NaN where the map does not cover a cluster.
    about : dict of str to str
        By method what its masses were made from, or why there are none.

    Raises
    ------
    InvalidInputError
        A map is given without a catalogue.
    """
    if ymap is not None and catalog is None:
        raise InvalidInputError("'ymap' needs 'catalog', which says where to look in it.")
    if catalog is None:
        about = dict.fromkeys(named, "no data: neither a catalogue nor a map was given")
        if published is None:
            return None, about | {"published": "no data: no table of published masses was given"}
        return _published_alone(published), about | {"published": _about(published)}
    sample, table = catalog, QTable({"name": catalog.names})
    position = sample.coord.icrs
    table["ra"] = u.Quantity(position.ra, u.deg, subok=False)
    table["dec"] = u.Quantity(position.dec, u.deg, subok=False)
    table["redshift"] = sample.redshift
    for name in _CARRIED:
        if name in sample.table.colnames:
            table[name] = sample.quantity(name)
    table.meta["methods"] = {}
    about = _weigh_in_map(table, sample, named, ymap)
    about["published"] = "no data: no table of published masses was given"
    if published is not None:
        about["published"] = _add_published(table, published)
    return table, about


def read_published(source):
    """Open the table of published masses.

    Parameters
    ----------
    source : `~szmass.catalogs.DeAndres2022Catalog` or path-like or None
        The table, its file, or its tag, to fetch it.

    Returns
    -------
    `~szmass.catalogs.DeAndres2022Catalog` or None
        The table.

    Raises
    ------
    InvalidInputError
        It is something else.
    """
    if source is None or isinstance(source, DeAndres2022Catalog):
        return source
    if not isinstance(source, str | os.PathLike):
        raise InvalidInputError(
            f"'published' must be a DeAndres2022Catalog, its file or its tag. Received: {source!r}"
        )
    if source == DeAndres2022Catalog.tag:
        return DeAndres2022Catalog.fetch()
    return DeAndres2022Catalog.read(source)


def read_catalog(source):
    """Open the catalogue of real clusters.

    Parameters
    ----------
    source : `~szmass.clusters.ClusterSample` or path-like or None
        Clusters with ``msz``, a catalogue's file or its tag.

    Returns
    -------
    `~szmass.clusters.ClusterSample` or None
        Those with an MSZ and a redshift up to 1.

    Raises
    ------
    InvalidInputError
        There is no column of MSZ, or no such cluster.
    """
    if source is None:
        return None
    sample = source[:] if isinstance(source, ClusterSample) else load_sample(source)
    if "msz" not in sample.table.colnames:
        raise InvalidInputError(
            "'catalog' has no column 'msz', the masses to compare with. It has: "
            f"{', '.join(sample.table.colnames)}"
        )
    low, high = _REDSHIFT
    known = np.isfinite(sample.quantity("msz")) & (sample.redshift > low)
    sample = sample[known & (sample.redshift <= high)]
    if not len(sample):
        raise InvalidInputError(
            f"No cluster of 'catalog' has an MSZ and a redshift from {low:g} to {high:g}."
        )
    return sample


def _weigh_in_map(table, sample, named, ymap):
    if ymap is None:
        return dict.fromkeys(named, "no data: no map was given")
    if not isinstance(ymap, ComptonMap):
        ymap = open_map(ymap)
    sample.attach_cutouts(ymap, interpolation="nearest")
    if sample.cutouts.noise is None:
        # The clusters of the paper are in Planck's map; this may be a part of it.
        sample.cutouts.noise = "planck"
    rows = np.flatnonzero(sample.cutouts.complete)
    if not len(rows):
        return dict.fromkeys(named, "no data: the map covers the field of no cluster")
    covered = sample[rows]
    joined = side_by_side({name: one.predict(covered) for name, one in named.items()})
    for column in joined.colnames[2:]:
        if column.startswith("flag_"):
            values = np.full(len(table), int(MassFlag.INCOMPLETE_CUTOUT))
            values[rows] = joined[column]
        else:
            values = np.full(len(table), np.nan) * u.solMass
            values[rows] = joined[column]
        table[column] = values
    table.meta["methods"] = dict(joined.meta["methods"])
    what = f"{len(rows)} of {len(sample)} clusters of the catalogue are wholly in the map"
    return dict.fromkeys(named, what)


def _about(published):
    return f"published table of {len(published)} masses (de Andres et al. 2022)"


def _published_alone(published):
    source = published.table
    table = QTable({"name": np.asarray(source["name"], dtype=str)})
    table["redshift"] = np.asarray(source["redshift"], dtype=float)
    table["msz"] = u.Quantity(np.asarray(source["msz"], dtype=float), u.solMass)
    table.meta["methods"] = {}
    _add_published(table, published)
    return table


def _add_published(table, published):
    """Add the columns of the method "published" by name."""
    place = {str(name): row for row, name in enumerate(published.table["name"])}
    rows = np.array([place.get(str(name), -1) for name in table["name"]])
    for column, theirs in (
        ("mass", "cnn_mass"),
        ("mass_errn", "cnn_mass_errn"),
        ("mass_errp", "cnn_mass_errp"),
    ):
        values = u.Quantity(published.table[theirs]).to_value(u.solMass)
        values = np.append(np.asarray(values, dtype=float), np.nan)
        table[f"{column}_published"] = values[rows] * u.solMass
    table["flag_published"] = np.where(rows < 0, int(MassFlag.NO_MATCH), 0)
    table.meta["methods"]["published"] = {
        "method": "published",
        "references": list(published.references),
    }
    found = int(np.count_nonzero(rows >= 0))
    return f"{_about(published)}, {found} of them in the catalogue"
