"""The query parameters of Sesam's JSON push protocol (``json-push``).

Imports ``errors`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sesam_connector_sdk.errors import InvalidParameter

_TEXTS = ("sequence_id", "request_id", "previous_request_id")
_FLAGS = ("is_full", "is_first", "is_last")
PARAMETERS = frozenset((*_TEXTS, *_FLAGS))
"""Names that belong to the protocol; every other query parameter is the author's."""


@dataclass(frozen=True, slots=True)
class PushParameters:
    """Where a request stands in the hub's run. All are optional: a plain POST is incremental.

    Attributes:
        sequence_id: A new token for each run of the pipe, or None.
        request_id: A token for this request, unique in its sequence, or None.
        previous_request_id: ``request_id`` of the request before; None on the first.
        is_full: True in a full sync.
        is_first: True on the first request of a full sync; never set in an incremental one.
        is_last: True on the last request of a full sync; never set in an incremental one.
    """

    sequence_id: str | None = None
    request_id: str | None = None
    previous_request_id: str | None = None
    is_full: bool = False
    is_first: bool = False
    is_last: bool = False

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> PushParameters:
        """Read the parameters from a decoded query.

        Args:
            query: Parameter names and their texts; others than the protocol's are ignored.

        Raises:
            InvalidParameter: A flag is neither ``true`` nor ``false`` nor empty.
        """
        values: dict[str, Any] = {name: query[name] or None for name in _TEXTS if name in query}
        for name in _FLAGS:
            if name in query:
                values[name] = _flag(name, query[name])
        return cls(**values)


def _flag(name: str, text: str) -> bool:
    # Clients of Sesam send Python's True as well as the documented true.
    value = {"true": True, "false": False, "": False}.get(text.lower())
    if value is None:
        raise InvalidParameter(f"Query parameter {name} is something else; send true or false.")
    return value
