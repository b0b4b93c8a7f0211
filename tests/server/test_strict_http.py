"""What strict_http.py and waitress_server.py rely on in waitress, and what the one adds to it.

The first half is the alarm for a new waitress: each hook by its name, as it was when it was used.
"""

from __future__ import annotations

import inspect
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import waitress.adjustments
import waitress.buffers
import waitress.channel
import waitress.parser
import waitress.receiver
import waitress.server
import waitress.task
import waitress.trigger
import waitress.utilities
from waitress import wasyncore

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.server import strict_http, waitress_server
from sesam_connector_sdk.server.strict_http import StrictChannel, StrictParser, StrictServer
from tests.notes import PATIENCE_SECONDS

from .hostile import (
    GOOD,
    Served,
    finish,
    good,
    problem,
    process,
    rest,
    served,
    upload,
)

# --- What is relied on in waitress ----------------------------------------------------------------

PARAMETERS = {
    "parser.HTTPRequestParser.__init__": ["self", "adj"],
    "parser.HTTPRequestParser.received": ["self", "data"],
    "parser.HTTPRequestParser.parse_header": ["self", "header_plus"],
    "parser.HTTPRequestParser.close": ["self"],
    "receiver.ChunkedReceiver.received": ["self", "s"],
    "receiver.FixedStreamReceiver.getbuf": ["self"],
    "buffers.OverflowableBuffer.__init__": ["self", "overflow"],
    "task.ErrorTask.execute": ["self"],
    "task.Task.set_close_on_finish": ["self"],
    "task.Task.write": ["self", "data"],
    "task.Task.build_response_header": ["self"],
    "channel.HTTPChannel.write_soon": ["self", "data"],
    "task.ThreadedTaskDispatcher.__init__": ["self"],
    "task.ThreadedTaskDispatcher.set_thread_count": ["self", "count"],
    "task.ThreadedTaskDispatcher.shutdown": ["self", "cancel_pending", "timeout"],
    "channel.HTTPChannel.__init__": ["self", "server", "sock", "addr", "adj", "map"],
    "channel.HTTPChannel.received": ["self", "data"],
    "channel.HTTPChannel.handle_write": ["self"],
    "channel.HTTPChannel.handle_close": ["self"],
    "server.TcpWSGIServer.maintenance": ["self", "now"],
    "server.TcpWSGIServer.pull_trigger": ["self"],
    "server.TcpWSGIServer.del_channel": ["self", "map"],
    "trigger.trigger.pull_trigger": ["self", "thunk"],
    "wasyncore.loop": ["timeout", "use_poll", "map", "count"],
    "wasyncore.close_all": ["map", "ignore_all"],
}
"""Functions of waitress that are called or overridden, and what they take."""

DEFAULTS = {
    "channel.HTTPChannel.parser_class": waitress.parser.HTTPRequestParser,
    "channel.HTTPChannel.error_task_class": waitress.task.ErrorTask,
    "channel.HTTPChannel.request": None,
    "channel.HTTPChannel.will_close": False,
    "channel.HTTPChannel.close_when_flushed": False,
    "channel.HTTPChannel.total_outbufs_len": 0,
    "channel.HTTPChannel.last_activity": 0,
    "server.TcpWSGIServer.channel_class": waitress.channel.HTTPChannel,
    "server.TcpWSGIServer.in_connection_overflow": False,
    "parser.HTTPRequestParser.error": None,
    "parser.HTTPRequestParser.completed": False,
    "parser.HTTPRequestParser.expect_continue": False,
    "parser.HTTPRequestParser.chunked": False,
    "parser.HTTPRequestParser.body_rcv": None,
    "parser.HTTPRequestParser.content_length": 0,
    "parser.HTTPRequestParser.body_bytes_received": 0,
    "receiver.ChunkedReceiver.control_line": b"",
    "receiver.ChunkedReceiver.trailer": b"",
    "task.Task.status": "200 OK",
    "task.Task.content_length": None,
    "task.Task.complete": False,
    "task.Task.wrote_header": False,
    "task.Task.content_bytes_written": 0,
    "task.ErrorTask.complete": True,
    "utilities.RequestEntityTooLarge.code": 413,
    "utilities.RequestHeaderFieldsTooLarge.code": 431,
    "utilities.InternalServerError.code": 500,
    "utilities.BadRequest.code": 400,
    "utilities.BadRequest.reason": "Bad Request",
}
"""Attributes of its classes that are read or set, and their values there."""


