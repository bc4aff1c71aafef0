"""The pixels of a map that is an image with a celestial WCS, and cutouts of it by reproject."""

import functools

import astropy.units as u
import numpy as np
from astropy.coordinates import angular_separation
from astropy.wcs.utils import custom_wcs_to_frame_mappings, pixel_to_pixel

from szmass.maps._marks import valid_values
from szmass.maps.frames import frame_of_image

_ORDERS = {"nearest": "nearest-neighbor", "bilinear": "bilinear"}
# Projections with columns in proportion to a longitude: they come again after 360 deg.
_CYLINDRICAL = {"CAR", "CEA", "CYP", "MER"}
_CLOSE = 1e-3  # of a pixel


class ImagePixels:
    """An image (ny, nx) with a celestial WCS, perhaps memory-mapped; masked pixels are not used.

    Values that are among ``marks`` are invalid.
    """

    def __init__(self, data, wcs, mask=None, marks=()):
        self.data = data
        self.wcs = wcs
        self.mask = mask
        self.marks = marks
        self.frame = frame_of_image(wcs)
        self.shape = data.shape
        # For transformations: a name of axes that astropy leaves to `_in_frame`.
        self._sky = wcs.deepcopy()
        names = {wcs.wcs.lng: "QLON", wcs.wcs.lat: "QLAT"}
        self._sky.wcs.ctype = [names[i] + str(name)[4:] for i, name in enumerate(wcs.wcs.ctype)]
        self._sky.wcs.radesys = ""
        self._cylinder = _Cylinder.of(wcs, data.shape)

    def values(self):
        """All pixels, float64; NaN for invalid ones, whatever marks them."""
        return self._values(np.s_[:, :])

    @property
    def size(self):
        """How many pixels are stored."""
        return self.data.size

    def numbers(self, stored):
        """Numbers of stored pixels, for `take`; only of those that are on the sky."""
        place = np.array(np.divmod(stored, self.shape[1])[::-1], float)
        if self._cylinder is not None:
            place, _ = self._cylinder.turned(place, self.wcs.wcs.crpix - 1)
        return stored[np.isfinite(self._sky.wcs_pix2world(*place, 0)[0])]

    def take(self, pixels):
        """Values by the number of a pixel, counted along the rows; NaN for invalid ones."""
        return self._values(np.divmod(pixels, self.shape[1]))

    def _in_frame(self):
        """Let astropy know in which frame the axes of that name are."""
        return custom_wcs_to_frame_mappings(
            [lambda wcs: self.frame if str(wcs.wcs.ctype[0])[:4] in ("QLON", "QLAT") else None]
        )

    def _values(self, where):
        values, valid = self._part(where)
        values[~valid] = np.nan
        return values

    def _part(self, where):
        """Values of some pixels, float64, and whether they are valid."""
        values, valid = valid_values(self.data[where], self.marks)
        if self.mask is not None:
            valid &= ~self.mask[where]
        return values, valid

    def pixel_to_world(self, x, y):
        """Positions of pixels, whichever turn of a cylinder they are in."""
        place = np.array(np.broadcast_arrays(x, y), float)
        if self._cylinder is not None:
            place, _ = self._cylinder.turned(place, self.wcs.wcs.crpix - 1)
        with self._in_frame():
            return self._sky.pixel_to_world(*place)

    def world_to_pixel(self, coord):
        """Columns and rows of positions."""
        with self._in_frame():
            place = np.array(self._sky.world_to_pixel(coord))
        return place if self._cylinder is None else self._cylinder.turned(place)[0]

    @functools.cached_property
    def side(self):
        """Root mean square side of the pixels over the image [arcmin]."""
        x, y = np.meshgrid(*(np.linspace(0, n - 1, 9) for n in self.shape[::-1]))
        corners = [self.pixel_to_world(x + dx, y + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))]
        sides = [corners[0].separation(corner).arcmin for corner in corners[1:]]
        return float(np.sqrt(np.nanmean(np.square(sides))))

    def samples(self, geometry, lon, lat, scales, interpolation):
        """Yield the pixels (ny, nx) of one cutout after the other, as `HealpixPixels` does."""
        beyond = self._beyond(geometry.frame, lon, lat)
        for i in range(len(lon)):
            own = geometry.scaled(scales[i] * u.rad) if geometry.relative else geometry
            # Most of a catalogue of the whole sky: nothing of a small image is in these cutouts.
            if beyond[i] > np.hypot(*own.shape) * own.pixel_side():
                yield np.full(own.shape, np.nan)
                continue
            target = own.wcs_at(*np.degrees([lon[i], lat[i]]))
            with self._in_frame():
                sample = self._sample(target, interpolation)
            yield sample

    def _beyond(self, frame, lon, lat):
        """How far positions [rad] are outside of the image [rad]; -inf where that is not told."""
        middle, reach = self._extent
        if not reach < 1:  # the edges of a good part of the sky may be anywhere
            return np.full(len(lon), -np.inf)
        middle = middle.transform_to(frame).spherical
        away = angular_separation(lon, lat, middle.lon.rad, middle.lat.rad)
        return away - reach - 3 * np.radians(self.side / 60)

    @functools.cached_property
    def _extent(self):
        """Middle of the image, and how far from it [rad] its edges are at most."""
        ny, nx = self.shape
        x, y = np.meshgrid(np.arange(nx), [0, ny - 1])
        y = np.append(y, [np.arange(ny)] * 2)
        x = np.append(x, np.repeat([0, nx - 1], ny))
        middle = self.pixel_to_world((nx - 1) / 2, (ny - 1) / 2)
        return middle, self.pixel_to_world(x, y).separation(middle).rad.max()

    def _sample(self, target, interpolation):
        from reproject import reproject_interp

        nx, ny = target.pixel_shape
        result = np.full((ny, nx), np.nan)
        # NaN where a position is on the side of the sky that the projection does not show.
        place = np.array(
            pixel_to_pixel(target, self._sky, *np.meshgrid(np.arange(nx), np.arange(ny)))
        )
        turns = np.zeros((ny, nx))
        # Between the centres of the outermost pixels and the edge there is no second neighbour.
        margin = 0.5 if interpolation == "nearest" else 1e-6
        limits, axis = [(-margin, n - 1 + margin) for n in self.shape[::-1]], 0
        if self._cylinder is not None:
            place, turns = self._cylinder.turned(place)
            limits, axis = self._cylinder.limits(limits), self._cylinder.axis
        inside = np.isfinite(place).all(axis=0)
        for values, (low, high) in zip(place, limits, strict=True):
            inside &= (values >= low) & (values <= high)
        for turn in np.unique(turns[inside]):
            of_turn = inside & (turns == turn)
            for part in _parts_beside_gap(place[axis], of_turn, self.shape[1 - axis] / 4):
                crop, wcs = self._crop(place[:, part], turn)
                found, _ = reproject_interp(
                    (crop, wcs), target, shape_out=(ny, nx), order=_ORDERS[interpolation]
                )
                result[part] = found[part]
        return result

    def _crop(self, place, turn):
        """Copy the part of the image around some of its pixels (x, y), invalid ones as NaN."""
        cylinder = self._cylinder
        first = np.floor(place.min(axis=1)).astype(int) - 1
        last = place.max(axis=1).astype(int) + 3
        beyond, inside = False, True
        if cylinder is not None and cylinder.closed:
            first, part, beyond, inside = cylinder.pixels(first, last)
            wcs = self._sky.deepcopy()
            wcs.wcs.crpix -= first
        else:
            first, last = np.maximum(first, 0), np.minimum(last, self.shape[::-1])
            part = np.s_[first[1] : last[1], first[0] : last[0]]
            wcs = self._sky[part]
        crop, valid = self._part(part)
        # Corners of an all-sky projection hold numbers but are nowhere on the sky.
        pixels = np.array(np.meshgrid(*(np.arange(n) for n in crop.shape[::-1])), float)
        if cylinder is not None:
            wcs.wcs.crpix += turn * cylinder.period
            pixels, _ = cylinder.turned(pixels, wcs.wcs.crpix - 1)
        valid &= inside & (beyond | np.isfinite(wcs.wcs_pix2world(*pixels, 0)[0]))
        crop[~valid] = np.nan
        return crop, wcs


