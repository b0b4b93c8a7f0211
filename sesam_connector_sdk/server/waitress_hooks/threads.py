"""waitress' threads, of which the one that has worked last works next.

Imports nothing of the SDK. Beside waitress it knows the row of waiters that is inside Python's own
``threading.Condition``.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from waitress.task import ThreadedTaskDispatcher


class WarmThreads(ThreadedTaskDispatcher):  # type: ignore[misc]  # waitress has no types
    """Gives a request to the idle thread that was busy last.

    waitress takes the one that has been idle longest, so all threads take their turns, each with
    memory of its own that it has filled before. Where few requests come at once, few threads need
    theirs this way, and what they need is still in the processor's cache.

    Args:
        threads: How many.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.queue_cv = _LastFirst(self.lock)
        self.set_thread_count(threads)


class _LastFirst(threading.Condition):
    """Wakes the thread that has begun to wait last."""

    _waiters: deque[Any]

    def notify(self, n: int = 1) -> None:
        """Wake so many threads."""
        self._waiters.rotate(n)
        super().notify(n)
