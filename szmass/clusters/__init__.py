"""Galaxy clusters: one of them, and samples."""

from szmass.clusters.cluster import Cluster, as_clusters
from szmass.clusters.sample import ClusterSample, as_sample

__all__ = ["Cluster", "ClusterSample", "as_clusters", "as_sample"]
