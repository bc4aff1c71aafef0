"""Resumable transfer, against a server on this machine that cuts, lies and stalls."""

import contextlib
import errno
import json
import os
import random
import socket
import threading
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from file_server import FileServer

from szmass._io import transfer as transfer_module
from szmass._io.transfer import PartFile, check_room, new_session, transfer
from szmass._utils.progress import show_progress
from szmass.exceptions import DiskSpaceError, IntegrityError, RemoteDataError

CONTENT = random.Random(1).randbytes(1_000_000)
OTHER = random.Random(2).randbytes(1_000_000)
CUT = 400_000
DATE = "Mon, 02 Nov 2026 10:00:00 GMT"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer_module, "_PAUSE", 0.01)
    with FileServer().running() as server:
        yield server


@pytest.fixture
def part(tmp_path):
    return PartFile(tmp_path / "map.fits.part")


def cut_short(server, part, path="/map.fits", **options):
    """Serve a file whose transfer breaks off at CUT, for good; give its address."""
    url = server.add(path, CONTENT, cuts=[CUT, *[0] * 3], **options)
    with pytest.raises(RemoteDataError, match="did not deliver .* gave up after 4 attempts"):
        transfer(url, part)
    server.log.clear()
    return url


def test_file_comes_whole(server, part):
    url = server.add("/map.fits", CONTENT)
    transfer(url, part, size=len(CONTENT))
    assert part.path.read_bytes() == CONTENT
    assert part.origin["url"] == url
    assert part.origin["size"] == len(CONTENT)
    assert len(server.log) == 1


def test_cut_connection_is_continued_where_it_broke(server, part):
    url = server.add("/map.fits", CONTENT, cuts=[CUT, 100_000])
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert server.log == [
        ("/map.fits", None, None, 200),
        ("/map.fits", f"bytes={CUT}-", '"1"', 206),
        ("/map.fits", f"bytes={CUT + 100_000}-", '"1"', 206),
    ]


def test_next_call_goes_on(server, part):
    url = cut_short(server, part)
    assert part.path.read_bytes() == CONTENT[:CUT]
    transfer(url, PartFile(part.path))
    assert part.path.read_bytes() == CONTENT
    assert server.log == [("/map.fits", f"bytes={CUT}-", '"1"', 206)]


def test_server_without_ranges_begins_anew(server, part):
    url = server.add("/map.fits", CONTENT, ranges=False, cuts=[CUT, 500_000])
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert [status for *_, status in server.log] == [200, 200, 200]


def test_date_serves_where_there_is_no_strong_etag(server, part):
    url = cut_short(server, part, etag='W/"1"', last_modified=DATE)
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert server.log == [("/map.fits", f"bytes={CUT}-", DATE, 206)]


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_nothing_is_continued_that_cannot_be_confirmed(server, part, etag):
    url = cut_short(server, part, etag=etag)
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert server.log == [("/map.fits", None, None, 200)]


@pytest.mark.parametrize("if_range", [True, False])
def test_changed_file_is_not_glued_to_the_old_one(server, part, if_range):
    url = cut_short(server, part)
    server.add("/map.fits", OTHER, etag='"2"', if_range=if_range)
    transfer(url, part)
    assert part.path.read_bytes() == OTHER
    assert server.log[-1][-1] == 200


def test_file_of_another_length_is_not_glued(server, part):
    url = cut_short(server, part, last_modified=DATE, etag=None)
    server.add("/map.fits", OTHER + b"more", last_modified=DATE, etag=None, if_range=False)
    transfer(url, part)
    assert part.path.read_bytes() == OTHER + b"more"


def test_known_sha256_lets_a_mirror_go_on(server, part):
    options = {"sha256": "ab", "size": len(CONTENT)}
    url = server.add("/map.fits", CONTENT, etag=None, cuts=[CUT, 0, 0, 0])
    with pytest.raises(RemoteDataError, match="did not deliver"):
        transfer(url, part, **options)
    mirror = server.add("/mirror.fits", CONTENT, etag='"other"')
    transfer(mirror, part, **options)
    assert part.path.read_bytes() == CONTENT
    assert server.log[-1] == ("/mirror.fits", f"bytes={CUT}-", None, 206)


def test_other_sha256_does_not_go_on(server, part):
    url = server.add("/map.fits", CONTENT, etag=None, cuts=[CUT, 0, 0, 0])
    with pytest.raises(RemoteDataError, match="did not deliver"):
        transfer(url, part, sha256="ab")
    transfer(url, part, sha256="cd")
    assert server.log[-1] == ("/map.fits", None, None, 200)


def test_complete_part_needs_no_network(server, part):
    url = server.add("/map.fits", CONTENT)
    transfer(url, part)
    server.log.clear()
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert server.log == []


