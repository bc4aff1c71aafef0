"""Masses of galaxy clusters from Compton-y maps.

The sub-packages are the stages of the data: `szmass.catalogs` (rows of the
sky), `szmass.maps` (pixels of the sky), `szmass.physics`, `szmass.simulations`,
`szmass.networks`, `szmass.estimators` (ways to weigh a cluster), `szmass.results` (masses and
posteriors), `szmass.comparison`, `szmass.plots` and `szmass.report`. What most scripts need is at
the top level.
"""

import importlib

from szmass import _moved

__all__ = [
    "CATALOGS",
    "ESTIMATORS",
    "Cluster",
    "ClusterSample",
    "ComptonMap",
    "LogMassPosterior",
    "PSZ2Catalog",
    "__version__",
    "cite",
    "conf",
    "estimate_masses",
    "load_sample",
    "open_map",
    "read_masses",
    "test",
]

# Looked up on first use, so that `import szmass` costs next to nothing.
_HOMES = {
    "CATALOGS": "szmass.catalogs",
    "Cluster": "szmass.clusters",
    "ClusterSample": "szmass.clusters",
    "ComptonMap": "szmass.maps",
    "ESTIMATORS": "szmass.estimators",
    "LogMassPosterior": "szmass.results",
    "PSZ2Catalog": "szmass.catalogs",
    "__version__": "szmass.version",
    "cite": "szmass.citations",
    "conf": "szmass._io.limits",
    "estimate_masses": "szmass.estimators",
    "load_sample": "szmass.catalogs",
    "open_map": "szmass.maps",
    "read_masses": "szmass.results",
    "test": "szmass._utils.testing",
}
_SUBPACKAGES = {
    "baryons",
    "catalogs",
    "citations",
    "clusters",
    "comparison",
    "demo",
    "estimators",
    "exceptions",
    "maps",
    "massmaps",
    "morphology",
    "networks",
    "physics",
    "plots",
    "report",
    "reproduce",
    "results",
    "simulations",
}


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _SUBPACKAGES or f"szmass.{name}" in _moved.MOVED_MODULES:
        return importlib.import_module(f"szmass.{name}")
    raise AttributeError(f"module 'szmass' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__, *_SUBPACKAGES})
