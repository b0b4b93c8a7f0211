"""Finds entities that have a reserved field twice, in time and memory that others do not cost.

Three looks, each at what the one before it has left. At a glance, all items of a chunk are alike.
Else the keys that look reserved are counted, in the chunk and then in each item: there are no more
of them than the items have reserved fields. Only of what is left is the root gone through, with the
parser to skip what is nested in it. Imports ``errors`` and ``jsonarray`` only.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from .errors import MalformedBody
from .jsonarray import CHUNK_BYTES, Chunk, end_of_value

_RESERVED = ("_id", "_deleted", "_updated")
_NOTHING = msgspec.Raw(b"")

# The underscore is what is searched for, because there are many times fewer of them than of quotes.
_KEY = re.compile(rb'_(?<="_)(?:id|deleted|updated)"')
# Without those that stand first in an object, with no whitespace before them.
_LATER_KEY = re.compile(rb'_(?<=[^{]"_)(?:id|deleted|updated)"')
_FIRST_KEYS = tuple(f'{{"{key}"'.encode() for key in _RESERVED)
_SPACED_FIRST_KEY = re.compile(rb'\{\s+"_(?:id|deleted|updated)"')
_ID_FIRST = re.compile(rb'\{\s*"_id"\s*:\s*"')
_BEHIND_ID = frozenset(
    b"".join(keys)
    for count in range(3)
    for keys in itertools.permutations((b'_deleted"', b'_updated"'), count)
)


def _one_of(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


def _spelled(key: str) -> str:
    return "".join(rf"(?:{letter}|\\u(?i:{ord(letter):04x}))" for letter in key)


_STARTS = {key[:letters] for key in _RESERVED for letters in range(len(key))}
# The first escape in a text that begins as a reserved key does.
_ESCAPED_KEY = re.compile(
    (r"\\u00[567]" + _one_of(rf'(?<="{start}\\u00.)' for start in sorted(_STARTS))).encode()
)
# Any letter may be escaped. A quote behind a backslash begins no key.
_SPELLED_KEY = re.compile(rf'(?<!\\)("{_one_of(map(_spelled, _RESERVED))}")\s*:'.encode())

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# Fields up to the next value in which there may be others.
_FLAT = re.compile(rb'(?:[^"\[{]++|%b|\[(?:[^"\[\]{}]++|%b)*+\])*+' % (_STRING, _STRING))
# Fields up to the last reserved one before what may be such a value.
_UNNESTED = re.compile(rb'\{[^\[{]*"_(?:id|deleted|updated)"(?=\s*:)')


class _Behind(msgspec.Struct, gc=False):
    """The reserved fields of a root from some place on."""

    id: msgspec.Raw = msgspec.field(name="_id", default=_NOTHING)
    deleted: msgspec.Raw = msgspec.field(name="_deleted", default=_NOTHING)
    updated: msgspec.Raw = msgspec.field(name="_updated", default=_NOTHING)


_BEHIND = msgspec.json.Decoder(_Behind)
_TEXT = msgspec.json.Decoder(str)
_MANY_SMALL = 2 * CHUNK_BYTES
"""Where a chunk is larger than that, it is because of one large item."""


def are_plain(chunk: Chunk) -> bool:
    """Whether a glance shows that all items have an ``_id`` and no reserved field twice.

    Says False where it takes a closer look to see that, too.
    """
    if not 0 < len(chunk.document) <= _MANY_SMALL or not _begin_alike(chunk.items):
        return False
    if _has_escaped_key(chunk.document):
        return False
    has_one = chunk.items[0].count(b'"_id"') == 1
    return (has_one and _have_one_id(chunk)) or _go_on_alike(chunk)


def refuse_repeated(chunk: Chunk, fields: Sequence[int], first: int) -> None:
    """Refuse a chunk in which an item has a reserved field twice.

    Args:
        chunk: Items that are objects.
        fields: How many different reserved fields each of them has.
        first: Position of the chunk's first item in the request.

    Raises:
        MalformedBody: Names the item and the fields.
    """
    if chunk.document and not _may_repeat(chunk.document, chunk.items, sum(fields)):
        return
    for position, (item, count) in enumerate(zip(chunk.items, fields, strict=True), first):
        twice = _repeated(item) if _may_repeat(item, [item], count) else []
        if twice:
            raise MalformedBody(
                f"Item {position} of the array has {', '.join(twice)} more than once."
                " Which one counts would be anybody's guess: send it once."
            )


def _begin_alike(items: list[bytes]) -> bool:
    """Whether every item is an object that begins with an ``_id`` as good as any."""
    found = _ID_FIRST.match(items[0])
    if not found:
        return False
    begin = found[0]
    text = map(operator.itemgetter(len(begin)), items)
    return all(map(bytes.startswith, items, itertools.repeat(begin))) and ord('"') not in text


def _have_one_id(chunk: Chunk) -> bool:
    """Whether items that begin with ``_id`` have no other one, and the others once at most.

    Where there are no more ``_id`` than items, what stands between two of them is one item's.
    """
    keys = _KEY.findall(chunk.document)
    count = len(chunk.items)
    of_each = keys[: len(keys) // count]
    if of_each * count == keys:
        return len({*of_each}) == len(of_each)
    of_items = b"".join(keys).split(b'_id"')
    return len(of_items) == count + 1 and _BEHIND_ID.issuperset(of_items)


def _go_on_alike(chunk: Chunk) -> bool:
    """Whether behind its ``_id`` every item has the same reserved keys, each of them once.

    That is so if each has all of them, and all together have no more than that makes.
    """
    count = len(chunk.items)
    keys = _LATER_KEY.findall(chunk.document)
    of_each = keys[: len(keys) // count]
    if b'_id"' in of_each or len({*of_each}) < len(of_each) or of_each * count != keys:
        return False
    places = [(key.start() - 2, key.end()) for key in _LATER_KEY.finditer(chunk.items[0])]
    if len(places) != len(of_each):
        return False
    texts = [chunk.items[0][start:end] for start, end in places]
    return all(text in item for text in texts for item in chunk.items)


def _has_escaped_key(text: bytes) -> bool:
    return b"\\" in text and _ESCAPED_KEY.search(text) is not None


def _may_repeat(text: bytes, items: list[bytes], fields: int) -> bool:
    """Whether a text has more keys that look reserved than its items have reserved fields."""
    if _has_escaped_key(text):
        return True
    firsts = len([item for item in items if item.startswith(_FIRST_KEYS)])
    # One after the other: a large item may have more of them than there is memory to list them.
    surplus = itertools.islice(_LATER_KEY.finditer(text), fields - firsts, None)
    if next(surplus, None) is None:
        return False
    if not _SPACED_FIRST_KEY.match(items[0]):
        return True
    firsts = len([item for item in items if _SPACED_FIRST_KEY.match(item)])
    nested = _count(_SPACED_FIRST_KEY.finditer(text)) - firsts
    return 1 + _count(surplus) > nested


def _count(found: Iterator[object]) -> int:
    return sum(1 for _ in found)


def _repeated(item: bytes) -> list[str]:
    """The reserved fields that an object's root has more than once."""
    if _all_are_unnested(item):
        return []
    once: set[str] = set()
    twice: set[str] = set()
    for key in _root_keys(item):
        (twice if key in once else once).add(key)
    return [name for name in _RESERVED if name in twice]


def _all_are_unnested(item: bytes) -> bool:
    """Whether the root's reserved keys differ, and all come before any value that is nested."""
    found = _UNNESTED.match(item)
    if not found or _has_escaped_key(item):
        return False
    keys = [key[0] for key in itertools.islice(_KEY.finditer(item, 0, found.end()), 4)]
    behind = _BEHIND.decode(b"".join((b'{""', memoryview(item)[found.end() :])))
    return len({*keys}) == len(keys) and behind == _Behind()


def _root_keys(item: bytes) -> Iterator[str]:
    """The reserved keys of an object's root, one after the other, so that they take no memory."""
    at: int | None = 1
    while at is not None:
        found = _FLAT.match(item, at)
        end = found.end() if found else at
        yield from (_TEXT.decode(key[1]) for key in _SPELLED_KEY.finditer(item, at, end))
        at = end_of_value(item, end) if end < len(item) else None
