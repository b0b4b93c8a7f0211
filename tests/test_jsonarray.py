"""Arrays are cut into the items that a parse of the whole body would give, and no others."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesam_connector_sdk.errors import MalformedBody, TooLarge
from sesam_connector_sdk.jsonarray import CHUNK_BYTES, again, chunks

FUZZ_BLOCKS = int(os.environ.get("SESAM_FUZZ_BLOCKS", "8"))
"""How many blocks of random documents are tried; a thousand take some minutes."""

CASES_PER_BLOCK = 8_000
SIZES = (1, 2, 3, 7, 16, 61, 256, 1024, 100_000)
"""Bytes read at a time: from one to more than any random document has."""

MEGABYTE = 1024 * 1024


def cut(
    body: bytes | BinaryIO,
    *,
    chunk: int = CHUNK_BYTES,
    max_item: int = MEGABYTE,
    max_depth: int = 100,
) -> list[bytes]:
    """All items of a body."""
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    found = chunks(stream, max_item=max_item, max_depth=max_depth, chunk=chunk)
    return [bytes(item) for each in found for item in each.items]


def cut_or_none(body: bytes, chunk: int) -> list[bytes] | None:
    """All items of a body, None if it is refused as malformed."""
    try:
        return cut(body, chunk=chunk)
    except MalformedBody:
        return None


def whole(body: bytes) -> list[bytes] | None:
    """The same from one parse of the whole body."""
    try:
        body.decode()
        return [bytes(item) for item in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def refusal(body: bytes, **options: Any) -> str:
    """Why a body is refused as malformed."""
    with pytest.raises(MalformedBody) as caught:
        cut(body, **options)
    return caught.value.detail


STRINGS = (
    '"plain"',
    '"},{\\"_id\\":\\"7\\""',
    '"},{"',
    '"]"',
    '"[{,}]"',
    '"\\\\"',
    '"\\\\\\""',
    '"a\\"}"',
    '"æøå 漢 😀"',
    '"\\ud83d\\ude00"',
    '"\\u00e5\\n\\t"',
    '""',
)
NUMBERS = ("0", "-0", "-1.5e-10", "12.50", "1E+5", "123456789012345678901234567890", "1e400")
KEYS = ('"_id"', '"a"', '"_updated"', '"}"', '"nested"', '"\\u005fid"')
SPACES = ("", "", "", " ", "\n", "\r\n  ", "\t")


class Writer:
    """Writes random JSON, in the shapes that a search for delimiters may fall for."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # to be repeatable is the point

    def space(self) -> str:
        """Whitespace or none."""
        return self.random.choice(SPACES)

    def value(self, depth: int = 0) -> str:
        """Any value."""
        kind = self.random.random()
        if kind < 0.35 or depth > 3:
            return self.random.choice(STRINGS)
        if kind < 0.55:
            return self.random.choice(NUMBERS)
        if kind < 0.65:
            return self.random.choice(("true", "false", "null"))
        if kind < 0.8:
            return self.row("[", "]", [self.value(depth + 1) for _ in range(self.count())])
        return self.entity(depth + 1)

    def count(self) -> int:
        """How many parts something has."""
        return self.random.choice((0, 1, 1, 2, 3))

    def entity(self, depth: int = 0) -> str:
        """An object with an ``_id``."""
        keys = ['"_id"', *(self.random.choice(KEYS) for _ in range(self.count()))]
        space = self.space()
        return self.row("{", "}", [f"{key}{space}:{self.value(depth)}" for key in keys])

    def row(self, start: str, end: str, parts: list[str]) -> str:
        """Parts between brackets."""
        space, comma = self.space(), f"{self.space()},{self.space()}"
        return f"{start}{space}{comma.join(parts)}{space}{end}"

    def body(self) -> bytes:
        """An array, mostly of entities; every fourth is corrupt."""
        make = self.entity if self.random.random() < 0.9 else self.value
        text = self.row("[", "]", [make() for _ in range(self.random.choice((0, 1, 2, 3, 5, 9)))])
        whole = f"{self.space()}{text}{self.space()}".encode()
        return self.corrupt(whole) if self.random.random() < 0.25 else whole

    def corrupt(self, body: bytes) -> bytes:
        """A body with one wound."""
        at, to = sorted(self.random.randrange(len(body) + 1) for _ in range(2))
        bits = self.random.randrange(1, 256)
        return self.random.choice(
            (
                body[:at],  # cut short
                body[:at] + body[to:],  # a piece is missing
                body[:to] + body[at:],  # a piece is there twice
                body[:at] + bytes(byte ^ bits for byte in body[at : at + 1]) + body[at + 1 :],
                body[:at] + self.random.choice((b",", b"]", b'"', b"\\", b"{", b"}")) + body[at:],
                body + self.random.choice((b"]", b",", b"{}", b"\x00", b"[]")),
            )
        )


