"""What the faults in the answer to a transfer do on the wire.

Belongs here: one small function per fault, and nothing that happens without one. Imports
`faults`, `frames` and `links`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from service_bus_emulator import faults, frames
from service_bus_emulator.links import Inbound, Receiving

Store = Callable[[], bytes]
"""Stores what was sent and returns the outcome a healthy server would answer."""


def misbehave(fault: faults.Fault, link: Receiving, inbound: Inbound, store: Store) -> None:
    """Have a fault instead of answering a delivery as one should."""
    if isinstance(fault, faults.Delay):
        _delay(fault.seconds, link, inbound, store())
    elif isinstance(fault, faults.AcceptThenDrop):
        store()
        link.wire.drop_connection()
    elif isinstance(fault, faults.Detach):
        link.detach(fault.condition, fault.description)
    elif isinstance(fault, faults.CloseConnection):
        link.wire.close_connection(fault.condition, fault.description)
    elif isinstance(fault, faults.Reset):
        link.wire.reset_connection()
    elif not isinstance(fault, faults.Silence):
        link.settle(inbound, _outcome(fault))


def _delay(seconds: float, link: Receiving, inbound: Inbound, outcome: bytes) -> None:
    asyncio.get_running_loop().call_later(seconds, link.settle, inbound, outcome)


def _outcome(fault: faults.Fault) -> bytes:
    if isinstance(fault, faults.Release):
        return frames.RELEASED
    if isinstance(fault, faults.Modify):
        return frames.encode_modified(delivery_failed=True, undeliverable_here=False)
    if isinstance(fault, faults.ShortReject):
        return frames.encode_rejected(fault.condition, fault.description, fields=2)
    if isinstance(fault, faults.QuotaExceeded):
        text = "The maximum entity size has been reached or exceeded."
        return frames.encode_rejected("amqp:resource-limit-exceeded", text)
    if isinstance(fault, faults.Reject):
        return frames.encode_rejected(fault.condition, fault.description)
    return frames.encode_rejected("com.microsoft:server-busy", faults.THROTTLED)
