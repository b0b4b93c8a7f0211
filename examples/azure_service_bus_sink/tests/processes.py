"""The sink as a process of its own: started, watched, posted to and ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import IO
from urllib.parse import urlencode

from .support import HEADERS, PATIENCE, Answer, Body, assert_silent, encoded, eventually

_COMPLAINT = re.compile(r"py\.warnings|an error that nobody can catch|the thread \S+ ended")
"""A warning, such as of a socket left open, and what has ended where nobody could catch it."""


def complaints_in(lines: Iterable[str]) -> list[str]:
    """The lines of a log in which Python complains."""
    return [line for line in lines if _COMPLAINT.search(line)]


class _Lines(threading.Thread):
    """Collects the lines of a stream, and lets others wait for one."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._changed = threading.Condition()
        self._ended = False
        self.lines: list[str] = []
        self.start()

    def run(self) -> None:
        for line in self._stream:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def find(self, pattern: str) -> re.Match[str] | None:
        return next((m for line in self.lines if (m := re.search(pattern, line))), None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self.find(pattern), PATIENCE)
            found = self.find(pattern)
        assert found, f"no line like {pattern!r} in:\n" + "\n".join(self.lines)
        return found

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class SinkProcess:
    """`python -m azure_service_bus_sink` in development mode, which reports every open socket.

    Args:
        environment: The variables a node would set; nothing else of the test's own gets through.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-m", "azure_service_bus_sink"],
            env={**_inherited(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out = _Lines(self._process.stdout)
        self._err = _Lines(self._process.stderr)
        self.port = 0

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written to stdout."""
        return self._out.text

    @property
    def complaints(self) -> str:
        """Refused settings, on stderr, and what Python has to complain of, in lines of the log."""
        return "\n".join([*self._err.lines, *complaints_in(self._out.lines)])

    def listen(self) -> SinkProcess:
        """Wait until it says that it listens."""
        found = self._out.wait_for(r"listening on \S+:(\d+)$")
        self.port = int(found[1])
        return self

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Wait for a line of the log."""
        return self._out.wait_for(pattern)

    def post(
        self, path: str, body: Body, query: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        """Send one batch as the hub does."""
        target = f"{path}?{urlencode(query)}" if query else path
        return self._request("POST", target, encoded(body), {**HEADERS, **headers})

    def get(self, path: str) -> Answer:
        """Ask for a path."""
        return self._request("GET", path, None, HEADERS)

    def _request(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            text = response.read().decode()
        pairs = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, pairs, text, time.monotonic() - began)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait_for_drain(self) -> None:
        """Wait until it takes no further connections."""
        eventually(self._refuses, "no connections are taken any more")

    def _refuses(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE).close()
        except ConnectionError:
            return True
        return False

    def wait(self) -> int:
        """Wait for the end of the process and return its exit code."""
        code = self._process.wait(PATIENCE)
        for lines in (self._out, self._err):
            lines.join(PATIENCE)
        return code

    def close(self) -> None:
        """End it, whatever it does, and let go of its pipes."""
        self._process.kill()
        self.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        assert_silent(self._out.text, "the sink's stdout")
        assert_silent(self._err.text, "the sink's stderr")


def _inherited() -> dict[str, str]:
    """What a process needs to start at all, and to have its coverage measured."""
    kept = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR")
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith("COVERAGE")
    }


@contextlib.contextmanager
def started(environment: Mapping[str, str]) -> Iterator[SinkProcess]:
    """A listening sink process, which may end as it likes.

    Args:
        environment: Its variables; the port is a free one unless they say otherwise.
    """
    made = SinkProcess({"PORT": "0", "BIND_ADDRESS": "127.0.0.1", **environment})
    try:
        yield made.listen()
    finally:
        made.close()


@contextlib.contextmanager
def process(environment: Mapping[str, str]) -> Iterator[SinkProcess]:
    """A listening sink process, which must end well and must not have leaked anything.

    Args:
        environment: As for ``started``.
    """
    with started(environment) as made:
        yield made
        made.terminate()
        assert made.wait() == 0, made.log
        assert made.complaints == "", made.complaints
