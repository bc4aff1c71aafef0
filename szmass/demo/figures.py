"""Pictures of the demonstration. Nothing here touches matplotlib's global state."""

import numpy as np

from szmass.comparison.statistics import REDSHIFT_BINS
from szmass.plots.style import COLOURS, MARKERS, log_ticks

__all__ = ["plot_cutouts", "plot_masses", "plot_residuals", "plot_sky"]

_MICRO = 1e6
# Fewer clusters have no quantiles worth drawing.
_LEAST = 5
# Points along each side of a cell of the picture of the sky.
_FINE = 4


def _figure(width, height):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=120)


def plot_sky(ymap, sample):
    """Draw the map with the places of its clusters.

    Parameters
    ----------
    ymap : `~szmass.maps.ComptonMap`
        The map, in RING ordering and of the whole sky.
    sample : `~szmass.clusters.ClusterSample`
        Its clusters.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure.
    """
    import healpy

    fig = _figure(9.5, 5.2)
    ax = fig.add_subplot(projection="mollweide")
    # Each cell of the picture is the mean of a few pixels of the map.
    rows, columns = 360, 720
    lon = np.radians(180 - (np.arange(columns * _FINE) + 0.5) * 360 / (columns * _FINE))
    lat = np.radians(-90 + (np.arange(rows * _FINE) + 0.5) * 180 / (rows * _FINE))
    pixels = healpy.ang2pix(ymap.nside, np.pi / 2 - lat[:, np.newaxis], lon)
    image = ymap.values(pixels).reshape(rows, _FINE, columns, _FINE).mean(axis=(1, 3))
    image *= _MICRO
    level = np.std(image)
    # Longitude goes to the left.
    mesh = ax.pcolormesh(
        np.radians(np.linspace(-180, 180, columns + 1)),
        np.radians(np.linspace(-90, 90, rows + 1)),
        image,
        cmap="Greys",
        vmin=-4 * level,
        vmax=8 * level,
        rasterized=True,
    )
    place = sample.coord.transform_to(ymap.frame).spherical
    points = ax.scatter(
        -place.lon.wrap_at("180d").rad,
        place.lat.rad,
        c=sample.redshift,
        s=4 + 1.2 * np.minimum(sample.quantity("snr").value, 30),
        cmap="viridis",
        vmin=0,
        vmax=0.8,
        lw=0.3,
        edgecolor="w",
    )
    ax.set_xticks(np.radians([-120, -60, 0, 60, 120]), ["120°", "60°", "0°", "300°", "240°"])
    ax.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    ax.grid(color="0.5", lw=0.4, alpha=0.6)
    ax.tick_params(labelsize=8)
    for label in ax.get_xticklabels():
        label.set_bbox({"facecolor": "w", "alpha": 0.8, "lw": 0, "pad": 1})
    fig.colorbar(points, ax=ax, label="Redshift", shrink=0.75, pad=0.02)
    fig.colorbar(
        mesh,
        ax=ax,
        orientation="horizontal",
        label=r"Compton-$y$ [$10^{-6}$], means over 0.5 deg",
        shrink=0.5,
        pad=0.03,
        aspect=30,
    )
    ax.set_title(f"{len(sample)} clusters, Galactic coordinates; larger points: higher S/N", pad=14)
    return fig


