"""Encoded messages: finding things in them, taking batches apart, preparing deliveries.

Belongs here: everything that looks into a message (specification part 3, "Messaging"). Imports
`codec`, `decoding` and `sections`. A message stays the bytes the sender wrote: only its header and
message annotations are rebuilt for a delivery, its application properties for a dead letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from service_bus_emulator.codec import (
    NULL,
    encode_described,
    encode_int,
    encode_list,
    encode_long,
    encode_map,
    encode_string,
    encode_symbol,
    encode_timestamp,
    encode_uint,
)
from service_bus_emulator.decoding import DecodeError, decode
from service_bus_emulator.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    DELIVERY_ANNOTATIONS,
    FOOTER,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    Section,
    list_items,
    section_value,
    sections,
)

_OURS = (
    b"x-opt-sequence-number",
    b"x-opt-enqueue-sequence-number",
    b"x-opt-enqueued-time",
    b"x-opt-locked-until",
    b"x-opt-message-state",
)
"""Annotations that are the broker's to write."""

_PROPERTY_NAMES = (
    "message_id",
    "user_id",
    "to",
    "subject",
    "reply_to",
    "correlation_id",
    "content_type",
    "content_encoding",
    "absolute_expiry",
    "creation_time",
    "session_id",
    "group_sequence",
    "reply_to_session_id",
)


_LISTS, _MAPS = (0x45, 0xC0, 0xD0), (0xC1, 0xD1)
_SHAPES = {HEADER: _LISTS, PROPERTIES: _LISTS, DELIVERY_ANNOTATIONS: _MAPS}
_SHAPES |= {MESSAGE_ANNOTATIONS: _MAPS, APPLICATION_PROPERTIES: _MAPS, FOOTER: _MAPS}
"""Which constructors the value of a section may have; bodies are anything."""


class Timing(NamedTuple):
    """When a message may be received: not before, and for how long. Seconds; None is unset."""

    scheduled: float | None
    time_to_live: float | None


def timing(encoded: bytes) -> Timing:
    """Read what decides when a message may be received, and check that it *is* a message.

    Returns:
        `scheduled` in seconds since 1970 UTC, `time_to_live` in seconds.

    Raises:
        DecodeError: The bytes are not a message.
    """
    scheduled = time_to_live = None
    for section in sections(encoded):
        allowed = _SHAPES.get(section.code)
        if allowed is not None and encoded[section.value] not in allowed:
            raise DecodeError(f"the section 0x{section.code:x} has a value of a wrong type")
        # Both are rebuilt at every delivery: what is wrong with them must be found now.
        if section.code == HEADER:
            time_to_live = _time_to_live(decode(encoded, section.value)[0])
        elif section.code == MESSAGE_ANNOTATIONS:
            scheduled = _scheduled(decode(encoded, section.value)[0])
    return Timing(scheduled, time_to_live)


def _time_to_live(fields: Any) -> float | None:  # noqa: ANN401 -- checked here
    if isinstance(fields, list) and len(fields) > 2 and isinstance(fields[2], int):
        return fields[2] / 1000
    return None


def _scheduled(annotations: Any) -> float | None:  # noqa: ANN401 -- checked here
    value = annotations.get("x-opt-scheduled-enqueue-time") if annotations else None
    return value / 1000 if isinstance(value, int) else None


def message_id(encoded: bytes) -> str | None:
    """Return the message id as text, None if there is none."""
    fields = section_value(encoded, PROPERTIES)
    return None if not fields or fields[0] is None else str(fields[0])


def partition_keys(encoded: bytes) -> tuple[str | None, str | None]:
    """Return partition key and session id, which decide the partition a message goes to."""
    annotations = section_value(encoded, MESSAGE_ANNOTATIONS) or {}
    fields = section_value(encoded, PROPERTIES) or []
    return annotations.get("x-opt-partition-key"), fields[10] if len(fields) > 10 else None


def _pairs(encoded: bytes, position: int) -> list[tuple[bytes, bytes]]:
    flat = list_items(encoded, position)
    return list(zip(flat[::2], flat[1::2], strict=True))


class Stamp(NamedTuple):
    """What the broker adds to a message when it is delivered or peeked at."""

    sequence_number: int
    enqueued_time: float
    delivery_count: int
    locked_until: float | None = None
    state: int = 0


