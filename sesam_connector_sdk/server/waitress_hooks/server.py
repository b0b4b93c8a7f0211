"""The server: what it is made of, who is dropped, one turn of its loop, and the steps of its end.

Imports ``channel`` and ``threads``; of the SDK the paths that probes ask for. How long it runs, and
in which order it ends, is up to ``waitress_server``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from sesam_connector_sdk.web.health import PROBED_ROUTES

from .channel import StrictChannel
from .threads import WarmThreads

_IDLE_WHEN_FULL = 5.0
# For probes only, who must be answered also while all others hang. One may wait for a check.
_RESERVED_THREADS = 2


class StrictServer(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """waitress' server with strict channels, dropping those that hold it up.

    Listens as soon as it is made, and serves while somebody takes its turns.

    Args:
        app: Any WSGI application.
        adjustments: waitress' arguments, as it documents them.

    Attributes:
        client_timeout: Seconds that a request may take to arrive, head and body, and that a client
            may take nothing of its answer.
        max_buffered: Bytes of bodies held at once.

    Raises:
        OSError: The port cannot be listened on.
        ValueError: waitress has no such argument, or not with this value.
    """

    channel_class = StrictChannel
    client_timeout = 60.0
    max_buffered = 40 * 1024 * 1024

    def __init__(self, app: Callable[..., Any], adjustments: Mapping[str, Any]) -> None:
        adj = Adjustments(**adjustments)
        self.loop_map: dict[int, Any] = {}
        threads = WarmThreads(adj.threads)
        try:
            super().__init__(app, self.loop_map, dispatcher=threads, adj=adj)
        except OSError:
            threads.shutdown()
            wasyncore.close_all(self.loop_map)
            raise
        self.reserved = WarmThreads(_RESERVED_THREADS)

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        return f"{self.effective_host}:{self.effective_port}"

    def room(self) -> int:
        """Bytes of bodies that there is still room for; below zero if there are too many.

        Counted anew each time: books would go wrong with a connection that ends unexpectedly.
        """
        held = 0
        for channel in self.channels():
            held += channel.held()
        return self.max_buffered - held

    def channels(self) -> list[StrictChannel]:
        """The connections that are open now."""
        return list(self.active_channels.values())

    def add_task(self, task: StrictChannel) -> None:
        """Called by waitress when a channel has a request to be worked on."""
        probed = task.next_path in PROBED_ROUTES
        (self.reserved if probed else self.task_dispatcher).add_task(task)

    def maintenance(self, now: float) -> None:
        """Called by waitress' loop every ``cleanup_interval`` seconds."""
        super().maintenance(now)
        clock = time.monotonic()
        # Who waits to be accepted needs the place of a client that sends nothing.
        idle = now - min(self.client_timeout, _IDLE_WHEN_FULL)
        for channel in self.channels():
            in_the_way = self.in_connection_overflow and channel.is_idle(idle)
            if in_the_way or channel.is_slow(clock, self.client_timeout):
                channel.close_in_turn()
            if channel.is_stalled(clock, self.client_timeout):
                # Not closed here: a socket closed under waitress' select ends its whole loop. And a
                # worker thread may wait for this channel to take output: closing wakes it.
                self.trigger.pull_trigger(channel.handle_close)

    def turn(self, seconds: float) -> None:
        """Do what the sockets are ready for; wait for so many seconds at most until one is."""
        wasyncore.loop(timeout=seconds, use_poll=True, map=self.loop_map, count=1)

    def wake(self) -> None:
        """Have a turn end that waits. Safe from any thread and from a signal handler."""
        self.pull_trigger()

    def stop_listening(self) -> None:
        """Refuse new connections; those that are open stay so."""
        # Not by close(): that closes the trigger, which the worker threads still need.
        self.accepting = False
        self.del_channel()
        self.socket.close()

    def close_idle(self) -> bool:
        """Close connections on which nothing is going on; say whether that was all of them."""
        busy = False
        for channel in self.channels():
            if channel.is_busy():
                busy = True
            else:
                channel.close_in_turn()
        return not busy

    def end_threads(self, seconds: float) -> None:
        """Cancel what waits for a thread, and wait for so long until those at work have ended."""
        for threads in (self.task_dispatcher, self.reserved):
            threads.shutdown(timeout=seconds)

    def close_all(self) -> None:
        """Close every connection and the trigger, after which nobody may wake it any more."""
        wasyncore.close_all(self.loop_map)
