"""Push to a sink without a server: what the hub would send, what it would be answered.

``push`` runs the whole way that a request takes, from the WSGI door to the author's ``write``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import falcon.testing
import msgspec

from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.sink import Sink
from sesam_connector_sdk.web import wsgi_app

_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hub would see.

    Attributes:
        status: The HTTP status.
        headers: Response headers, names in lower case.
        document: The body: a receipt, or an RFC 9457 problem document.
    """

    status: int
    headers: Mapping[str, str]
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the hub would count every entity as delivered."""
        return 200 <= self.status < 300

    @property
    def rejected_ids(self) -> list[str | None]:
        """The ``_id`` of each entity that the answer names; None for one without."""
        return [each["_id"] for each in self.document.get("entities", [])]


def push(
    sink: Sink[Any],
    entities: Iterable[Mapping[str, Any]] | bytes,
    *,
    path: str = "/",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    settings: ServerSettings | None = None,
) -> Answer:
    """Send one batch to a sink, as the hub does.

    Args:
        sink: The sink, opened; see ``opened``.
        entities: The batch as dicts, or the request's body as bytes.
        path: The path, for a sink with a ``route``.
        query: Query parameters: the protocol's and the pipe's own.
        headers: Request headers beside ``Content-Type``.
        settings: Limits; the defaults if left out.

    Raises:
        Exception: Whatever exception of ``write`` would be answered 500, so that the test shows it.
    """
    body = entities if isinstance(entities, bytes) else _ENCODER.encode(list(entities))
    client = falcon.testing.TestClient(wsgi_app(sink, settings=settings, reraise_bugs=True))
    result = client.simulate_post(
        path,
        body=body,
        query_string=urlencode(query or {}),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    return Answer(
        status=result.status_code,
        headers={name.lower(): text for name, text in result.headers.items()},
        document=msgspec.json.decode(result.content),
    )