@pytest.mark.parametrize("block", range(FUZZ_BLOCKS))
def test_random_documents_are_cut_as_a_whole_parse_would(block: int) -> None:
    """Whatever the document and the chunk size: the same items, byte for byte, or both refuse.

    A quarter of the documents is corrupt. Seen to fail when a guessed boundary is not proved by a
    parse, when the walk takes any trailing byte for a comma, and when half a number at the end of a
    chunk counts as malformed.
    """
    writer = Writer(block)
    for case in range(CASES_PER_BLOCK):
        body = writer.body()
        size = SIZES[case % len(SIZES)]

        assert cut_or_none(body, size) == whole(body), (size, body)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, derandomize=True, database=None)
@given(
    items=st.lists(st.dictionaries(st.sampled_from(["_id", "}", ","]), JSON_VALUES), max_size=6),
    size=st.integers(1, 400),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
def test_any_array_of_objects_comes_back_item_by_item(
    items: list[dict[str, Any]],
    size: int,
    indent: int | None,
    ascii_only: bool,
) -> None:
    """What Python writes as JSON is read back equal, item by item, in order."""
    try:
        body = json.dumps(items, indent=indent, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:  # half of a surrogate pair cannot be sent
        return

    found = cut_or_none(body, size)

    assert found == whole(body)
    assert found is None or [json.loads(item) for item in found] == items


RICH = (
    b'[ {"_id":"1","n":-1.5e+10,"s":"\\ud83d\\ude00 \\u00e5 \\\\\\" },{",'
    b'"l":[true,false,null,{}]} ,'
    b'\n{"_id":"2","n":0.25,"o":{"_id":"},{"},"s":"\xc3\xa6\xf0\x9f\x98\x80"},{"_id":"3"},7.5,"x"] '
)


def test_every_chunk_size_and_every_truncation_is_cut_as_a_whole_parse_would() -> None:
    """A rich document, cut short after any byte and read any number of bytes at a time."""
    for end, size in itertools.product(range(len(RICH) + 1), (1, 2, 3, 5, 17, 64, 1000)):
        assert cut_or_none(RICH[:end], size) == whole(RICH[:end]), (end, size)
    for size in range(1, len(RICH) + 2):
        assert cut_or_none(RICH, size) == whole(RICH)


@pytest.mark.parametrize(
    "item",
    [
        b'{"_id":"1","a":"%b"}' % (rb"\ud83d\ude00" * 60_000),
        b'{"_id":"1","a":[%b1]}' % (b"-12.5e-7," * 60_000),
        b'{"_id":"1","a":"%b"}' % (b"\\\\" * 300_000),
        b'{"_id":"1","a":"%b"}' % ("😀".encode() * 150_000),
        b'{"_id":"1","a":[%b1]}' % (b'{"_id":"2"},' * 40_000),
        b'{"_id":"1","a":[%b1]}' % (b"true,null," * 50_000),
    ],
    ids=["escaped pairs", "numbers", "backslashes", "four-byte characters", "objects", "words"],
)
def test_an_item_larger_than_a_chunk_is_one_item_wherever_the_chunks_end(item: bytes) -> None:
    """No place in a valid item makes the end of a chunk look like a fault.

    Seen to fail when the parser's "invalid number" for half a number counts as malformed.
    """
    for offset in range(13):
        assert cut(b" " * offset + b"[" + item + b"]") == [item]
        assert cut(b" " * offset + b'[{"_id":"0"},' + item + b',{"_id":"2"}]')[1] == item


@pytest.mark.parametrize("size", [1, 2, 3, CHUNK_BYTES])
@pytest.mark.parametrize("body", [b"[]", b" [ ] ", b"\r\n[\t]\n"])
def test_an_empty_array_has_no_items(body: bytes, size: int) -> None:
    """The hub ends its runs with one; it is whole also where a chunk ends behind its bracket."""
    assert cut(body, chunk=size) == []


def test_an_empty_array_is_found_behind_any_amount_of_whitespace() -> None:
    """The bracket may be the very last byte of the first chunk."""
    for blanks in range(CHUNK_BYTES - 2, CHUNK_BYTES + 2):
        assert cut(b" " * blanks + b"[]") == []


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, CHUNK_BYTES])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[{},]", "at item 1 of the array: trailing comma in array."),
        (b"[{}, ]", "at item 1 of the array: trailing comma in array."),
        (b"[{},", "at item 1 of the array: the body ends in the middle."),
        (b"[", "at item 0 of the array: the body ends in the middle."),
        (b"[{}", "at item 0 of the array: the body ends in the middle."),
        (b'[{"a":1', "at item 0 of the array: the body ends in the middle."),
        (b'[{},{"a', "at item 1 of the array: the body ends in the middle."),
        (b"[,{}]", "at item 0 of the array: invalid character."),
        (b"[{},,{}]", "at item 1 of the array: invalid character."),
        (b"[{}{}]", "at item 0 of the array: expected ',' or ']'."),
        (b"[{},{}{}]", "at item 1 of the array: expected ',' or ']'."),
        (b"[{}]x", "at item 0 of the array: trailing characters."),
        (b"[]{}", "at item 0 of the array: trailing characters."),
        (b"[{}]]", "at item 0 of the array: trailing characters."),
        (b'[{"a":NaN}]', "at item 0 of the array: invalid character."),
        (b'[{"a":Infinity}]', "at item 0 of the array: invalid character."),
        (b'[{},{"a":-Infinity}]', "at item 1 of the array: invalid character."),
        (b'[{"a":1.}]', "at item 0 of the array: invalid number."),
        (b'[{"a":01}]', "at item 0 of the array: invalid number."),
        (b'[{"a":"\\ud800"}]', "at item 0 of the array: a string holds half of a surrogate pair."),
        (b'[{"a":"\\udc00"}]', "at item 0 of the array: a string holds half of a surrogate pair."),
        (
            b'[{},{"a":"\\ud800 and much more text"}]',
            "at item 1 of the array: a string holds half of a surrogate pair.",
        ),
        (b'[{"a":"\\x"}]', "at item 0 of the array: invalid escaped character."),
        (b'[{"a":"\t"}]', "at item 0 of the array: invalid character."),
        (b"[{'a':1}]", "at item 0 of the array: expected '\"'."),
    ],
)
def test_a_malformed_body_is_refused_with_the_item_and_the_reason(
    body: bytes, size: int, reason: str
) -> None:
    """The answer names the item that breaks the array, whatever the chunk size."""
    found = refusal(body, chunk=size)

    assert found.startswith("The body is not valid JSON at item ")
    assert found.endswith(reason)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The body is empty."),
        (b" \n", "The body is empty."),
        (b"\xef\xbb\xbf[]", "byte order mark"),
        ("[]".encode("utf-16"), "byte order mark"),
        (b'{"_id":"1"}', "The body is not a JSON array. Send a JSON array of entities"),
        (b'{"_id":"1"}\n{"_id":"2"}\n', "The body is not a JSON array."),
        (b"null", "The body is not a JSON array."),
        (b'"text"', "The body is not a JSON array."),
        (b"a=1&b=2", "The body is not a JSON array."),
        (b"// c\n[]", "The body is not a JSON array."),
    ],
)
def test_what_is_no_array_is_refused_with_the_fix(body: bytes, words: str) -> None:
    """Nothing, a single object, lines of objects, another encoding: each is told what to send."""
    assert words in refusal(body)
    assert refusal(body, chunk=1)


