"""Mutations of the source that the tests miss, drawn at random with a stated seed.

``python benchmarks/mutations.py --seed 1 --number 40 --folder build/mutations`` copies the tree,
runs the tests of each room once to learn which of them reach which line, and then changes one thing
at a time: a comparison, a sign, a constant, a returned value. A mutation that no test notices is
printed as survived, with its place. Killed and started again with the same options, it goes on
where it was; ``--again`` tries those that survived once more, after tests were added. A run of the
tests that takes four times as long as without the mutation is stopped and counts as noticed, but is
told apart: on a busy machine it may mean nothing.
"""

import argparse
import ast
import copy
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import coverage

ROOT = Path(__file__).resolve().parents[1]

#: By room: its modules, and the tests that are to notice a change of them. Globs that match nothing
#: are passed over, except that a room must have some of both.
ROOMS = {
    "results": (
        ["szmass/results/*.py"],
        [f"tests/test_{name}.py" for name in ("results", "masses", "posteriors", "html")],
    ),
    "catalogs.core": (
        ["szmass/catalogs/core.py", "szmass/catalogs/_selection.py"],
        ["tests/catalogs/test_*.py"],
    ),
    "report": (
        ["szmass/report/*.py"],
        ["tests/report/test_*.py", "tests/test_html.py", "tests/comparison/test_*report*.py"],
    ),
    "estimators": (
        ["szmass/estimators/*.py", "szmass/estimators/filters/*.py"],
        ["tests/estimators/test_*.py", "tests/plugins/test_*.py"],
    ),
}

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
FUNCTIONS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "median": "mean",
    "nanmedian": "nanmean",
    "mean": "median",
    "argmin": "argmax",
    "argmax": "argmin",
    "floor": "ceil",
    "ceil": "floor",
    "isfinite": "isnan",
}

OUT_OF_TIME = "out of time"


