"""A server whose loop turns only when a test says so."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.server.waitress_hooks import StrictServer
from sesam_connector_sdk.server.waitress_hooks.channel import StrictChannel
from sesam_connector_sdk.server.waitress_server import _adjustments
from tests.notes import PATIENCE_SECONDS


class Stepped:
    """A server whose loop turns only when told to, in the test's own thread."""

    def __init__(self, threads: int = 1) -> None:
        self.clients: list[socket.socket] = []
        settings = ServerSettings(port=0, bind_address="127.0.0.1")
        self.server = StrictServer(answer, _adjustments(settings) | {"threads": threads})

    def turn(self, seconds: float = 0.0) -> None:
        """One turn of the loop."""
        self.server.turn(seconds)

    def until(self, holds: Callable[[], Any]) -> Any:
        """Turn until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := holds()):
            assert time.monotonic() < deadline
            self.turn(0.05)
        return found

    def connect(self) -> tuple[socket.socket, StrictChannel]:
        """A client's end and the server's end of a connection."""
        known = set(self.server.active_channels)
        address = ("127.0.0.1", int(self.server.effective_port))
        client = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        self.clients.append(client)
        found = self.until(lambda: set(self.server.active_channels) - known)
        channel: StrictChannel = self.server.active_channels[found.pop()]
        return client, channel

    def close(self) -> None:
        """End everything."""
        for each in self.clients:
            each.close()
        self.server.end_threads(PATIENCE_SECONDS)
        self.server.close_all()


def answer(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """An application that is always content."""
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]
