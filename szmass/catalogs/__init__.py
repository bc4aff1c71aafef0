"""Rows of the sky: published cluster catalogues under one set of names and units.

A catalogue is a class that describes one publication (columns, units, what stands for
"not known", where to get it) on top of `Catalog`, which reads every form of it, fetches it,
and gives its rows as a `~szmass.clusters.ClusterSample`. `CATALOGS` holds them by tag.
"""

from szmass.catalogs._config import Conf, conf
from szmass.catalogs.cnn_masses import DeAndres2022Catalog
from szmass.catalogs.core import CATALOGS, Catalog, CatalogColumn, register_catalog
from szmass.catalogs.load import load_sample
from szmass.catalogs.psz2 import PSZ2Catalog

__all__ = [
    "CATALOGS",
    "Catalog",
    "CatalogColumn",
    "Conf",
    "DeAndres2022Catalog",
    "PSZ2Catalog",
    "conf",
    "load_sample",
    "register_catalog",
]
