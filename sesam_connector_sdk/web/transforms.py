"""Answers the hub's POSTs for one transform.

Knows Falcon, and hands on what it has taken to the room ``transform``.
"""

from __future__ import annotations

import contextlib
from typing import Any

import falcon

from sesam_connector_sdk.body import Body, Limits
from sesam_connector_sdk.request import Request
from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.transform import Transform, transformed

from . import streams
from .bodies import body, require_json
from .endpoint import Endpoint


class TransformEndpoint(Endpoint):
    """A transform at its route.

    Args:
        transform: The transform, opened.
        settings: Limits, threads and the request's deadline.
    """

    method = "POST"
    outcome = "transformed"

    def __init__(self, transform: Transform[Any], settings: ServerSettings) -> None:
        super().__init__(transform, settings)
        self._transform = transform
        self._longest = settings.max_body_bytes
        self._limits = Limits(settings.max_entity_bytes, settings.max_depth)

    def __call__(self, req: falcon.Request, resp: falcon.Response, /, **fields: str) -> None:
        """Take one batch, and answer with what becomes of it."""
        request = Request(**self.circumstances(req, fields))
        require_json(req)
        with contextlib.ExitStack() as held:
            # Read, and a place taken, until the answer has ended: it may be made while it is sent.
            stream = held.enter_context(body(req, self._longest))
            held.enter_context(self.place(request))
            entities = Body(stream, limits=self._limits)
            req.context.batch = entities
            entities.validate(self._transform.schema_check)
            req.context.entities = len(entities)
            items = transformed(self._transform, entities, request)
            streams.answer(req, resp, items, hold=self._transform.held_bytes, held=held)
