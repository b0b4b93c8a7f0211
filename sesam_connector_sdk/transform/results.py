"""Runs an author's transform over a request's entities, and makes JSON of what comes out.

Imports ``body``, ``entity``, ``transit``, ``errors`` and this room only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from sesam_connector_sdk.body import Body
from sesam_connector_sdk.entity import Entity
from sesam_connector_sdk.errors import Rejected, TargetUnavailable
from sesam_connector_sdk.request import Request

from .base import Result, Transform, by_entity

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def transformed(transform: Transform[Any], body: Body, request: Request) -> Iterator[bytes]:
    """What a transform makes of a request, an entity as JSON at a time, in order.

    Args:
        transform: An opened transform.
        body: The request's entities, validated.
        request: What came with them.

    Yields:
        JSON objects in UTF-8, each with an ``_id``.

    Raises:
        ConnectorError: The transform could not do it; the class says why.
        Exception: The author's code has a bug.
    """
    make = _one_by_one if by_entity(type(transform)) else _together
    try:
        yield from make(transform, body, request)
    except transform.retryable as error:
        raise TargetUnavailable(
            f"What the transform needs is not available ({type(error).__name__})."
        ) from error
    except SystemExit as error:
        # It would end the server's thread and leave the hub without an answer.
        raise RuntimeError("the transform called sys.exit; raise an error instead") from error


def _one_by_one(transform: Transform[Any], body: Body, _request: Request) -> Iterator[bytes]:
    for entity in body:
        try:
            made = transform.transform(entity)
            if type(made) is dict and "_id" in made:  # nearly always, so it comes first
                yield _ENCODER.encode(made)
            else:
                yield from _several(made, entity)
        except Rejected as error:
            if not error.entities:
                error.entities = (entity.problem(error.detail),)
            raise


def _several(made: Any, entity: Entity) -> Iterator[bytes]:
    """The JSON of each result of one entity."""
    if made is None:
        return
    without_id = 0
    for each in [made] if isinstance(made, Mapping | Entity) else _iterable(made):
        if isinstance(each, Mapping) and "_id" not in each:
            without_id += 1
            if without_id > 1:
                raise TypeError("transform made several entities without an _id of one entity")
            each = {"_id": entity.id, **each}
        yield _json(each)


def _together(transform: Transform[Any], body: Body, request: Request) -> Iterator[bytes]:
    for made in _iterable(transform.transform_batch(body, request)):
        yield _json(made)


def _json(made: Result) -> bytes:
    if isinstance(made, Entity):
        return made.json
    if isinstance(made, Mapping):
        return _ENCODER.encode(dict(made))
    raise TypeError(f"a transform makes mappings and entities, this one made {type(made).__name__}")


def _iterable(made: Any) -> Iterable[Any]:
    if isinstance(made, Iterable) and not isinstance(made, str | bytes):
        return made
    raise TypeError(
        f"a transform returns a mapping, an iterable of mappings or None, not {type(made).__name__}"
    )
