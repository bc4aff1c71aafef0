"""Process pool of the package: tasks in processes of this machine (loky), or on a Dask cluster."""

import collections
import concurrent.futures as futures
import contextlib
import itertools
import os
import signal
import threading

from szmass._utils.optional import import_optional
from szmass._utils.seeds import check_count
from szmass.exceptions import InvalidInputError, WorkerError

# Libraries that start threads of their own read these when they are imported.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)

_job = None


def check_workers(workers, scheduler=None):
    """Give the number of processes, or refuse to have them beside a Dask cluster."""
    workers = check_count(workers, "workers")
    if scheduler is not None and workers > 1:
        raise InvalidInputError("Give 'workers' or 'scheduler', not both.")
    return workers


def run_tasks(
    function,
    job,
    tasks,
    *,
    workers=1,
    scheduler=None,
    in_order=False,
    fresh=False,
    renew=None,
    remedy="",
):
    """Yield what ``function(job, *task)`` gives as tasks are done, or raise its error here.

    Tasks are consumed a few ahead of the results that are taken, and each worker gets ``job`` once.
    ``scheduler`` is the address of a Dask scheduler, or a client. ``fresh`` asks for processes of
    one thread each, even for one worker: results then depend neither on their number nor on what
    this process has done before. ``renew`` replaces each process after about so many tasks. A
    worker that died is a `WorkerError`, and ``remedy`` a sentence on what to do then.
    """
    if scheduler is None and workers == 1 and not fresh:
        for task in tasks:
            yield function(job, *task)
        return
    tasks = iter(tasks)
    try:
        if scheduler is not None:
            with _cluster(scheduler, function, job) as (submit, ahead):
                yield from _results(submit, tasks, ahead, in_order)
            return
        for share in _shares(tasks, renew and renew * workers):
            with _processes(function, job, workers, _ONE_THREAD if fresh else None) as submit:
                # Two tasks per worker keep all busy while memory stays bounded.
                yield from _results(submit, share, 2 * workers, in_order)
    except futures.BrokenExecutor as err:
        raise WorkerError(
            "A worker died: it was killed, perhaps for lack of memory, or could not start. "
            f"{remedy}".rstrip()
        ) from err


def _results(submit, tasks, ahead, in_order):
    """Results of tasks, of which so many are under way at a time."""
    pending = collections.deque(map(submit, itertools.islice(tasks, ahead)))
    while pending:
        if in_order:
            future = pending[0]
        else:
            future = next(iter(futures.wait(pending, return_when=futures.FIRST_COMPLETED).done))
        pending.remove(future)
        result = future.result()
        pending.extend(map(submit, itertools.islice(tasks, 1)))
        yield result


def _shares(tasks, size):
    """Divide tasks into parts of one size; None for all as one."""
    if size is None:
        yield tasks
        return
    while share := tuple(itertools.islice(tasks, size)):
        yield iter(share)


@contextlib.contextmanager
def _processes(function, job, workers, environment):
    """Open a pool of new processes; whoever still works when it is left early is ended."""
    from joblib.externals import loky  # a tenth of a second, which few need

    context = loky.backend.get_context("loky")
    # It closes when this process ends, by whatever cause.
    reader, writer = context.Pipe(duplex=False)
    pool = loky.ProcessPoolExecutor(
        workers,
        context=context,
        initializer=_begin,
        initargs=(job, reader),
        env=environment,
    )
    done = False
    try:
        yield lambda task: pool.submit(_call, function, task)
        done = True
    finally:
        pool.shutdown(kill_workers=not done)
        writer.close()
        reader.close()


def _begin(job, reader):
    global _job
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    threading.Thread(target=_end_with_parent, args=(reader,), daemon=True).start()


def _end_with_parent(reader):
    """End this process when the pipe from its parent closes: it would go on for hours."""
    with contextlib.suppress(EOFError, OSError):
        reader.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)


def _call(function, task):
    return function(_job, *task)


@contextlib.contextmanager
def _cluster(scheduler, function, job):
    """Open a Dask cluster; what it has not begun when it is left early is taken back."""
    distributed = import_optional(
        "distributed", extra="distributed", purpose="spread work over a Dask cluster"
    )
    with contextlib.ExitStack() as stack:
        client = scheduler
        if isinstance(scheduler, str):
            try:
                client = stack.enter_context(distributed.Client(scheduler))
            except (OSError, ValueError) as err:
                raise InvalidInputError(
                    "'scheduler' must be the address of a Dask scheduler that runs, for instance "
                    f"'tcp://host:8786'. Received: {scheduler!r} ({err})"
                ) from err
        # A name of its own: what an earlier call sent under a name made from the content may just
        # be on its way out of the cluster.
        everywhere = client.scatter(job, broadcast=True, hash=False)
        pool = client.get_executor(pure=False)
        stack.callback(pool.shutdown, wait=False)
        ahead = 2 * max(1, sum(client.nthreads().values()))
        try:
            yield lambda task: pool.submit(function, everywhere, *task), ahead
        except (distributed.KilledWorker, futures.CancelledError) as err:
            raise futures.BrokenExecutor(f"The Dask cluster lost its workers: {err}") from err
