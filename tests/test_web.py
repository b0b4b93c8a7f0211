"""Requests over a real socket: every status, every limit, and nothing of a payload in an answer."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from sesam_connector_sdk import (
    Batch,
    PushParameters,
    Rejected,
    ServerSettings,
    Settings,
    Sink,
    Throttled,
    wsgi_app,
)
from sesam_connector_sdk.errors import EntityProblem
from tests.notes import PATIENCE_SECONDS, NotesSettings, NotesSink, ObedientSink
from tests.wire import CANARY, Client, Reply, assert_silent, eventually, ids

Serving = Callable[..., Client]
PROBLEM = "application/problem+json"


class Count(Sink[Settings]):
    """Takes everything, and remembers the requests."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.seen: list[Batch] = []

    def write(self, batch: Batch) -> None:
        """Take every entity, twice."""
        assert [each.id for each in batch] == [each.id for each in batch]
        self.seen.append(batch)


def problem(reply: Reply, status: int, code: str) -> dict[str, Any]:
    """The document of an answer, which must be a whole RFC 9457 problem document."""
    document = reply.document

    assert reply.status == document["status"] == status
    assert reply.headers["content-type"] == PROBLEM
    assert document["type"] == f"urn:sesam-connector:{code}"
    assert document["title"].endswith(".")
    assert document["advice"].endswith(".")
    assert document["detail"]
    assert set(document) <= {
        *("type", "title", "status", "detail", "advice", "entities", "entities_total", "error_id")
    }
    assert "CANARY" not in reply.body.decode()
    return document


