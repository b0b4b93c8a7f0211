"""The frames we send (specification parts 2 and 5).

Belongs here: their encoding. Imports `codec` and `performatives`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from service_bus_emulator.codec import (
    FALSE,
    NULL,
    TRUE,
    encode_binary,
    encode_bool,
    encode_described,
    encode_list,
    encode_map,
    encode_string,
    encode_symbol,
    encode_symbols,
    encode_ubyte,
    encode_uint,
    encode_ulong,
    encode_ushort,
)
from service_bus_emulator.performatives import Attach

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
AMQP_FRAME = 0
SASL_FRAME = 1
WINDOW = 0x7FFFFFFF
"""Session window offered to clients: large enough never to be the limit."""
HANDLE_MAX = 0xFFFFFFFF

_HEADER = struct.Struct(">IBBH")


def frame(channel: int, body: bytes, kind: int = AMQP_FRAME) -> bytes:
    """Put a frame header before a body."""
    return _HEADER.pack(len(body) + 8, 2, kind, channel) + body


def encode_error(condition: str, description: str = "", *, fields: int = 3) -> bytes:
    """Encode an error (2.8.14).

    All three fields are written, also where trailing ones are empty: the official client 7.15
    reads them by position and never finishes a send that was rejected with a shorter error.

    Args:
        condition: What went wrong, for machines, e.g. `amqp:not-found`.
        description: The same, for people.
        fields: How many of the three fields to write. Fewer than three only to misbehave.
    """
    items = [encode_symbol(condition), encode_string(description), encode_map(())]
    return encode_described(0x1D, encode_list(items[:fields]))


def encode_mechanisms(names: list[str]) -> bytes:
    """Encode the SASL mechanisms offered (5.3.3.1)."""
    return encode_described(0x40, encode_list([encode_symbols(names)]))


def encode_sasl_outcome(code: int) -> bytes:
    """Encode the result of the SASL exchange: 0 is success, 1 wrong credentials (5.3.3.6)."""
    return encode_described(0x44, encode_list([encode_ubyte(code)]))


def encode_open(container: str, max_frame_size: int, idle_timeout: float) -> bytes:
    """Encode an OPEN; `max_frame_size` in bytes, `idle_timeout` in seconds."""
    fields = [
        encode_string(container),
        NULL,
        encode_uint(max_frame_size),
        encode_ushort(4999),
        encode_uint(round(idle_timeout * 1000)),
    ]
    return encode_described(0x10, encode_list(fields))


def encode_begin(remote_channel: int) -> bytes:
    """Encode the answer to a BEGIN.

    `handle-max` is always written: older official clients compare it without checking for null.
    """
    fields = [encode_ushort(remote_channel), encode_uint(0), encode_uint(WINDOW)]
    fields += [encode_uint(WINDOW), encode_uint(HANDLE_MAX)]
    return encode_described(0x11, encode_list(fields))


class AttachAnswer(NamedTuple):
    """What our side says about a link; source and target are encoded already."""

    request: Attach
    source: bytes
    target: bytes
    max_message_size: int | None = None
    properties: bytes = NULL


def encode_attach(answer: AttachAnswer) -> bytes:
    """Encode the answer to an ATTACH, from the other end: with the opposite role."""
    request = answer.request
    we_receive = not request.role
    limit = answer.max_message_size
    fields = [
        encode_string(request.name),
        encode_uint(request.handle),
        encode_bool(we_receive),
        NULL if request.snd_settle_mode is None else encode_ubyte(request.snd_settle_mode),
        NULL if request.rcv_settle_mode is None else encode_ubyte(request.rcv_settle_mode),
        answer.source,
        answer.target,
        NULL,
        NULL,
        NULL if we_receive else encode_uint(0),
        NULL if limit is None else encode_ulong(limit),
        NULL,
        NULL,
        answer.properties,
    ]
    return encode_described(0x12, encode_list(fields))


def encode_flow(
    next_incoming_id: int, next_outgoing_id: int, link: tuple[int, int, int] | None, drain: bool
) -> bytes:
    """Encode a FLOW; `link` is handle, delivery count and credit."""
    fields = [encode_uint(next_incoming_id), encode_uint(WINDOW)]
    fields += [encode_uint(next_outgoing_id), encode_uint(WINDOW)]
    if link is not None:
        handle, delivery_count, credit = link
        fields += [encode_uint(handle), encode_uint(delivery_count), encode_uint(credit)]
        fields += [NULL, encode_bool(drain)]
    return encode_described(0x13, encode_list(fields))


def encode_transfer(
    handle: int, delivery: tuple[int, bytes] | None, *, settled: bool, more: bool
) -> bytes:
    """Encode a TRANSFER; `delivery` is id and tag, absent on continuation frames."""
    identity = [NULL, NULL, NULL]
    if delivery is not None:
        identity = [encode_uint(delivery[0]), encode_binary(delivery[1]), b"\x43"]
    fields = [encode_uint(handle), *identity, encode_bool(settled), encode_bool(more)]
    return encode_described(0x14, encode_list(fields))


def encode_disposition(as_receiver: bool, first: int, state: bytes) -> bytes:
    """Encode a settled DISPOSITION of one delivery."""
    role = TRUE if as_receiver else FALSE
    fields = [role, encode_uint(first), encode_uint(first), TRUE, state]
    return encode_described(0x15, encode_list(fields))


def encode_detach(handle: int, error: bytes = NULL, *, closed: bool = True) -> bytes:
    """Encode a DETACH."""
    return encode_described(0x16, encode_list([encode_uint(handle), encode_bool(closed), error]))


def encode_end(error: bytes = NULL) -> bytes:
    """Encode an END."""
    return encode_described(0x17, encode_list([error]))


def encode_close(error: bytes = NULL) -> bytes:
    """Encode a CLOSE."""
    return encode_described(0x18, encode_list([error]))


# --- outcomes (3.4) -----------------------------------------------------------------------------

ACCEPTED_CODE, REJECTED_CODE, RELEASED_CODE, MODIFIED_CODE = 0x24, 0x25, 0x26, 0x27
ACCEPTED = encode_described(ACCEPTED_CODE, encode_list([]))
RELEASED = encode_described(RELEASED_CODE, encode_list([]))


def encode_rejected(condition: str = "", description: str = "", *, fields: int = 3) -> bytes:
    """Encode the outcome "rejected"; without a condition it carries no error."""
    error = encode_error(condition, description, fields=fields) if condition else NULL
    return encode_described(REJECTED_CODE, encode_list([error]))


def encode_modified(delivery_failed: bool, undeliverable_here: bool) -> bytes:
    """Encode the outcome "modified"."""
    flags = [encode_bool(delivery_failed), encode_bool(undeliverable_here)]
    return encode_described(MODIFIED_CODE, encode_list(flags))
