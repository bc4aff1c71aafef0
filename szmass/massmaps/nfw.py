"""Mass maps of NFW haloes: the baseline, in closed form."""

import functools
import importlib.resources
import json
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.massmaps._bands import noise_in_disc, quadrupoles
from szmass.massmaps._draws import Haloes, body_at, mass_map, normals, placed
from szmass.massmaps._grid import distances, gridded
from szmass.massmaps._halo import EDGE, angular_radius, theta_arcmin
from szmass.massmaps.core import MAP_ESTIMATORS, MapEstimator
from szmass.massmaps.flags import MassMapFlag
from szmass.massmaps.mass_map_stack import MassMapStack
from szmass.physics import get_cosmology
from szmass.physics.concentration import (
    CONCENTRATION_MODELS,
    CONCENTRATION_PAPERS,
    CONCENTRATION_RANGE,
)
from szmass.physics.curves import mass_curve
from szmass.physics.halos import concentration500

__all__ = ["NFWMaps"]

_DATA = importlib.resources.files("szmass") / "data" / "massmaps"

# Radius that holds 95 % of a two-dimensional normal distribution, in standard deviations.
_R95 = np.sqrt(-2 * np.log(0.05))
# Beams [R500] behind which quadrupoles of y still tell the axes of the mass.
_RESOLVED = 0.5


@functools.cache
def halo_shapes():
    """How clusters of the mocks differ from round NFW haloes: arrays on the grid, and numbers."""
    with (_DATA / "nfw.npz").open("rb") as file, np.load(file) as arrays:
        table = {name: arrays[name].astype(float) for name in arrays.files}
    return table | json.loads((_DATA / "nfw.json").read_text(encoding="utf-8"))


