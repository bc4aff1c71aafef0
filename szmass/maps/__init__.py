"""Pixels of the sky: Compton-y maps, opened lazily, and cutouts of them.

`ComptonMap` holds a HEALPix map or an image; its method ``cutouts`` gives a `CutoutStack`
of tangent planes around many positions, each a `Cutout`, on the grid of a `CutoutGeometry`.
"""

from szmass.maps.compton import ComptonMap
from szmass.maps.cutouts import Cutout, CutoutStack
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.products import MAP_PRODUCTS, MapProduct, MapSource, fetch_map, open_map

__all__ = [
    "MAP_PRODUCTS",
    "ComptonMap",
    "Cutout",
    "CutoutGeometry",
    "CutoutStack",
    "MapProduct",
    "MapSource",
    "fetch_map",
    "open_map",
]
