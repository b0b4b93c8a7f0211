"""Answers the hub's GETs for one source.

Knows Falcon, and hands on what is asked to the room ``source``.
"""

from __future__ import annotations

import contextlib
from typing import Any

import falcon

from sesam_connector_sdk.protocol import PullParameters
from sesam_connector_sdk.protocol.pull import PARAMETERS
from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.source import Pull, Source, asked

from . import streams
from .endpoint import Endpoint

_PAGE_BYTES = 1024 * 1024
"""A page is held back up to this size, so that one that fails is none rather than half of one."""


class SourceEndpoint(Endpoint):
    """A source at its route.

    Args:
        source: The source, opened.
        settings: Threads and the request's deadline.
    """

    method = "GET"

    def __init__(self, source: Source[Any], settings: ServerSettings) -> None:
        super().__init__(source, settings)
        self._source = source

    def __call__(self, req: falcon.Request, resp: falcon.Response, /, **fields: str) -> None:
        """Give the entities that are asked for."""
        wanted = PullParameters.parse(req.context.query)
        request = asked(self._source, wanted, **self.circumstances(req, fields, PARAMETERS))
        with contextlib.ExitStack() as held:
            held.enter_context(self.place(request))
            pull = Pull(self._source, request)
            held.callback(lambda: setattr(req.context, "entities", pull.count))
            headers = pull.headers()
            hold = _PAGE_BYTES if request.limit is not None else 0
            streams.answer(req, resp, pull.items(), hold=hold, held=held)
            resp.set_headers(headers)
