"""Steps from painted clusters to cutouts: miscentring, surroundings, noise, pixels, holes."""

import dataclasses

import astropy.units as u
import numpy as np

from szmass._utils.quantities import as_floats
from szmass._utils.seeds import generator
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import CutoutStack
from szmass.maps.frames import lonlat
from szmass.maps.noise import NoiseModel
from szmass.maps.noise.depth import DepthMap
from szmass.maps.sampling import Sampling, healpix_pixel
from szmass.simulations import _pixels
from szmass.simulations.bodies._fourier import FieldGrid, Window
from szmass.simulations.bodies._triaxial import rotation_matrix
from szmass.simulations.bodies.painting import ClusterPainter
from szmass.simulations.field.environment import parts_of
from szmass.simulations.field.ingredients import FieldSet
from szmass.simulations.stacks import FieldStack

# POS_ERR of PSZ2 [arcmin] for which ``centring`` holds: its median.
_POS_ERR = 2.43

# Fields are painted as far as their window is above exp(-_FIELD_CUT^2 / 2) = 1e-4.
_FIELD_CUT = 4.3

# Columns that each simulated sample has, beside those of `draw_clusters`.
_OURS = ("name", "coord", "projection", "orientation", "shift", "depth", "sky_field")


class Observer:
    """Shows clusters drawn from a model, with an environment or None, as an observation does.

    ``fields`` are what is shown beside Compton-y.
    """

    def __init__(self, observation, model, environment, seed, *, cosmology=None, fields=()):
        self.observation, self.seed = observation, seed
        self.fields, self.cosmology = fields, cosmology
        self.geometry = geometry = observation.geometry
        if observation.sampling == "nearest":
            shape = tuple(n + 2 * _pixels.MARGIN for n in geometry.shape)
            geometry = dataclasses.replace(geometry, shape=shape)
        self.painted = geometry
        box = _pixels.box_variance(observation.sampling, observation.nside)
        self.painter = ClusterPainter(
            model,
            geometry=geometry,
            beam=observation.beam,
            box_variance=box,
            halo=None if environment is None else (environment.cib_fraction, 1.5),
        )
        window = self.painter.window
        pixel = geometry.pixel_scale.to_value("arcmin")
        less = Window(observation.beam.to_value("arcmin"), box, cut=_FIELD_CUT)
        self.grid = FieldGrid(geometry.shape, pixel, less)
        self.parts = [] if environment is None else parts_of(environment, geometry, window)
        for field in fields:
            if field.name in {part.name for part in self.parts}:
                raise InvalidInputError(
                    f"The field {field.name!r} has the name of an ingredient of the environment: "
                    "both would have the random numbers of that name. Rename the ingredient."
                )

    def observe(self, sample, clusters, projections, *, patch=True):
        """Sample with cutouts and truth, a row per cluster and view; ``patch``: slow haloes too."""
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
        shift = self._miscentring(whole)[:, np.newaxis] * normal
        views = (len(clusters), projections)
        maps, orientation = self.painter.paint(
            clusters,
            projections=projections,
            seed=self.seed,
            shift=shift.reshape(*views, 2) * u.arcmin,
        )
        orientation = orientation.reshape(n, 4)
        maps = maps.reshape(n, *self.painted.shape)
        depth, truth = self._depth(whole, streams), clusters[rows]
        fields = FieldSet(
            clusters=clusters,
            geometry=self.painted,
            window=self.painter.window,
            rotation=rotation_matrix(orientation).reshape(*views, 3, 3),
            shift=shift.reshape(*views, 2),
            seed=self.seed,
            model=self.painter.model,
            cosmology=self.cosmology,
            grid=self.grid,
        )
        columns = {}
        for part in self.parts:
            if patch or part.name != "sky":
                more = part.add(maps.reshape(*views, *self.painted.shape), fields)
                columns |= _checked(part, more or {}, views, {*truth.colnames, *columns, *_OURS})
        if self.observation.noise is not None:
            self._add_noise(maps, keys, depth)
        maps = self._sampled(maps, whole)
        if real is not None:
            maps += real.data[field]
        footprint = self._footprint(maps, keys)
        table = whole.table
        for name in truth.colnames:
            if name not in ("cluster_id", "redshift", "mass_true"):
                table[name] = truth[name]
        table["projection"] = np.tile(np.arange(projections), len(clusters))
        table["orientation"] = orientation
        table["shift"] = shift * u.arcmin
        table["depth"] = depth
        if real is not None:
            table["sky_field"] = field
        for name, values in columns.items():
            table[name] = values.reshape(n, *values.shape[2:])
        table.meta.update(clusters.meta, observation=self.observation.name)
        if self.fields:
            table.meta["fields"] = {field.name: _papers(field) for field in self.fields}
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
        whole.fields = {
            field.name: self._field(field, fields, whole, projections) for field in self.fields
        }
        return whole

    def _field(self, field, fields, sample, projections):
        """Maps of one field; its columns go into the table of the sample."""
        maps, columns = field.paint(fields)
        for name, values in columns.items():
            if name in sample.table.colnames:
                raise InvalidInputError(
                    f"The field {field.name!r} must give columns that are not there yet. "
                    f"Received: {name!r}"
                )
            sample.table[name] = np.repeat(values, projections, axis=0)
        shape = maps.shape[:2]
        maps = maps.reshape(-1, *self.painted.shape)
        if field.smooth:
            maps = self._sampled(maps, sample)
        else:
            margin = (self.painted.shape[0] - self.geometry.shape[0]) // 2
            maps = maps[:, margin : margin + self.geometry.shape[0]]
            maps = maps[:, :, margin : margin + self.geometry.shape[1]]
        maps = field.observe(maps.reshape(*shape, *self.geometry.shape), columns, fields)
        return FieldStack(
            field.name,
            maps.reshape(-1, *self.geometry.shape),
            field.unit,
            sample.coord,
            geometry=self.geometry,
            names=sample.names,
            beam=self.observation.beam if field.smooth else None,
            meta=sample.cutouts.meta | _papers(field),
        )

    def _cutout_sampling(self):
        kind, nside = self.observation.sampling, self.observation.nside
        if kind == "point":
            return Sampling("point")
        return Sampling(kind, healpix_pixel(nside), "window")

    def _miscentring(self, sample):
        sigma = np.full(len(sample), self.observation.centring.to_value("arcmin"))
        if "pos_err" in sample.table.colnames:
            pos_err = as_floats(sample.quantity("pos_err"), u.arcmin, "pos_err")
            sigma *= np.where(np.isfinite(pos_err), pos_err / _POS_ERR, 1.0)
        return sigma

    def _depth(self, sample, streams):
        if "depth" in sample.table.colnames:
            return as_floats(sample.quantity("depth"), "", "depth")
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
        streams = [generator(self.seed, "noise", *key) for key in keys]
        if observation.noise_sampling in (None, observation.sampling):
            maps += observation.noise.draw(self.painted, len(keys), streams, depth=depth)
            return
        margin = _pixels.noise_margin(self.geometry, observation.nside)
        shape = tuple(length + 2 * margin for length in self.geometry.shape)
        larger = dataclasses.replace(self.geometry, shape=shape)
        noise = observation.noise.draw(larger, len(keys), streams, depth=depth)
        for image, field, key in zip(maps, noise, keys, strict=True):
            place = generator(self.seed, "noise", *key, 1).integers(_pixels.N_PLACES)
            image += _pixels.resample_noise(field, self.geometry, place, observation.nside)

    def _sampled(self, maps, sample):
        if self.observation.sampling != "nearest":
            return maps
        result = np.empty((len(maps), *self.geometry.shape), dtype=np.float32)
        lon, lat = lonlat(sample.coord, self.geometry.frame)
        for i, field in enumerate(maps):
            pixels = _pixels.nearest_pixels(self.geometry, lon[i], lat[i], self.observation.nside)
            result[i] = _pixels.resample(field, *pixels)
        return result

    def _footprint(self, maps, keys):
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
        for image, inside, key in zip(maps, footprint, keys, strict=True):
            # A stream of its own: a depth that is drawn moves no hole.
            stream = generator(self.seed, "observation", *key, 1)
            number = stream.poisson(density * scale**2 * ny * nx)
            for v, h in stream.random((number, 2)) * (ny, nx) - radius:
                inside &= (y - v) ** 2 + (x - h) ** 2 > radius**2
            image[~inside] = np.nan
        return footprint


