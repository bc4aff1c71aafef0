"""Images of clusters in whatever form they come, and the same with more of their noise."""

import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.nddata import InverseVariance, NDData, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales

from szmass._io.fits import open_fits
from szmass._utils.kinds import as_path
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import generator
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps import CutoutGeometry, CutoutStack, NoiseModel
from szmass.maps.cutouts import as_stack
from szmass.maps.noise.core import get_noise_model
from szmass.maps.noise.depth import DepthMap
from szmass.simulations import FieldStack

_KINDS = (
    "a Cutout, a CutoutStack, a ClusterSample with cutouts, a FieldStack, an NDData, the path of a "
    "FITS image, or an array (ny, nx) or (N, ny, nx)"
)


#: No value is larger: healpy and Planck mark bad pixels by -1.6375e30.
LARGEST = 1e30
#: Fewest draws that have a standard deviation.
FEWEST_DRAWS = 2


class Images:
    """N images of one shape: data (N, ny, nx), which of them are valid, and sides of pixels [rad].

    ``counts`` is what the images are before background and exposure; ``background`` and
    ``exposure`` are arrays of one of the shapes (N, ny, nx), (ny, nx) and (), or None.
    """

    def __init__(self, images, *, pixel_scale, mask, background, exposure):
        self.names = self.coord = self.geometry = self.noise = self.beam = self.sigma = None
        self.wcs = lambda i: None
        self.unit = self.scale = None
        data, good, pixel = self._take(images)
        try:
            self.data = np.asarray(data)
            kind = self.data.dtype.kind
        except ValueError:
            kind = "O"
        if self.data.ndim == 2:
            self.data = self.data[np.newaxis]
        if kind not in "fiu" or self.data.ndim != 3 or 0 in self.data.shape[1:]:
            raise InvalidInputError(f"'images' must be {_KINDS}. Received: {images!r:.200}")
        self.n, self.shape = len(self.data), self.data.shape[1:]
        if pixel is None:
            if pixel_scale is None:
                raise InvalidInputError(
                    "'pixel_scale' must be given: the images do not say how large their pixels are."
                )
            pixel = as_floats(pixel_scale, u.rad, "pixel_scale", positive=True, finite=True)
            pixel = one_each(pixel, self.n, "pixel_scale")
        elif pixel_scale is not None:
            raise InvalidInputError("The images know their pixels: leave 'pixel_scale' out.")
        self.pixel = np.broadcast_to(np.asarray(pixel, float), (self.n,))
        if self.names is None:
            self.names = np.array([str(i) for i in range(self.n)])
        self._good = good
        self._mask = self._maps(mask, "mask", bool)
        self.exposure = self._maps(exposure, "exposure", float)
        self.ring = None
        if isinstance(background, tuple) and len(background) == 2:
            self.ring = as_floats(background, "", "background", positive=True, finite=True)
            if self.ring[0] >= self.ring[1]:
                raise InvalidInputError(
                    "'background' must be a map, a number, or the inner and outer radius of a ring "
                    f"in R500. Received: {background!r}"
                )
            background = None
        self.background = self._maps(background, "background", float)

    def _take(self, images):
        images = as_stack(read_image(images))
        if isinstance(images, CutoutStack | FieldStack):
            return self._take_stack(images)
        if isinstance(images, NDData):
            return self._take_nddata(images)
        if isinstance(images, u.Quantity):
            self.unit, images = images.unit, images.value
        if isinstance(images, np.ma.MaskedArray):
            return images.data, ~np.ma.getmaskarray(images), None
        return images, None, None

    def _take_stack(self, stack):
        self.names, self.coord, self.geometry = stack.names, stack.coord, stack.geometry
        self.beam = stack.beam
        good = getattr(stack, "footprint", None)
        if isinstance(stack, CutoutStack):
            self.noise = stack.noise
            self.wcs = lambda i: stack[i].wcs
        else:
            self.wcs = lambda i: self.geometry.wcs(stack.coord[i])
        if not self.geometry.relative:
            return stack.data, good, self.geometry.pixel_scale.to_value(u.rad)
        self.scale = stack.angular_scale.to_value(u.rad)
        return stack.data, good, self.geometry.pixel_scale.value * self.scale

    def _take_nddata(self, image):
        pixel = None
        if getattr(image.wcs, "has_celestial", False):
            pixel = _pixel_of(image.wcs)
            self.wcs = lambda i: image.wcs
        self.unit = image.unit
        kinds = StdDevUncertainty | VarianceUncertainty | InverseVariance
        if isinstance(image.uncertainty, kinds):
            # The unit of an uncertainty is its own, if it has one.
            self.sigma = image.uncertainty.represent_as(StdDevUncertainty).quantity
        name = (image.meta or {}).get("OBJECT")
        self.names = None if name is None else np.array([str(name)])
        mask = None if image.mask is None else ~np.broadcast_to(image.mask, np.shape(image.data))
        return image.data, mask, pixel

    def _maps(self, values, name, kind):
        if values is None:
            return None
        if isinstance(values, str) or hasattr(values, "__fspath__"):
            values = read_image(values).data
        if name == "background":
            values = self.plain(values, name)
        elif isinstance(values, u.Quantity):  # the unit of an exposure cancels
            values = values.value
        values = np.asarray(values)
        if values.dtype.kind not in ("b" if kind is bool else "fiu"):
            what = "of bool, True for bad pixels" if kind is bool else "of numbers"
            raise InvalidInputError(f"'{name}' must be an array {what}. Received: {values.dtype}")
        if values.shape not in ((), self.shape, self.data.shape):
            raise InvalidInputError(
                f"'{name}' must have the shape of the images, {self.data.shape} or {self.shape}. "
                f"Received: {values.shape}"
            )
        return values

    def plain(self, values, name):
        """Give values without their unit, in that of the images."""
        unit = getattr(values, "unit", None)
        if unit is None or (self.unit is None and u.Unit(unit) == u.one):
            return values
        if self.unit is None:
            raise InvalidInputError(
                f"'{name}' must be plain numbers, as the images have no unit. Received: {unit}"
            )
        return as_floats(values, self.unit, name)

    def row(self, i):
        """Image, background, exposure (arrays, or None), and which pixels are valid, of one row."""
        image = np.asarray(self.data[i], float)
        background, exposure = (_of_row(maps, i) for maps in (self.background, self.exposure))
        good = np.isfinite(image) & (np.abs(image) < LARGEST)
        for valid in (self._good, None if self._mask is None else ~self._mask):
            if valid is not None:
                good &= _of_row(valid, i)
        if exposure is not None:
            good &= exposure > 0
        if background is not None:
            good &= np.isfinite(background)
        return image, background, exposure, good

    def places(self, center):
        """Pixels (x, y) of positions, (N, 2), given as a SkyCoord or as pixels."""
        if isinstance(center, SkyCoord):
            center = center.reshape((1,)) if center.isscalar else center
            if center.shape != (self.n,):
                raise InvalidInputError(
                    f"'center' must have one position per image ({self.n}). "
                    f"Received: shape {center.shape}"
                )
            result = np.full((self.n, 2), np.nan)
            for i, position in enumerate(center):
                wcs = self.wcs(i)
                if wcs is None:
                    raise InvalidInputError(
                        "'center' must be in pixels (x, y): the images have no WCS."
                    )
                if np.isfinite(position.data.lon.value):
                    result[i] = wcs.world_to_pixel(position)
            return result
        places = None if isinstance(center, str) else as_floats(center, "", "center")
        if places is None or places.shape not in ((2,), (self.n, 2)):
            raise InvalidInputError(
                "'center' must be 'peak', 'centroid', 'middle', a SkyCoord, or pixels (x, y) of "
                f"shape (2,) or ({self.n}, 2). Received: {center!r:.200}"
            )
        return np.broadcast_to(places, (self.n, 2))

    def grid(self):
        """Give the geometry that noise is drawn on."""
        if self.geometry is not None and not self.geometry.relative:
            return self.geometry
        if np.any(self.pixel != self.pixel[0]):
            raise InvalidInputError("Noise is drawn for pixels of one size: these differ.")
        return CutoutGeometry(self.shape, self.pixel[0] * u.rad)


