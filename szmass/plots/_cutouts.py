"""Plots of cutouts, one on the sky or many beside each other, and of maps of projected mass."""

import astropy.units as u
import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.quantities import as_floats
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.maps import Cutout, CutoutStack
from szmass.maps.cutouts import as_stack
from szmass.massmaps import MassMap
from szmass.plots.style import MASS_UNIT, MICRO, Y_LABEL, check_kind, new_axes, panel_grid

# Contours in units of the noise, and the colour of what the map does not cover.
_SIGMAS = np.array([3, 5, 10, 20, 40, 80])
_MISSING = "0.75"
# y [1e-6] at which the colours of a gallery go over from a linear scale to a logarithmic one.
_LINEAR = 4.0
_MOST = 100
_TICKS = np.array([1, 2, 5, 10, 20, 50, 100, 200, 500])
# Contours of y on a map of mass, as parts of the largest value inside it, and decades of its
# colours below the largest surface density.
_PARTS = np.array([0.05, 0.1, 0.2, 0.4, 0.6, 0.8])
_DECADES = 2.5

__doctest_requires__ = {"plot_*": ["matplotlib"]}


def plot_cutout(
    cutout, *, ax=None, limits=None, contours=True, beam=True, theta500=None, colorbar=True,
    cmap="viridis",
):  # fmt: skip
    """Plot a cutout on the sky.

    Parameters
    ----------
    cutout : `~szmass.maps.Cutout`
        The cutout.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw. On a `~astropy.visualization.wcsaxes.WCSAxes` of the cutout's ``wcs`` the
        axes are longitude and latitude, on others offsets from the middle. By default a new
        WCSAxes, or plain axes if the cutout has no WCS.
    limits : (float, float), optional
        Smallest and largest y of the colours; by default those of the image.
    contours : bool or sequence of float, optional
        Levels of y. True stands for 3, 5, 10, 20, 40 and 80 times the standard deviation of the
        outer half of the field, as its median absolute deviation tells it.
    beam : bool, optional
        Draw a circle as wide as the beam (FWHM) in a corner, where the beam is known.
    theta500 : `~astropy.units.Quantity`, optional
        Radius of a dashed circle around the middle.
    colorbar : bool, optional
        Draw the scale of the colours.
    cmap : str or `~matplotlib.colors.Colormap`, optional
        The colours.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes; the image is ``ax.images[0]``. What the map does not cover is grey.

    Raises
    ------
    InvalidInputError, InvalidUnitError
        It is no cutout, has no valid pixel, limits or contours do not increase, or ``theta500`` is
        no angle.
    MissingDependencyError
        Matplotlib is not installed.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.plots import plot_cutout
    >>> from szmass.simulations import draw_flat, simulate
    >>> clusters = draw_flat(12, mass=[5e14, 1e15] * u.solMass, redshift=(0.05, 0.4), seed=1)
    >>> sample = simulate(clusters, "planck-total", cosmology="PSZ2", seed=1)
    >>> ax = plot_cutout(sample.cutouts[0], theta500=sample.quantity("theta500_true")[0])
    >>> ax.get_title()
    'MOCK 00'
    """
    check_kind(cutout, Cutout, "cutout", "such as sample.cutouts[0]")
    if not cutout.footprint.any():
        raise InvalidInputError(f"The cutout {cutout.name!r} has no valid pixel.")
    levels = _contour_levels(cutout, contours)
    norm = _norm("Normalize", cutout, limits, (0, 1))
    if ax is None and cutout.wcs is not None:
        pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose="draw plots")
        # WCSAxes places its labels after a constrained layout is done: tight boxes serve it better.
        figure = pyplot.figure(figsize=(6.2, 5.0))
        ax = figure.add_axes([0.14, 0.12, 0.68, 0.8], projection=cutout.wcs)
    ax = new_axes(ax, (5.6, 4.6))
    picture = _CutoutPicture(ax, cutout)
    image = picture.draw(cmap, norm, levels)
    if theta500 is not None:
        radius = as_floats(theta500, u.arcmin, "theta500", positive=True, finite=True)
        picture.circle((0, 0), float(radius), ls="--", lw=1.2)
    if beam:
        picture.beam()
    picture.label()
    if cutout.name:
        ax.set_title(cutout.name, fontsize="medium")
    if colorbar:
        ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.046).set_label(Y_LABEL)
    return ax


