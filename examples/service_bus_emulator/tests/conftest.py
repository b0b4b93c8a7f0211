"""Fixtures: an emulator per module, official clients, and waiting for something with a deadline."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusReceiver,
    ServiceBusSender,
    _servicebus_receiver,
    _servicebus_sender,
)
from azure.servicebus._pyamqp import client as pyamqp_client

from service_bus_emulator import Emulator, core, server

CANARY = "CANARY"
"""What every key of the tests holds, and payloads. No output of a test may tell it.

In the repository that this project is from, each test is searched for it. Alone, the tests search
what they have read of processes, and the log of the emulator.
"""

_Handler = TypeVar("_Handler", ServiceBusSender, ServiceBusReceiver)
Eventually = Callable[[Callable[[], Any]], Any]
Forward = Callable[[Emulator, float], None]


class Clients:
    """Official clients without retries, closed at the end of the test (or module)."""

    def __init__(self, stack: ExitStack) -> None:
        """Close what is opened with this stack."""
        self._stack = stack

    def client(self, connection_string: str, **options: Any) -> ServiceBusClient:
        """Return a client that does not retry unless told to."""
        options = {"retry_total": 0, **options}
        made = ServiceBusClient.from_connection_string(connection_string, **options)
        return self._stack.enter_context(made)

    def sender(self, emulator: Emulator, queue: str, **options: Any) -> ServiceBusSender:
        """Return an open sender to a queue."""
        client = self.client(emulator.connection_string, **options)
        return self.open(client.get_queue_sender(queue, keep_alive=0))

    def topic_sender(self, emulator: Emulator, topic: str) -> ServiceBusSender:
        """Return an open sender to a topic."""
        client = self.client(emulator.connection_string)
        return self.open(client.get_topic_sender(topic, keep_alive=0))

    def receiver(self, emulator: Emulator, queue: str, **options: Any) -> ServiceBusReceiver:
        """Return an open receiver from a queue."""
        client = self.client(emulator.connection_string)
        return self.open(client.get_queue_receiver(queue, keep_alive=0, **options))

    def subscriber(self, emulator: Emulator, topic: str, name: str) -> ServiceBusReceiver:
        """Return an open receiver from a subscription."""
        client = self.client(emulator.connection_string)
        return self.open(client.get_subscription_receiver(topic, name, keep_alive=0))

    def open(self, handler: _Handler) -> _Handler:
        """Open a sender or receiver, and close it at the end."""
        # The client stays half open when opening fails: close it in any case.
        self._stack.callback(handler.close)
        handler.__enter__()
        return handler


@pytest.fixture(scope="session")
def canary() -> str:
    """Return the word that no output may tell."""
    return CANARY


@pytest.fixture(autouse=True, scope="session")
def secret_keys() -> Iterator[None]:
    """Have the word in every key that an emulator of these tests makes for itself."""
    make = secrets.token_urlsafe
    told = SimpleNamespace(token_urlsafe=lambda size: f"{CANARY}-{make(size)}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "secrets", told)
        yield


@pytest.fixture(scope="session")
def assert_silent() -> Callable[[str, str], None]:
    """Return a function that fails if a text tells the word, and shows nothing but the place."""

    def search(text: str, where: str) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            if CANARY in line:
                pytest.fail(f"a secret is in line {number} of {where}", pytrace=False)

    return search


@pytest.fixture(autouse=True, scope="session")
def impatient_client() -> Iterator[None]:
    """Let the official client look for answers every 2 ms while it opens, instead of every 50.

    It takes half a second to open otherwise, almost all of it asleep. Nothing else is changed.
    """

    class Impatient:
        def __getattr__(self, name: str) -> Any:
            return getattr(time, name)

        def sleep(self, seconds: float) -> None:
            time.sleep(min(seconds, 0.002))

    with pytest.MonkeyPatch.context() as patch:
        for module in (_servicebus_sender, _servicebus_receiver, pyamqp_client):
            patch.setattr(module, "time", Impatient())
        yield


@pytest.fixture(autouse=True, scope="session")
def closed_sockets() -> Iterator[None]:
    """Close the sockets that the official client leaves open when the server hangs up first."""
    connect, made = socket.create_connection, []

    def remember(*arguments: Any, **options: Any) -> socket.socket:
        made.append(connect(*arguments, **options))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", remember)
        yield
    for each in made:
        each.close()


@pytest.fixture
def clients() -> Iterator[Clients]:
    """Official clients for one test."""
    with ExitStack() as stack:
        yield Clients(stack)


@pytest.fixture(scope="module")
def module_clients() -> Iterator[Clients]:
    """Official clients shared by the tests of a module."""
    with ExitStack() as stack:
        yield Clients(stack)


@pytest.fixture
def eventually() -> Eventually:
    """Return a function that polls until its argument returns something true, for 10 seconds."""

    def poll(condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 10
        while not (result := condition()):
            assert time.monotonic() < deadline, "waited ten seconds in vain"
            time.sleep(0.005)
        return result

    return poll


@pytest.fixture
def forward(monkeypatch: pytest.MonkeyPatch) -> Forward:
    """Return a function that puts the clock of an emulator forward, and waits for what is due then.

    How long a test itself takes then decides nothing, on a machine however slow. Of the clients'
    clocks nothing is changed.
    """
    ahead = 0.0

    def put(emulator: Emulator, seconds: float) -> None:
        nonlocal ahead
        ahead += seconds
        monkeypatch.setattr(core, "now", lambda: time.time() + ahead)
        monkeypatch.setattr(emulator._loop, "time", lambda: time.monotonic() + ahead)
        # Wakes the loop, which looks what is due before it answers.
        emulator._call(lambda: None)

    return put
