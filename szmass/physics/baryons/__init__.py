"""What haloes hold of gas and stars: models, one named physics each."""

from szmass.physics.baryons.model import (
    BARYON_MODELS,
    HALO_UNITS,
    PROPERTIES,
    BaryonFlag,
    BaryonModel,
    get_baryon_model,
    halo_features,
)
from szmass.physics.baryons.published import PowerLawBaryonModel
from szmass.physics.baryons.regressed import RegressedBaryonModel
from szmass.physics.baryons.spread import spread
from szmass.physics.baryons.tabulated import TabulatedBaryonModel

__all__ = [
    "BARYON_MODELS",
    "HALO_UNITS",
    "PROPERTIES",
    "BaryonFlag",
    "BaryonModel",
    "PowerLawBaryonModel",
    "RegressedBaryonModel",
    "TabulatedBaryonModel",
    "get_baryon_model",
    "halo_features",
    "spread",
]
