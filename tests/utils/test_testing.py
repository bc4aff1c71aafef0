"""The tests that users run, and names that go."""

import sys

import pytest

import szmass
from szmass._utils.deprecation import deprecated, renamed_argument
from szmass.exceptions import MissingDependencyError, UnknownNameError


def test_examples_of_a_part_run_and_failures_show(capfd):
    assert szmass.test("results", "-q", "-k", "MassScale") == 0
    assert "1 passed" in capfd.readouterr().out
    assert szmass.test("results", "--no-such-option") != 0


@pytest.mark.parametrize("part", ["nothing", "../tests", "results/files"])
def test_unknown_parts_are_refused(part):
    with pytest.raises(UnknownNameError, match="'part' must be one of .*clusters, .*results, "):
        szmass.test(part)


def test_without_pytest_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest_doctestplus", None)
    with pytest.raises(MissingDependencyError, match=r"'szmass\[test\]'"):
        szmass.test("results")


def test_names_that_go_work_and_say_what_to_use():
    @deprecated("0.2", alternative="new_name")
    def old_name():
        return 1

    @renamed_argument("bias", "one_minus_b", "0.2")
    def weigh(one_minus_b):
        return one_minus_b

    with pytest.warns(DeprecationWarning, match=r"old_name[^|]*Use new_name instead") as caught:
        assert old_name() == 1
    assert caught[0].filename == __file__  # where it is called, so that scripts show it
    with pytest.warns(DeprecationWarning, match='"bias" was deprecated in version 0.2') as caught:
        assert weigh(bias=0.8) == 0.8
    assert caught[0].filename == __file__
    assert weigh(0.8) == 0.8
