"""The pixel grid of a cutout: a tangent plane around a position."""

import dataclasses
from dataclasses import dataclass, field

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from szmass._utils.quantities import as_floats, as_quantity
from szmass.exceptions import InvalidInputError
from szmass.maps.frames import frame_of_image, lonlat

__all__ = ["CutoutGeometry", "geometry_cards", "geometry_of_cards"]

_CTYPES = {"galactic": ("GLON", "GLAT"), "icrs": ("RA--", "DEC-"), "fk5": ("RA--", "DEC-")}


@dataclass(frozen=True, repr=False)
class CutoutGeometry:
    """A grid of square pixels on the tangent plane of a position.

    ``data[row, column]``: at zero rotation row 0 has the lowest latitude and column 0 the highest
    longitude (``CDELT1 < 0``). The position falls on the middle of the grid,
    ``((ny - 1) / 2, (nx - 1) / 2)`` counted from 0. The default is the grid of the published
    networks of de Andres et al. (2022).

    Parameters
    ----------
    shape : (int, int), optional
        Number of rows and columns ``(ny, nx)``.
    pixel_scale : `~astropy.units.Quantity` or str or float, optional
        Side of a pixel at the centre. A number without unit makes the grid relative: the side
        is that number times the angle, for instance theta500, that is given with each position.
    frame : {"galactic", "icrs", "fk5"}, optional
        Frame of the grid; "fk5" has the equinox J2000.
    rotation : `~astropy.units.Quantity` or str, optional
        Position angle of the direction in which rows increase, from North through East.

    Raises
    ------
    InvalidInputError
        The shape is not two positive integers, the scale is not positive and finite, the frame
        is not known, or the corners are 90 deg or more from the centre.
    InvalidUnitError
        The scale or the rotation is not an angle.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import CutoutGeometry
    >>> geometry = CutoutGeometry(shape=(64, 64), pixel_scale=1 * u.arcmin, frame="icrs")
    >>> wcs = geometry.wcs(SkyCoord(194.95, 27.98, unit="deg"))
    >>> print(wcs.pixel_to_world(31.5, 31.5).to_string(precision=2))
    194.95 27.98
    """

    shape: tuple = (96, 96)
    pixel_scale: u.Quantity = 1.7 * u.arcmin
    frame: str = "galactic"
    rotation: u.Quantity = 0 * u.deg
    projection: str = field(default="TAN", init=False)

    def __post_init__(self):
        try:
            shape = tuple(int(n) for n in self.shape)
            valid = len(shape) == 2 and min(shape) > 0 and shape == tuple(self.shape)
        except (TypeError, ValueError):
            valid = False
        if not valid:
            raise InvalidInputError(
                f"'shape' must be two positive integers (ny, nx). Received: {self.shape!r}"
            )
        if not isinstance(self.frame, str) or self.frame.lower() not in _CTYPES:
            raise InvalidInputError(
                f"'frame' must be one of {', '.join(_CTYPES)}. Received: {self.frame!r}"
            )
        scale = _scalar(
            self.pixel_scale, _scale_unit(self.pixel_scale), "pixel_scale", positive=True
        )
        for name, value in (
            ("shape", shape),
            ("frame", self.frame.lower()),
            ("pixel_scale", scale),
            ("rotation", _scalar(self.rotation, u.deg, "rotation")),
        ):
            object.__setattr__(self, name, value)
        if not self.relative and np.hypot(*self.size.to_value(u.deg)) / 2 >= 90:
            raise InvalidInputError(
                f"A grid of {shape[0]} x {shape[1]} pixels of {scale:g} has its corners 90 deg or "
                "more from its centre: a tangent plane cannot hold it. Reduce 'shape' or "
                "'pixel_scale'."
            )

    def __repr__(self):
        scale = float(self.pixel_scale.value) if self.relative else str(self.pixel_scale)
        return (
            f"CutoutGeometry(shape={self.shape}, pixel_scale={scale!r}, frame={self.frame!r}, "
            f"rotation={str(self.rotation)!r})"
        )

    @classmethod
    def for_beam(cls, beam):
        """Give a Galactic grid that shows clusters behind a beam.

        Parameters
        ----------
        beam : `~astropy.units.Quantity` or str or None
            FWHM. None, and beams that the default grid samples with 2.5 pixels or more, give
            the default.

        Returns
        -------
        CutoutGeometry
            For narrower beams 100 x 100 pixels of a fifth of the beam: what the matched filters
            use at most.
        """
        default = cls()
        beam = None if beam is None else _scalar(beam, u.arcmin, "beam", positive=True)
        if beam is None or beam >= 2.5 * default.pixel_scale:
            return default
        return cls((100, 100), beam / 5)

    @property
    def relative(self):
        """Whether the pixel scale is in units of an angle given with each position."""
        return self.pixel_scale.unit.is_equivalent(u.one)

    @property
    def size(self):
        """Height and width, a `~astropy.units.Quantity` of two."""
        return self.pixel_scale * np.array(self.shape)

    @property
    def center(self):
        """Row and column of the position, counted from 0."""
        return (self.shape[0] - 1) / 2, (self.shape[1] - 1) / 2

    def scaled(self, angle):
        """Give the geometry with a pixel scale in arcmin.

        Parameters
        ----------
        angle : `~astropy.units.Quantity`
            The angle that a relative pixel scale is in units of.

        Returns
        -------
        CutoutGeometry
            With ``pixel_scale`` times ``angle``.

        Raises
        ------
        InvalidInputError
            The geometry is not relative, or the angle is not positive.
        """
        if not self.relative:
            raise InvalidInputError(
                f"The pixel scale is {self.pixel_scale} already; only a geometry whose "
                "pixel_scale has no unit is scaled."
            )
        angle = _scalar(angle, u.arcmin, "angle", positive=True)
        return dataclasses.replace(self, pixel_scale=self.pixel_scale.value * angle)

    def wcs(self, coord):
        """Give the WCS of the grid around a position.

        Parameters
        ----------
        coord : `~astropy.coordinates.SkyCoord`
            One position, in any frame.

        Returns
        -------
        `~astropy.wcs.WCS`
            Tangent plane, with ``pixel_shape``.

        Raises
        ------
        InvalidInputError
            The position is not one, or it is masked or NaN, or the geometry is relative.
        """
        if not coord.isscalar:
            raise InvalidInputError(
                f"'coord' must be one position. Received: an array of shape {coord.shape}"
            )
        lon, lat = np.degrees(lonlat(coord, self.frame))
        if not np.isfinite(lon):
            raise InvalidInputError("'coord' must not be masked or NaN: it has no WCS.")
        return self.wcs_at(float(lon), float(lat))

    def wcs_at(self, lon, lat):
        """Give the WCS of the grid around a longitude and latitude, without a SkyCoord's checks.

        Parameters
        ----------
        lon, lat : float
            Position in the frame of the grid [deg].

        Returns
        -------
        `~astropy.wcs.WCS`
            As from `wcs`.
        """
        scale = self.pixel_side(u.deg)
        wcs = WCS(naxis=2)
        parameters = wcs.wcs
        parameters.ctype = [f"{axis}-{self.projection}" for axis in _CTYPES[self.frame]]
        if self.frame != "galactic":
            parameters.radesys = self.frame.upper()
        if self.frame == "fk5":
            parameters.equinox = 2000.0
        parameters.cunit = ["deg", "deg"]
        parameters.cdelt = [-scale, scale]
        parameters.crpix = [(self.shape[1] + 1) / 2, (self.shape[0] + 1) / 2]
        parameters.crval = [lon, lat]
        # The default would flip at a latitude of exactly 90 deg.
        parameters.lonpole = 180.0
        angle = self.rotation.to_value(u.rad)
        if angle:
            cos, sin = np.cos(angle), np.sin(angle)
            parameters.pc = [[cos, -sin], [sin, cos]]
        wcs.pixel_shape = self.shape[::-1]
        return wcs

    def pixel_side(self, unit="rad"):
        """Give the side of a pixel as a number, for what needs the same angle everywhere.

        Parameters
        ----------
        unit : str or `~astropy.units.UnitBase`, optional
            Unit of the number.

        Returns
        -------
        float
            The side.

        Raises
        ------
        InvalidInputError
            The geometry is relative.
        """
        if self.relative:
            raise InvalidInputError(
                "The geometry's pixel_scale is in units of an angle per position, so that pixels "
                "differ in size: use geometry.scaled(angle), or a pixel_scale in arcmin."
            )
        return float(self.pixel_scale.to_value(unit))

    def plane(self):
        """Give the tangent-plane coordinates of the pixels towards East and North.

        Returns
        -------
        east : `~numpy.ndarray`
            In radians, or in units of the angle of a relative geometry; of a shape that broadcasts
            to ``shape``.
        north : `~numpy.ndarray`
            The same towards North.
        """
        scale = self.pixel_scale.value if self.relative else self.pixel_scale.to_value(u.rad)
        up = (np.arange(self.shape[0]) - self.center[0])[:, None] * scale
        right = (np.arange(self.shape[1]) - self.center[1])[None, :] * scale
        angle = self.rotation.to_value(u.rad)
        if not angle:
            return -right, up
        cos, sin = np.cos(angle), np.sin(angle)
        return up * sin - right * cos, right * sin + up * cos

    @classmethod
    def from_wcs(cls, wcs, shape):
        """Recognise the grid that a WCS describes.

        Parameters
        ----------
        wcs : `~astropy.wcs.WCS`
            Tangent plane with square pixels around the middle of the image.
        shape : (int, int)
            Number of rows and columns.

        Returns
        -------
        geometry : CutoutGeometry
            The geometry.
        coord : `~astropy.coordinates.SkyCoord`
            The position at its middle.

        Raises
        ------
        InvalidInputError
            The WCS describes another sort of grid; the message says in what it differs.
        """
        frame = _frame_of(wcs)
        middle = ((shape[1] + 1) / 2, (shape[0] + 1) / 2)
        matrix = wcs.pixel_scale_matrix
        scale = np.sqrt(abs(np.linalg.det(matrix)))
        angle = np.arctan2(matrix[1, 0], matrix[1, 1])
        cos, sin = np.cos(angle), np.sin(angle)
        for fine, wanted in (
            (
                np.allclose(wcs.wcs.crpix, middle, rtol=0, atol=1e-6),
                "a reference pixel in the middle",
            ),
            (
                np.allclose(matrix, scale * np.array([[-cos, sin], [sin, cos]]), atol=1e-6 * scale),
                "square pixels with longitude increasing to the left",
            ),
            (np.allclose(wcs.wcs.lonpole, 180.0), "LONPOLE = 180"),
            (not wcs.has_distortion, "no distortion"),
        ):
            if not fine:
                raise InvalidInputError(
                    f"The image is not a cutout of szmass: expected {wanted}. Open it as a map "
                    "with ComptonMap.read and cut it out from there."
                )
        geometry = cls(
            shape=shape,
            # The header holds rounded degrees; this gives back 1.7, not 1.69999999999998.
            pixel_scale=float(f"{scale * 60:.11g}") * u.arcmin,
            frame=frame,
            rotation=float(f"{np.degrees(angle):.9f}") % 360 * u.deg,
        )
        return geometry, SkyCoord(*(wcs.wcs.crval * u.deg), frame=frame)


