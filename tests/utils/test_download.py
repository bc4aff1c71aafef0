"""Cache folder and download, against a server on this machine."""

import hashlib
import http.server
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from szmass._io import transfer
from szmass._io.download import check_sha256, fetch_file, file_sha256
from szmass._utils.paths import cache_folder
from szmass.exceptions import IntegrityError, InvalidInputError, RemoteDataError

CONTENT = b"plain weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(transfer, "_PAUSE", 0.001)


@pytest.fixture
def server(monkeypatch):
    """Serve CONTENT at /good, half of it at /short, and count the requests."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            if self.path not in ("/good", "/short", "/other"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            body = {"/good": CONTENT, "/short": CONTENT[:5000], "/other": CONTENT[::-1]}
            self.wfile.write(body[self.path])

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", requests
        httpd.shutdown()
        thread.join()


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SZMASS_CACHE", str(tmp_path / "a"))
    folder = cache_folder("networks", "x")
    assert folder == tmp_path / "a" / "networks" / "x"
    assert folder.is_dir()


def test_cache_folder_without_variable_is_astropys(tmp_path, monkeypatch):
    monkeypatch.delenv("SZMASS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "szmass").mkdir()
    assert cache_folder().is_dir()
    assert "szmass" in str(cache_folder())


def test_cache_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SZMASS_CACHE", str(tmp_path / "file"))
    with pytest.raises(InvalidInputError, match="SZMASS_CACHE"):
        cache_folder("networks")


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InvalidInputError, match="file' is a file. Choose another"):
            fetch_file("http://localhost/x", "0" * 64, "x", folder=folder)


def test_file_is_fetched_once(server, tmp_path):
    url, requests = server
    for _ in range(2):
        path = fetch_file(f"{url}/good", SHA256, "w.h5", folder=tmp_path / "new")
    assert path == tmp_path / "new" / "w.h5"
    assert path.read_bytes() == CONTENT
    assert requests == ["/good"]


def test_file_goes_to_the_cache_folder(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SZMASS_CACHE", str(tmp_path))
    assert fetch_file(f"{server[0]}/good", SHA256, "w.h5") == tmp_path / "w.h5"


def test_wrong_content_is_not_kept(server, tmp_path):
    with pytest.raises(IntegrityError, match=r"not the one on record.*save it as .*w\.h5"):
        fetch_file(f"{server[0]}/other", SHA256, "w.h5", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_there_is_never_replaced(server, tmp_path):
    url, requests = server
    (tmp_path / "w.h5").write_bytes(b"mine")
    with pytest.raises(IntegrityError, match="damaged or another version. Delete it"):
        fetch_file(f"{url}/good", SHA256, "w.h5", folder=tmp_path)
    assert (tmp_path / "w.h5").read_bytes() == b"mine"
    assert requests == []


@pytest.mark.parametrize("page", ["missing", "short"])
def test_failed_download_says_how_to_do_it_by_hand(server, tmp_path, page):
    with pytest.raises(RemoteDataError, match=r"by hand and save it as .*w\.h5"):
        fetch_file(f"{server[0]}/{page}", SHA256, "w.h5", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_at_the_same_time_fetch_it_once(server, tmp_path):
    url, requests = server
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(fetch_file, f"{url}/good", SHA256, "w.h5", folder=tmp_path)
            for _ in range(4)
        ]
    assert {job.result() for job in jobs} == {tmp_path / "w.h5"}
    assert requests == ["/good"]
    assert [path.name for path in tmp_path.iterdir()] == ["w.h5"]


def test_no_server(tmp_path):
    with pytest.raises(RemoteDataError, match="Check the connection"):
        fetch_file("http://127.0.0.1:9/w.h5", SHA256, "w.h5", folder=tmp_path)


def test_filename_must_be_plain(tmp_path):
    with pytest.raises(InvalidInputError, match="'filename' must be a plain name"):
        fetch_file("http://127.0.0.1:9/x", SHA256, "../w.h5", folder=tmp_path)


def test_sha256(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(CONTENT)
    assert file_sha256(path) == SHA256
    check_sha256(path, SHA256, remedy="")
    with pytest.raises(IntegrityError, match=f"SHA-256 {SHA256} instead of 00: .* Do that"):
        check_sha256(path, "00", remedy="Do that.")