def in_waitress(hook: str) -> Any:
    """What is called so there."""
    try:
        return attrgetter(hook)(waitress)
    except AttributeError:
        pytest.fail(f"waitress.{hook} is gone; see strict_http.py")


@pytest.mark.parametrize("hook", PARAMETERS)
def test_waitress_has_the_function(hook: str) -> None:
    """With these parameters. A failure names the hook that a new waitress has changed."""
    found = list(inspect.signature(in_waitress(hook)).parameters)

    assert found == PARAMETERS[hook], f"waitress.{hook} has changed; see strict_http.py"


@pytest.mark.parametrize("hook", DEFAULTS)
def test_waitress_has_the_attribute(hook: str) -> None:
    """With this value, before anybody sets it. A failure names the hook."""
    found = in_waitress(hook)

    assert found == DEFAULTS[hook], f"waitress.{hook} has changed; see strict_http.py"


def test_waitress_has_every_adjustment() -> None:
    """Those that are given, and the two limits that the rest relies on staying as they are."""
    given = waitress_server._adjustments(ServerSettings(port=0))
    made = waitress.adjustments.Adjustments(**given)

    assert {name for name in given if not hasattr(made, name)} - {"host", "port"} == set()
    assert made.channel_request_lookahead == 0, "a second request is read while one is at work"
    assert made.trusted_proxy is None
    assert made.max_request_header_size == 262_144


class Stepped:
    """A server whose loop turns only when told to, in the test's own thread."""

    def __init__(self, threads: int = 1) -> None:
        self.map: dict[int, Any] = {}
        self.clients: list[socket.socket] = []
        given = waitress_server._adjustments(ServerSettings(port=0, bind_address="127.0.0.1"))
        adjustments = waitress.adjustments.Adjustments(**(given | {"threads": threads}))
        self.server = StrictServer(answer, map=self.map, adj=adjustments)

    def turn(self, seconds: float = 0.0) -> None:
        """One turn of the loop."""
        wasyncore.loop(timeout=seconds, use_poll=True, map=self.map, count=1)

    def until(self, holds: Callable[[], Any]) -> Any:
        """Turn until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := holds()):
            assert time.monotonic() < deadline
            self.turn(0.05)
        return found

    def connect(self) -> tuple[socket.socket, StrictChannel]:
        """A client's end and the server's end of a connection."""
        known = set(self.server.active_channels)
        address = ("127.0.0.1", int(self.server.effective_port))
        client = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        self.clients.append(client)
        found = self.until(lambda: set(self.server.active_channels) - known)
        channel: StrictChannel = self.server.active_channels[found.pop()]
        return client, channel

    def close(self) -> None:
        """End everything."""
        for each in self.clients:
            each.close()
        self.server.task_dispatcher.shutdown(timeout=PATIENCE_SECONDS)
        wasyncore.close_all(self.map)


def answer(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """An application that is always content."""
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]


@pytest.fixture
def stepped() -> Iterator[Stepped]:
    """A server that ends with the test."""
    made = Stepped()
    yield made
    made.close()


def test_waitress_calls_every_hook(stepped: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the course of a good and a bad request. A failure names the hooks that were not called."""
    called: set[str] = set()

    def watch(kind: type, name: str) -> None:
        original = getattr(kind, name)

        def noting(*args: Any) -> Any:
            called.add(f"{kind.__name__}.{name}")
            return original(*args)

        monkeypatch.setattr(kind, name, noting)

    hooks = [
        (StrictChannel, "parser_class"),
        (StrictChannel, "received"),
        (StrictChannel, "handle_write"),
        (StrictParser, "received"),
        (StrictParser, "parse_header"),
        (strict_http.ProblemTask, "execute"),
        (strict_http.BreakableTask, "write"),
        (StrictServer, "maintenance"),
    ]
    for kind, name in hooks:
        watch(kind, name)
    client, channel = stepped.connect()
    with client:
        client.sendall(GOOD + b"bad\r\n\r\n")
        stepped.until(lambda: channel.heard_out_since)

    assert {f"{kind.__name__}.{name}" for kind, name in hooks} - called == set()


