"""Pictures and numbers of mass maps on the pages of clusters."""

import astropy.units as u
import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.massmaps import MassMapFlag
from szmass.report._content import match_rows
from szmass.report._pages import format_number

# Decades below the largest surface density of a map that its colours reach.
_DECADES = 2.5
_RADII = (0.5, 1.0, 1.5)


class MassMapViews:
    """Mass maps of clusters that have a page, by name: a picture, and masses in cylinders."""

    def __init__(self, maps, names, slugs, folder):
        rows = match_rows(names, maps.names, "mass_maps")[: len(slugs)]
        self._maps = maps
        self._rows = np.where((rows >= 0) & np.isfinite(maps.r500)[rows], rows, -1)
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
