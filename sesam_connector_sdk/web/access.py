"""The middleware round every request: times it, refuses it while draining, logs one line for it.

Knows Falcon; imports ``errors`` and ``health`` only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import falcon

from sesam_connector_sdk.errors import Bug, ShuttingDown, Throttled, printable

from .health import PROBED_ROUTES

_log = logging.getLogger("sesam_connector_sdk.request")


class AccessLog:
    """Times every request, refuses it while draining, and logs one line for it."""

    def __init__(self, draining: Callable[[], bool]) -> None:
        self._draining = draining

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Before routing."""
        req.context.started = time.monotonic()
        # The process lives while it drains: a liveness probe must not end it early.
        if req.path not in PROBED_ROUTES and self._draining():
            raise ShuttingDown(retry_after=5)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, _resource: object, *_succeeded: bool
    ) -> None:
        """After the answer is made, also after an error; one that is sent by and by logs itself."""
        if resp.stream is None:
            log_request(req, resp.status_code)


def log_request(req: falcon.Request, status: int) -> None:
    """Log one line for a request that has been answered.

    Args:
        req: Falcon's request. Its context may hold ``entities``, a count, and ``problem``, a text.
        status: How it was answered.
    """
    problem = getattr(req.context, "problem", "")
    level = logging.INFO
    if req.path in PROBED_ROUTES:
        level = logging.DEBUG  # a state of readiness is logged once, by ``readiness``
    elif status >= Bug.status or status == Throttled.status or "broken-off" in problem:
        level = logging.WARNING  # what the hub will have to send, or to ask for, again
    # The path without its query, which may hold a token.
    _log.log(
        level,
        "%s %s %s entities=%s ms=%d%s",
        printable(req.method, 20),
        printable(req.path),
        status,
        getattr(req.context, "entities", "-"),
        (time.monotonic() - req.context.started) * 1000,
        problem,
    )
