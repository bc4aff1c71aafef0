"""Galaxies of clusters: positions, counted in pixels or seen through the beam."""

import dataclasses
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from szmass._utils.memory import check_memory
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, angular_diameter_distance
from szmass.physics.halos import M500C, MassDefinition, convert_floats
from szmass.simulations.bodies import _substructure
from szmass.simulations.bodies.fields import FIELDS, ClusterField
from szmass.simulations.bodies.matter import MassField, bound_radii, nfw_mass
from szmass.simulations.bodies.models import set_amounts

__all__ = ["GalaxyField"]

# Members stand out to here [R500], about the virial radius.
_EDGE = _substructure.RADIUS_MAX

# What the richness is measured for, and R500 / r_s of the matter that M500 is converted with.
_M200M, _C500 = MassDefinition.parse("200m"), 3.0

_X = np.linspace(0.0, 1.0, 512)


# Bytes that one galaxy takes while it is placed.
_BYTES = 200


def _check_number(number, option):
    check_memory(_BYTES * number, f"{number:.3g} galaxies in one field", f"Make {option} less.")


def _radii(uniform, concentration):
    """Radii in an NFW halo, over that of its edge at r_s times ``concentration``."""
    return np.interp(uniform, nfw_mass(concentration * _X) / nfw_mass(concentration), _X)


