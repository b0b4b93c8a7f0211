"""A transform over a real socket: what the hub would read, and what it is told when it fails."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from sesam_connector_sdk import (
    Entity,
    Rejected,
    Request,
    Settings,
    Throttled,
    Transform,
    wsgi_app,
)
from tests.notes import PATIENCE_SECONDS
from tests.transforms import Copy, Identity, ObedientTransform
from tests.wire import Client, Reply, eventually

Serving = Callable[..., Client]
KILOBYTE = "x" * 1024


class Small(ObedientTransform):
    """Holds back next to nothing, so that nearly every answer is made while it is sent."""

    held_bytes = 1


def problem(reply: Reply, status: int, code: str) -> dict[str, Any]:
    """The document of an answer, which must be an RFC 9457 problem document without a payload."""
    document = reply.document

    assert reply.status == document["status"] == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert document["type"] == f"urn:sesam-connector:{code}"
    assert "CANARY" not in reply.body.decode()
    return document


def made(reply: Reply) -> Any:
    """The entities of an answer."""
    return json.loads(reply.body)


def many(count: int, **last: Any) -> list[dict[str, Any]]:
    """So many entities of a kilobyte, and then one with these properties."""
    items: list[dict[str, Any]] = [{"_id": str(at), "text": KILOBYTE} for at in range(count)]
    return [*items, {"_id": "last", **last}]


def test_a_batch_is_answered_with_what_the_transform_makes(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """As one JSON array with its length; the log counts the entities that came."""
    caplog.set_level(logging.INFO)
    entities = [{"_id": "a"}, {"_id": "b", "do": "leave out"}, {"_id": "c", "do": "two"}]

    reply = serving(ObedientTransform(Settings())).post(entities)

    assert reply.status == 200
    assert made(reply) == [{"_id": "a"}, {"_id": "c-0"}, {"_id": "c-1"}]
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert any(line.startswith("POST / 200 entities=3 ms=") for line in caplog.messages)


@pytest.mark.parametrize("entities", [[], [{"_id": "1", "do": "leave out"}]])
def test_nothing_is_answered_with_an_empty_array(entities: list[Any], serving: Serving) -> None:
    """Where nothing came, and where nothing was made."""
    reply = serving(ObedientTransform(Settings())).post(entities)

    assert (reply.status, reply.body) == (200, b"[]")


EXACT = (
    b'[ {"_id":"1","\\u00e6":"\\ud834\\udd1e \xf0\x9f\x98\x80 \\/ \\u2028 \\"",'
    b'"n":[1.10,1E5,1.0,-0.0,123456789012345678901234567890,0.123456789012345678901234567890]},'
    b'\n{"x" : 1.10e+3 , "_id":"2","_deleted":true,"_updated":7,"_hash":"h","$ids":["~:a:1"]} ]'
)


def test_entities_that_are_passed_on_come_back_byte_for_byte(serving: Serving) -> None:
    """Numbers, escapes and spaces within an entity; only what stands between entities is ours."""
    reply = serving(Identity(Settings())).send(body=EXACT)

    first, second = EXACT[2:-2].split(b",\n")
    assert reply.body == b"[" + first + b"," + second + b"]"


def test_entities_that_are_decoded_come_back_exactly(serving: Serving) -> None:
    """Every digit of every number, every character of every text, all reserved fields.

    Seen to fail when numbers are decoded as floats.
    """

    def exactly(body: bytes) -> Any:
        return json.loads(body, parse_float=lambda text: Decimal(text).as_tuple())

    reply = serving(Copy(Settings())).send(body=EXACT)

    assert exactly(reply.body) == exactly(EXACT)


@pytest.mark.parametrize(
    ("order", "status", "code", "wait"),
    [
        ("DestinationNotAllowed", 403, "destination-not-allowed", None),
        ("Rejected", 422, "rejected", None),
        ("late", 422, "rejected", None),
        ("Throttled", 429, "throttled", "3"),
        ("ValueError", 500, "bug", None),
        ("StopIteration", 500, "bug", None),
        ("SystemExit", 500, "bug", None),
        ("text", 500, "bug", None),
        ("two without id", 500, "bug", None),
        ("NaN", 500, "unsendable", None),
        ("no id", 500, "unsendable", None),
        ("TargetRefusedUs", 502, "target-refused-us", None),
        ("TargetUnavailable", 503, "target-unavailable", "10"),
        ("HelpAwayError", 503, "target-unavailable", "10"),
        ("OutcomeUnknown", 504, "outcome-unknown", None),
    ],
)
def test_what_fails_has_its_status(
    order: str,
    status: int,
    code: str,
    wait: str | None,
    serving: Serving,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One class, one status, also when much of the answer is made already; no payload anywhere.

    Seen to fail when the answer begins before it is made.
    """
    caplog.set_level(logging.DEBUG)
    entities = many(300, do=order, secret="CANARY-payload")

    reply = serving(ObedientTransform(Settings())).post(entities)

    problem(reply, status, code)
    assert reply.headers.get("retry-after") == wait
    assert "CANARY" not in caplog.text


