"""Mock Compton-y maps of galaxy clusters.

Clusters are drawn (`draw_flat`, `draw_mass_function`, `twin`), given gas by a `ClusterModel`, and
shown as an `Observation` does, in an `Environment` with its `Ingredient` objects or in a real map
(`inject`), and beside Compton-y in other fields: mass, X-rays, galaxies. `simulate` does all
of it and gives a sample with cutouts and truth; `simulate_sky` puts a sample on a whole sky.
"""

from szmass.simulations.bodies.fields import FIELDS, ClusterField
from szmass.simulations.bodies.galaxies import GalaxyField
from szmass.simulations.bodies.gas import XRayField
from szmass.simulations.bodies.matter import MassField
from szmass.simulations.bodies.models import CLUSTER_MODELS, ClusterModel, get_cluster_model
from szmass.simulations.bodies.painting import ClusterPainter, draw_clusters
from szmass.simulations.bodies.states import (
    STATE_MODELS,
    StateModel,
    draw_states,
    get_state_model,
)
from szmass.simulations.dataset import SimulationDataset
from szmass.simulations.dataset.foreign import import_maps
from szmass.simulations.dataset.mocks import make_dataset
from szmass.simulations.field.environment import Environment, get_environment
from szmass.simulations.field.ingredients import (
    INGREDIENTS,
    FieldSet,
    Ingredient,
    get_ingredient,
)
from szmass.simulations.field.realsky import empty_fields, empty_positions, inject
from szmass.simulations.observe import (
    OBSERVATIONS,
    Observation,
    get_observation,
    iter_simulate,
    simulate,
)
from szmass.simulations.population import draw_flat, draw_mass_function, from_masses, twin
from szmass.simulations.selection import SZSelection
from szmass.simulations.sky import simulate_sky, write_sky
from szmass.simulations.stacks import FieldStack, read_fields, write_fields

__all__ = [
    "CLUSTER_MODELS",
    "FIELDS",
    "INGREDIENTS",
    "OBSERVATIONS",
    "STATE_MODELS",
    "ClusterField",
    "ClusterModel",
    "ClusterPainter",
    "Environment",
    "FieldSet",
    "FieldStack",
    "GalaxyField",
    "Ingredient",
    "MassField",
    "Observation",
    "SZSelection",
    "SimulationDataset",
    "StateModel",
    "XRayField",
    "draw_clusters",
    "draw_flat",
    "draw_mass_function",
    "draw_states",
    "empty_fields",
    "empty_positions",
    "from_masses",
    "get_cluster_model",
    "get_environment",
    "get_ingredient",
    "get_observation",
    "get_state_model",
    "import_maps",
    "inject",
    "iter_simulate",
    "make_dataset",
    "read_fields",
    "simulate",
    "simulate_sky",
    "twin",
    "write_fields",
    "write_sky",
]
