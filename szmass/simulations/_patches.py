"""Clusters on the pixels of a whole sky: painted on patches as large as each needs."""

import astropy.units as u
import numpy as np
from scipy import fft

from szmass._utils.seeds import uniforms
from szmass.exceptions import InvalidInputError
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.sampling import tangent_axes
from szmass.simulations.bodies import _triaxial
from szmass.simulations.bodies._fourier import FieldGrid
from szmass.simulations.bodies.painting import ClusterPainter

__all__ = ["PatchPainter", "add_patch"]

# Side of a patch's pixels in standard deviations of the window: cubics between them are then good
# to 3e-4 of the peak.
_STEP = 0.4
# What a window leaves further from the edge of a cluster is left out.
_TAIL = 4.0
# Sizes of patches go up in these steps, so that their modes are made once for many clusters.
_GROWTH = 1.12
_WIDEST = np.radians(60.0)
_RADIAN = 10800 / np.pi


class _Patches:
    """Square grids of one pixel size: `FieldGrid` for whatever size a cluster needs."""

    def __init__(self, pixel, window):
        self.pixel, self.window = pixel, window
        self._grids = {}

    def size(self, reach):
        half = reach + _TAIL * self.window.sigma
        if half > _WIDEST * _RADIAN:
            raise InvalidInputError(
                f"A cluster reaches {half / 60:.0f} deg from its centre, more than a patch of the "
                "sky can hold. Leave out clusters that are so near (redshift)."
            )
        steps = np.ceil(np.log(2 * half / self.pixel) / np.log(_GROWTH))
        return fft.next_fast_len(int(np.ceil(_GROWTH**steps)), real=True)

    def _grid(self, n):
        if n not in self._grids:
            self._grids[n] = FieldGrid((n, n), self.pixel, self.window)
        return self._grids[n]

    def spectrum(self, n, *components):
        return self._grid(n).spectrum(n, *components)

    def image(self, n, spectrum):
        return self._grid(n).image(n, spectrum)


class PatchPainter(ClusterPainter):
    """Paints each drawn cluster on a patch that holds the whole of it.

    Parameters
    ----------
    model : str or `ClusterModel`
        The one that the clusters were drawn from.
    beam : `~astropy.units.Quantity` or str
        FWHM of the Gaussian beam.
    box_variance : float
        Variance per axis [arcmin2] of the map's pixels.
    """

    def __init__(self, model, *, beam, box_variance):
        # The grid of the base class is not used: it only checks the beam with it.
        super().__init__(
            model,
            geometry=CutoutGeometry(shape=(2, 2), pixel_scale=0.1 * u.arcmin),
            beam=beam,
            box_variance=box_variance,
        )
        self.pixel = _STEP * self.window.sigma
        self._grid = _Patches(self.pixel, self.window)

    def patches(self, clusters, seed):
        """Yield the image of each cluster, in its projection 0, on a square of its own size."""
        keys = [(int(i), 0) for i in clusters["cluster_id"]]
        _, matrix = _triaxial.rotations(uniforms(seed, "projection", keys, 3))
        matrix = matrix.reshape(len(clusters), 3, 3)
        for components, turned in zip(self._components(clusters), matrix, strict=True):
            yield self._field(*components, turned, np.zeros(2))


def add_patch(sky, nside, image, pixel, lon, lat):
    """Add a patch to a sky.

    Parameters
    ----------
    sky : ndarray
        Pixels in RING ordering; changed in place.
    nside : int
        Their resolution.
    image : ndarray
        Patch on the equal-area plane that touches the sphere at its middle, rows to the North,
        columns to the West.
    pixel : float
        Side of its pixels [arcmin].
    lon, lat : float
        Position of its middle [rad].
    """
    import healpy
    from scipy.ndimage import map_coordinates

    middle = (len(image) - 1) / 2
    # The circle about the square, in the plane and on the sphere.
    corner = min(np.sqrt(2) * (middle + 1) * pixel / _RADIAN, 1.9)
    centre, (to_east, to_north) = tangent_axes(lon, lat)
    pixels = healpy.query_disc(nside, centre, 2 * np.arcsin(corner / 2))
    directions = np.array(healpy.pix2vec(nside, pixels))
    scale = np.sqrt(2 / (1 + centre @ directions)) * (_RADIAN / pixel)
    points = np.stack([(to_north @ directions) * scale, -(to_east @ directions) * scale]) + middle
    inside = np.abs(points - middle).max(axis=0) <= middle
    sky[pixels[inside]] += map_coordinates(
        image, points[:, inside], order=3, mode="mirror", output=np.float32
    )
