"""Page of one cluster: all there is to see of it in one figure."""

import astropy.units as u
import numpy as np
from astropy.table import Row

from szmass._utils.quantities import as_floats
from szmass.clusters import Cluster
from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutStack, radial_profile
from szmass.plots._cutouts import plot_cutout
from szmass.plots._masses import plot_mass_posteriors, plot_signal_surface
from szmass.plots._profiles import plot_profile
from szmass.plots.style import draw_image, new_figure

__all__ = ["plot_cluster"]

# Radii of the profile, in units of half the width of the cutout.
_ANNULI = np.linspace(0, 1, 11)


def plot_cluster(
    cluster,
    masses=None,
    *,
    posteriors=None,
    surface=None,
    saliency=None,
    theta500=None,
    noise=None,
    fig=None,
):
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
        An argument is of another kind, the saliency of another shape, or the masses do not have
        the cluster.
    MissingDependencyError
        Matplotlib is not installed.
    """
    if not isinstance(cluster, Cluster):
        raise InvalidInputError(
            f"'cluster' must be a Cluster, such as sample[0]. Received: {type(cluster).__name__}"
        )
    row = _row(masses, cluster.name)
    cutout = cluster.cutout
    seen = cutout is not None and bool(cutout.footprint.any())
    if saliency is not None:
        saliency = _checked_saliency(saliency, cutout)
    panels = []
    if seen:
        panels.append(lambda ax: plot_cutout(cutout, ax=ax, theta500=theta500))
        if saliency is not None:
            panels.append(lambda ax: _saliency(cutout, saliency, ax))
        if not cutout.geometry.relative:
            panels.append(lambda ax: _profile(cutout, noise, ax))
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


def _profile(cutout, noise, ax):
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


def _saliency(cutout, saliency, ax):
    limit = float(np.nanmax(np.abs(saliency), initial=0)) or 1.0
    signed = np.nanmin(saliency) < 0
    left, right, low, high = draw_image(
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
