"""Data sets of mock maps on disk: larger than memory, split by cluster."""

from szmass.simulations.dataset.core import SimulationDataset

__all__ = ["SimulationDataset"]
