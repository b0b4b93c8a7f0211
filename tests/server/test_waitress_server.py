"""The server drains: what has begun is answered, what is idle is closed, nothing new begins.

What else is relied on in waitress' insides, ``waitress_hooks/test_hooks.py`` looks at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from waitress.adjustments import Adjustments

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.server.waitress_server import WaitressServer, _adjustments
from tests.notes import PATIENCE_SECONDS
from tests.wire import Client, eventually, read_reply

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Running:
    """A server in a thread, around an application that waits until it is told to answer."""

    def __init__(self, **settings: Any) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        chosen = ServerSettings(port=0, bind_address="127.0.0.1", **settings)
        self.server = WaitressServer(self.app, chosen)
        host, port = self.server.address.split(":")
        self.client = Client(host, int(port))
        self.finished: bool | None = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        """Serve, and keep how it ended."""
        self.finished = self.server.run()

    def app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer at once on ``/``, elsewhere when told to."""
        if environ["PATH_INFO"] != "/":
            self.begun.release()
            self.go_on.wait(PATIENCE_SECONDS)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    def stop(self) -> bool | None:
        """Stop, wait for the end, and say how it ended."""
        self.server.stop()
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()
        return self.finished


@pytest.fixture
def running() -> Iterator[Callable[..., Running]]:
    """Start servers that end with the test."""
    started: list[Running] = []

    def start(**settings: Any) -> Running:
        started.append(Running(**settings))
        return started[-1]

    yield start
    for each in started:
        each.go_on.set()
        each.stop()


def test_a_server_that_nobody_uses_stops_at_once(running: Callable[..., Running]) -> None:
    """Well before the deadline of a drain."""
    found = running(drain_timeout=600.0)

    assert found.stop() is True


def test_a_request_at_work_is_answered_before_the_end(running: Callable[..., Running]) -> None:
    """The drain waits for it. Seen to fail when the drain closes every connection."""
    found = running()
    with found.client.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert found.begun.acquire(timeout=PATIENCE_SECONDS)
        found.server.stop()
        eventually(lambda: refuses(found.client), "new connections are refused")
        found.thread.join(1.5)  # longer than waitress gives its threads at the very end
        assert found.finished is None
        found.go_on.set()

        assert read_reply(connection).body == b"done"
    assert found.stop() is True


def refuses(client: Client) -> bool:
    """Whether nothing listens any more."""
    try:
        client.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):
        # Reset where the listener closes just while the connection is made: refused all the same.
        return True
    return False


def test_open_connections_without_a_request_do_not_keep_it(
    running: Callable[..., Running],
) -> None:
    """Neither one that was used, nor one that never was. Seen to fail when idle ones are kept."""
    found = running(drain_timeout=600.0)
    with found.client.connect() as used, found.client.connect() as unused:
        used.sendall(GET)
        assert read_reply(used).status == 200
        used.sendall(GET)
        assert read_reply(used).status == 200

        assert found.stop() is True
        assert used.recv(1) == b""
        assert unused.recv(1) == b""


def test_they_are_closed_while_another_is_at_work(running: Callable[..., Running]) -> None:
    """So that its client goes elsewhere at once. Seen to fail when they are left until the end."""
    found = running()
    with found.client.connect() as busy, found.client.connect() as unused:
        busy.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert found.begun.acquire(timeout=PATIENCE_SECONDS)
        found.server.stop()

        assert unused.recv(1) == b""
        assert found.finished is None
        found.go_on.set()
        assert read_reply(busy).body == b"done"


def test_a_request_that_does_not_finish_in_time_is_given_up(
    running: Callable[..., Running],
) -> None:
    """The end comes at the deadline, and says that something was left."""
    found = running(drain_timeout=0.3)
    with found.client.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert found.begun.acquire(timeout=PATIENCE_SECONDS)

        assert found.stop() is False
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_half_a_request_keeps_the_drain_until_its_deadline(
    running: Callable[..., Running],
) -> None:
    """Its sender might be about to finish it; it cannot hold the process for ever."""
    found = running(drain_timeout=0.3)
    with found.client.connect() as connection, found.client.connect() as other:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        other.sendall(GET)
        assert read_reply(other).status == 200

        assert found.stop() is False


def test_stopping_twice_is_stopping_once(running: Callable[..., Running]) -> None:
    """Also after the end, when the trigger of the loop is closed.

    Seen to fail when the second stop pulls the trigger too.
    """
    found = running()

    assert found.stop() is True
    found.server.stop()


def test_a_stop_that_is_slow_to_wake_the_loop_finds_its_trigger_open(
    running: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop may see the stop by itself and end first; the trigger's number is not free yet.

    Seen to fail when the end does not wait for a stop that has begun.
    """
    found = running()
    wake = found.server._server.wake

    def wake_late() -> None:
        found.thread.join(1.5)  # longer than the loop waits
        wake()

    monkeypatch.setattr(found.server._server, "wake", wake_late)

    assert found.stop() is True


def test_a_taken_port_is_an_error_of_the_system(running: Callable[..., Running]) -> None:
    """Two servers cannot have one address, and the second leaves no thread behind.

    Seen to fail when its threads are not ended.
    """
    found = running()
    taken = ServerSettings(port=found.client.port, bind_address="127.0.0.1")
    before = threading.enumerate()

    with pytest.raises(OSError, match="in use"):
        WaitressServer(found.app, taken)

    for each in set(threading.enumerate()) - set(before):
        each.join(PATIENCE_SECONDS)
        assert not each.is_alive()


def test_the_answer_says_nothing_about_the_server(running: Callable[..., Running]) -> None:
    """No Server header; requests beyond the threads wait their turn."""
    found = running(threads=1)

    replies = [found.client.send("GET", "/", None) for _ in range(3)]

    assert [each.status for each in replies] == [200] * 3
    assert "server" not in replies[0].headers


def test_waitress_has_every_adjustment() -> None:
    """Those that are given, and two that the rest relies on staying as they are."""
    given = _adjustments(ServerSettings(port=0))
    made = Adjustments(**given)

    assert {name for name in given if not hasattr(made, name)} - {"host", "port"} == set()
    assert made.channel_request_lookahead == 0, "a second request is read while one is at work"
    assert made.trusted_proxy is None
