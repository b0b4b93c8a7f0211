"""Moments as texts of one width in UTC, so that they sort as texts, too.

Imports nothing else of the SDK.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

_ENCODER = msgspec.json.Encoder()


def in_utc(value: datetime) -> str:
    """Date and time in UTC with six digits of a second: ``2018-04-27T15:46:40.000000``.

    Args:
        value: A moment, with a time zone.

    Raises:
        ValueError: It has no time zone.
        OverflowError: It is not within the years 1 to 9999 in UTC.
    """
    if value.tzinfo is not UTC or type(value) is not datetime:
        value = _moved_to_utc(value)
    text = _ENCODER.encode(value).decode()  # several times faster than isoformat
    return text[1:27] if len(text) == 29 else f"{text[1:20]}.000000"


def _moved_to_utc(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise ValueError("a datetime without a time zone")
    # Not the value's own methods: those of a subclass may be anything.
    return datetime.combine(value.date(), value.timetz()).astimezone(UTC)
