"""The lock between processes that write one file."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from szmass._io import locks
from szmass._io.locks import file_lock
from szmass._utils.progress import show_progress

HOLD = """
import sys, time
from szmass._io.locks import file_lock
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
    monkeypatch.setattr(locks, "_POLL", 0.001)
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

    threading.Thread(target=take, daemon=True).start()
    assert done.wait(5)


def test_lock_on_a_removed_file_guards_nothing(tmp_path, monkeypatch):
    lock, calls = tmp_path / ".map.fits.lock", []
    try_lock = locks._try_lock

    def try_and_remove(stream):
        calls.append(try_lock(stream))
        if len(calls) == 1:
            lock.unlink()  # as the holder before does
        return calls[-1]

    monkeypatch.setattr(locks, "_try_lock", try_and_remove)
    with file_lock(tmp_path / "map.fits"):
        assert lock.exists()
    assert calls == [True, True]


def test_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with file_lock(tmp_path / "map.fits"):
        pass
