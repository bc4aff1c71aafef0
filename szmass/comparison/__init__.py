"""Masses of several methods against each other, and figures.

`relative_difference_table` gives mean and scatter of the differences per redshift bin in
the layout of the published Table 1. Plots take an optional matplotlib Axes.
"""

from szmass.comparison.plots import plot_profile, plot_stack
from szmass.comparison.statistics import (
    REDSHIFT_BINS,
    format_difference_table,
    relative_difference_table,
)

__all__ = [
    "REDSHIFT_BINS",
    "format_difference_table",
    "plot_profile",
    "plot_stack",
    "relative_difference_table",
]
