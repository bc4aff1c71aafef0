"""Masses of several methods against each other.

`relative_difference_table` gives mean and scatter of the differences per redshift bin in
the layout of the published Table 1, `efficiency_table` holds estimators against the truth of
simulations and the information limit, `mass_bias_by_state` relaxed clusters against disturbed
ones, `fit_mass_ratio` and `fit_relation` measure 1-b and scaling relations, and
`published_one_minus_b` holds those of the literature beside them.
"""

from szmass._moved import moved_name
from szmass.comparison.efficiency import efficiency_table
from szmass.comparison.literature import published_one_minus_b
from szmass.comparison.regression import RelationFit, fit_mass_ratio, fit_relation
from szmass.comparison.states import mass_bias_by_state
from szmass.comparison.statistics import (
    REDSHIFT_BINS,
    format_difference_table,
    relative_difference_table,
)

__all__ = [
    "REDSHIFT_BINS",
    "RelationFit",
    "efficiency_table",
    "fit_mass_ratio",
    "fit_relation",
    "format_difference_table",
    "mass_bias_by_state",
    "published_one_minus_b",
    "relative_difference_table",
]


def __getattr__(name):
    if name == "write_report":
        return moved_name(__name__, "szmass.report", name)
    if name.startswith("plot_"):
        return moved_name(__name__, "szmass.plots", name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
