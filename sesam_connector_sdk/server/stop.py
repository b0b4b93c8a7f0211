"""The wish to stop: asked for by a signal or a thread, before or after the server is there.

Imports nothing of the SDK.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


class Stop:
    """Asked for once, from anywhere; then it stays asked for."""

    def __init__(self) -> None:
        self._requested = False
        self._wake: Callable[[], None] | None = None
        # Reentrant: a signal handler may find its own thread inside.
        self._lock = threading.RLock()

    def on_signals(self) -> None:
        """Ask for it on SIGTERM or SIGINT, also as PID 1, where no default handler works."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.request()

    def request(self) -> None:
        """Ask for it. Safe from any thread and from a signal handler."""
        with self._lock:
            first, self._requested = not self._requested, True
            if first and self._wake:
                self._wake()

    def requested(self) -> bool:
        """Whether it has been asked for."""
        return self._requested

    def wake(self, call: Callable[[], None] | None) -> None:
        """What to call, once, when it is asked for; None when nobody must be woken any more.

        Args:
            call: Wakes the server's loop. Not called if it has been asked for already.
        """
        with self._lock:
            self._wake = call
