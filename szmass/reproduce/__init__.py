"""Table 1 and the figures of de Andres et al. (2022), from networks and data at hand."""

from szmass.reproduce.core import Reproduction, check_folder, reproduce

__all__ = ["Reproduction", "check_folder", "reproduce"]
