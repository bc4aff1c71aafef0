"""Figures of cutouts, masses, posteriors and trainings.

Every function draws on the matplotlib Axes that it is given, or on new ones, and gives them back.
"""

from szmass.plots._cutouts import plot_cutout, plot_gallery, plot_mass_map
from szmass.plots._errors import (
    plot_error_distribution,
    plot_relative_error,
    plot_residuals,
    plot_selection,
    plot_training,
)
from szmass.plots._halos import plot_counts, plot_importance, plot_sky
from szmass.plots._masses import (
    plot_mass_comparison,
    plot_mass_redshift,
    plot_one_minus_b,
)
from szmass.plots._morphology import plot_mass_state, plot_morphology
from szmass.plots._posteriors import plot_mass_posteriors, plot_signal_surface
from szmass.plots._profiles import plot_cluster, plot_profile, plot_saliency, plot_stack

__all__ = [
    "plot_cluster",
    "plot_counts",
    "plot_cutout",
    "plot_error_distribution",
    "plot_gallery",
    "plot_importance",
    "plot_mass_comparison",
    "plot_mass_map",
    "plot_mass_posteriors",
    "plot_mass_redshift",
    "plot_mass_state",
    "plot_morphology",
    "plot_one_minus_b",
    "plot_profile",
    "plot_relative_error",
    "plot_residuals",
    "plot_saliency",
    "plot_selection",
    "plot_signal_surface",
    "plot_sky",
    "plot_stack",
    "plot_training",
]