def test_a_batch_is_answered_200_when_the_target_holds_it(
    serving: Serving, sink: ObedientSink, notes_file: Path
) -> None:
    """And with what became of its entities; an empty one too."""
    client = serving(sink)

    reply = client.post([{"_id": "1"}, {"_id": "2", "do": "skip"}, {"_id": "1", "_deleted": True}])

    assert (reply.status, reply.document) == (200, {"delivered": 2, "skipped": 1})
    assert reply.headers["content-type"] == "application/json"
    assert ids(notes_file) == ["1", "1"]
    assert client.post([]).document == {"delivered": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("order", "status", "code", "wait"),
    [
        ("DestinationNotAllowed", 403, "destination-not-allowed", None),
        ("Rejected", 422, "rejected", None),
        ("reject", 422, "rejected", None),
        ("Throttled", 429, "throttled", "3"),
        ("ValueError", 500, "bug", None),
        ("stop", 500, "bug", None),
        ("TargetRefusedUs", 502, "target-refused-us", None),
        ("TargetUnavailable", 503, "target-unavailable", "10"),
        ("TargetAwayError", 503, "target-unavailable", "10"),
        ("fail", 503, "target-unavailable", "10"),
        ("OutcomeUnknown", 504, "outcome-unknown", None),
    ],
)
def test_what_a_write_comes_to_has_its_status(
    order: str,
    status: int,
    code: str,
    wait: str | None,
    serving: Serving,
    sink: ObedientSink,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One class, one status, a problem document, ``Retry-After`` where waiting helps, no payload.

    Seen to fail when an exception is swallowed, and when its text is logged.
    """
    caplog.set_level(logging.DEBUG)

    reply = serving(sink).post(
        [{"_id": "1", "do": order, "secret": "CANARY-payload"}, {"_id": "2"}]
    )

    problem(reply, status, code)
    assert reply.headers.get("retry-after") == wait
    assert "CANARY" not in caplog.text
    assert f"POST / {status} ms=" in caplog.text


def test_a_bug_is_answered_with_an_id_that_the_log_explains(
    serving: Serving, sink: ObedientSink, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer has the id and nothing else of the error; the log says where it happened.

    Seen to fail when the exception's text goes into the document or into the log.
    """
    document = problem(serving(sink).post([{"_id": "1", "do": "ValueError"}]), 500, "bug")

    assert len(document["error_id"]) == 32
    assert "ValueError" not in json.dumps(document)
    line = next(each.getMessage() for each in caplog.records if "bug " in each.getMessage())
    assert document["error_id"] in line
    assert "exception=ValueError at=" in line
    assert "notes.py:" in line
    assert "CANARY" not in caplog.text


def test_a_write_that_stops_early_is_told_in_the_log(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """What the SDK itself says of the author's code holds nothing of a payload: it is shown.

    Seen to fail when the text of every exception is held back.
    """

    class Half(Sink[Settings]):
        def write(self, batch: Batch) -> None:
            next(iter(batch))

    document = problem(serving(Half(Settings())).post([{"_id": "1"}, {"_id": "2"}]), 500, "bug")

    line = next(each.getMessage() for each in caplog.records if "bug " in each.getMessage())
    assert document["error_id"] in line
    assert 'detail="write returned after taking 1 of 2 entities; ' in line
    assert "taking" not in json.dumps(document)


def test_the_entities_that_are_wrong_are_named_up_to_twenty(serving: Serving) -> None:
    """With position and reason; the total says how many there are. Seen to fail without a bound."""
    entities = [{"_id": str(at)} if at % 2 else {"data": "CANARY"} for at in range(100)]

    document = problem(serving(Count(Settings())).post(entities), 422, "rejected")

    assert document["entities_total"] == 50
    assert document["entities"] == [
        {"_id": None, "position": at, "reason": "_id is missing"} for at in range(0, 40, 2)
    ]


def test_an_id_is_shown_escaped_and_short(serving: Serving, sink: ObedientSink) -> None:
    """It is the hub's operator who reads it, in a log."""
    wild = "a\nb\x1b[31m\u2028\u202e" + "x" * 10_000

    reply = serving(sink).post([{"_id": wild, "do": "reject"}])

    shown = problem(reply, 422, "rejected")["entities"][0]["_id"]
    assert shown.startswith("a\\nb\\x1b[31m\\u2028\\u202exxx")
    assert shown.endswith("x…")
    assert len(reply.body) < 1000


def test_an_authors_texts_are_bounded_and_escaped(serving: Serving) -> None:
    """However long the reason and the detail of an error are."""

    class Wordy(Count):
        def write(self, batch: Batch) -> None:  # noqa: ARG002  # it takes none
            raise Rejected("d\n" * 5000, entities=[EntityProblem("1", 0, "r\n" * 5000)] * 500)

    reply = serving(Wordy(Settings())).post([{"_id": "1"}])

    document = problem(reply, 422, "rejected")
    assert document["detail"].startswith("d\\nd\\n")
    assert document["entities_total"] == 500
    assert len(reply.body) < 20 * 500


@pytest.mark.parametrize(
    ("seconds", "header"),
    [
        *[(0, "1"), (-5, "1"), (1, "1"), (1.01, "2"), (59.5, "60"), (1e300, "86400")],
        *[(float("inf"), "86400"), (float("nan"), "86400")],
    ],
)
def test_a_pause_is_sent_in_whole_seconds(seconds: float, header: str, serving: Serving) -> None:
    """Rounded up, at least one, at most a day, whatever a target asked for."""

    class Slow(Count):
        def write(self, batch: Batch) -> None:  # noqa: ARG002  # it takes none
            raise Throttled(retry_after=seconds)

    reply = serving(Slow(Settings())).post([])

    problem(reply, 429, "throttled")
    assert reply.headers["retry-after"] == header


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The body is empty"),
        (b"{}", "not a JSON array"),
        (b'{"_id":"1"}\n{"_id":"2"}', "not a JSON array"),
        (b"\xef\xbb\xbf[]", "byte order mark"),
        (b'[{"_id":"1"}', "the body ends in the middle"),
        (b'[{"_id":"1","x":NaN}]', "item 0"),
        (b'[{"_id":"1"},7]', "Item 1 of the array is not an object"),
        (b'[{"_id":"\xff"}]', "UTF-8"),
        (b'[{"_id":"1","x":%b%b}]' % (b"[" * 150, b"]" * 150), "nested deeper than 100"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_malformed_body_is_answered_400(
    body: bytes, words: str, serving: Serving, sink: ObedientSink, notes_file: Path
) -> None:
    """With the reason, and nothing is written."""
    document = problem(serving(sink).send(body=body), 400, "malformed-body")

    assert words in document["detail"]
    assert ids(notes_file) == []


def test_a_flag_that_is_neither_is_answered_400(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """A full sync is never guessed. Seen to fail when the answer or the log quotes the value."""
    caplog.set_level(logging.DEBUG)
    reply = serving(Count(Settings())).send(path=f"/?is_full={CANARY}")

    detail = problem(reply, 400, "invalid-parameter")["detail"]
    assert detail == "Query parameter is_full is something else; send true or false."
    assert_silent(caplog.text, "the log")


def test_an_empty_flag_counts_as_left_out(serving: Serving) -> None:
    """As every parameter of the protocol does."""
    sink = Count(Settings())

    assert serving(sink).send(path="/?is_full=&is_first=&is_last=").status == 200
    assert sink.seen[0].request.push == PushParameters()


@pytest.mark.parametrize("path", ["/x", "/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "NONSENSE"])
def test_another_method_is_answered_405_with_allow(
    method: str, path: str, serving: Serving, sink: ObedientSink, notes_file: Path
) -> None:
    """Whether anybody knows it or not, and nothing of its body is delivered.

    Seen to fail with Falcon's own answers: 200 to OPTIONS, which the hub takes for delivered, and
    400 without a reason to what it does not know.
    """
    reply = serving(sink).send(method, path, b'[{"_id":"1"}]')

    allowed = {"/x": "POST", "/metrics": "GET"}.get(path, "GET, HEAD")
    document = problem(reply, 405, "method-not-allowed")
    assert document["detail"] == f"This path takes {allowed}."
    assert reply.headers["allow"] == allowed
    assert ids(notes_file) == []


def test_a_method_on_a_path_that_nobody_has_is_answered_404(serving: Serving) -> None:
    """There is nothing that it could be allowed on."""
    client = serving(type("Routed", (Count,), {"route": "/here"})(Settings()))

    for method in ("OPTIONS", "NONSENSE", "PUT"):
        problem(client.send(method, "/there", None), 404, "unknown-route")


def test_the_answer_to_head_has_no_body(serving: Serving) -> None:
    """It is refused like GET, without a document."""
    head = serving(Count(Settings())).send("HEAD", "/", None)

    assert (head.status, head.body) == (405, b"")


def test_health_depends_on_nothing(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    """It is there beside a sink that answers on any path, and is not logged at INFO."""
    caplog.set_level(logging.INFO)
    reply = serving(Count(Settings())).send("GET", "/healthz", None)

    assert (reply.status, reply.document) == (200, {"status": "alive"})
    assert "healthz" not in caplog.text


JSON_TYPES = [
    "application/json",
    "application/json; charset=UTF-8",
    'Application/JSON;charset="utf-8"',
    "application/json; charset=us-ascii",
    "application/vnd.sesam+json",
    "application/json;",
]
OTHER_TYPES = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=latin-1",
    "application/json; charset=utf-16",
    "application/jsonl",
    "application/x-ndjson",
    "nonsense",
    ";",
    "text/pl\xadain",
]


@pytest.mark.parametrize("declared", JSON_TYPES)
def test_json_in_utf8_is_accepted_however_it_is_declared(declared: str, serving: Serving) -> None:
    """In any case, with or without quotes."""
    reply = serving(Count(Settings())).send(headers={"Content-Type": declared})

    assert reply.status == 200


def test_a_body_without_a_declaration_is_taken_for_json(serving: Serving) -> None:
    """The hub's own pipes may leave it out."""
    assert serving(Count(Settings())).send(headers={}).status == 200


@pytest.mark.parametrize("declared", OTHER_TYPES)
def test_another_type_is_answered_415(declared: str, serving: Serving) -> None:
    """With what to send instead."""
    reply = serving(Count(Settings())).send(headers={"Content-Type": declared})

    assert "JSON" in problem(reply, 415, "unsupported-media-type")["detail"]


@pytest.mark.parametrize(
    "declared", ["canary/x", "application/json; charset=canary", "canary" * 99]
)
def test_a_type_that_is_refused_is_not_quoted(
    declared: str, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """A header may hold a secret. Seen to fail when the answer or the log quotes it."""
    caplog.set_level(logging.DEBUG)
    reply = serving(Count(Settings())).send(headers={"Content-Type": declared})

    problem(reply, 415, "unsupported-media-type")
    assert b"canary" not in reply.body.lower()
    assert "canary" not in caplog.text.lower()


def test_a_long_declaration_is_answered_415_before_it_is_parsed(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To parse a quoted text takes the square of its length: half a minute for a whole head.

    Seen to fail when the length is looked at afterwards, or not at all.
    """
    parsed: list[str] = []
    parse = falcon.parse_header

    def spy(text: str) -> Any:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(falcon, "parse_header", spy)
    client = serving(Count(Settings()))
    declared = 'application/json;a="'

    assert client.send(headers={"Content-Type": declared.ljust(200, ";")}).status == 200
    reply = client.send(headers={"Content-Type": declared.ljust(201, ";")})

    detail = problem(reply, 415, "unsupported-media-type")["detail"]
    assert detail.startswith("The header Content-Type has more than 200 characters.")
    assert [len(each) for each in parsed] == [200]


@pytest.mark.parametrize(
    ("encoding", "status"), [("gzip", 415), ("deflate, gzip", 415), ("identity", 200), ("", 200)]
)
def test_a_compressed_body_is_answered_415(encoding: str, status: int, serving: Serving) -> None:
    """Nothing is unpacked, so nothing can explode."""
    reply = serving(Count(Settings())).send(headers={"Content-Encoding": encoding})

    assert reply.status == status


def test_a_body_in_chunks_is_read_whole(
    serving: Serving, sink: ObedientSink, notes_file: Path
) -> None:
    """Sesam's client sends large bodies with chunked transfer encoding."""
    pieces = [b"[", *(b'{"_id":"%d"},' % at for at in range(100)), b'{"_id":"last"}', b"]"]

    reply = serving(sink).send(body=iter(pieces))

    assert reply.document == {"delivered": 101, "skipped": 0}
    assert ids(notes_file) == [*map(str, range(100)), "last"]


def large(count: int) -> bytes:
    """A body of about a kilobyte an entity."""
    return json.dumps([{"_id": str(at), "text": "x" * 1000} for at in range(count)]).encode()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_many_chunks_is_read_twice_from_its_start(
    chunked: bool, serving: Serving
) -> None:
    """Iterating again gives the same entities, also where the body came in pieces."""
    body, sink = large(2_000), Count(Settings())
    pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))

    reply = serving(sink).send(body=pieces if chunked else body)

    assert reply.document == {"delivered": 2_000, "skipped": 0}
    assert len(sink.seen) == 1


def test_a_body_of_the_limit_is_accepted_and_a_larger_one_answered_413(serving: Serving) -> None:
    """To the byte."""
    client = serving(Count(Settings()), max_body_bytes=10_000)
    body = b'[{"_id":"1"}]'

    assert client.send(body=body.ljust(10_000)).status == 200
    assert client.send(body=body.ljust(10_001)).status == 413
    assert client.send(body=iter([body.ljust(20_000)])).status == 413


def test_an_entity_over_its_limit_is_answered_413(serving: Serving) -> None:
    """The answer says which one, and which setting."""
    client = serving(Count(Settings()), max_entity_bytes=100)

    reply = client.post([{"_id": "1"}, {"_id": "2", "text": "CANARY" * 30}])

    detail = problem(reply, 413, "too-large")["detail"]
    assert detail.startswith("Item 1 of the array has more than 100 bytes.")
    assert "MAX_ENTITY_BYTES" in detail


class OneByOne(Sink[Settings]):
    """One write at a time; it says when it has begun, and waits."""

    concurrency = 1

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.at_once = self.most = 0

    def write(self, batch: Batch) -> None:
        """Take everything, after a wait."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.begun.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        for _ in batch:
            pass
        self.at_once -= 1


def in_background(work: Callable[[], Reply]) -> Callable[[], Reply]:
    """Start a request; the result waits for its answer."""
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(work()))
    thread.start()

    def answer() -> Reply:
        thread.join(PATIENCE_SECONDS)
        return replies[0]

    return answer


def test_a_request_that_finds_no_place_until_its_deadline_is_answered_429(
    serving: Serving,
) -> None:
    """With a pause to make; the one at work is not disturbed. Seen to fail without the limit."""
    sink = OneByOne(Settings())
    client = serving(sink, request_timeout=0.2)
    first = in_background(lambda: client.post([{"_id": "1"}]))
    assert sink.begun.wait(PATIENCE_SECONDS)

    reply = client.post([{"_id": "2"}])

    problem(reply, 429, "throttled")
    assert int(reply.headers["retry-after"]) >= 1
    sink.go_on.set()
    assert first().status == 200


def test_a_place_is_free_again_after_any_end_of_a_write(serving: Serving, notes_file: Path) -> None:
    """Also after an error, a bug, and a body that was refused."""

    class Narrow(ObedientSink):
        concurrency = 1

    sink = Narrow(NotesSettings(notes_file=str(notes_file)))
    sink.open()
    client = serving(sink, request_timeout=PATIENCE_SECONDS)

    statuses = [
        client.post([{"_id": "1", "do": order}]).status
        for order in ("Rejected", "ValueError", "stop", "take", "fail", "take")
    ]

    assert statuses == [422, 500, 200, 200, 503, 200]
    assert client.send(body=b"x").status == 400
    assert client.post([{"_id": "2"}]).status == 200
    sink.close()


def test_requests_wait_for_each_other_where_the_sink_says_so(serving: Serving) -> None:
    """With ``concurrency = 1`` no two writes overlap, and none is refused before its deadline."""
    sink = OneByOne(Settings())
    client = serving(sink)
    answers = [in_background(lambda: client.post([{"_id": "1"}])) for _ in range(6)]
    assert sink.begun.wait(PATIENCE_SECONDS)
    sink.go_on.set()

    assert [answer().status for answer in answers] == [200] * 6
    assert sink.most == 1


def test_writes_overlap_unless_the_sink_forbids_it(serving: Serving) -> None:
    """As many as there are threads: they meet at a barrier, which nobody passes alone."""
    barrier = threading.Barrier(4)

    class Together(Count):
        def write(self, batch: Batch) -> None:  # noqa: ARG002  # it takes none
            barrier.wait(PATIENCE_SECONDS)

    client = serving(Together(Settings()), threads=4)

    answers = [in_background(lambda: client.post([])) for _ in range(4)]

    assert [answer().status for answer in answers] == [200] * 4


class Queues(NotesSink):
    """Answers on a route with a field."""

    route = "/queues/{queue}"


class Deep(Count):
    """Answers on everything under a path, with fields named like parameters of a responder."""

    route = "/deep/{resp}/{rest:path}"


def test_several_sinks_answer_on_their_routes(serving: Serving, notes_file: Path) -> None:
    """Each sees the fields of its route, decoded; any other path is 404."""
    queues, deep = Queues(NotesSettings(notes_file=str(notes_file))), Deep(Settings())
    queues.open()
    client = serving(queues, deep)

    assert client.post([{"_id": "1"}], "/queues/a%20b").status == 200
    assert ids(notes_file) == ["1"]
    assert client.post([], "/deep/%C3%A6/y/z%2Fw").status == 200
    assert deep.seen[0].request.fields == {"resp": "æ", "rest": "y/z/w"}
    for path in ("/", "/queues", "/queues/a/b", "/other"):
        problem(client.post([], path), 404, "unknown-route")
    assert ids(notes_file) == ["1"]
    queues.close()


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        ((None, "/a"), "needs a route"),
        (("/a", "/a"), "route is taken"),
        (("/healthz",), "route is taken"),
        (("books",), r"Routed\.route is 'books': "),
    ],
)
def test_routes_that_would_hide_a_sink_are_refused(
    routes: tuple[str | None, ...], words: str
) -> None:
    """At start-up: a request must not silently go to another sink."""
    kinds = [type("Routed", (Count,), {"route": route}) for route in routes]

    with pytest.raises(ValueError, match=words):
        wsgi_app(*(kind(Settings()) for kind in kinds))


def test_a_class_in_the_place_of_a_connector_is_refused() -> None:
    """``serve`` takes classes and ``wsgi_app`` connectors; the error says which it was.

    Seen to fail when the class's ``check`` is looked for first.
    """
    with pytest.raises(TypeError, match="Count is a class; make one, with its settings"):
        wsgi_app(Count)  # type: ignore[arg-type]  # that is what is tried


@pytest.mark.parametrize(
    "path",
    [
        *["/", "//", "/a/b/c", "/%20", "/%0d%0aINFO%20forged", "/%00", "/%ff%fe", "/%", "/%zz"],
        *["/a/../b", "/%2e%2e/", "/" + "x" * 5000, "/%e2%80%a8line", "/healthz/", "/?a=1"],
        *["/%3Fx", "/%C3%A6", "/%F0%9F%98%80", "/%ED%A0%80", "/%1b[31m"],
    ],
)
def test_a_lone_sink_answers_on_any_path_and_logs_one_line(
    path: str, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """However odd the path; it is logged escaped, short, and without its query."""
    caplog.set_level(logging.INFO)
    sink = Count(Settings())
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]"

    reply = serving(sink).raw(request.encode("latin-1"))

    assert reply.status == 200
    assert sink.seen[0].request.fields == {}
    lines = [each for each in caplog.messages if each.startswith("POST ")]
    assert len(lines) == 1
    assert len(lines[0].splitlines()) == 1
    assert "?" not in lines[0] or "%3F" in path
    assert len(lines[0]) < 300


def test_query_and_headers_reach_the_sink_and_no_log(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """Both may hold a token. The parameters of its protocol, and no others, are apart."""
    caplog.set_level(logging.DEBUG)
    sink = Count(Settings())

    reply = serving(sink).send(
        path="/?token=CANARY&sequence_id=s&is_first=True&is_full=true&empty=&twice=1&twice=2&since=5",
        headers={"Authorization": "CANARY", "X-Mine": "a, b"},
    )

    assert reply.status == 200
    request = sink.seen[0].request
    assert request.query == {"token": "CANARY", "empty": "", "twice": "2", "since": "5"}
    assert request.headers["authorization"] == "CANARY"
    assert request.headers["x-mine"] == "a, b"
    assert (request.push.sequence_id, request.push.is_first) == ("s", True)
    assert "CANARY" not in caplog.text


def test_the_log_has_a_line_for_each_request(
    serving: Serving, sink: ObedientSink, caplog: pytest.LogCaptureFixture
) -> None:
    """With method, path, status, entities, duration, and for an error its code and detail."""
    caplog.set_level(logging.INFO)
    client = serving(sink)
    client.post([{"_id": "1"}, {"_id": "2"}], "/some/path")
    client.post([{"_id": "1", "do": "Throttled"}])

    lines = [each for each in caplog.messages if each.startswith("POST ")]

    assert lines[0].startswith("POST /some/path 200 entities=2 ms=")
    assert lines[1].startswith("POST / 429 ms=")
    assert lines[1].endswith(' code=throttled detail="The target asks for a pause."')


def test_while_draining_every_request_is_answered_503(sink: ObedientSink) -> None:
    """Health is not: the process lives while it drains, and nobody should end it early."""
    client = falcon.testing.TestClient(wsgi_app(sink, draining=lambda: True))

    assert client.simulate_get("/healthz").status_code == 200
    for result in (client.simulate_post("/", body=b"[]"), client.simulate_get("/elsewhere")):
        assert result.status_code == 503
        assert result.json["type"] == "urn:sesam-connector:shutting-down"
        assert result.headers["retry-after"] == "5"


class Once(io.RawIOBase):
    """A body that can be read only once, as some servers give it."""

    def __init__(self, body: bytes) -> None:
        self.stream = io.BytesIO(body)
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        found = self.stream.read(size)
        self.given += len(found)
        return found


IN_CHUNKS = {"CONTENT_LENGTH": "", "wsgi.input_terminated": "1"}


def call(app: Any, body: bytes, **environ: str) -> tuple[int, bytes, Once]:
    """One request to the application, as a server without seekable bodies makes it."""
    stream = Once(body)
    environ = {"CONTENT_LENGTH": str(len(body))} | environ
    env = falcon.testing.create_environ("/", "", method="POST") | environ | {"wsgi.input": stream}
    statuses: list[str] = []

    def start_response(status: str, _headers: Any, _info: Any = None) -> None:
        statuses.append(status)

    found: Iterator[bytes] = app(env, start_response)
    return int(statuses[0].split()[0]), b"".join(found), stream


@pytest.mark.parametrize("count", [1, 1_500])
def test_a_body_that_can_be_read_only_once_is_kept(count: int) -> None:
    """Also one that is too large for memory; it is read twice all the same, and let go of."""
    status, answer, _ = call(wsgi_app(Count(Settings())), large(count))

    assert (status, json.loads(answer)["delivered"]) == (200, count)


def test_a_body_that_can_be_read_only_once_has_the_same_limit() -> None:
    """Refused by its declared length without a read, and while it is read if it has no length."""
    app = wsgi_app(Count(Settings()), settings=ServerSettings(max_body_bytes=10_000))
    body = b"[]".ljust(10_001)

    assert call(app, body[:-1])[0] == 200
    status, _, stream = call(app, body)
    assert (status, stream.given) == (413, 0)
    status, _, stream = call(app, b"[]".ljust(10_000_000), **IN_CHUNKS)
    assert status == 413
    assert stream.given < 200_000


def test_a_body_in_chunks_is_read_where_the_server_ends_the_stream() -> None:
    """It has no length; without the server's word nothing can be read, and nothing is accepted."""
    app = wsgi_app(Count(Settings()))
    body = b'[{"_id":"1"}]'

    assert call(app, body, **IN_CHUNKS)[0] == 200
    assert call(app, body, CONTENT_LENGTH="")[0] == 400


def test_a_header_that_cannot_be_read_is_answered_400_by_name() -> None:
    """Other servers let it through. Seen to fail when only the title of Falcon's error is told."""
    status, answer, _ = call(wsgi_app(Count(Settings())), b"[]", CONTENT_LENGTH=CANARY)

    assert status == 400
    assert 'the "Content-Length" header' in json.loads(answer)["detail"]
    assert_silent(answer.decode(), "the answer")


def test_a_request_knows_its_deadline(serving: Serving) -> None:
    """It began when the request did."""
    sink = Count(Settings())
    serving(sink, request_timeout=60.0).post([])

    assert 0 < sink.seen[0].request.remaining() <= 60


def test_ten_pipes_at_once_each_get_their_own_answer(
    serving: Serving, sink: ObedientSink, notes_file: Path
) -> None:
    """What is answered 200 is in the target, what is not is not; nobody gets another's answer."""
    client = serving(sink)

    def pipe(number: int) -> Callable[[], Reply]:
        wrong = number % 3 == 0
        entities = [{"_id": f"{number}-{at}"} for at in range(200)] + [{}] * wrong
        return in_background(lambda: client.post(entities))

    answers = [pipe(number) for number in range(10)]
    statuses = [answer().status for answer in answers]

    assert statuses == [422 if number % 3 == 0 else 200 for number in range(10)]
    eventually(lambda: len(ids(notes_file)) == 1200, "all entities in the target")
    assert {each.split("-")[0] for each in ids(notes_file)} == {"1", "2", "4", "5", "7", "8"}
