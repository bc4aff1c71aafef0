"""Masses of several methods against each other.

`relative_difference_table` gives mean and scatter of the differences per redshift bin in
the layout of the published Table 1.
"""

from szmass.comparison.statistics import (
    REDSHIFT_BINS,
    format_difference_table,
    relative_difference_table,
)

__all__ = ["REDSHIFT_BINS", "format_difference_table", "relative_difference_table"]
