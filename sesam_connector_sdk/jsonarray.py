"""Reads a JSON array from a stream in bounded memory, a chunk of whole items at a time.

Knows bytes and JSON grammar only: what the items mean belongs to ``entity``. Imports nothing of
the SDK but ``errors``.

How a chunk is cut. The end of the last whole item in a buffer is *guessed*, with a search for the
bytes that stood between two earlier items, and *proved*: the buffer up to the guess, put in
brackets, parses as a JSON array if and only if the guess was a real boundary, because a cut inside
a string or a nested value leaves something open. A wrong guess therefore costs a second parse and
is never wrong output. Where guesses fail, the items are walked one at a time.
"""

from __future__ import annotations

import itertools
import re
from array import array
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from .errors import MalformedBody, TooLarge

CHUNK_BYTES = 96 * 1024
"""How much is read and parsed at a time; also about the memory that a reader needs."""

_GUESSES = 4
_TOGETHER = 8
_SMALL_ITEM = 64
"""Where items are smaller than this, remembering where each one is would take too much memory."""
_END = b" " * 6
"""Stands for the end of the body: as long as what the parser looks ahead in a surrogate pair."""

_WORDS = {
    "Input data was truncated": "the body ends in the middle",
    "unexpected end of hex escape": "a string holds half of a surrogate pair",
    "invalid utf-16 surrogate pair": "a string holds half of a surrogate pair",
}
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_ONE = msgspec.json.Decoder(msgspec.Raw)
_NEXT_VALUE = re.compile(r"trailing characters \(byte (\d+)\)")
_AT_BYTE = re.compile(r"^(?:JSON is malformed: )?(.*?)(?: \(byte (\d+)\))?$")
_FIRST_KEY = re.compile(rb'\s*\{\s*"[^"\\]{1,64}"')
_WHITESPACE = b" \t\r\n"
_NO_BRACKETS = rb'[^\[\]{}"]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^\[\]{}"]*+)*+'
_BETWEEN_BRACKETS = re.compile(_NO_BRACKETS)
_SOME_BRACKETS = re.compile(rb"(?:%b[\[\]{}]){1,2048}+" % _NO_BRACKETS)
_STEPS = [{"[": 1, "{": 1, "]": -1, "}": -1}.get(chr(byte), 0) for byte in range(256)]


class Span(NamedTuple):
    """Where some consecutive items stand in the stream, for reading them ``again``.

    Attributes:
        start: Where the first item begins, with the whitespace before it.
        end: Where the last item ends, with the whitespace behind it.
        starts: Where each item begins, and where one behind them would begin, counted from
            ``start``. None if there is whitespace between them, or if they are very small.
    """

    start: int
    end: int
    starts: array[int] | None


class Chunk(NamedTuple):
    """Some consecutive items of the array.

    Attributes:
        document: The items as a JSON array of their own, in UTF-8; empty if it is one item.
        items: The items' bytes, exactly as they came.
        start: Where they begin in the stream, with the whitespace before them.
        end: Where they end in the stream, with the whitespace behind them.
    """

    document: bytes
    items: list[bytes]
    start: int
    end: int

    def span(self) -> Span:
        """Where each of them stands in the stream."""
        return Span(self.start, self.end, _starts(self.items, self.end - self.start))


class _Parsed(NamedTuple):
    document: bytes
    items: list[msgspec.Raw]


def chunks(
    stream: BinaryIO, *, max_item: int, max_depth: int, chunk: int = CHUNK_BYTES
) -> Iterator[Chunk]:
    """Split the JSON array in ``stream`` into chunks of whole items, in order.

    Args:
        stream: The body from its first byte; read to its end.
        max_item: Largest item in bytes. Memory stays below twice ``chunk`` plus twice this.
        max_depth: Deepest nesting of an item: ``{"a": [1]}`` has depth 2.
        chunk: Bytes to read at a time.

    Yields:
        Chunks of at least one item. An empty array yields nothing.

    Raises:
        MalformedBody: The stream is not one JSON array in UTF-8. Chunks before the fault have been
            yielded by then: go through once before acting on any.
        TooLarge: An item has more than ``max_item`` bytes.
    """
    return _Reader(stream, max_item, max_depth, chunk).read()


