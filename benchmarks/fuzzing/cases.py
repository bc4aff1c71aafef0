"""What must come of a mutated input, and the judgement of what came."""

import dataclasses
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from szmass.exceptions import SzmassError

#: What may be wrong, in the order of the printed table.
FAULTS = ("crash", "foreign", "hang", "memory", "different", "refused")

# Refusals: errors of szmass, and the errors of Python that its docstrings name.
_REFUSALS = (SzmassError, FileNotFoundError)


@dataclasses.dataclass(frozen=True)
class Expected:
    """What may come: at least one of the following.

    ``same``: the result of the file before the mutation; ``refused``: an error that szmass
    documents; ``changed``: results that differ from it by these entries (None: it is not there), or
    functions of the result that tell whether it is right; ``free``: any result, where a mutation
    makes another valid file that nothing tells from a wrong one.
    """

    same: bool = False
    refused: bool = False
    changed: tuple = ()
    free: bool = False
    rtol: float = 1e-9

    def or_refused(self):
        """The same, and an error is right as well."""
        return dataclasses.replace(self, refused=True)


SAME = Expected(same=True)
REFUSED = Expected(refused=True)
SAME_OR_REFUSED = Expected(same=True, refused=True)
FREE = Expected(refused=True, free=True)


def changed(*results, rtol=1e-9, refused=False, same=False):
    """Expect one of these differences from the result before the mutation."""
    return Expected(same=same, refused=refused, changed=results, rtol=rtol)


@dataclasses.dataclass
class Case:
    """One input: the mutation, what it must lead to, and the call of szmass."""

    mutation: str
    expected: Expected
    read: Callable
    reference: dict


def judge(case, outcome):
    """Name what is wrong with an outcome, a result (dict) or an exception; None and "" if right."""
    expected = case.expected
    if isinstance(outcome, MemoryError):
        return "memory", key_of(outcome)
    if isinstance(outcome, BaseException):
        if not isinstance(outcome, _REFUSALS):
            return "foreign", key_of(outcome)
        if expected.refused or expected.free:
            return None, ""
        return "refused", f"{type(outcome).__name__}: {str(outcome)[:160]}"
    if expected.free:
        return None, ""
    wanted = [case.reference] if expected.same else []
    tests = [change for change in expected.changed if callable(change)]
    if any(test(outcome) for test in tests):
        return None, ""
    for change in expected.changed:
        if not callable(change):
            merged = case.reference | change
            wanted.append({name: value for name, value in merged.items() if value is not None})
    differences = [differing(outcome, result, expected.rtol) for result in wanted]
    if not all(differences):  # one of them has none
        return None, ""
    return "different", differences[0] if differences else "read, and should have been refused"


def differing(found, wanted, rtol):
    """Name the first entry in which two results differ; empty if there is none."""
    for name in wanted.keys() ^ found.keys():
        return f"{name} is {'missing' if name in wanted else 'new'}"
    for name, value in wanted.items():
        one, other = np.asarray(found[name]), np.asarray(value)
        if one.shape != other.shape:
            return f"{name}: shape {one.shape} instead of {other.shape}"
        if one.dtype.kind in "fciub" and other.dtype.kind in "fciub":
            scale = np.nanmax(np.abs(other[np.isfinite(other)]), initial=0.0)
            equal = np.isclose(one, other, rtol=rtol, atol=rtol * scale * 1e-3, equal_nan=True)
        else:
            equal = one.astype(str) == other.astype(str)
        if not np.all(equal):
            where = tuple(int(i) for i in np.argwhere(~np.atleast_1d(equal))[0])
            pair = np.atleast_1d(one)[where], np.atleast_1d(other)[where]
            return f"{name}{list(where)}: {pair[0]!r:.40} instead of {pair[1]!r:.40}"
    return ""


def few_differ(reference, name, number=1):
    """A test that at most some numbers of one entry differ, and nothing else."""

    def test(found):
        if found.keys() != reference.keys() or np.shape(found[name]) != np.shape(reference[name]):
            return False
        others = {key: value for key, value in reference.items() if key != name}
        same = np.isclose(found[name], reference[name], rtol=1e-9, atol=0, equal_nan=True)
        rest = differing({key: found[key] for key in others}, others, 1e-9)
        return not rest and np.count_nonzero(~same) <= number

    return test


def key_of(error):
    """Name an exception by its class, where szmass was left, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/szmass/" in frame.filename]
    places = [f"{Path(f.filename).name}:{f.name}" for f in (*ours[-1:], *frames[-1:])]
    return f"{type(error).__name__} in {' < '.join(dict.fromkeys(places))}: {str(error)[:80]}"
