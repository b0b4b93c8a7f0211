"""Texts that the hub would reject or change: finding them, and mending them.

Imports ``values`` and ``plain`` only. What the hub does with each was seen in its published
parser. A text that begins like a typed value and is none ends its reading, and so does half a
surrogate pair; it cuts a text off at U+0000. It takes an offset for nanoseconds, and a tenth digit
of a second for whole ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from .plain import Unfit
from .values import decode

TextPolicy = Literal["strict", "repair"]
"""What becomes of a text that the hub would reject or change: refused, or mended as documented."""

_KINDS = {"t": "date or time in UTC", "f": "number", "u": "UUID", "b": "Base64"}
_INTEGER_BITS = 14_280
"""As good as 4,300 digits: Python reads and writes no more, unless it is told to."""
_UNREADABLE = re.compile(r"[\0\ud800-\udfff]")
_NEARLY = re.compile(
    r"~t(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d)(\.\d+)?(?:([+-]\d\d:\d\d)Z?|Z)", re.ASCII
)


def checked(plain: dict[str, Any], *, repair: bool) -> dict[str, Any]:
    """The same JSON object with every text in it fit to send.

    Args:
        plain: Plain JSON values, typed ones as strings.
        repair: Mend a text that is not fit, instead of refusing it.

    Raises:
        Unfit: A text is not fit and not to be mended, or an integer has too many digits.
    """
    mended: dict[str, Any] = {}
    key = ""
    try:
        for key, value in plain.items():
            name = _fit(key, key_fault, repaired_key if repair else None)
            _refuse_twice(name, mended)
            mended[name] = _checked(value, repair=repair)
    except Unfit as unfit:
        unfit.steps.append(key)
        raise
    return mended


def _checked(value: Any, *, repair: bool) -> Any:
    if isinstance(value, str):
        return _fit(value, fault, repaired if repair else None)
    if isinstance(value, dict):
        return checked(value, repair=repair)
    if isinstance(value, list):
        return _array(value, repair=repair)
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS:
        raise Unfit("is an integer of more than 4,300 digits")
    return value


def _array(values: list[Any], *, repair: bool) -> list[Any]:
    mended: list[Any] = []
    try:
        for value in values:
            mended.append(_checked(value, repair=repair))  # noqa: PERF401 - its length is the place
    except Unfit as unfit:
        unfit.steps.append(len(mended))
        raise
    return mended


def _fit(text: str, find: Callable[[str], str | None], mend: Callable[[str], str] | None) -> str:
    reason = find(text)
    if reason is None:
        return text
    if mend is None:
        raise Unfit(reason)
    return mend(text)


def _refuse_twice(name: str, mended: dict[str, Any]) -> None:
    if name in mended:
        raise Unfit("is the same key as another, once it is mended")


def fault(text: str) -> str | None:
    """Why the hub would not read this value unchanged, without the value; None if it would."""
    if text[:1] == "~" and text[1:2] in _KINDS and decode(text) is text:
        return (
            f"begins with ~{text[1]} and is no valid {_KINDS[text[1]]},"
            " so the hub would reject or change it"
        )
    return key_fault(text)


def key_fault(text: str) -> str | None:
    """The same for a key: the hub looks for no typed values there."""
    found = None if text.isascii() and "\0" not in text else _UNREADABLE.search(text)
    if found is None:
        return None
    return "holds U+0000" if found[0] == "\0" else "holds half a surrogate pair"


def repaired(text: str) -> str:
    """The value as ``repair`` sends it: one that the hub reads as it stands.

    A time with an offset, or with more than nine digits of a second, becomes that time in UTC, cut
    to nine digits. Whatever else only looks like a typed value gets a space in front.
    """
    clean = repaired_key(text)
    if fault(clean) is None:
        return clean
    return _in_utc(clean) or f" {clean}"


def repaired_key(text: str) -> str:
    """The key as ``repair`` sends it: U+FFFD stands where a character cannot be sent."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "\ufffd")


def _in_utc(text: str) -> str | None:
    found = _NEARLY.fullmatch(text)
    if found is None:
        return None
    whole, fraction, offset = found.groups(default="")
    try:
        moment = datetime.fromisoformat(whole + (offset or "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # no such day, or not within the years 1 to 9999
    return f"~t{moment.isoformat()[:19]}{fraction[:10]}Z"
