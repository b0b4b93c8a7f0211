"""The two ends of a link: `Receiving` takes what clients send, `Delivering` sends to clients.

Belongs here: credit, deliveries, settlement (specification 2.6). Imports `broker`, `core`,
`frames`. What a transfer is *for* is told by the two callables a link is given, so that entities
and the request-response nodes (`$cbs`, `$management`) use the same links.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from service_bus_emulator import frames
from service_bus_emulator.codec import NULL
from service_bus_emulator.core import Core
from service_bus_emulator.performatives import Attach, Flow, Transfer
from service_bus_emulator.queues import Counters

CREDIT = 1_000
"""Transfers a client may have in flight. The official Python client ignores it (observed)."""


class Wire(Protocol):
    """What a link needs of the session and the connection it is on."""

    core: Core

    def send(self, performative: bytes, payload: bytes = b"") -> None:
        """Send one frame on the session's channel."""

    def send_flow(self, link: tuple[int, int, int] | None, *, drain: bool = False) -> None:
        """Send a flow; `link` is handle, delivery count and credit."""

    def deliver(self, handle: int, tag: bytes, payload: bytes, *, settled: bool) -> int | None:
        """Send a message in as many frames as it takes; returns its delivery id."""

    def can_deliver(self) -> bool:
        """Return whether window and socket have room for another message."""

    def close_connection(self, condition: str, description: str) -> None:
        """Close the connection with an error."""

    def drop_connection(self) -> None:
        """Close the TCP connection without a word."""

    def reset_connection(self) -> None:
        """Reset the TCP connection."""

    def connection_id(self) -> int:
        """Return a number that stands for the connection."""


@dataclass(eq=False)
class Link:
    """What both ends have in common.

    Attributes:
        wire: The session it is on.
        request: The client's attach.
        entity: Path of the entity in lower case, or of the node.
    """

    wire: Wire
    request: Attach
    entity: str
    counters: Counters = field(default_factory=Counters)
    closed: bool = False

    @property
    def handle(self) -> int:
        """The handle; the same number in both directions."""
        return self.request.handle

    def detach(self, condition: str | None = None, description: str = "") -> None:
        """Detach and close the link; ignores what still arrives on it."""
        if not self.closed:
            error = NULL if condition is None else frames.encode_error(condition, description)
            self.wire.send(frames.encode_detach(self.handle, error))
            self.release()

    def release(self) -> None:
        """Forget the link; called once, however it ended."""
        if not self.closed:
            self.closed = True
            self.wire.core.closed(self)

    def flow(self, flow: Flow) -> None:
        """Take note of the client's flow."""

    def close_connection(self, condition: str, description: str) -> None:
        """Close the connection of the link."""
        self.wire.close_connection(condition, description)

    def reset_connection(self) -> None:
        """Reset the TCP connection of the link."""
        self.wire.reset_connection()


