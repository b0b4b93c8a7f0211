"""The performatives clients send (specification parts 2 and 5).

Belongs here: what their fields are, and checking them. Imports only `decoding`. What a frame
*does* is decided in `connection`, `session` and `links`; what we send is in `frames`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from service_bus_emulator.decoding import DecodeError, Described, decode


class Open(NamedTuple):
    """Negotiates the connection (2.7.1)."""

    container_id: str
    hostname: str | None = None
    max_frame_size: int | None = None
    channel_max: int | None = None
    idle_timeout: int | None = None


class Begin(NamedTuple):
    """Begins a session on a channel (2.7.2)."""

    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int


class Attach(NamedTuple):
    """Attaches a link (2.7.3); `role` is the sender of the frame: true for a receiver."""

    name: str
    handle: int
    role: bool
    snd_settle_mode: int | None = None
    rcv_settle_mode: int | None = None
    source: Described | None = None
    target: Described | None = None
    unsettled: Any = None
    incomplete_unsettled: Any = None
    initial_delivery_count: int | None = None
    max_message_size: int | None = None


class Flow(NamedTuple):
    """Updates the state of a session, and of a link if it names one (2.7.4)."""

    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool | None = None
    echo: bool | None = None


class Transfer(NamedTuple):
    """Carries a message or a part of one (2.7.5)."""

    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool | None = None
    rcv_settle_mode: int | None = None
    state: Described | None = None
    resume: bool | None = None
    aborted: bool | None = None
    batchable: bool | None = None


class Disposition(NamedTuple):
    """Tells the fate of deliveries (2.7.6)."""

    role: bool
    first: int
    last: int | None = None
    settled: bool | None = None
    state: Described | None = None
    batchable: bool | None = None


class Detach(NamedTuple):
    """Detaches a link (2.7.7)."""

    handle: int
    closed: bool | None = None
    error: Described | None = None


class End(NamedTuple):
    """Ends a session (2.7.8)."""

    error: Described | None = None


class Close(NamedTuple):
    """Closes a connection (2.7.9)."""

    error: Described | None = None


class SaslInit(NamedTuple):
    """Names the mechanism the client picked (5.3.3.2)."""

    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


Performative = (
    Open | Begin | Attach | Flow | Transfer | Disposition | Detach | End | Close | SaslInit
)


class _Shape(NamedTuple):
    """How to build and check one performative: field types, and how many are mandatory."""

    build: type[Performative]
    types: tuple[type, ...]
    mandatory: tuple[int, ...] = ()


_INT, _STR, _BOOL, _ANY = int, str, bool, object
_SHAPES: dict[int, _Shape] = {
    0x10: _Shape(Open, (_STR, _STR, _INT, _INT, _INT), (0,)),
    0x11: _Shape(Begin, (_INT, _INT, _INT, _INT), (1, 2, 3)),
    0x12: _Shape(
        Attach,
        (_STR, _INT, _BOOL, _INT, _INT, Described, Described, _ANY, _ANY, _INT, _INT),
        (0, 1, 2),
    ),
    0x13: _Shape(
        Flow,
        (_INT, _INT, _INT, _INT, _INT, _INT, _INT, _INT, _BOOL, _BOOL),
        (1, 2, 3),
    ),
    0x14: _Shape(
        Transfer,
        (_INT, _INT, bytes, _INT, _BOOL, _BOOL, _INT, Described, _BOOL, _BOOL, _BOOL),
        (0,),
    ),
    0x15: _Shape(Disposition, (_BOOL, _INT, _INT, _BOOL, Described, _BOOL), (0, 1)),
    0x16: _Shape(Detach, (_INT, _BOOL, Described), (0,)),
    0x17: _Shape(End, (Described,)),
    0x18: _Shape(Close, (Described,)),
    0x41: _Shape(SaslInit, (_STR, bytes, _STR), (0,)),
}


def decode_performative(data: bytes, position: int = 0) -> tuple[Performative, int]:
    """Decode the performative at the start of a frame body.

    Returns:
        The performative and where its payload (if any) starts.

    Raises:
        DecodeError: Not a performative we know, or its fields are not of the types demanded.
    """
    described, end = decode(data, position)
    if not isinstance(described, Described) or not isinstance(described.value, list):
        raise DecodeError("a frame body that is no performative")
    shape = _SHAPES.get(described.descriptor) if isinstance(described.descriptor, int) else None
    if shape is None:
        raise DecodeError("an unknown performative")
    return _build(shape, described.value), end


def _build(shape: _Shape, fields: list[Any]) -> Performative:
    width = len(shape.types)
    # Trailing fields may be left out (1.4), and newer fields than we read may follow.
    fields = fields[:width] + [None] * (width - len(fields))
    for value, expected in zip(fields, shape.types, strict=True):
        if value is not None and not isinstance(value, expected):
            raise DecodeError(f"{shape.build.__name__}: a field of the wrong type")
    if any(fields[index] is None for index in shape.mandatory):
        raise DecodeError(f"{shape.build.__name__}: a mandatory field is missing")
    return shape.build(*fields)
