"""Processes that run inputs under limits of time and memory."""

import gc
import multiprocessing
import os
import re
import resource
import shutil
import tempfile
import time
import traceback
import warnings
import zlib
from pathlib import Path

import numpy as np

from fuzzing.cases import judge
from fuzzing.targets import TARGETS

#: Longest time of an input [s], and most memory beyond the level before it [MB].
TIME_LIMIT, MEMORY_LIMIT = 10.0, 500
# Beyond this an allocation fails in the worker, so that a bomb does not take the machine along.
_ADDRESS_SPACE = 3 << 30
_START_UP = 300.0  # s that imports, and the first files of a kind, may take


def generator_of(target, seed, number):
    """The random numbers of one input."""
    return np.random.default_rng([seed, zlib.crc32(target.encode()), number])


def make_case(target, seed, number, folder):
    """Write one input into an empty folder."""
    return TARGETS[target](generator_of(target, seed, number), folder)


def _memory(name):
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024


def run_case(case):
    """Run one input: (fault or None, what about it, seconds, megabytes)."""
    gc.collect(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, start = _memory("VmRSS"), time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = case.read()
    except Exception as err:  # noqa: BLE001 - whatever comes is judged
        outcome = err
    took, more = time.perf_counter() - start, _memory("VmHWM") - before
    fault, about = judge(case, outcome)
    if isinstance(outcome, BaseException):
        outcome.__traceback__ = None
    if fault is None and more > MEMORY_LIMIT:
        fault, about = "memory", f"{more:.0f} MB"
    return fault, about, took, more


def _serve(connection, folder):
    os.environ["SZMASS_CACHE"] = str(folder / "cache")
    inputs = folder / "inputs"
    inputs.mkdir()
    os.chdir(folder)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    while (job := connection.recv()) is not None:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        for left in inputs.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                case = make_case(*job, inputs)
        except Exception:  # noqa: BLE001 - of the harness; the others go on
            connection.send("not made")
            connection.send(("crash", f"not made: {traceback.format_exc(limit=-4)}", 0.0, 0.0))
            continue
        connection.send(case.mutation)
        size = int(_memory("VmSize")) << 20
        resource.setrlimit(resource.RLIMIT_AS, (size + _ADDRESS_SPACE, hard))
        connection.send(run_case(case))


class Worker:
    """A process that runs inputs one after the other, and is started again when it is lost."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="szmass-fuzz-"))
        self._process = None

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        self._process = context.Process(target=_serve, args=(theirs, folder), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, target, seed, number):
        """Run one input: (mutation, fault, about, seconds, MB).

        What takes too long is run a second time, as machines are busy now and then.
        """
        result = self._run(target, seed, number)
        return self._run(target, seed, number) if result[1] == "hang" else result

    def _run(self, target, seed, number):
        if self._process is None:
            self._start()
        self._connection.send((target, seed, number))
        try:
            mutation = self._receive(_START_UP)
        except (EOFError, ConnectionError):
            self._lose()
            mutation = None
        if mutation is None:
            return "not made", "crash", "the process ended as it made the input", 0.0, 0.0
        try:
            result = self._receive(TIME_LIMIT)
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self._lose()
            return mutation, "crash", f"{mutation}: exit code {code}", 0.0, 0.0
        if result is None:
            return mutation, "hang", mutation, TIME_LIMIT, 0.0
        return mutation, *result

    def _receive(self, seconds):
        """What the process says within some time; None, and its end, where it says nothing."""
        if self._connection.poll(seconds):
            return self._connection.recv()
        self._lose()
        return None

    def _lose(self):
        self._process.kill()
        self._process.join()
        self._connection.close()
        self._process = None

    def close(self):
        """End the process and remove its files."""
        if self._process is not None:
            self._lose()
        shutil.rmtree(self._folder, ignore_errors=True)
