"""Plot of the probability of size and signal of a cluster."""

import astropy.units as u
import numpy as np

from szmass._utils.optional import import_optional
from szmass.estimators.filter_scan import SignalSurface
from szmass.exceptions import InvalidInputError

__all__ = ["plot_signal_surface"]

_LEVELS = (0.954499736, 0.682689492)


def plot_signal_surface(surface, *, ax=None):
    """Plot the degeneracy of size and signal, and the curve on which masses lie.

    Parameters
    ----------
    surface : ``SignalSurface``
        From ``MatchedFilterMass.surface``.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, with contours that hold 68 % and 95 % of the probability.

    Raises
    ------
    InvalidInputError
        ``surface`` is something else.
    MissingDependencyError
        Matplotlib is not installed.
    """
    if not isinstance(surface, SignalSurface):
        raise InvalidInputError(
            "'surface' must be a SignalSurface, from MatchedFilterMass.surface. "
            f"Received: {type(surface).__name__}"
        )
    if ax is None:
        pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose="draw plots")
        _, ax = pyplot.subplots(layout="constrained")
    theta, y500 = surface.theta500.to_value(u.arcmin), surface.y500.to_value(u.arcmin**2)
    density = surface.density.T
    mesh = ax.pcolormesh(theta, 1e3 * y500, density / density.max(), cmap="Blues", vmin=0, vmax=1)
    mesh.set_rasterized(True)
    ordered = np.sort(density, axis=None)[::-1]
    held = np.cumsum(ordered) / ordered.sum()
    levels = [ordered[np.searchsorted(held, level)] for level in _LEVELS]
    ax.contour(theta, 1e3 * y500, density, levels=levels, colors="k", linewidths=(0.8, 1.4))
    if surface.curve is not None:
        size, signal = (part.value for part in surface.curve)
        ax.plot(size, 1e3 * signal, "--", color="#D55E00", label="scaling relation")
        ax.legend(loc="upper left")
    ax.set(
        xscale="log",
        xlim=(theta[0], theta[-1]),
        ylim=(1e3 * y500[0], 1e3 * y500[-1]),
        xlabel=r"$\theta_{500}$ [arcmin]",
        ylabel=r"$Y_{500}$ [$10^{-3}$ arcmin$^2$]",
        title=surface.name,
    )
    return ax
