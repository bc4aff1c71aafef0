"""Data sets of mock maps on disk: larger than memory, split by cluster."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._tables.columns import column_parts
from szmass._utils.deprecation import deprecated
from szmass._utils.kinds import as_path, check_kind
from szmass._utils.quantities import as_doubles
from szmass._utils.seeds import check_count, check_seed
from szmass.clusters import ClusterSample
from szmass.exceptions import FileFormatError, IntegrityError, InvalidInputError, UnknownNameError
from szmass.maps.cutouts import CutoutStack, check_beam
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.maps.sampling import Sampling, get_sampling
from szmass.simulations.dataset import _shards
from szmass.simulations.dataset._truth import decode
from szmass.simulations.dataset.rows import batches, mixed_blocks, split_clusters
from szmass.simulations.stacks import FieldStack

__all__ = ["SimulationDataset"]

# What zarr raises of files that say or hold what cannot be.
_DAMAGED = (LookupError, ValueError, TypeError, ArithmeticError, OSError)

#: Redshift bins of de Andres et al. (2022).
_REDSHIFT_BINS = (0.0, 0.1, 0.2, 0.4, 1.0)

__doctest_requires__ = {"SimulationDataset": ["zarr"]}


class SimulationDataset:
    """Maps on disk with the truth about them.

    Made by `make_dataset` or `import_maps`, opened by `open`. Maps are read when asked for.
    ``dataset[3]`` is a `~szmass.clusters.Cluster` with its cutout; slices, masks and arrays of rows
    give a `~szmass.clusters.ClusterSample` with cutouts, which goes into every estimator.

    Parameters
    ----------
    path : path-like
        The folder.
    attributes : dict
        What is on record of it.
    rows : ndarray of int
        Which rows of the files belong to it.

    Raises
    ------
    InvalidInputError
        It is made of something else than `open` gives it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from szmass.simulations import draw_flat, make_dataset
    >>> with TemporaryDirectory() as folder:
    ...     sample = draw_flat(4, seed=1)
    ...     dataset = make_dataset(f"{folder}/mocks.zarr", sample, cosmology="PSZ2", seed=1)
    ...     print(len(dataset), dataset[1:3].cutouts.data.shape)
    4 (2, 96, 96)
    """

    def __init__(self, path, attributes=None, rows=()):
        if not isinstance(attributes, Mapping) or "layout" not in attributes:
            raise InvalidInputError(
                "'attributes' must be what is on record of a data set: "
                "SimulationDataset.open(path) reads it. "
                f"Received: a {type(attributes).__name__}"
            )
        self.path = as_path(path)
        self._attributes, self._rows = attributes, np.asarray(rows)
        self._layout = attributes["layout"]

    @classmethod
    def open(cls, path, *, partial=False):
        """Open a data set.

        Parameters
        ----------
        path : path-like
            The folder.
        partial : bool, optional
            Accept one that is not complete, and see its finished shards alone.

        Returns
        -------
        SimulationDataset
            The data set.

        Raises
        ------
        FileNotFoundError
            There is no such folder.
        FileFormatError
            It is no data set of szmass, or one of a later format.
        IntegrityError
            It is not complete.
        """
        _shards.import_zarr()
        path = as_path(path).absolute()
        attributes = _shards.read_attributes(path)
        layout = attributes["layout"]
        there = [n for n in range(layout.n_shards) if _shards.is_finished(path, n)]
        if len(there) < layout.n_shards and not partial:
            raise IntegrityError(
                f"The data set {str(path)!r} is not complete: {len(there)} of {layout.n_shards} "
                "shards are there. Run the call that made it again to go on, or open it with "
                "partial=True."
            )
        rows = [np.arange(*layout.rows(number)) for number in there]
        return cls(path, attributes, np.concatenate([np.arange(0), *rows]))

    @property
    def origin(self):
        """What it was made from, a dict that JSON can hold."""
        return self._attributes["recipe"]

    @property
    @deprecated("0.2", alternative="origin", obj_type="attribute")
    def recipe(self):
        """The earlier name of `origin`."""
        return self.origin

    @property
    def meta(self):
        """What is known about the clusters as a whole, a dict."""
        return self._attributes["meta"]

    @cached_property
    def digest(self):
        """SHA-256 of the records of all shards: equal for equal data sets."""
        digest = hashlib.sha256(json.dumps(self.origin, sort_keys=True).encode())
        for number in range(self._layout.n_shards):
            record = _shards.read_record(self.path, number)
            digest.update(json.dumps(record, sort_keys=True).encode())
        return digest.hexdigest()

    @cached_property
    def geometry(self):
        """The grid of the maps, a `~szmass.maps.CutoutGeometry`."""
        values = self._attributes["cutouts"]["geometry"]
        return CutoutGeometry(**{**values, "shape": tuple(values["shape"])})

    @property
    def beam(self):
        """FWHM of the Gaussian beam that is in the maps, or None."""
        return check_beam(self._attributes["cutouts"]["beam"])

    @cached_property
    def noise(self):
        """Noise in the maps, a `~szmass.maps.NoiseModel`, or None where it is not on record."""
        file = self.path / _shards.NOISE
        return NoiseModel.read(file) if file.exists() else None

    @property
    def sampling(self):
        """How the pixels of the maps hold the sky, a `~szmass.maps.Sampling`."""
        about = self._attributes["cutouts"]
        if "sampling" in about:
            return Sampling(**about["sampling"])
        return get_sampling(None, about["interpolation"])  # before 0.2

    @property
    def columns(self):
        """Names of the columns of the truth."""
        return [spec.name for spec in self._layout.columns]

    @property
    def fields(self):
        """Units of the fields that are there beside Compton-y, by name."""
        about = self._attributes["cutouts"].get("fields", {})
        return {name: u.Unit(entry["unit"]) for name, entry in about.items()}

    @cached_property
    def cluster_id(self):
        """What cluster each map shows, an int array."""
        return np.asarray(self.table(["cluster_id"])["cluster_id"])

    @cached_property
    def redshift(self):
        """Redshift of each map, a float array with NaN where unknown."""
        column = self.table(["redshift"])["redshift"]
        values, mask, _ = column_parts(column)
        return np.where(mask, np.nan, as_doubles(values))

    def __len__(self):
        return len(self._rows)

    def __repr__(self):
        part = "" if len(self) == self._layout.n_maps else f" of {self._layout.n_maps}"
        return (
            f"<SimulationDataset {self.path.name!r}: {len(self)}{part} maps, {self.geometry!r}, "
            f"beam={None if self.beam is None else str(self.beam)!r}>"
        )

    def __getstate__(self):
        return {"path": self.path, "_attributes": self._attributes, "_rows": self._rows}

    def __setstate__(self, state):
        self.__init__(state["path"], state["_attributes"], state["_rows"])

    @cached_property
    def _group(self):
        return _shards.import_zarr().open_group(self.path, mode="r")

    def take(self, index):
        """Give a part of the data set, without reading any maps.

        Parameters
        ----------
        index : slice or array-like
            Rows, or a mask.

        Returns
        -------
        SimulationDataset
            These rows, in this order.

        Raises
        ------
        InvalidInputError
            A mask has another length, or a row does not exist.
        """
        return SimulationDataset(self.path, self._attributes, self._rows[self._positions(index)])

    def _positions(self, index):
        if isinstance(index, slice):
            return np.arange(len(self))[index]
        array = np.asarray(index)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iub"):
            raise InvalidInputError(
                f"A data set takes a row, a slice, a mask or rows. Received: {index!r}"
            )
        if array.dtype.kind == "b":
            if len(array) != len(self):
                raise InvalidInputError(
                    f"The mask must have one entry per map ({len(self)}). Received: {len(array)}"
                )
            return np.flatnonzero(array)
        array = array.astype(int)
        if array.size and not (-len(self) <= array.min() and array.max() < len(self)):
            raise InvalidInputError(
                f"The data set has {len(self)} maps. Received: rows {array.min()} to {array.max()}"
            )
        return np.where(array < 0, array + len(self), array)

    def maps(self, index=slice(None), field=None):
        """Read maps of Compton-y or of one other field, and nothing else.

        Parameters
        ----------
        index : slice or array-like, optional
            Rows, or a mask.
        field : str, optional
            One of ``fields``; by default it is Compton-y.

        Returns
        -------
        ndarray
            float32, shape (N, ny, nx), in the unit of the field; NaN where there is no valid value.

        Raises
        ------
        UnknownNameError
            The data set does not have that field.
        InvalidInputError
            More than one field is asked for.
        IntegrityError
            A shard is damaged.
        """
        if not isinstance(field, str | None):
            raise InvalidInputError(f"'field' must be the name of one field. Received: {field!r}")
        if field is not None and field not in self.fields:
            raise UnknownNameError(
                f"The data set has no field {field!r} beside Compton-y. It has "
                f"{', '.join(self.fields) or 'none'}; make_dataset(fields=...) makes some."
            )
        node = _shards.MAPS if field is None else f"{_shards.FIELDS}/{field}"
        return self._read(node, self._rows[self._positions(index)])

    def field(self, name, index=slice(None)):
        """Read maps of one field with names and positions, and no others.

        Parameters
        ----------
        name : str
            One of ``fields``.
        index : slice or array-like, optional
            As for `maps`.

        Returns
        -------
        FieldStack
            The maps.

        Raises
        ------
        UnknownNameError, InvalidInputError, IntegrityError
            As `maps` raises them.
        """
        maps = self.maps(index, field=check_kind(name, "str", "name"))
        table = self.take(index).table(["name", "coord"])
        about = self._attributes["cutouts"]
        return FieldStack(
            name,
            maps,
            self.fields[name],
            table["coord"],
            geometry=self.geometry,
            names=table["name"],
            beam=about["fields"][name].get("beam"),
            meta=about["meta"] | self.meta.get("fields", {}).get(name, {}),
        )

    def _read(self, node, rows):
        """Read rows of an array, each chunk once."""
        try:
            array = self._group[node]
            if array.shape != (stated := self._layout.shape_of(node)):
                raise ValueError(f"shape {array.shape} instead of {stated}")
        except (*_DAMAGED, AttributeError) as err:
            raise FileFormatError(
                f"The array {node!r} of {str(self.path)!r} is lost or its description is damaged "
                f"({err}): delete the folder and make the data set anew."
            ) from err
        wanted, inverse = np.unique(rows, return_inverse=True)
        result = np.empty((len(wanted), *array.shape[1:]), dtype=array.dtype)
        shard = wanted // self._layout.shard
        cuts = np.flatnonzero(np.diff(shard)) + 1
        for part in np.split(np.arange(len(wanted)), cuts):
            if not len(part):
                continue
            here = wanted[part]
            low, high = int(here[0]), int(here[-1]) + 1
            try:
                if high - low == len(here):
                    result[part] = array[low:high]
                elif high - low <= max(2, self._layout.chunk) * len(here):
                    # Nearly every chunk holds one of them: to pick them out takes three times as
                    # long.
                    result[part] = array[low:high][here - low]
                else:
                    result[part] = array.oindex[here]
            except (*_DAMAGED, RuntimeError) as err:
                raise IntegrityError(
                    f"Shard {shard[part[0]]} of {str(self.path)!r} cannot be read ({node}: {err}). "
                    "Make it again by the call that made the data set, with verify=True."
                ) from err
        if len(rows) == len(wanted) and np.array_equal(rows, wanted):
            return result
        return result[inverse]

    def table(self, columns=None):
        """Read the truth.

        Parameters
        ----------
        columns : sequence of str, optional
            Which columns; all by default.

        Returns
        -------
        `~astropy.table.QTable`
            One row per map.

        Raises
        ------
        InvalidInputError
            There is no such column.
        IntegrityError
            A shard is damaged.
        """
        return self._table(self._rows, columns)

    def _table(self, rows, columns=None):
        specs = {spec.name: spec for spec in self._layout.columns}
        columns = list(specs) if columns is None else list(columns)
        if unknown := [name for name in columns if name not in specs]:
            raise InvalidInputError(
                f"The data set has no column {unknown[0]!r}. It has {', '.join(specs)}."
            )
        shapes = {node: shape for spec in specs.values() for node, _, shape in spec.arrays()}

        def read(node):
            if 0 in shapes[node]:
                return np.empty((len(rows), *shapes[node]))
            return self._read(f"truth/{node}", rows)

        table = QTable({name: decode(specs[name], read) for name in columns}, copy=False)
        table.meta.update(json.loads(json.dumps(self.meta)))
        return table

    def sample(self, columns=None):
        """Give the truth as a sample, without cutouts.

        Parameters
        ----------
        columns : sequence of str, optional
            Which columns beside name, coord and redshift; all by default.

        Returns
        -------
        `~szmass.clusters.ClusterSample`
            One row per map.

        Raises
        ------
        InvalidInputError, IntegrityError
            As `table` raises them.
        """
        if columns is not None:
            columns = dict.fromkeys(["name", "coord", "redshift", *columns])
        return ClusterSample(self.table(columns))

    def __getitem__(self, index):
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            if not -len(self) <= index < len(self):
                raise IndexError(f"There is no map {index} in a data set of {len(self)}.")
            return self[np.array([index])][0]
        rows = self._rows[self._positions(index)]
        sample = ClusterSample(self._table(rows))
        sample.cutouts = CutoutStack(
            self._read(_shards.MAPS, rows),
            None,
            sample.coord,
            names=sample.names,
            geometry=self.geometry,
            beam=self.beam,
            noise=self.noise,
            sampling=self.sampling,
            meta=self._attributes["cutouts"]["meta"],
        )
        return sample

    def batches(self, batch_size, *, seed=None, epoch=0, buffer=8192):
        """Read all maps once, in batches and bounded memory.

        Parameters
        ----------
        batch_size : int
            Maps of a batch; the last one has what is left.
        seed : int, optional
            Seed of a random order; without it maps come in the order of the data set.
        epoch : int, optional
            Number of the pass: the order differs from epoch to epoch.
        buffer : int, optional
            Maps in memory. In random order whole shards are read, in random order, until there
            are that many maps, which are then mixed.

        Yields
        ------
        rows : ndarray of int
            Which rows of this data set: ``labels[rows]`` are the labels of the batch.
        maps : ndarray
            Compton-y, float32, shape (N, ny, nx); yours to change.

        Raises
        ------
        InvalidInputError
            A number is not positive.
        IntegrityError
            A shard is damaged.
        """
        batch_size, buffer = check_count(batch_size, "batch_size"), check_count(buffer, "buffer")
        if seed is None:
            starts = range(0, len(self), buffer)
            rng, blocks = None, (np.arange(i, min(i + buffer, len(self))) for i in starts)
        else:
            rng = np.random.default_rng([check_seed(seed), check_seed(epoch)])
            blocks = mixed_blocks(self._rows // self._layout.shard, buffer, rng)
        yield from batches(self.maps, blocks, batch_size, rng)

    def split(self, fractions=(0.8, 0.1, 0.1), *, seed, redshift_bins=_REDSHIFT_BINS):
        """Split by cluster: all maps of one cluster are on one side.

        Parameters
        ----------
        fractions : sequence of float, optional
            Fractions of clusters, adding up to at most 1.
        seed : int
            Seed.
        redshift_bins : sequence of float or None, optional
            Edges of redshift bins (low, high], each of which is split in these fractions, so that
            all parts have all of them; by default those of de Andres et al. (2022). None for none.

        Returns
        -------
        tuple of SimulationDataset
            One part per fraction, in the order of the data set.

        Raises
        ------
        InvalidInputError
            A bin has fewer clusters than there are parts, a redshift is in no bin, or the
            fractions do not add up to at most 1.

        Notes
        -----
        It depends on the seed and on which clusters there are. A bin with few clusters gives each
        part at least one of them.
        """
        redshift = None if redshift_bins is None else self.redshift
        parts = split_clusters(self.cluster_id, redshift, fractions, seed, redshift_bins)
        return tuple(self.take(rows) for rows in parts)

    def verify(self):
        """Read all files of all shards and compare them with the checksums on record.

        Raises
        ------
        IntegrityError
            Shards are damaged or missing; the message says which, and how to make them again.
        """
        damaged = {}
        for number in range(self._layout.n_shards):
            if files := _shards.damaged_files(self.path, number, checksums=True):
                damaged[number] = files
        if damaged:
            number, files = next(iter(damaged.items()))
            raise IntegrityError(
                f"{len(damaged)} of {self._layout.n_shards} shards of {str(self.path)!r} are "
                f"damaged or missing: {', '.join(map(str, list(damaged)[:10]))}; in shard {number} "
                f"{', '.join(files[:3])}. Make them again by the call that made the data set, with "
                "verify=True."
            )
