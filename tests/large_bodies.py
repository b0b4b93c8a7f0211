"""Bodies of just the largest size whose entities are hard to read: all of them valid."""

from __future__ import annotations

from sesam_connector_sdk import ServerSettings

_DEPTH = ServerSettings().max_depth - 2
_DEEP = b'{"a":' * _DEPTH + b"1" + b"}" * _DEPTH

SHAPES = {
    "one long text": b'"x":"%b"',
    "small objects": b'"x":[{"customer_id":7,"qty":1}%b]',
    "entities in it": b'"x":[{"_id":"2","_updated":1}%b],"_updated":1',
    "empty arrays": b'"x":[{"_updated":1}%b],"_updated":1',
    "escaped letters": b'"x":[{},"%b"],"_\\u0075pdated":1',
    "escaped quotes": b'"x":[[[]]%b]',
    "deep objects": b'"x":[1%b]',
    "small fields": b'"x":1%b',
}
_FILLING = {
    "one long text": b"y",
    "small objects": b',{"customer_id":7,"qty":1}',
    "entities in it": b',{"_id":"2","_updated":1}',
    "empty arrays": b",[]",
    "escaped letters": b"\\u005f",
    "escaped quotes": b',[[[[]]],"%b"]' % (b'\\"' * 1000),
    "deep objects": b"," + _DEEP,
    "small fields": b',"a":1',
}


def largest_body(shape: str, entities: int = 4) -> bytes:
    """A body of just the largest size.

    Args:
        shape: What is in its entities: one of ``SHAPES``.
        entities: How many; four are of just the largest size.
    """
    limit = ServerSettings().max_body_bytes
    body = b"[%b]" % b",".join(
        _entity(shape, number, limit // entities) for number in range(entities)
    )
    return body + b" " * (limit - len(body))


def _entity(shape: str, number: int, size: int) -> bytes:
    entity = b'{"_id":"%d",%b}' % (number, SHAPES[shape])
    room = size - len(entity)
    return entity % (_FILLING[shape] * (room // len(_FILLING[shape])))
