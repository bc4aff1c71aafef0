"""Maps of one field of many simulated clusters, and FITS files of such fields."""

import json
import textwrap

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from szmass._io.files import atomic_path
from szmass._io.fits import open_fits
from szmass._io.headers import Keywords, understood
from szmass._io.stored import Stored
from szmass._tables.packing import from_ascii, to_ascii
from szmass._utils.kinds import check_kind, rows_of
from szmass._utils.names import NameIndex, did_you_mean
from szmass.exceptions import FileFormatError, InvalidInputError, UnknownNameError
from szmass.maps.cutouts import check_beam
from szmass.maps.frames import lonlat
from szmass.maps.geometry import geometry_cards, geometry_of_cards

__all__ = ["FieldStack", "read_fields", "write_fields"]

_POSITIONS = "POSITIONS"
_WCS = (
    "Plane i of each image is the tangent plane about row i of POSITIONS, whose lon and lat are "
    "CRVAL of its WCS, in the frame GEOFRAME; the reference pixel is the middle of the plane, "
    "pixels have the side PIXSCALE, and rows increase at the position angle ROTATION, columns "
    "90 deg before it: to the North and the West where that is 0."
)


class FieldStack(Stored):
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
        Names or positions are not N, or ``data`` has not the shape (N, ny, nx) of the grid.

    Notes
    -----
    Files are FITS, as `write_fields` says, which writes several fields to one.

    Examples
    --------
    >>> from szmass.simulations import draw_flat, simulate
    >>> mocks = simulate(draw_flat(2, seed=1), "clean", cosmology="PSZ2", seed=1, fields=["mass"])
    >>> field = mocks.fields["mass"]
    >>> field.data.shape, str(field.unit)
    ((2, 96, 96), 'solMass / Mpc2')
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

    def wcs(self, index):
        """Give the WCS of one map.

        Parameters
        ----------
        index : int or str
            Number or name of the map.

        Returns
        -------
        `~astropy.wcs.WCS`
            Tangent plane about the position of the cluster.

        Raises
        ------
        InvalidInputError
            It is not one map, or the position is not known.
        UnknownNameError
            No map has that name.
        """
        row = self._row(index)
        if not isinstance(row, int):
            raise InvalidInputError(f"A WCS is that of one map. Received: {index!r}")
        return self.geometry.wcs(self.coord[row])

    def write(self, path, *, overwrite=False):
        write_fields([self], path, overwrite=overwrite)

    @classmethod
    def read(cls, path, name=None):
        """Read one field that `write`, or `write_fields`, wrote; others in the file cost nothing.

        Parameters
        ----------
        path : path-like
            A FITS file.
        name : str, optional
            Which field, where the file has several.

        Returns
        -------
        FieldStack
            The field, with positions in the frame of its geometry.

        Raises
        ------
        FileFormatError
            The file is truncated or something else.
        UnknownNameError
            The file has no such field, or several and ``name`` is not given.
        """
        return next(iter(_read(path, None if name is None else [name], one=True).values()))

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return iter(self.quantity)

    def _row(self, index):
        return rows_of(index, len(self), lambda: NameIndex(self.names, "map"), "map", "stack")

    def __getitem__(self, index):
        index = self._row(index)
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
            Of the same field on the same grid; there must be one.

        Returns
        -------
        FieldStack
            Their maps, one after the other, in the frame of the first, with its ``meta``.
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


def write_fields(fields, path, *, overwrite=False):
    """Write fields of the same clusters to one FITS file.

    Each field is an image of three axes in an extension of its name, with its unit as ``BUNIT``.
    Names and positions of the clusters are in the table ``POSITIONS``, the grid in the primary
    header, which says how they make the WCS of a plane.

    Parameters
    ----------
    fields : dict or sequence of FieldStack
        Such as ``sample.fields``: fields of the same clusters on one grid.
    path, overwrite : path-like, bool, optional
        The target, and whether it may be replaced, as for `FieldStack.write`.

    Raises
    ------
    InvalidInputError
        There is no field, clusters, grids or names do not go together, the target exists, or its
        folder does not.

    See Also
    --------
    read_fields : Reads them all; `FieldStack.read` reads one.

    Examples
    --------
    >>> from szmass.simulations import draw_flat, read_fields, simulate, write_fields
    >>> mocks = simulate(draw_flat(2, seed=1), cosmology="PSZ2", seed=1, fields=["mass", "xray"])
    >>> write_fields(mocks.fields, "fields.fits")  # doctest: +SKIP
    >>> mocks.fields = read_fields("fields.fits")  # doctest: +SKIP
    """
    stacks = list(fields.values()) if isinstance(fields, dict) else fields
    if not isinstance(stacks, list | tuple) or not stacks:
        raise InvalidInputError(
            "'fields' must be a dict or a list of at least one FieldStack, such as sample.fields. "
            f"Received: {fields!r:.200}"
        )
    for stack in stacks:
        _check_same(check_kind(stack, "FieldStack", "fields"), stacks[0])
    if len({stack.name for stack in stacks}) < len(stacks):
        names = [stack.name for stack in stacks]
        raise InvalidInputError(f"'fields' must have each field once. Received: {names}")
    hdus = [fits.PrimaryHDU(header=_grid_header(stacks[0])), _positions_hdu(stacks[0])]
    hdus += [fits.ImageHDU(stack.data, _field_header(stack)) for stack in stacks]
    with atomic_path(path, overwrite=overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary)


