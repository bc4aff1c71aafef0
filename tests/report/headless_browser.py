"""A headless Chromium, driven over a pipe: no port, no further package."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from queue import Empty, Queue

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TIMEOUT = 60


def find_browser():
    """Give the path of a browser, or skip the test."""
    named = os.environ.get("SZMASS_TEST_BROWSER")
    for name in [named] if named else NAMES:
        path = shutil.which(name)
        if path:
            return path
    pytest.skip("no Chromium was found; install one or name it with SZMASS_TEST_BROWSER")


class Browser:
    """One page of a browser that may open nothing but files.

    All requests, messages of the console and uncaught errors are kept.
    """

    def __init__(self, path, width=1280, height=900, dark=False):
        self.requests, self.messages = [], []
        self._answers, self._events, self._number = {}, Queue(), 0
        self._profile = tempfile.mkdtemp()
        (ours_out, theirs_in), (theirs_out, ours_in) = os.pipe()[::-1], os.pipe()[::-1]
        theirs = (theirs_in, theirs_out)

        def attach():
            # The browser reads from descriptor 3 and writes to 4.
            high = [os.dup2(fd, 10 + i) for i, fd in enumerate(theirs)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [
                path, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={self._profile}",
                "--hide-scrollbars", f"--window-size={width},{height}", "about:blank",
            ],
            preexec_fn=attach, close_fds=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for fd in theirs:
            os.close(fd)
        self._out, self._in = os.fdopen(ours_out, "wb", 0), os.fdopen(ours_in, "rb", 0)
        self._session, self._arrived = None, threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def _listen(self):
        rest = b""
        while True:
            block = self._in.read(1 << 16)
            if not block:
                return
            *messages, rest = (rest + block).split(b"\0")
            for message in map(json.loads, messages):
                self._receive(message)

    def _receive(self, message):
        with self._arrived:
            if "id" in message:
                self._answers[message["id"]] = message
                self._arrived.notify_all()
                return
        method, params = message["method"], message["params"]
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.messages.append(" ".join(str(a.get("value")) for a in params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.messages.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.messages.append(params["entry"]["text"])
        elif method == "Page.loadEventFired":
            self._events.put(method)

    def call(self, method, **params):
        """Call the DevTools protocol and wait for the answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        with self._arrived:
            if not self._arrived.wait_for(lambda: message["id"] in self._answers, TIMEOUT):
                raise TimeoutError(f"{method} was not answered")
            answer = self._answers.pop(message["id"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _wait_for_load(self):
        try:
            self._events.get(timeout=TIMEOUT)
        except Empty:
            raise TimeoutError("the page was not loaded") from None

    @contextlib.contextmanager
    def loading(self):
        """Wait until what the block does has loaded another page."""
        while not self._events.empty():
            self._events.get()
        yield
        self._wait_for_load()

    def open(self, path, fragment=""):
        """Open a file, or an address that begins with "about:"."""
        about = str(path).startswith("about:")
        url = str(path) if about else Path(path).resolve().as_uri()
        with self.loading():
            self.call("Page.navigate", url=url + fragment)

    def run(self, script):
        """Evaluate JavaScript and give its value."""
        result = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def until(self, script):
        """Wait until JavaScript gives something true."""
        end = time.monotonic() + TIMEOUT
        while not (value := self.run(script)):
            if time.monotonic() > end:
                raise TimeoutError(f"never true: {script}")
            time.sleep(0.02)
        return value

    def press(self, key):
        """Press and release a key."""
        codes = {"Enter": 13, "Tab": 9, "ArrowRight": 39, " ": 32}
        text = {"Enter": "\r", " ": " "}.get(key, "")
        common = {"key": key, "windowsVirtualKeyCode": codes[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, path, whole=False):
        """Write a picture of the page."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **(
            {"clip": {**self.call("Page.getLayoutMetrics")["cssContentSize"], "scale": 1}}
            if whole else {}
        ))  # fmt: skip
        Path(path).write_bytes(base64.b64decode(taken["data"]))

    def close(self):
        """End the browser."""
        with contextlib.suppress(Exception):
            self._session = None
            self.call("Browser.close")
        self._out.close()
        self._process.wait(TIMEOUT)
        self._listener.join(TIMEOUT)
        self._in.close()
        shutil.rmtree(self._profile, ignore_errors=True)