def test_complete_part_of_unknown_length_is_recognised(server, part):
    url = server.add("/map.fits", CONTENT, length=False)
    transfer(url, part)
    assert part.origin["size"] is None
    server.pages["/map.fits"].length = True
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert server.log[-1][1:] == (f"bytes={len(CONTENT)}-", '"1"', 416)


def test_chunked_answer_that_is_cut_is_noticed(server, part):
    url = server.add("/map.fits", CONTENT, length=False, cuts=[CUT])
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert len(server.log) == 2


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "{}"])
def test_unreadable_note_of_the_origin_begins_anew(server, part, text):
    url = cut_short(server, part)
    part.path.with_name("map.fits.part.json").write_text(text)
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert server.log == [("/map.fits", None, None, 200)]


def test_busy_server_is_asked_again(server, part):
    url = server.add("/map.fits", CONTENT, statuses=[503, 429, 500])
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert [status for *_, status in server.log] == [503, 429, 500, 200]


def test_pauses_grow(server, part, monkeypatch):
    pauses = []
    # Of this module alone: servers of other tests may sleep at the same time.
    own_time = SimpleNamespace(sleep=pauses.append, monotonic=time.monotonic)
    monkeypatch.setattr(transfer_module, "time", own_time)
    url = server.add("/map.fits", CONTENT, statuses=[503] * 4)
    with pytest.raises(RemoteDataError, match="answered 503 Service Unavailable"):
        transfer(url, part)
    assert pauses == pytest.approx([0.01, 0.02, 0.04])


@pytest.mark.parametrize(
    ("asked", "pauses"),
    [
        ("7", [7, 7]),
        ("Sat, 02 Nov 2019 10:00:00 GMT", [0.01, 0.02]),  # long over
        ("soon", [0.01, 0.02]),
    ],
)
def test_pause_that_the_server_asks_for(server, part, monkeypatch, asked, pauses):
    slept = []
    # Of this module alone: servers of other tests may sleep at the same time.
    own_time = SimpleNamespace(sleep=slept.append, monotonic=time.monotonic)
    monkeypatch.setattr(transfer_module, "time", own_time)
    url = server.add("/map.fits", CONTENT, statuses=[503, 429])
    server.refusal_headers = {"Retry-After": asked}
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert slept == pytest.approx(pauses)


def test_pause_that_nobody_would_wait_for(server, part):
    url = server.add("/map.fits", CONTENT, statuses=[503])
    server.refusal_headers = {"Retry-After": "7200"}
    with pytest.raises(RemoteDataError, match="answered 503 .* asks for 7200 s of patience"):
        transfer(url, part)
    assert len(server.log) == 1


def test_progress_renews_the_patience(server, part, monkeypatch):
    monkeypatch.setattr(transfer_module, "_PROGRESS", 100_000)
    url = server.add("/map.fits", CONTENT, cuts=[150_000] * 6)
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert len(server.log) == 7


@pytest.mark.parametrize("status", [404, 403, 410])
def test_refusal_is_final(server, part, status):
    url = server.add("/map.fits", CONTENT, statuses=[status])
    with pytest.raises(RemoteDataError, match=f"answered {status}"):
        transfer(url, part)
    assert len(server.log) == 1