def test_a_rejected_entity_is_named(serving: Serving) -> None:
    """By ``_id``, position and the author's reason, so that somebody can mend it."""
    reply = serving(ObedientTransform(Settings())).post(many(3, do="Rejected"))

    document = problem(reply, 422, "rejected")
    assert document["entities"] == [{"_id": "last", "position": 3, "reason": "It has no amount."}]
    assert document["entities_total"] == 1


@pytest.mark.parametrize("order", ["Rejected", "ValueError", "HelpAwayError"])
def test_a_failure_behind_what_is_held_back_breaks_the_transfer(
    order: str, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """The array never closes, so the hub cannot take a part for the whole; the log says it.

    Seen to fail when the error ends the answer instead.
    """
    caplog.set_level(logging.INFO)

    with pytest.raises(http.client.IncompleteRead) as broken:
        serving(Small(Settings())).post(many(300, do=order))

    with pytest.raises(ValueError, match="Expecting"):
        json.loads(broken.value.partial)
    line = eventually(lambda: [x for x in caplog.messages if "POST / 200" in x], "it is logged")[0]
    assert "entities=301" in line
    assert "broken-off" in line
    assert "CANARY" not in caplog.text


class Gated(Transform[Settings]):
    """Waits with its last entity until the client has begun to read; takes one request at once."""

    concurrency = 1
    held_bytes = 100_000

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.go_on = threading.Event()
        self.ended = threading.Event()

    def transform_batch(
        self,
        entities: Iterable[Entity],
        request: Request,  # noqa: ARG002  # what an author may leave unused
    ) -> Iterator[Entity]:
        """Pass all on, and say when it is over."""
        try:
            for entity in entities:
                assert entity.id != "last" or self.go_on.wait(PATIENCE_SECONDS)
                yield entity
        finally:
            self.ended.set()


def asked(client: Client, entities: list[Any]) -> tuple[http.client.HTTPConnection, Any]:
    """A request whose answer has begun."""
    connection = http.client.HTTPConnection(client.host, client.port, timeout=PATIENCE_SECONDS)
    connection.request("POST", "/", json.dumps(entities).encode())
    return connection, connection.getresponse()


def test_a_large_answer_is_made_while_it_is_sent(serving: Serving) -> None:
    """From what may be held back; its place is kept until the end, and free then.

    Seen to fail when the whole answer is made first, and when the place is free too early.
    """
    gated = Gated(Settings())
    client = serving(gated, request_timeout=1.0)
    connection, response = asked(client, many(300))

    first = response.read(gated.held_bytes)
    second = client.post([])
    gated.go_on.set()
    whole = json.loads(first + response.read())
    connection.close()

    assert whole == many(300)
    problem(second, 429, "throttled")
    assert eventually(lambda: client.post([]).status == 200, "the place is free")


def test_a_client_that_goes_away_ends_the_transform(serving: Serving) -> None:
    """Its generator is closed, and its place is free. Seen to fail when the place is kept."""
    gated = Gated(Settings())
    client = serving(gated, request_timeout=1.0)
    gated.go_on.set()

    with client.connect() as connection:
        body = json.dumps(many(3_500)).encode()
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert connection.recv(100)

    assert gated.ended.wait(PATIENCE_SECONDS)
    assert eventually(lambda: client.post([]).status == 200, "the place is free")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b'[{"_id":"1"},7]', 400),
        (b'[{"_id":"1"},{"_id":"2"}', 400),
        (b'[{"_id":"1"},{"x":NaN}]', 400),
        (b'[{"_id":"1"},{"id":"2"}]', 422),
        (b'[{"_id":"1"},{"_id":"2","x":"%b"}]' % (b"x" * 2_000_000), 413),
        (b"[]" + b" " * 5_000_000, 413),
    ],
    ids=["empty", "object", "number", "cut off", "NaN", "no id", "entity", "body"],
)
def test_nothing_is_transformed_of_a_request_that_is_wrong(
    body: bytes, status: int, serving: Serving
) -> None:
    """Whatever position is wrong, as for a sink. Seen to fail without the first pass."""
    transform = ObedientTransform(Settings())

    reply = serving(transform).send(body=body)

    assert reply.status == reply.document["status"] == status
    assert transform.seen == []


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/csv"}, {"Content-Encoding": "gzip"}], ids=["type", "gzip"]
)
def test_another_type_is_answered_415(headers: dict[str, str], serving: Serving) -> None:
    """As for a sink."""
    reply = serving(Identity(Settings())).send(headers=headers)

    problem(reply, 415, "unsupported-media-type")