def changes_of(node):
    """Give the ways to change a node, as (word, node in its place)."""
    ways = []

    def replace(word, **fields):
        changed = copy.copy(node)
        changed.__dict__.update(fields)
        ways.append((word, changed))

    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS[type(node.ops[0])]:
            replace("comparison", ops=[other()])
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        replace("operator", op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        replace("and/or", op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp):
        ways.append(("removed sign or not", node.operand))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        replace("constant", value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        replace("constant", value=node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        replace("constant", value=2 * node.value or 1.0)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        field = "id" if isinstance(node.func, ast.Name) else "attr"
        if other := FUNCTIONS.get(getattr(node.func, field)):
            called = copy.copy(node.func)
            setattr(called, field, other)
            replace("function", func=called)
    elif isinstance(node, ast.Return) and getattr(node.value, "value", node.value) is not None:
        replace("returned value", value=ast.Constant(None))
    return ways


def candidates(tree):
    """Yield the nodes that may be changed: no messages, annotations or decorators."""
    skipped = set()
    for node in ast.walk(tree):
        parts = []
        if isinstance(node, ast.JoinedStr | ast.Raise) or getattr(node, "arg", "") == "stacklevel":
            parts = [node]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts = [*node.decorator_list, getattr(node, "returns", None)]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "warn":
            parts = [node]
        skipped.update(id(inner) for part in parts if part for inner in ast.walk(part))
    for index, node in enumerate(ast.walk(tree)):
        if id(node) not in skipped:
            yield index, node


def sites(path):
    """Give all mutations of a module, each as plain values that name it."""
    text = path.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return [
        {
            "module": str(path.relative_to(ROOT)),
            "digest": digest,
            "line": node.lineno,
            "last_line": node.end_lineno,
            "node": index,
            "way": way,
            "kind": word,
        }
        for index, node in candidates(ast.parse(text))
        for way, (word, _) in enumerate(changes_of(node))
    ]


def draw(number, seed):
    """Draw mutations, the same number from each room as far as that goes."""
    rng = random.Random(seed)
    drawn = []
    for i, (room, (modules, _)) in enumerate(ROOMS.items()):
        share = number // len(ROOMS) + (i < number % len(ROOMS))
        found = [site | {"room": room} for path in files(modules) for site in sites(path)]
        drawn += rng.sample(found, min(share, len(found)))
    return drawn


def files(patterns):
    """Give the files of the tree that match, sorted."""
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


class Replace(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        """Give the node to stand here."""
        return self.new if node is self.old else super().visit(node)


def mutate(site):
    """Give the changed text of the module, and a line that says what was changed."""
    tree = ast.parse((ROOT / site["module"]).read_text(encoding="utf-8"))
    node = next(n for i, n in candidates(tree) if i == site["node"])
    _, changed = changes_of(node)[site["way"]]
    told = f"{ast.unparse(node)}  ->  {ast.unparse(changed)}"
    return ast.unparse(Replace(node, changed).visit(tree)), told


class Copy:
    """A copy of the tree whose modules may be broken, and what the tests do in it."""

    def __init__(self, folder, timeout):
        self.folder, self.timeout = folder / "tree", timeout
        self.reached = folder / "reached"
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in names.stdout.splitlines():
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name)
        self.reached.mkdir(parents=True, exist_ok=True)

    def pytest(self, *arguments, timeout=None):
        """Run pytest in the copy; give its exit status (None: out of time) and output."""
        data = os.environ.get("SZMASS_TEST_DATA", str(ROOT.parent / "shared" / "data"))
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        env = os.environ | limits | {"PYTHONPATH": str(self.folder), "SZMASS_TEST_DATA": data}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "--tb=line",
        ]
        try:
            done = subprocess.run(
                [*command, "--hypothesis-seed=0", *arguments],
                cwd=self.folder,
                env=env,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return None, ""
        return done.returncode, done.stdout + done.stderr

    def learn(self, room):
        """Run the tests of a room as they are, and keep which of them reaches which line."""
        modules, tests = (files(patterns) for patterns in ROOMS[room])
        if not modules or not tests:
            sys.exit(f"{room}: no modules or no tests; see ROOMS at the top of {__file__}")
        state = hashlib.sha256(b"".join(p.read_bytes() for p in (*modules, *tests))).hexdigest()
        known = self.reached / f"{room}-{state[:12]}.json"
        if not known.exists():
            print(f"{room}: its tests as they are", flush=True)
            data_file = self.folder / ".coverage"
            start = time.perf_counter()
            status, output = self.pytest(
                *("--cov=szmass", "--cov-context=test", "--cov-report="), *map(_relative, tests)
            )
            if status != 0:
                sys.exit(f"{room}: the tests fail without any mutation.\n{output[-3000:]}")
            data = coverage.CoverageData(basename=str(data_file))
            data.read()
            lines = {
                _relative(path): {
                    line: sorted({c.rpartition("|")[0] for c in contexts})
                    for line, contexts in data.contexts_by_lineno(
                        str(self.folder / _relative(path))
                    ).items()
                }
                for path in modules
            }
            seconds = time.perf_counter() - start
            known.write_text(json.dumps({"seconds": seconds, "lines": lines}))
        return json.loads(known.read_text())

    def judge(self, site, known):
        """Say by what a mutation was killed, or None where it survived; and the change."""
        target = self.folder / site["module"]
        text, change = mutate(site)
        lines = known["lines"].get(site["module"], {})
        span = range(site["line"], site["last_line"] + 1)
        reaching = {test for line in span for test in lines.get(str(line), [])}
        room = [_relative(path) for path in files(ROOMS[site["room"]][1])]
        # A line that runs on import, or inside a fixture that several tests share, is reached
        # by more tests than were seen: the whole room has the last word.
        rounds = [room]
        if reaching and "" not in reaching:
            rounds.insert(0, sorted(reaching))
        limit = max(self.timeout, 4 * known["seconds"])
        original = target.read_bytes()
        try:
            target.write_text(text, encoding="utf-8")
            for tests in rounds:
                status, output = self.pytest(*tests, timeout=limit)
                if status is None:
                    return OUT_OF_TIME, change
                if status in (1, 2):
                    named = [w for w in output.splitlines() if w.startswith(("FAILED", "ERROR"))]
                    return (named or [output.strip()[-80:]])[0][:100], change
                if status != 0:
                    sys.exit(f"pytest itself failed on {site}:\n{output[-3000:]}")
        finally:
            target.write_bytes(original)
        return None, change


def _relative(path):
    return str(Path(path).relative_to(ROOT))


def main():
    """Draw, try and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=40, help="mutations in all")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutations")
    parser.add_argument(
        "--timeout",
        type=float,
        default=60,
        help="least seconds until a run of the tests is stopped",
    )
    parser.add_argument("--again", action="store_true", help="try the survivors once more")
    parser.add_argument("--list", action="store_true", help="show what would be drawn, and stop")
    options = parser.parse_args()
    drawn = draw(options.number, options.seed)
    if options.list:
        for site in drawn:
            print(f"{site['module']}:{site['line']}: {site['kind']}: {mutate(site)[1]}")
        return
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "results.jsonl"
    done = {}
    if record.exists():
        for line in record.read_text().splitlines():
            entry = json.loads(line)
            done[entry["key"]] = entry
    tree = Copy(folder, options.timeout)
    for number, site in enumerate(drawn, start=1):
        key = "{module}@{digest}#{node}.{way}".format_map(site)
        entry = done.get(key)
        if entry is None or (options.again and entry["killed"] in (None, OUT_OF_TIME)):
            start = time.perf_counter()
            killed, change = tree.judge(site, tree.learn(site["room"]))
            seconds = round(time.perf_counter() - start)
            entry = {"key": key, "killed": killed, "change": change, "seconds": seconds}
            done[key] = entry
            with record.open("a") as file:
                file.write(json.dumps(entry) + "\n")
        verdict = "SURVIVED" if entry["killed"] is None else "killed"
        place = f"{site['module']}:{site['line']}"
        print(f"{number:3d} {verdict:8} {place} ({site['kind']}, {entry['seconds']} s)")
        print(f"      {entry['change']}\n      {entry['killed'] or 'no test noticed'}", flush=True)
    ends = [done["{module}@{digest}#{node}.{way}".format_map(site)]["killed"] for site in drawn]
    print(
        f"seed {options.seed}: {len(drawn)} mutations, {ends.count(None)} survived, "
        f"{ends.count(OUT_OF_TIME)} out of time"
    )


if __name__ == "__main__":
    main()
