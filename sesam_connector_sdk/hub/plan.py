"""What a pipe asks of a push, checked and encoded before anything is sent.

Refuses what the local hub cannot do, instead of doing something else. Imports ``nodeconfig``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sesam_connector_sdk.errors import printable
from sesam_connector_sdk.nodeconfig import JsonSink, Pipe, Pump, System
from sesam_connector_sdk.protocol.push import PARAMETERS

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_COPY_ALL = {"type": "dtl", "rules": {"default": [["copy", "*"]]}}


class NotPushable(Exception):
    """The local hub cannot run this pipe; the text says why."""


@dataclass(frozen=True, slots=True)
class Item:
    """An entity to send: its position in the source, its ``_id``, its JSON in UTF-8."""

    position: int
    id: str
    json: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipe that can be pushed.

    Attributes:
        url: Where to post, the pipe's own query string included.
        items: The entities, in the order of the source.
        batch_size: Most entities in a request.
        headers: The system's and the sink's.
        pump: How to retry.
        system: Timeouts, authentication and ``retry_strategy``.
    """

    url: str = field(repr=False)
    items: tuple[Item, ...] = field(repr=False)
    batch_size: int
    headers: Mapping[str, str] = field(repr=False)
    pump: Pump
    system: System

    @classmethod
    def of(cls, pipe: Pipe, systems: Mapping[str, System], base: str) -> Plan:
        """Check a pipe, and encode its entities.

        Args:
            pipe: The pipe.
            systems: Where its system is.
            base: Where the connector listens, such as ``http://127.0.0.1:5000``. It stands for the
                address that the system has on a node.

        Raises:
            NotPushable: The pipe, its system or the base is nothing that can be pushed.
        """
        sink = _sink(pipe)
        system = _system(pipe, sink, systems)
        return cls(
            url=_url(pipe, sink, base),
            items=tuple(_items(pipe)),
            batch_size=pipe.batch_size,
            headers={**system.headers, **sink.headers},
            pump=pipe.pump,
            system=system,
        )

    def batches(self) -> Iterator[tuple[Item, ...]]:
        """The entities, cut to ``batch_size``."""
        for start in range(0, len(self.items), self.batch_size):
            yield self.items[start : start + self.batch_size]

    def remarks(self) -> Iterator[str]:
        """What is in the configuration, but has no effect on a node."""
        keep = "max_write_errors_in_retry_dataset"
        strategy = self.system.retry_strategy.values()
        kept = self.pump.retries.get(keep) or any(entry.get(keep) for entry in strategy)
        if self.pump.dead_letter_dataset and not kept:
            yield (
                f"dead_letter_dataset has no effect while {keep} is 0, its default:"
                " the run ends at the first entity that fails"
            )


def _sink(pipe: Pipe) -> JsonSink:
    if pipe.sink is None:
        raise NotPushable(f"{pipe.file}: its sink is of type {pipe.sink_type}; only json is pushed")
    if pipe.document.get("transform") not in (None, [], _COPY_ALL, [_COPY_ALL]):
        raise NotPushable(
            f"{pipe.file}: has a transform, which the local hub cannot run;"
            " push a pipe without one, whose entities are as they leave the transform"
        )
    return pipe.sink


def _system(pipe: Pipe, sink: JsonSink, systems: Mapping[str, System]) -> System:
    if sink.system not in systems:
        raise NotPushable(f"{pipe.file}: there is no system {sink.system} in systems/")
    system = systems[sink.system]
    if system.type not in ("system:microservice", "system:url"):
        raise NotPushable(f"{system.file}: is a {system.type}; only a microservice is pushed to")
    if system.authentication not in (None, "basic", "digest"):
        raise NotPushable(f"{system.file}: authentication is neither basic nor digest")
    if system.authentication and (system.username is None or system.password is None):
        raise NotPushable(f"{system.file}: authentication needs username and password")
    return system


def _items(pipe: Pipe) -> Iterator[Item]:
    if pipe.entities is None:
        raise NotPushable(
            f"{pipe.file}: its source is of type {pipe.source_type}; only embedded is pushed."
            " Give a copy of the pipe such a source, with example entities, and push that"
        )
    if not pipe.entities and pipe.document["source"].get("if_source_empty") == "fail":
        raise NotPushable(f"{pipe.file}: the source is empty and if_source_empty is fail")
    for position, entity in enumerate(pipe.entities):
        yield Item(position, entity["_id"], _encode(pipe, entity, position))


def _encode(pipe: Pipe, entity: dict[str, Any], position: int) -> bytes:
    try:
        return _ENCODER.encode(entity)
    except UnicodeEncodeError:
        raise NotPushable(
            f"{pipe.file}: entity {position} holds half of a surrogate pair, which no UTF-8 has"
        ) from None


def _url(pipe: Pipe, sink: JsonSink, base: str) -> str:
    if not _is_address(base):
        raise NotPushable(
            f"{printable(base)} is no connector's address; give it as http://host:port"
        )
    own = urlsplit(sink.url)
    if own.scheme or own.netloc:
        raise NotPushable(f"{pipe.file}: the sink's url names a host; give the path only")
    taken = PARAMETERS & {name for name, _ in parse_qsl(own.query, keep_blank_values=True)}
    if taken:
        raise NotPushable(f"{pipe.file}: the sink's url sets {', '.join(sorted(taken))} itself")
    return f"{base.rstrip('/')}/{sink.url.lstrip('/')}"


def _is_address(base: str) -> bool:
    try:
        parts = urlsplit(base)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and not (parts.query or parts.fragment)
