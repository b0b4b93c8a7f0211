"""What all responders share: the path that they are at, their places, and who asks for what.

Knows Falcon; imports ``connector``, ``errors`` and ``settings`` only.
"""

from __future__ import annotations

import contextlib
import functools
import queue
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Set
from typing import Any, ClassVar

import falcon

from sesam_connector_sdk.connector import Connector
from sesam_connector_sdk.errors import Throttled
from sesam_connector_sdk.request import Request
from sesam_connector_sdk.settings import ServerSettings


class Resource:
    """What a path answers with: a responder for each method that it takes, such as ``on_post``."""

    def methods(self) -> str:
        """The methods, as the header ``Allow`` lists them."""
        return ", ".join(name[3:].upper() for name in dir(self) if name.startswith("on_"))


class Endpoint(ABC):
    """A connector at its route. A subclass is called by Falcon with each request.

    Args:
        connector: The connector, opened.
        settings: Threads and the request's deadline.
    """

    method: ClassVar[str]
    """The HTTP method that it answers."""

    outcome: ClassVar[str] = "sent"
    """What metrics say of the entities of a request that went well."""

    who = ("", "")
    """Its connector's class and kind, as metrics name them."""

    def __init__(self, connector: Connector[Any], settings: ServerSettings) -> None:
        self._places = queue.SimpleQueue[None]()
        for _ in range(connector.concurrency or settings.threads):
            self._places.put(None)
        self._timeout = settings.request_timeout
        self._any_path = connector.route is None

    @abstractmethod
    def __call__(self, req: falcon.Request, resp: falcon.Response, /, **fields: str) -> None:
        """Answer one request."""

    @contextlib.contextmanager
    def place(self, request: Request) -> Iterator[None]:
        """Hold one of the connector's places.

        Raises:
            Throttled: None was free until the request's deadline.
        """
        try:
            self._places.get(timeout=request.remaining())
        except queue.Empty:
            raise Throttled("The connector takes no more requests at once.") from None
        try:
            yield
        finally:
            self._places.put(None)

    def circumstances(
        self, req: falcon.Request, fields: Mapping[str, str], protocol: Set[str] = frozenset()
    ) -> dict[str, Any]:
        """The arguments of a ``Request``.

        Args:
            req: Falcon's request.
            fields: The fields of the route.
            protocol: Query parameters that are not the author's.
        """
        query: dict[str, str] = req.context.query
        trace = req.context.trace
        return {
            "fields": {} if self._any_path else fields,
            "query": {name: text for name, text in query.items() if name not in protocol},
            "headers": _Headers(req),
            "pipe": query.get("pipe_id") or None,
            "traceparent": trace and trace.handed_on(),
            "deadline": req.context.started + self._timeout,
        }


class _Headers(Mapping[str, str]):
    """A request's headers, names in lower case; collected when somebody asks for one.

    Args:
        req: Falcon's request.
    """

    def __init__(self, req: falcon.Request) -> None:
        self._req = req

    @functools.cached_property
    def _collected(self) -> dict[str, str]:
        return {name.lower(): text for name, text in self._req.headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._collected[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._collected)

    def __len__(self) -> int:
        return len(self._collected)


def parameters(req: falcon.Request) -> dict[str, str]:
    """The query's parameters; one that comes twice counts with its last value."""
    return {
        name: value if isinstance(value, str) else value[-1] for name, value in req.params.items()
    }
