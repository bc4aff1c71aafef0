"""Matter of clusters: projected mass."""

import dataclasses
import functools
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics.concentration import (
    CONCENTRATION_MODELS,
    CONCENTRATION_PAPERS,
    CONCENTRATION_RANGE,
)
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, angular_diameter_distance
from szmass.physics.halos import concentration500
from szmass.physics.templates import X_NODES, sphere_weights, transform_tables
from szmass.simulations.bodies import _triaxial
from szmass.simulations.bodies.fields import FIELDS, ClusterField, normals, substructure

__all__ = ["MassField"]

# Papers on the profiles of haloes, whole and stripped.
_HALOES = ("1997ApJ...490..493N", "2009JCAP...01..015B")

# Concentration R500 / r_s of subhaloes and companions.
_BOUND_C500 = 4.0

#: R500 of diffuse matter beside the peak over that of the cluster.
DIFFUSE_SIZE = 0.8

# They hold no more of M500; heavier draws are scaled down. With states they are what they are.
_MOST, _MOST_OF_STATES = 0.8, 0.95

#: Concentrations R500 / r_s of the smooth body where its mass inside R200c is given.
SHALLOWEST, STEEPEST = 0.05, 30.0


def nfw_mass(x):
    """Mass inside x scale radii of an NFW halo, in units of 4 pi rho_s r_s^3."""
    return np.log1p(x) - x / (1 + x)


def _nfw(c500):
    """Density (N, nodes) at `X_NODES` of haloes of concentrations c500 with a mass of 1 in all."""
    c500 = np.reshape(c500, (-1, 1))
    x = c500 * X_NODES
    return c500**3 / (4 * np.pi * nfw_mass(5 * c500)) / (x * (1 + x) ** 2)


@functools.cache
def _bound():
    """Density at `X_NODES` of a stripped halo with a mass of 1, and the masses of its shells."""
    x = _BOUND_C500 * X_NODES
    density = 1 / (x * (1 + x) ** 2 * (1 + X_NODES**2) ** 2)
    shells = 4 * np.pi / 3 * sphere_weights(5.0) * density
    return density / shells.sum(), shells / shells.sum()


def bound_radii(uniform):
    """Turn uniform numbers into radii [R500] of what is in subhaloes and companions."""
    shells = _bound()[1]
    return np.interp(uniform, np.cumsum(shells) - 0.5 * shells, X_NODES)


def bound_inside(distance, size, radius=1.0):
    """Share of bound haloes at a distance inside a sphere, and mean place there times that share.

    Places are along the line to their middle; NaN where there is no halo.
    """
    share, moment = np.full((2, *distance.shape), np.nan)
    there = np.isfinite(distance)
    d, r = distance[there][:, np.newaxis], size[there][:, np.newaxis] * X_NODES
    shells = _triaxial.shells_within_sphere(d, r, radius)
    # A sum per row: in a matrix product the last bits depend on the number of rows.
    share[there] = (shells * _bound()[1]).sum(axis=1)
    moment[there] = ((d - r * (1 - shells)) * shells * _bound()[1]).sum(axis=1)
    return share, moment


