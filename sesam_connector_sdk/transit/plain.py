"""From Python values to what JSON has: typed values become typed strings.

Imports ``moments`` and ``values`` only. Texts are left as they are; ``text`` looks at them.
"""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from .moments import in_utc
from .values import Ni, Timestamp, TypedDecimal, Uri

DecimalForm = Literal["typed", "number"]
"""What a plain ``Decimal`` becomes: the typed string ``"~f1.10"``, or the JSON number ``1.10``."""

FLAT = frozenset({str, int, bool, type(None)})
"""The types that JSON has, and whose every value it has; not float, which can be NaN."""

_JSON = FLAT | {float, list, dict}
_ENCODER = msgspec.json.Encoder()
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
    for each in [each for each in values if type(each) not in FLAT]:
        kind = type(each)
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
    """Whether JSON has them as ``is_plain`` says; no ``Decimal``: it becomes a typed string.

    Args:
        values: The values of an entity. It takes no time where typed ones are among them.
    """
    kinds = set(map(type, values))
    return kinds <= FLAT or (kinds <= _JSON and is_plain(values, numbers=False))


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

    __slots__ = ("_writers", "typed")

    def __init__(self, decimals: DecimalForm) -> None:
        self._writers = _WRITERS[decimals]
        self.typed = 0

    def object(self, value: Mapping[Any, Any], depth: int = 1) -> dict[str, Any]:
        """A JSON object of the same values.

        Raises:
            Unfit: It holds something that JSON has not and no typed string stands for.
        """
        _limit(depth)
        made = dict(value)
        _refuse_odd_keys(made)
        key = ""
        try:
            # Most values need nothing done: those that do are picked out first.
            for key in [name for name, each in made.items() if type(each) not in FLAT]:
                each = made[key]
                write = self._writers.get(type(each))
                if write is None:
                    made[key] = self._value(each, depth)
                else:
                    made[key] = write(each)
                    self.typed += 1
        except Unfit as unfit:
            unfit.steps.append(key)
            raise
        return made

    def _array(self, values: Iterable[Any], depth: int) -> list[Any]:
        _limit(depth)
        made = list(values)
        at = 0
        try:
            for at in [at for at, each in enumerate(made) if type(each) not in FLAT]:
                made[at] = self._value(made[at], depth)
        except Unfit as unfit:
            unfit.steps.append(at)
            raise
        return made

    def _value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in self._writers:
            self.typed += 1
            return self._writers[kind](value)
        if kind is Decimal:
            return _number(value)
        if kind is float:
            return _float(value)
        if kind is dict:
            return self.object(value, depth + 1)
        if kind is list or kind is tuple:
            return self._array(value, depth + 1)
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


def _refuse_odd_keys(made: Mapping[Any, Any]) -> None:
    try:
        "".join(made)  # the quickest way to see that every key is a string
    except TypeError:
        key = next(key for key in made if not isinstance(key, str))
        unfit = Unfit(f"is a key of type {type(key).__name__}; keys are strings")
        unfit.steps.append(key)
        raise unfit from None


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
    text = str(value)
    # Beyond, the zeros alone could fill the memory; the hub reads an exponent as well.
    if "E" in text and -_WIDEST <= value.adjusted() <= _WIDEST:
        text = f"{value:f}"
    return f"~f{text}"


def _day(value: date) -> str:
    return f"~t{date.isoformat(value)}"


def _moment(value: datetime) -> str:
    return f"~t{_in_utc(value)}Z"


def _timestamp(value: Timestamp) -> str:
    return f"~t{_in_utc(value.moment)}{value.nanosecond:03}Z"


def _in_utc(value: datetime) -> str:
    try:
        return in_utc(value)
    except ValueError:
        raise Unfit("is a datetime without a time zone; say which one it is in") from None
    except OverflowError:
        raise Unfit("is not within the years 1 to 9999 in UTC") from None


def _uuid(value: uuid.UUID) -> str:
    return f"~u{_ENCODER.encode(value).decode()[1:-1]}"  # several times faster than str


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return f"~b{base64.b64encode(value).decode()}"


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

_WRITERS: dict[DecimalForm, dict[type, Callable[[Any], str]]] = {
    "typed": _TYPED,
    "number": {kind: write for kind, write in _TYPED.items() if kind is not Decimal},
}
"""What writes each type itself, by what a ``Decimal`` becomes."""

_UNTYPED: dict[type, Callable[[Any], Any]] = {
    Uri: lambda value: f"~r{str.__str__(value)}",
    Ni: lambda value: f"~:{str.__str__(value)}",
    float: _float,
    str: str.__str__,
    int: int,
}
