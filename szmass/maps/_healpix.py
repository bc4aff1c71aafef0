"""HEALPix maps: where their pixels lie, and cutouts of them, vectorised for small regions.

The pixelisation is that of Gorski et al. (2005), ApJ 622, 759; the bilinear interpolation is the
one of healpy and astropy-healpix: linear in longitude along the two rings next to a
position, then linear in colatitude between them. What makes this fast is that the pixels of a
region are read once, as a rectangle of (ring, position in the ring), and looked up in there.
"""

import numpy as np

from szmass.exceptions import FileFormatError
from szmass.maps._marks import valid_values
from szmass.maps.frames import frame_named, frame_rotation, rotate_tangent_points
from szmass.maps.sampling import healpix_pixel

# A cutout is worked on in pieces of at most about so many pixels.
_PIECE = 2**18

# Cosine of the colatitude at which a polar cap begins.
_CAP = 2 / 3

# Interpolation goes through a rectangle of pixels unless that is this many times larger than
# the number of positions, as for pixels much larger than those of the map.
_LARGEST_WINDOW = 4


def tangent_directions(lon, lat, east, north, shrink):
    """Cosine and squared sine of the colatitude, and longitude [rad], of points of a tangent plane.

    ``shrink`` is ``1 / sqrt(1 + east**2 + north**2)``. The sine is None if no direction is in a
    polar cap; the longitude is continuous, not wrapped, unless the region contains a pole.
    """
    sin_lat, cos_lat = np.sin(lat), np.cos(lat)
    out = cos_lat - north * sin_lat
    z = (sin_lat + north * cos_lat) * shrink
    sine2 = None
    if max(z.max(), -z.min()) > _CAP:
        # Not 1 - z**2, which has no digits left near the poles.
        sine2 = out * out + east * east
        sine2 *= shrink
        sine2 *= shrink
    phi = np.arctan2(east, out)
    phi += lon
    return z, sine2, phi


