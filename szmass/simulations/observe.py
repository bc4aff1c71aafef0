"""From painted clusters to what a map shows of them: beam, pixels, noise, centring, holes."""

import dataclasses
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import vstack

from szmass._utils.progress import progress_bar
from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.maps._frames import lonlat
from szmass.maps.cutouts import CutoutStack, check_beam
from szmass.maps.depth import DepthMap
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.physics.cosmology import get_cosmology
from szmass.simulations import _sampling
from szmass.simulations._seeds import check_count, check_seed, generator
from szmass.simulations.models import get_cluster_model
from szmass.simulations.painting import ClusterPainter, draw_clusters

__all__ = ["OBSERVATIONS", "Observation", "get_observation", "iter_simulate", "simulate"]

#: Observations known by name.
OBSERVATIONS = Registry("observation")

# POS_ERR of PSZ2 for which ``centring`` holds: its median.
_POS_ERR = 2.43


@dataclass(frozen=True, kw_only=True)
class Observation:
    """How a map shows clusters.

    Parameters
    ----------
    name : str
        Name of the observation.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        The grid of the cutouts; by default that of the published networks.
    beam : `~astropy.units.Quantity` or str, optional
        FWHM of the Gaussian beam.
    sampling : {"point", "nearest", "bilinear"}, optional
        "point" gives the convolved sky at the middle of each pixel. "nearest" and "bilinear" are
        cutouts of a HEALPix map with that interpolation. For "nearest" the map's pixels are those
        at the cluster's position; "bilinear" has its mean window.
    nside : int, optional
        Resolution of that map.
    noise : `~szmass.maps.NoiseModel`, optional
        Noise, of the same beam; its depth differs from field to field as the model says. A column
        ``depth`` of the sample overrides it.
    centring : `~astropy.units.Quantity`, optional
        Standard deviation per axis of the distance of the cluster from the middle of the field.
        Where the sample has ``pos_err`` it is scaled by ``pos_err / 2.43 arcmin``.
    hole_density : `~astropy.units.Quantity`, optional
        Mean number of holes per solid angle, at random positions.
    hole_radius : `~astropy.units.Quantity`, optional
        Their radius. Pixels in a hole are NaN with footprint False.

    Raises
    ------
    InvalidInputError
        A value is out of range, or the noise has another beam.
    InvalidUnitError
        A value has no unit, or one of another kind.
    """

    name: str
    geometry: CutoutGeometry = dataclasses.field(default_factory=CutoutGeometry)
    beam: u.Quantity = 10 * u.arcmin
    sampling: str = "point"
    nside: int = 2048
    noise: NoiseModel | None = None
    centring: u.Quantity = 0 * u.arcmin
    hole_density: u.Quantity = 0 / u.deg**2
    hole_radius: u.Quantity = 10 * u.arcmin

    def __post_init__(self):
        beam = check_beam(self.beam)
        if beam is None:
            raise InvalidInputError("'beam' must be given: what has no beam cannot be sampled.")
        object.__setattr__(self, "beam", beam)
        for name, unit in (
            ("centring", u.arcmin),
            ("hole_density", u.deg**-2),
            ("hole_radius", u.arcmin),
        ):
            value = as_floats(getattr(self, name), unit, name, finite=True)
            if value.ndim or value < 0:
                raise InvalidInputError(f"'{name}' must be one number >= 0. Received: {value}")
            object.__setattr__(self, name, float(value) * unit)
        _sampling.box_variance(self.sampling, check_count(self.nside, "nside"))
        if self.noise is None:
            return
        if not isinstance(self.noise, NoiseModel):
            raise InvalidInputError(f"'noise' must be a NoiseModel. Received: {self.noise!r}")
        if self.noise.beam is not None and abs(self.noise.beam / beam - 1) > 1e-6:
            raise InvalidInputError(
                f"The noise is that of a map with a beam of {self.noise.beam}, the observation has "
                f"{beam}: take the noise of a map with this beam."
            )


def _observations():
    planck = {"noise": NoiseModel.planck("instrument")}
    total = {"noise": NoiseModel.planck("total"), "centring": 1 * u.arcmin}
    yield Observation(name="clean")
    yield Observation(name="planck-like", **planck)
    yield Observation(name="planck-total", sampling="nearest", **total)


for _entry in _observations():
    OBSERVATIONS.add(_entry.name, _entry)


