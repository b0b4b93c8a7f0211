"""The look that decides whether a reserved field stands twice in an object's root, on its own."""

from __future__ import annotations

import itertools
import json
import tracemalloc

import pytest

from sesam_connector_sdk import repeated
from sesam_connector_sdk.errors import MalformedBody
from sesam_connector_sdk.jsonarray import Chunk
from tests.test_jsonarray import Writer

CASES = 20_000
RESERVED = {"_id", "_deleted", "_updated"}


class ReservedWriter(Writer):
    """Writes random objects with reserved keys everywhere, spelled in many ways."""

    KEYS = (
        *(
            '"_id"',
            '"_deleted"',
            '"_updated"',
            '"\\u005fid"',
            '"_d\\u0065leted"',
            '"_updat\\u0065d"',
        ),
        *('"a\\"_id"', '"\\\\_id"', '"_id\\\\"', '"my_id"', '"[{"', '"_hash"'),
    )

    def entity(self, depth: int = 0) -> str:
        """An object."""
        keys = [self.random.choice(self.KEYS) for _ in range(self.count() + self.count())]
        parts = [f"{key}{self.space()}:{self.space()}{self.value(depth)}" for key in keys]
        return self.row("{", "}", parts)


def repeated_by_python(item: bytes) -> list[str]:
    """What Python's own parser finds twice."""
    keys = [key for key, _ in json.loads(item, object_pairs_hook=list)]
    return [name for name in ("_id", "_deleted", "_updated") if keys.count(name) > 1]


def refused(items: list[bytes]) -> str:
    """What is said of items, told only how many different reserved fields each has."""
    roots = [json.loads(item) for item in items]
    fields = [len(root.keys() & RESERVED) for root in roots]
    try:
        repeated.refuse_repeated(Chunk(b"[" + b",".join(items) + b"]", items, 1, 1), fields, 7)
    except MalformedBody as error:
        return error.detail
    return ""


def test_random_objects_are_judged_as_a_parse_of_each_would() -> None:
    """Nested ones, escaped keys, brackets and keys in texts, whitespace anywhere: the same verdict.

    Seen to fail when a quote behind a backslash may begin a key, when a key that is nested counts
    as one of the root, and when only some letters may be escaped.
    """
    writer = ReservedWriter(1)
    for _ in range(CASES):
        items = [writer.entity().encode() for _ in range(writer.random.choice((1, 1, 2, 3)))]
        twice = [repeated_by_python(item) for item in items]
        first = next((at for at, names in enumerate(twice) if names), None)

        expected = f"Item {first + 7} " if first is not None else ""
        said = refused(items)
        assert said.startswith(expected), items
        assert bool(said) is (first is not None), items
        if first is not None:
            assert f" has {', '.join(twice[first])} more than once." in said


@pytest.mark.parametrize("name", ["_id", "_deleted", "_updated"])
def test_any_letter_of_a_key_may_be_escaped(name: str) -> None:
    """Every way to spell a key with escapes, in small and in capital digits.

    Seen to fail when the digits' case is taken as it stands, and when it is looked for a first
    escape behind some beginnings only.
    """
    for choice in itertools.product((False, True), repeat=len(name)):
        for digits in ("04x", "04X"):
            spelled = "".join(
                f"\\u{ord(letter):{digits}}" if escaped else letter
                for letter, escaped in zip(name, choice, strict=True)
            )
            item = f'{{"{name}":"1","x":{{}},"{spelled}":"2"}}'.encode()
            assert f"Item 7 of the array has {name} more than once." in refused([item])


def test_one_object_that_takes_a_closer_look_does_not_make_others_take_it() -> None:
    """Only its own root is gone through."""
    plain = b'{"_id":"1","_updated":1,"x":{"_id":"2"}}'
    nested = b'{"_id":"1","x":{"_id":"2","_updated":1},"_updated":1}'
    looked: list[bytes] = []

    def look(item: bytes) -> list[str]:
        looked.append(item)
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeated, "_repeated", look)
        assert not refused([plain, nested, plain, plain])

    assert looked == [nested]


FIELDS = {
    "small objects": b'"x":[%b]' % b",".join([b'{"_id":"2","_updated":1}'] * 40_000),
    "spaced objects": b'"x":[%b]' % b",".join([b'{ "_id":"2" , "_updated":1}'] * 40_000),
    "empty arrays": b'"x":[{"_id":2,"_updated":1}%b]' % (b",[]" * 300_000),
    "escapes": b'"y":"%b"' % (rb"\u005f" * 160_000),
    "quotes": b'"y":"%b"' % (rb"\"" * 500_000),
    "root fields": b",".join(b'"%05d":"_id"' % each for each in range(70_000)),
    "root arrays": b",".join(b'"%05d":[{}]' % each for each in range(70_000)),
}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    "around",
    [b'{"_id":"1",%b}', b'{ "_id":"1",%b,"_updated":1}', b'{"_id":"1",%b,"_update\\u0064":1}'],
)
def test_what_a_closer_look_needs_does_not_grow_with_what_an_object_holds(
    name: str, around: bytes
) -> None:
    """An eighth of the object's bytes more than a copy of it, whatever its parts are.

    Seen to fail with a parser that makes a value of every part, and when the keys are listed.
    """
    item = around % FIELDS[name]
    chunk = Chunk(b"[%b]" % item, [item], 1, 1)
    fields = [len(json.loads(item).keys() & RESERVED)]

    tracemalloc.start()
    try:
        assert not repeated.are_plain(chunk)
        repeated.refuse_repeated(chunk, fields, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < len(item) * 9 / 8
