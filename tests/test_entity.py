"""An entity's reserved fields are read as Sesam defines them, and its bytes stay untouched."""

from __future__ import annotations

import io
import itertools
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesam_connector_sdk import Entity, Rejected
from sesam_connector_sdk.entity import check, entities
from sesam_connector_sdk.errors import MalformedBody
from sesam_connector_sdk.jsonarray import chunks
from sesam_connector_sdk.transit import Ni


def read(body: bytes, sequence: str | None = None) -> list[Entity]:
    """The entities of a body."""
    found: list[Entity] = []
    for chunk in chunks(io.BytesIO(body), max_item=2**20, max_depth=100):
        check(chunk, len(found))
        found += entities(chunk.items, len(found), sequence)
    return found


def entity(fields: bytes, sequence: str | None = None) -> Entity:
    """One entity with the id ``a`` and these fields."""
    return read(b'[{"_id":"a",%b}]' % fields, sequence)[0]


def key_of(identity: str, updated: Any = None, sequence: str | None = None, **data: Any) -> Any:
    """The key of an entity made of Python values."""
    document = {"_id": identity, **data} | ({} if updated is None else {"_updated": updated})
    return read(json.dumps([document]).encode(), sequence)[0].key


def test_the_key_is_the_id_and_the_version() -> None:
    """The same for every resending of a version, whatever the run and the content's spelling.

    Seen to fail when the key is a hash of the content.
    """
    assert key_of("a", 1, "run 1", x=1) == key_of("a", 1, "run 2", x=2)
    assert key_of("a", 1) != key_of("a", 2)
    assert key_of("a", 1) != key_of("b", 1)
    assert key_of("a", 1) != key_of("a", "1")


def test_a_value_that_comes_back_has_a_new_key() -> None:
    """A, B, A are three versions; without ``_updated`` the next run's A is new, a retry's is not.

    Seen to fail when the key is ``_id`` and a hash of the content alone.
    """
    keys = [key_of("a", version, x=x) for version, x in ((1, "A"), (2, "B"), (3, "A"))]

    assert len(set(keys)) == 3
    assert key_of("a", None, "run 1", x="A") == key_of("a", None, "run 1", x="A")
    assert key_of("a", None, "run 1", x="A") != key_of("a", None, "run 2", x="A")
    assert key_of("a", None, "run 1", x="A") != key_of("a", None, "run 1", x="B")


def test_no_key_is_claimed_without_a_version_and_a_sequence() -> None:
    """Nothing tells a retry from a new delivery then, so nothing is claimed."""
    assert key_of("a", None, None) is None
    assert entity(b'"_hash":"1"').key is None


def test_the_hash_that_the_hub_sends_has_no_part_in_the_key() -> None:
    """``_hash`` repeats when a value comes back."""
    assert key_of("a", 1, _hash="x") == key_of("a", 1, _hash="y")


TRICKY = st.text(st.sampled_from('a@"\\/1,:'), max_size=6)
VERSIONS = st.integers() | TRICKY
PARTS = st.tuples(TRICKY.filter(bool), VERSIONS | st.none(), TRICKY, st.integers(0, 2))


@settings(max_examples=500, derandomize=True, database=None)
@given(one=PARTS, other=PARTS)
def test_two_entities_share_a_key_only_if_they_are_one_version(
    one: tuple[str, Any, str, int], other: tuple[str, Any, str, int]
) -> None:
    """Whatever the texts are: equal keys for equal versions, other keys for others."""

    def identity(parts: tuple[str, Any, str, int]) -> tuple[object, ...]:
        name, updated, sequence, x = parts
        return (name, type(updated), updated) if updated is not None else (name, None, sequence, x)

    keys = [key_of(name, updated, sequence, x=x) for name, updated, sequence, x in (one, other)]

    assert (keys[0] == keys[1]) == (identity(one) == identity(other))


def words(longest: int) -> list[str]:
    """Every text of these characters, from one to so many."""
    return [
        "".join(each)
        for length in range(1, longest + 1)
        for each in itertools.product('a@"1/', repeat=length)
    ]


