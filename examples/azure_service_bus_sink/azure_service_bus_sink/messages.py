"""From an entity to a Service Bus message. Imports nothing of the sink."""

from __future__ import annotations

import hashlib

from azure.servicebus import ServiceBusMessage
from sesam_connector_sdk import Entity

CONTENT_TYPE = "application/json"
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


def message(entity: Entity, body: bytes) -> ServiceBusMessage:
    """The message for an entity.

    Args:
        entity: Where the message comes from.
        body: What it carries: JSON in UTF-8.
    """
    return ServiceBusMessage(body, message_id=message_id(entity), content_type=CONTENT_TYPE)
