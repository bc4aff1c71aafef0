"""Surroundings of clusters: other haloes, radio sources, dust, hot electrons, and what is added."""

import dataclasses
import functools
from dataclasses import dataclass, field

import astropy.units as u
import numpy as np
from astropy.cosmology import FLRW
from scipy import fft

from szmass._utils.seeds import check_count, check_seed, generator
from szmass.exceptions import InvalidInputError
from szmass.physics.checks import check_mass, check_redshift
from szmass.physics.cosmology import efunc, get_cosmology, h70
from szmass.physics.mass_function import FULL_SKY, SkyAbundance
from szmass.physics.templates import table_position, transform_tables
from szmass.simulations.bodies.models import (
    ClusterModel,
    get_cluster_model,
    set_amounts,
    switched_off,
)
from szmass.simulations.field._haloes import HaloClustering, HaloGas, Neighbours
from szmass.simulations.field.ingredients import UNRECORDED_DEFAULT, Ingredient, get_ingredient

__all__ = ["Environment", "get_environment"]

# Sizes of haloes are rounded to this step in ln theta500; at most so many give a mean profile.
_SIZE_STEP, _MEAN_OF = 0.25, 16

# Parts of an environment, and the options that leave each of them out.
_OFF = {
    "haloes": {"haloes": False},
    "neighbours": {"clustered": False},
    "radio": {"radio_density": 0 / u.deg**2},
    "dust": {"cib_fraction": 0.0},
    "hot-electrons": {"relativistic": 0.0},
}


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
    haloes : bool, optional
        Whether there are haloes in front and behind.
    ingredients : sequence of str or `Ingredient`, or dict, optional
        What else is there: ingredients, or names of `INGREDIENTS`, or names with their options as
        a dict.

    Raises
    ------
    InvalidInputError
        A value is out of range.
    InvalidUnitError
        A value has no unit, or one of another kind.

    Notes
    -----
    Each part has a random stream of its own, so that one more or one less changes no other.

    Simulated samples have two columns more with ``clustered``: ``neighbours``, the number of
    correlated haloes in the field, and ``neighbours_y500``, the sum of their Y500. Underdensities,
    beyond about 120 comoving Mpc/h, are not made.

    References
    ----------
    Tinker et al. 2010, ApJ 724, 878 (bias); Planck Collaboration XXIII 2016, A&A 594, A23 (extent
    of the dust); Perrott et al. 2024 (relativistic shift); Arnaud, Pointecouteau & Pratt 2005
    (temperature).

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.simulations import Environment, draw_flat, simulate
    >>> alone, crowded = None, Environment(mass_min=1e14 * u.solMass, size=128)
    >>> sample = draw_flat(1, seed=1)
    >>> maps = [
    ...     simulate(sample, "clean", cosmology="PSZ2", seed=1, environment=field).cutouts.data
    ...     for field in (alone, crowded)
    ... ]
    >>> bool(maps[1].sum() > maps[0].sum())
    True
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
    haloes: bool = field(default=True, metadata=UNRECORDED_DEFAULT)
    ingredients: tuple = field(default=(), metadata=UNRECORDED_DEFAULT)

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
        for name in ("clustered", "haloes"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInputError(
                    f"'{name}' must be True or False. Received: {getattr(self, name)!r}"
                )
        check_count(self.size, "size")
        check_seed(self.seed)
        set_amounts(self, radio_density=u.deg**-2, radio_y=u.arcmin**2)
        for name, limit in (("cib_fraction", 1.0), ("relativistic", 0.5)):
            if not abs(getattr(self, name)) <= limit:
                raise InvalidInputError(
                    f"'{name}' must be a fraction of at most {limit}. "
                    f"Received: {getattr(self, name)!r}"
                )
        given = self.ingredients
        if isinstance(given, str | Ingredient):
            given = [given]
        if not isinstance(given, list | tuple | dict):
            raise InvalidInputError(
                "'ingredients' must be names or ingredients, or a dict of names and options. "
                f"Received: {given!r}"
            )
        pairs = given.items() if isinstance(given, dict) else ((entry, None) for entry in given)
        added = tuple(get_ingredient(*pair) for pair in pairs)
        names = ["sky", *_OFF, *(entry.name for entry in added)]
        if double := [name for name in names if names.count(name) > 1]:
            raise InvalidInputError(
                f"'ingredients' must have names of their own, and {double[0]!r} is taken: each has "
                "the random stream of its name."
            )
        set_(self, "ingredients", added)
        set_(self, "_skies", {})

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

    @property
    def halo_masses(self):
        """Lowest and highest M500c [Msun] of the haloes."""
        return self.mass_min.value, 5e15

    @functools.cached_property
    def halo_clustering(self):
        """Excess of haloes around clusters."""
        return HaloClustering(self.halo_masses, self.cosmology)

    def off(self, *names):
        """Give the environment without some of its parts.

        Parameters
        ----------
        *names : str
            "haloes" (in front and behind), "neighbours" (correlated haloes), "radio", "dust",
            "hot-electrons", or the name of one of ``ingredients``; all of them by default.

        Returns
        -------
        Environment
            What is left is simulated as before.

        Raises
        ------
        UnknownNameError
            There is no such part.
        """
        off = {**_OFF, **{entry.name: {} for entry in self.ingredients}}
        left = [i for i in self.ingredients if names and i.name not in names]
        return switched_off(self, off, names, ingredients=tuple(left))

    def _paint(self, pixel, window):
        n = self.size
        kx = 2 * np.pi * fft.rfftfreq(n, pixel)
        ky = 2 * np.pi * fft.fftfreq(n, pixel)
        square = (ky[:, np.newaxis] ** 2 + kx**2).astype(np.float32)
        used = square <= window.k_max**2
        total = np.zeros(np.count_nonzero(used), dtype=np.complex64)
        if self.haloes:
            self._add_haloes(total, pixel, square, used)
        # A stream apart from that of the haloes: neither moves where the other changes.
        rng = generator(self.seed, "sky", 2)
        number = rng.poisson(self.radio_density.to_value("arcmin-2") * (n * pixel) ** 2)
        flux = rng.exponential(self.radio_y.value, number)
        points = np.bincount(rng.integers(0, n * n, number), flux, n * n).reshape(n, n)
        total -= fft.rfft2(points.astype(np.float32))[used]
        plane = np.zeros(square.shape, dtype=np.complex64)
        plane[used] = total * (window(square[used]) / pixel**2)
        plane[0, 0] = 0  # maps of y have no monopole
        return fft.irfft2(plane, s=(n, n))

    def _add_haloes(self, total, pixel, square, used):
        """Add the modes of the haloes in front and behind."""
        rng, gas, n = generator(self.seed, "sky"), HaloGas(self.model, self.cosmology), self.size
        abundance = SkyAbundance(self.halo_masses, self.redshift, self.cosmology)
        share = (n * pixel / 60) ** 2 / FULL_SKY
        mass, redshift = abundance.draw(rng.poisson(abundance.total * share), rng)
        theta, y500, parameters = gas.signal(mass, redshift, self._pivots(redshift))
        y500 *= np.exp(self.model.sigma_lny * rng.standard_normal(len(mass)))
        place = rng.integers(0, n * n, len(mass))
        size = np.round(np.log(theta) / _SIZE_STEP).astype(int)
        for step in np.unique(size):
            here = np.flatnonzero(size == step)
            few = here[:: max(1, len(here) // _MEAN_OF)]
            profile = gas.mean_shape([p[few] for p in parameters])
            points = np.bincount(place[here], y500[here], n * n).reshape(n, n)
            table = transform_tables(profile[np.newaxis])[0]
            position = table_position(square[used] * np.float32(np.exp(2 * step * _SIZE_STEP)))
            value = np.interp(position, np.arange(len(table)), table).astype(np.float32)
            total += fft.rfft2(points.astype(np.float32))[used] * value

    def _pivots(self, redshift):
        """theta500 [arcmin] and scale of y of 1e14 Msun."""
        # Distances are integrals: looked up instead of worked out for each of a million haloes.
        grid = np.linspace(*np.sqrt(self.redshift), 400) ** 2
        pivots = self.model.profile.scales(np.full(grid.shape, 1e14), grid, self.cosmology)
        return [np.interp(redshift, grid, values) for values in pivots[:2]]


def parts_of(environment, geometry, window):
    """All that acts on fields, in its order; dust is painted with the gas of the cluster."""
    parts = [_HotElectrons(environment), _Sky(environment)]
    if environment.clustered:
        parts.append(Neighbours(environment, geometry, window))
    return [*parts, *environment.ingredients]


class _HotElectrons(Ingredient):
    """The relativistic shift of the clusters' own spectrum, proportional to the temperature."""

    name = "hot-electrons"

    def __init__(self, environment):
        self._environment = environment

    def add(self, maps, fields):
        """Dim the maps."""
        clusters, cosmology = fields.clusters, self._environment.cosmology
        mass = efunc(clusters["redshift"], cosmology) * clusters["one_minus_b"]
        pivots = mass * clusters["mass_true"].value * h70(cosmology) / 3.84e14
        dimming = 1 - self._environment.relativistic * 0.5 * pivots ** (2 / 3)
        maps *= np.asarray(dimming, dtype=np.float32)[:, None, None, None]


class _Sky(Ingredient):
    """A random piece of the patch of haloes and radio sources behind each field."""

    name = "sky"

    def __init__(self, environment):
        self._environment = environment

    def add(self, maps, fields):
        """Add the pieces, each in one of eight orientations."""
        (ny, nx), size = fields.geometry.shape, self._environment.size
        if max(ny, nx) > size:
            raise InvalidInputError(
                "'size' of the environment must be at least that of the fields "
                f"({max(ny, nx)}). Received: {size}"
            )
        sky = self._environment.sky(fields.geometry.pixel_scale, fields.window)
        for views, key in zip(maps, fields.clusters["cluster_id"], strict=True):
            for view, image in enumerate(views):
                rng = generator(fields.seed, "environment", key, view)
                row, column, turn = rng.integers(0, size, 3)
                turned = sky.T if turn & 4 else sky
                rows = (row + np.arange(ny)) % size
                columns = (column + np.arange(nx)) % size
                image += turned[
                    np.ix_(rows[:: -1 if turn & 1 else 1], columns[:: -1 if turn & 2 else 1])
                ]


def get_environment(environment, *, cosmology):
    """Make the surroundings of clusters of what a call or a recipe says.

    Parameters
    ----------
    environment : `Environment` or bool or dict or None
        Surroundings; True for those of `Environment` by default, None or False for none, or
        options of `Environment` as a dict, in which quantities may be texts.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology where ``environment`` does not have its own.

    Returns
    -------
    `Environment` or None
        The surroundings.

    Raises
    ------
    InvalidInputError
        It is something else, or has options that `Environment` does not have.
    """
    if environment is None or environment is False or isinstance(environment, Environment):
        return environment or None
    known = {f.name for f in dataclasses.fields(Environment)}
    if environment is True:
        environment = {}
    if not isinstance(environment, dict) or not known.issuperset(environment):
        raise InvalidInputError(
            "'environment' must be an Environment, True, None, or a dict with options of it: "
            f"{', '.join(sorted(known))}. Received: {environment!r}"
        )
    return Environment(**{"cosmology": cosmology, **environment})
