"""Cutouts of a Compton-y map around positions, one or many."""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.nddata import NDData

from szmass._io.stored import Stored
from szmass._utils.kinds import rows_of
from szmass._utils.names import NameIndex
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.maps import _cutout_files as files
from szmass.maps._checks import check_names, check_scale, check_unit
from szmass.maps._described import DescribedPixels
from szmass.maps._marks import bool_array, has_value, without_mask
from szmass.maps.frames import lonlat
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.sampling import check_beam

__all__ = ["Cutout", "CutoutGeometry", "CutoutStack", "as_stack", "check_beam"]


class Cutout(Stored, DescribedPixels, NDData):
    """A Compton-y image around a position.

    It is an `~astropy.nddata.NDData`: ``data`` is y, dimensionless, and ``mask`` is True where
    there is no valid value, so that reproject, photutils and others take it as it is.

    Parameters
    ----------
    data : array-like
        Compton-y, shape ``geometry.shape``; a mask that comes with it counts.
    coord : `~astropy.coordinates.SkyCoord`
        The position at the middle of the grid.
    geometry : CutoutGeometry, optional
        The grid; the default has the shape of ``data``.
    footprint : array-like of bool, optional
        Which pixels the map covers with valid values. Pixels that are not finite, or
        UNSEEN, are False in any case.
    beam : `~astropy.units.Quantity`, optional
        FWHM of the map's Gaussian beam; None if it is not known.
    noise : NoiseModel or {"planck"}, optional
        Noise of the map; None if it is not known.
    sampling : ~szmass.maps.Sampling or str, optional
        How the pixels hold the sky behind the beam: "point", "window", "nearest", "bilinear" or
        "unknown", or these with the side of the map's pixels.
    name : str, optional
        What is in the middle.
    interpolation : {"nearest", "bilinear"}, optional
        The sampling, where that is not given; None if it is not known.
    meta : dict, optional
        Anything else; numbers and strings are kept in files.

    Raises
    ------
    InvalidInputError
        Shapes do not match, or an argument is not of its kind or out of range.

    Notes
    -----
    Files are FITS: the image with its WCS, and the footprint. A cutout without a position has no
    WCS, and a `CutoutStack` takes it.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import Cutout
    >>> coord = SkyCoord(10, 30, unit="deg", frame="galactic")
    >>> cutout = Cutout(np.zeros((96, 96)), coord, beam="10 arcmin", name="A")
    >>> print(cutout.wcs.pixel_to_world(47.5, 47.5).to_string(precision=2))
    10.00 30.00
    """

    def __init__(
        self, data, coord, geometry=None, *, footprint=None, beam=None, noise=None, sampling=None,
        name="", interpolation=None, meta=None,
    ):  # fmt: skip
        data, mask, unit = without_mask(data)
        check_unit(unit, "data")
        if data.ndim != 2 or data.dtype.kind != "f":
            raise InvalidInputError(
                "'data' must be a two-dimensional array of real numbers. Received: "
                f"shape {data.shape}, dtype {data.dtype}"
            )
        geometry = CutoutGeometry(data.shape) if geometry is None else geometry
        footprint = True if footprint is None else bool_array(footprint, masked=False)
        shape = np.shape(footprint) or data.shape
        _check_shapes(data.shape, shape, geometry.shape)
        footprint = has_value(data, mask) & footprint
        if not (isinstance(coord, SkyCoord) and coord.isscalar):
            raise InvalidInputError(f"'coord' must be one SkyCoord. Received: {coord!r}")
        known = np.isfinite(lonlat(coord, geometry.frame)).all() and not geometry.relative
        super().__init__(
            data,
            mask=~footprint,
            wcs=geometry.wcs(coord) if known else None,
            unit=u.dimensionless_unscaled,
            meta={} if meta is None else dict(meta),
        )
        self._coord, self._geometry, self._name = coord, geometry, str(name)
        self._describe(beam, noise, sampling, interpolation)

    coord = property(lambda self: self._coord, doc="The position at the middle of the grid.")
    geometry = property(lambda self: self._geometry, doc="The grid, a `CutoutGeometry`.")
    name = property(lambda self: self._name, doc="What is in the middle.")
    interpolation = property(
        lambda self: self.sampling.interpolation, doc='"nearest", "bilinear", or None if neither.'
    )
    footprint = property(lambda self: ~self.mask, doc="True where the map has valid values.")
    complete = property(
        lambda self: bool(self.footprint.all()), doc="Whether the footprint is True everywhere."
    )

    def __repr__(self):
        covered = 100 * self.footprint.mean()
        return f"<Cutout {self.name!r}: {self.geometry!r}, {covered:.4g} % covered>"

    def __str__(self):
        return repr(self)

    def _repr_html_(self):
        from szmass._utils import html as _html

        rows = {
            "position": _html.short(self.coord.to_string(precision=4)),
            "grid": _html.short(self.geometry),
            "covered": f"{100 * self.footprint.mean():.4g} %",
            "beam": _html.short(self.beam),
            "noise": _html.short(self.noise),
            "sampling": _html.short(str(self.sampling)),
        } | {str(key): _html.short(value) for key, value in self.meta.items()}
        image = _html.picture(np.where(self.footprint, self.data, np.nan), title=self.name)
        return _html.facts(self.name or "Cutout", rows, beside=image)

    @classmethod
    def read(cls, path, *, coord=None):
        """Read a cutout that szmass or de Andres et al. (2022) wrote.

        The published cutouts have no WCS. Their grid is the default `CutoutGeometry`, sampled
        by "nearest" from a Planck map with a beam of 10 arcmin; NAME, Z, M500, M500_erru and
        M500_errd of their header go to ``meta``.

        Parameters
        ----------
        path : path-like or `~astropy.io.fits.HDUList`
            A FITS file, or what astropy opened.
        coord : `~astropy.coordinates.SkyCoord`, optional
            The position, for a file without WCS. If it is not given, the name of the PSZ2
            cluster is taken for it, which has Galactic coordinates truncated to
            0.01 deg: up to 0.6 arcmin short in each.

        Returns
        -------
        Cutout
            The cutout, with what else its header says in ``meta``.

        Raises
        ------
        FileFormatError
            The file is not a FITS image, is truncated, or has neither WCS nor position.
        InvalidInputError
            Its grid is not one of a `CutoutGeometry`, or ``coord`` is given and the file has a
            WCS.
        """
        return cls(**files.read_cutout(path, coord))

    def to_stack(self, *others):
        """Join this cutout with others.

        Parameters
        ----------
        *others : Cutout
            Cutouts of the same geometry, beam, noise and sampling.

        Returns
        -------
        CutoutStack
            The stack, see `CutoutStack.from_cutouts`.

        Raises
        ------
        InvalidInputError
            They differ; the message says in what.
        """
        return CutoutStack.from_cutouts([self, *others])

    def write(self, path, *, overwrite=False):
        files.write_cutout(self, path, overwrite)


