"""Nearest pixels and bilinear interpolation on HEALPix, vectorised for small regions.

The pixelisation is that of Gorski et al. (2005), ApJ 622, 759; the bilinear interpolation is the
one of healpy and astropy-healpix: linear in longitude along the two rings next to a
position, then linear in colatitude between them. What makes this fast is that the pixels of a
region are read once, as a rectangle of (ring, position in the ring), and looked up in there.
"""

import numpy as np

__all__ = ["HealpixGrid", "tangent_directions"]

# Cosine of the colatitude at which a polar cap begins.
_CAP = 2 / 3

# Interpolation goes through a rectangle of pixels unless that is this many times larger than
# the number of positions, as for pixels much larger than those of the map.
_LARGEST_WINDOW = 4


def tangent_directions(lon, lat, east, north, shrink):
    """Give the directions of points of a tangent plane.

    Parameters
    ----------
    lon, lat : float
        Where the plane touches the sphere [rad].
    east, north : `~numpy.ndarray`
        Coordinates on the plane [rad], of shapes that broadcast.
    shrink : `~numpy.ndarray`
        ``1 / sqrt(1 + east**2 + north**2)``, which is the same for many positions.

    Returns
    -------
    z, sine, phi : `~numpy.ndarray`
        Cosine and sine of the colatitude, and the longitude [rad]. The sine is None if no
        direction is in a polar cap. The longitude is not wrapped: it is continuous over the
        region, unless that contains a pole.
    """
    sin_lat, cos_lat = np.sin(lat), np.cos(lat)
    out = cos_lat - north * sin_lat
    z = (sin_lat + north * cos_lat) * shrink
    sine = None
    if max(z.max(), -z.min()) > _CAP:
        # Not sqrt(1 - z**2), which has no digits left near the poles.
        sine = np.sqrt(out * out + east * east)
        sine *= shrink
    phi = np.arctan2(east, out)
    phi += lon
    return z, sine, phi