@pytest.mark.parametrize("bad", [b"\xe5", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
@pytest.mark.parametrize(
    "place", [b'{"a":"%b"}', b'{"%b":1}', b'{"_id":"%b"}', b'{"o":{"a":"%b"}}']
)
def test_what_is_not_utf8_is_refused_wherever_it_stands(bad: bytes, place: bytes) -> None:
    """A bad byte, an overlong form, a surrogate, a code point too high: in keys and in values.

    Seen to fail when the check of the chunk's bytes is left out, for the parser skips them.
    """
    for size in (1, CHUNK_BYTES):
        body = b'[{"_id":"0"},' + place % bad + b"]"
        assert "not valid UTF-8 in or behind item" in refusal(body, chunk=size)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_is_accepted_up_to_the_limit_and_refused_over_it(opening: bytes) -> None:
    """The limit counts from the item itself: an object in an object has depth 2."""
    levels = opening.count(b"[") + opening.count(b"{")
    closing = b"".join(
        b"]" if byte == ord("[") else b"}" for byte in reversed(opening) if byte in b"[{"
    )
    item = opening * (60 // levels) + b"1" + closing * (60 // levels)

    assert cut(b"[%b]" % item, max_depth=60) == [item]
    assert "Item 0 of the array is nested deeper than 59 levels" in refusal(
        b"[%b]" % item, max_depth=59
    )


@pytest.mark.parametrize("brothers", [0, 1_000, 1_023, 1_024, 1_025, 5_000])
def test_nesting_goes_on_behind_any_number_of_brothers(brothers: int) -> None:
    """Brackets are counted some at a time. Seen to fail when each time begins at the root."""
    many = b"[]," * brothers
    item = b"[" * 30 + many + b'{"a":' * 30 + b'"]}"' + b"}" * 30 + b"]" * 30

    assert cut(b"[%b]" % item, max_depth=60) == [item]
    assert "nested deeper than 59 levels" in refusal(b"[%b]" % item, max_depth=59)


def depth(value: object) -> int:
    """How deep a value that Python has read is nested."""
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


def test_the_nesting_of_random_documents_is_what_a_parse_gives() -> None:
    """Whatever brackets, quotes and backslashes stand in their texts."""
    writer = Writer(3)
    for _ in range(2_000):
        item = writer.entity().encode()
        # Of a field that is there twice, Python keeps one: only what it has is compared.
        item = json.dumps(json.loads(item, parse_float=str), ensure_ascii=False).encode()
        deepest = depth(json.loads(item))

        assert cut(b"[%b]" % item, max_depth=deepest) == [item]
        assert "nested deeper" in refusal(b"[%b]" % item, max_depth=deepest - 1)


def test_brackets_in_strings_are_not_nesting() -> None:
    """Only real nesting counts, however many brackets the text has."""
    item = b'{"a":"%b\\"[[["}' % (b"[{" * 500)

    assert cut(b"[%b]" % item, max_depth=1) == [item]


@pytest.mark.parametrize("size", [64, CHUNK_BYTES])
def test_nesting_beyond_the_parser_is_refused(size: int) -> None:
    """A body that is nothing but brackets is a malformed body, not a crash."""
    depth = 100_000  # beyond the parser in every Python; 1,000 is beyond it only up to 3.11
    for body in (b"[" * depth, b"[" * depth + b"]" * depth, b'[{"a":' * depth):
        assert "nested" in refusal(body, chunk=size)
    for body in (b"[" * 1_000, b"[" * 1_000 + b"]" * 1_000, b'[{"a":' * 1_000):
        assert refusal(body, chunk=size)


@pytest.mark.parametrize("size", [16, 100, 1000, CHUNK_BYTES])
def test_an_item_is_accepted_up_to_the_limit_and_refused_over_it(size: int) -> None:
    """The limit is the item's bytes; the answer names the item and the setting."""
    item = b'{"_id":"%b"}' % (b"x" * 490)
    body = b'[{"_id":"0"},' + item + b"]"

    assert cut(body, chunk=size, max_item=len(item))[1] == item
    with pytest.raises(TooLarge, match=r"Item 1 of the array has more than 499 bytes.*MAX_ENTITY"):
        cut(body, chunk=size, max_item=len(item) - 1)


def test_an_item_that_never_ends_is_refused_before_it_is_read() -> None:
    """Not more than the limit and two chunks are held of it."""
    stream = Repeated(b'[{"_id":"', b"x" * 1000, 10_000)

    with pytest.raises(TooLarge, match="Item 0"):
        cut(cast("BinaryIO", stream), max_item=MEGABYTE)
    assert stream.given < 4 * MEGABYTE < 10_000_000


@pytest.mark.parametrize("size", [100, CHUNK_BYTES])
@pytest.mark.parametrize(
    ("before", "behind", "at", "count"),
    [
        (b"[", b"]", 0, 0),
        (b"[{}", b"]", 0, 1),
        (b"[{},", b"{}]", 1, 2),
        (b"[{},{}", b",{}]", 1, 3),
        (b"[{}]", b"", 0, 1),
    ],
)
def test_too_much_whitespace_is_told_from_too_large_an_item(
    before: bytes, behind: bytes, at: int, count: int, size: int
) -> None:
    """As much as an item and a chunk may have is accepted; what is more is named as what it is.

    Seen to fail when all that is too long counts as an item.
    """
    blanks = b" " * (1_000 + size - 10)

    assert len(cut(before + blanks + behind, chunk=size, max_item=1_000)) == count
    with pytest.raises(TooLarge, match=f"There is too much whitespace at item {at} of the array"):
        cut(before + blanks * 3 + behind, chunk=size, max_item=1_000)


def big_array(count: int) -> list[bytes]:
    """The items of a body of about 50 bytes an item."""
    return [b'{"_id":"%d","text":"some words, {braces}"}' % number for number in range(count)]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b'x{"_id":"x"}', "invalid character"),
        (b'{"_id":"x"}{"_id":"y"}', "expected ',' or ']'"),
        (b'{"_id":NaN}', "invalid character"),
        (b'{"_id":"x"', "expected '\"'"),
        (b'{"_id":"x"}]', "trailing characters"),
        (b"", "invalid character"),
    ],
    ids=["junk", "missing comma", "NaN", "missing brace", "closed early", "two commas"],
)
@pytest.mark.parametrize("at", [10, 50_000, 64_990])
def test_a_fault_anywhere_in_three_megabytes_is_400_and_names_its_item(
    wrong: bytes, reason: str, at: int
) -> None:
    """A fault is malformed JSON, never "too large", however much follows it.

    Seen to fail when a whole value that no comma follows counts as unfinished.
    """
    items = big_array(65_000)
    items[at] = wrong

    assert refusal(b"[" + b",".join(items) + b"]").endswith(f"at item {at} of the array: {reason}.")


