"""Masses of catalogues of any length: in pieces, so that memory is bounded, and in processes."""

import contextlib
import functools
import itertools
import json
import re
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import vstack

from szmass._io.files import atomic_path, file_lock, make_folder
from szmass._tables.columns import column_parts
from szmass._utils.kinds import as_path, check_kind
from szmass._utils.progress import progress_bar
from szmass._utils.seeds import check_count
from szmass._utils.workers import check_workers, run_tasks
from szmass.clusters import as_sample
from szmass.estimators._conditions import warn_of_mixed_scales, warn_of_unweighed
from szmass.estimators.core import estimate_masses, named_estimators
from szmass.exceptions import (
    InvalidInputError,
    MixedScalesWarning,
    SzmassWarning,
    UnweighedClustersWarning,
)
from szmass.results import (
    LogMassPosterior,
    MassTable,
    format_masses,
    masses_of,
    methods_of,
    read_masses,
    write_masses,
)
from szmass.version import __version__

__all__ = ["estimate_in_pieces"]

# The file in a folder of pieces that says what they are pieces of.
_JOB = "job.json"

# So many clusters, evenly spread, are cut out to tell one map from another.
_LOOKED_AT = 256


def estimate_in_pieces(
    sample,
    estimators,
    ymap=None,
    *,
    cutouts=None,
    at_a_time=2048,
    folder=None,
    overwrite=False,
    workers=None,
    scheduler=None,
    posteriors=None,
    **options,
):
    """Weigh a sample of any length in pieces, in bounded memory.

    The masses are those of `estimate_masses`. Cutouts are made for one piece of the sample after
    another and not kept: they take 46 kB a cluster.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        The clusters; it is not changed.
    estimators : str, `MassEstimator`, list of these, or dict
        As for `estimate_masses`.
    ymap : `~szmass.maps.ComptonMap`, optional
        The map to cut clusters out of. By default the sample's own cutouts are taken.
    cutouts : dict, optional
        Options of `ComptonMap.cutouts <szmass.maps.ComptonMap.cutouts>`: geometry, interpolation...
    at_a_time : int, optional
        How many clusters make a piece. It changes no mass.
    folder : path-like, optional
        Where pieces are kept until all are done; it is made where it is not there. If a call is
        ended half-way, the same call goes on from there.
    overwrite : bool, optional
        Remove pieces of another job that are in ``folder``.
    workers : int, optional
        Number of processes, of one thread each. What they give does not depend on their number.
        By default all is done in this process.
    scheduler : str or ``distributed.Client``, optional
        Address of a Dask scheduler, or its client, to use instead of processes of this machine. A
        map that was read from a file is opened by its path on each worker.
    posteriors : dict, optional
        Is given the posteriors by method, which take 5 kB a cluster.
    **options : dict
        Further options of `estimate_masses`, such as ``one_minus_b``.

    Returns
    -------
    `~szmass.results.MassTable`
        The table of `estimate_masses`.

    Raises
    ------
    InvalidInputError
        As for `estimate_masses`, before anything is weighed; or the folder has pieces of another
        job.
    WorkerError
        A process was killed; the pieces that are done stay in ``folder``.

    Warns
    -----
    UnweighedClustersWarning
        Once per method, as for `estimate_masses`.

    Examples
    --------
    >>> from szmass.estimators import estimate_in_pieces
    >>> from szmass.estimators.checks import make_check_sample
    >>> len(estimate_in_pieces(make_check_sample(5), "scaling", at_a_time=2))
    5
    """
    at_a_time = check_count(at_a_time, "at_a_time")
    fresh = workers is not None
    workers = check_workers(workers if fresh else 1, scheduler)
    sample = as_sample(sample)
    if ymap is not None:
        check_kind(ymap, "ComptonMap", "ymap", able="cutouts")
    cutouts = dict(cutouts or {})
    scale = cutouts.pop("angular_scale", None)
    job = _Job(named_estimators(estimators), ymap, cutouts, options, posteriors is not None)

    def piece(where):
        part = sample[where]
        more = {} if scale is None else {"angular_scale": scale[where]}
        return part, more

    # Whatever is wrong with options or inputs comes up on no clusters at all.
    _, nothing, of_nothing, _ = _weigh_piece(job, 0, *piece(slice(0)))
    starts = range(0, len(sample), at_a_time)
    about = functools.partial(job.about, sample, piece, at_a_time)
    with _kept(folder, overwrite, about) as kept:
        done = [start for start in starts if _masses(kept, start).exists()]
        tasks = (
            (start, *piece(slice(start, start + at_a_time)))
            for start in starts
            if start not in set(done)
        )
        results = run_tasks(
            _weigh_piece,
            job,
            tasks,
            workers=workers,
            scheduler=scheduler,
            fresh=fresh,
            remedy="The pieces that are done are kept where a folder is given: run it again.",
        )
        told = set()
        bar = progress_bar(total=len(sample), initial=len(done) * at_a_time, unit="cluster")
        with contextlib.closing(results), bar:
            for start, table, found, messages in results:
                for method, posterior in found.items():
                    posterior.write(_posterior(kept, start, method), overwrite=True)
                write_masses(table, _masses(kept, start))  # the last: it says that all is there
                for message, category in set(messages) - told:
                    told.add((message, category))
                    warnings.warn(message, category, stacklevel=2)
                bar.update(len(table))
        with warnings.catch_warnings():  # of values that the table has in any case
            warnings.simplefilter("ignore", SzmassWarning)
            parts = [read_masses(_masses(kept, start)) for start in starts]
        table = _joined(parts) if parts else nothing
        if posteriors is not None:
            found = _joined_posteriors(kept, starts, table, job) if parts else of_nothing
            posteriors.update(found)
    for method, estimator in job.estimators.items():
        warn_of_unweighed(estimator.tag, masses_of(table, method))
    if options.get("one_minus_b") is None:
        warn_of_mixed_scales(table)
    return table


