"""Whether the connectors' other sides are there: asked now and then, and never waited for for long.

Knows no HTTP; imports ``connector`` and ``errors`` only.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from sesam_connector_sdk.connector import Connector
from sesam_connector_sdk.errors import ConnectorError, printable

_log = logging.getLogger("sesam_connector_sdk.ready")


class Probe:
    """Asks one connector's ``check``, one at a time, in a thread of its own.

    Whoever asks first waits for the answer, for a while; who asks while a check hangs gets the
    answer before it.

    Args:
        connector: An opened connector.
        interval: Seconds that an answer holds.
        timeout: Seconds that a check may take.
    """

    def __init__(self, connector: Connector[Any], interval: float, timeout: float) -> None:
        self._connector = connector
        self._checks = type(connector).check is not Connector.check
        self._interval = interval
        self._timeout = timeout
        self._lock = threading.Lock()
        self._running = False
        self._until = float("-inf")
        self._ready: bool | None = None

    def ready(self) -> bool:
        """Whether the last check has found the other side there."""
        if not self._checks:
            return True  # so no thread for it
        with self._lock:
            if self._running or time.monotonic() < self._until:
                return bool(self._ready)
            self._running = True
        done = threading.Event()
        try:
            # A daemon: a check that hangs for ever must not keep the process.
            threading.Thread(target=self._check, args=(done,), daemon=True).start()
        except RuntimeError:  # no more threads
            self._settle("no thread is left for it")
        else:
            if not done.wait(self._timeout):
                self._overdue()
        return bool(self._ready)

    def last(self) -> bool:
        """The same, without asking."""
        return bool(self._ready) or not self._checks

    def _check(self, done: threading.Event) -> None:
        problem = None
        try:
            self._connector.check()
        except ConnectorError as error:
            problem = printable(error.detail, 400)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it says no
            problem = type(error).__name__  # its text may hold a secret
        self._settle(problem)
        done.set()

    def _overdue(self) -> None:
        with self._lock:
            if self._running:
                self._say(f"no answer within {self._timeout:g} s")

    def _settle(self, problem: str | None) -> None:
        with self._lock:
            self._running = False
            self._until = time.monotonic() + self._interval
            self._say(problem)

    def _say(self, problem: str | None) -> None:
        """Take a new state, and log it if it is another."""
        if self._ready == (problem is None):
            return
        self._ready = problem is None
        name = type(self._connector).__name__
        if problem is None:
            _log.info("%s is ready", name)
        else:
            _log.warning("%s is not ready: %s", name, problem)
