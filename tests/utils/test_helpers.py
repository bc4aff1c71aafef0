"""Registry, quantities, optional imports, output files."""

import contextlib
import errno
import os
import subprocess
import sys
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from szmass._io import files
from szmass._io.files import atomic_path, put_in_place, temporary_beside
from szmass._utils import registry as registry_module
from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar, show_progress
from szmass._utils.quantities import as_floats, as_quantity
from szmass._utils.registry import Registry
from szmass.exceptions import (
    DiskSpaceError,
    DuplicateNameError,
    InvalidInputError,
    InvalidUnitError,
    MissingDependencyError,
    SzmassError,
    SzmassWarning,
    UnknownNameError,
)
from szmass.physics.cosmology import COSMOLOGIES, get_cosmology


class TestRegistry:
    def test_unknown_name_lists_choices_and_the_closest(self):
        registry = Registry("estimator")
        registry.add("scaling", 1)
        registry.add("cnn", 2)
        with pytest.raises(UnknownNameError, match=r"'scalling'.*mean 'scaling'.*cnn, scaling"):
            registry["scalling"]
        assert list(registry) == ["cnn", "scaling"]
        assert "cnn" in registry
        assert len(registry) == 2

    def test_duplicate(self):
        registry = Registry("estimator")
        registry.add("a", 1)
        registry.add("a", 1)
        with pytest.raises(DuplicateNameError, match="'a' is taken"):
            registry.add("a", 2)

    def test_entry_points_are_read_and_a_broken_one_only_warns(self, monkeypatch):
        points = [
            EntryPoint("sqrt", "math:sqrt", "group"),
            EntryPoint("broken", "no_such_module_:x", "group"),
        ]
        monkeypatch.setattr(
            registry_module, "entry_points", lambda group: points if group == "group" else []
        )
        registry = Registry("function", entry_point_group="group")
        with pytest.warns(SzmassWarning, match="'broken'.*could not be loaded"):
            names = list(registry)
        assert names == ["sqrt"]
        assert registry["sqrt"](4) == 2

    def test_known_names_need_no_entry_points(self, monkeypatch):
        monkeypatch.setattr(registry_module, "entry_points", lambda group: pytest.fail(group))
        registry = Registry("function", entry_point_group="group")
        registry.add("a", 1)
        assert registry["a"] == 1
        assert "a" in registry

    def test_functions_that_look_up_say_what_they_take(self):
        registry = Registry("odd number")
        registry.add("three", 3)

        @registry.getter(int, "three")
        def get_number(number):
            """Look an odd number up by name, or pass one through."""

        assert get_number("three") == get_number(number=3) == 3
        assert "number : str or `int`\n        A key of `ODD_NUMBERS`, or a number." in (
            get_number.__doc__
        )
        with pytest.raises(InvalidInputError, match="'number' must be a name such as 'three', or"):
            get_number(0.5)
        with pytest.raises(TypeError, match="number"):
            get_number()

    def test_what_takes_long_is_made_when_it_is_looked_up(self):
        made = []
        registry = Registry("function")
        registry.add_lazily("b", lambda: made.append("b") or [1])
        registry.add("a", 1)
        assert list(registry) == ["a", "b"]
        assert "b" in registry
        assert len(registry) == 2
        with pytest.raises(UnknownNameError, match="a, b"):
            registry["c"]
        assert not made
        assert registry["b"] is registry["b"]
        assert made == ["b"]
        with pytest.raises(DuplicateNameError, match="'b' is taken"):
            registry.add("b", 2)


class TestQuantities:
    @given(st.floats(1e-3, 1e3), st.sampled_from(["arcmin", "deg", "rad", "arcsec"]))
    def test_any_unit_of_the_kind_gives_the_same_float(self, value, unit):
        quantity = (value * u.arcmin).to(unit)
        assert as_floats(quantity, u.arcmin, "x") == pytest.approx(value, rel=1e-12)

    def test_strings_and_bare_numbers(self):
        assert as_quantity("1.7 arcmin", u.deg, "scale").to_value(u.arcmin) == pytest.approx(1.7)
        assert as_floats(0.5, u.dimensionless_unscaled, "z") == 0.5
        with pytest.raises(InvalidUnitError, match="'scale' must be a Quantity.*arcmin"):
            as_quantity(1.7, u.arcmin, "scale")

    @pytest.mark.parametrize("value", [1 * u.kg, "3 kg"])
    def test_other_kind_of_unit(self, value):
        with pytest.raises(InvalidUnitError, match="'scale' must have a unit that converts"):
            as_quantity(value, u.arcmin, "scale")

    def test_unit_error_is_both_ours_and_astropys(self):
        with pytest.raises(u.UnitsError):
            as_quantity(1 * u.kg, u.arcmin, "scale")
        with pytest.raises(SzmassError):
            as_quantity(1 * u.kg, u.arcmin, "scale")

    def test_not_a_quantity(self):
        with pytest.raises(InvalidInputError, match="'scale' must be a quantity"):
            as_quantity("wide", u.arcmin, "scale")

    def test_sign_and_finiteness(self):
        with pytest.raises(InvalidInputError, match=r"'m' must be positive. Received: -1.0 kg \(2"):
            as_floats([1, -1, 0] * u.kg, u.kg, "m", positive=True)
        with pytest.raises(InvalidInputError, match="'m' must be finite"):
            as_floats(np.nan * u.kg, u.kg, "m", finite=True)
        assert np.isnan(as_floats(np.nan * u.kg, u.kg, "m", positive=True))


