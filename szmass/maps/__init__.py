"""Pixels of the sky: Compton-y maps, opened lazily, cutouts of them, and their noise.

`ComptonMap` holds a HEALPix map or an image; its method ``cutouts`` gives a `CutoutStack`
of tangent planes around many positions, each a `Cutout`, on the grid of a `CutoutGeometry`.
`NoiseModel` knows the noise of a map. `fetch_map` and `open_map` know the published maps by name.
"""

from szmass.maps.compton import ComptonMap
from szmass.maps.cutouts import Cutout, CutoutStack
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.masks import apodise, apply_mask, inpaint, mask_sources, masked_fraction
from szmass.maps.measure.photometry import aperture_photometry, radial_profile
from szmass.maps.measure.stacking import StackResult, stack
from szmass.maps.noise import NoiseModel
from szmass.maps.noise.depth import DepthMap, LogNormalDepth, TabulatedDepth
from szmass.maps.noise.mmf import MMFNoiseTable
from szmass.maps.products import MAP_PRODUCTS, MapProduct, MapSource, fetch_map, open_map
from szmass.maps.sampling import Sampling

__all__ = [
    "MAP_PRODUCTS",
    "ComptonMap",
    "Cutout",
    "CutoutGeometry",
    "CutoutStack",
    "DepthMap",
    "LogNormalDepth",
    "MMFNoiseTable",
    "MapProduct",
    "MapSource",
    "NoiseModel",
    "Sampling",
    "StackResult",
    "TabulatedDepth",
    "aperture_photometry",
    "apodise",
    "apply_mask",
    "fetch_map",
    "inpaint",
    "mask_sources",
    "masked_fraction",
    "open_map",
    "radial_profile",
    "stack",
]