def plot_gallery(
    cutouts, *, fig=None, columns=4, titles=None, limits=None, contours=True, theta500=None,
    beam=True, cmap="viridis",
):  # fmt: skip
    """Plot cutouts beside each other, with contours and one scale of colours.

    Parameters
    ----------
    cutouts : `~szmass.maps.CutoutStack` or `~szmass.clusters.ClusterSample`
        Up to 100 cutouts, or a sample that has them.
    fig : `~matplotlib.figure.Figure` or `~matplotlib.figure.SubFigure`, optional
        Where to draw; by default a new figure.
    columns : int, optional
        Number of panels in a row.
    titles : sequence of str, optional
        Titles of the panels; by default the names, and the redshifts of a sample.
    limits : (float, float), optional
        Smallest and largest y of the colours, which are linear around 0 and logarithmic far from
        it. By default 0.1 % of the pixels are darker, and 0.1 % brighter.
    contours : bool or sequence of float, optional
        See `plot_cutout`.
    theta500 : `~astropy.units.Quantity`, optional
        Radii of dashed circles, one per cutout; NaN for none.
    beam : bool, optional
        Draw the beam into the first panel, where it is known.
    cmap : str or `~matplotlib.colors.Colormap`, optional
        The colours.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure. Axes are offsets from the middle of the cutouts.

    Raises
    ------
    InvalidInputError
        There is no cutout, or are too many, or another argument does not fit.
    MissingDependencyError
        Matplotlib is not installed.

    Examples
    --------
    >>> from szmass.plots import plot_gallery
    >>> from szmass.simulations import draw_flat, simulate
    >>> sample = simulate(draw_flat(4, seed=1), "planck-total", cosmology="PSZ2", seed=1)
    >>> figure = plot_gallery(sample, columns=2)
    >>> len(figure.axes) >= 4
    True
    """
    stack, names = _stack_and_titles(cutouts)
    n = len(stack)
    if not 1 <= n <= _MOST:
        raise InvalidInputError(
            f"A gallery shows 1 to {_MOST} cutouts. Received: {n}; take a part of them."
        )
    if not isinstance(columns, int) or columns < 1:
        raise InvalidInputError(f"'columns' must be a number of at least 1. Received: {columns!r}")
    titles = names if titles is None else [str(title) for title in titles]
    if len(titles) != n:
        raise InvalidInputError(
            f"'titles' must have one entry per cutout ({n}). Received: {len(titles)}"
        )
    circles = np.full(n, np.nan)
    if theta500 is not None:
        circles = as_floats(theta500, u.arcmin, "theta500", positive=True)
        if circles.shape != (n,):
            raise InvalidInputError(
                f"'theta500' must have one entry per cutout ({n}). Received: shape {circles.shape}"
            )
    norm = _norm("AsinhNorm", stack, limits, (0.001, 0.999), linear_width=_LINEAR)
    fig, axes = panel_grid(
        fig, n, columns, (2.15, 2.3), margin=(0.9, 0.5), sharex=True, sharey=True
    )
    for i, (cutout, ax) in enumerate(zip(stack, axes, strict=True)):
        scale = None if stack.angular_scale is None else stack.angular_scale[i]
        picture = _CutoutPicture(ax, cutout, stack.geometry, scale)
        image = picture.draw(cmap, norm, _contour_levels(cutout, contours))
        picture.circle((0, 0), circles[i], ls="--", lw=1)
        if beam and i == 0:
            picture.beam()
        ax.set_title(titles[i], fontsize=8)
        ax.tick_params(labelbottom=i + columns >= n)
    right, up = _offset_labels(stack.geometry)
    fig.supxlabel(right, fontsize="medium")
    fig.supylabel(up, fontsize="medium")
    bar = fig.colorbar(image, ax=axes, pad=0.02, aspect=30, extend="both")
    bar.set_label(Y_LABEL)
    ticks = np.concatenate([-_TICKS[::-1], [0], _TICKS])
    bar.set_ticks(ticks[(ticks >= norm.vmin) & (ticks <= norm.vmax)], minor=False)
    bar.minorticks_off()
    bar.ax.yaxis.set_major_formatter("{x:g}")
    return fig


