"""The steps from painted clusters to cutouts: centring, surroundings, noise, pixels, holes."""

import dataclasses

import astropy.units as u
import numpy as np

from szmass._utils.seeds import generator
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.maps import sampling as _sampling
from szmass.maps.cutouts import CutoutStack
from szmass.maps.frames import lonlat
from szmass.maps.noise.depth import DepthMap
from szmass.simulations.bodies._triaxial import rotation_matrix
from szmass.simulations.bodies.painting import ClusterPainter
from szmass.simulations.field._neighbours import Neighbours

__all__ = ["Observer"]

# POS_ERR of PSZ2 [arcmin] for which ``centring`` holds: its median.
_POS_ERR = 2.43


class _FieldGenerators(np.random.Generator):
    """A generator whose rows of normal numbers come from one generator per row."""

    def __init__(self, generators):
        super().__init__(np.random.PCG64(0))
        self._generators = iter(generators)

    def standard_normal(self, size=None, dtype=np.float64, out=None):
        for row in out:
            next(self._generators).standard_normal(out=row, dtype=dtype)
        return out


class Observer:
    """Shows drawn clusters as an observation does.

    Parameters
    ----------
    observation : `Observation`
        How.
    model : `ClusterModel`
        What the clusters were drawn from.
    environment : `Environment` or None
        What else is there.
    seed : int
        Seed.
    """

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
        self.neighbours = None
        if environment is not None and environment.clustered:
            self.neighbours = Neighbours(environment, geometry, self.painter.window, seed)

    def observe(self, sample, clusters, projections, *, patch=True):
        """Give a sample with cutouts and truth, one row per cluster and projection.

        Without ``patch`` the haloes in front and behind are left out, which take long to paint.
        """
        n = len(clusters) * projections
        keys = [(int(i), view) for i in clusters["cluster_id"] for view in range(projections)]
        streams = [generator(self.seed, "observation", *key) for key in keys]
        normal = np.array([stream.standard_normal(2) for stream in streams])
        rows = np.repeat(np.arange(len(clusters)), projections)
        whole = sample[rows] if projections == 1 else _repeated(sample, rows, projections)
        real = self.observation.sky
        if real is not None:
            field = self._fields(whole, keys)
            whole.table["coord"] = real.coord[field]
        shift = self._centring(whole)[:, np.newaxis] * normal
        views = (len(clusters), projections)
        maps, orientation = self.painter.paint(
            clusters,
            projections=projections,
            seed=self.seed,
            shift=shift.reshape(*views, 2) * u.arcmin,
        )
        orientation = orientation.reshape(n, 4)
        maps = maps.reshape(n, *self.painted.shape)
        depth = self._depth(whole, streams)
        if self.environment is not None:
            dimming = self.environment._dimming(
                clusters["mass_true"].value, clusters["redshift"], clusters["one_minus_b"]
            )
            maps *= dimming[rows, np.newaxis, np.newaxis].astype(np.float32)
            if patch:
                self.environment._add(maps, self.painted, self.painter.window, self.seed, keys)
        if self.neighbours is not None:
            neighbours = self.neighbours.add(
                maps.reshape(*views, *self.painted.shape),
                clusters,
                rotation_matrix(orientation).reshape(*views, 3, 3),
                shift.reshape(*views, 2),
            )
        if self.observation.noise is not None:
            self._add_noise(maps, keys, depth)
        maps = self._sampled(maps, whole)
        if real is not None:
            maps += real.data[field]
        footprint = self._footprint(maps, streams)
        table = whole.table
        truth = clusters[rows]
        for name in truth.colnames:
            if name not in ("cluster_id", "redshift", "mass_true"):
                table[name] = truth[name]
        table["projection"] = np.tile(np.arange(projections), len(clusters))
        table["orientation"] = orientation
        table["shift"] = shift * u.arcmin
        table["depth"] = depth
        if real is not None:
            table["sky_field"] = field
        if self.neighbours is not None:
            table["neighbours"] = neighbours[0].ravel()
            table["neighbours_y500"] = neighbours[1].ravel() * u.arcmin**2
        table.meta.update(clusters.meta, observation=self.observation.name)
        whole.cutouts = CutoutStack(
            maps,
            footprint,
            whole.coord,
            names=whole.names,
            geometry=self.geometry,
            beam=self.observation.beam,
            noise=self.observation.noise if real is None else real.noise,
            sampling=self._cutout_sampling() if real is None else real.sampling,
            meta={"observation": self.observation.name, "model": clusters.meta["model"]},
        )
        return whole

    def _cutout_sampling(self):
        kind, nside = self.observation.sampling, self.observation.nside
        if kind == "point":
            return _sampling.Sampling("point")
        return _sampling.Sampling(kind, _sampling.healpix_pixel(nside), "window")

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

    def _fields(self, sample, keys):
        """Which field of the sky each cutout has."""
        n = len(self.observation.sky)
        if "sky_field" not in sample.table.colnames:
            return np.array([generator(self.seed, "noise", *key).integers(n) for key in keys])
        field = np.asarray(sample.table["sky_field"])
        if field.dtype.kind not in "iu" or not np.all((field >= 0) & (field < n)):
            raise InvalidInputError(
                f"'sky_field' must be numbers of fields of the sky, 0 to {n - 1}."
            )
        return field

    def _add_noise(self, maps, keys, depth):
        observation = self.observation
        fields = _FieldGenerators(generator(self.seed, "noise", *key) for key in keys)
        if observation.noise_sampling in (None, observation.sampling):
            maps += observation.noise.draw(self.painted, len(keys), fields, depth=depth)
            return
        margin = _sampling.noise_margin(self.geometry, observation.nside)
        shape = tuple(length + 2 * margin for length in self.geometry.shape)
        larger = dataclasses.replace(self.geometry, shape=shape)
        noise = observation.noise.draw(larger, len(keys), fields, depth=depth)
        for image, field, key in zip(maps, noise, keys, strict=True):
            place = generator(self.seed, "noise", *key, 1).integers(_sampling.N_PLACES)
            image += _sampling.resample_noise(field, self.geometry, place, observation.nside)

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