def stamped(encoded: bytes, stamp: Stamp) -> bytes:
    """Return the message with its header and message annotations rebuilt, the rest untouched."""
    header: list[bytes] = []
    pairs: list[tuple[bytes, bytes]] = []
    rest = 0
    for section in sections(encoded):
        if section.code > MESSAGE_ANNOTATIONS:
            break
        if section.code == HEADER:
            header = list_items(encoded, section.value)
        elif section.code == MESSAGE_ANNOTATIONS:
            pairs = [pair for pair in _pairs(encoded, section.value) if pair[0][2:] not in _OURS]
        rest = section.end
    header = [*(header + [NULL] * 4)[:4], encode_uint(stamp.delivery_count)]
    return (
        encode_described(HEADER, encode_list(header))
        + encode_described(MESSAGE_ANNOTATIONS, encode_map(pairs + _annotations(stamp)))
        + encoded[rest:]
    )


def _annotations(stamp: Stamp) -> list[tuple[bytes, bytes]]:
    pairs = [
        (encode_symbol("x-opt-sequence-number"), encode_long(stamp.sequence_number)),
        (encode_symbol("x-opt-enqueue-sequence-number"), encode_long(stamp.sequence_number)),
        (encode_symbol("x-opt-enqueued-time"), encode_timestamp(stamp.enqueued_time)),
        (encode_symbol("x-opt-message-state"), encode_int(stamp.state)),
    ]
    if stamp.locked_until is not None:
        pairs.append((encode_symbol("x-opt-locked-until"), encode_timestamp(stamp.locked_until)))
    return pairs


def dead_lettered(encoded: bytes, reason: str, description: str) -> bytes:
    """Return the message with the reason of its dead-lettering in its application properties."""
    pairs: list[tuple[bytes, bytes]] = []
    cut_from = cut_to = len(encoded)
    for section in sections(encoded):
        if section.code >= APPLICATION_PROPERTIES:
            cut_from = cut_to = section.start
            if section.code == APPLICATION_PROPERTIES:
                pairs, cut_to = _pairs(encoded, section.value), section.end
            break
    added = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
    pairs = [pair for pair in pairs if pair[0][2:].decode("utf-8", "replace") not in added]
    pairs += [(encode_string(name), encode_string(text)) for name, text in added.items()]
    section_bytes = encode_described(APPLICATION_PROPERTIES, encode_map(pairs))
    return encoded[:cut_from] + section_bytes + encoded[cut_to:]


@dataclass(frozen=True)
class Message:
    """A message in an entity, as tests look at it. Decoded when asked for, not before.

    Attributes:
        encoded: The whole AMQP message as the sender wrote it.
        sequence_number: Its place in the entity; starts at 1.
        delivery_count: How many deliveries of it failed so far.
        enqueued_time: When it arrived, in seconds since 1970 UTC.
        state: `active`, `locked` or `scheduled`.
    """

    encoded: bytes
    sequence_number: int
    delivery_count: int
    enqueued_time: float
    state: str = "active"

    @cached_property
    def body(self) -> bytes:
        """The body: the data sections joined; of other bodies their content, or its encoding."""
        parts = [section for section in sections(self.encoded) if section.code >= DATA]
        return b"".join(_content(self.encoded, part) for part in parts if part.code != FOOTER)

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The AMQP properties that are set, by the names the official client uses."""
        fields = section_value(self.encoded, PROPERTIES) or []
        named = zip(_PROPERTY_NAMES, fields, strict=False)
        return {name: value for name, value in named if value is not None}

    @property
    def message_id(self) -> Any:  # noqa: ANN401 -- text, number, bytes or UUID, as sent
        """The message id as sent (usually text), None without one."""
        return self.properties.get("message_id")

    @property
    def content_type(self) -> str | None:
        """The content type, None without one."""
        value = self.properties.get("content_type")
        return None if value is None else str(value)

    @cached_property
    def application_properties(self) -> dict[str, Any]:
        """The application properties; integers, text, UUIDs and so on as Python values."""
        return dict(section_value(self.encoded, APPLICATION_PROPERTIES) or {})

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """The message annotations the sender wrote, e.g. `x-opt-partition-key`."""
        value = section_value(self.encoded, MESSAGE_ANNOTATIONS) or {}
        return {str(name): item for name, item in value.items()}

    @property
    def partition_key(self) -> str | None:
        """The partition key, None without one."""
        return self.annotations.get("x-opt-partition-key")

    @property
    def time_to_live(self) -> float | None:
        """Seconds the message may wait to be received, None for ever."""
        return timing(self.encoded).time_to_live


def _content(encoded: bytes, section: Section) -> bytes:
    value = decode(encoded, section.value)[0]
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else encoded[section.value : section.end]
