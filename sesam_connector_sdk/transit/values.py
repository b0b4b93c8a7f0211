"""The Python values that typed strings stand for, and reading them.

Imports nothing else of the SDK.
"""

from __future__ import annotations

import binascii
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:Z|(T(?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.(\d{1,9}))?Z)?", re.ASCII
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{24})")


class Uri(str):
    """A URI, ``~r`` in JSON: a ``str`` that keeps its type on the way back to the hub."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Uri({str.__repr__(self)})"


class Ni(str):
    """A namespaced identifier such as ``Ni("crm:7")``, ``~:crm:7`` in JSON."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Ni({str.__repr__(self)})"


class TypedDecimal(Decimal):
    """A decimal that is a typed string in JSON, ``~f1.10``, wherever it is encoded.

    A plain ``Decimal`` is what the ``EntityEncoder`` makes of one. Arithmetic gives plain ones.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A point in time that ``datetime`` cannot hold: it has digits beyond the microsecond.

    Attributes:
        moment: The time in UTC, cut to the microsecond; must have a time zone.
        nanosecond: The digits beyond the microsecond, 0 to 999.

    Raises:
        ValueError: ``nanosecond`` is not from 0 to 999.
    """

    moment: datetime
    nanosecond: int

    def __post_init__(self) -> None:
        if not 0 <= self.nanosecond <= 999:
            raise ValueError("nanosecond must be 0 to 999: the digits beyond the microsecond")


def decode(value: str) -> Any:
    """What a JSON string of an entity stands for.

    ========  =====================================================================
    begins    becomes
    ========  =====================================================================
    ``~t``    ``date``, or ``datetime`` in UTC; ``Timestamp`` where it has digits
              that a ``datetime`` cannot hold
    ``~f``    ``TypedDecimal``
    ``~u``    ``uuid.UUID``
    ``~b``    ``bytes``
    ``~r``    ``Uri``
    ``~:``    ``Ni``
    ``~d``    ``float``; an older client of Sesam's writes it, the hub does not
    ========  =====================================================================

    Every other string is itself, also one that has such a beginning and is no valid value.
    """
    if value[:1] != "~":
        return value
    read = _READERS.get(value[1:2])
    if read is None:
        return value
    try:
        return read(value[2:])
    except (ValueError, ArithmeticError):
        return value


def decode_all(value: Any) -> Any:
    """A copy of a JSON value, such as ``entity.data``, in which every string is decoded.

    Keys stay as they are, and so do numbers. Takes time for every value in it; where you need one
    of them, ``decode`` that one.
    """
    if isinstance(value, str):
        return decode(value)
    if isinstance(value, dict):
        return {key: decode_all(each) for key, each in value.items()}
    if isinstance(value, list):
        return [decode_all(each) for each in value]
    return value


def _moment(text: str) -> date | datetime | Timestamp:
    found = _matched(_MOMENT, text)
    day, time, fraction = found.groups()
    if time is None:
        return date.fromisoformat(day)
    digits = (fraction or "").ljust(9, "0")
    moment = datetime.fromisoformat(f"{day}{time}.{digits[:6]}+00:00")
    return Timestamp(moment, int(digits[6:])) if int(digits[6:]) else moment


def _decimal(text: str) -> TypedDecimal:
    return TypedDecimal(_matched(_NUMBER, text)[0])


def _float(text: str) -> float:
    return float(_matched(_NUMBER, text)[0])


def _identifier(text: str) -> uuid.UUID:
    return uuid.UUID(_matched(_UUID, text)[0])


def _bytes(text: str) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError
    return found


_READERS: dict[str, Callable[[str], Any]] = {
    "t": _moment,
    "f": _decimal,
    "u": _identifier,
    "b": _bytes,
    "r": Uri,
    ":": Ni,
    "d": _float,
}