@dataclass(kw_only=True, eq=False, repr=False)
class NFWMaps(MapEstimator):
    """Mass maps of NFW haloes that nobody has seen: what a mass alone says of a map.

    A halo of the posterior of the mass has the concentration of a relation, with its scatter,
    stands at the cluster's position, with its error, and has the axes that the second moments of
    the y-map inside R500 tell, where the map resolves them; elsewhere it is round. It ends at 5
    R500. Mean and standard deviation of the surface density are those of 32 such haloes, a
    low-discrepancy sequence, times what clusters of the mocks differ from such haloes by:
    substructure, companions, and concentrations that the relation does not know.

    Parameters
    ----------
    mass : str or MassEstimator or LogMassPosterior, optional
        Where the mass is from: the tag of a mass estimator, an estimator, or posteriors that have
        the clusters by name. Masses with errors alone are taken as log-normal.
    one_minus_b : float, optional
        Bring masses of a known 1-b to this one first. A map of the total mass wants the true
        scale; None leaves the masses as they are.
    concentration : str or float, optional
        Relation of concentration and mass, as in `~szmass.physics.convert_mass`, or R500 / r_s.
    sigma_lnc : float, optional
        Scatter of its logarithm.
    ellipticity : {"moments", "none"}, optional
        Whether the y-map tells the axes.
    centring : `~astropy.units.Quantity`, optional
        Standard deviation per axis of the distance of the cluster from the middle of its cutout.
        By default it follows from the column ``pos_err``, a 95 % radius, where the sample has it.
    noise : `~szmass.maps.NoiseModel`, optional
        Noise of the y-map, where the cutouts do not know it; only "moments" needs it.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        Grid of the maps, whose pixels may be a part of R500; by default 96 x 96 pixels of
        R500 / 16, in the directions of the cutouts.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        For sizes, distances and concentrations.

    Notes
    -----
    The surface density is that of Takada & Jain (2003), the mean over each pixel. Its quadrupole
    is the measured one of y times 4.3, the ratio of the mocks where noise and beam are small
    (correlation 0.91), less where there is noise. Measured moments are not corrected for the
    beam; behind more than R500 / 2, and where there is no y-map, haloes are round with the scatter
    of axes of all clusters, and the flag says ``ROUND``.

    What clusters differ from haloes by is the mean and the scatter of ln Sigma at each radius, 24
    principal components, and independent pixels, from mocks of "a10-the300".

    References
    ----------
    Navarro, Frenk & White 1997, ApJ 490, 493; Takada & Jain 2003, MNRAS 340, 580; Anbajagane et
    al. 2022 (scatter of concentrations).

    Examples
    --------
    >>> from szmass.estimators.checks import make_check_sample
    >>> from szmass.massmaps import NFWMaps
    >>> maps = NFWMaps(mass="scaling", one_minus_b=0.8).predict(make_check_sample(2))
    >>> mass, error = maps[0].mass_within(maps[0].r500)
    >>> print(f"{mass:.1g}")
    5e+14 solMass
    """

    tag = "nfw"
    description = "NFW haloes of the masses: the baseline"
    requires = frozenset({"redshift"})
    references = ("1997ApJ...490..493N", "2003MNRAS.340..580T", "2022MNRAS.509.3441A")
    software = ("numpy", "scipy", "colossus")

    mass: object = "likelihood"
    one_minus_b: float | None = None
    concentration: object = "ishiyama21"
    sigma_lnc: float = 0.25
    ellipticity: str = "moments"
    centring: object = None
    noise: object = None
    geometry: object = None
    cosmology: object = "PSZ2"

    def _extra_meta(self, sample):
        self._check_options()
        by_name = isinstance(self.concentration, str)
        paper = [CONCENTRATION_PAPERS[self.concentration]] if by_name else []
        shapes = halo_shapes()
        return {
            "concentration": self.concentration if by_name else float(self.concentration),
            "sigma_lnc": float(self.sigma_lnc),
            "truncation": f"{EDGE:g} R500",
            "ellipticity": self.ellipticity,
            "references": [*self.references, *paper],
            "shapes_from": f"{shapes['clusters']} mocks of {shapes['model']}",
        }

    def _check_options(self):
        if self.ellipticity not in ("moments", "none"):
            raise InvalidInputError(
                f"'ellipticity' must be 'moments' or 'none'. Received: {self.ellipticity!r}"
            )
        if self.noise is not None:
            check_kind(self.noise, "NoiseModel", "noise")
        scatter = as_floats(self.sigma_lnc, "", "sigma_lnc", finite=True)
        if scatter.ndim or not 0 <= scatter <= 1:
            raise InvalidInputError(
                f"'sigma_lnc' must be a number from 0 to 1. Received: {self.sigma_lnc!r}"
            )
        if isinstance(self.concentration, str):
            if self.concentration not in CONCENTRATION_MODELS:
                raise InvalidInputError(
                    f"'concentration' must be one of {', '.join(sorted(CONCENTRATION_MODELS))}, or "
                    f"R500 / r_s. Received: {self.concentration!r}"
                )
            return
        c500 = as_floats(self.concentration, "", "concentration")
        low, high = CONCENTRATION_RANGE
        if c500.ndim or not low <= c500 <= high:
            raise InvalidInputError(
                f"'concentration' must be from {low:g} to {high:g}. Received: {c500}"
            )

    def _map(self, sample, posterior):
        base = Baseline.of(self, sample, posterior)
        flag = np.where(base.resolved, 0, MassMapFlag.ROUND)
        shapes, made = halo_shapes(), []
        for i in range(len(sample)):
            place = placed(base.grid, base.theta[i])
            body = body_at(shapes["mean"], shapes["sigma"], shapes["modes"], place)
            made.append(mass_map(base.haloes(i), body, place))
        return base.stack(sample, made, flag)


MAP_ESTIMATORS.add(NFWMaps.tag, NFWMaps)


