"""Plots of morphology and state: what was measured on an image, and masses against the state."""

import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.plots._masses import known_masses, method_label
from szmass.plots.style import COLOURS, MARKERS, check_columns, check_methods, new_axes

# What is written beside an image, and how many digits.
_SHOWN = {
    "concentration": "c = {:.3f}",
    "centroid_shift": "w = {:.4f}",
    "p3_p0": "$P_3/P_0$ = {:.1e}",
    "asymmetry_180": "A = {:.2f}",
    "ellipticity": "$\\epsilon$ = {:.2f}",
}
_BINS, _MOST = 5, 6  # of the state; methods in one plot
_FEWEST = 0.5  # of the width of the image that is shown at least


def plot_morphology(image, table, row=0, *, ax=None, cmap="inferno", values=True):
    """Plot an image with the apertures, the centre and the ellipse of a table of morphology.

    Parameters
    ----------
    image : array-like or `~astropy.nddata.NDData` or `~szmass.maps.Cutout`
        The image that was measured, shape (ny, nx). What is masked or not finite is grey.
    table : `~astropy.table.QTable`
        From `~szmass.morphology.measure_morphology`.
    row : int, optional
        Its row of this image.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    cmap : str or `~matplotlib.colors.Colormap`, optional
        Colours of the image, which are linear around 0 and logarithmic far from it.
    values : bool, optional
        Write parameters, with errors if there are any, beside it.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, in pixels. Dashed is the inner circle of the concentration, solid the aperture of
        the shapes, dotted that of the power ratios where it is another; the cross is the centre.

    Raises
    ------
    InvalidInputError
        The image is not two-dimensional, the table is another one or has no such row.
    MissingDependencyError
        Matplotlib is not installed.
    """
    mask = getattr(image, "mask", None)
    data = np.asarray(as_floats(getattr(image, "data", image), "", "image"), float)
    if data.ndim != 2:
        raise InvalidInputError(f"'image' must have the shape (ny, nx). Received: {data.shape}")
    check_columns(table, ("name", "flag", "scale", "x", "y"))
    definition = table.meta.get("definition")
    if definition is None or not -len(table) <= row < len(table):
        raise InvalidInputError(
            "'table' must come from measure_morphology, and 'row' be one of it. Received: row "
            f"{row} of {len(table)}"
        )
    hidden = ~np.isfinite(data) if mask is None else ~np.isfinite(data) | mask
    data = np.ma.masked_array(data, hidden)
    ax = new_axes(ax, (4.8, 4.6))
    _draw_image(ax, data, cmap)
    line = table[row]
    place, scale = np.array([line["x"], line["y"]], float), float(line["scale"])
    if np.isfinite(scale) and np.isfinite(place).all():
        _draw_apertures(ax, line, place, scale, definition)
        half = max(1.3 * definition["aperture"] * scale, _FEWEST * min(data.shape) / 2)
        ax.set(xlim=(place[0] - half, place[0] + half), ylim=(place[1] - half, place[1] + half))
    ax.set(xlabel="column [pixel]", ylabel="row [pixel]", title=str(line["name"]))
    if values:
        text = "\n".join(_texts(line))
        ax.text(
            0.03, 0.97, text, transform=ax.transAxes, va="top", color="w", fontsize=8,
            bbox={"facecolor": "k", "alpha": 0.5, "lw": 0},
        )  # fmt: skip
    return ax


def _draw_image(ax, data, cmap):
    from matplotlib import colormaps
    from matplotlib.colors import AsinhNorm

    shown = data.compressed()
    low, high = np.quantile(shown, (0.01, 0.999)) if shown.size else (0.0, 1.0)
    high = max(high, low + 1e-12)
    norm = AsinhNorm(linear_width=(high - low) / 20, vmin=low, vmax=high)
    colours = colormaps[cmap] if isinstance(cmap, str) else cmap
    ax.imshow(data, origin="lower", cmap=colours.with_extremes(bad="0.6"), norm=norm)