def _of_row(maps, i):
    return maps[i] if maps is not None and np.ndim(maps) == 3 else maps


def _pixel_of(wcs):
    """Side of the pixels of a celestial WCS [rad]."""
    scales = proj_plane_pixel_scales(wcs.celestial)
    if abs(scales[0] / scales[1] - 1) > 1e-3:
        raise InvalidInputError(
            f"The pixels of the image must be square. Received: {scales[0]:.6g} by {scales[1]:.6g} "
            "deg; reproject it first."
        )
    return np.radians(np.sqrt(scales[0] * scales[1]))


def read_image(image):
    """Give the first image of a FITS file as an NDData; what is no path is given back."""
    if not (isinstance(image, str) or hasattr(image, "__fspath__")):
        return image
    path = as_path(image)
    with open_fits(path, memmap=False) as hdus:
        for hdu in hdus:
            if hdu.is_image and hdu.data is not None and np.squeeze(hdu.data).ndim == 2:
                data = np.squeeze(hdu.data)
                data = data.astype(data.dtype.newbyteorder("="))
                with warnings.catch_warnings():  # spellings that astropy puts right by itself
                    warnings.simplefilter("ignore", FITSFixedWarning)
                    try:
                        wcs = WCS(hdu.header)
                    except (ValueError, MemoryError, TypeError) as err:  # those of wcslib are too
                        why = " ".join(str(err).split())
                        raise FileFormatError(f"The WCS of {path} cannot be used: {why}") from err
                meta = {"OBJECT": str(hdu.header.get("OBJECT", path.name))}
                meta["BUNIT"] = str(hdu.header.get("BUNIT", ""))
                return NDData(data, wcs=wcs.celestial if wcs.has_celestial else None, meta=meta)
    raise FileFormatError(f"{path} holds no image of two dimensions.")


