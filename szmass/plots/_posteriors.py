"""Plots of what is known of the mass of one cluster: posteriors, size and signal."""

from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.table import Row, Table

from szmass.estimators.filters.scan import SignalSurface
from szmass.exceptions import InvalidInputError
from szmass.plots._masses import method_label, with_scale
from szmass.plots.style import (
    COLOURS,
    LINE_STYLES,
    MASS_UNIT,
    check_cluster,
    check_kind,
    log_ticks,
    mass_label,
    new_axes,
)
from szmass.results import LogMassPosterior, MassScale, masses_of, methods_of

_LEVELS = (0.954499736, 0.682689492)

__doctest_requires__ = {"plot_*": ["matplotlib"]}


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
    check_kind(surface, SignalSurface, "surface", "from MatchedFilterMass.surface")
    ax = new_axes(ax)
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
        ax.plot(size, 1e3 * signal, "--", color=COLOURS[1], label="scaling relation")
        ax.legend(loc="upper left")
    log_ticks(ax.xaxis)
    ax.set(
        xlim=_size_limits(surface, theta, y500),
        ylim=(1e3 * y500[0], 1e3 * y500[-1]),
        xlabel=r"$\theta_{500}$ [arcmin]",
        ylabel=r"$Y_{500}$ [$10^{-3}$ arcmin$^2$]",
        title=surface.name,
    )
    return ax


def _size_limits(surface, theta, y500):
    """Give limits that hold what is probable, and the curve where it crosses these signals."""
    marginal = np.trapezoid(surface.density, y500, axis=1)
    sizes = [theta[marginal > 1e-3 * marginal.max()]]
    if surface.curve is not None:
        size, signal = (part.value for part in surface.curve)
        sizes.append(size[(signal > y500[0]) & (signal < y500[-1])])
    sizes = np.concatenate(sizes)
    return max(sizes.min() / 1.3, theta[0]), min(sizes.max() * 1.3, theta[-1])