class _Cylinder:
    """Whole turns of a cylindrical projection, in pixels of an image, and what its edges meet.

    ``period`` (x, y) is a turn. A ``closed`` image holds a whole turn along its ``axis``, so that
    its edges meet there; and beyond a pole that is among its pixels or at their edge lies
    the opposite meridian.
    """

    @classmethod
    def of(cls, wcs, shape):
        """That of a WCS; None if its projection is another one."""
        projections = {str(name)[-3:] for name in wcs.wcs.ctype}
        return cls(wcs, shape) if projections <= _CYLINDRICAL and not wcs.has_distortion else None

    def __init__(self, wcs, shape):
        step = np.linalg.inv(wcs.pixel_scale_matrix)
        self.period = step[:, wcs.wcs.lng] * 360
        self.axis = int(np.argmax(np.abs(self.period)))
        self._size = np.array(shape[::-1])
        turn, oblique = np.abs(self.period[[self.axis, 1 - self.axis]])
        self._columns = round(turn)
        self.closed = (
            oblique < _CLOSE
            and abs(turn - self._columns) < _CLOSE
            and self._size[self.axis] >= self._columns
        )
        self._poles = -np.inf, np.inf
        per_degree = step[1 - self.axis, wcs.wcs.lat]
        if self.closed and self._columns % 2 == 0 and per_degree:
            self._find_poles(wcs, per_degree)

    def _find_poles(self, wcs, per_degree):
        parameters = dict(item[1:] for item in wcs.wcs.get_pv() if item[0] == wcs.wcs.lat + 1)
        height = {"CAR": 90, "CEA": np.degrees(1 / parameters.get(1, 1))}
        height = height.get(str(wcs.wcs.ctype[0])[-3:])
        if height is None or any(item[0] == wcs.wcs.lng + 1 for item in wcs.wcs.get_pv()):
            return
        across = 1 - self.axis
        ends = wcs.wcs.crpix[across] - 1 + height * per_degree * np.array([-1, 1])
        low, high = np.sort(np.round(2 * ends) / 2)
        if np.abs(np.sort(ends) - (low, high)).max() < _CLOSE:
            last = self._size[across] - 0.5
            self._poles = low if low >= -0.5 else -np.inf, high if high <= last else np.inf

    def turned(self, places, around=None):
        """Move places (x, y) by whole turns to next to the image's middle; give the turns too."""
        around = (self._size - 1) / 2 if around is None else around
        offset = around - np.moveaxis(places, 0, -1)
        turns = np.round(offset @ self.period / (self.period @ self.period))
        return places + np.multiply.outer(self.period, turns), turns

    def limits(self, limits):
        """Widen limits of places, one pair for x and y, to all that the image holds."""
        if not self.closed:
            return limits
        low, high = limits[1 - self.axis]
        poles = [
            pole if np.isfinite(pole) else end
            for pole, end in zip(self._poles, (low, high), strict=True)
        ]
        across = min(low, poles[0]), max(high, poles[1])
        return [across, (-np.inf, np.inf)] if self.axis else [(-np.inf, np.inf), across]

    def pixels(self, first, last):
        """First pixel (x, y) and indices of a part of a closed image.

        Also, which of them are beyond a pole, or at it, and which are in the image.
        """
        along, across = self.axis, 1 - self.axis
        for edge, limit, pole in zip(
            (first, last), (0, self._size[across]), self._poles, strict=True
        ):
            if not np.isfinite(pole):
                edge[across] = max(edge[across], 0) if limit == 0 else min(edge[across], limit)
        index = [np.arange(*ends) for ends in zip(first, last, strict=True)]
        line, column = index[across], index[along]
        beyond = np.zeros(line.size, bool)
        opposite = np.zeros(line.size, int)
        for pole, sign in zip(self._poles, (-1, 1), strict=True):
            if np.isfinite(pole):
                depth = sign * (line - pole)
                beyond |= depth > -_CLOSE
                opposite[depth > _CLOSE] = self._columns // 2
                line = np.where(depth > _CLOSE, np.round(2 * pole - line), line).astype(int)
        inside = (line >= 0) & (line < self._size[across])
        line = np.clip(line, 0, self._size[across] - 1)
        if along == 0:
            line, beyond, inside, opposite = (a[:, None] for a in (line, beyond, inside, opposite))
        else:
            column = column[:, None]
        column = (column + opposite) % self._columns
        return first, (line, column) if along == 0 else (column, line), beyond, inside


def _parts_beside_gap(x, inside, widest):
    """Split pixels whose columns are on both sides of a wide gap; give their masks."""
    columns = np.sort(x[inside])
    if not len(columns):
        return []
    gaps = np.diff(columns)
    if not len(gaps) or gaps.max() <= widest:
        return [inside]
    edge = columns[gaps.argmax()]
    return [inside & (x <= edge), inside & (x > edge)]
