"""Runs an author's transform over a request's entities, and makes JSON of what comes out.

Imports ``arraywriter``, ``body``, ``connector``, ``entity``, ``request``, ``transit``, ``errors``
and this room only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sesam_connector_sdk.arraywriter import closing
from sesam_connector_sdk.body import Body
from sesam_connector_sdk.connector import typed_errors
from sesam_connector_sdk.entity import Entity
from sesam_connector_sdk.errors import ConnectorError, Misuse, Rejected, Unsendable
from sesam_connector_sdk.request import Request
from sesam_connector_sdk.transit import EntityEncoder

from .base import Transform, by_entity

_Encode = Callable[[Mapping[str, Any], int], bytes]


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
    # A number of the hub's goes back as the number that it was.
    encode = EntityEncoder(text=transform.text_policy, decimals="number").encode
    with typed_errors(transform, "What the transform needs"):
        if by_entity(type(transform)):
            yield from _one_by_one(transform, body, encode)
        else:
            yield from _together(transform, body, request, encode)


def _one_by_one(transform: Transform[Any], body: Body, encode: _Encode) -> Iterator[bytes]:
    for entity in body:
        try:
            made = transform.transform(entity)
            if type(made) is dict and "_id" in made:  # nearly always, so it comes first
                yield encode(made, entity.position)
            else:
                for each in _several(made, entity):
                    yield _json(each, entity.position, encode)
        except Rejected as error:
            if not error.entities:
                error.entities = (entity.problem(error.detail),)
            raise
        except Unsendable as error:
            raise _blamed(error, [entity], encode) from None


def _several(made: Any, entity: Entity) -> Iterator[Any]:
    """The results of one entity, each with an ``_id`` if it is a mapping."""
    if made is None:
        return
    without_id = 0
    for each in [made] if isinstance(made, Mapping | Entity) else _iterable(made):
        if isinstance(each, Mapping) and "_id" not in each:
            without_id += 1
            if without_id > 1:
                raise Misuse("transform made several entities without an _id of one entity")
            yield {"_id": entity.id, **each}
        else:
            yield each


def _together(
    transform: Transform[Any], body: Body, request: Request, encode: _Encode
) -> Iterator[bytes]:
    with closing(_iterable(transform.transform_batch(body, request))) as results:
        for position, made in enumerate(results):
            try:
                yield _json(made, position, encode)
            except Unsendable as error:
                raise _blamed(error, body, encode) from None


def _json(made: Any, position: int, encode: _Encode) -> bytes:
    return made.json if isinstance(made, Entity) else encode(made, position)


def _iterable(made: Any) -> Iterable[Any]:
    if isinstance(made, Iterable) and not isinstance(made, Mapping | str | bytes):
        return made
    raise Misuse(f"a transform returns mappings or None, not {type(made).__name__}")


def _blamed(error: Unsendable, given: Iterable[Entity], encode: _Encode) -> ConnectorError:
    """The error to answer with: a rejection if the data is at fault, and not the transform.

    It is where an entity could not even be sent back as it came.
    """
    for entity in given:
        # Decoded again: the transform may have changed the data that it was given.
        untouched = Entity(entity.json, entity.position, None)
        try:
            encode(untouched.data, entity.position)
        except Unsendable as own:
            return Rejected(own.detail, entities=own.entities)
    return error