def test_web_page_is_not_a_file(server, part):
    url = server.add("/map.fits", b"<html>", headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(RemoteDataError, match="a web page instead of a file"):
        transfer(url, part)
    assert not part.path.exists()


def test_other_size_is_refused_before_it_is_fetched(server, part):
    url = server.add("/map.fits", CONTENT)
    with pytest.raises(IntegrityError, match="has 1000000 bytes instead of 999999"):
        transfer(url, part, size=999_999)
    assert not part.path.exists()


def test_silent_server_is_left_and_resumed(server, part, monkeypatch):
    monkeypatch.setattr(transfer_module, "_TIMEOUT", (2, 0.2))
    url = server.add("/map.fits", CONTENT, stalls=[1.0])
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert server.log[1][1] is not None
    assert len(server.log) == 2


def test_bytes_are_not_decompressed_on_the_way(server, part):
    import gzip

    packed = gzip.compress(CONTENT)
    url = server.add("/maps.tgz", packed, headers={"Content-Encoding": "x-gzip"})
    transfer(url, part)
    assert part.path.read_bytes() == packed


def test_no_server(part, monkeypatch):
    monkeypatch.setattr(transfer_module, "_PAUSE", 0.01)
    with pytest.raises(RemoteDataError, match=r"deliver \(Failed to establish a new connection"):
        transfer("http://127.0.0.1:9/map.fits", part)


def test_reason_is_short(server, part):
    url = server.add("/map.fits", CONTENT, cuts=[0] * 4)
    with pytest.raises(RemoteDataError, match=r"deliver \(Connection broken: IncompleteRead\(0 b"):
        transfer(url, part)


def test_room_is_looked_for_first(server, part, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 1_200_000, 1_200_000)
    monkeypatch.setattr(transfer_module.shutil, "disk_usage", lambda folder: usage)
    url = server.add("/map.fits", CONTENT)
    with pytest.raises(DiskSpaceError, match=r"0.00 GB are needed in .* choose another folder"):
        transfer(url, part, room=500_000)
    assert not part.path.exists()
    # What has arrived counts: 600 000 bytes to come and 500 000 besides do fit.
    cut_short(server, part)
    transfer(url, part, room=500_000)
    assert part.path.read_bytes() == CONTENT


def test_room_of_a_real_disk(tmp_path):
    check_room(tmp_path, 1)
    with pytest.raises(DiskSpaceError, match="1000000000.00 GB are needed"):
        check_room(tmp_path, 10**18)


class FullDisk:
    """A file whose disk has room for so many bytes only."""

    def __init__(self, stream, room):
        self._stream, self._room = stream, room

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self._stream.close()

    def write(self, chunk):
        fits = min(len(chunk), self._room)
        self._room -= fits
        self._stream.write(chunk[:fits])
        if fits < len(chunk):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fits


def test_full_disk_keeps_what_has_arrived(server, part, monkeypatch):
    url = server.add("/map.fits", CONTENT)
    with monkeypatch.context() as patch:
        really_open = Path.open

        def opened(path, mode="r", *args, **kwargs):
            stream = really_open(path, mode, *args, **kwargs)
            return FullDisk(stream, 300_000) if mode == "ab" else stream

        patch.setattr(Path, "open", opened)
        with pytest.raises(DiskSpaceError, match=r"The disk is full: .* goes on from there"):
            transfer(url, part)
    assert part.path.read_bytes() == CONTENT[:300_000]
    transfer(url, part)
    assert part.path.read_bytes() == CONTENT
    assert server.log[-1] == ("/map.fits", "bytes=300000-", '"1"', 206)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_real_full_device(server, part):
    url = server.add("/map.fits", CONTENT)
    begin = part.begin

    def begin_on_full_device(origin):
        begin(origin)
        part.path.symlink_to("/dev/full")

    part.begin = begin_on_full_device
    with pytest.raises(DiskSpaceError, match="No space left on device"):
        transfer(url, part)


def test_other_errors_of_the_disk_are_not_hidden(server, tmp_path):
    part = PartFile(tmp_path / "missing" / "map.fits.part")
    url = server.add("/map.fits", CONTENT)
    with pytest.raises(FileNotFoundError):
        transfer(url, part)


def test_bar_starts_at_what_is_there(server, part, capsys):
    url = cut_short(server, part)
    show_progress(True)
    try:
        transfer(url, part, label="map.fits")
    finally:
        show_progress(False)
    shown = capsys.readouterr().err
    assert "map.fits:  40%" in shown
    assert "1.00M/1.00M" in shown


def test_note_of_the_origin_can_be_read_by_people(server, part):
    cut_short(server, part)
    note = json.loads((part.path.parent / "map.fits.part.json").read_text())
    assert note["etag"] == '"1"'


@contextlib.contextmanager
def raw_server(answer):
    """Answer every connection by a function of its socket; give the address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/file"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def test_headers_that_drip_are_given_up(part, monkeypatch):
    monkeypatch.setattr(transfer_module, "_PAUSE", 0.01)
    monkeypatch.setattr(transfer_module, "_LONGEST_ANSWER", 0.3)

    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100):
            connection.sendall(b"X")
            time.sleep(0.05)

    begun = time.monotonic()
    with raw_server(drip) as url, pytest.raises(RemoteDataError, match="within 0.3 s"):
        transfer(url, part)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("size", [None, 3_000_000])
def test_body_without_end_is_given_up(part, size):
    def send(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: x/y\r\n\r\n")
        for _ in range(10_000):
            connection.sendall(bytes(100_000))

    options = {"size": size} if size else {"largest": 3_000_000}
    with (
        raw_server(send) as url,
        pytest.raises(IntegrityError, match="more than the 3000000 bytes"),
    ):
        transfer(url, part, **options)
    assert not part.path.exists()


def test_file_that_states_to_be_too_large_is_not_begun(server, part):
    url = server.add("/map.fits", CONTENT)
    with pytest.raises(IntegrityError, match="more than the 1000 bytes"):
        transfer(url, part, largest=1000)
    transfer(url, part, largest=len(CONTENT))
    assert part.path.read_bytes() == CONTENT


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/x", "HTTP://127.0.0.1:1/x"])
def test_https_is_never_left_for_http(location):
    response = requests.Response()
    response.url, response.status_code = "https://example.org/map.fits", 302
    response.headers["location"] = location
    with new_session() as session:
        with pytest.raises(RemoteDataError, match=r"https://example.org/map.fits leads to .*HTTP"):
            session.get_redirect_target(response)
        response.headers["location"] = "/other"
        assert session.get_redirect_target(response) == "/other"
        response.url = "http://example.org/map.fits"
        response.headers["location"] = location
        assert session.get_redirect_target(response) == location
