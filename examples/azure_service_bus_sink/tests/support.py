"""What the tests are made of: a sink with a door to post through, and the official client."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Protocol
from urllib.parse import urlencode

import falcon.testing
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiveMode
from service_bus_emulator import Emulator, Message
from sesam_connector_sdk import ServerSettings, wsgi_app

from azure_service_bus_sink import ServiceBusSettings, ServiceBusSink

PATIENCE = 20.0
"""Seconds after which waiting for something that should have happened is a failure."""

JSON = {"Content-Type": "application/json"}
Entities = Iterable[Mapping[str, Any]]
Body = bytes | Entities


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the hub would see.

    Attributes:
        status: The HTTP status.
        headers: Response headers, names in lower case.
        text: The body.
        seconds: How long it took.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The body, decoded."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def named(self) -> list[str]:
        """The `_id` of each entity that the answer names."""
        return [each["_id"] for each in self.document.get("entities", [])]


class Door(Protocol):
    """A sink that can be posted to: a process of its own, or one in the test's process."""

    def post(self, path: str, body: Body, query: Mapping[str, str] = ..., **headers: str) -> Answer:
        """Send one batch as the hub does."""


def encoded(body: Body) -> bytes:
    """The request's body: bytes as they are, entities as JSON."""
    return body if isinstance(body, bytes) else json.dumps(list(body)).encode()


class LocalSink:
    """A sink in the test's own process, behind the SDK's WSGI application.

    Args:
        sink: The sink, opened.
        settings: The server's limits.
    """

    def __init__(self, sink: ServiceBusSink, settings: ServerSettings) -> None:
        self.sink = sink
        self.settings = settings
        self._app = wsgi_app(sink, settings=settings)

    def post(
        self, path: str, body: Body, query: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        """Send one batch as the hub does."""
        content = encoded(body)
        environ = falcon.testing.create_environ(
            method="POST",
            path=path,
            query_string=urlencode(query or {}),
            headers={**JSON, "Content-Length": str(len(content)), **headers},
        )
        environ["wsgi.input"] = io.BytesIO(content)  # seekable, as waitress hands it over
        found: list[tuple[str, list[tuple[str, str]]]] = []

        def start(
            status: str, pairs: list[tuple[str, str]], *_error: object
        ) -> Callable[[bytes], object]:
            found.append((status, pairs))
            return len  # nobody writes in this old way

        began = time.monotonic()
        answered = b"".join(self._app(environ, start))
        status, pairs = found[0]
        return Answer(
            int(status.split()[0]),
            {name.lower(): value for name, value in pairs},
            answered.decode(),
            time.monotonic() - began,
        )


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
        """What it has written to stderr: refused settings, and Python's own warnings."""
        return self._err.text

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
        return self._request("POST", target, encoded(body), {**JSON, **headers})

    def get(self, path: str) -> Answer:
        """Ask for a path."""
        return self._request("GET", path, None, {})

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


_CLOSERS = ThreadPoolExecutor(4)
CLOSING: list[Future[None]] = []
"""Sinks being closed, which takes the client up to a second each: nobody waits for it in between.

The end of the run does, and fails if one failed.
"""


@contextlib.contextmanager
def local(environment: Mapping[str, str]) -> Iterator[LocalSink]:
    """A sink in this process.

    Args:
        environment: The variables a node would set.
    """
    sink = ServiceBusSink(ServiceBusSettings.from_env(environment))
    sink.open()
    try:
        yield LocalSink(sink, ServerSettings.from_env(environment))
    finally:
        CLOSING.append(_CLOSERS.submit(sink.close))


class Arrivals:
    """Counts what the emulator stores, and lets a test wait for it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()

    def __call__(self, entity: str, _message: Message) -> None:
        """Take note of one message; called by the emulator."""
        with self._changed:
            self._counts[entity.lower()] += 1
            self._changed.notify_all()

    def wait_for(self, entity: str, count: int) -> None:
        """Wait until so many messages were stored in an entity."""
        name = entity.lower()
        with self._changed:
            arrived = self._changed.wait_for(lambda: self._counts[name] >= count, PATIENCE)
        assert arrived, f"{self._counts[name]} of {count} messages arrived in {entity}"


def variables(emulator: Emulator, **more: str) -> dict[str, str]:
    """The environment that a node gives the sink for this emulator.

    Args:
        emulator: Stands for the namespace.
        more: Further variables; an empty one takes the default away.
    """
    return {
        "SERVICE_NAMESPACE": emulator.address,
        "SERVICE_SAS_TOKEN_NAME": emulator.key_name,
        "SERVICE_SAS_TOKEN_VALUE": emulator.key,
        "SEND_TIMEOUT": "10",
        "MAX_DESTINATIONS": "200",
        **more,
    }


def by_connection_string(emulator: Emulator, suffix: str = "", **more: str) -> dict[str, str]:
    """The environment with a connection string in place of the SERVICE_ variables.

    Args:
        emulator: Stands for the namespace.
        suffix: Put behind the connection string.
        more: Further variables.
    """
    return {
        "CONNECTION_STRING": emulator.connection_string + suffix,
        "SEND_TIMEOUT": "10",
        **more,
    }


def receive(emulator: Emulator, queue: str, count: int) -> list[ServiceBusReceivedMessage]:
    """Receive with the official client until there are so many, and no more are left.

    Args:
        emulator: Stands for the namespace.
        queue: Name of a queue, or `topic/subscription`.
        count: How many messages to expect.
    """
    with ServiceBusClient.from_connection_string(emulator.connection_string) as client:
        options: dict[str, Any] = {
            "receive_mode": ServiceBusReceiveMode.RECEIVE_AND_DELETE,
            "keep_alive": 0,
        }
        topic, _, subscription = queue.partition("/Subscriptions/")
        receiver = (
            client.get_subscription_receiver(topic, subscription, **options)
            if subscription
            else client.get_queue_receiver(queue, **options)
        )
        with receiver:
            found: list[ServiceBusReceivedMessage] = []
            while len(found) < count:
                more = receiver.receive_messages(count - len(found), max_wait_time=PATIENCE)
                assert more, f"{len(found)} of {count} messages received"
                found += more
    assert emulator.messages(queue) == []
    return found


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """The body of a received message."""
    return b"".join(message.body)


def bodies(emulator: Emulator, queue: str) -> list[bytes]:
    """The bodies of the messages in a queue, in order."""
    return [message.body for message in emulator.messages(queue)]


def ids(emulator: Emulator, queue: str) -> list[str]:
    """The message ids in a queue, in order."""
    return [str(message.message_id) for message in emulator.messages(queue)]


def items(raw: Sequence[bytes]) -> bytes:
    """A request's body, from the bytes of its entities."""
    return b"[" + b",".join(raw) + b"]"


def eventually(condition: Callable[[], Any], what: str) -> None:
    """Look until something is so, for as long as it is reasonable to wait.

    Args:
        condition: Says whether it is so.
        what: What was waited for, for the failure's message.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        threading.Event().wait(0.01)


TABLE = pytest.StashKey[list[tuple[str, str, str, str, str]]]()
"""Rows that the run prints at its end: fault, request, status, seconds, messages."""
