"""Runs a connector as its image does: a process of its own, a real socket, SIGTERM at the end.

Imports nothing of the SDK.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_LISTENING = re.compile(r"listening on \S*:(\d+)")
_PATIENCE = 60.0
"""Seconds that a process gets to listen, to answer, and to end."""


@dataclass(frozen=True, slots=True)
class Served:
    """A connector that listens on the loopback address.

    Attributes:
        port: The TCP port.
    """

    port: int

    def post(
        self, body: bytes, path: str = "/", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send a body of JSON; gives the status and the body of the answer.

        Args:
            body: The request's body.
            path: The path, for a connector with a ``route``, and the query.
            headers: Request headers beside ``Content-Type``, such as ``Authorization``.
        """
        json = {"Content-Type": "application/json"}
        return self._send("POST", path, body, {**json, **(headers or {})})

    def get(self, path: str = "/", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Ask for something; gives the status and the body of the answer.

        Args:
            path: The path and the query.
            headers: Request headers.
        """
        return self._send("GET", path, None, {**(headers or {})})

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextlib.contextmanager
def running(module: str, **variables: str) -> Iterator[Served]:
    """Run ``python -m module`` for the length of a ``with`` block, then end it with SIGTERM.

    What the process has said is said again on stdout when it has ended: pytest shows that with a
    test that fails.

    Args:
        module: What is run, such as the name of the connector's package.
        variables: All of its environment, beside ``PORT`` and ``BIND_ADDRESS``.

    Raises:
        AssertionError: It ended before it listened, or did not end with exit code 0 when told to;
            the message has what it logged.
    """
    process = subprocess.Popen(  # noqa: S603  # what a test names is the test's own
        [sys.executable, "-m", module],
        env={**variables, "PORT": "0", "BIND_ADDRESS": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = _Log(process)
    with process:
        try:
            yield Served(log.port())
            process.send_signal(signal.SIGTERM)
            code = process.wait(_PATIENCE)
            assert code == os.EX_OK, log.of_ended(code)  # noqa: S101  # it is for tests
        finally:
            process.kill()
            log.join(_PATIENCE)
            sys.stdout.write(log.text)


class _Log(threading.Thread):
    """Reads what a process says to its end: a pipe that nobody reads would hold it up."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._lines: list[str] = []
        self._ports: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        for line in self._process.stdout or ():
            self._lines.append(line)
            if found := _LISTENING.search(line):
                self._ports.put(int(found[1]))
        self._ports.put(None)

    def port(self) -> int:
        """The port in the line that the server logs when it listens."""
        port = self._ports.get(timeout=_PATIENCE)
        if port is None:
            raise AssertionError(self.of_ended(self._process.wait(_PATIENCE)))
        return port

    @property
    def text(self) -> str:
        """All that the process has said so far."""
        return "".join(self._lines)

    def of_ended(self, code: int) -> str:
        """All that the process has said, and how it ended."""
        self.join(_PATIENCE)
        return f"the process ended with {code}:\n{self.text}"
