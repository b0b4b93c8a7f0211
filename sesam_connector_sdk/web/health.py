"""What probes ask for: whether the process lives, and whether it can do its work.

Knows Falcon; imports ``endpoint`` and ``readiness`` only. The answers say nothing else: they need
no credentials.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import falcon

from .endpoint import Resource
from .readiness import Probe

HEALTH_ROUTE = "/healthz"
READY_ROUTE = "/readyz"
PROBED_ROUTES = frozenset({HEALTH_ROUTE, READY_ROUTE})
"""Answered without credentials, also while the process drains."""


class Health(Resource):
    """Says that the process lives; depends on nothing else."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200."""
        resp.data = b'{"status":"alive"}'
        resp.content_type = falcon.MEDIA_JSON

    on_head = on_get  # what some load balancers ask with


class Ready(Resource):
    """Says whether requests would be answered well.

    Args:
        probes: One for each connector.
        stopping: Whether the process is about to end.
    """

    def __init__(self, probes: Sequence[Probe], stopping: Callable[[], bool]) -> None:
        self._probes = probes
        self._stopping = stopping
        self._asking = threading.Lock()

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200, or 503 if a check fails or hangs, or the process is about to end."""
        ready = not self._stopping() and self._all_ready()
        resp.status = falcon.HTTP_200 if ready else falcon.HTTP_503
        resp.data = b'{"status":"ready"}' if ready else b'{"status":"not ready"}'
        resp.content_type = falcon.MEDIA_JSON

    on_head = on_get

    def _all_ready(self) -> bool:
        """Ask every connector, unless somebody else waits for one: then say what was said last."""
        if not self._asking.acquire(blocking=False):
            return all(probe.last() for probe in self._probes)
        try:
            return all(probe.ready() for probe in self._probes)
        finally:
            self._asking.release()
