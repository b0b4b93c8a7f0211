"""What becomes one line of the log: a heading, and what is known by name.

Imports ``errors`` only. ``docs/reference/logs.md`` has every name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from sesam_connector_sdk.errors import printable

LOG = logging.getLogger("sesam_connector_sdk.request")

BROKEN_OFF = "broken-off"
"""How an answer ``ended`` that an error cut short: its array has no end."""


def log(level: int, heading: str, said: Mapping[str, Any] | None = None, **named: Any) -> None:
    """Log one event: with any formatter as text, with the SDK's JSON formatter by its fields.

    Args:
        level: Of ``logging``.
        heading: What happened, in a few words.
        said: Fields that the heading says already.
        named: Further fields, in the order of the line; those that are None, or an empty text or
            list, are left out.
    """
    if not LOG.isEnabledFor(level):
        return
    known = {name: value for name, value in named.items() if value or value == 0}
    text = heading + "".join([f" {name}={shown(value)}" for name, value in known.items()])
    extra = {"connector_fields": {"message": heading, **(said or {}), **known}}
    # Not by LOG.log, which looks for the line that called it: that is this one, each time.
    LOG.handle(LOG.makeRecord(LOG.name, level, __file__, 0, text, (), None, extra=extra))


def shown(value: Any) -> str:
    """A field's value within a line: a text is quoted where a blank in it could be misread."""
    if isinstance(value, str):
        text = printable(value, 1000)
        return '"' + text.replace('"', "'") + '"' if " " in text or '"' in text else text
    return msgspec.json.encode(value).decode()
