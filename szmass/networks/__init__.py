"""Neural networks that weigh clusters: architectures, model cards and trained networks.

Keras and its backend are loaded only when a network is built. Weights are kept as plain arrays;
a `ModelCard` says what they were trained on and what they give.
"""

from szmass.networks.amplitude import AmplitudeNetworks
from szmass.networks.architectures import (
    ARCHITECTURES,
    amplitude_head,
    amplitude_inputs,
    build_amplitude_cnn,
    build_deandres2022,
    build_density_cnn,
    build_state_cnn,
    check_amplitude_network,
    check_density_network,
    density_head,
    density_inputs,
)
from szmass.networks.binned import BinnedNetworks, load_binned
from szmass.networks.cards import ErrorTable, ModelCard, WeightsFile
from szmass.networks.density import DensityNetworks
from szmass.networks.domain import DomainScore
from szmass.networks.protocol import models_below_threshold, selection_table, train_selection
from szmass.networks.published import load_published, published_card
from szmass.networks.recipes import Recipe
from szmass.networks.saliency import SaliencyStack, occlusion_map, stack_saliency
from szmass.networks.shipped import load_networks, shipped_card
from szmass.networks.states import StateNetworks, state_metrics
from szmass.networks.training.core import make_training_data, train
from szmass.networks.training.states import StateExamples, fit_state_networks
from szmass.networks.unet import MassUNet, build_mass_unet

__all__ = [
    "ARCHITECTURES",
    "AmplitudeNetworks",
    "BinnedNetworks",
    "DensityNetworks",
    "DomainScore",
    "ErrorTable",
    "MassUNet",
    "ModelCard",
    "Recipe",
    "SaliencyStack",
    "StateExamples",
    "StateNetworks",
    "WeightsFile",
    "amplitude_head",
    "amplitude_inputs",
    "build_amplitude_cnn",
    "build_deandres2022",
    "build_density_cnn",
    "build_mass_unet",
    "build_state_cnn",
    "check_amplitude_network",
    "check_density_network",
    "density_head",
    "density_inputs",
    "fit_state_networks",
    "load_binned",
    "load_networks",
    "load_published",
    "make_training_data",
    "models_below_threshold",
    "occlusion_map",
    "published_card",
    "selection_table",
    "shipped_card",
    "stack_saliency",
    "state_metrics",
    "train",
    "train_selection",
]
