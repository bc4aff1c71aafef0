"""Haloes in the fields of clusters: their gas, and those that cluster around a cluster."""

import functools

import astropy.units as u
import numpy as np
from scipy import fft

from szmass._utils.seeds import generator
from szmass.exceptions import InvalidInputError
from szmass.physics.concentration import colossus_for
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, angular_diameter_distance
from szmass.physics.mass_function import sky_density
from szmass.physics.templates import X_NODES, sphere_weights, transform_tables
from szmass.simulations.bodies._fourier import FieldGrid
from szmass.simulations.bodies._substructure import RADIUS_MAX, directions
from szmass.simulations.field.ingredients import Ingredient

# Highest redshift of the tables of clustering.
_REDSHIFT_MAX = 3.0

# Numbers of nodes of the tables: per e-fold of mass, and in the root of redshift.
_PER_E_FOLD, _N_Z = 20, 60
# Masses [Msun] for which the bias of a cluster is tabulated.
_CLUSTERS = (1e12, 1e16)

# Haloes within such steps of ln theta500 share an image; so do, where the shape of the profile
# depends on them, those within such steps of ln M and of redshift.
_SIZE_STEP, _MASS_STEP, _REDSHIFT_STEP = 0.1, 0.5, 0.1


class HaloGas:
    """Signals and shapes of haloes of a cluster model."""

    def __init__(self, model, cosmology):
        self.model, self.cosmology = model, cosmology

    def signal(self, mass, redshift, pivots):
        """theta500 [arcmin] and Y500 [arcmin2] of haloes, and shape parameters."""
        model = self.model
        theta, scale = pivots
        scaled = model.one_minus_b * mass
        theta = theta * np.cbrt(scaled / 1e14)
        if model.profile.self_similar:
            # The profile's amplitude times R500 is a power law of mass at each redshift.
            scale = scale * (scaled / 1e14) ** (model.y_slope - 2 / 3)
            parameters = []
        else:
            _, scale, *parameters = model.profile.scales(
                scaled, np.broadcast_to(redshift, scaled.shape), self.cosmology
            )
        inner = model.profile.shape(X_NODES, *[p[:, np.newaxis] for p in parameters])
        inner = inner @ sphere_weights(1.0)
        return theta, scale * theta**2 * (4 * np.pi / 3) * inner, parameters

    def mean_shape(self, parameters):
        """Mean profile of a few haloes, of unit Y500."""
        profile = self.model.profile.shape(X_NODES, *[p[:, np.newaxis] for p in parameters])
        profile = np.atleast_2d(profile)
        inner = profile @ sphere_weights(1.0) * (4 * np.pi / 3)
        return (profile / inner[:, np.newaxis]).mean(axis=0)


