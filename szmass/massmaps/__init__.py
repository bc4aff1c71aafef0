"""Maps of the projected total mass of clusters.

An estimator makes a `MassMap` of each cluster: the posterior mean of the surface density, with its
standard deviation and how pixels go together. All stand behind one contract, `MapEstimator`.
"""

from szmass.massmaps.core import MAP_ESTIMATORS, MapEstimator, get_map_estimator
from szmass.massmaps.flags import MassMapFlag
from szmass.massmaps.mass_map import MassMap
from szmass.massmaps.mass_map_stack import MassMapStack
from szmass.massmaps.nfw import NFWMaps
from szmass.massmaps.unet import MAP_NETWORKS, UNetMaps

__all__ = [
    "MAP_ESTIMATORS",
    "MAP_NETWORKS",
    "MapEstimator",
    "MassMap",
    "MassMapFlag",
    "MassMapStack",
    "NFWMaps",
    "UNetMaps",
    "get_map_estimator",
]
