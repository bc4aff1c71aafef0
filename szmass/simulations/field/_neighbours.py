"""Haloes around a cluster, painted into its fields."""

import functools

import numpy as np

from szmass._utils.seeds import generator
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, angular_diameter_distance
from szmass.physics.templates import transform_tables
from szmass.simulations.bodies._fourier import FieldGrid
from szmass.simulations.bodies._substructure import RADIUS_MAX

__all__ = ["Neighbours"]

# Haloes within such steps of ln theta500 share an image; so do, where the shape of the profile
# depends on them, those within such steps of ln M and of redshift.
_SIZE_STEP, _MASS_STEP, _REDSHIFT_STEP = 0.1, 0.5, 0.1


class Neighbours:
    """Draws the haloes that are correlated with clusters and adds them to their fields.

    Parameters
    ----------
    environment : `~szmass.simulations.Environment`
        What haloes are made of, their mass function and lowest mass.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid of the fields.
    window : Window
        Beam and pixel windows.
    seed : int
        Seed.
    """

    def __init__(self, environment, geometry, window, seed):
        self._environment, self._geometry, self._seed = environment, geometry, seed
        self._pixel = geometry.pixel_scale.to_value("arcmin")
        self._window = window
        self._haloes = environment._clustering()
        self._image = functools.lru_cache(maxsize=1024)(self._make_image)

    def add(self, maps, clusters, matrix, shift):
        """Add the neighbours of each cluster to its fields.

        Parameters
        ----------
        maps : ndarray
            Compton-y, shape (N, projections, ny, nx); changed in place.
        clusters : `~astropy.table.QTable`
            From `draw_clusters`.
        matrix : ndarray
            From each cluster's body to the sky, shape (N, projections, 3, 3).
        shift : ndarray
            Place of the clusters right of and above the middle [arcmin], shape (N, projections, 2).

        Returns
        -------
        number : ndarray of int
            Neighbours whose centre is in the field, shape (N, projections).
        y500 : ndarray
            The sum of their Y500 [arcmin2], shape (N, projections).
        """
        environment, model = self._environment, self._environment.model
        redshift = np.asarray(clusters["redshift"], dtype=float)
        # Comoving [Mpc] per arcmin at each cluster.
        distance = (1 + redshift) * angular_diameter_distance(redshift, environment.cosmology)
        scale = distance / ARCMIN_PER_RADIAN
        inner = RADIUS_MAX * clusters["theta500_true"].to_value("arcmin") * scale
        pivots = model.profile.scales(np.full(len(redshift), 1e14), redshift, environment.cosmology)
        half = np.array([0.5 * (n - 1) for n in self._geometry.shape[::-1]])
        number = np.zeros(maps.shape[:2], dtype=int)
        total = np.zeros(maps.shape[:2])
        for i, (mass, z, key) in enumerate(
            zip(clusters["mass_true"].value, redshift, clusters["cluster_id"], strict=True)
        ):
            rng = generator(self._seed, "neighbours", key)
            # No farther than the observer.
            masses, place = self._haloes.draw(mass, z, inner[i], distance[i], rng)
            theta, y500, _ = environment._signal(masses, z, [pivot[i] for pivot in pivots[:2]])
            y500 = y500 * np.exp(model.sigma_lny * rng.standard_normal(len(masses)))
            place = place / scale[i]
            keys = self._keys(theta, masses, z)
            reach = self._reach(keys[:, 0])
            for j in range(maps.shape[1]):
                offset = (place @ matrix[i, j, :2].T + shift[i, j]) / self._pixel
                column, row = np.rint(offset + half).astype(int).T
                inside = (abs(offset) <= half + 0.5).all(axis=1)
                number[i, j], total[i, j] = np.count_nonzero(inside), y500[inside].sum()
                visible = (abs(offset) < half + reach[:, np.newaxis]).all(axis=1)
                for k in np.flatnonzero(visible):
                    _paste(maps[i, j], self._image(*keys[k]), y500[k], row[k], column[k])
        return number, total

    def _keys(self, theta, masses, redshift):
        """Which image each halo has, shape (n, 3)."""
        keys = np.zeros((len(theta), 3), dtype=int)
        keys[:, 0] = np.rint(np.log(theta) / _SIZE_STEP)
        if not self._environment.model.profile.self_similar:
            keys[:, 1] = np.rint(np.log(masses) / _MASS_STEP)
            keys[:, 2] = np.rint(redshift / _REDSHIFT_STEP)
        return keys

    def _reach(self, size):
        """How far images reach from their middle [pixels]."""
        theta = np.exp(size * _SIZE_STEP)
        return np.ceil((5 * theta + 4.5 * self._window.sigma) / self._pixel).astype(int)

    def _make_image(self, size, mass, redshift):
        """Image of a halo of unit Y500 at the middle of an odd number of pixels."""
        environment = self._environment
        theta = np.exp(size * _SIZE_STEP)
        parameters = []
        if not environment.model.profile.self_similar:
            scaled = environment.model.one_minus_b * np.exp([mass * _MASS_STEP])
            at = np.maximum([redshift * _REDSHIFT_STEP], 0.5 * _REDSHIFT_STEP)
            _, _, *parameters = environment.model.profile.scales(scaled, at, environment.cosmology)
        table = transform_tables(environment._shape(parameters)[np.newaxis])
        reach = int(self._reach(size))
        grid = FieldGrid((2 * reach + 1,) * 2, self._pixel, self._window)
        n = grid.size(2 * reach * self._pixel)
        stretch = np.array([[theta**2, 0.0, theta**2]])
        modes = grid.spectrum(
            n, table, np.zeros(1, dtype=int), np.ones(1), stretch, np.zeros((1, 2))
        )
        return grid.image(n, modes)


def _paste(field, image, factor, row, column):
    """Add an image, of which the middle pixel is at a row and column, where it overlaps."""
    reach = len(image) // 2
    top, left = row - reach, column - reach
    bottom, right = row + reach + 1, column + reach + 1
    ny, nx = field.shape
    if bottom <= 0 or right <= 0 or top >= ny or left >= nx:
        return
    part = image[max(-top, 0) : ny - top, max(-left, 0) : nx - left]
    field[max(top, 0) : bottom, max(left, 0) : right] += np.float32(factor) * part
