"""The pixels of a HEALPix map: where they lie in memory or in a file, and cutouts of them."""

import numpy as np

from szmass.exceptions import FileFormatError
from szmass.maps._healpix import HealpixGrid, tangent_directions
from szmass.maps.frames import frame_named, frame_rotation, rotate_tangent_points
from szmass.maps.sampling import healpix_pixel

__all__ = ["HealpixPixels", "PixelRuns"]

# healpy and Planck mark bad pixels by -1.6375e30, in float32; no y comes near this.
_LARGEST_VALUE = 1e30
# A cutout is worked on in pieces of at most about so many pixels.
_PIECE = 2**18


class PixelRuns:
    """Rows of a partial map, found by pixel number.

    Pixel numbers come in runs of consecutive ones, so that their first ones and lengths
    are enough: a few thousand numbers for millions of pixels.

    Parameters
    ----------
    numbers : `~numpy.ndarray`
        Pixel number of each row.
    npix : int
        Number of pixels of the whole sky.

    Raises
    ------
    FileFormatError
        A number is outside the sky or occurs twice.
    """

    def __init__(self, numbers, npix):
        numbers = numbers.reshape(-1)
        step, first, row = 2**22, [], []
        for start in range(0, len(numbers), step):
            block = numbers[start : start + step].astype(np.int64)
            if block.min() < 0 or block.max() >= npix:
                raise FileFormatError(
                    f"The column of pixel numbers must hold numbers from 0 to {npix - 1}; it has "
                    f"some from {block.min()} to {block.max()}. NSIDE or the column is wrong."
                )
            breaks = np.flatnonzero(np.diff(block) != 1) + 1
            breaks = np.concatenate([[0], breaks])
            first.append(block[breaks])
            row.append(breaks + start)
        first = np.concatenate([*first, np.empty(0, np.int64)])
        row = np.concatenate([*row, np.empty(0, np.int64)])
        order = np.argsort(first)
        self._first, self._row = first[order], row[order]
        self._length = np.diff(np.append(row, len(numbers)))[order]
        if (np.diff(self._first) < self._length[:-1]).any():
            raise FileFormatError("The column of pixel numbers has some numbers twice.")

    def find(self, pixels):
        """Give the row of each pixel, and whether the map has it.

        Parameters
        ----------
        pixels : `~numpy.ndarray`
            Pixel numbers.

        Returns
        -------
        rows : `~numpy.ndarray`
            Where to look; 0 for pixels that the map does not have.
        known : `~numpy.ndarray` of bool
            Whether the map has the pixel.
        """
        if not len(self._first):
            return np.zeros_like(pixels), np.zeros(pixels.shape, dtype=bool)
        run = np.searchsorted(self._first, pixels, side="right") - 1
        known = run >= 0
        run[~known] = 0
        offset = pixels - self._first[run]
        known &= offset < self._length[run]
        return np.where(known, self._row[run] + offset, 0), known


class HealpixPixels:
    """A HEALPix map that may lie in a memory-mapped file.

    Parameters
    ----------
    values : `~numpy.ndarray`
        One value per pixel, of one dimension or as the (rows, repeat) of a table column.
    nside : int
        Resolution.
    nested : bool
        Scheme of the pixel numbers.
    frame : `~astropy.coordinates.BaseCoordinateFrame`
        Frame of the pixels.
    runs : PixelRuns, optional
        Where the pixels of a partial map are.
    mask : `~numpy.ndarray` of bool, optional
        One per pixel of the whole sky, True for pixels that are not to be used.
    bad_value : float, optional
        Another number that marks bad pixels.
    """

    def __init__(self, values, nside, nested, frame, *, runs=None, mask=None, bad_value=None):
        self.grid = HealpixGrid(nside, nested)
        self.frame = frame
        self.shape = (self.grid.npix,)
        self.mask = mask
        self._values = values.reshape(-1) if values.flags.c_contiguous else values
        self._runs = runs
        self._bad_value = bad_value

    @property
    def side(self):
        """Side of a square of the area of a pixel [arcmin]."""
        return healpix_pixel(self.grid.nside).value

    def take(self, pixels):
        """Give values by pixel number.

        Parameters
        ----------
        pixels : `~numpy.ndarray`
            Pixel numbers, of any shape.

        Returns
        -------
        `~numpy.ndarray`
            float64; NaN where the pixel is invalid, masked or not in the map.
        """
        bad = self.mask.take(pixels) if self.mask is not None else None
        if self._runs is not None:
            pixels, known = self._runs.find(pixels)
            bad = ~known if bad is None else bad | ~known
            if not known.any():
                return np.full(pixels.shape, np.nan)
        if self._values.flags.c_contiguous:
            values = self._values.take(pixels)
        elif self._values.ndim == 1:
            values = self._values[pixels]
        else:
            values = self._values[np.divmod(pixels, self._values.shape[1])]
        if self._bad_value is not None:
            marked = values == self._bad_value
            bad = marked if bad is None else bad | marked
        values = values.astype(np.float64)
        valid = np.abs(values) < _LARGEST_VALUE
        if bad is not None:
            valid &= ~bad
        if not valid.all():
            values[~valid] = np.nan
        return values

    def samples(self, geometry, lon, lat, scales, interpolation):
        """Yield the pixels of one cutout after the other.

        Parameters
        ----------
        geometry : CutoutGeometry
            The grid.
        lon, lat : `~numpy.ndarray`
            Positions in the frame of the geometry [rad]; NaN gives NaN.
        scales : `~numpy.ndarray` or None
            The angles of a relative geometry [rad].
        interpolation : {"nearest", "bilinear"}
            How to sample.

        Yields
        ------
        `~numpy.ndarray`
            float64, NaN where the map has no valid value.
        """
        rotation = frame_rotation(frame_named(geometry.frame), self.frame)
        lon, lat, angles = rotate_tangent_points(lon, lat, rotation)
        plane = _with_shrinkage(*geometry.plane())
        for i in range(len(lon)):
            scale = 1.0 if scales is None else scales[i]
            if not np.isfinite(lon[i] + lat[i] + scale):
                yield np.full(geometry.shape, np.nan)
                continue
            east, north, shrink = plane
            if scales is not None:
                east, north, shrink = _with_shrinkage(east * scale, north * scale)
            if angles[i]:
                cos, sin = np.cos(angles[i]), np.sin(angles[i])
                east, north = east * cos + north * sin, north * cos - east * sin
            yield self._sample(lon[i], lat[i], east, north, shrink, interpolation)

    def _sample(self, lon, lat, east, north, shrink, interpolation):
        ny, nx = shrink.shape
        rows = max(1, _PIECE // nx)
        pieces = []
        for start in range(0, ny, rows):
            piece = slice(start, start + rows)
            # East and north of an unrotated grid are one row and one column.
            directions = tangent_directions(
                lon,
                lat,
                east if len(east) == 1 else east[piece],
                north[piece],
                shrink[piece],
            )
            pieces.append(self.grid.sample(directions, interpolation, self.take))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _with_shrinkage(east, north):
    return east, north, 1 / np.sqrt(1 + east * east + north * north)
