"""waitress made strict: the ambiguous is refused, and nobody may hold a place for ever.

The only module that changes how waitress works. Its hooks, none of them a documented interface:
``HTTPChannel.parser_class`` and ``error_task_class``, ``HTTPRequestParser.parse_header`` and
``received``, ``ErrorTask.execute``, ``TcpWSGIServer.channel_class``, ``maintenance`` and
``active_channels``. ``tests/server/test_strict_http.py`` fails when one of them changes.
Rules are those of RFC 9112 (HTTP/1.1), where a server may refuse and a lenient one can be misled.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

import msgspec
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error

from sesam_connector_sdk.errors import (
    Bug,
    Busy,
    ConnectorError,
    MalformedRequest,
    TooLarge,
    printable,
)

_log = logging.getLogger("sesam_connector_sdk.request")

_ONLY_ONCE = (
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"content-type",
    b"content-encoding",
    b"authorization",
    b"expect",
)
_VERSION = re.compile(rb" HTTP/1\.([01])$")
_TARGET = re.compile(rb"[A-Z]+ (?:/|https?://)[\x21-\x7e\x80-\xff]* |OPTIONS \* ")


class StrictParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Refuses a request that two servers could read in two ways, or that there is no room for.

    Args:
        adj: waitress' settings.
        room: Says how many bytes of bodies there is room for, this one's already taken off.
    """

    def __init__(self, adj: Any, room: Callable[[], int] = lambda: 0) -> None:
        super().__init__(adj)
        self.error: Error | None = None
        self.room = room
        self.started = time.monotonic()

    @property
    def held(self) -> int:
        """Bytes of the body that are or will be in memory."""
        return max(int(self.content_length), int(self.body_bytes_received))

    def received(self, data: bytes) -> int:
        """Take bytes of the request; see waitress."""
        consumed: int = super().received(data)
        if self.error is None and self.held and self.room() < 0:
            self.error = NoRoom("Too many bodies are held at once.")
            self.completed = True
        if self.error is not None:
            # Or waitress asks for the body of a request that it has already refused.
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers.

        Raises:
            ParsingError: The request is refused with 400; the text names the header, no value.
        """
        first, _, rest = header_plus.partition(b"\r\n")
        _refuse_ambiguous(first.rstrip(), [line for line in rest.split(b"\r\n") if line])
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("The request target cannot be read.") from None


def _refuse_ambiguous(first: bytes, lines: list[bytes]) -> None:
    minor = _minor_version(first)
    names = [line.split(b":", 1)[0].lower() for line in lines]
    if any(line.startswith((b" ", b"\t")) for line in lines):
        raise ParsingError("A header is folded over two lines (RFC 9112 section 5.2).")
    if any(b"_" in name for name in names):
        raise ParsingError("A header's name has an underscore, which programs confuse with '-'.")
    twice = [name.decode() for name in _ONLY_ONCE if names.count(name) > 1]
    if twice:
        raise ParsingError(f"There twice, or more often: {', '.join(twice)}.")
    if b"transfer-encoding" in names:
        _refuse_odd_coding(minor, names, lines)
    if minor == b"1" and b"host" not in names:
        raise ParsingError("The header Host is missing (RFC 9112 section 3.2).")


def _minor_version(first: bytes) -> bytes:
    version = _VERSION.search(first)
    if not version:
        raise ParsingError("The request line does not end in HTTP/1.0 or HTTP/1.1.")
    if not _TARGET.match(first):
        raise ParsingError("The request target is no path (RFC 9112 section 3.2).")
    return version[1]


def _refuse_odd_coding(minor: bytes, names: list[bytes], lines: list[bytes]) -> None:
    if b"content-length" in names:
        raise ParsingError("Content-Length and Transfer-Encoding are both there.")
    if minor == b"0":
        raise ParsingError("HTTP/1.0 has no Transfer-Encoding.")
    value = lines[names.index(b"transfer-encoding")].partition(b":")[2].strip(b" \t").lower()
    if value != b"chunked":
        raise ParsingError("Transfer-Encoding is something else than chunked.")


class NoRoom(Error):  # type: ignore[misc]
    """The bodies held at once leave no room for another."""

    code = 503
    reason = "Service Unavailable"


class ProblemTask(ErrorTask):  # type: ignore[misc]
    """Answers what never reaches the application with an RFC 9457 document, too."""

    def execute(self) -> None:
        """Write the answer and close the connection."""
        error: Error = self.request.error
        problem = _problem(error)
        body = msgspec.json.encode(problem)
        _log.info("refused %s %s: %s", error.code, problem["type"], problem["detail"])
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        if isinstance(error, NoRoom):
            self.response_headers.append(("Retry-After", "5"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _problem(error: Error) -> dict[str, Any]:
    kind, detail = _KINDS.get(error.code, (MalformedRequest, error.body))
    return {
        "type": f"urn:sesam-connector:{kind.code}",
        "title": kind.title(),
        "status": error.code,
        "detail": printable(detail, 400),
    }


_KINDS: dict[int, tuple[type[ConnectorError], str]] = {
    413: (
        TooLarge,
        "The body is too large. Lower the pipe's batch_size, or raise MAX_BODY_BYTES.",
    ),
    431: (MalformedRequest, "The headers are too large. Send fewer or shorter ones."),
    500: (Bug, "The server failed outside the connector; its log holds the details."),
    503: (
        Busy,
        "The connector holds as many bodies as MAX_BUFFERED_BYTES allows. Send it again later.",
    ),
}


class StrictChannel(HTTPChannel):  # type: ignore[misc]
    """A connection whose requests are parsed strictly, and whose progress is watched."""

    error_task_class = ProblemTask

    pending = 0
    pending_since = 0.0

    def parser_class(self, adj: Any) -> StrictParser:
        """A parser for the next request; waitress calls this like a class."""
        return StrictParser(adj, self.server.room)

    def held(self) -> int:
        """Bytes of bodies that this connection holds in memory."""
        return sum(each.held for each in (*self.requests, self.request) if each is not None)

    def is_slow(self, now: float, longest: float) -> bool:
        """Whether a request has been arriving for longer than it may.

        Args:
            now: On the clock of ``time.monotonic``, in seconds.
            longest: Seconds from a request's first byte to its last.
        """
        request = self.request
        return request is not None and now - request.started > longest

    def is_stalled(self, now: float, longest: float) -> bool:
        """Whether the client has taken nothing of its answer for longer than it may.

        Args:
            now: On the clock of ``time.monotonic``, in seconds.
            longest: Seconds without a byte going out.
        """
        if self.total_outbufs_len == 0 or self.total_outbufs_len != self.pending:
            self.pending, self.pending_since = self.total_outbufs_len, now
            return False
        return now - self.pending_since > longest


class StrictServer(TcpWSGIServer):  # type: ignore[misc]
    """waitress' server with strict channels, dropping those that hold it up.

    Attributes:
        client_timeout: Seconds that a request may take to arrive, head and body, and that a client
            may take nothing of its answer.
        max_buffered: Bytes of bodies held at once.
    """

    channel_class = StrictChannel
    client_timeout = 60.0
    max_buffered = 40 * 1024 * 1024

    def room(self) -> int:
        """Bytes of bodies that there is still room for; below zero if there are too many.

        Counted anew each time: books would go wrong with a connection that ends unexpectedly.
        """
        held = 0
        for channel in list(self.active_channels.values()):
            held += channel.held()
        return self.max_buffered - held

    def maintenance(self, now: float) -> None:
        """Called by waitress' loop every ``cleanup_interval`` seconds."""
        super().maintenance(now)
        clock = time.monotonic()
        for channel in list(self.active_channels.values()):
            slow = channel.is_slow(clock, self.client_timeout)
            if slow or channel.is_stalled(clock, self.client_timeout):
                # Not closed here: a socket closed under waitress' select ends its whole loop. And a
                # worker thread may wait for this channel to take output: closing wakes it.
                self.trigger.pull_trigger(channel.handle_close)