def test_a_transform_takes_nothing_but_post(serving: Serving) -> None:
    """A GET is no empty batch."""
    reply = serving(Identity(Settings())).send("GET", "/", None)

    problem(reply, 405, "method-not-allowed")
    assert reply.headers["allow"] == "POST"


def test_together_sees_route_query_and_headers(serving: Serving) -> None:
    """As a pipe gives them; its transform has no protocol parameters, so all of the query."""
    seen: list[Request] = []

    class Seeing(Transform[Settings]):
        route = "/to/{place}"

        def transform_batch(self, entities: Iterable[Entity], request: Request) -> Iterable[Entity]:
            seen.append(request)
            return entities

    reply = serving(Seeing(Settings())).send(
        path="/to/x%20y?is_full=maybe&since=1", body=b'[{"_id":"1"}]', headers={"X-Mine": "m"}
    )

    assert made(reply) == [{"_id": "1"}]
    assert seen[0].fields == {"place": "x y"}
    assert seen[0].query == {"is_full": "maybe", "since": "1"}
    assert seen[0].headers["x-mine"] == "m"
    assert 0 < seen[0].remaining() <= 300


def test_requests_at_once_each_get_their_own_answer(serving: Serving) -> None:
    """Nobody gets another's entities, held back or streamed."""
    client = serving(Small(Settings()))
    replies: dict[int, Any] = {}

    def pipe(number: int) -> None:
        sent = [{"_id": f"{number}-{at}", "text": KILOBYTE} for at in range(50 * number)]
        replies[number] = (sent, made(client.post(sent)))

    threads = [threading.Thread(target=pipe, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert len(replies) == 10
    assert [sent for sent, _ in replies.values()] == [got for _, got in replies.values()]


def test_an_error_keeps_its_type_and_its_own_entities(serving: Serving) -> None:
    """Also where the author's own subclass is raised."""

    class Odd(Rejected):
        """It is odd."""

    class Strange(Transform[Settings]):
        def transform(self, entity: Entity) -> None:
            if entity.id == "2":
                raise Odd
            raise Throttled(retry_after=5)

    client = serving(Strange(Settings()))

    assert problem(client.post([{"_id": "2"}]), 422, "rejected")["entities"] == [
        {"_id": "2", "position": 0, "reason": "It is odd."}
    ]
    assert problem(client.post([{"_id": "1"}]), 429, "throttled")["title"]


class Tenfold(Transform[Settings]):
    """Makes ten entities of each."""

    def transform(self, entity: Entity) -> Iterator[dict[str, Any]]:
        """Each with all of the data."""
        return ({**entity.data, "_id": f"{entity.id}-{at}"} for at in range(10))


@pytest.mark.parametrize(("kind", "factor"), [(Copy, 1), (Identity, 1), (Tenfold, 10)])
def test_four_megabytes_are_transformed_in_bounded_memory(
    kind: type[Transform[Any]], factor: int, tmp_path: Path
) -> None:
    """Neither the body nor the answer is ever whole in memory, also if the answer is forty.

    Seen to fail when the answer is put together first.
    """
    file = tmp_path / "body"
    file.write_bytes(json.dumps(many(3_800)).encode())
    app = wsgi_app(kind(Settings()))
    environ = falcon.testing.create_environ("/", method="POST")
    environ["CONTENT_LENGTH"] = str(file.stat().st_size)
    size = 0

    tracemalloc.start()
    try:
        with file.open("rb") as body:
            answer: Any = app(environ | {"wsgi.input": body}, falcon.testing.StartResponseMock())
            for piece in answer:
                size += len(piece)
            if hasattr(answer, "close"):
                answer.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert size > factor * 3_900_000
    assert peak < 4_000_000
