"""A thread reads what comes on the connection that it has answered, while nobody else needs it.

The loop does nothing here unless a test has it turn.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sesam_connector_sdk.server.waitress_hooks import staying
from sesam_connector_sdk.server.waitress_hooks.channel import StrictChannel
from tests.notes import PATIENCE_SECONDS
from tests.server.hostile import GOOD
from tests.server.waitress_hooks.stepped import Stepped, answer
from tests.wire import eventually, read_reply

MEGABYTE = 1024 * 1024


class Answers:
    """An application that notes the threads that it is called in, and holds some back."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.gate = threading.Event()
        self.waits: list[bool] = []
        """Whether a thread that looked was free to wait for what comes next."""

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        """Answer; a request for the gate when it is open."""
        self.calls.append((environ["PATH_INFO"], threading.get_ident()))
        if environ["PATH_INFO"] == "/gate":
            self.gate.wait(PATIENCE_SECONDS)
        if environ["PATH_INFO"] == "/large":
            start("200 OK", [("Content-Length", str(8 * MEGABYTE))])
            return [bytes(MEGABYTE)] * 8
        return answer(environ, start)

    def threads(self) -> set[int]:
        """Those that were used so far."""
        return {thread for _, thread in self.calls}


@pytest.fixture
def answers() -> Answers:
    """The application."""
    return Answers()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread stays for longer than a test may take."""
    monkeypatch.setattr(staying, "_STAY_MILLISECONDS", int(3 * PATIENCE_SECONDS * 1000))


@pytest.fixture
def two(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stepped]:
    """A server of two threads."""
    made = Stepped(2, answers)
    look = made.server.has_spare_thread

    def noting() -> bool:
        found = look()
        answers.waits.append(found)
        return found

    monkeypatch.setattr(made.server, "has_spare_thread", noting)
    yield made
    answers.gate.set()
    made.close()


def to(path: str) -> bytes:
    """A request."""
    return GOOD.replace(b"/good", path.encode())


def answered(client: socket.socket, times: int = 1) -> bool:
    """Whether so many answers come and no more is there with them."""
    came = b""
    while came.count(b"\r\ndone") < times:
        piece = client.recv(65536)
        assert piece, came
        came += piece
    return came.count(b"HTTP/1.1 200 OK") == times


def first_answer(stepped: Stepped) -> tuple[socket.socket, StrictChannel]:
    """A connection on which one request has been read by the loop, and answered."""
    client, channel = stepped.connect()
    client.sendall(GOOD)
    stepped.until(lambda: channel.requests)
    assert answered(client)
    return client, channel


def is_woken(stepped: Stepped) -> bool:
    """Whether something wakes the loop."""
    server = stepped.server
    (trigger,) = (number for number, each in server.loop_map.items() if each is server.trigger)
    return bool(select.select([trigger], [], [], PATIENCE_SECONDS)[0])


def is_let_go(channel: StrictChannel) -> None:
    """Wait until the connection has no thread."""
    eventually(lambda: not channel.has_thread and not channel.requests, "has no thread")


@pytest.mark.usefixtures("patient")
def test_the_next_request_is_read_by_the_same_thread(two: Stepped, answers: Answers) -> None:
    """Without a turn of the loop. Seen to fail when a thread does not wait."""
    client, channel = first_answer(two)
    for _ in range(3):
        client.sendall(GOOD)
        assert answered(client)

    assert len(answers.calls) == 4
    assert len(answers.threads()) == 1
    assert channel.has_thread
    assert not channel.readable()


@pytest.mark.usefixtures("patient")
def test_the_last_free_thread_does_not_wait(answers: Answers) -> None:
    """Or the next connection would wait for it. Seen to fail without that condition."""
    alone = Stepped(1, answers)
    try:
        client, channel = first_answer(alone)
        is_let_go(channel)
        client.sendall(GOOD)
        alone.until(lambda: channel.requests or len(answers.calls) == 2)
        assert answered(client)
    finally:
        alone.close()


@pytest.mark.usefixtures("patient")
def test_a_thread_that_waits_is_not_waited_for(two: Stepped, answers: Answers) -> None:
    """Another connection has the other thread; a third one has to wait for a thread at work only.

    The first connection is let go when its thread looks again. Seen to fail when a thread goes on
    while requests are in the queue.
    """
    first, _ = first_answer(two)
    eventually(lambda: answers.waits == [True], "the thread waits")
    second, _ = two.connect()
    second.sendall(to("/gate"))
    two.until(lambda: answers.calls[-1][0] == "/gate")
    third, _ = two.connect()
    third.sendall(to("/third"))
    two.until(lambda: two.server.task_dispatcher.queue)

    first.sendall(to("/first"))
    assert answered(third)
    assert answered(first)
    assert [path for path, _ in answers.calls] == ["/good", "/gate", "/third", "/first"]


def test_what_comes_later_is_the_loops(two: Stepped, answers: Answers) -> None:
    """Also the rest of what the thread has begun to read."""
    client, channel = first_answer(two)
    client.sendall(GOOD[:10])
    two.until(lambda: channel.request)
    is_let_go(channel)
    client.sendall(GOOD[10:])

    two.until(lambda: len(answers.calls) == 2)
    assert answered(client)


@pytest.mark.usefixtures("patient")
def test_what_the_thread_has_begun_to_read_the_loop_goes_on_with(
    two: Stepped, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with the beginning read by the thread for certain.

    Seen to fail when the loop is not told that the connection is its own again.
    """
    looks = iter([True, False])
    monkeypatch.setattr(two.server, "has_spare_thread", lambda: next(looks))
    client, channel = first_answer(two)
    client.sendall(GOOD[:10])
    is_let_go(channel)
    assert channel.request is not None
    assert is_woken(two)
    client.sendall(GOOD[10:])

    two.until(lambda: len(answers.calls) == 2)
    assert answered(client)


