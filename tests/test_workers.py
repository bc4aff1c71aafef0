"""The process pool: errors, killed workers, killed parents, order, and how far it runs ahead."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from szmass._utils.workers import check_workers, run_tasks
from szmass.exceptions import InvalidInputError, WorkerError

posix = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")


def times(job, number):
    if number < 0:
        raise InvalidInputError(f"{number} is refused")
    return job * number


def die(job, number):
    if number == job:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep_long(job, seconds):
    time.sleep(seconds)
    return seconds


def process(job, number):
    return os.getpid(), os.environ["OMP_NUM_THREADS"]


@pytest.mark.parametrize("options", [{}, {"fresh": True}, {"workers": 2}])
def test_processes(options):
    assert list(run_tasks(times, 3, [], **options)) == []
    results = run_tasks(times, 3, [(1,), (2,), (5,), (-4,)], in_order=True, **options)
    assert [next(results) for _ in range(3)] == [3, 6, 15]
    with pytest.raises(InvalidInputError, match="-4 is refused"):
        next(results)


def test_fresh_processes_have_one_thread_and_are_renewed(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = list(run_tasks(process, None, [(i,) for i in range(4)], fresh=True, renew=2))
    assert [threads for _, threads in found] == ["1"] * 4
    assert os.getpid() not in dict(found)
    assert len(dict(found)) == 2
    assert dict(run_tasks(process, None, [(0,), (1,)])) == {os.getpid(): "3"}


def test_order_and_how_far_it_runs_ahead():
    begun = []

    def tasks():
        for i in range(30):
            begun.append(i)
            yield (0.3 if i == 0 else 0.0,)

    for i, seconds in enumerate(run_tasks(sleep_long, None, tasks(), workers=2, in_order=True)):
        assert seconds == (0.3 if i == 0 else 0.0)
        assert len(begun) <= i + 5
    assert len(begun) == 30


@posix
def test_a_killed_process():
    with pytest.raises(WorkerError, match="A worker died.* Run it again"):
        list(run_tasks(die, 1, [(0,), (1,)], fresh=True, remedy="Run it again."))


def test_processes_end_when_the_caller_gives_up():
    results = run_tasks(sleep_long, None, [(0,), (600,)], workers=2)
    assert next(results) == 0
    results.close()  # does not wait for ten minutes


SCRIPT = """
import os, sys, time
from szmass._utils.workers import run_tasks

def work(folder, number):
    open(f"{folder}/{os.getpid()}", "w").close()
    time.sleep(600)

list(run_tasks(work, sys.argv[1], [(0,), (1,)], workers=2))
"""


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_their_parent(tmp_path, number):
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        parent.send_signal(number)
        _, error = parent.communicate(timeout=60)
    finally:
        parent.kill()
    assert ("KeyboardInterrupt" in error) == (number == signal.SIGINT)
    wait_until(lambda: not any(map(alive, tmp_path.iterdir())))


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(path):
    try:
        os.kill(int(path.name), 0)
    except ProcessLookupError:
        return False
    # Nobody waits for a child whose parent is gone but, at its leisure, init.
    state = Path("/proc", path.name, "stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        tasks = [(i,) for i in range(20)]
        for where in (client, client.scheduler.address):
            assert list(run_tasks(times, 3, tasks, scheduler=where, in_order=True)) == [
                3 * i for i in range(20)
            ]
            with pytest.raises(InvalidInputError, match="-4 is refused"):
                list(run_tasks(times, 3, [(-4,)], scheduler=where))


def test_how_many():
    assert check_workers(3) == 3
    with pytest.raises(InvalidInputError, match="not both"):
        check_workers(2, "tcp://x:1")
    with pytest.raises(InvalidInputError, match="'workers'"):
        check_workers(0)