def geometry_cards(geometry):
    """Give the cards of a FITS header that hold a grid, for `geometry_of_cards`.

    Parameters
    ----------
    geometry : CutoutGeometry
        The grid.

    Returns
    -------
    list of (str, object, str)
        Keyword, value and comment of each.
    """
    return [
        ("SHAPE1", geometry.shape[0], "rows"),
        ("SHAPE2", geometry.shape[1], "columns"),
        # As text, which keeps all digits.
        ("PIXSCALE", str(geometry.pixel_scale), "side of a pixel, or part of scale"),
        ("GEOFRAME", geometry.frame, "frame of the tangent planes"),
        ("ROTATION", str(geometry.rotation), "position angle of increasing rows"),
    ]


def geometry_of_cards(header):
    """Read the grid that `geometry_cards` put into a header.

    Parameters
    ----------
    header : Keywords
        The header, whose values it gives by their kinds.

    Returns
    -------
    CutoutGeometry
        The grid.

    Raises
    ------
    InvalidInputError
        The keywords are no grid.
    InvalidUnitError
        A scale or a rotation is no angle.
    """
    return CutoutGeometry(
        shape=(header.whole("SHAPE1"), header.whole("SHAPE2")),
        pixel_scale=header.get("PIXSCALE"),
        frame=header.text("GEOFRAME"),
        rotation=header.get("ROTATION"),
    )


