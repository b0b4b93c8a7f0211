"""An array that is made while it is sent: on a real socket, whole or visibly broken."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import falcon
import falcon.testing
import pytest

from sesam_connector_sdk.arraywriter import PIECE_BYTES
from sesam_connector_sdk.errors import Bug, ConnectorError, TargetUnavailable
from sesam_connector_sdk.web import problems, streams
from sesam_connector_sdk.web.access import AccessLog
from sesam_connector_sdk.web.metrics import Metrics
from tests.notes import PATIENCE_SECONDS
from tests.wire import Client, eventually

Serving = Callable[..., Client]
ITEM = b'{"_id":"' + b"x" * 1000 + b'"}'
MANY = 1000
"""So many items are several pieces."""


class Items:
    """A resource that answers with what a test wants made."""

    def __init__(self, make: Callable[[], Iterator[bytes]], hold: int = 0) -> None:
        self.make = make
        self.hold = hold
        self.places = 1
        """Less one while an answer holds its place."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the items."""
        with ExitStack() as held:
            self.places -= 1
            held.callback(self._leave)
            streams.answer(req, resp, self.make(), hold=self.hold, held=held)

    def _leave(self) -> None:
        self.places += 1

    def app(self) -> Any:
        """The resource with the errors and the log of every connector."""
        made = falcon.App(middleware=[AccessLog(bool, Metrics())])
        made.add_error_handler(Exception, problems.on_bug)
        made.add_error_handler(ConnectorError, problems.on_connector_error)
        made.add_route("/", self)
        return made


def many(count: int = MANY, error: Exception | None = None) -> Iterator[bytes]:
    """So many items, and then perhaps an error."""
    for _ in range(count):
        yield ITEM
    if error:
        raise error


def get(client: Client) -> Any:
    """Ask, and read the whole answer."""
    return client.send("GET", body=None, headers={})


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, without what says how many milliseconds it took."""
    return [
        record.getMessage().split(" ms=")[0]
        + record.getMessage().partition(" ms=")[2].lstrip("0123456789")
        for record in caplog.records
        if record.levelno >= logging.INFO and record.name != "waitress.queue"
    ]


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The same, once the request has its line."""
    return eventually(  # type: ignore[no-any-return]
        lambda: any(line.startswith("GET ") for line in lines(caplog)) and lines(caplog),
        "the request is logged",
    )


def test_an_answer_of_one_piece_has_its_length(serving: Serving) -> None:
    """So the connection can be used again. Seen to fail when everything is streamed."""
    resource = Items(lambda: many(3))

    reply = get(serving(app=resource.app()))

    assert len(reply.document) == 3
    assert reply.headers["content-length"] == str(len(reply.body))
    assert "transfer-encoding" not in reply.headers
    assert reply.headers["content-type"] == "application/json"
    assert resource.places == 1


def test_an_answer_of_no_item_is_an_empty_array(serving: Serving) -> None:
    """With its length, too."""
    reply = get(serving(app=Items(lambda: many(0)).app()))

    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"[]", "2")


