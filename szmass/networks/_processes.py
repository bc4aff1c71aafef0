"""Trainings in processes of their own: one thread each, gone when the parent is."""

import concurrent.futures as futures
import contextlib
import multiprocessing
import os
import signal
import threading

from szmass.exceptions import WorkerError

__all__ = ["run_in_processes"]

# A process makes room for another one after so many tasks: backends never free all memory.
_TASKS = 20

_job = None


def run_in_processes(function, job, tasks, workers):
    """Call a function for each task in fresh processes, and yield as tasks are done.

    Random numbers, threads and memory of the caller are not touched, so that the results do not
    depend on how many processes there are, nor on what the caller has done before.

    Parameters
    ----------
    function : callable
        Called with ``job`` and the arguments of a task; importable by name.
    job : object
        What every task needs.
    tasks : sequence of tuple
        The arguments of each task.
    workers : int
        Number of processes.

    Yields
    ------
    object
        What the function gave, in any order.

    Raises
    ------
    WorkerError
        A process died.
    """
    share = _TASKS * workers
    for start in range(0, len(tasks), share):
        yield from _run_share(function, job, tasks[start : start + share], workers)


def _run_share(function, job, tasks, workers):
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    pool = futures.ProcessPoolExecutor(
        min(workers, len(tasks)),
        mp_context=context,
        initializer=_begin,
        initargs=(job, reader),
    )
    try:
        waiting = [pool.submit(_call, function, task) for task in tasks]
        for future in futures.as_completed(waiting):
            yield future.result()
        pool.shutdown()
    except futures.BrokenExecutor as err:
        raise WorkerError(
            "A process that trained a network died: it was killed, perhaps for lack of memory, or "
            "could not start (a script must begin its work under \"if __name__ == '__main__':\"). "
            "Finished trainings and check-points are kept; go on with resume=True (--resume on the "
            "shell), perhaps with fewer 'workers'."
        ) from err
    finally:
        # Whoever is still training when the caller gives up would go on for hours.
        writer.close()
        reader.close()
        pool.shutdown(cancel_futures=True)


def _begin(job, reader):
    global _job
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    threading.Thread(target=_end_with_parent, args=(reader,), daemon=True).start()


def _end_with_parent(reader):
    """End this process when the pipe from its parent closes, by whatever cause."""
    with contextlib.suppress(EOFError, OSError):
        reader.recv_bytes()
    os._exit(1)


def _call(function, task):
    return function(_job, *task)
