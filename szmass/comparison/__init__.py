"""Masses of several methods against each other, and figures.

`relative_difference_table` gives mean and scatter of the differences per redshift bin in
the layout of the published Table 1, `efficiency_table` holds estimators against the truth of
simulations and the information limit, `fit_mass_ratio` and `fit_relation` measure 1-b and scaling
relations. Plots take an optional matplotlib Axes.
"""

from szmass.comparison._posterior_plots import plot_signal_surface
from szmass.comparison.efficiency import efficiency_table
from szmass.comparison.plots import plot_profile, plot_stack
from szmass.comparison.regression import RelationFit, fit_mass_ratio, fit_relation
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
    "plot_profile",
    "plot_signal_surface",
    "plot_stack",
    "relative_difference_table",
]