@dataclass(frozen=True, kw_only=True)
class Matter:
    """Matter of clusters as bodies, on plain arrays.

    Attributes
    ----------
    theta500 : ndarray
        Angular R500 of the true mass [arcmin], shape (N,).
    c500 : ndarray
        Concentration R500 / r_s of the smooth body.
    axes : ndarray
        Its semi-axes over their geometric mean, shape (N, 3).
    smooth : ndarray
        Its mass out to 5 R500 [Msun].
    bound, size : ndarray
        Masses [Msun] of subhaloes, the companion and, with states, diffuse matter beside the
        peak; NaN where there is none. And their angular R500 [arcmin], shape (N, S).
    place : ndarray
        Their places [arcmin], shape (N, S, 3).
    inside : ndarray
        Share of M500 that they hold.
    """

    theta500: np.ndarray
    c500: np.ndarray
    axes: np.ndarray
    smooth: np.ndarray
    bound: np.ndarray
    size: np.ndarray
    place: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(cls, clusters, c500, flattening):
        """Put the mass M500 of drawn clusters into their bodies, exactly.

        Parameters
        ----------
        clusters : `~astropy.table.QTable`
            From `draw_clusters`.
        c500 : ndarray
            Concentrations, shape (N,). With states they follow from M500 / M200.
        flattening : float
            See `MassField`.

        Returns
        -------
        Matter
            The bodies.
        """
        mass = clusters["mass_true"].to_value("solMass")
        gas_theta = clusters["theta500_true"].to_value("arcmin")
        scale = np.cbrt(np.asarray(clusters["one_minus_b"]))
        ratio, _, place = substructure(clusters)
        size, most = np.cbrt(ratio), _MOST
        if states := "diffuse_ratio" in clusters.colnames:
            most = _MOST_OF_STATES
            ratio = np.column_stack([ratio, clusters["diffuse_ratio"]])
            size = np.column_stack([size, np.full(len(size), DIFFUSE_SIZE)])
            beside = np.asarray(clusters["diffuse_position"])[:, np.newaxis]
            place = np.concatenate([place, beside], axis=1)
        # Places are in units of the R500 that the gas is scaled by.
        distance = np.linalg.norm(place, axis=2) * scale[:, np.newaxis]
        share, _ = bound_inside(distance, size)
        inside = np.nansum(share * ratio, axis=1)
        fewer = np.minimum(1, most / np.maximum(inside, most))
        axes = np.asarray(clusters["axes"])
        ratios = 1 - flattening * (1 - axes / axes[:, :1])
        axes = np.maximum(ratios, _triaxial.AXIS_RATIO_MIN)
        axes = axes / np.cbrt(axes.prod(axis=1, keepdims=True))
        if states:
            whole = 1 / np.asarray(clusters["m500_m200"])
            edge = np.cbrt(2.5 * whole)
            share, _ = bound_inside(distance / edge[:, np.newaxis], size / edge[:, np.newaxis])
            outer = whole - fewer * np.nansum(share * ratio, axis=1)
            c500 = _concentration(axes, edge, outer / (1 - fewer * inside))
        held = _held(axes, np.ones(len(mass)), c500)
        return cls(
            theta500=gas_theta / scale,
            c500=c500,
            axes=axes,
            smooth=mass * (1 - fewer * inside) / held,
            bound=mass[:, np.newaxis] * ratio * fewer[:, np.newaxis],
            size=(gas_theta / scale)[:, np.newaxis] * size,
            place=place * gas_theta[:, np.newaxis, np.newaxis],
            inside=fewer * inside,
        )


def _held(axes, radius, c500):
    """Share of the mass of triaxial NFW bodies inside spheres [R500]."""
    c = np.reshape(c500, (-1, 1))

    def enclosed(x):
        return nfw_mass(c * np.minimum(x, 5)) / nfw_mass(5 * c)

    return _triaxial.within_sphere(axes, radius, enclosed)


def _concentration(axes, edge, growth):
    """Concentrations of bodies whose mass grows by a factor from R500 to ``edge``; the nearest."""
    low, high = (np.full(len(edge), np.log(end)) for end in (SHALLOWEST, STEEPEST))
    for _ in range(24):
        middle = 0.5 * (low + high)
        c500 = np.exp(middle)
        steep = _held(axes, edge, c500) < growth * _held(axes, np.ones(len(edge)), c500)
        low, high = np.where(steep, low, middle), np.where(steep, middle, high)
    return np.exp(middle)