@dataclass(frozen=True, kw_only=True)
class GalaxyField(ClusterField):
    """Galaxies of clusters: a central one, and members in the smooth body and the substructure.

    Their mean number is the richness that DES measured for the mass, inside the cylinder that
    redMaPPer counts in. They follow an NFW profile of their own concentration out to 2 R500, in an
    ellipsoid with the axes of the matter; of the members, subhaloes and companion have the share
    that they have of the mass.

    Parameters
    ----------
    concentration : float, optional
        R500 / r_s of the galaxies. 1.9 is 3 in R200.
    sigma_lnrichness : float, optional
        Scatter of ln richness at given mass, beside that of Poisson.
    smoothed : bool, optional
        Whether the map shows galaxies per arcmin2 through the beam, instead of counts in pixels.
    background : `~astropy.units.Quantity`, optional
        Mean number of other galaxies per solid angle.
    matter : MassField, optional
        Matter that they follow; by default that of the field "mass" by default.

    Raises
    ------
    InvalidInputError, InvalidUnitError
        A value is out of range, or the background is not a number per solid angle.

    Notes
    -----
    Columns: ``richness``, the mean number in the cylinder, scatter included, and ``members``, the
    number of members without the central galaxy. The published relation is the mean mass at given
    richness, and is turned round.

    References
    ----------
    McClintock et al. 2019, MNRAS 482, 1352 (richness); Lin, Mohr & Stanford 2004 (concentration).
    """

    concentration: float = 1.9
    sigma_lnrichness: float = 0.25
    smoothed: bool = False
    background: u.Quantity = 0 / u.arcmin**2
    matter: MassField = dataclasses.field(default_factory=MassField)
    name: str = dataclasses.field(default="galaxies", init=False)

    def __post_init__(self):
        for key, low in (("concentration", 0.1), ("sigma_lnrichness", 0.0)):
            value = as_floats(getattr(self, key), "", key, finite=True)
            if value.ndim or not low <= value <= 100:
                raise InvalidInputError(
                    f"'{key}' must be one number from {low:g} to 100. Received: {value}"
                )
        if not isinstance(self.matter, MassField) or not isinstance(self.smoothed, bool | np.bool_):
            raise InvalidInputError(
                "'matter' must be a MassField, 'smoothed' True or False. Received: "
                f"{self.matter!r} and {self.smoothed!r}"
            )
        set_amounts(self, background=u.arcmin**-2)

    @property
    def smooth(self):
        """Whether the map is seen through the beam."""
        return self.smoothed

    @property
    def unit(self):
        """Counts, or their density."""
        return u.arcmin**-2 if self.smoothed else u.ct

    @property
    def references(self):
        """ADS bibcodes of the papers to cite, those of the matter among them."""
        return ("2019MNRAS.482.1352M", "2004ApJ...610..745L", *self.matter.references)

    @property
    def software(self):
        """What the matter needs."""
        return self.matter.software

    def richness(self, mass, redshift, cosmology):
        """Compute the median richness of masses.

        Parameters
        ----------
        mass : ndarray
            M500c [Msun].
        redshift : ndarray
            Redshifts.
        cosmology : `~astropy.cosmology.FLRW`
            The cosmology.

        Returns
        -------
        ndarray
            Mean number of galaxies inside the cylinder of (richness / 100)^0.2 Mpc / h.
        """
        c500 = np.full(mass.shape, _C500)
        m200m = convert_floats(mass, redshift, M500C, _M200M, cosmology, c500)
        return 40 * (m200m / 3.081e14 * ((1 + redshift) / 1.35) ** 0.30) ** (1 / 1.356)

    def paint(self, fields):
        clusters, cosmology = fields.clusters, fields.cosmology
        matter = self.matter.matter(fields)
        mass = clusters["mass_true"].to_value("solMass")
        redshift = np.asarray(clusters["redshift"])
        mean = self.richness(mass, redshift, cosmology)
        mpc = ARCMIN_PER_RADIAN / angular_diameter_distance(redshift, cosmology)
        maps = np.zeros((*fields.shift.shape[:2], *fields.geometry.shape), dtype=np.float32)
        streams = [fields.generator(self, i) for i in range(len(clusters))]
        normal = np.array([stream.standard_normal() for stream in streams])
        richness = mean * np.exp(self.sigma_lnrichness * normal)
        aperture = (richness / 100) ** 0.2 / cosmology.h * mpc
        whole = richness / self._in_cylinder(aperture / matter.theta500)
        members = np.empty(len(clusters), dtype=int)
        _check_number(np.max(whole, initial=0), "'sigma_lnrichness'")
        for i, (views, stream) in enumerate(zip(maps, streams, strict=True)):
            members[i] = stream.poisson(whole[i])
            place = np.vstack([np.zeros(3), self._members(matter, i, members[i], stream)])
            for j, image in enumerate(views):
                x, y = (place @ fields.rotation[i, j, :2].T + fields.shift[i, j]).T
                others = self._others(fields, i, j)
                self._show(image, np.append(x, others[0]), np.append(y, others[1]), fields)
        return maps, {"richness": richness, "members": members}

    def _in_cylinder(self, radius):
        """Share of members within projected radii (N,) [R500] of a round cluster."""
        c = self.concentration * _EDGE
        shells = np.diff(nfw_mass(c * _X)) / nfw_mass(c)
        r = _EDGE * 0.5 * (_X[1:] + _X[:-1])
        outside = np.sqrt(1 - np.minimum(1, radius[:, np.newaxis] / r) ** 2)
        return (shells * (1 - outside)).sum(axis=1)

    def _members(self, matter, i, n, stream):
        """Places of members [arcmin] in the frame of the body, shape (n, 3)."""
        c500 = matter.c500[i]
        there = np.flatnonzero(np.isfinite(matter.bound[i]))
        whole = matter.smooth[i] * nfw_mass(_EDGE * c500) / nfw_mass(5 * c500)
        weight = np.cumsum(np.append(whole, matter.bound[i, there]))
        uniform = stream.random((n, 4))
        which = np.searchsorted(weight / weight[-1], uniform[:, 0])
        direction = _substructure.directions(uniform[:, 1:3])
        radius = _EDGE * _radii(uniform[:, 3:], self.concentration * _EDGE)
        place = radius * direction * matter.axes[i] * matter.theta500[i]
        bound = which > 0
        body = there[which[bound] - 1]
        size = matter.size[i, body, np.newaxis] * bound_radii(uniform[bound, 3:])
        place[bound] = matter.place[i, body] + size * direction[bound]
        return place

    def _others(self, fields, i, j):
        """Places [arcmin] of galaxies in front and behind, also beyond the edges of the field."""
        density = self.background.value
        if density == 0:
            return np.empty((2, 0))
        pixel = fields.geometry.pixel_scale.to_value("arcmin")
        sides = np.array(fields.geometry.shape[::-1]) * pixel + 10 * fields.window.sigma
        _check_number(density * sides.prod(), "'background'")
        stream = fields.generator(self, i, j)
        number = stream.poisson(density * sides.prod())
        return (stream.random((number, 2)) - 0.5).T * sides[:, np.newaxis]

    def _show(self, image, x, y, fields):
        if self.smoothed:
            image += fields.points(x, y, np.ones(len(x)))
            return
        ny, nx = image.shape
        pixel = fields.geometry.pixel_scale.to_value("arcmin")
        column = np.rint(x / pixel + (nx - 1) / 2).astype(int)
        row = np.rint(y / pixel + (ny - 1) / 2).astype(int)
        seen = (row >= 0) & (row < ny) & (column >= 0) & (column < nx)
        np.add.at(image, (row[seen], column[seen]), 1)


FIELDS.add("galaxies", GalaxyField)
