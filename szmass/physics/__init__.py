"""Physics of the thermal Sunyaev-Zel'dovich effect of clusters.

Electron-pressure profiles and their Compton y, relations between Y500 and M500c, and the mass
definitions and radii that both rest on; density, emission and mass of the gas. Every function names
the cosmology it uses.
"""

from szmass.physics.baryons import (
    BARYON_MODELS,
    HALO_UNITS,
    PROPERTIES,
    BaryonFlag,
    BaryonModel,
    PowerLawBaryonModel,
    RegressedBaryonModel,
    TabulatedBaryonModel,
    get_baryon_model,
    halo_features,
    spread,
)
from szmass.physics.cooling import CoolingFunction, TabulatedCooling
from szmass.physics.cosmology import COSMOLOGIES, cosmology_references, get_cosmology
from szmass.physics.gas import GAS_DENSITY_PROFILES, GasDensityProfile, get_gas_density_profile
from szmass.physics.halos import MassDefinition, convert_mass, overdensity_radius, theta500
from szmass.physics.pressure import (
    PRESSURE_PROFILES,
    Battaglia2012Profile,
    GNFWProfile,
    PressureProfile,
    get_pressure_profile,
)
from szmass.physics.scaling import (
    SCALING_RELATIONS,
    Arnaud2010,
    Planck2013,
    Planck2015,
    ScalingRelation,
    get_scaling_relation,
    planck_theta500,
    y_to_arcmin2,
    y_to_mpc2,
)
from szmass.physics.states import CHI_FORMS, RELAXED_LIMITS, chi_ds, is_relaxed

__all__ = [
    "BARYON_MODELS",
    "CHI_FORMS",
    "COSMOLOGIES",
    "GAS_DENSITY_PROFILES",
    "HALO_UNITS",
    "PRESSURE_PROFILES",
    "PROPERTIES",
    "RELAXED_LIMITS",
    "SCALING_RELATIONS",
    "Arnaud2010",
    "BaryonFlag",
    "BaryonModel",
    "Battaglia2012Profile",
    "CoolingFunction",
    "GNFWProfile",
    "GasDensityProfile",
    "MassDefinition",
    "Planck2013",
    "Planck2015",
    "PowerLawBaryonModel",
    "PressureProfile",
    "RegressedBaryonModel",
    "ScalingRelation",
    "TabulatedBaryonModel",
    "TabulatedCooling",
    "chi_ds",
    "convert_mass",
    "cosmology_references",
    "get_baryon_model",
    "get_cosmology",
    "get_gas_density_profile",
    "get_pressure_profile",
    "get_scaling_relation",
    "halo_features",
    "is_relaxed",
    "overdensity_radius",
    "planck_theta500",
    "spread",
    "theta500",
    "y_to_arcmin2",
    "y_to_mpc2",
]
