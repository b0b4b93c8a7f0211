"""The middleware round every request: times, counts, logs it, and refuses it while draining.

Knows Falcon; imports ``errors``, ``protocol`` and this room only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import falcon

from sesam_connector_sdk.errors import Bug, MethodNotAllowed, ShuttingDown, Throttled, printable
from sesam_connector_sdk.protocol import TraceParent

from . import events
from .endpoint import Endpoint, Resource, parameters
from .health import PROBED_ROUTES
from .metrics import METRICS_ROUTE, Metrics

_LONGEST_ID = 100


OWN_ROUTES = PROBED_ROUTES | {METRICS_ROUTE}
"""Paths that no connector has. Their requests are not counted, and go on while it drains."""


class AccessLog:
    """Times every request, counts it, logs one line for it, and refuses it while draining.

    Args:
        draining: Whether no request is taken any more.
        metrics: Where to count.
    """

    def __init__(self, draining: Callable[[], bool], metrics: Metrics) -> None:
        self._draining = draining
        self._metrics = metrics

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Before routing."""
        self._begin(req)
        # The process lives while it drains: a liveness probe must not end it early.
        if req.path not in OWN_ROUTES and self._draining():
            raise ShuttingDown(retry_after=5)

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, _fields: dict[str, str]
    ) -> None:
        """After routing, if there is such a path.

        Raises:
            MethodNotAllowed: The path does not take the method. Falcon itself would answer OPTIONS
                with 200, whatever the body, and a method that it does not know with 400.
        """
        responder = getattr(resource, f"on_{req.method.lower()}", None)
        if isinstance(responder, Endpoint):
            self._metrics.begin(req, responder)
        elif responder is None and isinstance(resource, Resource):
            resp.set_header("Allow", resource.methods())
            raise MethodNotAllowed(f"This path takes {resource.methods()}.")

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, _resource: object, *_succeeded: bool
    ) -> None:
        """After the answer is made, also after an error; one that is sent by and by logs itself."""
        if not hasattr(req.context, "started"):
            self._begin(req)  # Falcon refuses the method WEBSOCKET before it asks any middleware
        if resp.stream is None:
            ended(req, resp.status_code)

    def _begin(self, req: falcon.Request) -> None:
        req.context.started = time.monotonic()
        req.context.metrics = self._metrics
        req.context.query = parameters(req)
        req.context.trace = TraceParent.parse(req.get_header("traceparent") or "")


def ended(req: falcon.Request, status: int) -> None:
    """Log a request that has been answered, and count it if it is not one for the SDK itself."""
    log_request(req, status)
    if req.path not in OWN_ROUTES:
        req.context.metrics.end(req, status)


def log_request(req: falcon.Request, status: int) -> None:
    """Log one line for a request that has been answered.

    Args:
        req: Falcon's request. Its context may hold ``entities``, a count, and ``problem``, the
            fields of the line that say what went wrong.
        status: How it was answered.
    """
    problem: dict[str, Any] = getattr(req.context, "problem", {})
    broken_off = problem.get("ended") == events.BROKEN_OFF
    level = logging.INFO
    if req.path in OWN_ROUTES and not problem:
        level = logging.DEBUG  # a state of readiness is logged once, by ``readiness``
    elif status >= Bug.status or status == Throttled.status or broken_off:
        level = logging.WARNING  # what the hub will have to send, or to ask for, again
    # The path without its query, which may hold a token.
    method, path = printable(req.method, 20), printable(req.path)
    events.log(
        level,
        f"{method} {events.shown(path)} {status}",
        {"method": method, "path": path, "status": status},
        entities=getattr(req.context, "entities", None),
        ms=int((time.monotonic() - req.context.started) * 1000),
        **_whose(req),
        **problem,
    )


def _whose(req: falcon.Request) -> dict[str, str | None]:
    """What tells the request from others: the pipe's, the hub's and the trace's names for it."""
    query: dict[str, str] = getattr(req.context, "query", {})
    trace = getattr(req.context, "trace", None)
    return {
        "pipe": printable(query.get("pipe_id", ""), _LONGEST_ID),
        "sequence": printable(query.get("sequence_id", ""), _LONGEST_ID),
        "request": printable(query.get("request_id", ""), _LONGEST_ID),
        "trace": trace and trace.trace_id,
    }