def _stack_and_titles(cutouts):
    if isinstance(cutouts, ClusterSample):
        stack = as_stack(cutouts)
        titles = [
            f"{name}\n$z$ = {z:.3f}" if np.isfinite(z) else f"{name}\n$z$ unknown"
            for name, z in zip(cutouts.names, cutouts.redshift, strict=True)
        ]
        return stack, titles
    if isinstance(cutouts, CutoutStack):
        return cutouts, [str(name) for name in cutouts.names]
    raise InvalidInputError(
        "'cutouts' must be a CutoutStack, or a ClusterSample that has cutouts. Received: "
        f"{type(cutouts).__name__}"
    )


def _norm(name, image, limits, tails, **options):
    """Make matplotlib's norm of a name, from quantiles of y [1e-6] of one or many cutouts."""
    if limits is None:
        values = image.data[image.footprint] / MICRO
        low, high = np.quantile(values, tails) if len(values) else (0.0, 1.0)
        high = max(high, low + 1e-3)
    else:
        low, high = as_floats(limits, "", "limits", finite=True) / MICRO
        if not low < high:
            raise InvalidInputError(
                f"'limits' must be a lower and a higher y. Received: {limits!r}"
            )
    colors = import_optional("matplotlib.colors", extra="plot", purpose="draw plots")
    return getattr(colors, name)(vmin=low, vmax=high, **options)


class _CutoutPicture:
    """A cutout on axes: pixels on a WCSAxes, offsets from the middle on others.

    In a gallery of cutouts that are as large as the clusters, offsets are in units of these.
    """

    def __init__(self, ax, cutout, geometry=None, angular_scale=None):
        self.ax, self.cutout = ax, cutout
        self.on_sky = hasattr(ax, "get_coords_overlay")
        self.geometry = geometry = cutout.geometry if geometry is None else geometry
        unit, self.arcmin = (u.one, np.nan) if geometry.relative else (u.arcmin, 1.0)
        if geometry.relative and angular_scale is not None:
            self.arcmin = 1 / angular_scale.to_value(u.arcmin)
        self.half = geometry.size.to_value(unit)[::-1] / 2  # width, height
        self.scale = geometry.pixel_scale.to_value(unit)
        self.middle = (np.array(cutout.data.shape[::-1]) - 1) / 2

    def draw(self, cmap, norm, levels):
        """Draw image and contours."""
        matplotlib = import_optional("matplotlib", extra="plot", purpose="draw plots")
        colours = matplotlib.colormaps[cmap] if isinstance(cmap, str) else cmap
        colours = colours.with_extremes(bad=_MISSING)
        width, height = self.half
        data = np.ma.masked_array(self.cutout.data / MICRO, ~self.cutout.footprint)
        where = {} if self.on_sky else {"extent": (width, -width, -height, height)}
        image = self.ax.imshow(
            data, origin="lower", cmap=colours, norm=norm, interpolation="nearest", **where
        )
        if len(levels) and data.min() <= levels[-1] and data.max() >= levels[0]:
            self.ax.contour(
                data, levels=levels, colors="w", linewidths=0.7, alpha=0.85, origin="lower", **where
            )
        if not self.on_sky:
            self.ax.set(xlim=(width, -width), ylim=(-height, height))
        return image

    def circle(self, centre, radius, **options):
        """Draw a circle around (right, up) in the unit of the offsets; its radius is in arcmin."""
        from matplotlib.patches import Circle

        radius = radius * self.arcmin
        if not np.isfinite(radius):
            return
        if self.on_sky:
            centre = self.middle + np.array(centre) / self.scale
            radius = radius / self.scale
        else:
            centre = (-centre[0], centre[1])
        self.ax.add_patch(Circle(centre, radius, fill=False, ec="w", **options))

    def beam(self):
        """Draw the beam in the lower left corner."""
        if self.cutout.beam is None:
            return
        radius = self.cutout.beam.to_value(u.arcmin) / 2
        corner = 1.4 * radius * self.arcmin - self.half
        self.circle(corner, radius, lw=1, hatch="//////")

    def label(self):
        """Label the axes."""
        if self.on_sky:
            galactic = self.geometry.frame == "galactic"
            names = ("Right ascension", "Declination")
            names = ("Galactic longitude", "Galactic latitude") if galactic else names
            # Next to a pole the default puts longitudes on top, where the title is.
            for axis, side, name in zip(self.ax.coords, "bl", names, strict=False):
                axis.set_axislabel(name)
                axis.set_ticks_position(side)
                axis.set_ticklabel_position(side)
                axis.set_axislabel_position(side)
                axis.set_ticklabel(exclude_overlapping=True)
                if galactic:
                    axis.set_major_formatter("d.d")
            self.ax.coords.grid(color="w", alpha=0.25, lw=0.6)
            return
        right, up = _offset_labels(self.geometry)
        self.ax.set(xlabel=right, ylabel=up)


