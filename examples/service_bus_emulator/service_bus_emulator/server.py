"""The emulator as a whole: `Emulator` for asyncio, `running` for everybody else.

Belongs here: starting, stopping, and the thread-safe way to look inside. Imports everything
below it; imported by `cli` and the package itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from service_bus_emulator.broker import Broker, Topic
from service_bus_emulator.connection import Connection
from service_bus_emulator.core import Access, Core, LoopClock
from service_bus_emulator.faults import Fault
from service_bus_emulator.message import Message
from service_bus_emulator.specs import QueueSpec, TopicSpec

DEFAULT_KEY_NAME = "RootManageSharedAccessKey"
START_TIMEOUT = 10.0
"""Seconds a call from another thread waits for the emulator's loop."""

ACCEPTING_TURNS = 5

_T = TypeVar("_T")


@dataclass(frozen=True)
class Stats:
    """What happened to an entity so far, and what is connected to it now.

    Attributes:
        transfers_received: Complete AMQP transfers, each a message or a batch, also refused ones.
        messages_accepted: Messages taken, with those of batches, duplicates and discarded ones.
        messages_stored: Messages kept when they came in.
        messages_discarded: Messages counted only, because the entity discards.
        duplicates_dropped: Messages whose id was seen before.
        connections_open: Connections with an open link to the entity.
        connections_total: Connections that ever had one.
        links_open: Links to the entity now.
        links_total: Links to the entity ever attached.
    """

    transfers_received: int
    messages_accepted: int
    messages_stored: int
    messages_discarded: int
    duplicates_dropped: int
    connections_open: int
    connections_total: int
    links_open: int
    links_total: int


class Emulator:
    """An Azure Service Bus namespace in this process.

    Use it as an asynchronous context manager, or let `running` give it a thread of its own. All
    methods may be called from any thread; from the event loop's own they do not wait.

    ```python
    async with Emulator(queues=["orders"]) as emulator:
        client = ServiceBusClient.from_connection_string(emulator.connection_string)
    ```
    """

    def __init__(
        self,
        *,
        queues: Sequence[str | QueueSpec] = (),
        topics: Sequence[str | TopicSpec] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        key_name: str = DEFAULT_KEY_NAME,
        key: str | None = None,
        accept_jwt: bool = False,
        create_on_demand: bool = False,
        idle_timeout: float = 240.0,
        on_stored: Callable[[str, Message], None] | None = None,
    ) -> None:
        """Describe a namespace; nothing listens before it is entered.

        Args:
            queues: Names of queues, or what they are to be like.
            topics: Names of topics, or what they are to be like.
            host: The address to listen on. Anything but loopback lets others in.
            port: The port to listen on; 0 lets the system choose.
            key_name: The name of the shared access key.
            key: The shared access key; None makes a random one.
            accept_jwt: Whether any other token than a shared access signature is accepted.
            create_on_demand: Whether using an unknown name creates a queue.
            idle_timeout: Seconds without a byte after which a connection is closed.
            on_stored: Called, in the event loop's thread, with the entity's path for every
                message stored.

        Raises:
            ValueError: A name is not allowed or given twice, or a limit makes no sense.
        """
        specs: list[QueueSpec | TopicSpec] = []
        specs += [QueueSpec(queue) if isinstance(queue, str) else queue for queue in queues]
        specs += [TopicSpec(topic) if isinstance(topic, str) else topic for topic in topics]
        self.host = host
        self._port = port
        self._access = Access(key_name, key or secrets.token_urlsafe(32), accept_jwt)
        broker = Broker(specs, LoopClock(), create_on_demand=create_on_demand, on_stored=on_stored)
        self._core = Core(broker, self._access, idle_timeout)
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id: int | None = None

    def __repr__(self) -> str:
        """Name the address and whether it listens; never the key."""
        state = "listening" if self._server is not None else "stopped"
        return f"<Emulator {self.address} {state}>"

    # --- life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Emulator:
        """Listen.

        Raises:
            OSError: The port is taken, or the host is not ours.
        """
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._server = await self._loop.create_server(
            lambda: Connection(self._core, self._connections),
            self.host,
            self._port,
            reuse_address=True,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening and close every connection."""
        server, self._server = self._server, None
        if server is not None:
            await _stop_accepting(server)
            server.close()
            while self._connections:
                for connection in list(self._connections):
                    connection.drop()
                await asyncio.sleep(0)
            await server.wait_closed()
        self._loop = self._thread_id = None

    # --- where it is ----------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port it listens on (0 before it does, if the system is to choose)."""
        return self._port

    @property
    def address(self) -> str:
        """Host and port, e.g. `127.0.0.1:5672`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def key_name(self) -> str:
        """The name of the shared access key."""
        return self._access.key_name

    @property
    def key(self) -> str:
        """The shared access key."""
        return self._access.key

    @property
    def connection_string(self) -> str:
        """What the official clients connect with; it contains the key."""
        return (
            f"Endpoint=sb://{self.address};SharedAccessKeyName={self.key_name};"
            f"SharedAccessKey={self.key};UseDevelopmentEmulator=true"
        )

    # --- inside ---------------------------------------------------------------------------------

    def inject(self, entity: str, fault: Fault) -> None:
        """Have a fault on an entity; it takes its place behind those injected before.

        Args:
            entity: Name of a queue or topic, or path of a subscription.
            fault: One of `service_bus_emulator.faults`. Those called `...Idle` happen at once.

        Raises:
            UnknownEntityError: There is no such entity.
        """
        self._call(lambda: self._core.inject(entity, fault))

    def clear_faults(self, entity: str) -> None:
        """Forget the faults of an entity that did not happen yet.

        Raises:
            UnknownEntityError: There is no such entity.
        """
        self._call(lambda: self._core.clear_faults(entity))

    def messages(self, entity: str) -> list[Message]:
        """Return the messages in a queue, by sequence number: active, locked and scheduled.

        Args:
            entity: Name of a queue, or path of a subscription (`topic/Subscriptions/name`) or of
                a dead-letter queue (`queue/$DeadLetterQueue`).

        Raises:
            UnknownEntityError: There is no such entity.
            ValueError: The entity is a topic, which keeps no messages.
        """
        return self._call(lambda: self._messages(entity))

    def _messages(self, entity: str) -> list[Message]:
        found = self._core.broker.find(entity)
        if isinstance(found, Topic):
            raise ValueError(f"the topic {entity!r} keeps no messages; ask for its subscriptions")
        return found.messages()

    def stats(self, entity: str) -> Stats:
        """Return what happened to an entity so far, and what is connected to it.

        Raises:
            UnknownEntityError: There is no such entity.
        """
        return self._call(lambda: self._stats(entity))

    def _stats(self, entity: str) -> Stats:
        found = self._core.broker.find(entity)
        connected = self._core.connections_open(found.path.lower())
        return Stats(**vars(found.counters), connections_open=connected)

    def _call(self, function: Callable[[], _T]) -> _T:
        """Run a function in the loop's thread and wait for it; directly if nothing runs."""
        loop = self._loop
        if loop is None or self._thread_id == threading.get_ident():
            return function()

        async def call() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), loop).result(START_TIMEOUT)


