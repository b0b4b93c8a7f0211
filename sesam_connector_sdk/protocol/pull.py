"""The query parameters of Sesam's JSON pull protocol (``json-pull``).

Imports ``errors`` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sesam_connector_sdk.errors import InvalidParameter

PARAMETERS = frozenset(("since", "limit", "subset"))
"""Names that belong to the protocol; every other query parameter is the author's."""

_COUNT = re.compile(r"0*[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PullParameters:
    """What part of a source's entities the hub asks for. All are optional: a plain GET is all.

    An empty value is none, because it asks for more and never for less.

    Attributes:
        since: ``_updated`` of an entity that the hub has, as text, or None for the beginning.
        limit: About how many entities the answer should hold at most, or None for all.
        subset: An expression that says which entities are meant, or None for all.
    """

    since: str | None = None
    limit: int | None = None
    subset: list[Any] | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> PullParameters:
        """Read the parameters from a decoded query.

        Args:
            query: Parameter names and their texts; others than the protocol's are ignored.

        Raises:
            InvalidParameter: ``limit`` is no number above 0, or ``subset`` no JSON array.
        """
        return cls(
            since=query.get("since") or None,
            limit=_limit(query.get("limit", "")),
            subset=_subset(query.get("subset", "")),
        )


def _limit(text: str) -> int | None:
    if not text:
        return None
    # Not 0 either: an answer of no entities looks like a source that has none.
    if not _COUNT.fullmatch(text):
        raise InvalidParameter("Query parameter limit must be a whole number above 0, or left out.")
    return int(text)


def _subset(text: str) -> list[Any] | None:
    if not text:
        return None
    try:
        expression = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        expression = None
    if not isinstance(expression, list):
        raise InvalidParameter("Query parameter subset must be a JSON array.")
    return expression
