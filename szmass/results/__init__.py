"""What comes out of an estimator: mass tables, posteriors, their files, flags and scales."""

from szmass.results.files import read_masses, write_masses
from szmass.results.flags import FLAG_WORDS, MassFlag
from szmass.results.masses import MASS_COLUMNS, MassEstimates, MassTable, format_masses
from szmass.results.posteriors import LogMassPosterior
from szmass.results.reader import (
    MethodMasses,
    add_method,
    columns_of_method,
    masses_of,
    methods_of,
    one_method,
    rescale_masses,
    side_by_side,
)
from szmass.results.scale import MassScale

__all__ = [
    "FLAG_WORDS",
    "MASS_COLUMNS",
    "LogMassPosterior",
    "MassEstimates",
    "MassFlag",
    "MassScale",
    "MassTable",
    "MethodMasses",
    "add_method",
    "columns_of_method",
    "format_masses",
    "masses_of",
    "methods_of",
    "one_method",
    "read_masses",
    "rescale_masses",
    "side_by_side",
    "write_masses",
]
