"""Pull from a source without a server: what the hub would ask, and what it would read.

``pull`` runs the whole way that a request takes, from the WSGI door to the author's ``read``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.source import Source

from .arrays import ArrayAnswer, ask


def pull(
    source: Source[Any],
    *,
    since: Any = None,
    limit: int | None = None,
    subset: list[Any] | None = None,
    path: str = "/",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    settings: ServerSettings | None = None,
) -> ArrayAnswer:
    """Ask a source for entities, as the hub does.

    Args:
        source: The source, opened; see ``opened``.
        since: ``_updated`` of an entity, as an earlier answer had it or as ``read`` yields it.
        limit: The page's size, if the hub reads page by page.
        subset: The expression of a subset.
        path: The path, for a source with a ``route``.
        query: Other query parameters: the pipe's own, or the protocol's as they are.
        headers: Request headers.
        settings: The deadline and the threads; the defaults if left out.

    Raises:
        Exception: Whatever exception of ``read`` would be answered 500, so that the test shows it.
            One that comes later, when the answer has begun, is in the answer.
    """
    asked = {
        "since": None if since is None else _text(source, since),
        "limit": None if limit is None else str(limit),
        "subset": None if subset is None else json.dumps(subset),
    }
    parameters = {name: text for name, text in asked.items() if text is not None}
    return ask(source, "GET", path, {**(query or {}), **parameters}, headers or {}, settings)


def _text(source: Source[Any], since: Any) -> str:
    if source.since is not None and not isinstance(since, str | int):
        return str(source.since.encode(since))
    return str(since)
