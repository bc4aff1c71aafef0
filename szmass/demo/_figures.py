"""Figures of the demonstration. Nothing here touches matplotlib's global state."""

import itertools

import numpy as np

from szmass.comparison.statistics import REDSHIFT_BINS
from szmass.plots import plot_gallery, plot_mass_comparison
from szmass.plots.style import (
    MICRO,
    Y_LABEL,
    draw_bars,
    legend_above,
    new_figure,
    running_quantiles,
)
from szmass.results import masses_of

# Fewer clusters have no quantiles worth drawing.
_LEAST = 5
_EDGES = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
# Points along each side of a cell of the picture of the sky.
_FINE = 4


def draw_sky(ymap, sample):
    """Draw a map of the whole sky, in RING ordering, with the places of its clusters."""
    import healpy

    fig = new_figure(None, (9.5, 5.2))
    ax = fig.add_subplot(projection="mollweide")
    # Each cell of the picture is the mean of a few pixels of the map.
    rows, columns = 360, 720
    lon = np.radians(180 - (np.arange(columns * _FINE) + 0.5) * 360 / (columns * _FINE))
    lat = np.radians(-90 + (np.arange(rows * _FINE) + 0.5) * 180 / (rows * _FINE))
    pixels = healpy.ang2pix(ymap.nside, np.pi / 2 - lat[:, np.newaxis], lon)
    image = ymap.values(pixels).reshape(rows, _FINE, columns, _FINE).mean(axis=(1, 3))
    image = image / MICRO
    level = np.std(image)
    # Longitude goes to the left.
    mesh = ax.pcolormesh(
        np.radians(np.linspace(-180, 180, columns + 1)),
        np.radians(np.linspace(-90, 90, rows + 1)),
        image, cmap="Greys", vmin=-4 * level, vmax=8 * level, rasterized=True,
    )  # fmt: skip
    place = sample.coord.transform_to(ymap.frame).spherical
    points = ax.scatter(
        -place.lon.wrap_at("180d").rad, place.lat.rad, c=sample.redshift,
        s=4 + 1.2 * np.minimum(sample.quantity("snr").value, 30),
        cmap="viridis", vmin=0, vmax=0.8, lw=0.3, edgecolor="w",
    )  # fmt: skip
    ax.set_xticks(np.radians([-120, -60, 0, 60, 120]), ["120°", "60°", "0°", "300°", "240°"])
    ax.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    ax.grid(color="0.5", lw=0.4, alpha=0.6)
    ax.tick_params(labelsize=8)
    for label in ax.get_xticklabels():
        label.set_bbox({"facecolor": "w", "alpha": 0.8, "lw": 0, "pad": 1})
    fig.colorbar(points, ax=ax, label="Redshift", shrink=0.75, pad=0.02)
    label = f"{Y_LABEL}, means over 0.5 deg"
    under = {"orientation": "horizontal", "shrink": 0.5, "pad": 0.03, "aspect": 30}
    fig.colorbar(mesh, ax=ax, label=label, **under)
    ax.set_title(f"{len(sample)} clusters, Galactic coordinates; larger points: higher S/N", pad=14)
    return fig


def draw_cutouts(sample):
    """Draw a few cutouts: for each redshift bin the clearest cluster, and below a typical one."""
    snr, mass = sample.quantity("snr").value, sample.quantity("mass_true").value
    bins = np.digitize(sample.redshift, REDSHIFT_BINS, right=True)
    found = [np.flatnonzero(bins == number) for number in range(1, len(REDSHIFT_BINS))]
    ordered = [inside[np.argsort(snr[inside])] for inside in found if len(inside)]
    rows = [inside[-1] for inside in ordered] + [inside[len(inside) // 2] for inside in ordered]
    titles = [
        f"z = {sample.redshift[row]:.2f}, S/N = {snr[row]:.1f}\n"
        rf"$M_{{500}}$ = {mass[row] / 1e14:.1f} $\times 10^{{14}}\,M_\odot$"
        for row in rows
    ]
    limits = (-5 * MICRO, 60 * MICRO)
    fig = plot_gallery(
        sample.cutouts[np.array(rows)], columns=len(ordered), titles=titles, limits=limits,
        contours=False, cmap="magma",
    )  # fmt: skip
    fig.suptitle("Above the highest S/N of a redshift bin, below the median", fontsize="medium")
    return fig


def draw_masses(table, methods):
    """Draw the masses of each method against the true ones, in the column mass_true."""
    columns = min(len(methods), 2)
    rows = -(-len(methods) // columns)
    fig = new_figure(None, (5.2 * columns, 4.6 * rows))
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[len(methods) :]:
        ax.remove()
    for ax, method in zip(axes, methods, strict=False):
        plot_mass_comparison(table, "mass_true", method, ax=ax, density=False, median=True)
    known = [masses_of(table, method).mass / 1e14 for method in methods]
    axes[0].set_ylim(0.9 * np.nanmin(known), 1.1 * np.nanmax(known))
    return fig


def draw_residuals(table, methods):
    """Draw the relative differences to the true masses by redshift."""
    fig = new_figure(None, (7.2, 4.4))
    ax = fig.add_subplot()
    redshift = np.asarray(table["redshift"], dtype=float)
    truth = masses_of(table, "mass_true").mass
    for i, method in enumerate(methods):
        difference = masses_of(table, method).mass / truth - 1
        drawn = []
        for low, high in itertools.pairwise(_EDGES):
            inside = (redshift > low) & (redshift <= high) & np.isfinite(difference)
            if np.count_nonzero(inside) >= _LEAST:
                centre, levels = running_quantiles(redshift[inside], difference[inside], 1)
                drawn.append((*centre, *levels[:, 0]))
        if drawn:
            centre, low, middle, high = np.transpose(drawn)
            # Bars of several methods would hide each other.
            shifted = centre + 0.008 * (i - (len(methods) - 1) / 2)
            draw_bars(ax, shifted, middle, [middle - low, high - middle], i, label=method)
    ax.axhline(0, color="k", lw=1)
    for edge in REDSHIFT_BINS[1:-1]:
        ax.axvline(edge, color="0.75", lw=0.8, ls=":")
    ax.set(
        xlabel="Redshift",
        ylabel=r"$M\,/\,M_\mathrm{true} - 1$ (median, 16 and 84 %)",
        xlim=(0, 0.85 if redshift.max() < 0.8 else 1.0),
    )
    if ax.get_legend_handles_labels()[0]:
        legend_above(ax, ncols=4)
    return fig
