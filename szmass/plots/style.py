"""Style that plots share: colours, axes, labels, checks, running quantiles."""

import itertools
from collections.abc import Mapping

import numpy as np

from szmass._utils.names import rows_by_name
from szmass._utils.optional import import_optional
from szmass._utils.quantities import as_doubles
from szmass.exceptions import InvalidInputError

__all__ = [
    "COLOURS",
    "LINE_STYLES",
    "MARKERS",
    "MASS_UNIT",
    "MICRO",
    "Y_LABEL",
    "darken",
    "draw_bars",
    "legend_above",
    "log_ticks",
    "mass_label",
    "new_figure",
    "panel_grid",
    "redshift_label",
    "running_quantiles",
    "split_by_redshift",
]

#: Colours of Okabe & Ito, told apart by people with any colour vision; without yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: A second sign for each colour.
MARKERS = "osD^vPX"
#: A second sign for lines.
LINE_STYLES = ("-", "--", ":", "-.")
#: Unit of masses on axes [solMass].
MASS_UNIT = 1e14
#: Unit of Compton-y on axes, and the label of its axis.
MICRO, Y_LABEL = 1e-6, r"Compton-$y$ [$10^{-6}$]"

# On dark paper: what is white and black on light one, and brighter COLOURS.
_DARK_PAPER, _DARK_INK = "#1b1f23", "#e6e9eb"
_ON_DARK = ("#4AA8E0", "#F08A4B", "#34C79C", "#DC94C0", "#E6B13C", "#7CC8F0")
# Colours whose red, green and blue differ by less are greys.
_GREY = 0.08

# Ticks within a decade, those for long axes first.
_STEPS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), tuple(np.arange(1, 10, 0.25)))


def new_axes(ax, size=(5.2, 4.4)):
    """Give axes as they are, or make some."""
    if ax is not None:
        return ax
    pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose="draw plots")
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def new_figure(fig, size):
    """Give a figure or sub-figure as it is, or make one that matplotlib does not keep.

    Parameters
    ----------
    fig : `~matplotlib.figure.Figure` or None
        What the caller has.
    size : (float, float)
        Width and height of a new one [inch].

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure.
    """
    if fig is not None:
        return fig
    figure = import_optional("matplotlib.figure", extra="plot", purpose="draw plots")
    return figure.Figure(figsize=size, layout="constrained")


def panel_grid(fig, n, most, size, margin=(0, 0), **options):
    """Give a figure and axes in rows.

    Parameters
    ----------
    fig : `~matplotlib.figure.Figure` or None
        What the caller has.
    n, most : int
        Number of axes, and how many go into a row at the most.
    size, margin : (float, float)
        Width and height of a panel, and what all of them have around them [inch].
    **options : dict
        Options of `~matplotlib.figure.Figure.subplots`.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.
    axes : list of `~matplotlib.axes.Axes`
        The n axes, row by row.
    """
    columns = min(n, most)
    rows = -(-n // columns)
    fig = new_figure(fig, (size[0] * columns + margin[0], size[1] * rows + margin[1]))
    axes = list(fig.subplots(rows, columns, squeeze=False, **options).flat)
    for ax in axes[n:]:
        ax.remove()
    return fig, axes[:n]


def check_kind(value, kind, name, hint):
    """Refuse an argument of another class; ``hint`` says where one comes from."""
    if not isinstance(value, kind):
        raise InvalidInputError(
            f"'{name}' must be a {kind.__name__}, {hint}. Received: {type(value).__name__}"
        )


def check_cluster(name, cluster, what):
    """Refuse what has the name of another cluster; without a name it is taken to be of this one."""
    if str(name) and str(cluster) and rows_by_name([name], [cluster])[0] < 0:
        raise InvalidInputError(f"{what} must be of {str(cluster)!r}. Received: of {str(name)!r}")


def check_columns(table, columns, what="The table"):
    """Refuse a table, or a dict of lists, that lacks a column."""
    names = getattr(table, "colnames", table if isinstance(table, Mapping) else ())
    for column in columns:
        if column not in names:
            raise InvalidInputError(
                f"{what} has no column {column!r}. It has: {', '.join(map(str, names)) or 'none'}."
            )


def check_methods(methods, most):
    """Give names of methods as a list, of one as well."""
    methods = [methods] if isinstance(methods, str) else list(methods)
    if not 1 <= len(methods) <= most:
        raise InvalidInputError(f"'methods' must be one to {most} names. Received: {methods!r}")
    return methods


def log_ticks(*axes):
    """Make axes logarithmic with a few plain numbers, whatever their range.

    Parameters
    ----------
    *axes : `~matplotlib.axis.Axis`
        Such as ``ax.xaxis``.
    """
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

    for axis in axes:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_major_locator(FewTicks())
        axis.set_major_formatter("{x:.4g}")
        axis.set_minor_formatter(NullFormatter())


def mass_label(name=""):
    """Write the label of an axis of masses.

    Parameters
    ----------
    name : str, optional
        Whose masses they are.

    Returns
    -------
    str
        The label, with the unit `MASS_UNIT`.
    """
    return rf"{name} $M_{{500}}$ [$10^{{14}}\,M_\odot$]".strip()


def redshift_label(low, high):
    """Write the range of a bin of redshift, which holds its upper edge.

    Parameters
    ----------
    low, high : float
        The edges.

    Returns
    -------
    str
        The range, as mathematics.
    """
    return rf"${low:g} < z \leq {high:g}$"


def split_by_redshift(redshift, edges):
    """Sort clusters into bins of redshift, which hold their upper edges.

    Parameters
    ----------
    redshift : `~numpy.ndarray`
        Redshifts, shape (N,).
    edges : array-like
        Increasing edges, at most one more than there are `COLOURS`.

    Returns
    -------
    list of tuple
        Lower edge, upper edge and who is inside (bool, shape (N,)), of each bin.

    Raises
    ------
    InvalidInputError
        The edges do not increase, or there are too many.
    """
    edges = np.asarray(edges, dtype=float)
    if edges.ndim != 1 or not 2 <= len(edges) <= len(COLOURS) + 1 or np.any(np.diff(edges) <= 0):
        raise InvalidInputError(
            f"'redshift_bins' must be two to {len(COLOURS) + 1} increasing edges. "
            f"Received: {edges.tolist()}"
        )
    redshift = as_doubles(redshift)
    return [
        (low, high, (redshift > low) & (redshift <= high))
        for low, high in itertools.pairwise(edges)
    ]


def running_quantiles(x, y, bins, percent=(16, 50, 84)):
    """Give percentiles in bins of equal number.

    Parameters
    ----------
    x, y : `~numpy.ndarray`
        Values, shape (N,).
    bins : int
        Number B of the bins.
    percent : sequence of float, optional
        The P percentiles.

    Returns
    -------
    centre : `~numpy.ndarray`
        Median of x in each bin, shape (B,).
    levels : `~numpy.ndarray`
        Percentiles of y, shape (P, B).
    """
    parts = np.array_split(np.argsort(x), bins) if bins else []
    centre = np.array([np.median(x[rows]) for rows in parts])
    levels = [np.percentile(y[rows], percent) for rows in parts]
    return centre, np.reshape(levels, (len(parts), len(percent))).T


def draw_bars(ax, x, y, errors, i, **options):
    """Draw points with bars, joined by a line.

    Parameters
    ----------
    ax : `~matplotlib.axes.Axes`
        Where to draw.
    x, y : array-like
        The points, shape (B,).
    errors : array-like
        Their errors, or those down and up, shape (B,) or (2, B).
    i : int
        Which of several it is: gives the colour and the sign.
    **options : dict
        Options of `~matplotlib.axes.Axes.errorbar`.
    """
    ax.errorbar(
        x, y, yerr=errors, color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)],
        ms=4.5, lw=1.4, elinewidth=0.7, capsize=2, **options,
    )  # fmt: skip


