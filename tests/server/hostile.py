"""What the hostile tests share: answers to the last byte, drippers, processes with their log."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.server.waitress_server import WaitressServer
from tests.notes import PATIENCE_SECONDS
from tests.wire import CANARY, Client, Reply, assert_silent, eventually, read_reply

NOTES = Path(__file__).resolve().parent.parent / "notes.py"
GOOD = b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n"


def everything(client: Client, request: bytes) -> bytes:
    """All that a server sends until it ends the connection, which nobody else ends."""
    with client.connect() as connection:
        connection.sendall(request)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """All that still comes, until the end of the connection, however it ends."""
    came = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while piece := connection.recv(65536):
            came += piece
    return came


def problem(came: bytes) -> dict[str, Any]:
    """The one answer in all that came, which has to be a problem document that closes."""
    assert len(re.findall(rb"HTTP/1\.[01] \d", came)) == 1, came
    head, _, body = came.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    assert "content-type: application/problem+json" in lines
    assert "connection: close" in lines
    assert f"content-length: {len(body)}" in lines
    document: dict[str, Any] = json.loads(body)
    assert lines[0].split(" ")[1] == str(document["status"])
    assert set(document) == {"type", "title", "status", "detail", "advice"}
    assert document["type"].startswith("urn:sesam-connector:")
    return document


class Served:
    """A server in a thread, around an application that waits at a gate when told to.

    ``/gate`` waits until the gate opens, ``/big`` streams megabytes, all else is answered at once
    with the size of its body.
    """

    def __init__(self, **settings: Any) -> None:
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        self.pieces = 64
        # What a failed test leaves half done does not delay the next one.
        own: dict[str, Any] = {"port": 0, "bind_address": "127.0.0.1", "drain_timeout": 1.0}
        chosen = ServerSettings(**(own | settings))
        self.server = WaitressServer(self.app, chosen)
        host, port = self.server.address.split(":")
        self.client = Client(host, int(port))
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def app(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterator[bytes] | list[bytes]:
        """Any WSGI application."""
        if environ["PATH_INFO"] == "/big":
            start_response("200 OK", [])
            return (b"x" * 2**20 for _ in range(self.pieces))
        if environ["PATH_INFO"] == "/gate":
            self.begun.release()
            self.gate.wait(PATIENCE_SECONDS)
        size = str(len(environ["wsgi.input"].read())).encode()
        start_response("200 OK", [("Content-Length", str(len(size)))])
        return [size]

    def at_the_gate(self) -> socket.socket:
        """A connection whose request occupies a thread until the gate opens."""
        connection = self.client.connect()
        connection.sendall(b"GET /gate HTTP/1.1\r\nHost: x\r\n\r\n")
        assert self.begun.acquire(timeout=PATIENCE_SECONDS)
        return connection

    def waiting(self, tasks: int) -> None:
        """Wait until so many requests wait for a thread."""
        queue = self.server._server.task_dispatcher.queue
        eventually(lambda: len(queue) == tasks, f"{tasks} requests wait for a thread")

    def arrived(self, held: int) -> None:
        """Wait until the server holds so many bytes of bodies."""
        inside = self.server._server
        eventually(
            lambda: inside.max_buffered - inside.room() == held, f"the server holds {held} bytes"
        )

    def stop(self) -> None:
        """Open the gate and end."""
        self.gate.set()
        self.server.stop()
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def served(**settings: Any) -> Iterator[Served]:
    """A server that ends with the block."""
    made = Served(**settings)
    try:
        yield made
    finally:
        made.stop()


def good(client: Client) -> Reply:
    """A request that nothing is wrong with."""
    return client.raw(GOOD)


@contextlib.contextmanager
def dripping(
    client: Client, count: int, *starts: bytes, drop: bytes = b"x"
) -> Iterator[list[socket.socket]]:
    """Connections on each of which a drop arrives now and then; those that ended are closed."""
    open_ones = [client.connect() for _ in range(count)]
    over = threading.Event()

    def drip() -> None:
        for at, connection in enumerate(list(open_ones)):
            connection.sendall(starts[at % len(starts)])
        while not over.wait(0.05):  # the pace of the drops
            for connection in list(open_ones):
                if dropped(connection, drop):
                    open_ones.remove(connection)
                    connection.close()

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield open_ones
    finally:
        over.set()
        thread.join(PATIENCE_SECONDS)
        for each in open_ones:
            each.close()


def dropped(connection: socket.socket, drop: bytes) -> bool:
    """Send a little, and say whether the connection was no longer there."""
    try:
        connection.send(drop)
    except OSError:
        return True
    return False


@dataclass
class Process:
    """A connector in a process of its own; its output goes to files, so no pipe ever fills."""

    running: subprocess.Popen[bytes]
    folder: Path
    replies: list[Reply] = field(default_factory=list)

    def output(self) -> str:
        """Everything on stdout and stderr so far."""
        return "".join((self.folder / name).read_text() for name in ("stdout", "stderr"))

    def listening(self) -> Client:
        """Wait until it listens."""

        def address() -> re.Match[str] | None:
            assert self.running.poll() is None, self.output()
            return re.search(r"listening on ([\d.]+):(\d+)[\"\n]", self.output())

        found = eventually(address, "it listens")
        return Client(found[1], int(found[2]))

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        """Wait for its end, after a signal if one is given."""
        if number is not None:
            self.running.send_signal(number)
        return self.running.wait(PATIENCE_SECONDS)


@contextlib.contextmanager
def process(folder: Path, command: Sequence[str] = (), **variables: str) -> Iterator[Process]:
    """A connector that is gone after the block.

    Args:
        folder: For its output; made here.
        command: What Python runs; a class of ``notes.py`` if it is one word.
        variables: Its environment, beside what Python itself needs.
    """
    folder.mkdir()
    inherited = {
        name: text
        for name, text in os.environ.items()
        if name in {"PATH", "PYTHONPATH"} or name.startswith("COVERAGE_")
    }
    own = {"PORT": "0", "BIND_ADDRESS": "127.0.0.1", "NOTES_FILE": str(folder / "notes")}
    if "NOTES_TOKEN_FILE" not in variables:
        own["NOTES_TOKEN"] = f"{CANARY}-token"
    words = (str(NOTES), *command) if len(command) < 2 else command
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        running = subprocess.Popen(
            (sys.executable, "-u", *words), stdout=out, stderr=err, env=inherited | own | variables
        )
    made = Process(running, folder)
    with running:
        try:
            yield made
        finally:
            running.kill()
    for name in ("stdout", "stderr"):
        assert_silent((folder / name).read_text(), f"the {name} of {' '.join(words)}")


def upload(client: Client, length: int, sent: int, path: str = "/") -> socket.socket:
    """A connection on which a body of a declared length has begun to arrive."""
    connection = client.connect()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + b"x" * sent)
    return connection


def finish(connection: socket.socket, rest_of_body: int) -> Reply:
    """Send the rest, and read the answer."""
    with connection:
        connection.sendall(b"x" * rest_of_body)
        return read_reply(connection)
