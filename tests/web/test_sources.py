"""A source over a real socket: every status, what is logged, and who lets go of what."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from sesam_connector_sdk import (
    Batch,
    Dataset,
    OutcomeUnknown,
    PullRequest,
    Rejected,
    ServerSettings,
    Settings,
    Sink,
    Source,
    TargetRefusedUs,
    TargetUnavailable,
    Throttled,
    TimestampSince,
    UnknownSubset,
    wsgi_app,
)
from tests.notes import PATIENCE_SECONDS
from tests.sources import Row, Table, Whole, rows
from tests.wire import Client, Reply, eventually

Serving = Callable[..., Client]
LARGE: list[Row] = [{"_id": str(at), "_updated": at, "text": "x" * 1000} for at in range(2000)]
"""Two megabytes: more than is held back, even of a page."""

NAUGHTY = [
    *("", " ", "0", "-1", "1.5", "true", "null", "None", "NaN", "[]", "{}", "[[", "~t", "~", "\0"),
    *(
        "é",
        "😀",
        "%",
        "%00",
        "'; drop table x",
        "~t2020-13-01T00:00:00Z",
        "9" * 4400,
        "1/2",
        "[" * 9000,
    ),
    *("+", "&", "=", "\r\nX-Evil: 1", "\ud800", "1e999", "0x10", "²"),
]


def get(client: Client, query: str = "", path: str = "/") -> Reply:
    """Ask, and read the whole answer."""
    return client.send("GET", f"{path}?{query}", body=None, headers={})


def test_a_get_is_answered_with_the_entities(serving: Serving) -> None:
    """As an array, from ``since`` on, up to the limit."""
    client = serving(Table(rows(1, 2, 2, 3)))

    assert [each["_updated"] for each in json.loads(get(client).body)] == [1, 2, 2, 3]
    assert [each["_updated"] for each in json.loads(get(client, "since=1&limit=1").body)] == [2, 2]
    assert get(client, "since=3&limit=1").body == b"[]"
    assert get(client).headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_a_source_takes_get_only(method: str, serving: Serving) -> None:
    """Anything else is 405, with what is allowed."""
    reply = serving(Table()).send(method)

    assert reply.status == 405
    assert reply.headers["allow"] == "GET"


def test_what_is_a_sinks_parameter_is_the_pipes_own_here(serving: Serving) -> None:
    """Only ``since``, ``limit`` and ``subset`` belong to the protocol of a source."""
    source = Table(rows(1, 2))

    reply = get(serving(source), "is_full=maybe&request_id=7&since=1&limit=9")

    assert reply.status == 200
    assert source.requests[0].query == {"is_full": "maybe", "request_id": "7"}
    assert (source.requests[0].since, source.requests[0].limit) == (1, 9)


def test_a_source_shares_its_route_with_a_sink(serving: Serving) -> None:
    """GET is the source's, POST the sink's; one body each."""

    class Rows(Table):
        route = "/rows/{table}"

    class Taking(Sink[Settings]):
        route = "/rows/{table}"

        def write(self, batch: Batch) -> None:
            """Take all."""
            assert [each.id for each in batch]

    source = Rows(rows(1))
    client = serving(source, Taking(Settings()))

    assert len(json.loads(get(client, "a=b&since=0", "/rows/x").body)) == 1
    assert client.post([{"_id": "1"}], "/rows/x").document == {"delivered": 1, "skipped": 0}
    assert source.requests[0].fields == {"table": "x"}
    assert source.requests[0].query == {"a": "b"}
    assert source.requests[0].since == 0
    assert 0 < source.requests[0].remaining() <= 300


@pytest.mark.parametrize(
    ("error", "status", "code", "wait"),
    [
        (UnknownSubset(), 404, "unknown-subset", None),
        (Rejected(), 422, "rejected", None),
        (Throttled(retry_after=2.1), 429, "throttled", "3"),
        (ValueError("CANARY"), 500, "bug", None),
        (SystemExit("CANARY"), 500, "bug", None),
        (TargetRefusedUs(), 502, "target-refused-us", None),
        (TargetUnavailable(), 503, "target-unavailable", "10"),
        (ConnectionError("CANARY"), 503, "target-unavailable", "10"),
        (OutcomeUnknown(), 504, "outcome-unknown", None),
    ],
)
@pytest.mark.parametrize("count", [0, 3])
def test_what_a_read_comes_to_before_anything_is_sent_has_its_status(
    count: int,
    error: BaseException,
    status: int,
    code: str,
    wait: str | None,
    serving: Serving,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Before the first entity, and behind a few that are still here. No payload anywhere.

    Seen to fail when the status goes out before the first entity is made.
    """
    caplog.set_level(logging.DEBUG)
    client = serving(Table(LARGE[:count], error))

    reply = get(client)

    assert (reply.status, reply.document["status"]) == (status, status)
    assert reply.document["type"] == f"urn:sesam-connector:{code}"
    assert reply.headers.get("retry-after") == wait
    assert "CANARY" not in caplog.text + reply.body.decode()


