"""A request that is wrong leaves nothing in any queue, and its answer says what is wrong."""

from __future__ import annotations

import json

import pytest
from service_bus_emulator import Emulator

from .processes import SinkProcess, process
from .support import (
    CANARY,
    Answer,
    LocalSink,
    assert_silent,
    bodies,
    by_connection_string,
    ids,
    local,
    variables,
)

GOOD = {"_id": "good", "text": CANARY}


def assert_untouched(emulator: Emulator, queue: str) -> None:
    """Nothing was sent to the queue, not even something that was refused."""
    stats = emulator.stats(queue)
    assert (stats.transfers_received, bodies(emulator, queue)) == (0, [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b'[{"_id":"1","text":"' + CANARY.encode() + b'"}', 400),
        (b'[{"_id":"1"},{"_id":"2","text":' + CANARY.encode() + b"}]", 400),
        (b'[{"_id":"1"},"' + CANARY.encode() + b'"]', 400),
        (b'[{"_id":"1"},{"_id":"\xff' + CANARY.encode() + b'"}]', 400),
        (b'[{"_id":"1"},{"text":"' + CANARY.encode() + b'"}]', 422),
        (b'[{"_id":"1"},{"_id":""}]', 422),
        (b'[{"_id":"1"},{"_id":7}]', 422),
    ],
    ids=[
        "empty",
        "not-an-array",
        "truncated",
        "not-json",
        "not-an-object",
        "not-utf-8",
        "no-id",
        "empty-id",
        "id-is-a-number",
    ],
)
def test_a_broken_body_leaves_nothing_in_the_queue(
    emulator: Emulator, sink: SinkProcess, queue: str, body: bytes, status: int
) -> None:
    """A body that breaks at its second entity does not deliver its first.

    Seen to fail without the SDK's reading of the whole body before `write`.
    """
    answer = sink.post(f"/{queue}", body)
    assert answer.status == status
    assert_untouched(emulator, queue)
    assert_silent(sink.log, "the sink's stdout")


def test_a_large_body_that_breaks_at_its_end_leaves_nothing_either(
    emulator: Emulator, queue: str
) -> None:
    """Thousands of good entities, enough for hundreds of sends, stand before the wrong one.

    Seen to fail when entities are sent while the body is still being checked.
    """
    entities = [{"_id": f"{number}", "text": CANARY * 5} for number in range(3000)]
    with local(variables(emulator, MAX_BATCH_MESSAGES="10")) as sink:
        assert sink.post(f"/{queue}", [*entities, {}]).status == 422
    assert_untouched(emulator, queue)


def test_one_entity_without_the_payload_field_stops_the_batch(
    emulator: Emulator, queue: str
) -> None:
    """Of many entities one lacks the field of PAYLOAD_KEY: 422 names it, and nothing is sent.

    Seen to fail when the field is looked for while sending.
    """
    entities = [{"_id": f"e{n}", "text": CANARY, "more": CANARY} for n in range(1000)]
    del entities[700]["text"]
    with process(variables(emulator, PAYLOAD_KEY="text")) as sink:
        answer = sink.post(f"/{queue}", entities)
    assert (answer.status, answer.named) == (422, ["e700"])
    assert "'text'" in answer.document["entities"][0]["reason"]
    assert_untouched(emulator, queue)


def test_every_entity_without_the_payload_field_is_counted(emulator: Emulator, queue: str) -> None:
    """Where many lack the field, the answer names some and counts all."""
    with local(variables(emulator, PAYLOAD_KEY="text")) as sink:
        answer = sink.post(f"/{queue}", [{"_id": f"e{number}"} for number in range(100)])
    assert (answer.status, answer.document["entities_total"]) == (422, 100)
    assert answer.named == [f"e{number}" for number in range(20)]
    assert_untouched(emulator, queue)


