"""What an author's transform returns becomes JSON, in order, or one typed error."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sesam_connector_sdk import (
    ConnectorError,
    Entity,
    Rejected,
    Request,
    Settings,
    TargetUnavailable,
    Transform,
)
from sesam_connector_sdk.body import Body
from sesam_connector_sdk.errors import Misuse, Unsendable
from sesam_connector_sdk.transform import transformed
from sesam_connector_sdk.transit import decode
from tests.transforms import (
    Copy,
    CopyTogether,
    HelpAwayError,
    Identity,
    MendedCopy,
    ObedientTransform,
)

NUMBERS = [
    *["0", "-0.0", "1", "1.10", "1.0", "0.1", "100000000000000000000000000000", "1" * 30],
    *["-9223372036854775809", "18446744073709551616", "12345678901234567890.12345678901234567890"],
    *["1E5", "1e5", "1.50E+10", "1E-7", "0.00000001", "5e-324"],
]
TEXTS = [
    *["", "æøå", "𝄞 and 😀", 'a "quote" and a \\', "line\nend\ttab\u0001", "\u2028", "</script>"]
]


def made(transform: Transform[Any], body: bytes, request: Request | None = None) -> list[bytes]:
    """The JSON of each entity that a transform makes of a request."""
    entities = Body(io.BytesIO(body))
    entities.validate()
    return list(transformed(transform, entities, request or Request()))


def obeyed(*orders: str) -> list[Any]:
    """What the obedient transform makes of one entity for each order, their ids 0, 1, 2 and on."""
    entities = [{"_id": str(at), "do": order} for at, order in enumerate(orders)]
    return [
        json.loads(each)
        for each in made(ObedientTransform(Settings()), json.dumps(entities).encode())
    ]


def named(error: ConnectorError) -> list[tuple[str | None, int, str]]:
    """The entities that an error names."""
    return [(each.id, each.position, each.reason) for each in error.entities]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", [Copy, CopyTogether])
def test_a_number_that_is_passed_on_is_exactly_what_it_was(
    kind: type[Transform[Any]], number: str
) -> None:
    """Every digit, also a zero behind the point.

    Seen to fail when entities are decoded with floats.
    """
    (found,) = made(kind(Settings()), b'[{"_id":"1","x":%b}]' % number.encode())

    shown = json.loads(found, parse_float=Decimal, parse_int=Decimal)["x"]
    assert shown.as_tuple() == Decimal(number).as_tuple()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", [Copy, CopyTogether])
def test_a_text_that_is_passed_on_is_exactly_what_it_was(
    kind: type[Transform[Any]], text: str
) -> None:
    """However the hub had escaped it."""
    for ascii_only in (True, False):
        body = json.dumps([{"_id": "1", text: [text]}], ensure_ascii=ascii_only).encode()

        assert [json.loads(each) for each in made(kind(Settings()), body)] == json.loads(body)


def test_an_entity_that_is_returned_itself_is_sent_byte_for_byte() -> None:
    """Spaces, escapes, repeated keys and the spelling of numbers stay."""
    item = b'{ "_id": "\\u0031", "x": 1.10E+05, "y": 1, "y": 2, "z": "\\/" }'

    assert made(Identity(Settings()), b"[" + item + b"]") == [item]


def test_the_order_is_kept_through_what_is_left_out_and_what_is_added() -> None:
    """None and an empty iterable leave out, several create, each in its place."""
    found = obeyed("take", "leave out", "two", "nothing", "take")

    assert [each["_id"] for each in found] == ["0", "2-0", "2-1", "4"]


def test_a_result_without_an_id_gets_the_entitys() -> None:
    """At the front, where people look for it."""
    assert made(ObedientTransform(Settings()), b'[{"_id":"a","do":"without id"}]') == [
        b'{"_id":"a","made":true}'
    ]
    assert obeyed("two, one without id") == [{"_id": "0", "made": 1}, {"_id": "own"}]


def test_several_results_without_an_id_are_a_bug() -> None:
    """They would share one, and the hub would keep only the last: fewer entities than were made.

    Seen to fail when each simply gets the entity's.
    """
    with pytest.raises(Misuse, match="several entities without an _id"):
        obeyed("two without id")


@pytest.mark.parametrize(("order", "kind"), [("text", "str"), ("number", "int")])
def test_what_is_no_result_is_a_bug(order: str, kind: str) -> None:
    """The error names the type and not the value. A text is not taken for its letters."""
    with pytest.raises(Misuse, match=f"not {kind}") as caught:
        obeyed(order)

    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("order", "identity", "reason"),
    [
        ("texts", None, "it is a str and no dict"),
        ("no id", None, "_id is missing"),
        ("empty id", None, "_id is empty"),
        ("NaN", "1", "$.x is NaN or infinite"),
        ("object", "1", "$.x is a object: no JSON value and no typed value"),
        ("stray", "1", "$.x begins with ~t and is no valid date or time in UTC"),
        ("NaN in the data", "1", "$.x is NaN or infinite"),
    ],
)
def test_what_the_hub_would_not_read_back_is_not_sent(
    order: str, identity: str | None, reason: str
) -> None:
    """The error says where and why, and which entity it was made of.

    Seen to fail with a plain JSON encoder, which sends null for NaN, and, for the last one, when
    the data that the transform has changed is taken for the hub's.
    """
    with pytest.raises(Unsendable) as caught:
        obeyed("take", order)

    (found,) = named(caught.value)
    assert found[:2] == (identity, 1)
    assert found[2].startswith(reason)


UNREADABLE = [b"1e400", b'"~tomorrow"', b'"a\\u0000b"']


@pytest.mark.parametrize("value", UNREADABLE)
@pytest.mark.parametrize("kind", [Copy, CopyTogether])
def test_an_entity_that_could_not_be_sent_back_as_it_came_is_rejected(
    kind: type[Transform[Any]], value: bytes
) -> None:
    """It is the data's fault and not the transform's: to try again would not help.

    Seen to fail when it is answered as a bug.
    """
    body = b'[{"_id":"a"},{"_id":"b","x":%b}]' % value

    with pytest.raises(Rejected) as caught:
        made(kind(Settings()), body)

    assert [found[:2] for found in named(caught.value)] == [("b", 1)]
    assert named(caught.value)[0][2].startswith("$.x ")
    assert b"".join(made(Identity(Settings()), body)).endswith(b'"x":%b}' % value)


@pytest.mark.parametrize("kind", [Copy, CopyTogether])
def test_a_deleted_that_came_and_deletes_nothing_is_rejected(kind: type[Transform[Any]]) -> None:
    """It is the data's fault; the entity itself may go back as it came."""
    body = b'[{"_id":"a","_deleted":true},{"_id":"b","_deleted":1}]'

    with pytest.raises(Rejected) as caught:
        made(kind(Settings()), body)

    assert named(caught.value) == [("b", 1, "_deleted is of type int, and only True deletes")]
    assert b"".join(made(Identity(Settings()), body)).endswith(b'{"_id":"b","_deleted":1}')


