"""A few hundred mutated inputs of benchmarks/fuzz.py, and what the harness itself notices."""

from pathlib import Path

import numpy as np
import pytest

from szmass.exceptions import FileFormatError

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
TARGETS = ("healpix", "image", "cutout", "table", "form", "halos", "card", "recipe", "posterior")


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is told by Linux alone"
)
def test_mutated_inputs_are_read_flagged_or_refused():
    import fuzz

    results = fuzz.run(TARGETS, 150, 20261126)
    assert len(results) >= 150
    assert [result for result in results if result[3]] == []


def test_an_input_depends_on_its_number_alone(tmp_path):
    from fuzzing.worker import make_case

    for number in (3, 4, 3):
        made = make_case("card", 1, number, tmp_path)
        content = (tmp_path / "card.json").read_bytes()
        if number == 3:
            first = made.mutation, content
    assert (made.mutation, content) == first


def test_outcomes_are_judged_by_what_was_declared():
    from fuzzing.cases import FREE, REFUSED, SAME, Case, changed, judge

    before = {"y": np.array([1.0, np.nan]), "name": "a"}
    other = before | {"y": np.array([np.nan, np.nan])}

    def fault(expected, outcome):
        return judge(Case("", expected, None, before), outcome)[0]

    assert fault(SAME, before) is None
    assert fault(SAME, other) == "different"
    assert fault(changed({"y": other["y"]}), other) is None
    assert fault(changed({"y": other["y"]}), before) == "different"
    assert fault(REFUSED, before) == "different"
    assert fault(REFUSED, FileFormatError()) is None
    assert fault(SAME, FileFormatError()) == "refused"
    assert fault(FREE, other) is None
    assert fault(FREE, ValueError()) == "foreign"
    assert fault(FREE, MemoryError()) == "memory"
