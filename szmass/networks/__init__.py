"""Neural networks that weigh clusters: architectures, model cards and trained networks.

Keras and its backend are loaded only when a network is built. Weights are kept as plain arrays;
a `ModelCard` says what they were trained on and what they give.
"""

from szmass.networks._binned import BinnedNetworks
from szmass.networks.architectures import ARCHITECTURES, build_deandres2022
from szmass.networks.cards import ErrorTable, ModelCard, WeightsFile
from szmass.networks.published import load_published, published_card

__all__ = [
    "ARCHITECTURES",
    "BinnedNetworks",
    "ErrorTable",
    "ModelCard",
    "WeightsFile",
    "build_deandres2022",
    "load_published",
    "published_card",
]
