"""Weak-lensing masses of clusters: what every such table has to say about its masses."""

from szmass.catalogs.lensing.core import LensingTable, MassColumn, PublishedLensingTable

__all__ = ["LensingTable", "MassColumn", "PublishedLensingTable"]
