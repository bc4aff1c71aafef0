"""The protocol of de Andres et al. (2022): many trainings, of which the least biased are chosen."""

from szmass.networks.protocol._outcome import models_below_threshold, selection_table
from szmass.networks.protocol.core import train_selection

__all__ = ["models_below_threshold", "selection_table", "train_selection"]