def plot_mass_posteriors(masses=None, *, posteriors=None, ax=None):
    """Plot what several estimators say of the mass of one cluster.

    Parameters
    ----------
    masses : `~astropy.table.Row` or `~astropy.table.QTable`, optional
        One row of masses side by side, as from `~szmass.estimators.estimate_masses`. A mass with
        errors is drawn as a normal distribution of log M whose two halves have the widths of the
        two errors, one without errors as a line. ``msz`` is drawn as well, and ``mass_true`` as a
        black line.
    posteriors : dict of str to `~szmass.results.LogMassPosterior`, optional
        Posteriors of that cluster by name; they replace the masses of the same name.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes, with densities in log10 M over their maxima.

    Raises
    ------
    InvalidInputError, InvalidUnitError, MissingDependencyError
        As `plot_mass_comparison` raises them; there is not one row, a posterior is of several
        clusters or has the name of another one, or no mass is known.

    Examples
    --------
    >>> import numpy as np
    >>> from szmass import LogMassPosterior
    >>> from szmass.plots import plot_mass_posteriors
    >>> grid = np.linspace(14, 15.5, 151)
    >>> density = np.exp(-0.5 * ((grid - [[14.6], [14.7]]) / [[0.1], [0.05]]) ** 2)
    >>> both = LogMassPosterior(grid, density, np.ones(151))
    >>> ax = plot_mass_posteriors(posteriors={"noisy": both[:1], "deep": both[1:]})
    >>> ax.figure.savefig("posteriors.png")  # doctest: +SKIP
    """
    curves, labels, truth = _mass_curves(masses)
    named = masses is not None and "name" in masses.colnames
    cluster = np.atleast_1d(masses["name"])[0] if named else ""
    for name, posterior in checked_posteriors(posteriors, cluster).items():
        curves[name] = (10**posterior.log10_mass / MASS_UNIT, posterior.density[0])
        scale = MassScale(posterior.meta.get("mass_scale", "unknown"))
        labels.setdefault(name, with_scale(name, scale))
    curves = {
        name: (mass, density)
        for name, (mass, density) in curves.items()
        if np.isfinite(mass).all() and (density is None or np.isfinite(density).all())
    }
    if not curves and truth is None:
        raise InvalidInputError("No mass of this cluster is known: there is nothing to plot.")
    ax = new_axes(ax, (5.6, 3.6))
    ends = [truth] if truth is not None else []
    for i, (name, (mass, density)) in enumerate(curves.items()):
        style = {
            "color": COLOURS[i % len(COLOURS)],
            "ls": LINE_STYLES[i % len(LINE_STYLES)],
            "label": labels[name],
        }
        if density is None:
            ax.axvline(mass, lw=1.6, **style)
            ends.append(mass)
            continue
        density = density / density.max()
        ax.plot(mass, density, lw=1.8, **style)
        ends.extend(mass[density > 0.005][[0, -1]])
    if truth is not None:
        ax.axvline(truth, color="k", lw=1.2, label="true")
    log_ticks(ax.xaxis)
    ax.set(
        xlabel=mass_label(),
        ylabel=r"density in $\log M$ / maximum",
        xlim=(min(ends) / 1.1, max(ends) * 1.1),
        # The legend needs a place where there are no curves.
        ylim=(0, 1.1 + 0.13 * (-(-(len(curves) + 1) // 2))),
    )
    ax.set_yticks([0, 0.5, 1])
    ax.legend(frameon=False, fontsize="small", loc="upper center", ncols=2)
    return ax


def _mass_curves(masses):
    """Give (masses, densities) and labels by name, and the true mass.

    The density is None for a bare number, the true mass where it is not known.
    """
    if masses is None:
        return {}, {}, None
    table = masses.table[masses.index : masses.index + 1] if isinstance(masses, Row) else masses
    if not isinstance(table, Table) or len(table) != 1:
        raise InvalidInputError(
            "'masses' must be one row of a table of masses, such as table[0]. Received: "
            + (f"{len(table)} rows" if isinstance(table, Table) else type(table).__name__)
        )
    curves, labels, truth = {}, {}, None
    columns = [name for name in ("mass_true", "msz") if name in table.colnames]
    for name in [*columns, *methods_of(table)]:
        found = masses_of(table, name)
        mass, errn, errp = (float(v[0]) / MASS_UNIT for v in (found.mass, found.errn, found.errp))
        mass = mass if mass > 0 else np.nan
        if found.kind == "truth":
            truth = mass if np.isfinite(mass) else None
        else:
            curves[name], labels[name] = _split_normal(mass, errn, errp), method_label(table, name)
    return curves, labels, truth


def _split_normal(mass, errn, errp):
    if not (errn > 0 and errp > 0 and np.isfinite(mass)):
        return mass, None
    low = np.log10(mass / (mass - errn)) if errn < mass else 0.5
    high = np.log10((mass + errp) / mass)
    offset = np.linspace(-5 * low, 5 * high, 301)
    width = np.where(offset < 0, low, high)
    return mass * 10**offset, np.exp(-0.5 * (offset / width) ** 2)


def checked_posteriors(posteriors, cluster):
    """Give posteriors by name, each of one cluster, and of none with another name."""
    if posteriors is None:
        return {}
    if not isinstance(posteriors, Mapping):
        raise InvalidInputError(
            "'posteriors' must be a dict of names to LogMassPosterior. Received: "
            f"{type(posteriors).__name__}"
        )
    for name, posterior in posteriors.items():
        if not isinstance(posterior, LogMassPosterior) or len(posterior) != 1:
            raise InvalidInputError(
                f"The posterior {name!r} must be a LogMassPosterior of one cluster, such as "
                f"posterior[3:4]. Received: {posterior!r}"
            )
        check_cluster(posterior.names[0], cluster, f"The posterior {name!r}")
    return posteriors