def one_each(values, n, name):
    if values.shape not in ((), (n,)):
        raise InvalidInputError(
            f"'{name}' must be one, or one per image ({n}). Received: shape {values.shape}"
        )
    return np.broadcast_to(values, (n,)).astype(float)


def get_draws(images, noise, errors, depth, seed):
    """Give what makes the images of a row with more noise, or None without errors."""
    if isinstance(errors, bool) or not isinstance(errors, int | np.integer) or errors < 0:
        raise InvalidInputError(f"'errors' must be a number of draws >= 0. Received: {errors!r}")
    if not errors:
        return None
    if errors < FEWEST_DRAWS:
        raise InvalidInputError(f"'errors' must be 0 or at least {FEWEST_DRAWS} draws.")
    if noise is None:
        noise = images.noise if images.noise is not None else images.sigma
        if noise is None:
            raise InvalidInputError(
                "'noise' must be given for errors: the images do not know theirs. Give a "
                "NoiseModel of the map, 'poisson' for counts, or a standard deviation."
            )
    if isinstance(noise, NoiseModel) or (isinstance(noise, str) and noise != "poisson"):
        return _Correlated(images, get_noise_model(noise), errors, depth, seed)
    if depth is not None:
        raise InvalidInputError("'depth' is a factor of a NoiseModel: give that as 'noise'.")
    if isinstance(noise, str):
        return _Poisson(images, errors, seed)
    return _White(images, noise, errors, seed)


class _Poisson:
    source = "poisson"

    def __init__(self, images, errors, seed):
        counts = images.data[np.abs(images.data) < LARGEST]
        if np.any(counts < 0) or np.any(counts != np.rint(counts)):
            raise InvalidInputError(
                "noise='poisson' draws counts: the images must be whole numbers >= 0. Give what is "
                "not counted as 'background' and 'exposure'."
            )
        self.errors, self.seed = errors, seed

    def __call__(self, i, row):
        rng = generator(self.seed, "morphology", i)
        for _ in range(self.errors):
            yield rng.poisson(np.where(row.good, row.raw, 0)).astype(float)


class _White:
    source = "independent pixels"

    def __init__(self, images, sigma, errors, seed):
        self.sigma = as_floats(images.plain(sigma, "noise"), "", "noise")
        if self.sigma.shape not in ((), images.shape, images.data.shape):
            raise InvalidInputError(
                f"'noise' must be one number or have the shape of the images, {images.shape}. "
                f"Received: {self.sigma.shape}"
            )
        if np.any(self.sigma < 0):
            raise InvalidInputError("'noise' must not be negative.")
        self.errors, self.seed = errors, seed

    def __call__(self, i, row):
        rng = generator(self.seed, "morphology", i)
        sigma = np.broadcast_to(self.sigma[i] if self.sigma.ndim == 3 else self.sigma, row.shape)
        if not np.isfinite(sigma[row.good]).all():
            raise InvalidInputError("'noise' is not finite in pixels that are not masked.")
        sigma = np.where(row.good, sigma, 0.0)
        for _ in range(self.errors):
            yield row.raw + sigma * rng.standard_normal(row.shape)


class _Correlated:
    def __init__(self, images, noise, errors, depth, seed):
        self.noise, self.errors, self.seed = noise, errors, seed
        self.source = repr(noise)
        self.geometry = images.grid()
        if depth is not None:
            self.depth = one_each(as_floats(depth, "", "depth", positive=True), images.n, "depth")
        elif isinstance(noise.depth, DepthMap) and images.coord is not None:
            self.depth = noise.depth.at(images.coord)
        else:
            self.depth = np.ones(images.n)

    def __call__(self, i, row):
        rng = generator(self.seed, "morphology", i)
        for field in self.noise.draw(self.geometry, self.errors, rng, depth=self.depth[i]):
            yield row.raw + field
