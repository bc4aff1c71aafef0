"""Neural networks that weigh clusters: architectures, model cards and trained networks.

Keras and its backend are loaded only when a network is built. Weights are kept as plain arrays;
a `ModelCard` says what they were trained on and what they give.
"""

from szmass.networks._binned import BinnedNetworks, load_binned
from szmass.networks.architectures import ARCHITECTURES, build_deandres2022
from szmass.networks.cards import ErrorTable, ModelCard, WeightsFile
from szmass.networks.published import load_published, published_card
from szmass.networks.selection import models_below_threshold, selection_table, train_selection

__all__ = [
    "ARCHITECTURES",
    "BinnedNetworks",
    "ErrorTable",
    "ModelCard",
    "WeightsFile",
    "build_deandres2022",
    "load_binned",
    "load_published",
    "models_below_threshold",
    "published_card",
    "selection_table",
    "train_selection",
]
