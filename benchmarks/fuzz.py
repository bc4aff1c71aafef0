"""Mutated inputs of everything that is read, each judged by what it declares must come of it.

``python benchmarks/fuzz.py --number 20000`` makes small valid files, changes one thing in each and
reads it in a worker process. Counted are crashes, exceptions that are neither errors of szmass nor
documented ("foreign"), inputs that take more than 10 s ("hang") or 500 MB beyond the level before
("memory"), results that differ from what the mutation declares ("different"), and refusals of what
should have been read ("refused"). Faults of one kind are printed as a group, with the number of the
first: ``--replay table:17`` runs that input here, with its traceback. Inputs depend on the seed,
the kind of input and the number alone. The exit code is 1 if there is any fault.

A crash that does not come back in a replay is damage to memory by an earlier input: with
``PYTHONMALLOC=debug`` and ``PYTHONFAULTHANDLER=1`` in the environment processes end where it is
done.
"""

import argparse
import collections
import math
import queue
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from fuzzing.cases import FAULTS, judge
from fuzzing.targets import NAMES, SHARES
from fuzzing.worker import Worker, make_case


def run(targets, number, seed, workers=1, progress=lambda done: None):
    """Run inputs: (target, number, mutation, fault, about, seconds, MB) of each."""
    jobs, results = queue.SimpleQueue(), []
    shares = {target: SHARES.get(target, 1.0) for target in targets}
    for target, share in shares.items():
        for i in range(math.ceil(number * share / sum(shares.values()))):
            jobs.put((target, i))

    def work():
        worker = Worker()
        try:
            while True:
                target, i = jobs.get_nowait()
                results.append((target, i, *worker.run(target, seed, i)))
                progress(len(results))
        except queue.Empty:
            pass
        finally:
            worker.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def report(results):
    """Print the counts by kind of input, and the groups of faults; give the number of faults."""
    print(
        f"{'input':<11}{'number':>8}" + "".join(f"{name:>10}" for name in FAULTS) + "   s at most"
    )
    by_target = collections.defaultdict(list)
    for result in results:
        by_target[result[0]].append(result)
    for target, found in [*sorted(by_target.items()), ("all", results)]:
        counts = collections.Counter(result[3] for result in found)
        longest = max((result[5] for result in found), default=0.0)
        print(
            f"{target:<11}{len(found):>8}"
            + "".join(f"{counts[name]:>10}" for name in FAULTS)
            + f"{longest:>12.1f}"
        )
    groups = collections.defaultdict(list)
    for target, number, mutation, fault, about, *_ in results:
        if fault:
            what = mutation if fault in ("different", "refused") else about.split(": ")[0]
            groups[target, fault, what].append((number, mutation, about))
    for (target, fault, _), found in sorted(groups.items(), key=lambda item: -len(item[1])):
        number, mutation, about = min(found)
        print(f"\n{len(found):>5} {fault}  --replay {target}:{number}  ({mutation})\n      {about}")
    return sum(len(found) for found in groups.values())


def replay(target, number, seed):
    """Run one input in this process, and print all about it."""
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(target, seed, number, Path(folder))
        print(f"{case.mutation}: {case.expected}\n{folder}: {sorted(Path(folder).iterdir())}")
        start = time.perf_counter()
        try:
            outcome = case.read()
            for name, value in outcome.items():
                before = case.reference.get(name)
                print(f"{name}: {value!r:.200}\n    before: {before!r:.200}")
        except Exception as err:  # noqa: BLE001 - whatever comes is judged
            traceback.print_exc()
            outcome = err
        fault, about = judge(case, outcome)
        print(f"{time.perf_counter() - start:.2f} s; fault: {fault} {about}")
    return fault


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=20_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--replay", metavar="TARGET:NUMBER")
    options = parser.parse_args()
    if options.replay:
        target, _, number = options.replay.partition(":")
        return int(replay(target, int(number), options.seed) is not None)
    start, shown = time.perf_counter(), sys.stderr.isatty()

    def progress(done):
        if shown and done % 100 == 0:
            rate = done / (time.perf_counter() - start)
            print(f"\r{done} inputs, {rate:.0f} a second", end="", file=sys.stderr)

    results = run(options.targets, options.number, options.seed, options.workers, progress)
    took = time.perf_counter() - start
    print(f"{len(results)} inputs, seed {options.seed}, {took:.0f} s\n")
    return int(report(results) > 0)


if __name__ == "__main__":
    sys.exit(main())
