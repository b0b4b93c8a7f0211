"""The entities of one request, and the account of what became of each.

Imports ``body``, ``entity``, ``request``, ``errors`` and ``full_sync``; knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sesam_connector_sdk.body import Body, Limits, Rules
from sesam_connector_sdk.entity import Entity
from sesam_connector_sdk.errors import EntityProblem, Misuse, Rejected, TargetUnavailable
from sesam_connector_sdk.request import PushRequest

from .full_sync import FullSync


@dataclass(frozen=True, slots=True)
class Receipt:
    """How many entities of an accepted request ended how.

    Attributes:
        delivered: Taken by ``write``; superseded versions count here.
        skipped: Left out by a declared policy.
    """

    delivered: int
    skipped: int


class Batch:
    """The entities of one request, in the order in which the hub sent them.

    Iterate it, as often as you like: it is read from the request's body in chunks, so memory stays
    bounded. Every entity must be accounted for by the time ``write`` returns. It is *delivered* if
    it was yielded, unless ``reject``, ``fail`` or ``skip`` named it. Use a batch from one thread at
    a time, and not after ``write`` has returned.

    Args:
        body: The request's body: a JSON array, seekable, whole.
        request: What came with it.
        limits: What it may hold.

    Attributes:
        request: What came with the batch.
        full_sync: The full sync that goes on, also while an incremental request comes; None if none
            does, or if the sink does not sweep.
    """

    def __init__(
        self, body: BinaryIO, request: PushRequest | None = None, limits: Limits | None = None
    ) -> None:
        self.request = request or PushRequest()
        self.full_sync: FullSync | None = None
        self._body = Body(body, self.request.push.sequence_id, limits)
        self._taken = 0
        self._rejected: dict[int, EntityProblem] = {}
        self._failed: dict[int, EntityProblem] = {}
        self._skipped: dict[int, EntityProblem] = {}

    def __len__(self) -> int:
        """How many entities the request holds."""
        return len(self._body)

    def __repr__(self) -> str:
        return f"<Batch of {len(self)} entities>"

    def __iter__(self) -> Iterator[Entity]:
        entity = None
        try:
            for entity in self._body:
                yield entity
        finally:
            # Also where the author leaves the loop early: what was yielded was taken.
            if entity is not None:
                self._taken = max(self._taken, entity.position + 1)

    def latest(self) -> Iterator[Entity]:
        """Only the last version of each ``_id``, in the order of those versions.

        Superseded versions count as delivered. Memory: the ids of the batch.
        """
        # Looking is not taking: only what is yielded by the second pass counts as delivered.
        last = {entity.id: entity.position for entity in self._body}
        return (entity for entity in self if last[entity.id] == entity.position)

    def ids(self) -> Iterator[str]:
        """The ``_id`` of each entity, in order. None of them counts as taken by that."""
        return (entity.id for entity in self._body)

    def reject(self, entity: Entity, reason: str) -> None:
        """This entity can never be accepted as it is; the answer is 422 and names it.

        The others may be delivered already: the hub sends all of them again, one at a time, so that
        only this one is dead-lettered.

        Args:
            entity: An entity of this batch.
            reason: One sentence for whoever mends the data. No values of the entity.
        """
        self._rejected[entity.position] = entity.problem(reason)

    def fail(self, entity: Entity, reason: str) -> None:
        """This entity did not arrive and should be sent again; the answer is 503 and names it.

        Args:
            entity: An entity of this batch.
            reason: One sentence for whoever runs the connector. No values of the entity.
        """
        self._failed[entity.position] = entity.problem(reason)

    def skip(self, entity: Entity, reason: str) -> None:
        """This entity is left out by a declared policy, which is a success.

        Args:
            entity: An entity of this batch.
            reason: The policy, in a few words.
        """
        self._skipped[entity.position] = entity.problem(reason)

    def validate(self, rules: Rules | None = None) -> None:
        """Read the whole body once, so that nothing is delivered of a request that is wrong.

        Called by the SDK before ``write``.

        Args:
            rules: What every entity is held to.

        Raises:
            MalformedBody: The body is not a JSON array of objects.
            TooLarge: An entity is over the limit.
            Rejected: Entities without a usable ``_id``, or that break the rules; names every one,
                or the first thousands.
        """
        self._body.validate(rules)

    def settle(self) -> Receipt:
        """Close the account after ``write`` has returned.

        Raises:
            TargetUnavailable: An entity failed. Retryable beats permanent, so that nothing good is
                dead-lettered because of its neighbour.
            Rejected: An entity was rejected, and none failed.
            Misuse: Not every entity was taken: a bug of the sink.
        """
        if self._taken < len(self):
            raise Misuse(
                f"write returned after taking {self._taken} of {len(self)} entities;"
                " iterate over the whole batch, or raise an error"
            )
        if self._failed:
            problems = [*self._failed.values(), *self._rejected.values()]
            raise TargetUnavailable(self._summary("did not arrive", problems), entities=problems)
        if self._rejected:
            problems = list(self._rejected.values())
            raise Rejected(self._summary("can never be accepted", problems), entities=problems)
        return Receipt(delivered=len(self) - len(self._skipped), skipped=len(self._skipped))

    def _summary(self, verdict: str, problems: list[EntityProblem]) -> str:
        """One sentence with the first reason: the hub's log shows no more than that."""
        return f"{len(problems)} of {len(self)} entities {verdict}: {problems[0].reason}."
