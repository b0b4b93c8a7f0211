"""The connection to a namespace: its event loop, and the lanes to each queue or topic.

The server's threads call in; the official client runs on one event loop, because only its
asynchronous side can be stopped when it hangs. Imports ``lane``, ``probe``, ``namespace`` and
``settings``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from azure.servicebus.aio import ServiceBusClient
from sesam_connector_sdk import ConnectorError, Throttled

from .lane import Lane
from .namespace import open_client
from .probe import probe
from .settings import ServiceBusSettings
from .sockets import SocketLoop

T = TypeVar("T")

_log = logging.getLogger(__name__)
_CLOSE_TIMEOUT = 5.0  # seconds


class Bus:
    """Lanes to queues and topics, a bounded number of them, kept open between requests.

    Safe from any thread. Close it when done.

    Args:
        settings: The sink's settings: how many lanes, destinations and seconds.
    """

    def __init__(self, settings: ServiceBusSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._open: OrderedDict[str, list[Lane]] = OrderedDict()
        self._in_use: dict[str, int] = {}
        self._loop = SocketLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bus", daemon=True)
        self._thread.start()
        self._open_ends = contextlib.AsyncExitStack()
        self._client = self.start(_open(settings, self._open_ends)).result()
        _log.info("sends to %s", self._client.fully_qualified_namespace)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    @contextlib.contextmanager
    def lanes(self, destination: str) -> Iterator[list[Lane]]:
        """The lanes to a queue or topic, held open for the length of a ``with`` block.

        Args:
            destination: Its name; Service Bus takes no notice of case.

        Raises:
            Throttled: All places are taken by destinations in use, or this one has as many
                requests as it may have.
        """
        name = destination.lower()
        lanes = self._borrow(name)
        try:
            yield lanes
        finally:
            with self._lock:
                self._in_use[name] -= 1

    def warm_up(self, destination: str) -> None:
        """Open a destination's lanes in the background, so that the first request finds them.

        Args:
            destination: Its name.
        """
        deadline = time.monotonic() + self._settings.send_timeout
        with self.lanes(destination) as lanes:
            for lane in lanes:
                self.start(_warm_up(lane, destination, deadline))

    def probe(self, destination: str | None, timeout: float) -> None:
        """Wait until the namespace has shown that it would take messages; none is sent.

        Args:
            destination: A queue or topic that the credentials are for; None if none is known.
            timeout: Seconds.

        Raises:
            ConnectorError: It would not; see ``probe``.
        """
        self.start(probe(self._client, destination, timeout)).result()

    def close(self) -> None:
        """Close every sender and the client, and end the event loop."""
        with self._lock:
            lanes = [lane for each in self._open.values() for lane in each]
            self._open.clear()
        closing = self.start(_close(lanes, self._open_ends))
        with contextlib.suppress(TimeoutError):
            closing.result(_CLOSE_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_TIMEOUT)
        if not self._thread.is_alive():
            self._loop.close()

    def _borrow(self, name: str) -> list[Lane]:
        with self._lock:
            if name not in self._open:
                self._make_room()
                self._open[name] = self._new_lanes(name)
                self._in_use[name] = 0
            self._open.move_to_end(name)
            # Each holds a thread of the server, for as long as the queue does not answer.
            if self._in_use[name] >= self._settings.max_requests_per_destination:
                raise Throttled(
                    "As many requests as MAX_REQUESTS_PER_DESTINATION allows wait for this queue or"
                    " topic."
                )
            self._in_use[name] += 1
            return self._open[name]

    def _new_lanes(self, name: str) -> list[Lane]:
        timeout = self._settings.send_timeout
        return [Lane(self._client, name, timeout) for _ in range(self._settings.senders)]

    def _make_room(self) -> None:
        if len(self._open) < self._settings.max_destinations:
            return
        idle = next((name for name in self._open if not self._in_use[name]), None)
        if idle is None:
            raise Throttled(
                f"{self._settings.max_destinations} queues and topics are in use at once."
                " Send to fewer, or raise MAX_DESTINATIONS."
            )
        del self._in_use[idle]
        for lane in self._open.pop(idle):
            self.start(lane.retire())


async def _open(
    settings: ServiceBusSettings, open_ends: contextlib.AsyncExitStack
) -> ServiceBusClient:
    return open_client(settings, open_ends)


async def _warm_up(lane: Lane, destination: str, deadline: float) -> None:
    try:
        await lane.new_batch(deadline)
    except ConnectorError as error:
        _log.warning("cannot connect to %s yet: %s", destination, error.detail)


async def _close(lanes: list[Lane], open_ends: contextlib.AsyncExitStack) -> None:
    await asyncio.gather(*(lane.close() for lane in lanes))
    await open_ends.aclose()
