"""What a source can tell the hub about itself in the headers of an answer.

Source: Sesam's page ``json-pull``, on its optional response headers. Imports this room's codecs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from .since import Since

_TOKEN = re.compile(r"[\x21-\x7e]{1,200}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The state of what a source reads from; each is sent only where it is given.

    The hub's automatic reprocessing looks at them to know when to begin again from the start.

    Attributes:
        populated: Whether everything has been there once, ``X-Dataset-Populated``.
        max_updated: The largest ``_updated`` there is, as ``read`` would yield it,
            ``X-Dataset-Max-Updated``.
        filtered: Whether the source leaves entities out, ``X-Dataset-Filtered``.
        generation: A token that is another one once every ``since`` given out before is void,
            ``X-Dataset-Generation``. Sesam's own are UUIDs.
        completeness: Until when the data is complete, with a time zone, ``X-Dataset-Completeness``.
    """

    populated: bool | None = None
    max_updated: Any = None
    filtered: bool | None = None
    generation: str | None = None
    completeness: datetime | None = None

    def headers(self, since: Since[Any] | None) -> dict[str, str]:
        """The headers of an answer.

        Args:
            since: The source's codec, for ``max_updated``.

        Raises:
            ValueError: A value cannot stand in its header.
        """
        found = {
            "Populated": _flag(self.populated),
            "Max-Updated": self._max_updated(since),
            "Filtered": _flag(self.filtered),
            "Generation": self.generation,
            "Completeness": self._completeness(),
        }
        if self.generation is not None and not _TOKEN.fullmatch(self.generation):
            raise ValueError("generation needs to be visible ASCII characters, 200 at most")
        return {f"X-Dataset-{name}": text for name, text in found.items() if text is not None}

    def _max_updated(self, since: Since[Any] | None) -> str | None:
        if self.max_updated is None:
            return None
        value = since.encode(self.max_updated) if since else self.max_updated
        if not isinstance(value, str | int) or not str(value).isascii():
            raise ValueError("max_updated needs to be an integer or an ASCII text")
        return msgspec.json.encode(value).decode()

    def _completeness(self) -> str | None:
        if self.completeness is None:
            return None
        if self.completeness.utcoffset() is None:
            raise ValueError("completeness needs a time zone")
        return str((self.completeness - _EPOCH) // timedelta(microseconds=1))


def _flag(value: bool | None) -> str | None:  # noqa: FBT001  # the field is one
    return None if value is None else "true" if value else "false"
