"""What becomes of entities, by what the hub reads of the answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sesam_connector_sdk import SettingsError
from sesam_connector_sdk.testing import opened, running, transform

from schema_router import RouterSettings, SchemaRouter

CANARY = "CANARY"
"""What every secret of these tests holds, and every payload that nobody may see.

In the repository that this project is from, all output of each test is searched for it.
"""

PASSWORD = f"{CANARY}-password"
GUARDED = {"AUTHENTICATION": "basic", "AUTH_USERNAME": "me", "AUTH_PASSWORD": PASSWORD}
CREDENTIALS = {"Authorization": "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order": {"type": "string", "pattern": "^[A-Z][0-9]+$"},
        "price": {"type": "number", "minimum": 0.1},
        "lines": {"type": "array", "items": {"type": "integer"}},
        "schema:problems": False,
    },
    "required": ["order"],
    "additionalProperties": False,
}
GOOD = [
    b'{"_id": "1", "_updated": 7, "_hash": "CANARY", "order": "A1", "price": 1.10, "lines": [1.0]}',
    b'{"order":"B2","_id":"2","price":123456789012345678901234567890.5,"lines":[ ]}',
    b'{"_id":"3", "order":"\\u004133", "price": 1E5}',
]
BAD = b'{"_id":"4","_updated":8,"price":0.10,"order":"CANARY","lines":[1,"CANARY"],"more":1E30}'
DELETED = b'{"_id": "5", "_deleted": true, "order": 5}'


@pytest.fixture
def router() -> Iterator[SchemaRouter]:
    """The transform, opened."""
    with opened(SchemaRouter(RouterSettings(entity_schema=SCHEMA))) as made:
        yield made


def array(*entities: bytes) -> bytes:
    """A request's body, or an answer's."""
    return b"[" + b",".join(entities) + b"]"


def test_what_holds_to_the_schema_passes_byte_for_byte(router: SchemaRouter) -> None:
    """Numbers, escapes and spaces, too; the hub's own properties are no part of what is checked.

    Seen to fail when a good entity is given back as a dict, and when `_` properties are checked.
    """
    assert transform(router, array(*GOOD)).body == array(*GOOD)


def test_what_breaks_it_says_where_and_stays_otherwise_as_it_was(router: SchemaRouter) -> None:
    """Each place and its rule, never a value; all properties are there, numbers exact."""
    (found,) = transform(router, array(BAD)).entities

    assert found.pop("schema:problems") == [
        "$.lines[1]: must be integer, not a string",
        "$.order: must match the pattern ^[A-Z][0-9]+$",
        "$: has properties that it must not have",
    ]
    assert found == {
        "_id": "4",
        "_updated": 8,
        "price": Decimal("0.10"),
        "order": CANARY,
        "lines": [1, CANARY],
        "more": Decimal("1E30"),
    }
    assert str(found["price"]) == "0.10"


def test_a_limit_is_compared_exactly(router: SchemaRouter) -> None:
    """0.1 is no less than 0.1, and 0.09999999999999999999 is."""
    bodies = [f'{{"_id":"1","order":"A1","price":{price}}}' for price in ("0.1", f"0.0{'9' * 20}")]
    found = transform(router, array(*(each.encode() for each in bodies))).entities

    assert ["schema:problems" in each for each in found] == [False, True]


def test_good_and_bad_keep_their_order(router: SchemaRouter) -> None:
    """None is left out, none is made: the pipes behind it choose."""
    batch = [{"_id": str(n), "order": "A1" if n % 3 else n} for n in range(250)]
    found = transform(router, batch).entities

    assert [each["_id"] for each in found] == [each["_id"] for each in batch]
    assert [int(each["_id"]) for each in found if "schema:problems" in each] == [*range(0, 250, 3)]


def test_a_deleted_entity_passes_unchecked(router: SchemaRouter) -> None:
    """It is gone, whatever it was; both pipes must hear of it.

    Seen to fail when it is checked.
    """
    assert transform(router, array(DELETED)).body == array(DELETED)


def test_what_was_mended_loses_its_mark(router: SchemaRouter) -> None:
    """An entity that comes this way again is marked for what it is now."""
    stale = {"schema:problems": ["$: was bad"]}
    good, bad = {"_id": "1", "order": "A1", **stale}, {"_id": "2", "order": 1, **stale}
    found = transform(router, [good, bad]).entities

    assert found[0] == {"_id": "1", "order": "A1"}
    assert found[1]["schema:problems"] == ["$.order: must be string, not an integer"]


def test_a_long_list_of_problems_is_cut(router: SchemaRouter) -> None:
    """Twenty places, and how many more there are."""
    (found,) = transform(router, [{"_id": "1", "order": "A1", "lines": [CANARY] * 50}]).entities

    assert len(found["schema:problems"]) == 21
    assert found["schema:problems"][20] == "and 30 more"


def test_a_schema_that_does_not_come_to_an_end_makes_everything_bad() -> None:
    """It calls itself on the same value: the entity is marked, and the request is no bug.

    Seen to fail without `except RecursionError`.
    """
    endless = RouterSettings(entity_schema={"allOf": [{"$ref": "#"}]})
    with opened(SchemaRouter(endless)) as router:
        (found,) = transform(router, [{"_id": "1"}]).entities

    assert found["schema:problems"] == ["$: is nested too deeply for the schema"]


def test_a_bad_entity_with_a_broken_text_goes_through(router: SchemaRouter) -> None:
    """A text that is no decimal, though it begins like one, is mended; its entity is marked.

    Seen to fail with the strict policy, which refuses the whole request.
    """
    answer = transform(router, [{"_id": "1", "order": "~fnone"}])

    assert answer.accepted
    assert "schema:problems" in answer.entities[0]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"order":"A1"}]', array(BAD)[:-1]])
def test_what_is_no_array_of_entities_is_refused(router: SchemaRouter, body: bytes) -> None:
    """The schema is about entities; a request that holds none is the caller's fault."""
    assert transform(router, body).status in (400, 422)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("", "ENTITY_SCHEMA is not set"),
        ("[]", "ENTITY_SCHEMA is not JSON"),
        ('{"type": "order"}', "no JSON Schema: $.type"),
        ('{"$ref": "#/$defs/order"}', "has no #/$defs/order"),
        ('{"$ref": "https://example.org/order"}', "another document"),
        ('{"$schema": "http://json-schema.org/draft-07/schema#"}', "another draft"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: str, problem: str) -> None:
    """The process does not start, and says what is wrong."""
    with pytest.raises(SettingsError) as refused:
        RouterSettings.from_env({"ENTITY_SCHEMA": schema})

    (line,) = refused.value.problems
    assert problem in line