def get_observation(observation):
    """Look an observation up by name, or pass one through.

    Parameters
    ----------
    observation : str or `Observation`
        ``"clean"``: beam alone. ``"planck-like"``: with noise of the instrument, as the published
        networks were trained. ``"planck-total"``: with the total noise of the Planck y-maps, the
        pixels of their HEALPix grid and the centring of PSZ2, as real cutouts are.

    Returns
    -------
    `Observation`
        The observation.

    Raises
    ------
    UnknownNameError
        No observation has that name; the message lists them.
    InvalidInputError
        Neither a name nor an observation was given.
    """
    if isinstance(observation, str):
        return OBSERVATIONS[observation]
    if isinstance(observation, Observation):
        return observation
    raise InvalidInputError(
        "'observation' must be a name such as 'planck-like', or an Observation. "
        f"Received: {observation!r}"
    )


def simulate(sample, observation="planck-like", *, model="a10", cosmology, seed, **options):
    """Make mock cutouts of a sample.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        From `draw_flat`, `draw_mass_function`, `from_masses` or `twin`.
    observation : str or `Observation`, optional
        How the map shows the clusters.
    model : str or `ClusterModel`, optional
        What the clusters are made of.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.
    seed : int
        Seed. A cutout depends on it, on cluster_id and on the projection alone.
    **options : dict
        ``projections`` (1 by default) and ``environment``, as in `iter_simulate`.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        One row per cutout, with the cutouts, the columns of ``sample`` and the truth: those of
        `draw_clusters`, ``projection``, ``orientation``, ``shift`` and ``depth``. It goes into
        estimators as it is.

    Raises
    ------
    InvalidInputError
        An argument makes no sense, or a column is missing.
    """
    parts = list(
        iter_simulate(sample, observation, model=model, cosmology=cosmology, seed=seed, **options)
    )
    if len(parts) == 1:
        return parts[0]
    result = ClusterSample(vstack([part.table for part in parts], metadata_conflicts="silent"))
    stack = parts[0].cutouts
    result.cutouts = CutoutStack(
        np.concatenate([part.cutouts.data for part in parts]),
        np.concatenate([part.cutouts.footprint for part in parts]),
        result.coord,
        names=result.names,
        geometry=stack.geometry,
        beam=stack.beam,
        interpolation=stack.interpolation,
        meta=stack.meta,
    )
    return result


def iter_simulate(
    sample,
    observation="planck-like",
    *,
    model="a10",
    cosmology,
    seed,
    projections=1,
    environment=None,
    chunk_size=256,
):
    """Make mock cutouts of any number of clusters in bounded memory.

    Parameters
    ----------
    sample, observation, model, cosmology, seed
        As in `simulate`.
    projections : int, optional
        From how many random directions each cluster is seen; 27 in de Andres et al. (2022).
    environment : `Environment`, optional
        What else is in the field.
    chunk_size : int, optional
        Number of clusters at a time; it does not change the cutouts.

    Yields
    ------
    `~szmass.clusters.ClusterSample`
        As `simulate` gives it, for the next clusters.

    Raises
    ------
    InvalidInputError
        An argument makes no sense, or a column is missing.
    """
    observation, model = get_observation(observation), get_cluster_model(model)
    cosmology, seed = get_cosmology(cosmology), check_seed(seed)
    projections = check_count(projections, "projections")
    chunk_size = check_count(chunk_size, "chunk_size")
    observer = _Observer(observation, model, environment, seed)
    with progress_bar(total=len(sample) * projections, desc="simulate", unit="map") as bar:
        for start in range(0, len(sample), chunk_size):
            part = sample[start : start + chunk_size]
            clusters = draw_clusters(part, model, cosmology=cosmology, seed=seed)
            yield observer.observe(part, clusters, projections)
            bar.update(len(part) * projections)


class _FieldGenerators(np.random.Generator):
    """A generator whose rows of normal numbers come from one generator per row."""

    def __init__(self, generators):
        super().__init__(np.random.PCG64(0))
        self._generators = iter(generators)

    def standard_normal(self, size=None, dtype=np.float64, out=None):
        for row in out:
            next(self._generators).standard_normal(out=row, dtype=dtype)
        return out


