"""How a source writes ``_updated`` for the hub, and reads the hub's ``since``.

The hub keeps ``_updated`` as it comes and sends it back, character for character, as ``since``. Of
a source that does not yield in order it keeps the largest one, and it compares texts byte by byte:
so what is written here sorts as what it stands for. Sources: Sesam's pages ``json-pull``,
``configuration-sources`` on continuation support, and ``configuration-pump`` on
``partial_rescan_delta``. Imports ``transit`` only.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from sesam_connector_sdk.transit.moments import in_utc

ValueT = TypeVar("ValueT")

_DIGITS = 19
"""As many as the largest integer of 64 bits has."""
_INTEGER = re.compile(r"-?[0-9]{1,38}", re.ASCII)
_MOMENT = re.compile(r"(?:~t)?(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z)?", re.ASCII)


class Since(ABC, Generic[ValueT]):
    """Turns a source's own value into ``_updated``, and the hub's ``since`` into that value.

    Subclass it for values that none of the others fits. One instance serves all threads.
    """

    is_comparable: ClassVar[bool] = True
    """Whether the hub sorts what ``encode`` returns as the source sorts its values.

    The hub compares integers as numbers, and texts byte by byte.
    """

    @abstractmethod
    def encode(self, value: ValueT) -> str | int:
        """What the hub gets as ``_updated``.

        Args:
            value: What ``read`` has yielded as ``_updated``.

        Raises:
            ValueError: It is no such value; the text says what one is.
        """

    @abstractmethod
    def decode(self, text: str) -> ValueT:
        """The value of a ``since``.

        Args:
            text: What ``encode`` returned, or what somebody wrote as ``initial_since_value``.

        Raises:
            ValueError: It is no such text; the message says what one is, for the answer.
        """


class Part(Since[ValueT]):
    """A codec that can stand in a ``CompositeSince``: its values have texts of one width."""

    @abstractmethod
    def fixed(self, value: ValueT) -> str:
        """A text that sorts as the value does, always of the same length, without a ``/``."""


class TimestampSince(Part[datetime]):
    """A moment: each value is a ``datetime`` with a time zone.

    The hub gets them in UTC and with six digits of a second, ``~t2018-04-27T15:46:40.000000Z``:
    in the form that ``partial_rescan_delta`` needs, and all of one width, so that they sort.
    """

    def encode(self, value: datetime) -> str:
        """See ``Since``."""
        return f"~t{self.fixed(value)}"

    def decode(self, text: str) -> datetime:
        """See ``Since``. Digits beyond a microsecond are cut off, and a date is its midnight."""
        found = _MOMENT.fullmatch(text)
        if found:
            day, clock, fraction = found.groups()
            try:
                # Cut and not rounded: an earlier moment asks for more, never for less.
                return datetime.fromisoformat(
                    f"{day}T{clock or '00:00:00'}.{(fraction or '0')[:6]:0<6}+00:00"
                )
            except ValueError:
                pass  # no such day, or no such hour
        raise ValueError("a moment in UTC such as ~t2018-04-27T15:46:40Z")

    def fixed(self, value: Any) -> str:
        """See ``Part``."""
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise ValueError("a datetime with a time zone")
        try:
            return f"{in_utc(value)}Z"
        except OverflowError:
            raise ValueError("a datetime of the years 1 to 9999 in UTC") from None


class IntegerSince(Part[int]):
    """A whole number: a sequence, a version, an offset.

    The hub gets it as a number, never as a text: as texts, 9 is behind 10.
    """

    def encode(self, value: int) -> int:
        """See ``Since``."""
        if type(value) is not int:
            raise ValueError("an int")
        return value

    def decode(self, text: str) -> int:
        """See ``Since``."""
        if not _INTEGER.fullmatch(text):
            raise ValueError("a whole number")
        return int(text)

    def fixed(self, value: Any) -> str:
        """See ``Part``."""
        if type(value) is not int or not 0 <= value < 10**_DIGITS:
            raise ValueError(f"an int from 0 up, of {_DIGITS} digits at most")
        return f"{value:0{_DIGITS}}"


class CompositeSince(Since[tuple[Any, ...]]):
    """Several values in one: a moment and a number, or the offset in each partition.

    The source's values are tuples, compared as Python compares them. The hub gets a text of fixed
    width, ``2018-04-27T15:46:40.000000Z/0000000000000000042``, which sorts as the tuples do.

    Args:
        parts: What each part of the tuple is.
    """

    def __init__(self, *parts: Part[Any]) -> None:
        if len(parts) < 2 or not all(isinstance(part, Part) for part in parts):
            raise TypeError(
                "CompositeSince needs two parts or more, each a TimestampSince() or IntegerSince()"
            )
        self._parts = parts

    def encode(self, value: Any) -> str:
        """See ``Since``."""
        if not isinstance(value, tuple) or len(value) != len(self._parts):
            raise ValueError(f"a tuple of {len(self._parts)} values")
        return "/".join(part.fixed(each) for part, each in zip(self._parts, value, strict=True))

    def decode(self, text: str) -> tuple[Any, ...]:
        """See ``Since``."""
        texts = text.split("/")
        if len(texts) != len(self._parts):
            raise ValueError(f"{len(self._parts)} values with a / between each two")
        return tuple(part.decode(each) for part, each in zip(self._parts, texts, strict=True))
