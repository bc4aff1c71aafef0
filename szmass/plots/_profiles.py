"""Plots of profiles, stacks and saliency, and of all there is to see of one cluster."""

import astropy.units as u
import numpy as np
from astropy.table import Row

from szmass._utils.quantities import as_floats
from szmass.clusters import Cluster
from szmass.exceptions import InvalidInputError
from szmass.maps import Cutout, CutoutStack, radial_profile
from szmass.maps.measure.stacking import StackResult
from szmass.networks.saliency import SaliencyStack
from szmass.plots._cutouts import plot_cutout
from szmass.plots._posteriors import (
    checked_posteriors,
    plot_mass_posteriors,
    plot_signal_surface,
)
from szmass.plots.style import (
    COLOURS,
    MICRO,
    Y_LABEL,
    check_cluster,
    check_kind,
    draw_bars,
    new_axes,
    new_figure,
)

# Radii of a cluster's profile, in units of half the width of the cutout.
_ANNULI = np.linspace(0, 1, 11)
_MAX_LABELLED = 7

__doctest_requires__ = {"plot_*": ["matplotlib"]}


def plot_profile(profile, *, ax=None, labels=None, beam=None):
    """Plot mean y against radius.

    Parameters
    ----------
    profile : `~astropy.table.QTable` or `~szmass.maps.StackResult`
        From `~szmass.maps.radial_profile`, one line per row, or a stack. Bars are ``y_err`` if
        there is one, else ``y_noise_err``; neighbouring points share noise.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    labels : sequence of str, optional
        One label per row; by default the names. More than seven rows are thin grey lines without.
    beam : `~astropy.units.Quantity`, optional
        FWHM of the map's beam: what is within half of it is shaded.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes: y in 1e-6 against the radius, in its unit or that of theta500.

    Raises
    ------
    InvalidInputError
        The table is not a profile or has no rows, or the labels are not as many as the rows.
    MissingDependencyError
        Matplotlib is not installed.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.maps import radial_profile
    >>> from szmass.plots import plot_profile
    >>> from szmass.simulations import from_masses, simulate
    >>> sample = simulate(from_masses([1e15, 6e14] * u.solMass, 0.1), cosmology="PSZ2", seed=1)
    >>> ax = plot_profile(radial_profile(sample, [0, 10, 20, 40] * u.arcmin), beam=10 * u.arcmin)
    >>> ax.get_xlabel()
    'radius [arcmin]'
    """
    table = profile.profile if isinstance(profile, StackResult) else profile
    if not {"radius", "y"} <= set(getattr(table, "colnames", ())) or np.ndim(table["y"]) != 2:
        raise InvalidInputError(
            "'profile' must be a table from radial_profile, or a result of stack. "
            f"Received: {type(profile).__name__}"
        )
    if not len(table):
        raise InvalidInputError("'profile' has no rows: there is nothing to plot.")
    names = [str(name) for name in table["name"]] if labels is None else list(labels)
    if len(names) != len(table):
        raise InvalidInputError(
            f"'labels' must have one entry per row ({len(table)}). Received: {len(names)}"
        )
    ax = new_axes(ax, (6.4, 4.2))
    unit = getattr(table["radius"], "unit", None)
    unit = u.one if unit is None else unit
    error = next((name for name in ("y_err", "y_noise_err") if name in table.colnames), None)
    many = len(table) > _MAX_LABELLED
    # Bars of several clusters at the same radii would hide each other.
    step = 0.01 * float(np.nanmax(_plain(table["radius"])))
    for i, row in enumerate(table):
        radius, y = _plain(row["radius"]), _plain(row["y"]) / MICRO
        if many:
            ax.plot(radius, y, color="0.6", lw=0.8, alpha=0.7)
            continue
        bars = None if error is None else _plain(row[error]) / MICRO
        shifted = radius + (i - (len(table) - 1) / 2) * step
        draw_bars(ax, shifted, y, bars, i, label=names[i] or None)
    if many:
        y = np.ma.masked_invalid(_plain(table["y"])).mean(axis=0).filled(np.nan) / MICRO
        label = f"mean of {len(table)}"
        ax.plot(_plain(table["radius"][0]), y, color=COLOURS[0], lw=2, label=label)
    if beam is not None and unit != u.one:
        ax.axvspan(0, u.Quantity(beam).to_value(unit) / 2, color="0.9", lw=0, label="half the beam")
    ax.axhline(0, color="0.5", lw=0.8, zorder=0)
    ax.set_xlim(left=0)
    label = r"$\theta\,/\,\theta_{500}$" if unit == u.one else f"radius [{unit}]"
    ax.set(xlabel=label, ylabel=Y_LABEL)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False)
    return ax


