"""Masses of several methods against each other, and figures.

`relative_difference_table` gives mean and scatter of the differences per redshift bin in
the layout of the published Table 1, `efficiency_table` holds estimators against the truth of
simulations and the information limit, `fit_mass_ratio` and `fit_relation` measure 1-b and scaling
relations. Plots take an optional matplotlib Axes. `write_report` puts all of
it on pages for a browser.
"""

from szmass.comparison._cluster_page import plot_cluster
from szmass.comparison._cutout_plots import plot_cutout, plot_gallery
from szmass.comparison._error_plots import (
    plot_error_distribution,
    plot_relative_error,
    plot_residuals,
)
from szmass.comparison._mass_plots import plot_mass_comparison, plot_mass_redshift
from szmass.comparison._posterior_plots import plot_mass_posteriors, plot_signal_surface
from szmass.comparison._saliency_plots import plot_saliency
from szmass.comparison._training_plots import plot_selection, plot_training
from szmass.comparison.efficiency import efficiency_table
from szmass.comparison.plots import plot_profile, plot_stack
from szmass.comparison.regression import RelationFit, fit_mass_ratio, fit_relation
from szmass.comparison.report import write_report
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
    "plot_cluster",
    "plot_cutout",
    "plot_error_distribution",
    "plot_gallery",
    "plot_mass_comparison",
    "plot_mass_posteriors",
    "plot_mass_redshift",
    "plot_profile",
    "plot_relative_error",
    "plot_residuals",
    "plot_saliency",
    "plot_selection",
    "plot_signal_surface",
    "plot_stack",
    "plot_training",
    "relative_difference_table",
    "write_report",
]