class HealpixGrid:
    """The rings of a HEALPix pixelisation, numbered RING or NESTED."""

    def __init__(self, nside, nested):
        self.nside = nside
        self.nested = nested
        self.npix = 12 * nside**2
        # Rings 1 to 4 nside - 1 are real; 0 and 4 nside stand for the poles.
        self._last = 4 * nside
        ring = np.arange(self._last + 1)
        from_pole = np.minimum(ring, self._last - ring)
        cap = from_pole < nside
        south = ring > 2 * nside
        self._count = np.where(cap, 4 * from_pole, 4 * nside)
        first = np.where(
            cap,
            2 * from_pole * (from_pole - 1),
            2 * nside * (nside - 1) + (from_pole - nside) * 4 * nside,
        )
        self._first = np.where(south, self.npix - first - self._count, first)
        self._count[[0, -1]] = 4
        # Index of a longitude in its ring: phi * per_radian - shift, whole at pixel centres.
        self._per_radian = self._count / (2 * np.pi)
        self._shift = np.where(cap | ((from_pole - nside) % 2 == 0), 0.5, 0.0)
        theta = np.where(
            cap,
            2 * np.arcsin(from_pole / (np.sqrt(6) * nside)),
            np.arccos(np.where(cap, 0, (2 * nside - from_pole) * 2 / (3 * nside))),
        )
        self._theta = np.where(south, np.pi - theta, theta)
        self._per_step = 1 / np.diff(self._theta)
        if nested:
            self._prepare_nested()

    def sample(self, directions, interpolation, take):
        """Values in directions (from `tangent_directions`), NaN where a pixel they need is invalid.

        ``take`` gives float64 values for pixel numbers, NaN for invalid ones.
        """
        z, sine2, phi = directions
        if interpolation == "nearest":
            return take(self._nearest(z, sine2, phi))
        position, weight = self._rings_and_theta(z, sine2)
        ring = position.astype(np.int64)
        np.minimum(ring, self._last - 1, out=ring)
        below = ring + 1
        look_up = self._window(int(ring.min()), int(ring.max()) + 1, phi, take)
        weight -= self._theta.take(ring)
        weight *= self._per_step.take(ring)
        return _between(self._along(ring, phi, look_up), self._along(below, phi, look_up), weight)

    def _along(self, ring, phi, look_up):
        """Interpolate in longitude along rings."""
        weight = phi * self._per_radian.take(ring)
        weight -= self._shift.take(ring)
        floor = np.floor(weight)
        weight -= floor
        return _between(*look_up(ring, floor.astype(np.int64)), weight)

    def _window(self, top, bottom, phi, take):
        """Read the pixels around positions; give what looks up those at (ring, index) and the next.

        Indices in rings need not be wrapped.
        """
        rings = np.arange(top, bottom + 1)
        per_radian, shift = self._per_radian[rings], self._shift[rings]
        start = np.floor(phi.min() * per_radian - shift).astype(np.int64)
        stop = np.floor(phi.max() * per_radian - shift).astype(np.int64) + 2
        width = int((stop - start).max())
        if len(rings) * width > _LARGEST_WINDOW * phi.size + 1024:
            return lambda ring, index: [
                self._read(ring, (index + k) % self._count[ring], take) for k in (0, 1)
            ]
        index = start[:, None] + np.arange(width)
        if start.min() < 0 or (start + width > self._count[rings]).any():
            index %= self._count[rings, None]
        values = self._read(rings[:, None], index, take).ravel()
        offset = np.arange(len(rings)) * width - start

        def look_up(ring, index):
            place = offset.take(ring - top)
            place += index
            value = values.take(place)
            place += 1
            return value, values.take(place)

        return look_up

    def _read(self, ring, index, take):
        """Take the values of pixels; a pole has the mean of the four pixels around it."""
        if ring.min() > 0 and ring.max() < self._last:
            return take(self._number(ring, index))
        values = take(self._number(np.clip(ring, 1, self._last - 1), index))
        for pole, neighbour in ((0, 1), (self._last, self._last - 1)):
            at_pole = np.broadcast_to(ring == pole, values.shape)
            if at_pole.any():
                values[at_pole] = take(self._number(np.full(4, neighbour), np.arange(4))).mean()
        return values

    def _from_pole(self, size, sine2):
        """Give the real number that counts rings from the nearer pole, for z = +- size."""
        # In a polar cap; sqrt(6) sin(distance / 2) everywhere.
        ratio = sine2 / (1 + size)
        ratio *= 3 * self.nside**2
        return np.sqrt(ratio, out=ratio)

    def _rings_and_theta(self, z, sine2):
        """Give the real number that counts rings from the North, and the colatitude [rad]."""
        if sine2 is None:
            return self.nside * (2 - 1.5 * z), np.arccos(z)
        size, south = np.abs(z), z < 0
        position = self._from_pole(size, sine2)
        theta = 2 * np.arcsin(position * (1 / np.sqrt(6) / self.nside))
        cap = size > _CAP
        if not cap.all():
            position = np.where(cap, position, self.nside * (2 - 1.5 * size))
        if south.any():
            position = np.where(south, self._last - position, position)
            theta = np.where(south, np.pi - theta, theta)
        return position, theta

    def _nearest(self, z, sine2, phi):
        """Give the numbers of the pixels in which the directions fall."""
        if phi.min() < 0 or phi.max() >= 2 * np.pi:
            phi = phi % (2 * np.pi)
            phi[phi >= 2 * np.pi] = 0
        if sine2 is None:
            return self._nearest_in_belt(z, phi)
        in_cap = self._nearest_in_cap(z, sine2, phi)
        cap = np.abs(z) > _CAP
        if cap.all():
            return in_cap
        return np.where(cap, in_cap, self._nearest_in_belt(np.clip(z, -_CAP, _CAP), phi))

    def _nearest_in_belt(self, z, phi):
        nside = self.nside
        along = phi * (2 * nside / np.pi)
        along += 0.5 * nside
        across = z * (0.75 * nside)
        # Numbers of the lines between pixels: ascending and descending ones.
        up = (along - across).astype(np.int64)
        along += across
        down = along.astype(np.int64)
        if self.nested:
            return self._nested_in_belt(up, down)
        ring = up - down
        ring += 2 * nside
        index = (up + down - nside + 1 + ((ring + nside) & 1)) >> 1
        if phi.max() > 2 * np.pi - np.pi / nside:
            index %= 4 * nside
        index += self._first.take(ring)
        return index

    def _nearest_in_cap(self, z, sine2, phi):
        nside = self.nside
        from_pole = self._from_pole(np.abs(z), sine2)
        np.minimum(from_pole, nside, out=from_pole)
        phi = phi * (2 / np.pi)
        quarter = np.floor(phi)
        within = phi - quarter
        within *= from_pole
        from_pole -= within
        up = within.astype(np.int64)
        down = np.minimum(from_pole.astype(np.int64), nside - 1)
        if self.nested:
            return self._nested_in_cap(quarter.astype(np.int64), up, down, z > 0)
        ring = up + down
        ring += 1
        np.minimum(ring, nside, out=ring)
        index = (phi * ring).astype(np.int64)
        south = z < 0
        if south.any():
            ring = np.where(south, self._last - ring, ring)
        index += self._first.take(ring)
        return index

    def _number(self, ring, index):
        """Give pixel numbers in the scheme of the map; the index is within the ring."""
        if not self.nested:
            return self._first[ring] + index
        cap = (ring < self.nside) | (ring > 3 * self.nside)
        if not cap.any():
            return self._nested_in_belt(*self._lines_in_belt(ring, index))
        if cap.all():
            return self._nested_in_cap(*self._lines_in_cap(ring, index))
        ring, index, cap = np.broadcast_arrays(ring, index, cap)
        number = np.empty(ring.shape, dtype=np.int64)
        number[cap] = self._nested_in_cap(*self._lines_in_cap(ring[cap], index[cap]))
        number[~cap] = self._nested_in_belt(*self._lines_in_belt(ring[~cap], index[~cap]))
        return number

    def _lines_in_belt(self, ring, index):
        odd = (ring + self.nside) & 1
        up = index + ((ring - self.nside - odd) >> 1)
        return up, index + ((3 * self.nside - ring - odd) >> 1)

    def _lines_in_cap(self, ring, index):
        north = ring < self.nside
        from_pole = np.where(north, ring, self._last - ring)
        # Faster than a division of integers; the half keeps clear of whole numbers.
        quarter = ((index + 0.5) / from_pole).astype(np.int64)
        up = index - quarter * from_pole
        return quarter, up, from_pole - 1 - up, north

    def _prepare_nested(self):
        self._order = self.nside.bit_length() - 1
        bits = np.arange(self.nside)
        # Bit k of x goes to bit 2 k of a pixel number, bit k of y to bit 2 k + 1.
        self._spread = sum(((bits >> k) & 1) << (2 * k) for k in range(self._order)) + 0 * bits
        # First pixel of the base pixel, from the numbers of the base pixels' own lines.
        up, down = np.mgrid[:6, :8]
        base = np.where(up == down, up % 4 + 4, np.where(up < down, up, down + 8)) % 12
        self._base = base.ravel() * self.nside**2

    def _nested_in_belt(self, up, down):
        number = up >> self._order
        number <<= 3
        number += down >> self._order
        number = self._base.take(number)
        within = self.nside - 1
        number += self._spread.take(down & within)
        number += self._spread.take(within - (up & within)) << 1
        return number

    def _nested_in_cap(self, quarter, up, down, north):
        if north.all():
            up, down = self.nside - 1 - down, self.nside - 1 - up
        else:
            quarter = quarter + np.where(north, 0, 8)
            if north.any():
                up, down = (
                    np.where(north, self.nside - 1 - down, up),
                    np.where(north, self.nside - 1 - up, down),
                )
        number = quarter * self.nside**2
        number += self._spread.take(up)
        number += self._spread.take(down) << 1
        return number