def _draw_apertures(ax, line, place, scale, definition):
    from matplotlib.patches import Circle, Ellipse

    aperture, power = definition["aperture"], definition["power"]
    circles = [(definition["concentration"][0], "--"), (aperture, "-")]
    circles += [(power, ":")] if power != aperture else []
    for radius, style in circles:
        ax.add_patch(Circle(place, radius * scale, fill=False, ec="w", ls=style, lw=1.2))
    ax.plot(*place, "+", color="w", ms=9)
    names = line.colnames
    if "ellipticity" in names and np.isfinite(line["ellipticity"]):
        size = 2 * aperture * scale
        angle = float(line["position_angle"].to_value("deg"))
        ellipse = Ellipse(
            place, size, size * (1 - line["ellipticity"]), angle=angle, fill=False,
            ec=COLOURS[5], lw=1.2,
        )  # fmt: skip
        ax.add_patch(ellipse)


def _texts(line):
    for name, form in _SHOWN.items():
        if name in line.colnames and np.isfinite(line[name]):
            text = form.format(line[name])
            error = line[f"{name}_err"] if f"{name}_err" in line.colnames else np.nan
            yield text + (f" $\\pm$ {error:.1g}" if np.isfinite(error) else "")


def plot_mass_state(table, methods, *, state="log_chi", truth="mass_true", ax=None, labels=None):
    """Plot residuals of masses against the dynamical state.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, with a column of the state, as from `~szmass.morphology.add_states`.
    methods : str or sequence of str
        Up to six methods.
    state : str or array-like, optional
        Column of log10 of the number of the state, or these numbers.
    truth : str, optional
        Column of what the masses are compared with.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    labels : sequence of str, optional
        What to call the methods; by default by their names.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes: log10 (M / truth) of each cluster, and means with their errors in five bins of
        equal numbers of clusters.

    Raises
    ------
    InvalidInputError
        A column is missing, labels are not one per method, or no cluster has mass, truth and
        state.
    MissingDependencyError
        Matplotlib is not installed.
    """
    methods = check_methods(methods, _MOST)
    if isinstance(state, str):
        check_columns(table, [state])
        state = table[state]
    if labels is not None and len(labels) != len(methods):
        raise InvalidInputError(
            f"'labels' must have one entry per method ({len(methods)}). Received: {labels!r:.200}"
        )
    state = as_floats(state, "", "state")
    if state.shape != (len(table),):
        raise InvalidInputError(
            f"'state' must have one number per row ({len(table)}). Received: shape {state.shape}"
        )
    ax = new_axes(ax, (6.0, 4.2))
    for i, method in enumerate(methods):
        (mass, *_), (true, *_), rows = known_masses(table, method, truth)
        fine = np.isfinite(state[rows])
        if not fine.any():
            raise InvalidInputError(f"No cluster has a mass by {method!r}, and a state.")
        x, y = state[rows][fine], np.log10(mass / true)[fine]
        colour = COLOURS[i % len(COLOURS)]
        ax.plot(x, y, ".", ms=3, color=colour, alpha=0.35, mew=0)
        bins = np.array_split(np.argsort(x), min(_BINS, max(len(x) // 4, 1)))
        means = np.array(
            [(np.mean(x[b]), np.mean(y[b]), np.std(y[b]) / len(b) ** 0.5) for b in bins]
        )
        label = method_label(table, method) if labels is None else labels[i]
        ax.errorbar(
            *means[:, :2].T, means[:, 2], fmt=MARKERS[i % len(MARKERS)], color=colour,
            mec="k", mew=0.5, capsize=2, label=label, zorder=3,
        )  # fmt: skip
    ax.axhline(0, color="k", lw=0.8)
    ax.set(
        xlabel=r"$\log_{10}\chi$ (relaxed to the right)", ylabel=r"$\log_{10}(M/M_\mathrm{true})$"
    )
    ax.legend(frameon=False, fontsize="small")
    return ax
