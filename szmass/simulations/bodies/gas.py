"""Hot gas of clusters: density, temperature and X-ray surface brightness."""

import dataclasses
import functools
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics.baryons import get_baryon_model
from szmass.physics.cooling import CoolingFunction
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, COMPTON, angular_diameter_distance
from szmass.physics.gas import IONS, electrons, get_gas_density_profile
from szmass.physics.templates import X_NODES, sphere_weights, transform_tables
from szmass.simulations.bodies import _triaxial
from szmass.simulations.bodies.fields import (
    FIELDS,
    ClusterField,
    check_counts,
    normals,
    substructure,
)
from szmass.simulations.bodies.models import set_amounts
from szmass.simulations.bodies.painting import PressureBodies
from szmass.simulations.bodies.profile_scatter import interpolated

__all__ = ["XRayField"]

# Density profile that each state has, over the mean one.
_MEAN_PROFILE = "ghirardini2019"
_STATE_PROFILES = ("ghirardini2019-cc", "ghirardini2019", "ghirardini2019-ncc")

# Gas in substructure is at most this share of what is inside R500.
_MOST = 0.8

_CM_PER_MPC = u.Mpc.to(u.cm)

# kT [keV] in which cooling is asked for.
_COLDEST, _HOTTEST = 0.05, 50.0


@functools.lru_cache(maxsize=8)
def _state_factors(fractions):
    """Densities of the states over the mean one, whose geometric mean over the mix they leave."""
    mean = get_gas_density_profile(_MEAN_PROFILE).shape(X_NODES)
    factors = np.array([get_gas_density_profile(name).shape(X_NODES) for name in _STATE_PROFILES])
    logs = np.log(factors / mean)
    relaxed, disturbed = fractions
    return np.exp(logs - np.array([relaxed, 1 - relaxed - disturbed, disturbed]) @ logs)


@dataclass(frozen=True, kw_only=True)
class Gas:
    """Hot gas of clusters on plain arrays; radii are in units of the R500 of the pressure.

    Attributes
    ----------
    density, temperature : ndarray
        Electrons per cm3 and kT [keV] of the smooth bodies at the nodes of the profiles, (N, n).
    mass, stars : ndarray
        Gas and stellar mass inside the R500 of the true mass [Msun], shape (N,).
    radius : ndarray
        R500 of the pressure [Mpc].
    edge : ndarray
        R500 of the true mass.
    mean_density : ndarray
        What the mean shape of the density is multiplied by for all of the gas [cm-3].
    """

    density: np.ndarray
    temperature: np.ndarray
    mass: np.ndarray
    stars: np.ndarray
    radius: np.ndarray
    edge: np.ndarray
    mean_density: np.ndarray

    def within(self, axes, profiles):
        """Integrate profiles (N, n) over the sphere of the true R500: 3 int p x^2 dx."""
        return _within(axes, self.edge, profiles)


def _within(axes, edge, profiles):
    weights = sphere_weights(5.0)
    shells = profiles * weights
    # A node stands for half of its shell; between nodes the sum is linear.
    total = np.cumsum(shells, axis=1) - 0.5 * shells

    def enclosed(x):
        return np.array([np.interp(*row) for row in zip(x, [X_NODES] * len(x), total, strict=True)])

    return _triaxial.within_sphere(axes, edge, enclosed)


#: Model of the stars where that of the gas has none.
_STARS = "the300-gadgetx"


