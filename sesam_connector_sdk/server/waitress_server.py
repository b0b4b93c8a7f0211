"""waitress, configured for the hub and stopped without losing a request.

The only place where waitress is run and its insides are touched from outside: its socket map,
``active_channels``, ``task_dispatcher`` and the state of its channels.
``tests/server/test_waitress_server.py`` fails when waitress changes under it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments

from sesam_connector_sdk.settings import ServerSettings

from .stop import Stop
from .strict_http import StrictServer
from .threads import WarmThreads

_POLL_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.05
_RESERVED_THREADS = 2


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
        self._map: dict[int, Any] = {}
        self._server: Any
        adjustments = Adjustments(**_adjustments(settings))
        threads = WarmThreads(settings.threads)
        try:
            self._server = StrictServer(app, self._map, dispatcher=threads, adj=adjustments)
        except OSError:
            threads.shutdown()
            wasyncore.close_all(self._map)
            raise
        self._server.reserved = WarmThreads(_RESERVED_THREADS)
        self._server.client_timeout = settings.client_timeout
        self._server.max_buffered = settings.max_buffered_bytes
        self._stop.wake(lambda: self._server.pull_trigger())

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        return f"{self._server.effective_host}:{self._server.effective_port}"

    def stop(self) -> None:
        """Begin to end. Safe from any thread and from a signal handler."""
        self._stop.request()

    def run(self) -> bool:
        """Serve until told to stop, then let what has begun finish.

        Returns:
            True if every request was answered before the drain's deadline.
        """
        while (left := self._stop.left()) > 0:
            self._loop_once(min(_POLL_SECONDS, left))
        return self._drain()

    def _drain(self) -> bool:
        self._close_listener()
        deadline = time.monotonic() + self._settings.drain_timeout
        while (finished := self._close_idle()) is False and time.monotonic() < deadline:
            self._loop_once(_DRAIN_POLL_SECONDS)
        for threads in (self._server.task_dispatcher, self._server.reserved):
            threads.shutdown(timeout=1 if finished else 0)
        # First this: a closed trigger's number may be someone else's file by the next signal.
        self._stop.wake(None)
        wasyncore.close_all(self._map)
        return finished

    def _close_listener(self) -> None:
        # Not server.close(): that closes the trigger, which the worker threads still need.
        self._server.accepting = False
        self._server.del_channel()
        self._server.socket.close()

    def _close_idle(self) -> bool:
        """Close connections on which nothing is going on; say whether that was all of them."""
        busy = False
        for channel in list(self._server.active_channels.values()):
            if channel.requests or channel.request is not None or channel.total_outbufs_len:
                busy = True
            else:
                channel.will_close = True
        return not busy

    def _loop_once(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)


def _adjustments(settings: ServerSettings) -> dict[str, Any]:
    return {
        "host": settings.bind_address,
        "port": settings.port,
        "threads": settings.threads,
        "connection_limit": settings.connections,
        # waitress refuses from this size on; the limit itself is still accepted.
        "max_request_body_size": settings.max_body_bytes + 1,
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
