"""Runs a pipe against a connector: batches, retries, single entities, the empty batch at the end.

Knows the order of things and no HTTP: requests go out through a ``Poster``. Sources: Sesam's pages
``custom-data-sink`` (batches, the final empty one), ``json-push`` (409), ``configuration-pump``
(retries, single entities, dead letters). A node makes the retries of a single entity in its next
runs; here they are made at once, so that one run shows how everything ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Protocol

from .client import Client
from .ledger import Ledger
from .plan import Item, Plan
from .policy import Policy, policy_for
from .run import Answer, End, Kind, RequestRecord, Run
from .sequence import Sequence

_CONFLICT = 409


class Poster(Protocol):
    """Sends one request and waits for its answer."""

    def post(self, body: bytes, parameters: Mapping[str, str]) -> Answer:
        """Send it."""


def push(
    plan: Plan,
    *,
    incremental: bool = False,
    poster: Poster | None = None,
    sleep: Callable[[float], None] = time.sleep,
    watch: Callable[[RequestRecord], None] = lambda _record: None,
) -> Run:
    """Run a pipe once.

    Args:
        plan: What to send, and where.
        incremental: Send it as an incremental sync. An embedded source cannot be read from an
            offset, so a node runs it as a full one.
        poster: What sends; HTTP by default.
        sleep: Waits so many seconds; tests give a clock of their own.
        watch: Called after each request.
    """
    sequence = Sequence(full=not incremental)
    if poster is not None:
        return _Push(plan, sequence, poster, sleep, watch).run()
    with Client(plan) as client:
        return _Push(plan, sequence, client, sleep, watch).run()


@dataclass(frozen=True, slots=True)
class _Request:
    """What stays the same when a request is sent again."""

    kind: Kind
    items: Items[Item]
    parameters: dict[str, str]

    @property
    def body(self) -> bytes:
        return b"[" + b",".join(item.json for item in self.items) + b"]"


class _Ended(Exception):
    """The run ends here."""

    def __init__(self, end: End, reason: str) -> None:
        super().__init__(reason)
        self.end = end
        self.reason = reason


class _Push:
    """One run."""

    def __init__(
        self,
        plan: Plan,
        sequence: Sequence,
        poster: Poster,
        sleep: Callable[[float], None],
        watch: Callable[[RequestRecord], None],
    ) -> None:
        self._plan = plan
        self._poster = poster
        self._sleep = sleep
        self._watch = watch
        self._sequence = sequence
        self._result = Run(sequence.id, sequence.full, Ledger(item.id for item in plan.items))
        self._errors_in_a_row = 0
        self._kept = 0

    def run(self) -> Run:
        try:
            for batch in self._plan.batches():
                self._deliver(batch)
            self._finish()
        except _Ended as ended:
            self._result.end, self._result.reason = ended.end, ended.reason
        return self._result

    def _deliver(self, batch: Items[Item]) -> None:
        if self._plan.batch_size > 1:
            answer = self._try("batch", batch, lambda each: each.batch_retries)
            if answer.ok:
                self._errors_in_a_row = 0
                return
            if not self._plan.pump.fallback:
                raise _ended(answer, "a batch failed, and the pump does not send single entities")
        for item in batch:
            self._deliver_single(item)

    def _deliver_single(self, item: Item) -> None:
        request = _Request("single", [item], self._sequence.next())
        answer = self._send(request, 0)
        if not answer.ok and self._policy(answer).entity_retries:
            self._keep(answer)
            answer = self._again(request, answer, lambda each: each.entity_retries)
        if answer.ok:
            self._errors_in_a_row = 0
        else:
            self._give_up(item, answer)

    def _finish(self) -> None:
        """Send the empty batch that ends every run (``custom-data-sink``)."""
        answer = self._try("final", [], lambda each: each.batch_retries, last=True)
        if not answer.ok:
            raise _ended(answer, "the final empty batch was not accepted")

    def _keep(self, answer: Answer) -> None:
        """Count an entity that a node would keep for its next runs; there is a bound for them."""
        self._kept += 1
        if self._kept > self._policy(answer).max_write_errors_in_retry_dataset:
            raise _ended(answer, "more entities failed than max_write_errors_in_retry_dataset")

    def _give_up(self, item: Item, answer: Answer) -> None:
        chosen = self._policy(answer)
        self._errors_in_a_row += 1
        if not chosen.keeps_failed_entities:
            raise _ended(
                answer, "an entity failed, and max_write_errors_in_retry_dataset keeps none"
            )
        if self._plan.pump.dead_letter_dataset:
            self._result.ledger.dead_letter(item.position)
        if self._errors_in_a_row >= chosen.max_consecutive_write_errors:
            raise _ended(
                answer, f"max_consecutive_write_errors: {self._errors_in_a_row} failed in a row"
            )

    def _try(
        self,
        kind: Kind,
        items: Items[Item],
        retries: Callable[[Policy], int],
        *,
        last: bool = False,
    ) -> Answer:
        request = _Request(kind, items, self._sequence.next(last=last))
        return self._again(request, self._send(request, 0), retries)

    def _again(self, request: _Request, answer: Answer, retries: Callable[[Policy], int]) -> Answer:
        """Send a request until it is accepted, or the policy for its last answer gives up."""
        attempt = 0
        while not answer.ok and attempt < retries(chosen := self._policy(answer)):
            attempt += 1
            if chosen.write_retry_delay:
                self._sleep(chosen.write_retry_delay)
            answer = self._send(request, attempt)
        return answer

    def _send(self, request: _Request, attempt: int) -> Answer:
        body = request.body
        answer = self._poster.post(body, request.parameters)
        self._record(request, attempt, len(body), answer)
        if answer.ok:
            self._sequence.accepted(request.parameters)
        if answer.status == _CONFLICT and self._result.full:
            raise _Ended(
                End.CONFLICT,
                "409 in a full sync: the hub stops, and later starts over with a new sequence",
            )
        return answer

    def _record(self, request: _Request, attempt: int, size: int, answer: Answer) -> None:
        ids = tuple(item.id for item in request.items)
        record = RequestRecord(request.kind, attempt, ids, size, request.parameters, answer)
        self._result.requests.append(record)
        self._result.ledger.answered([item.position for item in request.items], answer.failure)
        self._watch(record)

    def _policy(self, answer: Answer) -> Policy:
        strategy = self._plan.system.retry_strategy
        return policy_for(self._plan.pump.retries, strategy, answer.status)


def _ended(answer: Answer, reason: str) -> _Ended:
    if answer.status is None:
        # No bound of the pump is to blame for that.
        return _Ended(End.NO_CONTACT, f"the connector did not answer ({answer.failure})")
    return _Ended(End.WRITE_ERRORS, f"{reason} ({answer.failure})")
