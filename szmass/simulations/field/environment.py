"""What else is in the field of a cluster: other haloes, radio sources, dust, hot electrons."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.cosmology import FLRW
from scipy import fft

from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_count, check_seed, generator
from szmass.exceptions import InvalidInputError
from szmass.physics.checks import check_mass, check_redshift
from szmass.physics.cosmology import efunc, get_cosmology, h70
from szmass.physics.mass_function import SkyAbundance
from szmass.physics.templates import X_NODES, sphere_weights, transform_tables
from szmass.physics.templates import table_position as position_of
from szmass.simulations.bodies.models import ClusterModel, get_cluster_model
from szmass.simulations.field._clustering import HaloClustering

__all__ = ["Environment"]

# Sizes of haloes are rounded to this step in ln theta500; at most so many give a mean profile.
_SIZE_STEP, _MEAN_OF = 0.25, 16

_SQUARE_DEGREES = 41252.96124941927


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Surroundings of mock clusters.

    Haloes in front and behind are painted once on a large periodic patch of sky, from which every
    field takes a piece at random, in one of eight orientations. The haloes that a cluster has
    around it beyond the mean are drawn for each cluster, in three dimensions, from the linear
    correlation function of matter times the biases of halo and cluster, and seen from the same
    directions as the cluster.

    Parameters
    ----------
    model : str or `ClusterModel`, optional
        Their mean pressure, 1-b and sigma_lny.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        Their mass function, that of Tinker et al. (2008).
    mass_min : `~astropy.units.Quantity`, optional
        Their lowest M500c. Heavy ones are the visible neighbours, light ones the unresolved
        background.
    clustered : bool, optional
        Whether there are haloes correlated with the cluster, at its redshift. They stand beyond
        2 R500, where its own substructure ends. Without, all haloes are Poisson distributed.
    redshift : (float, float), optional
        Range of redshift of the others.
    size : int, optional
        Pixels along a side of the patch. 2048 of 1.7 arcmin hold 450 fields of 2.7 deg.
    radio_density : `~astropy.units.Quantity`, optional
        Mean number of radio sources per solid angle: point-like holes in y.
    radio_y : `~astropy.units.Quantity`, optional
        Mean integrated -y of a source [arcmin2]; the distribution is exponential.
    cib_fraction : float, optional
        Dust of the cluster's galaxies that is left in the map, as a fraction of the cluster's
        integrated y, with its sign; 1.5 times as extended as the gas.
    relativistic : float, optional
        Fraction of y that is lost at 10 keV, proportional to the temperature: maps made with the
        non-relativistic spectrum underestimate hot clusters. 0.1 is typical of Planck.
    seed : int, optional
        Seed of the patch; which piece a field takes depends on the seed of the simulation.

    Raises
    ------
    InvalidInputError
        A value is out of range.
    InvalidUnitError
        A value has no unit, or one of another kind.

    Notes
    -----
    Simulated samples have two columns more with ``clustered``: ``neighbours``, the number of
    correlated haloes in the field, and ``neighbours_y500``, the sum of their Y500. Underdensities,
    beyond about 120 comoving Mpc/h, are not made.

    References
    ----------
    Tinker et al. 2010, ApJ 724, 878 (bias); Planck Collaboration XXIII 2016, A&A 594, A23 (extent
    of the dust); Perrott et al. 2024 (relativistic shift); Arnaud, Pointecouteau & Pratt 2005
    (temperature).
    """

    model: ClusterModel = "a10"
    cosmology: FLRW = "PSZ2"
    mass_min: u.Quantity = 1e13 * u.solMass
    clustered: bool = True
    redshift: tuple = (0.02, 2.0)
    size: int = 2048
    radio_density: u.Quantity = 0 / u.deg**2
    radio_y: u.Quantity = 1e-4 * u.arcmin**2
    cib_fraction: float = 0.0
    relativistic: float = 0.0
    seed: int = 0

    def __post_init__(self):
        set_ = object.__setattr__
        set_(self, "model", get_cluster_model(self.model))
        set_(self, "cosmology", get_cosmology(self.cosmology))
        set_(self, "mass_min", check_mass(self.mass_min, "mass_min") * u.solMass)
        low, high = check_redshift(self.redshift, positive=True)
        if not (low < high and self.mass_min < 5e15 * u.solMass):
            raise InvalidInputError(
                "'redshift' must be a lower and a higher limit, 'mass_min' below 5e15 solMass. "
                f"Received: {self.redshift} and {self.mass_min}"
            )
        if not isinstance(self.clustered, bool):
            raise InvalidInputError(
                f"'clustered' must be True or False. Received: {self.clustered!r}"
            )
        check_count(self.size, "size")
        check_seed(self.seed)
        for name, unit in (("radio_density", u.deg**-2), ("radio_y", u.arcmin**2)):
            value = as_floats(getattr(self, name), unit, name, finite=True)
            if value.ndim or value < 0:
                raise InvalidInputError(f"'{name}' must be one number >= 0. Received: {value}")
            set_(self, name, float(value) * unit)
        for name, limit in (("cib_fraction", 1.0), ("relativistic", 0.5)):
            if not abs(getattr(self, name)) <= limit:
                raise InvalidInputError(
                    f"'{name}' must be a fraction of at most {limit}. "
                    f"Received: {getattr(self, name)!r}"
                )
        set_(self, "_skies", {})
        set_(self, "_haloes", [])

    def sky(self, pixel_scale, window):
        """Give the patch of sky without the target clusters.

        Parameters
        ----------
        pixel_scale : `~astropy.units.Quantity`
            Side of a pixel.
        window : callable
            Window of beam and pixels as a function of k^2 [arcmin-2].

        Returns
        -------
        ndarray
            Compton-y with zero mean, float32, shape (size, size), periodic.
        """
        key = (float(pixel_scale.to_value("arcmin")), window.sigma)
        if key not in self._skies:
            self._skies.clear()
            self._skies[key] = self._paint(key[0], window)
        return self._skies[key]

    def _clustering(self):
        """Give the haloes that clusters have around them."""
        if not self._haloes:
            self._haloes.append(HaloClustering(self._limits, self.cosmology))
        return self._haloes[0]

    @property
    def _limits(self):
        return self.mass_min.value, 5e15

    def _paint(self, pixel, window):
        rng = generator(self.seed, "sky")
        n = self.size
        abundance = SkyAbundance(self._limits, self.redshift, self.cosmology)
        share = (n * pixel / 60) ** 2 / _SQUARE_DEGREES
        mass, redshift = abundance.draw(rng.poisson(abundance.total * share), rng)
        theta, y500, parameters = self._signal(mass, redshift, self._pivots(redshift))
        y500 *= np.exp(self.model.sigma_lny * rng.standard_normal(len(mass)))
        place = rng.integers(0, n * n, len(mass))
        kx = 2 * np.pi * fft.rfftfreq(n, pixel)
        ky = 2 * np.pi * fft.fftfreq(n, pixel)
        square = (ky[:, np.newaxis] ** 2 + kx**2).astype(np.float32)
        used = square <= window.k_max**2
        total = np.zeros(np.count_nonzero(used), dtype=np.complex64)
        size = np.round(np.log(theta) / _SIZE_STEP).astype(int)
        for step in np.unique(size):
            here = np.flatnonzero(size == step)
            few = here[:: max(1, len(here) // _MEAN_OF)]
            profile = self._shape([p[few] for p in parameters])
            points = np.bincount(place[here], y500[here], n * n).reshape(n, n)
            table = transform_tables(profile[np.newaxis])[0]
            position = position_of(square[used] * np.float32(np.exp(2 * step * _SIZE_STEP)))
            value = np.interp(position, np.arange(len(table)), table).astype(np.float32)
            total += fft.rfft2(points.astype(np.float32))[used] * value
        number = rng.poisson(self.radio_density.to_value("arcmin-2") * (n * pixel) ** 2)
        flux = rng.exponential(self.radio_y.value, number)
        points = np.bincount(rng.integers(0, n * n, number), flux, n * n).reshape(n, n)
        total -= fft.rfft2(points.astype(np.float32))[used]
        plane = np.zeros(square.shape, dtype=np.complex64)
        plane[used] = total * (window(square[used]) / pixel**2)
        plane[0, 0] = 0  # maps of y have no monopole
        return fft.irfft2(plane, s=(n, n))

    def _pivots(self, redshift):
        """theta500 [arcmin] and scale of y of 1e14 Msun."""
        # Distances are integrals: looked up instead of worked out for each of a million haloes.
        grid = np.linspace(*np.sqrt(self.redshift), 400) ** 2
        pivots = self.model.profile.scales(np.full(grid.shape, 1e14), grid, self.cosmology)
        return [np.interp(redshift, grid, values) for values in pivots[:2]]

    def _signal(self, mass, redshift, pivots):
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

    def _shape(self, parameters):
        """Mean profile of a few haloes, of unit Y500."""
        profile = self.model.profile.shape(X_NODES, *[p[:, np.newaxis] for p in parameters])
        profile = np.atleast_2d(profile)
        inner = profile @ sphere_weights(1.0) * (4 * np.pi / 3)
        return (profile / inner[:, np.newaxis]).mean(axis=0)

    def _add(self, maps, geometry, window, seed, keys):
        """Add a random piece of the sky to each field.

        Parameters
        ----------
        maps : ndarray
            Compton-y, shape (N, ny, nx); changed in place.
        geometry : `~szmass.maps.CutoutGeometry`
            Their grid.
        window : callable
            Window of beam and pixels, see `sky`.
        seed : int
            Seed.
        keys : sequence of tuple of int
            What each field is known by: cluster_id and projection.
        """
        ny, nx = geometry.shape
        if max(ny, nx) > self.size:
            raise InvalidInputError(
                f"'size' of the environment must be at least that of the fields ({max(ny, nx)}). "
                f"Received: {self.size}"
            )
        sky = self.sky(geometry.pixel_scale, window)
        for image, key in zip(maps, keys, strict=True):
            row, column, turn = generator(seed, "environment", *key).integers(0, self.size, 3)
            turned = sky.T if turn & 4 else sky
            rows = (row + np.arange(ny)) % self.size
            columns = (column + np.arange(nx)) % self.size
            image += turned[
                np.ix_(rows[:: -1 if turn & 1 else 1], columns[:: -1 if turn & 2 else 1])
            ]

    def _dimming(self, mass, redshift, one_minus_b):
        """Factors on y for the relativistic shift, from scaled masses [Msun]."""
        cosmology = self.cosmology
        pivots = efunc(redshift, cosmology) * one_minus_b * mass * h70(cosmology) / 3.84e14
        return 1 - self.relativistic * 0.5 * pivots ** (2 / 3)
