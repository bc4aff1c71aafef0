"""Work spread over a Dask cluster, with results in order and few of them at a time."""

import collections
import contextlib

from szmass._utils.optional import import_optional

__all__ = ["stream"]


def stream(client, function, shared, tasks):
    """Run a function on a cluster and yield its results in order.

    Parameters
    ----------
    client : `distributed.Client` or str
        A client, or the address of a scheduler.
    function : callable
        Called with ``shared`` and the arguments of a task.
    shared : object
        What every task needs; it is sent to each worker once.
    tasks : iterable of tuple
        The arguments of each task. It is consumed as results are taken.

    Yields
    ------
    object
        What the function gave, in the order of the tasks.
    """
    distributed = import_optional(
        "distributed", extra="distributed", purpose="spread work over a Dask cluster"
    )
    with contextlib.ExitStack() as stack:
        if isinstance(client, str):
            client = stack.enter_context(distributed.Client(client))
        # Two tasks per thread keep the workers busy while memory stays bounded.
        ahead = 2 * max(1, sum(client.nthreads().values()))
        # A name of its own: what an earlier call sent under a name made from the content may just
        # be on its way out of the cluster.
        everywhere = client.scatter(shared, broadcast=True, hash=False)
        pending = collections.deque()
        try:
            for task in tasks:
                pending.append(client.submit(function, everywhere, *task, pure=False))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            client.cancel(list(pending))
