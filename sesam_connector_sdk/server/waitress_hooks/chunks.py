"""Takes a body apart that comes in chunks (RFC 9112 section 7.1), and refuses what is not clear.

In place of waitress' own receiver, which lets lines end in two ways, skips lines and does not look
at trailers. It is called like that one. Imports ``heads``, and what waitress takes for a refusal.
"""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from waitress.utilities import BadRequest

from .heads import FIELDS

_LONGEST_LINE = 16 * 1024
# Each costs time, in which the loop does nothing else, however small it is.
_MOST_CHUNKS = 10_000
_SMALL = 64

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]++|\\[\t -~\x80-\xff])*+"'
_EXTENSIONS = rb"(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?+)*+"
_SIZE = rb"([0-9A-Fa-f]{1,16}+)" + _EXTENSIONS + rb"\r\n"
_FIRST = re.compile(_SIZE)
# A chunk's line end is read with the line that follows it.
_NEXT = re.compile(rb"\r\n" + _SIZE)


class Chunks:
    """A body in chunks, as far as it is there.

    Args:
        buffer: waitress' own, which takes what is in the chunks.

    Attributes:
        completed: Whether the body is there, with the trailers, which are dropped.
        error: Why it is refused, if it is.
    """

    completed = False
    error: BadRequest | None = None

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer
        self._size = _FIRST
        self._begun = b""  # the beginning of a line whose end is not there
        self._left = 0  # bytes of a chunk that are not there
        self._last = False
        self._spare = _MOST_CHUNKS * _SMALL

    def __len__(self) -> int:
        return len(self._buffer)

    def getbuf(self) -> Any:
        """The buffer."""
        return self._buffer

    def getfile(self) -> BinaryIO:
        """The body, to be read."""
        file: BinaryIO = self._buffer.getfile()
        return file

    def received(self, data: bytes) -> int:
        """Take bytes of the body, and say how many of them belong to it."""
        came = self._begun + data
        at = self._take_chunks(came)
        if self._last:
            at = self._take_trailers(came, at)
        if self.completed:
            return at - len(self._begun)
        self._begun = came[at:]
        if len(self._begun) > _LONGEST_LINE:
            # With each byte that arrives, the whole line is copied.
            self._refuse("A line between the chunks is too long.")
        return len(data)

    def _take_chunks(self, came: bytes) -> int:
        at = min(self._left, len(came))
        pieces = [came[:at]]
        self._left -= at
        while not (self._left or self._last):
            line = self._size.match(came, at)
            if not line:
                self._refuse_line(came, at)
                break
            self._size = _NEXT
            size = int(line[1], 16)
            at = line.end()
            pieces.append(came[at : at + size])
            self._left = size - len(pieces[-1])
            at += len(pieces[-1])
            self._last = size == 0
        self._keep(pieces)
        return at

    def _keep(self, pieces: list[bytes]) -> None:
        data = b"".join(pieces)
        self._spare += len(data) - _SMALL * (len(pieces) - 1)
        if self._spare < 0:
            self._refuse(
                f"More than {_MOST_CHUNKS} chunks have fewer than {_SMALL} bytes each on average."
            )
        elif data:
            self._buffer.append(data)

    def _refuse_line(self, came: bytes, at: int) -> None:
        """Say what is wrong with a line, if all of it is there."""
        if self._size is _NEXT:
            if not b"\r\n".startswith(came[at : at + 2]):
                self._refuse("A chunk does not end where its size says.")
            at += 2
        line, end, _ = came[at:].partition(b"\r\n")
        if end:
            what = "extension" if b";" in line else "size"
            self._refuse(f"The {what} of a chunk cannot be read.")

    def _take_trailers(self, came: bytes, at: int) -> int:
        if came.startswith(b"\r\n", at):
            end = at + 2
        elif (end := came.find(b"\r\n\r\n", at) + 4) < 4:
            return at
        if not FIELDS.fullmatch(came, at, end):
            self._refuse("A trailer is no name, a colon and a visible value.")
        self.completed = True
        return end

    def _refuse(self, why: str) -> None:
        self.error = self.error or BadRequest(why)
