"""One sender to one queue or topic, used by one send at a time, watched at every step.

Runs on the event loop of ``bus``. The client's sender must not be shared: two sends at once on one
sender hang it. And a send can hang however it is asked not to, where the service answers with an
outcome that the client does not expect: hence a watchdog beside the client's own timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from typing import TypeVar

from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from sesam_connector_sdk import OutcomeUnknown, TargetUnavailable, Throttled

from . import sockets
from .failures import translate

T = TypeVar("T")

HEAD_ROOM = 1024
"""Bytes left free in a batch: the client does not count the batch's own envelope (up to 440)."""

_GRACE = 1.0  # seconds that the client's own timeout gets before the watchdog barks
_CLOSE_TIMEOUT = 2.0


class Lane:
    """A sender, opened when first needed and again after every failure.

    Args:
        client: The official client, from which the sender is taken.
        destination: Name of the queue or topic.
        timeout: Seconds that opening the sender, and each send, may take.
    """

    def __init__(self, client: ServiceBusClient, destination: str, timeout: float) -> None:
        self._client = client
        self._destination = destination
        self._timeout = timeout
        self._sender: ServiceBusSender | None = None
        self._limit = 0
        self._sockets: list[asyncio.Transport] = []
        self._turn = asyncio.Lock()

    async def new_batch(self, deadline: float) -> ServiceBusMessageBatch:
        """An empty batch, as large as the link takes.

        Args:
            deadline: On the clock of ``time.monotonic``, in seconds.

        Raises:
            ConnectorError: The sender cannot be opened.
        """
        async with self._turn:
            sender = await self._opened(deadline)
            return await sender.create_message_batch(self._limit - HEAD_ROOM)

    async def send(
        self, message: ServiceBusMessage | ServiceBusMessageBatch, deadline: float
    ) -> None:
        """Send and wait for the acknowledgement.

        Args:
            message: One message, or a full batch, which Service Bus takes or refuses as a whole.
            deadline: On the clock of ``time.monotonic``, in seconds.

        Raises:
            ConnectorError: It was not acknowledged; the class says what is known.
        """
        async with self._turn:
            sender = await self._opened(deadline)
            seconds = self._seconds(deadline)
            await self._watch(sender.send_messages(message, timeout=seconds), seconds + _GRACE)

    async def retire(self) -> None:
        """Close the sender once nobody is opening it or sending."""
        async with self._turn:
            await self.close()

    async def close(self) -> None:
        """Close the sender, if it is open."""
        sender, self._sender = self._sender, None
        if sender is not None:
            # A sender that hangs must not hold up the process.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(sender.close(), _CLOSE_TIMEOUT)
        # Nor may it keep its socket, which it does when it was interrupted half way.
        sockets.abort(self._sockets)

    async def _opened(self, deadline: float) -> ServiceBusSender:
        if self._sender is None:
            # Before anything is made: a sender counts as open from the line below.
            seconds = self._seconds(deadline)
            # A topic is addressed exactly like a queue, so one call serves both.
            self._sender = sender = self._client.get_queue_sender(self._destination)
            try:
                batch = await self._watch(sender.create_message_batch(), seconds)
            except OutcomeUnknown:
                raise TargetUnavailable("Service Bus does not open a link in time.") from None
            self._limit = batch.max_size_in_bytes
        return self._sender

    def _seconds(self, deadline: float) -> float:
        left = min(self._timeout, deadline - time.monotonic())
        if left <= 0:
            raise TargetUnavailable("No time is left to send; nothing of this batch was.")
        return left

    async def _watch(self, call: Awaitable[T], seconds: float) -> T:
        sockets.remember(self._sockets)
        try:
            return await asyncio.wait_for(call, seconds)
        except Exception as error:
            known = translate(error)
            # A throttled sender is as good as before, and a reconnect would add to the load. In
            # whatever state any other error leaves it, the next send starts from a fresh one.
            if not isinstance(known, Throttled):
                await self.close()
            if known is None:
                raise
            raise known from error