def test_a_long_answer_is_made_while_it_is_sent(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """The first bytes are there before the last item is made, and the log waits for the end.

    Seen to fail when the answer is put together first, and when it is logged at its beginning.
    """
    caplog.set_level(logging.INFO)
    read_something = threading.Event()

    def waiting() -> Iterator[bytes]:
        yield from many()
        assert read_something.wait(PATIENCE_SECONDS)
        yield from many(1)

    resource = Items(waiting)
    client = serving(app=resource.app())
    connection = http.client.HTTPConnection(client.host, client.port, timeout=PATIENCE_SECONDS)
    connection.request("GET", "/")
    response = connection.getresponse()
    first = response.read(PIECE_BYTES)
    assert (resource.places, lines(caplog)) == (0, [])
    read_something.set()
    document = json.loads(first + response.read())
    connection.close()

    assert len(document) == MANY + 1
    assert response.headers["Transfer-Encoding"] == "chunked"
    eventually(lambda: resource.places == 1, "the place is free again")
    assert logged(caplog) == ["GET / 200"]


def test_a_slow_answer_shows_life_before_a_piece_is_full(serving: Serving) -> None:
    """What has gathered for a moment is sent. Seen to fail when only full pieces are.

    The order proves it: the items stop coming only once the client has seen the first of them,
    long before they would fill a piece.
    """
    client_saw_one = threading.Event()

    def slowly() -> Iterator[bytes]:
        for _ in range(PIECE_BYTES // len(b'{"_id":"1"},') // 2):
            yield b'{"_id":"1"}'
            if client_saw_one.wait(0.01):
                return
        raise AssertionError("the client has seen nothing")

    client = serving(app=Items(slowly).app())
    connection = http.client.HTTPConnection(client.host, client.port, timeout=PATIENCE_SECONDS * 3)
    connection.request("GET", "/")
    response = connection.getresponse()
    first = response.read(1)
    client_saw_one.set()

    assert json.loads(first + response.read())[0] == {"_id": "1"}
    connection.close()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("CANARY"), 500, "bug"),
        (TargetUnavailable("The database is away."), 503, "target-unavailable"),
    ],
)
@pytest.mark.parametrize(("count", "hold"), [(0, 0), (1, 0), (MANY, 2 * MANY * len(ITEM))])
def test_a_failure_in_what_is_held_back_has_its_status(
    count: int,
    hold: int,
    error: Exception,
    status: int,
    code: str,
    serving: Serving,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing of the array has left, so the answer is an error like any other.

    Seen to fail when the status is sent before the first piece is made.
    """
    resource = Items(lambda: many(count, error), hold)

    reply = get(serving(app=resource.app()))

    assert (reply.status, reply.document["type"]) == (status, f"urn:sesam-connector:{code}")
    assert resource.places == 1
    assert "CANARY" not in caplog.text + reply.body.decode()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ValueError("CANARY"),
            f'ended=broken-off error_id=ID code=bug detail="{Bug.title()}"',
        ),
        (
            TargetUnavailable("The database went away."),
            'ended=broken-off error_id=ID code=target-unavailable detail="The database went away."',
        ),
    ],
    ids=["bug", "target"],
)
def test_a_later_failure_breaks_the_transfer(
    error: Exception, said: str, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """No final chunk, no end of the array; one line says so, and a bug has one that says where.

    Seen to fail when the failure is swallowed, and, for the log, when waitress sees the exception.
    """
    caplog.set_level(logging.INFO)
    resource = Items(lambda: many(error=error))

    with pytest.raises(http.client.IncompleteRead) as broken:
        get(serving(app=resource.app()))

    assert broken.value.partial.startswith(b'[{"_id":')
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(broken.value.partial)
    eventually(lambda: resource.places == 1, "the place is free again")
    *bug, line = logged(caplog)
    found = line.partition("error_id=")[2][:32]
    assert line.replace(found, "ID") == f"GET / 200 {said}"
    assert [each.startswith(f"bug error_id={found} exception=ValueError at=") for each in bug] == [
        True
    ] * len(bug)
    assert len(bug) == isinstance(error, ValueError)
    assert "CANARY" not in caplog.text


def test_a_broken_answer_to_http_1_0_has_no_end_of_the_array(serving: Serving) -> None:
    """No chunk can be missing there, so the open array says it. Seen to fail with a ``]``."""
    client = serving(app=Items(lambda: many(error=ValueError())).app())

    with client.connect() as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        came = b"".join(iter(lambda: connection.recv(65536), b""))

    body = came.partition(b"\r\n\r\n")[2]
    assert came.startswith(b"HTTP/1.0 200 OK")
    assert body.startswith(b'[{"_id":')
    assert body.endswith(b"}")


def test_a_client_that_goes_away_closes_what_makes_the_items(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """Its ``GeneratorExit`` comes, and its place is free again.

    Seen to fail when nothing closes the items, and when the place is kept.
    """
    caplog.set_level(logging.INFO)
    ended = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield ITEM
        except GeneratorExit:
            ended.set()
            raise

    resource = Items(endless)
    client = serving(app=resource.app())
    with client.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100)
        assert resource.places == 0

    assert ended.wait(PATIENCE_SECONDS)
    eventually(lambda: resource.places == 1, "the place is free again")
    assert "GET / 200 ended=by-client" in logged(caplog)


def test_items_that_fail_while_they_are_closed_keep_no_place(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a bug, logged as one, and nobody waits for it."""

    def stubborn() -> Iterator[bytes]:
        try:
            while True:
                yield ITEM
        finally:
            raise ValueError("CANARY")

    resource = Items(stubborn)
    client = serving(app=resource.app())
    with client.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100)

    eventually(lambda: resource.places == 1, "the place is free again")
    assert eventually(lambda: "ValueError at" in caplog.text, "it is logged")
    assert "CANARY" not in caplog.text


def test_an_answer_that_nobody_begins_to_read_lets_go_too() -> None:
    """A server may close what it never iterated. Seen to fail with a generator as the body."""
    let_go: list[str] = []
    with ExitStack() as held:
        held.callback(let_go.append, "place")
        response, request = falcon.Response(), _request()
        streams.answer(request, response, many(), hold=0, held=held)
    assert let_go == []

    response.stream.close()  # type: ignore[union-attr]
    response.stream.close()  # type: ignore[union-attr]

    assert let_go == ["place"]


def _request() -> falcon.Request:
    request = falcon.Request(falcon.testing.create_environ())
    request.context.started = 0.0
    request.context.metrics = Metrics()
    return request