def test_optional_import_says_what_to_install():
    assert import_optional("math", extra="x", purpose="count").pi > 3
    with pytest.raises(MissingDependencyError, match=r"to draw.*szmass\[plot\]"):
        import_optional("no_such_module_", extra="plot", purpose="draw")


@pytest.mark.parametrize("fails", [False, True])
def test_notes_of_compiled_code_on_import_are_not_shown(tmp_path, monkeypatch, capfd, fails):
    ending = "raise ImportError('broken')" if fails else ""
    (tmp_path / "talkative_.py").write_text(f"import os\nos.write(2, b'oneDNN is on')\n{ending}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("szmass._utils.optional._TALKATIVE", ("talkative_",))
    if fails:
        with pytest.raises(MissingDependencyError, match="broken"):
            import_optional("talkative_", extra="train", purpose="train")
    else:
        assert import_optional("talkative_", extra="train", purpose="train").os is os
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"
    sys.modules.pop("talkative_", None)


def test_atomic_path_keeps_the_old_file_when_writing_fails(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_and_fail():
        with atomic_path(target, overwrite=True) as temporary:
            temporary.write_text("new")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_and_fail()
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(InvalidInputError, match="is a folder"), atomic_path(tmp_path):
        pass


def test_progress_bar_is_off_until_asked_for(capsys):
    assert list(progress_bar(range(3))) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    show_progress(True)
    try:
        list(progress_bar(range(3), desc="weighing"))
    finally:
        show_progress(False)
    assert "weighing" in capsys.readouterr().err


class TestCosmology:
    def test_names(self):
        psz2 = get_cosmology("PSZ2")
        assert (psz2.H0.value, psz2.Om0) == (70, 0.3)
        assert psz2.Onu0 == 0
        assert get_cosmology("Planck18").name == "Planck18"
        assert get_cosmology(psz2) is psz2
        assert all(get_cosmology(name).name == name for name in COSMOLOGIES)

    def test_unknown_or_not_a_cosmology(self):
        with pytest.raises(UnknownNameError, match="No cosmology is named 'Plank18'.*'Planck18'"):
            get_cosmology("Plank18")
        with pytest.raises(InvalidInputError, match="'cosmology' must be"):
            get_cosmology(0.7)


def test_backend_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")

    def fail(module):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("szmass._utils.optional.importlib.import_module", fail)
    with pytest.raises(MissingDependencyError, match="KERAS_BACKEND asks for 'torch'"):
        import_optional("keras", extra="train", purpose="train a network")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_temporary_beside_leaves_nothing_behind(tmp_path, kind):
    def make_and_fail():
        with temporary_beside(tmp_path / "a.txt") as temporary:
            assert temporary.suffix == ".txt"
            assert temporary.parent == tmp_path
            if kind == "file":
                temporary.write_text("x")
            else:
                (temporary / "sub").mkdir(parents=True)
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        make_and_fail()
    with temporary_beside(tmp_path / "a.txt"):
        pass  # nothing was made
    with temporary_beside(tmp_path / "b.txt", folder=tmp_path) as temporary:
        assert temporary.parent == tmp_path
        temporary.symlink_to(tmp_path, target_is_directory=True)
    assert list(tmp_path.iterdir()) == []


def folder_with(path, name):
    path.mkdir()
    (path / name).write_text(name)
    return path


def test_folder_is_put_in_the_place_of_another(tmp_path):
    put_in_place(folder_with(tmp_path / "new", "a"), tmp_path / "target")
    put_in_place(folder_with(tmp_path / "newer", "b"), tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["b"]


def test_folder_comes_back_where_it_cannot_be_replaced(tmp_path, monkeypatch):
    target = folder_with(tmp_path / "target", "a")
    replace, calls = os.replace, []

    def fail_once(*args):
        calls.append(args)
        if len(calls) == 2:
            raise PermissionError("not this one")
        replace(*args)

    monkeypatch.setattr(files.os, "replace", fail_once)
    new = folder_with(tmp_path / "new", "b")
    with pytest.raises(PermissionError, match="not this one"):
        put_in_place(new, target)
    assert [path.name for path in target.iterdir()] == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "target"]


def leave(folder, name, age):
    """Leave a file or, by a slash at the end, a folder with a file in it, some hours old."""
    path = folder / name.rstrip("/")
    files = [path]
    if name.endswith("/"):
        path.mkdir()
        files.append(path / "inside")
    files[-1].write_text("half")
    then = time.time() - 3600 * age
    for file in files:
        os.utime(file, (then, then))
    return path


def test_what_a_killed_process_left_goes_after_a_day(tmp_path):
    stale = [leave(tmp_path, name, 25) for name in (".t-01234567.csv", ".t-89abcdef.csv/")]
    kept = [
        leave(tmp_path, ".t-01234568.csv", 23),
        *(leave(tmp_path, f"{name}", 1000) for name in (".t-0123456.csv", ".t-01234567.ecsv")),
        *(leave(tmp_path, f"{name}", 1000) for name in (".u-01234567.csv", "t-01234567.csv")),
    ]
    busy = leave(tmp_path, ".t-00000000.csv/", 1000)
    os.utime(busy / "inside")
    with atomic_path(tmp_path / "t.csv") as temporary:
        temporary.write_text("whole")
    assert not any(path.exists() for path in stale)
    assert all(path.exists() for path in [*kept, busy])
    assert (tmp_path / "t.csv").read_text() == "whole"


def test_what_vanishes_meanwhile_stops_no_other_from_going(tmp_path, monkeypatch):
    stale = [leave(tmp_path, f".t-0123456{digit}.csv", 25) for digit in range(4)]
    seen = []
    lstat = Path.lstat

    def gone_at_first(path):
        seen.append(path)
        if path == seen[0]:
            raise FileNotFoundError(path)
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", gone_at_first)
    with atomic_path(tmp_path / "t.csv") as temporary:
        temporary.write_text("whole")
    monkeypatch.undo()
    assert [path for path in stale if path.exists()] == seen[:1]


def test_killed_writer_leaves_the_old_file_and_no_rubbish_for_ever(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("before")
    program = (
        "import os, sys\nfrom szmass._io.files import atomic_path\n"
        "with atomic_path(sys.argv[1], overwrite=True) as temporary:\n"
        "    temporary.write_text('half')\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, path], check=False)
    (left,) = set(tmp_path.iterdir()) - {path}
    os.utime(left, (0, 0))
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text("whole")
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


def test_files_reach_the_disk_before_they_get_their_name(tmp_path, monkeypatch):
    calls = []
    really = os.fsync, os.replace
    monkeypatch.setattr(
        files.os, "fsync", lambda handle: calls.append("fsync") or really[0](handle)
    )
    monkeypatch.setattr(
        files.os, "replace", lambda *paths: calls.append("replace") or really[1](*paths)
    )
    with atomic_path(tmp_path / "t.csv") as temporary:
        temporary.write_text("whole")
    assert calls == ["fsync", "replace"]


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_full_disk_names_the_file(tmp_path, monkeypatch, where):
    def fail(*args):
        if where == args[0] or args[0] != "write":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write():
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text("half")
            fail("write")

    path = tmp_path / "masses.ecsv"
    path.write_text("before")
    if where == "fsync":
        monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(DiskSpaceError, match="disk is full: .*masses.ecsv.*nothing of it was"):
        write()
    assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("suffix", ["csv", "vot"])
@pytest.mark.filterwarnings("ignore:CSV keeps neither units")
def test_full_device_under_every_format(tmp_path, monkeypatch, suffix):
    from szmass._tables.files import write_table

    really = files.temporary_beside

    @contextlib.contextmanager
    def on_full_device(path, **options):
        with really(path, **options) as temporary:
            temporary.symlink_to("/dev/full")
            yield temporary

    monkeypatch.setattr(files, "temporary_beside", on_full_device)
    table = Table({"name": ["a"] * 1000, "x": np.ones(1000)})
    with pytest.raises(DiskSpaceError, match=f"disk is full: .*t.{suffix}"):
        write_table(table, tmp_path / f"t.{suffix}")
    assert not list(tmp_path.iterdir())