class CutoutStack(Stored, DescribedPixels):
    """Cutouts of one geometry around many positions.

    Parameters
    ----------
    data : array-like
        Compton-y, shape ``(N, ny, nx)``; kept as contiguous float32. A mask that comes with it
        counts.
    footprint : array-like of bool or None
        Which pixels the map covers with valid values, of the same shape. Pixels that are not
        finite, or UNSEEN, are False in any case; None means all others.
    coord : `~astropy.coordinates.SkyCoord`
        The N positions.
    names : sequence of str, optional
        Their names.
    geometry : CutoutGeometry, optional
        The grid; the default has the shape of the cutouts.
    beam, noise, sampling, interpolation : optional
        What the pixels are, the same in all, as for `Cutout`.
    angular_scale : `~astropy.units.Quantity`, optional
        The N angles that the pixel scale of a relative geometry is in units of.
    meta : dict, optional
        Anything else; numbers and strings are kept in files.

    Raises
    ------
    InvalidInputError
        Shapes or lengths do not match.

    Notes
    -----
    ``stack[3]`` and ``stack["A2142"]`` are each a `Cutout`; slices, masks, and lists of numbers or
    names give a `CutoutStack`. A position
    that is masked or NaN has a cutout without any valid pixel. Files are FITS: a cube, its
    footprint, and a table of names and positions; ``read`` takes a
    `~astropy.io.fits.HDUList` as well.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import CutoutStack
    >>> coord = SkyCoord([10, 20], [30, 40], unit="deg", frame="galactic")
    >>> stack = CutoutStack(np.zeros((2, 96, 96)), None, coord, names=["A", "B"], beam="10 arcmin")
    >>> stack["B"].data.shape
    (96, 96)
    >>> stack.complete
    array([ True,  True])
    """

    def __init__(
        self,
        data,
        footprint,
        coord,
        *,
        names=None,
        geometry=None,
        beam=None,
        noise=None,
        sampling=None,
        interpolation=None,
        angular_scale=None,
        meta=None,
    ):
        data, mask, unit = without_mask(data)
        check_unit(unit, "data")
        try:
            self.data = np.ascontiguousarray(data, dtype=np.float32)
        except (TypeError, ValueError):
            raise InvalidInputError(
                f"'data' must be an array of real numbers. Received: {data!r:.200}"
            ) from None
        if self.data.ndim != 3:
            raise InvalidInputError(
                f"'data' must have the shape (N, ny, nx). Received: {self.data.shape}"
            )
        n = len(self.data)
        self.geometry = CutoutGeometry(self.data.shape[1:]) if geometry is None else geometry
        shape = self.data.shape if footprint is None else np.shape(footprint)
        _check_shapes(self.data.shape, shape, (n, *self.geometry.shape))
        self.footprint = has_value(self.data, mask)
        if footprint is not None:
            self.footprint &= bool_array(footprint, masked=False).astype(bool)
        if not isinstance(coord, SkyCoord):
            raise InvalidInputError(f"'coord' must be a SkyCoord. Received: {coord!r}")
        self.coord = coord.copy()  # a table that has it may be sorted in place
        self.names = check_names(names, n)
        self._describe(beam, noise, sampling, interpolation)
        self.angular_scale = check_scale(angular_scale, n, self.geometry)
        self.meta = {} if meta is None else dict(meta)
        if coord.shape != (n,):
            raise InvalidInputError(
                f"'coord' must have one entry per cutout ({n}). Received: shape {coord.shape}"
            )

    @property
    def interpolation(self):
        """Either "nearest" or "bilinear"; None for cutouts made otherwise, or if not known."""
        return self.sampling.interpolation

    @property
    def complete(self):
        """Which cutouts the map covers wholly, a bool array of length N."""
        return self.footprint.all(axis=(1, 2))

    @property
    def wcs(self):
        """The WCS of each cutout, a list; None where a position is not known."""
        scales = self.angular_scale
        return [
            self._geometry_at(i).wcs_at(*position)
            if np.isfinite(sum(position)) and (scales is None or np.isfinite(scales[i]))
            else None
            for i, position in enumerate(np.degrees(lonlat(self.coord, self.geometry.frame)).T)
        ]

    def _geometry_at(self, i):
        if self.angular_scale is None or not np.isfinite(self.angular_scale[i]):
            return self.geometry
        return self.geometry.scaled(self.angular_scale[i])

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        index = rows_of(
            index, len(self), lambda: NameIndex(self.names, "cutout"), "cutout", "stack"
        )
        if isinstance(index, int):
            return Cutout(
                self.data[index],
                self.coord[index],
                self._geometry_at(index),
                footprint=self.footprint[index],
                name=self.names[index],
                meta=self.meta,
                **self.facts,
            )
        return CutoutStack(
            self.data[index],
            self.footprint[index],
            self.coord[index],
            names=self.names[index],
            geometry=self.geometry,
            angular_scale=None if self.angular_scale is None else self.angular_scale[index],
            meta=self.meta,
            **self.facts,
        )

    def with_data(self, data, footprint=None, **changed):
        """Give a stack of other values around the same positions.

        Parameters
        ----------
        data : array-like
            Values, shape (N, ny, nx).
        footprint : array-like of bool, optional
            As in the constructor.
        **changed : dict
            Arguments of the constructor that are to be others.

        Returns
        -------
        CutoutStack
            With names, geometry, beam, noise, sampling and meta of this one.
        """
        kept = {
            "names": self.names,
            "geometry": self.geometry,
            "angular_scale": self.angular_scale,
            "meta": self.meta,
            **self.facts,
        }
        return CutoutStack(data, footprint, self.coord, **kept | changed)

    def __repr__(self):
        beam = None if self.beam is None else str(self.beam)
        return (
            f"<CutoutStack of {len(self)}: {self.geometry!r}, beam={beam!r}, "
            f"interpolation={self.interpolation!r}>"
        )

    def _repr_html_(self):
        from szmass._utils import html as _html

        cells = []
        for i in range(min(len(self), _html.SHOWN)):
            image = np.where(self.footprint[i], self.data[i], np.nan)
            shown = _html.picture(image, size=96, title=self.names[i]) or "no picture"
            cells.append(f"{shown}<br>{_html.short(self.names[i] or i)}")
        left_out = len(self) - len(cells)
        more = f"<p>and {left_out} more</p>" if left_out else ""
        title = f"<p><b>CutoutStack</b> {_html.short(repr(self)[13:-1])}</p>"
        return title + _html.side_by_side(cells) + more

    @classmethod
    def from_cutouts(cls, cutouts):
        """Join cutouts that have the same geometry, beam, noise and sampling.

        Parameters
        ----------
        cutouts : sequence of Cutout
            At least one.

        Returns
        -------
        CutoutStack
            The stack; entries of ``meta`` that are the same in all are kept.

        Raises
        ------
        InvalidInputError
            There is none, or they differ; the message says in what.
        """
        cutouts = list(cutouts)
        if not cutouts:
            raise InvalidInputError("'cutouts' must hold at least one Cutout. Received: none")
        first = cutouts[0]
        for attribute in ("geometry", *first.facts):
            for i, cutout in enumerate(cutouts):
                if getattr(cutout, attribute) != getattr(first, attribute):
                    raise InvalidInputError(
                        f"The cutouts must have one {attribute}: that of cutout 0 is "
                        f"{getattr(first, attribute)!r}, that of cutout {i} is "
                        f"{getattr(cutout, attribute)!r}."
                    )
        return cls(
            np.stack([cutout.data for cutout in cutouts]),
            np.stack([cutout.footprint for cutout in cutouts]),
            SkyCoord([cutout.coord.transform_to(first.coord.frame) for cutout in cutouts]),
            names=[cutout.name for cutout in cutouts],
            geometry=first.geometry,
            **first.facts,
            meta={
                key: value
                for key, value in first.meta.items()
                if all(key in c.meta and c.meta[key] == value for c in cutouts)
            },
        )

    @classmethod
    def read(cls, path):
        return cls(**files.read_stack(path))

    def write(self, path, *, overwrite=False):
        files.write_stack(self, path, overwrite)


def as_stack(cutouts):
    """Give the cutouts of a sample, or a single one, as a stack; anything else as it is.

    Parameters
    ----------
    cutouts : `~szmass.clusters.ClusterSample`, Cutout, or object
        What a caller passed.

    Returns
    -------
    CutoutStack or object
        The stack.

    Raises
    ------
    InvalidInputError
        It is a sample that has none.
    """
    if isinstance(cutouts, ClusterSample):
        if cutouts.cutouts is None:
            raise InvalidInputError(
                "The sample has no cutouts: call sample.attach_cutouts(compton_map) first."
            )
        return cutouts.cutouts
    return CutoutStack.from_cutouts([cutouts]) if isinstance(cutouts, Cutout) else cutouts


def _check_shapes(data, footprint, expected):
    if not data == footprint == expected:
        raise InvalidInputError(
            f"'data', 'footprint' and 'geometry' must have one shape. Received: {data}, "
            f"{footprint} and {expected}"
        )