def test_no_id_and_version_look_like_another_id_and_version() -> None:
    """All short texts of the characters that a key is made of, and ids that are whole keys.

    Seen to fail when the version is written without its quotes.
    """
    names = {*words(3), key_of("a", 1), key_of("a", "1"), key_of("a", None, "1")}
    versions = [None, 1, 11, 1111, *words(2)]
    owners: dict[str | None, tuple[object, ...]] = {}
    for sequence in ("1", '@"1', "1/1"):
        documents = [
            {"_id": name} | ({} if updated is None else {"_updated": updated})
            for name in names
            for updated in versions
        ]
        for found in read(json.dumps(documents).encode(), sequence):
            version = (type(found.updated), found.updated or sequence)
            owner = owners.setdefault(found.key, (found.id, *version))
            assert owner == (found.id, *version), found.key

    assert len(owners) == len(names) * (len(versions) - 1 + 3)


@pytest.mark.parametrize(
    ("token", "updated"),
    [
        (b'"2020-01-02"', "2020-01-02"),
        (b'""', ""),
        (b'"\\u0061"', "a"),
        (b"0", 0),
        (b"-7", -7),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"null", None),
        (b"true", None),
        (b"1.0", None),
        (b"1e400", None),
        (b"[1]", None),
        (b'{"a":1e400}', None),
        (b"9" * 5000, None),
    ],
)
def test_the_version_is_a_string_or_an_integer(token: bytes, updated: str | int | None) -> None:
    """Everything else is no version, and no reason to fail; a retry is then known by its run."""
    found = entity(b'"_updated": %b' % token, "run")

    assert found.updated == updated
    assert type(found.updated) is type(updated)
    assert found.key is not None
    assert ("/" in found.key) == (updated is None)


@pytest.mark.parametrize(
    ("fields", "deleted"),
    [
        (b'"_deleted":true', True),
        (b'"_deleted" :  true ', True),
        (b'"_deleted":false', False),
        (b'"_deleted":null', False),
        (b'"_deleted":"true"', False),
        (b'"_deleted":1', False),
        (b'"_deleted":[true]', False),
        (b'"deleted":true', False),
        (b'"child":{"_deleted":true}', False),
    ],
)
def test_only_a_literal_true_deletes(fields: bytes, deleted: bool) -> None:
    """All other values mean not deleted, as Sesam's data model says."""
    assert entity(fields).deleted is deleted


@pytest.mark.parametrize(
    ("fields", "replaced"),
    [
        (b'"_deleted":true,"$replaced":true', True),
        (b'"_deleted":true', False),
        (b'"_deleted":true,"$replaced":false', False),
        (b'"_deleted":true,"$replaced":"true"', False),
        (b'"_deleted":true,"child":{"$replaced":true}', False),
    ],
)
def test_an_entity_that_goes_on_under_another_id_is_told_from_a_deleted_one(
    fields: bytes, replaced: bool
) -> None:
    """Both come with ``_deleted``. Only a literal true counts, as with ``_deleted``."""
    found = entity(fields)

    assert found.deleted
    assert found.replaced is replaced


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        (b'"$ids":["~:crm:1","~:a:b:2"]', [Ni("crm:1"), Ni("a:b:2")]),
        (b'"$ids":["~:crm:1",null,"crm:2","~rx",7,["~:a:3"]]', [Ni("crm:1")]),
        (b'"$ids":[]', []),
        (b'"$ids":"~:crm:1"', []),
        (b'"$ids":null', []),
        (b'"$ids":[1E400,%b]' % (b"9" * 5000), []),
        (b'"x":1', []),
    ],
)
def test_the_ids_are_the_namespaced_identifiers_of_the_list(fields: bytes, ids: list[Ni]) -> None:
    """In order, as ``Ni``; what is no identifier is left out, and never an error."""
    found = entity(fields).ids

    assert found == ids
    assert all(type(each) is Ni for each in found)


@pytest.mark.parametrize(
    ("token", "value"),
    [
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"-9223372036854775809", -9223372036854775809),
        (b"1.10", Decimal("1.10")),
        (b"1E400", Decimal("1E+400")),
        (b"-0.0", Decimal("-0.0")),
        (b"0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
        (b"1e5", Decimal("1E+5")),
        (b"-0", 0),
        (b"null", None),
        (b"[true,{}]", [True, {}]),
        (b'"\\ud83d\\ude00 \\u0000"', "😀 \0"),
        (b'"~t2020-01-02"', "~t2020-01-02"),
    ],
)
def test_data_is_exact(token: bytes, value: Any) -> None:
    """Integers of any size, and decimals with every digit that the hub wrote."""
    found = entity(b'"x":%b' % token).data["x"]

    assert found == value
    assert type(found) is type(value)
    assert str(found) == str(value)


