"""Replicas of the Service Bus sink, each a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.connectors import INHERITED
from tests.notes import PATIENCE_SECONDS
from tests.wire import eventually


class Replica:
    """One process, from its start to its end.

    Args:
        log: File that it logs to.
        environment: Its variables; the port is a free one.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        own = {"PORT": "0", "BIND_ADDRESS": "127.0.0.1"}
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "azure_service_bus_sink"],
                env={**INHERITED, **own, **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.port = 0

    def listening(self) -> Replica:
        """Wait until it listens."""
        found = eventually(
            lambda: re.search(r"listening on \S+:(\d+)$", self.log, re.MULTILINE), "it listens"
        )
        self.port = int(found[1])
        return self

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text()

    @property
    def served(self) -> int:
        """How many batches it has answered with 200."""
        return len(re.findall(r"POST /\S+ 200 ", self.log))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for its end."""
        return self._process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
