"""`<entity>/$management`: scheduling, cancelling, peeking, renewing locks, settling by token.

Belongs here: the requests of the management node and their answers (observed with the official
clients). Imports `broker` and `message`; knows no links.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from service_bus_emulator.broker import Broker, Entity, Refused
from service_bus_emulator.codec import (
    EMPTY_MAP,
    encode_array,
    encode_binary,
    encode_int,
    encode_list,
    encode_map,
    encode_string,
    encode_symbol,
    encode_timestamp,
)
from service_bus_emulator.queues import Queue
from service_bus_emulator.requests import Request, encode_response

LARGEST_PEEK = 250
"""Messages in one answer to a peek; the client asks again for more (as Azure does)."""

_CODES = {"amqp:not-found": 404, "com.microsoft:message-not-found": 404}
_CODES |= {"com.microsoft:message-lock-lost": 410, "amqp:not-implemented": 501}
_CODES |= {"amqp:link:message-size-exceeded": 400, "amqp:resource-limit-exceeded": 403}


def answer(broker: Broker, entity: Entity, request: Request) -> bytes:
    """Answer one request: status, description, and a body that depends on the operation."""
    operation = request.properties.get("operation")
    perform = _OPERATIONS.get(operation) if isinstance(operation, str) else None
    try:
        if perform is None:
            raise Refused("amqp:not-implemented", f"The emulator does not implement {operation}.")
        body = request.body if isinstance(request.body, dict) else {}
        result = perform(broker, entity, body)
    except Refused as error:
        return _status(request, _CODES.get(error.condition, 400), error.description, error)
    if result is None:
        return _status(request, 204, "No content")
    return _status(request, 200, "OK", body=result)


def _status(
    request: Request, code: int, text: str, error: Refused | None = None, body: bytes = EMPTY_MAP
) -> bytes:
    properties = [("statusCode", encode_int(code)), ("statusDescription", encode_string(text))]
    if error is not None:
        properties.append(("errorCondition", encode_symbol(error.condition)))
    return encode_response(request.message_id, properties, body)


def _require(body: dict[str, Any], name: str, kind: type) -> Any:  # noqa: ANN401 -- of that kind
    value = body.get(name)
    if not isinstance(value, kind):
        raise Refused("com.microsoft:argument-error", f"The request lacks a valid '{name}'.")
    return value


def _queue(entity: Entity) -> Queue:
    if isinstance(entity, Queue):
        return entity
    raise Refused("amqp:not-implemented", "The emulator does this on queues and subscriptions only")


def _schedule(broker: Broker, entity: Entity, body: dict[str, Any]) -> bytes:
    if isinstance(entity, Queue) and not entity.accepts_sends:
        raise Refused("amqp:not-allowed", f"Nothing can be sent to '{entity.path}'.")
    items = _require(body, "messages", list)
    encoded = [_require(item if isinstance(item, dict) else {}, "message", bytes) for item in items]
    numbers = [number for each in encoded for number in broker.send(entity, each, 0)]
    array = encode_array(0x81, [number.to_bytes(8, "big") for number in numbers])
    return encode_map([(encode_string("sequence-numbers"), array)])


def _cancel(_broker: Broker, entity: Entity, body: dict[str, Any]) -> bytes:
    queue = _queue(entity)
    for number in _require(body, "sequence-numbers", list):
        if not queue.cancel(number):
            text = f"There is no scheduled message with the sequence number {number}."
            raise Refused("com.microsoft:message-not-found", text)
    return EMPTY_MAP


def _peek(_broker: Broker, entity: Entity, body: dict[str, Any]) -> bytes | None:
    first = _require(body, "from-sequence-number", int)
    limit = min(_require(body, "message-count", int), LARGEST_PEEK)
    messages = _queue(entity).peek(first, max(0, limit))
    if not messages:
        return None
    items = [encode_map([(encode_string("message"), encode_binary(each))]) for each in messages]
    return encode_map([(encode_string("messages"), encode_list(items))])


def _tokens(body: dict[str, Any]) -> list[uuid.UUID]:
    tokens = _require(body, "lock-tokens", list)
    return [token for token in tokens if isinstance(token, uuid.UUID)]


def _renew(_broker: Broker, entity: Entity, body: dict[str, Any]) -> bytes:
    queue = _queue(entity)
    expirations = []
    for token in _tokens(body):
        until = queue.renew(token)
        if until is None:
            raise lock_lost()
        expirations.append(encode_timestamp(until)[1:])
    return encode_map([(encode_string("expirations"), encode_array(0x83, expirations))])


def _settle(_broker: Broker, entity: Entity, body: dict[str, Any]) -> bytes:
    queue, status = _queue(entity), _require(body, "disposition-status", str)
    reason = str(body.get("deadletter-reason") or "")
    description = str(body.get("deadletter-description") or "")
    settle: dict[str, Callable[[uuid.UUID], bool]] = {
        "completed": queue.complete,
        "abandoned": queue.abandon,
        "suspended": lambda token: queue.dead_letter(token, reason, description),
    }
    if status not in settle:
        raise Refused("amqp:not-implemented", f"The emulator does not implement '{status}'.")
    # A list, not a generator: one lost lock must not keep the others from being settled.
    if not all([settle[status](token) for token in _tokens(body)]):  # noqa: C419
        raise lock_lost()
    return EMPTY_MAP


def lock_lost() -> Refused:
    """Return the refusal of whoever settles or renews too late."""
    text = "The lock supplied is invalid. Either the lock expired, or the message has been settled."
    return Refused("com.microsoft:message-lock-lost", text)


_Operation = Callable[[Broker, Entity, dict[str, Any]], bytes | None]
_OPERATIONS: dict[str, _Operation] = {
    "com.microsoft:schedule-message": _schedule,
    "com.microsoft:cancel-scheduled-message": _cancel,
    "com.microsoft:peek-message": _peek,
    "com.microsoft:renew-lock": _renew,
    "com.microsoft:update-disposition": _settle,
}