def _between(first, second, weight):
    """Interpolate; NaN in either gives NaN, whatever the weight."""
    second = second - first
    second *= weight
    second += first
    return second


class PixelRuns:
    """Rows of a partial map by pixel number: first ones and lengths of runs of numbers."""

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

    def numbers(self, rows):
        """Pixel numbers of rows."""
        order = np.argsort(self._row)
        run = order[np.searchsorted(self._row, rows, side="right", sorter=order) - 1]
        return self._first[run] + rows - self._row[run]

    def find(self, pixels):
        """Rows of pixels (0 for those that the map does not have), and whether the map has them."""
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

    ``values`` may be the (rows, repeat) of a table column, ``runs`` those of a partial map.
    ``mask`` has one bool per pixel of the sky, True for what is not to be used; values that are
    among ``marks`` are invalid.
    """

    def __init__(self, values, nside, nested, frame, *, runs=None, mask=None, marks=()):
        self.grid = HealpixGrid(nside, nested)
        self.frame = frame
        self.shape = (self.grid.npix,)
        self.mask = mask
        self._values = values.reshape(-1) if values.flags.c_contiguous else values
        self._runs = runs
        self.marks = marks

    @property
    def side(self):
        """Side of a square of the area of a pixel [arcmin]."""
        return healpix_pixel(self.grid.nside).value

    @property
    def size(self):
        """How many pixels are stored."""
        return self._values.size

    def numbers(self, stored):
        """Numbers of stored pixels, for `take`."""
        return stored if self._runs is None else self._runs.numbers(stored)

    def values(self):
        """All pixels of the sky, as `take` gives them."""
        return self.take(np.arange(self.grid.npix))

    def take(self, pixels):
        """Values by pixel number, float64; NaN where invalid, masked or not in the map."""
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
        values, valid = valid_values(values, self.marks)
        if bad is not None:
            valid &= ~bad
        if not valid.all():
            values[~valid] = np.nan
        return values

    def samples(self, geometry, lon, lat, scales, interpolation):
        """Yield cutouts (ny, nx), NaN without a valid value, at positions [rad] in their frame.

        ``scales`` [rad] are the angles of a relative geometry.
        """
        rotation = frame_rotation(frame_named(geometry.frame), self.frame)
        lon, lat, angles = rotate_tangent_points(lon, lat, rotation)
        plane, relative = _with_shrinkage(*geometry.plane()), geometry.relative
        for i in range(len(lon)):
            east, north, shrink = plane
            if relative:
                east, north, shrink = _with_shrinkage(east * scales[i], north * scales[i])
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
