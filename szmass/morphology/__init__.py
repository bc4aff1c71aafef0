"""Morphology of clusters in Compton-y maps and X-ray images.

`measure_morphology` gives a table of parameters, one row per cluster; `combine_morphology` makes
one number of them. What is measured where is a `MorphologyDefinition`. `StateRegression` tells the
dynamical state from such tables. Estimators of the state stand behind one contract,
`StateEstimator`: `MorphologyState` has fits that ship with szmass.
"""

from szmass.morphology.combined import combine_morphology
from szmass.morphology.core import MORPHOLOGY_COLUMNS, measure_morphology
from szmass.morphology.definitions import (
    MORPHOLOGY_PRESETS,
    MorphologyDefinition,
    get_morphology_preset,
)
from szmass.morphology.flags import MorphologyFlag, StateFlag
from szmass.morphology.learned.cnn_state import CNNState, train_state_networks
from szmass.morphology.learned.map_states import MapState
from szmass.morphology.learned.morphology_state import MorphologyState
from szmass.morphology.learned.state_fits import StateFits
from szmass.morphology.state_estimators import (
    STATE_COLUMNS,
    STATE_ESTIMATORS,
    StateEstimates,
    StateEstimator,
    add_states,
    get_state_estimator,
)
from szmass.morphology.state_images import see_for_states
from szmass.morphology.states import STATE_PARAMETERS, StateRegression
from szmass.morphology.xray_images import read_xray_images

__all__ = [
    "MORPHOLOGY_COLUMNS",
    "MORPHOLOGY_PRESETS",
    "STATE_COLUMNS",
    "STATE_ESTIMATORS",
    "STATE_PARAMETERS",
    "CNNState",
    "MapState",
    "MorphologyDefinition",
    "MorphologyFlag",
    "MorphologyState",
    "StateEstimates",
    "StateEstimator",
    "StateFits",
    "StateFlag",
    "StateRegression",
    "add_states",
    "combine_morphology",
    "get_morphology_preset",
    "get_state_estimator",
    "measure_morphology",
    "read_xray_images",
    "see_for_states",
    "train_state_networks",
]
