"""Shards made one after the other, by processes of this machine, or on a Dask cluster."""

import concurrent.futures as futures
import itertools
import multiprocessing
import os
import signal
import threading

from szmass._utils.distributed import stream
from szmass._utils.optional import import_optional
from szmass._utils.seeds import check_count
from szmass.exceptions import InvalidInputError, WorkerError

__all__ = ["check_workers", "run"]

_job = None


def run(function, job, tasks, *, workers=1, scheduler=None):
    """Call a function for many tasks, and yield as tasks are done.

    Parameters
    ----------
    function : callable
        Called with ``job`` and the arguments of a task; importable by name.
    job : object
        What every task needs.
    tasks : iterable of tuple
        The arguments of each task; consumed a few ahead.
    workers : int, optional
        Number of processes; 1 is this one.
    scheduler : str or `distributed.Client`, optional
        Address of a Dask scheduler, or a client, whose workers do it instead.

    Yields
    ------
    object
        What the function gave, in any order.

    Raises
    ------
    WorkerError
        A worker died.
    """
    if scheduler is not None:
        yield from _on_cluster(function, job, tasks, scheduler)
    elif workers == 1:
        for task in tasks:
            yield function(job, *task)
    else:
        yield from _in_processes(function, job, tasks, workers)


def check_workers(workers, scheduler):
    """Give the number of processes, or refuse to have them beside a Dask cluster."""
    workers = check_count(workers, "workers")
    if scheduler is not None and workers > 1:
        raise InvalidInputError("Give 'workers' or 'scheduler', not both.")
    return workers


def _in_processes(function, job, tasks, workers):
    tasks = iter(tasks)
    pool = futures.ProcessPoolExecutor(
        workers,
        # A forked copy of a process with threads, as zarr has, can hang.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(job,),
    )
    try:
        # Two tasks per worker keep all busy while memory stays bounded.
        pending = {
            pool.submit(_call, function, task) for task in itertools.islice(tasks, 2 * workers)
        }
        while pending:
            done, pending = futures.wait(pending, return_when=futures.FIRST_COMPLETED)
            for future in done:
                result = future.result()
                for task in itertools.islice(tasks, 1):
                    pending.add(pool.submit(_call, function, task))
                yield result
    except futures.BrokenExecutor as err:
        raise WorkerError(
            "A worker process died: it was killed, perhaps for lack of memory, or could not start "
            "(a script that uses workers must begin its work under \"if __name__ == '__main__':\")."
            " Finished shards are kept; run the same call again to go on, perhaps with fewer "
            "'workers' or a smaller 'shard_size'."
        ) from err
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(job):
    global _job
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """End this process when its parent is killed: nobody else would."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _call(function, task):
    return function(_job, *task)


def _on_cluster(function, job, tasks, scheduler):
    distributed = import_optional(
        "distributed", extra="distributed", purpose="make data sets on a Dask cluster"
    )
    try:
        yield from stream(scheduler, function, job, tasks)
    except (distributed.KilledWorker, futures.CancelledError) as err:
        raise WorkerError(
            f"The Dask cluster lost its workers ({err}). Finished shards are kept; run the same "
            "call again to go on."
        ) from err