@pytest.mark.parametrize("token", [b"9" * 5000, b"1E9999999999999999999999999"])
def test_a_number_that_python_cannot_read_is_rejected_with_its_entity(token: bytes) -> None:
    """The answer is 422 and names the entity, not a bug; its bytes are still there to send."""
    found = entity(b'"x":[%b]' % token)

    with pytest.raises(Rejected) as caught:
        _ = found.data
    assert [(each.id, each.position) for each in caught.value.entities] == [("a", 0)]
    assert token in found.json
    assert found.payload() == b'{"x":[%b]}' % token


def test_data_is_decoded_once() -> None:
    """A second reading gives the same dict, with what was changed in it."""
    found = entity(b'"x":1')
    found.data["x"] = 2

    assert found.data["x"] == 2


def test_json_is_what_the_hub_sent() -> None:
    """Byte for byte: spelling of numbers, whitespace inside, escapes, duplicate keys."""
    one = b'{ "_id" : "1" , "x":1.10, "x":1E5,\n"s":"\\u00e5\xc3\xa5" }'
    two = b'{"_id":"2"}'

    assert [each.json for each in read(b"[ " + one + b" ,\n " + two + b"\n]")] == [one, two]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("plain", b"[1, 2.50,\n{}]"),
        ("null", b"null"),
        ("missing", None),
        ("twice", b"2"),
        ("_id", b'"a"'),
        ("", b"0"),
        ("æ", b"5"),
        ('a"b', b"6"),
        ("a\\b", b"7"),
        ("tab\t", b"8"),
        ("\0", None),
        ("\ud800", None),
    ],
)
def test_a_field_is_taken_verbatim(field: str, value: bytes | None) -> None:
    """Its bytes as the hub sent them, the last one of two, None without one; any name will do."""
    body = (
        b'"plain" :  [1, 2.50,\n{}] , "null":null,"twice":1,"twice":2,"":0,"\xc3\xa6":5,'
        b'"a\\"b":6,"a\\\\b":7,"tab\\t":8,"child":{"missing":1}'
    )

    assert entity(body).payload(field) == value


def test_the_payload_leaves_out_the_reserved_fields_of_the_root_only() -> None:
    """``_`` fields of a child are data, and so are ``$`` fields; values stay verbatim."""
    body = (
        b'"_updated":1,"_deleted":false,"_hash":"h","_previous":null,"x": 1.10 ,'
        b'"$ids":["a"],"child":{"_id":"c", "_deleted":true},"\\u005fhidden":1'
    )

    assert entity(body).payload() == (
        b'{"x":1.10,"$ids":["a"],"child":{"_id":"c", "_deleted":true}}'
    )
    assert read(b'[{"_id":"1"}]')[0].payload() == b"{}"


@pytest.mark.parametrize(
    "identity",
    ["1", " ", "æøå 漢 😀", 'a"b\\c/', "line\nbreak\0", "\u202e", "~:ns:1", "x" * 100_000],
)
def test_any_nonempty_string_is_an_id(identity: str) -> None:
    """Ids are texts without rules; they come out as they went in, escaped or not."""
    for ascii_only in (True, False):
        body = json.dumps([{"_id": identity}], ensure_ascii=ascii_only).encode()
        assert [each.id for each in read(body)] == [identity]


def test_the_repr_of_an_entity_is_short_and_has_no_payload() -> None:
    """It ends up in logs and tracebacks. Seen to fail when the repr shows the bytes."""
    found = read(b'[{"_id":"%b\\n","secret":"CANARY"}]' % (b"x" * 1000))[0]

    assert "CANARY" not in repr(found)
    assert len(repr(found)) < 120
    assert repr(read(b'[{"_id":"a\\nb"}]')[0]) == "<Entity 'a\\\\nb' at 0>"


