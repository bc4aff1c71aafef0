"""The lock between processes that write one file."""

import errno
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from szmass._io import files
from szmass._io.files import file_lock
from szmass._utils.progress import show_progress

fcntl = pytest.importorskip("fcntl")

HOLD = """
import sys, time
from szmass._io.files import file_lock
with file_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(path, seconds):
    """Start another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_lock_leaves_nothing_behind(tmp_path):
    with file_lock(tmp_path / "map.fits"):
        assert [path.name for path in tmp_path.iterdir()] == [".map.fits.lock"]
    assert list(tmp_path.iterdir()) == []


def test_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_POLL", 0.001)
    inside, most = [0], []

    def work(_):
        for _ in range(20):
            with file_lock(tmp_path / "map.fits"):
                inside[0] += 1
                most.append(inside[0])
                time.sleep(0.0005)
                inside[0] -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert most == [1] * 80
    assert list(tmp_path.iterdir()) == []


def test_waits_for_another_process_and_says_so(tmp_path, capsys):
    process = holder(tmp_path / "map.fits", 0.5)
    show_progress(True)
    try:
        with file_lock(tmp_path / "map.fits"):
            assert process.wait(5) == 0
    finally:
        show_progress(False)
        process.stdout.close()
    assert "map.fits: waiting for another process" in capsys.readouterr().err


def test_process_that_was_killed_holds_nothing(tmp_path):
    process = holder(tmp_path / "map.fits", 60)
    process.kill()
    process.wait(5)
    process.stdout.close()
    done = threading.Event()

    def take():
        with file_lock(tmp_path / "map.fits"):
            done.set()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    assert done.wait(5)
    thread.join(5)  # it still has the lock to give back


def test_lock_on_a_removed_file_guards_nothing(tmp_path, monkeypatch):
    lock, calls = tmp_path / ".map.fits.lock", []
    flock = fcntl.flock

    def lock_and_remove(fd, operation):
        calls.append(flock(fd, operation))
        if len(calls) == 1:
            lock.unlink()  # as the holder before does

    monkeypatch.setattr(files, "_POLL", 0.001)
    monkeypatch.setattr(fcntl, "flock", lock_and_remove)
    with file_lock(tmp_path / "map.fits"):
        assert lock.exists()
        assert len(calls) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:flock not supported:UserWarning")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch, code):
    def refuse(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    inside = False
    with file_lock(tmp_path / "map.fits"):
        inside = True
    assert inside


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError), file_lock(tmp_path / "map.fits"):
            pass
    finally:
        tmp_path.chmod(0o700)


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError), file_lock(tmp_path / "missing" / "map.fits"):
        pass
