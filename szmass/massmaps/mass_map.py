"""Map of projected mass of one cluster, with errors that know how pixels go together."""

import itertools

import astropy.constants as const
import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable
from scipy.special import ndtri

from szmass._io.stored import Stored
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_count, check_seed
from szmass.exceptions import InvalidInputError
from szmass.maps.frames import lonlat
from szmass.massmaps import _files as files
from szmass.massmaps.flags import MassMapFlag
from szmass.physics import get_cosmology
from szmass.physics.checks import check_redshift
from szmass.physics.cosmology import angular_diameter_distance

__all__ = ["MassMap"]

_UNIT = u.solMass / u.Mpc**2


class MassMap(Stored, NDData):
    """Projected mass around a cluster: mean and standard deviation of the surface density.

    It is an `~astropy.nddata.NDData` in solMass / Mpc2: ``data`` is the posterior mean,
    ``uncertainty`` the standard deviation of each pixel, ``wcs`` where the pixels lie. Pixels go up
    and down together, as ``modes`` tell, and errors of sums are made of these.

    Parameters
    ----------
    data : array-like
        Mean surface density [solMass / Mpc2], shape (ny, nx), proper lengths at ``redshift``.
    std : array-like
        Its standard deviation, of the same shape.
    coord : `~astropy.coordinates.SkyCoord`
        The position at the middle of the grid.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid.
    redshift : float
        Redshift of the cluster.
    cosmology : str or `~astropy.cosmology.FLRW`
        For distances.
    modes : array-like, optional
        Deviations of ln Sigma with a variance of 1 each, shape (K, ny, nx). What they leave of
        ``std`` is independent from pixel to pixel.
    r500 : `~astropy.units.Quantity`, optional
        Angle of R500 of the mass that the map is of.
    name : str, optional
        Name of the cluster.
    flag : int, optional
        Bits of `MassMapFlag`.
    meta : dict, optional
        What the map was made with.

    Raises
    ------
    InvalidInputError
        Shapes do not match, or an argument is out of range.

    Notes
    -----
    Files are FITS: the mean with its WCS, standard deviation and modes. What has no position cannot
    be written alone.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass.maps import CutoutGeometry
    >>> from szmass.massmaps import MassMap
    >>> grid = CutoutGeometry((32, 32), 0.5 * u.arcmin)
    >>> sigma = np.full(grid.shape, 1e14)
    >>> map = MassMap(sigma, 0.2 * sigma, SkyCoord(194.9, 28, unit="deg"), grid, redshift=0.2,
    ...               cosmology="PSZ2")
    >>> mass, error = map.mass_within(5 * u.arcmin)
    >>> print(f"{mass:.3g}")
    3.08e+14 solMass
    """

    def __init__(
        self,
        data,
        std,
        coord,
        geometry,
        *,
        redshift,
        cosmology,
        modes=None,
        r500=None,
        name="",
        flag=0,
        meta=None,
    ):
        check_kind(geometry, "CutoutGeometry", "geometry")
        data, std = (_surface(v, n) for v, n in ((data, "data"), (std, "std")))
        modes = np.zeros((0, *data.shape)) if modes is None else as_floats(modes, "", "modes")
        if not data.shape == std.shape == geometry.shape == modes.shape[1:]:
            raise InvalidInputError(
                "'data', 'std' and each of 'modes' must have the shape of 'geometry', "
                f"{geometry.shape}. Received: {data.shape}, {std.shape} and {modes.shape}"
            )
        if geometry.relative or not (isinstance(coord, SkyCoord) and coord.isscalar):
            raise InvalidInputError(
                "'coord' must be one SkyCoord, and 'geometry' have a pixel_scale that is an angle. "
                f"Received: {coord!r} and {geometry!r}"
            )
        known = np.isfinite(data) & np.isfinite(std) & np.isfinite(modes).all(axis=0)
        if np.any(data[known] < 0) or np.any(std[known] < 0):
            raise InvalidInputError("'data' and 'std' must be at least 0.")
        redshift = check_redshift(redshift)
        # A map without a redshift has no values, and keeps its place.
        if redshift.ndim or (known.any() and not redshift > 0):
            raise InvalidInputError(
                f"'redshift' must be one positive number. Received: {redshift!r}"
            )
        placed = np.isfinite(lonlat(coord, geometry.frame)).all()
        super().__init__(
            data,
            uncertainty=StdDevUncertainty(std),
            mask=~known,
            wcs=geometry.wcs(coord) if placed else None,
            unit=_UNIT,
            meta={} if meta is None else dict(meta),
        )
        # Pixels without a value must not spoil sums over the others.
        self.modes = modes if known.all() else np.where(known, modes, 0.0)
        self.coord, self.geometry = coord, geometry
        self.redshift, self.cosmology = float(redshift), get_cosmology(cosmology)
        if r500 is not None:
            r500 = _one(r500, u.arcmin, "r500", positive=True) * u.arcmin
        self.r500 = r500
        self.name, self.flag = str(name), int(flag)

    @property
    def std(self):
        """Standard deviation of the pixels, a plain array [solMass / Mpc2]."""
        return self.uncertainty.array

    @property
    def quantity(self):
        """The mean as a `~astropy.units.Quantity`."""
        return self.data << _UNIT

    def __repr__(self):
        words = MassMapFlag.describe(self.flag)
        return (
            f"<MassMap {self.name!r} at z = {self.redshift:g}: {self.geometry!r}"
            f"{f', {words}' if words else ''}>"
        )

    __str__ = __repr__

    @property
    def _mpc_per_radian(self):
        return float(angular_diameter_distance(np.array([self.redshift]), self.cosmology)[0])

    @property
    def _pixel_area(self):
        return (self.geometry.pixel_side("rad") * self._mpc_per_radian) ** 2

    def _in_pixels(self, radius, name="radius"):
        """Angles or proper lengths, none of them NaN, as plain numbers of pixels."""
        try:
            length = u.Quantity(radius).unit.is_equivalent(u.Mpc)
        except (TypeError, ValueError):
            length = False
        scale = self.geometry.pixel_side("rad")
        if length:
            scale *= self._mpc_per_radian
        pixels = as_floats(radius, u.Mpc if length else u.rad, name, positive=True) / scale
        # A length at an unknown redshift is NaN as well, as is the map: that stays NaN.
        if np.any(np.isnan(pixels)) and np.isfinite(scale):
            raise InvalidInputError(f"{name!r} must not be NaN. Received: {radius!r}")
        return pixels

    def _place(self, center):
        """Column and row of a position; the middle by default."""
        if center is None:
            return tuple(reversed(self.geometry.center))
        if not isinstance(center, SkyCoord) or not center.isscalar:
            raise InvalidInputError(f"'center' must be one SkyCoord. Received: {center!r}")
        if self.wcs is None:
            raise InvalidInputError(
                "The position of the map is not known, so 'center' cannot be found in it."
            )
        place = tuple(float(value) for value in self.wcs.world_to_pixel(center))
        if not np.all(np.isfinite(place)):
            raise InvalidInputError(f"'center' must be a position on the map. Received: {center!r}")
        return place

    def _disc(self, place, radius):
        """Share of each pixel within a radius [pixel] of a place; an error beyond the map."""
        from photutils.geometry import circular_overlap_grid

        (ny, nx), (x, y) = self.geometry.shape, place
        free = min(x + 0.5, nx - 0.5 - x, y + 0.5, ny - 0.5 - y)
        if radius > free * (1 + 1e-9):
            side = self.geometry.pixel_scale
            raise InvalidInputError(
                f"The circle of {radius * side:.4g} reaches beyond the map, which has "
                f"{max(free, 0) * side:.4g} about that place. Give a smaller radius, or make the "
                "map with a larger geometry."
            )
        edges = -0.5 - x, nx - 0.5 - x, -0.5 - y, ny - 0.5 - y
        return circular_overlap_grid(*edges, nx, ny, radius, 1, 1)

    def _sum(self, weight):
        """Sum of the surface density with weights, and its standard deviation.

        The covariance of log-normal pixels is the product of their means times exp(C) - 1, with C
        that of the logarithms: to the second order in C between pixels, and exact for each.
        """
        if np.any(self.mask & (weight != 0)):
            return np.nan, np.nan
        weighted = np.where(weight != 0, weight * self.data, 0.0)
        some = weight != 0
        value, modes = weighted[some], self.modes[:, some]
        common = (modes**2).sum(axis=0)
        alone = np.expm1(common + self._rest()[some]) - common - common**2 / 2
        first, second = modes @ value, (modes * value) @ modes.T
        variance = (first**2).sum() + (second**2).sum() / 2 + (alone * value**2).sum()
        return weighted.sum(), np.sqrt(variance)

    def _log_variance(self):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log1p(np.where(self.data > 0, self.std / self.data, 0.0) ** 2)

    def _rest(self):
        """Variance of ln Sigma that modes leave to each pixel."""
        return np.maximum(self._log_variance() - (self.modes**2).sum(axis=0), 0.0)

    def mass_within(self, radius, *, center=None):
        """Give the mass in cylinders along the line of sight.

        Parameters
        ----------
        radius : `~astropy.units.Quantity`
            One or several angles or proper lengths.
        center : `~astropy.coordinates.SkyCoord`, optional
            Axis of the cylinder; by default the middle of the map.

        Returns
        -------
        mass : `~astropy.units.Quantity`
            Mean [solMass], of the shape of ``radius``. NaN where a pixel of the circle has no
            value.
        error : `~astropy.units.Quantity`
            Standard deviation [solMass].

        Raises
        ------
        InvalidInputError
            A circle reaches beyond the map, a radius is not positive, or the center is no
            position on the map.
        InvalidUnitError
            A radius is neither an angle nor a length.
        """
        pixels, place = self._in_pixels(radius), self._place(center)
        sums = np.array([self._sum(self._disc(place, r)) for r in pixels.ravel()]).reshape(-1, 2)
        mass, error = (v.reshape(pixels.shape) * self._pixel_area for v in sums.T)
        return mass << u.solMass, error << u.solMass

    def profile(self, radii, *, center=None):
        """Give the mean surface density in rings.

        Parameters
        ----------
        radii : `~astropy.units.Quantity`
            Edges of n rings, n + 1 increasing angles or proper lengths, of which the first may
            be 0.
        center : `~astropy.coordinates.SkyCoord`, optional
            Middle of the rings; by default that of the map.

        Returns
        -------
        `~astropy.table.QTable`
            A row per ring: ``inner`` and ``outer`` [arcmin], ``surface_density`` and
            ``surface_density_err`` [solMass / Mpc2].

        Raises
        ------
        InvalidInputError
            Radii do not increase, or reach beyond the map.
        InvalidUnitError
            They are neither angles nor lengths.
        """
        edges = angles_or_lengths(radii, "radii")
        if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0) or edges[0] < 0:
            raise InvalidInputError(
                f"'radii' must be at least two increasing radii, none below 0. Received: {radii!r}"
            )
        pixels = np.append(0.0 if edges[0] == 0 else self._in_pixels(edges[:1], "radii"),
                           self._in_pixels(edges[1:], "radii"))  # fmt: skip
        place = self._place(center)
        discs = [self._disc(place, r) if r > 0 else np.zeros(self.geometry.shape) for r in pixels]
        rings = [outer - inner for inner, outer in itertools.pairwise(discs)]
        found = np.array([self._sum(ring / ring.sum()) for ring in rings])
        angle = pixels * self.geometry.pixel_scale.to(u.arcmin)
        return QTable(
            {
                "inner": angle[:-1],
                "outer": angle[1:],
                "surface_density": found[:, 0] << _UNIT,
                "surface_density_err": found[:, 1] << _UNIT,
            },
            meta={"name": self.name, "redshift": self.redshift},
        )

    def centroid(self, radius=None):
        """Give the centroid of the mass in a circle about the middle of the map.

        Parameters
        ----------
        radius : `~astropy.units.Quantity`, optional
            One angle or proper length; R500 by default.

        Returns
        -------
        position : `~astropy.coordinates.SkyCoord`
            The centroid.
        error : `~astropy.units.Quantity`
            Its standard deviation along columns and rows [arcmin], shape (2,).

        Raises
        ------
        InvalidInputError
            The circle reaches beyond the map or has no mass, the map has no position, or R500 is
            not known and no radius is given.
        """
        if radius is None and self.r500 is None:
            raise InvalidInputError("R500 of the map is not known: give a 'radius'.")
        if self.wcs is None:
            raise InvalidInputError("The position of the map is not known, nor is its centroid.")
        pixels = self._in_pixels(self.r500 if radius is None else radius)
        if pixels.ndim:
            raise InvalidInputError(f"'radius' must be one radius. Received: {radius!r}")
        disc = self._disc(self._place(None), pixels)
        row, column = np.indices(self.geometry.shape)
        total, _ = self._sum(disc)
        if not total > 0:
            raise InvalidInputError(
                "The circle has no mass, or a pixel without a value, and so no centroid."
            )
        places = [self._sum(disc * axis)[0] / total for axis in (column, row)]
        errors = [
            self._sum(disc * (axis - place))[1] / total
            for axis, place in zip((column, row), places, strict=True)
        ]
        side = self.geometry.pixel_scale.to(u.arcmin)
        return self.wcs.pixel_to_world(*places), np.array(errors) * side

    def convergence(self, source_redshift):
        """Give the lensing convergence for sources at a redshift.

        Parameters
        ----------
        source_redshift : float
            Redshift of the sources, beyond the cluster.

        Returns
        -------
        `~astropy.nddata.NDData`
            kappa = Sigma / Sigma_cr with its standard deviation, mask and WCS; Sigma_cr
            [solMass / Mpc2] stands in ``meta["sigma_cr"]``.

        Raises
        ------
        InvalidInputError
            The sources are not behind the cluster.
        """
        source = _one(source_redshift, "", "source_redshift", finite=True)
        if not source > self.redshift:
            raise InvalidInputError(
                f"'source_redshift' must be above that of the cluster, {self.redshift:g}. "
                f"Received: {source_redshift!r}"
            )
        near, far = self.cosmology.comoving_transverse_distance([self.redshift, source])
        # Curvature comes in by 1 + Ok (D / D_H)^2 (Hogg 1999, equation 19).
        near_bent, far_bent = np.sqrt(
            1 + self.cosmology.Ok0 * (u.Quantity([near, far]) / self.cosmology.hubble_distance) ** 2
        )
        between = far * near_bent - near * far_bent
        ratio = far * (1 + self.redshift) / (near * between)
        critical = (const.c**2 / (4 * np.pi * const.G) * ratio).to_value(_UNIT)
        return NDData(
            self.data / critical,
            uncertainty=StdDevUncertainty(self.std / critical),
            mask=self.mask,
            wcs=self.wcs,
            unit=u.one,
            meta={"sigma_cr": critical, "source_redshift": source, "name": self.name},
        )

    def interval(self, level=0.6827):
        """Give the central interval of each pixel, of log-normal densities.

        Parameters
        ----------
        level : float, optional
            Probability inside.

        Returns
        -------
        low : `~astropy.units.Quantity`
            Lower ends [solMass / Mpc2], shape (ny, nx).
        high : `~astropy.units.Quantity`
            Upper ends.

        Raises
        ------
        InvalidInputError
            The level is not between 0 and 1.
        """
        if not 0 < _one(level, "", "level") < 1:
            raise InvalidInputError(f"'level' must be between 0 and 1. Received: {level!r}")
        variance = self._log_variance()
        reach = ndtri(0.5 + level / 2) * np.sqrt(variance)
        median = self.data * np.exp(-variance / 2)
        return median * np.exp(-reach) << _UNIT, median * np.exp(reach) << _UNIT

    def samples(self, n, seed):
        """Draw maps of what the mass may be.

        Parameters
        ----------
        n : int
            How many.
        seed : int
            Seed of the draws.

        Returns
        -------
        `~astropy.units.Quantity`
            Surface densities [solMass / Mpc2], shape (n, ny, nx), log-normal: with the means,
            the standard deviations and the modes of this map.

        Raises
        ------
        InvalidInputError
            ``n`` is not at least 1, or the seed not an integer of at least 0.
        """
        rng = np.random.default_rng(check_seed(seed))
        n, variance = check_count(n, "n"), self._log_variance()
        logs = np.tensordot(rng.standard_normal((n, len(self.modes))), self.modes, axes=1)
        logs += np.sqrt(self._rest()) * rng.standard_normal((n, *self.data.shape))
        return self.data * np.exp(logs - variance / 2) << _UNIT

    def write(self, path, *, overwrite=False):
        files.write_map(self, path, overwrite)

    @classmethod
    def read(cls, path):
        return files.read_map(path, cls)


def _surface(value, name):
    """Plain surface densities; those without a unit are in solMass / Mpc2."""
    return as_floats(value, "" if getattr(value, "unit", None) is None else _UNIT, name)


def angles_or_lengths(value, name):
    """Radii as a Quantity; what its unit is is looked at where they become pixels."""
    try:
        return u.Quantity(value)
    except (TypeError, ValueError) as err:
        raise InvalidInputError(
            f"{name!r} must be a Quantity of angles or lengths. Received: {value!r}"
        ) from err


def _one(value, unit, name, **checks):
    """One plain number of a unit."""
    number = as_floats(value, unit, name, **checks)
    if number.ndim:
        raise InvalidInputError(f"{name!r} must be one value. Received: {value!r}")
    return float(number)
