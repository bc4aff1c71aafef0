"""What all plots share: colours, new axes, ticks of mass, columns of mass tables."""

import astropy.units as u
import numpy as np

from szmass._utils.attributes import column_parts
from szmass._utils.optional import import_optional
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.results.masses import column_suffix

__all__ = [
    "COLOURS",
    "MARKERS",
    "MASS_UNIT",
    "MICRO",
    "columns_of",
    "log_ticks",
    "mass_label",
    "method_name",
    "new_axes",
    "new_figure",
    "table_masses",
    "table_redshift",
]

#: Colours of Okabe & Ito, told apart by people with any colour vision; without yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: A second sign for each colour.
MARKERS = "osD^vPX"
#: Unit of masses on axes [solMass].
MASS_UNIT = 1e14
#: Unit of Compton-y on axes.
MICRO = 1e-6

# Ticks within a decade, those for long axes first.
_STEPS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), tuple(np.arange(1, 10, 0.25)))


def new_axes(ax, size=(5.2, 4.4)):
    """Give axes as they are, or make some."""
    if ax is not None:
        return ax
    pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose="draw plots")
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def new_figure(fig, size):
    """Give a figure or sub-figure as it is, or make one that matplotlib does not keep."""
    if fig is not None:
        return fig
    figure = import_optional("matplotlib.figure", extra="plot", purpose="draw plots")
    return figure.Figure(figsize=size, layout="constrained")


def log_ticks(axis):
    """Make an axis logarithmic with a few plain numbers, whatever its range."""
    from matplotlib.ticker import LogLocator, NullFormatter

    class FewTicks(LogLocator):
        def tick_values(self, vmin, vmax):
            if not 0 < vmin < vmax:
                return super().tick_values(vmin, vmax)
            decades = 10.0 ** np.arange(np.floor(np.log10(vmin)), np.ceil(np.log10(vmax)) + 1)
            for steps in _STEPS:
                ticks = np.outer(decades, steps).ravel()
                if np.count_nonzero((ticks >= vmin) & (ticks <= vmax)) > 2:
                    break
            return ticks

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(FewTicks())
    axis.set_major_formatter("{x:.4g}")
    axis.set_minor_formatter(NullFormatter())


def mass_label(name=""):
    """Write the label of an axis of masses."""
    return rf"{name} $M_{{500}}$ [$10^{{14}}\,M_\odot$]".strip()


def method_name(name):
    """Say whose masses a column holds."""
    return {
        "mass_true": "true",
        "msz": "PSZ2",
        "cnn_mass": "CNN",
        "mass": "estimated",
    }.get(name, name)


def columns_of(table, name):
    """Find the columns of masses and errors by name of the method or of the column."""
    names = getattr(table, "colnames", None)
    if names is None:
        raise InvalidInputError(
            f"'table' must be a table of masses. Received: {type(table).__name__}"
        )
    suffix = column_suffix(name)
    if f"mass_{suffix}" in names:
        found = [f"mass_{suffix}", f"mass_errn_{suffix}", f"mass_errp_{suffix}"]
    elif name in names:
        found = [name, f"{name}_errn", f"{name}_errp"]
    else:
        has = [c for c in names if c.startswith("mass_") and not c.startswith("mass_err")]
        raise InvalidInputError(
            f"The table has no masses {name!r}: neither a method nor a column of that name. "
            f"It has: {', '.join(has or names) or 'no columns'}."
        )
    return [column if column in names else None for column in found]


def table_masses(table, name):
    """Give masses and errors down and up [1e14 solMass]; errors are None where there are none."""
    mass, errn, errp = (
        None if column is None else as_floats(table[column], u.solMass, column) / MASS_UNIT
        for column in columns_of(table, name)
    )
    mass = np.where(mass > 0, mass, np.nan)
    return mass, errn, errp


def table_redshift(table):
    """Give the redshifts, NaN where unknown."""
    if "redshift" not in table.colnames:
        raise InvalidInputError(
            f"The table has no column 'redshift'. It has: {', '.join(table.colnames)}."
        )
    values, mask, _ = column_parts(table["redshift"])
    return np.where(mask, np.nan, values.astype(float))
