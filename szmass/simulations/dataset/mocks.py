"""Data sets made from masses: the maps of a sample, in parallel."""

from functools import cached_property

import numpy as np

from szmass._utils.kinds import check_kind
from szmass._utils.seeds import check_count, check_seed
from szmass._utils.workers import check_workers, run_tasks
from szmass.exceptions import InvalidInputError
from szmass.physics.cosmology import get_cosmology
from szmass.simulations._observer import Observer
from szmass.simulations.bodies.fields import get_fields
from szmass.simulations.bodies.models import get_cluster_model
from szmass.simulations.bodies.painting import draw_clusters
from szmass.simulations.dataset import _shards
from szmass.simulations.dataset._truth import describe_columns, table_digest
from szmass.simulations.dataset.core import SimulationDataset
from szmass.simulations.dataset.origin import plain
from szmass.simulations.field.environment import get_environment
from szmass.simulations.observe import get_observation

__all__ = ["make_dataset"]

_REMEDY = (
    "Finished shards are kept; run the same call again to go on, perhaps with fewer 'workers' or a "
    "smaller 'shard_size'."
)


def make_dataset(
    path, sample, observation="clean", *, model="a10", cosmology, seed, projections=1,
    environment=None, fields=None, workers=1, scheduler=None, shard_size=2048, verify=False,
    overwrite=False,
):  # fmt: skip
    """Make mock maps of a sample and keep them on disk.

    Called again after whatever ended it, it goes on with what is missing. The files are the same,
    byte by byte, for the same arguments, whatever the number of workers.

    Parameters
    ----------
    path : path-like
        The folder to write, for instance ``"clean.zarr"``.
    sample : `~szmass.clusters.ClusterSample`
        From `draw_flat`, `draw_mass_function`, `from_masses` or `twin`.
    observation : str or `Observation`, optional
        How the map shows the clusters. Without noise, which training draws afresh, by default.
    model : str or `ClusterModel`, optional
        What the clusters are made of.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.
    seed : int
        Seed.
    projections : int, optional
        From how many random directions each cluster is seen; 27 in de Andres et al. (2022).
    environment : `Environment` or bool or dict, optional
        What else is in the field, as in `get_environment`.
    fields : str or ClusterField or sequence of them or dict, optional
        What is shown beside Compton-y, as in `iter_simulate`. Each field is in files of its own.
    workers : int, optional
        Number of processes.
    scheduler : str or `distributed.Client`, optional
        Address of a Dask scheduler ("tcp://host:8786"), or a client, whose workers do it instead.
        They need the folder under the same name.
    shard_size : int, optional
        About how many maps are in one file, and made at a time by each worker.
    verify : bool, optional
        Read shards that are there already, and make those again that are damaged.
    overwrite : bool, optional
        Remove another data set of this name.

    Returns
    -------
    SimulationDataset
        The data set, complete and open.

    Raises
    ------
    InvalidInputError
        The sample is empty, an argument is out of range, or the folder holds something else.
    DiskSpaceError
        The disk is full, or will be.
    WorkerError
        A worker died.
    MissingDependencyError
        zarr, or for ``scheduler`` distributed, is not installed.
    """
    if not len(check_kind(sample, "ClusterSample", "sample")):
        raise InvalidInputError("'sample' holds no clusters: there is nothing to make maps of.")
    workers = check_workers(workers, scheduler)
    _shards.check_place(path)
    job = _Simulation(
        get_observation(observation),
        get_cluster_model(model),
        get_environment(environment, cosmology=cosmology),
        get_cosmology(cosmology),
        check_seed(seed),
        check_count(projections, "projections"),
        get_fields(fields),
    )
    _check_ids(sample)
    mock = job.observe_first(sample)
    columns = describe_columns(mock.table, masks=sample.table)
    n_maps = len(sample) * job.projections
    layout = _shards.Layout.plan(
        n_maps,
        job.projections,
        mock.cutouts.geometry.shape,
        check_count(shard_size, "shard_size"),
        columns,
        mock.fields,
    )
    origin = {
        "kind": "simulation",
        "clusters": {"number": len(sample), "sha256": table_digest(sample.table)},
        **{name: plain(value) for name, value in job.__getstate__().items()},
        "shard": layout.shard,
    }
    cutouts = {
        "geometry": _shards.describe_geometry(mock.cutouts.geometry),
        "beam": str(mock.cutouts.beam),
        "interpolation": mock.cutouts.interpolation,
        "sampling": mock.cutouts.sampling.to_dict(),
        "meta": mock.cutouts.meta,
    }
    if mock.fields:
        cutouts["fields"] = {
            name: {
                "unit": stack.unit.to_string(),
                "beam": None if stack.beam is None else str(stack.beam),
            }
            for name, stack in mock.fields.items()
        }

    def write_missing(folder, todo):
        step = layout.shard // job.projections
        tasks = ((folder, layout, i, sample[i * step : (i + 1) * step]) for i in todo)
        yield from run_tasks(
            _write_shard, job, tasks, workers=workers, scheduler=scheduler, remedy=_REMEDY
        )

    options = {"verify": verify, "overwrite": overwrite, "noise": mock.cutouts.noise}
    _shards.build(path, origin, layout, cutouts, plain(dict(mock.meta)), write_missing, **options)
    return SimulationDataset.open(path)


class _Simulation:
    """What all shards are made from; it goes to every worker once."""

    def __init__(self, observation, model, environment, cosmology, seed, projections, fields=()):
        self.observation, self.model, self.environment = observation, model, environment
        self.cosmology, self.seed, self.projections = cosmology, seed, projections
        if fields:  # data sets without are recorded as before there were any
            self.fields = fields

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_observer"}

    @cached_property
    def _observer(self):
        more = {"cosmology": self.cosmology, "fields": getattr(self, "fields", ())}
        return Observer(self.observation, self.model, self.environment, self.seed, **more)

    def observe(self, part, projections=None, **options):
        """Make the maps of some clusters."""
        clusters = draw_clusters(part, self.model, cosmology=self.cosmology, seed=self.seed)
        return self._observer.observe(part, clusters, projections or self.projections, **options)

    def observe_first(self, sample):
        """Make one map, to see what comes; a sky behind it takes long and does not change that."""
        return self.observe(sample[:1], 1, patch=False)


def _write_shard(job, folder, layout, number, part):
    mocks = job.observe(part)
    fields = {name: stack.data for name, stack in mocks.fields.items()}
    _shards.write_shard(folder, layout, number, mocks.cutouts.data, mocks.table, fields)
    return number


def _check_ids(sample):
    if "cluster_id" not in sample.table.colnames:
        return  # draw_clusters says what is missing
    ids = np.asarray(sample.table["cluster_id"])
    if len(np.unique(ids)) < len(ids):
        raise InvalidInputError(
            "'cluster_id' of the sample must be different for every cluster: what is drawn for a "
            "cluster depends on it."
        )
