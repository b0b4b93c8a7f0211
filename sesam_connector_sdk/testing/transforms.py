"""Post to a transform without a server: what the hub would send, and what it would read.

``transform`` runs the whole way that a request takes, from the WSGI door to the author's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.transform import Transform

from .arrays import ArrayAnswer, ask

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def transform(
    connector: Transform[Any],
    entities: Iterable[Mapping[str, Any]] | bytes,
    *,
    path: str = "/",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    settings: ServerSettings | None = None,
) -> ArrayAnswer:
    """Have a transform work on one batch, as the hub does.

    Args:
        connector: The transform, opened; see ``opened``.
        entities: The batch as dicts, or the request's body as bytes.
        path: The path, for a transform with a ``route``.
        query: Query parameters of the pipe's own.
        headers: Request headers beside ``Content-Type``.
        settings: Limits; the defaults if left out.

    Raises:
        Exception: Whatever exception of the transform would be answered 500, so that the test shows
            it. One that comes later, when the answer has begun, is in the answer.
    """
    return ask(
        connector,
        "POST",
        path,
        query or {},
        {"Content-Type": "application/json", **(headers or {})},
        settings,
        entities if isinstance(entities, bytes) else _ENCODER.encode(list(entities)),
    )