class _Observer:
    def __init__(self, observation, model, environment, seed):
        self.observation, self.environment, self.seed = observation, environment, seed
        self.geometry = geometry = observation.geometry
        if observation.sampling == "nearest":
            shape = tuple(n + 2 * _sampling.MARGIN for n in geometry.shape)
            geometry = dataclasses.replace(geometry, shape=shape)
        self.painted = geometry
        self.painter = ClusterPainter(
            model,
            geometry=geometry,
            beam=observation.beam,
            box_variance=_sampling.box_variance(observation.sampling, observation.nside),
            halo=None if environment is None else (environment.cib_fraction, 1.5),
        )

    def observe(self, sample, clusters, projections):
        n = len(clusters) * projections
        keys = [(int(i), view) for i in clusters["cluster_id"] for view in range(projections)]
        streams = [generator(self.seed, "observation", *key) for key in keys]
        normal = np.array([stream.standard_normal(2) for stream in streams])
        rows = np.repeat(np.arange(len(clusters)), projections)
        whole = sample[rows] if projections == 1 else _repeated(sample, rows, projections)
        shift = self._centring(whole)[:, np.newaxis] * normal
        maps, orientation = self.painter.paint(
            clusters,
            projections=projections,
            seed=self.seed,
            shift=shift.reshape(len(clusters), projections, 2) * u.arcmin,
        )
        maps = maps.reshape(n, *self.painted.shape)
        depth = self._depth(whole, streams)
        if self.environment is not None:
            dimming = self.environment.dimming(
                clusters["mass_true"].value, clusters["redshift"], clusters["one_minus_b"]
            )
            maps *= dimming[rows, np.newaxis, np.newaxis].astype(np.float32)
            self.environment.add(maps, self.painted, self.painter.window, self.seed, keys)
        if self.observation.noise is not None:
            fields = _FieldGenerators(generator(self.seed, "noise", *key) for key in keys)
            maps += self.observation.noise.draw(self.painted, n, fields, depth=depth)
        maps = self._sampled(maps, whole)
        footprint = self._footprint(maps, streams)
        table = whole.table
        truth = clusters[rows]
        for name in truth.colnames:
            if name not in ("cluster_id", "redshift", "mass_true"):
                table[name] = truth[name]
        table["projection"] = np.tile(np.arange(projections), len(clusters))
        table["orientation"] = orientation.reshape(n, 4)
        table["shift"] = shift * u.arcmin
        table["depth"] = depth
        table.meta.update(clusters.meta, observation=self.observation.name)
        whole.cutouts = CutoutStack(
            maps,
            footprint,
            whole.coord,
            names=whole.names,
            geometry=self.geometry,
            beam=self.observation.beam,
            interpolation=None
            if self.observation.sampling == "point"
            else self.observation.sampling,
            meta={"observation": self.observation.name, "model": clusters.meta["model"]},
        )
        return whole

    def _centring(self, sample):
        sigma = np.full(len(sample), self.observation.centring.to_value("arcmin"))
        if "pos_err" in sample.table.colnames:
            pos_err = sample.quantity("pos_err").to_value("arcmin")
            sigma *= np.where(np.isfinite(pos_err), pos_err / _POS_ERR, 1.0)
        return sigma

    def _depth(self, sample, streams):
        if "depth" in sample.table.colnames:
            return sample.quantity("depth").to_value("")
        noise = self.observation.noise
        if noise is None or noise.depth is None:
            return np.ones(len(sample))
        if isinstance(noise.depth, DepthMap):
            depth = noise.depth.at(sample.coord)
            if bad := np.count_nonzero(~np.isfinite(depth)):
                raise InvalidInputError(
                    f"The noise model's depth is not known at the positions of {bad} clusters; "
                    "leave them out."
                )
            return depth
        return np.array([noise.depth.sample(1, stream)[0] for stream in streams])

    def _sampled(self, maps, sample):
        if self.observation.sampling != "nearest":
            return maps
        result = np.empty((len(maps), *self.geometry.shape), dtype=np.float32)
        lon, lat = lonlat(sample.coord, self.geometry.frame)
        for i, field in enumerate(maps):
            pixels = _sampling.nearest_pixels(self.geometry, lon[i], lat[i], self.observation.nside)
            result[i] = _sampling.resample(field, *pixels)
        return result

    def _footprint(self, maps, streams):
        """Cut holes, and tell what is left."""
        footprint = np.ones(maps.shape, dtype=bool)
        density = self.observation.hole_density.to_value("arcmin-2")
        if density == 0:
            return footprint
        scale = self.geometry.pixel_scale.to_value("arcmin")
        radius = self.observation.hole_radius.to_value("arcmin") / scale
        # Holes may begin outside of the field.
        ny, nx = (n + 2 * radius for n in self.geometry.shape)
        y, x = np.ogrid[: self.geometry.shape[0], : self.geometry.shape[1]]
        for image, inside, stream in zip(maps, footprint, streams, strict=True):
            number = stream.poisson(density * scale**2 * ny * nx)
            for v, h in stream.random((number, 2)) * (ny, nx) - radius:
                inside &= (y - v) ** 2 + (x - h) ** 2 > radius**2
            image[~inside] = np.nan
        return footprint


def _repeated(sample, rows, projections):
    """Repeat the rows of a sample under names that tell the projections apart."""
    table = sample.table[rows]
    width = len(str(projections - 1))
    views = np.tile(np.arange(projections), len(sample))
    table["name"] = [
        f"{name} p{view:0{width}d}" for name, view in zip(table["name"], views, strict=True)
    ]
    return ClusterSample(table)