def read_fields(path):
    """Read all fields of a file that `write_fields` wrote.

    Parameters
    ----------
    path : path-like
        A FITS file.

    Returns
    -------
    dict of str to FieldStack
        The fields by name, as ``sample.fields`` takes them, with positions in the frame of their
        geometry.

    Raises
    ------
    FileFormatError
        The file is truncated or something else.
    """
    return _read(path)


def _check_same(stack, first):
    for what, fine in {
        "clusters": np.array_equal(stack.names, first.names)
        and np.all(stack.coord.separation(first.coord) < 1 * u.mas),
        "grid": stack.geometry == first.geometry,
    }.items():
        if not fine:
            raise InvalidInputError(
                f"'fields' must be of the same {what}: {stack.name!r} and {first.name!r} are not. "
                "Write them to files of their own."
            )


def _grid_header(stack):
    header = fits.Header(geometry_cards(stack.geometry))
    for line in textwrap.wrap(_WCS, 72):
        header["COMMENT"] = line
    return header


def _positions_hdu(stack):
    lon, lat = np.degrees(lonlat(stack.coord, stack.geometry.frame))
    names, escaped = to_ascii(stack.names)
    table = Table({"name": np.array(names, dtype=str), "lon": lon * u.deg, "lat": lat * u.deg})
    hdu = fits.table_to_hdu(table)
    hdu.name = _POSITIONS
    hdu.header["ESCAPED"] = (escaped, "whether names have escapes as Python has them")
    return hdu


def _field_header(stack):
    header = fits.Header()
    (header["FIELD"],), _ = to_ascii([stack.name])
    header["EXTNAME"] = header["FIELD"].upper()
    header["BUNIT"] = stack.unit.to_string()
    if stack.beam is not None:
        header["BEAM"] = (str(stack.beam), "FWHM of the Gaussian beam")
    header["META"] = json.dumps(stack.meta, default=str)
    return header


def _read(path, names=None, one=False):
    """Fields of a file by name, all or some; ``one``: it must be one."""
    with open_fits(path) as hdus:
        images = {}
        for hdu in hdus:
            name = Keywords(hdu.header, path).text("FIELD")
            if name and isinstance(hdu, fits.ImageHDU):
                images[from_ascii([name])[0]] = hdu
        header = Keywords(hdus[0].header, path)
        if not images or _POSITIONS not in hdus or not header.text("GEOFRAME"):
            raise FileFormatError(f"{path} has no fields of simulated clusters in it.")
        names = list(images) if names is None else names
        if (lost := [name for name in names if name not in images]) or (one and len(names) > 1):
            what = f"no field {lost[0]!r}" if lost else "several fields: say which one"
            raise UnknownNameError(
                f"{path} has {what}.{did_you_mean(lost[0], list(images)) if lost else ''} "
                f"It has {', '.join(images)}."
            )
        with understood(path, "header"):
            geometry = geometry_of_cards(header)
        with understood(path, "table of positions"):
            table = hdus[_POSITIONS].data
            coord = SkyCoord(table["lon"] * u.deg, table["lat"] * u.deg, frame=geometry.frame)
            clusters = [str(name) for name in table["name"]]
            if Keywords(hdus[_POSITIONS].header, path).get("ESCAPED") is True:
                clusters = from_ascii(clusters)
        about = (geometry, coord, clusters, path)
        return {name: _field_of(images[name], name, *about) for name in names}


def _field_of(hdu, name, geometry, coord, clusters, path):
    header, shape = Keywords(hdu.header, path), (len(clusters), *geometry.shape)
    with understood(path, f"field {name}"):
        # FITS has no arrays without pixels.
        data = hdu.data if clusters else np.zeros(shape)
        if np.shape(data) != shape:
            raise FileFormatError(
                f"{path} is not complete: the field {name!r} has the shape {np.shape(data)}, "
                f"{shape} by its positions and SHAPE1 and SHAPE2."
            )
        meta = json.loads(header.get("META", "{}"))
        options = {"geometry": geometry, "names": clusters, "beam": header.get("BEAM")}
        return FieldStack(name, data, header.text("BUNIT"), coord, meta=meta, **options)