def test_a_short_answer_goes_out_with_its_head(
    stepped: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one piece, and complete. Seen to fail when waitress writes it, in two."""
    sent: list[bytes] = []
    send = StrictChannel.send

    def noting(channel: StrictChannel, data: bytes, **how: Any) -> Any:
        sent.append(bytes(data))
        return send(channel, data, **how)

    monkeypatch.setattr(StrictChannel, "send", noting)
    client, channel = stepped.connect()
    with client:
        client.sendall(GOOD)
        stepped.until(lambda: sent and not channel.requests)

    assert len(sent) == 1
    assert sent[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent[0].endswith(b"\r\n\r\ndone")


def test_waitress_keeps_its_channels_where_they_are_looked_for(stepped: Stepped) -> None:
    """Under ``active_channels``, each with the request that arrives and those that wait."""
    client, channel = stepped.connect()
    with client:
        assert isinstance(channel, StrictChannel)
        assert channel.requests == []
        assert not channel.request
        assert isinstance(channel.requests_lock, type(threading.Lock()))
        client.sendall(b"GET / HTTP/1.1\r\n")
        stepped.until(lambda: channel.request)
        assert type(channel.request).__name__ == "StrictParser"
        assert channel.connected is True
    stepped.until(lambda: not stepped.server.active_channels)
    assert channel.connected is False


def test_waitress_closes_a_channel_that_will_close(stepped: Stepped) -> None:
    """In its own turn, without anything to send."""
    client, channel = stepped.connect()
    with client:
        channel.will_close = True
        stepped.until(lambda: not stepped.server.active_channels)

        assert client.recv(1) == b""


def test_the_trigger_calls_in_the_loop(stepped: Stepped) -> None:
    """What it is given, in the next turn, not at once."""
    called: list[int] = []
    stepped.server.trigger.pull_trigger(lambda: called.append(1))
    assert called == []

    stepped.until(lambda: called)
    assert called == [1]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (b"GET / HTTP/1.0\r\nno colon\r\n", "Invalid header"),
        (b"GET / HTTP/1.0\r\nContent-Length: x\r\n", "Content-Length is invalid"),
        (b"GET a b HTTP/1.0\r\n", "Start line is invalid"),
        (b"GET / \rHTTP/1.0\r\n", "Bare CR or LF found in HTTP message"),
    ],
)
def test_waitress_words_its_refusals_as_known(block: bytes, text: str) -> None:
    """Those that quote nothing are passed on; new texts are not, so this only says what is lost."""
    parser = waitress.parser.HTTPRequestParser(waitress.adjustments.Adjustments())

    with pytest.raises(waitress.parser.ParsingError) as caught:
        parser.parse_header(block)
    assert str(caught.value) == text
    assert text in strict_http._QUOTES_NOTHING


def test_waitress_quotes_a_header_in_some_refusals() -> None:
    """Which is why its texts are not passed on unseen; a value is a secret now and then."""
    parser = waitress.parser.HTTPRequestParser(waitress.adjustments.Adjustments())

    with pytest.raises(waitress.parser.ParsingError, match="CANARY"):
        parser.parse_header(b"GET / HTTP/1.0\r\nAuthorization: CANARY\n\r\n")


def test_a_request_that_was_never_read_has_a_path() -> None:
    """Waitress logs it when the client is gone by then. Seen to fail without the attribute."""
    assert StrictParser(waitress.adjustments.Adjustments()).path == ""


# --- Slow and stalled, turn by turn ---------------------------------------------------------------


def test_a_new_client_does_not_inherit_the_bytes_of_a_dropped_one(stepped: Stepped) -> None:
    """The number of a closed connection is given to the next, within one turn of the loop.

    Seen to fail when slow connections are closed by the trigger: the loop then reads from the new
    connection what had arrived on the old one, finds nothing, and closes it.
    """
    slow, channel = stepped.connect()
    slow.sendall(b"GET / HTTP/1.1\r\n")
    stepped.until(lambda: channel.request)
    assert channel.request
    channel.request.started -= 3600
    slow.sendall(b"x")
    address = ("127.0.0.1", int(stepped.server.effective_port))
    with slow, socket.create_connection(address, timeout=PATIENCE_SECONDS) as fresh:
        stepped.server.next_channel_cleanup = time.time() + 3600
        stepped.server.maintenance(time.time())
        stepped.until(lambda: channel.connected is False)
        stepped.until(lambda: len(stepped.server.active_channels) == 1)
        fresh.sendall(GOOD)
        stepped.until(lambda: not next(iter(stepped.server.active_channels.values())).request)

        stepped.turn(0.05)
        assert [each.connected for each in stepped.server.active_channels.values()] == [True]


def test_a_request_behind_one_at_work_is_not_slow(stepped: Stepped) -> None:
    """Nobody reads it meanwhile: its time begins when the one before it is answered.

    An empty line after a body is such a beginning, too, and some clients send one. Seen to fail
    when the time counts from the first byte.
    """
    client, channel = stepped.connect()
    with client:
        client.sendall(GOOD.replace(b"GET /good", b"GET /gate") + b"\r\n")
        stepped.until(lambda: channel.request is not None)
        request = channel.request
        assert request is not None
        first = request.started
        channel.requests.append(StrictParser(channel.adj))

        assert channel.is_slow(first + 100, 60) is False
        channel.requests.clear()
        assert channel.is_slow(first + 159, 60) is False
        assert channel.is_slow(first + 161, 60) is True


def test_a_client_that_takes_as_much_as_is_added_is_not_stalled(stepped: Stepped) -> None:
    """The length of what waits is the same then, but not the time of the last byte out.

    Seen to fail when the length alone is compared.
    """
    client, channel = stepped.connect()
    with client:
        channel.total_outbufs_len = 1000
        assert channel.is_stalled(100, 60) is False
        channel.last_activity += 1
        assert channel.is_stalled(200, 60) is False
        assert channel.is_stalled(259, 60) is False
        assert channel.is_stalled(261, 60) is True
        channel.total_outbufs_len = 0
        assert channel.is_stalled(400, 60) is False


def test_a_client_that_never_hangs_up_is_heard_out_for_a_while(stepped: Stepped) -> None:
    """Then its connection is closed like that of a slow one. Seen to fail without that time."""
    client, channel = stepped.connect()
    with client:
        client.sendall(b"bad\r\n\r\n")
        stepped.until(lambda: channel.heard_out_since)
        assert problem(rest(client))["status"] == 400
        assert channel.is_slow(time.monotonic(), 60) is False
        assert channel.is_slow(time.monotonic() + 61, 60) is True
        client.sendall(b"GET / HTTP/1.1\r\n")
        stepped.turn(1.0)  # until it is there
        assert not channel.request


# --- The budget for bodies ------------------------------------------------------------------------

BODY = 400_000
BUDGET: dict[str, Any] = {"max_body_bytes": BODY, "max_buffered_bytes": 1_000_000}


def is_full(came: bytes) -> None:
    """Check that the answer says that there is no room, and when to come again."""
    assert problem(came)["type"] == "urn:sesam-connector:busy"
    assert came.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 5\r\n" in came


def has_all_its_room(server: Served) -> None:
    """Check it from outside: uploads of exactly the budget are held at once, and all answered."""
    server.arrived(0)
    open_ones = [(upload(server.client, size, 1), size) for size in (BODY, BODY, 200_000)]
    server.arrived(1_000_000)
    assert [finish(each, size - 1).status for each, size in open_ones] == [200] * 3
    server.arrived(0)


def test_uploads_over_the_budget_are_refused_and_the_others_complete() -> None:
    """With 503 and Retry-After, before their body is there; then there is room again."""
    with served(**BUDGET) as server:
        first, second = (upload(server.client, BODY, 1000) for _ in range(2))
        server.arrived(2 * BODY)
        for expect in ("", "Expect: 100-continue\r\n"):
            with server.client.connect() as third:
                head = f"POST / HTTP/1.1\r\nHost: x\r\n{expect}Content-Length: {BODY}\r\n\r\n"
                third.sendall(head.encode())
                is_full(rest(third))
        assert good(server.client).status == 200

        assert finish(first, BODY - 1000).body == b"400000"
        assert finish(second, BODY - 1000).body == b"400000"
        has_all_its_room(server)


def test_many_at_once_are_answered_with_200_or_503() -> None:
    """Whoever comes first, none is reset, and none waits for ever."""
    with served(threads=4, **BUDGET) as server, ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: server.client.send(body=b"x" * BODY), range(64)))

        assert {each.status for each in found} <= {200, 503}
        assert [each.status for each in found].count(200) >= 2
        assert {each.headers.get("retry-after") for each in found if each.status == 503} <= {"5"}
        has_all_its_room(server)


def test_bodies_at_work_are_held() -> None:
    """A body counts until its request is answered. Seen to fail when only what arrives counts."""
    with served(**BUDGET) as server:
        at_work = [upload(server.client, BODY, BODY, "/gate") for _ in range(2)]
        for _ in at_work:
            assert server.begun.acquire(timeout=PATIENCE_SECONDS)
        with upload(server.client, BODY, 0) as third:
            is_full(rest(third))
        server.gate.set()

        assert [finish(each, 0).body for each in at_work] == [b"400000"] * 2
        has_all_its_room(server)


def test_chunks_count_as_they_arrive_and_only_theirs_is_refused() -> None:
    """The one that grows beyond the room goes; those whose length was known stay.

    Seen to fail when chunks do not count, and when a refused body still does: while the answer
    waits for a thread, every other upload is refused as well.
    """
    with served(threads=1, **BUDGET) as server:
        gate = server.at_the_gate()
        first, second = (upload(server.client, BODY, 1000) for _ in range(2))
        server.arrived(2 * BODY)
        with server.client.connect() as chunks:
            chunks.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunks.sendall(b"186A0\r\n" + b"x" * 100_000 + b"\r\n")
            server.arrived(2 * BODY + 100_009)
            chunks.sendall(b"186A1\r\n" + b"x" * 100_001)
            server.waiting(1)
            first.sendall(b"x" * (BODY - 1000))
            second.sendall(b"x" * (BODY - 1000))
            server.waiting(3)
            server.gate.set()

            is_full(rest(chunks))
        assert [finish(each, 0).body for each in (first, second)] == [b"400000"] * 2
        assert finish(gate, 0).status == 200
        has_all_its_room(server)


def test_a_refused_giant_takes_no_room() -> None:
    """Its Content-Length says more than there is memory in the world, and its 413 has to wait.

    Seen to fail when the length of a refused request counts.
    """
    with served(threads=1, **BUDGET) as server:
        gate = server.at_the_gate()
        giant = upload(server.client, 10**12, 1000)
        server.waiting(1)
        small = upload(server.client, 1000, 1000)
        server.waiting(2)
        server.gate.set()

        assert finish(giant, 0).status == 413
        assert finish(small, 0).body == b"1000"
        assert finish(gate, 0).status == 200


def test_room_comes_back_whatever_ended_a_request() -> None:
    """Two hundred times: refused for its size, its form, its coding; gone in the middle; answered.

    Seen to fail when the room of those that are gone is not given back.
    """
    refused = [
        b"Content-Length: 400001\r\n\r\n" + b"x" * 1000,
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXY",
        b"Transfer-Encoding: chunked\r\n\r\n61A81\r\n" + b"x" * 400_001,
        b"Content-Length: 10\r\nContent-Length: 10\r\n\r\n0123456789",
    ]
    with served(**BUDGET) as server:
        for at in range(200):
            with server.client.connect() as bad:
                bad.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + refused[at % len(refused)])
                if at % 3:
                    assert problem(rest(bad))["status"] in (400, 413)
            gone = upload(server.client, BODY, 1000)
            if at % 2:  # a reset rather than an end
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            gone.close()
            if at % 10 == 0:
                assert server.client.send(body=b"x" * 1000).status in (200, 503)

        has_all_its_room(server)


# --- Nowhere to write -----------------------------------------------------------------------------


def test_the_largest_bodies_need_no_folder_for_temporary_files(tmp_path: Path) -> None:
    """Ten at once, sent whole or in chunks, where no folder that Python tries can be written to.

    Seen to fail with waitress's own ``inbuf_overflow``: the connection is reset.
    """
    (tmp_path / "sitecustomize.py").write_text(
        "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nonexistent/either']"
    )
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    import_from = os.pathsep.join(filter(None, [str(tmp_path), *inherited]))
    limit = 4 * 2**20
    body = json.dumps([{"_id": "1", "text": "x" * 100_000}] * 41).encode().ljust(limit)
    pieces = [body[at : at + 2**16] for at in range(0, limit - 4096, 2**16)]
    pieces[-1] = pieces[-1][:-2048]  # what is between the chunks counts, too
    with (
        process(tmp_path / "process", TMPDIR="/nonexistent", PYTHONPATH=import_from) as connector,
        ThreadPoolExecutor(10) as pool,
    ):
        client = connector.listening()
        assert client.send(body=body).document == {"delivered": 41, "skipped": 0}
        assert client.send(body=body + b" ").status == 413

        whole = pool.map(lambda _: client.send(body=body).status, range(10))
        assert set(whole) <= {200, 503}
        chunked = pool.map(lambda _: client.send(body=iter(pieces)).status, range(10))
        assert set(chunked) <= {200, 503}
        assert client.send(body=iter(pieces)).status == 200
        assert connector.end() == 0
    assert "ERROR" not in connector.output()
