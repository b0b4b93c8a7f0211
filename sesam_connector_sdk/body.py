"""The entities of one request's body: checked as a whole first, then read in stream order.

What sinks and transforms share. Imports ``entity``, ``jsonarray`` and ``errors``; knows nothing of
HTTP, of connectors or of what becomes of the entities.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from .entity import Entity, check, entities
from .errors import EntityProblem, Rejected, printable
from .jsonarray import Chunk, Span, again, chunks

# A body of nothing but wrong entities costs neither the memory nor the time to name them all.
_ENOUGH_PROBLEMS = 10_000
# A body up to this size is held twice; the entities of a larger one are cut out of it again.
_KEPT_BYTES = 1024 * 1024
_ITEM_BYTES = 80


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may hold.

    Attributes:
        max_entity: Largest entity in bytes.
        max_depth: Deepest nesting of an entity.
    """

    max_entity: int = 1024 * 1024
    max_depth: int = 100


class Rules(Protocol):
    """What entities are held to beside what the hub's protocol says."""

    def problems(self, data: Any, /) -> list[str]:
        """What is wrong with an entity's data, a line each, without values."""


class Body:
    """The entities of one request, in the order in which the hub sent them.

    ``validate`` it once, then iterate it as often as you like: it is read in chunks, so memory
    stays bounded. For one thread at a time.

    Args:
        stream: A JSON array, seekable, whole.
        sequence: The request's ``sequence_id``, or None; it is part of the entities' keys.
        limits: What it may hold.
    """

    def __init__(
        self, stream: BinaryIO, sequence: str | None = None, limits: Limits | None = None
    ) -> None:
        self._stream = stream
        self._sequence = sequence
        self._limits = limits or Limits()
        self._count = 0
        self._kept: list[Chunk] = []
        self._spans: list[Span] = []

    def __len__(self) -> int:
        """How many entities there are, once it is validated."""
        return self._count

    def __iter__(self) -> Iterator[Entity]:
        return itertools.chain.from_iterable(self._groups())

    def validate(self, rules: Rules | None = None) -> None:
        """Read the whole body once, so that nothing is done about a request that is wrong.

        Of a small body the items are kept; of a larger one, where they are.

        Args:
            rules: What every entity is held to, once all of them are entities.

        Raises:
            MalformedBody: The body is not a JSON array of objects.
            TooLarge: An entity is over the limit.
            Rejected: Entities without a usable ``_id``, or that break the rules; names every one,
                or the first thousands.
        """
        self._read_through()
        if rules is not None:
            self._hold_to(rules)

    def _read_through(self) -> None:
        refused = None
        problems: list[EntityProblem] = []
        kept: list[Chunk] = []
        size = self._stream.seek(0, io.SEEK_END)
        for chunk in self._chunks():
            try:
                check(chunk, self._count)
            except Rejected as error:
                refused = error
                problems += error.entities
            self._count += len(chunk.items)
            # What an item costs beside its bytes counts too: a body may be one of tiny items.
            size += len(chunk.items) * _ITEM_BYTES
            kept.append(Chunk(b"", chunk.items, chunk.start, chunk.end))
            if size > _KEPT_BYTES:
                self._spans += [each.span() for each in kept]
                kept.clear()
            del chunk  # a large one is not held while the next is read
            if len(problems) > _ENOUGH_PROBLEMS:
                break
        if refused:
            raise Rejected(refused.detail, entities=problems)
        self._kept = kept

    def _hold_to(self, rules: Rules) -> None:
        problems: list[EntityProblem] = []
        for entity in self:
            reason = _broken(rules, entity)
            if reason:
                problems.append(entity.problem(reason))
            if len(problems) > _ENOUGH_PROBLEMS:
                break
        if problems:
            raise Rejected(
                f"{len(problems)} of {self._count} entities break the connector's schema:"
                f" {problems[0].reason}",
                entities=problems,
            )

    def _groups(self) -> Iterator[Iterator[Entity]]:
        position = 0
        for items in self._items():
            yield entities(items, position, self._sequence)
            position += len(items)

    def _items(self) -> Iterator[list[bytes]]:
        for span in self._spans:
            yield again(self._stream, span)
        for chunk in self._kept:
            yield chunk.items

    def _chunks(self) -> Iterator[Chunk]:
        self._stream.seek(0)
        return chunks(
            self._stream, max_item=self._limits.max_entity, max_depth=self._limits.max_depth
        )


def _broken(rules: Rules, entity: Entity) -> str:
    """What an entity breaks of the rules; empty if nothing."""
    try:
        return printable("; ".join(rules.problems(entity.data)))
    except RecursionError:
        return "it is nested too deeply for the schema"
    except Rejected as unreadable:
        return unreadable.entities[0].reason