def test_texts_are_mended_where_the_transform_says_so() -> None:
    """With the policy of its class."""
    assert made(MendedCopy(Settings()), b'[{"_id":"a","x":"~tomorrow"}]') == [
        b'{"_id":"a","x":" ~tomorrow"}'
    ]


def test_typed_values_are_sent_as_the_hub_reads_them() -> None:
    """A number of the hub's stays a number; what is typed is typed."""

    class Typing(Transform[Settings]):
        def transform(self, entity: Entity) -> dict[str, Any]:
            return {
                "plain": entity.data["price"],
                "typed": decode(entity.data["typed"]),
                "time": datetime(2026, 1, 2, tzinfo=UTC),
            }

    assert made(Typing(Settings()), b'[{"_id":"a","price":1.10,"typed":"~f1.10"}]') == [
        b'{"_id":"a","plain":1.10,"typed":"~f1.10","time":"~t2026-01-02T00:00:00.000000Z"}'
    ]


def test_a_rejection_names_its_entity() -> None:
    """The author says only why. Seen to fail when the SDK does not add the entity."""
    with pytest.raises(Rejected) as caught:
        obeyed("take", "Rejected", "take")

    assert named(caught.value) == [("1", 1, "It has no amount.")]
    assert caught.value.detail == "It has no amount."


