"""What the tests are made of: a sink with a door to post through, and the official client."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol
from urllib.parse import urlencode

import falcon.testing
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiveMode
from service_bus_emulator import Emulator, Message
from sesam_connector_sdk import ServerSettings, wsgi_app

from azure_service_bus_sink import ServiceBusSettings, ServiceBusSink

PATIENCE = 20.0
"""Seconds after which waiting for something that should have happened is a failure."""

CANARY = "CANARY"
"""What every secret of these tests holds, and every payload that nobody may see.

In the repository that this project is from, all output of each test is searched for it. Alone, the
tests search what the sink's processes write, and what it answers to a request that has failed.
"""

KEY = f"{CANARY}-key"
"""The key of each namespace."""

PASSWORD = f"{CANARY}-password"
GUARDED = {"AUTHENTICATION": "basic", "AUTH_USERNAME": "me", "AUTH_PASSWORD": PASSWORD}
"""Variables with which the sink answers 401 to a request without the password."""

HEADERS = {
    "Content-Type": "application/json",
    "Authorization": "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode(),
}
"""What every request has."""

_SECRET = re.compile(f"{CANARY}|{base64.b64encode(CANARY.encode()).decode()}")

Entities = Iterable[Mapping[str, Any]]
Body = bytes | Entities


def assert_silent(text: str, where: str) -> None:
    """Fail if a text tells a secret, and show nothing but the place.

    Args:
        text: What somebody has written.
        where: What it was written to, for the failure's message.
    """
    if found := _SECRET.search(text):
        line = text.count("\n", 0, found.start()) + 1
        pytest.fail(f"a secret is in line {line} of {where}", pytrace=False)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the hub would see. No error tells a secret.

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

    def __post_init__(self) -> None:
        if self.status >= 400:
            assert_silent(self.text, "an answer")

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
            headers={**HEADERS, "Content-Length": str(len(content)), **headers},
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
    """The environment that a node gives the sink for this emulator; requests need a password.

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
        **GUARDED,
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
        **GUARDED,
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
