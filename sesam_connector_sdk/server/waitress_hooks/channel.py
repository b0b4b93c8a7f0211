"""A connection: what is parsed on it, by what it is answered, and whether it gets on.

Imports ``parser`` and ``task``. What is done about those that do not get on is up to ``server``.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.utilities import BadRequest

from .parser import StrictParser
from .task import BreakableTask, ProblemTask

# The hub sends one request at a time.
_MOST_TOGETHER = 100
_LARGEST_TOGETHER = 32 * 1024


class StrictChannel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection whose requests are parsed strictly, and whose progress is watched."""

    task_class = BreakableTask
    error_task_class = ProblemTask

    request: StrictParser | None = None
    close_when_flushed = False
    heard_out_since: float | None = None
    pending: tuple[int, float] = (0, 0.0)
    pending_since = 0.0
    together = 0

    def parser_class(self, adj: Any) -> StrictParser:
        """A parser for the next request; waitress calls this like a class."""
        parser = StrictParser(adj, self.server.room)
        self.together += 1
        size = sum(each.head_size for each in self.requests)
        if size > _LARGEST_TOGETHER:
            # No budget counts them, and a piece that waitress reads may hold many times one head.
            parser.error = BadRequest(
                "The heads of the requests that were sent together are large."
            )
        if self.together > _MOST_TOGETHER:
            # For each, waitress copies all that has come after it, and keeps it until it is served.
            parser.error = BadRequest(f"More than {_MOST_TOGETHER} requests were sent together.")
        return parser

    @property
    def next_path(self) -> str:
        """What the request is about that is next to be worked on."""
        return str(self.requests[0].path)

    def held(self) -> int:
        """Bytes of bodies that this connection holds, in memory or in files."""
        return sum(each.held for each in (*self.requests, self.request) if each is not None)

    def handle_write(self) -> None:
        """Send what is ready; see waitress."""
        with self.requests_lock:  # under which a worker thread says that this answer is the last
            ends, self.close_when_flushed = self.close_when_flushed, False
            super().handle_write()
            if ends and self.connected:
                if self.total_outbufs_len:
                    self.close_when_flushed = True
                else:
                    self._hear_out()

    def _hear_out(self) -> None:
        """Read on until the client hangs up, to nobody (RFC 9112 section 9.6).

        To close on a client that still sends resets the connection, and the answer is lost.
        """
        self.request = None
        self.heard_out_since = time.monotonic()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    def received(self, data: bytes) -> bool:
        """Take bytes from the client; see waitress."""
        if self.heard_out_since is not None:
            return False
        self.together = 0
        taken: bool = super().received(data)
        return taken

    def is_slow(self, now: float, longest: float) -> bool:
        """Whether a request has been arriving for longer than it may, or is heard out for so long.

        Args:
            now: On the clock of ``time.monotonic``, in seconds.
            longest: Seconds from a request's first byte to its last.
        """
        if self.request is None:
            return self.heard_out_since is not None and now - self.heard_out_since > longest
        if self.requests:
            # Unread until the one before it is answered: its time begins then.
            self.request.started = now
        return bool(now - self.request.started > longest)

    def is_busy(self) -> bool:
        """Whether a request is arriving or at work, or its answer on the way."""
        arriving = self.request is not None and self.request.begun
        return bool(self.requests or arriving or self.total_outbufs_len)

    def is_idle(self, since: float) -> bool:
        """Whether nothing goes on, and has since a moment on the clock of ``time.time``.

        Empty lines are nothing, and what comes from a client that is only heard out.
        """
        return not self.is_busy() and self._last_active() < since

    def _last_active(self) -> float:
        request = self.request
        nothing_since = self.heard_out_since if request is None else request.started
        if nothing_since is None:
            return float(self.last_activity)
        return time.time() - (time.monotonic() - nothing_since)

    def is_stalled(self, now: float, longest: float) -> bool:
        """Whether the client has taken nothing of its answer for longer than it may.

        Args:
            now: On the clock of ``time.monotonic``, in seconds.
            longest: Seconds without a byte going out.
        """
        # With the time of the last byte out: the application may add just what has been taken.
        pending = (self.total_outbufs_len, self.last_activity)
        if self.total_outbufs_len == 0 or pending != self.pending:
            self.pending, self.pending_since = pending, now
            return False
        return now - self.pending_since > longest

    def close_in_turn(self) -> None:
        """Close it when the loop comes to it.

        Not by the trigger: the next connection could get the number of this one, and with it the
        byte that has just arrived here.
        """
        self.will_close = True