async def _stop_accepting(server: asyncio.Server) -> None:
    """Accept nothing more, and let what was accepted just now become a connection.

    Python 3.11 loses a connection that is accepted in the very turn in which its server closes.
    """
    loop = asyncio.get_running_loop()
    for sock in server.sockets:
        with contextlib.suppress(NotImplementedError):  # not on Windows, where it is not needed
            loop.remove_reader(sock.fileno())
    for _ in range(ACCEPTING_TURNS):
        await asyncio.sleep(0)


@contextlib.contextmanager
def running(
    *,
    queues: Sequence[str | QueueSpec] = (),
    topics: Sequence[str | TopicSpec] = (),
    port: int = 0,
    **options: Any,  # noqa: ANN401 -- passed on to Emulator, which declares them
) -> Iterator[Emulator]:
    """Run an emulator in a thread of its own, for as long as the context lasts.

    Leaving the context closes every connection and frees the port; the same port can be used
    again at once.

    Args:
        queues: As for `Emulator`.
        topics: As for `Emulator`.
        port: As for `Emulator`.
        options: Any other argument of `Emulator`.

    Yields:
        The emulator, listening.

    Raises:
        OSError: The port is taken.
        ValueError: As for `Emulator`.
    """
    emulator = Emulator(queues=queues, topics=topics, port=port, **options)
    thread = _ServerThread(emulator)
    thread.start()
    thread.ready.wait()
    try:
        if thread.error is not None:
            raise thread.error
        yield emulator
    finally:
        thread.stop()


class _ServerThread(threading.Thread):
    """The thread of one emulator, with its own event loop."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(name="service-bus-emulator", daemon=True)
        self.ready = threading.Event()
        self.error: BaseException | None = None
        self._emulator = emulator
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # handed to the thread that waits
            self.error = error
        finally:
            self.ready.set()

    async def _serve(self) -> None:
        self._stopped, self._loop = asyncio.Event(), asyncio.get_running_loop()
        async with self._emulator:
            self.ready.set()
            await self._stopped.wait()

    def stop(self) -> None:
        """Stop the emulator and wait for the thread to end."""
        if self._loop is not None and self._stopped is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopped.set)
        self.join()
