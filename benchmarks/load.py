"""A load generator that costs little itself: ready-made requests on raw keep-alive connections.

Every answer is checked. Knows nothing of processes.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

_RECEIVE = 64 * 1024
_TIMEOUT = 180.0


class WrongAnswerError(Exception):
    """A server or a target did not do what it was asked to do; no figure may come of it."""


def post(path: str, body: bytes) -> bytes:
    """A POST as the hub sends it, ready for the wire.

    Args:
        path: With its query.
        body: JSON in UTF-8.
    """
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str) -> bytes:
    """A GET, ready for the wire.

    Args:
        path: With its query.
    """
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


class Connection:
    """One keep-alive connection; a context manager.

    Args:
        address: ``host:port``.

    Raises:
        OSError: Nobody listens there.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), _TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def exchange(self, request: bytes) -> bytes:
        """Send a request and return the body of its answer.

        Raises:
            WrongAnswerError: The answer is not 200 with a Content-Length.
        """
        self._socket.sendall(request)
        data = self._socket.recv(_RECEIVE)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 200 "):
            raise WrongAnswerError(f"answered {data[:300].decode(errors='replace')}")
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        while len(data) < end + 4 + length:
            data += self._more()
        return data[end + 4 :]

    def _more(self) -> bytes:
        data = self._socket.recv(_RECEIVE)
        if not data:
            raise WrongAnswerError("the connection was closed without an answer")
        return data


def deliver(connection: Connection, request: bytes, entities: int) -> None:
    """Send a POST and check that it was accepted, and all of it.

    Args:
        connection: Where.
        request: From ``post``.
        entities: How many are in it.

    Raises:
        WrongAnswerError: It was not.
    """
    answer = connection.exchange(request)
    if json.loads(answer).get("delivered") != entities:
        raise WrongAnswerError(f"{entities} entities were sent, the answer is {answer[:200]!r}")


@dataclass(frozen=True, slots=True)
class Load:
    """What was delivered, and how long it took."""

    requests: int
    seconds: float


def drive(
    address: str, request: bytes, entities: int, *, connections: int = 1, seconds: float = 0.0
) -> Load:
    """Send a POST again and again, on some connections at once, and check every answer.

    Args:
        address: ``host:port``.
        request: From ``post``.
        entities: How many are in it.
        connections: How many; each sends at least once.
        seconds: No request begins later than this. The time counted ends with the last answer.

    Raises:
        WrongAnswerError: An answer is not the right one.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(Connection(address)) for _ in range(connections)]
        pool = stack.enter_context(ThreadPoolExecutor(connections))
        start = time.perf_counter()
        work: Callable[[Connection], int] = lambda each: _repeat(  # noqa: E731
            each, request, entities, start + seconds
        )
        done = sum(pool.map(work, opened))
        return Load(done, time.perf_counter() - start)


def _repeat(connection: Connection, request: bytes, entities: int, end: float) -> int:
    done = 0
    while not done or time.perf_counter() < end:
        deliver(connection, request, entities)
        done += 1
    return done