def plot_cutouts(sample):
    """Draw a few cutouts: for each redshift bin the clearest cluster, and a typical one.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        With cutouts and the columns snr and mass_true.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure.
    """
    from matplotlib.colors import AsinhNorm

    snr = sample.quantity("snr").value
    bins = np.digitize(sample.redshift, REDSHIFT_BINS, right=True)
    columns = []
    for number in range(1, len(REDSHIFT_BINS)):
        inside = np.flatnonzero(bins == number)
        inside = inside[np.argsort(snr[inside])]
        columns.append((inside[-1], inside[len(inside) // 2]) if len(inside) else ())
    columns = [column for column in columns if column]
    fig = _figure(2.35 * len(columns) + 0.7, 5.7)
    axes = fig.subplots(2, len(columns), sharex=True, sharey=True, squeeze=False)
    stack = sample.cutouts
    half = 0.5 * stack.geometry.size.to_value("deg")
    shown = {"norm": AsinhNorm(linear_width=4, vmin=-5, vmax=60), "cmap": "magma"}
    for column, axs in zip(columns, axes.T, strict=True):
        for row, ax in zip(column, axs, strict=True):
            picture = ax.imshow(
                stack.data[row] * _MICRO,
                origin="lower",
                extent=(half[1], -half[1], -half[0], half[0]),
                **shown,
            )
            mass = sample.quantity("mass_true")[row].value
            ax.set_title(
                f"z = {sample.redshift[row]:.2f}, S/N = {snr[row]:.1f}\n"
                rf"$M_{{500}}$ = {mass / 1e14:.1f} $\times 10^{{14}}\,M_\odot$",
                fontsize=9,
            )
            ax.set_xticks([-1, 0, 1])
            ax.set_yticks([-1, 0, 1])
    for ax in axes[-1]:
        ax.set_xlabel(r"$\Delta l\,\cos b$ [deg]")
    for ax, what in zip(axes[:, 0], ("highest S/N", "median S/N"), strict=True):
        ax.set_ylabel(f"{what}\n" + r"$\Delta b$ [deg]")
    fig.colorbar(
        picture,
        ax=axes,
        label=r"Compton-$y$ [$10^{-6}$]",
        ticks=[-5, 0, 5, 10, 20, 60],
        format="%g",
        extend="both",
        shrink=0.8,
    )
    return fig


def plot_masses(masses, truth, redshift):
    """Draw the masses of each method against the true ones.

    Parameters
    ----------
    masses : dict of str to ndarray
        Masses [solMass] by method.
    truth : ndarray
        True masses [solMass].
    redshift : ndarray
        Redshifts.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure.
    """
    fig = _figure(3.5 * len(masses) + 0.9, 4.0)
    axes = fig.subplots(1, len(masses), sharex=True, sharey=True, squeeze=False)[0]
    ends = np.array([0.9 * truth.min(), 1.1 * truth.max()]) / 1e14
    for ax, (method, mass) in zip(axes, masses.items(), strict=True):
        points = ax.scatter(
            truth / 1e14,
            mass / 1e14,
            c=redshift,
            s=9,
            cmap="viridis",
            vmin=0,
            vmax=0.8,
            alpha=0.8,
            lw=0,
            rasterized=True,
        )
        ax.plot(ends, ends, color="k", lw=1)
        ax.plot(ends, 1.2 * ends, color="k", lw=0.7, ls=":")
        ax.plot(ends, ends / 1.2, color="k", lw=0.7, ls=":")
        ax.set_title(method)
        ax.set_xlabel(r"True $M_{500}$ [$10^{14}\,M_\odot$]")
        log_ticks(ax.xaxis)
        log_ticks(ax.yaxis)
    axes[0].set_ylabel(r"Estimated $M_{500}$ [$10^{14}\,M_\odot$]")
    known = np.concatenate([mass[np.isfinite(mass)] / 1e14 for mass in masses.values()])
    axes[0].set_xlim(*ends)
    axes[0].set_ylim(0.9 * known.min(initial=ends[0] / 0.9), 1.1 * known.max(initial=ends[1] / 1.1))
    fig.colorbar(points, ax=axes, label="Redshift")
    return fig


def plot_residuals(masses, truth, redshift):
    """Draw the relative differences to the true masses by redshift.

    Parameters
    ----------
    masses : dict of str to ndarray
        Masses [solMass] by method.
    truth : ndarray
        True masses [solMass].
    redshift : ndarray
        Redshifts.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure.
    """
    fig = _figure(7.2, 4.4)
    ax = fig.add_subplot()
    edges = np.array([0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0])
    bins = np.digitize(redshift, edges, right=True)
    for i, (method, mass) in enumerate(masses.items()):
        colour = COLOURS[i % len(COLOURS)]
        difference = mass / truth - 1
        places, levels = [], []
        for number in range(1, len(edges)):
            inside = (bins == number) & np.isfinite(difference)
            if np.count_nonzero(inside) >= _LEAST:
                # Bars of several methods would hide each other.
                shift = 0.008 * (i - (len(masses) - 1) / 2)
                places.append(np.median(redshift[inside]) + shift)
                levels.append(np.percentile(difference[inside], [16, 50, 84]))
        if not places:
            continue
        low, centre, high = np.transpose(levels)
        ax.errorbar(
            places,
            centre,
            yerr=[centre - low, high - centre],
            color=colour,
            marker=MARKERS[i % len(MARKERS)],
            ms=5,
            lw=1.2,
            capsize=2.5,
            label=method,
        )
    ax.axhline(0, color="k", lw=1)
    for edge in REDSHIFT_BINS[1:-1]:
        ax.axvline(edge, color="0.75", lw=0.8, ls=":")
    ax.set(
        xlabel="Redshift",
        ylabel=r"$M\,/\,M_\mathrm{true} - 1$ (median, 16 and 84 %)",
        xlim=(0, 0.85 if redshift.max() < 0.8 else 1.0),
    )
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, loc="upper left")
    return fig