def test_the_process_answers_and_ends_on_sigterm(capfd: pytest.CaptureFixture[str]) -> None:
    """The connector as the image runs it: it answers, and stops when the node says so.

    It asks for a password, and tells nobody that, nor what it was sent.
    """
    own = {"ENTITY_SCHEMA": json.dumps(SCHEMA), "LOG_LEVEL": "DEBUG"}
    with running("schema_router", **own, **GUARDED) as connector:
        good = array(*GOOD, DELETED)
        assert connector.post(good, headers=CREDENTIALS) == (200, good)
        status, body = connector.post(array(BAD), headers=CREDENTIALS)
        refused = [connector.post(good), connector.post(array(BAD)[:-1], headers=CREDENTIALS)]

        assert status == 200
        assert body.startswith(b'[{"_id":"4","_updated":8,"price":0.10,')
        assert body.count(CANARY.encode()) == BAD.count(CANARY.encode())
        assert [status for status, _ in refused] == [401, 400]
    for _, text in refused:
        assert_silent(text.decode(), "an answer")
    log = capfd.readouterr().out
    assert "POST / 200" in log
    assert_silent(log, "the connector's log")


def assert_silent(text: str, where: str) -> None:
    """Fail if a text tells a secret, as it is or in Base64; show nothing but the place."""
    for number, line in enumerate(text.splitlines(), 1):
        if CANARY in line or base64.b64encode(CANARY.encode()).decode() in line:
            pytest.fail(f"a secret is in line {number} of {where}", pytrace=False)


@pytest.mark.parametrize("secret", [PASSWORD, CREDENTIALS["Authorization"]], ids=["it", "base64"])
def test_a_secret_that_is_told_is_found(secret: str) -> None:
    """The failure does not tell it again."""
    with pytest.raises(pytest.fail.Exception) as failure:
        assert_silent(f"INFO x: ready\nINFO x: {secret}\n", "its log")

    assert str(failure.value) == "a secret is in line 2 of its log"
