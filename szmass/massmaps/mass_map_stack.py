"""Maps of projected mass of many clusters on one grid."""

import astropy.units as u
import numpy as np

from szmass._io.stored import Stored
from szmass._utils.kinds import rows_of
from szmass._utils.names import NameIndex
from szmass.exceptions import InvalidInputError
from szmass.massmaps import _files as files
from szmass.massmaps.mass_map import MassMap, angles_or_lengths
from szmass.physics import get_cosmology

__all__ = ["MassMapStack"]


class MassMapStack(Stored):
    """Maps of projected mass of many clusters on one grid, each about its own position.

    ``stack[3]`` and ``stack["A2142"]`` are a `MassMap`; slices, masks, and lists of numbers or
    names give a stack. Maps of clusters that have none are NaN, with a flag.

    Parameters
    ----------
    data, std : ndarray
        Means and standard deviations [solMass / Mpc2], shape (N, ny, nx).
    modes : ndarray
        As in `MassMap`, shape (N, K, ny, nx).
    coord : `~astropy.coordinates.SkyCoord`
        The N positions.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid; a relative pixel scale is in units of ``r500``.
    names : sequence of str
        Names of the clusters.
    redshift, r500, flag : array-like
        Redshifts, R500 [arcmin], and bits of `MassMapFlag`, shape (N,).
    cosmology : str or `~astropy.cosmology.FLRW`
        For distances.
    meta : dict, optional
        What the maps were made with.

    Raises
    ------
    InvalidInputError
        Shapes do not match.

    Notes
    -----
    Files are FITS: cubes, and a table of names and positions.
    """

    def __init__(
        self,
        data,
        std,
        modes,
        coord,
        geometry,
        *,
        names,
        redshift,
        r500,
        flag,
        cosmology,
        meta=None,
    ):
        self.data, self.std, self.modes = (np.asarray(v, np.float32) for v in (data, std, modes))
        self.coord, self.geometry = coord, geometry
        self.names = np.array(names, dtype=str)
        self.redshift, self.r500 = (np.array(v, dtype=float) for v in (redshift, r500))
        self.flag = np.array(flag, dtype=int)
        self.cosmology = get_cosmology(cosmology)
        self.meta = {} if meta is None else dict(meta)
        n = len(self.data)
        shape = (n, *geometry.shape)
        same = self.data.shape == self.std.shape == shape
        same &= self.modes.shape == (n, *self.modes.shape[1:2], *geometry.shape)
        lengths = (len(v) for v in (coord, self.names, self.redshift, self.r500, self.flag))
        if not same or any(length != n for length in lengths):
            raise InvalidInputError(
                f"'data', 'std' and each of 'modes' must have the shape {shape}, and all else an "
                "entry per map. "
                f"Received: {self.data.shape}, {self.std.shape} and {self.modes.shape}"
            )

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        return f"<MassMapStack of {len(self)}: {self.geometry!r}>"

    def __getitem__(self, index):
        index = rows_of(index, len(self), lambda: NameIndex(self.names, "map"), "map", "stack")
        rows = {name: getattr(self, name)[index] for name in ("data", "std", "modes", "flag")}
        if isinstance(index, int):
            made = np.isfinite(self.r500[index])
            return MassMap(
                **rows,
                coord=self.coord[index],
                geometry=self._geometry_at(index),
                redshift=self.redshift[index] if made else np.nan,
                cosmology=self.cosmology,
                r500=self.r500[index] * u.arcmin if made else None,
                name=self.names[index],
                meta=self.meta,
            )
        return MassMapStack(
            **rows,
            coord=self.coord[index],
            geometry=self.geometry,
            names=self.names[index],
            redshift=self.redshift[index],
            r500=self.r500[index],
            cosmology=self.cosmology,
            meta=self.meta,
        )

    def _geometry_at(self, i):
        if not self.geometry.relative:
            return self.geometry
        size = self.r500[i] if np.isfinite(self.r500[i]) else 1.0
        return self.geometry.scaled(size * u.arcmin)

    def mass_within(self, radius):
        """Give the mass of each cluster in a cylinder about the middle of its map.

        Parameters
        ----------
        radius : `~astropy.units.Quantity`
            One for all, or one per map: angles or proper lengths.

        Returns
        -------
        mass : `~astropy.units.Quantity`
            Mean [solMass], shape (N,); NaN where there is no map, and where the circle reaches
            beyond it.
        error : `~astropy.units.Quantity`
            Standard deviation [solMass], shape (N,).

        Raises
        ------
        InvalidInputError
            A radius is not positive, or there is another number of them than of maps.
        InvalidUnitError
            A radius is neither an angle nor a length.
        """
        radii = angles_or_lengths(radius, "radius")
        if radii.shape not in ((), (len(self),)):
            raise InvalidInputError(
                f"'radius' must be one for all, or one for each of {len(self)} maps. "
                f"Received: {radius!r}"
            )
        radii = np.broadcast_to(radii, (len(self),), subok=True)
        found = np.full((2, len(self)), np.nan)
        for i, (one, r) in enumerate(zip(self, radii, strict=True)):
            if one.mask.all() or not np.isfinite(r):
                continue
            if float(one._in_pixels(r)) <= min(self.geometry.shape) / 2:
                found[:, i] = [value.value for value in one.mass_within(r)]
        return found[0] << u.solMass, found[1] << u.solMass

    def write(self, path, *, overwrite=False):
        files.write_stack(self, path, overwrite)

    @classmethod
    def read(cls, path):
        return files.read_stack(path, cls)
