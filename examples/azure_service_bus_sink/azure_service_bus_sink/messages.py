"""From an entity to a Service Bus message. Imports nothing of the sink."""

from __future__ import annotations

import hashlib

from azure.servicebus import ServiceBusMessage
from sesam_connector_sdk import Entity

CONTENT_TYPE = "application/json"
TRACE_PROPERTIES = ("Diagnostic-Id", "traceparent")
"""Application properties in which Azure's clients look for a trace: old ones, and new ones."""

_LONGEST_ID = 128  # characters; Service Bus refuses longer ones


def message_id(entity: Entity) -> str | None:
    """The id by which Service Bus recognises a message that is sent again; None: no claim.

    Args:
        entity: Its ``key`` is the id, hashed where it is longer than Service Bus takes.
    """
    key = entity.key
    if key is None or len(key) <= _LONGEST_ID:
        return key
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def message(entity: Entity, body: bytes, traceparent: str | None = None) -> ServiceBusMessage:
    """The message for an entity.

    Args:
        entity: Where the message comes from.
        body: What it carries: JSON in UTF-8.
        traceparent: The trace that it belongs to, if any, as W3C Trace Context writes it.
    """
    return ServiceBusMessage(
        body,
        message_id=message_id(entity),
        content_type=CONTENT_TYPE,
        # None rather than empty: a message without a trace has no such section.
        application_properties=dict.fromkeys(TRACE_PROPERTIES, traceparent)
        if traceparent
        else None,
    )
