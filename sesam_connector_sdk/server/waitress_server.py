"""waitress, configured for the hub and stopped without losing a request.

Imports ``waitress_hooks``, ``stop`` and the settings. Of waitress it knows the arguments, which are
documented, and nothing of its insides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sesam_connector_sdk.settings import ServerSettings

from .stop import Stop
from .waitress_hooks import StrictServer

_POLL_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.05


class WaitressServer:
    """A listening waitress that ends when told to, after its requests.

    Args:
        app: Any WSGI application.
        settings: Port, limits, threads and the time a drain may take.
        stop: Who asks for the end of it.

    Raises:
        OSError: The port cannot be listened on.
    """

    def __init__(
        self, app: Callable[..., Any], settings: ServerSettings, stop: Stop | None = None
    ) -> None:
        self._settings = settings
        self._stop = stop or Stop(settings.shutdown_delay)
        self._server = StrictServer(app, _adjustments(settings))
        self._server.client_timeout = settings.client_timeout
        self._server.max_buffered = settings.max_buffered_bytes
        self._stop.wake(lambda: self._server.wake())

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        return self._server.address

    def stop(self) -> None:
        """Begin to end. Safe from any thread and from a signal handler."""
        self._stop.request()

    def run(self) -> bool:
        """Serve until told to stop, then let what has begun finish.

        Returns:
            True if every request was answered before the drain's deadline.
        """
        while (left := self._stop.left()) > 0:
            self._server.turn(min(_POLL_SECONDS, left))
        return self._drain()

    def _drain(self) -> bool:
        self._server.stop_listening()
        deadline = time.monotonic() + self._settings.drain_timeout
        while (finished := self._server.close_idle()) is False and time.monotonic() < deadline:
            self._server.turn(_DRAIN_POLL_SECONDS)
        self._server.end_threads(1 if finished else 0)
        # First this: a closed trigger's number may be someone else's file by the next signal.
        self._stop.wake(None)
        self._server.close_all()
        return finished


def _adjustments(settings: ServerSettings) -> dict[str, Any]:
    return {
        "host": settings.bind_address,
        "port": settings.port,
        "threads": settings.threads,
        "connection_limit": settings.connections,
        # waitress refuses from this size on; the limit itself is still accepted.
        "max_request_body_size": settings.max_body_bytes + 1,
        # Nobody's budget counts heads, so this times "connection_limit" is what they may take.
        "max_request_header_size": 32 * 1024,
        # From this size on a body is kept in a file. At the default limits none is so large: no
        # writable /tmp is needed.
        "inbuf_overflow": settings.max_memory_body_bytes + 1,
        "outbuf_overflow": 4 * 1024 * 1024,
        "outbuf_high_watermark": 1024 * 1024,
        # A usual batch of 100 entities at once. More makes bodies in small chunks slow.
        "recv_bytes": 128 * 1024,
        "asyncore_use_poll": True,
        "cleanup_interval": 1,
        "ident": None,
        "clear_untrusted_proxy_headers": True,
    }