class HealpixGrid:
    """The rings of a HEALPix pixelisation.

    Parameters
    ----------
    nside : int
        Resolution; a power of two if ``nested``.
    nested : bool
        Whether pixels are numbered in the NESTED scheme, else RING.
    """

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
        """Give the values of a map in some directions.

        Parameters
        ----------
        directions : tuple of `~numpy.ndarray`
            From `tangent_directions`, of one common shape.
        interpolation : {"nearest", "bilinear"}
            How.
        take : callable
            Gives float64 values for an array of pixel numbers, NaN for invalid pixels.

        Returns
        -------
        `~numpy.ndarray`
            float64; NaN if the pixel, or any of the four neighbours, is invalid.
        """
        z, sine, phi = directions
        if interpolation == "nearest":
            ring, index = self._nearest(z, sine, phi)
            return self._window(ring, ring, phi, take)(ring, index, 1)[0]
        ring = self._ring_position(z, sine).astype(np.int64)
        np.minimum(ring, self._last - 1, out=ring)
        below = ring + 1
        look_up = self._window(ring, below, phi, take)
        weight = np.arccos(z) if sine is None else np.arctan2(sine, z)
        weight -= self._theta.take(ring)
        weight *= self._per_step.take(ring)
        return _between(self._along(ring, phi, look_up), self._along(below, phi, look_up), weight)

    def _along(self, ring, phi, look_up):
        """Interpolate in longitude along rings."""
        weight = phi * self._per_radian.take(ring)
        weight -= self._shift.take(ring)
        floor = np.floor(weight)
        weight -= floor
        return _between(*look_up(ring, floor.astype(np.int64), 2), weight)

    def _window(self, upper, lower, phi, take):
        """Read all pixels around some positions, and give a function that looks them up.

        The function takes rings, indices in them, which need not be wrapped, and how many
        neighbours towards higher indices are wanted; it gives a list with the values of each.
        """
        top = int(upper.min())
        rings = np.arange(top, int(lower.max()) + 1)
        per_radian, shift = self._per_radian[rings], self._shift[rings]
        start = np.floor(phi.min() * per_radian - shift).astype(np.int64)
        stop = np.floor(phi.max() * per_radian - shift).astype(np.int64) + 2
        width = int((stop - start).max())
        if len(rings) * width > _LARGEST_WINDOW * phi.size + 1024:
            return lambda ring, index, n: [self._read(ring, index + k, take) for k in range(n)]
        values = self._read(rings[:, None], start[:, None] + np.arange(width), take).ravel()
        offset = np.arange(len(rings)) * width - start

        def look_up(ring, index, n):
            place = offset.take(ring - top)
            place += index
            found = [values.take(place)]
            for _ in range(1, n):
                place += 1
                found.append(values.take(place))
            return found

        return look_up

    def _read(self, ring, index, take):
        """Take the values of pixels; a pole has the mean of the four pixels around it."""
        count = self._count[ring]
        if index.min() < 0 or (index >= count).any():
            index = index % count
        if ring.min() > 0 and ring.max() < self._last:
            return take(self._number(ring, index))
        values = take(self._number(np.clip(ring, 1, self._last - 1), index))
        for pole, neighbour in ((0, 1), (self._last, self._last - 1)):
            at_pole = np.broadcast_to(ring == pole, values.shape)
            if at_pole.any():
                values[at_pole] = take(self._number(np.full(4, neighbour), np.arange(4))).mean()
        return values

    def _ring_position(self, z, sine):
        """Give the real number that counts rings from the North; whole on a ring."""
        middle = self.nside * (2 - 1.5 * z)
        if sine is None:
            return middle
        cap = np.abs(z) > _CAP
        from_pole = self._from_pole(z, sine)
        return np.where(cap, np.where(z > 0, from_pole, self._last - from_pole), middle)

    def _from_pole(self, z, sine):
        return self.nside * sine * np.sqrt(3 / (1 + np.abs(z)))

    def _nearest(self, z, sine, phi):
        """Give ring and index of the pixels in which the directions fall."""
        if sine is not None:
            in_cap = self._nearest_in_cap(z, sine, phi)
            cap = np.abs(z) > _CAP
            if cap.all():
                return in_cap
        nside = self.nside
        along = phi * (2 * nside / np.pi) + 0.5 * nside
        across = z * (0.75 * nside)
        # Numbers of the lines between pixels: ascending and descending ones.
        up = np.floor(along - across).astype(np.int64)
        down = np.floor(along + across).astype(np.int64)
        ring = up - down + 2 * nside
        index = (up + down - nside + 1 + ((ring + nside) & 1)) >> 1
        if sine is None:
            return ring, index
        return np.where(cap, in_cap[0], ring), np.where(cap, in_cap[1], index)

    def _nearest_in_cap(self, z, sine, phi):
        from_pole = self._from_pole(z, sine)
        quarters = phi * (2 / np.pi)
        within = quarters - np.floor(quarters)
        within *= from_pole
        ring = np.floor(within)
        ring += np.floor(from_pole - within)
        ring += 1
        np.minimum(ring, self.nside, out=ring)
        quarters *= ring
        index = np.floor(quarters).astype(np.int64)
        ring = ring.astype(np.int64)
        return np.where(z > 0, ring, self._last - ring), index

    def _number(self, ring, index):
        """Give pixel numbers in the scheme of the map."""
        if not self.nested:
            return self._first[ring] + index
        cap = (ring < self.nside) | (ring > 3 * self.nside)
        if not cap.any():
            return self._nested_in_belt(ring, index)
        if cap.all():
            return self._nested_in_cap(ring, index)
        ring, index, cap = np.broadcast_arrays(ring, index, cap)
        number = np.empty(ring.shape, dtype=np.int64)
        number[cap] = self._nested_in_cap(ring[cap], index[cap])
        number[~cap] = self._nested_in_belt(ring[~cap], index[~cap])
        return number

    def _prepare_nested(self):
        self._order = self.nside.bit_length() - 1
        bits = np.arange(self.nside)
        # Bit k of x goes to bit 2 k of a pixel number, bit k of y to bit 2 k + 1.
        self._spread = sum(((bits >> k) & 1) << (2 * k) for k in range(self._order)) + 0 * bits
        # The base pixel from the numbers of the base pixels' own diagonal lines.
        up, down = np.mgrid[:5, :8]
        base = np.where(up == down, up % 4 + 4, np.where(up < down, up, down + 8))
        self._base = base.ravel() * self.nside**2

    def _nested_in_belt(self, ring, index):
        nside, order = self.nside, self._order
        odd = (ring + nside) & 1
        up = index + ((ring - nside - odd) >> 1)
        down = index + ((3 * nside - ring - odd) >> 1)
        number = self._base.take(((up >> order) << 3) + (down >> order))
        number += self._spread.take(down & (nside - 1))
        number += self._spread.take(nside - 1 - (up & (nside - 1))) << 1
        return number

    def _nested_in_cap(self, ring, index):
        nside = self.nside
        north = ring < nside
        from_pole = np.where(north, ring, self._last - ring)
        # Faster than a division of integers; the half keeps clear of whole numbers.
        quarter = ((index + 0.5) / from_pole).astype(np.int64)
        up = index - quarter * from_pole
        down = from_pole - 1 - up
        x = np.where(north, nside - 1 - down, up)
        y = np.where(north, nside - 1 - up, down)
        number = (quarter + np.where(north, 0, 8)) * nside**2
        number += self._spread.take(x)
        number += self._spread.take(y) << 1
        return number


def _between(first, second, weight):
    """Interpolate; NaN in either gives NaN, whatever the weight."""
    second = second - first
    second *= weight
    second += first
    return second