@dataclass
class Inbound:
    """A delivery on its way in: what its first frame said, and the frames' payloads."""

    delivery_id: int
    message_format: int
    settled: bool
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    @property
    def payload(self) -> bytes:
        """The whole payload."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


@dataclass(eq=False)
class Receiving(Link):
    """The end that takes what a client sends."""

    on_start: Callable[[Receiving], bool] = lambda _link: True
    """Called at the first frame of a delivery; false if the connection was dropped."""

    on_delivery: Callable[[Receiving, Inbound], None] = lambda _link, _inbound: None
    """Called with every complete delivery."""

    keep: int = 1_048_576
    """Bytes of a delivery that are kept; of a larger one only the size is known."""

    _inbound: Inbound | None = None
    _credit: int = 0
    _delivery_count: int = 0

    def open(self) -> None:
        """Give the client credit."""
        self._delivery_count = self.request.initial_delivery_count or 0
        self._credit = CREDIT
        self.wire.send_flow((self.handle, self._delivery_count, self._credit))

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Take one frame of a delivery."""
        inbound = self._inbound
        if inbound is None:
            inbound = self._inbound = _begin(transfer)
            if not self.on_start(self):
                return
        inbound.size += len(payload)
        # What is too large is counted on, so that the answer can name its size, but not kept.
        if inbound.size <= self.keep or not inbound.parts:
            inbound.parts.append(payload)
        if transfer.aborted:
            self._inbound = None
        elif not transfer.more:
            inbound.settled = inbound.settled or bool(transfer.settled)
            self._inbound = None
            self._spend_credit()
            self.on_delivery(self, inbound)

    def _spend_credit(self) -> None:
        self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
        self._credit -= 1
        if self._credit <= CREDIT // 2:
            self._credit = CREDIT
            self.wire.send_flow((self.handle, self._delivery_count, self._credit))

    def settle(self, inbound: Inbound, outcome: bytes) -> None:
        """Tell the client what became of a delivery; nothing if it did not want to know."""
        if not inbound.settled and not self.closed:
            self.wire.send(frames.encode_disposition(True, inbound.delivery_id, outcome))

    def flow(self, flow: Flow) -> None:
        """Answer a client that asks for our state."""
        if flow.echo:
            self.wire.send_flow((self.handle, self._delivery_count, self._credit))


def _begin(transfer: Transfer) -> Inbound:
    fmt, settled = transfer.message_format or 0, bool(transfer.settled)
    return Inbound(transfer.delivery_id or 0, fmt, settled)


@dataclass(eq=False)
class Delivering(Link):
    """The end that sends to a client: a consumer of a queue, or the answers of a node."""

    reply_to: str | None = None
    """The address the client listens on: answers are routed by it."""

    locks: bool = True
    """Whether deliveries are settled by the client (peek-lock)."""

    on_credit: Callable[[], None] = lambda: None
    """Called when the client wants more."""

    on_lock: Callable[[int, uuid.UUID], None] = lambda _delivery_id, _token: None
    """Called with every delivery that the client has to settle."""

    on_release: Callable[[Delivering], None] = lambda _link: None
    """Called when the link has ended."""

    _credit: int = 0
    _delivery_count: int = 0
    _waiting: deque[bytes] = field(default_factory=deque)

    def ready(self) -> bool:
        """Return whether one more message may be delivered now."""
        return self._credit > 0 and not self.closed and self.wire.can_deliver()

    def deliver(self, encoded: bytes, token: uuid.UUID) -> None:
        """Send one message; its lock token is the delivery tag, as in Azure."""
        self._credit -= 1
        self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
        settled = not self.locks
        number = self.wire.deliver(self.handle, token.bytes_le, encoded, settled=settled)
        if number is not None and self.locks:
            self.on_lock(number, token)

    def respond(self, encoded: bytes) -> None:
        """Send the answer of a node, as soon as the client has given credit for it."""
        self._waiting.append(encoded)
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self.ready():
            self.deliver(self._waiting.popleft(), uuid.uuid4())

    def flow(self, flow: Flow) -> None:
        """Take the client's credit, deliver, and if it asks to drain give the rest back."""
        if flow.link_credit is not None:
            seen = self._delivery_count if flow.delivery_count is None else flow.delivery_count
            self._credit = max(0, seen + flow.link_credit - self._delivery_count)
        self._send_waiting()
        self.on_credit()
        if flow.drain:
            self._delivery_count = (self._delivery_count + self._credit) & 0xFFFFFFFF
            self._credit = 0
        if flow.drain or flow.echo:
            state = (self.handle, self._delivery_count, self._credit)
            self.wire.send_flow(state, drain=bool(flow.drain))

    def resume(self) -> None:
        """Go on after the socket or the session window had no room."""
        self._send_waiting()
        self.on_credit()

    def release(self) -> None:
        """Forget the link, and stop consuming."""
        if not self.closed:
            super().release()
            self.on_release(self)