@pytest.mark.usefixtures("patient")
def test_a_probe_is_never_for_a_thread_that_waits(two: Stepped, answers: Answers) -> None:
    """It is for the reserved ones, also behind another request; and what follows it is not.

    Seen to fail when whatever was read is answered, and when a reserved thread waits, too.
    """
    client, channel = first_answer(two)
    (ordinary,) = answers.threads()
    client.sendall(to("/healthz"))
    assert answered(client)
    is_let_go(channel)
    client.sendall(GOOD)
    two.until(lambda: len(answers.calls) == 3)
    assert answered(client)

    threads = dict(answers.calls)
    assert threads["/healthz"] != ordinary
    assert threads["/healthz"] != threads["/good"]


@pytest.mark.usefixtures("patient")
def test_answers_to_requests_sent_together_keep_their_order(two: Stepped, answers: Answers) -> None:
    """A probe among them, too, which another thread answers."""
    paths = ["/1", "/2", "/healthz", "/3"]
    client, _ = first_answer(two)
    client.sendall(b"".join(map(to, paths)))

    assert answered(client, len(paths))
    assert [path for path, _ in answers.calls[1:]] == paths


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_leaves_is_seen_by_the_loop(two: Stepped, *, reset: bool) -> None:
    """Hung up or broken off: the thread lets go, and the loop closes the connection."""
    client, channel = first_answer(two)
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

    is_let_go(channel)
    two.until(lambda: not two.server.active_channels)


@pytest.mark.usefixtures("patient")
def test_the_loop_is_told_of_what_is_left_to_send(two: Stepped) -> None:
    """A thread sends what the client takes at once, and waits for the loop to send the rest.

    Seen to fail when nothing wakes the loop for a connection that has a thread.
    """
    client, _ = first_answer(two)
    client.sendall(to("/large"))

    assert is_woken(two)
    client.close()
    two.until(lambda: not two.server.active_channels)


@pytest.mark.usefixtures("patient")
def test_a_connection_that_its_thread_closes_is_closed_by_the_loop(two: Stepped) -> None:
    """With its answer sent. Seen to fail when the thread reads on all the same."""
    client, channel = first_answer(two)
    client.sendall(b"bad\r\n\r\n")
    two.until(lambda: channel.heard_out_since)

    is_let_go(channel)
    assert read_reply(client).status == 400


@pytest.mark.usefixtures("patient")
def test_whoever_has_a_thread_is_busy_while_the_server_ends(two: Stepped, answers: Answers) -> None:
    """So its connection is not closed under it; once it listens no more, no thread waits."""
    client, channel = first_answer(two)
    eventually(lambda: answers.waits == [True], "the thread waits")
    assert not two.server.close_idle()
    two.server.stop_listening()
    client.sendall(GOOD)
    assert answered(client)

    is_let_go(channel)
    assert two.server.close_idle()


@pytest.mark.usefixtures("patient")
def test_a_request_asked_to_continue_is_read_on(two: Stepped) -> None:
    """The thread says so itself, once."""
    client, _ = first_answer(two)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    client.sendall(head)
    expected = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.recv(len(expected), socket.MSG_WAITALL) == expected
    client.sendall(b"[]")

    assert answered(client)


@pytest.mark.usefixtures("patient")
def test_a_failure_while_reading_ends_the_connection(
    two: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows how far it was read. Seen to fail when the loop reads on."""

    def broken(_channel: StrictChannel, _data: bytes) -> bool:
        raise RuntimeError

    client, _ = first_answer(two)
    monkeypatch.setattr(StrictChannel, "received", broken)
    client.sendall(GOOD)

    two.until(lambda: not two.server.active_channels)
    assert client.recv(1) == b""
