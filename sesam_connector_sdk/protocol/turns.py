"""Who may be at work at once: some alone, others together. Threads only; imports nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Turns:
    """Lets work be done alone or together, and makes the rest wait. Safe across threads.

    Whoever waits to be alone holds back those who come later, so that waiting ends.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._alone = False
        self._waiting = 0

    @contextlib.contextmanager
    def take(self, *, alone: bool, seconds: float) -> Iterator[None]:
        """Hold a turn for the length of a ``with`` block.

        Args:
            alone: Whether nobody else may be at work meanwhile.
            seconds: Longest wait for the turn.

        Raises:
            TimeoutError: It did not come.
        """
        (self._begin_alone if alone else self._begin_together)(min(seconds, threading.TIMEOUT_MAX))
        try:
            yield
        finally:
            with self._changed:
                if alone:
                    self._alone = False
                else:
                    self._together -= 1
                self._changed.notify_all()

    def _begin_alone(self, seconds: float) -> None:
        with self._changed:
            self._waiting += 1
            try:
                self._wait(lambda: not self._alone and not self._together, seconds)
                self._alone = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()

    def _begin_together(self, seconds: float) -> None:
        with self._changed:
            self._wait(lambda: not self._alone and not self._waiting, seconds)
            self._together += 1

    def _wait(self, free: Callable[[], bool], seconds: float) -> None:
        if not self._changed.wait_for(free, seconds):
            raise TimeoutError("the turn did not come")
