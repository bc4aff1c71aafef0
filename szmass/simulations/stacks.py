"""Maps of one field of many simulated clusters."""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from szmass._utils.kinds import rows_of
from szmass._utils.names import NameIndex
from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import check_beam

__all__ = ["FieldStack"]


class FieldStack:
    """Maps of one field of many clusters, in its own unit: projected mass, X-rays or galaxies.

    ``stack[3]`` and ``stack["A2142"]`` are a `~astropy.units.Quantity` of shape (ny, nx); slices,
    masks, and lists of numbers or names give a `FieldStack`.

    Parameters
    ----------
    name : str
        Name of the field.
    data : array-like
        Maps, shape (N, ny, nx), kept as float32.
    unit : str or `~astropy.units.UnitBase`
        Their unit.
    coord : `~astropy.coordinates.SkyCoord`
        The N positions at the middle of the grid.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid.
    names : sequence of str
        Names of the clusters.
    beam : `~astropy.units.Quantity`, optional
        FWHM of the Gaussian beam; None for counts of points.
    meta : dict, optional
        Anything else.

    Raises
    ------
    InvalidInputError
        Shapes or lengths do not match.
    """

    def __init__(self, name, data, unit, coord, *, geometry, names, beam=None, meta=None):
        self.name, self.unit = str(name), u.Unit(unit)
        self.data = np.ascontiguousarray(data, dtype=np.float32)
        self.geometry, self.beam = geometry, check_beam(beam)
        # A table that has the positions may be sorted in place.
        self.coord = coord.copy() if isinstance(coord, SkyCoord) else coord
        self.names = np.array(names, dtype=str)
        self.meta = {} if meta is None else dict(meta)
        n = len(self.names)
        fine = isinstance(coord, SkyCoord) and coord.shape == self.names.shape == (n,)
        if not fine or self.data.shape != (n, *geometry.shape):
            raise InvalidInputError(
                f"'data' of the field {self.name!r} must have the shape (N, *geometry.shape), "
                "'coord' and 'names' an entry for each map. Received: "
                f"{self.data.shape}, {getattr(coord, 'shape', coord)} and {self.names.shape} with "
                f"{geometry!r}"
            )

    @property
    def quantity(self):
        """The maps as a `~astropy.units.Quantity`."""
        return self.data << self.unit

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return iter(self.quantity)

    def __getitem__(self, index):
        index = rows_of(index, len(self), lambda: NameIndex(self.names, "map"), "map", "stack")
        if isinstance(index, int):
            return self.data[index] << self.unit
        return FieldStack(
            self.name,
            self.data[index],
            self.unit,
            self.coord[index],
            geometry=self.geometry,
            names=self.names[index],
            beam=self.beam,
            meta=self.meta,
        )

    def __repr__(self):
        beam = None if self.beam is None else str(self.beam)
        return (
            f"<FieldStack {self.name!r} of {len(self)} [{self.unit}]: {self.geometry!r}, "
            f"beam={beam!r}>"
        )

    @classmethod
    def joined(cls, stacks):
        """Join stacks of one field and grid.

        Parameters
        ----------
        stacks : sequence of FieldStack
            At least one.

        Returns
        -------
        FieldStack
            Their maps, one after the other.
        """
        first = stacks[0]
        frame = first.coord.frame
        coord = SkyCoord([c for stack in stacks for c in stack.coord.transform_to(frame)])
        return cls(
            first.name,
            np.concatenate([stack.data for stack in stacks]),
            first.unit,
            coord,
            geometry=first.geometry,
            names=np.concatenate([stack.names for stack in stacks]),
            beam=first.beam,
            meta=first.meta,
        )
