"""Galaxy clusters: one of them, and samples."""

from szmass.clusters.cluster import Cluster
from szmass.clusters.sample import ClusterSample

__all__ = ["Cluster", "ClusterSample"]