class Repeated(io.RawIOBase):
    """A stream of a start, a piece again and again, and an end; never held as a whole."""

    def __init__(self, start: bytes, piece: bytes, times: int, end: bytes = b"") -> None:
        self.pieces: Iterator[bytes] = itertools.chain(
            [start], itertools.repeat(piece, times), [end]
        )
        self.held = b""
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        parts, have = [self.held], len(self.held)
        for piece in self.pieces:
            parts.append(piece)
            have += len(piece)
            if have >= size:
                break
        held = b"".join(parts)
        self.held = held[size:]
        self.given += min(size, len(held))
        return held[:size]


def test_fifty_megabytes_are_read_in_two() -> None:
    """Memory stays bounded by the chunk, not by the body."""
    item = b'{"_id":"1","text":"%b"}' % (b"x" * 2000)
    stream = Repeated(b"[" + item, (b"," + item) * 10, 2_500, b"]")
    count = 0

    tracemalloc.start()
    try:
        for found in chunks(cast("BinaryIO", stream), max_item=MEGABYTE, max_depth=100):
            count += len(found.items)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert stream.given > 50_000_000
    assert count == 25_001
    assert peak < 2 * MEGABYTE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{} {}", "JSON is malformed: trailing characters (byte 4)"),
        (b"{},", "JSON is malformed: trailing characters (byte 3)"),
        (b"{}]", "JSON is malformed: trailing characters (byte 3)"),
        (b'{"a":', "Input data was truncated"),
        (b'"\\ud83d', "Input data was truncated"),
        (b"", "Input data was truncated"),
    ],
)
def test_the_parser_says_where_a_value_ends(text: bytes, message: str) -> None:
    """The walk reads positions out of msgspec's texts: a new msgspec must say them the same way."""
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(text, type=msgspec.Raw)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[1.", "JSON is malformed: invalid number (byte 3)"),
        (b"[-", "JSON is malformed: invalid character (byte 2)"),
        (b"[1e+", "JSON is malformed: invalid number (byte 4)"),
        (b'[{"a":1.', "JSON is malformed: invalid number (byte 8)"),
        (b'["\\ud800', "Input data was truncated"),
        (b'["\\ud800"     ', "JSON is malformed: unexpected end of hex escape (byte 8)"),
        (b'["\\ud800\\u0041"', "JSON is malformed: invalid utf-16 surrogate pair (byte 14)"),
        (b"[{}{", "JSON is malformed: expected ',' or ']' (byte 3)"),
        (b"[{}] x", "JSON is malformed: trailing characters (byte 6)"),
    ],
)
def test_the_parser_complains_behind_the_last_byte_of_what_more_bytes_would_mend(
    text: bytes, message: str
) -> None:
    """A fault lies before the end of the bytes; half a number is complained of at their end."""
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(text, type=list[msgspec.Raw])

    assert str(caught.value) == message


