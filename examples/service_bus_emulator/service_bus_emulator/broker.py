"""The entities of a namespace, and what happens to what is sent to them.

Belongs here: addresses to entities, topics to subscriptions, limits, duplicates, batch rules.
Imports `message`, `queues`, `sections` and `specs`, and knows nothing of the wire.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from service_bus_emulator.decoding import DecodeError
from service_bus_emulator.message import Message, Timing, message_id, partition_keys, timing
from service_bus_emulator.queues import Clock, Counters, Queue, with_dead_letters
from service_bus_emulator.sections import BATCH_FORMAT, count_batch, split_batch
from service_bus_emulator.specs import QueueSpec, TopicSpec, entity_path

NOT_SAME_KEY = (
    "Batching brokered messages with distinct SessionId, PartitionKey, or MessageId is not "
    "supported for an entity with partitioning and duplicate detection."
)


class Refused(Exception):  # noqa: N818 -- says what happened, not that it is a fault of ours
    """The broker will not do it: `condition` for machines, the text for people."""

    def __init__(self, condition: str, description: str) -> None:
        """Refuse with an AMQP error condition and a text."""
        super().__init__(description)
        self.condition = condition
        self.description = description


class UnknownEntityError(LookupError):
    """There is no queue, topic or subscription of that name."""


@dataclass
class Topic:
    """A topic: copies what is sent to it to each of its subscriptions."""

    path: str
    spec: TopicSpec
    subscriptions: list[Queue]
    counters: Counters = field(default_factory=Counters)


Entity = Queue | Topic


class Broker:
    """All entities, reached by address in any of the forms clients use."""

    def __init__(
        self,
        specs: Sequence[QueueSpec | TopicSpec],
        clock: Clock,
        *,
        create_on_demand: bool = False,
        on_stored: Callable[[str, Message], None] | None = None,
    ) -> None:
        """Create the entities.

        Args:
            specs: The queues and topics to create.
            clock: Where the time comes from.
            create_on_demand: Whether using an unknown name creates a queue.
            on_stored: Called with the entity's path for every message stored.

        Raises:
            ValueError: Two entities have the same name.
        """
        self._clock = clock
        self._create_on_demand = create_on_demand
        self._on_stored = on_stored
        self._entities: dict[str, Entity] = {}
        self._seen: dict[str, OrderedDict[str, float]] = {}
        for spec in specs:
            self.create(spec)

    def create(self, spec: QueueSpec | TopicSpec) -> None:
        """Create a queue or topic.

        Raises:
            ValueError: There is one of that name.
        """
        if spec.name.lower() in self._entities:
            raise ValueError(f"two entities are called {spec.name!r}")
        if isinstance(spec, TopicSpec):
            paths = [f"{spec.name}/Subscriptions/{name}" for name in spec.subscriptions]
            subscriptions = [self._create_queue(path, spec, sends=False) for path in paths]
            self._entities[spec.name.lower()] = Topic(spec.name, spec, subscriptions)
        else:
            self._create_queue(spec.name, spec, sends=True)

    def _create_queue(self, path: str, spec: QueueSpec | TopicSpec, *, sends: bool) -> Queue:
        queue = with_dead_letters(path, spec, self._clock, accepts_sends=sends)
        for part in (queue, queue.dead_letters):
            if part is not None:
                part.on_stored = self._on_stored
                self._entities[part.path.lower()] = part
        return queue

    def __iter__(self) -> Iterator[Entity]:
        """Iterate over queues, dead-letter queues, topics and subscriptions."""
        return iter(self._entities.values())

    def find(self, address: str) -> Entity:
        """Return the entity an address stands for.

        Raises:
            UnknownEntityError: There is none, and none was created.
        """
        path = entity_path(address)
        entity = self._entities.get(path.lower())
        if entity is None and self._create_on_demand:
            entity = self._conjure(path)
        if entity is None:
            raise UnknownEntityError(f"The messaging entity '{path}' could not be found.")
        return entity

    def _conjure(self, path: str) -> Entity | None:
        try:
            self.create(QueueSpec(path))
        except ValueError:
            return None
        return self._entities[path.lower()]

    def attach(self, address: str, *, to_send: bool | None) -> Entity:
        """Return the entity a link may be attached to: to send, to receive, or None to manage.

        Raises:
            Refused: There is none, or it is not one to send to, or not one to receive from.
        """
        try:
            entity = self.find(address)
        except UnknownEntityError as error:
            raise Refused("amqp:not-found", str(error)) from None
        if to_send and isinstance(entity, Queue) and not entity.accepts_sends:
            raise Refused("amqp:not-allowed", f"Nothing can be sent to '{entity.path}'.")
        if to_send is False and isinstance(entity, Topic):
            text = f"Nothing can be received from the topic '{entity.path}', only from one of its "
            raise Refused("amqp:not-allowed", f"{text}subscriptions.")
        return entity

    # --- sending --------------------------------------------------------------------------------

    def send(self, entity: Entity, payload: bytes, message_format: int) -> list[int]:
        """Store what one transfer carries: a message, or a batch, all of it or nothing.

        Returns:
            The sequence number of each message, 0 for a duplicate; none if they were discarded.

        Raises:
            Refused: A limit or a rule is violated, or the bytes are not a message.
        """
        is_batch = message_format == BATCH_FORMAT
        check_size(entity.spec, len(payload), is_batch)
        try:
            if entity.spec.discard:
                return self._discard(entity, count_batch(payload) if is_batch else 1)
            messages = split_batch(payload) if is_batch else [payload]
            # Everything is parsed before anything is stored: a batch is stored whole or not at all.
            times = [timing(encoded) for encoded in messages]
            if entity.spec.duplicate_detection or entity.spec.partitioned:
                for encoded in messages:
                    message_id(encoded), partition_keys(encoded)
        except DecodeError as error:
            raise Refused("amqp:decode-error", f"The message is malformed: {error}.") from error
        return self._store(entity, messages, times)

    def _discard(self, entity: Entity, count: int) -> list[int]:
        _check_count(entity.spec, count)
        entity.counters.messages_accepted += count
        entity.counters.messages_discarded += count
        return []

    def _store(self, entity: Entity, messages: list[bytes], times: list[Timing]) -> list[int]:
        _check_count(entity.spec, len(messages))
        if entity.spec.partitioned and len(messages) > 1:
            _check_partition(entity.spec, messages)
        queues = entity.subscriptions if isinstance(entity, Topic) else [entity]
        arriving = sum(map(len, messages))
        if any(queue.size + arriving > entity.spec.max_size for queue in queues):
            raise Refused("amqp:resource-limit-exceeded", f"'{entity.path}' is full.")
        numbers = [self._put(entity, *each) for each in zip(messages, times, strict=True)]
        for queue in queues:
            queue.dispatch()
        return numbers

    def _put(self, entity: Entity, encoded: bytes, times: Timing) -> int:
        entity.counters.messages_accepted += 1
        if entity.spec.duplicate_detection and self._is_duplicate(entity, encoded):
            entity.counters.duplicates_dropped += 1
            return 0
        if isinstance(entity, Queue):
            return entity.put(encoded, times)
        entity.counters.messages_stored += 1
        for queue in entity.subscriptions:
            queue.put(encoded, times)
        return entity.counters.messages_stored

    def _is_duplicate(self, entity: Entity, encoded: bytes) -> bool:
        seen = self._seen.setdefault(entity.path, OrderedDict())
        now = self._clock.now()
        while seen and next(iter(seen.values())) <= now:
            seen.popitem(last=False)
        identity = message_id(encoded)
        if identity is None:
            return False
        if identity in seen:
            return True
        seen[identity] = now + entity.spec.duplicate_detection
        return False


def check_size(spec: QueueSpec | TopicSpec, size: int, is_batch: bool) -> None:
    """Check the bytes of a message or batch against the entity's limit.

    Raises:
        Refused: It is too large.
    """
    limit = spec.batch_limit if is_batch else spec.max_message_size
    if size > limit:
        text = f"The received message (size:{size} bytes) exceeds the limit ({limit} bytes)."
        raise Refused("amqp:link:message-size-exceeded", text)


def _check_count(spec: QueueSpec | TopicSpec, count: int) -> None:
    # Azure says no more than this; the condition makes the official client try again.
    if count > spec.max_batch_count:
        text = "The service was unable to process the request; please retry the operation."
        raise Refused("amqp:internal-error", text)


def _check_partition(spec: QueueSpec | TopicSpec, messages: list[bytes]) -> None:
    keys = {partition_keys(encoded) for encoded in messages}
    ids = {message_id(encoded) for encoded in messages} if spec.duplicate_detection else {None}
    # With duplicate detection the message id is the partition key of a message without one.
    alone = ids if keys == {(None, None)} else {None}
    if len(keys) > 1 or len(alone) > 1:
        raise Refused("amqp:not-allowed", NOT_SAME_KEY)