class _Reader:
    """The state of one pass through a stream."""

    def __init__(self, stream: BinaryIO, max_item: int, max_depth: int, chunk: int) -> None:
        self.stream = stream
        self.max_item = max_item
        self.max_depth = max_depth
        self.chunk = chunk
        self.count = 0
        self.consumed = 0
        self.ended = False
        self.delimiter = b""

    def read(self) -> Iterator[Chunk]:
        data = self._from_bracket()  # a bracket, which may stand for a comma, and what follows it
        start = self.consumed - len(data)
        while not self.ended:
            cut, found = self._cut(data)
            if found is None:
                self._refuse_start(data)
            else:
                data = data[cut:]
                chunk = self._chunk(found, start + 1, start + cut)
                # A large item is there once while it is looked at, and not while more is read.
                found = None
                yield self._admitted(chunk)
                del chunk
                start += cut
            # An item larger than the chunk: as much again as is held, so the work stays linear.
            data = b"".join((b"[", memoryview(data)[1:], self._fill(max(self.chunk, len(data)))))
        last = self._last(data)
        if last.items:
            chunk = self._chunk(last, start + 1, start + data.rindex(b"]"))
            del data, last
            yield self._admitted(chunk)

    def _fill(self, size: int) -> bytes:
        """Read so many bytes, or fewer at the end of the stream and nowhere else."""
        data = self.stream.read(size)
        while len(data) < size and not self.ended:
            more = self.stream.read(size - len(data))
            self.ended = not more
            data += more
        self.consumed += len(data)
        return data

    def _from_bracket(self) -> bytes:
        """Read up to the array's opening bracket, and return it with what was read behind it."""
        data = b""
        while not data and not self.ended:
            data = self._fill(self.chunk).lstrip(_WHITESPACE)
        if data.startswith(b"["):
            return data
        raise MalformedBody(_not_an_array(data))

    def _cut(self, data: bytes) -> tuple[int, _Parsed | None]:
        """The position of the comma behind the last whole item, and the items before it."""
        for cut in self._guesses(data):
            found = _parse(data, cut)
            if found is not None:
                return cut, found
        return self._walk(data)

    def _guesses(self, data: bytes) -> Iterator[int]:
        if not self.delimiter:
            self.delimiter = _learn_delimiter(data)
        end = len(data)
        for _ in range(_GUESSES if self.delimiter else 0):
            at = data.rfind(self.delimiter, 0, end)
            if at < 0:
                return
            yield data.index(b",", at)
            end = at + len(self.delimiter) - 1

    def _walk(self, data: bytes) -> tuple[int, _Parsed | None]:
        cut = 0
        while (comma := _comma_after_value(data, cut + 1)) is not None:
            cut = comma
        return cut, _parse(data, cut) if cut else None

    def _chunk(self, found: _Parsed, start: int, end: int) -> Chunk:
        _refuse_bad_utf8(found.document, self.count)
        items = [*map(bytes, found.items)]
        return Chunk(found.document if len(items) > 1 else b"", items, start, end)

    def _admitted(self, chunk: Chunk) -> Chunk:
        """The same chunk, counted, if no item in it is too large or too deep."""
        if chunk.end - chunk.start > self.max_item:
            self._refuse_large(chunk.items)
        self._refuse_deep(chunk.items)
        self.count += len(chunk.items)
        return chunk

    def _refuse_large(self, items: list[bytes]) -> None:
        for position, item in enumerate(items, self.count):
            if len(item) > self.max_item:
                raise TooLarge(self._too_large(position))

    def _refuse_deep(self, items: list[bytes]) -> None:
        # Counting brackets is cheap and never less than the depth; several items at a time more so.
        for first in range(0, len(items), _TOGETHER):
            together = items[first : first + _TOGETHER]
            if _openers(b"".join(together)) <= self.max_depth:
                continue
            for position, item in enumerate(together, self.count + first):
                if _openers(item) > self.max_depth < _depth(item):
                    raise MalformedBody(self._too_deep(position))

    def _refuse_start(self, data: bytes) -> None:
        """Refuse an unfinished item that more data cannot mend."""
        reason = _fault(data)
        if reason:
            raise MalformedBody(self._malformed(self.count, reason))
        if len(data) > self.max_item + self.chunk:
            item = data[1:].strip(_WHITESPACE)
            large = len(item) > self.max_item
            raise TooLarge((self._too_large if large else self._too_spaced)(self.count))

    def _last(self, data: bytes) -> _Parsed:
        """The items up to the end of the stream, which must close the array."""
        try:
            found = _Parsed(data, _ITEMS.decode(data))
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedBody(self._where(data, error)) from None
        if self.count and not found.items:
            raise MalformedBody(self._malformed(self.count, "trailing comma in array"))
        return found

    def _where(self, data: bytes, error: Exception) -> str:
        """Name the item that breaks the array, and how."""
        start = position = 0
        while (comma := _comma_after_value(data, start + 1)) is not None:
            start, position = comma, position + 1
        reason = _fault(b"[" + data[start + 1 :] + _END) or _reason(error)[0]
        return self._malformed(self.count + position, reason)

    def _malformed(self, position: int, reason: str) -> str:
        return f"The body is not valid JSON at item {position} of the array: {reason}."

    def _too_large(self, position: int) -> str:
        return (
            f"Item {position} of the array has more than {self.max_item} bytes."
            " Send a smaller entity, or raise MAX_ENTITY_BYTES."
        )

    def _too_spaced(self, position: int) -> str:
        return (
            f"There is too much whitespace at item {position} of the array: more than"
            f" {self.max_item} bytes, with what is there of the item. Send the array without it."
        )

    def _too_deep(self, position: int) -> str:
        return (
            f"Item {position} of the array is nested deeper than {self.max_depth} levels."
            " Send a flatter entity, or raise MAX_DEPTH."
        )


