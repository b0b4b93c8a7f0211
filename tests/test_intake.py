"""A schema holds for every entity of a request before an author's code sees the first one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

from sesam_connector_sdk import Batch, Entity, Settings, Sink, Transform
from sesam_connector_sdk.errors import Misuse
from sesam_connector_sdk.schema import SchemaCheck
from tests.wire import Client

Serving = Callable[..., Client]

SCHEMA: Mapping[str, Any] = {
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "price": {"type": "number", "maximum": 10.1},
        "tags": {"items": {"type": "string"}},
        "within": {"allOf": [{"allOf": [{"allOf": [{"$ref": "#"}]}]}]},
    },
}


class Seeing:
    """What both kinds have here: the ids of the entities that the author's code was given."""

    seen: ClassVar[list[str]]


class CheckedSink(Sink[Settings], Seeing):
    """Takes everything that keeps to the schema."""

    schema = SCHEMA

    def write(self, batch: Batch) -> None:
        """Take all."""
        self.seen.extend(entity.id for entity in batch)


class CheckedTransform(Transform[Settings], Seeing):
    """Passes on everything that keeps to the schema."""

    schema = SCHEMA

    def transform(self, entity: Entity) -> Entity:
        """Pass it on."""
        self.seen.append(entity.id)
        return entity


@pytest.fixture(params=[CheckedSink, CheckedTransform], ids=["sink", "transform"])
def kind(request: pytest.FixtureRequest) -> Any:
    """A class of either kind that has seen nothing yet."""
    request.param.seen = []
    return request.param


def test_entities_that_keep_to_the_schema_are_taken(kind: Any, serving: Serving) -> None:
    """As if there were none; an empty batch too."""
    client = serving(kind(Settings()))

    assert (
        client.post([{"_id": "1", "name": "a", "price": 10.1}, {"_id": "2", "name": "b"}]).status
        == 200
    )
    assert client.post([]).status == 200
    assert kind.seen == ["1", "2"]


def test_every_entity_that_breaks_the_schema_is_named(kind: Any, serving: Serving) -> None:
    """By ``_id``, place and rule, without a value, and nothing is done about the others.

    Seen to fail when each entity is checked as it comes, when the first one ends the check, and
    when there is no check.
    """
    reply = serving(kind(Settings())).post(
        [
            {"_id": "1", "name": "good"},
            {"_id": "2", "price": 10.2, "secret": "CANARY"},
            {"_id": "3", "name": "a", "tags": ["x", {"CANARY": 1}]},
        ]
    )

    document = reply.document
    assert (reply.status, document["type"]) == (422, "urn:sesam-connector:rejected")
    assert document["entities"] == [
        {"_id": "2", "position": 1, "reason": "$.price: must be at most 10.1; $: misses name"},
        {"_id": "3", "position": 2, "reason": "$.tags[1]: must be string, not an object"},
    ]
    assert document["detail"] == (
        "2 of 3 entities break the connector's schema:"
        " $.price: must be at most 10.1; $: misses name"
    )
    assert "CANARY" not in reply.body.decode()
    assert kind.seen == []


def test_a_fault_at_the_end_of_a_large_body_is_found_first(kind: Any, serving: Serving) -> None:
    """Also where the body is read in pieces; numbers are as exact as they came."""
    good = b'{"_id":"1","name":"%b","price":10.1000000000000000000000}' % (b"x" * 1000)
    bad = b'{"_id":"2","name":"x","price":10.1000000000000000000001}'

    reply = serving(kind(Settings())).send(body=b"[" + (good + b",") * 1500 + bad + b"]")

    assert reply.status == 422
    assert [each["_id"] for each in reply.document["entities"]] == ["2"]
    assert kind.seen == []


def test_what_is_no_entity_is_told_as_such(kind: Any, serving: Serving) -> None:
    """The schema is asked about entities only."""
    client = serving(kind(Settings()))

    assert client.post([{"name": 1}]).document["entities"][0]["reason"] == "_id is missing"
    assert client.send(body=b"[7]").status == 400


def test_what_cannot_be_checked_is_refused_with_its_entity(kind: Any, serving: Serving) -> None:
    """It is the data's fault: a number that Python cannot read, a nesting that is too deep.

    Seen to fail as a bug of the connector.
    """
    client = serving(kind(Settings()), max_depth=200)
    deep = b'{"_id":"deep","name":"x","within":' + b'{"name":"x","within":' * 190
    long = b'{"_id":"long","name":"x","price":%b}' % (b"9" * 5000)

    reply = client.send(body=b"[" + deep + b"{}" + b"}" * 191 + b"," + long + b"]")

    assert reply.status == 422
    assert [(each["_id"], each["reason"]) for each in reply.document["entities"]] == [
        ("deep", "it is nested too deeply for the schema"),
        ("long", "a number in it cannot be read"),
    ]


def test_the_check_is_made_once(
    kind: Any, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes long to make; so it is made with the connector, and for each request again never."""

    class Counted(SchemaCheck):
        made = 0

        def __init__(self, schema: Mapping[str, Any]) -> None:
            Counted.made += 1
            super().__init__(schema)

    monkeypatch.setattr("sesam_connector_sdk.intake.SchemaCheck", Counted)
    client = serving(kind(Settings()))

    assert [client.post([{"_id": "1"}]).status for _ in range(3)] == [422] * 3
    assert Counted.made == 1


def test_a_schema_that_is_none_is_refused_before_the_first_request(kind: Any) -> None:
    """With the place in it."""
    wrong = type("Wrong", (kind,), {"schema": {"properties": {"a": {"type": "text"}}}})

    with pytest.raises(Misuse, match=r"Wrong\.schema: .*\$\.properties\.a\.type"):
        wrong(Settings())


def test_without_a_schema_there_is_no_check_and_no_library() -> None:
    """Jsonschema is an extra; an image without it runs."""
    code = (
        "import sys, sesam_connector_sdk as sdk\n"
        "class Plain(sdk.Transform):\n"
        "    def transform(self, entity): return entity\n"
        "print(Plain(sdk.Settings()).schema_check, 'jsonschema' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "None False\n"


def test_the_schema_of_a_subclass_is_its_own(kind: Any, serving: Serving) -> None:
    """Inherited, replaced, or taken away."""
    free = type("Free", (kind,), {"schema": None})
    entities = json.dumps([{"_id": "1"}]).encode()

    assert serving(type("Same", (kind,), {})(Settings())).send(body=entities).status == 422
    assert serving(free(Settings())).send(body=entities).status == 200