def _scale_unit(scale):
    try:
        relative = u.Quantity(scale).unit.is_equivalent(u.one)
    except TypeError:
        relative = False
    return u.one if relative else u.arcmin


def _scalar(value, unit, name, *, positive=False):
    """Check one number and give it as a Quantity in the unit."""
    quantity = as_quantity(value, unit, name)
    if not quantity.isscalar:
        raise InvalidInputError(f"'{name}' must be one number. Received: {value!r}")
    return float(as_floats(quantity, unit, name, positive=positive, finite=True)) * unit


def _frame_of(wcs):
    """Give the name of the frame of a tangent-plane WCS, or raise."""
    ctypes = [str(name) for name in wcs.wcs.ctype]
    if wcs.naxis == 2 and all(name.endswith("-TAN") for name in ctypes):
        frame = frame_of_image(wcs)
        j2000 = frame.name != "fk5" or frame.equinox.jyear == 2000.0
        if frame.name in _CTYPES and j2000 and ctypes[0][:4] == _CTYPES[frame.name][0]:
            return frame.name
    raise InvalidInputError(
        f"The image is not a cutout of szmass: expected a tangent plane (TAN) in one of the frames "
        f"{', '.join(_CTYPES)}, found axes {ctypes}. Open it as a map with ComptonMap.read and cut "
        "it out from there."
    )
