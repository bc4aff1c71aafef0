"""Morphology of clusters in Compton-y maps and X-ray images.

`measure_morphology` gives a table of parameters, one row per cluster; `combine_morphology` makes
one number of them. What is measured where is a `MorphologyDefinition`. `StateRegression` tells the
dynamical state from such tables.
"""

from szmass.morphology.combined import combine_morphology
from szmass.morphology.core import MORPHOLOGY_COLUMNS, measure_morphology
from szmass.morphology.definitions import (
    MORPHOLOGY_PRESETS,
    MorphologyDefinition,
    get_morphology_preset,
)
from szmass.morphology.flags import MorphologyFlag
from szmass.morphology.states import STATE_PARAMETERS, StateRegression

__all__ = [
    "MORPHOLOGY_COLUMNS",
    "MORPHOLOGY_PRESETS",
    "STATE_PARAMETERS",
    "MorphologyDefinition",
    "MorphologyFlag",
    "StateRegression",
    "combine_morphology",
    "get_morphology_preset",
    "measure_morphology",
]