def test_every_entity_without_an_id_is_named() -> None:
    """All of a chunk's, with position and reason, in one error; never the value."""
    body = b'[{"_id":"1"},{},{"_id":""},{"_id":7},{"_id":null},{"_id":["CANARY"]},{"_id":"2"}]'

    with pytest.raises(Rejected) as caught:
        read(body)

    assert [(each.id, each.position, each.reason) for each in caught.value.entities] == [
        (None, 1, "_id is missing"),
        (None, 2, "_id is empty"),
        (None, 3, "_id is not a string"),
        (None, 4, "_id is not a string"),
        (None, 5, "_id is not a string"),
    ]
    assert "CANARY" not in repr(caught.value.entities)


@pytest.mark.parametrize("item", [b"1", b"null", b'"text"', b"[]", b'[{"_id":"n"}]', b"true"])
def test_an_item_that_is_no_object_is_a_malformed_body(item: bytes) -> None:
    """The hub's own parser drops such items in silence; here the whole request is refused."""
    with pytest.raises(MalformedBody, match="Item 1 of the array is not an object"):
        read(b'[{"_id":"1"}, %b ,{}]' % item)


@pytest.mark.parametrize(
    "body",
    [
        b'[{"_id":"1","_id":"2"}]',
        b'[{"_id":"1","_id":"1"}]',
        b'[{"_id":"1"},{"_id":"2","a":1,"_deleted":false,"_deleted":true}]',
        b'[{"_id":"1","_updated":1,"_updated":2},{"_id":"2","_updated":1}]',
        b'[{"_id":"1","\\u005fid":"2"}]',
        b'[{"_id":"1","_deleted":true,"_\\u0064eleted":false}]',
        b'[{"_id" : "1" , "_id" : "2"}]',
        b'[{"_id":"1","n":' + b"9" * 5000 + b',"_id":"2"}]',
        b'[{"_id":"1","x":[[]],"_deleted":true,"y":{"_deleted":1},"_deleted":false}]',
        b'[{"_id":"1","\\u005f\\u0069\\u0064":"2"}]',
        b'[{"_id":"1","_updated":1,"_upd\\u0061te\\u0064":2}]',
    ],
)
def test_a_reserved_field_that_stands_twice_is_refused(body: bytes) -> None:
    """Two readers could take two different ones: neither which entity nor whether it is deleted.

    Seen to fail when escapes in keys are not looked at, and when only _id is counted.
    """
    with pytest.raises(MalformedBody, match="more than once"):
        read(body)


@pytest.mark.parametrize(
    "body",
    [
        b'[{"_id":"1","a":1,"a":2}]',
        b'[{"_id":"1","_hash":"x","_hash":"y"}]',
        b'[{"_id":"1","$children":[{"_id":"2"},{"_id":"3","_deleted":true}]}]',
        b'[{"_id":"_id","x":"_deleted","y":["_updated","_updated"]}]',
        b'[{"_id":"1","x":"\\u0041"}]',
        b'[{"_id":"1","my_id":"2","other_id":"3"}]',
        b'[{"_id":"1","a\\"_id":"2","x":[{}],"\\\\_id":"3"}]',
        b'[{"_id":"1","x":{"_id":"2","_id":"3","_updated":1},"_updated":1}]',
        b'[{"_updated":1,"x":[[{"_deleted":1}]],"_id":"1","_deleted":true}]',
        b'[{"_id":"1","x":"\\"_\\u0069d\\":","y":"_\\u0069d"}]',
        b'[{ "_id":"1","x":[ { "_id":"2" },{ "_id":"3" }]}]',
    ],
)
def test_whatever_else_stands_twice_passes_untouched(body: bytes) -> None:
    """Only the root's _id, _deleted and _updated decide what happens to an entity."""
    assert b"[" + b",".join(each.json for each in read(body)) + b"]" == body


