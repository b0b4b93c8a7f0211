"""What came of a run: its requests, its ledger, and why it ended. Values only."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .ledger import Ledger

Kind = Literal["batch", "single", "final"]

NOTHING_LISTENS = "no connection: nothing listens there"
"""What broke the contact where a connection was refused."""


class End(enum.Enum):
    """Why a run ended."""

    COMPLETE = "complete"
    """The final empty batch was accepted. Entities may have become dead letters."""

    WRITE_ERRORS = "write errors"
    """The hub gave up on the connector's answers."""

    NO_CONTACT = "no contact"
    """The last request got no answer: not connected, cut, or too late."""

    CONFLICT = "conflict"
    """409 in a full sync: the hub stops, and later starts over with a new sequence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request got.

    Attributes:
        status: The HTTP status; None if there was no answer.
        error: What broke the contact; None if there was an answer.
        detail: ``detail`` of the problem document in the answer, cut; None without one.
        seconds: How long it took.
    """

    status: int | None
    error: str | None = None
    detail: str | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the hub counts the entities as delivered: any 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def failure(self) -> str | None:
        """Why it failed, in a few words; None if it did not."""
        if self.ok:
            return None
        return self.error or ": ".join(filter(None, (str(self.status), self.detail)))


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as it was sent, and what it got.

    Attributes:
        kind: ``batch``, ``single`` in the fallback, or ``final``: the empty one at the end.
        attempt: 0, then 1 and up when the same request is sent again.
        ids: The ``_id`` of each entity in it.
        bytes: Size of the body.
        parameters: The protocol's query parameters; the pipe's own are left out.
        answer: What it got.
    """

    kind: Kind
    attempt: int
    ids: tuple[str, ...]
    bytes: int
    parameters: Mapping[str, str]
    answer: Answer

    @property
    def entities(self) -> int:
        """How many entities it held."""
        return len(self.ids)


@dataclass(slots=True)
class Run:
    """One run of a pipe.

    Attributes:
        sequence_id: The run's own.
        full: Whether it was a full sync.
        ledger: What became of each entity.
        requests: Every request, in order.
        end: Why it ended.
        reason: The same in a sentence, with what to do.
    """

    sequence_id: str
    full: bool
    ledger: Ledger
    requests: list[RequestRecord] = field(default_factory=list)
    end: End = End.COMPLETE
    reason: str = "the final empty batch was accepted"

    @property
    def ok(self) -> bool:
        """Every entity was in a request answered 2xx, and so was the final empty batch."""
        return self.end is End.COMPLETE and not self.ledger.undelivered()

    @property
    def refused_connection(self) -> bool:
        """Whether the run ended because nothing listens at the connector's address."""
        return not self.answered and self.requests[-1].answer.error == NOTHING_LISTENS

    @property
    def answered(self) -> bool:
        """Whether the run did not end for want of an answer."""
        return self.end is not End.NO_CONTACT
