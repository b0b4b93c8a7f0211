"""The sections of an encoded message, and the messages in a batch (specification 3.2).

Belongs here: finding sections and their parts; what they mean is `message`'s. Imports `decoding`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from service_bus_emulator.decoding import DecodeError, decode, skip

BATCH_FORMAT = 0x80013700
"""Message format of a transfer whose data sections are whole messages (observed)."""

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, PROPERTIES = 0x70, 0x71, 0x72, 0x73
APPLICATION_PROPERTIES, DATA, SEQUENCE, VALUE, FOOTER = 0x74, 0x75, 0x76, 0x77, 0x78

_LONG_DATA = b"\x00\x53\x75\xb0"
_U32 = struct.Struct(">I")


class Section(NamedTuple):
    """One section of a message: where it starts, where its value starts, where it ends."""

    code: int
    start: int
    value: int
    end: int


def sections(encoded: bytes, position: int = 0) -> Iterator[Section]:
    """Walk the sections of an encoded message, from one of them on.

    Raises:
        DecodeError: The bytes are not a message.
    """
    while position < len(encoded):
        start = position
        if encoded[start : start + 2] == b"\x00\x53" and len(encoded) > start + 3:
            code, value = encoded[start + 2], start + 3
        else:
            code, value = _long_descriptor(encoded, start)
        if not HEADER <= code <= FOOTER:
            raise DecodeError(f"0x{code:x} is no section of a message")
        position = skip(encoded, value)
        yield Section(code, start, value, position)


def _long_descriptor(encoded: bytes, start: int) -> tuple[int, int]:
    if encoded[start] != 0 or len(encoded) < start + 3:
        raise DecodeError("a section without a descriptor")
    descriptor, value = decode(encoded, start + 1)
    if not isinstance(descriptor, int):
        raise DecodeError("a section whose descriptor is not numeric")
    return descriptor, value


def section_value(encoded: bytes, code: int) -> Any:  # noqa: ANN401 -- whatever the sender wrote
    """Return the decoded value of the first section of a kind, None if there is none."""
    for section in sections(encoded):
        if section.code == code:
            return decode(encoded, section.value)[0]
    return None


def _binary_span(encoded: bytes, position: int) -> tuple[int, int]:
    """Return where the content of a binary value starts and ends."""
    code = encoded[position]
    if code == 0xA0:
        return position + 2, position + 2 + encoded[position + 1]
    if code == 0xB0:
        length = struct.unpack_from(">I", encoded, position + 1)[0]
        return position + 5, position + 5 + length
    raise DecodeError("a data section that is not binary")


def _data_spans(payload: bytes) -> Iterator[tuple[int, int]]:
    """Walk the contents of the data sections: thousands in a batch, so with a short cut."""
    position, size = 0, len(payload)
    while position < size:
        if payload.startswith(_LONG_DATA, position) and position + 8 <= size:
            start = position + 8
            position = start + int(_U32.unpack_from(payload, position + 4)[0])
            if position > size:
                raise DecodeError("the bytes end within a data section")
            yield start, position
        else:
            section = next(sections(payload, position))
            position = section.end
            if section.code == DATA:
                yield _binary_span(payload, section.value)


def split_batch(payload: bytes) -> list[bytes]:
    """Return the messages of a batch: each data section holds one whole message.

    Raises:
        DecodeError: The payload is not a batch.
    """
    return [payload[start:end] for start, end in _data_spans(payload)]


def count_batch(payload: bytes) -> int:
    """Return how many messages a batch holds, without taking it apart.

    Raises:
        DecodeError: The payload is not a batch.
    """
    return sum(1 for _ in _data_spans(payload))


def list_items(encoded: bytes, position: int) -> list[bytes]:
    """Return the elements of a list or map, each still encoded."""
    code = encoded[position]
    if code == 0x45:
        return []
    wide = code in (0xD0, 0xD1)
    if not wide and code not in (0xC0, 0xC1):
        raise DecodeError("neither a list nor a map")
    end = skip(encoded, position)
    position += 9 if wide else 3
    items = []
    while position < end:
        after = skip(encoded, position)
        items.append(encoded[position:after])
        position = after
    return items
