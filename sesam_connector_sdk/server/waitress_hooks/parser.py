"""A request's parser that refuses what is ambiguous, and what there is no room for.

Imports ``heads`` and ``chunks``, and nothing else of the SDK.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, Error

from .chunks import Chunks
from .heads import LONGEST_FIRST_LINE, refuse_ambiguous

# What waitress says without quoting the request; what else it says may hold a header's value.
_QUOTES_NOTHING = frozenset({"Bad URI", "Content-Length is invalid"})
# In memory, beside its name and value.
_HEADER_BYTES = 128
# Before a request; RFC 9112 section 2.2 knows clients that send one after a body.
_EMPTY_LINES = 4 * b"\r\n"


class NoRoom(Error):  # type: ignore[misc]
    """The bodies held at once, or the disk, leave no room for another."""

    code = 503
    reason = "Service Unavailable"


class TargetTooLong(Error):  # type: ignore[misc]
    """The request line is longer than any that is of use."""

    code = 414
    reason = "URI Too Long"


class StrictParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Refuses a request that two servers could read in two ways, or that there is no room for.

    Args:
        adj: waitress' settings.
        room: Says how many bytes of bodies there is room for, this one's already taken off.

    Attributes:
        started: When its first byte came, also if of an empty line before it, on the clock of
            ``time.monotonic``.
        begun: Whether anything of it has come, beside empty lines before it.
    """

    # waitress names it in a log line, also when the request line could not be read.
    path = ""
    body_rcv: Any = None

    def __init__(self, adj: Any, room: Callable[[], int] = lambda: 0) -> None:
        super().__init__(adj)
        self.error: Error | None = None
        self.room = room
        self.started = time.monotonic()
        self.begun = False
        self.empty_lines = b""

    @property
    def held(self) -> int:
        """Bytes of the body that are or will be in memory or in a file."""
        return max(int(self.content_length), int(self.body_bytes_received))

    @property
    def head_size(self) -> int:
        """Bytes that the head takes about, once it has been read."""
        return int(self.header_bytes_received) + _HEADER_BYTES * len(self.headers)

    def received(self, data: bytes) -> int:
        """Take bytes of the request; see waitress."""
        if self.error is not None:
            self._let_go()
            return len(data)
        if not self.begun:
            skipped = self._skip_empty_lines(data)
            if skipped:
                return skipped
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

    def _skip_empty_lines(self, data: bytes) -> int:
        """Take the empty lines before a request, of which waitress takes any number."""
        rest = data.lstrip(b"\r\n")
        skipped = len(data) - len(rest)
        self.empty_lines += data[:skipped]
        self.begun = bool(rest)
        # waitress leaves out blanks of all kinds before a request.
        odd = self.begun and (rest[:1].isspace() or len(self.empty_lines) % 2 == 1)
        if odd or not _EMPTY_LINES.startswith(self.empty_lines):
            self.error = BadRequest("Before the request is something else than a few empty lines.")
            self._let_go()
            return len(data)
        return skipped

    def _one_too_many(self) -> Error | None:
        """Why no more of the body can be taken, if so."""
        if self.held and self.room() < 0:
            return NoRoom("The connector holds as many bodies as MAX_BUFFERED_BYTES allows.")
        return None

    def _let_go(self) -> None:
        """Hold nothing of a request that is refused: its answer may have to wait for a thread."""
        self.completed = True
        with contextlib.suppress(OSError):  # a file that cannot be written cannot be flushed either
            self.close()
        self.body_rcv = None
        self.header_plus = b""
        self.content_length = self.body_bytes_received = 0

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers.

        Raises:
            ParsingError: The request is refused with 400; the text names the header, no value.
        """
        self.header_plus = b""  # what had come of it before
        first, _, block = header_plus.partition(b"\r\n")
        if len(first) > LONGEST_FIRST_LINE:
            self.error = TargetTooLong(f"It is longer than {LONGEST_FIRST_LINE} bytes.")
            return
        refuse_ambiguous(first, block)
        try:
            super().parse_header(header_plus)
        except (ParsingError, ValueError) as error:
            text = str(error)
            if text not in _QUOTES_NOTHING:
                text = "The request line or a header cannot be read."
            raise ParsingError(text) from None
        if self.chunked:
            self.body_rcv = Chunks(self.body_rcv.getbuf())
        if "," in self.headers.get("CONNECTION", ""):
            self._read_connection_options()
        if self.content_length >= self.adj.inbuf_overflow:
            # To a file from its first byte, instead of filling the memory before.
            self.body_rcv.getbuf().overflow = 0

    def _read_connection_options(self) -> None:
        """See whether one of several asks for the end; waitress knows only one.

        It is a list by RFC 9110 section 7.6.1.
        """
        options = self.headers["CONNECTION"].lower().split(",")
        if "close" in [each.strip(" \t") for each in options]:
            self.headers["CONNECTION"] = "close"
