"""AMQP 1.0 types: bytes to Python values (specification part 1, "Types").

Belongs here: decoding and skipping values of any type, safely. Imports nothing of this package.
Symbols are kept apart from strings; the many kinds of integers all become `int`.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

MAX_DEPTH = 32
"""Deepest nesting of lists, maps, arrays and descriptors that is decoded."""

_U32 = struct.Struct(">I")


class DecodeError(ValueError):
    """The bytes are not valid AMQP 1.0."""


class Symbol(str):
    """An AMQP symbol: an ASCII name from a closed vocabulary, as opposed to a string."""

    __slots__ = ()


class Described(NamedTuple):
    """A value with a descriptor that says what it stands for."""

    descriptor: Any
    value: Any


_Decoder = Callable[[bytes, int, int], tuple[Any, int]]


def decode(data: bytes, position: int = 0, depth: int = 0) -> tuple[Any, int]:
    """Decode one value.

    Args:
        data: The bytes to read from.
        position: Where the value's constructor starts.
        depth: How many compound values this one is nested in.

    Returns:
        The value and the position behind it.

    Raises:
        DecodeError: The bytes are malformed, end too early, or are nested too deep.
    """
    try:
        return _DECODERS[data[position]](data, position + 1, depth)
    except DecodeError:
        raise
    except (KeyError, IndexError, struct.error, ValueError, TypeError) as error:
        raise DecodeError(f"malformed value at byte {position}") from error


def skip(data: bytes, position: int) -> int:
    """Return the position behind the value at `position` without decoding it.

    Raises:
        DecodeError: The bytes are malformed or end too early.
    """
    try:
        code = data[position]
        if code == 0:
            return skip(data, skip(data, position + 1))
        kind = code >> 4
        if kind in _FIXED_WIDTHS:
            end = position + 1 + _FIXED_WIDTHS[kind]
        elif kind in (0xA, 0xC, 0xE):
            end = position + 2 + data[position + 1]
        elif kind in (0xB, 0xD, 0xF):
            end = position + 5 + int(_U32.unpack_from(data, position + 1)[0])
        else:
            raise DecodeError(f"unknown type 0x{code:02x}")
    except (IndexError, struct.error, RecursionError) as error:
        raise DecodeError("the bytes end within a value") from error
    if end > len(data):
        raise DecodeError("the bytes end within a value")
    return end


_FIXED_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}


def _constant(value: object) -> _Decoder:
    return lambda _data, position, _depth: (value, position)


def _fixed(form: str) -> _Decoder:
    layout = struct.Struct(form)
    unpack, width = layout.unpack_from, layout.size
    return lambda data, position, _depth: (unpack(data, position)[0], position + width)


def _decode_uuid(data: bytes, position: int, _depth: int) -> tuple[uuid.UUID, int]:
    return uuid.UUID(bytes=bytes(data[position : position + 16])), position + 16


def _decode_boolean(data: bytes, position: int, _depth: int) -> tuple[bool, int]:
    return data[position] == 1, position + 1


def _decode_char(data: bytes, position: int, _depth: int) -> tuple[str, int]:
    return chr(_U32.unpack_from(data, position)[0]), position + 4


def _decode_decimal(width: int) -> _Decoder:
    """Decimals are carried, never computed with: they stay opaque bytes."""
    return lambda data, position, _depth: (_take(data, position, width), position + width)


def _take(data: bytes, position: int, length: int) -> bytes:
    end = position + length
    if end > len(data):
        raise DecodeError("the bytes end within a value")
    return bytes(data[position:end])


def _length(data: bytes, position: int, wide: bool) -> tuple[int, int]:
    if wide:
        return _U32.unpack_from(data, position)[0], position + 4
    return data[position], position + 1


def _variable_decoder(wide: bool, convert: Callable[[bytes], Any]) -> _Decoder:
    def read(data: bytes, position: int, _depth: int) -> tuple[Any, int]:
        length, position = _length(data, position, wide)
        return convert(_take(data, position, length)), position + length

    return read


def _to_symbol(raw: bytes) -> Symbol:
    return Symbol(raw.decode("ascii", "replace"))


def _enter(data: bytes, position: int, depth: int, wide: bool) -> tuple[int, int, int]:
    """Read a compound header; returns count, position of the first element, and the end."""
    if depth >= MAX_DEPTH:
        raise DecodeError(f"nested deeper than {MAX_DEPTH} levels")
    size, start = _length(data, position, wide)
    count, first = _length(data, start, wide)
    end = start + size
    if end > len(data) or first > end:
        raise DecodeError("the bytes end within a compound value")
    # An element takes a byte, except in an array of constants: without this check a peer could
    # make us build a list of four billion entries with ten bytes.
    if count > end - first:
        raise DecodeError("more elements than bytes")
    return count, first, end


def _list_decoder(wide: bool) -> _Decoder:
    def read(data: bytes, position: int, depth: int) -> tuple[list[Any], int]:
        count, position, end = _enter(data, position, depth, wide)
        items = []
        for _ in range(count):
            item, position = _DECODERS[data[position]](data, position + 1, depth + 1)
            items.append(item)
        return _checked(items, position, end)

    return read


def _checked(value: Any, position: int, end: int) -> tuple[Any, int]:  # noqa: ANN401 -- any type
    if position != end:
        raise DecodeError("a compound value does not end where it says")
    return value, end


def _map_decoder(wide: bool) -> _Decoder:
    inner = _list_decoder(wide)

    def read(data: bytes, position: int, depth: int) -> tuple[dict[Any, Any], int]:
        flat, position = inner(data, position, depth)
        if len(flat) % 2:
            raise DecodeError("a map with a key that has no value")
        return dict(zip(flat[::2], flat[1::2], strict=True)), position

    return read


def _array_decoder(wide: bool) -> _Decoder:
    def read(data: bytes, position: int, depth: int) -> tuple[list[Any], int]:
        count, position, end = _enter(data, position, depth, wide)
        descriptor = None
        constructor, position = data[position], position + 1
        if constructor == 0:
            descriptor, position = decode(data, position, depth + 1)
            constructor, position = data[position], position + 1
        items: list[Any] = []
        for _ in range(count):
            item, position = _DECODERS[constructor](data, position, depth + 1)
            items.append(item if descriptor is None else Described(descriptor, item))
        return _checked(items, position, end)

    return read


def _decode_described(data: bytes, position: int, depth: int) -> tuple[Described, int]:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"nested deeper than {MAX_DEPTH} levels")
    descriptor, position = decode(data, position, depth + 1)
    value, position = decode(data, position, depth + 1)
    return Described(descriptor, value), position


_DECODERS: dict[int, _Decoder] = {
    0x00: _decode_described,
    0x40: _constant(None),
    0x41: _constant(True),
    0x42: _constant(False),
    0x43: _constant(0),
    0x44: _constant(0),
    0x45: lambda _data, position, _depth: ([], position),
    0x50: _fixed(">B"),
    0x51: _fixed(">b"),
    0x52: _fixed(">B"),
    0x53: _fixed(">B"),
    0x54: _fixed(">b"),
    0x55: _fixed(">b"),
    0x56: _decode_boolean,
    0x60: _fixed(">H"),
    0x61: _fixed(">h"),
    0x70: _fixed(">I"),
    0x71: _fixed(">i"),
    0x72: _fixed(">f"),
    0x73: _decode_char,
    0x74: _decode_decimal(4),
    0x80: _fixed(">Q"),
    0x81: _fixed(">q"),
    0x82: _fixed(">d"),
    0x83: _fixed(">q"),
    0x84: _decode_decimal(8),
    0x94: _decode_decimal(16),
    0x98: _decode_uuid,
    0xA0: _variable_decoder(False, bytes),
    0xA1: _variable_decoder(False, bytes.decode),
    0xA3: _variable_decoder(False, _to_symbol),
    0xB0: _variable_decoder(True, bytes),
    0xB1: _variable_decoder(True, bytes.decode),
    0xB3: _variable_decoder(True, _to_symbol),
    0xC0: _list_decoder(False),
    0xC1: _map_decoder(False),
    0xD0: _list_decoder(True),
    0xD1: _map_decoder(True),
    0xE0: _array_decoder(False),
    0xF0: _array_decoder(True),
}