def _parse(data: bytes, cut: int) -> _Parsed | None:
    """The items before ``cut``, or None where the bytes up to there are not whole items."""
    document = b"".join((memoryview(data)[:cut], b"]"))
    try:
        found = _ITEMS.decode(document)
    except (msgspec.DecodeError, RecursionError):
        return None
    return _Parsed(document, found) if found else None


def _openers(text: bytes) -> int:
    # To take them out and compare lengths is many times faster than bytes.count.
    return 2 * len(text) - len(text.replace(b"{", b"")) - len(text.replace(b"[", b""))


def _starts(items: list[bytes], size: int) -> array[int] | None:
    """Where each item begins, if they stand in so many bytes with single commas between them."""
    if size < len(items) * _SMALL_ITEM or size >= 2**32:
        return None
    starts = array("I", itertools.accumulate((len(item) + 1 for item in items), initial=0))
    return starts if starts[-1] == size + 1 else None


def again(stream: BinaryIO, span: Span) -> list[bytes]:
    """The items of a chunk that was read before.

    Args:
        stream: The same stream.
        span: As the chunk said.
    """
    stream.seek(span.start)
    data = stream.read(span.end - span.start)
    if span.starts is None:
        return [*map(bytes, _ITEMS.decode(b"[%b]" % data))]
    return [data[start : behind - 1] for start, behind in itertools.pairwise(span.starts)]


def end_of_value(data: bytes, start: int) -> int | None:
    """Where something follows the value that begins at ``start``; None if nothing valid does.

    Args:
        data: A valid value from ``start`` on, and more.
        start: Where the value begins, or the whitespace before it.
    """
    try:
        _ONE.decode(memoryview(data)[start:])
    except (msgspec.DecodeError, RecursionError) as error:
        found = _NEXT_VALUE.search(str(error))
        if found:
            # The parser has consumed the byte that it complains of.
            return start + int(found[1]) - 1
    return None


def _comma_after_value(data: bytes, start: int) -> int | None:
    """Where the value that begins at ``start`` is followed by a comma, if it is."""
    at = end_of_value(data, start)
    return at if at is not None and data[at : at + 1] == b"," else None


def _learn_delimiter(data: bytes) -> bytes:
    """What stands between the first two items, up to the second one's first key."""
    comma = _comma_after_value(data, 1)
    if comma is None:
        return b""
    key = _FIRST_KEY.match(data, comma + 1)
    start = data.rfind(b"}", 0, comma)
    return data[start : key.end()] if key and start >= 0 else b""


def _refuse_bad_utf8(document: bytes, first: int) -> None:
    # The parser skips over strings without decoding them, so it accepts what is not UTF-8.
    if document.isascii():
        return
    try:
        document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(
            f"The body is not valid UTF-8 in or behind item {first} of the array:"
            f" {error.reason}. Send it in UTF-8."
        ) from None


def _not_an_array(data: bytes) -> str:
    fix = "Send a JSON array of entities, [{...}, ...], also for a single one."
    if not data:
        return f"The body is empty. {fix} An empty batch is [], not nothing."
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "The body begins with a byte order mark. Send plain UTF-8 without one."
    return f"The body is not a JSON array. {fix}"


def _fault(array: bytes) -> str:
    """Why an array, cut off anywhere, can never become valid; empty if it still can."""
    try:
        _ITEMS.decode(array)
    except (msgspec.DecodeError, RecursionError) as error:
        reason, at = _reason(error)
        # What the parser says of the very end, more data can mend: half a number, half a pair.
        return reason if at < len(array) else ""
    return ""


def _reason(error: Exception) -> tuple[str, float]:
    """What the parser complains of, and at which byte; behind every byte if of the end."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply", 0
    found = _AT_BYTE.match(str(error))
    text, at = found.groups() if found else ("it cannot be read", None)
    return _WORDS.get(text, text), int(at) if at else float("inf")


def _depth(item: bytes) -> int:
    """The deepest nesting of one valid JSON value."""
    depth = deepest = 0
    # Some at a time, so that it takes no memory of the size of the item.
    for some in _SOME_BRACKETS.finditer(item):
        brackets = _BETWEEN_BRACKETS.sub(b"", some[0])
        steps = map(_STEPS.__getitem__, brackets)
        depths = [*itertools.accumulate(steps, initial=depth)]
        depth, deepest = depths[-1], max(deepest, max(depths))
    return deepest
