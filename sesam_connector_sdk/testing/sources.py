"""Pull from a source without a server: what the hub would ask, and what it would read.

``pull`` runs the whole way that a request takes, from the WSGI door to the author's ``read``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import falcon.testing
import msgspec

from sesam_connector_sdk.errors import TransferBrokenError
from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.source import Source
from sesam_connector_sdk.web import wsgi_app

_ENTITIES = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class PullAnswer:
    """What the hub would see.

    Attributes:
        status: The HTTP status.
        headers: Response headers, names in lower case.
        body: What came of the body.
        broken: What broke the transfer in the middle of the body, or None if it ended.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: BaseException | None = None

    @property
    def accepted(self) -> bool:
        """Whether the hub would take the entities for all that there are."""
        return self.status == 200 and self.broken is None

    @property
    def document(self) -> dict[str, Any]:
        """The RFC 9457 problem document of an error."""
        found: dict[str, Any] = msgspec.json.decode(self.body)
        return found

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The entities, as their JSON says: typed values are the texts that they are sent as.

        Raises:
            AssertionError: The answer is an error, or the transfer is broken: there are none.
        """
        if self.broken is not None:
            raise AssertionError("the transfer is broken off") from self.broken
        assert self.accepted, self.document["detail"]  # noqa: S101  # it is for tests
        return _ENTITIES.decode(self.body)


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
) -> PullAnswer:
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
    environ = falcon.testing.create_environ(
        path=path,
        query_string=urlencode({**(query or {}), **parameters}),
        headers=dict(headers or {}),
    )
    started = falcon.testing.StartResponseMock()
    answer = wsgi_app(source, settings=settings, reraise_bugs=True)(environ, started)
    body, broken = bytearray(), None
    try:
        for piece in answer:
            body += piece
    except TransferBrokenError as error:
        broken = error.__context__
    finally:
        getattr(answer, "close", bool)()
    return PullAnswer(
        status=int((started.status or "")[:3]),
        headers={name.lower(): text for name, text in started.headers or ()},
        body=bytes(body),
        broken=broken,
    )


def _text(source: Source[Any], since: Any) -> str:
    if source.since is not None and not isinstance(since, str | int):
        return str(source.since.encode(since))
    return str(since)
