"""The pixels of a map that is an image with a celestial WCS, and cutouts of it by reproject."""

import functools

import astropy.units as u
import numpy as np
from astropy.wcs.utils import pixel_to_pixel, wcs_to_celestial_frame

_ORDERS = {"nearest": "nearest-neighbor", "bilinear": "bilinear"}
# Projections in which the left and right edges of a map of the whole sky are neighbours.
_CYLINDRICAL = {"CAR", "CEA", "CYP", "MER"}
_LARGEST_VALUE = 1e30


class ImagePixels:
    """An image (ny, nx) with a celestial WCS, perhaps memory-mapped; masked pixels are not used."""

    def __init__(self, data, wcs, mask=None):
        self.data = data
        self.wcs = wcs
        self.mask = mask
        self.frame = wcs_to_celestial_frame(wcs)
        self.shape = data.shape
        self._cyclic = _is_cyclic(wcs, data.shape[1])

    def values(self):
        """All pixels, float64; NaN for invalid ones, whatever marks them."""
        values, valid = self._part(np.s_[:, :])
        values[~valid] = np.nan
        return values

    def _part(self, where):
        """Values of some pixels, float64, and whether they are valid."""
        values = self.data[where].astype(np.float64)
        valid = np.abs(values) < _LARGEST_VALUE
        if self.mask is not None:
            valid &= ~self.mask[where]
        return values, valid

    @functools.cached_property
    def side(self):
        """Root mean square side of the pixels over the image [arcmin]."""
        x, y = np.meshgrid(*(np.linspace(0, n - 1, 9) for n in self.shape[::-1]))
        corners = [self.wcs.pixel_to_world(x + dx, y + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))]
        sides = [corners[0].separation(corner).arcmin for corner in corners[1:]]
        return float(np.sqrt(np.nanmean(np.square(sides))))

    def samples(self, geometry, lon, lat, scales, interpolation):
        """Yield the pixels (ny, nx) of one cutout after the other, as `HealpixPixels` does."""
        for i in range(len(lon)):
            own = geometry.scaled(scales[i] * u.rad) if geometry.relative else geometry
            yield self._sample(own.wcs_at(*np.degrees([lon[i], lat[i]])), interpolation)

    def _sample(self, target, interpolation):
        from reproject import reproject_interp

        nx, ny = target.pixel_shape
        result = np.full((ny, nx), np.nan)
        # NaN where a position is on the side of the sky that the projection does not show.
        x, y = pixel_to_pixel(target, self.wcs, *np.meshgrid(np.arange(nx), np.arange(ny)))
        # Between the centres of the outermost pixels and the edge there is no second neighbour.
        margin = 0.5 if interpolation == "nearest" else 1e-6
        inside = np.isfinite(x) & (y >= -margin) & (y <= self.shape[0] - 1 + margin)
        if not self._cyclic:
            inside &= (x >= -margin) & (x <= self.shape[1] - 1 + margin)
        for part in _parts_beside_gap(x, inside, self.shape[1] / 4):
            crop, wcs = self._crop(x[part], y[part])
            found, _ = reproject_interp(
                (crop, wcs), target, shape_out=(ny, nx), order=_ORDERS[interpolation]
            )
            result[part] = found[part]
        return result

    def _crop(self, x, y):
        """Copy the part of the image around some of its pixels, invalid ones as NaN."""
        bottom, top = max(int(y.min()) - 1, 0), min(int(y.max()) + 3, self.shape[0])
        left, right = int(np.floor(x.min())) - 1, int(x.max()) + 3
        if self._cyclic:
            part = slice(bottom, top), np.arange(left, right) % self.shape[1]
            wcs = self.wcs[bottom:top]
            wcs.wcs.crpix[0] -= left
        else:
            left, right = max(left, 0), min(right, self.shape[1])
            part = np.s_[bottom:top, left:right]
            wcs = self.wcs[part]
        crop, valid = self._part(part)
        # Corners of an all-sky projection hold numbers but are nowhere on the sky. Of a cylinder
        # only rows can be: one column tells, and those beyond the seam are on the sky.
        x = np.arange(crop.shape[1])
        if self._cyclic:
            x = np.full_like(x, wcs.wcs.crpix[0])
        lon, _ = wcs.wcs_pix2world(*np.meshgrid(x, np.arange(crop.shape[0])), 0)
        valid &= np.isfinite(lon)
        crop[~valid] = np.nan
        return crop, wcs


def _is_cyclic(wcs, nx):
    """Tell whether the columns of an image go once round the sky."""
    projections = {str(name)[-3:] for name in wcs.wcs.ctype}
    matrix = wcs.pixel_scale_matrix
    return (
        projections <= _CYLINDRICAL
        and wcs.wcs.lng == 0
        and not wcs.has_distortion
        and matrix[0, 1] == matrix[1, 0] == 0
        and abs(abs(matrix[0, 0]) * nx - 360) < 1e-3 * abs(matrix[0, 0])
    )


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
