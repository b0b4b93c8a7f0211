"""AMQP 1.0 types: Python values to bytes (specification part 1, "Types").

Belongs here: the primitive encodings and nothing that gives them a meaning. Imports nothing of
this package. There is one function per AMQP type, because Python's `int` and `str` each stand
for several of them.
"""

from __future__ import annotations

import math
import struct
import uuid
from collections.abc import Iterable, Sequence

NULL = b"\x40"
TRUE = b"\x41"
FALSE = b"\x42"
EMPTY_LIST = b"\x45"
EMPTY_MAP = b"\xc1\x01\x00"

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_SIZE_COUNT32 = struct.Struct(">II")


def encode_bool(value: bool) -> bytes:
    """Encode a boolean."""
    return TRUE if value else FALSE


def encode_ubyte(value: int) -> bytes:
    """Encode an unsigned 8-bit integer."""
    return bytes((0x50, value))


def encode_ushort(value: int) -> bytes:
    """Encode an unsigned 16-bit integer."""
    return b"\x60" + _U16.pack(value)


def encode_uint(value: int) -> bytes:
    """Encode an unsigned 32-bit integer in its shortest form."""
    if value == 0:
        return b"\x43"
    return bytes((0x52, value)) if value < 256 else b"\x70" + _U32.pack(value)


def encode_ulong(value: int) -> bytes:
    """Encode an unsigned 64-bit integer in its shortest form."""
    if value == 0:
        return b"\x44"
    return bytes((0x53, value)) if value < 256 else b"\x80" + _U64.pack(value)


def encode_int(value: int) -> bytes:
    """Encode a signed 32-bit integer."""
    return b"\x71" + struct.pack(">i", value)


def encode_long(value: int) -> bytes:
    """Encode a signed 64-bit integer."""
    return b"\x81" + struct.pack(">q", value)


def encode_timestamp(seconds: float) -> bytes:
    """Encode a point in time, given in seconds since 1970 UTC.

    On the wire are whole milliseconds. The rest is cut off, as the official Python client
    does: rounded up, what has just happened would be in the future.
    """
    return b"\x83" + struct.pack(">q", math.floor(seconds * 1000))


def encode_uuid(value: uuid.UUID) -> bytes:
    """Encode a UUID."""
    return b"\x98" + value.bytes


def _variable(short: int, long: int, raw: bytes) -> bytes:
    if len(raw) < 256:
        return bytes((short, len(raw))) + raw
    return bytes((long,)) + _U32.pack(len(raw)) + raw


def encode_binary(value: bytes) -> bytes:
    """Encode opaque bytes."""
    return _variable(0xA0, 0xB0, value)


def encode_string(value: str) -> bytes:
    """Encode a string (UTF-8)."""
    return _variable(0xA1, 0xB1, value.encode())


def encode_symbol(value: str) -> bytes:
    """Encode a symbol; characters outside ASCII become a question mark."""
    return _variable(0xA3, 0xB3, value.encode("ascii", "replace"))


def _compound(short: int, long: int, count: int, body: bytes) -> bytes:
    if len(body) < 255 and count < 256:
        return bytes((short, len(body) + 1, count)) + body
    return bytes((long,)) + _SIZE_COUNT32.pack(len(body) + 4, count) + body


def encode_list(items: Sequence[bytes]) -> bytes:
    """Encode a list of values that are encoded already."""
    return _compound(0xC0, 0xD0, len(items), b"".join(items)) if items else EMPTY_LIST


def encode_map(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode a map whose keys and values are encoded already."""
    flat = [part for pair in pairs for part in pair]
    return _compound(0xC1, 0xD1, len(flat), b"".join(flat))


def encode_array(constructor: int, elements: Sequence[bytes]) -> bytes:
    """Encode an array: elements without their constructor byte, which is given once."""
    body = bytes((constructor,)) + b"".join(elements)
    return b"\xf0" + _SIZE_COUNT32.pack(len(body) + 4, len(elements)) + body


def encode_symbols(names: Sequence[str]) -> bytes:
    """Encode an array of symbols."""
    return encode_array(0xB3, [_U32.pack(len(name)) + name.encode("ascii") for name in names])


def encode_described(code: int, value: bytes) -> bytes:
    """Encode a value (encoded already) under a numeric descriptor below 256."""
    return bytes((0x00, 0x53, code)) + value
