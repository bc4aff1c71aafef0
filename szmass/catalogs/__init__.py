"""Rows of the sky: published cluster catalogues under one set of names and units.

A catalogue is a class that describes one publication (columns, units, what stands for
"not known", where to get it) on top of `Catalog`, which reads every form of it, fetches it,
and gives its rows as a `~szmass.clusters.ClusterSample`. `CATALOGS` holds them by tag.
"""

from szmass.catalogs._remote import Conf, conf
from szmass.catalogs.act import ACTDR5Catalog, ACTDR6Catalog, ACTED56Catalog
from szmass.catalogs.by_name import find_cluster
from szmass.catalogs.cnn_masses import DeAndres2022Catalog
from szmass.catalogs.comprass import ComPRASSCatalog
from szmass.catalogs.core import (
    CATALOGS,
    Catalog,
    CatalogColumn,
    catalog_columns,
    register_catalog,
)
from szmass.catalogs.crossmatch import crossmatch, crossmatch_many
from szmass.catalogs.erass1 import ERASS1Catalog
from szmass.catalogs.lensing import LensingTable, MassColumn, PublishedLensingTable
from szmass.catalogs.lensing.clash import Umetsu2014Table, Umetsu2016Table
from szmass.catalogs.lensing.herbonnet2020 import Herbonnet2020Table
from szmass.catalogs.lensing.lc2 import LC2Table
from szmass.catalogs.lensing.medezinski2018 import Medezinski2018Table
from szmass.catalogs.lensing.sereno2017 import Sereno2017Table
from szmass.catalogs.load import load_catalog, load_lensing_table, load_sample
from szmass.catalogs.mcmf import ACTDR5MCMFCatalog
from szmass.catalogs.mcxc import MCXCCatalog, MCXCIICatalog
from szmass.catalogs.psz2 import PSZ2Catalog
from szmass.catalogs.spt import SPTECSCatalog, SPTSZCatalog
from szmass.catalogs.upcluster import UPClusterSZCatalog

__all__ = [
    "CATALOGS",
    "ACTDR5Catalog",
    "ACTDR5MCMFCatalog",
    "ACTDR6Catalog",
    "ACTED56Catalog",
    "Catalog",
    "CatalogColumn",
    "ComPRASSCatalog",
    "Conf",
    "DeAndres2022Catalog",
    "ERASS1Catalog",
    "Herbonnet2020Table",
    "LC2Table",
    "LensingTable",
    "MCXCCatalog",
    "MCXCIICatalog",
    "MassColumn",
    "Medezinski2018Table",
    "PSZ2Catalog",
    "PublishedLensingTable",
    "SPTECSCatalog",
    "SPTSZCatalog",
    "Sereno2017Table",
    "UPClusterSZCatalog",
    "Umetsu2014Table",
    "Umetsu2016Table",
    "catalog_columns",
    "conf",
    "crossmatch",
    "crossmatch_many",
    "find_cluster",
    "load_catalog",
    "load_lensing_table",
    "load_sample",
    "register_catalog",
]