def plot_stack(result, *, ax=None, limit=None):
    """Plot the map of a stack, with the central aperture and the background annulus.

    Parameters
    ----------
    result : `~szmass.maps.StackResult`
        From `~szmass.maps.stack`.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    limit : float, optional
        Largest absolute y of the colours, which are symmetric about 0; by default that of the map.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes. The image is ``ax.images[0]``, y in 1e-6; clusters and significance are the title.

    Raises
    ------
    InvalidInputError
        The argument is no result of `~szmass.maps.stack`, or the limit is not positive.
    MissingDependencyError
        Matplotlib is not installed.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.maps import NoiseModel, stack
    >>> from szmass.plots import plot_stack
    >>> from szmass.simulations import from_masses, simulate
    >>> sample = simulate(from_masses([1e15, 6e14] * u.solMass, 0.1), cosmology="PSZ2", seed=1)
    >>> ax = plot_stack(stack(sample, noise=NoiseModel.planck(), bootstrap=10, rng=1))
    >>> ax.get_title()[:10]
    '2 clusters'
    """
    check_kind(result, StackResult, "result", "which stack gives")
    limit = _symmetric_limit(result.image, limit) / MICRO
    ax = new_axes(ax, (5.6, 4.6))
    _draw_image(
        ax, result.image / MICRO, result.geometry, f"mean {Y_LABEL}", cmap="RdBu_r",
        vmin=-limit, vmax=limit, interpolation="nearest",
    )  # fmt: skip
    _draw_circle(ax, result.radius.value, label="aperture")
    for radius in () if result.background is None else result.background.value:
        _draw_circle(ax, radius, ":")
    ax.set_title(_title(result), fontsize="medium")
    return ax


def _title(result):
    clusters = f"{result.n_clusters} cluster" + "s" * (result.n_clusters != 1)
    found = (result.noise_significance, "noise"), (result.significance, "bootstrap")
    for value, what in found:
        if np.isfinite(value):
            return rf"{clusters}, {value:.1f}$\sigma$ ({what})"
    return clusters


def _plain(values):
    return np.asarray(getattr(values, "value", values), dtype=float)


def plot_saliency(saliency, *, ax=None, theta500=None, limit=None, numbers=False):
    """Plot how log M changes when the light of a part of the cutout is taken away.

    Parameters
    ----------
    saliency : `~szmass.maps.Cutout` or `~szmass.networks.SaliencyStack`
        One map of `~szmass.networks.occlusion_map`, or the mean of several from
        `~szmass.networks.stack_saliency`.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    theta500 : `~astropy.units.Quantity`, optional
        Radius of a dashed circle around the middle. Maps in units of theta500 have it anyway.
    limit : float, optional
        Largest absolute change [dex] of the colours, which are symmetric about 0; by default that
        of the map.
    numbers : bool, optional
        Write the changes [1e-3 dex] into the patches.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, offsets from the middle; the image [dex] is ``ax.images[0]``.

    Raises
    ------
    InvalidInputError
        It is no map of saliency, has no value, or the limit is not positive.
    MissingDependencyError
        Matplotlib is not installed.
    """
    image, geometry, title = _parts(saliency)
    limit = _symmetric_limit(image, limit)
    radius = 1.0 if geometry.relative else None
    if theta500 is not None and not geometry.relative:
        radius = float(as_floats(theta500, u.arcmin, "theta500", positive=True, finite=True))
    ax = new_axes(ax, (5.4, 4.4))
    extent = _draw_image(
        ax, image, geometry, r"$\Delta\,\log_{10} M_{500}$ [dex] of the light of a patch",
        plain=geometry.relative, cmap="RdBu_r", vmin=-limit, vmax=limit,
    )  # fmt: skip
    if numbers:
        _write(ax, image, extent)
    if radius is not None:
        _draw_circle(ax, radius, "--")
    if title:
        ax.set_title(title, fontsize="medium")
    return ax


