"""Anomaly score of cutouts: how unlike those of its training what a network sees is."""

from szmass.networks.domain.core import FEWEST, DomainScore

__all__ = ["FEWEST", "DomainScore"]
