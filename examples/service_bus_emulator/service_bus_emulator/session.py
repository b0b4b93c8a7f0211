"""One session: attaching links, handing frames to them, settling what clients received.

Belongs here: what a channel knows (specification 2.5). Imports `attaching` (which builds the
links) and `links`. Bytes and sockets are `connection`'s.
"""

from __future__ import annotations

import uuid
from typing import Protocol

from service_bus_emulator import attaching, frames
from service_bus_emulator.broker import Refused
from service_bus_emulator.core import Core
from service_bus_emulator.decoding import Described
from service_bus_emulator.links import Delivering, Link, Receiving
from service_bus_emulator.management import lock_lost
from service_bus_emulator.nodes import Grants
from service_bus_emulator.performatives import Attach, Begin, Disposition, Flow, Transfer
from service_bus_emulator.queues import Queue

_UINT = 0xFFFFFFFF


class Transport(Protocol):
    """What a session needs of its connection."""

    core: Core
    grants: Grants
    peer_frame_size: int

    def write(self, channel: int, body: bytes) -> None:
        """Write one frame."""

    def writable(self) -> bool:
        """Return whether the socket takes more."""

    def close_with(self, condition: str, description: str) -> None:
        """Close the connection with an error."""

    def drop(self) -> None:
        """Close the TCP connection without a word."""

    def reset(self) -> None:
        """Reset the TCP connection."""


