"""Transforms of the tests: some that pass everything on, one that obeys its entities.

Run as a program, it serves: ``python transforms.py Identity``, any class here by its name.
"""

# ruff: noqa: D102  # what a hook does is documented where it is declared

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from sesam_connector_sdk import (
    DestinationNotAllowed,
    Entity,
    OutcomeUnknown,
    Rejected,
    Request,
    Settings,
    TargetRefusedUs,
    TargetUnavailable,
    Throttled,
    Transform,
    serve,
)


class Identity(Transform[Settings]):
    """Gives back the hub's own bytes."""

    def transform(self, entity: Entity) -> Entity:
        return entity


class Copy(Transform[Settings]):
    """Gives back what it has decoded."""

    def transform(self, entity: Entity) -> dict[str, Any]:
        return entity.data


class MendedCopy(Copy):
    """Gives back what it has decoded, mended where the hub could not read it."""

    text_policy = "repair"


class CopyTogether(Transform[Settings]):
    """The same for all entities of a request."""

    def transform_batch(
        self,
        entities: Iterable[Entity],
        request: Request,  # noqa: ARG002  # what an author may leave unused
    ) -> Iterator[dict[str, Any]]:
        for entity in entities:
            yield entity.data


class HelpAwayError(Exception):
    """What a library would raise while what the transform needs is away."""


class ObedientTransform(Transform[Settings]):
    """Treats each entity as its field ``do`` says, and passes on those that it takes.

    Attributes:
        seen: The id of each entity that it was given.
    """

    retryable = (HelpAwayError,)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.seen: list[str] = []

    def transform(self, entity: Entity) -> Any:
        self.seen.append(entity.id)
        order = str(entity.data.get("do", "take"))
        if order in _ERRORS:
            raise _error(order)
        return _ORDERS[order](entity)


def _error(order: str) -> BaseException:
    made: BaseException = _ERRORS[order]()
    return made


_ERRORS: dict[str, Any] = {
    "DestinationNotAllowed": lambda: DestinationNotAllowed("This table is not on the list."),
    "Rejected": lambda: Rejected("It has no amount."),
    "Throttled": lambda: Throttled("The service asks for a pause.", retry_after=2.1),
    "TargetRefusedUs": lambda: TargetRefusedUs("The service does not know the connector's key."),
    "TargetUnavailable": lambda: TargetUnavailable("The service does not answer."),
    "OutcomeUnknown": lambda: OutcomeUnknown("The service did not answer in time."),
    "HelpAwayError": lambda: HelpAwayError("CANARY-exception"),
    "ValueError": lambda: ValueError("CANARY-exception"),
    "StopIteration": lambda: StopIteration("CANARY-exception"),
    "SystemExit": SystemExit,
}


def _late(entity: Entity) -> Iterator[Entity]:
    yield entity
    raise Rejected("It has no amount.")


def _spoilt(entity: Entity) -> dict[str, Any]:
    entity.data["x"] = float("nan")
    return entity.data


_ORDERS: dict[str, Any] = {
    "take": lambda entity: entity,
    "leave out": lambda _: None,
    "nothing": lambda _: [],
    "without id": lambda _: {"made": True},
    "two": lambda entity: ({"_id": f"{entity.id}-{at}"} for at in range(2)),
    "two, one without id": lambda _: [{"made": 1}, {"_id": "own"}],
    "two without id": lambda _: [{"made": 1}, {"made": 2}],
    "late": _late,
    "text": lambda _: "CANARY-text",
    "texts": lambda _: ["CANARY-text"],
    "number": lambda _: 7,
    "no id": lambda _: {"_id": None},
    "empty id": lambda _: {"_id": ""},
    "NaN": lambda entity: {"_id": entity.id, "x": float("nan")},
    "NaN in the data": _spoilt,
    "object": lambda entity: {"_id": entity.id, "x": object()},
    "stray": lambda entity: {"_id": entity.id, "x": "~tomorrow"},
}


if __name__ == "__main__":
    serve(globals()[sys.argv[1]])