@dataclass
class _Job:
    """What all pieces have in common."""

    estimators: dict
    ymap: object
    cutouts: dict
    options: dict
    keep: bool
    cut: dict = field(default_factory=dict)

    def about(self, sample, piece, at_a_time):
        """Say what the masses depend on, as plain values that are equal for equal jobs."""
        import joblib  # a tenth of a second, and few jobs are kept

        columns = {
            name: column_parts(sample.table[name])
            for name in sample.table.colnames
            if name != "coord"
        }
        position = sample.coord.icrs
        place = position.ra.deg, position.dec.deg
        looked_at = np.unique(np.linspace(0, len(sample) - 1, _LOOKED_AT).astype(int))
        part, more = piece(looked_at[: len(sample)])
        if self.ymap is not None:
            part.attach_cutouts(self.ymap, **self.cutouts, **more)
        seen = None if part.cutouts is None else joblib.hash(part.cutouts.data)
        facts = {} if part.cutouts is None else part.cutouts.facts
        return {
            "szmass": __version__,
            "clusters": len(sample),
            "at_a_time": at_a_time,
            "sample": joblib.hash([place, {n: [*v, str(w)] for n, (*v, w) in columns.items()}]),
            "map": [seen, *(_told(value) for value in facts.values())],
            "estimators": {name: _told(value) for name, value in self.estimators.items()},
            "options": {name: _told(value) for name, value in sorted(self.options.items())},
            "cutouts": {name: _told(value) for name, value in sorted(self.cutouts.items())},
            "posteriors": self.keep,
        }


def _told(value):
    """Tell of an object what is the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _weigh_piece(job, start, sample, more):
    """Weigh one piece: its number, its table, its posteriors, and warnings that came up."""
    found = {} if job.keep else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for of_all in (MixedScalesWarning, UnweighedClustersWarning):
            warnings.simplefilter("ignore", of_all)
        if job.ymap is not None:
            sample.attach_cutouts(job.ymap, **job.cutouts, **more)
        table = estimate_masses(sample, job.estimators, posteriors=found, **job.options)
    told = [(str(entry.message), entry.category) for entry in caught]
    return start, table, found or {}, told


@contextlib.contextmanager
def _kept(folder, overwrite, about):
    """Give the folder of pieces, which is a temporary one where none is given."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="szmass-") as temporary:
            yield Path(temporary)
        return
    folder = as_path(folder, "folder").expanduser()
    if not folder.parent.is_dir():
        raise InvalidInputError(f"The folder {str(folder.parent)!r} does not exist.")
    make_folder(folder)
    with file_lock(folder / _JOB):
        told, former = about(), {}
        if (folder / _JOB).is_file():
            with contextlib.suppress(ValueError):
                former = json.loads((folder / _JOB).read_text(encoding="utf-8"))
        others = [name for name in told if former.get(name) != told[name]]
        pieces = [*folder.glob("masses-*.fits"), *folder.glob("posterior-*.fits")]
        if others and overwrite:
            for path in pieces:
                path.unlink()
        elif others and pieces:
            raise InvalidInputError(
                f"The folder {str(folder)!r} has pieces of another job, which differs in "
                f"{', '.join(others)}. Choose another folder, or have them removed "
                "(overwrite=True)."
            )
        with atomic_path(folder / _JOB, overwrite=True) as temporary:
            temporary.write_text(json.dumps(told, indent=1), encoding="utf-8")
        yield folder


def _masses(folder, start):
    return folder / f"masses-{start:09d}.fits"


def _posterior(folder, start, method):
    return folder / f"posterior-{start:09d}-{method}.fits"


def _joined(tables):
    """Put tables of pieces below one another; ``meta`` says what holds for any of them."""
    table = format_masses(MassTable(vstack(tables, metadata_conflicts="silent"), copy=False))
    table.meta = tables[0].meta
    for method in methods_of(table):
        held = (part.meta["methods"][method]["errors_hold"] for part in tables)
        held = list(dict.fromkeys(itertools.chain.from_iterable(held)))
        table.meta["methods"][method]["errors_hold"] = held
    return table


def _joined_posteriors(folder, starts, table, job):
    """Posteriors of all clusters by method."""
    result = {}
    for method, estimator in job.estimators.items():
        if estimator.gives_posterior:
            parts = [LogMassPosterior.read(_posterior(folder, s, method)) for s in starts]
            ends = np.cumsum([0, *map(len, parts)])
            result[method] = LogMassPosterior.joined(
                parts,
                itertools.starmap(slice, itertools.pairwise(ends)),
                names=table["name"],
                redshift=table["redshift"],
                flag=masses_of(table, method).flag,
                meta=table.meta["methods"][method],
            )
    return result