def _linear_correlation(power, h):
    """Comoving radius [Mpc] to the first zero, and xi of matter today, from P(k) [(Mpc/h)^3]."""
    n, step = 4096, np.log(1e8) / 4095
    k = 1e-4 * np.exp(step * np.arange(n))
    r = 1e-4 * np.exp(step * np.arange(n))
    # Smoothed on 0.05 Mpc/h, so that the transform ends.
    spectrum = power(k) * np.exp(-((0.05 * k) ** 2))
    offset = fft.fhtoffset(step, mu=0.5, initial=np.log(k[n // 2] * r[n // 2]))
    r = r * np.exp(offset) / (k[n // 2] * r[n // 2])
    xi = fft.fht(k**1.5 * spectrum, step, mu=0.5, offset=offset) / (2 * np.pi * r) ** 1.5
    chosen = (r > 0.1) & (r < 300)
    r, xi = r[chosen], xi[chosen]
    end = np.argmax(xi <= 0) if np.any(xi <= 0) else len(xi)
    return r[:end] / h, xi[:end]


class HaloClustering:
    """The excess of haloes, of M500c [Msun] between two limits, around clusters, in linear theory.

    Around a cluster of bias b_t, haloes of bias b have (1 + b_t b xi(r)) times their mean density.
    Tinker et al. 2010 (bias), 2008 (mass function), for 500c; Eisenstein & Hu 1998 (P(k)).
    """

    def __init__(self, mass, cosmology):
        low, high = np.log(mass)
        self.cosmology = cosmology
        self.log_mass = np.linspace(low, high, 2 + int(_PER_E_FOLD * (high - low)))
        self._root_z = np.linspace(np.sqrt(1e-3), np.sqrt(_REDSHIFT_MAX), _N_Z)
        redshift = self._root_z**2
        self._cluster_mass = np.linspace(*np.log(_CLUSTERS), 100)
        masses = np.concatenate([self.log_mass, self._cluster_mass])
        with colossus_for(cosmology):
            from colossus.cosmology import cosmology as colossus_cosmology
            from colossus.lss import bias

            ours = colossus_cosmology.getCurrent()
            self._radius, xi = _linear_correlation(ours.matterPowerSpectrum, cosmology.h)
            self._growth = ours.growthFactor(redshift) ** 2
            scaled = np.exp(masses) * cosmology.h
            table = np.array(
                [bias.haloBias(scaled, z, mdef="500c", model="tinker10") for z in redshift]
            )
        self._bias = table[:, len(self.log_mass) :]
        volume = cosmology.differential_comoving_volume(redshift).to_value("Mpc3 / sr")
        density = sky_density(self.log_mass, redshift, cosmology)
        density *= table[:, : len(self.log_mass)] / (4 * np.pi * volume)[:, np.newaxis]
        # Number densities times bias above each mass, from the heaviest down.
        middle = 0.5 * np.diff(self.log_mass) * (density[:, 1:] + density[:, :-1])
        self._above = np.zeros_like(density)
        self._above[:, :-1] = np.cumsum(middle[:, ::-1], axis=1)[:, ::-1]
        # The integral of xi over a sphere [Mpc3].
        shells = 4 * np.pi * self._radius**3 * xi
        middle = 0.5 * np.diff(np.log(self._radius)) * (shells[1:] + shells[:-1])
        self._within = np.concatenate([[0.0], np.cumsum(middle)])

    def _state(self, mass, redshift):
        """Bias of a cluster, b n (> M) of the haloes [Mpc-3] and growth at its redshift."""
        if not redshift <= _REDSHIFT_MAX:
            raise InvalidInputError(
                f"Clustered neighbours are known up to redshift {_REDSHIFT_MAX:g}; a cluster is at "
                f"{redshift:g}. Leave it out, or use an environment with clustered=False."
            )
        place = (np.sqrt(redshift) - self._root_z[0]) / (self._root_z[1] - self._root_z[0])
        place = max(place, 0.0)
        i = min(int(place), _N_Z - 2)
        share = place - i
        bias, above, growth = (
            (1 - share) * table[i] + share * table[i + 1]
            for table in (self._bias, self._above, self._growth)
        )
        return np.interp(np.log(mass), self._cluster_mass, bias), above, growth

    def _ends(self, inner, outer):
        return np.interp([inner, max(inner, outer)], self._radius, self._within)

    def expected(self, mass, redshift, inner, outer=np.inf):
        """Mean excess in a shell of comoving radii [Mpc] about a cluster of a mass [Msun]."""
        bias, above, growth = self._state(mass, redshift)
        low, high = self._ends(inner, outer)
        return bias * above[0] * growth * (high - low)

    def draw(self, mass, redshift, inner, outer, rng):
        """Masses [Msun] and comoving places [Mpc], shape (n, 3), of the excess in a shell."""
        bias, above, growth = self._state(mass, redshift)
        low, high = self._ends(inner, outer)
        n = rng.poisson(bias * above[0] * growth * (high - low))
        uniform = rng.random((n, 4))
        log_mass = np.interp(uniform[:, 0] * above[0], above[::-1], self.log_mass[::-1])
        radius = np.interp(low + uniform[:, 1] * (high - low), self._within, self._radius)
        return np.exp(log_mass), radius[:, np.newaxis] * directions(uniform[:, 2:])


class Neighbours(Ingredient):
    """Haloes that are correlated with clusters, painted into their fields."""

    name = "neighbours"

    def __init__(self, environment, geometry, window):
        self._cosmology, self._haloes = environment.cosmology, environment.halo_clustering
        self._gas = HaloGas(environment.model, environment.cosmology)
        self._shape, self._window = geometry.shape, window
        self._pixel = geometry.pixel_scale.to_value("arcmin")
        self._image = functools.lru_cache(maxsize=1024)(self._make_image)

    def add(self, maps, fields):
        """Add them, and count those in each field and their Y500."""
        profile, clusters = self._gas.model.profile, fields.clusters
        redshift = np.asarray(clusters["redshift"], dtype=float)
        # Comoving [Mpc] per arcmin at each cluster.
        distance = (1 + redshift) * angular_diameter_distance(redshift, self._cosmology)
        scale = distance / ARCMIN_PER_RADIAN
        inner = RADIUS_MAX * clusters["theta500_true"].to_value("arcmin") * scale
        pivots = profile.scales(np.full(len(redshift), 1e14), redshift, self._cosmology)
        half = np.array([0.5 * (n - 1) for n in self._shape[::-1]])
        number = np.zeros(maps.shape[:2], dtype=int)
        total = np.zeros(maps.shape[:2])
        for i, (mass, z, key) in enumerate(
            zip(clusters["mass_true"].value, redshift, clusters["cluster_id"], strict=True)
        ):
            rng = generator(fields.seed, "neighbours", key)
            # No farther than the observer.
            masses, place = self._haloes.draw(mass, z, inner[i], distance[i], rng)
            theta, y500, _ = self._gas.signal(masses, z, [pivot[i] for pivot in pivots[:2]])
            y500 = y500 * np.exp(self._gas.model.sigma_lny * rng.standard_normal(len(masses)))
            place = place / scale[i]
            keys = self._keys(theta, masses, z)
            reach = self._reach(keys[:, 0])
            for j in range(maps.shape[1]):
                offset = place @ fields.rotation[i, j, :2].T + fields.shift[i, j]
                offset = offset / self._pixel
                column, row = np.rint(offset + half).astype(int).T
                inside = (abs(offset) <= half + 0.5).all(axis=1)
                number[i, j], total[i, j] = np.count_nonzero(inside), y500[inside].sum()
                visible = (abs(offset) < half + reach[:, np.newaxis]).all(axis=1)
                for k in np.flatnonzero(visible):
                    _paste(maps[i, j], self._image(*keys[k]), y500[k], row[k], column[k])
        return {"neighbours": number, "neighbours_y500": total * u.arcmin**2}

    def _keys(self, theta, masses, redshift):
        """Which image each halo has, shape (n, 3)."""
        keys = np.zeros((len(theta), 3), dtype=int)
        keys[:, 0] = np.rint(np.log(theta) / _SIZE_STEP)
        if not self._gas.model.profile.self_similar:
            keys[:, 1] = np.rint(np.log(masses) / _MASS_STEP)
            keys[:, 2] = np.rint(redshift / _REDSHIFT_STEP)
        return keys

    def _reach(self, size):
        """How far images reach from their middle [pixels]."""
        theta = np.exp(size * _SIZE_STEP)
        return np.ceil((5 * theta + 4.5 * self._window.sigma) / self._pixel).astype(int)

    def _make_image(self, size, mass, redshift):
        """Image of a halo of unit Y500 at the middle of an odd number of pixels."""
        theta = np.exp(size * _SIZE_STEP)
        parameters = []
        if not self._gas.model.profile.self_similar:
            scaled = self._gas.model.one_minus_b * np.exp([mass * _MASS_STEP])
            at = np.maximum([redshift * _REDSHIFT_STEP], 0.5 * _REDSHIFT_STEP)
            _, _, *parameters = self._gas.model.profile.scales(scaled, at, self._cosmology)
        table = transform_tables(self._gas.mean_shape(parameters)[np.newaxis])
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