def _papers(field):
    """What results keep of a field, for `szmass.cite`."""
    return {"references": list(field.references), "software": list(field.software)}


def check_noise(noise, beam, shown):
    """Refuse noise (None is fine) of a map of another beam than what is shown has."""
    if not isinstance(noise, NoiseModel | None):
        raise InvalidInputError(f"'noise' must be a NoiseModel. Received: {noise!r}")
    if noise is not None and noise.beam is not None and abs(noise.beam / beam - 1) > 1e-6:
        raise InvalidInputError(
            f"The noise is that of a map with a beam of {noise.beam}, the {shown} has {beam}: take "
            "the noise of a map with this beam."
        )


def _checked(part, columns, views, taken):
    """Columns that an ingredient gives to the truth, shape (N, projections, ...)."""
    columns = {name: np.asanyarray(values) for name, values in columns.items()}
    for name, values in columns.items():
        if name in taken or values.shape[:2] != views:
            raise InvalidInputError(
                f"The ingredient {part.name!r} must give columns of the shape {views} + (...) that "
                f"are not there yet. Received: {name!r}, shape {values.shape}"
            )
    return columns


def _repeated(sample, rows, projections):
    """Repeat the rows of a sample under names that tell the projections apart."""
    table = sample.table[rows]
    table["name"] = view_names(table["name"], np.tile(np.arange(projections), len(sample)))
    return ClusterSample(table)


def view_names(names, views):
    """Names that tell the views (numbers from 0) of one cluster apart."""
    width = len(str(np.max(views, initial=0)))
    return [f"{name} p{view:0{width}d}" for name, view in zip(names, views, strict=True)]
