"""A server on this machine that serves a few files, and misbehaves where it is told to."""

import contextlib
import http.server
import re
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Page:
    """One file, and how it is served; each list is used up by one request after the other."""

    content: bytes
    etag: str | None = '"1"'
    last_modified: str | None = None
    ranges: bool = True  # whether Range is understood
    if_range: bool = True  # whether If-Range is understood
    length: bool = True  # whether Content-Length is told, or the body sent in chunks
    headers: dict = field(default_factory=dict)
    statuses: list = field(default_factory=list)  # answers instead of the file
    cuts: list = field(default_factory=list)  # bytes after which the connection is closed
    stalls: list = field(default_factory=list)  # seconds of silence after half of the bytes


class FileServer:
    """Serves ``pages``; ``log`` has the path, Range, If-Range and status of each request."""

    def __init__(self):
        self.pages, self.log, self.refusal_headers = {}, [], {}
        handler = type("Handler", (_Handler,), {"files": self})
        self._httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._httpd.server_port}"

    def add(self, path, content, **options):
        """Serve a file, and give its address."""
        self.pages[path] = Page(content, **options)
        return self.url + path

    @contextlib.contextmanager
    def running(self):
        """Serve inside the block."""
        thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._httpd.shutdown()
            thread.join()
            self._httpd.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self):
        with contextlib.suppress(ConnectionError):  # the other side has left
            super().handle()

    def do_GET(self):
        page = self.files.pages.get(self.path)
        if page is None:
            return self._refuse(404)
        if page.statuses and (status := page.statuses.pop(0)) != 200:
            return self._refuse(status)
        total = len(page.content)
        start = self._start(page)
        if start is not None and start >= total:
            self._log(416)
            self.send_response(416)
            self._send_headers(page, 0, {"Content-Range": f"bytes */{total}"})
            return None
        status = 200 if start is None else 206
        body = page.content[start:]
        self._log(status)
        self.send_response(status)
        extra = {} if start is None else {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
        self._send_headers(page, len(body), extra)
        self._send_body(page, body)
        return None

    def _start(self, page):
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match is None or not page.ranges:
            return None
        condition = self.headers.get("If-Range")
        if page.if_range and condition not in (None, page.etag, page.last_modified):
            return None
        return int(match.group(1))

    def _send_headers(self, page, length, extra):
        if page.length:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        for name, value in (("ETag", page.etag), ("Last-Modified", page.last_modified)):
            if value is not None:
                self.send_header(name, value)
        for name, value in {**page.headers, **extra}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, page, body):
        cut = page.cuts.pop(0) if page.cuts else None
        stall = page.stalls.pop(0) if page.stalls else None
        if stall is not None:
            self.wfile.write(body[: len(body) // 2])
            time.sleep(stall)
            cut = 0
        elif page.length:
            self.wfile.write(body[:cut])
        else:
            self.wfile.write(f"{len(body):x}\r\n".encode() + body[:cut])
            if cut is None:
                self.wfile.write(b"\r\n0\r\n\r\n")
        if cut is not None:
            self.close_connection = True

    def _refuse(self, status):
        self._log(status)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        for name, value in self.files.refusal_headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _log(self, status):
        self.files.log.append(
            (self.path, self.headers.get("Range"), self.headers.get("If-Range"), status)
        )

    def log_message(self, *args):
        pass
