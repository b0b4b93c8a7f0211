"""What an entity is to be like: `QueueSpec`, `TopicSpec`, and entity addresses.

Belongs here: plain values and their validation. Imports nothing of this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

STANDARD_MESSAGE_SIZE = 262_144
LARGEST_BATCH = 1_048_576
DEAD_LETTER_QUEUE = "$DeadLetterQueue"
RESERVED = ("$cbs", "$management", "$control", DEAD_LETTER_QUEUE.lower())
_NAME_LENGTH = 260


@dataclass(frozen=True)
class _EntitySpec:
    name: str

    max_message_size: int = STANDARD_MESSAGE_SIZE
    """Bytes one message may have. 262,144 is the Standard tier; Premium starts at 1,048,576."""

    max_batch_size: int | None = None
    """Bytes one batch may have. None: as `max_message_size`, but at most 1,048,576."""

    max_batch_count: int = 4_500
    """Messages one batch may have."""

    max_size: int = 268_435_456
    """Bytes of messages kept; beyond, sends are rejected with `amqp:resource-limit-exceeded`."""

    duplicate_detection: float = 0.0
    """Seconds a message id is remembered: a repetition is accepted and dropped. 0 is off."""

    partitioned: bool = False
    """Whether all messages of a batch must have the same partition key and session id."""

    lock_duration: float = 60.0
    """Seconds a receiver has to settle a message."""

    max_delivery_count: int = 10
    """Failed deliveries after which a message moves to the dead-letter queue."""

    discard: bool = False
    """Accept and count messages but keep nothing: the other end of a benchmark."""

    def __post_init__(self) -> None:
        check_name(self.name)
        for field in ("max_message_size", "max_batch_count", "max_size", "max_delivery_count"):
            if getattr(self, field) < 1:
                raise ValueError(f"{self.name}: {field} must be at least 1")
        if self.duplicate_detection < 0 or self.lock_duration <= 0:
            raise ValueError(f"{self.name}: durations must be positive")

    @property
    def batch_limit(self) -> int:
        """Bytes one batch may have."""
        return self.max_batch_size or min(self.max_message_size, LARGEST_BATCH)


@dataclass(frozen=True)
class QueueSpec(_EntitySpec):
    """A queue: its name and its limits. Every option has the value a Standard namespace has."""


@dataclass(frozen=True)
class TopicSpec(_EntitySpec):
    """A topic, its subscriptions (each gets a copy of every message) and its limits."""

    subscriptions: Sequence[str] = ()
    """Names of the subscriptions; without any, what is sent to the topic is gone."""

    def __post_init__(self) -> None:
        """Refuse names that Service Bus refuses."""
        super().__post_init__()
        for subscription in self.subscriptions:
            check_name(subscription)


def check_name(name: str) -> None:
    """Refuse names that Service Bus refuses or that mean something else on the wire.

    Raises:
        ValueError: Says what is wrong with the name.
    """
    if not name or len(name) > _NAME_LENGTH:
        raise ValueError(f"an entity name has 1 to {_NAME_LENGTH} characters")
    parts = name.lower().split("/")
    if "" in parts or any(part in RESERVED for part in parts) or "subscriptions" in parts:
        raise ValueError(f"{name!r} is not an entity name: empty or reserved part")
    if any(char in "\\?#*:@" or ord(char) < 32 for char in name):
        raise ValueError(f"{name!r} is not an entity name: forbidden character")


def entity_path(address: str) -> str:
    """Return the path an address stands for, in its own letters.

    Clients write `queue`, `/queue` and `amqps://host/queue`, all for the same (observed with the
    official clients). Compare paths in lower case: Service Bus ignores case.
    """
    if "://" in address:
        address = unquote(urlsplit(address).path)
    return address.strip("/")