@pytest.mark.parametrize("size", [1, 200, 1024, CHUNK_BYTES])
@pytest.mark.parametrize("item", [b'{"_id":"%d"}', b'{"_id":"%d","x":"' + b"x" * 99 + b'"}'])
@pytest.mark.parametrize("comma", [b",", b" ,", b",\n ", b", "])
@pytest.mark.parametrize("bracket", [b"", b" "])
def test_a_chunk_is_read_again_item_by_item(
    bracket: bytes, comma: bytes, item: bytes, size: int
) -> None:
    """With whitespace between the items, before the first, behind the last, or without; any size.

    Seen to fail when the ends are remembered without a look at what stands between the items.
    """
    items = [item % number for number in range(2_000)]
    stream = io.BytesIO(b"[" + bracket + comma.join(items) + bracket + b"]")
    found = [*chunks(stream, max_item=MEGABYTE, max_depth=100, chunk=size)]

    for _ in range(2):
        assert [each for chunk in found for each in again(stream, chunk.span())] == items
    for chunk in reversed(found):
        assert again(stream, chunk.span()) == chunk.items


def test_where_items_are_is_remembered_in_a_sixteenth_of_the_body_at_most() -> None:
    """And not for the smallest of items, of which a body has many."""
    for length in (1, 30, 61, 62, 63, 64, 700):
        body = b"[" + b",".join([b"1" * length] * 5_000) + b"]"
        spans = [each.span() for each in chunks(io.BytesIO(body), max_item=MEGABYTE, max_depth=9)]

        assert all((span.starts is None) == (length < 64) for span in spans)
        remembered = sum(len(span.starts) * span.starts.itemsize for span in spans if span.starts)
        assert remembered <= len(body) / 16 + 4 * len(spans)
