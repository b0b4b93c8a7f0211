"""Which requests continue a full sync, and whether it may delete at its end: a state machine.

Imports this room and ``errors``; knows no HTTP and no entities. Source: Sesam's page ``json-push``.
It leaves open how a request is numbered that is sent again after an error; so several ways are
taken here, as long as none of them can make the end delete what the source still has.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from sesam_connector_sdk.errors import FullSyncConflict, InvalidParameter, printable

from .digests import Digests
from .push import PushParameters

MAX_SEEN = 2_000_000
"""How many ids of one full sync are remembered; one with more deletes nothing."""

MAX_UNDELIVERED = 10_000
"""How many ids of failed requests are remembered; a full sync with more deletes nothing."""

_LONGEST_TOKEN = 255
_REPLACED_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Position:
    """Where a request stands.

    Attributes:
        sequence: ``sequence_id`` of the full sync that goes on; None if none does.
        part: Whether the request is part of it; False for an incremental one.
        first: No request of it was accepted before.
        last: It is to be completed with this request.
        replay: The same request was accepted before; that answer may have been lost.
    """

    sequence: str | None
    part: bool = False
    first: bool = False
    last: bool = False
    replay: bool = False


@dataclass(slots=True)
class _Sequence:
    """One full sync, from its first request on.

    Attributes:
        id: Its ``sequence_id``.
        seen: Digests of the ids that came, if they are to be kept.
        accepted: ``request_id`` and ``previous_request_id`` of the last request that was accepted.
        failed: ``request_id`` of the request that failed last, if none was accepted since.
        over: It was completed.
        number: The highest ``request_id`` that came, where they are numbers.
        undelivered: Digests of ids of failed requests.
        spoiled: Why it can never be known to be whole.
    """

    id: str
    seen: Digests | None
    accepted: tuple[str | None, str | None] | None = None
    failed: str | None = None
    over: bool = False
    number: int = 0
    undelivered: set[int] = field(default_factory=set)
    spoiled: str | None = None

    def check(self, push: PushParameters) -> None:
        """Raise a conflict unless the request continues from one that is known."""
        known = {None if self.accepted is None else self.accepted[0], self.failed} - {None}
        if self.accepted is None and push.is_first:
            known.add(None)
        elif push.is_first:
            raise FullSyncConflict(
                "is_first is true, but requests of this full sync came before. Start over with a"
                " new sequence_id."
            )
        if push.previous_request_id not in known:
            raise FullSyncConflict(
                "previous_request_id does not name the request before this one. Start over with a"
                " new sequence_id."
            )

    def count(self, request_id: str) -> None:
        """Notice numbers that are left out: requests that never came here."""
        if not (request_id.isascii() and request_id.isdecimal()):
            return
        number = int(request_id)
        if number > self.number + 1:
            self.spoiled = f"request {printable(request_id, 20)} came without the one before it"
        self.number = max(self.number, number)


class FullSyncState:
    """The full sync of one endpoint and one author's query. Safe across threads.

    ``judge`` a request when it comes. Then say what became of it: ``delivered`` when its entities
    are, and ``accepted`` when it is about to be answered 2xx; or ``failed``. The requests of a full
    sync are judged one after the other, each when the one before has ended.

    Args:
        keeps_ids: Whether to remember which ids came; costs 12 to 24 bytes for each.

    Attributes:
        keeps_ids: The same.
    """

    def __init__(self, *, keeps_ids: bool = False) -> None:
        self.keeps_ids = keeps_ids
        self._lock = threading.Lock()
        self._sequence: _Sequence | None = None
        self._replaced: deque[str] = deque(maxlen=_REPLACED_REMEMBERED)

    def judge(self, push: PushParameters) -> Position:
        """Where a request stands. A new full sync replaces the one before at once.

        Raises:
            FullSyncConflict: It does not continue what is known here.
            InvalidParameter: A full sync without ``sequence_id`` or ``request_id``.
        """
        with self._lock:
            return self._judge_full(push) if push.is_full else self._judge_incremental(push)

    def delivered(self, push: PushParameters, digests: Iterable[int]) -> None:
        """The target has the entities of a request, incremental or not.

        Args:
            push: The request's parameters.
            digests: ``hash`` of each ``_id``.
        """
        with self._lock:
            sequence = self._active()
            if sequence is None:
                return
            if sequence.seen is not None:
                for digest in digests:
                    sequence.seen.add(digest)
                if len(sequence.seen) > MAX_SEEN:
                    sequence.seen = Digests()
                    sequence.spoiled = f"it has more than {MAX_SEEN} ids"
            if _is_part(push, sequence):
                sequence.undelivered.difference_update(digests)

    def accepted(self, push: PushParameters, *, completed: bool = False) -> None:
        """A request was taken whole.

        Args:
            push: The request's parameters.
            completed: Whether the full sync was completed with it.
        """
        with self._lock:
            sequence = self._active()
            if sequence is not None and _is_part(push, sequence):
                sequence.accepted = (push.request_id, push.previous_request_id)
                sequence.failed = None
                if completed:
                    sequence.over, sequence.seen = True, None

    def failed(self, push: PushParameters, digests: Iterable[int] | None = None) -> None:
        """A request was, or will be, answered otherwise than 2xx.

        Args:
            push: The request's parameters.
            digests: ``hash`` of each ``_id`` in it; None where they are not known.
        """
        with self._lock:
            sequence = self._active()
            if sequence is None or not _is_part(push, sequence):
                return
            sequence.failed = push.request_id
            if digests is None:
                # Even if a request of this number is accepted later: it may hold other entities.
                sequence.spoiled = "a request failed before its entities were known"
                return
            sequence.undelivered.update(digests)
            if len(sequence.undelivered) > MAX_UNDELIVERED:
                sequence.undelivered.clear()
                sequence.spoiled = f"more than {MAX_UNDELIVERED} entities were not delivered"

    def hindrance(self) -> str | None:
        """Why nothing may be deleted at the end of the full sync that goes on; None if it may."""
        with self._lock:
            sequence = self._active()
            if sequence is None:
                return "no full sync goes on"
            if sequence.spoiled:
                return sequence.spoiled
            if sequence.undelivered:
                return f"{len(sequence.undelivered)} entities were not delivered"
            return None

    def came(self, digest: int) -> bool:
        """Whether an id came since the full sync began. Only where ids are kept.

        Args:
            digest: ``hash`` of the ``_id``.
        """
        with self._lock:
            sequence = self._active()
            # What cannot be told is not to be deleted.
            return sequence is None or sequence.seen is None or digest in sequence.seen

    def _active(self) -> _Sequence | None:
        return None if self._sequence is None or self._sequence.over else self._sequence

    def _judge_incremental(self, push: PushParameters) -> Position:
        active = self._active()
        if active is not None and push.sequence_id == active.id:
            raise FullSyncConflict(
                "is_full is false, but it was true before in the same sequence. Start over with a"
                " new sequence_id."
            )
        return Position(None if active is None else active.id)

    def _judge_full(self, push: PushParameters) -> Position:
        request_id = _token("request_id", push.request_id)
        known = self._sequence
        if known is not None and known.id != _token("sequence_id", push.sequence_id):
            known = None
        replay = known is not None and known.accepted == (request_id, push.previous_request_id)
        if known is None or (known.over and not replay):
            known = self._begin(push)
        elif not replay:
            known.check(push)
        known.count(request_id)
        return Position(
            known.id,
            part=True,
            first=known.accepted is None,
            last=push.is_last and not known.over,
            replay=replay,
        )

    def _begin(self, push: PushParameters) -> _Sequence:
        if not push.is_first or push.previous_request_id is not None:
            raise FullSyncConflict(
                "This full sync is not known here; the connector may have been restarted. Start"
                " over with a new sequence_id."
            )
        sequence_id = _token("sequence_id", push.sequence_id)
        if sequence_id in self._replaced:
            raise FullSyncConflict(
                "This full sync was replaced by another. Start over with a new sequence_id."
            )
        if self._sequence is not None and self._sequence.id != sequence_id:
            self._replaced.append(self._sequence.id)
        self._sequence = _Sequence(sequence_id, Digests() if self.keeps_ids else None)
        return self._sequence


def _is_part(push: PushParameters, sequence: _Sequence) -> bool:
    return push.is_full and push.sequence_id == sequence.id


def _token(name: str, text: str | None) -> str:
    if text is None or len(text) > _LONGEST_TOKEN:
        raise InvalidParameter(
            f"A full sync needs the query parameter {name} in every request, with at most"
            f" {_LONGEST_TOKEN} characters."
        )
    return text
