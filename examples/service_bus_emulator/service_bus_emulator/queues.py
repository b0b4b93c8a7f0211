"""One queue: what waits, what is locked, what is scheduled, and who gets the next message.

Belongs here: the life of a message in a queue or subscription. Imports `message` and `specs`,
and knows nothing of the wire: consumers and timers come in through two small protocols.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from service_bus_emulator.decoding import DecodeError
from service_bus_emulator.message import Message, Stamp, Timing, dead_lettered, stamped
from service_bus_emulator.specs import DEAD_LETTER_QUEUE, QueueSpec, TopicSpec

_ACTIVE, _SCHEDULED = 0, 2
"""States of a message on the wire: the annotation `x-opt-message-state`."""


class Clock(Protocol):
    """Where a queue gets the time from, and its wake-up calls."""

    def now(self) -> float:
        """Return seconds since 1970 UTC."""

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back at a time, in seconds since 1970 UTC; late is fine, early is not."""


class Consumer(Protocol):
    """Someone who receives from a queue."""

    locks: bool
    """Whether messages are locked until settled (peek-lock), or gone on delivery."""

    def ready(self) -> bool:
        """Return whether one more message may be delivered now."""

    def deliver(self, encoded: bytes, token: uuid.UUID) -> None:
        """Take one message; `token` is what settles it."""


@dataclass
class Stored:
    """A message in a queue."""

    encoded: bytes
    sequence_number: int
    enqueued_time: float
    expires: float | None
    delivery_count: int = 0
    scheduled: float | None = None

    def __lt__(self, other: Stored) -> bool:
        """Order by sequence number, also after a message was given back."""
        return self.sequence_number < other.sequence_number


@dataclass
class Lock:
    """A message that somebody has received and not settled yet."""

    stored: Stored
    until: float


@dataclass
class Counters:
    """What happened to an entity so far."""

    transfers_received: int = 0
    messages_accepted: int = 0
    messages_stored: int = 0
    messages_discarded: int = 0
    duplicates_dropped: int = 0
    connections_total: int = 0
    links_open: int = 0
    links_total: int = 0


