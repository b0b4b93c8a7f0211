"""What the tests speak to a server with: real sockets, whole answers, deadlines."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .notes import PATIENCE_SECONDS

CANARY = "CANARY"
"""What every secret of the tests holds, and every payload that nobody may see.

The repository's ``conftest.py`` looks for it in all that pytest captures.
"""

PASSWORD = f"{CANARY}-password"
GUARDED = {"AUTHENTICATION": "basic", "AUTH_USERNAME": "me", "AUTH_PASSWORD": PASSWORD}
"""Variables of a connector that answers 401 to a request without the secret."""

CREDENTIALS = {"Authorization": "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()}
"""The header that such a request has."""

_SECRET = re.compile(f"{CANARY}|{base64.b64encode(CANARY.encode()).decode()}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came over the socket; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to one address, each request on a connection of its own."""

    host: str
    port: int

    def send(
        self,
        method: str = "POST",
        path: str = "/",
        body: bytes | Iterable[bytes] | None = b"[]",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request; an iterable body is sent in chunks."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_SECONDS)
        try:
            chosen = {"Content-Type": "application/json"} if headers is None else headers
            chosen = {"X-Api-Key": f"{CANARY}-header"} | dict(chosen)
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, path, body, chosen, encode_chunked=chunked)
            return reply(connection.getresponse())
        finally:
            connection.close()

    def post(self, entities: Any, path: str = "/") -> Reply:
        """A batch as the hub sends it."""
        return self.send(path=path, body=json.dumps(entities).encode())

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.host, self.port), timeout=PATIENCE_SECONDS)

    def raw(self, request: bytes) -> Reply:
        """Send bytes as they are."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_reply(connection)


def read_reply(connection: socket.socket) -> Reply:
    """The next answer on a connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return reply(response)


def reply(response: http.client.HTTPResponse) -> Reply:
    """Read an answer to its end."""
    headers = {name.lower(): text for name, text in response.getheaders()}
    body = response.read()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        assert_silent(body.decode("latin-1"), "an answer")
    return Reply(response.status, headers, body)


def assert_silent(text: str, where: str) -> None:
    """Fail if a secret is told, and show nothing but the place.

    Called for what every process writes, and every error says.
    """
    if found := _SECRET.search(text):
        line = text.count("\n", 0, found.start()) + 1
        pytest.fail(f"a secret is in line {line} of {where}", pytrace=False)


def refused(client: Client) -> bool:
    """Whether nothing listens any more."""
    with socket.socket() as probe:
        return probe.connect_ex((client.host, client.port)) != 0


def eventually(holds: Callable[[], Any], what: str) -> Any:
    """Wait until something holds, and return it; fail after a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain: {what}")
        time.sleep(0.01)  # polling, with a deadline
    return found


def notes(path: Path) -> list[dict[str, Any]]:
    """The entities that the target of a NotesSink holds, in order."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def ids(path: Path) -> list[str]:
    """Their ids."""
    return [each["_id"] for each in notes(path)]
