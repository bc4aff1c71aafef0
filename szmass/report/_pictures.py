"""Pictures of cutouts and mass maps, marks on them, profiles, and drawings, for all pages."""

import math
from html import escape

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from szmass._tables.samples import cutout_rows
from szmass._utils.html import svg_dot, svg_line, svg_points, svg_scale, svg_text
from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.exceptions import InvalidInputError, SzmassError
from szmass.maps import CutoutStack, radial_profile
from szmass.massmaps import MassMapFlag
from szmass.physics.halos import theta500
from szmass.report._content import format_number, match_rows

_MICRO = 1e6
_PALETTE = 255  # the last index of the palette stands for what the map does not cover
_CHUNK = 256
_BINS = 12
_MAP = "inferno"
# Decades below the largest surface density of a map that its colours reach.
_DECADES = 2.5
_RADII = (0.5, 1.0, 1.5)

# Size of a drawing: width, room at the top and below the axis; its colours are in the style sheet.
WIDTH, TOP, AXIS, COLOURS = 480, 10, 46, 7


def svg_element(height, parts, title):
    """Make the ``svg`` of a drawing; colours follow the style sheet's light and dark."""
    return (
        f'<svg class="drawing" viewBox="0 0 {WIDTH} {height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


class CutoutViews:
    """Pictures and profiles of the clusters that have a page and a cutout.

    ``slugs`` are the names of the pages, of the first clusters; cutouts are of the clusters of the
    table in any order; ``pictures`` tells which clusters with a page have a picture, ``rows`` where
    in the stack each of them is, -1 where it is not.
    """

    def __init__(self, stack, content, slugs, folder, noise=None):
        if not isinstance(stack, CutoutStack):
            raise InvalidInputError(
                f"'cutouts' must be a CutoutStack. Received: {type(stack).__name__}"
            )
        unnamed = not any(str(name).strip() for name in stack.names)
        if unnamed and len(stack) == len(content):
            rows = cutout_rows(stack, content.names, SkyCoord(content.ra, content.dec, unit="deg"))
        else:
            rows = match_rows(content.names, stack.names, "cutouts")
        rows = rows[: len(slugs)]
        covered = stack.footprint.any(axis=(1, 2))
        self.pictures = (rows >= 0) & covered[rows]
        self._stack, self.rows = stack, rows
        places = np.flatnonzero(self.pictures)
        self._place = {int(i): n for n, i in enumerate(places)}
        folder.mkdir()
        self._profiles = self._scale = None
        if len(places):
            paths = [folder / f"{slugs[i]}.png" for i in places]
            self._scale = _write_cutouts(stack, rows[places], paths)
            self._scale.save_bar(folder / "scale.png")
            self._profiles = _profiles(stack, rows[places], noise)
        self._sizes, self.size_method = _sizes(content, len(slugs))

    def view(self, i):
        """Describe the picture of a cluster, lengths in pixels; None without a picture."""
        if not self.pictures[i]:
            return None
        geometry, row = self._stack.geometry, self.rows[i]
        ny, nx = geometry.shape
        scale = geometry.pixel_scale
        arcmin = None
        if not geometry.relative:
            arcmin = scale.to_value(u.arcmin)
        elif self._stack.angular_scale is not None:
            angle = self._stack.angular_scale[row].to_value(u.arcmin)
            arcmin = scale.value * angle if np.isfinite(angle) else None
        beam = self._stack.beam
        size = self._sizes[i]
        return {
            "ny": ny,
            "nx": nx,
            "frame": geometry.frame,
            "turned": geometry.rotation.value != 0,
            "height": None if arcmin is None else ny * arcmin,
            "bar": None if arcmin is None else _bar(nx * arcmin),
            "arcmin": arcmin,
            "beam": None if beam is None or arcmin is None else beam.to_value(u.arcmin),
            "theta500": float(size) if arcmin is not None and np.isfinite(size) else None,
            "size_method": self.size_method,
            "covered": float(100 * self._stack.footprint[row].mean()),
            "ticks": self._scale.ticks(),
        }

    def profile(self, i):
        """Draw the profile of a cluster, and say what is in it; None without a cutout."""
        if i not in self._place:
            return None
        found, place = self._profiles, self._place[i]
        y, err = (None if found[v] is None else found[v][place] for v in ("y", "err"))
        known = {"err": err, "band": found["band"], "beam": found["beam"]}
        drawing = _draw_profile(found["radius"], y, found["unit"], **known)
        if not drawing:
            return None
        return {"drawing": drawing} | {what: value is not None for what, value in known.items()}


def _bar(width):
    """Choose the length of the scale bar: a round number of at most a quarter of the width."""
    steps = [m * 10.0**p for p in range(-2, 5) for m in (1, 2, 3, 5)]
    return max((s for s in steps if s <= width / 4), default=width / 4)


def _sizes(content, count):
    """Theta500 [arcmin] by the first method that knows its cosmology, and that method's label."""
    z = content.redshift[:count]
    for method in content.methods:
        cosmology = method.meta.get("cosmology")
        if not isinstance(cosmology, str):
            continue
        mass = method.mass[:count]
        known = np.isfinite(mass) & (z > 0)
        if not known.any():
            continue
        sizes = np.full(count, np.nan)
        try:
            angles = theta500(mass[known] * u.solMass, z[known], cosmology=cosmology)
        except SzmassError:
            continue
        sizes[known] = angles.to_value(u.arcmin)
        return sizes, method.label
    return np.full(count, np.nan), ""


class _ColourScale:
    """An asinh scale of Compton-y that all cutouts (N, ny, nx) of a report share.

    It goes from ``low`` to ``high`` and turns from linear to logarithmic at ``linear`` [1e-6].
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
        colours = matplotlib.colormaps[_MAP](np.linspace(0, 1, _PALETTE))[:, :3]
        colours = np.round(255 * colours)
        self._palette = [*colours.astype(int).ravel().tolist(), 128, 128, 128]

    def index(self, values):
        """Give palette indices, uint8 from 0 to 254, of values of Compton-y."""
        return np.round(self.place(values * _MICRO) * (_PALETTE - 1)).astype(np.uint8)

    def place(self, value):
        """Give the place on the colour bar, from 0 to 1, of values [1e-6]."""
        low, high = np.arcsinh(np.array([self.low, self.high]) / self.linear)
        return np.clip((np.arcsinh(value / self.linear) - low) / (high - low), 0, 1)

    def ticks(self):
        """Choose ticks of the colour bar: (place from 0 to 1, label)."""
        # Zero and round numbers first, others where there is room.
        steps = [m * 10.0**power for m in (1, 5, 2) for power in range(3, -4, -1)]
        chosen = {}
        for value in [0.0, *(sign * step for step in steps for sign in (1, -1))]:
            place = float(self.place(value))
            if self.low <= value <= self.high and all(abs(place - p) > 0.09 for p in chosen):
                chosen[place] = f"{value:g}"
        return sorted(chosen.items())

    def save(self, index, path):
        """Write palette indices (ny, nx), first row at the top, as PNG."""
        image = import_optional("PIL.Image", extra="report", purpose="write pictures")
        picture = image.frombytes("P", index.shape[::-1], index.tobytes())
        picture.putpalette(self._palette)
        picture.save(path, format="PNG", transparency=_PALETTE, optimize=False, compress_level=9)

    def save_bar(self, path):
        """Write the colour bar, from left to right."""
        self.save(np.arange(_PALETTE, dtype=np.uint8)[np.newaxis], path)


def _round(value):
    return float(f"{value:.2g}")


def _write_cutouts(stack, rows, paths):
    """Write some cutouts as PNG files, longitude to the left, and give their scale."""
    scale = _ColourScale(stack.data[rows], stack.footprint[rows])
    pairs = zip(rows, paths, strict=True)
    for row, path in progress_bar(pairs, desc="pictures", total=len(rows), unit="cluster"):
        covered = stack.footprint[row]
        index = scale.index(np.where(covered, stack.data[row], 0.0))
        index[~covered] = _PALETTE
        # The first row of a cutout is the lowest, that of a picture the highest.
        scale.save(np.ascontiguousarray(index[::-1]), path)
    return scale


def _profiles(stack, rows, noise=None):
    """Average Compton-y in rings around the middle of some cutouts.

    The dict has ``radius`` (B,) in ``unit``, ``y`` and ``err`` (N, B) [1e-6], and ``band`` (3, B),
    the 16, 50 and 84 % quantiles of all clusters, and ``beam``, its FWHM; all but ``radius`` and
    ``y`` may be None.
    """
    geometry, beam = stack.geometry, stack.beam
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
        "beam": None if geometry.relative or beam is None else beam.to_value(edges.unit),
        "band": band if len(y) >= 5 else None,
        "unit": str(geometry.size.unit) or "θ500",
    }


def _draw_profile(radius, y, unit, *, err, band, beam):
    """Draw the mean Compton-y of rings, (B,) [1e-6] at mean radii, as an ``svg``.

    ``err`` may be None, ``band`` (3, B) too: low, middle and high quantiles of other clusters;
    ``beam`` is its FWHM in the unit of the radii. It is empty if no y is known.
    """
    known = np.isfinite(y)
    if not known.any():
        return ""
    height, left, right, bottom = 270, 56, WIDTH - 12, 270 - AXIS
    values = [y[known], [0.0]]
    if err is not None:
        values += [(y + err)[known], (y - err)[known]]
    if band is not None:
        values.append(band[np.isfinite(band)])
    values = np.concatenate(values)
    low, high = float(values.min()), float(values.max())
    pad = 0.07 * ((high - low) or 1.0)
    x = svg_scale(0, float(radius[-1]) * 1.04, left, right)
    v = svg_scale(low - pad, high + pad, bottom, TOP)
    parts = []
    if beam is not None:
        parts.append(
            f'<rect class="beam" x="{left}" y="{TOP}" width="{x(beam / 2) - left:.1f}" '
            f'height="{bottom - TOP}"/>'
        )
    for value in _even_ticks(low - pad, high + pad):
        parts.append(svg_line("grid", left, right, v(value), v(value)))
        parts.append(svg_text(left - 8, v(value) + 5, f"{value:g}", "end"))
    for value in _even_ticks(0, radius[-1] * 1.04):
        parts.append(svg_text(x(value), bottom + 17, f"{value:g}", "middle"))
    parts.append(svg_line("axis", left, right, v(0), v(0)))
    if band is not None:
        inside = np.isfinite(band).all(axis=0)
        r, (lower, middle, top) = x(radius[inside]), v(band[:, inside])
        edge = svg_points(np.append(r, r[::-1]), np.append(top, lower[::-1]))
        parts.append(f'<polygon class="band" points="{edge}"/>')
        parts.append(f'<polyline class="middle" points="{svg_points(r, middle)}"/>')
    if err is not None:
        for r, value, e in zip(radius[known], y[known], err[known], strict=True):
            parts.append(svg_line("bar thin c0", x(r), x(r), v(value - e), v(value + e)))
    line = list(zip(radius[known], y[known], strict=True))
    points = svg_points(x(radius[known]), v(y[known]))
    parts.append(f'<polyline class="curve c0" points="{points}"/>')
    parts += [svg_dot("dot c0", x(r), v(value), 4) for r, value in line]
    parts.append(svg_text((left + right) / 2, height - 8, f"radius [{unit}]", "middle"))
    parts.append(
        f'<text transform="translate(16 {(bottom + TOP) / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">Compton-y [10<tspan class="sub" dy="-6">−6</tspan>'
        '<tspan dy="6">]</tspan></text>'
    )
    (start, first), (end, last) = line[0], line[-1]
    title = f"Mean Compton-y from {start:.3g} to {end:.3g} {unit}"
    if first > last:
        title = (
            f"Mean Compton-y falls from {first:.3g}e-6 at {start:.3g} {unit} to {last:.3g}e-6 at "
            f"{end:.3g} {unit}"
        )
    return svg_element(height, parts, title)


def _even_ticks(low, high):
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step)
    return [round(i * step, 12) for i in range(first, math.floor(high / step) + 1)]


class MassMapViews:
    """Mass maps of clusters that have a page, by name: a picture, and masses in cylinders."""

    def __init__(self, maps, names, slugs, folder):
        rows = match_rows(names, maps.names, "mass_maps")[: len(slugs)]
        self._maps = maps
        made = np.isfinite(maps.r500) & (np.nan_to_num(maps.data).max(axis=(1, 2)) > 0)
        self._rows = np.where((rows >= 0) & made[rows], rows, -1)
        folder.mkdir()
        pairs = zip(self._rows, slugs, strict=True)
        for row, slug in progress_bar(pairs, desc="mass maps", total=len(slugs), unit="cluster"):
            if row >= 0:
                _save(maps.data[row], folder / f"{slug}.png")

    def view(self, i):
        """Describe the map of a cluster, lengths in pixels; None without a map."""
        if (row := self._rows[i]) < 0:
            return None
        one = self._maps[int(row)]
        ny, nx = one.geometry.shape
        r500 = one.r500.to_value(u.arcmin)
        side = one.geometry.pixel_scale.to_value(u.arcmin)
        masses = []
        for part in _RADII:
            if part * r500 > 0.5 * min(ny, nx) * side:
                continue
            mass, error = (value.value / 1e14 for value in one.mass_within(part * one.r500))
            masses.append((f"{part:g}", format_number(mass, 3), format_number(error, 2)))
        return {
            "ny": ny,
            "nx": nx,
            "arcmin": side,
            "r500": r500,
            "masses": masses,
            "peak": format_number(np.nanmax(one.data) / 1e14, 3),
            "decades": _DECADES,
            "method": one.meta.get("method", "unknown"),
            "mass_from": one.meta.get("mass_from", "unknown"),
            "flags": [(bit.name, bit.words) for bit in MassMapFlag if one.flag & bit],
        }


def _save(image, path):
    matplotlib = import_optional("matplotlib", extra="report", purpose="colour pictures")
    picture = import_optional("PIL.Image", extra="report", purpose="write pictures")
    with np.errstate(divide="ignore"):
        place = 1 + np.log10(image / np.nanmax(image)) / _DECADES
    colours = matplotlib.colormaps["magma"](np.clip(np.nan_to_num(place, neginf=0), 0, 1))
    # The first row of a map is the lowest, that of a picture the highest.
    shown = np.round(255 * colours[::-1, :, :3]).astype(np.uint8)
    picture.fromarray(shown).save(path, format="PNG", optimize=True)
