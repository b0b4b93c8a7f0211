"""Requests to nodes (`$cbs`, `$management`) and their answers, as messages.

Belongs here: what both kinds of node have in common. Imports `codec`, `decoding`, `message`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from service_bus_emulator.codec import (
    EMPTY_MAP,
    NULL,
    encode_described,
    encode_list,
    encode_map,
    encode_string,
)
from service_bus_emulator.decoding import Described
from service_bus_emulator.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    PROPERTIES,
    VALUE,
    list_items,
    section_value,
    sections,
)


class Request(NamedTuple):
    """A message that asks a node for something."""

    message_id: bytes
    reply_to: str | None
    properties: dict[str, Any]
    body: Any


def read_request(encoded: bytes) -> Request:
    """Decode a request.

    Raises:
        DecodeError: The bytes are not a message.
    """
    fields = section_value(encoded, PROPERTIES) or []
    reply_to = fields[4] if len(fields) > 4 else None
    properties = section_value(encoded, APPLICATION_PROPERTIES)
    body = section_value(encoded, VALUE)
    if body is None:
        body = section_value(encoded, DATA)
    return Request(
        _raw_message_id(encoded),
        reply_to if isinstance(reply_to, str) else None,
        properties if isinstance(properties, dict) else {},
        body.value if isinstance(body, Described) else body,
    )


def encode_response(
    correlation_id: bytes, properties: list[tuple[str, bytes]], body: bytes = EMPTY_MAP
) -> bytes:
    """Encode the answer to a request; the correlation id is the request's message id, verbatim."""
    fields = [NULL] * 5 + [correlation_id]
    pairs = [(encode_string(name), value) for name, value in properties]
    return (
        encode_described(PROPERTIES, encode_list(fields))
        + encode_described(APPLICATION_PROPERTIES, encode_map(pairs))
        + encode_described(VALUE, body)
    )


def _raw_message_id(encoded: bytes) -> bytes:
    """Return the message id exactly as encoded, to be echoed as a correlation id of its type."""
    for section in sections(encoded):
        if section.code == PROPERTIES:
            items = list_items(encoded, section.value)
            return items[0] if items else NULL
    return NULL
