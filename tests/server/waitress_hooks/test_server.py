"""Who is dropped for the sake of others, and the room that bodies have together."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sesam_connector_sdk.server.waitress_hooks.channel import StrictChannel
from tests.notes import PATIENCE_SECONDS
from tests.server.hostile import GOOD, Served, finish, good, problem, rest, served, upload
from tests.server.waitress_hooks.stepped import Stepped


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


def test_the_trigger_calls_in_the_loop(stepped: Stepped) -> None:
    """What it is given, in the next turn, not at once."""
    called: list[int] = []
    stepped.server.trigger.pull_trigger(lambda: called.append(1))
    assert called == []

    stepped.until(lambda: called)
    assert called == [1]


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
