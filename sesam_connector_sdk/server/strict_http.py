"""waitress made strict: the ambiguous is refused, and nobody may hold a place for ever.

Changes how waitress works; only ``threads`` does so, too. Its hooks, none of them documented:
``HTTPChannel.parser_class``, ``task_class``, ``error_task_class``, ``received``, ``handle_write``,
``requests_lock``, ``close_when_flushed`` and ``will_close``, ``HTTPRequestParser.parse_header``,
``received``, ``body_rcv`` and ``expect_continue``, ``OverflowableBuffer.overflow``,
``ChunkedReceiver.control_line`` and ``trailer``, ``ErrorTask.execute``, ``WSGITask.service``,
``write``, ``build_response_header`` and the account they keep, ``TcpWSGIServer.channel_class``,
``add_task``, ``maintenance``, ``active_channels``, ``in_connection_overflow`` and ``trigger``.
``tests/server/test_strict_http.py`` fails when one of them changes.
Rules are those of RFC 9112 (HTTP/1.1), where a server may refuse and a lenient one can be misled.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import msgspec
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest, Error

from sesam_connector_sdk.errors import (
    Bug,
    Busy,
    ConnectorError,
    MalformedRequest,
    TooLarge,
    TransferBrokenError,
)
from sesam_connector_sdk.web import events
from sesam_connector_sdk.web.health import PROBED_ROUTES
from sesam_connector_sdk.web.problems import document

_ONLY_ONCE = (
    *(b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding"),
    *(b"authorization", b"expect"),
)
# What waitress says without quoting the request; what else it says may hold a header's value.
_QUOTES_NOTHING = frozenset(
    {
        "Bad URI",
        "Bare CR or LF found in HTTP message",
        "Content-Length is invalid",
        "Invalid header",
        "Start line is invalid",
    }
)
_LONGEST_LINE = 16 * 1024
# The hub sends about ten headers, and one request at a time.
_MOST_HEADERS = 200
_MOST_TOGETHER = 100
_IDLE_WHEN_FULL = 5.0
_VERSION = re.compile(rb" HTTP/1\.([01])$")
_TARGET = re.compile(rb"[A-Z]+ (?:/|https?://)[\x21-\x7e\x80-\xff]* |OPTIONS \* ")


class StrictParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Refuses a request that two servers could read in two ways, or that there is no room for.

    Args:
        adj: waitress' settings.
        room: Says how many bytes of bodies there is room for, this one's already taken off.
    """

    # waitress names it in a log line, also when the request line could not be read.
    path = ""
    body_rcv: Any = None

    def __init__(self, adj: Any, room: Callable[[], int] = lambda: 0) -> None:
        super().__init__(adj)
        self.error: Error | None = None
        self.room = room
        self.started = time.monotonic()

    @property
    def held(self) -> int:
        """Bytes of the body that are or will be in memory or in a file."""
        return max(int(self.content_length), int(self.body_bytes_received))

    def received(self, data: bytes) -> int:
        """Take bytes of the request; see waitress."""
        if self.error is not None:
            self._let_go()
            return len(data)
        held = self.held
        try:
            consumed: int = super().received(data)
        except OSError as error:
            consumed = len(data)
            reason = error.strerror or type(error).__name__
            self.error = NoRoom(f"The body's temporary file cannot be written: {reason}.")
        if self.error is None and self.held > held:
            self.error = self._one_too_many()
        if self.error is not None:
            self._let_go()
        if self.completed:
            # Or waitress asks for the body of a request that is refused, or that has none.
            self.expect_continue = False
        return consumed

    def _one_too_many(self) -> Error | None:
        """Why no more of the body can be taken, if so."""
        if self.chunked:
            line = max(len(self.body_rcv.control_line), len(self.body_rcv.trailer))
            if line > _LONGEST_LINE:
                # With each byte that arrives, waitress copies the whole line.
                return BadRequest("A line between the chunks is too long.")
        if self.held and self.room() < 0:
            return NoRoom("The connector holds as many bodies as MAX_BUFFERED_BYTES allows.")
        return None

    def _let_go(self) -> None:
        """Hold nothing of a request that is refused: its answer may have to wait for a thread."""
        self.completed = True
        with contextlib.suppress(OSError):  # a file that cannot be written cannot be flushed either
            self.close()
        self.body_rcv = None
        self.content_length = self.body_bytes_received = 0

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers.

        Raises:
            ParsingError: The request is refused with 400; the text names the header, no value.
        """
        first, *lines = header_plus.split(b"\r\n")
        _refuse_ambiguous(first.rstrip(), [line for line in lines if line])
        try:
            super().parse_header(header_plus)
        except (ParsingError, ValueError) as error:
            text = str(error)
            if text not in _QUOTES_NOTHING:
                text = "The request line or a header cannot be read."
            raise ParsingError(text) from None
        if self.content_length >= self.adj.inbuf_overflow:
            # To a file from its first byte, instead of filling the memory before.
            self.body_rcv.getbuf().overflow = 0


def _refuse_ambiguous(first: bytes, lines: list[bytes]) -> None:
    minor = _minor_version(first)
    if len(lines) > _MOST_HEADERS:
        # waitress copies the value of a repeated one for each of its lines.
        raise ParsingError(f"There are more than {_MOST_HEADERS} headers.")
    names = [line.split(b":", 1)[0].lower() for line in lines]
    if {b" ", b"\t"} & {line[:1] for line in lines}:
        raise ParsingError("A header is folded over two lines (RFC 9112 section 5.2).")
    if b"_" in b"".join(names):
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
    """The bodies held at once, or the disk, leave no room for another."""

    code = 503
    reason = "Service Unavailable"


class ProblemTask(ErrorTask):  # type: ignore[misc]
    """Answers what never reaches the application with an RFC 9457 document, too."""

    def execute(self) -> None:
        """Write the answer and close the connection."""
        error: Error = self.request.error
        problem = _problem(error)
        body = msgspec.json.encode(problem)
        said = {"status": error.code}
        code = problem["type"].rpartition(":")[2]
        level = logging.WARNING if error.code >= Bug.status else logging.INFO
        events.log(level, f"refused {error.code}", said, code=code, detail=problem["detail"])
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        if isinstance(error, NoRoom):
            self.response_headers.append(("Retry-After", "5"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _problem(error: Error) -> dict[str, Any]:
    kind, detail = _KINDS.get(error.code, (MalformedRequest, error.body))
    return document(kind(detail or error.body), error.code)


_KINDS: dict[int, tuple[type[ConnectorError], str]] = {
    413: (
        TooLarge,
        "The body is too large. Lower the pipe's batch_size, or raise MAX_BODY_BYTES.",
    ),
    431: (MalformedRequest, "The headers are too large. Send fewer or shorter ones."),
    500: (Bug, "The server failed outside the connector; its log holds the details."),
    503: (Busy, ""),
}


class BreakableTask(WSGITask):  # type: ignore[misc]
    """Sends a short answer at once, and breaks one off in the middle without a word in the log."""

    wrote_header = False

    def service(self) -> None:
        """Run the application; see waitress."""
        try:
            super().service()
        except TransferBrokenError:
            # Neither the rest nor the final chunk is written, so the client sees that it is broken.
            self.close_on_finish = True

    def write(self, data: bytes) -> None:
        """Write a piece of the answer; see waitress.

        An answer that is there as a whole goes out with its head: waitress sends each by itself,
        and to send costs more than to make most answers.
        """
        whole = self.complete and not self.wrote_header and self.content_length == len(data)
        if not whole or not self.has_body:
            super().write(data)
            return
        head = self.build_response_header()
        self.wrote_header = True
        self.content_bytes_written = len(data)
        self.channel.write_soon(head + data)


class StrictChannel(HTTPChannel):  # type: ignore[misc]
    """A connection whose requests are parsed strictly, and whose progress is watched."""

    task_class = BreakableTask
    error_task_class = ProblemTask

    request: StrictParser | None = None
    close_when_flushed = False
    heard_out_since: float | None = None
    pending: tuple[int, float] = (0, 0.0)
    pending_since = 0.0
    together = 0

    def parser_class(self, adj: Any) -> StrictParser:
        """A parser for the next request; waitress calls this like a class."""
        parser = StrictParser(adj, self.server.room)
        self.together += 1
        if self.together > _MOST_TOGETHER:
            # For each, waitress copies all that has come after it, and keeps it until it is served.
            parser.error = BadRequest(f"More than {_MOST_TOGETHER} requests were sent together.")
        return parser

    def held(self) -> int:
        """Bytes of bodies that this connection holds, in memory or in files."""
        return sum(each.held for each in (*self.requests, self.request) if each is not None)

    def handle_write(self) -> None:
        """Send what is ready; see waitress."""
        with self.requests_lock:  # under which a worker thread says that this answer is the last
            ends, self.close_when_flushed = self.close_when_flushed, False
            super().handle_write()
            if ends and self.connected:
                if self.total_outbufs_len:
                    self.close_when_flushed = True
                else:
                    self._hear_out()

    def _hear_out(self) -> None:
        """Read on until the client hangs up, to nobody (RFC 9112 section 9.6).

        To close on a client that still sends resets the connection, and the answer is lost.
        """
        self.request = None
        self.heard_out_since = time.monotonic()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    def received(self, data: bytes) -> bool:
        """Take bytes from the client; see waitress."""
        if self.heard_out_since is not None:
            return False
        self.together = 0
        taken: bool = super().received(data)
        return taken

    def is_slow(self, now: float, longest: float) -> bool:
        """Whether a request has been arriving for longer than it may, or is heard out for so long.

        Args:
            now: On the clock of ``time.monotonic``, in seconds.
            longest: Seconds from a request's first byte to its last.
        """
        if self.request is None:
            return self.heard_out_since is not None and now - self.heard_out_since > longest
        if self.requests:
            # Unread until the one before it is answered: its time begins then.
            self.request.started = now
        return bool(now - self.request.started > longest)

    def is_idle(self, since: float) -> bool:
        """Whether nothing goes on, and has since a moment on the clock of ``time.time``."""
        busy = self.requests or self.request or self.total_outbufs_len
        return not busy and self.last_activity < since

    def is_stalled(self, now: float, longest: float) -> bool:
        """Whether the client has taken nothing of its answer for longer than it may.

        Args:
            now: On the clock of ``time.monotonic``, in seconds.
            longest: Seconds without a byte going out.
        """
        # With the time of the last byte out: the application may add just what has been taken.
        pending = (self.total_outbufs_len, self.last_activity)
        if self.total_outbufs_len == 0 or pending != self.pending:
            self.pending, self.pending_since = pending, now
            return False
        return now - self.pending_since > longest


class StrictServer(TcpWSGIServer):  # type: ignore[misc]
    """waitress' server with strict channels, dropping those that hold it up.

    Attributes:
        client_timeout: Seconds that a request may take to arrive, head and body, and that a client
            may take nothing of its answer.
        max_buffered: Bytes of bodies held at once.
        reserved: Threads for probes only, who must be answered also while all others hang. Of two,
            one may wait for a check.
    """

    channel_class = StrictChannel
    reserved: Any
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

    def add_task(self, task: StrictChannel) -> None:
        """Called by waitress when a channel has a request to be worked on."""
        probed = task.requests[0].path in PROBED_ROUTES
        (self.reserved if probed else self.task_dispatcher).add_task(task)

    def maintenance(self, now: float) -> None:
        """Called by waitress' loop every ``cleanup_interval`` seconds."""
        super().maintenance(now)
        clock = time.monotonic()
        # Who waits to be accepted needs the place of a client that sends nothing.
        idle = now - min(self.client_timeout, _IDLE_WHEN_FULL)
        for channel in list(self.active_channels.values()):
            in_the_way = self.in_connection_overflow and channel.is_idle(idle)
            if in_the_way or channel.is_slow(clock, self.client_timeout):
                # Not closed by the trigger: the next connection could get the number of this one,
                # and with it the byte that has just arrived here.
                channel.will_close = True
            if channel.is_stalled(clock, self.client_timeout):
                # Not closed here: a socket closed under waitress' select ends its whole loop. And a
                # worker thread may wait for this channel to take output: closing wakes it.
                self.trigger.pull_trigger(channel.handle_close)