@pytest.mark.parametrize(
    "body",
    [
        b'[{"_id":"1","_updated":1,"_updated":2},{"_id":"2","_updated":1,"_updated":2}]',
        b'[{"_id":"1","_id":"1"},{"_id":"2","_id":"2"}]',
        b'[{"_id":"1","_deleted":true,"_deleted":true},{"_id":"2"}]',
        b'[{"_id":"1"},{"_id":"2","_deleted":true,"_deleted":true}]',
        b'[{"_id":"1","_deleted":1,"_deleted":2},{"_id":"2","_updated":1,"_updated":2}]',
        b'[{"_id":"1","_deleted":1,"_id":"2"},{"_id":"3","_deleted":1,"_id":"4"}]',
        b'[{"_deleted":1,"_deleted":2,"_id":"1"},{"_id":"2"}]',
        b'[{"_id":"1","x":{"_id":"0"},"_updated":1},{"_id":"2","_updated":1,"_updated":2},{"_id":"3"}]',
    ],
)
def test_repetition_is_found_where_all_or_some_entities_repeat(body: bytes) -> None:
    """Alike entities are checked together: a field that each has twice is still there twice.

    Seen to fail when only the number of fields is looked at, when it is not looked at whether
    the fields of one entity differ, and when not whether each entity has them.
    """
    with pytest.raises(MalformedBody, match="more than once"):
        read(body)


@pytest.mark.parametrize("begin", ['{"_id":"%s"', '{ "_id" : "%s"', '{"x":1,"_id":"%s"'])
@pytest.mark.parametrize("odd", ['{"_id":""', '{"_id":7', '{"_id":null', '{"_ix":"1"', '{"x":"1"'])
def test_one_wrong_id_among_alike_entities_is_found(begin: str, odd: str) -> None:
    """However the others are spelled. Seen to fail when an empty text is as good as any."""
    good = [begin % number + ',"_deleted":false}' for number in range(9)]
    wrong = odd + ',"_deleted":false}'

    for at in range(10):
        body = "[" + ",".join([*good[:at], wrong, *good[at:]]) + "]"
        with pytest.raises(Rejected) as caught:
            read(body.encode())
        assert [each.position for each in caught.value.entities] == [at]


RESERVED = ("_id", "_deleted", "_updated")
KEYS = st.sampled_from(
    [
        *('"_id"', '"_deleted"', '"_updated"', '"x"', '"my_id"', '"_id" ', '"[{"'),
        *('"\\u005fid"', '"_\\u0064eleted"', '"a\\"_id"', '"\\\\_updated"'),
    ]
)
VALUES = st.sampled_from(
    [
        *('"1"', '""', "7", '"_deleted"', '["_updated"]', '"\\\\"', '"}]\\"_id"', '{"_id":"2"}'),
        '{"_deleted":1,"_updated":2,"_id":"3","_id":"4"}',
        '[[{ "_id":"2"}],{"x":{"_updated":1}}]',
    ]
)
SPELLED = st.lists(st.tuples(KEYS, VALUES), max_size=4)
ORDINARY = st.tuples(st.sampled_from(['"_deleted"', '"_updated"']), st.just("7"))
WITH_ID = st.builds(
    lambda rest: [('"_id"', '"1"'), *rest], SPELLED | st.lists(ORDINARY, max_size=2)
)


def verdict(documents: list[str]) -> type[Exception] | None:
    """What is wrong with some entities, found out one at a time with Python's own parser."""
    pairs = [json.loads(each, object_pairs_hook=list) for each in documents]
    ids = [[value for key, value in each if key == "_id"] for each in pairs]
    if not all(each and all(value and isinstance(value, str) for value in each) for each in ids):
        return Rejected
    keys = [[key for key, _ in each] for each in pairs]
    return MalformedBody if any(each.count(key) > 1 for each in keys for key in RESERVED) else None


@settings(max_examples=1_500, derandomize=True, database=None)
@given(
    shapes=st.lists(WITH_ID | SPELLED, min_size=1, max_size=3), order=st.lists(st.integers(0, 2))
)
def test_entities_are_checked_together_as_each_would_be_alone(
    shapes: list[list[tuple[str, str]]], order: list[int]
) -> None:
    """Whatever reserved fields entities have, alike or not: the same verdict as one by one.

    Seen to fail when the fields of all entities are counted without a look at whose they are.
    """
    chosen = [shapes[at % len(shapes)] for at in order]
    documents = ["{" + ",".join(f"{key}:{value}" for key, value in each) + "}" for each in chosen]
    expected = verdict(documents)
    body = f"[{','.join(documents)}]".encode()

    if expected:
        with pytest.raises(expected):
            read(body)
    else:
        assert [each.json.decode() for each in read(body)] == documents