@dataclass(frozen=True, kw_only=True)
class XRayField(ClusterField):
    """X-ray surface brightness of the gas whose pressure is the Compton-y of the cluster.

    The density has a published shape, with the core of the cluster's state and deviations that
    follow those of its pressure, and the mass of the gas that a simulation has inside R500. The
    temperature is pressure over density. The band's emission per volume is projected like the
    pressure; the gas of subhaloes and companions has the mean shape, ends at their R500 and has the
    temperature of their mass. Products of the densities of two bodies are left out.

    Parameters
    ----------
    profile : str or `~szmass.physics.GasDensityProfile`, optional
        Mean density profile.
    baryons : str or `~szmass.physics.BaryonModel` or None, optional
        Gas at given mass, with its scatter, and how that goes with Y500; stars too, where the model
        has them, and those of "the300-gadgetx" at given gas elsewhere. None for the gas mass of
        ``profile``, at the mass and R500 that the pressure is scaled by, with scatter and
        correlation of "tng".
    polytropic_index : float, optional
        Deviations of ln p over those of ln n. 1.2 is that of the gas outside of cores.
    cooling : `~szmass.physics.CoolingFunction`, optional
        Emission in the observed band, 0.5 to 2 keV by default, for a metallicity of 0.3 solar.
    exposure : `~astropy.units.Quantity`, optional
        Exposure time. With it maps are counts of photons with their Poisson noise.
    area : `~astropy.units.Quantity`, optional
        Effective area of the telescope in the band.
    background : `~astropy.units.Quantity`, optional
        Mean background [ct / (s arcmin2)].

    Raises
    ------
    InvalidInputError, InvalidUnitError
        A value is out of range, the baryons do not give the gas at given mass and redshift, or an
        amount has no unit or one of another kind.

    Notes
    -----
    Columns: ``mgas500`` and ``mstar500``, inside R500 of the true mass, ``temperature500``, the
    mean there weighted by the mass of the smooth gas, and ``lx500``, the luminosity in the band
    there, substructure included.

    References
    ----------
    Pratt et al. 2022 (density); Ghirardini et al. 2019 (cores by state, polytropic index); Tozzi &
    Norman 2001 (cooling).
    """

    profile: object = "pratt2022"
    baryons: object = "tng"
    polytropic_index: float = 1.2
    cooling: CoolingFunction = dataclasses.field(default_factory=CoolingFunction)
    exposure: u.Quantity | None = None
    area: u.Quantity = 1000 * u.cm**2
    background: u.Quantity = 0 * u.ct / u.s / u.arcmin**2
    name: str = dataclasses.field(default="xray", init=False)

    def __post_init__(self):
        set_ = object.__setattr__
        set_(self, "profile", get_gas_density_profile(self.profile))
        if self.baryons is not None:
            set_(self, "baryons", get_baryon_model(self.baryons))
            given, asked = set(self.baryons.properties), set(self.baryons.features)
            if not {"mgas500", "y500"} <= given or asked != {"m500c", "redshift"}:
                raise InvalidInputError(
                    "'baryons' must be a model that gives mgas500 and y500 from m500c and "
                    f"redshift. Received: {self.baryons!r}"
                )
        check_kind(self.cooling, "CoolingFunction", "cooling")
        index = as_floats(self.polytropic_index, "", "polytropic_index", finite=True)
        if index.ndim or index < 1:
            raise InvalidInputError(
                f"'polytropic_index' must be at least 1. Received: {self.polytropic_index!r}"
            )
        set_amounts(self, area=u.cm**2, background=u.ct / u.s / u.arcmin**2)
        if self.exposure is not None:
            set_amounts(self, exposure=u.s)

    @property
    def unit(self):
        """Counts with an exposure, otherwise surface brightness."""
        return u.erg / u.s / u.cm**2 / u.arcmin**2 if self.exposure is None else u.ct

    @property
    def references(self):
        """ADS bibcodes of the papers to cite."""
        # Scatter and correlations are those of a relation in any case.
        baryons = self.baryons or get_baryon_model("tng")
        states = get_gas_density_profile(_MEAN_PROFILE)
        stars = baryons if "mstar500" in baryons.properties else get_baryon_model(_STARS)
        parts = (self.profile, states, baryons, stars, self.cooling)
        return tuple(dict.fromkeys(key for part in parts for key in part.references))

    def gas(self, fields):
        """Give the gas that `paint` paints.

        Parameters
        ----------
        fields : FieldSet
            What is known of clusters and maps, as in `paint`.

        Returns
        -------
        Gas
            Its density, temperature and masses.
        """
        clusters, cosmology, model = fields.clusters, fields.cosmology, fields.model
        pressure = PressureBodies(model, clusters)
        redshift = np.asarray(clusters["redshift"])
        mass = clusters["mass_true"].to_value("solMass")
        scale = np.asarray(clusters["one_minus_b"])
        distance = angular_diameter_distance(redshift, cosmology)
        radius = pressure.theta / ARCMIN_PER_RADIAN * distance
        edge = np.cbrt(1 / scale)

        mean = self.profile.shape(X_NODES)
        deviation = np.asarray(clusters["profile_deviation"]) / self.polytropic_index
        fractions = (model.relaxed, model.disturbed)
        shape = mean * _state_factors(fractions)[pressure.state] * np.exp(interpolated(deviation))

        gas_mass, stars = self._masses(fields, mass, redshift, scale * mass, radius, edge)
        # Electrons per cm3 if a mass filled the sphere of radius evenly.
        filled = electrons(3 * gas_mass / (4 * np.pi * radius**3))
        axes = np.asarray(clusters["axes"])
        inside = np.minimum(self._substructure_inside(clusters, edge), _MOST)
        held = _within(axes, edge, shape)
        density = (filled * (1 - inside) / held)[:, np.newaxis] * shape

        smooth = pressure.smooth(clusters["y500_model"].to_value("arcmin2"))
        volume = 4 * np.pi / 3 * pressure.inner * radius * pressure.theta**2
        at_nodes = (smooth / (COMPTON * volume))[:, np.newaxis] * pressure.shape
        return Gas(
            density=density,
            temperature=at_nodes / density,
            mass=gas_mass,
            stars=stars,
            radius=radius,
            edge=edge,
            mean_density=filled / _mean_integral(self.profile, edge),
        )

    def _masses(self, fields, mass, redshift, scaled, radius, edge):
        """Gas and stellar masses inside R500 of the true mass [Msun], drawn together with Y500."""
        halos = {"m500c": mass, "redshift": redshift}
        model = self.baryons or get_baryon_model("tng")
        log_gas, scatter, _, _, correlation = _pair(model, "mgas500", "y500", halos)
        median = np.exp(log_gas)
        if self.baryons is None:
            density = self.profile.amplitude(scaled, redshift, fields.cosmology)
            integral = _mean_integral(self.profile, edge)
            median = density / electrons(1.0) * integral * 4 * np.pi / 3 * radius**3
        own, other = normals(self, fields, 2).T
        sigma = fields.model.sigma_lny
        with_y = np.asarray(fields.clusters["ln_y"]) / sigma if sigma else own
        deviation = correlation * with_y + np.sqrt(1 - correlation**2) * own
        if "mstar500" not in model.properties:
            model = get_baryon_model(_STARS)
        _, _, log_stars, sigma_stars, with_gas = _pair(model, "mgas500", "mstar500", halos)
        of_stars = with_gas * deviation + np.sqrt(1 - with_gas**2) * other
        stars = np.exp(log_stars + sigma_stars * of_stars)
        return median * np.exp(scatter * deviation), stars

    def _substructure_inside(self, clusters, edge):
        """Gas of subhaloes and companions inside R500 over all gas there."""
        ratio, share, place = substructure(clusters)
        there = np.isfinite(ratio)
        weights = self.profile.shape(X_NODES) * sphere_weights(1.0)
        shells = np.cbrt(ratio[there])[:, np.newaxis] * X_NODES
        distance = np.linalg.norm(place[there], axis=1)[:, np.newaxis]
        at_edge = np.broadcast_to(edge[:, np.newaxis], ratio.shape)[there][:, np.newaxis]
        held = _triaxial.shells_within_sphere(distance, shells, at_edge) * weights
        result = np.zeros(ratio.shape)
        result[there] = (ratio * share)[there] * held.sum(axis=1) / _mean_integral(self.profile)
        return result.sum(axis=1)

    def paint(self, fields):
        clusters = fields.clusters
        gas = self.gas(fields)
        redshift = np.asarray(clusters["redshift"])
        axes = np.asarray(clusters["axes"])
        kt = np.clip(gas.temperature, _COLDEST, _HOTTEST)
        cooling = self.cooling.emission(kt, redshift[:, np.newaxis])
        emission = IONS * gas.density**2 * cooling
        mean_kt = gas.within(axes, gas.density * gas.temperature) / gas.within(axes, gas.density)
        # Substructure: the mean shape at one temperature, and as dense as its share of gas.
        ratio, share, place = substructure(clusters)
        cold = np.clip(mean_kt[:, np.newaxis] * np.cbrt(ratio) ** 2, _COLDEST, _HOTTEST)
        of_bound = self.cooling.emission(cold, redshift[:, np.newaxis])
        of_bound *= IONS * (gas.mean_density[:, np.newaxis] * share) ** 2 * ratio
        inside = np.linalg.norm(place, axis=2) < gas.edge[:, np.newaxis]
        squares = self.profile.shape(X_NODES) ** 2 @ sphere_weights(1.0)
        held = gas.within(axes, emission) + squares * np.nansum(of_bound * inside, axis=1)
        luminosity = 4 * np.pi / 3 * (gas.radius * _CM_PER_MPC) ** 3 * held
        theta = clusters["theta500_true"].to_value("arcmin")
        # To flux: over 4 pi D_L^2, with D_L = (1 + z)^2 D_A.
        to_flux = gas.radius * _CM_PER_MPC * (theta / ARCMIN_PER_RADIAN) ** 2
        to_flux = to_flux / (4 * np.pi * (1 + redshift) ** 4)
        columns = {
            "mgas500": gas.mass * u.solMass,
            "mstar500": gas.stars * u.solMass,
            "temperature500": mean_kt * u.keV,
            "lx500": luminosity * u.erg / u.s,
        }
        bodies = self._bodies(fields, emission, of_bound, to_flux, ratio, place)
        return fields.draw(bodies), columns

    def _bodies(self, fields, emission, of_bound, to_flux, ratio, place):
        clusters = fields.clusters
        theta = clusters["theta500_true"].to_value("arcmin")
        axes, centre = np.asarray(clusters["axes"]), np.asarray(clusters["gas_offset"])
        for i in range(len(clusters)):
            there = np.flatnonzero(np.isfinite(ratio[i]))
            length = fields.grid.table_length(theta[i] * axes[i].max())
            tables = np.vstack(
                [transform_tables(emission[i : i + 1], length), _squares(self.profile, length)]
            )
            amplitude = np.append(1.0, of_bound[i, there]) * to_flux[i]
            size = theta[i] * np.cbrt(ratio[i, there])
            places = np.vstack([centre[i], place[i, there]]) * theta[i]
            yield tables, amplitude, axes[i] * theta[i], size, places

    def observe(self, maps, columns, fields):
        if self.exposure is None:
            return maps
        redshift = np.asarray(fields.clusters["redshift"])
        kt = columns["temperature500"].to_value("keV")
        energy = (self.cooling.photon_energy(kt, redshift) * u.keV).to_value("erg")
        pixel = fields.geometry.pixel_scale.to_value("arcmin") ** 2
        seen = self.exposure.value * self.area.value * pixel / energy
        behind = self.background.value * self.exposure.value * pixel
        for i, views in enumerate(maps):
            for j, image in enumerate(views):
                mean = np.maximum(image, 0) * seen[i] + behind
                check_counts(self, mean, "Make 'exposure', 'area' or 'background' less.")
                image[:] = fields.generator(self, i, j).poisson(mean)
        return maps


def _pair(model, one, other, halos):
    """Means and scatters of two properties of a model, in turn, and their correlation."""
    mean, covariance = model.moments(halos)
    i, j = (model.properties.index(name) for name in (one, other))
    first, second = np.sqrt(covariance[:, i, i]), np.sqrt(covariance[:, j, j])
    return mean[:, i], first, mean[:, j], second, covariance[:, i, j] / (first * second)


def _mean_integral(profile, edge=1.0):
    """I(edge) of the mean density shape: 3 int n x^2 dx."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    inner = profile.shape(X_NODES) @ sphere_weights(1.0)
    half = 0.5 * (np.asarray(edge) - 1.0)[..., np.newaxis]
    x = 1.0 + half * (nodes + 1)
    return inner + (3 * profile.shape(x) * x**2 * half * weights).sum(axis=-1)


@functools.lru_cache(maxsize=8)
def _squares(profile, length):
    """Transform of the square of the mean density shape, inside R500."""
    inside = np.where(X_NODES < 1, profile.shape(X_NODES), 0.0)
    return transform_tables(inside[np.newaxis] ** 2, length)


FIELDS.add("xray", XRayField)
