"""The wish to stop: asked for by a signal or a thread, before or after the server is there.

Imports nothing of the SDK.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType


class Stop:
    """Asked for from anywhere, due after a while; then it stays so.

    Args:
        delay: Seconds from the first wish to the end of serving. Who asks again has no patience.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay
        self._due = math.inf
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
            due = time.monotonic() + (0.0 if self.requested() else self._delay)
            if due < self._due:
                self._due = due
                if self._wake:
                    self._wake()

    def requested(self) -> bool:
        """Whether it has been asked for."""
        return self._due < math.inf

    def due(self) -> bool:
        """Whether the time is up that it leaves."""
        return self.left() <= 0

    def left(self) -> float:
        """Seconds until it is due; infinite until it is asked for."""
        return self._due - time.monotonic()

    def wake(self, call: Callable[[], None] | None) -> None:
        """What to call when it is asked for; None when nobody must be woken any more.

        Args:
            call: Wakes the server's loop. Called again only by who asks for it sooner.
        """
        with self._lock:
            self._wake = call
