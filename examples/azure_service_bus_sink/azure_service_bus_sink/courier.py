"""Packs messages into batches and hands them to lanes, a batch ahead of the acknowledgement.

Runs in the server's thread of one request. Imports ``bus``, ``lane`` and ``messages``.
"""

from __future__ import annotations

import zlib
from concurrent.futures import Future

from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
from azure.servicebus.exceptions import MessageSizeExceededError
from sesam_connector_sdk import Batch, ConnectorError, Entity, Rejected

from .bus import Bus
from .lane import Lane
from .messages import message


class Courier:
    """Delivers the messages of one request.

    The messages of one entity go through one lane, in order; while a batch waits for its
    acknowledgement the next one is packed, never more than that.

    Args:
        bus: Runs the lanes.
        lanes: The lanes to the destination.
        batch: The request's batch, where oversized entities are rejected.
        max_messages: Most messages in one Service Bus batch.
    """

    def __init__(self, bus: Bus, lanes: list[Lane], batch: Batch, max_messages: int) -> None:
        self._packers = [_Packer(bus, lane, batch, max_messages) for lane in lanes]

    def add(self, entity: Entity, body: bytes) -> None:
        """Take one message along.

        Args:
            entity: Where it comes from; its ``id`` chooses the lane.
            body: What it carries.

        Raises:
            ConnectorError: A batch before it was not acknowledged.
        """
        lane = zlib.crc32(entity.id.encode()) % len(self._packers)
        self._packers[lane].add(entity, body)

    def finish(self) -> None:
        """Send what is left, and wait until everything is acknowledged.

        Raises:
            ConnectorError: Something was not. All lanes have come to rest by then.
        """
        errors = []
        for step in (_Packer.flush, _Packer.wait):
            for packer in self._packers:
                try:
                    step(packer)
                except ConnectorError as error:
                    errors.append(error)
        if errors:
            # Retryable beats permanent: nothing good is dead-lettered because of a neighbour.
            raise max(errors, key=lambda error: not isinstance(error, Rejected))

    def abandon(self) -> None:
        """Wait until the lanes have come to rest; what is not sent stays unsent."""
        for packer in self._packers:
            packer.settle()


class _Packer:
    """The batch that is being packed for one lane, and the one that is on its way."""

    def __init__(self, bus: Bus, lane: Lane, batch: Batch, max_messages: int) -> None:
        self._bus = bus
        self._lane = lane
        self._request = batch
        self._max_messages = max_messages
        self._deadline = batch.request.deadline
        self._packing: ServiceBusMessageBatch | None = None
        self._sending: Future[None] | None = None

    def add(self, entity: Entity, body: bytes) -> None:
        outgoing = message(entity, body, self._request.request.traceparent)
        if self._fits(outgoing):
            return
        self.flush()
        if not self._fits(outgoing):
            self._send_alone(entity, outgoing)

    def flush(self) -> None:
        """Send the batch being packed, once the one before it is acknowledged."""
        packed, self._packing = self._packing, None
        if packed is not None and len(packed):
            self.wait()
            self._sending = self._bus.start(self._lane.send(packed, self._deadline))

    def wait(self) -> None:
        """Wait for the acknowledgement of what is on its way."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.result()

    def settle(self) -> None:
        if self._sending is not None:
            self._sending.exception()

    def _fits(self, outgoing: ServiceBusMessage) -> bool:
        if self._packing is None:
            self._packing = self._bus.start(self._lane.new_batch(self._deadline)).result()
        if len(self._packing) >= self._max_messages:
            return False
        try:
            self._packing.add_message(outgoing)
        except MessageSizeExceededError:
            return False
        return True

    def _send_alone(self, entity: Entity, outgoing: ServiceBusMessage) -> None:
        """Send what no batch can hold: a large message is allowed where large batches are not."""
        self.wait()
        try:
            self._bus.start(self._lane.send(outgoing, self._deadline)).result()
        except Rejected as error:
            self._request.reject(entity, error.detail)