def _offset_labels(geometry):
    """Give the labels of the two axes."""
    unit = r"[$\theta_{500}$]" if geometry.relative else "[arcmin]"
    if geometry.rotation.value:
        return f"offset {unit}", f"offset {unit}"
    if geometry.frame == "galactic":
        return rf"$\Delta l\,\cos b$ {unit}", rf"$\Delta b$ {unit}"
    return rf"$\Delta\alpha\,\cos\delta$ {unit}", rf"$\Delta\delta$ {unit}"


def _contour_levels(cutout, contours):
    """Give the levels of contours [1e-6]."""
    if contours is False:
        return np.zeros(0)
    if contours is not True:
        levels = as_floats(contours, "", "contours", finite=True) / MICRO
        if levels.ndim != 1 or np.any(np.diff(levels) <= 0):
            raise InvalidInputError(
                f"'contours' must be True, False, or increasing values of y. Received: {contours!r}"
            )
        return levels
    rows, columns = (np.abs(np.linspace(-1, 1, n)) for n in cutout.data.shape)
    outer = np.maximum(rows[:, np.newaxis], columns) > np.sqrt(0.5)
    values = cutout.data[cutout.footprint & outer]
    if not len(values):
        return np.zeros(0)
    sigma = 1.4826 * np.median(np.abs(values - np.median(values))) / MICRO
    return np.median(values) / MICRO + _SIGMAS * sigma if sigma > 0 else np.zeros(0)