def legend_above(ax, handles=None, **options):
    """Put the legend above the axes, where it hides nothing that is drawn.

    Parameters
    ----------
    ax : `~matplotlib.axes.Axes`
        The axes.
    handles : list, optional
        What to name; by default what has a label.
    **options : dict
        Options of `~matplotlib.axes.Axes.legend`.
    """
    options = {"fontsize": "small", "ncols": 2, "columnspacing": 1.2} | options
    if handles is not None:
        options["handles"] = handles
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1, **options)


def darken(fig):
    """Turn a figure that was drawn for light paper into one for dark paper.

    Greys change places with what is as far from the other end; `COLOURS` become brighter ones of
    the same hue. Images, colour maps, and what is drawn on images stay as they are.

    Parameters
    ----------
    fig : `~matplotlib.figure.Figure`
        The figure, which is changed.
    """
    from matplotlib.collections import Collection
    from matplotlib.colors import to_rgba, to_rgba_array
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    paper, ink = (np.array(to_rgba(colour)[:3]) for colour in (_DARK_PAPER, _DARK_INK))
    brighter = {to_rgba(c)[:3]: to_rgba(b)[:3] for c, b in zip(COLOURS, _ON_DARK, strict=False)}

    def dark(colour):
        *rgb, alpha = to_rgba(colour)
        if not alpha:
            return "none"  # whatever the artist's own alpha is
        if max(rgb) - min(rgb) < _GREY:
            share = np.mean(rgb)
            return (*(share * paper + (1 - share) * ink), alpha)
        return (*brighter.get(tuple(rgb), rgb), alpha)

    def all_dark(colours):
        return [dark(colour) for colour in to_rgba_array(colours)]

    # Marks on an image are seen against the image.
    kept = {
        id(part)
        for ax in fig.axes
        if ax.images
        for drawn in (*ax.lines, *ax.patches, *ax.collections, *ax.texts, *ax.images)
        for part in drawn.findobj()
    }
    for artist in fig.findobj():
        if id(artist) in kept:
            continue
        if isinstance(artist, Text):
            artist.set_color(dark(artist.get_color()))
            if (box := artist.get_bbox_patch()) is not None:
                box.set(facecolor=dark(box.get_facecolor()), edgecolor=dark(box.get_edgecolor()))
        elif isinstance(artist, Line2D):
            face, edge = artist.get_markerfacecolor(), artist.get_markeredgecolor()
            artist.set_color(dark(artist.get_color()))
            artist.set_markerfacecolor(dark(face))
            artist.set_markeredgecolor(dark(edge))
        elif isinstance(artist, Patch):
            face, edge = artist.get_facecolor(), artist.get_edgecolor()
            artist.set(facecolor=dark(face), edgecolor=dark(edge))
        elif isinstance(artist, Collection) and artist.get_array() is None:
            face, edge = artist.get_facecolor(), artist.get_edgecolor()
            artist.set_facecolor(all_dark(face))
            artist.set_edgecolor(all_dark(edge))
