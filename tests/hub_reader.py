"""A reader of JSON bodies as the hub's parser was seen to read them, written from recorded cases.

It knows what the cases show and no more. Where a body is rejected, it tells how many entities the
hub has taken before. It does not use the SDK.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

DEEPEST = 100
"""Levels that were seen to be read; a thousand were seen to be rejected."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_CHUNK = re.compile(r'[^"\\\x00-\x1f]*')
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}Z?")
_TIME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}
_WORDS = {"true": True, "false": False, "null": None}
_EPOCH = datetime(1970, 1, 1)


class Unreadable(Exception):
    """The hub rejects the body."""


@dataclass(frozen=True)
class Nanoseconds:
    """A date or time: nanoseconds since 1970 in UTC."""

    value: int


@dataclass(frozen=True)
class Uri:
    """A URI."""

    value: str


@dataclass(frozen=True)
class Ni:
    """A namespaced identifier."""

    value: str


def read(body: bytes) -> tuple[list[dict[str, Any]], bool]:
    """The entities that the hub takes from a body, and whether it accepts the whole of it."""
    taken: list[dict[str, Any]] = []
    try:
        reader = _Reader(body.decode("utf-8"))
        reader.document(taken)
    except (Unreadable, UnicodeDecodeError):
        return taken, False
    return taken, True


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def document(self, taken: list[dict[str, Any]]) -> None:
        start = self._peek()
        if start == "{":
            taken.append(self._object(1))
        elif start == "[":
            self._items(taken)
        else:
            raise Unreadable
        self._space()
        if self._at != len(self._text):
            raise Unreadable

    def _items(self, taken: list[dict[str, Any]]) -> None:
        self._at += 1
        if self._took("]"):
            return
        while True:
            item = self._value(2)
            if isinstance(item, dict):
                taken.append(item)
            if self._took("]"):
                return
            self._take(",")

    def _value(self, depth: int) -> Any:
        start = self._peek()
        if start == "{":
            return self._object(depth)
        if start == "[":
            return self._array(depth)
        if start == '"':
            return typed(self._string())
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        return self._number()

    def _object(self, depth: int) -> dict[str, Any]:
        self._enter(depth)
        found: dict[str, Any] = {}
        if self._took("}"):
            return found
        while True:
            if self._peek() != '"':
                raise Unreadable
            key = self._string()
            self._take(":")
            found[key] = self._value(depth + 1)
            if self._took("}"):
                return found
            self._take(",")

    def _array(self, depth: int) -> list[Any]:
        self._enter(depth)
        found: list[Any] = []
        if self._took("]"):
            return found
        while True:
            found.append(self._value(depth + 1))
            if self._took("]"):
                return found
            self._take(",")

    def _enter(self, depth: int) -> None:
        if depth > DEEPEST:
            raise Unreadable
        self._at += 1

    def _string(self) -> str:
        self._at += 1
        parts = []
        while True:
            chunk = _CHUNK.match(self._text, self._at)
            assert chunk is not None
            parts.append(chunk[0])
            self._at = chunk.end()
            stop = self._text[self._at : self._at + 1]
            if stop == '"':
                self._at += 1
                return "".join(parts).partition("\0")[0]
            if stop != "\\":
                raise Unreadable
            parts.append(self._escape())

    def _escape(self) -> str:
        letter = self._text[self._at + 1 : self._at + 2]
        self._at += 2
        if letter != "u":
            if letter not in _ESCAPES:
                raise Unreadable
            return _ESCAPES[letter]
        unit = self._unit()
        if 0xDC00 <= unit < 0xE000:
            raise Unreadable
        if 0xD800 <= unit < 0xDC00:
            if not self._text.startswith("\\u", self._at):
                raise Unreadable
            self._at += 2
            low = self._unit()
            if not 0xDC00 <= low < 0xE000:
                raise Unreadable
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        return chr(unit)

    def _unit(self) -> int:
        digits = self._text[self._at : self._at + 4]
        if re.fullmatch("[0-9a-fA-F]{4}", digits) is None:
            raise Unreadable
        self._at += 4
        return int(digits, 16)

    def _number(self) -> int | Decimal:
        found = _NUMBER.match(self._text, self._at)
        if found is None:
            raise Unreadable
        self._at = found.end()
        if found[1] is None and found[2] is None:
            return int(found[0])
        value = Decimal(found[0])
        if float(value) in (float("inf"), float("-inf")):
            raise Unreadable
        return int(value) if value == value.to_integral_value() else value

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _peek(self) -> str:
        self._space()
        return self._text[self._at : self._at + 1]

    def _took(self, mark: str) -> bool:
        if self._peek() != mark:
            return False
        self._at += 1
        return True

    def _take(self, mark: str) -> None:
        if not self._took(mark):
            raise Unreadable


def typed(text: str) -> Any:
    """What the hub makes of a string, typed ones decoded."""
    read = _TAGS.get(text[1:2]) if text[:1] == "~" else None
    if read is None:
        return text
    try:
        return read(text[2:])
    except (ValueError, ArithmeticError):
        raise Unreadable from None


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _moment(text: str) -> Nanoseconds:
    if _DAY.fullmatch(text):
        return Nanoseconds(_since_1970(f"{text[:10]}T00:00:00"))
    if _TIME.fullmatch(text[:19]) is None or len(text) < 20:
        raise Unreadable
    # The last character is taken for the Z, and what is between for nine digits, zeros at its end.
    digits = re.match("[0-9]*", text[20:-1].ljust(9, "0"))
    return Nanoseconds(_since_1970(text[:19]) + int(digits[0] if digits else 0))


def _since_1970(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1) * 1000


_TAGS: dict[str, Callable[[str], Any]] = {
    "t": _moment,
    "f": Decimal,
    "u": uuid.UUID,
    "b": _base64,
    "r": Uri,
    ":": Ni,
}