class Session:
    """A session with a client."""

    def __init__(self, transport: Transport, channel: int, begin: Begin) -> None:
        """Begin a session on the client's channel."""
        self.core = transport.core
        self.grants = transport.grants
        self._transport = transport
        self._channel = channel
        self._links: dict[int, Link] = {}
        self._unsettled: dict[int, tuple[Queue, uuid.UUID]] = {}
        self._next_incoming = begin.next_outgoing_id
        self._next_outgoing = 0
        self._delivery_id = 0
        self._window = begin.incoming_window
        self.send(frames.encode_begin(channel))

    # --- what links need (links.Wire) -----------------------------------------------------------

    def send(self, performative: bytes, payload: bytes = b"") -> None:
        """Send one frame."""
        self._transport.write(self._channel, performative + payload)

    def send_flow(self, link: tuple[int, int, int] | None, *, drain: bool = False) -> None:
        """Send the state of the session, and of a link: handle, delivery count and credit."""
        self.send(frames.encode_flow(self._next_incoming, self._next_outgoing, link, drain))

    def can_deliver(self) -> bool:
        """Return whether window and socket have room for another message."""
        return self._window > 0 and self._transport.writable()

    def deliver(self, handle: int, tag: bytes, payload: bytes, *, settled: bool) -> int:
        """Send a message in as many frames as it takes; returns its delivery id."""
        delivery_id = self._delivery_id
        self._delivery_id = (delivery_id + 1) & _UINT
        room = self._transport.peer_frame_size - 64
        identity: tuple[int, bytes] | None = (delivery_id, tag)
        for start in range(0, max(1, len(payload)), room):
            more = start + room < len(payload)
            head = frames.encode_transfer(handle, identity, settled=settled, more=more)
            self.send(head, payload[start : start + room])
            self._next_outgoing = (self._next_outgoing + 1) & _UINT
            self._window -= 1
            identity = None
        return delivery_id

    def close_connection(self, condition: str, description: str) -> None:
        """Close the connection with an error."""
        self._transport.close_with(condition, description)

    def drop_connection(self) -> None:
        """Close the TCP connection without a word."""
        self._transport.drop()

    def reset_connection(self) -> None:
        """Reset the TCP connection."""
        self._transport.reset()

    def connection_id(self) -> int:
        """Return a number that stands for the connection."""
        return id(self._transport)

    # --- what attaching needs (attaching.Site) --------------------------------------------------

    def lock(self, delivery_id: int, queue: Queue, token: uuid.UUID) -> None:
        """Remember what a delivery settles."""
        self._unsettled[delivery_id] = (queue, token)

    def answer_link(self, node: str, reply_to: str | None) -> Delivering | None:
        """Return the link on which a node answers: the one with that address, else any."""
        links = [
            link
            for link in self._links.values()
            if isinstance(link, Delivering) and link.entity == node and not link.closed
        ]
        named = [link for link in links if reply_to is not None and link.reply_to == reply_to]
        return next(iter(named or links), None)

    # --- frames in ------------------------------------------------------------------------------

    def attach(self, request: Attach) -> None:
        """Attach a link, or refuse it."""
        if request.handle in self._links and not self._links[request.handle].closed:
            raise Refused("amqp:session:handle-in-use", f"Handle {request.handle} is in use.")
        try:
            link = attaching.attach(self, request)
        except Refused as error:
            link = attaching.refuse(self, request, error)
        self._links[request.handle] = link
        if isinstance(link, Receiving):
            link.open()

    def flow(self, flow: Flow) -> None:
        """Take note of the client's window, and of its credit on a link."""
        seen = 0 if flow.next_incoming_id is None else flow.next_incoming_id
        self._window = seen + flow.incoming_window - self._next_outgoing
        if flow.handle is not None:
            link = self._link(flow.handle)
            if not link.closed:
                link.flow(flow)
        elif flow.echo:
            self.send_flow(None)
        else:
            self.resume()

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Hand a frame of a message to its link."""
        self._next_incoming = (self._next_incoming + 1) & _UINT
        link = self._link(transfer.handle)
        if isinstance(link, Receiving) and not link.closed:
            link.transfer(transfer, payload)

    def detach(self, handle: int) -> None:
        """Answer a detach; forget the handle."""
        link = self._link(handle)
        del self._links[handle]
        if not link.closed:
            link.release()
            self.send(frames.encode_detach(handle))

    def disposition(self, disposition: Disposition) -> None:
        """Settle what the client received, and confirm it if it asks for that.

        Since 7.15 the official Python client waits for the confirmation (observed).
        """
        last = disposition.first if disposition.last is None else disposition.last
        for number in range(disposition.first, min(last, self._delivery_id) + 1):
            delivery = self._unsettled.pop(number, None) if disposition.role else None
            if delivery is not None:
                outcome = _settle(*delivery, disposition.state)
                if not disposition.settled:
                    self.send(frames.encode_disposition(False, number, outcome))

    def resume(self) -> None:
        """Go on delivering after the socket or the window had no room."""
        for link in list(self._links.values()):
            if isinstance(link, Delivering) and not link.closed:
                link.resume()

    def end(self) -> None:
        """Release everything; the session is over."""
        for link in self._links.values():
            link.release()
        self._links.clear()
        self._unsettled.clear()

    def _link(self, handle: int) -> Link:
        link = self._links.get(handle)
        if link is None:
            raise Refused("amqp:session:unattached-handle", f"No link has the handle {handle}.")
        return link


def _settle(queue: Queue, token: uuid.UUID, state: Described | None) -> bytes:
    """Do what a client decided about a message, and return the outcome to confirm it with.

    The confirmation repeats the outcome asked for, a rejection without its error: that would
    mean that settling failed (observed with the official client 7.15).
    """
    code = state.descriptor if state is not None else frames.ACCEPTED_CODE
    fields = state.value if state is not None and isinstance(state.value, list) else []
    if code == frames.ACCEPTED_CODE:
        done, outcome = queue.complete(token), frames.ACCEPTED
    elif code == frames.REJECTED_CODE:
        done, outcome = queue.dead_letter(token, *_reason(fields)), frames.encode_rejected()
    elif code == frames.RELEASED_CODE:
        done, outcome = queue.abandon(token, failed=False), frames.RELEASED
    else:
        return _modify(queue, token, fields)
    return outcome if done else _refusal(lock_lost())


def _modify(queue: Queue, token: uuid.UUID, fields: list[object]) -> bytes:
    # Counted as a failed delivery in any case, as in Azure: the official Node client abandons
    # without saying so (observed).
    failed, elsewhere = (*fields, None, None)[:2]
    if not queue.abandon(token):
        return _refusal(lock_lost())
    if elsewhere:
        return _refusal(Refused("amqp:not-implemented", "The emulator does not defer messages."))
    return frames.encode_modified(bool(failed), False)


def _refusal(refused: Refused) -> bytes:
    return frames.encode_rejected(refused.condition, refused.description)


def _reason(fields: list[object]) -> tuple[str, str]:
    """Read why a message is dead-lettered from the error of a rejection."""
    error = fields[0] if fields else None
    items = error.value if isinstance(error, Described) and isinstance(error.value, list) else []
    info = items[2] if len(items) > 2 and isinstance(items[2], dict) else {}
    reason = info.get("DeadLetterReason") or (items[0] if items else "")
    description = info.get("DeadLetterErrorDescription") or (items[1] if len(items) > 1 else "")
    return str(reason or ""), str(description or "")