def test_a_payload_that_is_null_is_a_payload(emulator: Emulator, queue: str) -> None:
    """A field with the value null is there: it is sent as null, like the published example."""
    with local(variables(emulator, PAYLOAD_KEY="text")) as sink:
        assert sink.post(f"/{queue}", [{"_id": "1", "text": None}]).status == 200
    assert bodies(emulator, queue) == [b"null"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a//b",
        "/-a",
        "/a-",
        "/a.",
        "/a b",
        "/a%20b",
        "/a%00b",
        "/a%0d%0ab",
        "/a%3Fb",
        "/a%23b",
        "/a@b",
        "/a:b",
        "/$cbs",
        "/queue/$management",
        "/queue/$DeadLetterQueue",
        "/../queue",
        "/%2e%2e/queue",
        "/" + "a" * 261,
        "/k%C3%B8",
        "/K",
        "/amqps:%2f%2fevil.example/queue",
    ],
)
def test_what_cannot_be_the_name_of_a_queue_is_refused(here: LocalSink, path: str) -> None:
    """A path that is no name of a queue or topic is answered 403, and no link is opened."""
    answer = here.post(path.replace("K", "\N{KELVIN SIGN}"), [GOOD])
    assert (answer.status, answer.document["type"]) == (
        403,
        "urn:sesam-connector:destination-not-allowed",
    )


def test_a_queue_that_does_not_exist_is_told_apart(strict_emulator: Emulator) -> None:
    """Service Bus does not know the queue: 502, and the text says to create it."""
    with local(variables(strict_emulator)) as sink:
        answer = sink.post("/missing", [GOOD])
        assert answer.status == 502
        assert "no such queue or topic" in answer.document["detail"]
        assert sink.post("/only", [GOOD]).status == 200


def test_only_allowed_destinations_are_written_to(emulator: Emulator, queue: str) -> None:
    """A queue that ALLOWED_DESTINATIONS does not list is refused with 403 and not connected to."""
    with local(variables(emulator, ALLOWED_DESTINATIONS=f"{queue}, Other/Queue")) as sink:
        refused = sink.post(f"/{queue}-2", [GOOD])
        assert sink.post(f"/{queue.upper()}", [GOOD]).status == 200
        assert sink.post("/other/queue", [GOOD]).status == 200
    assert refused.status == 403
    assert "ALLOWED_DESTINATIONS" in refused.document["detail"]
    assert emulator.stats(f"{queue}-2").links_total == 0
    assert len(bodies(emulator, queue)) == 1


def test_a_connection_string_for_one_queue_does_not_write_to_another(
    emulator: Emulator, queue: str
) -> None:
    """EntityPath names another queue: 403, which says so, and nothing is sent.

    Seen to fail with 500, when the client's own comparison was all there was.
    """
    with local(by_connection_string(emulator, f";EntityPath={queue}-other")) as sink:
        answer = sink.post(f"/{queue}", [GOOD])
    assert answer.status == 403
    assert "EntityPath" in answer.document["detail"]
    assert_untouched(emulator, queue)


@pytest.mark.parametrize("spelled", ["Mixed/Case", "mixed/case"])
def test_entity_path_takes_no_notice_of_case(emulator: Emulator, spelled: str) -> None:
    """EntityPath and url may differ in case, which Service Bus does not see.

    Seen to fail with 500, when the client compared them letter by letter.
    """
    with local(by_connection_string(emulator, f";EntityPath={spelled}")) as sink:
        assert sink.post("/Mixed/Case", [{"_id": spelled}]).status == 200
    assert json.loads(bodies(emulator, "mixed/case")[-1]) == {"_id": spelled}


def test_a_wrong_key_is_the_connectors_fault_and_stays_secret(
    emulator: Emulator, queue: str
) -> None:
    """Service Bus refuses the key: 502 with what to check, and the key is nowhere."""
    wrong = f"{CANARY}-wrong"
    with process(variables(emulator, SERVICE_SAS_TOKEN_VALUE=wrong)) as sink:
        answer = sink.post(f"/{queue}", [GOOD])
    assert answer.status == 502
    assert "key" in answer.document["detail"]
    assert_untouched(emulator, queue)


def test_a_deleted_entity_is_a_message_too(emulator: Emulator, here: LocalSink, queue: str) -> None:
    """Deletes are sent like every entity, with `_deleted` in them."""
    answer: Answer = here.post(f"/{queue}", [{"_id": "1", "_deleted": True, "_updated": 4}])
    assert answer.document == {"delivered": 1, "skipped": 0}
    assert json.loads(bodies(emulator, queue)[0])["_deleted"] is True
    assert ids(emulator, queue) == ["1@4"]
