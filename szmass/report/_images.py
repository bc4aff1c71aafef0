"""Pictures of cutouts as small PNG files, and profiles, all clusters at once."""

import astropy.units as u
import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.maps import radial_profile

__all__ = ["ColourScale", "profiles", "write_cutouts"]

_MICRO = 1e6
_COLOURS = 255  # the last index of the palette stands for what the map does not cover
_CHUNK = 256
_BINS = 12
_MAP = "inferno"


class ColourScale:
    """An asinh scale of Compton-y that all cutouts of a report share.

    Parameters
    ----------
    data : ndarray, shape (N, ny, nx)
        Compton-y.
    footprint : ndarray of bool
        Where it is valid.

    Attributes
    ----------
    low, high, linear : float
        Ends of the scale and where it turns from linear to logarithmic [1e-6].
    """

    def __init__(self, data, footprint):
        # A few hundred cutouts tell the noise and the brightest peaks well enough.
        step = max(1, len(data) // 500)
        values = data[::step][footprint[::step]].astype(float) * _MICRO
        if not len(values):
            values = np.array([0.0, 1.0])
        middle = np.median(values)
        noise = 1.4826 * np.median(np.abs(values - middle))
        noise = noise if noise > 0 else max(np.ptp(values), np.abs(middle), 1e-6) / 10
        self.low = _round(middle - 3 * noise)
        self.high = _round(max(np.percentile(values, 99.97), middle + 10 * noise))
        self.linear = _round(2 * noise)
        matplotlib = import_optional("matplotlib", extra="report", purpose="colour pictures")
        colours = matplotlib.colormaps[_MAP](np.linspace(0, 1, _COLOURS))[:, :3]
        colours = np.round(255 * colours)
        self._palette = [*colours.astype(int).ravel().tolist(), 128, 128, 128]

    def index(self, values):
        """Give the palette index of values of Compton-y.

        Parameters
        ----------
        values : ndarray
            Compton-y, dimensionless.

        Returns
        -------
        ndarray of uint8
            From 0 to 254.
        """
        return np.round(self.place(values * _MICRO) * (_COLOURS - 1)).astype(np.uint8)

    def place(self, value):
        """Give the place on the colour bar.

        Parameters
        ----------
        value : float or ndarray
            [1e-6].

        Returns
        -------
        float or ndarray
            From 0 to 1.
        """
        low, high = np.arcsinh(np.array([self.low, self.high]) / self.linear)
        return np.clip((np.arcsinh(value / self.linear) - low) / (high - low), 0, 1)

    def ticks(self):
        """Choose ticks of the colour bar.

        Returns
        -------
        list of (float, str)
            Place from 0 to 1 and label.
        """
        # Zero and round numbers first, others where there is room.
        steps = [m * 10.0**power for m in (1, 5, 2) for power in range(3, -4, -1)]
        chosen = {}
        for value in [0.0, *(sign * step for step in steps for sign in (1, -1))]:
            place = float(self.place(value))
            if self.low <= value <= self.high and all(abs(place - p) > 0.09 for p in chosen):
                chosen[place] = f"{value:g}"
        return sorted(chosen.items())

    def save(self, index, path):
        """Write an image of palette indices as PNG.

        Parameters
        ----------
        index : ndarray of uint8
            The image, first row at the top.
        path : path-like
            The target.
        """
        image = import_optional("PIL.Image", extra="report", purpose="write pictures")
        picture = image.frombytes("P", index.shape[::-1], index.tobytes())
        picture.putpalette(self._palette)
        picture.save(path, format="PNG", transparency=_COLOURS, optimize=False, compress_level=9)

    def save_bar(self, path):
        """Write the colour bar, from left to right.

        Parameters
        ----------
        path : path-like
            The target.
        """
        self.save(np.arange(_COLOURS, dtype=np.uint8)[np.newaxis], path)


def _round(value):
    return float(f"{value:.2g}")


def write_cutouts(stack, rows, paths):
    """Write cutouts as PNG files of one pixel per pixel, longitude increasing to the left.

    Parameters
    ----------
    stack : `~szmass.maps.CutoutStack`
        The cutouts.
    rows : sequence of int
        Which of them.
    paths : sequence of path-like
        Where to.

    Returns
    -------
    ColourScale
        That of all of them.
    """
    scale = ColourScale(stack.data[rows], stack.footprint[rows])
    pairs = zip(rows, paths, strict=True)
    for row, path in progress_bar(pairs, desc="pictures", total=len(rows), unit="cluster"):
        covered = stack.footprint[row]
        index = scale.index(np.where(covered, stack.data[row], 0.0))
        index[~covered] = _COLOURS
        # The first row of a cutout is the lowest, that of a picture the highest.
        scale.save(np.ascontiguousarray(index[::-1]), path)
    return scale


def profiles(stack, rows, noise=None):
    """Average Compton-y in rings around the middle of cutouts.

    Parameters
    ----------
    stack : `~szmass.maps.CutoutStack`
        The cutouts.
    rows : sequence of int
        Which of them.
    noise : `~szmass.maps.NoiseModel`, optional
        Noise of the map, for errors.

    Returns
    -------
    dict
        ``radius`` (B,) in ``unit``, ``y`` and ``err`` (N, B) [1e-6], and ``band`` (3, B), the 16,
        50 and 84 % quantiles of all clusters; ``err`` and ``band`` may be None.
    """
    geometry = stack.geometry
    half = 0.5 * min(geometry.size.value)
    edges = u.Quantity(np.linspace(0, half, _BINS + 1), geometry.size.unit)
    if edges.unit == u.dimensionless_unscaled:
        edges = edges.value
    y, err, radius = [], [], None
    for start in range(0, len(rows), _CHUNK):
        part = stack[np.asarray(rows[start : start + _CHUNK])]
        table = radial_profile(part, edges, noise=noise)
        y.append(np.asarray(table["y"]) * _MICRO)
        if "y_err" in table.colnames:
            err.append(np.asarray(table["y_err"]) * _MICRO)
        if radius is None:
            radius = np.asarray(u.Quantity(table["radius"]).value[0])
    y = np.concatenate(y)
    # Rings that the map does not cover for any cluster have no quantiles.
    known = np.isfinite(y).any(axis=0)
    band = np.full((3, y.shape[1]), np.nan)
    band[:, known] = np.nanpercentile(y[:, known], [16, 50, 84], axis=0)
    return {
        "radius": radius,
        "y": y,
        "err": np.concatenate(err) if err else None,
        "band": band if len(y) >= 5 else None,
        "unit": str(geometry.size.unit) or "θ500",
    }