@dataclass
class Queue:
    """A queue, a subscription of a topic, or a dead-letter queue."""

    path: str
    spec: QueueSpec | TopicSpec
    clock: Clock
    dead_letters: Queue | None = None
    """Where messages go that cannot be delivered; None if this *is* a dead-letter queue."""

    accepts_sends: bool = True
    """Whether clients may send to it; not to subscriptions and dead-letter queues."""

    on_stored: Callable[[str, Message], None] | None = None
    """Called for every message stored."""

    counters: Counters = field(default_factory=Counters)
    size: int = 0
    """Bytes of messages kept."""

    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _active: list[Stored] = field(default_factory=list)
    _scheduled: list[tuple[float, Stored]] = field(default_factory=list)
    # In order of expiry, because all locks of a queue last equally long: only the first can be due.
    _locked: OrderedDict[uuid.UUID, Lock] = field(default_factory=OrderedDict)
    _consumers: deque[Consumer] = field(default_factory=deque)
    _wake_at: float | None = None

    # --- in -------------------------------------------------------------------------------------

    def put(self, encoded: bytes, times: Timing) -> int:
        """Store a message, or make it wait until it is due; returns its sequence number."""
        when, ttl = times
        now = self.clock.now()
        due = now if when is None else max(now, when)
        expires = None if ttl is None else due + ttl
        stored = Stored(encoded, next(self._numbers), now, expires)
        self.size += len(encoded)
        self.counters.messages_stored += 1
        if due > now:
            stored.scheduled = due
            heapq.heappush(self._scheduled, (due, stored))
            self._wake(due)
        else:
            heapq.heappush(self._active, stored)
        if self.on_stored is not None:
            self.on_stored(self.path, self._view(stored, "active"))
        return stored.sequence_number

    def cancel(self, sequence_number: int) -> bool:
        """Remove a scheduled message; False if there is none of that number."""
        for index, (_, stored) in enumerate(self._scheduled):
            if stored.sequence_number == sequence_number:
                del self._scheduled[index]
                heapq.heapify(self._scheduled)
                self.size -= len(stored.encoded)
                return True
        return False

    # --- out ------------------------------------------------------------------------------------

    def subscribe(self, consumer: Consumer) -> None:
        """Add a consumer; it gets messages from the next `dispatch` on."""
        self._consumers.append(consumer)

    def unsubscribe(self, consumer: Consumer) -> None:
        """Remove a consumer. What it holds stays locked until the lock expires, as in Azure."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def dispatch(self) -> None:
        """Deliver as many messages as there are, to consumers that are ready, in turn."""
        while self._active and (consumer := self._next_consumer()) is not None:
            stored = heapq.heappop(self._active)
            if self._expired(stored):
                self.size -= len(stored.encoded)
            elif consumer.locks:
                self._deliver_locked(stored, consumer)
            else:
                self.size -= len(stored.encoded)
                consumer.deliver(stamped(stored.encoded, self._stamp(stored)), uuid.uuid4())

    def _next_consumer(self) -> Consumer | None:
        for _ in range(len(self._consumers)):
            self._consumers.rotate(-1)
            if self._consumers[-1].ready():
                return self._consumers[-1]
        return None

    def _deliver_locked(self, stored: Stored, consumer: Consumer) -> None:
        token = uuid.uuid4()
        until = self.clock.now() + self.spec.lock_duration
        self._locked[token] = Lock(stored, until)
        self._wake(until)
        consumer.deliver(stamped(stored.encoded, self._stamp(stored, until)), token)

    def _expired(self, stored: Stored) -> bool:
        return stored.expires is not None and stored.expires <= self.clock.now()

    # --- settling -------------------------------------------------------------------------------

    def complete(self, token: uuid.UUID) -> bool:
        """Remove a locked message; False if the lock is lost."""
        lock = self._locked.pop(token, None)
        if lock is not None:
            self.size -= len(lock.stored.encoded)
        return lock is not None

    def abandon(self, token: uuid.UUID, *, failed: bool = True) -> bool:
        """Make a locked message available again; False if the lock is lost.

        Args:
            token: What it was delivered with.
            failed: Whether that counts as a failed delivery; a release does not.
        """
        lock = self._locked.pop(token, None)
        if lock is None:
            return False
        self._give_back(lock.stored, failed)
        return True

    def dead_letter(self, token: uuid.UUID, reason: str, description: str) -> bool:
        """Move a locked message to the dead-letter queue; False if the lock is lost."""
        lock = self._locked.pop(token, None)
        if lock is None:
            return False
        self._bury(lock.stored, reason, description)
        return True

    def renew(self, token: uuid.UUID) -> float | None:
        """Lock a message for another full period.

        Returns:
            Until when, in seconds since 1970 UTC; None if the lock is lost.
        """
        lock = self._locked.get(token)
        if lock is None:
            return None
        lock.until = self.clock.now() + self.spec.lock_duration
        self._locked.move_to_end(token)
        return lock.until

    def _give_back(self, stored: Stored, failed: bool) -> None:
        stored.delivery_count += failed
        limit = self.spec.max_delivery_count
        if self.dead_letters is not None and stored.delivery_count >= limit:
            text = f"Message could not be consumed after {limit} delivery attempts."
            self._bury(stored, "MaxDeliveryCountExceeded", text)
        else:
            heapq.heappush(self._active, stored)
            self.dispatch()

    def _bury(self, stored: Stored, reason: str, description: str) -> None:
        self.size -= len(stored.encoded)
        # A message dead-lettered from the dead-letter queue stays there, as in Azure.
        grave = self.dead_letters or self
        encoded = stored.encoded
        # Application properties are not looked into before; malformed ones go without a reason.
        with contextlib.suppress(DecodeError, ValueError):
            encoded = dead_lettered(encoded, reason, description)
        grave.put(encoded, Timing(None, None))
        grave.dispatch()

    # --- time -----------------------------------------------------------------------------------

    def _wake(self, when: float) -> None:
        if self._wake_at is None or when < self._wake_at:
            self._wake_at = when
            self.clock.call_at(when, self._awake)

    def _awake(self) -> None:
        self._wake_at = None
        now = self.clock.now()
        while self._scheduled and self._scheduled[0][0] <= now:
            stored = heapq.heappop(self._scheduled)[1]
            stored.scheduled = None
            heapq.heappush(self._active, stored)
        while self._locked and (token := next(iter(self._locked))):
            if self._locked[token].until > now:
                break
            self._give_back(self._locked.pop(token).stored, failed=True)
        for deadline in self._deadlines():
            self._wake(deadline)
        self.dispatch()

    def _deadlines(self) -> list[float]:
        due = [self._scheduled[0][0]] if self._scheduled else []
        return due + [lock.until for lock in itertools.islice(self._locked.values(), 1)]

    # --- looking --------------------------------------------------------------------------------

    def messages(self) -> list[Message]:
        """Return what is in the queue, by sequence number: active, locked and scheduled."""
        views = [
            self._view(stored, "active") for stored in self._active if not self._expired(stored)
        ]
        views += [self._view(lock.stored, "locked") for lock in self._locked.values()]
        views += [self._view(stored, "scheduled") for _, stored in self._scheduled]
        return sorted(views, key=lambda view: view.sequence_number)

    def peek(self, first: int, limit: int) -> list[bytes]:
        """Return messages without locking them, as they would be delivered.

        Args:
            first: The lowest sequence number wanted.
            limit: The most messages wanted.
        """
        wanted = (view for view in self.messages() if view.sequence_number >= first)
        return [stamped(view.encoded, _peeked(view)) for view in itertools.islice(wanted, limit)]

    def _view(self, stored: Stored, state: str) -> Message:
        kept = (stored.encoded, stored.sequence_number, stored.delivery_count, stored.enqueued_time)
        return Message(*kept, state="scheduled" if stored.scheduled else state)

    @staticmethod
    def _stamp(stored: Stored, until: float | None = None) -> Stamp:
        return Stamp(stored.sequence_number, stored.enqueued_time, stored.delivery_count, until)


def _peeked(view: Message) -> Stamp:
    state = _SCHEDULED if view.state == "scheduled" else _ACTIVE
    kept = (view.sequence_number, view.enqueued_time, view.delivery_count)
    return Stamp(*kept, state=state)


def with_dead_letters(
    path: str, spec: QueueSpec | TopicSpec, clock: Clock, *, accepts_sends: bool = True
) -> Queue:
    """Build a queue together with its dead-letter queue."""
    grave_path = f"{path}/{DEAD_LETTER_QUEUE}"
    grave = Queue(grave_path, spec, clock, accepts_sends=False)
    return Queue(path, spec, clock, grave, accepts_sends)
