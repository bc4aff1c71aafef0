"""Ways to weigh a cluster, behind one interface.

An estimator takes a `~szmass.clusters.ClusterSample` and gives a mass table. Each lives
in a file of its own; other packages add theirs through the entry-point group
``szmass.estimators`` and prove them with `szmass.estimators.checks`.
"""

from szmass.estimators.cnn import CNNMass
from szmass.estimators.contract import Estimator, find_estimator
from szmass.estimators.core import ESTIMATORS, MassEstimator, estimate_masses, register_estimator
from szmass.estimators.deandres2022 import DeAndres2022
from szmass.estimators.lensing import LensingMass
from szmass.estimators.likelihood import LikelihoodMass
from szmass.estimators.matched_filter import MatchedFilterMass
from szmass.estimators.pieces import estimate_in_pieces
from szmass.estimators.priors import MassFunctionPrior
from szmass.estimators.scaling import ScalingRelationMass

__all__ = [
    "ESTIMATORS",
    "CNNMass",
    "DeAndres2022",
    "Estimator",
    "LensingMass",
    "LikelihoodMass",
    "MassEstimator",
    "MassFunctionPrior",
    "MatchedFilterMass",
    "ScalingRelationMass",
    "estimate_in_pieces",
    "estimate_masses",
    "find_estimator",
    "register_estimator",
]