@dataclass(frozen=True, kw_only=True)
class MassField(ClusterField):
    """Projected total mass: a triaxial NFW halo, its subhaloes and its companion.

    The smooth halo is in the middle of mass, has the axes of the gas, farther from a sphere, and
    ends at 5 R500. Subhaloes and companions stand where those of the gas do, with the mass ratios
    that they were drawn with; their density fades by (1 + r^2 / R500^2)^-2 beyond their own R500.
    All that lies inside the sphere of R500 of the cluster adds up to ``mass_true``. Where the model
    of the clusters has states, the smooth halo stands on the density peak, its concentration
    follows from M500/M200 of the state instead of ``concentration`` and ``sigma_lnc``, and diffuse
    matter beside it may make it lopsided.

    Parameters
    ----------
    concentration : str or float, optional
        Relation of concentration and mass, a name that `~szmass.physics.convert_mass` knows, or
        the median R500 / r_s.
    sigma_lnc : float, optional
        Scatter of its logarithm.
    flattening : float, optional
        How many times farther from 1 the axis ratios of matter are than those of the gas, which
        follows the rounder potential. With 2, gas of 0.9 and 0.8 lies in matter of 0.8 and 0.6.

    Raises
    ------
    InvalidInputError
        A value is out of range.

    Notes
    -----
    Columns: ``concentration500``, ``matter_axes``, and ``substructure500``, the share of M500 in
    subhaloes, companion and diffuse matter, which is at most 0.8, or 0.95 with states.

    References
    ----------
    Navarro, Frenk & White (1997); Baltz, Marshall & Oguri 2009 (stripped haloes); Ishiyama et al.
    2021 (concentrations); Anbajagane et al. 2022 (their scatter); Lau et al. 2011, Bonamigo et al.
    2015 (shapes of gas and matter).
    """

    concentration: str | float = "ishiyama21"
    sigma_lnc: float = 0.25
    flattening: float = 2.0
    name: str = dataclasses.field(default="mass", init=False)

    unit = u.solMass / u.Mpc**2

    def __post_init__(self):
        if isinstance(self.concentration, str):
            known = self.concentration in CONCENTRATION_MODELS
        else:
            low, high = CONCENTRATION_RANGE
            c500 = as_floats(self.concentration, "", "concentration")
            known = c500.ndim == 0 and low <= c500 <= high
        if not known:
            raise InvalidInputError(
                f"'concentration' must be one of {', '.join(sorted(CONCENTRATION_MODELS))}, or "
                f"R500 / r_s. Received: {self.concentration!r}"
            )
        for key in ("sigma_lnc", "flattening"):
            if not 0 <= as_floats(getattr(self, key), "", key) < np.inf:
                raise InvalidInputError(
                    f"'{key}' must be at least 0. Received: {getattr(self, key)!r}"
                )

    @property
    def references(self):
        """ADS bibcodes of the papers to cite."""
        used = (
            (isinstance(self.concentration, str), CONCENTRATION_PAPERS.get(self.concentration)),
            (self.sigma_lnc > 0, "2022MNRAS.509.3441A"),
            (self.flattening > 0, "2011ApJ...734...93L"),
            (self.flattening > 0, "2015MNRAS.449.3171B"),
        )
        return (*_HALOES, *(paper for condition, paper in used if condition))

    @property
    def software(self):
        """What computes concentrations."""
        return ("colossus",) if isinstance(self.concentration, str) else ()

    def matter(self, fields):
        """Give the bodies that `paint` paints.

        Parameters
        ----------
        fields : FieldSet
            As in `paint`. Bodies are made once for each, and what asks again is given the same:
            galaxies follow the matter of the maps.

        Returns
        -------
        Matter
            The bodies.
        """
        if self not in fields.made:
            deviation = self.sigma_lnc * normals(self, fields, 1)[:, 0]
            c500 = self._median(fields.clusters, fields.cosmology) * np.exp(deviation)
            c500 = np.clip(c500, 0.5, 20.0)
            fields.made[self] = Matter.of(fields.clusters, c500, self.flattening)
        return fields.made[self]

    def _median(self, clusters, cosmology):
        if not isinstance(self.concentration, str):
            return np.full(len(clusters), float(self.concentration))
        mass = clusters["mass_true"].to_value("solMass")
        redshift = np.asarray(clusters["redshift"])
        # The iteration stops at 1e-12 of the slowest of all.
        return np.round(concentration500(mass, redshift, self.concentration, cosmology), 8)

    def paint(self, fields):
        matter = self.matter(fields)
        columns = {
            "concentration500": matter.c500,
            "matter_axes": matter.axes,
            "substructure500": matter.inside,
        }
        return fields.draw(self._bodies(matter, fields)), columns

    def _bodies(self, matter, fields):
        redshift = np.asarray(fields.clusters["redshift"])
        distance = angular_diameter_distance(redshift, fields.cosmology)
        area = (distance / ARCMIN_PER_RADIAN) ** 2
        for i, profile in enumerate(_nfw(matter.c500)):
            there = np.flatnonzero(np.isfinite(matter.bound[i]))
            length = fields.grid.table_length(matter.theta500[i] * matter.axes[i].max())
            tables = np.vstack(
                [transform_tables(profile[np.newaxis], length), _bound_table(length)]
            )
            amplitude = np.append(matter.smooth[i], matter.bound[i, there]) / area[i]
            place = np.vstack([np.zeros(3), matter.place[i, there]])
            axes = matter.axes[i] * matter.theta500[i]
            yield tables, amplitude, axes, matter.size[i, there], place


@functools.lru_cache(maxsize=8)
def _bound_table(length):
    return transform_tables(_bound()[0][np.newaxis], length)


FIELDS.add("mass", MassField)