def plot_mass_map(mass_map, cutout=None, *, ax=None, error=False, contours=True, cmap="magma"):
    """Plot a map of projected mass, with contours of Compton-y.

    Parameters
    ----------
    mass_map : `~szmass.massmaps.MassMap`
        The map.
    cutout : `~szmass.maps.Cutout`, optional
        Compton-y about the same position, in the same directions.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default new axes.
    error : bool, optional
        Draw the standard deviation over the mean instead.
    contours : bool or sequence of float, optional
        Levels of y. True stands for 0.05, 0.1, 0.2, 0.4, 0.6 and 0.8 of the largest y in the map.
    cmap : str or `~matplotlib.colors.Colormap`, optional
        The colours.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The axes; the image is ``ax.images[0]``. A dashed circle is R500, where it is known.

    Raises
    ------
    InvalidInputError
        It is no mass map, has no value above 0, the cutout is about another place or turned, or
        contours do not increase.
    MissingDependencyError
        Matplotlib is not installed.
    """
    check_kind(mass_map, MassMap, "mass_map", "such as maps[0]")
    if mass_map.mask.all() or not np.any(mass_map.data[~mass_map.mask] > 0):
        raise InvalidInputError(f"The map of {mass_map.name!r} has no value above 0.")
    data = np.where(mass_map.mask, np.nan, mass_map.data)
    ax = new_axes(ax, (5.4, 4.6))
    height, width = mass_map.geometry.size.to_value(u.arcmin) / 2
    where = {"origin": "lower", "extent": (width, -width, -height, height)}
    if error:
        image = np.divide(mass_map.std, data, out=np.full(data.shape, np.nan), where=data > 0)
        label = r"$\sigma_\Sigma\,/\,\Sigma$"
        options = {"vmin": 0, "vmax": np.nanpercentile(image, 99)}
    else:
        from matplotlib.colors import LogNorm

        image = data / MASS_UNIT
        label = r"$\Sigma$ [$10^{14}\,M_\odot\,\mathrm{Mpc}^{-2}$]"
        top = np.nanmax(image)
        options = {"norm": LogNorm(top / 10**_DECADES, top, clip=True)}
    picture = ax.imshow(image, cmap=cmap, interpolation="nearest", **where, **options)
    ax.figure.colorbar(picture, ax=ax, pad=0.02, fraction=0.046, label=label)
    if cutout is not None and contours is not False:
        _draw_signal(ax, mass_map, cutout, contours, (width, height))
    if mass_map.r500 is not None:
        angle, radius = np.linspace(0, 2 * np.pi, 361), mass_map.r500.to_value(u.arcmin)
        ax.plot(radius * np.cos(angle), radius * np.sin(angle), "w--", lw=1.1)
    ax.set(xlim=(width, -width), ylim=(-height, height))
    galactic = mass_map.geometry.frame == "galactic"
    turned = mass_map.geometry.rotation.value != 0
    names = (r"$\Delta l\,\cos b$", r"$\Delta b$") if galactic else (
        r"$\Delta\alpha\,\cos\delta$", r"$\Delta\delta$"
    )  # fmt: skip
    names = ("offset", "offset") if turned else names
    ax.set(xlabel=f"{names[0]} [arcmin]", ylabel=f"{names[1]} [arcmin]", title=mass_map.name)
    return ax


def _draw_signal(ax, mass_map, cutout, contours, half):
    check_kind(cutout, Cutout, "cutout", "such as sample.cutouts[0]")
    own, other = mass_map.geometry, cutout.geometry
    apart = mass_map.coord.separation(cutout.coord)
    if apart > 0.01 * own.pixel_scale or (own.frame, own.rotation) != (other.frame, other.rotation):
        raise InvalidInputError(
            "'cutout' must be about the position of the mass map, with its frame and rotation. "
            f"Received: {cutout!r}, {apart.to(u.arcmin):.3g} away"
        )
    y = np.where(cutout.footprint, cutout.data, np.nan)
    up, right = (
        (np.arange(n) - middle) * other.pixel_scale.to_value(u.arcmin)
        for n, middle in zip(other.shape, other.center, strict=True)
    )
    shown = (np.abs(up)[:, np.newaxis] <= half[1]) & (np.abs(right) <= half[0])
    values = y[shown & np.isfinite(y)]
    if not len(values):
        return
    levels = _PARTS * values.max() if contours is True else np.asarray(contours, dtype=float)
    if levels.ndim != 1 or np.any(np.diff(levels) <= 0):
        if contours is True:  # no y above 0
            return
        raise InvalidInputError(
            f"'contours' must be True, False, or increasing values of y. Received: {contours!r}"
        )
    ax.contour(-right, up, y, levels=levels, colors="c", linewidths=0.8)