def test_a_rejection_from_a_generator_names_its_entity() -> None:
    """The body of a generator runs later than the call."""
    with pytest.raises(Rejected) as caught:
        obeyed("take", "take", "late")

    assert named(caught.value) == [("2", 2, "It has no amount.")]


def test_a_rejection_that_names_entities_is_left_alone() -> None:
    """Where the author knows better."""

    class Knowing(Transform[Settings]):
        def transform_batch(
            self,
            entities: Iterable[Entity],
            request: Request,  # noqa: ARG002  # what an author may leave unused
        ) -> Iterable[dict[str, Any]]:
            raise Rejected("No.", entities=[each.problem("it is odd") for each in entities])

    with pytest.raises(Rejected) as caught:
        made(Knowing(Settings()), b'[{"_id":"a"},{"_id":"b"}]')

    assert named(caught.value) == [("a", 0, "it is odd"), ("b", 1, "it is odd")]


def test_a_number_that_python_cannot_read_is_rejected_with_its_entity() -> None:
    """It can be passed on, but not decoded."""
    body = b'[{"_id":"a"},{"_id":"b","x":%b}]' % (b"9" * 5000)

    with pytest.raises(Rejected) as caught:
        made(Copy(Settings()), body)

    assert named(caught.value) == [("b", 1, "a number in it cannot be read")]
    assert made(Identity(Settings()), body)[1].count(b"9") == 5000


def test_a_retryable_exception_means_that_help_is_away() -> None:
    """503 instead of a bug; the error names the class, and not the text, which may be data."""
    with pytest.raises(TargetUnavailable) as caught:
        obeyed("HelpAwayError")

    assert "(HelpAwayError)" in caught.value.detail
    assert "CANARY" not in caught.value.detail
    assert isinstance(caught.value.__cause__, HelpAwayError)


def test_sys_exit_is_a_bug() -> None:
    """It would end the server's thread and leave the hub without an answer."""
    with pytest.raises(RuntimeError, match=r"sys\.exit"):
        obeyed("SystemExit")


def test_a_stray_stop_iteration_is_a_bug_and_never_the_end() -> None:
    """A bare ``next`` in an author's code must not look like fewer entities."""
    with pytest.raises(RuntimeError):
        obeyed("take", "StopIteration", "take")


def test_together_sees_the_request_and_all_entities_more_than_once() -> None:
    """And what is made of them keeps the order in which it is made."""

    class Backwards(Transform[Settings]):
        def transform_batch(
            self, entities: Iterable[Entity], request: Request
        ) -> Iterator[dict[str, Any] | Entity]:
            count = len(list(entities))
            yield {"_id": request.query["name"], "count": count}
            yield from sorted(entities, key=lambda each: each.id)

    found = made(
        Backwards(Settings()), b'[{"_id":"b"},{"_id":"a"}]', Request(query={"name": "sum"})
    )

    assert found == [b'{"_id":"sum","count":2}', b'{"_id":"a"}', b'{"_id":"b"}']


def test_entities_are_transformed_one_after_the_other_as_they_are_asked_for() -> None:
    """Nothing runs ahead of the answer, so memory stays bounded."""
    transform = ObedientTransform(Settings())
    entities = Body(io.BytesIO(b'[{"_id":"a"},{"_id":"b"},{"_id":"c"}]'))
    entities.validate()
    found = transformed(transform, entities, Request())

    assert transform.seen == []
    next(found)
    assert transform.seen == ["a"]
    next(found)
    assert transform.seen == ["a", "b"]