def test_a_read_that_fails_later_breaks_the_transfer(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """The client sees no end, and one line of the log says why and how far it came.

    Seen to fail when the exception is swallowed: the array then has its end.
    """
    caplog.set_level(logging.INFO)
    client = serving(Table(LARGE, ConnectionError("CANARY")))

    with pytest.raises(http.client.IncompleteRead) as broken:
        get(client)

    with pytest.raises(ValueError, match="Expecting"):
        json.loads(broken.value.partial)
    line = eventually(lambda: [x for x in messages(caplog) if x.startswith("GET")], "it is logged")
    assert "GET / 200 entities=2000 ms=" in line[0]
    assert " ended=broken-off error_id=" in line[0]
    assert " code=target-unavailable detail=\"The source's data is not available" in line[0]
    assert len(messages(caplog)) == 1
    assert "CANARY" not in caplog.text


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.INFO and record.name != "waitress.queue"
    ]


def test_a_page_that_fails_is_no_page(serving: Serving) -> None:
    """It is held back: the hub must not go on from the middle of a tie.

    Seen to fail when a page is sent as it is made, as a full read is.
    """
    client = serving(Table(LARGE[:500], ValueError()))

    with pytest.raises(http.client.IncompleteRead):
        get(client)
    assert get(client, "limit=1000").status == 500
    assert len(json.loads(get(client, "limit=499").body)) == 499


def test_a_client_that_goes_away_ends_the_read_and_frees_its_place(serving: Serving) -> None:
    """The cursor is let go of, and the next request is answered.

    Seen to fail when the place is never given back.
    """

    class One(Table):
        concurrency = 1

    # Far more than the server and both sockets hold.
    source = One({**LARGE[0], "_updated": at} for at in range(60_000))
    client = serving(source, request_timeout=PATIENCE_SECONDS)
    with client.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000)
        assert source.closed == 0

    eventually(lambda: source.closed == 1, "the read is closed")
    source.rows = rows(1)
    assert get(client).status == 200


def test_a_read_keeps_its_place_until_its_answer_has_ended(serving: Serving) -> None:
    """With one place, the next request waits. Seen to fail when it is given back too early."""
    go_on = threading.Event()

    class One(Whole):
        concurrency = 1

        def read(self, _request: PullRequest) -> Iterator[Any]:
            """Wait in the middle."""
            yield from LARGE
            assert go_on.wait(PATIENCE_SECONDS)

    client = serving(One(), request_timeout=0.5)
    with client.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000)
        assert get(client).status == 429
        go_on.set()
        while connection.recv(65536):
            pass
    assert get(client).status == 200


def test_a_full_read_of_nothing_is_502(serving: Serving) -> None:
    """With what to do about it."""
    reply = get(serving(Whole()))

    assert (reply.status, reply.document["type"]) == (502, "urn:sesam-connector:nothing-to-read")
    assert "may_be_empty" in reply.document["detail"]


def test_the_dataset_is_told_in_headers_of_an_answer_and_not_of_an_error(serving: Serving) -> None:
    """What the source knows, in the hub's words."""

    class Told(Source[Settings]):
        since = TimestampSince()

        def read(self, request: PullRequest) -> list[Row]:
            """One entity, or an error."""
            if request.since:
                raise TargetUnavailable
            return [{"_id": "1", "_updated": datetime(2020, 1, 1, tzinfo=UTC)}]

        def dataset(self, request: PullRequest) -> Dataset:
            """Of its own generation."""
            return Dataset(populated=True, generation=request.query.get("g"))

    client = serving(Told(Settings()))

    assert get(client, "g=7").headers["x-dataset-generation"] == "7"
    assert get(client, "g=7").headers["x-dataset-populated"] == "true"
    assert "x-dataset-populated" not in get(client, "since=2020-01-01").headers
    assert get(client, "g=%0d%0aX-Evil:1").status == 500


@pytest.mark.parametrize("name", ["since", "limit", "subset"])
@pytest.mark.parametrize("source", [Table, Whole])
def test_no_naughty_value_is_anything_but_a_clear_refusal(
    source: type[Table] | type[Whole], name: str, serving: Serving
) -> None:
    """Taken, or 400, 404, or 414 where it is long; never a 5xx, and never another header."""
    client = serving(source(rows(1)))

    for value in NAUGHTY:
        reply = get(client, f"{name}={quote(value, errors='surrogatepass')}")

        assert reply.status in (200, 400, 404, 414), (value, reply)
        assert "x-evil" not in reply.headers
        if reply.status != 200:
            assert reply.document["detail"]
            assert len(reply.body) < 1000


def test_the_deadline_is_the_requests(serving: Serving) -> None:
    """A source that shares a server with others has its own application's limits."""
    source = Table(rows(1))
    app = wsgi_app(source, settings=ServerSettings(request_timeout=7.0))

    get(serving(app=app))

    assert 0 < source.requests[0].remaining() <= 7
