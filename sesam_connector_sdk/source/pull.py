"""Runs an author's ``read``: what comes out is whole, in order, and cut only where it may be.

Imports ``arraywriter``, ``connector``, ``errors``, ``request``, ``protocol``, ``transit`` and this
room only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sesam_connector_sdk.arraywriter import PIECE_SECONDS, closing
from sesam_connector_sdk.connector import typed_errors
from sesam_connector_sdk.errors import (
    EntityProblem,
    InconsistentSource,
    InvalidParameter,
    Misuse,
    NothingToRead,
    UnknownSubset,
)
from sesam_connector_sdk.protocol import PullParameters
from sesam_connector_sdk.request import PullRequest
from sesam_connector_sdk.transit import EntityEncoder, EntityGroup

from .base import Source

_AWAY = "The source's data"
_Entity = Mapping[str, Any]
_MOST_TOGETHER = 32
_GROUP_BYTES = 32 * 1024


def asked(source: Source[Any], pull: PullParameters, **circumstances: Any) -> PullRequest:
    """The request that ``read`` is given.

    Args:
        source: The source that is asked.
        pull: The protocol's parameters.
        circumstances: The arguments of a ``Request``.

    Raises:
        InvalidParameter: There is a ``since`` that the source does not read.
        UnknownSubset: There is a subset, and the source has none.
    """
    if pull.subset is not None and not source.has_subsets:
        raise UnknownSubset("This source has no subsets. Leave subset out of the pipe's source.")
    return PullRequest(
        **circumstances, since=_since(source, pull.since), limit=pull.limit, subset=pull.subset
    )


def _since(source: Source[Any], text: str | None) -> Any:
    if text is None:
        return None
    if source.since is None:
        raise InvalidParameter(
            "This source knows no since: it can only be read as a whole."
            " Set supports_since to false in the pipe's source."
        )
    try:
        return source.since.decode(text)
    except ValueError as error:
        raise InvalidParameter(f"Query parameter since must be {error}.") from None


class Pull:
    """One answer of a source.

    Args:
        source: The source, opened.
        request: What is asked of it.

    Attributes:
        count: How many entities have been made.
    """

    def __init__(self, source: Source[Any], request: PullRequest) -> None:
        self._source = source
        self._request = request
        self.count = 0

    def headers(self) -> dict[str, str]:
        """The answer's headers that tell of the dataset.

        Raises:
            ConnectorError: As ``Source.dataset`` raises it.
        """
        with typed_errors(self._source, _AWAY):
            dataset = self._source.dataset(self._request)
        return dataset.headers(self._source.since) if dataset else {}

    def items(self) -> Iterator[bytes]:
        """The entities as JSON, with commas between those that are made together.

        Raises:
            ConnectorError: The answer cannot be made, or not be finished.
            Exception: The author's code has a bug.
        """
        encoder = EntityEncoder(text=self._source.text_policy)
        with (
            typed_errors(self._source, _AWAY),
            closing(self._read()) as entities,
        ):
            for group in _groups(self._cut(entities) if self._source.since else entities, encoder):
                for item in group.written():
                    self.count = group.end
                    yield item
        if not (self.count or self._request.since is not None or self._source.may_be_empty):
            raise NothingToRead(
                "A full read found no entities, and the hub would delete all that it has."
                " If that is normal, set may_be_empty in the source's class."
            )

    def _read(self) -> Iterable[_Entity]:
        entities: Any = self._source.read(self._request)
        if not isinstance(entities, Iterable):
            name, kind = type(self._source).__name__, type(entities).__name__
            raise Misuse(f"{name}.read returned {kind}; yield the entities")
        return entities

    def _cut(self, entities: Iterable[_Entity]) -> Iterator[_Entity]:
        """The entities with ``_updated`` as the hub reads it, up to the limit."""
        encode = self._source.since.encode  # type: ignore[union-attr]  # it has one
        in_order = self._source.is_chronological
        # Of a source without an order, the hub could not ask for the rest.
        limit = self._request.limit if in_order else None
        last: Any = None
        position = 0
        for entity in entities:
            updated = entity.get("_updated") if type(entity) is dict else _updated(entity, position)
            if updated is None:
                raise _inconsistent(entity, position, "is missing")
            try:
                text = encode(updated)
                if in_order and last is not None and not last <= updated:
                    raise _inconsistent(entity, position, "is before that of the entity before it")
            except ValueError as error:
                raise _inconsistent(entity, position, f"is not {error}") from None
            if limit is not None:
                if self._request.since is not None and updated <= self._request.since:
                    continue  # it was on the page before
                if position >= limit and updated != last:
                    return
            last = updated
            position += 1
            yield entity if text is updated else {**entity, "_updated": text}


def _groups(entities: Iterable[_Entity], encoder: EntityEncoder) -> Iterator[EntityGroup]:
    """More at a time while they are small and come quickly, so memory and delay stay small."""
    most, group, began = 1, encoder.group(), time.monotonic()
    try:
        for entity in entities:
            if group.add(entity) >= most or time.monotonic() - began >= PIECE_SECONDS:
                yield group
                fitting = _GROUP_BYTES * len(group) // group.size
                most = max(1, min(2 * most, _MOST_TOGETHER, fitting))
                group, began = encoder.group(group.end), time.monotonic()
    except Exception:
        # They came before the error: what is wrong with one of them is told first, and they count.
        if len(group):
            yield group
        raise
    if len(group):
        yield group


def _updated(entity: Any, position: int) -> Any:
    if isinstance(entity, Mapping):
        return entity.get("_updated")
    raise InconsistentSource(
        f"Item {position} of the answer is a {type(entity).__name__} and no mapping."
    )


def _inconsistent(entity: _Entity, position: int, fault: str) -> InconsistentSource:
    identity = entity.get("_id")
    problem = EntityProblem(
        identity if isinstance(identity, str) else None, position, f"_updated {fault}"
    )
    return InconsistentSource(
        f"Item {position} of the answer is not as the source's class says: _updated {fault}.",
        entities=[problem],
    )