@dataclass(frozen=True)
class Baseline:
    """Haloes of clusters: ``theta`` is R500 of the median mass [arcmin], (N,)."""

    grid: object
    cosmology: object
    log10_mass: np.ndarray
    error: np.ndarray
    drawn: np.ndarray
    redshift: np.ndarray
    theta: np.ndarray
    c500: np.ndarray
    sigma_lnc: float
    centring: np.ndarray
    ellipse: np.ndarray
    spread: np.ndarray
    resolved: np.ndarray

    @classmethod
    def of(cls, estimator, sample, posterior):
        """What an estimator with the options of `NFWMaps` knows of clusters."""
        cosmology = get_cosmology(estimator.cosmology)
        median, error, drawn = estimator._masses(posterior)
        redshift = sample.redshift
        if isinstance(estimator.concentration, str):
            c500 = concentration500(10**median, redshift, estimator.concentration, cosmology)
        else:
            c500 = np.full(len(sample), float(estimator.concentration))
        theta = theta_arcmin(10**median, redshift, cosmology)
        about = (estimator, sample, theta, median, estimator._y_scale(posterior), cosmology)
        return cls(
            estimator._grid_of(sample), cosmology, median, error, drawn, redshift, theta, c500,
            float(estimator.sigma_lnc), _centring(estimator.centring, sample), *_axes(*about),
        )  # fmt: skip

    def haloes(self, i):
        """The haloes that stand for what a cluster may be."""
        normal = normals()
        size, surface = angular_radius(10 ** self.drawn[i], self.redshift[i], self.cosmology)
        middle, _ = angular_radius(10 ** self.log10_mass[i], self.redshift[i], self.cosmology)
        # By the mass alone: concentrations hardly change within its error.
        c500 = self.c500[i] * np.exp(self.sigma_lnc * normal[:, 1])
        ellipse = self.ellipse[i] + self.spread[i] * normal[:, 4:6]
        long = np.hypot(*ellipse.T)
        ellipse *= (np.minimum(long, 0.8) / np.maximum(long, 1e-9))[:, np.newaxis]
        offset = self.centring[i] / self.theta[i] * normal[:, 2:4]
        return Haloes(size / middle, surface, c500, offset, ellipse)

    def stack(self, sample, made, flag):
        """The maps of clusters as a `MassMapStack`."""
        data, std, modes = (np.array(part) for part in zip(*made, strict=True))
        return MassMapStack(
            data, std, modes, sample.coord, self.grid,
            names=sample.names, redshift=self.redshift, r500=self.theta, flag=flag,
            cosmology=self.cosmology,
        )  # fmt: skip


def _centring(centring, sample):
    """Standard errors of positions per axis [arcmin], (N,)."""
    if centring is not None:
        sigma = as_floats(centring, u.arcmin, "centring", finite=True)
        if sigma.ndim or sigma < 0:
            raise InvalidInputError(
                f"'centring' must be one angle of at least 0. Received: {centring!r}"
            )
        return np.full(len(sample), float(sigma))
    if "pos_err" not in sample.table.colnames:
        return np.zeros(len(sample))
    error = as_floats(sample.quantity("pos_err"), u.arcmin, "pos_err") / _R95
    return np.where(np.isfinite(error) & (error > 0), error, 0.0)


def _axes(estimator, sample, theta, log10_mass, y_scale, cosmology):
    """Ellipses (N, 2) of haloes, their scatter (N,) per component, and whether y tells them."""
    shapes, n = halo_shapes(), len(sample)
    mean, spread, told = np.zeros((n, 2)), np.full(n, shapes["ellipse"]), np.zeros(n, bool)
    stack, noise = sample.cutouts, estimator.noise
    if stack is None or estimator.ellipticity == "none" or stack.geometry.relative:
        return mean, spread, told
    beam = 0.0 if stack.beam is None else stack.beam.to_value(u.arcmin)
    pixel = stack.geometry.pixel_side("arcmin")
    noise = stack.noise if noise is None else noise
    level = np.zeros(n)
    if noise is not None:
        _, y500 = mass_curve(
            log10_mass[:, np.newaxis], sample.redshift, "planck2015", y_scale, cosmology
        )
        level = noise_in_disc(noise, theta) * depth_of(sample) * theta**2 / y500[:, 0]
    for i in np.flatnonzero(np.hypot(beam, pixel) < _RESOLVED * theta):
        place = placed(stack.geometry, theta[i])
        if min(stack.geometry.shape) * place.pixel < 2:  # R500 is not on the map
            continue
        y, known = gridded(stack.data[i].astype(float), stack.footprint[i], place)
        found = quadrupoles(y, known)
        if known[distances() < 1].min() < 0.5 or not np.any(found) or np.hypot(*found) > 1:
            continue
        # Noise moves moments by about three times its mean in a disc of R500 / 4.
        signal = shapes["ellipse_y"] ** 2
        weight = signal / (signal + (3 * level[i]) ** 2)
        mean[i] = shapes["ellipse_slope"] * weight * found
        spread[i] *= np.sqrt(1 - shapes["ellipse_correlation"] ** 2 * weight)
        long = np.hypot(*mean[i])
        mean[i] *= min(long, 0.6) / max(long, 1e-9)
        told[i] = True
    return mean, spread, told


def depth_of(sample):
    """Factor of the amplitude of noise, (N,): that of the sample, else 1."""
    if "depth" in sample.table.colnames:
        depth = as_floats(sample.quantity("depth"), "", "depth")
        return np.where(np.isfinite(depth) & (depth > 0), depth, 1.0)
    return np.ones(len(sample))
