"""What comes out of an estimator: mass tables, posteriors of mass, their files and flags."""

from szmass.results.masses import (
    MASS_COLUMNS,
    MassEstimates,
    MassFlag,
    one_method,
    read_masses,
    side_by_side,
    write_masses,
)
from szmass.results.posteriors import LogMassPosterior
from szmass.results.reader import MethodMasses, masses_of, methods_of

__all__ = [
    "MASS_COLUMNS",
    "LogMassPosterior",
    "MassEstimates",
    "MassFlag",
    "MethodMasses",
    "masses_of",
    "methods_of",
    "one_method",
    "read_masses",
    "side_by_side",
    "write_masses",
]
