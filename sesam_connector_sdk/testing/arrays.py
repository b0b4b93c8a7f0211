"""What the hub would read of a connector that answers with entities: a source or a transform.

The whole way that a request takes, from the WSGI door to the author's code; only the socket is
missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import falcon.testing
import msgspec

from sesam_connector_sdk.connector import Connector
from sesam_connector_sdk.errors import TransferBrokenError
from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.web import wsgi_app

_ENTITIES = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class ArrayAnswer:
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
    def rejected_ids(self) -> list[str | None]:
        """The ``_id`` of each entity that an error names; None for one without."""
        return [each["_id"] for each in self.document.get("entities", [])]

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


def ask(
    connector: Connector[Any],
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    settings: ServerSettings | None,
    body: bytes = b"",
) -> ArrayAnswer:
    """One request to an opened connector, and all of its answer.

    Raises:
        Exception: Whatever exception of the connector would be answered 500.
    """
    environ = falcon.testing.create_environ(
        method=method,
        path=path,
        query_string=urlencode(query),
        headers=dict(headers),
        body=body,
    )
    started = falcon.testing.StartResponseMock()
    answer = wsgi_app(connector, settings=settings, reraise_bugs=True)(environ, started)
    came, broken = bytearray(), None
    try:
        for piece in answer:
            came += piece
    except TransferBrokenError as error:
        broken = error.__context__
    finally:
        getattr(answer, "close", bool)()
    return ArrayAnswer(
        status=int((started.status or "")[:3]),
        headers={name.lower(): text for name, text in started.headers or ()},
        body=bytes(came),
        broken=broken,
    )
