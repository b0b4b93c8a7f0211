"""Answers the hub's POSTs for one sink.

Knows Falcon, and hands on what it has taken to the room ``sink``.
"""

from __future__ import annotations

from typing import Any

import falcon
import msgspec

from sesam_connector_sdk.body import Limits
from sesam_connector_sdk.protocol import PushParameters
from sesam_connector_sdk.protocol.push import PARAMETERS
from sesam_connector_sdk.request import PushRequest
from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.sink import Batch, Sink, deliver, part_in_full_sync

from .bodies import body, require_json
from .endpoint import Endpoint
from .metrics import AtTarget


class SinkEndpoint(Endpoint):
    """A sink at its route.

    Args:
        sink: The sink, opened.
        settings: Limits, threads and the request's deadline.
    """

    method = "POST"

    def __init__(self, sink: Sink[Any], settings: ServerSettings) -> None:
        super().__init__(sink, settings)
        self._sink = sink
        self._longest = settings.max_body_bytes
        self._limits = Limits(settings.max_entity_bytes, settings.max_depth)

    def __call__(self, req: falcon.Request, resp: falcon.Response, /, **fields: str) -> None:
        """Take one batch."""
        request = PushRequest(
            **self.circumstances(req, fields, PARAMETERS),
            push=PushParameters.parse(req.context.query),
        )
        # Around all the rest: a request that is refused for whatever reason was not delivered.
        with part_in_full_sync(self._sink, request) as part:
            require_json(req)
            with body(req, self._longest) as stream, self.place(request):
                batch = Batch(stream, request, self._limits)
                req.context.batch = batch
                receipt = deliver(self._sink, batch, part, around=lambda: AtTarget(req))
        req.context.receipt = receipt
        req.context.entities = len(batch)
        resp.data = msgspec.json.encode(receipt)
        resp.content_type = falcon.MEDIA_JSON
