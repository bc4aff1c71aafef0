"""What the pages show of the cutouts: pictures, marks on them, and profiles."""

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError, SzmassError
from szmass.maps import CutoutStack
from szmass.physics.halos import theta500
from szmass.report._columns import match_rows
from szmass.report._images import profiles, write_cutouts

__all__ = ["CutoutViews"]


class CutoutViews:
    """Pictures and profiles of the clusters that have a page and a cutout.

    Parameters
    ----------
    stack : `~szmass.maps.CutoutStack`
        The cutouts, of the clusters of the table in any order.
    content : Content
        The clusters.
    slugs : list of str
        Names of the pages of the first clusters.
    folder : pathlib.Path
        Where to write the pictures.
    noise : `~szmass.maps.NoiseModel`, optional
        Noise of the map, for errors of the profiles.

    Attributes
    ----------
    pictures : ndarray of bool
        Which clusters with a page have a picture.
    rows : ndarray of int
        Where in the stack each of them is; -1 where it is not.
    """

    def __init__(self, stack, content, slugs, folder, noise=None):
        if not isinstance(stack, CutoutStack):
            raise InvalidInputError(
                f"'cutouts' must be a CutoutStack. Received: {type(stack).__name__}"
            )
        unnamed = not any(str(name).strip() for name in stack.names)
        if unnamed and len(stack) == len(content):
            rows = np.arange(len(content))
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
            self._scale = write_cutouts(stack, rows[places], paths)
            self._scale.save_bar(folder / "scale.png")
            self._profiles = profiles(stack, rows[places], noise)
        self._sizes, self.size_method = _sizes(content, len(slugs))

    def view(self, i):
        """Describe the picture of a cluster.

        Parameters
        ----------
        i : int
            Number of the cluster.

        Returns
        -------
        dict or None
            Lengths are in units of the picture's height; None without a picture.
        """
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
        """Give the profile of a cluster as `draw_profile` takes it.

        Parameters
        ----------
        i : int
            Number of the cluster.

        Returns
        -------
        tuple or None
            None without a cutout.
        """
        if i not in self._place:
            return None
        found, place = self._profiles, self._place[i]
        beam = self._stack.beam
        if beam is not None:
            same = u.Unit(found["unit"]) if not self._stack.geometry.relative else None
            beam = None if same is None else beam.to_value(same)
        err = found["err"]
        return (
            found["radius"],
            found["y"][place],
            None if err is None else err[place],
            found["band"],
            found["unit"],
            beam,
        )


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
