"""A cutout on axes: image, contours, circles and labels."""

import astropy.units as u
import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.plots.style import MICRO

__all__ = ["CutoutPicture", "contour_levels", "offset_labels"]

_SIGMAS = np.array([3, 5, 10, 20, 40, 80])
_MISSING = "0.75"


class CutoutPicture:
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
        colours = _colormap(cmap)
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
            names = (
                ("Galactic longitude", "Galactic latitude")
                if galactic
                else ("Right ascension", "Declination")
            )
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
        right, up = offset_labels(self.geometry)
        self.ax.set(xlabel=right, ylabel=up)


def offset_labels(geometry):
    """Give the labels of the two axes."""
    unit = r"[$\theta_{500}$]" if geometry.relative else "[arcmin]"
    if geometry.rotation.value:
        return f"offset {unit}", f"offset {unit}"
    if geometry.frame == "galactic":
        return rf"$\Delta l\,\cos b$ {unit}", rf"$\Delta b$ {unit}"
    return rf"$\Delta\alpha\,\cos\delta$ {unit}", rf"$\Delta\delta$ {unit}"


def contour_levels(cutout, contours):
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


def _colormap(cmap):
    matplotlib = import_optional("matplotlib", extra="plot", purpose="draw plots")
    colours = matplotlib.colormaps[cmap] if isinstance(cmap, str) else cmap
    return colours.with_extremes(bad=_MISSING)
