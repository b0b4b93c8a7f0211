"""From Python values to what JSON has: typed values become typed strings.

Imports ``errors`` and ``values`` only. Texts are left as they are; ``text`` looks at them.
"""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from .values import Ni, Timestamp, TypedDecimal, Uri

DecimalForm = Literal["typed", "number"]
"""What a plain ``Decimal`` becomes: the typed string ``"~f1.10"``, or the JSON number ``1.10``."""

FLAT = frozenset({str, int, bool, type(None)})
"""The types that JSON has, and whose every value it has; not float, which can be NaN."""

_JSON = FLAT | {float, list, dict}
_STR = frozenset({str})
_DEEPEST = 99
"""Levels of an entity; the array around it is one more, and the hub was seen to read a hundred."""
_WIDEST = 308
"""The largest exponent of a JSON number that the hub reads, and of a typed one without an E."""


def is_flat(values: Iterable[Any]) -> bool:
    """Whether JSON has all of these values as they are, and none holds others."""
    return FLAT.issuperset(map(type, values))


def is_plain(values: Iterable[Any], *, numbers: bool = True, depth: int = 1) -> bool:
    """Whether JSON has all of these values as they are, and all in them.

    Far quicker than to make them plain. Says False also of what it would take long to look at.

    Args:
        values: An array, or the values of an object whose keys are strings.
        numbers: Whether JSON has a ``Decimal``, as a number.
        depth: The level of that array or object in its entity.
    """
    for each in values:
        kind = type(each)
        if kind in FLAT:
            continue
        if kind is list:
            sound = depth < _DEEPEST and (
                is_flat(each) or is_plain(each, numbers=numbers, depth=depth + 1)
            )
        elif kind is dict:
            inner = each.values()
            sound = depth < _DEEPEST and (
                is_flat(inner) or is_plain(inner, numbers=numbers, depth=depth + 1)
            )
            sound = sound and _STR.issuperset(map(type, each))
        elif kind is Decimal:
            sound = numbers and each.is_finite() and each.adjusted() < _WIDEST
        else:
            sound = kind is float and math.isfinite(each)
        if not sound:
            return False
    return True


def is_json(values: Collection[Any]) -> bool:
    """Whether JSON has them as ``is_plain`` says, a ``Decimal`` not: it is to become a typed string.

    Args:
        values: The values of an entity. It takes no time where typed ones are among them.
    """
    return _JSON.issuperset(map(type, values)) and is_plain(values, numbers=False)


class Unfit(Exception):
    """A value that cannot be sent; on its way out it collects where the value stands."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[object] = []


class Plainer:
    """Makes one entity plain.

    Attributes:
        typed: How many typed strings it has made that begin with a tag the hub is strict about.
    """

    __slots__ = ("_numbers", "typed")

    def __init__(self, decimals: DecimalForm) -> None:
        self._numbers = decimals == "number"
        self.typed = 0

    def object(self, value: Mapping[Any, Any], depth: int = 1) -> dict[str, Any]:
        """A JSON object of the same values.

        Raises:
            Unfit: It holds something that JSON has not and no typed string stands for.
        """
        _limit(depth)
        made: dict[str, Any] = {}
        key: Any = None
        try:
            for key, each in value.items():
                name = key if type(key) is str else _key(key)
                made[name] = each if type(each) in FLAT else self._value(each, depth)
        except Unfit as unfit:
            unfit.steps.append(key)
            raise
        return made

    def _array(self, values: Iterable[Any], depth: int) -> list[Any]:
        _limit(depth)
        made: list[Any] = []
        try:
            for each in values:
                made.append(each if type(each) in FLAT else self._value(each, depth))  # noqa: PERF401 - its length is the place
        except Unfit as unfit:
            unfit.steps.append(len(made))
            raise
        return made

    def _value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is float:
            return _float(value)
        if kind is dict:
            return self.object(value, depth + 1)
        if kind is list or kind is tuple:
            return self._array(value, depth + 1)
        if kind is Decimal and self._numbers:
            return _number(value)
        if kind in _TYPED:
            self.typed += 1
            return _TYPED[kind](value)
        return self._unusual(value, depth)

    def _unusual(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self.object(value, depth + 1)
        for kind, write in (_UNTYPED | _TYPED).items():
            if isinstance(value, kind):
                self.typed += kind in _TYPED
                return write(value)
        raise Unfit(f"is a {type(value).__name__}: no JSON value and no typed value")


def _limit(depth: int) -> None:
    if depth > _DEEPEST:
        raise Unfit(f"lies more than {_DEEPEST} levels deep")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise Unfit(f"is a key of type {type(key).__name__}; keys are strings")
    return str.__str__(key)


def _float(value: float) -> float:
    if not math.isfinite(value):
        raise Unfit("is NaN or infinite")
    return float(value)


def _number(value: Decimal) -> Decimal:
    if value.adjusted() < _WIDEST and value.is_finite():
        return value
    if not value.is_finite():
        raise Unfit("is NaN or infinite")
    if math.isinf(float(value)):
        raise Unfit("is larger than any JSON number that the hub reads; TypedDecimal has no bound")
    return value


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise Unfit("is NaN or infinite")
    # Beyond, the zeros alone could fill the memory; the hub reads an exponent as well.
    return f"~f{value:f}" if -_WIDEST <= value.adjusted() <= _WIDEST else f"~f{value}"


def _day(value: date) -> str:
    return f"~t{date.isoformat(value)}"


def _moment(value: datetime) -> str:
    return f"~t{_in_utc(value)}Z"


def _timestamp(value: Timestamp) -> str:
    return f"~t{_in_utc(value.moment)}{value.nanosecond:03}Z"


def _in_utc(value: datetime) -> str:
    """Date and time with six digits of a second: times of one width sort as texts, too."""
    if value.tzinfo is not UTC:
        value = _moved_to_utc(value)
    elif type(value) is not datetime:
        value = datetime.combine(value.date(), value.timetz())
    text = msgspec.json.encode(value).decode()  # several times faster than isoformat
    return text[1:27] if len(text) == 29 else f"{text[1:20]}.000000"


def _moved_to_utc(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise Unfit("is a datetime without a time zone; say which one it is in")
    try:
        return datetime.combine(value.date(), value.timetz()).astimezone(UTC)
    except OverflowError:
        raise Unfit("is not within the years 1 to 9999 in UTC") from None


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return f"~b{base64.b64encode(value).decode()}"


def _uuid(value: uuid.UUID) -> str:
    return f"~u{msgspec.json.encode(value).decode()[1:-1]}"  # several times faster than str


_TYPED: dict[type, Callable[[Any], str]] = {
    datetime: _moment,
    date: _day,
    Timestamp: _timestamp,
    TypedDecimal: _decimal,
    Decimal: _decimal,
    uuid.UUID: _uuid,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
}
"""What writes each type, and its subclasses: a subclass stands before its base."""

_UNTYPED: dict[type, Callable[[Any], Any]] = {
    Uri: lambda value: f"~r{str.__str__(value)}",
    Ni: lambda value: f"~:{str.__str__(value)}",
    float: _float,
    str: str.__str__,
    int: int,
}