def _parts(saliency):
    if isinstance(saliency, SaliencyStack):
        image, geometry = saliency.image, saliency.geometry
        title = f"mean of {int(np.max(saliency.number))} clusters"
    elif isinstance(saliency, Cutout) and "fill" in saliency.meta:
        image, geometry, title = saliency.data, saliency.geometry, saliency.name
    else:
        raise InvalidInputError(
            "'saliency' must be one map of occlusion_map, such as saliency[0], or what "
            f"stack_saliency gives. Received: {type(saliency).__name__}"
        )
    if not np.isfinite(image).any():
        raise InvalidInputError("'saliency' has no value: there is nothing to plot.")
    return np.asarray(image, dtype=float), geometry, title


def _write(ax, image, extent):
    left, right, low, high = extent
    ny, nx = image.shape
    for row, column in np.argwhere(np.isfinite(image)):
        ax.text(
            left + (column + 0.5) * (right - left) / nx,
            low + (row + 0.5) * (high - low) / ny,
            f"{1e3 * image[row, column]:.0f}", ha="center", va="center", fontsize=6,
        )  # fmt: skip


def plot_cluster(
    cluster, masses=None, *, posteriors=None, surface=None, saliency=None, theta500=None,
    noise=None, fig=None,
):  # fmt: skip
    """Plot one cluster: cutout, profile, size and signal, and its mass by all estimators.

    Parameters
    ----------
    cluster : `~szmass.clusters.Cluster`
        The cluster, with or without a cutout.
    masses : `~astropy.table.QTable` or `~astropy.table.Row`, optional
        Masses side by side, as from `~szmass.estimators.estimate_masses`: the cluster's row, or a
        table in which its name stands once.
    posteriors : dict of str to `~szmass.results.LogMassPosterior`, optional
        See `plot_mass_posteriors`.
    surface : ``SignalSurface``, optional
        From ``MatchedFilterMass.surface``.
    saliency : array-like, optional
        How much each pixel of the cutout matters to a network, of the cutout's shape.
    theta500 : `~astropy.units.Quantity`, optional
        Radius of a circle on the cutout.
    noise : `~szmass.maps.NoiseModel`, optional
        Noise of the map, for the errors of the profile.
    fig : `~matplotlib.figure.Figure` or `~matplotlib.figure.SubFigure`, optional
        Where to draw; by default a new figure.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure, with a panel for each thing that is known.

    Raises
    ------
    InvalidInputError
        An argument is of another kind, the saliency of another shape, or masses or posteriors are
        of another cluster.
    MissingDependencyError
        Matplotlib is not installed.

    Examples
    --------
    >>> from szmass import estimate_masses
    >>> from szmass.plots import plot_cluster
    >>> from szmass.simulations import draw_flat, simulate
    >>> sample = simulate(draw_flat(2, seed=1), "planck-total", cosmology="PSZ2", seed=1)
    >>> masses = estimate_masses(sample, "matched_filter", one_minus_b=0.8)
    >>> figure = plot_cluster(sample[0], masses, theta500=sample.quantity("theta500_true")[0])
    >>> figure.savefig("cluster.png")  # doctest: +SKIP
    """
    check_kind(cluster, Cluster, "cluster", "such as sample[0]")
    row = _row(masses, cluster.name)
    cutout = cluster.cutout
    seen = cutout is not None and bool(cutout.footprint.any())
    if saliency is not None:
        saliency = _checked_saliency(saliency, cutout)
    checked_posteriors(posteriors, cluster.name)
    panels = []
    if seen:
        panels.append(lambda ax: plot_cutout(cutout, ax=ax, theta500=theta500))
        if saliency is not None:
            panels.append(lambda ax: _draw_saliency(cutout, saliency, ax))
        if not cutout.geometry.relative:
            panels.append(lambda ax: _draw_profile(cutout, noise, ax))
    if surface is not None:
        panels.append(lambda ax: plot_signal_surface(surface, ax=ax))
    if row is not None or posteriors:
        panels.append(lambda ax: plot_mass_posteriors(row, posteriors=posteriors, ax=ax))
    if not panels:
        raise InvalidInputError(
            f"Nothing of {cluster.name!r} can be drawn: it has no cutout with valid pixels, and "
            "no masses or surface were given."
        )
    columns = min(len(panels), 3 if len(panels) > 4 else 2)
    rows = -(-len(panels) // columns)
    fig = new_figure(fig, (5.0 * columns, 4.1 * rows + 0.4))
    grid = fig.add_gridspec(rows, columns)
    for i, draw in enumerate(panels):
        on_sky = seen and i == 0 and cutout.wcs is not None
        ax = fig.add_subplot(
            grid[i // columns, i % columns], **({"projection": cutout.wcs} if on_sky else {})
        )
        draw(ax)
        ax.set_title("")
    z = "unknown" if cluster.redshift is None else f"{cluster.redshift:.3g}"
    fig.suptitle(f"{cluster.name}, $z$ = {z}" if cluster.redshift else f"{cluster.name}, $z$ {z}")
    return fig


def _row(masses, name):
    if isinstance(masses, Row) and "name" in masses.colnames:
        check_cluster(masses["name"], name, "The row of masses")
    if masses is None or isinstance(masses, Row):
        return masses
    if "name" not in getattr(masses, "colnames", ()):
        raise InvalidInputError(
            "'masses' must be a table of masses with the column 'name', or a row of one. "
            f"Received: {type(masses).__name__}"
        )
    found = np.flatnonzero(np.asarray(masses["name"], dtype=str) == name)
    if len(found) != 1:
        raise InvalidInputError(f"The masses have {len(found)} rows of {name!r} instead of one.")
    return masses[int(found[0])]


def _draw_profile(cutout, noise, ax):
    half = cutout.geometry.size.to(u.arcmin).min() / 2
    stack = CutoutStack.from_cutouts([cutout])
    profile = radial_profile(stack, half * _ANNULI, noise=noise)
    plot_profile(profile, ax=ax, beam=cutout.beam, labels=[""])


def _checked_saliency(saliency, cutout):
    saliency = as_floats(saliency, "", "saliency")
    if cutout is None or saliency.shape != cutout.data.shape:
        expected = "no cutout" if cutout is None else f"a cutout of shape {cutout.data.shape}"
        raise InvalidInputError(
            f"'saliency' must have the shape of the cutout. Received: {saliency.shape} for "
            f"{expected}"
        )
    return saliency


def _draw_saliency(cutout, saliency, ax):
    limit = float(np.nanmax(np.abs(saliency), initial=0)) or 1.0
    signed = np.nanmin(saliency) < 0
    left, right, low, high = _draw_image(
        ax, saliency, cutout.geometry, "saliency", plain=True,
        cmap="RdBu_r" if signed else "cividis", vmin=-limit if signed else 0, vmax=limit,
    )  # fmt: skip
    peak = float(np.nanmax(cutout.data, initial=0))
    if peak > 0:
        ax.contour(
            np.where(cutout.footprint, cutout.data, np.nan), levels=peak * np.array([0.25, 0.5]),
            colors="k" if signed else "w", linewidths=0.8, origin="lower",
            extent=(left, right, low, high),
        )  # fmt: skip


def _symmetric_limit(image, limit):
    """Give the largest absolute value of an image, or the limit that stands for it."""
    limit = float(np.nanmax(np.abs(image))) if limit is None else limit
    if not limit > 0:
        raise InvalidInputError(f"'limit' must be positive. Received: {limit!r}")
    return limit


def _draw_image(ax, image, geometry, label, *, plain=False, **options):
    """Draw a map, longitude to the left, on offsets from its middle, with a scale of colours.

    ``plain`` labels the axes "offset" whatever the frame; the ends of the axes are given back,
    (left, right, low, high), and ``options`` are those of ``imshow``.
    """
    unit = u.one if geometry.relative else u.arcmin
    height, width = geometry.size.to_value(unit) / 2
    extent = (width, -width, -height, height)
    picture = ax.imshow(image, origin="lower", extent=extent, **options)
    ax.figure.colorbar(picture, ax=ax, pad=0.03, fraction=0.046, label=label)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    named = r"[$\theta_{500}$]" if geometry.relative else "[arcmin]"
    plain = plain or geometry.rotation.value != 0
    for axis, name in ((ax.xaxis, "longitude"), (ax.yaxis, "latitude")):
        axis.set_label_text(f"offset {named}" if plain else f"offset in {name} {named}")
    return extent


def _draw_circle(ax, radius, style="-", **options):
    """Draw a circle around the middle of such a map."""
    angle = np.linspace(0, 2 * np.pi, 361)
    ax.plot(radius * np.cos(angle), radius * np.sin(angle), "k", ls=style, lw=1.1, **options)
