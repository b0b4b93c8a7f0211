"""Service Bus goes away: at the start, for a while, for good, or in the middle of a request."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from service_bus_emulator import Emulator, faults, running

from .processes import process
from .support import (
    CANARY,
    GUARDED,
    KEY,
    PATIENCE,
    LocalSink,
    bodies,
    eventually,
    ids,
    items,
    local,
    variables,
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


def at(port: int) -> dict[str, str]:
    """The environment for a namespace that may or may not be there."""
    return {
        "SERVICE_NAMESPACE": f"127.0.0.1:{port}",
        "SERVICE_SAS_TOKEN_NAME": "RootManageSharedAccessKey",
        "SERVICE_SAS_TOKEN_VALUE": KEY,
        "SEND_TIMEOUT": "5",
        **GUARDED,
    }


def entity(number: int) -> list[dict[str, int | str]]:
    """A batch of one."""
    return [{"_id": f"e{number}", "_updated": number, "text": CANARY}]


def test_the_sink_comes_up_before_service_bus_and_survives_its_restart() -> None:
    """Without Service Bus it listens and answers 503; with it 200; through a restart the same.

    Seen to fail when the sink connects in `open`, and when a failed sender is used again.
    """
    port = free_port()
    with process({**at(port), "ALLOWED_DESTINATIONS": "queue"}) as sink:
        sink.wait_for_log("WARNING .* cannot connect to queue yet: ")
        for round_number in (1, 2):
            away = sink.post("/queue", entity(0))
            assert (away.status, away.headers["retry-after"]) == (503, "10")
            assert away.seconds < PATIENCE
            with running(queues=["queue"], port=port, key=KEY) as emulator:
                assert sink.post("/queue", entity(round_number)).status == 200
                assert ids(emulator, "queue") == [f"e{round_number}@{round_number}"]
        assert sink.post("/queue", entity(3)).status == 503


def test_allowed_destinations_are_connected_to_at_the_start(emulator: Emulator) -> None:
    """The first request to an allowed destination finds an open connection.

    Seen to fail when nothing is opened before the first request.
    """
    names = ["warm/one", "warm/two"]
    with process(variables(emulator, ALLOWED_DESTINATIONS=",".join(names))) as sink:
        eventually(lambda: all(emulator.stats(n).links_open for n in names), "both are connected")
        for name in names:
            assert sink.post(f"/{name}", entity(1)).status == 200
            assert emulator.stats(name).links_total == 1


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port on which something listens that is no Service Bus.

    Args:
        answer: What is done with each connection.
    """
    accepted: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                made, _ = listener.accept()
                accepted.append(made)
                answer(made)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in accepted:
                each.close()


def say_nothing(_connection: socket.socket) -> None:
    """Accept and never answer, as a broken proxy does."""


def hang_up(connection: socket.socket) -> None:
    """Accept and close, as a load balancer without servers does."""
    connection.close()


def speak_http(connection: socket.socket) -> None:
    """Answer as a web server does."""
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("answer", [say_nothing, hang_up, speak_http])
def test_a_port_that_is_no_service_bus_is_not_available(
    answer: Callable[[socket.socket], None],
) -> None:
    """Whatever else answers on the port, the hub is told 503 in bounded time, and again.

    Seen to fail, with the silent port, without the time limit around opening; and with warnings of
    sockets left open, which the client forgets, without the books of `sockets`.
    """
    with listening(answer) as port, process({**at(port), "SEND_TIMEOUT": "1"}) as sink:
        for _ in range(2):
            found = sink.post("/queue", entity(1))
            assert found.status == 503
            assert found.seconds < PATIENCE


def test_what_was_acknowledged_before_an_outage_is_not_promised(
    emulator: Emulator, queue: str
) -> None:
    """The third of five batches is lost: no success, and the first two are in the queue, once."""
    emulator.inject(queue, faults.Delay(0.0, times=2))
    emulator.inject(queue, faults.Reset(times=None))
    with local(variables(emulator, MAX_BATCH_MESSAGES="10")) as sink:
        answer = sink.post(f"/{queue}", [{"_id": f"e{n}", "_updated": n} for n in range(50)])
    assert answer.status == 503
    assert ids(emulator, queue) == [f"e{n}@{n}" for n in range(20)]


def test_a_connection_that_breaks_within_a_batch_loses_and_doubles_nothing(
    emulator: Emulator, here: LocalSink, queue: str
) -> None:
    """The connection drops between the frames of a large batch: it is sent again, whole."""
    raw = [b'{"_id":"e%d","text":"%s"}' % (number, b"y" * 900) for number in range(250)]
    emulator.inject(queue, faults.DropMidBatch())
    assert here.post(f"/{queue}", items(raw)).status == 200
    assert bodies(emulator, queue) == raw


def test_no_time_left_spoils_nothing_for_the_next_request(emulator: Emulator, queue: str) -> None:
    """A request whose time is up before the sender opens is 503; the next one is sent in batches.

    Seen to fail when the sender counted as open by then: it knew no size limit, and every message
    went alone.
    """
    patient = variables(emulator, REQUEST_TIMEOUT="5")
    with local(patient) as sink:
        hurried = LocalSink(sink.sink, sink.settings.__class__(request_timeout=1e-6))
        answer = hurried.post(f"/{queue}", entity(1))
        assert answer.status in (429, 503)
        assert sink.post(f"/{queue}", [{"_id": f"{n}"} for n in range(100)]).status == 200
    assert emulator.stats(queue).transfers_received == 1
